package sip

import (
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestIdentify: whose call an INVITE is, and that there is no third way in.
func TestIdentify(t *testing.T) {
	const carrier, phone, stranger = "198.51.100.7", "203.0.113.7", "198.18.0.1"
	for _, c := range []struct {
		name          string
		ip, from, to  string // to is also the Request-URI
		user          string // answers the challenge as that extension; "": does not
		code          int    // final answer; 486: it became a leg
		tenant, trunk string
		extension     string
		dialled       string
		counted       reason
	}{
		{"trunk, number of acme", carrier, "sip:+79160000001@carrier.test", "sip:+74950000001@192.0.2.1", "", 486, "acme", "carrier", "", "+74950000001", ""},
		{"trunk, number of beta as dialled at home", carrier, "sip:x@carrier.test", "sip:84950000002@192.0.2.1", "", 486, "beta", "carrier", "", "84950000002", ""},
		{"trunk, tel URI", carrier, "tel:+79160000001", "tel:+7-495-000-00-01;phone-context=x", "", 486, "acme", "carrier", "", "+7-495-000-00-01", ""},
		{"trunk, escaped number", carrier, "sip:x@carrier.test", "sip:%2B74950000001;npdi@192.0.2.1", "", 486, "acme", "carrier", "", "+74950000001", ""},
		{"trunk, nobody's number", carrier, "sip:x@carrier.test", "sip:+74950000009@192.0.2.1", "", 404, "", "", "", "", unknownOwner},
		{"phone", phone, "sip:101@acme.test", "sip:102@acme.test", "101", 486, "acme", "", "101", "102", ""},
		{"phone, domain in capitals", phone, "sip:101@ACME.Test", "sip:102@acme.test", "101", 486, "acme", "", "101", "102", ""},
		{"phone that hides its number", phone, "sip:anonymous@anonymous.invalid", "sip:102@acme.test", "101", 486, "acme", "", "101", "102", ""},
		{"phone at a carrier's address", carrier, "sip:101@acme.test", "sip:102@acme.test", "101", 486, "acme", "", "101", "102", ""},
		{"same without password", carrier, "sip:101@acme.test", "sip:+74950000001@acme.test", "", 401, "", "", "", "", ""},
		{"phone without password", phone, "sip:101@acme.test", "sip:102@acme.test", "", 401, "", "", "", "", ""},
		{"phone that calls itself another", phone, "sip:102@acme.test", "sip:102@acme.test", "101", 403, "", "", "", "", spoofed},
		{"phone of beta that dials into acme's domain", phone, "sip:101@beta.test", "sip:102@acme.test", "101", 486, "beta", "", "101", "102", ""},
		{"outside number as From", phone, "sip:+79160000001@acme.test", "sip:102@acme.test", "101", 403, "", "", "", "", spoofed},
		{"stranger", stranger, "sip:1000@192.0.2.1", "sip:+74950000001@192.0.2.1", "", 403, "", "", "", "", unknownDomain},
		{"stranger who knows a domain", stranger, "sip:1000@acme.test", "sip:+74950000001@192.0.2.1", "", 401, "", "", "", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil)
				p := r.raw(c.ip)
				invite := func(headers ...string) int {
					p.send(p.request("INVITE", c.to, c.from, c.to, append(headers, "Contact: <sip:x@"+p.addr+">")...))
					res := p.final()
					if res == nil {
						return 0
					}
					if res.StatusCode == 401 && c.user != "" && len(headers) == 0 {
						a := authorization(t, res, "SHA-256", "INVITE", c.to, c.user, "secret"+c.user, 1)
						p.send(p.request("INVITE", c.to, c.from, c.to, a, "Contact: <sip:x@"+p.addr+">"))
						res = p.final()
					}
					return res.StatusCode
				}
				if got := invite(); got != c.code {
					t.Fatalf("answered with %d, want %d", got, c.code)
				}
				legs := r.accepted()
				if (c.code == 486) != (len(legs) == 1) {
					t.Fatalf("%d legs", len(legs))
				}
				if c.counted != "" && r.metric("vpbx_sip_rejected_total", string(c.counted)) != 1 || c.counted == "" && r.metric("vpbx_sip_rejected_total") != 0 {
					t.Errorf("not counted as %q", c.counted)
				}
				if len(legs) == 0 {
					return
				}
				l := legs[0]
				trunk := ""
				if l.Trunk != nil {
					trunk = l.Trunk.Name
				}
				if string(l.Company.ID) != c.tenant || trunk != c.trunk || l.Extension != c.extension || l.To != c.dialled {
					t.Errorf("leg of %s, trunk %q, extension %q, to %q", l.Company.ID, trunk, l.Extension, l.To)
				}
			})
		})
	}
}

// TestRefusals: what an INVITE is refused for before anybody asks whose it is.
func TestRefusals(t *testing.T) {
	sdp := "\r\n" + "v=0\r\n"
	for _, c := range []struct {
		name    string
		method  string
		headers []string
		code    int
		header  string // a header of the answer
	}{
		{"options", "OPTIONS", nil, 200, "allow"},
		{"publish", "PUBLISH", nil, 405, "allow"},
		{"unknown method", "FETCH", nil, 501, "allow"},
		{"bye of nothing", "BYE", nil, 481, ""},
		{"cancel of nothing", "CANCEL", nil, 481, ""},
		{"bye of an unknown dialog", "BYE", []string{"To: <sip:x@y>;tag=1"}, 481, ""},
		{"no hops left", "INVITE", []string{"Max-Forwards: 0"}, 483, ""},
		{"too many hops", "INVITE", []string{"Max-Forwards: 256"}, 400, ""},
		{"options without hops", "OPTIONS", []string{"Max-Forwards: 0"}, 200, ""},
		{"unknown extension", "INVITE", []string{"Require: timer, 100rel, foo"}, 420, "unsupported"},
		{"body of unknown type", "INVITE", []string{"Content-Type: text/plain", sdp}, 415, "accept"},
		{"body without type", "INVITE", []string{sdp}, 400, ""},
		{"compressed body", "INVITE", []string{"Content-Type: application/sdp", "e: gzip", sdp}, 415, "accept-encoding"},
		{"accepts nothing of ours", "INVITE", []string{"Accept: text/html"}, 406, ""},
		{"two From", "INVITE", []string{"f: <sip:a@b>;tag=1"}, 400, ""},
		{"From without tag", "INVITE", []string{"From: <sip:a@b>"}, 400, ""},
		{"CSeq of another method", "INVITE", []string{"CSeq: 1 BYE"}, 400, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil)
				p := r.raw("198.51.100.7")
				p.send(p.request(c.method, "sip:+74950000001@192.0.2.1", "sip:x@carrier.test", "sip:+74950000001@192.0.2.1", c.headers...))
				res := p.final()
				if res == nil || res.StatusCode != c.code {
					t.Fatalf("answered with %v, want %d", res, c.code)
				}
				if c.header != "" && len(values(res, c.header)) == 0 {
					t.Errorf("no %s in %s", c.header, res)
				}
				if c.code == 420 && values(res, "unsupported")[0] != "foo" {
					t.Errorf("unsupported %q", values(res, "unsupported"))
				}
			})
		})
	}
}

// TestHidden: a line hidden in a header is neither obeyed nor sent on.
func TestHidden(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		p := r.raw("203.0.113.7")
		for h, want := range map[string]int{"Subject: a\nVia: evil": 0, "X: a\x00b": 400, "Call-ID: a\nb": 0} {
			p.send(p.request("OPTIONS", acme, "sip:a@acme.test", acme, h))
			if code := p.code(); code != want {
				t.Errorf("%q was answered with %d", h, code)
			}
		}
		if r.metric("vpbx_sip_rejected_total", "malformed") != 3 {
			t.Error("not counted")
		}
	})
}

// TestLoop: a request that comes by two ways is served once (RFC 3261
// §8.2.2.2); its retransmission is none of that.
func TestLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(c *Config) {
			c.Accept = func(l *Leg) { l.Own(make(chan any, 9), nil) }
		})
		p := r.raw("198.51.100.7")
		invite := p.request("INVITE", "sip:+74950000001@192.0.2.1", "sip:x@carrier.test", "sip:+74950000001@192.0.2.1", "Contact: <sip:x@"+p.addr+">")
		p.send(invite)
		p.send(invite)
		if res := p.final(); res != nil {
			t.Fatalf("answered with %d", res.StatusCode)
		}
		p.send(strings.Replace(invite, "branch=z9hG4bK", "branch=z9hG4bKother", 1))
		if got := p.status(); got != 482 || r.metric("vpbx_sip_rejected_total", "loop") != 1 {
			t.Errorf("the copy was answered with %d", got)
		}
	})
}

func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.s.Drain()
		p := r.raw("198.51.100.7")
		p.send(p.request("INVITE", "sip:+74950000001@192.0.2.1", "sip:x@carrier.test", "sip:+74950000001@192.0.2.1"))
		if res := p.final(); res == nil || res.StatusCode != 503 || len(values(res, "retry-after")) == 0 {
			t.Errorf("answered with %v", res)
		}
		q := r.raw("203.0.113.7")
		if res := q.register("101", "secret101", "Contact: <sip:101@203.0.113.7>"); res.StatusCode != 200 {
			t.Errorf("registration while draining: %d", res.StatusCode)
		}
	})
}

// TestFlood: a stranger is cut to its rate; a trunk and our own network are not.
func TestFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(c *Config) {
			c.Limits.MessageRate, c.Limits.MessageBurst = 10, 20
			c.LocalNets = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
		})
		for _, c := range []struct {
			ip   string
			want int
		}{{"198.18.0.1", 20}, {"198.51.100.7", 50}, {"10.0.0.7", 50}} {
			p := r.raw(c.ip)
			for range 50 {
				p.send(p.request("OPTIONS", acme, "sip:a@b", acme))
			}
			n := 0
			for p.final() != nil {
				n++
			}
			if n != c.want {
				t.Errorf("%s got %d answers, want %d", c.ip, n, c.want)
			}
			p.send(p.request("OPTIONS", acme, "sip:a@b", acme))
			if p.status() != 200 {
				t.Errorf("%s is not heard a second later", c.ip)
			}
		}
		if r.metric("vpbx_sip_rejected_total", "rate") != 30 {
			t.Error("not counted")
		}
		junk := r.raw("198.18.0.2")
		for _, b := range []string{"\r\n\r\n", "\x00\x00\x00\x00", "\x00", "GET / HTTP/1.1\r\n\r\n", "hello", "\x00\x01\x00\x00\x21\x12\xa4\x42"} {
			junk.send(b)
		}
		time.Sleep(time.Second)
		if got := r.metric("vpbx_sip_rejected_total", "garbage"); got != 3 {
			t.Errorf("garbage counted %v times, want 3: keepalives are none", got)
		}
		junk.send("\r\n\r\n" + junk.request("OPTIONS", acme, "sip:a@b", acme))
		if junk.status() != 200 {
			t.Error("a message behind empty lines is not heard (RFC 3261 §7.5)")
		}
	})
}

// TestPacketReader: sipgo's loop is replaced now and then, and nobody notices.
func TestPacketReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		a, b := r.raw("10.0.0.1"), r.raw("10.0.0.2")
		for range maxPeers/2 + 1000 {
			for _, p := range []*raw{a, b} {
				p.send("SIP/2.0 200 OK\r\n\r\n")
			}
		}
		time.Sleep(time.Second)
		for _, p := range []*raw{a, b} {
			p.send(p.request("OPTIONS", acme, "sip:a@b", acme))
			if p.status() != 200 {
				t.Fatal("no answer after the change of readers")
			}
		}
		if n := r.s.ua.TransportLayer().Pool("udp").Size(); n > 4 {
			t.Errorf("%d entries in the pool of sipgo", n)
		}
		if c := a.register("101", "secret101", "Contact: <sip:101@10.0.0.1>"); c.StatusCode != 200 {
			t.Error("no registration after the change of readers")
		}
	})
}

func TestHop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(c *Config) {
			c.Listen = []Listen{{"udp", "0.0.0.0:5060"}, {"udp", rigIP + ":5070"}, {"tcp", rigIP + ":5060"}}
			c.External = []string{"pbx.example.org"}
			c.LocalNets = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
		})
		p := newRaw(t, r.net.Host("10.0.0.9"), "10.0.0.9", 5060)
		if _, err := p.conn.WriteTo([]byte(p.request("OPTIONS", acme, "sip:a@b", acme)), udpAddr(rigIP+":5070")); err != nil {
			t.Fatal(err)
		}
		p.status()
		for _, c := range []struct{ transport, dest, contact, via, laddr string }{
			{"udp", "10.0.0.8:5060", "sip:192.0.2.1:5060", "192.0.2.1", "0.0.0.0:5060"},
			{"UDP", "10.0.0.9:5060", "sip:192.0.2.1:5070", "192.0.2.1", "192.0.2.1:5070"}, // where it talked to us
			{"udp", "203.0.113.7:9", "sip:pbx.example.org:5060", "pbx.example.org", "0.0.0.0:5060"},
			{"tcp", "203.0.113.7:9", "sip:pbx.example.org:5060;transport=tcp", "pbx.example.org", ":0"},
			{"tcp", "10.0.0.8:9", "sip:192.0.2.1:5060;transport=tcp", "192.0.2.1", ":0"},
		} {
			h, err := r.s.hop(c.transport, c.dest)
			if err != nil {
				t.Errorf("%s %s: %v", c.transport, c.dest, err)
				continue
			}
			if h.contact.String() != c.contact || h.via.host != c.via || h.laddr.String() != c.laddr || h.dest != c.dest {
				t.Errorf("%s %s: %+v", c.transport, c.dest, h)
			}
			if v := r.s.newVia(h); !strings.HasPrefix(v.Value(), "SIP/2.0/"+strings.ToUpper(c.transport)+" "+c.via) || len(v.Params.GetOr("branch", "")) < 30 {
				t.Errorf("Via %s", v.Value())
			}
		}
		for _, c := range [][2]string{{"tls", "10.0.0.8:5061"}, {"udp", "[2001:db8::1]:5060"}, {"udp", "host:5060"}, {"udp", ""}} {
			if h, err := r.s.hop(c[0], c[1]); err == nil {
				t.Errorf("%v: %+v", c, h)
			}
		}
	})
}

// TestStrangersCostNothing: what is refused before anybody is identified is
// answered without a transaction (RFC 3261 §8.2.7, §26.3.2.4): it takes no
// memory, and an INVITE with a false source is not answered eleven times.
func TestStrangersCostNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		p := r.raw("203.0.113.9")
		for _, c := range []struct {
			method, uri, from string
			code              int
		}{
			{"INVITE", "sip:102@acme.test", "sip:101@acme.test", 401},
			{"INVITE", "sip:102@nobody.test", "sip:101@nobody.test", 403},
			{"INVITE", "http://acme.test", "sip:101@acme.test", 416},
			{"REGISTER", acme, "sip:101@acme.test", 401},
			{"OPTIONS", acme, "sip:101@acme.test", 200},
			{"BYE", acme, "sip:101@acme.test", 481},
			{"PUBLISH", acme, "sip:101@acme.test", 405},
		} {
			text := p.request(c.method, c.uri, c.from, c.from, "Contact: <sip:101@203.0.113.9>")
			for range 2 { // the same again: the answer was lost
				p.send(text)
				if got := p.status(); got != c.code {
					t.Errorf("%s %s: %d, want %d", c.method, c.uri, got, c.code)
				}
			}
		}
		if m := p.receive(40 * time.Second); m != nil {
			t.Errorf("an answer came by itself: %v", m)
		}
	})
}
