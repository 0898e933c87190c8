package pace

import "time"

// turns is the clock of start-time fair queueing (Goyal, Vin, Cheng, 1996): the start of
// the launch whose turn it was last. It counts launches per weight, not seconds.
type turns struct{ now float64 }

// flow is one of those who share turns.
type flow struct {
	end    float64 // of its last launch, on the clock of its turns
	weight float64 // of its last turn; used for trunks, whose weight is that of their campaigns
}

// start is when its next launch begins. Who was away, or could not use its turns for a
// limit of its own, is let in with one launch to its good: nobody saves up turns to keep
// the others waiting later.
func (f *flow) start(t *turns, weight float64) float64 { return max(f.end, t.now-1/weight) }

func (f *flow) charge(t *turns, weight float64) { f.end = f.start(t, weight) + 1/weight }

// Turn tells which of the campaigns that want to launch a call, and may, is to launch
// the next one. With ok it may now. Without, next is when one of them will, zero when
// that takes the end of a call or a word of [Limiter.Want].
//
// Turns are divided in three steps: in equal parts between the companies, then between
// the trunks of a company by the weight of the campaigns that can launch by them now,
// then by weight between the campaigns of a trunk. Who cannot use a turn leaves it to
// the others.
func (l *Limiter) Turn(at time.Time) (id ID, next time.Time, ok bool) {
	var best *company
	for name, o := range l.companies {
		soonest, can := o.ready(at)
		if !can {
			if !soonest.IsZero() && (next.IsZero() || soonest.Before(next)) {
				next = soonest
			}
			continue
		}
		if best == nil || first(o.start(&l.turns, 1), name, best.start(&l.turns, 1), id.Company) {
			best, id.Company = o, name
		}
	}
	if best == nil {
		return ID{}, next, false
	}
	l.now = max(l.now, best.start(&l.turns, 1))
	id.Name = best.turn(at)
	return id, time.Time{}, true
}

// ready sums up the weights of the campaigns that can launch now by their trunks, and
// tells whether there is any, or when there will be.
func (o *company) ready(at time.Time) (soonest time.Time, can bool) {
	for _, k := range o.trunks {
		k.weight = 0
	}
	for _, c := range o.campaigns {
		if c.wants == 0 {
			continue
		}
		k := o.trunk(c.trunk)
		t, ok := allowed(at, &o.level, &k.level, &c.level)
		switch {
		case !ok:
		case !t.After(at):
			k.weight += c.weight
			can = true
		case soonest.IsZero() || t.Before(soonest):
			soonest = t
		}
	}
	return soonest, can
}

// turn tells which campaign it is, after ready has found that there is one.
func (o *company) turn(at time.Time) string {
	var best *trunk
	name := ""
	for n, k := range o.trunks {
		if k.weight > 0 && (best == nil || first(k.start(&o.turns, k.weight), n, best.start(&o.turns, best.weight), name)) {
			best, name = k, n
		}
	}
	o.now = max(o.now, best.start(&o.turns, best.weight))
	var chosen *campaign
	who := ""
	for n, c := range o.campaigns {
		if c.wants == 0 || c.trunk != name {
			continue
		}
		if t, ok := allowed(at, &c.level); !ok || t.After(at) {
			continue
		}
		if chosen == nil || first(c.start(&best.turns, c.weight), n, chosen.start(&best.turns, chosen.weight), who) {
			chosen, who = c, n
		}
	}
	best.now = max(best.now, chosen.start(&best.turns, chosen.weight))
	return who
}

// first orders by start, then by name, so that the order of a map does not matter.
func first(start float64, name string, than float64, other string) bool {
	return start < than || start == than && name < other
}
