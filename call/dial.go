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

// dial calls an outside number and joins who answers with the caller. It returns true
// when the call is over.
func (c *Call) dial(s routing.Dial) bool {
	if s.For <= 0 {
		s.For = defaultRing
	}
	return c.overTrunks(s, func() bool { return c.race(s.For) })
}

// overTrunks calls an outside number over the first of the trunks that takes the
// call; await waits for what comes of it and tells whether the step is over. It goes on to
// the next trunk only for causes with which another trunk can help. It returns true when
// the step is over.
func (c *Call) overTrunks(s routing.Dial, await func() bool) bool {
	g, no := c.m.admitOutside(c, s.By, s.Number)
	if no != nil {
		c.guarded(s.By, s.Number, no)
		return false
	}
	var p *party
	var err error
	defer func() {
		if p == nil || !p.answered {
			c.m.settle(g) // nobody was reached
		}
	}()
	if g.rate > 0 {
		if c.keepPaid(g) != nil {
			return true
		}
	}
	for _, t := range c.working(drawn(s.Trunks, s.Weights, chance)) {
		c.failed = pbx.Cause{}
		if p, err = c.dialTrunk(s, t, g); err != nil {
			return true
		}
		if await() {
			return true
		}
		if !nextTrunk(c.failed, p != nil && (p.alerted || p.answered)) {
			return false
		}
	}
	return false
}

// keepPaid makes sure that what is reserved is known after a crash, too, before
// anybody is dialled. A store that fails does not stop the call.
func (c *Call) keepPaid(g *grant) error {
	_, err := await(c, func(ctx context.Context) struct{} {
		ctx, cancel := context.WithTimeout(ctx, saveBound)
		defer cancel()
		c.m.save(ctx, g)
		return struct{}{}
	})
	return err
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
// when the called party itself has spoken, or the network has about the number,
// and not when its phone has rung: it is not rung twice for one call. The table
// with its reasons is in docs/config.md.
func nextTrunk(c pbx.Cause, alerted bool) bool {
	if alerted {
		return false
	}
	switch c.Reason {
	case pbx.NoReply, pbx.OverLimit, pbx.NoRoute:
		return true
	case pbx.NoCodec, pbx.NoSRTP:
		return c.SIP == 488 || c.SIP == 415
	case pbx.Refused:
		switch c.SIP {
		case 401, 402, 403, 407: // our account at this trunk
			return true
		}
		return c.SIP >= 500 && c.SIP < 600
	}
	return false
}

// dialTrunk sends the INVITE and gives whom it dialled, nil when it could not.
// What the trunk says arrives later; an error means that the call is over.
func (c *Call) dialTrunk(s routing.Dial, t *pbx.Trunk, g *grant) (*party, error) {
	number := pbx.Rewrite(pbx.Rewrite(s.Number, s.Strip, s.Add), t.Strip, t.Add)
	if number == "" {
		c.passTrunk(t.Name, pbx.NewCause(pbx.PartyPBX, pbx.NoRoute), fmt.Sprintf("%s is too short for what trunk %s strips", s.Number, t.Name))
		return nil, nil
	}
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
		target, err := c.m.SIP.Locate(ctx, c.m.SIP.TrunkTarget(c.company, t, number))
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
	p := &party{who: s.Number, trunk: t.Name, usage: key, grant: g, out: c.callerFor(s, t, f.target)}
	if err := c.invite(p, f.target, p.out.from, c.codecs(t.Codecs)); err != nil {
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
	ring := callerRing
	if r := c.returns; r != nil {
		ring = r.w.group.Ring
	}
	p, err := c.first(ring)
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
