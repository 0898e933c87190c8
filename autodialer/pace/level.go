package pace

import (
	"math"
	"time"
)

// Limit bounds one level: a campaign, a trunk or a company.
type Limit struct {
	// PerSecond is how many calls are launched in any second at most; with a fraction
	// they are spread, 0.5 is one in two seconds. 0: no limit. More than [MaxPerSecond]
	// counts as that.
	PerSecond float64
	// AtOnce is how many calls there are at once at most, 0: no limit.
	AtOnce int
	// From is the speed, in calls per second, with which a ramp begins, and RampUp how
	// long it takes to PerSecond. Without RampUp or PerSecond there is no ramp.
	From   float64
	RampUp time.Duration
}

const (
	// MaxPerSecond is the highest speed that is counted: launches of a second are
	// remembered one by one.
	MaxPerSecond = 1000
	// catchUp is how late a launch may be without the later ones being late too, which
	// is what a goroutine that writes to a disk between two launches needs. Slower than one
	// in a second it is nothing: two launches are never closer than the limit says.
	catchUp = 100 * time.Millisecond
)

// sane gives a limit without figures that mean nothing.
func (l Limit) sane() Limit {
	if !(l.PerSecond > 0) {
		l.PerSecond = 0
	}
	l.PerSecond = min(l.PerSecond, MaxPerSecond)
	if !(l.From > 0) {
		l.From = 0
	}
	if l.PerSecond == 0 || l.RampUp < 0 || l.From >= l.PerSecond {
		l.RampUp = 0
	}
	l.AtOnce = max(l.AtOnce, 0)
	return l
}

// level holds one limit. Launches are spread evenly: each makes the next wait for its
// slot. Since a late launch does not move the slots, the launches of the last second are
// counted besides.
type level struct {
	limit Limit
	began time.Time   // of the ramp
	slot  time.Time   // of the next launch
	last  []time.Time // launches of the last second, oldest first
	calls int         // that go on
}

// next is when a launch is allowed: at or later. It is false when it takes the end of a
// call.
func (v *level) next(at time.Time) (time.Time, bool) {
	if v.limit.AtOnce > 0 && v.calls >= v.limit.AtOnce {
		return time.Time{}, false
	}
	if v.limit.PerSecond == 0 {
		return at, true
	}
	t := later(at, v.slot)
	if over := len(v.last) - int(math.Ceil(v.limit.PerSecond)); over >= 0 {
		t = later(t, v.last[over].Add(time.Second))
	}
	return t, true
}

// take counts a launch.
func (v *level) take(at time.Time) {
	v.calls++
	for len(v.last) > 0 && !v.last[0].After(at.Add(-time.Second)) {
		v.last = v.last[1:]
	}
	if v.limit.PerSecond == 0 {
		return
	}
	v.last = append(v.last, at)
	late := catchUp
	if v.limit.PerSecond < 1 { // no count of a second bounds these
		late = 0
	}
	v.slot = v.after(later(v.slot, at.Add(-late)))
}

// after is the slot that follows the one at t: the time by which one more call is
// launched, at the speed of the ramp.
func (v *level) after(t time.Time) time.Time {
	full, ramp := v.limit.PerSecond, v.limit.RampUp.Seconds()
	s := t.Sub(v.began).Seconds()
	if ramp == 0 || s >= ramp {
		return t.Add(seconds(1 / full))
	}
	s = max(s, 0)
	from, grows := v.limit.From, (full-v.limit.From)/(2*ramp)
	launched := func(s float64) float64 { return from*s + grows*s*s }
	due := launched(s) + 1
	end := ramp + (due-launched(ramp))/full
	if end < ramp {
		end = 2 * due / (from + math.Sqrt(from*from+4*grows*due))
	}
	return later(v.began, t).Add(seconds(end - s))
}

// ramp begins the ramp.
func (v *level) ramp(at time.Time) { v.began = at }

func (v *level) done() { v.calls = max(0, v.calls-1) }

// seconds is rounded up, so that no speed is higher than it was set.
func seconds(s float64) time.Duration { return time.Duration(math.Ceil(s * 1e9)) }

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
