package call

import (
	"context"
	"fmt"
	"slices"
	"time"

	"vpbx/media"
	"vpbx/pbx"
	"vpbx/routing"
	"vpbx/sip"
)

const (
	confirmKey   = '1'
	confirmFor   = 15 * time.Second // to press it
	confirmAgain = time.Second      // from one time that it is asked for to the next
	maxLate      = 64               // events of ringing that wait
)

// search is a follow-me that goes on: an extension whose owner is looked for at several
// places, by phones of the company and outside numbers.
type search struct {
	of     *pbx.Extension
	began  time.Time
	end    time.Time
	places []*place      // in the order in which they begin
	late   []any         // events that came while something was waited for
	asks   *media.Prompt // for the key, nil until somebody is asked
}

// place is one of them.
type place struct {
	routing.Place
	begun   bool
	since   time.Time
	until   time.Time    // it is given up then
	parties []*party     // who was dialled there
	trunks  []*pbx.Trunk // that have not been tried
	grant   *grant
	asked   *party    // has answered, and is asked for the key
	again   time.Time // when it is asked the next time; zero: it hears that now
}

// seek rings the places of a follow-me until somebody takes the call. Meanwhile the
// caller hears that it rings, also while who has answered outside is asked for the key:
// the voice mail of a mobile does not press it. It returns true when the call is over.
func (c *Call) seek(ext *pbx.Extension, d time.Duration) bool {
	now := time.Now()
	s := &search{of: ext, began: now, end: now.Add(d)}
	places, why := routing.FollowMe(c.asked, ext)
	for _, p := range places {
		s.places = append(s.places, &place{Place: p})
	}
	if len(why) > 0 {
		c.why(why...)
	}
	c.search = s
	p, err := c.found(s)
	c.search = nil
	if err != nil {
		return true // whoever still rings is let go of with the call
	}
	c.dropOthers(p)
	for _, x := range s.places {
		if x.grant != nil && (p == nil || p.grant != x.grant) {
			c.m.settle(x.grant)
		}
	}
	if p == nil {
		return false
	}
	p.media.StopPlay()
	if err := c.join(p); err != nil {
		return c.cause.Reason != ""
	}
	return c.talk()
}

// found gives who has taken the call, nil when nobody has. An error means that the call
// is over.
func (c *Call) found(s *search) (*party, error) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	defer c.close()
	for {
		if err := c.advance(s); err != nil || s.over() {
			return nil, err
		}
		c.letPickUp()
		if len(s.late) == 0 {
			timer.Reset(time.Until(s.due()))
			e, err := c.next(timer.C)
			if err != nil {
				return nil, err
			}
			s.late = append(s.late, e)
		}
		e := s.late[0]
		s.late = s.late[1:]
		if p, err := c.meets(s, e); p != nil || err != nil {
			return p, err
		}
	}
}

// advance does what is due: it gives up places whose time is over and begins others. One
// that nobody rings before begins at once.
func (c *Call) advance(s *search) error {
	now := time.Now()
	for _, x := range s.places {
		switch {
		case x.rings() && !now.Before(x.until):
			c.giveUpPlace(x, now)
		case x.asked != nil && !x.again.IsZero() && !now.Before(x.again):
			x.again = time.Time{}
			x.asked.media.Play(s.asks, false)
		}
	}
	for _, x := range s.places {
		switch {
		case x.begun:
		case !now.Before(s.end):
			x.begun = true
		case now.Before(s.began.Add(x.After)) && s.rings():
			return nil
		default:
			if err := c.beginPlace(s, x); err != nil {
				return err
			}
		}
	}
	return nil
}

// beginPlace rings a place.
func (c *Call) beginPlace(s *search, x *place) error {
	x.begun, x.since = true, time.Now()
	x.until = x.since.Add(x.For)
	if x.until.After(s.end) {
		x.until = s.end
	}
	switch {
	case x.Cause.Reason != "":
		c.fail(x.Cause)
		c.why(x.Why)
		c.guardedPlan(s.of.Number, x.Dial.Number, x.Cause)
		return nil
	case x.Ring != "":
		before := len(c.parties)
		c.diverting(s, x.Ring, func() { c.ringExtension(x.Ring) })
		x.parties = slices.Clone(c.parties[before:])
		if e := c.company.Extensions[x.Ring]; len(x.parties) > 0 {
			c.recordAlso(e.Record, e.Notice)
		}
		return nil
	}
	c.why(x.Why)
	g, no := c.m.admitOutside(c, s.of.Number, x.Dial.Number)
	if no != nil {
		c.guarded(s.of.Number, x.Dial.Number, no)
		return nil
	}
	x.grant = g
	if g.rate > 0 {
		if err := c.keepPaid(g); err != nil {
			return err
		}
	}
	x.trunks = c.working(drawn(x.Dial.Trunks, x.Dial.Weights, chance))
	return c.tryTrunks(s, x)
}

// tryTrunks calls an outside number over the first trunk that is left and can be reached.
func (c *Call) tryTrunks(s *search, x *place) (err error) {
	for len(x.trunks) > 0 && time.Now().Before(x.until) {
		t := x.trunks[0]
		x.trunks = x.trunks[1:]
		var p *party
		c.diverting(s, x.Dial.Number, func() { p, err = c.dialTrunk(x.Dial, t, x.grant) })
		if err != nil {
			return err
		}
		if p != nil {
			x.parties = append(x.parties, p)
			return nil
		}
	}
	return nil
}

// diverting dials for the extension whose owner is looked for, so that others are told
// that the call was for it.
func (c *Call) diverting(s *search, to string, dial func()) {
	if to == s.of.Number {
		dial()
		return
	}
	c.hops = append(c.hops, routing.Hop{By: s.of.Number, To: to, On: pbx.OnFollow})
	dial()
	c.hops = c.hops[:len(c.hops)-1]
}

// meets takes an event of the search. It gives who has taken the call.
func (c *Call) meets(s *search, e any) (*party, error) {
	switch e := e.(type) {
	case adopt:
		return c.taken(e), nil
	case sip.Rang:
		if p := c.party(e.L); p != nil {
			c.rang(p, e)
		}
	case sip.PickedUp:
		if c.party(e.L) == nil {
			return nil, nil // it was let go of meanwhile
		}
		p := c.pickedUp(c.party(e.L), e)
		x := s.at(p)
		if p == nil || x == nil || !x.Confirm {
			return p, nil
		}
		return nil, c.askKey(s, x, p)
	case media.DTMF:
		if p := c.sounding(e.S); s.asking(p) && e.Digit == confirmKey {
			c.why(p.who + " took the call by a key")
			return p, nil
		}
	case media.PlayDone:
		if x := s.at(c.sounding(e.S)); x != nil && x.asked != nil {
			x.again = time.Now().Add(confirmAgain)
		}
	case sip.LegEnded:
		return nil, c.missed(s, e)
	}
	return nil, nil
}

// askKey asks who has answered for the key.
func (c *Call) askKey(s *search, x *place, p *party) error {
	for _, other := range slices.Clone(x.parties) {
		if other != p {
			c.letGo(other, pbx.NewCause(pbx.PartyCallee, pbx.Elsewhere))
		}
	}
	x.asked, x.until = p, time.Now().Add(confirmFor)
	if s.asks == nil {
		asks, err := await(c, c.keyPrompt)
		if err != nil {
			return err
		}
		s.asks = asks
	}
	if !p.over {
		p.media.Play(s.asks, false)
	}
	return nil
}

// keyPrompt says which key takes the call, in tones where there is no speech engine. For
// await only.
func (c *Call) keyPrompt(ctx context.Context) *media.Prompt {
	text := "You have a call from work. To take it, press one."
	if c.company.Language() == "ru" {
		text = "Вам звонят по работе. Чтобы принять вызов, нажмите один."
	}
	p, err := c.m.Library.Load(ctx, c.company, &pbx.Prompt{Name: "follow", Text: text}, nil)
	if err != nil {
		c.log.Debug("the key of a follow-me is asked for by tones", "error", err)
		return media.PINPrompt()
	}
	return p
}

// missed takes the end of a leg: another trunk may help, and whose own phone declines is
// not looked for elsewhere.
func (c *Call) missed(s *search, e sip.LegEnded) error {
	i := slices.IndexFunc(s.places, func(x *place) bool {
		return slices.ContainsFunc(x.parties, func(p *party) bool { return p.leg == e.L })
	})
	if i < 0 {
		return nil
	}
	x := s.places[i]
	p := x.parties[slices.IndexFunc(x.parties, func(p *party) bool { return p.leg == e.L })]
	switch {
	case x.asked == p:
		c.unconfirmed(x)
	case x.Ring == "" && !p.answered && nextTrunk(e.Cause, p.alerted):
		return c.tryTrunks(s, x)
	case x.Ring == s.of.Number && e.Cause.Reason == pbx.Declined:
		s.end = time.Now()
		for _, other := range s.places {
			other.begun = true
			c.letGoAll(other, e.Cause)
		}
	default:
		c.declined(e)
	}
	return nil
}

// giveUpPlace lets go of who still rings at a place, or has not pressed the key.
func (c *Call) giveUpPlace(x *place, now time.Time) {
	if x.asked != nil {
		c.letGo(x.asked, pbx.NewCause(pbx.PartyCallee, pbx.Unconfirmed))
		c.unconfirmed(x)
		return
	}
	for _, p := range x.parties {
		p.waited = now.Sub(x.since)
	}
	c.letGoAll(x, pbx.NewCause(pbx.PartyCallee, pbx.NoAnswer))
}

func (c *Call) letGoAll(x *place, cause pbx.Cause) {
	for _, p := range x.parties {
		if !p.over {
			c.letGo(p, cause)
		}
	}
}

// unconfirmed notes that who has answered did not take the call.
func (c *Call) unconfirmed(x *place) {
	c.fail(pbx.NewCause(pbx.PartyCallee, pbx.Unconfirmed))
	c.why(fmt.Sprintf("%s answered and did not press %c", x.asked.who, confirmKey))
	x.asked = nil
}

// rings tells whether somebody is called at a place.
func (x *place) rings() bool {
	return slices.ContainsFunc(x.parties, func(p *party) bool { return !p.over })
}

func (s *search) rings() bool { return slices.ContainsFunc(s.places, (*place).rings) }

// over tells whether nobody rings and nobody will.
func (s *search) over() bool {
	return !s.rings() && !slices.ContainsFunc(s.places, func(x *place) bool { return !x.begun })
}

// due is when there is something to do.
func (s *search) due() time.Time {
	due := s.began.Add(time.Hour)
	sooner := func(t time.Time) {
		if t.Before(due) {
			due = t
		}
	}
	for _, x := range s.places {
		switch {
		case !x.begun:
			sooner(s.began.Add(x.After))
			sooner(s.end)
		case x.rings():
			sooner(x.until)
			if x.asked != nil && !x.again.IsZero() {
				sooner(x.again)
			}
		}
	}
	return due
}

// at gives the place where somebody was called, nil when that is not of the search.
func (s *search) at(p *party) *place {
	i := slices.IndexFunc(s.places, func(x *place) bool { return p != nil && slices.Contains(x.parties, p) })
	if i < 0 {
		return nil
	}
	return s.places[i]
}

// asking tells whether somebody is asked for the key. There may be no search.
func (s *search) asking(p *party) bool {
	return s != nil && p != nil && slices.ContainsFunc(s.places, func(x *place) bool { return x.asked == p })
}

// keep puts off what happens while something is waited for.
func (s *search) keep(e any) {
	if _, rang := e.(sip.Rang); !rang || len(s.late) < maxLate {
		s.late = append(s.late, e)
	}
}
