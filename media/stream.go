package media

import (
	"math/rand/v2"
	"sync"
	"time"
)

// frameTime is the length of the packets we make, and the least distance between
// two sources in a stream.
const frameTime = 20 * time.Millisecond

// stream is what one peer hears: an SSRC of our own whose sequence numbers and
// timestamps go on when the source behind it changes (a prompt, a bridge, another
// SSRC of the other party). Relaying and playing write it under mu.
type stream struct {
	mu   sync.Mutex
	ssrc uint32

	from     any    // *Session or *player that feeds it now
	fromSSRC uint32 // and the SSRC of what it feeds
	only     any    // while it is set nothing else may feed it
	inSeq    uint16 // highest sequence number of the source
	first    uint16 // sequence number at the switch
	young    uint16 // packets since the switch, as far as needed
	seqShift uint16
	tsShift  uint32

	started bool
	seq     uint16 // highest sent
	sent    [windowSize / 64]uint64
	ts      uint32    // of that packet
	at      time.Time // of the first packet with that timestamp
	rate    int
	packets uint64
	octets  uint64
}

// begin gives the stream its random start (RFC 3550 §5.1), the sequence number in
// the lower half, so that it does not wrap before the peer has heard some of it (RFC
// 3711 §3.3.1).
func (o *stream) begin() {
	o.ssrc, o.seq, o.ts = rand.Uint32(), uint16(rand.Uint32N(1<<15)), rand.Uint32()
}

// next turns a source's header into the stream's: same order, same distances, own
// numbers. It counts the packet. It is dropLate for one that is older than the
// switch to its source or whose number is taken, and dropPlaying while another source has the stream for
// itself.
func (o *stream) next(from any, h header, rate int, at time.Time) (header, reason) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.only != nil && o.only != from {
		return header{}, dropPlaying
	}
	jump := int16(h.seq - o.inSeq)
	if !o.started || o.from != from || o.fromSSRC != h.ssrc || jump > maxDropout || jump < -maxMisorder ||
		jump > 0 && o.leaps(h.ts+o.tsShift, rate, at) {
		o.join(from, h, rate, at)
		h.marker = true // RFC 3551 §4.1: a new talkspurt lets the receiver adapt
	}
	if o.young < maxMisorder {
		o.young++
		if int16(h.seq-o.first) < 0 {
			return header{}, dropLate
		}
	}
	if int16(h.seq-o.inSeq) > 0 {
		o.inSeq = h.seq
	}
	if !o.take(h.seq + o.seqShift) {
		return header{}, dropLate
	}
	o.packets++
	o.octets += uint64(h.end - h.start)
	h.seq += o.seqShift
	h.ts += o.tsShift
	h.ssrc = o.ssrc
	if int16(h.seq-o.seq) > 0 {
		if h.ts != o.ts {
			o.at = at
		}
		o.seq, o.ts, o.rate = h.seq, h.ts, rate
	}
	return h, kept
}

// take notes that a number is sent and reports whether it has not been before, as far as
// can be told: under SRTP no two packets may have one (RFC 3711 §9.1).
func (o *stream) take(seq uint16) bool {
	ahead := int(int16(seq - o.seq))
	if ahead <= -windowSize {
		return false
	}
	for i := range min(ahead, windowSize) {
		free := o.seq + 1 + uint16(i)
		o.sent[free%windowSize/64] &^= 1 << (free % 64)
	}
	word, bit := &o.sent[seq%windowSize/64], uint64(1)<<(seq%64)
	if *word&bit != 0 {
		return false
	}
	*word |= bit
	return true
}

// clockLeap is by how much a source's timestamps may differ from the time that has
// passed, before it counts as another clock.
const clockLeap = 2 * time.Second

// leaps reports whether the timestamp of a new packet has nothing to do with the one
// before, by the wall's clock: the source began to count anew, or did not count on while it
// was silent. The packets of one event have one timestamp, however long it takes.
func (o *stream) leaps(ts uint32, rate int, at time.Time) bool {
	if rate != o.rate || rate <= 0 || ts == o.ts {
		return false
	}
	off := time.Duration(int32(ts-o.ts))*time.Second/time.Duration(rate) - at.Sub(o.at)
	return off > clockLeap || off < -clockLeap
}

// skip leaves out a packet of a source: the numbers go on as if there had been none,
// so that the peer takes the gap for a pause, not for loss.
func (o *stream) skip(from any, h header) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.from == from && o.fromSSRC == h.ssrc && int16(h.seq-o.inSeq) > 0 {
		o.inSeq = h.seq
		o.seqShift--
	}
}

// reserve lets nothing but one source feed the stream; nil lets everything again.
func (o *stream) reserve(only any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.only = only
}

// join makes the next sequence number of the stream the source's current one, and
// moves the timestamp on by the time that has passed.
func (o *stream) join(from any, h header, rate int, at time.Time) {
	step := frameTime
	if o.started {
		step = max(step, at.Sub(o.at))
	}
	o.from, o.fromSSRC, o.first, o.inSeq, o.young = from, h.ssrc, h.seq, h.seq, 0
	o.seqShift = o.seq + 1 - h.seq
	o.tsShift = o.ts + units(step, rate) - h.ts
	o.started = true
}

// units is a duration in timestamp units; it wraps as timestamps do.
func units(d time.Duration, rate int) uint32 {
	return uint32(d.Seconds() * float64(rate))
}
