package media

import (
	"net/netip"
	"strings"
	"testing"
)

// both is a machine of both families: it answers each from its own address.
func both(peer netip.Addr) netip.Addr {
	if peer.Is4() {
		return netip.MustParseAddr(ours)
	}
	return netip.MustParseAddr("2001:db8::1")
}

// TestFamilies: a peer is told an address of its own family, that of its media
// when its signalling has the other one, and what cannot be reached is refused.
func TestFamilies(t *testing.T) {
	four := func(netip.Addr) netip.Addr { return netip.MustParseAddr(ours) }
	only4 := func(peer netip.Addr) netip.Addr {
		if peer.Is4() {
			return four(peer)
		}
		return netip.Addr{}
	}
	addrs := func(text string) (l []netip.Addr) {
		for _, f := range strings.Fields(text) {
			l = append(l, netip.MustParseAddr(f))
		}
		return l
	}
	for _, tt := range []struct {
		name, listen, external string
		route                  func(netip.Addr) netip.Addr
		peer, offer, want      string // want "" is a refusal
	}{
		{"anywhere, 4", "0.0.0.0", "", both, "198.51.100.1", "198.51.100.1:4000", "IP4 192.0.2.1"},
		{"anywhere, 6", "0.0.0.0", "", both, "2001:db8::a", "[2001:db8::a]:4000", "IP6 2001:db8::1"},
		{"the IPv6 wildcard means the same", "::", "", both, "198.51.100.1", "198.51.100.1:4000", "IP4 192.0.2.1"},
		{"both wildcards", "0.0.0.0 ::", "", both, "2001:db8::a", "[2001:db8::a]:4000", "IP6 2001:db8::1"},
		{"mapped address", "0.0.0.0", "", both, "198.51.100.1", "[::ffff:198.51.100.1]:4000", "IP4 192.0.2.1"},
		{"media 6, signalling 4", "0.0.0.0", "", both, "198.51.100.1", "[2001:db8::a]:4000", "IP6 2001:db8::1"},
		{"media 4, signalling 6", "0.0.0.0", "", both, "2001:db8::a", "198.51.100.1:4000", "IP4 192.0.2.1"},
		{"held, 6 in 4", "0.0.0.0", "", both, "198.51.100.1", "[::]:4000", "IP4 192.0.2.1"},
		{"no IPv6 here", "0.0.0.0", "", only4, "198.51.100.1", "[2001:db8::a]:4000", ""},
		{"one of each", "192.0.2.1 2001:db8::7", "", four, "2001:db8::a", "[2001:db8::a]:4000", "IP6 2001:db8::7"},
		{"one of each, media of the other", "192.0.2.1 2001:db8::7", "", four, "2001:db8::a", "198.51.100.1:4000", ""},
		{"IPv4 only", "192.0.2.1", "", four, "198.51.100.1", "[2001:db8::a]:4000", ""},
		{"external of each", "0.0.0.0", "203.0.113.1 2001:db8::99", both, "2001:db8::a", "[2001:db8::a]:4000", "IP6 2001:db8::99"},
		{"external 4 is nothing to 6", "0.0.0.0", "203.0.113.1", both, "2001:db8::a", "[2001:db8::a]:4000", "IP6 2001:db8::1"},
		{"external 4", "0.0.0.0", "2001:db8::99 203.0.113.1", both, "198.51.100.1", "198.51.100.1:4000", "IP4 203.0.113.1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(c *Config) {
				c.Listen, c.External, c.LocalFor = addrs(tt.listen), addrs(tt.external), tt.route
			}, func(r *rig) {
				a := r.open(tt.peer)
				if err := a.SetOffer([]byte(describe(tt.offer))); (err == nil) != (tt.want != "") {
					t.Fatalf("offer: %v", err)
				}
				if tt.want == "" {
					return
				}
				text := a.answer(t, describe(tt.offer))
				if !strings.Contains(text, "\r\nc=IN "+tt.want+"\r\n") || !strings.Contains(text, " IN "+tt.want+"\r\ns=-") {
					t.Errorf("%s", text)
				}
			})
		})
	}
}
