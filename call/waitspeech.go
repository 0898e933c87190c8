package call

import (
	"context"
	"strconv"
	"strings"
	"time"

	"vpbx/media"
	"vpbx/pbx"
)

// speech is what a caller is told while it waits in a queue. An announcement is loaded
// beside the call, which takes an agent at once meanwhile.
type speech struct {
	say      time.Time     // the place is told next; zero: it is not
	offer    time.Time     // likewise, that one can be called back
	pending  []*pbx.Prompt // to be played one after the other
	loading  int           // number of the helper that loads the first of them, 0: none
	drop     func()        // gives that up
	speaking bool          // one is played
	mute     bool          // they cannot be made
}

// spokenPrompt is a prompt that was loaded beside the call.
type spokenPrompt struct {
	name string
	p    *media.Prompt
	err  error
}

// placeWords are what callers are told, by language.
var placeWords = map[string]struct{ position, wait string }{
	"ru": {"Ваш номер в очереди: {position}.", "Время ожидания: {minutes:count:минута|минуты|минут:f}."},
	"en": {"You are number {position} in the queue.", "The expected wait is {minutes:count:minute|minutes}."},
}

// announceTo begins to load what the caller is to be told, when it is time.
func (c *Call) announceTo(v *visit, now time.Time) {
	if v.speaking || v.loading != 0 || !c.caller.answered {
		return
	}
	due := func(at time.Time) bool { return !at.IsZero() && !now.Before(at) }
	values := map[string]string{}
	if len(v.pending) == 0 && due(v.say) {
		v.say = now.Add(v.g.Queue.Every)
		v.pending = c.placeOf(v, values)
	}
	if len(v.pending) == 0 && due(v.offer) {
		v.offer = now.Add(v.g.Queue.Every)
		if p := c.company.Prompts[v.g.Queue.Callback.Offer]; p != nil {
			v.pending = []*pbx.Prompt{p}
		}
	}
	if len(v.pending) == 0 {
		return
	}
	p := v.pending[0]
	v.pending = v.pending[1:]
	for name, value := range c.values() {
		values[name] = value
	}
	v.loading, v.drop = c.beside(func(ctx context.Context) any {
		sound, err := c.m.Library.Load(ctx, c.company, p, func(name string) (string, bool) { s, ok := values[name]; return s, ok })
		return spokenPrompt{p.Name, sound, err}
	})
}

// placeOf is what the caller is told of its place and of the time it has to expect.
func (c *Call) placeOf(v *visit, values map[string]string) []*pbx.Prompt {
	if v.mute {
		return nil
	}
	position := 0
	var wait time.Duration
	known := false
	c.m.desks.see(c.company.ID, func(k *desk) {
		position = k.position(v.w)
		wait, known = k.expects(k.queue(v.g), position)
	})
	words, q := placeWords[c.company.Language()], v.g.Queue
	var parts []string
	if q.Announce != pbx.AnnounceWait && position > 0 {
		parts = append(parts, words.position)
		values["position"] = strconv.Itoa(position)
	}
	if q.Announce != pbx.AnnouncePosition && known {
		parts = append(parts, words.wait)
		values["minutes"] = strconv.Itoa(max(1, int(wait.Round(time.Minute)/time.Minute)))
	}
	if len(parts) == 0 {
		return nil
	}
	return []*pbx.Prompt{{Name: "place in queue " + v.g.Number, Text: strings.Join(parts, " ")}}
}

// heard takes what happens while the caller waits.
func (c *Call) heard(v *visit, e any) {
	switch e := e.(type) {
	case result:
		if e.n != v.loading {
			return
		}
		v.loading = 0
		if s, ok := e.v.(spokenPrompt); ok {
			c.speak(v, s)
		}
	case media.PlayDone:
		if v.speaking {
			c.lullWaiting(v)
		}
	}
}

// speak plays an announcement. What cannot be made is not tried again in this call.
func (c *Call) speak(v *visit, s spokenPrompt) {
	if s.err != nil {
		c.log.Info("announcement of a queue not made", "prompt", s.name, "error", s.err)
		c.why("prompt " + s.name + " cannot be played" + reason(s.err))
		v.mute, v.offer = true, time.Time{}
		return
	}
	v.speaking = true
	c.note(pbx.CallEvent{Kind: pbx.Playing, Who: c.caller.who, Text: s.name})
	c.caller.media.Play(s.p, false)
}

// lullWaiting lets the caller hear what it hears while it waits.
func (c *Call) lullWaiting(v *visit) {
	v.speaking = false
	if c.music != nil {
		c.caller.media.Play(c.music, true)
		return
	}
	c.ringing()
}

// dropSpeech gives up an announcement that is being loaded.
func (c *Call) dropSpeech(v *visit) {
	if v.loading != 0 {
		v.drop()
		v.loading = 0
	}
}
