package sim

import (
	"container/heap"
	"math/rand/v2"
	"strconv"
	"time"

	"vpbx/autodialer/pace"
)

// run is a simulation that goes on.
type run struct {
	Centre
	pacer Pacer
	rand  *rand.Rand
	day   Day
	calls int // launched so far, over all days

	at     time.Time
	ends   time.Time // of the dialling of the day
	events timeline
	nth    int
	polled time.Time // the pacer asks to be asked then

	operators, free int // at work
	leave           int // of those who talk, after it
	dialling        int // calls that nobody has answered yet
	waiting         []*call
	fresh           int     // targets nobody has called today; below 0: without end
	again           []retry // by time
	since           time.Time
}

type call struct {
	id       string
	attempt  int
	answered bool
	served   bool
}

type retry struct {
	at      time.Time
	attempt int
}

// event is something that will happen; its call is nil for what concerns none.
type event struct {
	at   time.Time
	nth  int
	kind kind
	call *call
	n    int
}

type kind int

const (
	polls kind = iota
	shifts
	answers
	fails
	machines
	gives // up waiting
	frees
)

// simulate is one day.
func (r *run) simulate(from time.Time) Day {
	r.day, r.at, r.since, r.ends = Day{}, from, from, from.Add(r.Hours)
	r.operators, r.free, r.leave, r.dialling = r.Operators, r.Operators, 0, 0
	r.waiting, r.again, r.fresh = r.waiting[:0], r.again[:0], r.Targets
	if r.Targets == 0 {
		r.fresh = -1
	}
	r.polled = time.Time{}
	for _, s := range r.Shifts {
		r.plan(s.After, event{kind: shifts, n: s.Operators})
	}
	r.ask()
	for r.events.Len() > 0 {
		e := heap.Pop(&r.events).(event)
		r.pass(e.at)
		r.happen(e)
		r.ask()
	}
	return r.day
}

// pass lets time pass until the dialling of the day is over; then nothing is counted of
// the operators any more.
func (r *run) pass(to time.Time) {
	if end := earlier(to, r.ends); end.After(r.at) {
		d := end.Sub(r.at)
		r.day.Present += d * time.Duration(r.operators)
		r.day.Busy += d * time.Duration(r.operators-r.free)
	}
	r.at = to
}

func (r *run) plan(in time.Duration, e event) {
	r.nth++
	e.at, e.nth = r.at.Add(in), r.nth
	heap.Push(&r.events, e)
}

// ask asks the pacer, and launches.
func (r *run) ask() {
	if !r.at.Before(r.ends) {
		return
	}
	left := -1
	if r.fresh >= 0 {
		left = r.fresh + len(r.again)
	}
	n, again := r.pacer.Launches(r.at, pace.Now{Operators: r.operators - r.leave, Free: r.free, Left: left, Until: r.ends})
	if r.Watch != nil {
		r.Watch(r.at, r.free, r.dialling+len(r.waiting), n)
	}
	for range n {
		attempt, ok := r.target()
		if !ok {
			break
		}
		r.launch(attempt)
	}
	if !again.IsZero() && again.After(r.at) && !r.polled.After(r.at) {
		r.polled = again
		r.plan(again.Sub(r.at), event{kind: polls})
	}
}

// target takes who is called next: those who are due again before the others.
func (r *run) target() (attempt int, ok bool) {
	if len(r.again) > 0 && !r.again[0].at.After(r.at) {
		attempt = r.again[0].attempt
		r.again = r.again[1:]
		return attempt, true
	}
	if r.fresh == 0 {
		if len(r.again) > 0 {
			r.wake(r.again[0].at)
		}
		return 0, false
	}
	if r.fresh > 0 {
		r.fresh--
	}
	return 1, true
}

// wake has the pacer asked at a time.
func (r *run) wake(at time.Time) {
	if !r.polled.After(r.at) || at.Before(r.polled) {
		r.polled = at
		r.plan(at.Sub(r.at), event{kind: polls})
	}
}

// launch draws the fate of a call.
func (r *run) launch(attempt int) {
	r.calls++
	c := &call{id: strconv.Itoa(r.calls), attempt: attempt}
	r.day.Calls++
	r.dialling++
	r.pacer.Tell(r.at, Launched, c.id)
	// Drawn in any case, so that two pacers call the same people.
	live, what := r.rand.Float64(), r.rand.Float64()
	ring := min(max(lognormal(r.rand, 12*time.Second, 0.5), 2*time.Second), r.Ring-time.Second)
	switch {
	case live < r.Answer(r.at):
		r.plan(r.Card+ring, event{kind: answers, call: c})
	case what < r.Machine:
		r.plan(r.Card+ring+2*time.Second, event{kind: machines, call: c})
	case what < r.Machine+r.Busy:
		r.plan(r.Card+3*time.Second, event{kind: fails, call: c})
	default:
		r.plan(r.Card+r.Ring, event{kind: fails, call: c})
	}
}

// happen is the table of what happens.
func (r *run) happen(e event) {
	switch e.kind {
	case shifts:
		r.shift(e.n)
	case answers:
		r.dialling--
		r.day.Live++
		e.call.answered = true
		r.pacer.Tell(r.at, Answered, e.call.id)
		r.waiting = append(r.waiting, e.call)
		r.plan(r.Wait, event{kind: gives, call: e.call})
		r.serve()
	case fails, machines:
		r.dialling--
		what := Failed
		if e.kind == machines {
			what = Machine
		}
		r.pacer.Tell(r.at, what, e.call.id)
		if e.call.attempt < r.Attempts {
			r.again = append(r.again, retry{r.at.Add(r.Again), e.call.attempt + 1})
		}
	case gives:
		r.give(e.call)
	case frees:
		r.pacer.Tell(r.at, Finished, e.call.id)
		if r.leave > 0 {
			r.leave--
			r.operators--
			return
		}
		r.free++
		r.serve()
	}
}

// give ends the wait of a call that nobody has taken.
func (r *run) give(c *call) {
	if c.served {
		return
	}
	r.day.Abandoned++
	r.pacer.Tell(r.at, Abandoned, c.id)
	for i, w := range r.waiting {
		if w == c {
			r.waiting = append(r.waiting[:i], r.waiting[i+1:]...)
			return
		}
	}
}

// serve connects those who wait longest with operators who are free.
func (r *run) serve() {
	for r.free > 0 && len(r.waiting) > 0 {
		c := r.waiting[0]
		r.waiting = r.waiting[1:]
		r.free--
		r.day.Connected++
		c.served = true
		r.pacer.Tell(r.at, Connected, c.id)
		r.plan(max(time.Second, lognormal(r.rand, r.Handle, r.Sigma)), event{kind: frees, call: c})
	}
}

// shift lets operators come, or leave: those who are free at once, others after their
// talk.
func (r *run) shift(to int) {
	change := to - (r.operators - r.leave)
	if change > 0 {
		stay := min(change, r.leave)
		r.leave -= stay
		r.operators += change - stay
		r.free += change - stay
		r.serve()
		return
	}
	now := min(-change, r.free)
	r.free -= now
	r.operators -= now
	r.leave += -change - now
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

type timeline []event

func (t timeline) Len() int { return len(t) }
func (t timeline) Less(i, j int) bool {
	return t[i].at.Before(t[j].at) || t[i].at.Equal(t[j].at) && t[i].nth < t[j].nth
}
func (t timeline) Swap(i, j int) { t[i], t[j] = t[j], t[i] }

// Push and Pop are for container/heap.
func (t *timeline) Push(e any) { *t = append(*t, e.(event)) }
func (t *timeline) Pop() any {
	last := (*t)[len(*t)-1]
	*t = (*t)[:len(*t)-1]
	return last
}
