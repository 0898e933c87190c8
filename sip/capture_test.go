package sip

import (
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"

	"vpbx/pbx"
)

// take gives the lines of the packets that wait.
func take(packets <-chan pbx.Packet) string {
	synctest.Wait()
	var lines []string
	for {
		select {
		case p := <-packets:
			lines = append(lines, told(p))
		default:
			return strings.Join(lines, "\n")
		}
	}
}

// TestCapture: who looks at an extension sees its registration and its calls,
// and nothing of what others say in its name or of another company.
func TestCapture(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		packets, stop, err := r.s.Capture("acme", "101")
		if err != nil {
			t.Fatal(err)
		}
		foreign, stopForeign, err := r.s.Capture("beta", "101")
		if err != nil {
			t.Fatal(err)
		}
		defer stopForeign()
		p := r.raw("203.0.113.7")
		p.register("101", "wrong", "Contact: <sip:101@203.0.113.7>")
		p.register("102", "secret102", "Contact: <sip:102@203.0.113.7>")
		if got := take(packets); got != "" {
			t.Errorf("of a wrong password and of another extension:\n%s", got)
		}
		p.register("101", "secret101", "Contact: <sip:101@203.0.113.7>")
		if got := take(packets); got != "udp 203.0.113.7:5060 > 192.0.2.1:5060 REGISTER sip:acme.test SIP/2.0\nudp 192.0.2.1:5060 > 203.0.113.7:5060 SIP/2.0 200 OK" {
			t.Errorf("of a registration:\n%s", got)
		}
		const uri = "sip:102@acme.test"
		p.send(p.request("INVITE", uri, "sip:101@acme.test", uri, "Contact: <sip:101@203.0.113.7>"))
		res := p.final()
		a := authorization(t, res, "SHA-256", "INVITE", uri, "101", "secret101", 1)
		p.send(p.request("INVITE", uri, "sip:101@acme.test", uri, "Contact: <sip:101@203.0.113.7>", a))
		p.final()
		if got := take(packets); got != "udp 203.0.113.7:5060 > 192.0.2.1:5060 INVITE sip:102@acme.test SIP/2.0\n"+
			"udp 192.0.2.1:5060 > 203.0.113.7:5060 SIP/2.0 100 Trying\nudp 192.0.2.1:5060 > 203.0.113.7:5060 SIP/2.0 486 Busy Here" {
			t.Errorf("of a call:\n%s", got)
		}
		// A stranger with the same Call-ID and From.
		m := r.raw("203.0.113.66")
		m.id, m.tag = p.id, p.tag
		m.send(m.request("INVITE", uri, "sip:101@acme.test", uri))
		m.final()
		stop()
		stop()
		p.register("101", "secret101", "Contact: <sip:101@203.0.113.7>")
		if got := take(packets); got != "" {
			t.Errorf("of a stranger, or after the end:\n%s", got)
		}
		if got := take(foreign); got != "" {
			t.Errorf("another company sees\n%s", got)
		}
	})
}

func TestCaptureLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		var stops []func()
		for range maxCompany {
			packets, stop, err := r.s.Capture("acme", "101")
			if err != nil {
				t.Fatal(err)
			}
			stops = append(stops, stop)
			defer func() {
				if n := len(packets); n != captureWait {
					t.Errorf("%d packets wait", n)
				}
			}()
		}
		if _, _, err := r.s.Capture("acme", "102"); pbx.KindOf(err) != pbx.Limit {
			t.Errorf("one too many: %v", err)
		}
		_, stop, err := r.s.Capture("beta", "101")
		if err != nil {
			t.Fatal(err)
		}
		stop()
		for range captureWait + 1 {
			r.s.captures.give(account{"acme", "101"}, pbx.Packet{})
		}
		if got := r.metric("vpbx_sip_capture_dropped_total"); got != maxCompany {
			t.Errorf("%v are dropped", got)
		}
		for _, stop := range stops {
			stop()
		}
		c := &r.s.captures
		if c.any.Load() || c.all != 0 || len(c.open) != 0 || len(c.of) != 0 {
			t.Errorf("left: %+v", c.open)
		}
		for i := range maxCaptures {
			if _, stop, err := r.s.Capture(pbx.TenantID(rune('a'+i/maxCompany)), "1"); err != nil {
				t.Fatal(err)
			} else {
				defer stop()
			}
		}
		if _, _, err := r.s.Capture("beta", "101"); pbx.KindOf(err) != pbx.Limit {
			t.Errorf("too many in all: %v", err)
		}
	})
}

// TestMirrorAddress: what no address can be read from is not shown.
func TestMirrorAddress(t *testing.T) {
	var l looker
	m := mirror{to: l.see, own: func(netip.Addr) netip.Addr { return netip.Addr{} }}
	m.pass(true, "udp", &net.UnixAddr{Name: "x"}, udpAddr(rigAddr), []byte("OPTIONS a SIP/2.0\r\n\r\n"))
	m.pass(true, "udp", udpAddr(rigAddr), &net.UnixAddr{Name: "x"}, []byte("OPTIONS a SIP/2.0\r\n\r\n"))
	if got := l.lines(); got != "" {
		t.Error(got)
	}
}
