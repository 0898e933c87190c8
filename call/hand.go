package call

import (
	"context"
	"fmt"
	"slices"

	"vpbx/media"
	"vpbx/pbx"
	"vpbx/sip"
)

// Two calls that have to do with each other, by attended transfer, pickup or park:
// one of them gives a party to the other and ends. Neither waits for the other but
// in await, and the leg and the session have one owner at any time.

// surrender asks a call for the one who talks with leg, and ends that call.
type surrender struct {
	leg   *sip.Leg
	to    pbx.CallID
	mail  chan any // of the call that asks
	gone  chan struct{}
	codec media.Codec // that the other side there has
	reply chan handed // has room for one
}

// adopt gives a party to a call: in place of the one with the leg instead, or,
// with nil, as the one who picks up.
type adopt struct {
	p       *party
	from    pbx.CallID
	instead *sip.Leg
	record  bool // the talk there is to be recorded
	notice  pbx.Notice
	reply   chan handed // has room for one

	supervise *supervision // nil: to talk
}

// handed is what came of it. With a cause nothing has changed; with dialled the
// other call has ended before anybody answered, and this is what was called.
type handed struct {
	p       *party // of surrender
	record  bool   // likewise: the talk there is to be recorded
	notice  pbx.Notice
	who     string // of adopt: who talks with the party there
	dialled string
	cause   pbx.Cause

	conference *pbx.Conference // instead of dialled: it was in that
}

// ask leaves a message for another call and waits for the reply. For await only.
func (m *Manager) ask(ctx context.Context, id pbx.CallID, message any, reply <-chan handed) handed {
	over := handed{cause: pbx.NewCause(pbx.PartyPBX, pbx.NoReply)}
	over.cause.SIP = 481 // RFC 3891 §3
	m.mu.Lock()
	c := m.calls[id]
	m.mu.Unlock()
	if c == nil {
		return over
	}
	select {
	case c.mail <- message:
	case <-c.gone:
		return over
	case <-ctx.Done():
		return over
	}
	select {
	case h := <-reply:
		return h
	case <-ctx.Done():
		return over
	case <-c.gone:
	}
	select {
	case h := <-reply:
		return h
	default:
		return over
	}
}

// having finds the call that has a leg; "" when none has.
func (m *Manager) having(l *sip.Leg) pbx.CallID {
	if l == nil {
		return ""
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.legs[l]
}

// surrender gives away the one who talks with the transferor's leg.
func (c *Call) surrender(s surrender) error {
	by := c.party(s.leg)
	refuse := func(r pbx.Reason) error {
		s.reply <- handed{cause: pbx.NewCause(pbx.PartyPBX, r)}
		return nil
	}
	switch {
	case by == nil || c.transfer != nil || c.consult != nil:
		return refuse(pbx.NoReply)
	case by == c.caller && c.peer == nil:
		in := c.roomOf()
		err := c.sentOn(by, s.to)
		for _, p := range slices.Clone(c.parties) {
			c.letGo(p, c.cause) // before it is called anew: many phones take one call at a time
		}
		s.reply <- handed{dialled: c.dialled, conference: in}
		return err
	case c.peer == nil || by != c.caller && by != c.peer:
		return refuse(pbx.NoReply)
	}
	goes := c.other(by)
	if !fit(goes.media.Codec(), s.codec) {
		return refuse(pbx.NoCodec)
	}
	c.part()
	c.unbridge()
	c.forgetHold()
	goes.media.SetTap(nil)
	p := goes.moving()
	c.m.moveUse(goes.usage, c.id, s.to)
	c.left(goes)
	p.leg.Own(s.mail, s.gone)
	p.media.Own(s.mail, s.gone)
	s.reply <- handed{p: p, record: c.decision.Record, notice: c.decision.Notice}
	return c.sentOn(by, s.to)
}

// sentOn ends a call whose party by has transferred the other side to the call to.
func (c *Call) sentOn(by *party, to pbx.CallID) error {
	c.moved, c.hungUp = to, by.who
	cause := pbx.NewCause(pbx.PartyCallee, pbx.SentOn)
	cause.Party = by.side(cause.Party)
	return c.end(cause)
}

// moving is a party as another call takes it.
func (p *party) moving() *party {
	return &party{who: p.who, number: p.number, trunk: p.trunk, name: p.name, leg: p.leg, media: p.media,
		usage: p.usage, grant: p.grant, out: p.out, answered: p.answered, serves: p.serves, alerted: p.alerted, held: p.held, line: p.line}
}

// left notes that another call has a party of this one now.
func (c *Call) left(p *party) {
	cause := pbx.NewCause(pbx.PartyPBX, pbx.Joined)
	e := pbx.CallEvent{Kind: pbx.LegEnded, Who: p.who, Leg: p.leg.ID, Cause: &cause, Codec: p.media.Codec().Name, SRTP: p.media.Security()}
	if p.answered && slices.ContainsFunc(c.trace, func(e pbx.CallEvent) bool { return e.Kind == pbx.Bridged }) {
		q := quality(p.media.Quality())
		e.Quality = &q
	}
	p.over = true
	for i := range c.legs {
		c.legs[i].moved = c.legs[i].moved || c.legs[i].leg == p.leg
	}
	c.parties = slices.DeleteFunc(c.parties, func(q *party) bool { return q == p })
	c.note(e)
}

// giveTo gives p to another call. An error means that this call is over.
func (c *Call) giveTo(to pbx.CallID, p *party, instead *sip.Leg) (handed, error) {
	a := adopt{p: p.moving(), from: c.id, instead: instead, record: c.decision.Record, notice: c.decision.Notice, reply: make(chan handed, 1)}
	h, err := await(c, func(ctx context.Context) handed { return c.m.ask(ctx, to, a, a.reply) })
	if err == nil && h.cause.Reason == "" && h.dialled == "" {
		c.part()
		c.left(p)
		c.moved = to
	}
	return h, err
}

// adopt takes a party from another call. It tells whether the step that is going
// on has to do it.
func (c *Call) adopt(a adopt) (pass bool, err error) {
	refuse := func(r pbx.Reason) (bool, error) {
		a.reply <- handed{cause: pbx.NewCause(pbx.PartyPBX, r)}
		return false, nil
	}
	if a.supervise != nil {
		c.supervised(a)
		return false, nil
	}
	old := c.caller
	if a.instead != nil {
		old = c.party(a.instead)
	}
	switch {
	case old == nil || (c.transfer != nil || c.consult != nil) && !c.open:
		return refuse(pbx.NoReply)
	case c.open && (a.instead == nil || old != c.caller && old != c.peer):
		return true, nil
	case a.instead == nil, !a.p.answered && (c.peer == nil || old.number != a.p.number):
		return refuse(pbx.NoReply) // RFC 3891: in a talk one's own other phone only
	case old == c.caller && c.peer == nil:
		a.reply <- handed{dialled: c.dialled, conference: c.roomOf()}
		return false, c.sentOn(old, a.from)
	case c.peer == nil || old != c.caller && old != c.peer:
		return refuse(pbx.NoReply)
	}
	stays := c.other(old)
	sdp, ok := agree(a.p, convertible(stays.media.Codec()))
	if !ok {
		return refuse(pbx.NoCodec)
	}
	c.note(pbx.CallEvent{Kind: pbx.Transferring, Who: old.who, Leg: old.leg.ID, Other: a.from})
	c.setAside(&transfer{by: old})
	c.enter(a.p, a.from)
	a.reply <- handed{who: c.caller.who}
	c.pickUp(a.p, sdp)
	c.note(pbx.CallEvent{Kind: pbx.Transferred, Who: old.who, To: a.p.who, Why: []string{old.who + " transfers to " + a.p.who}})
	c.recordAlso(a.record, a.notice)
	c.connect(a.p)
	c.joined(a.p)
	cause := pbx.NewCause(pbx.PartyCallee, pbx.SentOn)
	cause.Party = old.side(cause.Party)
	if outside(stays, a.p) {
		old.usage = "" // its place stays taken, as in blind
	}
	c.letGo(old, cause)
	return false, nil
}

// taken takes somebody who picks up a call that rings or is parked; nil when that
// cannot be.
func (c *Call) taken(a adopt) *party {
	was := c.decision
	c.recordAlso(a.record, a.notice)
	sdp, ok := agree(a.p, c.codecs(nil))
	if !ok {
		c.decision = was
		a.reply <- handed{cause: pbx.NewCause(pbx.PartyPBX, pbx.NoCodec)}
		return nil
	}
	c.enter(a.p, a.from)
	a.reply <- handed{}
	c.why(a.p.who + " took the call")
	c.pickUp(a.p, sdp)
	return a.p
}

// enter makes a party of another call one of those who talk in this one.
func (c *Call) enter(p *party, from pbx.CallID) {
	p.seat = c.seat
	c.parties = append(c.parties, p)
	c.own(p, from)
}

// own takes a party over from another call.
func (c *Call) own(p *party, from pbx.CallID) {
	c.keep(p)
	c.m.moveUse(p.usage, from, c.id)
	p.leg.Own(c.mail, c.gone)
	p.media.Own(c.mail, c.gone)
	p.media.SetTap(nil) // that of the other call
	c.note(pbx.CallEvent{Kind: pbx.Entered, Who: p.who, Leg: p.leg.ID, Trunk: p.trunk, Other: from})
	if p.answered {
		c.note(pbx.CallEvent{Kind: pbx.Answered, Who: p.who, Leg: p.leg.ID, Codec: p.media.Codec().Name})
	}
}

// agree makes the answer of one who has called us and is not answered yet, with
// one of the codecs; nothing is to be said to one who is.
func agree(p *party, codecs []media.Codec) (sdp []byte, ok bool) {
	if p.answered {
		return nil, slices.ContainsFunc(codecs, func(k media.Codec) bool { return fit(k, p.media.Codec()) })
	}
	if p.leg.SDP == nil {
		return nil, false // a phone that picks up knows what it can
	}
	sdp, err := p.media.Answer(codecs)
	return sdp, err == nil
}

// pickUp answers the phone that picks up.
func (c *Call) pickUp(p *party, sdp []byte) {
	if p.answered {
		return
	}
	p.leg.Answer(sdp)
	p.answered = true
	p.media.Expect()
	c.note(pbx.CallEvent{Kind: pbx.Answered, Who: p.who, Leg: p.leg.ID, Codec: p.media.Codec().Name})
}

// fit tells whether a bridge can join two codecs.
func fit(a, b media.Codec) bool {
	return has(convertible(a), b)
}

// moveUse makes what a call counts against count for another.
func (m *Manager) moveUse(key string, from, to pbx.CallID) {
	if key == "" {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	a, b := m.calls[from], m.calls[to]
	if a == nil {
		return
	}
	i := slices.Index(a.uses, key)
	if i < 0 {
		return
	}
	a.uses = slices.Delete(a.uses, i, i+1)
	if b == nil {
		m.giveBack(key)
		return
	}
	b.uses = append(b.uses, key)
}

// replace puts the caller in the place that its INVITE names (RFC 3891): of its
// own other phone, or of one that rings.
func (c *Call) replace(r *sip.Replaces) {
	leg := c.m.SIP.Find(c.company, r)
	to := c.m.having(leg)
	status := 481
	switch {
	case c.caller.number == "":
		status = 403
	case to == "":
	case !leg.Early() && leg.Extension != c.caller.number:
		status = 403
	default:
		status = leg.Replaceable(r)
	}
	if status != 0 {
		c.why(fmt.Sprintf("%s wanted to take over a call that it must not (SIP %d)", c.caller.who, status))
		cause := pbx.FromSIP(pbx.PartyPBX, status)
		cause.Reason = pbx.Forbidden
		c.end(cause)
		return
	}
	if ext := c.company.Extensions[c.caller.number]; ext != nil {
		c.decision.Record, c.decision.Notice = ext.Record, ext.Notice
	}
	c.pickFrom(to, leg)
}
