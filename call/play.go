package call

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"vpbx/media"
	"vpbx/media/audio"
	"vpbx/pbx"
	"vpbx/routing"
)

// sound is a prompt that can be played.
type sound struct {
	name string // for the trace; "" for a tone
	p    *media.Prompt
}

// play answers the caller and plays prompts to the end, or until the caller presses a
// key where the step allows that. A prompt that cannot be played is left out. It
// returns true when the call is over.
func (c *Call) play(s routing.Play) bool {
	var list []sound
	for _, p := range s.Prompts {
		loaded, err := c.sound(p)
		if err != nil {
			return true
		}
		if loaded != nil {
			list = append(list, sound{p.Name, loaded})
		}
	}
	if len(list) == 0 {
		return false
	}
	if err := c.answerAlone(spoken); err != nil {
		c.why(fmt.Sprintf("prompt %s cannot be played: %v", list[0].name, err))
		return false
	}
	if _, err := c.collect(collect{sounds: list, interrupt: s.Interrupt}); err != nil {
		return true
	}
	c.spoke = true
	c.failed = pbx.NewCause(pbx.PartyPBX, pbx.Hangup) // nothing more to say
	return false
}

// sound gives a prompt of the company for playing, nil with a reason in the record when
// it cannot be played. An error means that the call is over.
func (c *Call) sound(p *pbx.Prompt) (*media.Prompt, error) {
	type loaded struct {
		p   *media.Prompt
		err error
	}
	values := c.values()
	l, err := await(c, func(ctx context.Context) loaded {
		p, err := c.m.Library.Load(ctx, c.company, p, func(name string) (string, bool) { v, ok := values[name]; return v, ok })
		return loaded{p, err}
	})
	if err != nil {
		return nil, err
	}
	if l.err != nil {
		c.log.Warn("prompt not loaded", "prompt", p.Name, "error", l.err)
		c.why("prompt " + p.Name + " cannot be played" + reason(l.err))
		return nil, nil
	}
	return l.p, nil
}

// reason is what the record says about an error of a prompt.
func reason(err error) string {
	if e, ok := errors.AsType[*pbx.Error](err); ok && e.Msg != "" {
		return ": " + e.Msg
	}
	return ""
}

// values are what texts may say of the call. What came with it goes first.
func (c *Call) values() map[string]string {
	now := time.Now()
	if zone, err := time.LoadLocation(c.company.Zone); err == nil {
		now = now.In(zone)
	}
	values := map[string]string{
		"date": now.Format(time.DateOnly), "time": now.Format("15:04"), "company": c.company.Name,
		"number": c.caller.who, "extension": c.caller.number, "dialled": c.dialled, "name": c.shown().Name,
	}
	if c.decision.To != "" {
		values["dialled"] = c.decision.To
	}
	if c.campaign != nil {
		delete(values, "name") // the caller is the company; the target's comes with the call
	}
	for name, v := range values {
		if v == "" || v == pbx.Anonymous {
			delete(values, name)
		}
	}
	for name, v := range c.variables {
		values[name] = v
	}
	return values
}

// answerAlone answers the caller with one of the codecs, with nobody on the
// other side.
func (c *Call) answerAlone(codecs []media.Codec) error {
	s := c.caller.media
	agreed := s.Codec()
	if agreed.Name != "" && !slices.ContainsFunc(codecs, func(k media.Codec) bool { return strings.EqualFold(k.Name, agreed.Name) }) {
		return media.ErrNoCodec
	}
	if c.caller.answered {
		return nil
	}
	var sdp []byte
	var err error
	switch {
	case agreed.Name != "":
		sdp = s.LocalSDP() // the caller has heard early sound
	case c.caller.leg.SDP == nil:
		sdp, err = s.Offer(codecs)
	default:
		sdp, err = s.Answer(codecs)
	}
	if err != nil {
		return fmt.Errorf("agree on a codec: %w", err)
	}
	c.answerCaller(sdp)
	return nil
}

// prompts keeps the tones of the PBX itself, each made when it is wanted first.
type prompts struct {
	mu    sync.Mutex
	tones map[any]*media.Prompt // by what it says
}

// made is a tone of the PBX, which make makes the first time.
func (p *prompts) made(says any, make func() *media.Prompt) *media.Prompt {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.tones == nil {
		p.tones = map[any]*media.Prompt{}
	}
	if p.tones[says] == nil {
		p.tones[says] = make()
	}
	return p.tones[says]
}

// ringback is the ringing tone of a country.
func (p *prompts) ringback(country string) *media.Prompt { return p.tone(country, audio.Ringing) }

// tone is a call progress tone of a country.
func (p *prompts) tone(country string, t audio.Progress) *media.Prompt {
	type progress struct {
		country string
		tone    audio.Progress
	}
	return p.made(progress{country, t}, func() *media.Prompt { return media.ProgressPrompt(t, country) })
}
