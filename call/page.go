package call

import (
	"fmt"
	"slices"
	"time"

	"vpbx/media"
	"vpbx/pbx"
	"vpbx/routing"
	"vpbx/sip"
)

const (
	pageAnswer = 10 * time.Second // a phone that has not answered by itself by then is left out
	pageBound  = 5 * time.Minute
)

// page lets the caller speak to many phones at once, which answer by themselves
// and are not heard. It returns true when the call is over.
func (c *Call) page(s routing.Page) bool {
	c.why("page to group " + s.Group)
	if err := c.answerAlone(spoken); err != nil {
		c.why(fmt.Sprintf("page not possible: %v", err))
		c.end(c.mediaCause(pbx.PartyCaller, err))
		return true
	}
	c.conference = c.m.Media.NewConference()
	if err := c.conference.Add(c.caller.media, media.Role{Deaf: true}); err != nil {
		c.end(c.mediaCause(pbx.PartyCaller, err))
		return true
	}
	c.auto = true
	for _, who := range s.Who {
		if who != c.caller.number {
			c.ringExtension(who)
		}
	}
	c.auto = false
	answer, bound := time.NewTimer(pageAnswer), time.Now().Add(pageBound)
	defer answer.Stop()
	for len(c.parties) > 0 {
		e, err := c.next(answer.C)
		if err != nil {
			return true
		}
		switch e := e.(type) {
		case expired:
			if !time.Now().Before(bound) {
				c.end(pbx.NewCause(pbx.PartyPBX, pbx.TooLong))
				return true
			}
			c.dropRinging()
			answer.Reset(time.Until(bound))
		case sip.PickedUp:
			c.paged(c.pickedUp(c.party(e.L), e))
		}
	}
	if c.paging() {
		c.failed = pbx.NewCause(pbx.PartyCallee, pbx.Hangup)
	}
	return false
}

// paging tells whether a phone has heard the page.
func (c *Call) paging() bool {
	return slices.ContainsFunc(c.trace, func(e pbx.CallEvent) bool { return e.Kind == pbx.Served })
}

// paged lets a phone hear the page.
func (c *Call) paged(p *party) {
	if p == nil {
		return
	}
	if err := c.conference.Add(p.media, media.Role{Mute: true}); err != nil {
		c.letGo(p, c.mediaCause(pbx.PartyCallee, err))
		return
	}
	if !c.paging() {
		c.note(pbx.CallEvent{Kind: pbx.Served, Who: c.caller.who, Leg: c.caller.leg.ID, Text: string(routing.PageAll)})
	}
}

// dropRinging leaves out the phones that did not answer.
func (c *Call) dropRinging() {
	for _, p := range slices.Clone(c.parties) {
		if !p.answered {
			p.waited = pageAnswer
			c.letGo(p, pbx.NewCause(pbx.PartyCallee, pbx.NoAnswer))
		}
	}
}
