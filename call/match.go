package call

import (
	"cmp"
	"math"
	"slices"
	"time"

	"vpbx/pbx"
)

const (
	maxOffers = 16            // agents that ring for one caller at once
	recent    = 20            // talks that the expected wait is guessed from
	fewTalks  = 3             // of fewer nothing is guessed
	longest   = 2 * time.Hour // that is announced
)

// matcher knows who waits in the queues of one company and what its agents do, and
// matches them. It has no clock, no lock and no goroutine: the same calls in the same
// order give the same matches, which is what the simulation in match_test.go rests on.
type matcher struct {
	company *pbx.Company // as it is configured now
	agents  map[string]*agent
	waiting []*waiter                  // in the order in which they are served
	last    map[string]int             // by queue: place of the agent who was offered a caller last
	talks   map[string][]time.Duration // by queue: how long the last talks kept an agent
	chance  func(n int) int            // a random number below n
	here    func(number string) bool   // whether an extension has a phone now
	ready   func(a *agent) bool        // whether an agent could talk for a campaign at once
	entered int64
}

// waiter is one who waits in a queue: a caller, a callback, or the call of a campaign,
// which is in no figure of the queue.
type waiter struct {
	call     pbx.CallID
	from     string
	group    *pbx.Group // as configured when it came
	priority int
	skills   []string
	since    time.Time
	nth      int64
	order    *pbx.CallbackOrder // nil: the caller is there
	bid      *bid               // of the call of a campaign; nil: it is none
	notYet   time.Time          // not offered to anybody before
	offered  []string           // agents who are to ring for it
	turn     chan struct{}      // told when offered has changed; nil: nobody reads it
}

// agent is what an agent does as far as queues are concerned.
type agent struct {
	number string
	state  pbx.AgentState
	offer  *waiter       // that it rings for, or is reserved for
	serves *waiter       // whom it talks with
	since  time.Time     // since when it serves
	leg    ended         // of that talk, nil: none
	line   *operatorLine // that it holds for campaigns, nil: none
	until  time.Time     // it is left alone so long
	missed bool          // because it did not answer
	misses int           // in a row
	freed  time.Time     // end of its last talk for a queue
}

// ended tells when something is over; a [sip.Leg] is.
type ended interface{ Done() <-chan struct{} }

func newMatcher(chance func(int) int) *matcher {
	return &matcher{here: func(string) bool { return true }, ready: func(*agent) bool { return true }, agents: map[string]*agent{}, last: map[string]int{}, talks: map[string][]time.Duration{}, chance: chance}
}

// agent finds an agent, and makes it known.
func (m *matcher) agent(number string) *agent {
	a := m.agents[number]
	if a == nil {
		a = &agent{number: number}
		m.agents[number] = a
	}
	return a
}

// before is the order in which those who wait are served.
func before(a, b *waiter) int {
	return cmp.Or(cmp.Compare(a.turnOf(), b.turnOf()), cmp.Compare(b.group.Queue.Weight, a.group.Queue.Weight), cmp.Compare(b.priority, a.priority),
		a.since.Compare(b.since), cmp.Compare(a.nth, b.nth))
}

// enter lets somebody wait.
func (m *matcher) enter(w *waiter) {
	m.entered++
	w.nth = m.entered
	at, _ := slices.BinarySearchFunc(m.waiting, w, before)
	m.waiting = slices.Insert(m.waiting, at, w)
}

// leave ends that; agents who ring for it are free again.
func (m *matcher) leave(w *waiter) {
	m.withdraw(w)
	m.waiting = slices.DeleteFunc(m.waiting, func(x *waiter) bool { return x == w })
}

// withdraw takes back the offers of one who waits.
func (m *matcher) withdraw(w *waiter) {
	for _, number := range w.offered {
		if a := m.agents[number]; a != nil && a.offer == w {
			a.offer = nil
		}
	}
	w.offered = nil
}

// size is how many wait in a queue: callers, or callbacks.
func (m *matcher) size(queue string, callbacks bool) int {
	n := 0
	for _, w := range m.waiting {
		if w.group.Number == queue && (w.order != nil) == callbacks && w.bid == nil {
			n++
		}
	}
	return n
}

// position is the place of one in its queue: 1 is the next, 0 says that it does not wait.
func (m *matcher) position(w *waiter) int {
	n := 0
	for _, x := range m.waiting {
		if x.group.Number == w.group.Number && x.bid == nil {
			n++
		}
		if x == w {
			return n
		}
	}
	return 0
}

// queue gives the configuration of a queue as it is now, or as it was.
func (m *matcher) queue(was *pbx.Group) *pbx.Group {
	if m.company == nil {
		return was
	}
	if g := m.company.Groups[was.Number]; g != nil && g.Queue != nil {
		return g
	}
	return was
}

// logged tells whether an agent is at work for a queue, paused or not.
func (m *matcher) logged(g *pbx.Group, a *agent, member bool) bool {
	return g.LoggedIn(a.state, member)
}

// staff lists the agents of a queue: its members, then those who have logged in to it.
func (m *matcher) staff(g *pbx.Group) []*agent {
	list := make([]*agent, 0, len(g.Members))
	for _, number := range g.Members {
		list = append(list, m.agent(number))
	}
	if g.Queue.Login != pbx.LoginOpen {
		return list
	}
	var others []*agent
	for _, a := range m.agents {
		if slices.Contains(a.state.Queues, g.Number) && !slices.Contains(g.Members, a.number) {
			others = append(others, a)
		}
	}
	slices.SortFunc(others, func(a, b *agent) int { return cmp.Compare(a.number, b.number) })
	return append(list, others...)
}

// count tells how many agents of a queue are at work and have a phone, and how many of
// them do not pause.
func (m *matcher) count(g *pbx.Group) (logged, active int) {
	for place, a := range m.staff(g) {
		if m.logged(g, a, place < len(g.Members)) && m.here(a.number) {
			logged++
			if a.state.Paused == "" {
				active++
			}
		}
	}
	return logged, active
}

// idle tells whether an agent could take a caller as far as the queues know.
func (a *agent) idle(at time.Time) bool {
	return a.offer == nil && a.serves == nil && a.state.Paused == "" && !at.Before(a.until)
}

// candidate is an agent who could take a caller.
type candidate struct {
	number   string
	place    int // among the agents of the queue
	priority int
	freed    time.Time
	level    int // sum of the skills that are wanted
}

// round offers those who wait to agents who are free, and gives those who have an offer
// now and had none. able tells whether an agent can be called at all just now. After a
// round nobody waits without an offer for whom there is an idle agent.
func (m *matcher) round(at time.Time, able func(number string) bool) []*waiter {
	var matched []*waiter
	pools := map[string][]candidate{} // by queue
	taken := map[string]bool{}
	for _, w := range m.waiting {
		if len(w.offered) > 0 || at.Before(w.notYet) {
			continue
		}
		g := m.queue(w.group)
		if w.bid != nil {
			if m.reserve(g, w, at, taken) {
				matched = append(matched, w)
			}
			continue
		}
		pool, known := pools[g.Number]
		if !known {
			pool = m.free(g, at, able)
			pools[g.Number] = pool
		}
		chosen := m.choose(g, m.fitting(pool, taken, w.skills))
		if len(chosen) == 0 {
			continue
		}
		if w.order != nil {
			chosen = chosen[:1] // a callback begins with one agent
		}
		for _, c := range chosen {
			m.agents[c.number].offer = w
			taken[c.number] = true
			w.offered = append(w.offered, c.number)
			m.last[g.Number] = c.place
		}
		matched = append(matched, w)
	}
	return matched
}

// free lists the agents of a queue who could take a caller.
func (m *matcher) free(g *pbx.Group, at time.Time, able func(string) bool) []candidate {
	var list []candidate
	for place, a := range m.staff(g) {
		if a.idle(at) && m.logged(g, a, place < len(g.Members)) && able(a.number) {
			list = append(list, candidate{number: a.number, place: place, priority: g.Queue.Priorities[a.number], freed: a.freed})
		}
	}
	return list
}

// fitting leaves those who have all skills, with how well they have them.
func (m *matcher) fitting(pool []candidate, taken map[string]bool, skills []string) []candidate {
	var list []candidate
	for _, c := range pool {
		if taken[c.number] {
			continue
		}
		has := m.skillsOf(c.number)
		lacks := false
		for _, s := range skills {
			lacks = lacks || has[s] < 1
			c.level += has[s]
		}
		if !lacks {
			list = append(list, c)
		}
	}
	return list
}

func (m *matcher) skillsOf(number string) map[string]int {
	if m.company == nil || m.company.Extensions[number] == nil {
		return nil
	}
	return m.company.Extensions[number].Skills
}

// choose is pick for a queue.
func (m *matcher) choose(g *pbx.Group, free []candidate) []candidate {
	last, any := m.last[g.Number]
	if !any {
		last = -1
	}
	return pick(g.Strategy, free, last, m.chance)
}

// pick is the rule of matching: to whom of the free agents a caller is offered. Those of
// the lowest priority come first, and among them the strategy decides; where it leaves a
// choice the one who has been free longest. last is the place of the agent who was
// offered a caller last.
func pick(s pbx.Strategy, free []candidate, last int, chance func(int) int) []candidate {
	if len(free) == 0 {
		return nil
	}
	lowest := slices.MinFunc(free, func(a, b candidate) int { return cmp.Compare(a.priority, b.priority) }).priority
	free = slices.DeleteFunc(slices.Clone(free), func(c candidate) bool { return c.priority != lowest })
	byRest := func(a, b candidate) int { return cmp.Or(a.freed.Compare(b.freed), cmp.Compare(a.place, b.place)) }
	switch s {
	case pbx.RingAll:
		slices.SortFunc(free, byRest)
		return free[:min(len(free), maxOffers)]
	case pbx.Linear:
		return best(free, func(a, b candidate) int { return cmp.Compare(a.place, b.place) })
	case pbx.RoundRobin:
		return best(free, func(a, b candidate) int { return cmp.Compare(after(a.place, last), after(b.place, last)) })
	case pbx.Random:
		i := chance(len(free))
		return free[i : i+1]
	case pbx.Skilled:
		return best(free, func(a, b candidate) int { return cmp.Or(cmp.Compare(b.level, a.level), byRest(a, b)) })
	}
	return best(free, byRest)
}

// after is the distance of a place from the last one, once around.
func after(place, last int) int {
	if place > last {
		return place - last
	}
	return math.MaxInt32 + place - last
}

func best(list []candidate, order func(a, b candidate) int) []candidate {
	return []candidate{slices.MinFunc(list, order)}
}

// miss notes that an agent did not answer one who waits, or could not be called: it is
// left alone for a while. It tells whether the agent has missed so many that it is to be
// paused; counts says whether this is one of them.
func (m *matcher) miss(number string, w *waiter, at time.Time, counts bool) (pause bool) {
	q, a := m.queue(w.group).Queue, m.agent(number)
	m.release(number, w)
	a.until, a.missed = at.Add(q.Retry), true
	if !counts {
		return false
	}
	a.misses++
	return q.Misses > 0 && a.misses >= q.Misses && a.state.Paused == ""
}

// release takes back the offer to one agent.
func (m *matcher) release(number string, w *waiter) {
	if a := m.agent(number); a.offer == w {
		a.offer = nil
	}
	w.offered = slices.DeleteFunc(slices.Clone(w.offered), func(n string) bool { return n == number })
}

// answer notes that an agent talks with one who waited, until [matcher.talked].
func (m *matcher) answer(number string, w *waiter, at time.Time, leg ended) {
	m.leave(w)
	a := m.agent(number)
	a.serves, a.since, a.leg, a.misses, a.missed, a.until = w, at, leg, 0, false, time.Time{}
}

// talked ends the talk of an agent; with wraps there was one, and the agent is left alone
// for the wrap-up of the queue.
func (m *matcher) talked(a *agent, at time.Time, wraps bool) {
	if a.serves == nil {
		return
	}
	g, b := m.queue(a.serves.group), a.serves.bid
	a.freed, a.leg, a.serves = at, nil, nil
	if b != nil {
		b.wrapUp(a, g, at)
		return
	}
	if !wraps {
		return
	}
	a.until, a.missed = at.Add(g.Queue.Wrapup), false
	list := append(m.talks[g.Number], at.Sub(a.since)+g.Queue.Wrapup)
	m.talks[g.Number] = list[max(0, len(list)-recent):]
}

// expects guesses how long one at a place of a queue has to wait; false when there is
// nothing to guess from.
func (m *matcher) expects(g *pbx.Group, position int) (time.Duration, bool) {
	list := m.talks[g.Number]
	_, active := m.count(g)
	if len(list) < fewTalks || active == 0 {
		return 0, false
	}
	sum := time.Duration(0)
	for _, d := range list {
		sum += d
	}
	return min(sum/time.Duration(len(list))*time.Duration(position)/time.Duration(active), longest), true
}

// due is when the next agent is free by the clock alone, or the next callback is to be
// made; zero when that is never.
func (m *matcher) due(at time.Time) time.Time {
	var next time.Time
	sooner := func(t time.Time) {
		if t.After(at) && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	for _, a := range m.agents {
		sooner(a.until)
	}
	for _, w := range m.waiting {
		sooner(w.notYet)
	}
	return next
}
