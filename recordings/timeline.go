package recordings

import (
	"time"

	"vpbx/media/audio"
)

// All positions and lengths on the time line are in samples of 1/8000 s.
const (
	rate = 8000

	hold   = 300 * rate / 1000 // how late a packet may be: nothing younger is written
	ahead  = 300 * rate / 1000 // how early
	behind = 200 * rate / 1000 // how far the writing may lag: the pace of the writer
	window = 8192              // what is kept of a side in memory; above hold+ahead+behind

	jump   = 5 * rate          // off the clock by so much: other timestamps, placed by arrival at once
	astray = 200 * rate / 1000 // out of range for so long: placed by arrival

	drift      = 40 * rate / 1000 // off the clock by so much throughout driftOver: pushed back
	driftOver  = 5 * rate
	driftLeast = 50 // packets that must have come meanwhile
)

// timeline puts the packets of two sides in order and hands out what is old
// enough. It does no I/O and reads no clock. It belongs to one goroutine.
type timeline struct {
	written int64 // handed out
	sides   [2]side
	extra   *side // heard on both sides; nil until it has spoken
	pauses  []span
	tones   []tone
	out     [2 * 1024]int16
}

// side is one party on the time line. Its newest packet ties timestamps to
// positions, so a timestamp that wraps is nothing special.
type side struct {
	samples [window]int16 // position p is at p%window; zero is silence

	track uint32 // whose packets come
	heard bool   // there is a newest packet
	seq   uint16 // of the newest
	ts    uint32
	pos   int64

	out   bool  // packets are out of range
	since int64 // arrival of the first of them

	from  int64 // since when least and count are taken
	least int64 // the least delay of a packet behind its position
	count int
}

// samplesIn gives a duration as a number of samples.
func samplesIn(d time.Duration) int64 { return int64(d / (time.Second / rate)) }

// put places the samples of a packet that arrived at that position, and says where
// they belong and how many of them belong before written, for whoever can still put
// them there. What lies too far ahead is lost.
func (l *timeline) put(who int, seq uint16, ts uint32, arrival int64, samples []int16) (pos int64, before int) {
	s := l.side(who)
	pos = s.locate(seq, ts, arrival)
	for i, v := range samples {
		p := pos + int64(i)
		if p >= l.written && p < l.written+window {
			s.samples[p%window] = v
		}
	}
	return pos, int(min(max(l.written-pos, 0), int64(len(samples))))
}

// turn says whose packet comes next: those of another session have nothing to do
// with the sequence numbers and timestamps before.
func (l *timeline) turn(who int, track uint32) {
	if s := l.side(who); s.track != track {
		s.track, s.heard = track, false
	}
}

// side is a party's place on the line.
func (l *timeline) side(who int) *side {
	if who < len(l.sides) {
		return &l.sides[who]
	}
	if l.extra == nil {
		l.extra = new(side)
	}
	return l.extra
}

// locate gives the position of a packet, and moves the side to where its
// packets really come when it has left the clock.
func (s *side) locate(seq uint16, ts uint32, arrival int64) int64 {
	if !s.heard {
		return s.anchor(seq, ts, arrival)
	}
	step := int64(int32(ts - s.ts))
	pos := s.pos + step
	late := arrival - pos
	if late <= hold && late >= -ahead {
		s.out = false
		s.follow(late, arrival)
	} else {
		old := step < 0 && int16(seq-s.seq) < 0
		if !s.out {
			s.out, s.since = true, arrival
		}
		if !old && max(late, -late) > jump || arrival-s.since >= astray {
			return s.anchor(seq, ts, arrival)
		}
	}
	if step > 0 {
		s.seq, s.ts, s.pos = seq, ts, s.pos+step
	}
	return pos
}

// anchor ties the side to the arrival of this packet.
func (s *side) anchor(seq uint16, ts uint32, arrival int64) int64 {
	s.heard, s.seq, s.ts, s.pos = true, seq, ts, arrival
	s.out = false
	s.from, s.count = arrival, 0
	return arrival
}

// follow watches the least delay over some seconds, which jitter does not
// touch: it grows or shrinks when the clock of the side is not ours.
func (s *side) follow(late, arrival int64) {
	if s.count == 0 || late < s.least {
		s.least = late
	}
	s.count++
	if arrival-s.from < driftOver {
		return
	}
	if s.count >= driftLeast && max(s.least, -s.least) > drift {
		s.pos += s.least
	}
	s.from, s.count = arrival, 0
}

// advance hands out everything before that position, interleaved, in pieces
// that emit must not keep. It stops at the first error.
func (l *timeline) advance(to int64, emit func([]int16) error) error {
	for l.written < to {
		n := min(to-l.written, int64(len(l.out)/2))
		for i := range n {
			p := (l.written + i) % window
			for who := range l.sides {
				l.out[2*i+int64(who)] = l.sides[who].samples[p]
				l.sides[who].samples[p] = 0
			}
			if l.extra != nil {
				both := l.out[2*i : 2*i+2]
				audio.Mix(both, []int16{l.extra.samples[p], l.extra.samples[p]})
				l.extra.samples[p] = 0
			}
		}
		l.sounding(l.out[:2*n], l.written)
		l.silence(l.out[:2*n], l.written)
		l.written += n
		if err := emit(l.out[:2*n]); err != nil {
			return err
		}
	}
	return nil
}
