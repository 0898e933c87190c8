package call

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"vpbx/media"
	"vpbx/media/audio"
	"vpbx/pbx"
	"vpbx/routing"
	"vpbx/sip"
)

// An operator's line is a call of its own, from *47 to the end of the shift, whose leg it
// lends to one call after the other: so nobody who answers waits for a phone to be picked
// up. The leg has one owner at any time. The line never waits for the call that has it;
// that call gives it back with its end, and so does one that it was moved to. An operator
// who hangs up ends both.

// operatorLine is a line as others know it.
type operatorLine struct {
	call pbx.CallID
	mail chan any
	gone chan struct{}
	leg  *sip.Leg

	idle   bool // nobody has the leg, and it does not hold; under the mutex of the desks
	closed bool // it takes the leg no longer; likewise

	lent pbx.CallID // who has the leg; of the line's own goroutine
	loan *loan      // how far it has come with that; likewise
	ends bool       // with the talk that goes on; likewise
}

// legs is how many calls of its extension a line is.
func (l *operatorLine) legs() int {
	if l == nil {
		return 0
	}
	return 1
}

// lend asks a line for its leg.
type lend struct {
	to    pbx.CallID
	mail  chan any // of the call that asks
	loan  *loan
	codec media.Codec // that the other side there has; none: there is no other side yet
	reply chan handed // has room for one
}

// loan says whose the leg of a line is while it goes from the line to a call that may be
// over before it takes the leg. Whoever moves it first from loanOpen decides.
type loan struct{ state atomic.Int32 }

const (
	loanOpen     int32 = iota // the call has not taken the leg
	loanTaken                 // the call has it
	loanRecalled              // the call does not want it any more: it is the line's
	loanRevoked               // the line has ended before: likewise
)

// settle moves the loan on, and tells whether that was in time.
func (o *loan) settle(to int32) bool { return o.state.CompareAndSwap(loanOpen, to) }

// lineNews tells a line what has become of its leg, or that it is to end.
type lineNews struct {
	what  lineWhat
	from  pbx.CallID
	held  bool      // of lineBack: the phone holds
	cause pbx.Cause // of lineLost
}

type lineWhat int

const (
	lineBack   lineWhat = iota // the call has given the leg back
	lineLost                   // it has ended there
	lineRecall                 // the call has not taken it
	lineOver                   // the PBX is being stopped
)

// holdLine is the time of an operator's line.
func (c *Call) holdLine() {
	l := &operatorLine{call: c.id, mail: c.mail, gone: c.gone, leg: c.caller.leg}
	taken := false
	c.m.desks.with(c.company.ID, func(k *desk) {
		a := k.agent(c.caller.number)
		if taken = a.line != nil; !taken {
			a.line = l
		}
	})
	if taken {
		c.why(c.caller.number + " has a line already")
		c.end(pbx.NewCause(pbx.PartyPBX, pbx.Busy))
		return
	}
	defer c.closeLine(l)
	if c.serve(routing.Feature{Code: routing.AgentLine}) != nil {
		return
	}
	c.line, c.listens = l, true
	c.rest()
	for {
		e, err := c.next(nil)
		switch e := e.(type) {
		case lineNews:
			err = c.aboutLine(e)
		case media.DTMF:
			if err == nil && slices.Contains(c.typed, '*') {
				err = c.endedBy(c.caller, pbx.NewCause(pbx.PartyCaller, pbx.Hangup))
			}
			c.typed = nil
		}
		if err != nil {
			break
		}
	}
	c.closeLine(l)
	switch {
	case l.lent == "":
	case l.loan.settle(loanRevoked), l.loan.state.Load() == loanRecalled: // nobody has taken it
		c.retake(false)
	case !c.backAtLast(): // the leg is another call's, which hangs it up
		c.left(c.caller)
	}
}

// backAtLast takes a leg that came back when the line had ended already.
func (c *Call) backAtLast() bool {
	for {
		select {
		case e := <-c.mail:
			if n, is := e.(lineNews); is && (n.what != lineRecall || n.from == c.line.lent) && n.what != lineOver {
				c.retake(n.held)
				return true
			}
		default:
			return false
		}
	}
}

// closeLine takes the line from its agent. Who was reserved on it is no longer.
func (c *Call) closeLine(l *operatorLine) {
	c.m.desks.with(c.company.ID, func(k *desk) {
		a := k.agent(c.caller.number)
		if l.closed = true; a.line != l {
			return
		}
		a.line = nil
		if w := a.offer; w != nil && w.bid != nil && !w.bid.brought {
			k.release(a.number, w)
		}
	})
}

// rest lets the operator wait for the next target: it hears silence, so that its phone
// knows that the call goes on.
func (c *Call) rest() {
	c.limit.Reset(c.m.MaxLength)
	c.caller.media.Play(c.m.prompts.quiet(), true)
	c.showLine()
}

// showLine lets the queues know whether the line can be used now.
func (c *Call) showLine() {
	if c.line == nil {
		return
	}
	idle := c.line.lent == "" && !c.caller.held && !c.line.ends
	c.m.desks.with(c.company.ID, func(*desk) { c.line.idle = idle })
}

// lend gives the leg of the line to a call that has a target for the operator.
func (c *Call) lend(e lend) {
	l := c.line
	refuse := func(r pbx.Reason) { e.reply <- handed{cause: pbx.NewCause(pbx.PartyPBX, r)} }
	switch {
	case l == nil || l.lent != "" || l.ends || c.caller.held || e.loan.state.Load() != loanOpen:
		refuse(pbx.NoReply)
		return
	case e.codec.Name != "" && !fit(c.caller.media.Codec(), e.codec):
		refuse(pbx.NoCodec)
		return
	}
	l.lent, l.loan = e.to, e.loan
	c.m.desks.see(c.company.ID, func(*desk) { l.idle = false })
	c.caller.media.StopPlay()
	c.caller.over = true // here
	p := c.caller.moving()
	p.usage, p.line = "", l   // its place stays taken by the line
	p.leg.Own(e.mail, c.gone) // who asks may be over before it takes the leg, so its end means nothing yet
	p.media.Own(e.mail, c.gone)
	e.reply <- handed{p: p}
}

// aboutLine takes in what has become of the leg. An error means that the line is over.
func (c *Call) aboutLine(n lineNews) error {
	l := c.line
	switch {
	case n.what == lineOver:
		l.ends = true
	case l.lent == "" || n.what == lineRecall && n.from != l.lent:
		return nil
	default:
		c.retake(n.held)
	}
	switch {
	case n.what == lineLost:
		n.cause.Party = c.caller.side(n.cause.Party)
		return c.endedBy(c.caller, n.cause)
	case l.lent != "":
		return nil
	case l.ends:
		return c.end(pbx.NewCause(pbx.PartyPBX, pbx.ShuttingDown))
	}
	c.rest()
	return nil
}

// retake makes the line own its leg again.
func (c *Call) retake(held bool) {
	p := c.caller
	c.line.lent, p.over, p.held = "", false, held
	c.m.mu.Lock()
	c.m.legs[p.leg] = c.id
	c.m.mu.Unlock()
	p.leg.Own(c.mail, c.gone)
	p.media.Own(c.mail, c.gone)
	p.media.SetTap(nil)
	c.typed = nil
}

// borrow takes an operator from its line, nil with a reason in the record when it does not
// come. An error means that the call is over.
func (c *Call) borrow(number string, l *operatorLine, codec media.Codec) (*party, error) {
	e := lend{to: c.id, mail: c.mail, loan: &loan{}, codec: codec, reply: make(chan handed, 1)}
	h, err := await(c, func(ctx context.Context) handed { return l.ask(ctx, e) })
	if err != nil {
		e.loan.settle(loanRecalled)
		c.m.desks.tellLine(l, lineNews{what: lineRecall, from: c.id})
		return nil, err
	}
	if h.p != nil && !e.loan.settle(loanTaken) {
		h = handed{cause: pbx.NewCause(pbx.PartyPBX, pbx.NoReply)} // the line has ended in this instant
	}
	if h.p == nil {
		c.blame(number, h.cause, "the line of "+number+" could not be used")
		return nil, nil
	}
	c.enter(h.p, l.call)
	h.p.media.Play(c.m.prompts.made("target", targetPrompt), false)
	return h.p, nil
}

// ask asks a line for its leg. For await only.
func (l *operatorLine) ask(ctx context.Context, e lend) handed {
	over := handed{cause: pbx.NewCause(pbx.PartyPBX, pbx.NoReply)}
	select {
	case l.mail <- e:
	case <-l.gone:
		return over
	case <-ctx.Done():
		return over
	}
	select {
	case h := <-e.reply:
		return h
	case <-l.gone:
		return over
	case <-ctx.Done():
		return over
	}
}

// tellLine leaves news for a line. It tells whether the line is there to read it: what is
// left before the line is closed is read.
func (d *desks) tellLine(l *operatorLine, n lineNews) bool {
	d.mu.Lock()
	closed, left := l.closed, false
	if !closed {
		select {
		case l.mail <- n:
			left = true
		default:
		}
	}
	d.mu.Unlock()
	if closed || left {
		return left
	}
	select { // its mailbox is full; it waits for no call, so that there is room soon
	case l.mail <- n:
		return true
	case <-l.gone:
		return false
	}
}

// backToLine gives an operator back to the line it has come from, instead of hanging up.
// It tells whether it did.
func (c *Call) backToLine(p *party) bool {
	l := p.line
	if l == nil || p.over || isOver(p.leg) || !c.m.desks.lineOpen(l) {
		return false
	}
	if c.conference != nil {
		c.conference.Remove(p.media)
	}
	if p == c.early || p == c.peer || p == c.caller {
		c.unbridge()
	}
	p.media.StopPlay()
	p.media.SetTap(nil)
	p.line = nil
	c.left(p)
	c.served(p)
	p.leg.Own(l.mail, l.gone) // this call may be over before the line reads of it
	p.media.Own(l.mail, l.gone)
	if !c.m.desks.tellLine(l, lineNews{what: lineBack, from: c.id, held: p.held}) { // it has ended in this instant
		p.leg.Hangup(pbx.NewCause(pbx.PartyPBX, pbx.Hangup))
		if err := p.media.Close(); err != nil {
			c.log.Warn("session not closed", "party", p.who, "error", err)
		}
	}
	return true
}

// lostLine tells the line of an operator that its leg is over.
func (c *Call) lostLine(p *party, cause pbx.Cause) {
	if p.line != nil {
		c.m.desks.tellLine(p.line, lineNews{what: lineLost, from: c.id, cause: cause})
		p.line = nil
	}
}

// lineOpen tells whether a line takes its leg back.
func (d *desks) lineOpen(l *operatorLine) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !l.closed
}

// endLines ends all lines that nobody uses, and those that are used with their talk.
func (d *desks) endLines() {
	var lines []*operatorLine
	d.mu.Lock()
	for _, k := range d.by {
		for _, a := range k.agents {
			if a.line != nil {
				lines = append(lines, a.line)
			}
		}
	}
	d.mu.Unlock()
	for _, l := range lines {
		d.tellLine(l, lineNews{what: lineOver})
	}
}

// quiet is silence, to be played in a loop to who is to hear that the call goes on.
func (p *prompts) quiet() *media.Prompt {
	return p.made("quiet", func() *media.Prompt {
		return media.TonePrompt(audio.Cadence{Pattern: []time.Duration{0, time.Second}})
	})
}

// targetPrompt tells an operator that somebody is there. What is said to the operator
// meanwhile is not heard, so it is short; the target hears the operator at once.
func targetPrompt() *media.Prompt {
	return media.TonePrompt(audio.Cadence{Freqs: []float64{1000}, Amplitude: 0.12, Pattern: []time.Duration{60 * time.Millisecond}})
}

// endsTalk tells whether an operator with a line ends the talk by *#, and keeps the line.
func (c *Call) endsTalk(p *party, digit byte) bool {
	return p != nil && p.line != nil && digit == '#' && p.keys == attendedKeys[:1]
}
