package media

import (
	"sync"
	"sync/atomic"
	"time"

	"vpbx/media/audio"
)

// ear is a session at the mixer. It is a source of the session's stream.
type ear struct {
	s      *Session
	mixer  *mixer
	speaks atomic.Bool // its frame is not silence

	mu   sync.Mutex // guards the fields below
	in   jitter
	mute bool

	// What the mixer's goroutine owns.
	frame [wideFrame]int16
	level int64  // of the frame, falling slowly: it says who is among the loudest
	apart int    // frames for which the peer still has a mix of its own
	last  uint32 // number of the latest such frame
	seq   uint16
	mouth mouth
}

// newEar seats a session at a mixer.
func newEar(s *Session, m *mixer) *ear { return &ear{s: s, mixer: m, in: jitter{rate: promptRate}} }

// hear takes a packet of the peer. It runs on the goroutine that reads them.
func (e *ear) hear(f *format, h header, payload []byte, at time.Time) reason {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.mute {
		return kept
	}
	return e.in.put(f, h, payload, at)
}

// silence lets nobody hear the peer, or somebody again. What it says in between is
// not even decoded.
func (e *ear) silence(on bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if on && !e.mute {
		e.in.clear()
	}
	e.mute = on
}

// take makes the peer's next frame the current one.
func (e *ear) take(rate int, at time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.in.rate != rate {
		e.in.retune(rate)
	}
	frame := e.frame[:rate/int(time.Second/frameTime)]
	if !e.in.take(frame, at) {
		e.level = 0
		e.speaks.Store(false)
		return
	}
	e.level = max(audio.Level(frame), e.level*7/8)
	e.speaks.Store(e.level > loudLevel)
}

// hearers are those who hear this member.
func (e *ear) hearers() []*Session {
	var list []*Session
	t := e.mixer.table.Load()
	for k := range t.places {
		if t.places[k].ear != e || t.places[k].private {
			continue
		}
		for i, x := range t.places {
			if t.hears(i, k) {
				list = append(list, x.ear.s)
			}
		}
	}
	return list
}

// open reports whether the peer can hear a mix now, and what has been agreed on.
func (e *ear) open() (*agreed, bool) {
	s := e.s
	a := s.agreed.Load()
	return a, a != nil && a.codec.Known() && a.dir.Receives() && s.player.Load() == nil && s.ear.Load() == e
}

// unsettled reports whether the peer's decoder has to get used to another source
// before it can hear what others hear.
func (e *ear) unsettled() bool {
	a := e.s.agreed.Load()
	return a != nil && a.codec.Audio() == audio.G722 && e.s.out.changes(e)
}

// loss is the share of packets that do not reach the peer, by its RTCP.
func (e *ear) loss() float64 {
	e.s.in.mu.Lock()
	defer e.s.in.mu.Unlock()
	return e.s.in.remoteLoss
}

// send sends the peer a frame that has been coded behind the header.
func (e *ear) send(a *agreed, end int, n uint32, at time.Time) {
	dst := e.s.dst.Load()
	if dst == nil || end == headerLen {
		return
	}
	h := header{pt: a.codec.PT, seq: e.seq, ts: n * units(frameTime, a.codec.Rate), start: headerLen, end: end}
	h, why := e.s.out.next(e, h, a.codec.Rate, at)
	if why != kept {
		return
	}
	e.seq++
	h.write(e.mouth.buf[:])
	if why := e.s.write(e.mouth.buf[:end], *dst); why != kept {
		e.s.in.count(why)
	}
}
