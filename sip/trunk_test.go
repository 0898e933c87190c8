package sip

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"vpbx/pbx"
)

// atProvider makes the trunk of the rig one that registers.
func atProvider(c *Config, company *pbx.Company) {
	company.Trunks[0].Register = true
	company.Trunks[0].From = nil
}

const provChallenge = `WWW-Authenticate: Digest realm="prov", nonce="n1", algorithm=SHA-256, qop="auth"`

// register answers a REGISTER and its second one with credentials, granting
// expires as the contact would come back rewritten.
func (p *rawPeer) register(t *testing.T, reg rawMsg, expires int) rawMsg {
	t.Helper()
	p.reply(reg, "401 Unauthorized", "r", "", provChallenge)
	second := p.want("REGISTER")
	n, _ := reg.cseq()
	if m, _ := second.cseq(); m != n+1 || second.one("Call-ID") != reg.one("Call-ID") || !strings.Contains(second.one("Authorization"), `username="u1"`) || len(second.get("Via")) != 1 {
		t.Errorf("REGISTER with credentials: %q", second.lines)
	}
	_, token, _ := strings.Cut(second.one("Contact"), "sip:")
	token, _, _ = strings.Cut(token, "@")
	p.reply(second, "200 OK", "r", "", "Contact: <sip:other@1.2.3.4>;expires=7", fmt.Sprintf("Contact: \"x\" <sip:%s@203.0.113.9:1024;ob>;q=1;expires=%d", token, expires), "Expires: 3000")
	return second
}

func TestTrunkRegisters(t *testing.T) {
	inBubble(t, atProvider, func(r *legRig) {
		reg := r.peer.want("REGISTER sip:10.0.0.2:5060 SIP/2.0")
		if !strings.HasPrefix(reg.one("From"), "<sip:u1@10.0.0.2>") || reg.one("To") != "<sip:u1@10.0.0.2>" || reg.one("Expires") != "600" || !strings.HasSuffix(reg.one("Contact"), "@10.0.0.1:5060>;expires=600") {
			t.Errorf("REGISTER: %q", reg.lines)
		}
		if r.trunkUp() != 0 {
			t.Error("up before it is registered")
		}
		at := r.peer.register(t, reg, 120).at
		time.Sleep(time.Second)
		if r.trunkUp() != 1 {
			t.Error("registered, but not up")
		}
		again := r.peer.wantIn("REGISTER", 2*time.Minute)
		if d := again.at.Sub(at); d < 86*time.Second || d > 97*time.Second || again.one("Contact") != reg.one("Contact") || again.one("Call-ID") != reg.one("Call-ID") {
			t.Errorf("refreshed after %v by %q", d, again.lines)
		}
		r.peer.register(t, again, 3600)
		time.Sleep(time.Second)

		// A call to our contact from the registrar is the trunk's; the number is in To.
		c := r.peer.newCall()
		user, _, _ := strings.Cut(strings.TrimPrefix(reg.one("Contact"), "<sip:"), "@")
		c.uri = "sip:" + user + "@10.0.0.1:5060"
		c.send("INVITE", 1, offerSDP)
		l := r.leg()
		if l.Trunk == nil || l.Trunk.Name != "carrier" || l.To != "+74950000000" {
			t.Errorf("leg %+v", l)
		}
		l.Reject(pbx.NewCause(pbx.PartyPBX, pbx.Busy))
		r.peer.want("SIP/2.0 486")
		event[LegEnded](r)
		if _, ok := r.s.registeredTrunk(user, netip.MustParseAddr("10.0.0.3")); ok {
			t.Error("anybody may call as the trunk")
		}
		if _, ok := r.s.registeredTrunk("x"+user, netip.MustParseAddr("10.0.0.2")); ok {
			t.Error("any user is the trunk")
		}
		done := make(chan struct{})
		go func() { r.s.Close(); close(done) }()
		bye := r.peer.until("REGISTER")
		if bye.one("Expires") != "0" || !strings.HasSuffix(bye.one("Contact"), ";expires=0") {
			t.Errorf("un-REGISTER: %q", bye.lines)
		}
		r.peer.reply(bye, "200 OK", "r", "")
		<-done
	})
}

func TestTrunkBackOff(t *testing.T) {
	inBubble(t, atProvider, func(r *legRig) {
		var last time.Time
		for i, want := range []float64{0, 5, 10, 20, 40, 80, 160, 320, 600, 600} {
			reg := r.peer.wantIn("REGISTER", 11*time.Minute)
			if d := reg.at.Sub(last).Seconds(); i > 0 && (d > want+0.1 || d < want*0.89) {
				t.Errorf("try %d after %.1f s, want 90 to 100 %% of %v", i, d, want)
			}
			last = reg.at
			r.peer.reply(reg, "503 Service Unavailable", "r", "")
		}
		reg := r.peer.wantIn("REGISTER", 11*time.Minute)
		r.peer.reply(reg, "423 Interval Too Brief", "r", "", "Min-Expires: 1800")
		reg = r.peer.want("REGISTER")
		if reg.one("Expires") != "1800" {
			t.Errorf("after 423: %q", reg.lines)
		}
		r.peer.reply(reg, "200 OK", "r", "") // its only Contact names no expiry, nor a header: what we asked for
		at := time.Now()
		reg = r.peer.wantIn("REGISTER", time.Hour)
		if d := reg.at.Sub(at); d < 1290*time.Second || d > 1441*time.Second {
			t.Errorf("refreshed after %v", d)
		}
		r.peer.reply(reg, "401 Unauthorized", "r", "", provChallenge)
		reg = r.peer.want("REGISTER")
		r.peer.reply(reg, "401 Unauthorized", "r", "", provChallenge)
		at = time.Now()
		time.Sleep(time.Second)
		if r.trunkUp() != 0 {
			t.Error("refused, but up")
		}
		if d := r.peer.wantIn("REGISTER", 2*time.Minute).at.Sub(at); d < 53*time.Second {
			t.Errorf("wrong password tried again after %v", d)
		}
	})
}

// TestTrunkRetryAfter: a registrar that says when to come again is not asked
// before, and not for ever left alone.
func TestTrunkRetryAfter(t *testing.T) {
	inBubble(t, atProvider, func(r *legRig) {
		reg := r.peer.want("REGISTER")
		for _, c := range []struct {
			header     string
			least, max time.Duration
		}{
			{"Retry-After: 300 (maintenance);duration=60", 300 * time.Second, 331 * time.Second},
			{"Retry-After: 1", 9 * time.Second, 11 * time.Second}, // its own back-off is longer
			{"Retry-After: soon", 17 * time.Second, 21 * time.Second},
			{"Retry-After: 999999", time.Hour, 67 * time.Minute},
		} {
			r.peer.reply(reg, "503 Service Unavailable", "r", "", c.header)
			at := reg.at
			reg = r.peer.wantIn("REGISTER", 2*time.Hour)
			if d := reg.at.Sub(at); d < c.least || d > c.max {
				t.Errorf("%s: tried again after %v", c.header, d)
			}
		}
	})
}

// TestOutboundProxy: everything to a trunk goes to its outbound proxy, with a
// Route that names it, and the Request-URI names the trunk; so do the CANCEL and
// the ACK to a refusal (RFC 3261 §9.1, §17.1.1.3).
func TestOutboundProxy(t *testing.T) {
	inBubble(t, func(c *Config, company *pbx.Company) {
		atProvider(c, company)
		company.Trunks[0].Host, company.Trunks[0].Proxy = "sip.prov.test", "10.0.0.2:5060"
	}, func(r *legRig) {
		const route = "<sip:10.0.0.2:5060;lr>"
		reg := r.peer.want("REGISTER sip:sip.prov.test SIP/2.0")
		if reg.one("Route") != route || !strings.HasPrefix(reg.one("To"), "<sip:u1@sip.prov.test>") {
			t.Errorf("REGISTER: %q", reg.lines)
		}
		again := r.peer.register(t, reg, 3600)
		if again.one("Route") != route {
			t.Errorf("REGISTER with credentials: %q", again.lines)
		}
		r.dial()
		inv := r.peer.want("INVITE sip:+79160000001@sip.prov.test SIP/2.0")
		if inv.one("Route") != route {
			t.Errorf("INVITE: %q", inv.lines)
		}
		r.peer.reply(inv, "486 Busy Here", "b", "")
		if ack := r.peer.want("ACK sip:+79160000001@sip.prov.test SIP/2.0"); ack.one("Route") != route {
			t.Errorf("ACK: %q", ack.lines)
		}
		event[LegEnded](r)
		l := r.dial()
		inv = r.peer.want("INVITE")
		r.peer.reply(inv, "180 Ringing", "b", "")
		event[Rang](r)
		l.Hangup(pbx.NewCause(pbx.PartyCaller, pbx.Cancelled))
		cancel := r.peer.want("CANCEL sip:+79160000001@sip.prov.test SIP/2.0")
		if cancel.one("Route") != route {
			t.Errorf("CANCEL: %q", cancel.lines)
		}
		r.peer.reply(cancel, "200 OK", "b", "")
		r.peer.reply(inv, "487 Request Terminated", "b", "")
		r.peer.want("ACK")
		event[LegEnded](r)
	})
}

func TestReloadTrunks(t *testing.T) {
	var dir *pbx.Directory
	inBubble(t, func(c *Config, company *pbx.Company) {
		atProvider(c, company)
		dir = pbx.NewDirectory([]*pbx.Company{company})
		c.Directory = func() *pbx.Directory { return dir }
	}, func(r *legRig) {
		r.peer.register(t, r.peer.want("REGISTER"), 3600)
		time.Sleep(time.Second)
		same, trunk := *r.company, *r.company.Trunks[0]
		trunk.Calls = 7
		same.Trunks = []*pbx.Trunk{&trunk}
		dir = pbx.NewDirectory([]*pbx.Company{&same})
		r.s.Reload()
		r.peer.quiet(time.Minute) // not registered anew
		token := lineToken(lineName{"acme", "carrier"}, &trunk)
		if got, ok := r.s.registeredTrunk(token, netip.MustParseAddr("10.0.0.2")); !ok || got.Trunk.Calls != 7 {
			t.Errorf("after reload: %+v, %v", got.Trunk, ok)
		}
		other, changed := *r.company, trunk
		changed.Username = "u2"
		other.Trunks = []*pbx.Trunk{&changed}
		dir = pbx.NewDirectory([]*pbx.Company{&other})
		r.s.Reload()
		var got []string
		for range 2 {
			m := r.peer.want("REGISTER")
			got = append(got, m.one("From")[:14]+m.one("Expires"))
			r.peer.reply(m, "200 OK", "r", "", "Expires: 3600")
		}
		if s := strings.Join(got, " "); !strings.Contains(s, "<sip:u1@10.0.00") || !strings.Contains(s, "<sip:u2@10.0.0600") {
			t.Errorf("after a change: %v", got)
		}
		time.Sleep(time.Second)
		if r.trunkUp() != 1 {
			t.Error("the new line is registered, but not up")
		}
		none := *r.company
		none.Trunks = nil
		dir = pbx.NewDirectory([]*pbx.Company{&none})
		r.s.Reload()
		m := r.peer.want("REGISTER")
		if m.one("Expires") != "0" {
			t.Errorf("after removal: %q", m.lines)
		}
		r.peer.reply(m, "200 OK", "r", "")
		r.peer.quiet(time.Hour)
	})
}

// TestProviderByName: names are resolved, remembered, and kept when the name
// server fails.
func TestProviderByName(t *testing.T) {
	inBubble(t, func(c *Config, company *pbx.Company) {
		company.Trunks[0].Host = "sip.prov.test"
	}, func(r *legRig) {
		r.names = map[string][]netip.Addr{"sip.prov.test": {netip.MustParseAddr("10.0.0.2")}}
		call := func() {
			r.dial()
			inv := r.peer.want("INVITE sip:+79160000001@sip.prov.test SIP/2.0")
			r.peer.reply(inv, "486 Busy Here", "b", "")
			r.peer.want("ACK")
			event[LegEnded](r)
		}
		call()
		r.names = nil
		call()
		time.Sleep(2 * time.Minute)
		call()
	})
}
