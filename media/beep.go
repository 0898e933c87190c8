package media

import (
	"time"

	"vpbx/media/audio"
)

// PINPrompt asks for a PIN where there are no words for it: three short tones,
// after a silence in which a phone opens its ear.
func PINPrompt() *Prompt {
	const short, pause = 120 * time.Millisecond, 400 * time.Millisecond
	return TonePrompt(audio.Cadence{Freqs: []float64{425}, Amplitude: 0.12,
		Pattern: []time.Duration{0, pause, short, short, short, short, short, short}})
}

// MutedPrompt tells a member of a conference that the others do not hear it.
func MutedPrompt() *Prompt {
	const short, pause = 120 * time.Millisecond, 400 * time.Millisecond
	return TonePrompt(audio.Cadence{Freqs: []float64{350}, Amplitude: 0.12,
		Pattern: []time.Duration{0, short, pause, short}})
}
