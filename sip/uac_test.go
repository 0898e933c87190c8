package sip

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"vpbx/pbx"
)

func TestOutboundCall(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		l := r.dial()
		inv := r.peer.want("INVITE sip:+79160000001@10.0.0.2:5060 SIP/2.0")
		for _, want := range []string{
			`From: "Анна \"Ann\" Петрова" <sip:+74950000000@10.0.0.2>;tag=`, "To: <sip:+79160000001@10.0.0.2>", "Max-Forwards: 70",
			"P-Asserted-Identity: <sip:+74950000000@acme.test>", "Session-Expires: 1800;refresher=uac", "Min-SE: 90", "Supported: timer",
			"Contact: <sip:+74950000000@10.0.0.1:5060>", "User-Agent: vpbx", "Content-Type: application/sdp",
		} {
			if !strings.Contains(strings.Join(inv.lines, "\n"), want) {
				t.Errorf("INVITE without %q:\n%s", want, strings.Join(inv.lines, "\n"))
			}
		}
		if len(inv.get("To")) != 1 || len(inv.get("Via")) != 1 || inv.get("X-Evil") != nil || inv.body != answerSDP || inv.from != pbxAddr {
			t.Errorf("INVITE from %s: %q", inv.from, inv.lines)
		}
		r.peer.reply(inv, "100 Trying", "", "")
		r.peer.reply(inv, "180 Ringing", "b1", "")
		if e := event[Rang](r); e.Code != 180 || e.SDP != nil || e.L != l {
			t.Errorf("%+v", e)
		}
		r.peer.reply(inv, "180 Ringing", "b1", "")
		r.noEvent(time.Second)
		r.peer.reply(inv, "183 Session Progress", "b1", offerSDP)
		if e := event[Rang](r); e.Code != 183 || string(e.SDP) != offerSDP {
			t.Errorf("%+v", e)
		}
		r.peer.reply(inv, "180 Ringing", "b1", "")
		event[Rang](r)
		r.peer.reply(inv, "200 OK", "b1", offerSDP, "Record-Route: <sip:10.0.0.2;lr>", "Record-Route: <sip:10.9.9.9;lr>")
		r.peer.quiet(time.Second) // the first route is 10.9.9.9
		if e := event[PickedUp](r); string(e.SDP) != offerSDP {
			t.Errorf("%+v", e)
		}
	})
}

func TestACKAndRoutes(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		l := r.dial()
		inv := r.peer.want("INVITE")
		r.peer.reply(inv, "200 OK", "b1", offerSDP, "Record-Route: <sip:10.9.9.9;lr>, <sip:10.0.0.2:5060;lr>")
		ack := r.peer.want("ACK sip:peer@10.0.0.2:5060;x=Y SIP/2.0")
		n, _ := inv.cseq()
		if ack.one("CSeq") != fmt.Sprintf("%d ACK", n) || ack.tag("To") != "b1" || strings.Join(ack.get("Route"), " ") != "<sip:10.0.0.2:5060;lr> <sip:10.9.9.9;lr>" ||
			ack.one("Max-Forwards") != "70" || ack.one("Via") == inv.one("Via") {
			t.Errorf("ACK: %q", ack.lines)
		}
		event[PickedUp](r)
		for range 2 { // the ACK was lost
			time.Sleep(time.Second)
			r.peer.reply(inv, "200 OK", "b1", offerSDP)
			if again := r.peer.want("ACK"); again.one("CSeq") != ack.one("CSeq") || again.tag("To") != "b1" {
				t.Errorf("ACK again: %q", again.lines)
			}
		}
		time.Sleep(40 * time.Second) // the transaction is gone by now
		r.peer.reply(inv, "200 OK", "b1", offerSDP)
		r.peer.want("ACK")
		r.noEvent(time.Second)
		l.Hangup(pbx.NewCause(pbx.PartyCaller, pbx.Hangup))
		bye := r.peer.want("BYE sip:peer@10.0.0.2:5060;x=Y SIP/2.0")
		if m, _ := bye.cseq(); m != n+1 || len(bye.get("Route")) != 2 {
			t.Errorf("BYE: %q", bye.lines)
		}
		r.peer.reply(bye, "200 OK", "", "")
		r.endedBy(pbx.PartyCaller, pbx.Hangup, 200)
	})
}

// TestForkedAnswers: the second phone that answers is hung up at once.
func TestForkedAnswers(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		r.dial()
		inv := r.peer.want("INVITE")
		r.peer.reply(inv, "180 Ringing", "b1", "")
		event[Rang](r)
		r.peer.reply(inv, "183 Session Progress", "b2", offerSDP)
		event[Rang](r)
		r.peer.reply(inv, "200 OK", "b2", "")
		if ack := r.peer.want("ACK"); ack.tag("To") != "b2" {
			t.Errorf("ACK to %q", ack.tag("To"))
		}
		if e := event[PickedUp](r); string(e.SDP) != offerSDP {
			t.Errorf("answer of the 183 is not taken: %q", e.SDP)
		}
		r.peer.reply(inv, "200 OK", "b1", offerSDP)
		if ack := r.peer.want("ACK"); ack.tag("To") != "b1" {
			t.Errorf("ACK to %q", ack.tag("To"))
		}
		bye := r.peer.want("BYE")
		if bye.tag("To") != "b1" || !strings.Contains(bye.one("Reason"), "elsewhere") {
			t.Errorf("BYE: %q", bye.lines)
		}
		r.peer.reply(bye, "200 OK", "", "")
		r.peer.reply(inv, "200 OK", "b1", offerSDP) // its ACK was lost
		r.peer.want("ACK")
		r.peer.quiet(time.Minute)
		r.noEvent(0)
	})
}

func TestFailures(t *testing.T) {
	for _, c := range []struct {
		status string
		header string
		party  pbx.Party
		reason pbx.Reason
		q850   int
	}{
		{"486 Busy Here", "X: y", pbx.PartyCallee, pbx.Busy, 17},
		{"603 Decline", "X: y", pbx.PartyCallee, pbx.Declined, 21},
		{"603 Network Blocked", "X: y", pbx.PartyTrunk, pbx.Blocked, 21},
		{"603 Decline", "Reason: SIP;cause=603;text=\"v=analytics1;url=https://carrier.example;id=7\";location=LN", pbx.PartyTrunk, pbx.Blocked, 21},
		{"603 Decline", "Reason: Q.850;cause=21;text=\"v=analytics1\"", pbx.PartyCallee, pbx.Declined, 21},
		{"607 Unwanted", "X: y", pbx.PartyCallee, pbx.Declined, 21},
		{"608 Rejected", "X: y", pbx.PartyTrunk, pbx.Blocked, 21},
		{"404 Not Found", "X: y", pbx.PartyCallee, pbx.UnknownNumber, 1},
		{"480 Gone", "Reason: Q.850 ;cause=19; text=\"no answer\"", pbx.PartyCallee, pbx.NoAnswer, 19},
		{"503 Service Unavailable", "X: y", pbx.PartyTrunk, pbx.Refused, 41},
		{"403 Forbidden", "X: y", pbx.PartyTrunk, pbx.Refused, 21},
		{"302 Moved", "X: y", pbx.PartyCallee, pbx.Refused, 31},
		{"488 No", "X: y", pbx.PartyCallee, pbx.NoCodec, 79},
	} {
		inBubble(t, nil, func(r *legRig) {
			r.dial()
			inv := r.peer.want("INVITE")
			r.peer.reply(inv, c.status, "b1", "", c.header)
			r.peer.want("ACK")
			e := event[LegEnded](r)
			if e.Cause.Party != c.party || e.Cause.Reason != c.reason || e.Cause.Q850 != c.q850 || !strings.HasPrefix(c.status, fmt.Sprint(e.Cause.SIP)) {
				t.Errorf("%s ended by %+v", c.status, e.Cause)
			}
			r.peer.quiet(40 * time.Second)
		})
	}
}

func TestNobodyThere(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		r.dial()
		began := r.peer.want("INVITE").at
		for _, want := range []float64{0.5, 1.5, 3.5, 7.5, 15.5, 31.5} {
			m := r.peer.wantIn("INVITE", 17*time.Second)
			if got := m.at.Sub(began).Seconds(); got < want-0.01 || got > want+0.01 {
				t.Errorf("INVITE repeated after %.2f s, want %.1f", got, want)
			}
		}
		r.endedBy(pbx.PartyTrunk, pbx.NoReply, 408)
	})
}

func TestCancelOutbound(t *testing.T) {
	elsewhere := pbx.NewCause(pbx.PartyPBX, pbx.Elsewhere)
	t.Run("ringing", func(t *testing.T) {
		inBubble(t, nil, func(r *legRig) {
			l := r.dial()
			inv := r.peer.want("INVITE")
			r.peer.reply(inv, "180 Ringing", "b1", "")
			event[Rang](r)
			l.Hangup(elsewhere)
			l.Hangup(pbx.NewCause(pbx.PartyCaller, pbx.Cancelled))
			cancel := r.peer.want("CANCEL sip:+79160000001@10.0.0.2:5060 SIP/2.0")
			n, _ := inv.cseq()
			if cancel.one("Via") != inv.one("Via") || cancel.one("CSeq") != fmt.Sprintf("%d CANCEL", n) || cancel.one("To") != inv.one("To") ||
				cancel.one("From") != inv.one("From") || cancel.one("Reason") != `SIP;cause=200;text="Call completed elsewhere"` {
				t.Errorf("CANCEL: %q", cancel.lines)
			}
			r.endedBy(pbx.PartyPBX, pbx.Elsewhere, 200)
			r.peer.reply(cancel, "200 OK", "b1", "")
			r.peer.reply(inv, "487 Request Terminated", "b1", "")
			r.peer.want("ACK")
			r.peer.quiet(time.Minute)
		})
	})
	t.Run("held until a provisional", func(t *testing.T) {
		inBubble(t, nil, func(r *legRig) {
			l := r.dial()
			inv := r.peer.want("INVITE")
			l.Hangup(elsewhere)
			r.endedBy(pbx.PartyPBX, pbx.Elsewhere, 200)
			r.peer.want("INVITE") // repeated, no CANCEL
			r.peer.reply(inv, "100 Trying", "", "")
			cancel := r.peer.want("CANCEL")
			r.peer.reply(cancel, "200 OK", "", "")
			r.peer.reply(inv, "487 Request Terminated", "b1", "")
			r.peer.want("ACK")
		})
	})
	t.Run("crossed by a 200", func(t *testing.T) {
		inBubble(t, nil, func(r *legRig) {
			l := r.dial()
			inv := r.peer.want("INVITE")
			r.peer.reply(inv, "180 Ringing", "b1", "")
			event[Rang](r)
			l.Hangup(elsewhere)
			r.peer.want("CANCEL")
			r.peer.reply(inv, "200 OK", "b1", offerSDP)
			ack := r.peer.until("ACK")
			if ack.tag("To") != "b1" {
				t.Errorf("ACK: %q", ack.lines)
			}
			bye := r.peer.until("BYE")
			r.peer.reply(bye, "200 OK", "", "")
			r.endedBy(pbx.PartyPBX, pbx.Elsewhere, 200)
		})
	})
	t.Run("never answered", func(t *testing.T) {
		inBubble(t, nil, func(r *legRig) {
			l := r.dial()
			inv := r.peer.want("INVITE")
			r.peer.reply(inv, "180 Ringing", "b1", "")
			event[Rang](r)
			l.Hangup(elsewhere)
			r.endedBy(pbx.PartyPBX, pbx.Elsewhere, 200)
			time.Sleep(70 * time.Second)
			if n := r.alive(); n != 0 {
				t.Errorf("%d legs after 70 s", n)
			}
		})
	})
}

// until skips what does not begin with start.
func (p *rawPeer) until(start string) rawMsg {
	p.t.Helper()
	for range 50 {
		m, ok := p.next(5 * time.Second)
		if !ok {
			break
		}
		if strings.HasPrefix(m.start, start) {
			return m
		}
	}
	p.t.Fatalf("%q never came", start)
	return rawMsg{}
}

// TestRepeatedChallenge: the answer that asks for credentials, or for a longer
// session, comes in copies while the next request is made out of the first one.
func TestRepeatedChallenge(t *testing.T) {
	for _, c := range []struct{ status, header, want string }{
		{"407 Proxy Authentication Required", `Proxy-Authenticate: Digest realm="prov", nonce="n1", algorithm=MD5, qop="auth"`, "Proxy-Authorization"},
		{"422 Session Interval Too Small", "Min-SE: 3600", "Min-SE"},
	} {
		inBubble(t, nil, func(r *legRig) {
			for range 20 {
				r.dial()
				inv := r.peer.want("INVITE")
				for range 5 {
					r.peer.reply(inv, c.status, "c1", "", c.header)
				}
				var second rawMsg
				for second.start == "" {
					m, ok := r.peer.next(2 * time.Second)
					if !ok {
						t.Fatalf("%s is not answered", c.status)
					}
					if strings.HasPrefix(m.start, "INVITE") {
						second = m
					}
				}
				if len(second.get(c.want)) != 1 {
					t.Fatalf("second INVITE: %q", second.lines)
				}
				r.peer.reply(second, "486 Busy Here", "c2", "")
				eventIn[LegEnded](r, 2*time.Second)
				for ok := true; ok; { // the ACKs
					_, ok = r.peer.next(time.Second)
				}
			}
		})
	}
}

func TestTrunkChallenges(t *testing.T) {
	const md5 = `Digest realm="prov", nonce="n1", algorithm=MD5, qop="auth"`
	const sha = `Digest realm="prov", nonce="n2", algorithm=sha-256, qop="auth,auth-int"`
	inBubble(t, nil, func(r *legRig) {
		l := r.dial()
		inv := r.peer.want("INVITE")
		r.peer.reply(inv, "407 Proxy Authentication Required", "c1", "", "Proxy-Authenticate: "+md5, "Proxy-Authenticate: "+sha)
		r.peer.want("ACK")
		second := r.peer.want("INVITE")
		n, _ := inv.cseq()
		cred := second.one("Proxy-Authorization")
		if m, _ := second.cseq(); m != n+1 || second.one("Call-ID") != inv.one("Call-ID") || second.tag("From") != inv.tag("From") || second.tag("To") != "" ||
			second.one("Via") == inv.one("Via") || len(second.get("Via")) != 1 || len(second.get("Contact")) != 1 || second.body != answerSDP {
			t.Errorf("second INVITE: %q", second.lines)
		}
		if !strings.Contains(cred, "algorithm=SHA-256") || !strings.Contains(cred, `nonce="n2"`) || !strings.Contains(cred, `uri="sip:+79160000001@10.0.0.2:5060"`) {
			t.Errorf("credentials %q", cred)
		}
		r.peer.reply(second, "401 Unauthorized", "c2", "", "WWW-Authenticate: "+md5)
		r.peer.want("ACK")
		third := r.peer.want("INVITE")
		if third.one("Proxy-Authorization") != cred || third.one("Authorization") == "" {
			t.Errorf("third INVITE: %q", third.lines)
		}
		r.peer.reply(third, "200 OK", "b1", offerSDP)
		ack := r.peer.want("ACK")
		if ack.one("Authorization") != third.one("Authorization") || ack.one("CSeq") != fmt.Sprintf("%d ACK", n+2) {
			t.Errorf("ACK: %q", ack.lines)
		}
		event[PickedUp](r)
		l.Hangup(pbx.NewCause(pbx.PartyCaller, pbx.Hangup))
		bye := r.peer.want("BYE")
		r.peer.reply(bye, "407 Proxy Authentication Required", "", "", "Proxy-Authenticate: "+md5)
		bye = r.peer.want("BYE")
		if bye.one("Proxy-Authorization") == "" {
			t.Error("BYE without credentials")
		}
		r.peer.reply(bye, "200 OK", "", "")
		r.endedBy(pbx.PartyCaller, pbx.Hangup, 200)
	})
	inBubble(t, nil, func(r *legRig) { // wrong password
		r.dial()
		inv := r.peer.want("INVITE")
		r.peer.reply(inv, "401 Unauthorized", "c1", "", "WWW-Authenticate: "+md5)
		r.peer.want("ACK")
		inv = r.peer.want("INVITE")
		r.peer.reply(inv, "401 Unauthorized", "c1", "", "WWW-Authenticate: "+md5)
		r.peer.want("ACK")
		r.endedBy(pbx.PartyTrunk, pbx.Refused, 401)
		r.peer.quiet(time.Minute)
	})
	inBubble(t, nil, func(r *legRig) { // nothing we can answer
		r.dial()
		inv := r.peer.want("INVITE")
		r.peer.reply(inv, "401 Unauthorized", "c1", "", `WWW-Authenticate: Basic realm="x"`, `WWW-Authenticate: Digest realm="x", nonce="n", algorithm=AKAv1-MD5`)
		r.peer.want("ACK")
		r.endedBy(pbx.PartyTrunk, pbx.Refused, 401)
	})
}

// TestCallerFishesForDigest: whoever calls in the name of a trunk, and names a
// route of its own, gets no digest of the trunk's password out of our requests
// (CVE-2021-41158 of another engine); the trunk itself does.
func TestCallerFishesForDigest(t *testing.T) {
	const challenge = `WWW-Authenticate: Digest realm="prov", nonce="n1", algorithm=MD5, qop="auth"`
	inBubble(t, nil, func(r *legRig) {
		thief := r.newPeer("203.0.113.9")
		l, _ := r.answered("Record-Route: <sip:" + thief.addr + ";lr>")
		l.Hangup(pbx.NewCause(pbx.PartyPBX, pbx.Hangup))
		thief.reply(thief.want("BYE"), "401 Unauthorized", "", "", challenge)
		thief.quiet(40 * time.Second)
		r.endedBy(pbx.PartyPBX, pbx.Hangup, 200)
	})
	inBubble(t, nil, func(r *legRig) {
		l, _ := r.answered()
		l.Hangup(pbx.NewCause(pbx.PartyPBX, pbx.Hangup))
		r.peer.reply(r.peer.want("BYE"), "401 Unauthorized", "", "", challenge)
		bye := r.peer.want("BYE")
		if bye.one("Authorization") == "" {
			t.Error("the trunk got no credentials")
		}
		r.peer.reply(bye, "200 OK", "", "")
		r.endedBy(pbx.PartyPBX, pbx.Hangup, 200)
	})
}

func TestGlare(t *testing.T) {
	inBubble(t, nil, func(r *legRig) { // we made the Call-ID
		l, c, _ := r.pickedUp()
		l.Offer([]byte(holdSDP))
		re := r.peer.want("INVITE sip:peer@10.0.0.2:5060;x=Y SIP/2.0")
		crossed := c.send("INVITE", 1, holdSDP)
		r.peer.want("SIP/2.0 491")
		c.sendBranch(crossed, "ACK", 1, "")
		r.peer.reply(re, "491 Request Pending", "", "")
		refused := r.peer.until("ACK").at
		re = r.peer.wantIn("INVITE", 5*time.Second)
		if d := re.at.Sub(refused); d < 2099*time.Millisecond || d > 4010*time.Millisecond {
			t.Errorf("again after %v, want 2.1 to 4 s", d)
		}
		r.peer.reply(re, "200 OK", "", offerSDP)
		r.peer.want("ACK")
		if e := event[OfferAnswered](r); e.Code != 200 || string(e.SDP) != offerSDP {
			t.Errorf("%+v", e)
		}
	})
	inBubble(t, nil, func(r *legRig) { // the peer did
		l, _ := r.answered()
		l.Offer([]byte(holdSDP))
		re := r.peer.want("INVITE")
		r.peer.reply(re, "491 Request Pending", "", "")
		refused := r.peer.want("ACK").at
		re = r.peer.wantIn("INVITE", 5*time.Second)
		if d := re.at.Sub(refused); d > 2010*time.Millisecond {
			t.Errorf("again after %v, want 0 to 2 s", d)
		}
		r.peer.reply(re, "200 OK", "", offerSDP)
		r.peer.want("ACK")
		event[OfferAnswered](r)
	})
	inBubble(t, nil, func(r *legRig) { // an offer waits for the peer's
		l, c := r.answered()
		c.send("INVITE", 2, holdSDP)
		event[Offered](r)
		l.Offer([]byte(offerSDP))
		l.Offer([]byte(holdSDP))
		l.AnswerOffer([]byte(answerSDP))
		r.peer.want("SIP/2.0 200")
		r.peer.quiet(300 * time.Millisecond)
		c.send("ACK", 2, "")
		re := r.peer.want("INVITE")
		if re.body != holdSDP {
			t.Errorf("offer %q, want the last one", re.body)
		}
		r.peer.reply(re, "488 Not Acceptable Here", "", "")
		r.peer.want("ACK")
		if e := event[OfferAnswered](r); e.Code != 488 {
			t.Errorf("%+v", e)
		}
		r.noEvent(time.Minute)
	})
}

func TestPeerForgotTheCall(t *testing.T) {
	for status, want := range map[string]pbx.Reason{"481 Call Does Not Exist": pbx.SessionExpired, "408 Timeout": pbx.NoReply} {
		inBubble(t, nil, func(r *legRig) {
			l, _ := r.answered()
			l.Offer([]byte(holdSDP))
			re := r.peer.want("INVITE")
			r.peer.reply(re, status, "", "")
			r.peer.want("ACK")
			if e := event[LegEnded](r); e.Cause.Reason != want || e.Cause.Party != pbx.PartyCaller {
				t.Errorf("%s ended by %+v", status, e.Cause)
			}
		})
	}
	inBubble(t, nil, func(r *legRig) { // silence
		l, _ := r.answered()
		l.Offer([]byte(holdSDP))
		r.endedBy(pbx.PartyCaller, pbx.NoReply, 408)
	})
	inBubble(t, nil, func(r *legRig) { // it began to answer
		l, _ := r.answered()
		l.Offer([]byte(holdSDP))
		r.peer.reply(r.peer.want("INVITE"), "100 Trying", "", "")
		r.endedBy(pbx.PartyCaller, pbx.NoReply, 408)
	})
}

// TestPhoneIsReachedByItsFlow: whatever its Contact says.
func TestPhoneIsReachedByItsFlow(t *testing.T) {
	inBubble(t, func(c *Config, company *pbx.Company) {
		c.Bindings = oldBindings{
			Tenant: "acme", Extension: "101", Contact: "sip:101@192.168.1.7:5062;ob;line=Ab%20c", Transport: "udp", Source: "10.0.0.9:5060",
			UserAgent: "raw", Registered: time.Now(), Expires: time.Now().Add(time.Hour),
		}
	}, func(r *legRig) {
		phone := r.newPeer("10.0.0.9")
		targets := r.s.Targets("acme", "101")
		if len(targets) != 1 || len(r.s.Targets("acme", "102")) != 0 || len(r.s.Targets("x", "101")) != 0 {
			t.Fatalf("targets %v", targets)
		}
		l := r.s.Dial(Invite{Company: r.company, Target: targets[0], From: Party{"+7916", ""}, SDP: []byte(answerSDP), Events: r.events, Gone: r.gone})
		if l.Extension != "101" || l.UserAgent != "raw" || l.Source != netip.MustParseAddrPort("10.0.0.9:5060") {
			t.Errorf("leg %+v", l)
		}
		inv := phone.until("INVITE")
		if inv.start != "INVITE sip:101@192.168.1.7:5062;ob;line=Ab%20c SIP/2.0" || inv.one("To") != "<sip:101@acme.test>" || !strings.Contains(inv.one("From"), "<sip:+7916@acme.test>") {
			t.Errorf("%s %q", inv.start, inv.lines)
		}
		phone.reply(inv, "200 OK", "ph", offerSDP, "Contact: <sip:101@192.168.1.7:5062;ob>")
		phone.want("ACK sip:101@192.168.1.7:5062;ob SIP/2.0")
		event[PickedUp](r)
		l.Hangup(pbx.NewCause(pbx.PartyCaller, pbx.Hangup))
		phone.reply(phone.until("BYE"), "200 OK", "", "")
		r.endedBy(pbx.PartyCaller, pbx.Hangup, 200)
	})
}

func TestDialNowhere(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		r.s.Dial(Invite{Company: r.company, Events: r.events, Gone: r.gone})
		r.endedBy(pbx.PartyPBX, pbx.Broken, 500)
		trunk := *r.company.Trunks[0]
		trunk.Host = "no.such.host"
		r.s.Dial(Invite{Company: r.company, Target: r.s.TrunkTarget(r.company, &trunk, "1"), Events: r.events, Gone: r.gone})
		r.endedBy(pbx.PartyTrunk, pbx.Refused, 503)
		trunk.Host, trunk.Transport = "10.0.0.2:5061", "tls"
		r.s.Dial(Invite{Company: r.company, Target: r.s.TrunkTarget(r.company, &trunk, "1"), Events: r.events, Gone: r.gone})
		r.endedBy(pbx.PartyTrunk, pbx.Refused, 503)
		r.s.Close()
		r.dial()
		r.endedBy(pbx.PartyPBX, pbx.ShuttingDown, 503)
	})
}

// TestRepeatedRefusal: every copy of a refusal is acknowledged at once, with
// the branch of the INVITE.
func TestRepeatedRefusal(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		r.dial()
		inv := r.peer.want("INVITE")
		for i := range 4 {
			r.peer.reply(inv, "486 Busy Here", "b1", "")
			ack := r.peer.wantIn("ACK", 100*time.Millisecond)
			n, _ := inv.cseq()
			if ack.one("Via") != inv.one("Via") || ack.tag("To") != "b1" || ack.one("CSeq") != fmt.Sprintf("%d ACK", n) || !strings.HasPrefix(ack.start, "ACK sip:+79160000001@10.0.0.2:5060 ") {
				t.Errorf("ACK %d: %q", i, ack.lines)
			}
			time.Sleep(4 * time.Second)
		}
		event[LegEnded](r)
	})
}
