package call

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"vpbx/pbx"
	"vpbx/routing"
)

const (
	maxVisits = 16                   // queues that one call can come into
	maxRings  = 2000                 // agents that are rung for it while it waits in one
	farAway   = 365 * 24 * time.Hour // from now: not yet
	leastRing = time.Second          // less is not worth an INVITE
)

// turned is what next returns when who waits in a queue may have an offer.
type turned struct{}

// visit is the time of a call in a queue.
type visit struct {
	g        *pbx.Group
	w        *waiter
	in       bool      // it waits
	deadline time.Time // it waits no longer
	callable bool      // the caller can be called back
	of       *party    // who waits
	position int       // when it left
	rings    int       // agents that were rung
	left     bool      // that is noted
	speech
}

// queue lets the caller wait until an agent of a queue is free, and joins the two. It
// returns true when the plan is over. Whoever need not or cannot wait any longer goes on
// with the overflow of the queue, or behind it.
func (c *Call) queue(s routing.Queue) bool {
	c.why(s.Why)
	if c.visits++; c.visits > maxVisits {
		c.pass(s.Group.Number, pbx.NewCause(pbx.PartyPBX, pbx.NoRoute), "this call has been in too many queues")
		return false
	}
	v := &visit{g: s.Group, w: &waiter{call: c.id, from: c.caller.who, group: s.Group, priority: s.Priority, skills: s.Skills,
		since: time.Now(), notYet: time.Now().Add(farAway), turn: make(chan struct{}, 1)}}
	how, over := c.visit(v)
	if over {
		return true
	}
	c.leaveQueue(v, how)
	why, reason := overflowed(how, s.Group)
	c.failed = pbx.NewCause(pbx.PartyCallee, reason)
	c.why(why)
	return c.follow(s.Group.Queue.Overflow) || c.cause.Reason != ""
}

// overflowed says why somebody does not wait any longer.
func overflowed(how pbx.LeftQueue, g *pbx.Group) (string, pbx.Reason) {
	switch how {
	case pbx.LeftFull:
		return "queue " + g.Number + " is full: " + strconv.Itoa(g.Queue.MaxSize) + " wait", pbx.Busy
	case pbx.LeftEmpty:
		return "no agent of queue " + g.Number + " is logged in", pbx.NoAnswer
	}
	return "nobody of queue " + g.Number + " was free in " + g.Queue.MaxWait.String(), pbx.NoAnswer
}

// visit is the time in a queue. over tells that the plan is over, else how says why the
// caller does not wait any longer.
func (c *Call) visit(v *visit) (how pbx.LeftQueue, over bool) {
	defer c.leaveQueue(v, "")
	if how := c.comeIn(v); how != "" {
		return how, false
	}
	c.freed = v.w.turn
	defer func() {
		c.freed, c.listens, c.typed = nil, false, nil
		c.dropSpeech(v)
	}()
	c.transferred(v.g.Number)
	if c.receive(v) != nil || c.entertain(v.g.Music) != nil {
		return "", true
	}
	defer c.quiet()
	if c.music == nil {
		c.ringing()
	}
	c.m.desks.with(c.company.ID, func(*desk) { v.w.notYet = time.Time{} })
	return c.wait(v)
}

// comeIn takes the place in the queue, or says why there is none.
func (c *Call) comeIn(v *visit) (how pbx.LeftQueue) {
	q, position := v.g.Queue, 0
	c.m.desks.with(c.company.ID, func(k *desk) {
		logged, _ := k.count(k.queue(v.g))
		switch {
		case logged == 0 && q.JoinEmpty != pbx.Waits:
			how = pbx.LeftEmpty
		case k.size(v.g.Number, false) >= q.MaxSize:
			how = pbx.LeftFull
		default:
			k.enter(v.w)
			v.in, position = true, k.position(v.w)
		}
	})
	c.note(pbx.CallEvent{Kind: pbx.Queued, Who: c.caller.who, Leg: c.caller.leg.ID, To: v.g.Number, Text: v.g.Name, Position: position})
	if how != "" {
		return how
	}
	c.m.metrics.waiting.Inc()
	v.of, v.deadline = c.caller, v.w.since.Add(q.MaxWait)
	if q.Announce != "" && q.Announce != pbx.AnnounceOff {
		v.say = v.w.since
	}
	if b := q.Callback; b != nil {
		v.callable = c.callable(v)
		if v.callable && b.Offer != "" {
			v.offer = v.w.since.Add(b.After)
		}
	}
	return ""
}

// leaveQueue gives the place back and notes, once, how the caller left.
func (c *Call) leaveQueue(v *visit, how pbx.LeftQueue) {
	if v.left {
		return
	}
	if v.in {
		c.m.desks.with(c.company.ID, func(k *desk) {
			v.position = k.position(v.w)
			k.leave(v.w)
		})
		v.in = false
		c.m.metrics.waiting.Dec()
	}
	if how == "" {
		if c.cause.Reason == "" {
			return // the step says why
		}
		waiter := c.cause.Party == pbx.PartyCaller || c.campaign != nil && c.hungUp == c.caller.who
		if how = pbx.LeftEnded; waiter && c.cause.Reason != pbx.SentOn {
			how = pbx.LeftAbandoned
		}
	}
	c.leftQueue(v, how, "")
}

// leftQueue notes how the caller left.
func (c *Call) leftQueue(v *visit, how pbx.LeftQueue, agent string) {
	v.left = true
	c.note(pbx.CallEvent{Kind: pbx.QueueLeft, Who: agent, To: v.g.Number, Text: string(how), Position: v.position})
	c.m.metrics.left.WithLabelValues(string(how)).Inc()
	c.m.metrics.queued.Observe(time.Since(v.w.since).Seconds())
}

// receive answers the caller and plays the greeting, where there is one. An error means
// that the call is over.
func (c *Call) receive(v *visit) error {
	p, err := c.prompt(v.g.Queue.Greeting)
	if err != nil || p == nil {
		return err
	}
	if err := c.answerAlone(spoken); err != nil {
		c.why("the greeting cannot be played: " + err.Error())
		return nil
	}
	_, err = c.collect(collect{sounds: []sound{{v.g.Queue.Greeting, p}}})
	return err
}

// wait is the time in which the caller hears music, until an agent is free for it.
func (c *Call) wait(v *visit) (how pbx.LeftQueue, over bool) {
	for {
		if v.of != c.caller {
			c.takesPlace(v)
		}
		agents, empty := c.lookUp(v)
		now := time.Now()
		switch {
		case !now.Before(v.deadline): // before an offer: whose ringing was cut has one again at once
			return pbx.LeftTimeout, false
		case v.rings >= maxRings:
			c.why(fmt.Sprintf("agents were rung %d times in vain", v.rings))
			return pbx.LeftTimeout, false
		case len(agents) > 0:
			if over := c.ringAgents(v, agents); over {
				return "", true
			}
			continue
		case empty:
			return pbx.LeftEmpty, false
		}
		if asked, err := c.asksForCallback(v); asked || err != nil {
			return "", true
		}
		c.announceTo(v, now)
		timer := time.NewTimer(v.pause(now))
		e, err := c.next(timer.C)
		timer.Stop()
		if err != nil {
			return "", true
		}
		c.heard(v, e)
	}
}

// takesPlace lets another wait in the place of the caller: who consulted the queue has
// hung up.
func (c *Call) takesPlace(v *visit) {
	v.of, v.speaking = c.caller, false
	v.callable = v.g.Queue.Callback != nil && c.callable(v)
	c.m.desks.with(c.company.ID, func(*desk) { v.w.from = c.caller.who })
}

// lookUp reads whom the caller is offered to, and whether it is to leave because no
// agent is there any more.
func (c *Call) lookUp(v *visit) (agents []string, empty bool) {
	c.m.desks.see(c.company.ID, func(k *desk) {
		agents = slices.Clone(v.w.offered)
		if v.g.Queue.LeaveEmpty == pbx.Overflows {
			logged, _ := k.count(k.queue(v.g))
			empty = logged == 0
		}
	})
	return agents, empty
}

// pause is how long nothing happens by the clock.
func (v *visit) pause(now time.Time) time.Duration {
	d := v.deadline.Sub(now)
	if v.g.Queue.LeaveEmpty == pbx.Overflows {
		d = min(d, lookAgain)
	}
	for _, at := range []time.Time{v.say, v.offer} {
		if !at.IsZero() && !v.speaking && v.loading == 0 && at.After(now) {
			d = min(d, at.Sub(now))
		}
	}
	return d
}

// ringAgents rings the agents whom the caller is offered to. It returns true when the
// plan is over; otherwise the caller waits on, at its place.
func (c *Call) ringAgents(v *visit, agents []string) bool {
	c.dropSpeech(v)
	if v.speaking {
		c.lullWaiting(v)
	}
	began, mark := time.Now(), len(c.trace)
	d := min(v.g.Ring, v.deadline.Sub(began))
	if d < leastRing { // the next look ends the waiting
		d = leastRing
	}
	v.rings += len(agents)
	for _, number := range agents {
		c.note(pbx.CallEvent{Kind: pbx.QueueOffered, Who: number, To: v.g.Number})
		c.ringExtension(number)
	}
	p, err := c.first(d)
	if err != nil {
		return true
	}
	if p != nil {
		c.dropOthers(p)
		c.listens = false // no longer for a callback: the keys of a talk mean something else
		music := c.music
		if c.join(p) == nil {
			c.agentHas(v, p)
			return c.talk()
		}
		if c.cause.Reason != "" {
			return true
		}
		c.music = music
		c.lullWaiting(v)
	}
	cut := time.Since(began) < v.g.Ring && (c.campaign.late() || !time.Now().Before(v.deadline))
	c.unanswered(v, agents, mark, cut)
	return false
}

// unanswered notes which agents did not answer. Whose ringing was cut because the caller has
// waited long enough has not missed anything.
func (c *Call) unanswered(v *visit, agents []string, mark int, cut bool) {
	c.m.desks.with(c.company.ID, func(k *desk) {
		if cut { // nobody is to be rung for it any more
			v.w.notYet = time.Now().Add(farAway)
		}
		for _, number := range agents {
			reason := c.outcomeOf(number, mark)
			if cut && reason == pbx.NoAnswer {
				k.release(number, v.w)
				continue
			}
			if k.miss(number, v.w, time.Now(), reason == pbx.NoAnswer || reason == pbx.Declined) {
				c.m.pauseMissing(c.company.ID, number)
			}
		}
	})
}

// outcomeOf reads off the trace what came of calling an extension.
func (c *Call) outcomeOf(number string, mark int) pbx.Reason {
	reason := pbx.Busy // it does not want to be disturbed
	for _, e := range c.trace[min(mark, len(c.trace)):] {
		if e.Who == number && e.Cause != nil && (e.Kind == pbx.LegEnded || e.Kind == pbx.Noted) {
			reason = e.Cause.Reason
		}
	}
	return reason
}

// agentHas notes that an agent talks with the caller, who does not wait any more.
func (c *Call) agentHas(v *visit, p *party) {
	c.m.desks.with(c.company.ID, func(k *desk) {
		v.position = k.position(v.w)
		if p.number == "" {
			k.leave(v.w)
			return
		}
		p.serves = true
		k.answer(p.number, v.w, time.Now(), p.leg)
	})
	v.in = false
	c.m.metrics.waiting.Dec()
	c.leftQueue(v, pbx.LeftAnswered, p.who)
}

// served tells the queues that the leg of an agent is over, or in other hands.
func (c *Call) served(p *party) {
	if !p.serves || p.leg == nil {
		return
	}
	p.serves = false
	c.m.desks.with(c.company.ID, func(k *desk) {
		if a := k.agents[p.number]; a != nil && a.leg == ended(p.leg) {
			c.m.desks.talked(k, a, time.Now())
		}
	})
}
