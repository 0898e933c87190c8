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

// How keys are pressed.
const (
	maxKeys   = 32                     // that may wait
	keyTime   = 100 * time.Millisecond // how long a key is down that nobody has timed
	keyRest   = 100 * time.Millisecond // from such a key to the next
	keyLeast  = 40 * time.Millisecond  // the shortest that is understood, and the shortest pause (ITU-T Q.24)
	keyMost   = 30 * time.Second       // the longest
	keySilent = 200 * time.Millisecond // a key is let go when so long nothing has come of it
	keyEnds   = 3                      // how often its end is sent (RFC 4733 §2.5.1.4)
	keyVolume = 10                     // −10 dBm0 (§2.3.3)
	keyLevel  = 0.25                   // of each tone, of full scale: −9 dBm0
	keySpan   = 0xFFFF                 // the longest that an event says of its duration (§2.3.5)
)

// stroke is a key that is pressed for a peer. The fields are guarded by the mutex of
// the peer's session.
type stroke struct {
	digit byte
	held  time.Duration // so far
	down  bool          // it may get longer
	at    time.Time     // when that was known
	rest  time.Duration // behind it
}

// Press presses keys for the peer, one after the other, 100 ms each with 100 ms
// between: 0 to 9, *, #, A to D. They go in the way that the peer takes: as
// telephone events (RFC 4733), as tones, for which what else the peer would hear is
// left out meanwhile, or by the owner's signalling (KeyOut). It returns at once;
// keys wait for those pressed before. Errors: ErrDigits, also when more than 32 keys
// would wait; ErrNoCodec when the peer takes them in no way; ErrHeld; ErrClosed.
func (s *Session) Press(digits string) error {
	digits = strings.ToUpper(digits)
	if digits == "" || len(digits) > maxKeys || strings.Trim(digits, keyNames) != "" {
		return fmt.Errorf("press keys: %w", ErrDigits)
	}
	keys := make([]*stroke, len(digits))
	for i := range keys {
		keys[i] = &stroke{digit: digits[i], held: keyTime, rest: keyRest}
	}
	return s.press(keys...)
}

// press lets keys wait for their turn.
func (s *Session) press(keys ...*stroke) error {
	a := s.agreed.Load()
	if s.takes(a) == byNothing {
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
	if len(s.keying)+len(keys) > maxKeys {
		return fmt.Errorf("press keys: %w: %d still wait", ErrDigits, len(s.keying))
	}
	idle := len(s.keying) == 0
	s.keying = append(s.keying, keys...)
	if idle {
		first := keys[0]
		s.wg.Go(func() {
			defer s.recovered("keys")
			k := &keyer{s: s}
			k.run(first)
		})
	}
	return nil
}

// hold says how long a key has been down by now, and whether it still is.
func (s *Session) hold(k *stroke, held time.Duration, down bool, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k.down {
		k.held, k.down, k.at = held, down, at
	}
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
	seq    uint16
	phases [2]float64
	pcm    [2][frameBytes]int16
	mouth  mouth

	// Of the current key.
	by    way
	begun uint32        // the frame with which it began
	end   int           // its last frame, -1 while that is not known
	held  time.Duration // as far as is known
	ends  int           // how often its end was sent
	past  uint32        // of its duration, in segments that are over (RFC 4733 §2.5.1.3)
	told  uint32        // of the segment, both in units of the events' clock
	late  int           // frames by which the peer's decoder had to get used to our tones
}

// run presses keys until none waits or the session is closed.
func (k *keyer) run(key *stroke) {
	tick := time.NewTicker(frameTime)
	defer tick.Stop()
	for key != nil {
		for n := 0; k.frame(key, n, time.Now()); n++ {
			k.frames++
			select {
			case <-tick.C:
			case <-k.s.done:
				return
			}
		}
		k.s.out.reserve(nil)
		key = k.s.keyed()
	}
}

// keyed takes the key off that was pressed and says which is the next.
func (s *Session) keyed() *stroke {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keying = s.keying[1:]
	if len(s.keying) == 0 {
		return nil
	}
	return s.keying[0]
}

// length is how long a key has been down as far as is known, and whether that is
// all.
func (s *Session) length(k *stroke, at time.Time) (held time.Duration, over bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k.down && (at.Sub(k.at) >= keySilent || k.held >= keyMost) {
		k.down = false
	}
	return min(max(k.held, keyLeast), keyMost), !k.down
}

// begin takes up a key.
func (k *keyer) begin(a *agreed) {
	k.by, k.begun, k.end, k.ends, k.past, k.told, k.late = k.s.takes(a), k.frames, -1, 0, 0, 0, 0
	k.phases = [2]float64{}
	if k.by != bySignal {
		k.s.out.reserve(k)
	}
}

// frame does the n-th frame of a key, or of the pause behind it. It is false when
// the next key is due.
func (k *keyer) frame(key *stroke, n int, at time.Time) bool {
	a, dst := k.s.agreed.Load(), k.s.dst.Load()
	if n == 0 {
		k.begin(a)
	}
	n -= k.late
	if k.end < 0 {
		var over bool
		if k.held, over = k.s.length(key, at); over {
			k.end = max(n, int((k.held+frameTime-1)/frameTime)) - 1
		}
	}
	switch {
	case k.by == bySignal && k.end >= 0:
		k.s.post(KeyOut{S: k.s, Digit: key.digit, Duration: k.held})
		return false
	case k.by == bySignal:
		return true
	case k.end >= 0 && n > k.end+int(key.rest/frameTime) && (k.by != byEvents || k.ends == keyEnds):
		return false
	case dst == nil || !a.dir.Receives():
		k.ends = keyEnds
	case k.by == byTones:
		if !k.tone(a, *dst, key.digit, n, at) {
			k.late++
		}
	case k.ends == keyEnds:
		k.s.out.reserve(nil) // the others are heard until the next key
	default:
		k.event(a, *dst, key.digit, n, at)
	}
	return true
}

// event sends a packet of a telephone event: the same timestamp and a growing
// duration, the last one thrice (RFC 4733 §2.5.1). What is longer than a packet can
// say goes on as another segment (§2.5.1.3).
func (k *keyer) event(a *agreed, dst netip.AddrPort, digit byte, n int, at time.Time) {
	f := a.keys()
	if f == nil {
		k.ends = keyEnds // not agreed on any more
		return
	}
	over := k.end >= 0 && n >= k.end
	length := k.held
	if over {
		k.ends++
	} else {
		length = min(length, time.Duration(n+1)*frameTime)
	}
	now := max(uint32(length.Microseconds()*int64(f.codec.Rate)/1e6), k.past+k.told)
	for now-k.past > keySpan {
		k.report(f, dst, digit, keySpan, false, at)
		k.past, k.told = k.past+keySpan, 0
	}
	k.report(f, dst, digit, now-k.past, over, at)
}

// report sends how long the current segment is.
func (k *keyer) report(f *format, dst netip.AddrPort, digit byte, duration uint32, over bool, at time.Time) {
	p := k.mouth.buf[headerLen:][:4]
	p[0], p[1] = byte(strings.IndexByte(keyNames, digit)), keyVolume
	if over {
		p[1] |= 0x80
	}
	binary.BigEndian.PutUint16(p[2:], uint16(duration))
	h := header{pt: f.codec.PT, marker: k.past+k.told == 0, ts: k.begun*units(frameTime, f.codec.Rate) + k.past, start: headerLen, end: headerLen + len(p)}
	k.told = duration
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
	clear(pcm)
	sounds := frameBytes
	if k.end >= 0 {
		sounds = min(max(int(k.held.Microseconds()*promptRate/1e6)-n*frameBytes, 0), frameBytes)
	}
	if sounds > 0 {
		k.phases[0] = audio.Tone(pcm[:sounds], promptRate, low, keyLevel, k.phases[0])
		k.phases[1] = audio.Tone(second[:sounds], promptRate, high, keyLevel, k.phases[1])
		audio.Mix(pcm, second[:sounds])
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
