package audio

import (
	"math"
	"time"
)

// Bounds of Normalise, in decibels of full scale.
const (
	speechLevel = -23.0 // of speech that is there: what telephones send (ITU-T P.56 and G.111)
	gateLevel   = -50.0 // quieter than that is a pause
	pauseBelow  = 15.0  // and so is what lies that far below the rest
	mostGain    = 20.0  // no noise is blown up further
	peakLevel   = -1.0  // no sample is louder
)

// Loudness is how loud a sound is where there is one, in decibels of full scale: pauses
// do not count, in the manner of ITU-T P.56. It is -Inf for silence.
func Loudness(samples []int16, rate int) float64 {
	block := max(samplesIn(20*time.Millisecond, rate), 1)
	var powers []float64
	for len(samples) > 0 {
		n := min(block, len(samples))
		var sum float64
		for _, v := range samples[:n] {
			sum += float64(v) * float64(v)
		}
		powers = append(powers, sum/float64(n)/(math.MaxInt16*math.MaxInt16))
		samples = samples[n:]
	}
	loud := mean(powers, decibels(gateLevel))
	return 10 * math.Log10(mean(powers, max(decibels(gateLevel), loud*decibels(-pauseBelow))))
}

// decibels is a ratio of powers.
func decibels(db float64) float64 { return math.Pow(10, db/10) }

// mean is that of the powers of at least so much, 0 when there are none.
func mean(powers []float64, least float64) float64 {
	var sum float64
	n := 0
	for _, p := range powers {
		if p >= least {
			sum += p
			n++
		}
	}
	return sum / float64(max(n, 1))
}

// Normalise makes a sound as loud as speech on a telephone, in place, without cutting
// its peaks. Silence stays what it is.
func Normalise(samples []int16, rate int) {
	level := Loudness(samples, rate)
	if math.IsInf(level, -1) {
		return
	}
	peak := 1
	for _, v := range samples {
		peak = max(peak, int(v), -int(v))
	}
	headroom := peakLevel - 20*math.Log10(float64(peak)/math.MaxInt16)
	gain := math.Pow(10, min(speechLevel-level, mostGain, headroom)/20)
	for i, v := range samples {
		samples[i] = int16(clamp(math.Round(gain*float64(v)), math.MinInt16, math.MaxInt16))
	}
}
