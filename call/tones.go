package call

import (
	"context"
	"time"

	"vpbx/media"
	"vpbx/media/audio"
	"vpbx/pbx"
	"vpbx/routing"
)

// sendOff is how long a caller hears that there is no way on before it is hung up on.
const sendOff = 4 * time.Second

// noWay ends a call whose caller was answered and can be brought no further. The caller
// hears the tone of its country for that; the record says that the call was over before.
// Who has just heard an announcement knows already.
func (c *Call) noWay(cause pbx.Cause) error {
	err := c.end(cause)
	p := c.caller
	if c.spoke || p.leg == nil || p.over || !p.answered || p.media == nil || cause.Reason == pbx.Hangup || cause.Reason == pbx.ShuttingDown {
		return err
	}
	c.part()
	c.unbridge()
	p.media.Play(c.m.prompts.tone(c.company.Country, toneFor(cause)), true)
	_ = c.pause(sendOff) // or until the caller hangs up
	return err
}

// toneFor is the tone that says why (ITU-T E.180).
func toneFor(cause pbx.Cause) audio.Progress {
	switch cause.Reason {
	case pbx.Busy, pbx.Declined, pbx.NoAnswer:
		return audio.Busy
	case pbx.UnknownNumber:
		return audio.Unobtainable
	}
	return audio.Congestion
}

// hold is what somebody hears who waits: the music of the company, or while there is
// none the melody of the PBX.
func (c *Call) hold() *media.Prompt {
	if p := c.m.Library.Ready(c.company, pbx.DefaultMusic); p != nil {
		return p
	}
	return c.m.prompts.hold()
}

// lull lets the other side of a phone that holds hear the company's music, where it has
// some: what the phone itself sends is then not heard.
func (c *Call) lull(p *party) {
	if c.company.Music[pbx.DefaultMusic] == nil || c.peer == nil || c.parted || c.holder != nil || p != c.caller && p != c.peer {
		return
	}
	if o := c.other(p); !o.held {
		c.lulled = o
		o.media.Play(c.hold(), true)
	}
}

// wake ends what lull began.
func (c *Call) wake() {
	if c.lulled != nil {
		c.lulled.media.StopPlay()
		c.lulled = nil
	}
}

// entertain answers the caller and plays music of the company until somebody joins it.
// An error means that the call is over; without music the caller hears that it rings.
func (c *Call) entertain(name string) error {
	p, err := c.musicNamed(name)
	if err != nil || p == nil {
		return err
	}
	if err := c.answerAlone(spoken); err != nil {
		c.why("music " + name + " cannot be played: " + err.Error())
		return nil
	}
	c.music = p
	c.note(pbx.CallEvent{Kind: pbx.Playing, Who: c.caller.who, Text: "music " + name})
	c.caller.media.Play(p, true)
	return nil
}

// musicNamed loads music of the company, nil with a reason when it cannot be played.
func (c *Call) musicNamed(name string) (*media.Prompt, error) {
	if name == pbx.DefaultMusic && c.company.Music[name] == nil {
		return c.m.prompts.hold(), nil
	}
	type loaded struct {
		p   *media.Prompt
		err error
	}
	l, err := await(c, func(ctx context.Context) loaded {
		p, err := c.m.Library.Music(ctx, c.company, name)
		return loaded{p, err}
	})
	if err != nil {
		return nil, err
	}
	if l.p == nil {
		c.log.Error("music not loaded", "music", name, "error", l.err)
		c.why("music " + name + " cannot be played" + reason(l.err))
	}
	return l.p, nil
}

// quiet ends the music of a step that nobody has answered.
func (c *Call) quiet() {
	if c.music == nil {
		return
	}
	c.music = nil
	if c.peer == nil && !c.caller.over {
		c.caller.media.StopPlay()
	}
}

// ownNumber says its number to an extension.
func (c *Call) ownNumber() {
	text := "Your number is {extension:digits}."
	if c.company.Language() == "ru" {
		text = "Ваш номер: {extension:digits}."
	}
	p, err := c.sound(&pbx.Prompt{Name: string(routing.OwnNumber), Text: text})
	switch {
	case err != nil:
		return
	case p == nil:
		c.end(pbx.NewCause(pbx.PartyPBX, pbx.NoRoute))
		return
	case c.serve(routing.Feature{Code: routing.OwnNumber}) != nil:
		return
	}
	if _, err := c.collect(collect{sounds: []sound{{string(routing.OwnNumber), p}}}); err == nil {
		c.end(pbx.NewCause(pbx.PartyPBX, pbx.Hangup))
	}
}
