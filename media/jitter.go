package media

import (
	"slices"
	"time"

	"vpbx/media/audio"
)

// Bounds of a jitter buffer.
const (
	jitterSlots = 64                     // packets it holds
	jitterFade  = 60 * time.Millisecond  // made up at most where nothing comes; then it is a pause
	jitterBand  = 16 * time.Millisecond  // by which sound may wait longer than it has to
	jitterHaste = 100 * time.Millisecond // more than that is made good at any cost to the sound
	jitterFull  = 400 * time.Millisecond // more than that is left out
	jitterRest  = 60 * time.Millisecond  // of sound as it is, between two stretched places
	jitterView  = 30 * time.Millisecond  // of sound in which a period is looked for
	jitterSleep = 500 * time.Millisecond // of quiet, after which quiet packets are not decoded
	jitterSoft  = 256                    // peak of what is quiet, −42 dBov
	jitterJump  = 5                      // seconds by which timestamps step only when they begin anew
	jitterLate  = 10                     // packets in a row that are too late: the peer's clock has moved
	jitterFar   = 3                      // of those that are later than jitterFull
	jitterFirst = -1 << 40               // position before any: what comes first need not be the oldest
	tsUneven    = 200                    // the part of a second by which timestamps may be uneven: 5 ms
)

// jitter puts the packets of one peer in order and decodes them when their sound
// is due: packets go in whenever they come, 20 ms come out every 20 ms. How long they wait
// follows the network (delay). Sound is made shorter or longer by periods of the
// voice to get there, which also makes up for two clocks that differ. What is lost
// is made up: by the FEC of the packet after it, by the decoder, or from the period
// before. It follows changes of codec, SSRC and clock. The zero value needs a rate.
type jitter struct {
	rate int // of the sound it gives, 8 or 16 kHz

	begun  bool
	ssrc   uint32
	codec  audio.Codec // heard last
	origin time.Time   // from where arrivals are counted
	ts     uint32      // of the newest packet
	newest int64       // its position on the line of the peer's clock
	late   int         // packets in a row
	line   delay

	queue []*slot // waiting, in order
	free  []*slot

	playing bool  // false in a pause, and before the beginning
	next    int64 // position after what has been decoded or made up
	held    int   // samples made up since nothing waits, which next does not count
	decs    [audio.Opus + 1]*audio.Decoder
	pcm     []int16 // decoded
	rested  int     // samples since the last stretched place
	noise   audio.Noise
	dtx     bool  // the peer's encoder of Opus makes a pause
	calm    int   // samples of quiet, so far
	skipped *slot // the last packet that was not decoded
}

// slot is a packet that waits.
type slot struct {
	pos     int64
	codec   audio.Codec
	noise   bool // comfort noise
	payload []byte
}

// put takes a packet of audio or comfort noise, which it copies.
func (j *jitter) put(f *format, h header, payload []byte, at time.Time) reason {
	c := f.audio
	if f.noise {
		c = j.codec
	}
	if !c.Known() {
		return dropPayload
	}
	step := int64(int32(h.ts - j.ts))
	if !j.begun || h.ssrc != j.ssrc || c.Clock() != j.codec.Clock() || max(step, -step) > int64(jitterJump*c.Clock()) {
		j.restart(c, h, at)
		step = 0
	}
	pos := j.newest + step
	now := at.Sub(j.origin)
	late := j.line.add(now-j.span(pos), now)
	if pos < j.next-j.uneven() {
		if j.late++; j.late < jitterFar || j.late < jitterLate && j.span(j.next-pos) < jitterFull {
			return dropLate
		}
		j.restart(c, h, at)
		pos = 0
		late = j.line.add(0, 0)
	}
	if !f.noise && pos > j.newest && audio.Repairs(c, payload) && pos-j.newest == 2*int64(audio.Length(c, payload)) {
		j.line.learn(late + j.span(pos-j.newest)/2) // the one before comes with this one
	}
	return j.insert(slot{pos: pos, codec: c, noise: f.noise}, h.ts, payload)
}

// insert puts a packet in its place.
func (j *jitter) insert(p slot, ts uint32, payload []byte) reason {
	i := len(j.queue)
	for i > 0 && j.queue[i-1].pos > p.pos {
		i--
	}
	if i > 0 && j.queue[i-1].pos == p.pos {
		return dropDuplicate
	}
	if len(j.queue) == jitterSlots {
		if i == 0 {
			return dropLate
		}
		j.drop()
		i--
	}
	j.late = 0
	if p.pos >= j.newest {
		j.newest, j.ts = p.pos, ts
	}
	s := j.slot()
	*s = slot{pos: p.pos, codec: p.codec, noise: p.noise, payload: append(s.payload[:0], payload...)}
	j.queue = slices.Insert(j.queue, i, s)
	return kept
}

// slot is one to be filled.
func (j *jitter) slot() *slot {
	if n := len(j.free); n > 0 {
		s := j.free[n-1]
		j.free = j.free[:n-1]
		return s
	}
	return new(slot)
}

// pop takes the oldest packet out, which the caller gives back to free.
func (j *jitter) pop() *slot {
	s := j.queue[0]
	j.queue = j.queue[:copy(j.queue, j.queue[1:])]
	return s
}

// drop leaves the oldest packet out.
func (j *jitter) drop() {
	j.free = append(j.free, j.pop())
	if len(j.queue) > 0 {
		j.next = max(j.next, j.queue[0].pos)
	}
}

// retune changes the rate of the sound it gives; what was decoded is lost.
func (j *jitter) retune(rate int) {
	j.rate, j.pcm, j.decs = rate, nil, [audio.Opus + 1]*audio.Decoder{}
	j.held, j.calm, j.rested = 0, 0, 0
}

// restart forgets what waits and begins a line with a packet.
func (j *jitter) restart(c audio.Codec, h header, at time.Time) {
	j.clear()
	j.begun, j.ssrc, j.codec, j.origin, j.ts = true, h.ssrc, c, at, h.ts
	j.newest, j.next, j.late, j.playing, j.dtx = 0, jitterFirst, 0, false, false
	j.noise.Stop()
	j.line.reset()
}

// clear forgets what waits.
func (j *jitter) clear() {
	j.free = append(j.free, j.queue...)
	j.queue = j.queue[:0]
	j.forget()
}

// forget gives back the packet that was not decoded.
func (j *jitter) forget() {
	if j.skipped != nil {
		j.free = append(j.free, j.skipped)
		j.skipped = nil
	}
}

// span is the time that units of the peer's clock take.
func (j *jitter) span(units int64) time.Duration {
	return time.Duration(units) * time.Second / time.Duration(j.codec.Clock())
}

func (j *jitter) uneven() int64 { return int64(j.codec.Clock() / tsUneven) }

// samples is how many a time takes.
func (j *jitter) samples(d time.Duration) int { return int(d * time.Duration(j.rate) / time.Second) }

// wait is how much longer than by the fastest way a position has taken by now.
func (j *jitter) wait(pos int64, now time.Duration) time.Duration {
	return now - j.line.base - j.span(pos)
}
