package call

import (
	"context"
	"errors"
	"time"

	"vpbx/media"
	"vpbx/pbx"
	"vpbx/routing"
)

// errGone means that who has answered hung up before the two were joined.
var errGone = errors.New("the other party has gone")

// routed is a decision with the announcement that it may need.
type routed struct {
	d      routing.Decision
	notice *media.Prompt
}

// announcement loads the announcement of a company, nil when there is none or when
// it cannot be played. For await only: it may take as long as the speech engine.
func (c *Call) announcement(ctx context.Context) *media.Prompt {
	prompt := c.company.Prompts[c.company.Recordings.Announce]
	if prompt == nil {
		return nil
	}
	p, err := c.m.Library.Load(ctx, c.company, prompt, nil)
	if err != nil {
		c.log.Error("announcement of recordings not loaded", "prompt", prompt.Name, "error", err)
		return nil
	}
	return p
}

// recordAlso adds what a plan or another call says about recording.
func (c *Call) recordAlso(on bool, n pbx.Notice) {
	if on {
		c.decision.Record, c.decision.Notice = true, c.decision.Notice.With(n)
	}
}

// unannounced tells whether a recording would begin of which nobody was told, though
// the plan wants that.
func (c *Call) unannounced() bool {
	return c.decision.Record && c.decision.Notice.Announce && !c.tape.announced && c.recorder == nil
}

// silenced keeps a call from being recorded that cannot be announced: to record
// people who were to be told and were not is worse than no recording.
func (c *Call) silenced() bool {
	if !c.unannounced() || c.tape.notice != nil {
		return false
	}
	c.decision.Record = false
	const why = "the announcement cannot be played: the call is not recorded"
	c.why(why)
	c.note(pbx.CallEvent{Kind: pbx.RecordEnd, Recording: &pbx.Recording{Tenant: c.company.ID, Call: c.id, Error: why}})
	return true
}

// told lists who hears the announcement when the caller and p are to be recorded:
// who is outside, or else the caller.
func (c *Call) told(p *party) []*party {
	var list []*party
	for _, t := range []*party{c.caller, p} {
		if t.number == "" {
			list = append(list, t)
		}
	}
	if len(list) == 0 {
		return []*party{c.caller}
	}
	return list
}

// announce plays the announcement before the caller and p, who has answered, hear
// each other. An error means that p has gone or that the call is over.
func (c *Call) announce(p *party) error {
	if c.silenced() || !c.unannounced() {
		return nil
	}
	c.unbridge() // they may hear each other already, before the answer
	c.tape.telling = map[*media.Session]bool{}
	for _, t := range c.told(p) {
		c.tape.telling[t.media] = true
		c.sayAnnouncement(t)
	}
	defer func() { c.tape.telling = nil }()
	limit := time.NewTimer(c.tape.notice.Duration() + time.Second) // whoever is to hear it may have gone
	defer limit.Stop()
	for len(c.tape.telling) > 0 {
		e, err := c.next(limit.C)
		if err != nil {
			return err
		}
		if p.over {
			c.fail(pbx.NewCause(pbx.PartyCallee, pbx.Hangup))
			c.caller.media.StopPlay()
			c.tape.announced = false // whoever comes next waits for the whole of it
			return errGone
		}
		switch e := e.(type) {
		case expired:
			return nil
		case media.PlayDone:
			delete(c.tape.telling, e.S)
		}
	}
	return nil
}

// announcing tells whether a session is one whose announcement is waited for.
func (c *Call) announcing(s *media.Session) bool { return c.tape.telling[s] }

// sayAnnouncement begins the announcement for one party.
func (c *Call) sayAnnouncement(t *party) {
	c.tape.announced = true
	c.note(pbx.CallEvent{Kind: pbx.Playing, Who: t.who, Text: c.company.Recordings.Announce})
	t.media.Play(c.tape.notice, false)
	c.tape.busyUntil = time.Now().Add(c.tape.notice.Duration())
}
