package media

import (
	"time"

	"vpbx/media/audio"
)

// Beep is one of the tones of a conference.
type Beep int

// The tones of conferences: somebody came, somebody went, the PIN is to be
// pressed, the others do not hear you.
const (
	BeepArrival Beep = iota
	BeepDeparture
	BeepPIN
	BeepMuted
	Beeps // so many there are
)

// BeepPrompt makes a tone, to be played once.
func BeepPrompt(b Beep) *Prompt {
	const short, long = 120 * time.Millisecond, 400 * time.Millisecond
	c := audio.Cadence{Amplitude: 0.12}
	switch b {
	case BeepArrival:
		c.Freqs, c.Pattern = []float64{1480}, []time.Duration{long}
	case BeepDeparture:
		c.Freqs, c.Pattern = []float64{1210}, []time.Duration{long}
	case BeepPIN: // behind a silence in which a phone opens its ear
		c.Freqs, c.Pattern = []float64{425}, []time.Duration{0, long, short, short, short, short, short, short}
	default:
		c.Freqs, c.Pattern = []float64{350}, []time.Duration{0, short, long, short}
	}
	return TonePrompt(c)
}
