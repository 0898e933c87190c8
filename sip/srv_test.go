package sip

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"vpbx/pbx"
)

// TestOrderSRV: priority first, and among equals the weight decides.
func TestOrderSRV(t *testing.T) {
	a := &net.SRV{Target: "a", Priority: 10, Weight: 60}
	b := &net.SRV{Target: "b", Priority: 10, Weight: 40}
	zero := &net.SRV{Target: "zero", Priority: 10}
	last := &net.SRV{Target: "last", Priority: 20, Weight: 9}
	for draw, want := range map[int]string{0: "zero a b last", 1: "a zero b last", 60: "a zero b last", 61: "b zero a last", 100: "b zero a last"} {
		var names []string
		for _, r := range orderSRV([]*net.SRV{last, a, b, zero}, func(int) int { d := draw; draw = 0; return d }) {
			names = append(names, r.Target)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	count := map[string]int{}
	for i := range 101 {
		draws := []int{i, 0}
		got := orderSRV([]*net.SRV{a, b}, func(int) int { d := draws[0]; draws = draws[1:]; return d })
		count[got[0].Target]++
	}
	if count["a"] != 61 || count["b"] != 40 {
		t.Errorf("first %v", count)
	}
}

// twoServers makes the rig's trunk a name with SRV records for 10.0.0.2 and,
// behind it, 10.0.0.3.
func twoServers(c *Config, company *pbx.Company) {
	company.Trunks[0].Host = "carrier.test"
	c.Resolve = func(_ context.Context, host string) ([]netip.Addr, error) {
		switch host {
		case "one.carrier.test":
			return []netip.Addr{netip.MustParseAddr("10.0.0.2")}, nil
		case "two.carrier.test":
			return []netip.Addr{netip.MustParseAddr("10.0.0.3")}, nil
		}
		return nil, errors.New("no such host")
	}
	c.ResolveSRV = func(_ context.Context, service, proto, name string) ([]*net.SRV, error) {
		if service+proto+name != "sipudpcarrier.test" {
			return nil, &net.DNSError{Err: "no such host", IsNotFound: true}
		}
		return []*net.SRV{
			{Target: "two.carrier.test.", Port: 5060, Priority: 20, Weight: 1},
			{Target: "gone.carrier.test.", Port: 5060, Priority: 5, Weight: 1},
			{Target: "one.carrier.test.", Port: 5060, Priority: 10, Weight: 1},
		}, nil
	}
}

// TestNextTarget: the next server of a trunk is tried after a 503, and after
// silence; what answers takes the whole call.
func TestNextTarget(t *testing.T) {
	for _, silent := range []bool{false, true} {
		inBubble(t, twoServers, func(r *legRig) {
			two := r.newPeer("10.0.0.3")
			start := time.Now()
			l := r.dial()
			inv := r.peer.want("INVITE sip:+79160000001@carrier.test ")
			if !silent {
				r.peer.reply(inv, "503 Full", "b1", "")
				r.peer.want("ACK")
			}
			again := two.wantIn("INVITE sip:+79160000001@carrier.test ", 6*time.Second)
			if d := time.Since(start).Round(time.Second); silent != (d == 4*time.Second) {
				t.Errorf("silent %v: the next target after %v", silent, d)
			}
			if again.one("CSeq") != inv.one("CSeq") || again.one("Via") == inv.one("Via") || again.one("Call-ID") != inv.one("Call-ID") {
				t.Errorf("%v", again.lines)
			}
			two.reply(again, "407 Auth", "b2", "", `Proxy-Authenticate: Digest realm="x", nonce="n", algorithm=MD5, qop="auth"`)
			two.want("ACK")
			again = two.want("INVITE") // not by way of the first one
			two.reply(again, "200 OK", "b2", offerSDP, "Contact: <sip:carrier.test>")
			two.want("ACK")
			event[PickedUp](r)
			l.Hangup(pbx.NewCause(pbx.PartyCaller, pbx.Hangup))
			two.reply(two.want("BYE"), "200 OK", "", "")
			r.endedBy(pbx.PartyCaller, pbx.Hangup, 200)
		})
	}
}

// TestLateTarget: a server that answers when another has its turn is thanked
// and hung up on.
func TestLateTarget(t *testing.T) {
	inBubble(t, twoServers, func(r *legRig) {
		two := r.newPeer("10.0.0.3")
		l := r.dial()
		inv := r.peer.want("INVITE")
		again := two.wantIn("INVITE", 6*time.Second)
		two.reply(again, "100 Trying", "", "")
		for m, ok := r.peer.next(time.Second); ok; m, ok = r.peer.next(time.Second) {
			if !strings.HasPrefix(m.start, "INVITE") {
				t.Errorf("%s", m.start)
			}
		}
		r.peer.reply(inv, "200 OK", "late", offerSDP)
		r.peer.want("ACK")
		r.peer.reply(r.peer.want("BYE"), "200 OK", "", "")
		two.reply(again, "200 OK", "b2", offerSDP)
		two.want("ACK")
		event[PickedUp](r)
		l.Hangup(pbx.NewCause(pbx.PartyCaller, pbx.Hangup))
		two.reply(two.want("BYE"), "200 OK", "", "")
		r.endedBy(pbx.PartyCaller, pbx.Hangup, 200)
	})
}

// TestNoNextTarget: what the called party says, and the last target, end the
// search.
func TestNoNextTarget(t *testing.T) {
	for _, status := range []string{"486 Busy", "603 No", "404 Who", "500 Oops"} {
		inBubble(t, twoServers, func(r *legRig) {
			two := r.newPeer("10.0.0.3")
			r.dial()
			r.peer.reply(r.peer.want("INVITE"), status, "b1", "")
			r.peer.want("ACK")
			eventIn[LegEnded](r, time.Second)
			two.quiet(6 * time.Second)
		})
	}
	inBubble(t, twoServers, func(r *legRig) {
		two := r.newPeer("10.0.0.3")
		r.dial()
		r.peer.reply(r.peer.want("INVITE"), "503 Full", "b1", "")
		r.peer.want("ACK")
		two.reply(two.want("INVITE"), "503 Full", "b2", "")
		two.want("ACK")
		r.endedBy(pbx.PartyTrunk, pbx.Refused, 503)
	})
}

// TestServersOf: without records the host's own address serves, a name server
// that fails changes nothing, and a lone "." is a refusal (RFC 2782).
func TestServersOf(t *testing.T) {
	var records []*net.SRV
	var failure error
	c := Config{
		Resolve: func(context.Context, string) ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr("10.1.1.1")}, nil
		},
		ResolveSRV: func(context.Context, string, string, string) ([]*net.SRV, error) { return records, failure },
	}
	for _, k := range []struct {
		records []*net.SRV
		failure error
		want    string
	}{
		{nil, nil, "10.1.1.1:5061"},
		{nil, errors.New("server failure"), "10.1.1.1:5061"},
		{nil, &net.DNSError{IsNotFound: true}, "10.1.1.1:5061"},
		{[]*net.SRV{{Target: "x.", Port: 7000}}, nil, "10.1.1.1:7000"},
		{[]*net.SRV{nil, {Target: "x.", Port: 0}}, nil, "10.1.1.1:5061"},
		{[]*net.SRV{{Target: "."}}, nil, ""},
	} {
		var n names
		n.init(&c)
		records, failure = k.records, k.failure
		got, err := n.lookup(t.Context(), way{"tls", "x.test"})
		if k.want == "" && err == nil || k.want != "" && (err != nil || got[0].String() != k.want) {
			t.Errorf("%v %v: %v %v, want %s", k.records, k.failure, got, err, k.want)
		}
	}
}
