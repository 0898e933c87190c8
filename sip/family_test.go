package sip

import (
	"net"
	"net/netip"
	"strings"
	"testing"

	"vpbx/pbx"
)

// TestBothFamilies: the wildcards of both families are listened on side by
// side, whatever the order, and an IPv6 wildcard alone serves both, on real
// sockets.
func TestBothFamilies(t *testing.T) {
	probe, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Skip("no IPv6 here:", err)
	}
	_, port, _ := net.SplitHostPort(probe.Addr().String())
	probe.Close()
	dir := pbx.NewDirectory([]*pbx.Company{rigCompany("acme", "+74950000001")})
	for _, addrs := range [][]string{{"0.0.0.0:" + port, "[::]:" + port}, {"[::]:" + port, "0.0.0.0:" + port}, {"[::]:" + port}, {"[::1]:" + port, "127.0.0.1:" + port}} {
		var l []Listen
		for _, a := range addrs {
			l = append(l, Listen{"udp", a}, Listen{"tcp", a})
		}
		s, err := New(Config{Listen: l, Directory: func() *pbx.Directory { return dir }, Accept: func(*Leg) {}})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Start(); err != nil {
			t.Fatal(err)
		}
		for _, host := range []string{"127.0.0.1", "::1"} {
			for _, transport := range []string{"udp", "tcp"} {
				conn, err := net.Dial(transport, net.JoinHostPort(host, port))
				if err != nil {
					t.Fatal(err)
				}
				p := newStream(t, conn)
				p.send(p.options())
				if got := p.status(); got != 200 {
					t.Errorf("%v: %s from %s: %d", addrs, transport, host, got)
				}
				h, err := s.hop(transport, conn.LocalAddr().String())
				if err != nil || h.via.host != host {
					t.Errorf("%v: way back to %s %s: %+v, %v", addrs, transport, host, h, err)
				}
				conn.Close()
			}
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestExternalOfFamily: a peer outside is told the external address of its
// family, a name whatever its family, and our own where there is none.
func TestExternalOfFamily(t *testing.T) {
	for _, tt := range []struct {
		external   []string
		peer, want string
	}{
		{nil, "198.51.100.1", "192.0.2.1"},
		{[]string{"203.0.113.1"}, "198.51.100.1", "203.0.113.1"},
		{[]string{"203.0.113.1"}, "10.1.1.1", "192.0.2.1"},
		{[]string{"203.0.113.1", "2001:db8::99"}, "2001:db8:1::5", "2001:db8::99"},
		{[]string{"2001:db8::99", "203.0.113.1"}, "198.51.100.1", "203.0.113.1"},
		{[]string{"203.0.113.1"}, "2001:db8:1::5", "2001:db8::1"},
		{[]string{"pbx.example.org"}, "2001:db8:1::5", "pbx.example.org"},
	} {
		s := &Server{cfg: Config{External: tt.external, LocalNets: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}}
		own := netip.MustParseAddrPort("192.0.2.1:5060")
		peer := netip.MustParseAddr(tt.peer)
		if peer.Is6() {
			own = netip.MustParseAddrPort("[2001:db8::1]:5060")
		}
		s.listeners = []*listener{{transport: "tcp", addr: own}}
		h, err := s.hop("tcp", netip.AddrPortFrom(peer, 5060).String())
		if err != nil || h.via.host != tt.want {
			t.Errorf("%v: %s is told %q, %v; want %s", tt.external, tt.peer, h.via.host, err, tt.want)
		}
		if via := s.newVia(h).String(); strings.Contains(tt.want, ":") && !strings.Contains(via, " ["+tt.want+"]:5060") {
			t.Errorf("%s", via)
		}
		if uri := h.contact.String(); strings.Contains(tt.want, ":") && uri != "sip:["+tt.want+"]:5060;transport=tcp" {
			t.Errorf("%s", uri)
		}
	}
}
