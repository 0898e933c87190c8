package phone

import (
	"container/heap"
	"time"
)

// clock holds the timers of the loop, so that they fire in the loop, in order, and
// end with it.
type clock struct {
	timers timers
	seq    uint64
}

// alarm is one timer. A nil alarm can be stopped.
type alarm struct {
	at    time.Time
	seq   uint64
	f     func() // nil when stopped
	index int
}

type timers []*alarm

func (t timers) Len() int { return len(t) }
func (t timers) Less(i, j int) bool {
	if !t[i].at.Equal(t[j].at) {
		return t[i].at.Before(t[j].at)
	}
	return t[i].seq < t[j].seq
}
func (t timers) Swap(i, j int) {
	t[i], t[j] = t[j], t[i]
	t[i].index, t[j].index = i, j
}
func (t *timers) Push(x any) {
	a := x.(*alarm)
	a.index = len(*t)
	*t = append(*t, a)
}
func (t *timers) Pop() any {
	old := *t
	a := old[len(old)-1]
	old[len(old)-1] = nil
	*t = old[:len(old)-1]
	a.index = -1
	return a
}

// after makes the loop run f once d has passed. Only the loop may call it.
func (c *clock) after(d time.Duration, f func()) *alarm {
	a := &alarm{at: time.Now().Add(d), seq: c.seq, f: f}
	c.seq++
	heap.Push(&c.timers, a)
	return a
}

// stop takes the alarm back; it does nothing when the alarm is nil or has fired.
func (c *clock) stop(a *alarm) {
	if a != nil && a.index >= 0 {
		heap.Remove(&c.timers, a.index)
	}
}

// wait is how long the loop may sleep.
func (c *clock) wait() time.Duration {
	if len(c.timers) == 0 {
		return time.Hour
	}
	return time.Until(c.timers[0].at)
}

// fire runs what is due.
func (c *clock) fire(now time.Time) {
	for len(c.timers) > 0 && !c.timers[0].at.After(now) {
		heap.Pop(&c.timers).(*alarm).f()
	}
}
