package audio

import (
	"math"
	"strings"
	"time"
)

// Tone fills dst with a sine of freq hertz at the given sample rate and returns
// the phase at which the next block continues without a click. Amplitude is a
// share of full scale, 0 to 1; phase is in radians.
func Tone(dst []int16, rate int, freq, amplitude, phase float64) float64 {
	step := 2 * math.Pi * freq / float64(rate)
	for i := range dst {
		dst[i] = int16(amplitude * math.MaxInt16 * math.Sin(phase))
		phase += step
	}
	return math.Mod(phase, 2*math.Pi)
}

// Cadence is a call progress tone: frequencies sounded together, and how long
// they are on, off, on, off and so on before it starts again.
type Cadence struct {
	Freqs     []float64       // hertz
	Amplitude float64         // of all frequencies together, 0 to 1 of full scale
	Pattern   []time.Duration // on, off, on, off …
}

// PCM is one period of the cadence at the given sample rate.
func (c Cadence) PCM(rate int) []int16 {
	var period time.Duration
	for _, d := range c.Pattern {
		period += d
	}
	pcm := make([]int16, 0, samplesIn(period, rate))
	for i, d := range c.Pattern {
		block := make([]int16, samplesIn(d, rate))
		if i%2 == 0 {
			c.sound(block, rate)
		}
		pcm = append(pcm, block...)
	}
	return pcm
}

// sound fills dst with the sum of the frequencies.
func (c Cadence) sound(dst []int16, rate int) {
	if len(c.Freqs) == 0 {
		return
	}
	one := make([]int16, len(dst))
	for _, f := range c.Freqs {
		Tone(one, rate, f, c.Amplitude/float64(len(c.Freqs)), 0)
		for i, v := range one {
			dst[i] += v
		}
	}
}

func samplesIn(d time.Duration, rate int) int {
	return int(d * time.Duration(rate) / time.Second)
}

// Goertzel measures how much of the sound is a tone of freq hertz: the share of
// the samples' energy that lies there, 0 to 1. A pure tone gives about 1, two
// equal tones 0.5 each, noise and other tones nearly 0, silence 0. The resolution
// is rate/len(samples) hertz.
func Goertzel(samples []int16, rate int, freq float64) float64 {
	k := 2 * math.Cos(2*math.Pi*freq/float64(rate))
	var s1, s2, energy float64
	for _, v := range samples {
		x := float64(v)
		s1, s2 = x+k*s1-s2, s1
		energy += x * x
	}
	if energy == 0 {
		return 0
	}
	power := s1*s1 + s2*s2 - k*s1*s2
	return min(2*power/(float64(len(samples))*energy), 1)
}

// Key is the two frequencies of a telephone key in hertz (ITU-T Q.23): 0 to 9, *,
// #, A to D. Both are 0 for anything else.
func Key(digit byte) (low, high float64) {
	i := strings.IndexByte("123A456B789C*0#D", digit)
	if i < 0 {
		return 0, 0
	}
	return [...]float64{697, 770, 852, 941}[i/4], [...]float64{1209, 1336, 1477, 1633}[i%4]
}
