package recordings

import (
	"time"
)

const (
	voiceFrame = rate / 50 // 20 ms
	voiceLevel = 160       // root mean square of a frame in which somebody speaks: -46 dBFS
)

// hearing finds out when somebody speaks on the left side: what is louder than the noise
// of a line. It belongs to the writer, its results are under the recorder's mu.
type hearing struct {
	energy int64 // of the frame that is not full yet
	filled int64
	pos    int64
	last   int64 // end of the last frame with a voice
	voiced int64
}

// listen takes a piece of the time line, which is interleaved.
func (v *hearing) listen(out []int16) {
	for i := 0; i < len(out); i += 2 {
		s := int64(out[i])
		v.energy += s * s
		v.pos++
		if v.filled++; v.filled < voiceFrame {
			continue
		}
		if v.energy > voiceFrame*voiceLevel*voiceLevel {
			v.voiced += voiceFrame
			v.last = v.pos
		}
		v.energy, v.filled = 0, 0
	}
}

// Listen makes the recording tell by Heard whether somebody speaks. It is called once,
// before the first packet.
func (r *Recorder) Listen() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hearing = new(hearing)
}

// Heard says for how long somebody has spoken in all, and for how long nobody has since.
// It lags behind what is said by half a second, until Close.
func (r *Recorder) Heard() (voiced, quiet time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.hearing == nil {
		return 0, 0
	}
	return time.Duration(r.hearing.voiced) * time.Second / rate, time.Duration(r.hearing.pos-r.hearing.last) * time.Second / rate
}

// emit writes a piece of the time line, which is interleaved.
func (r *Recorder) emit(out []int16) error {
	if r.listens {
		r.mu.Lock()
		r.hearing.listen(out)
		r.mu.Unlock()
	}
	return r.wav.Write(out)
}
