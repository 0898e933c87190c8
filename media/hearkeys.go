package media

import (
	"time"

	"vpbx/media/audio"
)

const (
	// longPress is when a key that is held down counts as pressed, without waiting
	// for its end.
	longPress = 3 * time.Second
	// keyGap is how much of a gap in the sound is silence to who looks for keys in
	// it, in samples: enough for a key to end.
	keyGap = 800
)

// keyEar hears the keys of a peer, as events or in its sound, and has them pressed
// for those who hear the peer and take keys in another way. It belongs to the "rtp"
// goroutine.
type keyEar struct {
	pad keypad
	now latestKey

	// Where keys are looked for in the sound.
	line  *audio.Listener
	epoch uint32 // of the line
	next  int64  // where on it the next samples should be
	tones audio.KeyDetector
}

// latestKey is the key that was heard last.
type latestKey struct {
	by     way
	digit  byte
	down   bool
	held   time.Duration
	double bool     // it is one that came in another way, too
	told   bool     // the owner knows
	passes bool     // who hears the peer takes it as it comes
	on     []struck // it becomes these
}

// struck is a key as it is pressed for somebody who hears it.
type struck struct {
	to  *Session
	key *stroke
}

// hearKeys takes a packet and tells of the keys in it. It is false for one that
// nobody may hear, because the key in it is pressed for them in another way.
func (s *Session) hearKeys(a *agreed, f *format, h header, payload []byte, at time.Time) (passes bool) {
	k := &s.keys
	if f.event || k.pad.open {
		s.hearEvent(f, h, payload, at)
	}
	if f.event {
		isKey := len(payload) >= 4 && int(payload[0]) < len(keyNames)
		return !isKey || k.now.passes && !k.now.double
	}
	if !s.listens(a) {
		return true
	}
	before := k.now.hides()
	s.hearTones(f, h, payload, at)
	return !before && !k.now.hides()
}

// hides reports whether the sound is a key that is not to be heard as it comes.
func (n *latestKey) hides() bool {
	return n.down && n.by == byTones && (n.double || len(n.on) > 0)
}

// hearEvent is for telephone events, and for what comes behind one without end.
func (s *Session) hearEvent(f *format, h header, payload []byte, at time.Time) {
	k := &s.keys.pad
	count := k.count
	ended, ok := k.hear(h.ts, payload, f, at)
	began := k.count != count
	if ok && (!began || k.open) {
		s.keyUp(ended.held, at)
	}
	if began {
		s.keyDown(k.digit, byEvents, at)
	}
	switch {
	case k.open && f.event:
		s.keyHeld(k.held(), at)
	case ok && began:
		s.keyUp(ended.held, at)
	}
}

// hearTones looks for keys in the sound.
func (s *Session) hearTones(f *format, h header, payload []byte, at time.Time) {
	k := &s.keys
	if k.line == nil {
		k.line = audio.NewListener(promptRate)
	}
	place, pcm := k.line.Hear(f.audio, h.ssrc, h.ts, payload)
	if len(pcm) == 0 {
		return
	}
	gap := min(place-k.next, keyGap)
	if k.line.Epoch() != k.epoch {
		k.epoch, gap = k.line.Epoch(), keyGap
	}
	var silence [frameBytes]int16
	for ; gap > 0; gap -= frameBytes {
		s.findKeys(silence[:min(gap, frameBytes)], at)
	}
	k.next = place + int64(len(pcm))
	s.findKeys(pcm, at)
	if k.tones.Down() != 0 {
		s.keyHeld(k.tones.Held(), at)
	}
}

// findKeys tells of the keys that begin and end in some samples.
func (s *Session) findKeys(pcm []int16, at time.Time) {
	d := &s.keys.tones
	for len(pcm) > 0 {
		before := d.Down()
		pcm = pcm[d.Hear(pcm):]
		switch {
		case d.Down() == before:
		case d.Down() == 0:
			s.keyUp(d.Held(), at)
		default:
			s.keyDown(d.Down(), byTones, at)
		}
	}
}

// keyDown begins a key, also for those who hear it.
func (s *Session) keyDown(digit byte, by way, at time.Time) {
	n := &s.keys.now
	if n.down {
		s.keyUp(n.held, at)
	}
	s.mu.Lock()
	first := s.doubles.first(digit, by, at)
	s.mu.Unlock()
	*n = latestKey{by: by, digit: digit, down: true, double: !first, on: n.on[:0]}
	if !first {
		return
	}
	n.passes = s.spread(by, stroke{digit: digit, down: true, at: at, rest: keyLeast}, &n.on)
}

// keyHeld says how long the key has been down by now.
func (s *Session) keyHeld(held time.Duration, at time.Time) {
	n := &s.keys.now
	n.held = held
	for _, x := range n.on {
		x.to.hold(x.key, held, true, at)
	}
	if held >= longPress {
		s.tell()
	}
}

// keyUp ends the key.
func (s *Session) keyUp(held time.Duration, at time.Time) {
	n := &s.keys.now
	n.down, n.held = false, held
	for _, x := range n.on {
		x.to.hold(x.key, held, false, at)
	}
	s.mu.Lock()
	s.doubles.released(n.by, at)
	s.mu.Unlock()
	s.tell()
}

// tell tells the owner of the key, once.
func (s *Session) tell() {
	if n := &s.keys.now; !n.told && !n.double {
		n.told = true
		s.post(DTMF{S: s, Digit: n.digit, Duration: n.held})
	}
}

// Pressed says that the peer has pressed a key by the owner's signalling, for that
// long, 0 when that is not known. It is the same as if it had come among the peer's
// packets: the owner gets its DTMF, unless it is the double of one that came so,
// and who hears the peer gets it in the way that it takes.
func (s *Session) Pressed(digit byte, held time.Duration) {
	at := time.Now()
	s.mu.Lock()
	first := s.doubles.first(digit, bySignal, at)
	s.mu.Unlock()
	if !first {
		return
	}
	s.post(DTMF{S: s, Digit: digit, Duration: held})
	if held == 0 {
		held = keyTime
	}
	s.spread(bySignal, stroke{digit: digit, held: held, rest: keyLeast}, nil)
}

// spread has a key pressed for those who hear the peer and do not take it as it
// comes, and reports whether somebody does.
func (s *Session) spread(by way, key stroke, on *[]struck) (passes bool) {
	for _, to := range s.hearers() {
		if s.ear.Load() == nil && to.understands(by) {
			passes = true
			continue
		}
		k := key
		if err := to.press(&k); err != nil {
			s.in.count(dropPayload)
			continue
		}
		if on != nil {
			*on = append(*on, struck{to, &k})
		}
	}
	return passes
}

// understands reports whether the peer takes a key of another as it came. A tone is
// just sound to a peer that does not want it.
func (s *Session) understands(by way) bool {
	switch takes := s.takes(s.agreed.Load()); by {
	case byEvents:
		return takes == byEvents
	case byTones:
		return takes == byTones || takes == byNothing
	}
	return false
}

// hearers are the sessions whose peers hear this one now.
func (s *Session) hearers() []*Session {
	if e := s.ear.Load(); e != nil {
		return e.hearers()
	}
	if r := s.route.Load(); r != nil && r.receives && r.to.player.Load() == nil {
		return []*Session{r.to}
	}
	return nil
}

// leaveOut keeps a packet from who hears the peer.
func (s *Session) leaveOut(h header) {
	if r := s.route.Load(); r != nil {
		r.to.out.skip(s, h)
	}
}

// hush makes a packet of sound silent, where that can be done.
func hush(f *format, payload []byte) bool {
	var silence byte
	switch f.audio {
	case audio.PCMA:
		silence = 0xD5
	case audio.PCMU:
		silence = 0xFF
	default:
		return false
	}
	for i := range payload {
		payload[i] = silence
	}
	return true
}
