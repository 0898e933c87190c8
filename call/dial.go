package call

import (
	"context"
	"fmt"
	"slices"
	"time"

	"vpbx/pbx"
	"vpbx/routing"
	"vpbx/sip"
)

const defaultRing = 60 * time.Second // an outside number rings for, at most

// dial calls an outside number over the first of the trunks that takes the
// call. It goes on to the next trunk only for causes with which another trunk
// can help. It returns true when the call is over.
func (c *Call) dial(s routing.Dial) bool {
	if s.For <= 0 {
		s.For = defaultRing
	}
	for _, t := range c.working(s.Trunks) {
		c.failed = pbx.Cause{}
		p, err := c.dialTrunk(s, t)
		if err != nil {
			return true
		}
		if c.race(s.For) {
			return true
		}
		if !nextTrunk(c.failed, p != nil && p.alerted) {
			return false
		}
	}
	return false
}

// working leaves out the trunks that are down, unless all are.
func (c *Call) working(trunks []*pbx.Trunk) []*pbx.Trunk {
	var up []*pbx.Trunk
	for _, t := range trunks {
		if c.m.SIP.TrunkUp(c.company.ID, t.Name) {
			up = append(up, t)
		}
	}
	if len(up) == 0 || len(up) == len(trunks) {
		return trunks
	}
	for _, t := range trunks {
		if !slices.Contains(up, t) {
			c.why("trunk " + t.Name + " is down")
		}
	}
	return up
}

// nextTrunk tells whether another trunk may succeed where one failed so: not
// when the called party itself has spoken, and not when its phone has rung: it
// is not rung twice for one call.
func nextTrunk(c pbx.Cause, alerted bool) bool {
	if alerted {
		return false
	}
	switch c.Reason {
	case pbx.NoReply, pbx.OverLimit, pbx.NoRoute:
		return true
	case pbx.Refused:
		return c.SIP >= 500 && c.SIP < 600
	}
	return false
}

// dialTrunk sends the INVITE and gives whom it dialled, nil when it could not.
// What the trunk says arrives later; an error means that the call is over.
func (c *Call) dialTrunk(s routing.Dial, t *pbx.Trunk) (*party, error) {
	key, ok := c.use("trunk", t.Name, t.Calls)
	if !ok {
		c.passTrunk(t.Name, pbx.NewCause(pbx.PartyPBX, pbx.OverLimit), fmt.Sprintf("trunk %s has %d calls already", t.Name, t.Calls))
		return nil, nil
	}
	type found struct {
		target sip.Target
		err    error
	}
	f, err := await(c, func(ctx context.Context) found {
		target, err := c.m.SIP.Locate(ctx, c.m.SIP.TrunkTarget(c.company, t, s.Number))
		return found{target, err}
	})
	if err != nil {
		return nil, err
	}
	if f.err != nil {
		c.log.Warn("trunk not found", "trunk", t.Name, "error", f.err)
		c.release(key)
		c.passTrunk(t.Name, pbx.NewCause(pbx.PartyTrunk, pbx.NoReply), "trunk "+t.Name+" cannot be found")
		return nil, nil
	}
	p := &party{who: s.Number, trunk: t.Name, usage: key}
	from := sip.Party{User: s.Caller, Name: ""}
	if err := c.invite(p, f.target, from, c.codecs(t.Codecs)); err != nil {
		c.release(key)
		c.pass(s.Number, c.mediaCause(pbx.PartyCallee, err), fmt.Sprintf("%s could not be called: %v", s.Number, err))
		return nil, nil
	}
	return p, nil
}

// ringCaller rings the phones of the extension for which the call was asked
// for; who picks up becomes the caller.
func (c *Call) ringCaller() error {
	targets := c.m.SIP.Targets(c.company.ID, c.originate)
	if len(targets) == 0 {
		c.why(c.originate + " is not registered")
		return c.end(pbx.NewCause(pbx.PartyCaller, pbx.Unregistered))
	}
	placeholder := c.caller
	shown := sip.Party{User: c.dialled, Name: c.dialled}
	codecs := c.codecs(c.company.Extensions[c.originate].Codecs)
	for _, t := range targets {
		p := &party{who: c.originate, number: c.originate}
		if err := c.invite(p, t, shown, codecs); err != nil {
			c.fail(c.mediaCause(pbx.PartyCaller, err))
		}
	}
	p, err := c.first(callerRing)
	if err != nil {
		return err
	}
	if p == nil {
		cause := c.failed
		cause.Party = pbx.PartyCaller
		return c.end(cause)
	}
	c.dropOthers(p)
	c.caller = p
	c.caller.name, c.caller.usage, c.caller.calling, c.caller.seat = placeholder.name, placeholder.usage, true, placeholder.seat
	c.parties = nil
	return nil
}

// callerRing is how long a phone rings for whose owner has asked for a call.
const callerRing = 30 * time.Second
