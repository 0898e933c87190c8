package call

import (
	"context"
	"slices"

	"vpbx/media"
	"vpbx/pbx"
	"vpbx/routing"
)

// agentCode does a feature code of an agent: it logs in or out, pauses or goes on.
func (c *Call) agentCode(s routing.Feature) {
	var x pbx.AgentChange
	c.m.desks.see(c.company.ID, func(k *desk) { x = k.toggled(c.caller.number, s) })
	tone := c.m.prompts.confirmation()
	if x.Do == pbx.AgentLogout || x.Do == pbx.AgentPause {
		tone = media.MutedPrompt() // who listens knows which of the two it was
	}
	c.set(s, didAgent(x), tone, func(ctx context.Context) error {
		_, err := c.m.ChangeAgent(ctx, c.company.ID, c.caller.number, x)
		return err
	})
}

// toggled is what a code means for an agent as it is now.
func (k *desk) toggled(number string, f routing.Feature) pbx.AgentChange {
	s := k.stateOf(number)
	if f.Code == routing.AgentPause {
		if f.Number == "" && s.Paused != "" {
			return pbx.AgentChange{Do: pbx.AgentResume}
		}
		return pbx.AgentChange{Do: pbx.AgentPause, Reason: f.Number}
	}
	in := s.Logged == pbx.LoggedIn
	switch {
	case f.Number != "":
		in = slices.Contains(s.Queues, f.Number)
	case s.Logged == "": // where nobody has to log in it is in
		in = k.works(number)
	}
	if in {
		return pbx.AgentChange{Do: pbx.AgentLogout, Queue: f.Number}
	}
	return pbx.AgentChange{Do: pbx.AgentLogin, Queue: f.Number}
}

// works tells whether an extension who has said nothing is an agent who works.
func (k *desk) works(number string) bool {
	for _, g := range k.company.Groups {
		if g.Queue != nil && slices.Contains(g.Members, number) && k.logged(g, &agent{number: number}, true) {
			return true
		}
	}
	return false
}

func didAgent(x pbx.AgentChange) string {
	what := map[pbx.AgentVerb]string{pbx.AgentLogin: "logged in to queues", pbx.AgentLogout: "logged out of queues",
		pbx.AgentPause: "paused", pbx.AgentResume: "no longer paused"}[x.Do]
	switch {
	case x.Queue != "":
		return what + ": " + x.Queue
	case x.Reason != "":
		return what + ": " + x.Reason
	}
	return what
}
