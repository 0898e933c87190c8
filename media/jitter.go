package media

import (
	"math"

	"vpbx/media/audio"
)

// Bounds of a jitter buffer, in samples of 1/8000 s.
const (
	jitterRing  = 4096 // what it can hold; a power of two
	jitterStart = 320  // what must have come before sound is handed out: 40 ms
	jitterMost  = 1600 // more than that waiting is too much delay: 200 ms
	jitterJump  = 8000 // a step of the timestamps by so much is a new beginning
	jitterTrim  = 100  // frames over which the least that waited is measured
	jitterLate  = 10   // packets in a row that are too late: the peer's clock has moved
	jitterFade  = 3    // frames that may be made up from the last one
)

// hole marks a sample that has not come; no decoder produces it.
const hole = math.MinInt16

// jitter puts the sound of one peer in order and evens out its arrival: packets go
// in whenever they come, frames come out every 20 ms. It begins with 40 ms of
// delay; a peer that comes later than that gets more each time it runs dry, up to
// 200 ms, and gives it back when it is not needed. What is lost is made up from
// the frame before, ever quieter.
type jitter struct {
	begun   bool
	filling bool // waits until there is enough to begin
	ssrc    uint32
	read    uint32 // timestamp of the next sample to go out
	top     uint32 // and of the one after the newest
	late    int    // packets in a row
	least   int    // the least that waited after a frame, since
	frames  int    // so many
	made    int    // frames in a row that were made up
	last    [frameBytes]int16
	ring    [jitterRing]int16 // by timestamp; hole where nothing has come
}

// put takes a packet's samples, fewer than the ring has. It is false when they
// came too late.
func (j *jitter) put(ssrc, ts uint32, samples []int16) bool {
	off := int(int32(ts - j.read))
	switch {
	case !j.begun || ssrc != j.ssrc || off > jitterJump || off < -jitterJump:
		j.restart(ssrc, ts)
	case j.filling && j.top == j.read && off > -jitterMost: // it ran dry: the pause is over
		j.read, j.top = ts, ts
	case off+len(samples) <= 0:
		if j.late++; j.late < jitterLate {
			return false
		}
		j.restart(ssrc, ts)
	case off+len(samples) > jitterRing:
		j.restart(ssrc, ts)
	}
	j.late = 0
	for i, v := range samples {
		if at := ts + uint32(i); int32(at-j.read) >= 0 {
			j.ring[at%jitterRing] = v
		}
	}
	if end := ts + uint32(len(samples)); int32(end-j.top) > 0 {
		j.top = end
	}
	if j.waits() > jitterMost {
		j.skip(j.waits() - jitterStart)
	}
	return true
}

// restart forgets everything and begins with the sample of that timestamp.
func (j *jitter) restart(ssrc, ts uint32) {
	j.begun, j.filling, j.ssrc, j.read, j.top, j.late = true, true, ssrc, ts, ts, 0
	j.least, j.frames = jitterRing, 0
	for i := range j.ring {
		j.ring[i] = hole
	}
}

// waits is how many samples wait, holes included.
func (j *jitter) waits() int { return int(int32(j.top - j.read)) }

// skip leaves out the oldest n samples.
func (j *jitter) skip(n int) {
	for range n {
		j.ring[j.read%jitterRing] = hole
		j.read++
	}
}

// take writes the next frame to dst. It is false when there is nothing to be
// heard; then dst is silence.
func (j *jitter) take(dst *[frameBytes]int16) bool {
	if j.filling && j.waits() >= jitterStart {
		j.filling = false
	}
	if j.filling || j.waits() <= 0 {
		j.filling = true
		return j.makeUp(dst)
	}
	whole := true
	for i := range dst {
		place := &j.ring[(j.read+uint32(i))%jitterRing]
		dst[i] = *place
		if *place == hole {
			dst[i], whole = j.last[i]/2, false
		}
		*place = hole
	}
	n := min(frameBytes, j.waits())
	j.read += uint32(n)
	j.last = *dst
	if whole {
		j.made = 0
	}
	j.trim()
	return true
}

// makeUp writes a frame that is the one before at half its loudness, a few times.
func (j *jitter) makeUp(dst *[frameBytes]int16) bool {
	if j.made >= jitterFade || !j.begun {
		clear(dst[:])
		clear(j.last[:])
		return false
	}
	j.made++
	audio.Gain(j.last[:], 128)
	*dst = j.last
	return true
}

// trim leaves out a frame when for two seconds more has waited than the beginning
// needs.
func (j *jitter) trim() {
	j.least = min(j.least, j.waits())
	if j.frames++; j.frames < jitterTrim {
		return
	}
	if j.least >= jitterStart {
		j.skip(frameBytes)
	}
	j.least, j.frames = jitterRing, 0
}
