package call

import (
	"fmt"

	"vpbx/media"
	"vpbx/pbx"
	"vpbx/sip"
)

// offered answers a party's new offer in the dialog: hold and resume, a new
// address. The other side is not bothered; the codec stays what it is while the party
// offers it.
func (c *Call) offered(e sip.Offered) {
	p := c.party(e.L)
	if p == nil {
		return // another call has the leg by now, and hears of it again
	}
	if p.media == nil {
		e.L.RefuseOffer(500)
		return
	}
	codecs := convertible(p.media.Codec())
	if e.SDP == nil { // RFC 3264 §5, RFC 6337 §5.2.5: the offer is ours
		sdp, err := p.media.Offer(codecs[:1])
		if err != nil {
			c.log.Info("no offer for a re-INVITE without one", "party", p.who, "error", err)
			e.L.RefuseOffer(500)
			return
		}
		e.L.AnswerOffer(sdp)
		return
	}
	if err := p.media.SetOffer(e.SDP); err != nil {
		c.log.Info("new offer of no use", "party", p.who, "error", err)
		e.L.RefuseOffer(488)
		return
	}
	sdp, err := p.media.Answer(codecs)
	if err != nil {
		c.log.Info("new offer not accepted", "party", p.who, "error", err)
		e.L.RefuseOffer(488)
		return
	}
	e.L.AnswerOffer(sdp)
	c.noteHold(p)
}

// noteHold notes when a party has put the other side on hold or taken it back.
func (c *Call) noteHold(p *party) {
	held := p.media.Held()
	if held == p.held {
		return
	}
	p.held = held
	kind := pbx.Resumed
	if held {
		kind = pbx.Held
		c.lull(p)
	} else {
		c.wake()
	}
	c.note(pbx.CallEvent{Kind: kind, Who: p.who, Leg: p.leg.ID})
	c.holdsRoom(p)
	c.showLine()
}

// offerAnswered takes the answer to an offer of ours.
func (c *Call) offerAnswered(e sip.OfferAnswered) error {
	p := c.party(e.L)
	if p == nil || p.media == nil || e.Code >= 300 || e.SDP == nil {
		return nil
	}
	if err := p.media.SetAnswer(e.SDP); err != nil {
		c.log.Info("answer to our offer of no use", "party", p.who, "error", err)
		return nil
	}
	c.noteHold(p)
	return nil
}

// confirmed takes the caller's ACK; it carries the answer when the offer was
// ours (RFC 3261 §13.2.1).
func (c *Call) confirmed(e sip.Confirmed) error {
	if e.L != c.caller.leg || e.SDP == nil || e.L.SDP != nil {
		return nil
	}
	if err := c.caller.media.SetAnswer(e.SDP); err != nil {
		return c.end(c.mediaCause(pbx.PartyCaller, err))
	}
	return nil
}

// silent ends the call of a party whose sound has stopped coming.
func (c *Call) silent(s *media.Session) error {
	p := c.sounding(s)
	if p == nil || !p.answered || c.search.asking(p) {
		return nil
	}
	cause := pbx.NewCause(pbx.PartyMedia, pbx.NoMedia)
	why := fmt.Sprintf("no sound came from %s any more", p.who)
	if w := s.Connection(); w != nil && (w.ICE == "failed" || w.DTLS == "failed") {
		why = fmt.Sprintf("the browser of %s is not connected: ICE %s, DTLS %s", p.who, w.ICE, w.DTLS)
	}
	c.blame(p.who, cause, why)
	return c.end(cause)
}
