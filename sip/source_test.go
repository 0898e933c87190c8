package sip

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"vpbx/pbx"
)

// as lets somebody else speak in a dialog of whose ids it knows everything.
func (c *rawCall) as(p *rawPeer) *rawCall {
	d := *c
	d.p, d.branch = p, 1000
	return &d
}

// phoneCall is an answered call of extension 101, who is not registered.
func (r *legRig) phoneCall(p *rawPeer) (*Leg, *rawCall) {
	r.t.Helper()
	c := &rawCall{p: p, uri: "sip:102@acme.test", from: "<sip:101@acme.test>;tag=pt1", to: "<sip:102@acme.test>", id: "phone@" + p.addr}
	r.authorized(c, "INVITE", 1, offerSDP)
	l := r.leg()
	l.Answer([]byte(answerSDP))
	c.took(p.want("SIP/2.0 200"))
	c.send("ACK", 2, "")
	event[Confirmed](r)
	return l, c
}

// authorized sends a request, is challenged, and sends it with credentials and
// the next number.
func (r *legRig) authorized(c *rawCall, method string, seq int, body string) {
	r.t.Helper()
	branch := c.send(method, seq, body)
	m := c.p.want("SIP/2.0 401")
	if method == "INVITE" {
		c.sendBranch(branch, "ACK", seq, "")
	}
	c.send(method, seq+1, body, m.credentials("101", method, c.uri))
}

// credentials answers the MD5 challenge of a 401.
func (m rawMsg) credentials(user, method, uri string) string {
	h := m.get("WWW-Authenticate")
	_, nonce, _ := strings.Cut(h[len(h)-1], `nonce="`)
	nonce, _, _ = strings.Cut(nonce, `"`)
	response := hexMD5(hexMD5(user+":acme.test:secret"+user) + ":" + nonce + ":00000001:c:auth:" + hexMD5(method+":"+uri))
	return fmt.Sprintf(`Authorization: Digest username="%s", realm="acme.test", nonce="%s", uri="%s", algorithm=MD5, qop=auth, nc=00000001, cnonce="c", response="%s"`,
		user, nonce, uri, response)
}

// withPasswords gives the company two phones that can prove who they are.
func withPasswords(_ *Config, company *pbx.Company) {
	for _, n := range []string{"101", "102"} {
		company.Extensions[n] = rigExtension(n, "acme.test", "secret"+n)
	}
}

// TestForgedInTrunkCall: somebody who knows Call-ID and tags of a carrier's call
// sends from an address that is not the carrier's. Nothing changes.
func TestForgedInTrunkCall(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		l, c := r.answered()
		forger := r.newPeer("203.0.113.66")
		f := c.as(forger)
		before := l.State()
		for i, method := range []string{"BYE", "INVITE", "UPDATE", "REFER", "INFO", "PRACK", "SUBSCRIBE"} {
			branch := f.send(method, 100+i, "", "Refer-To: <sip:666@acme.test>", "X: y\r\nm: <sip:forger@203.0.113.66>")
			forger.want("SIP/2.0 403")
			if method == "INVITE" {
				f.sendBranch(branch, "ACK", 100+i, "")
			}
		}
		r.noEvent(time.Minute)
		if after := l.State(); after.Target != before.Target || after.Peer != before.Peer || after.RemoteSeq != before.RemoteSeq {
			t.Errorf("%+v, was %+v", after, before)
		}
		c.send("BYE", 2, "")
		r.peer.want("SIP/2.0 200")
		r.endedBy(pbx.PartyCaller, pbx.Hangup, 200)
	})
}

// TestTrunkMoves: a carrier speaks from another address that is known as its own:
// one it calls from, or the one in its Contact.
func TestTrunkMoves(t *testing.T) {
	inBubble(t, func(_ *Config, company *pbx.Company) {
		company.Trunks[0].From = append(company.Trunks[0].From, netip.MustParsePrefix("10.0.7.0/24"))
	}, func(r *legRig) {
		_, c := r.answered()
		other := r.newPeer("10.0.7.7")
		c.as(other).send("UPDATE", 2, "")
		other.want("SIP/2.0 200")
		c.send("UPDATE", 3, "", "Contact: <sip:x@10.0.8.8>")
		r.peer.want("SIP/2.0 200")
	})
	inBubble(t, nil, func(r *legRig) {
		l := r.dial()
		inv := r.peer.want("INVITE")
		r.peer.reply(inv, "200 OK", "b1", offerSDP, "Contact: <sip:x@10.0.8.8>", "Record-Route: <sip:10.0.2.2;lr>")
		time.Sleep(time.Second)
		event[PickedUp](r)
		c := r.peer.dialogOf(inv, "b1")
		for i, ip := range []string{"10.0.8.8", "10.0.2.2"} {
			other := r.newPeer(ip)
			c.as(other).send("INFO", 1+i, "")
			other.until("SIP/2.0 200")
		}
		l.Hangup(pbx.NewCause(pbx.PartyPBX, pbx.Hangup))
		r.endedBy(pbx.PartyPBX, pbx.Hangup, 200)
	})
}

// TestTrunkOfSeveralServers: the BYE comes from another one than the INVITE went to.
func TestTrunkOfSeveralServers(t *testing.T) {
	inBubble(t, func(_ *Config, company *pbx.Company) { company.Trunks[0].Host = "many.test:5060" }, func(r *legRig) {
		r.names = map[string][]netip.Addr{"many.test": {netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("10.0.5.5")}}
		_, c, _ := r.pickedUp()
		other, forger := r.newPeer("10.0.5.5"), r.newPeer("10.0.5.6")
		c.as(forger).send("BYE", 1, "")
		forger.want("SIP/2.0 403")
		c.as(other).send("BYE", 1, "")
		other.want("SIP/2.0 200")
		r.endedBy(pbx.PartyCallee, pbx.Hangup, 200)
	})
}

// TestForgedInPhoneCall: whoever is not where the phone is has to prove to be
// it. Nobody else's password will do, and no BYE with an old number.
func TestForgedInPhoneCall(t *testing.T) {
	inBubble(t, withPasswords, func(r *legRig) {
		_, c := r.phoneCall(r.newPeer("10.0.0.31"))
		forger := r.newPeer("203.0.113.66")
		for i, method := range []string{"BYE", "INVITE", "UPDATE", "REFER", "INFO"} {
			f := c.as(forger)
			f.branch += 10 * i
			f.send(method, 100+i, "", "Refer-To: <sip:666@acme.test>")
			forger.want("SIP/2.0 401")
		}
		f := c.as(forger)
		f.branch = 2000
		f.send("BYE", 200, "")
		m := forger.want("SIP/2.0 401")
		f.send("BYE", 201, "", m.credentials("102", "BYE", f.uri))
		forger.want("SIP/2.0 403")
		r.noEvent(time.Minute)
		c.send("BYE", 1, "") // old
		c.p.want("SIP/2.0 500")
		r.noEvent(time.Second)
		c.send("BYE", 3, "")
		c.p.want("SIP/2.0 200")
		r.endedBy(pbx.PartyCaller, pbx.Hangup, 200)
	})
}

// TestPhoneMoves: a phone whose NAT gave it another port proves itself and is
// followed there.
func TestPhoneMoves(t *testing.T) {
	inBubble(t, withPasswords, func(r *legRig) {
		l, c := r.phoneCall(r.newPeer("10.0.0.31"))
		moved := r.newPeer("10.0.0.32")
		m := c.as(moved)
		r.authorized(m, "UPDATE", 5, "")
		moved.want("SIP/2.0 200")
		m.send("INFO", 7, "") // known there from now on
		moved.want("SIP/2.0 200")
		l.Hangup(pbx.NewCause(pbx.PartyPBX, pbx.Hangup))
		moved.reply(moved.want("BYE"), "200 OK", "", "")
		r.endedBy(pbx.PartyPBX, pbx.Hangup, 200)
	})
}

// TestForgedACK: an ACK of a stranger does not confirm the call, nor say where
// its sound goes.
func TestForgedACK(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		c := r.peer.newCall()
		c.send("INVITE", 1, "")
		l := r.leg()
		l.Answer([]byte(answerSDP))
		c.took(r.peer.want("SIP/2.0 200"))
		c.as(r.newPeer("203.0.113.66")).send("ACK", 1, holdSDP)
		r.noEvent(time.Second)
		c.send("ACK", 1, offerSDP)
		if e := event[Confirmed](r); string(e.SDP) != offerSDP {
			t.Errorf("SDP %q", e.SDP)
		}
	})
}

// TestForgedCancel: a CANCEL with everything right but where it comes from.
func TestForgedCancel(t *testing.T) {
	inBubble(t, nil, func(r *legRig) {
		c := r.peer.newCall()
		branch := c.send("INVITE", 1, offerSDP)
		l := r.leg()
		l.Ring(180, nil)
		r.peer.want("SIP/2.0 180")
		forger := r.newPeer("203.0.113.66")
		for _, start := range []string{"CANCEL ", "\r\nCANCEL "} {
			forger.send(start+c.uri+" SIP/2.0", "Via: SIP/2.0/UDP "+c.p.addr+";Branch=x;branch="+branch+";rport",
				"From: "+c.from, "To: "+c.to, "Call-ID: "+c.id, "CSeq: 1 CANCEL", "Max-Forwards: 70", "Content-Length: 0", "", "")
		}
		forger.quiet(time.Second)
		r.noEvent(30 * time.Second)
		c.sendBranch(branch, "CANCEL", 1, "")
		r.peer.want("SIP/2.0 200")
		r.peer.want("SIP/2.0 487")
		r.endedBy(pbx.PartyCaller, pbx.Cancelled, 487)
		time.Sleep(time.Minute)
		if from := r.s.dlg.asking.at(branch); from != nil {
			t.Errorf("the INVITE from %v is remembered", from)
		}
	})
}

// TestHiddenCancel: a forged CANCEL is found however its Via is written and
// whatever it comes behind.
func TestHiddenCancel(t *testing.T) {
	const decoy = "Via: SIP/2.0/UDP 203.0.113.66:5060;branch=z9hG4bKdecoy\r\n"
	for name, c := range map[string]struct {
		tcp         bool
		before, via string // BRANCH stands for that of the INVITE
	}{
		"folded":         {false, "", "Via:\r\n SIP/2.0/UDP PEER;branch=BRANCH;rport\r\n" + decoy},
		"folded further": {false, "", "Via: SIP/2.0/UDP PEER\r\n\t;branch=BRANCH;rport\r\n" + decoy},
		"line feed":      {false, "", "Via: SIP/2.0/UDP PEER;a=\n;branch=BRANCH;rport\r\n" + decoy},
		"quoted":         {false, "", "Via: SIP/2.0/UDP PEER;branch=\"BRANCH\";rport\r\n" + decoy},
		"behind another": {true, "OPTIONS sip:a SIP/2.0\r\n" + decoy + "From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: o\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
			"Via: SIP/2.0/TCP PEER;branch=BRANCH;rport\r\n"},
		"long": {true, "", "X-Long: " + strings.Repeat("x", 9000) + "\r\nVia: SIP/2.0/TCP PEER;branch=BRANCH;rport\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, nil, func(r *legRig) {
				c0 := r.peer.newCall()
				branch := c0.send("INVITE", 1, offerSDP)
				l := r.leg()
				l.Ring(180, nil)
				r.peer.want("SIP/2.0 180")
				via := strings.NewReplacer("BRANCH", branch, "PEER", c0.p.addr).Replace(c.via)
				text := c.before + "CANCEL " + c0.uri + " SIP/2.0\r\n" + via + "From: " + c0.from + "\r\nTo: " + c0.to + "\r\nCall-ID: " + c0.id +
					"\r\nCSeq: 1 CANCEL\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
				if c.tcp {
					conn, err := r.net.Host("203.0.113.66").Dial(context.Background(), "tcp", pbxAddr)
					if err != nil {
						t.Fatal(err)
					}
					defer conn.Close()
					if _, err := io.WriteString(conn, text); err != nil {
						t.Fatal(err)
					}
				} else {
					r.newPeer("203.0.113.66").send(strings.TrimSuffix(text, "\r\n"), "")
				}
				r.noEvent(30 * time.Second)
			})
		})
	}
}

func TestBranchesIn(t *testing.T) {
	for s, want := range map[string][]string{
		"CANCEL x\r\nVia: SIP/2.0/UDP a;branch=z1;rport\r\nv : SIP/2.0/UDP b ; Branch = z2 ": {"z1", "z2"},
		"CANCEL x\nVia: SIP/2.0/UDP a;branch=z1, SIP/2.0/UDP b;branch=\"z2\"\n":              {"z1", "z2"},
		"CANCEL x\r\nVia:\r\n a;\r\n branch\r\n\t=\r\n z1":                                   {"z1"},
		"CANCEL x\r\nVia: a;\xff\xfebranch=z1;branch=":                                       {"z1", ""},
		"CANCEL x\r\nVia:": nil,
		"branch":           nil,
		"":                 nil,
	} {
		if got := branchesIn([]byte(s)); !slices.Equal(got, want) {
			t.Errorf("%q: %v", s, got)
		}
	}
}

func FuzzBranches(f *testing.F) {
	f.Add([]byte("CANCEL x\r\nVia: SIP/2.0/UDP a;branch=z1;rport\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, s := range branchesIn(b) {
			if strings.ContainsAny(s, ";,\n") {
				t.Errorf("%q: %q", b, s)
			}
		}
	})
}
