package pbx

import (
	"cmp"
	"slices"
	"time"
)

// TalkKind says by whom an agent was given a talk: a closed set.
type TalkKind string

// What gives talks to agents.
const (
	TalkQueue    TalkKind = "queue"
	TalkCallback TalkKind = "callback"
	TalkCampaign TalkKind = "campaign"
)

// AgentTalk is a talk that a queue, a callback or a campaign has given to an agent.
type AgentTalk struct {
	Tenant TenantID      `json:"tenant"`
	Number string        `json:"number"` // of the agent
	Queue  string        `json:"queue"`
	Kind   TalkKind      `json:"kind"`
	Call   CallID        `json:"call"`
	Since  time.Time     `json:"since"`
	Until  time.Time     `json:"until"`
	Wrapup time.Duration `json:"wrapup,omitempty"` // it was left alone so long behind it
}

// AgentTime says what an agent has done with the time that was looked at. All times are
// seconds; Available, Talk, Wrapup and Paused do not overlap, and LoggedIn is their sum but for milliseconds.
type AgentTime struct {
	Agent       string      `json:"agent"`
	Name        string      `json:"name,omitempty"`
	LoggedIn    float64     `json:"logged_in"`
	Available   float64     `json:"available"`
	Talk        float64     `json:"talk"` // also behind a logout
	Wrapup      float64     `json:"wrapup"`
	Paused      float64     `json:"paused"`
	Pauses      []PauseTime `json:"pauses"`
	Talks       int         `json:"talks"` // that began in that time
	AverageTalk float64     `json:"average_talk"`
	Occupancy   float64     `json:"occupancy"` // percent of Talk and Wrapup in LoggedIn without Paused
}

// PauseTime is what an agent has paused for one reason.
type PauseTime struct {
	Reason string  `json:"reason"`
	Paid   bool    `json:"paid"` // as the company has it now
	Times  int     `json:"times"`
	Time   float64 `json:"seconds"`
}

// LoggedIn tells whether who has said s is at work for the queue g, paused or not; member
// tells whether it is one of its members.
func (g *Group) LoggedIn(s AgentState, member bool) bool {
	switch g.Queue.Login {
	case LoginOpen:
		return member && s.Logged == LoggedIn || slices.Contains(s.Queues, g.Number)
	case LoginRequired:
		return member && s.Logged == LoggedIn
	}
	return member && s.Logged != LoggedOut
}

// AgentTimes gives what the agents of a company have done from since until, in the order
// of their numbers. states are what they had said at since and have said later, of each agent
// in the order of the versions; talks are those that overlap with the time or are followed by a
// wrap-up that does. Who is an agent of which queue is taken from the company as it is now. It is pure.
func AgentTimes(c *Company, states []AgentState, talks []AgentTalk, since, until time.Time) []AgentTime {
	folds := map[string]*agentFold{}
	of := func(number string) *agentFold {
		if folds[number] == nil {
			folds[number] = &agentFold{c: c, number: number, since: since, until: until, pauses: map[string]*PauseTime{}}
		}
		return folds[number]
	}
	for _, g := range c.Groups {
		for _, number := range g.Members {
			if g.Queue != nil {
				of(number)
			}
		}
	}
	for _, s := range states {
		if c.Extensions[s.Number] != nil && (folds[s.Number] != nil || len(s.Queues) > 0) {
			of(s.Number).states = append(of(s.Number).states, s)
		}
	}
	for _, t := range talks {
		of(t.Number).add(t)
	}
	list := []AgentTime{}
	for _, f := range folds {
		list = append(list, f.fold())
	}
	slices.SortFunc(list, func(a, b AgentTime) int { return cmp.Compare(a.Agent, b.Agent) })
	return list
}

// agentFold goes through the time of one agent, from one edge to the next.
type agentFold struct {
	c            *Company
	number       string
	since, until time.Time
	states       []AgentState
	edges        []agentEdge
	pauses       map[string]*PauseTime // by reason
	talks        int                   // that began
	whole        time.Duration         // how long these were

	talking, wrapping                int // that go on at the edge
	said                             AgentState
	atWork                           bool
	talk, wrapup, pausing, available time.Duration
}

// agentEdge is a moment at which something begins or ends.
type agentEdge struct {
	at         time.Time
	talk, wrap int
	said       *AgentState
}

// add takes in a talk and its wrap-up.
func (f *agentFold) add(t AgentTalk) {
	if !t.Since.Before(f.since) && t.Since.Before(f.until) {
		f.talks++
		f.whole += t.Until.Sub(t.Since)
	}
	f.span(t.Since, t.Until, agentEdge{talk: 1}, agentEdge{talk: -1})
	f.span(t.Until, t.Until.Add(t.Wrapup), agentEdge{wrap: 1}, agentEdge{wrap: -1})
}

// span adds the part of from to to that lies in the time.
func (f *agentFold) span(from, to time.Time, begin, end agentEdge) {
	if from.Before(f.since) {
		from = f.since
	}
	if to.After(f.until) {
		to = f.until
	}
	if from.Before(to) {
		begin.at, end.at = from, to
		f.edges = append(f.edges, begin, end)
	}
}

// fold gives the times.
func (f *agentFold) fold() AgentTime {
	f.say(AgentState{})
	for i := range f.states {
		s := &f.states[i]
		if s.Since.After(f.since) {
			f.edges = append(f.edges, agentEdge{at: s.Since, said: s})
		} else {
			f.say(*s)
		}
	}
	slices.SortStableFunc(f.edges, func(a, b agentEdge) int { return a.at.Compare(b.at) })
	last := f.since
	for _, e := range f.edges {
		if !e.at.Before(f.until) {
			break
		}
		f.spend(e.at.Sub(last))
		last = e.at
		f.talking, f.wrapping = f.talking+e.talk, f.wrapping+e.wrap
		if e.said != nil {
			was := f.pausesFor()
			f.say(*e.said)
			if now := f.pausesFor(); now != "" && now != was {
				f.pause(now).Times++
			}
		}
	}
	f.spend(f.until.Sub(last))
	return f.times()
}

// say takes over what the agent has said.
func (f *agentFold) say(s AgentState) {
	f.said, f.atWork = s, false
	for _, g := range f.c.Groups {
		f.atWork = f.atWork || g.Queue != nil && g.LoggedIn(s, slices.Contains(g.Members, f.number))
	}
}

// pausesFor gives the reason for which it pauses, "" when it does not, or is not at work.
func (f *agentFold) pausesFor() string {
	if !f.atWork {
		return ""
	}
	return f.said.Paused
}

// spend adds a time in which nothing changes to what the agent does in it.
func (f *agentFold) spend(d time.Duration) {
	switch {
	case f.talking > 0:
		f.talk += d
	case !f.atWork:
	case f.said.Paused != "":
		f.pausing += d
		f.pause(f.said.Paused).Time += d.Seconds()
	case f.wrapping > 0:
		f.wrapup += d
	default:
		f.available += d
	}
}

func (f *agentFold) pause(reason string) *PauseTime {
	if f.pauses[reason] == nil {
		named, _ := f.c.PauseNamed(reason)
		f.pauses[reason] = &PauseTime{Reason: reason, Paid: named.Paid}
	}
	return f.pauses[reason]
}

// times writes down what was found.
func (f *agentFold) times() AgentTime {
	t := AgentTime{Agent: f.number, Talks: f.talks, Talk: seconds(f.talk), Wrapup: seconds(f.wrapup), Paused: seconds(f.pausing), Available: seconds(f.available),
		LoggedIn: seconds(f.talk + f.wrapup + f.pausing + f.available), Pauses: []PauseTime{}}
	if e := f.c.Extensions[f.number]; e != nil {
		t.Name = e.Name
	}
	if f.talks > 0 {
		t.AverageTalk = mean(f.whole.Seconds(), f.talks)
	}
	if work := f.talk + f.wrapup + f.available; work > 0 {
		t.Occupancy = mean(100*(f.talk+f.wrapup).Seconds()/work.Seconds(), 1)
	}
	for _, p := range f.pauses {
		p.Time = mean(p.Time, 1)
		t.Pauses = append(t.Pauses, *p)
	}
	slices.SortFunc(t.Pauses, func(a, b PauseTime) int { return cmp.Compare(a.Reason, b.Reason) })
	return t
}
