package routing

import (
	"slices"
	"strconv"
	"strings"

	"vpbx/pbx"
)

// Queue lets the caller wait until an agent of the queue is free.
type Queue struct {
	Group    *pbx.Group // with a Queue
	Priority int        // the highest goes first
	Skills   []string   // that an agent must have
	Why      string
}

func (Queue) step() {}

// queue lays out the waiting in a queue.
func (p *plan) queue(g *pbx.Group, priority int, skills []string) {
	all := slices.Concat(g.Queue.Skills, skills)
	slices.Sort(all)
	p.Steps = append(p.Steps, Queue{Group: g, Priority: priority, Skills: slices.Compact(all), Why: "queue " + g.Number})
}

// queueStep lays out a queue step of a rule.
func (p *plan) queueStep(s pbx.Step) {
	g := p.req.Company.Groups[s.Target]
	if g == nil || g.Queue == nil {
		p.why(s.Target + " is not a queue")
		return
	}
	p.queue(g, s.Priority, s.Skills)
}

// CallBack decides about calling req.To back, who has waited in a queue. The company is
// answerable for the call, not the agent who takes it.
func CallBack(req Request, queue string) Forwarded {
	p := plan{req: req}
	p.req.Caller = nil
	p.why("called back from queue " + queue)
	c, to := req.Company, pbx.CleanNumber(req.To)
	switch {
	case to == "":
		p.reject(pbx.UnknownNumber, "the number cannot be read")
	case c.Extensions[to] != nil:
		p.ring(to, MaxRing/2)
	case to[0] == '*', c.Inside(to), c.Numbers[c.E164(to)] != nil, pbx.Emergency(to): // who calls from outside may show any number
		p.reject(pbx.Forbidden, to+" cannot be called back")
	default:
		p.callOut(to, MaxRing/2)
	}
	p.finish()
	return Forwarded{Steps: p.Steps, Record: p.Record, Notice: p.Notice, Why: p.Why}
}

// agentCode decides about the feature codes of agents and tells whether it is one.
func (p *plan) agentCode(dialled string) bool {
	c, own := p.req.Company, p.req.Caller.Number
	if queue, is := strings.CutPrefix(dialled, string(AgentLogin)); is {
		g := c.Groups[queue]
		switch {
		case queue == "" && !c.IsAgent(own):
			p.reject(pbx.Forbidden, own+" is not an agent of any queue")
		case queue != "" && (g == nil || g.Queue == nil || g.Queue.Login != pbx.LoginOpen):
			p.reject(pbx.UnknownNumber, queue+" is not a queue that one can log in to")
		default:
			p.Steps = append(p.Steps, Feature{AgentLogin, queue})
		}
		return true
	}
	if dialled == string(AgentLine) {
		if !c.IsAgent(own) && !c.HasOpenQueue() {
			p.reject(pbx.Forbidden, own+" is not an agent of any queue")
		} else {
			p.Steps = append(p.Steps, Feature{Code: AgentLine})
		}
		return true
	}
	place, is := strings.CutPrefix(dialled, string(AgentPause))
	if !is {
		return false
	}
	reason := ""
	if place != "" {
		n, err := strconv.Atoi(place)
		if err != nil || n < 1 || n > len(c.Pauses) {
			p.reject(pbx.UnknownNumber, "there is no pause "+place)
			return true
		}
		reason = c.Pauses[n-1].Name
	}
	if !c.IsAgent(own) && !c.HasOpenQueue() {
		p.reject(pbx.Forbidden, own+" is not an agent of any queue")
		return true
	}
	p.Steps = append(p.Steps, Feature{AgentPause, reason})
	return true
}
