package call

import (
	"cmp"
	"time"

	"vpbx/pbx"
	"vpbx/routing"
	"vpbx/sip"
)

// sending is a wish that a member leaves the conference for somebody else.
type sending struct {
	to, by string // by is the extension that is answerable
}

// sendMember takes the wish that the member leaves the conference for a number. by
// may be left out for an extension, which then is answerable itself.
func (c *Call) sendMember(t pbx.Transfer) error {
	by := cmp.Or(t.By, c.caller.number)
	switch {
	case t.With != "":
		return &pbx.Error{Kind: pbx.Invalid, Field: "with", Msg: "a member of a conference is sent to a number"}
	case !c.guest.in || c.sending != nil:
		return &pbx.Error{Kind: pbx.Conflict, Msg: "the member cannot be sent on now"}
	case c.company.Extensions[by] == nil:
		return &pbx.Error{Kind: pbx.Invalid, Field: "by", Msg: "say which extension is answerable"}
	}
	if c.transfers++; c.transfers > maxTransfers {
		return &pbx.Error{Kind: pbx.Denied, Msg: "the call was transferred too often"}
	}
	c.sending = &sending{to: pbx.CleanNumber(t.To), by: by}
	return nil
}

// sendOn does what the API has asked for: the member leaves the conference for
// somebody else. When that comes to nothing it returns false, and the member is to
// come back.
func (c *Call) sendOn() bool {
	to, by := c.sending.to, c.sending.by
	c.sending = nil
	c.standUp()
	c.caller.media.StopPlay()
	c.failed = pbx.Cause{}
	c.note(pbx.CallEvent{Kind: pbx.Transferring, Who: by, Leg: c.caller.leg.ID, To: to})
	c.asked = routing.Request{Company: c.company, Direction: pbx.InternalTo, From: c.caller.who, To: to,
		Caller: c.company.Extensions[by], At: time.Now()}
	with := c.caller.number
	if with == by {
		with = ""
	}
	c.asked.With = with
	d := routing.Transfer(c.asked, with)
	c.note(pbx.CallEvent{Kind: pbx.Noted, Why: d.Why})
	for _, s := range d.Steps {
		if r, is := s.(routing.Reject); is {
			c.guardedPlan(by, c.company.E164(to), r.Cause)
			c.fail(r.Cause)
			break
		}
		if c.do(s) {
			return true
		}
	}
	c.caller.media.StopPlay()
	c.why(pbx.TransferFailed + "back to the conference")
	return false
}

// referredInRoom takes the wish of a member: to call somebody into the conference
// (RFC 4579 §5.5), or, with Replaces, to bring in who it talks with in another call.
func (c *Call) referredInRoom(e sip.Referred) {
	g, p := c.guest, c.caller
	switch {
	case p.number == "", c.transfers >= maxTransfers:
		e.L.RefuseRefer(403)
	case e.Replaces == nil:
		c.transfers++
		e.L.AcceptRefer()
		t := &into{conf: g.room.conf, to: pbx.CleanNumber(e.User), by: p.number,
			tell: func(status int) { g.room.tell(g.seat, referNews{e.L, status}) }}
		if err := c.m.invite(c.company, t); err != nil {
			e.L.ReferProgress(503)
		}
	default:
		leg := c.m.SIP.Find(c.company, e.Replaces)
		other := c.m.callHaving(leg)
		if other == nil || other == c || leg.Extension != p.number {
			c.why(p.who + " wanted to bring in a call that it does not have")
			e.L.RefuseRefer(481)
			return
		}
		e.L.AcceptRefer()
		conf, id := g.room.conf, c.id
		bring := command{reply: make(chan error, 1), do: func(o *Call) error { return o.intoRoom(leg, conf, id) }}
		select {
		case other.mail <- bring:
			e.L.ReferProgress(200)
		default:
			e.L.ReferProgress(503)
		}
	}
}
