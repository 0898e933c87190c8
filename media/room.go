package media

import (
	"math"
	"sync/atomic"
	"time"

	"vpbx/media/audio"
)

// members is a set of members of a conference, by their place.
type members [(maxMembers + 63) / 64]uint64

func (m *members) add(n int)      { m[n/64] |= 1 << (n % 64) }
func (m *members) has(n int) bool { return m[n/64]&(1<<(n%64)) != 0 }

// extra is what a conference is beside the voices of its members.
type extra struct {
	tone atomic.Pointer[announcement]
	tap  atomic.Pointer[Tap]

	// What the mixer's goroutine owns.
	mix   [frameBytes]int16
	coded [frameBytes]byte
}

// announcement is a prompt that all hear.
type announcement struct {
	prompt *Prompt
	frame  int // the mixer's
}

// Play lets all members who hear anybody hear a prompt, once, with the voices. It
// takes the place of the one before. A pair that is only relayed hears nothing.
func (c *Conference) Play(p *Prompt) { c.tone.Store(&announcement{prompt: p}) }

// SetTap makes t hear what all hear together, as A-law; nil ends that.
func (c *Conference) SetTap(t Tap) {
	if t == nil {
		c.tap.Store(nil)
		return
	}
	c.tap.Store(&t)
}

// Speaking lists the members who are not silent now.
func (c *Conference) Speaking() []*Session {
	c.e.bridging.Lock()
	defer c.e.bridging.Unlock()
	var list []*Session
	for _, x := range c.seats {
		if x.ear != nil && !x.role.Mute && x.ear.speaks.Load() {
			list = append(list, x.s)
		}
	}
	return list
}

// next gives the next frame of the announcement, if there is one.
func (x *extra) next(pcm *[frameBytes]int16) bool {
	a := x.tone.Load()
	if a == nil {
		return false
	}
	if a.frame >= a.prompt.frames() {
		x.tone.CompareAndSwap(a, nil)
		return false
	}
	audio.DecodeALaw(pcm[:], a.prompt.frame(a.frame, audio.PCMA))
	a.frame++
	return true
}

// record gives the tap what all say.
func (m *mixer) record(places []place, tone bool, n uint32, at time.Time) {
	t := m.extra.tap.Load()
	if t == nil {
		return
	}
	x := m.extra
	clear(x.mix[:])
	for i := range places {
		if places[i].voiced && places[i].ear.loud {
			audio.Mix(x.mix[:], places[i].ear.frame[:])
		}
	}
	if tone {
		audio.Mix(x.mix[:], m.tone[:])
	}
	audio.EncodeALaw(x.coded[:], x.mix[:])
	(*t).RTP(audio.PCMA, uint16(n), n*frameBytes, false, x.coded[:], at)
}

// unity is a gain of 0 dB.
const unity = 256

func factor(db float64) int32 { return int32(math.Round(unity * math.Pow(10, db/20))) }

// amplify makes samples louder, or softer, and keeps them in their range.
func amplify(pcm []int16, gain int32) {
	for i, v := range pcm {
		pcm[i] = int16(min(max(int32(v)*gain/unity, math.MinInt16), math.MaxInt16))
	}
}

// The tones of conferences.
const (
	ToneArrival = iota
	ToneDeparture
	TonePIN
	ToneMuted
)

// ConferenceTone makes one of the tones of conferences.
func ConferenceTone(n int) *Prompt {
	const short, long = 120 * time.Millisecond, 240 * time.Millisecond
	c := audio.Cadence{Amplitude: 0.12, Pattern: []time.Duration{long, 0}}
	switch n {
	case ToneArrival:
		c.Freqs = []float64{1480}
	case ToneDeparture:
		c.Freqs = []float64{1210}
	case TonePIN:
		c.Freqs, c.Pattern = []float64{425}, []time.Duration{0, 2 * long, short, short, short, short, short, short}
	case ToneMuted:
		c.Freqs, c.Pattern = []float64{350}, []time.Duration{0, long, 2 * long, short}
	}
	return TonePrompt(c)
}
