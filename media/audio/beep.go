package audio

import "time"

// RecordingBeep is the tone by which those who talk know that they are recorded:
// 1400 Hz for 200 ms, at that rate of samples.
func RecordingBeep(rate int) []int16 {
	const length = 200 * time.Millisecond
	return Cadence{Freqs: []float64{1400}, Amplitude: 0.12, Pattern: []time.Duration{length}}.PCM(rate)
}
