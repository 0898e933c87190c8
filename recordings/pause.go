package recordings

import (
	"time"

	"vpbx/media/audio"
	"vpbx/pbx"
)

// maxPauses bounds the pauses of one recording; after that many it stays paused.
const maxPauses = 500

// maxTones bounds the tones that wait for the writer.
const maxTones = 8

// Pause leaves out what is said from now on: both sides are silence until Resume,
// of the same length, so that what comes later stays in its place. It says whether
// the recording was going on.
func (r *Recorder) Pause() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.deaf || r.paused() {
		return false
	}
	r.pauses = append(r.pauses, span{from: samplesIn(time.Since(r.start)), to: open})
	return true
}

// Resume ends a pause. It says whether the recording goes on now: not when there
// was no pause, or when there were too many.
func (r *Recorder) Resume() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.deaf || !r.paused() || len(r.pauses) == maxPauses {
		return false
	}
	r.pauses[len(r.pauses)-1].to = samplesIn(time.Since(r.start))
	return true
}

// Paused says whether the recording is paused now.
func (r *Recorder) Paused() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.paused()
}

// paused is Paused for who holds mu.
func (r *Recorder) paused() bool {
	n := len(r.pauses)
	return n > 0 && r.pauses[n-1].to == open
}

// Beep puts the tone of [audio.RecordingBeep] on both sides, now, as both parties
// hear it. While the recording is paused it is not put there.
func (r *Recorder) Beep() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.deaf || r.paused() || len(r.tones) == maxTones {
		return
	}
	r.tones = append(r.tones, tone{samplesIn(time.Since(r.start)), r.store.beep})
}

// said gives the pauses as the record tells of them, the last one ended by the end
// of the recording; the caller holds mu.
func (r *Recorder) said(end int64) []pbx.Pause {
	var list []pbx.Pause
	for _, p := range r.pauses {
		if from, to := min(p.from, end), min(p.to, end); to > from {
			list = append(list, pbx.Pause{From: seconds(from), To: seconds(to)})
		}
	}
	return list
}

// open is the end of a pause that goes on.
const open = int64(1) << 62

// span is a part of the time line that stays silent.
type span struct{ from, to int64 }

// tone is sound that both sides get at a position.
type tone struct {
	pos int64
	pcm []int16
}

// silence wipes what a piece of the time line from pos on has of the pauses. out is
// interleaved.
func (l *timeline) silence(out []int16, pos int64) {
	end := pos + int64(len(out)/2)
	for len(l.pauses) > 0 && l.pauses[0].to <= pos {
		l.pauses = l.pauses[1:]
	}
	for _, p := range l.pauses {
		if from, to := max(p.from, pos), min(p.to, end); from < to {
			clear(out[2*(from-pos) : 2*(to-pos)])
		}
	}
}

// sounding mixes the tones into such a piece, and forgets those that are over.
func (l *timeline) sounding(out []int16, pos int64) {
	end := pos + int64(len(out)/2)
	for _, t := range l.tones {
		for p := max(t.pos, pos); p < min(t.pos+int64(len(t.pcm)), end); p++ {
			v := t.pcm[p-t.pos]
			audio.Mix(out[2*(p-pos):2*(p-pos)+2], []int16{v, v})
		}
	}
	for len(l.tones) > 0 && l.tones[0].pos+int64(len(l.tones[0].pcm)) <= end {
		l.tones = l.tones[1:]
	}
}
