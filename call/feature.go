package call

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"vpbx/media"
	"vpbx/pbx"
	"vpbx/routing"
)

// echoBound is the longest echo test.
const echoBound = 5 * time.Minute

// feature does what a feature code asks for. It always ends the call.
func (c *Call) feature(s routing.Feature) bool {
	switch s.Code {
	case routing.Echo:
		c.echo()
	case routing.AgentLogin, routing.AgentPause:
		c.agentCode(s)
	case routing.AgentLine:
		c.holdLine()
	case routing.OwnNumber:
		c.ownNumber()
	case routing.RecordPrompt:
		c.recordPrompt(s.Number)
	case routing.Mailbox:
		c.mailbox(s)
	case routing.Pickup:
		c.pickup(s)
	case routing.Retrieve:
		c.retrieve(s)
	case routing.DNDOn, routing.DNDOff:
		on := s.Code == routing.DNDOn
		c.setPhone(s, func(e *pbx.Extension) { e.SetDND(on) })
	case routing.ForwardTo, routing.ForwardOff:
		c.setPhone(s, func(e *pbx.Extension) { e.SetForward(s.Number) })
	default:
		c.log.Error("unknown feature code", "code", s.Code)
		c.end(pbx.NewCause(pbx.PartyPBX, pbx.Broken))
	}
	return true
}

// setPhone sets something of the calling extension.
func (c *Call) setPhone(s routing.Feature, change func(*pbx.Extension)) {
	c.set(s, done(s), c.m.prompts.confirmation(), func(ctx context.Context) error {
		return c.m.Extensions.UpdateExtension(ctx, c.company.ID, c.caller.number, change)
	})
}

// set saves what a feature code sets, and says by a tone that it has. did is what the
// record says of it.
func (c *Call) set(s routing.Feature, did string, tone *media.Prompt, save func(context.Context) error) {
	type saved struct{ err error }
	r, err := await(c, func(ctx context.Context) saved {
		ctx, cancel := context.WithTimeout(ctx, saveBound)
		defer cancel()
		return saved{save(ctx)}
	})
	if err != nil {
		return
	}
	if r.err != nil {
		c.log.Error("setting not saved", "code", s.Code, "extension", c.caller.number, "error", r.err)
		c.why("the setting could not be saved")
		c.end(pbx.NewCause(pbx.PartyPBX, pbx.Broken))
		return
	}
	c.why(did)
	if c.serve(s) != nil {
		return
	}
	if _, err := c.collect(collect{sounds: []sound{{"", tone}}}); err == nil {
		c.end(pbx.NewCause(pbx.PartyPBX, pbx.Hangup))
	}
}

// done tells what a feature code has done.
func done(s routing.Feature) string {
	switch s.Code {
	case routing.DNDOn:
		return "do not disturb on"
	case routing.DNDOff:
		return "do not disturb off"
	case routing.ForwardTo:
		return "forward on to " + s.Number
	}
	return "forward off"
}

// echo sends the caller back what it says, until it hangs up.
func (c *Call) echo() {
	if c.serve(routing.Feature{Code: routing.Echo}) != nil {
		return
	}
	c.bridge = media.Echo(c.caller.media)
	if c.pause(echoBound) == nil {
		c.end(pbx.NewCause(pbx.PartyPBX, pbx.TooLong))
	}
}

// serve answers the caller of a feature code. A phone without a known codec hears
// no tone, but its code is done all the same.
func (c *Call) serve(s routing.Feature) error {
	codecs := slices.Clone(c.codecs(nil))
	slices.SortStableFunc(codecs, func(a, b media.Codec) int { return cmp.Compare(order(a), order(b)) })
	if err := c.answerAlone(codecs); err != nil {
		c.why(fmt.Sprintf("%s could not be answered: %v", s.Code, err))
		return c.end(c.mediaCause(pbx.PartyCaller, err))
	}
	c.note(pbx.CallEvent{Kind: pbx.Served, Who: c.caller.who, Leg: c.caller.leg.ID, Text: string(s.Code)})
	return nil
}

// order puts first what we can speak, and what costs least of it.
func order(k media.Codec) int {
	for i, known := range spoken {
		if known.Audio() == k.Audio() {
			return i
		}
	}
	return len(spoken)
}

// confirmation is the tone that says "done".
func (p *prompts) confirmation() *media.Prompt {
	return p.made("done", media.ConfirmationPrompt)
}
