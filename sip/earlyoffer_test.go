package sip

import (
	"strings"
	"testing"
	"time"

	"vpbx/pbx"
)

// described brings a call of the peer to a reliable 183 that it has confirmed.
func (r *legRig) described() (*Leg, *rawCall, string) {
	r.t.Helper()
	c := r.peer.newCall()
	c.send("INVITE", 1, offerSDP, "Supported: 100rel")
	l := r.leg()
	l.Ring(183, []byte(answerSDP))
	m := r.peer.want("SIP/2.0 183")
	c.took(m)
	return l, c, m.one("RSeq")
}

const otherSDP = "v=0\r\no=- 2 2 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=audio 5000 RTP/AVP 0\r\n"

// TestEarlyUpdate: the caller changes its session before the answer
// (RFC 3311 §5.2).
func TestEarlyUpdate(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		l, c, rseq := r.described()
		c.send("UPDATE", 2, holdSDP) // our answer may still be lost
		if m := r.peer.want("SIP/2.0 500"); m.one("Retry-After") == "" {
			t.Errorf("%q", m.lines)
		}
		c.send("PRACK", 3, "", "RAck: "+rseq+" 1 INVITE")
		r.peer.want("SIP/2.0 200")
		c.send("UPDATE", 4, holdSDP, "Supported: timer", "Session-Expires: 90")
		if e := event[Offered](r); string(e.SDP) != holdSDP {
			t.Errorf("SDP %q", e.SDP)
		}
		c.send("UPDATE", 5, offerSDP) // the one before is not answered
		r.peer.want("SIP/2.0 500")
		l.Answer([]byte(otherSDP)) // waits for the answer to the UPDATE
		r.peer.quiet(time.Second)
		l.AnswerOffer([]byte(otherSDP))
		if m := r.peer.want("SIP/2.0 200"); m.one("CSeq") != "4 UPDATE" || m.body != otherSDP || m.one("Session-Expires") != "" {
			t.Errorf("%q %q", m.lines, m.body)
		}
		if m := r.peer.want("SIP/2.0 200"); m.one("CSeq") != "1 INVITE" || m.body != "" {
			t.Errorf("%q %q: the session is described already", m.lines, m.body)
		}
		c.send("ACK", 1, "")
		event[Confirmed](r)
		c.send("UPDATE", 6, offerSDP)
		event[Offered](r)
		l.AnswerOffer([]byte(answerSDP))
		r.peer.want("SIP/2.0 200")
	})
}

// TestEarlyUpdateRefused: the call rings on as it was.
func TestEarlyUpdateRefused(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		l, c, rseq := r.described()
		c.send("PRACK", 2, "", "RAck: "+rseq+" 1 INVITE")
		r.peer.want("SIP/2.0 200")
		c.send("UPDATE", 3, holdSDP)
		event[Offered](r)
		l.RefuseOffer(488)
		r.peer.want("SIP/2.0 488")
		c.send("UPDATE", 4, holdSDP)
		event[Offered](r)
		r.peer.wantIn("SIP/2.0 500", 11*time.Second) // the owner does not answer
		c.send("UPDATE", 6, holdSDP)
		event[Offered](r)
		r.heir(l)
		event[Offered](r)
		l.Reject(pbx.NewCause(pbx.PartyPBX, pbx.Busy))
		got := map[string]bool{}
		for range 2 {
			m := r.peer.wantIn("SIP/2.0 48", time.Minute)
			got[strings.Fields(m.start)[1]+" "+m.one("CSeq")] = true
		}
		if !got["486 1 INVITE"] || !got["487 6 UPDATE"] {
			t.Errorf("answers %v", got)
		}
	})
}

// TestEarlySession: what rings is not ended by the session interval of an UPDATE.
func TestEarlySession(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		c := r.peer.newCall()
		c.send("INVITE", 1, offerSDP)
		l := r.leg()
		l.Ring(180, nil)
		c.took(r.peer.want("SIP/2.0 180"))
		c.send("UPDATE", 2, "", "Supported: timer", "Session-Expires: 90")
		if m := r.peer.want("SIP/2.0 200"); m.one("Session-Expires") != "" {
			t.Errorf("%q", m.lines)
		}
		r.noEvent(5 * time.Minute)
	})
}

// TestOfferInPrack: a PRACK that carries a new offer gets the answer in its 200,
// and the 2xx waits for that (RFC 3262 §5).
func TestOfferInPrack(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		l, c, rseq := r.described()
		l.Answer([]byte(answerSDP))
		c.send("PRACK", 2, holdSDP, "RAck: "+rseq+" 1 INVITE")
		if e := event[Offered](r); string(e.SDP) != holdSDP {
			t.Errorf("SDP %q", e.SDP)
		}
		r.peer.quiet(400 * time.Millisecond) // the 183 is not repeated, no 200 yet
		l.AnswerOffer([]byte(otherSDP))
		if m := r.peer.want("SIP/2.0 200"); m.one("CSeq") != "2 PRACK" || m.body != otherSDP {
			t.Errorf("%q %q", m.lines, m.body)
		}
		if m := r.peer.want("SIP/2.0 200"); m.one("CSeq") != "1 INVITE" {
			t.Errorf("%q", m.lines)
		}
		c.send("ACK", 1, "")
		event[Confirmed](r)
	})
}

// TestOfferInPrackTooEarly: our provisional described nothing, so the first
// offer has no answer yet.
func TestOfferInPrackTooEarly(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		c := r.peer.newCall()
		c.send("INVITE", 1, offerSDP, "Require: 100rel")
		l := r.leg()
		l.Ring(181, nil)
		m := r.peer.want("SIP/2.0 181 Call Is Being Forwarded")
		c.took(m)
		c.send("PRACK", 2, holdSDP, "RAck: "+m.one("RSeq")+" 1 INVITE")
		r.peer.want("SIP/2.0 488")
		l.Ring(180, nil)
		r.peer.want("SIP/2.0 180")
		r.noEvent(time.Second)
	})
}

// TestEarlyUpdateOfCallee: whom we call changes its session while it rings. Its
// 2xx then tells no answer.
func TestEarlyUpdateOfCallee(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		l := r.dial()
		inv := r.peer.want("INVITE")
		r.peer.reply(inv, "183 Session Progress", "b1", offerSDP)
		event[Rang](r)
		c := r.peer.dialogOf(inv, "b1")
		c.send("UPDATE", 1, holdSDP) // nothing is agreed on
		r.peer.want("SIP/2.0 500")
		r.peer.reply(inv, "183 Session Progress", "b1", offerSDP+"a=x\r\n", "Require: 100rel", "RSeq: 1")
		r.peer.reply(r.peer.want("PRACK"), "200 OK", "", "")
		event[Rang](r)
		c.send("UPDATE", 2, holdSDP)
		if e := event[Offered](r); string(e.SDP) != holdSDP {
			t.Errorf("SDP %q", e.SDP)
		}
		l.AnswerOffer([]byte(answerSDP))
		if m := r.peer.want("SIP/2.0 200"); m.body != answerSDP || m.one("Contact") == "" {
			t.Errorf("%q %q", m.lines, m.body)
		}
		r.peer.reply(inv, "200 OK", "b1", offerSDP)
		r.peer.want("ACK")
		if e := event[PickedUp](r); e.SDP != nil {
			t.Errorf("answer %q after a later offer", e.SDP)
		}
	})
}

// TestDescriptionsOfForks: 180 after 183, several forks with early media, and
// descriptions that change between 18x and 200.
func TestDescriptionsOfForks(t *testing.T) {
	for _, x := range []struct{ name, tag, ok, want string }{
		{"of the fork that answers", "b2", "", otherSDP},
		{"the other fork", "b1", "", offerSDP},
		{"a new one in the 200", "b1", holdSDP, holdSDP},
		{"a fork that never rang", "b3", holdSDP, holdSDP},
		{"none at all", "b3", "", ""},
	} {
		inBubble(t, nil, func(r *legRig) {
			l := r.dial()
			inv := r.peer.want("INVITE")
			r.peer.reply(inv, "183 Session Progress", "b1", offerSDP)
			r.peer.reply(inv, "183 Session Progress", "b2", otherSDP)
			r.peer.reply(inv, "180 Ringing", "b1", "")
			for _, want := range []Rang{{l, 183, []byte(offerSDP)}, {l, 183, []byte(otherSDP)}, {l, 180, nil}} {
				if e := event[Rang](r); e.Code != want.Code || string(e.SDP) != string(want.SDP) {
					t.Errorf("%s: %d %q", x.name, e.Code, e.SDP)
				}
			}
			r.peer.reply(inv, "200 OK", x.tag, x.ok)
			if ack := r.peer.want("ACK"); ack.tag("To") != x.tag {
				t.Errorf("%s: ACK to %s", x.name, ack.tag("To"))
			}
			if e := event[PickedUp](r); string(e.SDP) != x.want {
				t.Errorf("%s: answer %q", x.name, e.SDP)
			}
		})
	}
}
