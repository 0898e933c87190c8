package call

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"vpbx/media"
	"vpbx/pbx"
	"vpbx/routing"
)

// play answers the caller and plays a prompt to the end. It returns true when
// the call is over.
func (c *Call) play(s routing.Play) bool {
	type loaded struct {
		p   *media.Prompt
		err error
	}
	l, err := await(c, func(context.Context) loaded {
		p, err := c.m.prompts.load(s.Prompt.File)
		return loaded{p, err}
	})
	if err != nil {
		return true
	}
	if l.err != nil {
		c.log.Error("prompt not loaded", "prompt", s.Prompt.Name, "error", l.err)
		c.why("prompt " + s.Prompt.Name + " cannot be played")
		return false
	}
	if err := c.answerAlone(spoken); err != nil {
		c.why(fmt.Sprintf("prompt %s cannot be played: %v", s.Prompt.Name, err))
		return false
	}
	c.note(pbx.CallEvent{Kind: pbx.Playing, Who: c.caller.who, Text: s.Prompt.Name})
	c.caller.media.Play(l.p, false)
	for {
		e, err := c.next(nil)
		if err != nil {
			return true
		}
		if _, ok := e.(media.PlayDone); ok {
			c.failed = pbx.NewCause(pbx.PartyPBX, pbx.Hangup) // nothing more to say
			return false
		}
	}
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

// maxPrompts bounds the cache; it holds megabytes at most.
const maxPrompts = 256

// prompts caches sounds by file and age: a changed file is a new sound, and
// calls that play the old one go on with it.
type prompts struct {
	mu    sync.Mutex
	files map[promptKey]*media.Prompt
	tones map[string]*media.Prompt
	done  *media.Prompt

	waiting *media.Prompt
	beep    *media.Prompt
}

type promptKey struct {
	file string
	mod  time.Time
	size int64
}

func (p *prompts) load(file string) (*media.Prompt, error) {
	st, err := os.Stat(file)
	if err != nil {
		return nil, fmt.Errorf("find prompt: %w", err)
	}
	key := promptKey{file, st.ModTime(), st.Size()}
	p.mu.Lock()
	have := p.files[key]
	p.mu.Unlock()
	if have != nil {
		return have, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("open prompt: %w", err)
	}
	defer f.Close()
	loaded, err := media.LoadWAV(f)
	if err != nil {
		return nil, fmt.Errorf("read prompt %s: %w", file, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.files == nil || len(p.files) >= maxPrompts {
		p.files = make(map[promptKey]*media.Prompt)
	}
	p.files[key] = loaded
	return loaded, nil
}

// ringback is the ringing tone of a country.
func (p *prompts) ringback(country string) *media.Prompt {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.tones == nil {
		p.tones = make(map[string]*media.Prompt)
	}
	if p.tones[country] == nil {
		p.tones[country] = media.RingbackPrompt(country)
	}
	return p.tones[country]
}
