package call

import (
	"context"
	"time"

	"vpbx/pbx"
)

// talked ends the talk of an agent and has it kept, for the figures. It is called with the
// mutex held.
func (d *desks) talked(k *desk, a *agent, at time.Time) {
	t, was := a.talk(k.tenant, at)
	k.talked(a, at, true)
	if !was {
		return
	}
	if a.until.After(at) && !a.missed {
		t.Wrapup = a.until.Sub(at)
	}
	d.later(func(ctx context.Context) {
		if err := d.m.Agents.SaveAgentTalk(ctx, t.Tenant, t); err != nil {
			d.m.Log.Warn("talk of an agent not kept for the figures", "tenant", t.Tenant, "agent", t.Number, "call", t.Call, "error", err)
		}
	})
}

// talk is what the agent talks in at the moment; false when that is nothing that it was
// given, or an operator waits for the target of a campaign.
func (a *agent) talk(t pbx.TenantID, at time.Time) (pbx.AgentTalk, bool) {
	w := a.serves
	if w == nil || w.bid != nil && !w.bid.talked {
		return pbx.AgentTalk{}, false
	}
	kind := pbx.TalkQueue
	switch {
	case w.bid != nil:
		kind = pbx.TalkCampaign
	case w.order != nil:
		kind = pbx.TalkCallback
	}
	return pbx.AgentTalk{Tenant: t, Number: a.number, Queue: w.group.Number, Kind: kind, Call: w.call, Since: a.since, Until: at}, true
}

// AgentTalks gives the talks of the agents of a company that go on, as if they were over
// now.
func (m *Manager) AgentTalks(t pbx.TenantID) []pbx.AgentTalk {
	var list []pbx.AgentTalk
	m.desks.see(t, func(k *desk) {
		at := time.Now()
		for _, a := range k.agents {
			if talk, is := a.talk(t, at); is {
				list = append(list, talk)
			}
		}
	})
	return list
}
