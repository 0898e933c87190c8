package pace

import "time"

// phase is how far a call is.
type phase int

const (
	rings phase = iota
	waits       // answered by a person, for an operator
	talks       // and the wrap-up after it
)

// stale is how long a call may be in each phase; then its end was not told, and it is
// forgotten.
var stale = [...]time.Duration{rings: 5 * time.Minute, waits: time.Minute, talks: 8 * time.Hour}

// flights are the calls that go on.
type flights struct {
	list   []flight
	index  map[string]int
	swept  time.Time
	phases [len(stale)]int
}

type flight struct {
	call  string
	phase phase
	since time.Time
}

func newFlights() flights { return flights{index: map[string]int{}} }

func (f *flights) count() (ringing, waiting, talking int) {
	return f.phases[rings], f.phases[waits], f.phases[talks]
}

// find gives a call that is in a phase, with since when.
func (f *flights) find(call string, in phase) (time.Time, bool) {
	i, ok := f.index[call]
	if !ok || f.list[i].phase != in {
		return time.Time{}, false
	}
	return f.list[i].since, true
}

// set brings a call into a phase.
func (f *flights) set(at time.Time, call string, to phase) {
	i, ok := f.index[call]
	if !ok {
		i = len(f.list)
		f.index[call] = i
		f.list = append(f.list, flight{call: call})
	} else {
		f.phases[f.list[i].phase]--
	}
	f.list[i].phase, f.list[i].since = to, at
	f.phases[to]++
}

func (f *flights) drop(call string) {
	i, ok := f.index[call]
	if !ok {
		return
	}
	f.phases[f.list[i].phase]--
	last := len(f.list) - 1
	f.list[i] = f.list[last]
	f.index[f.list[i].call] = i
	f.list = f.list[:last]
	delete(f.index, call)
}

// forget drops, once a minute, the calls that are stale.
func (f *flights) forget(at time.Time) {
	if at.Sub(f.swept) < time.Minute {
		return
	}
	f.swept = at
	for i := len(f.list) - 1; i >= 0; i-- {
		if c := f.list[i]; at.Sub(c.since) > stale[c.phase] {
			f.drop(c.call)
		}
	}
}

// Launched says that a call was launched. In this and all that follow call is its id;
// what is said of a call twice, or out of its order, counts once or not at all.
func (p *Predictive) Launched(at time.Time, call string) {
	p.roll(at)
	if _, ok := p.calls.index[call]; ok {
		return
	}
	p.calls.set(at, call, rings)
	p.charge()
}

// Answered says that a live person has answered, or that it cannot be told from one. It
// is a live answer of the windows even when the call is not known.
func (p *Predictive) Answered(at time.Time, call string) {
	p.roll(at)
	since, known := p.calls.find(call, rings)
	if _, other := p.calls.index[call]; other && !known {
		return
	}
	p.day.Live++
	p.month.Live++
	p.lives++
	if known {
		p.ring.add(at.Sub(since), true)
		p.answer.add(true)
		p.dirty = true
		p.calls.set(at, call, waits)
	}
}

// Failed says that a call is over without a live answer: busy, not answered, refused, or
// that a person hung up before anybody could be there.
func (p *Predictive) Failed(at time.Time, call string) {
	p.roll(at)
	if since, ok := p.calls.find(call, rings); ok {
		p.ring.add(at.Sub(since), false)
		p.answer.add(false)
		p.dirty = true
	}
	p.calls.drop(call)
}

// Withdrawn says that nobody was dialled for a call: it is no evidence.
func (p *Predictive) Withdrawn(call string) { p.calls.drop(call) }

// Replan says that the operators are needed elsewhere: what was planned does not hold.
func (p *Predictive) Replan() { p.plan.at = time.Time{} }

// Machine says that a machine has answered. Had it been taken for a person, that live
// answer is taken back.
func (p *Predictive) Machine(at time.Time, call string) {
	if _, ok := p.calls.find(call, waits); ok {
		p.roll(at)
		p.day.Live, p.month.Live = max(0, p.day.Live-1), max(0, p.month.Live-1)
	}
	p.Failed(at, call)
}

// Connected says that an operator has the call.
func (p *Predictive) Connected(at time.Time, call string) {
	p.roll(at)
	if _, ok := p.calls.find(call, waits); ok {
		p.calls.set(at, call, talks)
	}
}

// Abandoned says that a person who has answered got no operator in time. It is in the
// windows even when the call is not known.
func (p *Predictive) Abandoned(at time.Time, call string) {
	p.roll(at)
	if _, connected := p.calls.find(call, talks); connected {
		return
	}
	if _, ringing := p.calls.find(call, rings); ringing {
		p.Answered(at, call)
	}
	p.calls.drop(call)
	p.day.Abandoned++
	p.month.Abandoned++
	p.found++
	p.compare()
}

// Finished says that the operator of a call is free again, or gone: talk and wrap-up are
// over.
func (p *Predictive) Finished(at time.Time, call string) {
	p.roll(at)
	if since, ok := p.calls.find(call, talks); ok {
		p.handle.add(at.Sub(since))
		p.dirty = true
	}
	p.calls.drop(call)
}
