package autodialer

import (
	"context"
	"fmt"
	"slices"
	"time"

	"vpbx/pbx"
)

// contactsBack is how far back earlier attempts to a number count for the law: the longest
// of its periods is a month.
const contactsBack = 32 * 24 * time.Hour

// facts are what is known of a target besides itself.
type facts struct {
	contacts []pbx.Contacted        // earlier attempts to its numbers
	consents map[string]pbx.Consent // by its numbers
}

// consent gives the record that the target has agreed to be called at a number: one that came
// with the list is of the person, others are of the number.
func (f facts) consent(s *pbx.Campaign, t pbx.Target, number string) *pbx.Consent {
	if t.Consent != nil {
		return t.Consent
	}
	if c, has := f.consents[number]; has {
		return &c
	}
	if s.Consent == pbx.ConsentGiven {
		return &pbx.Consent{Source: "campaign " + s.Name, Text: "the company states that the list has consented", At: t.Added}
	}
	return nil
}

// fed is what was read for a campaign.
type fed struct {
	key
	list []candidate
	next time.Time // when more is due; zero: nothing more waits
	all  bool      // are called: nothing waits, here or in the store
	none bool      // of what was due nobody may be called now
	err  error
}

// putBack says that targets that were read, and may not be called now, are written down.
type putBack struct {
	key
	err error
}

// feed reads targets that are due and finds out who may be called; known are those that
// need not be read. It runs beside the loop.
func (r *Runner) feed(k key, company *pbx.Company, s *pbx.Campaign, known map[int64]bool) {
	f, err := r.due(k, company, s, known)
	if err != nil {
		f.err = fmt.Errorf("read targets of campaign %s: %w", k.name, err)
	}
	f.key = k
	r.tell(f)
}

func (r *Runner) due(k key, company *pbx.Company, s *pbx.Campaign, known map[int64]bool) (fed, error) {
	ctx, cancel := r.bounded()
	defer cancel()
	at := time.Now()
	list, next, err := r.Store.DueTargets(ctx, k.tenant, k.name, at, portion+len(known))
	if err != nil {
		return fed{}, err
	}
	list = slices.DeleteFunc(list, func(t pbx.Target) bool { return known[t.ID] })
	if len(list) == 0 {
		return fed{next: next, all: len(known) == 0 && next.IsZero()}, nil
	}
	found, err := r.facts(ctx, k.tenant, list, at)
	if err != nil {
		return fed{}, err
	}
	f := fed{}
	var held []pbx.Deferral
	for i, t := range list {
		c := candidate{target: t, facts: found[i], read: at}
		if _, d, may := r.choose(company, s, &c, at); !may {
			held = append(held, d)
			continue
		}
		f.list = append(f.list, c)
	}
	f.none = len(f.list) == 0
	if len(held) > 0 {
		err = r.deferAll(ctx, k, held)
	}
	return f, err
}

// facts gathers what is known of targets.
func (r *Runner) facts(ctx context.Context, t pbx.TenantID, list []pbx.Target, at time.Time) ([]facts, error) {
	var numbers []string
	for _, target := range list {
		numbers = append(numbers, target.Numbers...)
	}
	consents, err := r.Store.Consents(ctx, t, numbers)
	if err != nil {
		return nil, err
	}
	contacts, err := r.Store.Contacted(ctx, t, numbers, at.Add(-contactsBack))
	if err != nil {
		return nil, err
	}
	by := map[string][]pbx.Contacted{}
	for _, c := range contacts {
		by[c.Number] = append(by[c.Number], c)
	}
	all := make([]facts, len(list))
	for i, target := range list {
		f := facts{consents: map[string]pbx.Consent{}}
		for _, n := range target.Numbers {
			f.contacts = append(f.contacts, by[n]...) // a debtor is one person, whatever its numbers
			if c, has := consents[n]; has {
				f.consents[n] = c
			}
		}
		all[i] = f
	}
	return all, nil
}

// choose gives a candidate the number of its target whose turn it is, and tells whether that
// may be called now. A number that may not be called at all leaves its turn to the next.
func (r *Runner) choose(company *pbx.Company, s *pbx.Campaign, c *candidate, at time.Time) (limits []pbx.ContactLimit, d pbx.Deferral, may bool) {
	d = pbx.Deferral{Target: c.target.ID, State: pbx.TargetExhausted, Reason: pbx.HeldNumber}
	for i, number := range callable(s, c.target) {
		c.number = number
		limits, held, may := r.judge(company, s, *c, at)
		if may || held.State == pbx.TargetWaiting {
			return limits, held, may
		}
		if i == 0 {
			d = held
		}
	}
	return nil, d, false
}

// callable gives the numbers of a target that may still be called, the one whose turn it is
// first.
func callable(s *pbx.Campaign, t pbx.Target) []string {
	var list []string
	for range t.Numbers {
		next := again(s, t, t.Next)
		if next.State != pbx.TargetWaiting || len(list) > 0 && next.Numbers[next.Turn] == list[0] {
			break
		}
		list = append(list, next.Numbers[next.Turn])
		t.Turn = (next.Turn + 1) % len(t.Numbers)
	}
	return list
}

// deferAll writes down who may not be called, and tells the CRM of those that are over.
func (r *Runner) deferAll(ctx context.Context, k key, list []pbx.Deferral) error {
	at := time.Now()
	for i := range list {
		d := &list[i]
		r.metrics.held.WithLabelValues(string(d.Reason)).Inc()
		if d.State.Over() {
			d.Notify = &pbx.Notification{Seq: 1, Kind: pbx.NotifyTarget, At: at, Target: &pbx.TargetNotice{Campaign: k.name}}
		}
	}
	return r.Store.DeferTargets(ctx, k.tenant, k.name, list)
}

// took takes over what was read.
func (r *Runner) took(f fed) {
	x := r.runs[f.key]
	if x == nil {
		return
	}
	x.reading, x.dirty = false, true
	at := time.Now()
	if x.changed { // what was read may not be so any more
		x.changed, x.dropped, x.feedAt = false, true, time.Time{}
		return
	}
	x.dropped = false
	switch {
	case f.err != nil:
		r.Log.Error("campaign cannot be read", "tenant", f.tenant, "campaign", f.name, "error", f.err)
		x.feedAt = at.Add(retryStore)
	case len(f.list) > 0:
		x.feedAt = time.Time{}
		if x.state.Status == pbx.CampaignRunning {
			x.waiting, x.freshAt = append(x.waiting, f.list...), at
		}
	case f.none:
		x.feedAt = at.Add(betweenFeed)
	case !f.next.IsZero():
		x.feedAt = later(f.next, at.Add(betweenFeed))
	default:
		x.feedAt = at.Add(planEvery)
		if f.all {
			r.finished(f.key, x)
		}
	}
}

// putOffDone goes on to read when those who were put off are written down.
func (r *Runner) putOffDone(p putBack) {
	x := r.runs[p.key]
	if x == nil {
		return
	}
	x.putting--
	x.feedAt = time.Now().Add(betweenFeed)
	if p.err != nil {
		r.Log.Error("targets cannot be put off", "tenant", p.tenant, "campaign", p.name, "error", p.err)
		x.feedAt = time.Now().Add(retryStore)
	}
}

// readAnew forgets what was read of a campaign, since something has changed, or is to do so
// later: no two reads in a row are given up, and what was read is used for a while, lest a
// campaign that changes all the time calls nobody. What matters most, BeginAttempt looks at
// in any case.
func (x *run) readAnew(at time.Time) {
	if x.stale = x.dropped || at.Before(x.freshAt.Add(keepRead)); x.stale {
		x.feedAt = earliest(x.feedAt, at.Add(betweenFeed)) // who is new is read all the same
		return
	}
	x.changed, x.waiting, x.feedAt = x.reading, nil, time.Time{}
}

// finished ends a campaign when nobody waits and nobody is dialled.
func (r *Runner) finished(k key, x *run) {
	_, s := r.settings(k)
	if s == nil || s.KeepOpen || len(x.open) > 0 || len(x.waiting) > 0 || x.changing || x.state.Status != pbx.CampaignRunning {
		return
	}
	r.ordered(order{key: k, do: toFinish})
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
