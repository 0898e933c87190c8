package sip

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vpbx/pbx"
)

// The tests of this file are named after the rows of docs/interop.md.

// TestInterop06ContactComesBackUntouched: phones that find themselves by what
// they wrote into their Contact get it back letter by letter.
func TestInterop06ContactComesBackUntouched(t *testing.T) {
	for _, contact := range []string{
		"sip:101@203.0.113.7:5060;ob", "sip:101-7f3a@203.0.113.7;line=Ab1cD;rinstance=6f", "SIP:%31%30%31@203.0.113.7:5060;transport=UDP;+sip.x",
		"sip:203.0.113.7:5060;user=phone;LR", "sip:a.b!c~d@203.0.113.7;x=%22y%22;flag",
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, nil)
			p := r.raw("203.0.113.7")
			if res := p.register("101", "secret101", "Contact: \"A\" <"+contact+">;expires=600"); res.StatusCode != 200 {
				t.Fatal(res)
			}
			events, gone := make(chan any, 64), make(chan struct{})
			defer close(gone)
			company := r.dir.Domain("acme.test")
			l := r.s.Dial(Invite{Company: company, Target: r.s.Targets("acme", "101")[0], SDP: []byte(offerSDP), Events: events, Gone: gone})
			p.conn.SetReadDeadline(time.Now().Add(time.Second))
			b := make([]byte, 4096)
			n, _, err := p.conn.ReadFrom(b)
			if want := "INVITE " + contact + " SIP/2.0\r\n"; err != nil || !strings.HasPrefix(string(b[:n]), want) {
				t.Errorf("got %.80q, %v, want %q", b[:n], err, want)
			}
			l.Hangup(pbx.NewCause(pbx.PartyCaller, pbx.Cancelled))
			time.Sleep(time.Minute)
		})
	}
}

// TestInterop07FullACK: each answer of each fork is acknowledged with a request
// that has all it must have, and the tag of that fork.
func TestInterop07FullACK(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		r.dial()
		inv := r.peer.want("INVITE")
		for _, tag := range []string{"b1", "b2", "b3"} {
			r.peer.reply(inv, "180 Ringing", tag, "")
			event[Rang](r)
		}
		for i, tag := range []string{"b2", "b1", "b2", "b3", "b1"} {
			r.peer.reply(inv, "200 OK", tag, offerSDP)
			ack := r.peer.want("ACK")
			if ack.tag("To") != tag || ack.one("Max-Forwards") != "70" || ack.tag("From") != inv.tag("From") || ack.one("Via") == "" ||
				ack.one("Call-ID") != inv.one("Call-ID") || ack.one("CSeq") != strings.Replace(inv.one("CSeq"), "INVITE", "ACK", 1) {
				t.Errorf("answer %d of %s: %s %q", i, tag, ack.start, ack.lines)
			}
			if tag != "b2" && i != 4 {
				bye := r.peer.want("BYE")
				if bye.tag("To") != tag {
					t.Errorf("BYE to %s, want %s", bye.tag("To"), tag)
				}
				r.peer.reply(bye, "200 OK", "", "")
			}
		}
		event[PickedUp](r)
		r.noEvent(40 * time.Second)
	})
}

// TestInterop09ReachableContact, and row 26: the Contact is our address in the
// network of the peer, so that its ACK and BYE arrive; one public address for
// all would be right for some of them only.
func TestInterop09ReachableContact(t *testing.T) {
	for _, c := range []struct{ peer, contact string }{
		{"10.0.0.9", "sip:+74950000001@192.0.2.1:5060"}, // of our own network
		{"172.16.3.4", "sip:+74950000001@192.0.2.1:5060"},
		{"100.64.7.7", "sip:+74950000001@192.0.2.1:5060"}, // of an overlay
		{"198.51.100.9", "sip:+74950000001@203.0.113.200:5060"},
		{"203.0.113.9", "sip:+74950000001@203.0.113.200:5060"},
	} {
		synctest.Test(t, func(t *testing.T) {
			events, gone := make(chan any, 64), make(chan struct{})
			defer close(gone)
			r := newRig(t, func(cfg *Config) {
				cfg.External = []string{"203.0.113.200"}
				for _, n := range []string{"10.0.0.0/8", "172.16.0.0/12", "100.64.0.0/10"} {
					cfg.LocalNets = append(cfg.LocalNets, netip.MustParsePrefix(n))
				}
				cfg.Accept = func(l *Leg) {
					l.Own(events, gone)
					l.Answer([]byte(answerSDP))
				}
			})
			company := rigCompany("acme", "+74950000001")
			company.Trunks[0].From = append(company.Trunks[0].From, netip.PrefixFrom(netip.MustParseAddr(c.peer), 32))
			r.dir = pbx.NewDirectory([]*pbx.Company{company})
			p := r.raw(c.peer)
			p.send(p.request("INVITE", "sip:+74950000001@192.0.2.1", "sip:x@carrier.test", "sip:+74950000001@192.0.2.1",
				"Contact: <sip:x@"+p.addr+">", "Content-Type: application/sdp", "\r\n"+offerSDP))
			res := p.final()
			if res == nil || res.StatusCode != 200 || strings.Trim(contactsOf(res)[0], "<>") != c.contact {
				t.Fatalf("%s was answered %v, want Contact %s", c.peer, res, c.contact)
			}
			p.seq--
			p.send(p.request("ACK", c.contact, "sip:x@carrier.test", "sip:+74950000001@192.0.2.1", "To: "+res.To().Value(), "CSeq: 1 ACK"))
			time.Sleep(40 * time.Second)
			confirmed := false
			for len(events) > 0 {
				switch e := (<-events).(type) {
				case Confirmed:
					confirmed = true
				case LegEnded:
					t.Errorf("ended by %v", e.Cause)
				}
			}
			if !confirmed {
				t.Error("the ACK did not arrive")
			}
		})
	}
}

// TestInterop15PreconditionsAndEarlyReinvite: a trunk of an IMS that demands
// preconditions is told which extension we lack, and one that sends a re-INVITE
// right behind its ACK, or before the ACK arrives, has it answered.
func TestInterop15PreconditionsAndEarlyReinvite(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		c := r.peer.newCall()
		c.send("INVITE", 1, offerSDP, "Require: precondition, timer")
		if m := r.peer.want("SIP/2.0 420"); m.one("Unsupported") != "precondition" {
			t.Errorf("Unsupported: %q", m.one("Unsupported"))
		}
		for _, lost := range []bool{false, true} { // the ACK
			c := r.peer.newCall()
			c.id = fmt.Sprint("ims", lost)
			c.send("INVITE", 1, offerSDP, "Supported: 100rel, precondition, timer", "Session-Expires: 1800;refresher=uac", "Min-SE: 90")
			l := r.leg()
			l.Answer([]byte(answerSDP))
			ok := r.peer.want("SIP/2.0 200")
			if ok.one("Session-Expires") != "1800;refresher=uac" || ok.one("Require") != "timer" {
				t.Errorf("session of the 200: %q %q", ok.one("Session-Expires"), ok.one("Require"))
			}
			c.took(ok)
			if !lost {
				c.send("ACK", 1, "")
			}
			c.send("INVITE", 2, holdSDP, "Session-Expires: 1800;refresher=uac")
			event[Confirmed](r)
			event[Offered](r)
			l.AnswerOffer([]byte(answerSDP))
			if m := r.peer.want("SIP/2.0 200"); m.one("CSeq") != "2 INVITE" {
				t.Errorf("200 to %s", m.one("CSeq"))
			}
			c.send("ACK", 2, "")
			c.send("BYE", 3, "")
			r.peer.want("SIP/2.0 200")
			r.endedBy(pbx.PartyCaller, pbx.Hangup, 200)
		}
	})
}

// TestInterop17SegmentsOfTCP: ACK and BYE in one segment, cut at every byte of
// both, end a call that was answered, and nothing of it is lost.
func TestInterop17SegmentsOfTCP(t *testing.T) {
	inBubble(t, func(_ *Config, company *pbx.Company) {
		company.Trunks[0].From = append(company.Trunks[0].From, netip.MustParsePrefix("10.0.0.7/32"))
	}, func(r *legRig) {
		conn, err := r.net.Host("10.0.0.7").Dial(context.Background(), "tcp", pbxAddr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		in := bufio.NewReader(conn)
		write := func(text string) {
			t.Helper()
			if _, err := io.WriteString(conn, text); err != nil {
				t.Fatal(err)
			}
			time.Sleep(5 * time.Millisecond)
		}
		request := func(method, id, to string, seq int, body string) string {
			return strings.Join(append([]string{
				method + " sip:+74950000000@10.0.0.1 SIP/2.0", fmt.Sprintf("Via: SIP/2.0/TCP 10.0.0.7;branch=z9hG4bK%s%d%s", id, seq, method),
				"From: <sip:a@b>;tag=x", "To: " + to, "Call-ID: " + id, fmt.Sprintf("CSeq: %d %s", seq, method), "Max-Forwards: 70",
				"Contact: <sip:a@10.0.0.7;transport=tcp>",
			}, tail(body)...), "\r\n")
		}
		both := 2
		for cut := 0; cut < both; cut += 13 {
			id := fmt.Sprint("call", cut)
			write(request("INVITE", id, "<sip:b@c>", 1, offerSDP))
			r.leg().Answer([]byte(answerSDP))
			to := readTCP(t, conn, in, time.Second).one("To")
			text := request("ACK", id, to, 1, "") + request("BYE", id, to, 2, "")
			both = len(text)
			write(text[:cut])
			write(text[cut:])
			if m := readTCP(t, conn, in, time.Second); m.one("CSeq") != "2 BYE" {
				t.Fatalf("cut at %d: got %s to %s", cut, m.start, m.one("CSeq"))
			}
			e := <-r.events
			if _, first := e.(Confirmed); first { // what follows may overtake an ACK
				e = <-r.events
			}
			if e, ok := e.(LegEnded); !ok || e.Cause != pbx.NewCause(pbx.PartyCaller, pbx.Hangup) {
				t.Errorf("cut at %d: %+v", cut, e)
			}
		}
	})
}

// TestInterop27CancelCrossesAnswer: our CANCEL and the carrier's 200 cross; the
// 200 is acknowledged and hung up, and one call was made of it, that nobody
// answered. What forks said before does not matter.
func TestInterop27CancelCrossesAnswer(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		l := r.dial()
		inv := r.peer.want("INVITE")
		r.peer.reply(inv, "183 Session Progress", "b1", offerSDP)
		if e := event[Rang](r); string(e.SDP) != offerSDP {
			t.Errorf("early media: %q", e.SDP)
		}
		r.peer.reply(inv, "180 Ringing", "b1", "")
		event[Rang](r)
		r.peer.reply(inv, "180 Ringing", "b2", "")
		event[Rang](r)
		l.Hangup(pbx.NewCause(pbx.PartyCaller, pbx.Cancelled))
		cancel := r.peer.want("CANCEL")
		r.peer.reply(inv, "200 OK", "b2", holdSDP)
		r.peer.reply(cancel, "200 OK", "", "")
		if ack := r.peer.want("ACK"); ack.tag("To") != "b2" {
			t.Errorf("ACK to %s", ack.tag("To"))
		}
		bye := r.peer.want("BYE")
		if bye.tag("To") != "b2" {
			t.Errorf("BYE to %s", bye.tag("To"))
		}
		r.peer.reply(bye, "200 OK", "", "")
		r.endedBy(pbx.PartyCaller, pbx.Cancelled, 487)
		r.peer.quiet(time.Minute)
		r.noEvent(0)
	})
	inBubble(t, nil, func(r *legRig) { // and the description of a 200 counts, not that of the 183
		r.dial()
		inv := r.peer.want("INVITE")
		r.peer.reply(inv, "183 Session Progress", "b1", offerSDP)
		event[Rang](r)
		r.peer.reply(inv, "180 Ringing", "b1", answerSDP)
		event[Rang](r)
		r.peer.reply(inv, "200 OK", "b1", holdSDP)
		r.peer.want("ACK")
		if e := event[PickedUp](r); string(e.SDP) != holdSDP {
			t.Errorf("answered with %q", e.SDP)
		}
	})
	inBubble(t, nil, func(r *legRig) { // the carrier's CANCEL and our 200
		c := r.peer.newCall()
		branch := c.send("INVITE", 1, offerSDP)
		l := r.leg()
		l.Answer([]byte(answerSDP))
		c.sendBranch(branch, "CANCEL", 1, "") // before it reads the 200
		var ok rawMsg
		for range 2 {
			if m := r.peer.want("SIP/2.0 200"); strings.HasSuffix(m.one("CSeq"), "INVITE") {
				ok = m
			}
		}
		c.took(ok)
		c.send("ACK", 1, "")
		event[Confirmed](r)
		c.send("BYE", 2, "")
		r.peer.want("SIP/2.0 200")
		r.endedBy(pbx.PartyCaller, pbx.Hangup, 200)
	})
}
