package media

import (
	"fmt"
	"io"
	"time"

	"vpbx/media/audio"
)

const (
	promptRate = 8000
	frameBytes = 160 // of G.711, 20 ms
	// maxPrompt bounds what one prompt keeps in memory, about 10 MB.
	maxPrompt = 10 * time.Minute
)

// Prompt is sound that has been encoded once and may be played to any number of
// sessions at once. It is never changed.
type Prompt struct {
	alaw, ulaw []byte // whole frames
}

// LoadWAV makes a prompt of a WAV file (PCM16, A-law or µ-law, mono or stereo, 8
// to 48 kHz). Errors: audio.ErrNotWAV, audio.ErrTooLong above ten minutes.
func LoadWAV(r io.Reader) (*Prompt, error) {
	pcm, err := audio.ReadWAV(r, audio.Limits{Length: maxPrompt})
	if err != nil {
		return nil, fmt.Errorf("load prompt: %w", err)
	}
	if len(pcm.Samples) == 0 {
		return nil, fmt.Errorf("load prompt: %w: it is empty", audio.ErrNotWAV)
	}
	return newPrompt(audio.Resample(pcm.Samples, pcm.Rate, promptRate)), nil
}

// TonePrompt makes a prompt of one period of a tone, to be played in a loop.
func TonePrompt(c audio.Cadence) *Prompt {
	return newPrompt(c.PCM(promptRate))
}

// newPrompt encodes samples, the last frame filled up with silence.
func newPrompt(pcm []int16) *Prompt {
	frames := (len(pcm) + frameBytes - 1) / frameBytes
	full := make([]int16, frames*frameBytes)
	copy(full, pcm)
	p := &Prompt{alaw: make([]byte, len(full)), ulaw: make([]byte, len(full))}
	audio.EncodeALaw(p.alaw, full)
	audio.EncodeULaw(p.ulaw, full)
	return p
}

// Duration is how long one playing takes.
func (p *Prompt) Duration() time.Duration {
	return time.Duration(p.frames()) * frameTime
}

func (p *Prompt) frames() int { return len(p.alaw) / frameBytes }

// frame is the n-th frame coded for c, nil for one that it has not been coded for.
func (p *Prompt) frame(n int, c audio.Codec) []byte {
	switch c {
	case audio.PCMA:
		return p.alaw[n*frameBytes:][:frameBytes]
	case audio.PCMU:
		return p.ulaw[n*frameBytes:][:frameBytes]
	}
	return nil
}

// RingbackPrompt is the ringing tone that callers of a country know, by its ISO
// 3166 code, for callers who were answered before somebody rings.
func RingbackPrompt(country string) *Prompt {
	return TonePrompt(audio.Ringback(country))
}

// RecordingBeepPrompt is the tone by which those who talk know that they are recorded.
func RecordingBeepPrompt() *Prompt { return newPrompt(audio.RecordingBeep(promptRate)) }

// ConfirmationPrompt is the tone that says "done": two short ones, after a
// silence in which a phone opens its ear.
func ConfirmationPrompt() *Prompt {
	const short = 150 * time.Millisecond
	return TonePrompt(audio.Cadence{Freqs: []float64{425}, Amplitude: 0.15,
		Pattern: []time.Duration{0, 2 * short, short, short, short, 2 * short}})
}

// HoldPrompt is a quiet melody of our own for somebody who waits, to be played in
// a loop. Making it takes some milliseconds: keep it.
func HoldPrompt() *Prompt {
	const c, d, e, g, a, high, rest = 261.63, 293.66, 329.63, 392.00, 440.00, 523.25, 0
	return newPrompt(audio.Melody{Amplitude: 0.12, Step: 400 * time.Millisecond, Notes: []float64{
		c, e, g, a, g, e, d, rest, d, g, a, high, a, g, e, rest,
		a, g, e, d, e, g, a, rest, g, e, d, c, c, rest, rest, rest,
	}}.PCM(promptRate))
}
