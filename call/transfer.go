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

const (
	maxTransfers = 32               // of one call
	recallRing   = 30 * time.Second // who has transferred in vain is rung for
	hasty        = 2 * time.Second  // who hangs up so soon after that has not heard of it
)

// transfer is the way of one of two who talk to somebody else, while it goes on.
type transfer struct {
	by    *party     // who transfers; nil when its leg is over: it need not wait
	who   string     // its extension
	to    string     // number to call, "" for an attended transfer
	with  pbx.CallID // the call that waits there
	leg   *sip.Leg   // of the transferor in that call
	waits *party     // with a consultation first: who waits meanwhile
	refer bool       // asked for by REFER: its progress is told
	begun bool

	conference *pbx.Conference // instead of to: where the other side is let in
	place      string          // what the transferor counts against, while it stays taken
}

// referred takes a phone's wish to send the other side on (RFC 3515).
func (c *Call) referred(e sip.Referred) {
	p := c.party(e.L)
	if p == nil {
		return // another call has the leg by now, and hears of it again
	}
	if c.guest != nil && p == c.caller {
		c.referredInRoom(e)
		return
	}
	t := &transfer{by: p, to: e.User, refer: true}
	if e.Replaces != nil {
		t.to, t.leg = "", c.m.SIP.Find(c.company, e.Replaces)
	}
	if status := c.mayTransfer(p); status != 0 {
		e.L.RefuseRefer(status)
		return
	}
	if e.Replaces != nil {
		if t.with = c.m.having(t.leg); t.with == "" || t.with == c.id || t.leg.Extension != p.number {
			c.why(fmt.Sprintf("%s wanted to transfer to a call that it does not have", p.who))
			e.L.RefuseRefer(481)
			return
		}
	}
	e.L.AcceptRefer()
	c.startTransfer(t)
}

// mayTransfer says why a party must not transfer now, as a SIP status; 0: it may.
// Only extensions may: a provider that sends its caller on would make us call
// the world at the company's cost.
func (c *Call) mayTransfer(p *party) int {
	switch {
	case p.number == "":
		return 403
	case c.transfer != nil || c.consult != nil || c.peer == nil || p != c.peer && p != c.caller:
		return 491
	case c.transfers >= maxTransfers:
		return 403
	}
	return 0
}

// startTransfer makes talk give way to a transfer.
func (c *Call) startTransfer(t *transfer) {
	t.who = t.by.who
	c.transfer = t
	c.transfers++
}

// move gives the next plan of a call with a transfer: how to reach whom it is for,
// or, when that has come to nothing, the way back.
func (c *Call) move() []routing.Step {
	t := c.transfer
	if c.turns != nil {
		return c.turn()
	}
	if t == nil { // who was to be consulted cannot be reached
		c.backFrom()
		c.talk()
		return nil
	}
	if t.waits != nil {
		return c.startConsult(t)
	}
	if t.begun {
		return c.takeBack(t)
	}
	t.begun = true
	c.note(pbx.CallEvent{Kind: pbx.Transferring, Who: t.who, Leg: t.by.leg.ID, To: t.to, Other: t.with})
	c.setAside(t)
	t.place, t.by.usage = t.by.usage, ""
	switch {
	case t.conference != nil:
		c.freePlace(t)
		return c.letIn(t.conference)
	case t.with != "":
		return c.attend(t)
	}
	return c.blind(t)
}

// blind plans the call of the one who stays. Who has asked for it pays for it: its
// rights and limits count.
func (c *Call) blind(t *transfer) []routing.Step {
	c.failed = pbx.Cause{}
	c.asked = routing.Request{Company: c.company, Direction: pbx.InternalTo, From: c.caller.who, To: t.to,
		Caller: c.company.Extensions[t.who], With: c.caller.number, At: time.Now()}
	d := routing.Transfer(c.asked, c.caller.number)
	c.note(pbx.CallEvent{Kind: pbx.Noted, Why: d.Why})
	c.recordAlso(d.Record, d.Notice)
	c.failed = d.Cause
	if !slices.ContainsFunc(d.Steps, func(s routing.Step) bool { _, outside := s.(routing.Dial); return outside }) {
		c.freePlace(t)
	}
	return d.Steps
}

// freePlace makes the transferor's leg alone count. Until then its place stays
// taken, for good when two talk who are both outside: a transfer is not a way past
// the limit.
func (c *Call) freePlace(t *transfer) {
	if t.by != nil {
		t.by.usage = t.place
	} else if t.place != "" {
		c.release(t.place)
	}
	t.place = ""
}

// setAside parts the two who talk. The one who stays becomes the caller, for whom
// the steps of a plan are done.
func (c *Call) setAside(t *transfer) {
	c.part()
	c.unbridge()
	c.forgetHold()
	stays := c.other(t.by)
	c.peer = nil
	c.seat = t.by.seat
	c.parties = slices.DeleteFunc(c.parties, func(p *party) bool { return p == stays || p == t.by })
	c.caller = stays
	t.by.media.SetTap(nil)
	t.by.tapped = nil
}

// progress tells the transferor how the call to the target goes.
func (c *Call) progress(code int) {
	if t := c.transfer; t != nil && t.refer && t.by != nil {
		t.by.leg.ReferProgress(code)
	}
}

// tell ends the news for the transferor.
func (c *Call) tell(t *transfer, cause pbx.Cause) {
	if t.refer && t.by != nil {
		status := cause.SIP
		if status < 300 {
			status = 487 // who was to be transferred has gone
		}
		t.by.leg.ReferProgress(status)
	}
}

// transferred ends a transfer that has reached its target.
func (c *Call) transferred(to string) {
	t := c.transfer
	if t == nil {
		return
	}
	e := pbx.CallEvent{Kind: pbx.Transferred, Who: t.who, To: to}
	if t.with != "" {
		e.Why = []string{t.who + " transfers to " + to}
	}
	c.note(e)
	c.progress(200)
	c.transfer, c.asked.Gone = nil, true
	if t.by != nil {
		cause := pbx.NewCause(pbx.PartyCallee, pbx.SentOn)
		cause.Party = t.by.side(cause.Party)
		c.letGo(t.by, cause)
	}
}

// takeBack gives the other side back to who has transferred it in vain: at once
// when that phone has waited, else it is rung. It returns the plan for that.
func (c *Call) takeBack(t *transfer) []routing.Step {
	cause := c.failed
	if cause.Reason == "" {
		cause = pbx.NewCause(pbx.PartyPBX, pbx.NoRoute)
	}
	c.tell(t, cause)
	c.freePlace(t)
	c.transfer = nil
	failed := func(why string) pbx.CallEvent {
		e := pbx.CallEvent{Kind: pbx.Noted, Why: []string{pbx.TransferFailed + why}}
		if cause.Party == pbx.PartyPBX && t.with == "" { // else somebody else's end tells why
			e.Cause = &cause
		}
		return e
	}
	c.caller.media.StopPlay()
	if t.by != nil {
		c.note(failed("back to " + t.who))
		c.back, c.backAt = t, time.Now()
		c.connect(t.by)
		c.parties = append(c.parties, t.by)
		c.joined(t.by)
		c.talk()
		return nil
	}
	if c.company.Extensions[t.who] == nil {
		return nil
	}
	c.note(failed(t.who + " is called back"))
	return []routing.Step{routing.Ring{Who: []string{t.who}, For: recallRing}}
}

// unheard makes the end of p that of a transferor who has not waited, when p hangs
// up at once after it was given the call back: its BYE crossed with that.
func (c *Call) unheard(p *party) bool {
	t := c.back
	if t == nil || t.by != p || p != c.peer || time.Since(c.backAt) >= hasty {
		return false
	}
	c.part()
	c.unbridge()
	c.forgetHold()
	c.peer, c.back, t.by = nil, nil, nil
	c.transfer = t
	return true
}

// attend joins the one who stays with the one who waits in another call of the
// transferor. The older call goes on: it is the one that the record is about. A
// call that nobody has answered yet is made anew from here.
func (c *Call) attend(t *transfer) []routing.Step {
	h, err := c.meet(t)
	switch {
	case err != nil:
		return nil
	case h.conference != nil:
		c.freePlace(t)
		return c.letIn(h.conference)
	case h.dialled != "":
		t.to = h.dialled
		return c.blind(t)
	case h.cause.Reason != "":
		c.failed = h.cause
		return nil
	case h.p == nil: // the other call has taken the one who stays
		if t.by != nil {
			c.sentOn(t.by, t.with)
		}
		c.end(pbx.NewCause(pbx.PartyPBX, pbx.Joined))
		c.transferred(h.who)
		return nil
	}
	c.recordAlso(h.record, h.notice)
	if !outside(c.caller, h.p) {
		c.freePlace(t)
	}
	c.enter(h.p, t.with)
	c.connect(h.p)
	c.joined(h.p)
	c.talk()
	return nil
}

// outside tells whether two who talk are both outside, so that no extension counts.
func outside(a, b *party) bool { return a.number == "" && b.number == "" }

// meet asks the other call of an attended transfer.
func (c *Call) meet(t *transfer) (handed, error) {
	if t.with < c.id {
		return c.giveTo(t.with, c.caller, t.leg)
	}
	s := surrender{leg: t.leg, to: c.id, mail: c.mail, gone: c.gone, codec: c.caller.media.Codec(), reply: make(chan handed, 1)}
	return await(c, func(ctx context.Context) handed { return c.m.ask(ctx, t.with, s, s.reply) })
}

// other is who p talks with.
func (c *Call) other(p *party) *party {
	if p == c.peer {
		return c.caller
	}
	return c.peer
}
