package media

import (
	"encoding/binary"
	"time"

	"vpbx/media/audio"
)

// transcoder turns what one peer says into the codec of another. It is a source of
// the other's stream: frames of 20 ms with numbers and timestamps of its own, on
// the other's clock, at the distances they have on the peer's. It belongs to the
// goroutine that reads the peer's packets, and decodes and encodes there: a packet
// waits for nothing but the rest of a frame where the peer's are not 20 ms long, and,
// behind a gap, for those that this peer's network lets come in disorder.
type transcoder struct {
	from, to *Session
	codec    audio.Codec // it makes

	order  audio.Order
	line   *audio.Listener
	enc    *audio.Encoder
	settle settling
	frame  []int16 // what has come of the next frame
	have   int
	at     int64  // its place on the line
	epoch  uint32 // of the line
	seq    uint16
	begin  bool // the next frame comes after a pause
	event  sentKey

	buf [headerLen + audio.MaxFrame + maxTag]byte
}

// unevenMost is the part of a second that timestamps may be uneven by without being
// a pause: 5 ms.
const unevenMost = 200

// sentKey is the latest key of a peer that a transcoder has sent on.
type sentKey struct {
	heard  bool
	ssrc   uint32
	code   byte
	ts     uint32    // of the peer's current segment
	before uint32    // duration of the segments before it, in the peer's units
	out    uint32    // the timestamp it got
	sent   uint32    // duration of our segments before the current one
	at     time.Time // when it began
}

// transcode makes of a packet what the other party takes, and sends it.
func (s *Session) transcode(r *route, f *format, h header, payload []byte, x *exit, at time.Time) reason {
	t := s.transcoding(r.rate, x.into, r.to)
	switch {
	case t == nil:
		return dropPayload
	case f.event:
		for p := t.order.Rest(); p != nil; p = t.order.Rest() {
			t.use(p, at) // the key is behind them
		}
		return t.press(f, h, payload, x, at)
	}
	t.order.Add(t.line, audio.Packet{Codec: f.audio, PT: x.pt, Seq: h.seq, SSRC: h.ssrc, TS: h.ts, At: at, Payload: payload})
	for p := t.order.Next(t.line, at); p != nil; p = t.order.Next(t.line, at) {
		t.use(p, at)
	}
	return kept
}

// stale is the age of a packet that waited when its peer paused: nobody waits for it any more.
const stale = 200 * time.Millisecond

// use hears a packet whose turn it is, and counts it when it went no further.
func (t *transcoder) use(p *audio.Packet, at time.Time) {
	why := dropLate
	if at.Sub(p.At) < stale {
		why = t.hear(p, at)
	}
	if why != kept {
		t.from.in.count(why)
	}
}

// transcoding is the transcoder to a session that makes a codec of sound of a rate:
// the one there is when it fits, so that hold and a new agreement change nothing
// for the other peer.
func (s *Session) transcoding(rate int, into audio.Codec, to *Session) *transcoder {
	t := s.trans
	if t != nil && t.to == to && t.codec == into && t.enc.Rate() == rate {
		return t
	}
	enc := audio.NewEncoder(into, rate)
	if enc == nil {
		return nil
	}
	s.trans = &transcoder{from: s, to: to, codec: into, line: audio.NewListener(rate), enc: enc, frame: make([]int16, enc.Frame())}
	return s.trans
}

// hear takes a packet of the peer's audio and sends the frames that are whole.
func (t *transcoder) hear(p *audio.Packet, at time.Time) reason {
	dst := t.to.dst.Load()
	if dst == nil {
		return dropAddress
	}
	pt := p.PT
	pos, pcm := t.line.Hear(p.Codec, p.SSRC, p.TS, p.Payload)
	if len(pcm) == 0 {
		return dropLate
	}
	switch gap := pos - t.at - int64(t.have); {
	case t.line.Epoch() != t.epoch || gap < 0 || gap > int64(t.enc.Rate()/unevenMost):
		if why := t.flush(pt, at); why != kept {
			return why
		}
		t.at, t.begin, t.epoch = pos, true, t.line.Epoch()
	case t.have == 0:
		t.at = pos
	}
	for len(pcm) > 0 {
		n := copy(t.frame[t.have:], pcm)
		t.have, pcm = t.have+n, pcm[n:]
		if t.have == len(t.frame) {
			if why := t.send(pt, at); why != kept {
				return why
			}
		}
	}
	return kept
}

// flush sends what waits for the rest of its frame, which will not come.
func (t *transcoder) flush(pt uint8, at time.Time) reason {
	if t.have == 0 {
		return kept
	}
	clear(t.frame[t.have:])
	return t.send(pt, at)
}

// send sends the frame.
func (t *transcoder) send(pt uint8, at time.Time) reason {
	t.to.adapt(t.enc, t.seq)
	n := t.settle.frame(t.buf[headerLen:], &t.to.out, t, t.enc)
	if n == 0 {
		n = t.enc.Encode(t.buf[headerLen:], t.frame)
	}
	clock := t.codec.Clock()
	h := header{pt: pt, marker: t.begin, ts: uint32(t.at * int64(clock) / int64(t.enc.Rate())), start: headerLen, end: headerLen + n}
	t.at, t.have, t.begin = t.at+int64(len(t.frame)), 0, false
	if n == 0 {
		return dropPayload
	}
	return t.write(h, clock, t.epoch, at)
}

// write gives a packet in the buffer the other's numbers and sends it.
func (t *transcoder) write(h header, clock int, epoch uint32, at time.Time) reason {
	dst := t.to.dst.Load()
	if dst == nil {
		return dropAddress
	}
	h.seq, h.ssrc = t.seq, epoch
	t.seq++
	h, why := t.to.out.next(t, h, clock, at)
	if why != kept {
		return why
	}
	h.write(t.buf[:])
	return t.to.write(t.buf[:h.end], *dst)
}

// press sends a packet of a telephone event on: it keeps one timestamp, and its
// duration becomes one of the other clock. What is too long for one event of either
// clock are segments of its own (RFC 4733 §2.5.1.3).
func (t *transcoder) press(f *format, h header, payload []byte, x *exit, at time.Time) reason {
	if len(payload) < 4 {
		return dropPayload
	}
	e := &t.event
	switch {
	case e.heard && e.ssrc == h.ssrc && e.ts == h.ts:
	case e.heard && e.ssrc == h.ssrc && int32(h.ts-e.ts) < 0:
		return dropLate
	case e.heard && e.ssrc == h.ssrc && e.code == payload[0] && h.ts == e.ts+keySpan:
		e.ts, e.before = h.ts, e.before+keySpan
	default:
		*e = sentKey{heard: true, ssrc: h.ssrc, code: payload[0], ts: h.ts, out: t.place(h, at), at: at}
	}
	lasts := uint64(e.before) + uint64(binary.BigEndian.Uint16(payload[2:]))
	lasts = lasts * uint64(x.rate) / uint64(f.codec.Rate)
	if lasts < uint64(e.sent) || lasts > uint64(keyMost.Seconds())*uint64(x.rate) {
		return dropLate
	}
	for ; lasts-uint64(e.sent) > keySpan; e.sent += keySpan {
		if why := t.report(payload[0], payload[1]&^0x80, keySpan, x.pt, h.marker && e.sent == 0, at); why != kept {
			return why
		}
	}
	return t.report(payload[0], payload[1], uint16(lasts-uint64(e.sent)), x.pt, h.marker && e.sent == 0, at)
}

// report sends how long the current segment of a key is.
func (t *transcoder) report(code, flags byte, lasts uint16, pt uint8, marker bool, at time.Time) reason {
	p := t.buf[headerLen:][:4]
	p[0], p[1] = code, flags
	binary.BigEndian.PutUint16(p[2:], lasts)
	h := header{pt: pt, marker: marker, ts: t.event.out + t.event.sent, start: headerLen, end: headerLen + len(p)}
	return t.write(h, t.codec.Clock(), t.line.Epoch(), at)
}

// place is where an event of the peer lies on the other's clock. When the peer
// counts them by another clock than its audio, or has said nothing yet, that is the
// end of the audio, or the time that has passed since the event before.
func (t *transcoder) place(h header, at time.Time) uint32 {
	clock := int64(t.codec.Clock())
	if pos, ok := t.line.Place(h.ssrc, h.ts); ok {
		return uint32(pos * clock / int64(t.line.Clock()))
	}
	out := uint32((t.at + int64(t.have)) * clock / int64(t.enc.Rate()))
	if e := &t.event; e.heard {
		if passed := e.out + units(at.Sub(e.at), int(clock)); int32(passed-out) > 0 {
			out = passed
		}
	}
	return out
}

// adaptEvery is how many frames go by until an encoder hears of loss.
const adaptEvery = 50

// adapt tells the encoder that makes the frame seq how much the peer, by its RTCP,
// has lost.
func (s *Session) adapt(e *audio.Encoder, seq uint16) {
	if seq%adaptEvery != 0 {
		return
	}
	s.in.mu.Lock()
	loss := s.in.remoteLoss
	s.in.mu.Unlock()
	e.Lossy(loss)
}

// mouth codes sound of our own for a peer, in frames of 20 ms at 8 or 16 kHz. It
// belongs to one goroutine.
type mouth struct {
	enc    *audio.Encoder
	settle settling
	buf    [headerLen + audio.MaxFrame + maxTag]byte
}

// code codes a frame of a source behind the header and says where it ends; headerLen
// for a codec that is not known. It is silent instead, and said is false, while the peer's
// decoder gets used to a new source.
func (m *mouth) code(s *Session, from any, c audio.Codec, pcm []int16, seq uint16) (end int, said bool) {
	if !m.open(c, len(pcm)) {
		return headerLen, true
	}
	if n := m.settle.frame(m.buf[headerLen:], &s.out, from, m.enc); n > 0 {
		return headerLen + n, false
	}
	s.adapt(m.enc, seq)
	return headerLen + m.enc.Encode(m.buf[headerLen:], pcm), true
}

// open makes sure of an encoder for frames of that size. It is false for a codec
// that is not known.
func (m *mouth) open(c audio.Codec, frame int) bool {
	was := m.enc
	if was != nil && was.Codec() == c && was.Frame() == frame {
		return true
	}
	if m.enc = audio.NewEncoder(c, frame*int(time.Second/frameTime)); m.enc == nil {
		return false
	}
	if was != nil {
		m.enc.Follow(was, nil)
	}
	return true
}

// follow goes on where another encoder is that spoke to the peer, or after a frame.
func (m *mouth) follow(o *audio.Encoder, c audio.Codec, before []int16) {
	if m.open(c, len(before)) {
		m.enc.Follow(o, before)
	}
}

// scale turns the duration of a telephone event (RFC 4733 §2.3.5) into another
// clock's.
func scale(event []byte, from, to int) {
	if from <= 0 || from == to {
		return
	}
	d := uint64(binary.BigEndian.Uint16(event[2:])) * uint64(to) / uint64(from)
	binary.BigEndian.PutUint16(event[2:], uint16(min(d, 0xFFFF)))
}
