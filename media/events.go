package media

import "time"

// Events that a session posts to Options.Events, as values.
type (
	// FirstPacket says that the first RTP packet of the peer was accepted.
	FirstPacket struct{ S *Session }
	// Timeout says that the peer should be sending and has not for the engine's
	// time-out; once per silence.
	Timeout struct{ S *Session }
	// DTMF says that a key was pressed and let go (RFC 4733).
	DTMF struct {
		S        *Session
		Digit    byte // '0' to '9', '*', '#', 'A' to 'D'
		Duration time.Duration
	}
	// PlayDone says that a prompt was played to its end; not after StopPlay.
	PlayDone struct{ S *Session }
)

// post hands over an event that may be lost.
func (s *Session) post(event any) {
	select {
	case s.opt.Events <- event:
	default:
		s.in.count(dropEvent)
	}
}

// deliver hands over an event that must not be lost while anybody listens.
func (s *Session) deliver(event any) {
	if s.opt.Events == nil {
		return
	}
	select {
	case s.opt.Events <- event:
	case <-s.opt.Gone:
	case <-s.done:
	}
}
