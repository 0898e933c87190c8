package call

import (
	"cmp"
	"slices"
	"time"

	"vpbx/pbx"
)

// bid is what the matcher knows of the call of a campaign that wants an operator. Whoever
// it is offered to is reserved: for the time in which the number is dialled, or, when
// the target has answered, until the two talk.
type bid struct {
	answered bool          // the target waits
	only     string        // the operator it is for, "": whoever is free
	wrapup   time.Duration // after the talk, 0: as the queue says
	brought  bool          // the operator is on its way: nothing takes the reservation back
	talked   bool
	tried    []string // operators who did not come
}

// turnOf is in which row one waits: callers first, then the targets who have answered, and
// behind them the numbers that are being dialled.
func (w *waiter) turnOf() int {
	switch {
	case w.bid == nil:
		return 0
	case w.bid.answered:
		return 1
	}
	return 2
}

// reserve offers the call of a campaign to an agent of its queue who is free: one who
// holds a line before others, then those of the lowest priority, then who has been free
// longest. The strategy of the queue is for callers.
func (m *matcher) reserve(g *pbx.Group, w *waiter, at time.Time, taken map[string]bool) bool {
	var pool []candidate
	for place, a := range m.staff(g) {
		if w.bid.only != "" && w.bid.only != a.number || slices.Contains(w.bid.tried, a.number) || taken[a.number] {
			continue
		}
		if a.idle(at) && m.logged(g, a, place < len(g.Members)) && m.ready(a) {
			pool = append(pool, candidate{number: a.number, place: place, priority: g.Queue.Priorities[a.number], freed: a.freed})
		}
	}
	pool = m.fitting(pool, taken, w.skills)
	if len(pool) == 0 {
		return false
	}
	rung := func(c candidate) int {
		if m.agents[c.number].line == nil {
			return 1
		}
		return 0
	}
	best := slices.MinFunc(pool, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(rung(a), rung(b)), cmp.Compare(a.priority, b.priority), a.freed.Compare(b.freed), cmp.Compare(a.place, b.place))
	})
	m.agents[best.number].offer = w
	taken[best.number] = true
	w.offered = []string{best.number}
	return true
}

// unreserve frees an agent who does not work for the queue any more, unless it is on its
// way to the target.
func (m *matcher) unreserve(a *agent) {
	w := a.offer
	if w == nil || w.bid == nil || w.bid.brought {
		return
	}
	g := m.queue(w.group)
	if a.state.Paused != "" || !m.logged(g, a, slices.Contains(g.Members, a.number)) {
		m.release(a.number, w)
	}
}

// wrapUp leaves an agent alone after the talk, if there was one.
func (b *bid) wrapUp(a *agent, g *pbx.Group, at time.Time) {
	if b.talked {
		a.until, a.missed = at.Add(cmp.Or(b.wrapup, g.Queue.Wrapup)), false
	}
}

// ready tells whether an agent could talk for a campaign at once: it has its line, and no
// other call, or could be rung. It is called with the mutex of the desks held.
func (m *Manager) ready(k *desk, a *agent) bool {
	if a.line != nil {
		return a.line.idle && m.busy.legs(k.tenant, a.number) <= 1
	}
	return m.able(k.company, a.number)
}

// Operators tells how many agents of a queue are at work for campaigns, which are those
// who do not pause and have a phone, and how many of them are free: they could take a
// target now, or are reserved for one whose number is being dialled or who waits. 0, 0
// for what is no queue.
func (m *Manager) Operators(t pbx.TenantID, queue string) (online, free int) {
	m.desks.see(t, func(k *desk) {
		g := k.groupOf(queue)
		if g == nil {
			return
		}
		at := time.Now()
		for _, a := range k.staff(g) {
			if a.state.Paused != "" || !m.logged(k, g, a) || a.line == nil && !k.here(a.number) {
				continue
			}
			online++
			if a.offer != nil && a.offer.bid != nil || a.idle(at) && m.ready(k, a) {
				free++
			}
		}
	})
	return online, free
}
