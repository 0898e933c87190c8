package media

import (
	"fmt"
	"time"

	"vpbx/media/audio"
)

const (
	promptRate = 8000
	frameBytes = 160 // of G.711 and G.722, 20 ms
	wideRate   = 16000
	wideFrame  = 320 // samples of it, 20 ms
	// maxPrompt bounds what one prompt keeps in memory, about 30 MB.
	maxPrompt = 10 * time.Minute
)

// Prompt is sound that has been encoded once and may be played to any number of
// sessions at once. It is never changed.
type Prompt struct {
	alaw, ulaw []byte  // whole frames
	wide       []int16 // at 16 kHz, as many frames; nil for sound that is not wideband
}

// NewPrompt makes a prompt of mono sound of 8 to 48 kHz. Of 16 kHz and above it is
// kept as wideband too, for peers that can hear it. Errors: audio.ErrNotWAV for no sound
// or another rate, audio.ErrTooLong above ten minutes.
func NewPrompt(samples []int16, rate int) (*Prompt, error) {
	switch {
	case len(samples) == 0:
		return nil, fmt.Errorf("make prompt: %w: it is empty", audio.ErrNotWAV)
	case rate < promptRate || rate > 48000:
		return nil, fmt.Errorf("make prompt: %w: %d samples a second", audio.ErrNotWAV, rate)
	case int64(len(samples)) > int64(maxPrompt/time.Second)*int64(rate):
		return nil, fmt.Errorf("make prompt: %w: over %v", audio.ErrTooLong, maxPrompt)
	}
	p := newPrompt(audio.Resample(samples, rate, promptRate))
	if rate >= wideRate {
		p.wide = make([]int16, 2*len(p.alaw))
		copy(p.wide, audio.Resample(samples, rate, wideRate))
	}
	return p, nil
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

// Bytes is what it takes in memory.
func (p *Prompt) Bytes() int64 { return int64(len(p.alaw) + len(p.ulaw) + 2*len(p.wide)) }

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

// promptReader gives the frames of prompts one after the other. It belongs to one
// goroutine.
type promptReader struct {
	up  *audio.Resampler
	pcm [wideFrame]int16
	low [frameBytes]int16
}

// read is the n-th frame at 8 or 16 kHz, until the next call.
func (r *promptReader) read(p *Prompt, n, rate int) []int16 {
	if rate == wideRate && p.wide != nil {
		return p.wide[n*wideFrame:][:wideFrame]
	}
	low := r.low[:]
	audio.DecodeALaw(low, p.frame(n, audio.PCMA))
	if rate == promptRate {
		return low
	}
	if r.up == nil {
		r.up = audio.NewResampler(promptRate, wideRate)
	}
	r.up.Resample(r.pcm[:], low)
	return r.pcm[:]
}

// rate is that of the sound it keeps.
func (p *Prompt) rate() int {
	if p.wide != nil {
		return wideRate
	}
	return promptRate
}

// ProgressPrompt is a call progress tone that callers of a country know, by its ISO
// 3166 code, for callers who were answered; to be played in a loop.
func ProgressPrompt(t audio.Progress, country string) *Prompt {
	return newPrompt(audio.ProgressTone(t, country, promptRate))
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

// JoinPrompt and LeavePrompt are what a conference plays when somebody comes or goes:
// two short notes, upwards and downwards, by the second of which they are told apart.
func JoinPrompt() *Prompt { return notes(1174.66, 1567.98) }

// LeavePrompt is described at JoinPrompt.
func LeavePrompt() *Prompt { return notes(1174.66, 987.77) }

func notes(list ...float64) *Prompt {
	return newPrompt(audio.Melody{Amplitude: 0.15, Step: 150 * time.Millisecond, Notes: append(list, 0)}.PCM(promptRate))
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
