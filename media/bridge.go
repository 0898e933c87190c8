package media

import (
	"time"

	"vpbx/media/audio"
	"vpbx/media/sdp"
)

// Bridge joins two sessions so that each party hears the other. It belongs to the
// owner of the sessions.
type Bridge struct {
	a, b *Session
}

// noPT marks a format that the other side has no payload type for.
const noPT = 0xff

// route is one direction of a bridge as the packet path needs it. It is never
// changed, only replaced.
type route struct {
	to   *Session
	from *agreed // what the formats are indexed by
	// receives is false while the other side does not want packets.
	receives   bool
	transcodes bool   // what it says first goes through a transcoder
	rate       int    // of the sound in that
	exits      []exit // beside from.formats
}

// exit says how packets of one format leave.
type exit struct {
	pt    uint8      // payload type that the other side expects, or noPT
	table *[256]byte // turns one G.711 law into the other; nil: as it is
	// into is what a transcoder makes of it; of an event too, where the audio beside
	// it goes through one: then they have the same numbers. None: it is relayed.
	into audio.Codec
	rate int // of an event's clock
}

// Join makes two sessions of one engine hear each other, from either codec and
// direction that they have or will have. A session that was joined before leaves
// that bridge, in which nothing flows any more, or that conference. Nothing flows either from a
// session that has been closed.
func Join(a, b *Session) *Bridge {
	e := a.e
	e.bridging.Lock()
	defer e.bridging.Unlock()
	a.part()
	b.part()
	br := &Bridge{a: a, b: b}
	a.bridge, b.bridge = br, br
	br.connect()
	return br
}

// Echo makes a session hear itself.
func Echo(s *Session) *Bridge { return Join(s, s) }

// Close ends the relay. The sessions stay. It is idempotent.
func (b *Bridge) Close() {
	e := b.a.e
	e.bridging.Lock()
	defer e.bridging.Unlock()
	if b.a.bridge == b {
		b.a.part()
	}
}

// connect computes both routes; the caller holds Engine.bridging.
func (b *Bridge) connect() {
	b.a.route.Store(newRoute(b.a, b.b))
	b.b.route.Store(newRoute(b.b, b.a))
}

// part takes a session out of its conference, or it and its partner out of their
// bridge; the caller holds Engine.bridging.
func (s *Session) part() {
	if s.seat != nil {
		s.seat.c.remove(s)
	}
	if s.bridge != nil {
		s.bridge.part()
	}
}

// part takes both sessions out; the caller holds Engine.bridging.
func (b *Bridge) part() {
	for _, x := range []*Session{b.a, b.b} {
		x.route.Store(nil)
		x.bridge = nil
	}
}

// leave is part for good.
func (s *Session) leave() {
	s.e.bridging.Lock()
	defer s.e.bridging.Unlock()
	s.part()
}

// rejoin follows a new agreement.
func (s *Session) rejoin() {
	s.e.bridging.Lock()
	defer s.e.bridging.Unlock()
	if s.bridge != nil {
		s.bridge.connect()
	}
	if s.seat != nil && s.seat.c.mixer != nil {
		s.seat.c.mix()
	}
}

func newRoute(from, to *Session) *route {
	a, b := from.agreed.Load(), to.agreed.Load()
	if a == nil || b == nil {
		return nil
	}
	r := &route{to: to, from: a, receives: b.dir.Receives(), rate: promptRate}
	if from, into := a.codec.Audio(), b.codec.Audio(); from.Known() && into.Known() {
		r.rate = audio.Between(from, into)
	}
	r.transcodes = exitFor(format{codec: sdp.Codec(a.codec), audio: a.codec.Audio()}, b).into != audio.None
	for _, f := range a.formats {
		x := exitFor(f, b)
		if f.event {
			x = eventExit(f, b, r.transcodes)
		}
		r.exits = append(r.exits, x)
	}
	return r
}

// eventExit finds how telephone events leave: with the clock they came with, or,
// beside audio of another clock, with that of the audio.
func eventExit(f format, b *agreed, transcoded bool) exit {
	k := b.keys()
	if k == nil {
		return exit{pt: noPT}
	}
	x := exit{pt: k.codec.PT, rate: k.codec.Rate}
	if transcoded {
		x.into = b.codec.Audio()
		return x
	}
	for _, g := range b.formats {
		if g.codec.Same(f.codec) {
			x.pt, x.rate = g.codec.PT, g.codec.Rate
		}
	}
	return x
}

// exitFor finds the other side's payload type for a format: the same codec, the
// other law of G.711, or what its first codec can be made of this one.
func exitFor(f format, b *agreed) exit {
	for _, g := range b.formats {
		if g.codec.Same(f.codec) {
			return exit{pt: g.codec.PT}
		}
	}
	for _, g := range b.formats {
		if t := audio.Conversion(f.audio, g.audio); t != nil {
			return exit{pt: g.codec.PT, table: t}
		}
	}
	if into := b.codec.Audio(); f.audio.Known() && into.Known() {
		return exit{pt: b.codec.PT, into: into}
	}
	return exit{pt: noPT}
}

// relay sends a packet of s on to the other party. It overwrites the packet: a
// plain header goes right before the payload, so lists and extensions, which were
// not negotiated with the other side, stay behind.
func (s *Session) relay(r *route, a *agreed, f *format, h header, b []byte, at time.Time) {
	if why := r.send(s, a, f, h, b, at); why != kept {
		s.in.count(why)
	}
}

func (r *route) send(s *Session, a *agreed, f *format, h header, b []byte, at time.Time) reason {
	place := int(a.index[h.pt]) - 1 // −1 for comfort noise, which is not passed on
	if place < 0 || r.from != a || r.exits[place].pt == noPT {
		return dropPayload // r.from differs for the instant between two agreements
	}
	if !r.receives {
		return dropDirection
	}
	if r.to.player.Load() != nil {
		return dropPlaying
	}
	dst := r.to.dst.Load()
	if dst == nil {
		return dropAddress
	}
	x := &r.exits[place]
	if x.into != audio.None {
		return s.transcode(r, f, h, b[h.start:h.end], x, at)
	}
	h, why := r.to.out.next(s, h, f.codec.Rate, at)
	if why != kept {
		return why
	}
	if f.event && h.end-h.start >= 4 {
		scale(b[h.start:h.end], f.codec.Rate, x.rate)
	}
	if x.table != nil {
		for i, c := range b[h.start:h.end] {
			b[h.start+i] = x.table[c]
		}
	}
	h.pt = x.pt
	p := b[h.start-headerLen : h.end]
	h.write(p)
	return r.to.write(p, *dst)
}
