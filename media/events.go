package media

import "time"

// Events that a session posts to its owner, as values.
type (
	// FirstPacket says that the first RTP packet of the peer was accepted.
	FirstPacket struct{ S *Session }
	// Timeout says that the peer should be sending and that neither RTP nor RTCP has come
	// for the engine's time-out; once per silence.
	Timeout struct{ S *Session }
	// DTMF says that a key was pressed and let go, or is held down for long; once
	// per key, in whatever way it came.
	DTMF struct {
		S        *Session
		Digit    byte // '0' to '9', '*', '#', 'A' to 'D'
		Duration time.Duration
	}
	// KeyOut asks the owner to press a key for the peer by its signalling
	// (KeysSignal).
	KeyOut struct {
		S        *Session
		Digit    byte
		Duration time.Duration
	}
	// PlayDone says that a prompt was played to its end; not after StopPlay.
	PlayDone struct{ S *Session }
)

// owner is who hears of a session.
type owner struct {
	events chan<- any
	gone   <-chan struct{} // closed when nobody reads events any more
	left   chan struct{}   // closed when there is another owner
}

func newOwner(events chan<- any, gone <-chan struct{}) *owner {
	return &owner{events: events, gone: gone, left: make(chan struct{})}
}

// Own gives the session to another owner, who hears of it from now on: also of
// what waits for room in the mailbox of the former, who alone may call Own. What
// that mailbox holds already stays there, except that a silence is reported
// again. What is being played goes on; its PlayDone goes to whoever is the owner
// then.
func (s *Session) Own(events chan<- any, gone <-chan struct{}) {
	old := s.owner.Swap(newOwner(events, gone))
	close(old.left)
	s.in.mu.Lock()
	again := s.in.silent
	s.in.silent = false
	s.in.mu.Unlock()
	if again {
		s.wake()
	}
}

// deserted tells whether the owner is gone and has not closed the session: it
// went while it was given the session.
func (s *Session) deserted() bool {
	select {
	case <-s.owner.Load().gone:
		return true
	default:
		return false
	}
}

// desert closes a session that nobody else will close.
func (s *Session) desert() {
	if err := s.Close(); err != nil {
		s.log.Warn("session not closed", "error", err)
	}
}

// post hands over an event that may be lost.
func (s *Session) post(event any) {
	select {
	case s.owner.Load().events <- event:
	default:
		s.in.count(dropEvent)
	}
}

// deliver hands over an event that must not be lost while anybody listens.
func (s *Session) deliver(event any) {
	for {
		o := s.owner.Load()
		if o.events == nil {
			return
		}
		select {
		case o.events <- event:
			return
		case <-o.left: // to the next
		case <-o.gone:
			if s.owner.Load() == o {
				return
			}
		case <-s.done:
			return
		}
	}
}
