package call

import (
	"time"

	"vpbx/media"
	"vpbx/pbx"
)

// What an operator presses while it reads a card; any other key than this says that the
// number is to be dialled now.
const skipKey = '#'

// preview shows the operator the card of the target, and gives it the time to read it. When
// it returns without an error the operator is on the phone, hears that the target is called,
// and the number may be dialled. An error means that the call is over: the operator has
// skipped the target, or did not come.
func (c *Call) preview() error {
	k := c.campaign
	w, number := k.bid, c.operatorFor(k.bid)
	missed := pbx.NewCause(pbx.PartyPBX, pbx.Unanswered)
	l, mine := c.claim(w, number)
	if !mine {
		c.why("the operator is no longer free")
		return c.end(missed)
	}
	c.showCard(number)
	mark := len(c.trace)
	p, err := c.reader(number, l)
	if err != nil {
		return err
	}
	if p == nil {
		c.notBrought(w, number, l, mark)
		return c.end(missed)
	}
	c.parties, k.operator = nil, p
	c.operatorHas(w, p)
	if l != nil {
		skipped, err := c.reads(p)
		if err != nil {
			return err
		}
		if skipped {
			c.why(number + " has skipped the target")
			return c.end(missed)
		}
	}
	p.media.Play(c.m.prompts.ringback(c.company.Country), true)
	return nil
}

// reader brings the operator who is to read a card: from its line, or by its phone, which
// shows the target and rings for as long as the card may be read and a caller's phone
// rings. Who answers has read it.
func (c *Call) reader(number string, l *operatorLine) (*party, error) {
	k := c.campaign
	o, shown := k.order, c.caller
	if l != nil {
		return c.borrow(number, l, media.Codec{})
	}
	ring := o.Settings.Operators.Card + callerRing
	c.caller = &party{who: o.Number, name: o.Name}
	k.deadline = time.Now().Add(ring)
	defer func() { c.caller, k.deadline = shown, time.Time{} }()
	c.ringExtension(number)
	p, err := c.first(ring)
	if p != nil {
		c.dropOthers(p)
	}
	return p, err
}

// reads waits until the operator has read the card, presses a key, or has had its time. It
// tells whether the target is skipped.
func (c *Call) reads(p *party) (skipped bool, err error) {
	d := c.campaign.order.Settings.Operators.Card
	if d <= 0 {
		return false, nil
	}
	c.campaign.reading = true
	defer func() { c.campaign.reading = false }()
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		e, err := c.next(timer.C)
		if err != nil {
			return false, err
		}
		switch e := e.(type) {
		case expired:
			return false, nil
		case media.PlayDone:
			p.media.Play(c.m.prompts.quiet(), true)
		case media.DTMF:
			if e.S == p.media {
				return e.Digit == skipKey, nil
			}
		}
	}
}

// waits tells whether p is the operator who reads the card, or waits for the target.
func (k *campaigning) waits(p *party) bool { return k != nil && p != nil && p == k.operator }

// operatorGone ends the call of an operator who has hung up before the target answered.
func (c *Call) operatorGone(p *party) error {
	c.hungUp = p.who
	c.why(p.who + " has hung up before the target answered")
	if c.campaign.reading {
		return c.end(pbx.NewCause(pbx.PartyPBX, pbx.Unanswered))
	}
	return c.end(pbx.NewCause(pbx.PartyPBX, pbx.Hangup))
}
