package pbx

import (
	"net/netip"
	"regexp"
	"testing"
)

// TestR28Admits: no list is any address; an IPv4 address in the form of IPv6 is that
// IPv4 address; what is on is on by https only.
func TestR28Admits(t *testing.T) {
	networks := func(list ...string) []netip.Prefix {
		var all []netip.Prefix
		for _, p := range list {
			all = append(all, netip.MustParsePrefix(p))
		}
		return all
	}
	for _, test := range []struct {
		trust  Trust
		from   string
		secure bool
		ok     bool
	}{
		{Trust{}, "198.51.100.7", false, true},
		{Trust{Allow: networks("203.0.113.0/24")}, "203.0.113.9", false, true},
		{Trust{Allow: networks("203.0.113.0/24")}, "::ffff:203.0.113.9", false, true},
		{Trust{Allow: networks("203.0.113.0/24")}, "203.0.114.9", true, false},
		{Trust{Allow: networks("203.0.113.0/24")}, "::ffff:203.0.114.9", false, false},
		{Trust{Allow: networks("203.0.113.0/24")}, "2001:db8::1", false, false},
		{Trust{Allow: networks("203.0.113.0/24", "2001:db8::/64")}, "2001:db8::1%eth0", false, true},
		{Trust{Allow: networks("203.0.113.7/32")}, "203.0.113.8", false, false},
		{Trust{SSL: SSLOn}, "203.0.113.9", false, false},
		{Trust{SSL: SSLOn}, "203.0.113.9", true, true},
		{Trust{SSL: SSLOff}, "203.0.113.9", false, true},
		{Trust{SSL: SSLOn, Allow: networks("203.0.113.0/24")}, "198.51.100.7", true, false},
	} {
		err := test.trust.Admits(netip.MustParseAddr(test.from), test.secure)
		if (err == nil) != test.ok || err != nil && KindOf(err) != Denied {
			t.Errorf("%+v from %s, %t: %v", test.trust, test.from, test.secure, err)
		}
	}
	if err := (&Trust{Allow: networks("0.0.0.0/0")}).Admits(netip.Addr{}, true); err == nil {
		t.Error("no address is admitted")
	}
}

// TestR31NewKeys: the keys are new, the old ones retired, a hundred of them at most.
func TestR31NewKeys(t *testing.T) {
	c := CRM{ClientID: "000003c405e6525c64c184258c44ec99", SignKey: testKey}
	seen := map[string]bool{}
	for range 150 {
		id, key := c.ClientID, c.SignKey
		c.NewKeys()
		for _, k := range []string{c.ClientID, c.SignKey} {
			if !regexp.MustCompile(`^[0-9A-F]{32}$`).MatchString(k) || seen[k] {
				t.Fatalf("key %q", k)
			}
			seen[k] = true
		}
		if !c.IsRetired(id, key) || !c.IsRetired(id, "") || c.IsRetired(id, c.SignKey) || c.IsRetired(c.ClientID, "") || c.IsRetired(c.ClientID, c.SignKey) {
			t.Fatal("retired are others")
		}
	}
	if len(c.Retired) != maxRetired {
		t.Errorf("%d retired", len(c.Retired))
	}
	for _, r := range c.Retired {
		if seen[r.KeyHash] {
			t.Error("a retired key is kept in clear")
		}
	}
}
