package recordings

import (
	"math"
	"testing"
	"time"
)

// TestHearing: a voice is told from silence and from the noise of a line.
func TestHearing(t *testing.T) {
	var h hearing
	put := func(d time.Duration, amplitude float64) {
		out := make([]int16, 2*samplesIn(d))
		for i := range len(out) / 2 {
			out[2*i] = int16(amplitude * math.Sin(2*math.Pi*440*float64(i)/rate))
			out[2*i+1] = 20000 // the other side does not count
		}
		for len(out) > 0 { // in pieces that are no frames
			n := min(len(out), 2*77)
			h.listen(out[:n])
			out = out[n:]
		}
	}
	put(time.Second, 0)
	put(time.Second, 100)
	if h.voiced != 0 || h.last != 0 {
		t.Fatalf("noise is a voice: %+v", h)
	}
	put(time.Second, 1000)
	put(3*time.Second, 30)
	if v := seconds(h.voiced); v < 0.98 || v > 1.02 {
		t.Errorf("heard %v s", v)
	}
	if q := seconds(h.pos - h.last); q < 2.98 || q > 3.02 {
		t.Errorf("quiet for %v s", q)
	}
}

// BenchmarkHearing is a second of sound.
func BenchmarkHearing(b *testing.B) {
	b.ReportAllocs()
	var h hearing
	out := make([]int16, 2*rate)
	for b.Loop() {
		h.listen(out)
	}
}
