package media

import (
	"time"

	"vpbx/media/audio"
)

// longest is the longest packet that is decoded, and more than it can be stretched by.
const longest = 240 * time.Millisecond

// take writes the next 20 ms to dst. It is false before anything was heard; then
// dst is silence.
func (j *jitter) take(dst []int16, at time.Time) bool {
	if !j.begun {
		clear(dst)
		return false
	}
	if j.pcm == nil {
		j.pcm = make([]int16, 0, j.samples(2*longest))
	}
	now := at.Sub(j.origin)
	for len(j.pcm) < len(dst) {
		j.step(now)
	}
	copy(dst, j.pcm)
	j.pcm = j.pcm[:copy(j.pcm, j.pcm[len(dst):])]
	return true
}

// step makes more sound, or begins or ends a pause.
func (j *jitter) step(now time.Duration) {
	if !j.playing && !j.resume(now) {
		j.pause()
		return
	}
	if len(j.queue) == 0 {
		j.dry()
		return
	}
	if j.queue[0].pos > j.next+j.uneven() {
		j.gap()
		return
	}
	j.play(now)
}

// resume ends a pause when a packet of audio has waited long enough.
func (j *jitter) resume(now time.Duration) bool {
	for len(j.queue) > 0 && j.queue[0].noise {
		s := j.pop()
		j.noise.Hear(s.payload)
		j.next = max(j.next, s.pos)
		j.free = append(j.free, s)
	}
	if len(j.queue) == 0 || j.wait(j.queue[0].pos, now) < j.line.target {
		return false
	}
	j.playing, j.next, j.held = true, j.queue[0].pos, 0
	j.noise.Stop()
	return true
}

// pause makes a frame of what is to be heard while the peer says nothing: its
// comfort noise, that of its codec, or silence.
func (j *jitter) pause() {
	block := j.more(j.samples(frameTime))
	if dec := j.decs[audio.Opus]; j.dtx && j.codec == audio.Opus && dec != nil {
		dec.Conceal(block, nil)
		return
	}
	j.noise.Fill(block)
}

// more makes the decoded sound longer by n samples.
func (j *jitter) more(n int) []int16 {
	had := len(j.pcm)
	j.pcm = j.pcm[:had+n]
	return j.pcm[had:]
}

// dry makes something up while the next packet, late or lost, has not come.
func (j *jitter) dry() {
	if j.dtx || j.held >= j.samples(jitterFade) {
		j.playing = false
		return
	}
	j.makeUp(j.samples(frameTime), nil)
	j.held += j.samples(frameTime)
}

// gap makes up what was lost before the next packet.
func (j *jitter) gap() {
	head := j.queue[0]
	lost := int((head.pos - j.next) * int64(j.rate) / int64(j.codec.Clock()))
	made := j.held
	j.held = 0
	switch fade := j.samples(jitterFade); {
	case lost <= made: // while nothing waited
		j.next = head.pos
	case j.dtx || made >= fade:
		j.playing = false
	case lost-made > fade:
		j.makeUp(fade-made, nil)
		j.playing = false
	default:
		var follows []byte
		if head.codec == audio.Opus && audio.Repairs(head.codec, head.payload) {
			follows = head.payload
		}
		j.makeUp(lost-made, follows)
		j.next = head.pos
	}
}

// makeUp makes samples up, by the packet that follows where it can.
func (j *jitter) makeUp(n int, follows []byte) {
	n -= n % (j.rate / 400) // an Opus decoder makes steps of 2.5 ms
	if n <= 0 {
		return
	}
	block := j.more(n)
	dec := j.decs[j.codec]
	if dec == nil || j.asleep() {
		clear(block)
		return
	}
	dec.Conceal(block, follows)
}

// play decodes the next packet.
func (j *jitter) play(now time.Duration) {
	s := j.pop()
	if s.noise {
		j.noise.Hear(s.payload)
		j.next, j.playing = max(j.next, s.pos), false
		j.free = append(j.free, s)
		return
	}
	j.codec = s.codec
	units := audio.Length(s.codec, s.payload)
	n := units * j.rate / s.codec.Clock()
	switch {
	case units == 0: // no packet of the codec: as if it were lost
		j.next = s.pos + int64(s.codec.Clock()/int(time.Second/frameTime))
		j.makeUp(j.samples(frameTime), nil)
		j.free = append(j.free, s)
		return
	case j.quiet(s, n) && j.asleep():
		clear(j.more(n))
		j.forget()
		j.skipped = s
	default:
		j.decode(s, n)
		j.free = append(j.free, s)
	}
	j.held, j.dtx = 0, audio.DTX(s.codec, s.payload)
	j.next = s.pos + int64(units)
	j.rested += n
	j.stretch(now)
}

// quiet counts how long nobody has spoken.
func (j *jitter) quiet(s *slot, n int) bool {
	if !audio.Quiet(s.codec, s.payload) {
		j.calm = 0
		return false
	}
	j.calm += n
	return true
}

// asleep reports whether nobody has spoken for so long that it need not be decoded.
func (j *jitter) asleep() bool { return j.calm > j.samples(jitterSleep) }

// decode decodes a packet of n samples. A codec that remembers is given the packet
// before it first, if that was left out.
func (j *jitter) decode(s *slot, n int) {
	dec := j.decs[s.codec]
	if dec == nil {
		dec = audio.NewDecoder(s.codec, j.rate)
		j.decs[s.codec] = dec
	}
	had := len(j.pcm)
	room := j.pcm[had:cap(j.pcm)]
	if j.skipped != nil {
		if j.skipped.codec == s.codec {
			dec.Decode(room, j.skipped.payload)
		}
		j.forget()
	}
	if got := dec.Decode(room, s.payload); got != n {
		clear(room[:n])
		dec.Conceal(room[:min(n-n%(j.rate/400), j.samples(jitterFade))], nil)
	}
	j.pcm = j.pcm[:had+n]
	for _, v := range j.pcm[had:] {
		if v > jitterSoft || v < -jitterSoft {
			j.calm = 0
			return
		}
	}
}

// stretch brings the wait of what is decoded nearer to what it should be.
func (j *jitter) stretch(now time.Duration) {
	first := j.wait(j.next, now) + time.Duration(len(j.pcm))*time.Second/time.Duration(j.rate)
	over := first - j.line.target
	for len(j.queue) > 0 && over > jitterFull {
		was := j.next
		j.drop()
		over -= j.span(j.next - was)
	}
	if j.rested < j.samples(jitterRest) && over < jitterHaste/2 {
		return
	}
	from := max(0, len(j.pcm)-j.samples(jitterView))
	part := j.pcm[from:]
	n := len(part)
	switch {
	case over > jitterBand:
		n = audio.Shorten(part, j.rate, j.samples(over), over > jitterHaste)
	case over < 0 && !j.dtx:
		n = audio.Lengthen(j.pcm[from:cap(j.pcm)], n, j.rate, over < -delayLeast)
	}
	if n != len(part) {
		j.rested = 0
		j.pcm = j.pcm[:from+n]
	}
}
