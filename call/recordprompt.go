package call

import (
	"context"
	"errors"
	"fmt"
	"time"

	"vpbx/media"
	"vpbx/pbx"
	"vpbx/routing"
)

// maxTake is the longest sound that a phone records.
const maxTake = 5 * time.Minute

// recordPrompt lets the caller record the sound of a prompt that it may record. The call is
// over then.
func (c *Call) recordPrompt(name string) {
	if err := c.caller.media.Admit(media.Record); err != nil {
		c.end(c.mediaCause(pbx.PartyPBX, err))
		return
	}
	if err := c.answerAlone(spoken); err != nil {
		c.why(fmt.Sprintf("prompt %s cannot be recorded: %v", name, err))
		c.end(c.mediaCause(pbx.PartyCaller, err))
		return
	}
	c.note(pbx.CallEvent{Kind: pbx.Served, Who: c.caller.who, Leg: c.caller.leg.ID, Text: string(routing.RecordPrompt)})
	c.why("prompt " + name + " is to be recorded")
	x, number := &chooser{Call: c}, c.caller.number
	kept, err := x.take(take{
		what: "prompt", longest: maxTake, keys: "123", saved: "prompt " + name + " has a new sound, recorded by " + number,
		save: func(ctx context.Context, hash string) error { return c.savePrompt(ctx, name, number, hash) },
	})
	if !kept {
		c.why("prompt " + name + " stays what it was")
	}
	switch {
	case errors.Is(err, errFailed):
		cause := pbx.Broken
		if kind := pbx.KindOf(err); kind == pbx.Denied || kind == pbx.Conflict {
			cause = pbx.Forbidden // it was taken from the caller meanwhile
		}
		_ = c.noWay(pbx.NewCause(pbx.PartyPBX, cause)) // it is over, whatever is heard
		return
	case err != nil && !errors.Is(err, errDone):
		return
	case kept:
		if _, err := c.collect(collect{sounds: []sound{{p: c.m.prompts.confirmation()}}}); err != nil {
			return
		}
	}
	c.end(pbx.NewCause(pbx.PartyPBX, pbx.Hangup))
}

// savePrompt gives a prompt its sound and removes those that the company has no more, as an
// upload does. It runs beside the call.
func (c *Call) savePrompt(ctx context.Context, name, number, hash string) error {
	t := c.company.ID
	if err := c.m.Prompts.RecordSound(ctx, t, name, number, hash); err != nil {
		return err
	}
	if now := c.m.Directory().Company(t); now != nil {
		if err := c.m.Library.Sweep(now); err != nil {
			c.log.Warn("sounds that nobody has are still there", "error", err)
		}
	}
	return nil
}
