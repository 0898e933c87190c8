package audio

import (
	"math"
	"time"
)

// Melody is a row of plucked notes, for callers who wait.
type Melody struct {
	Notes     []float64     // hertz; 0 is a rest
	Step      time.Duration // from one note to the next
	Amplitude float64       // 0 to 1 of full scale
}

// pluck is how fast a note dies away.
const pluck = 180 * time.Millisecond

// PCM is the melody once at the given sample rate. A note sounds on under those
// after it, to the end of the melody.
func (m Melody) PCM(rate int) []int16 {
	pcm := make([]int16, len(m.Notes)*samplesIn(m.Step, rate))
	attack := float64(samplesIn(5*time.Millisecond, rate))
	decay := float64(samplesIn(pluck, rate))
	for n, freq := range m.Notes {
		if freq == 0 {
			continue
		}
		for i, at := 0, n*samplesIn(m.Step, rate); at < len(pcm); i, at = i+1, at+1 {
			level := m.Amplitude * math.Exp(-float64(i)/decay) * min(1, float64(i)/attack)
			if level < 1e-4 && i > int(attack) {
				break
			}
			v := level * math.MaxInt16 * math.Sin(2*math.Pi*freq*float64(i)/float64(rate))
			pcm[at] = clip(int64(pcm[at]) + int64(v))
		}
	}
	return pcm
}
