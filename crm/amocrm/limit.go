package amocrm

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"vpbx/crm"
)

// amoCRM takes seven requests a second of an integration, answers more of them with
// 429, and with 403 for a long time when that goes on. Of the seven we send five of the
// bulk lane at most, so that one for which a caller waits need not wait for its turn.
const (
	perWindow     = 7
	bulkPerWindow = 5
	window        = 1050 * time.Millisecond // a second, and what the network may squeeze it

	maxWaiting = 1000 // in a lane

	firstPause = time.Second // after a 429; doubled by each that follows
	maxPause   = 30 * time.Second
	maxAsked   = 10 * time.Minute // of pauses that amoCRM asks for by Retry-After
	coolDown   = 10 * time.Minute // after the 403 that follows 429
	suspicious = 2 * time.Minute  // how long after a 429 a 403 is taken for that
)

// lane is who goes first.
type lane int

const (
	urgent lane = iota // somebody on the phone waits
	bulk
	lanes
)

// limiter gives the requests of one integration their turns: at most perWindow
// begin within a window, those of the urgent lane first. It may be used by any number
// of goroutines and has none.
type limiter struct {
	mu      sync.Mutex // guards the following
	starts  [lanes]ring
	waiting [lanes][]*ticket // in the order they came
	until   time.Time        // nothing begins before
	cold    time.Time        // everything fails before
	strikes int              // 429 in a row
	struck  time.Time        // when the last came
}

// ring has the times at which the last requests began: of the urgent lane those of
// both, of the bulk lane its own.
type ring struct {
	times [perWindow]time.Time
	next  int
}

// oldest gives the time of the nth last request.
func (r *ring) oldest(n int) time.Time { return r.times[(r.next+perWindow-n)%perWindow] }

func (r *ring) add(t time.Time) {
	r.times[r.next] = t
	r.next = (r.next + 1) % perWindow
}

// ticket is a request that waits for its turn.
type ticket struct {
	lane lane
	wake chan struct{} // of one place: look again
}

// wait returns when it is the request's turn. It gives up when ctx ends, when the turn
// would come too late for its deadline, when too many wait, and with a
// [crm.RetryAfter] when amoCRM has locked us out.
func (l *limiter) wait(ctx context.Context, of lane) error {
	t := &ticket{lane: of, wake: make(chan struct{}, 1)}
	if err := l.join(t); err != nil {
		return err
	}
	for {
		d, err := l.try(ctx, t)
		if d == 0 {
			return err
		}
		timer := time.NewTimer(d)
		select {
		case <-timer.C:
		case <-t.wake:
		case <-ctx.Done():
			timer.Stop()
			l.leave(t)
			return fmt.Errorf("wait for a turn: %w", ctx.Err())
		}
		timer.Stop()
	}
}

func (l *limiter) join(t *ticket) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting[t.lane]) >= maxWaiting {
		return ErrBusy
	}
	l.waiting[t.lane] = append(l.waiting[t.lane], t)
	return nil
}

// try says how long the ticket has to wait before it tries again, which it may also
// do when it is woken. 0: it has left the queue, for its turn or with an error.
func (l *limiter) try(ctx context.Context, t *ticket) (time.Duration, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if left := l.cold.Sub(now); left > 0 {
		l.remove(t)
		return 0, &crm.RetryAfter{After: left, Err: fmt.Errorf("%w: amoCRM has locked us out for too many requests", crm.ErrBadAnswer)}
	}
	if l.waiting[t.lane][0] != t || t.lane == bulk && len(l.waiting[urgent]) > 0 {
		return time.Hour, nil // until it is woken
	}
	at := l.starts[urgent].oldest(perWindow).Add(window)
	if t.lane == bulk {
		at = later(at, l.starts[bulk].oldest(bulkPerWindow).Add(window))
	}
	if d := later(at, l.until).Sub(now); d > 0 {
		if deadline, ok := ctx.Deadline(); ok && deadline.Before(now.Add(d)) {
			l.remove(t)
			return 0, fmt.Errorf("the turn comes too late: %w", context.DeadlineExceeded)
		}
		return d, nil
	}
	l.starts[urgent].add(now)
	if t.lane == bulk {
		l.starts[bulk].add(now)
	}
	l.remove(t)
	return 0, nil
}

func (l *limiter) leave(t *ticket) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.remove(t)
}

// remove takes a ticket out and tells those who may be next. l.mu is held.
func (l *limiter) remove(t *ticket) {
	if i := slices.Index(l.waiting[t.lane], t); i >= 0 {
		l.waiting[t.lane] = slices.Delete(l.waiting[t.lane], i, i+1)
	}
	for _, queue := range l.waiting {
		if len(queue) > 0 {
			queue[0].look()
		}
	}
}

// look tells a ticket to try again.
func (t *ticket) look() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// taken notes that amoCRM did not mind a request.
func (l *limiter) taken() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.strikes = 0
}

// limited notes a 429, which asked for a pause (0: for none), and gives the pause
// that is made. Those of requests that were on their way already make it no longer.
func (l *limiter) limited(asked time.Duration) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	pause := min(asked, maxAsked)
	if !now.Before(l.until) {
		pause = max(pause, min(firstPause<<min(l.strikes, 10), maxPause))
		l.strikes++
	}
	l.struck = now
	l.until = later(l.until, now.Add(pause))
	return l.until.Sub(now)
}

// lockedOut notes a 403. When it came because of too many requests, all that
// wait fail for the time that it gives.
func (l *limiter) lockedOut() (time.Duration, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if l.struck.IsZero() || now.Sub(l.struck) > suspicious {
		return 0, false
	}
	l.cold = now.Add(coolDown)
	for _, queue := range l.waiting {
		for _, t := range queue {
			t.look()
		}
	}
	return coolDown, true
}

// idle tells whether the limiter may be forgotten.
func (l *limiter) idle(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	last := l.starts[urgent].oldest(1)
	return len(l.waiting[urgent])+len(l.waiting[bulk]) == 0 && now.Sub(last) > window &&
		now.After(l.until) && now.After(l.cold) && now.Sub(l.struck) > suspicious
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
