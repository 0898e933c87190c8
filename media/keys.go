package media

import (
	"time"
)

// Keys says in which way keys (DTMF) pass between a peer and us.
type Keys int

// The ways. With KeysAuto keys are telephone events where the two have agreed on
// them and tones in the sound otherwise. With the others no other way is used, nor
// offered; only what comes by signalling is always taken.
const (
	KeysAuto   Keys = iota
	KeysEvents      // telephone events (RFC 4733)
	KeysTones       // the two tones of ITU-T Q.23
	KeysSignal      // by signalling (SIP INFO), which is the owner's: KeyOut, Session.Pressed
)

// events reports whether telephone events are offered and taken.
func (k Keys) events() bool { return k == KeysAuto || k == KeysEvents }

// way is how one key passes.
type way uint8

const (
	byNothing way = iota // it cannot
	byEvents
	byTones
	bySignal
)

// takes is the way in which the peer takes keys.
func (s *Session) takes(a *agreed) way {
	switch {
	case a == nil || a.codec.Name == "":
		return byNothing
	case s.opt.Keys == KeysSignal:
		return bySignal
	case a.keys() != nil:
		return byEvents
	case s.opt.Keys != KeysEvents && a.codec.Known():
		return byTones
	}
	return byNothing
}

// listens reports whether the peer's keys have to be found in its sound.
func (s *Session) listens(a *agreed) bool {
	return (s.opt.Keys == KeysAuto || s.opt.Keys == KeysTones) && a.codec.Known() && a.keys() == nil
}

// Bounds of what is taken for one key that came twice.
const (
	doubleWithin = time.Second // from the end of the one to the other
	doubleKeys   = 8           // that are remembered
)

// heardKeys are the latest keys of a peer, in whatever way they came: a phone that
// sends a key in two ways, by INFO and as an event for example, has pressed one.
type heardKeys struct {
	list [doubleKeys]heardKey
	next int
}

type heardKey struct {
	digit   byte
	by      way
	down    bool
	doubled bool      // its double has come, too
	at      time.Time // when it ended
}

// first notes a key, and whether it is not the double of another.
func (h *heardKeys) first(digit byte, by way, at time.Time) bool {
	for i := range h.list {
		e := &h.list[(h.next+i)%doubleKeys] // the oldest first
		if e.by != byNothing && e.by != by && e.digit == digit && !e.doubled && (e.down || at.Sub(e.at) < doubleWithin) {
			e.doubled = true
			return false
		}
	}
	h.list[h.next] = heardKey{digit: digit, by: by, down: by != bySignal, at: at}
	h.next = (h.next + 1) % doubleKeys
	return true
}

// released notes the end of what came last in that way.
func (h *heardKeys) released(by way, at time.Time) {
	for i := range h.list {
		if e := &h.list[i]; e.by == by && e.down {
			e.down, e.at = false, at
		}
	}
}
