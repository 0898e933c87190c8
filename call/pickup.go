package call

import (
	"fmt"
	"slices"
	"time"

	"vpbx/media"
	"vpbx/pbx"
	"vpbx/routing"
	"vpbx/sip"
)

// parkFor is how long a parked caller waits until who parked it is rung.
const parkFor = 3 * time.Minute

// letPickUp shows who rings, so that others can pick up.
func (c *Call) letPickUp() {
	if c.caller.leg == nil {
		return // it is the caller's own phone that rings (click-to-call)
	}
	c.open = true
	var who []string
	for _, p := range c.parties {
		if p.number != "" && !slices.Contains(who, p.number) {
			who = append(who, p.number)
		}
	}
	if old := c.rings.Load(); old == nil || !slices.Equal(*old, who) {
		c.rings.Store(&who)
	}
}

// close ends that.
func (c *Call) close() {
	c.open = false
	c.rings.Store(nil)
}

// ringing finds the oldest call of a company that rings one of the extensions.
func (m *Manager) ringing(tenant pbx.TenantID, who []string) pbx.CallID {
	m.mu.Lock()
	defer m.mu.Unlock()
	var oldest pbx.CallID
	for id, c := range m.calls {
		rings := c.rings.Load()
		if c.company.ID != tenant || rings == nil || oldest != "" && oldest < id {
			continue
		}
		if slices.ContainsFunc(*rings, func(ext string) bool { return slices.Contains(who, ext) }) {
			oldest = id
		}
	}
	return oldest
}

// pickup takes a call that rings at another phone: at one extension, or at any of
// the caller's groups.
func (c *Call) pickup(s routing.Feature) {
	own, who, where := c.caller.number, []string{s.Number}, "at "+s.Number
	if s.Number == "" {
		who, where = c.company.Mates(own), "in the groups of "+own
	}
	to := c.m.ringing(c.company.ID, who)
	if to == "" {
		c.why("nothing rings " + where)
		c.end(pbx.NewCause(pbx.PartyPBX, pbx.NoRoute))
		return
	}
	c.pickFrom(to, nil)
}

// retrieve takes the call that is parked at an orbit.
func (c *Call) retrieve(s routing.Feature) {
	c.m.mu.Lock()
	to := c.m.parked[usage(c.company.ID, "park", s.Number)]
	c.m.mu.Unlock()
	if to == "" {
		c.why("nothing is parked at " + s.Number)
		c.end(pbx.NewCause(pbx.PartyPBX, pbx.NoRoute))
		return
	}
	c.pickFrom(to, nil)
}

// pickFrom gives the caller to the call that it picks up, and ends this one.
func (c *Call) pickFrom(to pbx.CallID, instead *sip.Leg) {
	h, err := c.giveTo(to, c.caller, instead)
	switch {
	case err != nil:
	case h.dialled != "" || h.cause.Reason != "":
		c.why("the call was no longer there")
		if h.cause.Reason == "" || h.cause.Reason == pbx.NoReply {
			h.cause = pbx.NewCause(pbx.PartyPBX, pbx.NoRoute)
		}
		c.end(h.cause)
	default:
		c.why(c.caller.who + " took another call")
		c.end(pbx.NewCause(pbx.PartyPBX, pbx.Joined))
	}
}

// park lets the caller wait at an orbit until somebody dials it. It returns true
// when the plan is over.
func (c *Call) park(s routing.Park) bool {
	key := usage(c.company.ID, "park", s.Orbit)
	c.m.mu.Lock()
	taken := c.m.parked[key] != ""
	if !taken {
		c.m.parked[key] = c.id
	}
	c.m.mu.Unlock()
	if taken {
		c.pass(s.Orbit, pbx.NewCause(pbx.PartyCallee, pbx.Busy), "somebody is parked at "+s.Orbit+" already")
		return false
	}
	p := c.parkedUntil(s, key)
	switch {
	case c.cause.Reason != "":
		return true
	case p == nil:
		return c.ring(routing.Ring{Who: []string{s.By}, For: recallRing, Why: fmt.Sprintf("nobody came for %s: %s is called back", s.Orbit, s.By)})
	}
	if err := c.join(p); err != nil {
		return c.cause.Reason != ""
	}
	return c.talk()
}

// parkedUntil waits until somebody comes for the caller, nil when nobody does.
func (c *Call) parkedUntil(s routing.Park, key string) *party {
	defer func() {
		c.open = false
		c.m.mu.Lock()
		delete(c.m.parked, key)
		c.m.mu.Unlock()
	}()
	c.note(pbx.CallEvent{Kind: pbx.Parked, Who: c.caller.who, To: s.Orbit})
	c.transferred(s.Orbit)
	c.caller.media.Play(c.hold(), true)
	c.open = true
	timer := time.NewTimer(parkFor)
	defer timer.Stop()
	for {
		e, err := c.next(timer.C)
		if err != nil {
			return nil
		}
		switch e := e.(type) {
		case expired:
			return nil
		case adopt:
			if p := c.taken(e); p != nil {
				return p
			}
		}
	}
}

// hold is what somebody hears who waits.
func (p *prompts) hold() *media.Prompt {
	return p.made("hold", media.HoldPrompt)
}
