package sip

import (
	"strings"
	"testing"
	"time"

	"vpbx/pbx"
)

// notified takes a NOTIFY, compares it and answers it.
func (r *legRig) notified(event, state, body string) rawMsg {
	r.t.Helper()
	m := r.peer.want("NOTIFY")
	if m.one("Event") != event || !strings.HasPrefix(m.one("Subscription-State"), state) || m.body != body+"\r\n" ||
		m.one("Content-Type") != sipfrag || m.one("Contact") == "" {
		r.t.Fatalf("NOTIFY %q %q, want %s, %s, %s", m.lines, m.body, event, state, body)
	}
	r.peer.reply(m, "200 OK", "", "")
	return m
}

func TestRefer(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		l, c := r.answered()
		c.send("REFER", 2, "", "Refer-To: Anna <sip:%2B7916@acme.test;user=phone?Replaces=a%40h%3Bto-tag%3D1%3Bfrom-tag%3D2&Subject=x>", "Referred-By: <sip:101@acme.test>")
		e := event[Referred](r)
		if e.L != l || e.User != "+7916" || e.Host != "acme.test" || e.By != "sip:101@acme.test" ||
			e.Replaces == nil || *e.Replaces != (Replaces{"a@h", "1", "2", false}) {
			t.Errorf("%+v %+v", e, e.Replaces)
		}
		c.send("REFER", 3, "", "Refer-To: <sip:103@acme.test>")
		r.peer.want("SIP/2.0 491")
		l.AcceptRefer()
		if m := r.peer.want("SIP/2.0 202"); m.one("CSeq") != "2 REFER" || !strings.Contains(m.one("Contact"), "@10.0.0.1:5060>") {
			t.Errorf("202: %q", m.lines)
		}
		r.notified("refer", "active;expires=600", "SIP/2.0 100 Trying")
		l.ReferProgress(180)
		l.ReferProgress(180)
		r.notified("refer", "active", "SIP/2.0 180 Ringing")
		c.send("REFER", 4, "", "Refer-To: <sip:103@acme.test>")
		r.peer.want("SIP/2.0 491")
		l.ReferProgress(200)
		r.notified("refer", "terminated;reason=noresource", "SIP/2.0 200 OK")
		l.ReferProgress(486)
		l.AcceptRefer()
		r.peer.quiet(time.Minute)
		c.send("REFER", 5, "", "r: sip:103@acme.test")
		event[Referred](r)
		l.AcceptRefer()
		r.peer.want("SIP/2.0 202")
		r.notified("refer;id=5", "active", "SIP/2.0 100 Trying")
		l.ReferProgress(486)
		r.notified("refer;id=5", "terminated;reason=noresource", "SIP/2.0 486 Busy Here")
		r.noEvent(time.Minute)
	})
}

// TestReferOutbound: the phone that was called transfers.
func TestReferOutbound(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		l, c, _ := r.pickedUp()
		c.send("REFER", 1, "", "Refer-To: <tel:+7-916-1;phone-context=x>")
		if e := event[Referred](r); e.User != "+7-916-1" || e.Host != "" || e.By != "" || e.Replaces != nil {
			t.Errorf("%+v", e)
		}
		l.AcceptRefer()
		r.peer.want("SIP/2.0 202")
		if m := r.notified("refer", "active", "SIP/2.0 100 Trying"); m.one("CSeq") != "2 NOTIFY" || m.tag("To") != "b1" {
			t.Errorf("%q", m.lines)
		}
	})
}

// TestReferSerial: one NOTIFY at a time; the newest state takes the place of
// one that waits, the last one is never lost, and the BYE comes behind it.
func TestReferSerial(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		l, c := r.answered()
		c.send("REFER", 2, "", "Refer-To: <sip:102@acme.test>")
		event[Referred](r)
		l.AcceptRefer()
		r.peer.want("SIP/2.0 202")
		trying := r.peer.want("NOTIFY")
		for _, code := range []int{181, 180, 183, 200} {
			l.ReferProgress(code)
		}
		l.Hangup(pbx.NewCause(pbx.PartyPBX, pbx.Hangup))
		r.endedBy(pbx.PartyPBX, pbx.Hangup, 200)
		r.peer.quiet(100 * time.Millisecond)
		r.peer.reply(trying, "200 OK", "", "")
		r.notified("refer", "terminated", "SIP/2.0 200 OK")
		bye := r.peer.want("BYE")
		if bye.one("CSeq") != "3 BYE" || !strings.Contains(bye.one("Reason"), "Q.850;cause=16") {
			t.Errorf("%q", bye.lines)
		}
		r.peer.reply(bye, "200 OK", "", "")
		r.peer.quiet(time.Minute)
	})
}

// TestReferOwedBye: a peer that answers no NOTIFY gets its BYE all the same, and
// one that hangs up meanwhile gets none.
func TestReferOwedBye(t *testing.T) {
	for _, hangsUp := range []bool{false, true} {
		inBubble(t, nil, func(r *legRig) {
			l, c := r.answered()
			c.send("REFER", 2, "", "Refer-To: <sip:102@acme.test>")
			event[Referred](r)
			l.AcceptRefer()
			r.peer.want("SIP/2.0 202")
			notify := r.peer.want("NOTIFY")
			l.ReferProgress(200)
			l.Hangup(pbx.NewCause(pbx.PartyPBX, pbx.Hangup))
			r.endedBy(pbx.PartyPBX, pbx.Hangup, 200)
			if hangsUp {
				c.send("BYE", 3, "")
				r.peer.want("SIP/2.0 200")
				r.peer.reply(notify, "200 OK", "", "")
				r.peer.quiet(time.Minute)
				return
			}
			for {
				m := r.peer.wantIn("", 3*time.Second)
				if strings.HasPrefix(m.start, "BYE") {
					if took := m.at.Sub(notify.at).Round(100 * time.Millisecond); took != notifyFirst {
						t.Errorf("BYE after %v", took)
					}
					r.peer.reply(m, "200 OK", "", "")
					break
				}
				if m.one("CSeq") != notify.one("CSeq") {
					t.Fatalf("got %q", m.start)
				}
			}
		})
	}
}

// TestReferUnanswered: an owner that does not answer a REFER.
func TestReferUnanswered(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		l, c := r.answered()
		c.send("REFER", 2, "", "Refer-To: <sip:102@acme.test>")
		event[Referred](r)
		r.peer.wantIn("SIP/2.0 500", 6*time.Second)
		l.AcceptRefer()
		l.ReferProgress(200)
		r.peer.quiet(time.Minute)
		c.send("REFER", 3, "", "Refer-To: <sip:102@acme.test>")
		event[Referred](r)
		c.send("BYE", 4, "")
		r.peer.want("SIP/2.0 200")
		r.peer.want("SIP/2.0 487")
		r.endedBy(pbx.PartyCaller, pbx.Hangup, 200)
	})
}

func TestReferRefused(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		l, c := r.answered()
		for i, x := range []struct{ header, want string }{
			{"Subject: none", "400"},
			{"Refer-To: <sip:1@a>\r\nRefer-To: <sip:2@a>", "400"},
			{"Refer-To: <sip:1@a>, <sip:2@a>", "400"},
			{"Refer-To: <sip:102@a;method=BYE>", "501"},
			{"Refer-To: <https://example.com/>", "603"},
			{"Refer-To: <sip:102@a?Replaces=x>", "400"},
			{"Refer-To: <sip:a.test>", "400"},
			{"Refer-To: <sip:%0d%0a@a.test>", "400"},
			{"Refer-To: <sip:102@a", "400"},
		} {
			c.send("REFER", 2+i, "", x.header)
			r.peer.want("SIP/2.0 " + x.want)
		}
		c.send("REFER", 20, "", "Refer-To: <sip:102@a>")
		event[Referred](r)
		l.RefuseRefer(200) // no refusal
		r.peer.want("SIP/2.0 603")
		c.send("REFER", 19, "", "Refer-To: <sip:102@a>")
		r.peer.want("SIP/2.0 500")
		r.noEvent(time.Minute)
		stray := r.peer.newCall()
		stray.id = "other"
		stray.send("REFER", 1, "", "Refer-To: <sip:102@a>")
		r.peer.want("SIP/2.0 403")
	})
}

// TestReferEarly: nobody can be transferred before the answer.
func TestReferEarly(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		c := r.peer.newCall()
		c.send("INVITE", 1, offerSDP)
		l := r.leg()
		l.Ring(180, nil)
		c.took(r.peer.want("SIP/2.0 180"))
		c.send("REFER", 2, "", "Refer-To: <sip:102@a>")
		r.peer.want("SIP/2.0 603")
		r.noEvent(time.Second)
	})
}

// TestReferQuiet: RFC 4488, a REFER without subscription.
func TestReferQuiet(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		l, c := r.answered()
		c.send("REFER", 2, "", "Refer-To: <sip:102@a>", "Refer-Sub: false", "Require: norefersub")
		event[Referred](r)
		l.AcceptRefer()
		if m := r.peer.want("SIP/2.0 202"); m.one("Refer-Sub") != "false" {
			t.Errorf("%q", m.lines)
		}
		l.ReferProgress(180)
		l.ReferProgress(200)
		r.peer.quiet(time.Minute)
		l.Hangup(pbx.NewCause(pbx.PartyPBX, pbx.Hangup))
		r.peer.reply(r.peer.want("BYE"), "200 OK", "", "")
		r.endedBy(pbx.PartyPBX, pbx.Hangup, 200)
	})
}

// TestReferUnwanted: a peer that refuses a NOTIFY gets no more of them; the call
// goes on.
func TestReferUnwanted(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		l, c := r.answered()
		c.send("REFER", 2, "", "Refer-To: <sip:102@a>")
		event[Referred](r)
		l.AcceptRefer()
		r.peer.want("SIP/2.0 202")
		l.ReferProgress(180)
		r.peer.reply(r.peer.want("NOTIFY"), "481 No", "", "")
		l.ReferProgress(200)
		r.peer.quiet(time.Minute)
		r.noEvent(time.Minute)
	})
}

// TestReferSubscription: the peer refreshes the subscription, lets it run out
// or ends it (RFC 3515 §2.4.4).
func TestReferSubscription(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		l, c := r.answered()
		c.send("SUBSCRIBE", 2, "", "Event: refer", "Expires: 60")
		r.peer.want("SIP/2.0 481")
		c.send("SUBSCRIBE", 3, "", "Event: presence")
		r.peer.want("SIP/2.0 489")
		c.send("REFER", 4, "", "Refer-To: <sip:102@a>")
		event[Referred](r)
		l.AcceptRefer()
		r.peer.want("SIP/2.0 202")
		r.notified("refer", "active", "SIP/2.0 100 Trying")
		c.send("SUBSCRIBE", 5, "", "o: refer;id=9", "Expires: 60")
		r.peer.want("SIP/2.0 481")
		c.send("SUBSCRIBE", 6, "", "o: refer;id=4", "Expires: 60")
		if m := r.peer.want("SIP/2.0 200"); m.one("Expires") != "60" || m.one("Contact") == "" {
			t.Errorf("%q", m.lines)
		}
		r.notified("refer", "active;expires=60", "SIP/2.0 100 Trying")
		time.Sleep(59 * time.Second)
		r.notified("refer", "terminated;reason=timeout", "SIP/2.0 100 Trying")
		l.ReferProgress(200)
		r.peer.quiet(time.Minute)
		c.send("REFER", 7, "", "Refer-To: <sip:102@a>")
		event[Referred](r)
		l.AcceptRefer()
		r.peer.want("SIP/2.0 202")
		r.notified("refer;id=7", "active", "SIP/2.0 100 Trying")
		c.send("SUBSCRIBE", 8, "", "Event: refer;id=7", "Expires: 0")
		r.peer.want("SIP/2.0 200")
		r.notified("refer;id=7", "terminated;reason=timeout", "SIP/2.0 100 Trying")
		l.ReferProgress(200)
		r.peer.quiet(time.Minute)
	})
}

// TestReferThenBye: a phone that hangs up at once after its REFER.
func TestReferThenBye(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		l, c := r.answered()
		c.send("REFER", 2, "", "Refer-To: <sip:102@a>")
		event[Referred](r)
		l.AcceptRefer()
		r.peer.want("SIP/2.0 202")
		r.notified("refer", "active", "SIP/2.0 100 Trying")
		c.send("BYE", 3, "")
		r.peer.want("SIP/2.0 200")
		r.endedBy(pbx.PartyCaller, pbx.Hangup, 200)
		l.ReferProgress(200)
		r.peer.quiet(time.Minute)
	})
}

func TestMoved(t *testing.T) {
	for _, x := range []struct{ status, contact, want string }{
		{"302 Moved", "Contact: <sip:103@10.0.0.9;x=1>", "103"},
		{"302 Moved", "Contact: \"x\" <sip:%2B7916@a>, <sip:104@a>", "+7916"},
		{"302 Moved", "Contact: <sip:a.test>", ""},
		{"302 Moved", "Contact: <mailto:a@b>", ""},
		{"486 Busy", "Contact: <sip:103@10.0.0.9>", ""},
	} {
		inBubble(t, nil, func(r *legRig) {
			target := r.s.TrunkTarget(r.company, r.company.Trunks[0], "102")
			target.Trunk = nil // a phone, to the leg
			r.s.Dial(Invite{Company: r.company, Target: target, SDP: []byte(answerSDP), Events: r.events, Gone: r.gone})
			r.peer.reply(r.peer.want("INVITE"), x.status, "b1", "", x.contact)
			r.peer.want("ACK")
			if e := event[LegEnded](r); e.Moved != x.want {
				t.Errorf("%s %s: moved %q", x.status, x.contact, e.Moved)
			}
		})
	}
	inBubble(t, nil, func(r *legRig) { // a trunk is not followed
		r.dial()
		r.peer.reply(r.peer.want("INVITE"), "302 Moved", "b1", "", "Contact: <sip:103@10.0.0.9>")
		r.peer.want("ACK")
		if e := event[LegEnded](r); e.Moved != "" || e.Cause.SIP != 302 {
			t.Errorf("%+v", e)
		}
	})
}
