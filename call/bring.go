package call

import (
	"context"
	"fmt"
	"time"

	"vpbx/pbx"
	"vpbx/routing"
	"vpbx/sip"
)

// into is what a call is for that brings somebody into a conference: whom we call,
// or who talked in another call until now.
type into struct {
	conf    *pbx.Conference
	to      string // number to call
	by      string // the extension that is answerable, "": the company is
	from    pbx.CallID
	entered bool // who was called has answered
	told    bool
	tell    func(status int) // who has asked by REFER; nil: nobody has
}

// referNews is what became of an INVITE that a REFER has asked for.
type referNews struct {
	l      *sip.Leg
	status int
}

// progress tells who has asked how it goes.
func (i *into) progress(status int) {
	if i.tell != nil && !i.told {
		i.told = status >= 200
		i.tell(status)
	}
}

// report ends that, unless who was called is in the conference.
func (i *into) report(cause pbx.Cause) {
	status := cause.SIP
	if status < 300 {
		status = 487
	}
	i.progress(status)
}

// invite begins a call that brings somebody into a conference.
func (m *Manager) invite(company *pbx.Company, t *into) error {
	_, err := m.invited(company, t)
	return err
}

func (m *Manager) invited(company *pbx.Company, t *into) (pbx.CallID, error) {
	if err := m.open(); err != nil {
		return "", err
	}
	c := m.newCall(company, time.Now())
	c.into, c.dialled, c.admitted = t, t.to, t.conf.Number
	c.caller = &party{who: t.conf.Shown(), name: t.conf.Name, calling: true}
	if !company.Inside(t.to) {
		c.dialled = company.E164(t.to)
	}
	m.start(c)
	return c.id, nil
}

// bringIn is the life of a call with into.
func (c *Call) bringIn() {
	t := c.into
	if t.from != "" {
		c.own(c.caller, t.from)
		for steps := []routing.Step{routing.Confer{Conference: t.conf}}; c.carryOut(steps); {
			steps = c.move()
		}
		return
	}
	c.asked = routing.Request{Company: c.company, Direction: pbx.Out, From: c.caller.who, To: t.to,
		Caller: c.company.Extensions[t.by], At: time.Now()}
	name := "a conference"
	if t.conf.Call == "" {
		name = "conference " + t.conf.Number
	}
	d := routing.Invite(c.asked, name)
	c.note(pbx.CallEvent{Kind: pbx.Noted, Why: d.Why})
	for steps := d.Steps; c.carryOut(steps); {
		steps = c.move()
	}
}

// bring lets who was called, and has answered, into the conference.
func (c *Call) bring(p *party) bool {
	c.into.entered = true
	c.parties = nil
	c.caller = p
	return c.confer(routing.Confer{Conference: c.into.conf})
}

// turn takes the caller of a call whose two are to go on in a conference there.
func (c *Call) turn() []routing.Step {
	conf := c.turns
	c.turns = nil
	return c.letIn(conf)
}

// letIn is the plan for somebody who need not know the PIN.
func (c *Call) letIn(conf *pbx.Conference) []routing.Step {
	c.failed = pbx.Cause{}
	c.admitted = conf.Number
	if conf.Call == "" {
		c.why("conference " + conf.Number)
	}
	return []routing.Step{routing.Confer{Conference: conf}}
}

// roomOf is the conference that the caller is in, nil when it is in none.
func (c *Call) roomOf() *pbx.Conference {
	if c.guest == nil || !c.guest.in {
		return nil
	}
	return c.guest.room.conf
}

// intoRoom sends who talks with leg into the conference that its owner is in by
// another call.
func (c *Call) intoRoom(leg *sip.Leg, conf *pbx.Conference, from pbx.CallID) error {
	p := c.party(leg)
	if p == nil || c.mayTransfer(p) != 0 {
		return &pbx.Error{Kind: pbx.Conflict, Msg: "nobody talks in this call now"}
	}
	c.startTransfer(&transfer{by: p, to: conf.Number, conference: conf})
	return nil
}

// callHaving finds the call that has a leg; nil when none has.
func (m *Manager) callHaving(l *sip.Leg) *Call {
	if l == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.calls[m.legs[l]]
}

// ConferenceOf makes a conference of the two who talk in a call: that of the number,
// or one of their own, which has the id of the call as its number.
func (m *Manager) ConferenceOf(ctx context.Context, tenant pbx.TenantID, id pbx.CallID, number string) (string, error) {
	company := m.Directory().Company(tenant)
	if company == nil {
		return "", &pbx.Error{Kind: pbx.NotFound, Msg: "no such company"}
	}
	conf := &pbx.Conference{Number: string(id), Call: id, Max: pbx.MaxConference, Tones: true}
	if number != "" {
		if conf = m.conference(company, number); conf == nil {
			return "", &pbx.Error{Kind: pbx.Invalid, Field: "number", Msg: "there is no such conference"}
		}
	}
	return conf.Number, m.do(ctx, tenant, id, func(c *Call) error { return c.split(conf) })
}

// split makes two calls of one, each with one of the two who talk, for a conference.
func (c *Call) split(conf *pbx.Conference) error {
	if c.peer == nil || c.moves() || c.consult != nil {
		return &pbx.Error{Kind: pbx.Conflict, Msg: "nobody talks in this call now"}
	}
	for _, p := range []*party{c.caller, c.peer} {
		if !p.media.Codec().Known() {
			return &pbx.Error{Kind: pbx.Conflict, Msg: fmt.Sprintf("the codec of %s cannot be mixed", p.who)}
		}
	}
	goes := c.peer
	if conf.Call != "" {
		conf.Name = c.caller.who + ", " + goes.who
		conf.Record = c.recorder != nil // what was recorded goes on being recorded
	}
	c.part()
	c.unbridge()
	c.forgetHold()
	c.stopRecording()
	c.dropSupervisors()
	c.peer = nil
	p := goes.moving()
	n := c.m.newCall(c.company, time.Now())
	n.caller, n.dialled, n.admitted = p, conf.Shown(), conf.Number
	n.into = &into{conf: conf, from: c.id}
	c.left(goes)
	p.leg.Own(n.mail, n.gone)
	p.media.Own(n.mail, n.gone)
	c.m.startMoved(n)
	c.turns = conf
	return nil
}

// startMoved runs a call whose caller has come from another, which was admitted.
func (m *Manager) startMoved(c *Call) {
	m.mu.Lock()
	m.calls[c.id] = c
	m.wg.Add(1)
	m.mu.Unlock()
	m.metrics.active.Inc()
	go c.run()
}
