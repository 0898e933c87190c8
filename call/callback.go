package call

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"vpbx/media"
	"vpbx/pbx"
	"vpbx/routing"
)

// putOff is how long a callback waits that could not even be begun.
const putOff = time.Minute

// returning is what a call is for that calls somebody back who has waited in a queue:
// first the agent is rung, who becomes its caller, then the number.
type returning struct {
	w       *waiter
	order   pbx.CallbackOrder // as it was when the agent was found
	agent   string
	settled bool // the attempt is kept as made: the number may be dialled
	reached bool
}

// waiterFor is a callback in the place of the caller who asked for it.
func waiterFor(g *pbx.Group, o pbx.CallbackOrder) *waiter {
	return &waiter{call: pbx.CallID(o.ID), from: o.Number, group: g, priority: o.Priority, skills: o.Skills, since: o.Since, notYet: o.Next, order: &o}
}

// callable tells whether the caller could be called back.
func (c *Call) callable(v *visit) bool {
	if c.caller.leg.Claims.Private && c.caller.number == "" {
		return false
	}
	f := routing.CallBack(c.callbackRequest(c.callbackNumber()), v.g.Number)
	_, refused := f.Steps[0].(routing.Reject)
	return !refused
}

func (c *Call) callbackNumber() string {
	if c.caller.number != "" {
		return c.caller.number
	}
	return c.company.E164(c.caller.who)
}

func (c *Call) callbackRequest(to string) routing.Request {
	return routing.Request{Company: c.company, Direction: pbx.Out, To: to, At: time.Now()}
}

// asksForCallback tells whether the caller has pressed the key for a callback and has
// one: the call is over then. An error means that it is over, too.
func (c *Call) asksForCallback(v *visit) (bool, error) {
	b := v.g.Queue.Callback
	c.listens = v.callable && time.Since(v.w.since) >= b.After
	pressed := c.listens && strings.Contains(string(c.typed), b.Key)
	c.typed = nil
	if !pressed {
		return false, nil
	}
	c.dropSpeech(v)
	o := pbx.CallbackOrder{ID: string(c.id), Tenant: c.company.ID, Queue: v.g.Number, Number: c.callbackNumber(), Name: c.shown().Name,
		Since: v.w.since, Asked: time.Now(), Expires: time.Now().Add(b.Expires), Priority: v.w.priority, Skills: v.w.skills,
		State: pbx.CallbackWaiting, Updated: time.Now()}
	type kept struct{ err error }
	k, err := await(c, func(context.Context) kept { return kept{c.m.keepCallback(v.g, o)} })
	if err != nil {
		return false, err
	}
	if k.err != nil {
		c.log.Warn("callback not kept", "error", k.err)
		c.why("the callback could not be kept: the caller waits on")
		v.callable = false
		c.lullWaiting(v)
		return false, nil
	}
	c.why("the caller is to be called back at " + o.Number)
	c.leaveQueue(v, pbx.LeftCallback)
	return true, c.confirmCallback(v)
}

// confirmCallback tells the caller that it is called back, and ends the call.
func (c *Call) confirmCallback(v *visit) error {
	p, err := c.prompt(v.g.Queue.Callback.Confirm)
	if err != nil {
		return err
	}
	s := sound{v.g.Queue.Callback.Confirm, p}
	if p == nil {
		s = sound{"", c.m.prompts.confirmation()}
	}
	if _, err := c.collect(collect{sounds: []sound{s}}); err != nil {
		return err
	}
	return c.end(pbx.NewCause(pbx.PartyPBX, pbx.Hangup))
}

// keepCallback saves a callback and puts it in the place of its caller. It goes on when
// the caller hangs up meanwhile: who has pressed the key is called back. A number that
// is to be called back from that queue already is not called twice.
func (m *Manager) keepCallback(g *pbx.Group, o pbx.CallbackOrder) error {
	w := waiterFor(g, o)
	w.notYet = time.Now().Add(farAway)
	known, full := false, false
	m.desks.with(o.Tenant, func(k *desk) {
		known = slices.ContainsFunc(k.waiting, func(x *waiter) bool {
			return x.order != nil && x.group.Number == o.Queue && x.order.Number == o.Number
		})
		if full = k.size(o.Queue, true) >= g.Queue.MaxSize; !known && !full {
			k.enter(w)
		}
	})
	switch {
	case known:
		return nil
	case full:
		return fmt.Errorf("%d callbacks wait already", g.Queue.MaxSize)
	}
	ctx, cancel := context.WithTimeout(context.Background(), saveBound)
	defer cancel()
	err := m.Agents.SaveCallback(ctx, o.Tenant, o)
	m.desks.with(o.Tenant, func(k *desk) {
		if err != nil {
			k.leave(w)
			return
		}
		w.notYet = o.Next
	})
	if err == nil {
		m.metrics.callbacks.WithLabelValues(string(o.State)).Inc()
	}
	return err
}

// callBack begins the call for a callback that has its turn.
func (m *Manager) callBack(t pbx.TenantID, w *waiter) {
	r := &returning{w: w}
	m.desks.see(t, func(*desk) {
		r.order = *w.order
		if len(w.offered) > 0 {
			r.agent = w.offered[0]
		}
	})
	company := m.Directory().Company(t)
	if r.agent == "" {
		return // it was cancelled just now
	}
	if company == nil || m.open() != nil {
		m.desks.with(t, func(k *desk) {
			k.withdraw(w)
			w.notYet = time.Now().Add(putOff)
		})
		return
	}
	c := m.newCall(company, time.Now())
	c.returns, c.originate, c.dialled = r, r.agent, r.order.Number
	c.caller = &party{who: r.agent, number: r.agent, calling: true}
	m.start(c)
}

// bringBack calls the number, once the agent has picked up. The attempt is saved before
// that, so that a restart cannot make it again.
func (c *Call) bringBack() {
	r := c.returns
	r.order.State, r.order.Call, r.order.Agent, r.order.Updated = pbx.CallbackDialling, c.id, r.agent, time.Now()
	r.order.Attempts++
	type saved struct{ err error }
	s, err := await(c, func(ctx context.Context) saved {
		ctx, cancel := context.WithTimeout(ctx, saveBound)
		defer cancel()
		return saved{c.m.Agents.SaveCallback(ctx, c.company.ID, r.order)}
	})
	if err == nil && s.err != nil {
		c.log.Error("callback not saved", "error", s.err)
		c.why("the callback could not be saved: nobody is called")
		err = c.end(pbx.NewCause(pbx.PartyPBX, pbx.Broken))
	}
	if err != nil {
		return
	}
	r.settled = true
	c.asked = c.callbackRequest(r.order.Number)
	f := routing.CallBack(c.asked, r.order.Queue)
	direction := pbx.Out
	if c.company.Inside(r.order.Number) {
		direction = pbx.InternalTo
	}
	c.decision.To = r.order.Number
	c.note(pbx.CallEvent{Kind: pbx.Routed, Why: f.Why, Direction: direction, To: r.order.Number})
	if c.recordsBack(f) != nil {
		return
	}
	for steps := f.Steps; c.carryOut(steps); {
		steps = c.move()
	}
}

// recordsBack makes ready what is needed to record the talk, where it is to be.
func (c *Call) recordsBack(f routing.Forwarded) error {
	q := c.returns.w.group.Queue
	c.recordAlso(f.Record, f.Notice)
	c.recordAlso(q.Record, q.Notice)
	if !c.decision.Record {
		return nil
	}
	notice, err := await(c, c.announcement)
	if err != nil {
		return err
	}
	c.tape.notice = notice
	if err := c.caller.media.Admit(media.Record); err != nil { // rather no call than one without its recording
		return c.end(c.mediaCause(pbx.PartyPBX, err))
	}
	return nil
}

// reachedBack notes that agent and caller talk: the callback is over.
func (c *Call) reachedBack() {
	r := c.returns
	if r == nil || r.reached {
		return
	}
	r.reached, c.caller.serves = true, true
	r.order.State, r.order.Updated = pbx.CallbackReached, time.Now()
	order, leg := r.order, c.caller.leg
	c.m.desks.with(c.company.ID, func(k *desk) {
		k.answer(r.agent, r.w, time.Now(), leg)
		c.m.desks.saveCallback(order)
	})
}

// returned is the end of a callback's call: it was reached, waits for another attempt,
// or is given up.
func (c *Call) returned() {
	r := c.returns
	if r == nil || r.reached {
		return
	}
	b, now := r.w.group.Queue.Callback, time.Now()
	if !r.settled { // the agent did not answer, or something was in the way
		c.m.desks.with(c.company.ID, func(k *desk) {
			if c.cause.Party == pbx.PartyPBX {
				k.withdraw(r.w)
				r.w.notYet = now.Add(putOff)
				return
			}
			if k.miss(r.agent, r.w, now, c.cause.Reason == pbx.NoAnswer || c.cause.Reason == pbx.Declined) {
				c.m.pauseMissing(c.company.ID, r.agent)
			}
		})
		return
	}
	r.order.State, r.order.Reason, r.order.Next, r.order.Updated = pbx.CallbackWaiting, c.cause.Reason, now, now
	if b == nil || r.order.Attempts >= b.Attempts || c.cause.Party == pbx.PartyPBX && refusedForGood(c.cause.Reason) {
		r.order.State = pbx.CallbackFailed
	} else {
		r.order.Next = now.Add(b.Retry)
	}
	order := r.order
	c.m.desks.with(c.company.ID, func(k *desk) {
		c.m.desks.saveCallback(order)
		if order.State.Over() {
			k.leave(r.w)
			return
		}
		k.withdraw(r.w)
		r.w.order, r.w.notYet = &order, order.Next
	})
}

// refusedForGood tells whether our own rules refuse a number, now and later.
func refusedForGood(r pbx.Reason) bool {
	return r == pbx.Forbidden || r == pbx.Premium || r == pbx.UnknownNumber || r == pbx.NoRoute
}

// saveCallback keeps a callback as it is now, beside whoever asks. It is called with
// d.mu held.
func (d *desks) saveCallback(o pbx.CallbackOrder) {
	if o.State != pbx.CallbackWaiting {
		d.m.metrics.callbacks.WithLabelValues(string(o.State)).Inc()
	}
	d.later(func(ctx context.Context) {
		if err := d.m.Agents.SaveCallback(ctx, o.Tenant, o); err != nil {
			d.m.Log.Error("callback not saved", "tenant", o.Tenant, "callback", o.ID, "state", o.State, "error", err)
		}
	})
}

// expire gives up callbacks that nobody has had time for. It is called with d.mu held.
func (d *desks) expire(k *desk, at time.Time) {
	for _, w := range slices.Clone(k.waiting) {
		if w.order == nil || len(w.offered) > 0 || at.Before(w.order.Expires) {
			continue
		}
		k.leave(w)
		o := *w.order
		o.State, o.Updated = pbx.CallbackExpired, at
		d.saveCallback(o)
	}
}

// CancelCallback gives up a callback that waits for its turn.
func (m *Manager) CancelCallback(ctx context.Context, t pbx.TenantID, queue, id string) error {
	err := error(&pbx.Error{Kind: pbx.NotFound, Msg: "no such callback waits"})
	var o pbx.CallbackOrder
	m.desks.with(t, func(k *desk) {
		i := slices.IndexFunc(k.waiting, func(w *waiter) bool { return w.order != nil && w.order.ID == id && w.group.Number == queue })
		switch {
		case i < 0:
		case len(k.waiting[i].offered) > 0:
			err = &pbx.Error{Kind: pbx.Conflict, Msg: "the callback is being made"}
		default:
			err = nil
			o = *k.waiting[i].order
			k.leave(k.waiting[i])
		}
	})
	if err != nil {
		return err
	}
	o.State, o.Updated = pbx.CallbackCancelled, time.Now()
	m.metrics.callbacks.WithLabelValues(string(o.State)).Inc()
	if err := m.Agents.SaveCallback(ctx, t, o); err != nil {
		return fmt.Errorf("cancel callback %s: %w", id, err)
	}
	return nil
}
