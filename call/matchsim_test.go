package call

import (
	"cmp"
	"container/heap"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"vpbx/pbx"
)

// simulation is a day of a call centre over the matcher, with a clock of its own and all
// chance from a seed: agents answer, miss, decline, pause, log out and lose their phones;
// callers have skills that they need, priorities and patience. After each event the
// invariants of the matcher are looked at by code that shares nothing with it.
type simulation struct {
	*testing.T
	*matcher
	r       *rand.Rand
	at      time.Time
	events  timeline
	nth     int
	numbers []string // of all agents
	idle    []string // room for those who are
	able    map[string]bool
	callers map[*waiter]*caller
	print   uint64 // of everything that happened, in order

	came, answered, abandoned, timeouts, callbacks int
	longestQueue, matches                          int
	waits                                          []time.Duration
}

// caller is one who waits, in the simulation.
type caller struct {
	w       *waiter
	left    int // how often it has left: once
	ends    time.Time
	offered time.Time
}

type simEvent struct {
	at  time.Time
	nth int
	do  func()
}

type timeline []simEvent

func (t timeline) Len() int { return len(t) }
func (t timeline) Less(i, j int) bool {
	return t[i].at.Before(t[j].at) || t[i].at.Equal(t[j].at) && t[i].nth < t[j].nth
}
func (t timeline) Swap(i, j int) { t[i], t[j] = t[j], t[i] }
func (t *timeline) Push(x any)   { *t = append(*t, x.(simEvent)) }
func (t *timeline) Pop() any {
	old := *t
	e := old[len(old)-1]
	*t = old[:len(old)-1]
	return e
}

func (s *simulation) in(d time.Duration, do func()) {
	s.nth++
	heap.Push(&s.events, simEvent{s.at.Add(d), s.nth, do})
}

// some is an exponentially distributed time.
func (s *simulation) some(mean time.Duration) time.Duration {
	return time.Duration(s.r.ExpFloat64() * float64(mean))
}

const (
	simAgents = 200
	simCalls  = 20000
	simDay    = 10 * time.Hour
)

// simCompany has a queue of each strategy; agents are in several of them.
func simCompany(r *rand.Rand) *pbx.Company {
	c := &pbx.Company{Tenant: pbx.Tenant{ID: "acme"}, Extensions: map[string]*pbx.Extension{}, Groups: map[string]*pbx.Group{}}
	strategies := []pbx.Strategy{pbx.LeastRecent, pbx.RoundRobin, pbx.Random, pbx.RingAll, pbx.Linear, pbx.Skilled}
	for i, s := range strategies {
		number := fmt.Sprint(700 + i)
		c.Groups[number] = &pbx.Group{Number: number, Strategy: s, Ring: 15 * time.Second, Queue: &pbx.Queue{
			Wrapup: time.Duration(i) * 5 * time.Second, Retry: 10 * time.Second, Misses: 5 * (i % 2), MaxWait: 3 * time.Minute,
			MaxSize: pbx.MaxQueue, Weight: i % 3, Priorities: map[string]int{}}}
	}
	for i := range simAgents {
		number := fmt.Sprint(1000 + i)
		e := &pbx.Extension{Number: number, Skills: map[string]int{"russian": 1 + r.IntN(5)}}
		if r.IntN(3) == 0 {
			e.Skills["english"] = 1 + r.IntN(5)
		}
		c.Extensions[number] = e
		for j := range strategies {
			if g := c.Groups[fmt.Sprint(700+j)]; i%len(strategies) == j || r.IntN(4) == 0 {
				g.Members = append(g.Members, number)
				if r.IntN(5) == 0 {
					g.Queue.Priorities[number] = 1
				}
			}
		}
	}
	return c
}

func newSimulation(t *testing.T, seed uint64) *simulation {
	r := rand.New(rand.NewPCG(seed, 7))
	s := &simulation{T: t, r: r, matcher: newMatcher(r.IntN), able: map[string]bool{}, callers: map[*waiter]*caller{},
		at: time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC), print: 14695981039346656037}
	s.company = simCompany(r)
	s.here = func(n string) bool { return s.able[n] }
	for number := range s.company.Extensions {
		s.able[number] = true
		s.numbers = append(s.numbers, number)
	}
	slices.Sort(s.numbers)
	return s
}

// note makes what happened a part of the print.
func (s *simulation) note(format string, args ...any) {
	h := fnv.New64a()
	fmt.Fprintf(h, "%d %d ", s.print, s.at.UnixNano())
	fmt.Fprintf(h, format, args...)
	s.print = h.Sum64()
}

// run plays the day to its end.
func (s *simulation) run() {
	for range simCalls {
		s.in(time.Duration(s.r.Int64N(int64(simDay))), s.arrive)
	}
	for i := range simAgents {
		number := fmt.Sprint(1000 + i)
		for range 3 {
			from := time.Duration(s.r.Int64N(int64(simDay)))
			s.in(from, func() { s.away(number, s.r.IntN(3)) })
		}
	}
	for len(s.events) > 0 {
		e := heap.Pop(&s.events).(simEvent)
		if e.at.Before(s.at) {
			s.Fatal("time goes back")
		}
		s.at = e.at
		e.do()
		s.match()
	}
	s.over()
}

// away lets an agent pause, log out, or lose its phone for a while.
func (s *simulation) away(number string, how int) {
	a, back := s.agent(number), s.some(10*time.Minute)
	switch how {
	case 0:
		a.state.Paused = pbx.PausedPlain
		s.in(back, func() { a.state.Paused = "" })
	case 1:
		a.state.Logged = pbx.LoggedOut
		s.in(back, func() { a.state.Logged = pbx.LoggedIn })
	default:
		s.able[number] = false
		s.in(back, func() { s.able[number] = true })
	}
	s.note("break %s %d", number, how)
}

func (s *simulation) arrive() {
	g := s.company.Groups[fmt.Sprint(700+s.r.IntN(6))]
	w := &waiter{call: pbx.CallID(fmt.Sprint(s.came)), group: g, since: s.at, turn: make(chan struct{}, 1)}
	if s.r.IntN(10) == 0 {
		w.priority = 5
	}
	if s.r.IntN(4) == 0 {
		w.skills = []string{"english"}
	}
	if s.r.IntN(50) == 0 { // it has asked for a callback at once
		w.order = &pbx.CallbackOrder{ID: string(w.call)}
		s.callbacks++
	}
	s.came++
	c := &caller{w: w, ends: s.at.Add(g.Queue.MaxWait)}
	s.callers[w] = c
	s.enter(w)
	if w.order != nil {
		return
	}
	s.in(g.Queue.MaxWait, func() { s.quit(c, &s.timeouts, "timeout") })
	if s.r.IntN(3) == 0 {
		s.in(s.some(2*time.Minute), func() { s.quit(c, &s.abandoned, "abandoned") })
	}
}

// quit lets a caller who still waits leave.
func (s *simulation) quit(c *caller, count *int, how string) {
	if c.left > 0 {
		return
	}
	c.left++
	*count++
	s.leave(c.w)
	s.note("%s %s", how, c.w.call)
}

// match is a round and what comes of it.
func (s *simulation) match() {
	s.longestQueue = max(s.longestQueue, len(s.waiting))
	before := slices.Clone(s.waiting)
	for _, w := range s.round(s.at, func(n string) bool { return s.able[n] }) {
		s.matches++
		s.fair(w, before)
		c := s.callers[w]
		c.offered = s.at
		agents := slices.Clone(w.offered)
		s.note("offer %s %v", w.call, agents)
		for _, number := range agents {
			s.ring(c, number)
		}
	}
	s.settled()
	if next := s.due(s.at); !next.IsZero() && len(s.waiting) > 0 && (len(s.events) == 0 || next.Before(s.events[0].at)) {
		s.in(next.Sub(s.at), func() {})
	}
}

// ring lets an agent answer, decline or not answer.
func (s *simulation) ring(c *caller, number string) {
	still := func() bool { return c.left == 0 && s.agent(number).offer == c.w }
	switch s.r.IntN(10) {
	case 0:
		s.in(15*time.Second, func() {
			if still() && s.miss(number, c.w, s.at, true) {
				a := s.agent(number)
				a.state.Paused = pbx.PausedMissed
				s.in(s.some(10*time.Minute), func() { a.state.Paused, a.misses = "", 0 })
			}
		})
	default:
		s.in(time.Second+s.some(4*time.Second), func() {
			if still() {
				s.talk(c, number)
			}
		})
	}
}

func (s *simulation) talk(c *caller, number string) {
	if s.at.After(c.ends) && c.w.order == nil {
		s.Fatalf("%s waits longer than it may", c.w.call)
	}
	c.left++
	s.answered++
	if c.w.order == nil {
		s.waits = append(s.waits, s.at.Sub(c.w.since))
	}
	s.answer(number, c.w, s.at, nil)
	s.note("answer %s %s", c.w.call, number)
	s.in(30*time.Second+s.some(250*time.Second), func() { s.talked(s.agent(number), s.at, true) })
}

// fits tells whether an agent could take a caller, in other words than the matcher's.
func (s *simulation) fits(w *waiter, number string) bool {
	for _, skill := range w.skills {
		if s.company.Extensions[number].Skills[skill] == 0 {
			return false
		}
	}
	a := s.agents[number]
	out := a != nil && (a.state.Logged == pbx.LoggedOut || a.state.Paused != "")
	return slices.Contains(s.company.Groups[w.group.Number].Members, number) && s.able[number] && !out
}

// fair looks at a match that was just made: nobody who comes before this caller waits on
// whom the agent could have taken, and the strategy was kept.
func (s *simulation) fair(w *waiter, before []*waiter) {
	for _, number := range w.offered {
		for _, x := range before {
			if x == w {
				break
			}
			if len(x.offered) == 0 && s.fits(x, number) {
				s.Fatalf("%s got %s before %s", w.call, number, x.call)
			}
		}
	}
	q := w.group.Queue
	for _, other := range w.group.Members {
		a := s.agent(other)
		if a.offer != nil || a.serves != nil || s.at.Before(a.until) || !s.fits(w, other) {
			continue
		}
		got := s.agent(w.offered[0])
		switch {
		case q.Priorities[other] < q.Priorities[got.number]:
			s.Fatalf("%s got %s, though %s goes first", w.call, got.number, other)
		case q.Priorities[other] > q.Priorities[got.number]:
		case w.group.Strategy == pbx.LeastRecent && a.freed.Before(got.freed):
			s.Fatalf("%s got %s, though %s has been free for longer", w.call, got.number, other)
		}
	}
}

// settled looks at the state after a round: no caller waits for whom there is an idle
// agent, and who rings or talks for whom is known the same way on both sides.
func (s *simulation) settled() {
	idle := s.idle[:0]
	for _, number := range s.numbers {
		a := s.agents[number]
		if a == nil || a.offer == nil && a.serves == nil && !s.at.Before(a.until) {
			idle = append(idle, number)
		}
		if a == nil {
			continue
		}
		if a.offer != nil && a.serves != nil {
			s.Fatalf("%s rings and talks", number)
		}
		if a.offer != nil && (!slices.Contains(a.offer.offered, number) || !slices.Contains(s.waiting, a.offer)) {
			s.Fatalf("%s rings for somebody who does not wait", number)
		}
	}
	s.idle = idle
	for _, w := range s.waiting {
		if c := s.callers[w]; c.left > 0 {
			s.Fatalf("%s has left and waits", w.call)
		}
		for _, number := range w.offered {
			if s.agents[number].offer != w {
				s.Fatalf("%s is offered to %s, who does not ring for it", w.call, number)
			}
		}
		if len(w.offered) > 0 {
			continue
		}
		if w.order == nil && s.at.After(w.since.Add(w.group.Queue.MaxWait)) {
			s.Fatalf("%s waits longer than it may", w.call)
		}
		for _, number := range idle {
			if s.fits(w, number) {
				s.Fatalf("%s waits, and %s is idle", w.call, number)
			}
		}
	}
}

// over looks at the end of the day: everybody has left once, and all agents are free.
func (s *simulation) over() {
	for _, c := range s.callers {
		if c.left != 1 {
			s.Errorf("%s has left %d times", c.w.call, c.left)
		}
	}
	if len(s.waiting) > 0 || s.came != s.answered+s.abandoned+s.timeouts {
		s.Errorf("%d wait; %d came, %d answered, %d abandoned, %d timeouts", len(s.waiting), s.came, s.answered, s.abandoned, s.timeouts)
	}
	for _, a := range s.agents {
		if a.offer != nil || a.serves != nil || a.until.After(s.at.Add(time.Minute)) {
			s.Errorf("%s is stuck", a.number)
		}
	}
}

// TestSimulation is a day of 200 agents and 20,000 calls, the same for a seed. SIM_SEEDS is
// how many days, 1 unless it says otherwise.
func TestSimulation(t *testing.T) {
	if raced {
		t.Skip("one goroutine: nothing to race with")
	}
	days, err := strconv.ParseUint(cmp.Or(os.Getenv("SIM_SEEDS"), "1"), 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	for seed := range days {
		began := time.Now()
		s := newSimulation(t, seed)
		s.run()
		slices.Sort(s.waits)
		t.Logf("seed %d: %d came, %d answered (median wait %v, longest %v), %d abandoned, %d timeouts, %d callbacks; longest queue %d, %d offers, in %v",
			seed, s.came, s.answered, s.waits[len(s.waits)/2].Round(time.Millisecond), s.waits[len(s.waits)-1].Round(time.Millisecond),
			s.abandoned, s.timeouts, s.callbacks, s.longestQueue, s.matches, time.Since(began).Round(time.Millisecond))
		if s.longestQueue < 10 || s.abandoned == 0 {
			t.Error("the day was too quiet to show anything")
		}
		if seed > 0 {
			continue
		}
		again := newSimulation(t, seed)
		again.run()
		if again.print != s.print {
			t.Error("the same seed gave another day")
		}
	}
}
