package media

import (
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"vpbx/media/audio"
)

// mixer is the working conference: a goroutine that mixes a frame for everybody
// each 20 ms.
type mixer struct {
	places atomic.Pointer[[]place] // never changed, only replaced
	stop   chan struct{}
	done   chan struct{}
	pcm    [frameBytes]int16
}

// place is one member and whom it hears: bit n is the n-th place.
type place struct {
	ear   *ear
	hears uint32
}

// ear is a session at the mixer. It is a source of the session's stream.
type ear struct {
	s     *Session
	mixer *mixer

	mu   sync.Mutex // guards the fields below
	in   jitter
	line *audio.Listener

	// What the mixer's goroutine owns.
	frame [frameBytes]int16
	loud  bool // frame is not silence
	seq   uint16
	mouth mouth
}

// newEar seats a session at a mixer, whose jitter buffer puts packets in order.
func newEar(s *Session, m *mixer) *ear {
	e := &ear{s: s, mixer: m, line: audio.NewListener(promptRate)}
	e.line.Loose = true
	return e
}

func newMixer() *mixer { return &mixer{stop: make(chan struct{}), done: make(chan struct{})} }

// run mixes the frames that are due, until stop, the first after 20 ms: what is
// only a step between two others, as somebody alone, sends nothing. It counts by
// the clock, so that late ticks do not make the sound slower.
func (m *mixer) run() {
	defer close(m.done)
	defer m.recovered()
	tick := time.NewTicker(frameTime)
	defer tick.Stop()
	start := time.Now()
	for n := 0; ; {
		select {
		case at := <-tick.C:
			due := int(at.Sub(start) / frameTime)
			n = max(n, due-maxCatchUp)
			for ; n < due; n++ {
				m.mix(uint32(n), at)
			}
		case <-m.stop:
			return
		}
	}
}

// recovered keeps a mistake in one conference from ending the others: its calls
// are told that their sessions are silent, which ends them.
func (m *mixer) recovered() {
	p := recover()
	if p == nil {
		return
	}
	stack := string(debug.Stack())
	for _, x := range *m.places.Load() {
		s := x.ear.s
		s.log.Error("conference failed", "panic", p, "stack", stack)
		s.e.wg.Go(func() { s.deliver(Timeout{S: s}) }) // one owner that is slow keeps no other waiting
	}
}

// mix takes the n-th frame of everybody and sends everybody's mix.
func (m *mixer) mix(n uint32, at time.Time) {
	places := *m.places.Load()
	for _, x := range places {
		x.ear.take()
	}
	for _, x := range places {
		if a, ok := x.ear.open(); ok {
			m.sum(places, x.hears)
			x.ear.send(a, &m.pcm, n, at)
		}
	}
}

// sum adds up what those behind the bits say.
func (m *mixer) sum(places []place, hears uint32) {
	clear(m.pcm[:])
	for i := range places {
		if hears&(1<<i) != 0 && places[i].ear.loud {
			audio.Mix(m.pcm[:], places[i].ear.frame[:])
		}
	}
}

// hear takes a packet of the peer. It runs on the goroutine that reads them.
func (e *ear) hear(f *format, h header, payload []byte) reason {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !f.audio.Known() {
		return dropPayload
	}
	at, pcm := e.line.Hear(f.audio, h.ssrc, h.ts, payload)
	if len(pcm) == 0 || !e.in.put(h.ssrc, uint32(at), pcm) {
		return dropLate
	}
	return kept
}

// take makes the peer's next frame the current one.
func (e *ear) take() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.loud = e.in.take(&e.frame) && !audio.Silent(e.frame[:])
}

// hearers are those who hear this member.
func (e *ear) hearers() []*Session {
	var list []*Session
	places := *e.mixer.places.Load()
	for i := range places {
		if places[i].ear != e {
			continue
		}
		for _, x := range places {
			if x.hears&(1<<i) != 0 {
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

// send sends a frame of the mix to the peer.
func (e *ear) send(a *agreed, pcm *[frameBytes]int16, n uint32, at time.Time) {
	dst := e.s.dst.Load()
	if dst == nil {
		return
	}
	end := e.mouth.code(e.s, a.codec.Audio(), pcm[:], e.seq)
	if end == headerLen {
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
