package call

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"vpbx/media"
	"vpbx/pbx"
	"vpbx/routing"
	"vpbx/sip"
)

// ring rings extensions, all at once or one after the other, and joins the
// first who answers with the caller. It returns true when the call is over.
func (c *Call) ring(s routing.Ring) bool {
	if s.Why != "" {
		c.note(pbx.CallEvent{Kind: pbx.Noted, To: s.Group, Why: []string{s.Why}})
	}
	if s.Music != "" {
		if c.entertain(s.Music) != nil {
			return true
		}
		defer c.quiet()
	}
	if c.auto = s.Auto; s.Auto {
		defer func() { c.auto = false }()
		return c.ringAll(s.Who, s.For)
	}
	if s.Group == "" && len(s.Who) == 1 && c.into == nil {
		return c.ringOne(s)
	}
	who := c.ordered(s.Group, s.Who)
	if !s.Linear {
		return c.ringAll(who, s.For)
	}
	for _, who := range who {
		if c.ringAll([]string{who}, s.For) {
			return true
		}
	}
	return false
}

// ringAll rings every phone of every extension of who.
func (c *Call) ringAll(who []string, d time.Duration) bool {
	for _, number := range who {
		c.ringExtension(number)
	}
	return c.race(d)
}

// ringExtension sends an INVITE to each phone that is registered for number.
func (c *Call) ringExtension(number string) {
	ext := c.company.Extensions[number]
	if ext == nil {
		c.pass(number, pbx.NewCause(pbx.PartyPBX, pbx.UnknownNumber), number+" is not an extension")
		return
	}
	if ext.DND() {
		c.fail(pbx.NewCause(pbx.PartyCallee, pbx.Busy))
		c.why(number + " does not want to be disturbed")
		return
	}
	targets := c.m.SIP.Targets(c.company.ID, number)
	if len(targets) == 0 {
		c.pass(number, pbx.NewCause(pbx.PartyCallee, pbx.Unregistered), number+" is not registered")
		return
	}
	most := c.company.CallsAtOnce(ext)
	key, ok := c.use("ext", number, most)
	if !ok {
		c.pass(number, pbx.NewCause(pbx.PartyCallee, pbx.Busy), fmt.Sprintf("%s has %d calls already", number, most))
		return
	}
	codecs := c.codecs(ext.Codecs)
	dialled := 0
	for _, t := range targets {
		p := &party{who: number, number: number}
		if err := c.invite(p, t, c.shown(), codecs); err != nil {
			c.pass(number, c.mediaCause(pbx.PartyCallee, err), fmt.Sprintf("%s could not be called: %v", number, err))
			continue
		}
		if dialled++; dialled == 1 {
			p.usage = key
		}
	}
	if dialled == 0 {
		c.release(key)
	}
}

// shown is what a phone of the company displays of the caller.
func (c *Call) shown() sip.Party {
	from := sip.Party{User: c.caller.who, Name: c.caller.name}
	if ext := c.company.Extensions[c.caller.number]; ext != nil {
		from.Name = ext.Name
	}
	if n := c.decision.Contact.Name; n != "" {
		from.Name = n
	}
	if l := c.caller.leg; l != nil && l.Claims.Private {
		return sip.Party{User: pbx.Anonymous}
	}
	return from
}

// race waits until one of those who were dialled answers, all have failed, or
// the time is over; then it joins the winner with the caller until the end.
func (c *Call) race(d time.Duration) bool {
	if len(c.parties) == 0 {
		return false
	}
	p, err := c.first(d)
	if err != nil {
		return true
	}
	if p == nil {
		return false
	}
	c.dropOthers(p)
	if c.into != nil && c.guest == nil && !c.into.entered {
		return c.bring(p)
	}
	if err := c.join(p); err != nil {
		return c.cause.Reason != ""
	}
	return c.talk()
}

// first gives the party who answered first, nil when nobody did.
func (c *Call) first(d time.Duration) (*party, error) {
	d = c.campaign.within(d)
	timer := time.NewTimer(d)
	defer timer.Stop()
	defer c.close()
	for len(c.parties) > 0 {
		c.letPickUp()
		e, err := c.next(timer.C)
		if err != nil {
			return nil, err
		}
		switch e := e.(type) {
		case adopt:
			if p := c.taken(e); p != nil {
				return p, nil
			}
		case expired:
			c.dropUnanswered(d)
		case sip.Rang:
			c.rang(c.party(e.L), e)
			if ring := c.campaign.begins(e); ring > 0 {
				d = ring
				timer.Reset(d)
			}
		case sip.PickedUp:
			if p := c.pickedUp(c.party(e.L), e); p != nil {
				return p, nil
			}
		case sip.LegEnded:
			c.declined(e)
		}
	}
	return nil, nil
}

// rang passes on that a phone rings, and its early sound when it is the only
// one that was dialled (RFC 3960 §3.1: sound of several forks cannot be mixed
// up without harm, the caller hears its own ringing then).
func (c *Call) rang(p *party, e sip.Rang) {
	if p == c.caller {
		return
	}
	p.alerted = p.alerted || e.Code == 180
	c.note(pbx.CallEvent{Kind: pbx.Ringing, Who: p.who, Leg: p.leg.ID})
	c.progress(e.Code)
	if c.into != nil {
		c.into.progress(e.Code)
	}
	if c.caller.leg == nil {
		return // it is the caller's own phone that rings (click-to-call)
	}
	if e.SDP != nil && len(c.parties) == 1 && c.music == nil && c.search == nil && c.earlySound(p, e) {
		return
	}
	c.ringing()
}

// ringing lets the caller know that somebody rings.
func (c *Call) ringing() {
	if c.early != nil || c.music != nil {
		return // it hears the other side already, or music
	}
	if c.caller.answered {
		c.caller.media.Play(c.m.prompts.ringback(c.company.Country), true)
		return
	}
	c.caller.leg.Ring(180, nil)
	c.reached()
}

// reached notes, once, how long it took until the caller heard something.
func (c *Call) reached() {
	if !c.signaled {
		c.signaled = true
		c.m.metrics.setup.Observe(time.Since(c.arrived).Seconds())
	}
}

// earlySound joins p's sound before the answer with the caller.
func (c *Call) earlySound(p *party, e sip.Rang) bool {
	if err := p.media.SetAnswer(e.SDP); err != nil {
		c.log.Info("early answer of no use", "party", p.who, "error", err)
		return false
	}
	if c.early == p {
		return true
	}
	sdp, err := c.answerFor(p)
	if err != nil {
		return false
	}
	if !c.caller.answered {
		c.caller.leg.Ring(183, sdp)
	}
	c.reached()
	c.caller.media.StopPlay()
	c.bridge = media.Join(c.caller.media, p.media)
	c.early = p
	c.note(pbx.CallEvent{Kind: pbx.EarlyMedia, Who: p.who, Leg: p.leg.ID})
	return true
}

// answerFor makes the SDP for the caller that goes with what p has agreed to;
// the one that the caller has already where there is one.
func (c *Call) answerFor(p *party) ([]byte, error) {
	s, fit := c.caller.media, convertible(p.media.Codec())
	if agreed := s.Codec(); agreed.Name != "" {
		if !slices.ContainsFunc(fit, func(k media.Codec) bool { return strings.EqualFold(k.Name, agreed.Name) }) {
			return nil, media.ErrNoCodec
		}
		return s.LocalSDP(), nil
	}
	if c.caller.leg.SDP == nil {
		return s.Offer(fit)
	}
	return s.Answer(fit)
}

// pickedUp takes p's answer. It gives p when it can be joined with the caller.
func (c *Call) pickedUp(p *party, e sip.PickedUp) *party {
	if p == c.caller {
		return nil
	}
	p.alerted = true // whatever its answer is worth, it is not rung over another trunk
	if e.SDP != nil {
		if err := p.media.SetAnswer(e.SDP); err != nil {
			c.letGo(p, c.mediaCause(pbx.PartyCallee, err))
			return nil
		}
	}
	if p.media.Codec().Name == "" {
		c.letGo(p, pbx.NewCause(pbx.PartyCallee, pbx.NoCodec))
		return nil
	}
	p.answered = true
	c.m.answered(p.grant, p.leg)
	p.media.Expect()
	c.note(pbx.CallEvent{Kind: pbx.Answered, Who: p.who, Leg: p.leg.ID, Codec: p.media.Codec().Name})
	return p
}

// dropUnanswered gives up on all who still ring after d. A trunk that has said nothing in
// that time, not even a 100, has not called anybody.
func (c *Call) dropUnanswered(d time.Duration) {
	for _, p := range slices.Clone(c.parties) {
		cause := pbx.NewCause(pbx.PartyCallee, pbx.NoAnswer)
		if p.trunk != "" && p.leg != nil && !p.leg.Replied() {
			cause = pbx.NewCause(pbx.PartyTrunk, pbx.NoReply)
		}
		p.waited = d
		c.letGo(p, cause)
	}
}

// dropOthers stops the phones of all who were not first.
func (c *Call) dropOthers(winner *party) {
	for _, p := range slices.Clone(c.parties) {
		if p != winner {
			c.letGo(p, pbx.NewCause(pbx.PartyCallee, pbx.Elsewhere))
		}
	}
}

// declined stops the other phones of an extension whose owner has declined on
// one of them (RFC 3261 §21.6.2).
func (c *Call) declined(e sip.LegEnded) {
	if e.Cause.Reason != pbx.Declined {
		return
	}
	ext := c.extensionOf(e.L)
	for _, p := range slices.Clone(c.parties) {
		if ext != "" && p.number == ext {
			c.letGo(p, e.Cause)
		}
	}
}

// extensionOf tells from the trace which extension a leg that is over was
// dialled for.
func (c *Call) extensionOf(l *sip.Leg) string {
	for _, e := range c.trace {
		if e.Kind == pbx.Dialled && e.Leg == l.ID && e.Trunk == "" {
			return e.Who
		}
	}
	return ""
}

// join connects p, who has answered, with the caller, and answers the caller.
// An error means that p was let go or that the call is over.
func (c *Call) join(p *party) error {
	sdp, err := c.answerFor(p)
	if err != nil {
		c.letGo(p, c.mediaCause(pbx.PartyCallee, err))
		c.fail(pbx.NewCause(pbx.PartyCallee, pbx.NoCodec))
		return errors.New("no common codec")
	}
	c.answerCaller(sdp)
	c.caller.media.StopPlay()
	c.music, c.typed = nil, nil
	if err := c.announce(p); err != nil {
		return err
	}
	if c.early != p || c.conference != nil {
		c.unbridge()
		c.connect(p)
	}
	c.early = nil
	c.joined(p)
	return nil
}

// joined notes that p hears the caller from now on.
func (c *Call) joined(p *party) {
	c.peer, c.parted = p, false
	c.note(pbx.CallEvent{Kind: pbx.Bridged, Who: p.who, Leg: p.leg.ID})
	c.talks(p)
	c.startRecording()
	c.caller.media.Settled()
	c.transferred(p.who)
	c.reachedBack()
	c.campaign.inTime()
}

// answerCaller sends the caller our 200, once.
func (c *Call) answerCaller(sdp []byte) {
	if c.caller.answered {
		return
	}
	c.caller.leg.Answer(sdp)
	c.caller.answered = true
	c.reached()
	c.caller.media.Expect()
	c.note(pbx.CallEvent{Kind: pbx.Answered, Who: c.caller.who, Leg: c.caller.leg.ID, Codec: c.caller.media.Codec().Name})
}

// talk is the time in which the two hear each other. It ends with the call or
// when one of them is sent on.
func (c *Call) talk() bool {
	for !c.moves() {
		if _, err := c.next(nil); err != nil {
			return true
		}
	}
	return true
}
