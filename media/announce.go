package media

import (
	"fmt"
	"math"
	"slices"

	"vpbx/media/audio"
)

// Bounds of Conference.Gain, in decibels.
const (
	leastGain = -40
	mostGain  = 20
)

// Gain makes a member louder or quieter for the others, by decibels from −40 to 20;
// what is beyond counts as these. 0 is as it comes. It does nothing for one that is
// not a member; a new role leaves it as it is. ErrNoCodec when members would have to
// be mixed for it who cannot be.
func (c *Conference) Gain(s *Session, decibels float64) error {
	c.e.bridging.Lock()
	defer c.e.bridging.Unlock()
	i := slices.IndexFunc(c.seats, func(x *seat) bool { return x.s == s })
	if i < 0 {
		return nil
	}
	if foreign(c.seats) {
		return fmt.Errorf("set gain in conference: %w", ErrNoCodec)
	}
	seats := slices.Clone(c.seats)
	x := *seats[i]
	x.gain = int32(math.Round(unity * math.Pow(10, min(max(decibels, leastGain), mostGain)/20)))
	seats[i] = &x
	c.seats = seats
	c.arrange()
	return nil
}

// Play lets everybody who is not Deaf hear a prompt once, over what is said, after
// those that were played before: a tone for one who joins or leaves, an
// announcement. It returns at once. Nothing is heard where nobody is there, or when eight
// wait. Even two are mixed meanwhile: ErrNoCodec when they cannot be. ErrClosed.
func (c *Conference) Play(p *Prompt) error {
	c.e.bridging.Lock()
	defer c.e.bridging.Unlock()
	switch {
	case c.closed:
		return fmt.Errorf("play in conference: %w", ErrClosed)
	case p == nil || p.frames() == 0 || len(c.seats) == 0:
		return nil
	case foreign(c.seats):
		return fmt.Errorf("play in conference: %w", ErrNoCodec)
	}
	c.plays = true
	c.arrange()
	if !c.mixer.play(p) {
		c.e.cfg.Log.Warn("prompt left out of conference", "waiting", maxPrompts)
	}
	return nil
}

// played lets two be a relay again. It is called by the mixer's goroutine, which
// must not wait for the owner's.
func (c *Conference) played() {
	c.e.wg.Go(func() {
		c.e.bridging.Lock()
		defer c.e.bridging.Unlock()
		c.plays = c.mixer != nil && c.mixer.plays()
		if len(c.seats) > 0 {
			c.arrange()
		}
	})
}

// SetTap makes t hear what is said by all together, and what is played, as frames of 20 ms of A-law;
// nil ends that. It hears no whisper and no gain of the listener. While there is a tap even two are mixed: ErrNoCodec
// when they cannot be. The frame that is just being mixed still goes to the former tap.
// Sequence numbers and timestamps go on as long as the tap is the same, the latter by the
// wall's clock where nothing was mixed.
func (c *Conference) SetTap(t Tap) error {
	c.e.bridging.Lock()
	defer c.e.bridging.Unlock()
	switch {
	case t == nil:
		c.tap = nil
	case foreign(c.seats):
		return fmt.Errorf("listen to conference: %w", ErrNoCodec)
	default:
		c.tap = &mixTap{to: t, down: audio.NewResampler(wideRate, promptRate)}
	}
	if c.mixer != nil {
		c.mixer.tap.Store(c.tap)
	}
	if len(c.seats) > 0 {
		c.arrange()
	}
	return nil
}
