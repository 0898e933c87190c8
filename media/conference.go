package media

import (
	"errors"
	"fmt"
	"slices"
)

// maxMembers is how many sessions a conference takes.
const maxMembers = 100

// ErrFull means that a conference has as many members as it can.
var ErrFull = errors.New("conference is full")

// Role says whom a member of a conference hears and who hears it: what one hears
// of another needs both. The zero Role hears all and is heard by all: a
// participant, a supervisor who barges in. A listener is Mute. One who whispers
// is heard Only by one. In a page the speaker is Deaf and the others are Mute.
type Role struct {
	Deaf bool     // hears nobody
	Mute bool     // is heard by nobody
	Only *Session // is heard by this one only; nil: by all

	// Private: keys that it presses are for the owner alone. It is mixed even with one
	// other, so that none gets through a relay.
	Private bool
}

// Conference lets many sessions of one engine hear each other. Two who both hear
// the other are a relay, of any codec, as in a Bridge; all others are mixed, every
// 20 ms, for which everybody needs a codec that is known here: whoever
// agrees on another later hears nothing and is not heard. The mix is of 16 kHz when
// two or more speak a wideband codec, otherwise of 8. Of all who speak at once the
// eight loudest are heard. It changes from relay to mix and back by
// itself, and each peer goes on hearing one stream. Whoever is alone hears silence.
// Keys that a member presses are pressed for those who hear it, in the way of each. It belongs to one
// owner, who need not be that of the sessions.
//
// A bridged pair becomes supervised by adding both to a conference and then the
// supervisor as a listener; when that one is removed they are a relay again.
type Conference struct {
	e *Engine

	// Guarded by Engine.bridging.
	seats  []*seat // in the order of joining
	relay  *Bridge // of the two, while they are no more
	mixer  *mixer  // while it mixes
	plays  bool    // a prompt, for which even two are mixed
	tap    *mixTap // for which they are, too
	closed bool
}

// seat is a session's place in a conference.
type seat struct {
	c    *Conference
	s    *Session
	role Role
	gain int32 // of what it says, in 256ths
	ear  *ear  // while the conference mixes
}

// NewConference makes an empty conference. It has a goroutine only while it mixes.
func (e *Engine) NewConference() *Conference { return &Conference{e: e} }

// Add brings a session in, out of whatever bridge or conference it was in before,
// or gives a member another role. On an error nothing has changed: ErrNoCodec when
// somebody would have to be mixed who has not agreed on a known codec, ErrFull, ErrBusy,
// ErrClosed.
func (c *Conference) Add(s *Session, r Role) error {
	c.e.bridging.Lock()
	defer c.e.bridging.Unlock()
	s.mu.Lock()
	gone := s.closed
	s.mu.Unlock()
	if c.closed || gone {
		return fmt.Errorf("join conference: %w", ErrClosed)
	}
	seats := slices.Clone(c.seats)
	i := slices.IndexFunc(seats, func(x *seat) bool { return x.s == s })
	if i < 0 {
		seats = append(seats, &seat{c: c, s: s, role: r, gain: unity})
	} else {
		seats[i] = &seat{c: c, s: s, role: r, gain: seats[i].gain, ear: seats[i].ear}
	}
	if len(seats) > maxMembers {
		return fmt.Errorf("join conference: %w", ErrFull)
	}
	if len(seats) > 1 && !c.relays(seats) && foreign(seats) {
		return fmt.Errorf("join conference: %w", ErrNoCodec)
	}
	if len(seats) > 1 && !c.relays(seats) && !c.admit(seats) {
		return fmt.Errorf("join conference: %w", ErrBusy)
	}
	if i < 0 {
		s.part()
	}
	c.seats = seats
	c.arrange()
	return nil
}

// admit reports whether there is room to mix everybody; the caller holds
// Engine.bridging.
func (c *Conference) admit(seats []*seat) bool {
	more := 0
	for _, x := range seats {
		if x.ear == nil && !x.s.wanted.has(Mix) {
			more++
		}
	}
	if more == 0 || c.e.room(Mix, more) {
		return true
	}
	c.e.refused[Mix].Add(1)
	return false
}

// Remove takes a session out; it hears nobody then. It does nothing for one that
// is not a member.
func (c *Conference) Remove(s *Session) {
	c.e.bridging.Lock()
	defer c.e.bridging.Unlock()
	c.remove(s)
}

// remove does the work of Remove; the caller holds Engine.bridging.
func (c *Conference) remove(s *Session) {
	i := slices.IndexFunc(c.seats, func(x *seat) bool { return x.s == s })
	if i < 0 {
		return
	}
	c.seats[i].stand()
	c.seats = slices.Delete(slices.Clone(c.seats), i, i+1)
	s.seat = nil
	c.arrange()
}

// Close takes everybody out and waits until nothing is mixed any more. It is
// idempotent; Add fails afterwards.
func (c *Conference) Close() {
	c.e.bridging.Lock()
	c.closed = true
	m := c.mixer
	for len(c.seats) > 0 {
		c.remove(c.seats[len(c.seats)-1].s)
	}
	c.e.bridging.Unlock()
	if m != nil {
		<-m.done
	}
}

// Members are the sessions in it, in the order of joining.
func (c *Conference) Members() []*Session {
	c.e.bridging.Lock()
	defer c.e.bridging.Unlock()
	var list []*Session
	for _, x := range c.seats {
		list = append(list, x.s)
	}
	return list
}

// hears reports whether a hears b.
func (a *seat) hears(b *seat) bool {
	return a != b && !a.role.Deaf && !b.role.Mute && (b.role.Only == nil || b.role.Only == a.s)
}

// Speaking lists the members who say something now that others may hear.
func (c *Conference) Speaking() []*Session {
	c.e.bridging.Lock()
	defer c.e.bridging.Unlock()
	var list []*Session
	for _, x := range c.seats {
		if x.ear != nil && !x.role.Mute && x.ear.speaks.Load() {
			list = append(list, x.s)
		}
	}
	return list
}

// foreign reports whether somebody has not agreed on a codec that is known here.
func foreign(seats []*seat) bool {
	return slices.ContainsFunc(seats, func(x *seat) bool { return !x.s.Codec().Known() })
}

// relays reports whether members need not be mixed.
func (c *Conference) relays(seats []*seat) bool {
	return isPair(seats) && !seats[0].role.Private && !seats[1].role.Private && seats[0].gain == unity && seats[1].gain == unity && !c.plays && c.tap == nil
}

// isPair reports whether there are but two who hear each other.
func isPair(seats []*seat) bool {
	return len(seats) == 2 && seats[0].hears(seats[1]) && seats[1].hears(seats[0])
}

// arrange makes everybody hear whom they should; the caller holds Engine.bridging.
func (c *Conference) arrange() {
	for _, x := range c.seats {
		x.s.seat = x
	}
	if c.relays(c.seats) {
		c.pair(c.seats[0].s, c.seats[1].s)
		return
	}
	if c.relay != nil {
		c.relay.part()
		c.relay = nil
	}
	if len(c.seats) == 0 {
		c.still()
		return
	}
	c.mix()
}

// pair makes two members a relay.
func (c *Conference) pair(a, b *Session) {
	c.still()
	if c.relay == nil {
		c.relay = &Bridge{a: a, b: b}
		a.bridge, b.bridge = c.relay, c.relay
		c.relay.connect()
	}
}

// still ends the mixing. The goroutine may be at its last frame, which it keeps to
// itself.
func (c *Conference) still() {
	for _, x := range c.seats {
		x.stand()
	}
	if c.mixer != nil {
		close(c.mixer.stop)
		c.mixer = nil
	}
	c.plays = false
}

// stand takes a member from the mixer.
func (x *seat) stand() {
	if x.ear != nil {
		x.s.ear.CompareAndSwap(x.ear, nil)
		x.ear = nil
	}
}

// mix seats everybody at the mixer.
func (c *Conference) mix() {
	begin := c.mixer == nil
	if begin {
		c.mixer = newMixer(c.played)
		c.mixer.tap.Store(c.tap)
	}
	t := &table{rate: c.rate(), places: make([]place, len(c.seats))}
	for i, x := range c.seats {
		if x.ear == nil {
			x.ear = newEar(x.s, c.mixer)
		}
		t.places[i] = place{ear: x.ear, deaf: x.role.Deaf, private: x.role.Private, by: c.heardBy(x), level: x.gain}
		x.ear.silence(t.places[i].by == byNobody)
		if t.places[i].by >= 0 {
			t.whispers = append(t.whispers, i)
		}
	}
	c.mixer.table.Store(t)
	for _, x := range c.seats {
		x.s.ear.Store(x.ear)
	}
	if begin {
		c.e.wg.Go(c.mixer.run)
	}
}

// heardBy says who hears a member: the number of one seat, byAll or byNobody.
func (c *Conference) heardBy(x *seat) int {
	switch {
	case x.role.Mute:
		return byNobody
	case x.role.Only == nil:
		return byAll
	}
	i := slices.IndexFunc(c.seats, func(o *seat) bool { return o != x && o.s == x.role.Only })
	if i < 0 {
		return byNobody
	}
	return i
}

// rate is that of the mix: wideband where there are two who hear it.
func (c *Conference) rate() int {
	wide := 0
	for _, x := range c.seats {
		if x.s.Codec().Audio().Rate() >= wideRate {
			wide++
		}
	}
	if wide >= 2 {
		return wideRate
	}
	return promptRate
}
