package api

import (
	"context"
	"slices"
	"time"

	"vpbx/pbx"
)

type inAgentFigures struct {
	InTenant
	InTime
	Queue string `query:"queue" maxLength:"10" doc:"Only the agents of this queue; their times are those of all queues"`
}

// AgentReport is what agents have done in a time.
type AgentReport struct {
	Since time.Time       `json:"since"`
	Until time.Time       `json:"until"` // at most now
	Items []pbx.AgentTime `json:"items"`
}

type agentFiguresOut struct {
	Body AgentReport
}

func (s *Server) agentFigures(ctx context.Context, q *request, in *inAgentFigures) (*agentFiguresOut, error) {
	if in.Queue != "" {
		if _, err := queueIn(q, in.Queue); err != nil {
			return nil, err
		}
	}
	now := time.Now()
	since, until, err := in.span(q, now)
	if err != nil {
		return nil, err
	}
	if until.After(now) { // nobody has worked then yet
		until = now.In(until.Location())
	}
	if until.Before(since) {
		return nil, invalid("since", "it is in the future")
	}
	states, err := s.c.QueueRecords.AgentStates(ctx, q.tenant(), since, until)
	if err != nil {
		return nil, err
	}
	talks, err := s.c.QueueRecords.AgentTalks(ctx, q.tenant(), since, until)
	if err != nil {
		return nil, err
	}
	talks = append(talks, s.c.Queues.AgentTalks(q.tenant())...)
	items := pbx.AgentTimes(q.company, states, talks, since, until)
	if in.Queue != "" {
		items = slices.DeleteFunc(items, func(a pbx.AgentTime) bool { return !agentOf(q.company, in.Queue, a.Agent, states) })
	}
	return &agentFiguresOut{Body: AgentReport{Since: since, Until: until, Items: items}}, nil
}

// agentOf tells whether an extension is an agent of a queue, or has logged in to it in the
// time that states are of.
func agentOf(c *pbx.Company, queue, number string, states []pbx.AgentState) bool {
	g := c.Groups[queue]
	return slices.Contains(g.Members, number) || g.Queue.Login == pbx.LoginOpen &&
		slices.ContainsFunc(states, func(s pbx.AgentState) bool { return s.Number == number && slices.Contains(s.Queues, queue) })
}
