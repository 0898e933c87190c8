package sip

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	msg "github.com/emiago/sipgo/sip"

	"vpbx/pbx"
)

const uuid = `+sip.instance="<urn:uuid:00000000-0000-1000-8000-AABBCCDDEEFF>"`

// TestOutbound: what a REGISTER with reg-id gets (RFC 5626 §6).
func TestOutbound(t *testing.T) {
	for _, tt := range []struct {
		name    string
		headers []string
		want    int
		require string
	}{
		{"flow", []string{"Contact: <sip:101@10.0.0.5>;" + uuid + ";reg-id=1", "Supported: path, outbound"}, 200, "outbound"},
		{"compact", []string{"m: <sip:101@10.0.0.5>;reg-id=2;" + uuid, "k: outbound"}, 200, "outbound"},
		{"the phone does not know the extension", []string{"Contact: <sip:101@10.0.0.5>;" + uuid + ";reg-id=1"}, 200, ""},
		{"no instance", []string{"Contact: <sip:101@10.0.0.5>;reg-id=1", "Supported: outbound"}, 200, ""},
		{"reg-id 0", []string{"Contact: <sip:101@10.0.0.5>;reg-id=0;" + uuid, "Supported: outbound"}, 200, ""},
		{"reg-id is too large", []string{"Contact: <sip:101@10.0.0.5>;reg-id=2147483648;" + uuid, "Supported: outbound"}, 200, ""},
		{"required", []string{"Contact: <sip:101@10.0.0.5>;" + uuid + ";reg-id=1", "Supported: path, outbound", "Require: outbound"}, 200, "outbound"},
		{"two flows at once", []string{"Contact: <sip:101@10.0.0.5>;" + uuid + ";reg-id=1, <sip:101@10.0.0.5:5062>;" + uuid + ";reg-id=2", "Supported: outbound"}, 400, ""},
		{"one comes and one goes", []string{"Contact: <sip:101@10.0.0.5>;" + uuid + ";reg-id=1, <sip:101@10.0.0.5:5062>;expires=0;" + uuid + ";reg-id=2", "Supported: outbound"}, 200, "outbound"},
		{"first hop does not know it", []string{"Via: SIP/2.0/UDP 10.0.0.5:5060;branch=z9hG4bKfirst;rport\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK2",
			"Contact: <sip:101@10.0.0.5>;" + uuid + ";reg-id=1", "Supported: path, outbound"}, 439, ""},
		{"first hop knows it", []string{"Via: SIP/2.0/UDP 10.0.0.5:5060;branch=z9hG4bKfirst;rport\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK2",
			"Path: <sip:token@192.0.2.9;lr;ob>", "Contact: <sip:101@10.0.0.5>;" + uuid + ";reg-id=1", "Supported: path, outbound"}, 200, "outbound"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil)
				p := r.raw("10.0.0.5")
				// The Via is the same in both tries: rig's register makes two requests.
				res := p.registerTwice("101", "secret101", tt.headers...)
				if res == nil || res.StatusCode != tt.want || value(res, "require") != tt.require {
					t.Fatalf("%v", res)
				}
				if tt.want == 200 && value(res, "flow-timer") != "" {
					t.Error("a Flow-Timer over UDP, whose phones use STUN")
				}
			})
		})
	}
}

// registerTwice is register with branches that differ where the test writes the
// Via.
func (p *raw) registerTwice(user, password string, headers ...string) *msg.Response {
	p.t.Helper()
	aor := "sip:" + user + "@acme.test"
	p.send(p.request("REGISTER", acme, aor, aor, headers...))
	res := p.final()
	if res == nil || res.StatusCode != 401 {
		return res
	}
	a := authorization(p.t, res, "SHA-256", "REGISTER", acme, user, password, 1)
	p.send(strings.Replace(p.request("REGISTER", acme, aor, aor, append(headers, a)...), "z9hG4bKfirst", "z9hG4bKsecond", 1))
	return p.final()
}

// TestFlows: the same instance and reg-id replace, whatever the Contact says;
// another reg-id is another flow, also under the same Contact; a phone with two
// flows rings once, over the later one.
func TestFlows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &memory{}
		r := newRig(t, func(c *Config) { c.Bindings = store })
		a, b, c := r.raw("10.0.0.5"), r.raw("10.0.0.6"), r.raw("10.0.0.7")
		reg := func(p *raw, contact string, id int) {
			t.Helper()
			time.Sleep(time.Second)
			if res := p.register("101", "secret101", fmt.Sprintf("Contact: <%s>;%s;reg-id=%d", contact, uuid, id), "Supported: outbound"); res == nil || res.StatusCode != 200 {
				t.Fatalf("%v", res)
			}
		}
		targets := func(want ...string) {
			t.Helper()
			var got []string
			for _, x := range r.s.Targets("acme", "101") {
				l := []string{x.uri, x.flow.addr}
				for _, w := range x.others {
					l = append(l, w.addr)
				}
				got = append(got, strings.Join(l, " "))
			}
			if strings.Join(got, ", ") != strings.Join(want, ", ") {
				t.Errorf("targets %q, want %q", got, want)
			}
		}
		reg(a, "sip:101@192.168.1.5;Odd=X", 1)
		targets("sip:101@192.168.1.5;Odd=X 10.0.0.5:5060")
		reg(b, "sip:101@192.168.1.5;Odd=X", 1) // it came back from elsewhere
		targets("sip:101@192.168.1.5;Odd=X 10.0.0.6:5060")
		reg(c, "sip:101@192.168.1.5;Odd=X", 2)
		targets("sip:101@192.168.1.5;Odd=X 10.0.0.7:5060 10.0.0.6:5060")
		if n := len(r.s.Registrations("acme")); n != 2 || store.size() != 1 {
			t.Errorf("%d bindings, %d saved", n, store.size())
		}
		c.register("101", "secret101", "Contact: <sip:101@192.168.1.5;Odd=X>;expires=0;"+uuid+";reg-id=2", "Supported: outbound")
		targets("sip:101@192.168.1.5;Odd=X 10.0.0.6:5060")
		if store.size() != 1 {
			t.Errorf("%d saved: the flow that is left is not", store.size())
		}
		reg(b, "sip:101@192.168.1.77", 1)
		targets("sip:101@192.168.1.77 10.0.0.6:5060")
	})
}

// TestNextFlow: a flow that failed, or says so with 430, is followed by the next
// one of the phone (RFC 5626 §7), and the call stays on that.
func TestNextFlow(t *testing.T) {
	for _, how := range []string{"silent", "430 Flow Failed"} {
		inBubble(t, nil, func(r *legRig) {
			two := r.newPeer("10.0.0.9")
			target := Target{Who: "101", uri: "sip:101@10.0.0.2", user: "101", domain: "acme.test", extension: "101",
				way: way{"udp", "10.0.0.2:5060"}, flow: way{"udp", "10.0.0.2:5060"}, others: []alternate{{way{"tcp", "10.0.0.77:1"}, "sip:101@10.0.0.77;transport=tcp"}, {way{"udp", "10.0.0.9:5060"}, "sip:101@10.0.0.9;Other=Y"}}}
			l := r.s.Dial(Invite{Company: r.company, Target: target, From: Party{User: "102"}, SDP: []byte(answerSDP), Events: r.events, Gone: r.gone})
			inv := r.peer.want("INVITE")
			if how != "silent" {
				r.peer.reply(inv, how, "x", "")
				r.peer.want("ACK")
			}
			again := two.wantIn("INVITE sip:101@10.0.0.9;Other=Y ", 10*time.Second)
			two.reply(again, "200 OK", "b", offerSDP)
			two.want("ACK")
			event[PickedUp](r)
			l.Hangup(pbx.NewCause(pbx.PartyCaller, pbx.Hangup))
			two.reply(two.want("BYE"), "200 OK", "", "")
			r.endedBy(pbx.PartyCaller, pbx.Hangup, 200)
		})
	}
}

// TestPath: proxies that put themselves on the way to a phone are its Route, in
// their order, and the request goes over the flow the REGISTER came from,
// wherever they say they are (RFC 3327 §5.3, §5.4).
func TestPath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &memory{}
		r := newRig(t, func(c *Config) { c.Bindings = store })
		p := r.raw("10.0.0.5")
		headers := []string{"Contact: <sip:101@192.168.1.5>", "Path: <sip:edge@198.51.100.77:5070;lr;x=Y>, <sip:inner@10.9.9.9;lr>", "Supported: path"}
		res := p.register("101", "secret101", headers...)
		if res == nil || res.StatusCode != 200 || value(res, "path") != "<sip:edge@198.51.100.77:5070;lr;x=Y>, <sip:inner@10.9.9.9;lr>" {
			t.Fatalf("%v", res)
		}
		if store.size() != 0 {
			t.Error("a binding is saved that the store cannot say the way to")
		}
		l := r.s.Targets("acme", "101")
		if len(l) != 1 {
			t.Fatalf("%v", l)
		}
		events, gone := make(chan any, 16), make(chan struct{})
		defer close(gone)
		leg := r.s.Dial(Invite{Company: r.dir.Company("acme"), Target: l[0], From: Party{User: "102"}, SDP: []byte(answerSDP), Events: events, Gone: gone})
		var inv *msg.Request
		for inv == nil {
			if q, ok := p.receive(time.Second).(*msg.Request); ok && q.IsInvite() {
				inv = q
			}
		}
		if inv.Recipient.String() != "sip:101@192.168.1.5" || strings.Join(values(inv, "route"), ", ") != "<sip:edge@198.51.100.77:5070;lr;x=Y>, <sip:inner@10.9.9.9;lr>" {
			t.Errorf("%v", inv)
		}
		leg.Hangup(pbx.NewCause(pbx.PartyCaller, pbx.Cancelled))
		p.send(answerTo(inv, 486))
		time.Sleep(time.Minute)

		for _, tt := range []struct {
			path, supported string
			want            int
		}{
			{"<sip:edge@10.0.0.1;lr>", "timer", 420},
			{"<sip:edge@10.0.0.1;lr>", "", 420},
			{"<tel:123>", "path", 400},
			{"<sip:edge@10.0.0.1;lr", "path", 400},
			{`"x" <sip:a@b>;p=1`, "path", 200},
			{strings.Repeat("<sip:edge@10.0.0.1;lr>, ", maxRoutes) + "<sip:a@b;lr>", "path", 400},
		} {
			headers := []string{"Contact: <sip:101@192.168.1.6>", "Path: " + tt.path}
			if tt.supported != "" {
				headers = append(headers, "Supported: "+tt.supported)
			}
			res := p.register("101", "secret101", headers...)
			if res == nil || res.StatusCode != tt.want || tt.want == 420 && value(res, "unsupported") != "path" {
				t.Errorf("%q %q: %v, want %d", tt.path, tt.supported, res, tt.want)
			}
		}
	})
}

// TestFlowTimer: a phone that says it keeps its connection alive has to, and
// loses it otherwise.
func TestFlowTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		s := r.stream(r.net.Host("203.0.113.5"))
		aor := "sip:101@acme.test"
		headers := []string{"Contact: <sip:101@203.0.113.5;transport=tcp>;" + uuid + ";reg-id=1", "Supported: outbound"}
		s.send(s.p.request("REGISTER", acme, aor, aor, headers...))
		a := authorization(t, s.response(), "SHA-256", "REGISTER", acme, "101", "secret101", 1)
		s.send(s.p.request("REGISTER", acme, aor, aor, append(headers, a)...))
		if res := s.response(); res.StatusCode != 200 || value(res, "flow-timer") != "120" {
			t.Fatalf("%v", res)
		}
		for range 5 {
			time.Sleep(flowTimer - time.Second)
			if err := s.send("\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
		}
		if len(r.s.Targets("acme", "101")) != 1 {
			t.Error("a phone that keeps its flow alive is not reached")
		}
		time.Sleep(flowTimer + flowGrace + time.Second)
		if n, _ := r.flows(); n != 0 {
			t.Error("a flow that is not kept alive is open")
		}
	})
}

// TestSTUN: the sample of RFC 5769 §2.1 to §2.3, without the attributes that a
// keepalive does not need, and over the SIP port.
func TestSTUN(t *testing.T) {
	id := "b7e7a701bc34d686fa87dfae"
	request, _ := hex.DecodeString("000100002112a442" + id)
	for from, want := range map[string]string{
		"192.0.2.1:32853": "0101000c2112a442" + id + "002000080001a147e112a643",
		"[2001:db8:1234:5678:11:2233:4455:6677]:32853": "010100182112a442" + id + "002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9",
	} {
		if got := hex.EncodeToString(stunAnswer(request, netip.MustParseAddrPort(from))); got != want {
			t.Errorf("%s:\n got %s\nwant %s", from, got, want)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		p := r.raw("10.0.0.5")
		p.send(string(request))
		b := make([]byte, 100)
		p.conn.SetReadDeadline(time.Now().Add(time.Second))
		if n, _, err := p.conn.ReadFrom(b); err != nil || !bytes.Equal(b[:n], stunAnswer(request, netip.MustParseAddrPort("10.0.0.5:5060"))) {
			t.Errorf("%x, %v", b[:n], err)
		}
		for _, bad := range []string{string(request[:19]), string(request) + "xx", "\x01\x01" + string(request[2:]), "\x00\x01\x00\x04" + string(request[4:]), string(request[:4]) + "\x00" + string(request[5:])} {
			p.send(bad)
			p.conn.SetReadDeadline(time.Now().Add(time.Second))
			if n, _, err := p.conn.ReadFrom(b); err == nil {
				t.Errorf("%x is answered with %x", bad, b[:n])
			}
		}
	})
}

// FuzzSTUN: no bytes are more than refused, and an answer is never much longer
// than what it answers.
func FuzzSTUN(f *testing.F) {
	request, _ := hex.DecodeString("000100002112a442b7e7a701bc34d686fa87dfae")
	f.Add(request)
	f.Add(append(request, 0, 0, 0, 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		if got := stunAnswer(b, netip.MustParseAddrPort("[2001:db8::1]:5060")); len(got) > len(b)+24 {
			t.Errorf("%d bytes for %d", len(got), len(b))
		}
	})
}

// FuzzPath: no Path breaks the reader, and what it gives can stand in a Route.
func FuzzPath(f *testing.F) {
	f.Add("<sip:a@b;lr>, <sip:c@d;ob>")
	f.Add(`"x,y" <sip:a@b>;p="1,2"`)
	f.Fuzz(func(t *testing.T, v string) {
		req := msg.NewRequest(msg.REGISTER, msg.Uri{Host: "acme.test"})
		req.AppendHeader(msg.NewHeader("Path", v))
		path, err := pathOf(req)
		if err != nil {
			return
		}
		marked(path)
		for _, p := range path {
			if _, err := rawURI(p); err != nil || len(path) > maxRoutes {
				t.Errorf("%q: %v", p, err)
			}
		}
	})
}
