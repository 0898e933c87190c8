package sip

import (
	"bytes"
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

// Regression tests named after published advisories of other engines: each does
// what the advisory describes, and then looks that we live and that nothing is
// left behind. Those about sound are in media.

// wantServed makes sure that somebody who has done nothing is served.
func (r *rig) wantServed() {
	r.t.Helper()
	p := newRaw(r.t, r.net.Host("203.0.113.250"), "203.0.113.250", 5060)
	defer p.conn.Close()
	if res := p.register("102", "secret102", "Contact: <sip:102@203.0.113.250>"); res == nil || res.StatusCode != 200 {
		r.t.Fatalf("registration: %v", res)
	}
	if n := r.metric("vpbx_sip_panics_total"); n != 0 {
		r.t.Errorf("%v panics", n)
	}
	r.s.dlg.mu.Lock()
	defer r.s.dlg.mu.Unlock()
	if n := len(r.s.dlg.legs); n != 0 {
		r.t.Errorf("%d legs are left", n)
	}
}

// hostile sends messages of a trunk to a fresh server over UDP and TCP. Each is
// refused with a status of 4xx to 6xx or dropped, and none takes a connection
// or the server with it for those after it.
func hostile(t *testing.T, write func(p *raw) []string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		p := r.raw("198.51.100.7")
		for _, text := range write(p) {
			p.send(text)
			if got := p.code(); got != 0 && got < 400 {
				t.Errorf("answered with %d:\n%.300s", got, text)
			}
		}
		h := r.net.Host("198.51.100.8")
		for _, text := range write(p) {
			s := r.stream(h)
			s.send(text)
			s.conn.SetReadDeadline(time.Now().Add(time.Second))
			io.Copy(io.Discard, s.conn)
			s.conn.Close()
		}
		time.Sleep(time.Minute)
		r.wantServed()
	})
}

const toAcme = "sip:+74950000001@192.0.2.1"

// TestAdvisoryCVE2017_9372: a CSeq whose number or method is longer than
// whatever a buffer was made for.
func TestAdvisoryCVE2017_9372(t *testing.T) {
	hostile(t, func(p *raw) []string {
		var l []string
		for _, cseq := range []string{
			"4294967296 INVITE", "18446744073709551616 INVITE", "99999999999999999999999999999999 INVITE", "-1 INVITE", "2147483648 INVITE",
			"1 " + strings.Repeat("INVITE", 2000), "1 " + strings.Repeat("I", 59000), strings.Repeat("1", 50000) + " INVITE", "1INVITE", "1", "", "INVITE 1",
			"1 INVITE\x00", "1  INVITE  x", "0x1 INVITE", "1 \xff\xfe",
		} {
			l = append(l, p.request("INVITE", toAcme, "sip:x@carrier.test", toAcme, "CSeq: "+cseq))
		}
		m := strings.Repeat("M", 29000)
		return append(l, p.request(m, toAcme, "sip:x@carrier.test", toAcme))
	})
}

// TestAdvisoryAST2017_003: multipart bodies with parts that are empty, not
// closed, nested or without a boundary.
func TestAdvisoryAST2017_003(t *testing.T) {
	hostile(t, func(p *raw) []string {
		var l []string
		for _, c := range []struct{ kind, body string }{
			{"multipart/mixed;boundary=b", "--b\r\n\r\n--b--\r\n"},
			{"multipart/mixed;boundary=b", "--b--"},
			{"multipart/mixed;boundary=b", "--b\r\nContent-Type: application/sdp"},
			{"multipart/mixed;boundary=b", "--b\r\nContent-Type: application/sdp\r\n\r\n"},
			{"multipart/mixed;boundary=b", strings.Repeat("--b\r\n", 10000)},
			{"multipart/mixed;boundary=\"\"", "----\r\n"},
			{"multipart/mixed", "--\r\n\r\n" + offerSDP},
			{"multipart/mixed;boundary=" + strings.Repeat("b", 10000), "--b"},
			{"multipart/mixed;boundary=b;boundary=c", "--c\r\n\r\n"},
			{"multipart/related;boundary=b", strings.Repeat("--b\r\nContent-Type: multipart/mixed;boundary=b\r\n\r\n", 500)},
			{"multipart/", "x"}, {"/", "x"}, {";", "x"}, {"", "x"},
		} {
			for _, method := range []string{"INVITE", "MESSAGE", "BYE"} {
				l = append(l, p.request(method, toAcme, "sip:x@carrier.test", toAcme, "Content-Type: "+c.kind, "\r\n"+c.body))
			}
		}
		return l
	})
}

// TestAdvisoryCVE2018_7284: SUBSCRIBE with more Accept headers than an array had
// room for, and with long ones.
func TestAdvisoryCVE2018_7284(t *testing.T) {
	hostile(t, func(p *raw) []string {
		var l []string
		for _, n := range []int{33, 400, 2000} {
			lines := strings.TrimSuffix(strings.Repeat("Accept: application/x"+strings.Repeat("y", 8)+"\r\n", n), "\r\n")
			for _, method := range []string{"SUBSCRIBE", "INVITE", "PUBLISH"} {
				l = append(l, p.request(method, toAcme, "sip:x@carrier.test", toAcme, "Event: dialog", "Expires: 600", lines))
			}
		}
		return append(l,
			p.request("SUBSCRIBE", toAcme, "sip:x@carrier.test", toAcme, "Event: "+strings.Repeat("dialog;id=1;", 4000), "Expires: 600"),
			p.request("SUBSCRIBE", toAcme, "sip:x@carrier.test", toAcme, "Event: dialog", "Accept: "+strings.Repeat("a/b,", 10000)),
			p.request("SUBSCRIBE", toAcme, "sip:x@carrier.test", toAcme, "Event: dialog", "Expires: 99999999999999999999"))
	})
}

// TestAdvisoryCVE2018_7286, and CVE-2020-28327: INVITEs over TCP whose sender
// closes the connection, right away or in the middle of what follows. The legs
// end, and so do their transactions.
func TestAdvisoryCVE2018_7286(t *testing.T) {
	for _, wait := range []time.Duration{0, time.Millisecond, 20 * time.Millisecond, time.Second, 3 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			gone := make(chan struct{})
			defer close(gone)
			r := newRig(t, func(c *Config) {
				c.Accept = func(l *Leg) {
					l.Own(make(chan any, 64), gone)
					l.Ring(180, nil)
					l.Answer([]byte(answerSDP))
					l.Hangup(pbx.NewCause(pbx.PartyPBX, pbx.Hangup))
				}
			})
			h := r.net.Host("198.51.100.8")
			for range 150 {
				c, err := h.Dial(context.Background(), "tcp", rigAddr)
				if err != nil {
					t.Fatal(err)
				}
				s := newStream(t, c)
				for range 4 {
					s.p.id = token()
					s.send(s.p.request("INVITE", toAcme, "sip:x@carrier.test", toAcme, "Contact: <sip:x@198.51.100.8;transport=tcp>",
						"Content-Type: application/sdp", "\r\n"+offerSDP))
				}
				text := s.p.request("INVITE", toAcme, "sip:x@carrier.test", toAcme)
				s.send(text[:len(text)/2])
				time.Sleep(wait)
				c.Close()
			}
			time.Sleep(3 * time.Minute)
			r.wantServed()
			if count, open := r.flows(); count != 0 || open != 0 {
				t.Errorf("%d flows left, %d counted", open, count)
			}
		})
	}
}

// TestAdvisoryCVE2021_41158: who sends us an INVITE and then challenges our
// requests in its dialog gets no digest of anybody's password: not the phone,
// not who claims to be a trunk from an address of the trunk's network, not who
// puts itself into the route.
func TestAdvisoryCVE2021_41158(t *testing.T) {
	t.Run("phone", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			gone := make(chan struct{})
			defer close(gone)
			r := newRig(t, func(c *Config) {
				c.Accept = func(l *Leg) {
					l.Own(make(chan any, 64), gone)
					l.Answer([]byte(answerSDP))
					l.Hangup(pbx.NewCause(pbx.PartyPBX, pbx.Hangup))
				}
			})
			p := r.raw("203.0.113.7")
			invite := func(headers ...string) *raw {
				p.send(p.request("INVITE", "sip:102@acme.test", "sip:101@acme.test", "sip:102@acme.test",
					append(headers, "Contact: <sip:101@"+p.addr+">", "Content-Type: application/sdp", "\r\n"+offerSDP)...))
				return p
			}
			a := authorization(t, invite().final(), "SHA-256", "INVITE", "sip:102@acme.test", "101", "secret101", 1)
			res := invite(a).final()
			p.send(p.request("ACK", "sip:102@192.0.2.1", "sip:101@acme.test", "sip:102@acme.test", "To: "+res.To().Value(), fmt.Sprintf("CSeq: %d ACK", p.seq)))
			bye := requestOf(t, p.receive(time.Second))
			for code, name := range map[int]string{401: "WWW-Authenticate", 407: "Proxy-Authenticate"} {
				for _, algorithm := range []string{"MD5", "SHA-256"} {
					challenge := fmt.Sprintf("\r\n%s: Digest realm=\"acme.test\", nonce=\"n\", algorithm=%s, qop=\"auth\"\r\nContent-Length", name, algorithm)
					p.send(strings.Replace(answerTo(bye, code), "\r\nContent-Length", challenge, 1))
				}
			}
			for m := p.receive(10 * time.Second); m != nil; m = p.receive(10 * time.Second) {
				if strings.Contains(m.String(), "uthorization:") {
					t.Errorf("credentials for a phone:\n%s", m)
				}
			}
		})
	})
	t.Run("neighbour of the trunk", func(t *testing.T) {
		inBubble(t, func(_ *Config, company *pbx.Company) {
			company.Trunks[0].From = append(company.Trunks[0].From, netip.MustParsePrefix("10.0.0.66/32"))
			company.Trunks[0].Host = "10.0.0.2"
		}, func(r *legRig) {
			thief := r.newPeer("10.0.0.66")
			c := thief.newCall()
			c.send("INVITE", 1, offerSDP, "Record-Route: <sip:203.0.113.9;lr>")
			l := r.leg()
			spider := r.newPeer("203.0.113.9")
			l.Answer([]byte(answerSDP))
			c.took(thief.want("SIP/2.0 200"))
			c.send("ACK", 1, "")
			event[Confirmed](r)
			l.Hangup(pbx.NewCause(pbx.PartyPBX, pbx.Hangup))
			bye := spider.want("BYE")
			spider.reply(bye, "401 Unauthorized", "", "", `WWW-Authenticate: Digest realm="prov", nonce="n1", algorithm=MD5, qop="auth"`)
			spider.quiet(40 * time.Second)
			r.endedBy(pbx.PartyPBX, pbx.Hangup, 200)
		})
	})
}

// TestAdvisoryCVE2021_37624, and CVE-2021-41157: MESSAGE and SUBSCRIBE of nobody,
// or in the name of an extension, reach no phone and tell nothing.
func TestAdvisoryCVE2021_37624(t *testing.T) {
	for _, method := range []string{"MESSAGE", "SUBSCRIBE", "PUBLISH", "NOTIFY", "REFER", "INFO"} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, nil)
			phone := r.raw("203.0.113.7")
			phone.register("102", "secret102", "Contact: <sip:102@203.0.113.7>")
			p := r.raw("203.0.113.66")
			for _, from := range []string{"sip:101@acme.test", "sip:102@acme.test", "sip:x@nobody.test", "sip:anonymous@anonymous.invalid", "sip:+79160000001@carrier.test"} {
				p.send(p.request(method, "sip:102@acme.test", from, "sip:102@acme.test", "Event: dialog", "Expires: 60", "Subscription-State: active",
					"Refer-To: <sip:103@acme.test>", "Contact: <sip:x@203.0.113.66>", "Content-Type: text/plain", "\r\nhello"))
				if got := p.status(); got < 400 || got >= 500 && got != 501 {
					t.Errorf("%s of %s was answered with %d", method, from, got)
				}
			}
			if m := phone.receive(10 * time.Second); m != nil {
				t.Errorf("%s reached the phone:\n%s", method, m)
			}
			if m := p.receive(10 * time.Second); m != nil {
				t.Errorf("%s told the stranger:\n%s", method, m)
			}
			r.wantServed()
		})
	}
}

// TestAdvisoryCVE2020_28361: headers that a proxy fails to remove because a blank
// stands before the colon, or a fold or another case in the name, or the short
// form. What a caller writes beside what it may is on no leg of ours.
func TestAdvisoryCVE2020_28361(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		smuggled := []string{
			"P-Asserted-Identity : <sip:+74999999999@10.0.0.2>", "p-asserted-identity\t: <sip:+74999999999@10.0.0.2>", "X-Smuggled:a", "X-Smuggled : a",
			"P-Charge-Info: <sip:+74999999999@10.0.0.2>", "Remote-Party-ID : <sip:+74999999999@10.0.0.2>", "Route : <sip:192.0.2.66;lr>",
			"X-Fold: a", " X-Smuggled: b",
		}
		_, c := r.answered(smuggled...)
		out := r.dial()
		inv := r.peer.want("INVITE")
		for _, l := range append(inv.lines, inv.start) {
			if strings.Contains(l, "+74999999999") || strings.Contains(strings.ToLower(l), "smuggled") || strings.Contains(l, "192.0.2.66") {
				t.Errorf("on the other leg: %s", l)
			}
		}
		out.Hangup(pbx.NewCause(pbx.PartyCaller, pbx.Cancelled))
		r.peer.reply(inv, "486 Busy Here", "x", "")
		r.peer.want("ACK")
		r.endedBy(pbx.PartyCaller, pbx.Cancelled, 487)
		c.send("BYE", 2, "")
		r.peer.want("SIP/2.0 200")
		r.endedBy(pbx.PartyCaller, pbx.Hangup, 200)
	})
	hostile(t, func(p *raw) []string { // a second header of a kind that is there once
		var l []string
		for _, h := range []string{"From : <sip:boss@acme.test>;tag=9", "f : <sip:boss@acme.test>;tag=9", "To : <sip:x@y>", "CSeq : 9 BYE", "Call-ID : 9", "Content-Length : 9"} {
			l = append(l, p.request("INVITE", toAcme, "sip:x@carrier.test", toAcme, "Contact: <sip:x@y>", h))
		}
		return l
	})
}

// TestAdvisoryCRLF: line breaks and control characters, plain and escaped, in
// names, numbers and URIs make no line in a message of ours nor in the log.
func TestAdvisoryCRLF(t *testing.T) {
	log, calls := &bytes.Buffer{}, 0
	hide := "\x1b[2J\x07"
	for _, c := range []struct{ from, uri string }{
		{`"a%0d%0aX-Evil: 1" <sip:%0d%0aX-Evil%3a%201@x>;tag=1`, "sip:+74950000001%0d%0aX-Evil:%201@192.0.2.1"},
		{`"a\r\nX-Evil: 1" <sip:a@x>;tag=1`, "sip:+74950000001@192.0.2.1;x=%0d%0aX-Evil"},
		{"\"a\u2028X-Evil\u202e: 1\u0085\" <sip:a@x>;tag=1", "sip:+74950000001@192.0.2.1"},
		{`"\"><script>X-Evil</script>" <sip:'%3balert@x>;tag=1`, "sip:+74950000001@192.0.2.1"},
		{"\"" + hide + "X-Evil\" <sip:a@x>;tag=1", "sip:+74950000001@192.0.2.1"},
		{"\"\xc0\x8a\xe0\x80\x8aX-Evil\" <sip:a%c0%8a@x>;tag=1", "sip:+74950000001@192.0.2.1"},
		{"\"a\" <sip:%00%0aX-Evil@nobody.test>;tag=1", "sip:%00%0aX-Evil@nobody.test"},
	} {
		synctest.Test(t, func(t *testing.T) {
			gone := make(chan struct{})
			defer close(gone)
			legs := make(chan *Leg, 1)
			r := newRig(t, func(cfg *Config) {
				cfg.Accept = func(l *Leg) {
					l.Own(make(chan any, 64), gone)
					legs <- l
				}
			})
			for _, ip := range []string{"198.51.100.7", "203.0.113.66"} { // a trunk, nobody
				p := r.raw(ip)
				p.send(p.request("INVITE", c.uri, "sip:x@y", c.uri, "From: "+c.from, "User-Agent: %0d%0aX-Evil", "Contact: <sip:x@"+p.addr+">"))
				p.status()
			}
			carrier := r.raw("198.51.100.1")
			select {
			case l := <-legs:
				company := l.Company
				out := r.s.Dial(Invite{Company: company, Target: r.s.TrunkTarget(company, company.Trunks[0], l.To), From: l.From, SDP: []byte(answerSDP), Events: make(chan any, 64), Gone: gone})
				carrier.conn.SetReadDeadline(time.Now().Add(5 * time.Second))
				b := make([]byte, 65536)
				n, _, err := carrier.conn.ReadFrom(b)
				if err != nil {
					t.Fatal(err)
				}
				calls++
				for line := range strings.SplitSeq(string(b[:n]), "\r\n") {
					if control(line) || strings.HasPrefix(strings.TrimSpace(line), "X-Evil") {
						t.Errorf("sent %q", line)
					}
				}
				out.Hangup(pbx.NewCause(pbx.PartyCaller, pbx.Cancelled))
				l.Reject(pbx.NewCause(pbx.PartyCallee, pbx.Busy))
			default: // it was refused
			}
			time.Sleep(time.Minute)
			r.wantServed()
			r.s.Close()
			log.Write(r.log.Bytes())
		})
	}
	for line := range strings.Lines(log.String()) {
		if line = strings.TrimSuffix(line, "\n"); control(line) || strings.HasPrefix(line, "X-Evil") || strings.ContainsAny(line, "\u2028\u202e\u0085") || !strings.HasPrefix(line, "time=") {
			t.Errorf("in the log: %q", line)
		}
	}
	if log.Len() == 0 || calls < 3 {
		t.Errorf("%d calls went out, %d bytes were logged", calls, log.Len())
	}
}

// TestAdvisoryContentLength: a length that is negative, too great for any
// integer, greater than the message, or there twice.
func TestAdvisoryContentLength(t *testing.T) {
	hostile(t, func(p *raw) []string {
		var l []string
		text := p.request("INVITE", toAcme, "sip:x@carrier.test", toAcme, "Contact: <sip:x@y>")
		for _, v := range []string{"-1", "-9223372036854775808", "9223372036854775807", "18446744073709551616", "4294967295", "2147483648", "70000", "1e9", "0x10", "1, 2", "١"} {
			l = append(l, strings.Replace(text, "Content-Length: 0", "Content-Length: "+v, 1))
		}
		return append(l, strings.Replace(text, "Content-Length: 0", "Content-Length: 0\r\nContent-Length: 50", 1), strings.Replace(text, "Content-Length: 0", "l: 9\r\nContent-Length: 0", 1))
	})
}

// TestForgedInDialog: BYE, UPDATE, re-INVITE, REFER and CANCEL from a third
// address with all the right names change nothing; a phone that changed networks
// proves who it is, and another address of the trunk is the trunk.
func TestForgedInDialog(t *testing.T) {
	inBubble(t, func(_ *Config, company *pbx.Company) {
		company.Trunks[0].From = append(company.Trunks[0].From, netip.MustParsePrefix("10.0.0.3/32"))
	}, func(r *legRig) {
		thief, second := r.newPeer("203.0.113.9"), r.newPeer("10.0.0.3")
		_, c := r.answered()
		forged := *c
		forged.p = thief
		for i, method := range []string{"BYE", "INVITE", "UPDATE", "REFER", "INFO"} {
			forged.send(method, 5+i, "", "Refer-To: <sip:103@acme.test>")
			thief.want("SIP/2.0 403")
		}
		r.noEvent(time.Minute)
		own := *c
		own.p = second
		own.send("BYE", 2, "") // its number is not spent by those of the thief
		second.want("SIP/2.0 200")
		r.endedBy(pbx.PartyCaller, pbx.Hangup, 200)
	})
	inBubble(t, nil, func(r *legRig) {
		thief := r.newPeer("203.0.113.9")
		c := r.peer.newCall()
		branch := c.send("INVITE", 1, offerSDP)
		l := r.leg()
		l.Ring(180, nil)
		c.took(r.peer.want("SIP/2.0 180"))
		forged := *c
		forged.p = thief
		for _, b := range []string{branch, "z9hG4bKother"} {
			forged.sendBranch(b, "CANCEL", 1, "")
			forged.p.sendTo(pbxAddr, "CANCEL "+c.uri+" SIP/2.0", "Via: SIP/2.0/UDP "+r.peer.addr+";branch="+b+";rport", "From: "+c.from, "To: "+c.to,
				"Call-ID: "+c.id, "CSeq: 1 CANCEL", "Max-Forwards: 70", "Content-Length: 0", "", "")
		}
		r.noEvent(30 * time.Second)
		l.Answer([]byte(answerSDP))
		c.took(r.peer.want("SIP/2.0 200"))
		c.send("ACK", 1, "")
		event[Confirmed](r)
	})
	synctest.Test(t, func(t *testing.T) { // a phone
		events, gone := make(chan any, 64), make(chan struct{})
		defer close(gone)
		r := newRig(t, func(c *Config) {
			c.Accept = func(l *Leg) {
				l.Own(events, gone)
				l.Answer([]byte(answerSDP))
			}
		})
		const uri = "sip:102@acme.test"
		p, moved := r.raw("203.0.113.7"), r.raw("203.0.113.8")
		send := func(p *raw, method, uri, to string, seq int, headers ...string) {
			p.id, p.tag = "roaming", "roaming"
			p.seq = 100*seq + len(headers)
			p.send(p.request(method, uri, "sip:101@acme.test", uri, append([]string{"To: " + to, fmt.Sprintf("CSeq: %d %s", seq, method), "Contact: <sip:101@" + p.addr + ">"}, headers...)...))
		}
		send(p, "INVITE", uri, "<"+uri+">", 1)
		a := authorization(t, p.final(), "SHA-256", "INVITE", uri, "101", "secret101", 1)
		send(p, "INVITE", uri, "<"+uri+">", 2, a)
		res := p.final()
		at, to := strings.Trim(contactsOf(res)[0], "<>"), res.To().Value()
		send(p, "ACK", at, to, 2, a)
		send(moved, "BYE", at, to, 3)
		res = moved.final()
		if res == nil || res.StatusCode != 401 {
			t.Fatalf("a BYE from a third address: %v", res)
		}
		send(moved, "BYE", at, to, 4, authorization(t, res, "SHA-256", "BYE", at, "102", "secret102", 1))
		if got := moved.status(); got != 403 {
			t.Errorf("a BYE of another extension: %d", got)
		}
		for len(events) > 0 {
			if e, ok := (<-events).(LegEnded); ok {
				t.Errorf("ended by %v", e.Cause)
			}
		}
		send(moved, "BYE", at, to, 5)
		send(moved, "BYE", at, to, 6, authorization(t, moved.final(), "SHA-256", "BYE", at, "101", "secret101", 1))
		if got := moved.status(); got != 200 {
			t.Errorf("a BYE of the phone from elsewhere: %d", got)
		}
		time.Sleep(time.Minute)
	})
}
