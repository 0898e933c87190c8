package call

import (
	"cmp"
	"slices"
	"time"

	"vpbx/pbx"
	"vpbx/routing"
)

// sorryLead is how long before an operator must be there a target is told that none is: it
// has to hear so in time (47 CFR 64.1200(a)(7), Ofcom's policy on persistent misuse A1.57).
const sorryLead = 200 * time.Millisecond

// leastIntercom is what a phone needs to answer by itself: in less none is rung.
const leastIntercom = 300 * time.Millisecond

// reserve takes the operator of an attempt before its number is dialled, where there is
// to be one: in progressive and preview mode, and for [pbx.AnyOperator]. With nil the
// operator is looked for when the target answers.
func (m *Manager) reserve(company *pbx.Company, o pbx.CampaignCall) (*waiter, error) {
	mode := o.Settings.Mode
	if !mode.OperatorMode() || mode == pbx.DialPredictive && o.Operator == "" {
		return nil, nil
	}
	w := newBid(company, o)
	free := false
	m.desks.with(o.Tenant, func(k *desk) { k.enter(w) })
	m.desks.see(o.Tenant, func(*desk) { free = len(w.offered) > 0 })
	if free {
		return w, nil
	}
	m.withdraw(o.Tenant, w)
	if w.bid.only != "" {
		return nil, &pbx.Error{Kind: pbx.Unavailable, Field: "operator", Msg: "operator " + w.bid.only + " is not free"}
	}
	return nil, &pbx.Error{Kind: pbx.Unavailable, Field: "operator", Msg: "no operator of queue " + w.group.Number + " is free"}
}

// newBid is the call of a campaign as the matcher knows it.
func newBid(company *pbx.Company, o pbx.CampaignCall) *waiter {
	g := company.Groups[o.Settings.Operators.Queue]
	b := &bid{wrapup: o.Settings.Operators.Wrapup}
	if o.Operator != pbx.AnyOperator {
		b.only = o.Operator
	}
	return &waiter{call: o.Call, from: o.Number, group: g, skills: g.Queue.Skills, since: time.Now(), turn: make(chan struct{}, 1), bid: b}
}

// withdraw frees whoever is reserved for a call.
func (m *Manager) withdraw(t pbx.TenantID, w *waiter) {
	if w != nil {
		m.desks.with(t, func(k *desk) { k.leave(w) })
	}
}

// toOperator calls the target and joins it with an operator.
func (c *Call) toOperator(dial routing.Dial) {
	k := c.campaign
	defer func() { c.m.withdraw(c.company.ID, k.bid) }()
	if k.order.Settings.Mode == pbx.DialPreview {
		if c.preview() != nil {
			return
		}
	}
	if c.reachTarget(dial) != nil {
		return
	}
	if k.operator != nil { // it hears itself who has answered
		c.bringOperator()
		return
	}
	machine, err := c.metMachine()
	switch {
	case err != nil:
	case machine:
		c.m.withdraw(c.company.ID, k.bid)
		c.leaveMessage()
	default:
		c.bringOperator()
	}
}

// bringOperator joins the target, who has answered, with an operator, or tells it that
// there is none. The call is over then.
func (c *Call) bringOperator() {
	k := c.campaign
	o := k.order.Settings.Operators
	if k.bid == nil {
		k.bid = newBid(c.company, k.order)
	}
	w := k.bid
	c.note(pbx.CallEvent{Kind: pbx.Wanted, Who: c.caller.who, To: o.Queue})
	k.deadline = k.greeted.Add(k.operatorTime()) // the law counts from its greeting, or its answer
	if p := k.operator; p != nil {
		k.operator = nil
		c.parties = append(c.parties, p)
		p.seat = c.seat
		p.media.StopPlay()
		if c.join(p) == nil {
			c.operatorTalks(w, p)
		} else if c.cause.Reason == "" {
			_ = c.sorry()
		}
		return
	}
	c.m.desks.with(c.company.ID, func(k *desk) { k.hasAnswered(w) })
	c.freed = w.turn
	defer func() { c.freed = nil }()
	for first := true; ; first = false {
		number := c.operatorFor(w)
		switch {
		case number != "" && (first || !k.late()):
			if c.tryOperator(w, number) {
				return
			}
			continue
		case k.late():
			_ = c.sorry()
			return
		}
		c.caller.media.Play(c.m.prompts.quiet(), true)
		timer := time.NewTimer(time.Until(k.deadline))
		_, err := c.next(timer.C)
		timer.Stop()
		if err != nil {
			return
		}
	}
}

// operatorTime is how long a target waits for an operator: what the campaign says, less the
// time in which it is told that there is none.
func (k *campaigning) operatorTime() time.Duration {
	return max(0, cmp.Or(k.order.Settings.Operators.Within, operatorWait)-sorryLead)
}

// hasAnswered puts a call whose target waits before those whose number is being dialled. It
// keeps whoever is reserved for it.
func (m *matcher) hasAnswered(w *waiter) {
	m.waiting = slices.DeleteFunc(m.waiting, func(x *waiter) bool { return x == w })
	w.bid.answered = true
	m.enter(w)
}

// operatorFor reads who is reserved for the call, "": nobody.
func (c *Call) operatorFor(w *waiter) (number string) {
	c.m.desks.see(c.company.ID, func(*desk) {
		if len(w.offered) > 0 {
			number = w.offered[0]
		}
	})
	return number
}

// tryOperator brings an operator to the target, by its line or its phone. It returns true when
// the call is over; otherwise another may come.
func (c *Call) tryOperator(w *waiter, number string) bool {
	l, mine := c.claim(w, number)
	if !mine {
		return false
	}
	if l == nil && c.campaign.within(leastIntercom) < leastIntercom {
		c.spare(w, number)
		return false
	}
	c.showCard(number)
	mark := len(c.trace)
	var p *party
	var err error
	if l != nil {
		p, err = c.borrow(number, l, c.caller.media.Codec())
	} else {
		p, err = c.ringOperator(number)
	}
	switch {
	case err != nil:
		return true
	case p != nil && c.join(p) == nil:
		c.operatorTalks(w, p)
		return true
	case c.cause.Reason != "":
		return true
	}
	c.notBrought(w, number, l, mark)
	return false
}

// claim takes the operator who is reserved, and gives its line, nil when it has none. mine
// is false when it is reserved no longer.
func (c *Call) claim(w *waiter, number string) (l *operatorLine, mine bool) {
	c.m.desks.see(c.company.ID, func(k *desk) {
		if a := k.agent(number); a.offer == w {
			l, mine, w.bid.brought = a.line, true, true
		}
	})
	return l, mine
}

// spare frees an operator whose phone could not be answered in time. Who has a line still may
// come.
func (c *Call) spare(w *waiter, number string) {
	c.m.desks.with(c.company.ID, func(k *desk) {
		w.bid.brought = false
		w.bid.tried = append(w.bid.tried, number)
		k.release(number, w)
	})
}

// ringOperator rings an operator, whose phone is asked to answer by itself. It gives who
// has answered in time, nil when nobody has.
func (c *Call) ringOperator(number string) (*party, error) {
	c.auto = true
	c.ringExtension(number)
	c.auto = false
	p, err := c.first(operatorWait)
	if p != nil {
		c.dropOthers(p)
	}
	return p, err
}

// notBrought frees an operator who did not come. Whoever did not answer its phone is left
// alone for a while, as after the call of a queue.
func (c *Call) notBrought(w *waiter, number string, l *operatorLine, mark int) {
	reason := c.outcomeOf(number, mark)
	rung := mark < len(c.trace) && time.Since(c.trace[mark].At) >= leastRing
	c.m.desks.with(c.company.ID, func(k *desk) {
		w.bid.brought = false
		w.bid.tried = append(w.bid.tried, number)
		if l != nil {
			k.release(number, w)
			return
		}
		if k.miss(number, w, time.Now(), reason == pbx.NoAnswer && rung || reason == pbx.Declined) {
			c.m.pauseMissing(c.company.ID, number)
		}
	})
}

// operatorHas notes that an operator has the call: it is no longer reserved, but at work.
func (c *Call) operatorHas(w *waiter, p *party) {
	c.m.desks.with(c.company.ID, func(k *desk) {
		if p.number == "" {
			k.leave(w)
			return
		}
		p.serves = true
		k.answer(p.number, w, time.Now(), p.leg)
	})
}

// operatorTalks is the talk of target and operator, and what becomes of the target when
// the operator sends it on.
func (c *Call) operatorTalks(w *waiter, p *party) {
	if !p.serves {
		c.operatorHas(w, p)
	}
	c.m.desks.see(c.company.ID, func(*desk) { w.bid.talked = true })
	c.talk()
	for c.cause.Reason == "" {
		if !c.carryOut(c.move()) {
			return
		}
	}
}

// showCard lets whoever watches show an operator whom it is to talk with.
func (c *Call) showCard(operator string) {
	o := c.campaign.order
	c.note(pbx.CallEvent{Kind: pbx.Carded, Who: operator, Card: &pbx.Card{Campaign: o.Campaign, Key: o.Key, Name: o.Name, Number: o.Number, Variables: o.Variables}})
}
