package crm

import "time"

// The breaker opens after so many failures in a row, for so long.
const (
	breakAfter = 5
	breakFor   = 30 * time.Second
)

// breaker keeps requests from a CRM that keeps failing. Closed, it lets all
// through; open, none; after breakFor one probe, whose success closes it and
// whose failure opens it again. It is not safe for concurrent use.
type breaker struct {
	failures int       // in a row
	until    time.Time // when open: no request before
	probing  bool      // the probe is under way
}

// allow tells whether a request may be made at that time. Who gets a yes must
// call done.
func (b *breaker) allow(at time.Time) bool {
	if b.resting(at) {
		return false
	}
	b.probing = b.failures >= breakAfter
	return true
}

// resting tells whether no request may be made at that time.
func (b *breaker) resting(at time.Time) bool {
	return b.failures >= breakAfter && (b.probing || at.Before(b.until))
}

// outcome of a request, as the breaker sees it.
type outcome int

const (
	good      outcome = iota
	bad               // failed or came too late
	abandoned         // nobody waited for the end: says nothing about the CRM
)

// done notes how a request went.
func (b *breaker) done(o outcome, at time.Time) {
	b.probing = false
	switch o {
	case good:
		b.failures = 0
	case bad:
		b.failures++
		if b.failures >= breakAfter {
			b.until = at.Add(breakFor)
		}
	}
}

// rest opens the breaker until then, as if the CRM had failed often enough.
func (b *breaker) rest(until time.Time) {
	b.failures = max(b.failures, breakAfter)
	if until.After(b.until) {
		b.until = until
	}
}
