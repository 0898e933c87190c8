package call

import (
	"time"

	"vpbx/pbx"
	"vpbx/routing"
)

// consult is an attended transfer by keys, within one call: an extension talks with
// the target first while the other side waits. When it hangs up, those two are
// joined; when the target does, it has the other side back.
type consult struct {
	by    *party // the extension
	waits *party
	to    string
}

// startConsult lets the other side of t.by wait and gives the plan for reaching the
// target, as whom the extension calls it.
func (c *Call) startConsult(t *transfer) []routing.Step {
	c.transfer = nil
	c.note(pbx.CallEvent{Kind: pbx.Held, Who: t.who, Leg: t.by.leg.ID})
	c.setAside(&transfer{by: c.other(t.by)})
	c.consult = &consult{by: t.by, waits: t.waits, to: t.to}
	t.waits.media.Play(c.hold(), true)
	c.failed = pbx.Cause{}
	c.asked = routing.Request{Company: c.company, Direction: pbx.InternalTo, From: t.who, To: t.to,
		Caller: c.company.Extensions[t.who], With: t.waits.number, At: time.Now()}
	d := routing.Consult(c.asked, t.waits.number)
	c.note(pbx.CallEvent{Kind: pbx.Noted, Why: d.Why})
	c.recordAlso(d.Record, d.Notice)
	return d.Steps
}

// consulted deals with the end of a leg while somebody consults. It tells whether
// that is all there is to it.
func (c *Call) consulted(p *party, cause pbx.Cause) bool {
	k := c.consult
	switch {
	case k == nil:
		return false
	case p == k.waits: // the other two talk on
		c.consult = nil
		c.over(p, cause)
		return true
	case p == k.by:
		c.handOn(cause)
		return true
	case p == c.peer:
		c.part()
		c.over(p, cause)
		c.backFrom()
		return true
	}
	return false
}

// handOn gives the target to the one who waits, since who consulted it has gone.
func (c *Call) handOn(cause pbx.Cause) {
	k, target := c.consult, c.peer
	c.consult = nil
	c.part()
	c.unbridge()
	c.forgetHold()
	c.note(pbx.CallEvent{Kind: pbx.Transferring, Who: k.by.who, Leg: k.by.leg.ID, To: k.to})
	c.caller, c.peer = k.waits, nil
	c.caller.media.StopPlay()
	k.by.media.SetTap(nil)
	c.seat = k.by.seat
	c.over(k.by, cause)
	if target == nil { // it rings yet
		c.transfer, c.asked.Gone = &transfer{who: k.by.who, to: k.to, begun: true}, true
		for _, p := range c.parties {
			p.seat = c.seat
		}
		if c.music != nil {
			c.caller.media.Play(c.music, true)
		}
		c.ringing()
		return
	}
	target.seat, target.tapped = c.seat, nil
	c.connect(target)
	c.joined(target)
	c.note(pbx.CallEvent{Kind: pbx.Transferred, Who: k.by.who, To: target.who})
}

// backFrom ends a consultation that came to nothing: the two talk again.
func (c *Call) backFrom() {
	k := c.consult
	c.consult = nil
	c.forgetHold()
	c.why(k.by.who + " has " + k.waits.who + " back")
	k.waits.media.StopPlay()
	c.caller.media.StopPlay()
	c.parties = append(c.parties, k.waits)
	c.connect(k.waits)
	c.note(pbx.CallEvent{Kind: pbx.Resumed, Who: k.by.who, Leg: k.by.leg.ID})
	c.joined(k.waits)
}
