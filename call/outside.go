package call

import (
	"context"
	"fmt"
	"strings"
	"time"

	"vpbx/pbx"
	"vpbx/routing"
	"vpbx/sip"
)

const (
	reserveFor = time.Minute      // talk is paid for in advance, so much at a time
	leastTalk  = 10 * time.Second // a call that could not be paid for so long is not begun
	cutBefore  = time.Second      // a call is ended so long before what is reserved is used up
)

// Ledger keeps what was spent in a day over restarts. Package store implements
// it.
type Ledger interface {
	// AddSpending adds an amount, which may be negative, to what is kept.
	AddSpending(ctx context.Context, t pbx.TenantID, s pbx.Spending) error
}

// grant is the leave to make one call to the outside. It counts against the
// limits until it is settled, and holds what is reserved of the day's money.
// Everything but what never changes is under mu of the Manager.
type grant struct {
	m       *Manager
	company *pbx.Company
	by      string // the extension that is answerable, "" when the company is
	number  string
	rate    pbx.Money // per minute, 0: free
	uses    []string

	leg      *sip.Leg  // the one that was answered
	since    time.Time // what is reserved is used from then on; zero: not answered yet
	reserved pbx.Money
	day      string // on which it was reserved
	timer    *time.Timer
	settled  bool
}

// refusal is why the fraud guard refuses a call.
type refusal struct {
	cause pbx.Cause
	why   string
}

func refuse(r pbx.Reason, format string, args ...any) *refusal {
	return &refusal{pbx.NewCause(pbx.PartyPBX, r), fmt.Sprintf(format, args...)}
}

// admitOutside is the one gate to the outside: whoever wants to dial a number at
// a trunk, for whatever reason, asks here first and dials only with the grant. by
// is the extension that is answerable for the call: who dialled, forwards or
// transfers. Emergency numbers always pass.
//
// The grant is settled when the leg that was dialled with it ends ([Call.over] does
// so for a party that has it), or by settle when nobody was reached.
func (m *Manager) admitOutside(c *Call, by, number string) (*grant, *refusal) {
	g := &grant{m: m, company: c.company, by: by, number: number}
	if pbx.Emergency(number) {
		return g, nil
	}
	if reason, why := routing.Refused(c.company, number); reason != "" {
		return nil, refuse(reason, "%s", why)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	no := g.count(c)
	if no == nil {
		no = g.pay()
	}
	if no != nil {
		g.giveBack()
		return nil, no
	}
	c.grants = append(c.grants, g)
	return g, nil
}

// count checks how many calls there are and takes a place among them. It is
// called with m.mu held.
func (g *grant) count(c *Call) *refusal {
	id, m := g.company.ID, g.m
	if e := g.company.Extensions[g.by]; e != nil {
		// A call of the extension itself was counted when it came in.
		if counted := g.by == c.counted && !c.wentOut; !counted {
			if most := g.company.CallsAMinute(e); !m.within(usage(id, "minute", g.by), most, time.Now()) {
				return refuse(pbx.OverLimit, "extension %s has begun more than %d calls in a minute", g.by, most)
			}
		}
		c.wentOut = c.wentOut || g.by == c.counted
		if most := g.company.CallsAtOnce(e); !g.use(usage(id, "outside", g.by), most) {
			return refuse(pbx.OverLimit, "extension %s has %d calls to the outside already", g.by, most)
		}
	}
	if most := g.company.Limits.Guarded().Calls; !g.use(usage(id, "outside", ""), most) {
		return refuse(pbx.OverLimit, "the company has %d calls to the outside already", most)
	}
	return nil
}

func (g *grant) use(key string, most int) bool {
	if g.m.used[key] >= most {
		return false
	}
	g.m.used[key]++
	g.uses = append(g.uses, key)
	return true
}

// giveBack is called with m.mu held.
func (g *grant) giveBack() {
	for _, key := range g.uses {
		g.m.giveBack(key)
	}
	g.uses = nil
}

// pay reserves the first minutes. It is called with m.mu held.
func (g *grant) pay() *refusal {
	limited := g.company.Limits.Spend > 0
	if e := g.company.Extensions[g.by]; e != nil && g.company.SpendOf(e) > 0 {
		limited = true
	}
	rate, ok := g.company.RateOf(g.number)
	switch {
	case !ok && limited:
		return refuse(pbx.Forbidden, "there is no rate for %s, and spending is limited", g.number)
	case !ok || rate == 0:
		return nil
	}
	g.rate = rate
	if who, ok := g.reserve(time.Now()); !ok {
		return refuse(pbx.Spent, "%s has spent what it may in a day", who)
	}
	return nil
}

// reserve takes the money for the next minutes, or for what is left of the day's
// limit, from every account that pays: the company's and the extension's. When
// that is not worth a call it names whose money is spent. It is called with m.mu held.
func (g *grant) reserve(at time.Time) (who string, ok bool) {
	amount := g.rate.Cost(reserveFor.Seconds())
	accounts := g.accounts(at)
	for _, a := range accounts {
		if a.limit > 0 && a.limit-a.amount < amount {
			amount, who = a.limit-a.amount, a.name
		}
	}
	if amount < g.rate.Cost(leastTalk.Seconds()) {
		return who, false
	}
	for _, a := range accounts {
		a.amount += amount
		a.unsaved += amount
	}
	g.reserved, g.day = amount, accounts[0].day
	return "", true
}

// answered starts the clock of a grant: its leg is paid for from now on. A leg
// whose money runs out is hung up, wherever it is by then.
func (m *Manager) answered(g *grant, leg *sip.Leg) {
	if g == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if g.settled || !g.since.IsZero() {
		return
	}
	g.leg, g.since = leg, time.Now()
	g.timer = time.AfterFunc(g.lasts()-cutBefore, g.renew)
}

// lasts is how long can be talked for what is reserved.
func (g *grant) lasts() time.Duration {
	if g.rate == 0 {
		return reserveFor
	}
	return time.Duration(float64(g.reserved) / float64(g.rate) * float64(time.Minute))
}

// renew pays for the next minutes shortly before those that are paid for are
// over, or ends the call. The timer runs it.
func (g *grant) renew() {
	m := g.m
	m.mu.Lock()
	if g.settled {
		m.mu.Unlock()
		return
	}
	if g.leg != nil && over(g.leg) { // between two calls, of which neither has it any more
		g.settle()
		m.mu.Unlock()
		return
	}
	g.since = g.since.Add(g.lasts())
	if g.rate > 0 {
		if _, ok := g.reserve(time.Now()); !ok {
			g.since = g.since.Add(-g.lasts()) // it is settled with what it has
			m.mu.Unlock()
			g.leg.Hangup(pbx.NewCause(pbx.PartyPBX, pbx.Spent))
			return
		}
		m.saveLater(g)
	}
	g.timer.Reset(time.Until(g.since.Add(g.lasts() - cutBefore)))
	m.mu.Unlock()
}

// over tells whether a leg has ended.
func over(l *sip.Leg) bool {
	select {
	case <-l.Done():
		return true
	default:
		return false
	}
}

// settle ends a grant: what was reserved and not used goes back. Only the first
// time counts.
func (m *Manager) settle(g *grant) {
	if g == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	g.settle()
}

// settle is called with m.mu held.
func (g *grant) settle() {
	if g.settled {
		return
	}
	g.settled = true
	if g.timer != nil {
		g.timer.Stop()
	}
	g.giveBack()
	if g.reserved == 0 {
		return
	}
	used := pbx.Money(0)
	if !g.since.IsZero() {
		used = min(g.reserved, g.rate.Cost(time.Since(g.since).Seconds()))
	}
	for _, a := range g.accounts(time.Now()) {
		if a.day == g.day { // yesterday's money is of no use today
			a.amount -= g.reserved - used
			a.unsaved -= g.reserved - used
		}
	}
	g.m.saveLater(g)
}

// guarded notes that the fraud guard refused a call, or ended it.
func (c *Call) guarded(by, number string, no *refusal) {
	c.fail(no.cause)
	c.m.metrics.guarded.WithLabelValues(string(no.cause.Reason)).Inc()
	c.note(pbx.CallEvent{Kind: pbx.Guarded, Who: by, To: number, Cause: &no.cause, Why: reasons(no.why)})
}

// guardedPlan notes that routing refused a call for one of the guard's reasons;
// what it says of it is in the plan already.
func (c *Call) guardedPlan(by, number string, cause pbx.Cause) {
	if to, code := strings.CutPrefix(number, string(routing.ForwardTo)); code {
		number = c.company.E164(to)
	}
	if cause.Reason == pbx.Premium || cause.Reason == pbx.Forbidden {
		if reason, _ := routing.Refused(c.company, number); reason != "" {
			c.guarded(by, number, &refusal{cause, ""})
		}
	}
}

func reasons(why string) []string {
	if why == "" {
		return nil
	}
	return []string{why}
}

// paid settles the grant of a party that is over, when it had answered; else the
// next trunk may go on with it.
func (c *Call) paid(p *party, cause pbx.Cause) {
	if p.grant == nil || !p.answered {
		return
	}
	if cause.Reason == pbx.Spent {
		c.guarded(p.grant.by, p.grant.number, refuse(pbx.Spent, "the call was ended: what may be spent in a day is spent"))
	}
	c.m.settle(p.grant)
}

// refusedAtOnce notes why a call is refused before anything is done for it.
func (c *Call) refusedAtOnce() {
	if c.refused.Reason != pbx.OverLimit {
		c.why(c.refusedWhy)
		return
	}
	c.guarded(c.caller.number, c.dialled, &refusal{*c.refused, c.refusedWhy})
}
