package media

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"vpbx/media/audio"
)

// Errors of Press.
var (
	// ErrDigits means that there are no keys, too many, or some that do not exist.
	ErrDigits = errors.New("not a series of keys")
	// ErrHeld means that the peer does not want to hear anything now.
	ErrHeld = errors.New("peer is on hold")
)

// How keys are pressed, in frames of 20 ms.
const (
	maxKeys    = 32   // that may wait
	keyFrames  = 5    // how long a key sounds
	slotFrames = 10   // from one key to the next
	keyEnds    = 3    // how often its end is sent (RFC 4733 §2.5.1.4)
	keyVolume  = 10   // −10 dBm0 (§2.3.3)
	keyLevel   = 0.25 // of each tone, of full scale: −9 dBm0
)

// Press presses keys for the peer, one after the other, 100 ms each with 100 ms
// between: 0 to 9, *, #, A to D. They are sent as telephone events (RFC 4733) where
// the peer takes them and as tones otherwise; what else the peer would
// hear is left out meanwhile. It returns at once; keys wait for those pressed
// before. Errors: ErrDigits, also when more than 32 keys would wait; ErrNoCodec
// when the peer takes neither; ErrHeld; ErrClosed.
func (s *Session) Press(digits string) error {
	digits = strings.ToUpper(digits)
	if digits == "" || len(digits) > maxKeys || strings.Trim(digits, keyNames) != "" {
		return fmt.Errorf("press keys: %w", ErrDigits)
	}
	a := s.agreed.Load()
	if a == nil || a.codec.Name == "" || a.keys() == nil && !a.codec.Known() {
		return fmt.Errorf("press keys: %w", ErrNoCodec)
	}
	if !a.dir.Receives() {
		return fmt.Errorf("press keys: %w", ErrHeld)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return fmt.Errorf("press keys: %w", ErrClosed)
	}
	if len(s.keying)+len(digits) > maxKeys {
		return fmt.Errorf("press keys: %w: %d still wait", ErrDigits, len(s.keying))
	}
	idle := len(s.keying) == 0
	s.keying = append(s.keying, digits...)
	if idle {
		s.wg.Go(func() {
			defer s.recovered("keys")
			k := &keyer{s: s}
			k.run()
		})
	}
	return nil
}

// Events says whether the two have agreed on telephone events (RFC 4733): then keys
// of the peer come among its packets.
func (s *Session) Events() bool {
	a := s.agreed.Load()
	return a != nil && a.keys() != nil
}

// keys is the format in which the peer takes telephone events, if it does: with
// the clock of the audio, as RFC 4733 §2.1 wants it, where there is one.
func (a *agreed) keys() *format {
	var found *format
	for i := range a.formats {
		if f := &a.formats[i]; f.event && (found == nil || f.codec.Rate == a.codec.Rate && found.codec.Rate != a.codec.Rate) {
			found = f
		}
	}
	return found
}

// keyer presses the keys that wait in a session. It is a source of the stream,
// which it has for itself while a key sounds, so that nothing comes between the
// packets of one event.
type keyer struct {
	s      *Session
	frames uint32 // since its start
	begun  uint32 // when the current key began
	events bool   // the current key goes as telephone events
	seq    uint16
	phases [2]float64
	pcm    [2][frameBytes]int16
	mouth  mouth
}

// run presses keys until none waits or the session is closed.
func (k *keyer) run() {
	tick := time.NewTicker(frameTime)
	defer tick.Stop()
	k.s.mu.Lock()
	digit, more := k.s.keying[0], true
	k.s.mu.Unlock()
	for more {
		for n := 0; n < slotFrames; {
			if k.frame(digit, n, time.Now()) {
				n++
			}
			k.frames++
			select {
			case <-tick.C:
			case <-k.s.done:
				return
			}
		}
		k.s.out.reserve(nil)
		digit, more = k.s.keyed()
	}
}

// keyed takes the key off that was pressed and says which is the next.
func (s *Session) keyed() (next byte, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keying = s.keying[1:]
	if len(s.keying) == 0 {
		return 0, false
	}
	return s.keying[0], true
}

// frame sends the n-th frame of a key. It is false when the peer's decoder has to get
// used to our tones first.
func (k *keyer) frame(digit byte, n int, at time.Time) bool {
	a, dst := k.s.agreed.Load(), k.s.dst.Load()
	if a == nil {
		return true
	}
	f := a.keys()
	if n == 0 {
		k.begun, k.events, k.phases = k.frames, f != nil, [2]float64{}
		k.s.out.reserve(k)
	}
	if dst == nil || !a.dir.Receives() {
		return true
	}
	switch {
	case !k.events:
		return k.tone(a, *dst, digit, n, at)
	case n >= keyFrames-1+keyEnds:
		k.s.out.reserve(nil) // the others are heard until the next key
	case f != nil:
		k.event(f, *dst, digit, n, at)
	}
	return true
}

// event sends a packet of a telephone event: the same timestamp and a growing
// duration, the last one thrice (RFC 4733 §2.5.1).
func (k *keyer) event(f *format, dst netip.AddrPort, digit byte, n int, at time.Time) {
	frame := units(frameTime, f.codec.Rate)
	p := k.mouth.buf[headerLen:][:4]
	p[0], p[1] = byte(strings.IndexByte(keyNames, digit)), keyVolume
	if n >= keyFrames-1 {
		p[1] |= 0x80
	}
	binary.BigEndian.PutUint16(p[2:], uint16(uint32(min(n+1, keyFrames))*frame))
	h := header{pt: f.codec.PT, marker: n == 0, ts: k.begun * frame, start: headerLen, end: headerLen + len(p)}
	k.send(h, f.codec.Rate, dst, at)
}

// tone sends a frame of the two tones of a key (ITU-T Q.23), and silence after it; it is
// false for a frame of silence before it.
func (k *keyer) tone(a *agreed, dst netip.AddrPort, digit byte, n int, at time.Time) bool {
	if !a.codec.Known() {
		return true
	}
	low, high := audio.Key(digit)
	pcm, second := k.pcm[0][:], k.pcm[1][:]
	if n < keyFrames {
		k.phases[0] = audio.Tone(pcm, promptRate, low, keyLevel, k.phases[0])
		k.phases[1] = audio.Tone(second, promptRate, high, keyLevel, k.phases[1])
		audio.Mix(pcm, second)
	} else {
		clear(pcm)
	}
	end, said := k.mouth.code(k.s, k, a.codec.Audio(), pcm, k.seq)
	if end == headerLen {
		return true
	}
	h := header{pt: a.codec.PT, ts: k.frames * units(frameTime, a.codec.Rate), start: headerLen, end: end}
	k.send(h, a.codec.Rate, dst, at)
	return said
}

// send sends what is in the buffer behind a header.
func (k *keyer) send(h header, rate int, dst netip.AddrPort, at time.Time) {
	h.seq = k.seq
	k.seq++
	h, why := k.s.out.next(k, h, rate, at)
	if why != kept {
		return
	}
	h.write(k.mouth.buf[:])
	if why := k.s.write(k.mouth.buf[:h.end], dst); why != kept {
		k.s.in.count(why)
	}
}
