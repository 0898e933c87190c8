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

	mu      sync.Mutex // guards the fields below
	in      jitter
	scratch [maxPacket]int16

	// What the mixer's goroutine owns.
	frame [frameBytes]int16
	loud  bool // frame is not silence
	seq   uint16
	buf   [headerLen + frameBytes]byte
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
	pcm := e.scratch[:len(payload)]
	if !audio.Decode(pcm, payload, f.audio) {
		return dropPayload
	}
	if !e.in.put(h.ssrc, h.ts, pcm) {
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

// press presses a key for those who hear this member.
func (e *ear) press(digit byte) {
	places := *e.mixer.places.Load()
	for i := range places {
		if places[i].ear != e {
			continue
		}
		for _, x := range places {
			if x.hears&(1<<i) == 0 {
				continue
			}
			if err := x.ear.s.Press(string(digit)); err != nil {
				e.s.in.count(dropPayload)
			}
		}
	}
}

// open reports whether the peer can hear a mix now, and what has been agreed on.
func (e *ear) open() (*agreed, bool) {
	s := e.s
	a := s.agreed.Load()
	return a, a != nil && a.codec.G711() && a.dir.Receives() && s.player.Load() == nil && s.ear.Load() == e
}

// send sends a frame of the mix to the peer.
func (e *ear) send(a *agreed, pcm *[frameBytes]int16, n uint32, at time.Time) {
	dst := e.s.dst.Load()
	if dst == nil {
		return
	}
	h := header{pt: a.codec.PT, seq: e.seq, ts: n * frameBytes, start: headerLen, end: len(e.buf)}
	h, why := e.s.out.next(e, h, a.codec.Rate, at)
	if why != kept {
		return
	}
	e.seq++
	h.write(e.buf[:])
	audio.Encode(e.buf[headerLen:], pcm[:], a.codec.Audio())
	if _, err := e.s.rtp.WriteToUDPAddrPort(e.buf[:], *dst); err != nil {
		e.s.in.count(dropWrite)
	}
}
