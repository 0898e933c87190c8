package sip

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"vpbx/pbx"
)

func FuzzRAck(f *testing.F) {
	for _, s := range []string{"776656 1 INVITE", "1  2\tINVITE", "", "0 1 INVITE", "-1 1 INVITE", "4294967296 1 INVITE", "1 2 3 4"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		k, ok := parseRAck(s)
		if !ok {
			return
		}
		again, ok := parseRAck(fmt.Sprintf("%d %d %s", k.rseq, k.cseq, k.method))
		if !ok || again != k || k.rseq == 0 {
			t.Errorf("%q is %+v, and then %+v", s, k, again)
		}
	})
}

func TestParseRSeq(t *testing.T) {
	for s, want := range map[string]uint32{"1": 1, " 4294967295 ": 4294967295, "0": 0, "": 0, "x": 0, "4294967296": 0, "1 2": 0} {
		if n, ok := parseRSeq(s); n != want && ok || ok != (want != 0) {
			t.Errorf("%q: %d %v", s, n, ok)
		}
	}
}

// TestPrackSent: reliable provisionals to our INVITE are confirmed in their
// order, once each, and the ACK has the number of the INVITE (RFC 3262 §4).
func TestPrackSent(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		r.dial()
		inv := r.peer.want("INVITE")
		if !strings.Contains(inv.one("Supported"), "100rel") {
			t.Errorf("Supported %q", inv.one("Supported"))
		}
		r.peer.reply(inv, "183 Session Progress", "b1", offerSDP, "Require: 100rel", "RSeq: 900")
		p := r.peer.want("PRACK")
		if p.one("RAck") != "900 1 INVITE" || p.one("CSeq") != "2 PRACK" || p.tag("To") != "b1" || !strings.HasPrefix(p.start, "PRACK sip:peer@10.0.0.2:5060;x=Y ") {
			t.Errorf("%s %v", p.start, p.lines)
		}
		r.peer.reply(p, "200 OK", "", "")
		if e := event[Rang](r); string(e.SDP) != offerSDP {
			t.Errorf("SDP %q", e.SDP)
		}
		r.peer.reply(inv, "183 Session Progress", "b1", offerSDP, "Require: 100rel", "RSeq: 900") // again
		r.peer.reply(inv, "180 Ringing", "b1", "", "Require: 100rel", "RSeq: 902")                // too early
		r.peer.quiet(time.Second)
		r.peer.reply(inv, "180 Ringing", "b1", "", "Require: 100rel", "RSeq: 901")
		p = r.peer.want("PRACK")
		if p.one("RAck") != "901 1 INVITE" || p.one("CSeq") != "3 PRACK" {
			t.Errorf("%v", p.lines)
		}
		r.peer.reply(p, "481 No", "", "") // the call goes on
		event[Rang](r)
		r.peer.reply(inv, "200 OK", "b1", "")
		if ack := r.peer.want("ACK"); ack.one("CSeq") != "1 ACK" {
			t.Errorf("CSeq %s", ack.one("CSeq"))
		}
		if e := event[PickedUp](r); string(e.SDP) != offerSDP {
			t.Errorf("the answer of the reliable 183 is lost: %q", e.SDP)
		}
	})
}

// TestPrackChallenged: a trunk may ask for credentials for a PRACK, and the
// numbers go on behind it.
func TestPrackChallenged(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		l := r.dial()
		inv := r.peer.want("INVITE")
		r.peer.reply(inv, "180 Ringing", "b1", "", "Require: 100rel", "RSeq: 1")
		p := r.peer.want("PRACK")
		event[Rang](r)
		r.peer.reply(p, "407 Auth", "", "", `Proxy-Authenticate: Digest realm="x", nonce="n", algorithm=MD5, qop="auth"`)
		p = r.peer.want("PRACK")
		if p.one("Proxy-Authorization") == "" || p.one("CSeq") != "3 PRACK" {
			t.Errorf("%v", p.lines)
		}
		r.peer.reply(p, "200 OK", "", "")
		r.peer.reply(inv, "200 OK", "b1", offerSDP)
		r.peer.want("ACK")
		event[PickedUp](r)
		l.Hangup(pbx.NewCause(pbx.PartyCaller, pbx.Hangup))
		if bye := r.peer.want("BYE"); bye.one("CSeq") != "4 BYE" {
			t.Errorf("CSeq %s", bye.one("CSeq"))
		}
	})
}

// TestReliableSent: a caller who supports 100rel gets our early description
// reliably, and the 200 waits for its PRACK (RFC 3262 §3).
func TestReliableSent(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		c := r.peer.newCall()
		c.send("INVITE", 1, offerSDP, "Supported: 100rel")
		l := r.leg()
		l.Ring(180, nil)
		if m := r.peer.want("SIP/2.0 180"); m.one("RSeq") != "" {
			t.Errorf("a 180 without description goes reliably: %v", m.lines)
		}
		start := time.Now()
		l.Ring(183, []byte(answerSDP))
		m := r.peer.want("SIP/2.0 183")
		c.took(m)
		l.Ring(180, nil) // waits: one at a time
		for _, at := range []time.Duration{500, 1500, 3500} {
			again := r.peer.wantIn("SIP/2.0 183", 3*time.Second)
			if took := again.at.Sub(start).Round(10 * time.Millisecond); took != at*time.Millisecond && took-10*time.Millisecond != at*time.Millisecond {
				t.Errorf("repeated after %v, want %v", took, at*time.Millisecond)
			}
			if again.one("RSeq") != m.one("RSeq") || again.one("Require") != "100rel" {
				t.Errorf("%v", again.lines)
			}
		}
		l.Answer([]byte(answerSDP))
		c.send("PRACK", 2, "", "RAck: 1 1 INVITE")
		r.peer.want("SIP/2.0 481")
		c.send("PRACK", 3, "", "RAck: nonsense")
		r.peer.want("SIP/2.0 400")
		c.send("PRACK", 4, "", "RAck: "+m.one("RSeq")+" 1 INVITE")
		r.peer.want("SIP/2.0 200") // to the PRACK
		ok := r.peer.want("SIP/2.0 200")
		if ok.one("CSeq") != "1 INVITE" || ok.body != "" {
			t.Errorf("%v %q", ok.lines, ok.body)
		}
		c.send("ACK", 1, "")
		event[Confirmed](r)
		c.send("PRACK", 5, "", "RAck: "+m.one("RSeq")+" 1 INVITE")
		r.peer.want("SIP/2.0 481")
	})
}

// TestReliableRequired: who requires 100rel gets every provisional reliably, in
// order.
func TestReliableRequired(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		c := r.peer.newCall()
		branch := c.send("INVITE", 1, offerSDP, "Require: 100rel")
		l := r.leg()
		l.Ring(180, nil)
		first := r.peer.want("SIP/2.0 180")
		c.took(first)
		l.Ring(183, []byte(answerSDP))
		c.send("PRACK", 2, "", "RAck: "+first.one("RSeq")+" 1 INVITE")
		r.peer.want("SIP/2.0 200")
		second := r.peer.want("SIP/2.0 183")
		var a, b int
		fmt.Sscan(first.one("RSeq"), &a)
		fmt.Sscan(second.one("RSeq"), &b)
		if a == 0 || b != a+1 {
			t.Errorf("RSeq %d, then %d", a, b)
		}
		l.Reject(pbx.NewCause(pbx.PartyCallee, pbx.Busy)) // a refusal waits for nothing
		r.peer.want("SIP/2.0 486")
		c.sendBranch(branch, "ACK", 1, "")
		r.endedBy(pbx.PartyCallee, pbx.Busy, 486)
		r.peer.quiet(5 * time.Second)
	})
}

// TestReliableUnconfirmed: a caller who never sends a PRACK is refused after
// 64·T1, whether we wanted to answer or not.
func TestReliableUnconfirmed(t *testing.T) {
	for _, answer := range []bool{false, true} {
		inBubble(t, nil, func(r *legRig) {
			c := r.peer.newCall()
			c.send("INVITE", 1, offerSDP, "Require: 100rel")
			l := r.leg()
			start := time.Now()
			l.Ring(183, []byte(answerSDP))
			if answer {
				l.Answer([]byte(answerSDP))
			}
			n := 0
			for {
				m, ok := r.peer.next(40 * time.Second)
				if !ok {
					t.Fatal("no refusal")
				}
				if strings.HasPrefix(m.start, "SIP/2.0 504") {
					c.send("ACK", 1, "")
					break
				}
				if strings.HasPrefix(m.start, "SIP/2.0 183") {
					n++
				}
			}
			if d := time.Since(start).Round(time.Second); n != 7 || d != 32*time.Second {
				t.Errorf("%d times, refused after %v", n, d)
			}
			r.endedBy(pbx.PartyCaller, pbx.NoACK, 504)
		})
	}
}

// TestReliableOffer: to an INVITE without offer our offer goes in the reliable
// 183 and its answer comes with the PRACK (RFC 3262 §5).
func TestReliableOffer(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		c := r.peer.newCall()
		c.send("INVITE", 1, "", "Supported: 100rel")
		l := r.leg()
		l.Ring(183, []byte(answerSDP))
		m := r.peer.want("SIP/2.0 183")
		c.took(m)
		c.send("PRACK", 2, offerSDP, "RAck: "+m.one("RSeq")+" 1 INVITE")
		r.peer.want("SIP/2.0 200")
		l.Answer([]byte(answerSDP))
		if ok := r.peer.want("SIP/2.0 200"); ok.body != "" {
			t.Errorf("body %q", ok.body)
		}
		c.send("ACK", 1, "")
		if e := event[Confirmed](r); string(e.SDP) != offerSDP {
			t.Errorf("answer %q", e.SDP)
		}
	})
}
