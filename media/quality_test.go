package media

import (
	"fmt"
	"math"
	"os"
	"testing"
	"time"

	"vpbx/media/audio"
)

// speech is three seconds of English and Russian.
func speech(tb testing.TB, rate int) []int16 {
	tb.Helper()
	f, err := os.Open("audio/testdata/speech.wav")
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	pcm, err := audio.ReadWAV(f, audio.Limits{})
	if err != nil {
		tb.Fatal(err)
	}
	return audio.Resample(pcm.Samples, pcm.Rate, rate)
}

// quality compares what came out with what went in.
type quality struct {
	delay time.Duration
	gain  float64 // of the whole, 1 is the same
	snr   float64 // segmental, in decibels
	lsd   float64 // log-spectral distance in decibels, 0 is the same
}

func (q quality) String() string {
	return fmt.Sprintf("%.1f ms late, segmental SNR %.1f dB, spectral distance %.1f dB, gain %.2f",
		float64(q.delay.Microseconds())/1000, q.snr, q.lsd, q.gain)
}

// lagMost is the longest delay that is looked for.
const lagMost = 300 * time.Millisecond

// measure aligns two signals and compares them, where the first is not silent, in
// frames of 20 ms. No program for a full-reference measure (PESQ, POLQA, ViSQOL) is
// to be had from Debian, PyPI or npm here; these two are what such measures began with.
func measure(ref, out []int16, rate int) quality {
	lag := align(ref, out, rate)
	n := min(len(ref), len(out)-lag) / (rate / 50) * (rate / 50)
	var xy, xx float64
	for i := range n {
		x, y := float64(ref[i]), float64(out[i+lag])
		xy += x * y
		xx += x * x
	}
	q := quality{delay: time.Duration(lag) * time.Second / time.Duration(rate), gain: xy / max(xx, 1)}
	frames, frame := 0, rate/50
	for i := 0; i+frame <= n; i += frame {
		a, b := ref[i:][:frame], out[i+lag:][:frame]
		if audio.Level(a) < 100*100 {
			continue
		}
		var signal, noise float64
		for k := range a {
			x := q.gain * float64(a[k])
			signal += x * x
			noise += (float64(b[k]) - x) * (float64(b[k]) - x)
		}
		q.snr += min(max(10*math.Log10((signal+1)/(noise+1)), -10), 35) // the usual bounds
		q.lsd += spectral(a, b, rate)
		frames++
	}
	q.snr /= float64(max(frames, 1))
	q.lsd /= float64(max(frames, 1))
	return q
}

// align is by how many samples out is behind ref.
func align(ref, out []int16, rate int) int {
	best, found := math.Inf(-1), 0
	for lag := range min(int(lagMost*time.Duration(rate)/time.Second), len(out)) {
		var xy, yy float64
		for i := 0; i < min(len(ref), len(out)-lag); i += 11 {
			y := float64(out[i+lag])
			xy += float64(ref[i]) * y
			yy += y * y
		}
		if r := xy / math.Sqrt(yy+1); r > best {
			best, found = r, lag
		}
	}
	return found
}

// spectral is the distance of two spectra between 200 and 3,400 Hz, in bands of 100 Hz.
func spectral(a, b []int16, rate int) float64 {
	var sum float64
	bands := 0
	for f := 200.0; f <= 3400; f += 100 {
		d := 10*math.Log10(power(a, rate, f)+1e3) - 10*math.Log10(power(b, rate, f)+1e3)
		sum += d * d
		bands++
	}
	return math.Sqrt(sum / float64(bands))
}

// power is that of a signal around a frequency, through a Hann window.
func power(pcm []int16, rate int, freq float64) float64 {
	k := 2 * math.Cos(2*math.Pi*freq/float64(rate))
	turn := 2 * math.Cos(2*math.Pi/float64(len(pcm))) // for the window, by its own recurrence
	c0, c1 := 1.0, turn/2
	var s1, s2 float64
	for _, v := range pcm {
		s1, s2 = float64(v)*(0.5-0.5*c0)+k*s1-s2, s1
		c0, c1 = c1, turn*c1-c0
	}
	return (s1*s1 + s2*s2 - k*s1*s2) / float64(len(pcm))
}
