package sip

import (
	"testing"
	"time"

	"vpbx/pbx"
)

// heir makes a second owner: the rig's events are its events from now on.
func (r *legRig) heir(l *Leg) (former chan any) {
	former = r.events
	r.events = make(chan any, 64)
	l.Own(r.events, r.gone)
	return former
}

// TestOwnAgain: events go to the new owner, and the former one's end does not
// matter to the leg.
func TestOwnAgain(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		c := r.peer.newCall()
		c.send("INVITE", 1, offerSDP)
		l, gone := <-r.legs, make(chan struct{})
		l.Own(r.events, gone)
		l.Answer([]byte(answerSDP))
		c.took(r.peer.want("SIP/2.0 200"))
		former := r.heir(l)
		close(gone)
		c.send("ACK", 1, "")
		event[Confirmed](r)
		r.peer.quiet(time.Minute)
		c.send("BYE", 2, "")
		r.peer.want("SIP/2.0 200")
		r.endedBy(pbx.PartyCaller, pbx.Hangup, 200)
		r.noEvent(time.Minute)
		if len(former) != 0 {
			t.Errorf("the former owner got %T", <-former)
		}
	})
}

// TestOwnTakesWhatWaits: what the former owner has not taken goes to the new
// one, in its order.
func TestOwnTakesWhatWaits(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		c := r.peer.newCall()
		c.send("INVITE", 1, offerSDP)
		l := <-r.legs
		l.Own(make(chan any), r.gone) // nobody reads it
		l.Answer([]byte(answerSDP))
		c.took(r.peer.want("SIP/2.0 200"))
		c.send("ACK", 1, "")
		c.send("INVITE", 2, holdSDP)
		time.Sleep(time.Second)
		r.heir(l)
		event[Confirmed](r)
		if e := event[Offered](r); string(e.SDP) != holdSDP {
			t.Errorf("SDP %q", e.SDP)
		}
		r.noEvent(time.Second)
		l.AnswerOffer([]byte(answerSDP))
		r.peer.want("SIP/2.0 200")
	})
}

// TestOwnTellsOfferAgain: the former owner was told of an offer and has not
// answered it.
func TestOwnTellsOfferAgain(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		l, c := r.answered()
		c.send("INVITE", 2, holdSDP)
		event[Offered](r)
		former := r.heir(l)
		if e := event[Offered](r); string(e.SDP) != holdSDP {
			t.Errorf("SDP %q", e.SDP)
		}
		l.AnswerOffer([]byte(answerSDP))
		r.peer.want("SIP/2.0 200")
		c.send("ACK", 2, "")
		c.send("INVITE", 3, offerSDP)
		event[Offered](r)
		l.AnswerOffer([]byte(answerSDP)) // and then hands over: nothing is left to tell
		r.heir(l)
		r.peer.want("SIP/2.0 200")
		r.noEvent(time.Second)
		if len(former) != 0 {
			t.Errorf("the former owner got %T", <-former)
		}
	})
}

// TestOwnEnded: whoever takes a leg that is over is told so, with the true
// cause, whether the goroutine of the leg is still there or not.
func TestOwnEnded(t *testing.T) {
	for _, wait := range []time.Duration{0, time.Second, 2 * time.Minute} {
		inBubble(t, nil, func(r *legRig) {
			l, _ := r.answered()
			l.Hangup(pbx.NewCause(pbx.PartyPBX, pbx.TooLong))
			bye := r.peer.want("BYE")
			r.endedBy(pbx.PartyPBX, pbx.TooLong, 200)
			time.Sleep(wait)
			if wait == time.Second {
				r.peer.reply(bye, "200 OK", "", "")
				time.Sleep(time.Second)
			}
			former := r.heir(l)
			r.endedBy(pbx.PartyPBX, pbx.TooLong, 200)
			r.noEvent(time.Minute)
			if len(former) != 0 {
				t.Errorf("the former owner got %T", <-former)
			}
			r.heir(l)
			r.endedBy(pbx.PartyPBX, pbx.TooLong, 200)
		})
	}
}

// TestOwnEndedUntold: the end that the former owner has not taken is told to
// the new one only.
func TestOwnEndedUntold(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		r.peer.newCall().send("INVITE", 1, offerSDP)
		l, former := <-r.legs, make(chan any)
		l.Own(former, r.gone)
		l.Reject(pbx.NewCause(pbx.PartyPBX, pbx.Busy))
		r.peer.want("SIP/2.0 486")
		r.heir(l)
		r.endedBy(pbx.PartyPBX, pbx.Busy, 486)
		select {
		case e := <-former:
			t.Errorf("the former owner got %T", e)
		case <-time.After(time.Minute):
		}
	})
}

// TestOwnRinging: an outbound leg that rings is handed over.
func TestOwnRinging(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		l := r.dial()
		inv := r.peer.want("INVITE")
		r.peer.reply(inv, "180 Ringing", "b1", "")
		event[Rang](r)
		if !l.Early() || l.Dialog() != (Replaces{CallID: l.CallID, LocalTag: inv.tag("From"), RemoteTag: "b1"}) {
			t.Errorf("early %v, dialog %+v", l.Early(), l.Dialog())
		}
		r.heir(l)
		r.peer.reply(inv, "200 OK", "b1", offerSDP)
		r.peer.want("ACK")
		if e := event[PickedUp](r); string(e.SDP) != offerSDP || l.Early() {
			t.Errorf("SDP %q, early %v", e.SDP, l.Early())
		}
	})
}

// TestOwnTellsReferAgain: a REFER that nobody has answered is the new owner's.
func TestOwnTellsReferAgain(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		l, c := r.answered()
		c.send("REFER", 2, "", "Refer-To: <sip:102@acme.test>")
		event[Referred](r)
		r.heir(l)
		if e := event[Referred](r); e.User != "102" {
			t.Errorf("%+v", e)
		}
		l.RefuseRefer(403)
		r.peer.want("SIP/2.0 403")
		r.heir(l)
		r.noEvent(time.Minute)
	})
}
