package sip

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	msg "github.com/emiago/sipgo/sip"
)

// NAPTR is a DNS record that says by which transports a domain takes SIP, best
// first by Order, then by Preference (RFC 3403 §4, RFC 3263 §4.1).
type NAPTR struct {
	Order, Preference uint16
	Flags             string // "s": Replacement has SRV records
	Service           string // SIP+D2U, SIP+D2T, SIPS+D2T
	Replacement       string
}

const (
	maxPointers = 16              // NAPTR records of a name that are looked at
	naptrFor    = 3 * time.Second // to get them
)

// endpoint is an address to send to, and how.
type endpoint struct {
	transport string
	addr      netip.AddrPort
}

// pointers are the NAPTR records of a host.
type pointers struct {
	records []NAPTR
	until   time.Time
}

// transportOfService gives our transport for a NAPTR service, "" for one that is
// none of ours (RFC 3263 §4.1, RFC 7118 has no way for a server to be found).
func transportOfService(s string) string {
	switch strings.ToUpper(s) {
	case "SIP+D2U":
		return "udp"
	case "SIP+D2T":
		return "tcp"
	case "SIPS+D2T":
		return "tls"
	}
	return ""
}

// endpoints gives where a way leads, at least one, in the order in which they
// are tried. have tells which transports we can send over.
func (n *names) endpoints(ctx context.Context, w way, have func(string) bool) ([]endpoint, error) {
	if w.transport != "" {
		addrs, err := n.lookup(ctx, w)
		return over(w.transport, addrs), err
	}
	found, known := n.pointers(ctx, w.addr)
	if !known { // the name server fails
		addrs, err := n.lookup(ctx, way{"udp", w.addr})
		return over("udp", addrs), err
	}
	var out []endpoint
	for _, r := range found {
		t := transportOfService(r.Service)
		if !have(t) {
			continue
		}
		name := strings.TrimSuffix(r.Replacement, ".")
		records, err := n.srv(ctx, t+" =", "", "", name)
		if err != nil {
			continue
		}
		addrs, _ := n.targets(ctx, records)
		out = append(out, over(t, addrs)...)
	}
	if len(out) > 0 {
		return out, nil
	}
	for _, t := range []string{"udp", "tcp", "tls"} { // RFC 3263 §4.1: whichever has SRV records
		if !have(t) {
			continue
		}
		if records, err := n.records(ctx, t, w.addr); err == nil && len(records) > 0 {
			if addrs, err := n.targets(ctx, records); err == nil {
				return over(t, addrs), nil
			}
		}
	}
	addrs, err := n.at(ctx, w.addr, uint16(msg.DefaultUdpPort))
	return over("udp", addrs), err
}

func over(transport string, addrs []netip.AddrPort) []endpoint {
	l := make([]endpoint, len(addrs))
	for i, a := range addrs {
		l[i] = endpoint{transport, a}
	}
	return l
}

// pointers gives the NAPTR records of a host that we can use, best first; false
// when nobody can say whether it has any.
func (n *names) pointers(ctx context.Context, host string) ([]NAPTR, bool) {
	now := time.Now()
	n.mu.Lock()
	old, ok := n.naptr[host]
	n.mu.Unlock()
	if ok && now.Before(old.until) {
		return old.records, true
	}
	ctx, cancel := context.WithTimeout(ctx, naptrFor)
	defer cancel()
	found, err := n.resolveNAPTR(ctx, host)
	if err != nil && !notFound(err) {
		return old.records, ok
	}
	fresh := pointers{orderNAPTR(found), now.Add(nameTTL)}
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.naptr) >= maxNames {
		clear(n.naptr)
	}
	n.naptr[host] = fresh
	return fresh.records, true
}

// orderNAPTR sorts records and leaves out those of other services, and those that
// lead to no SRV records (RFC 3263 §4.1).
func orderNAPTR(found []NAPTR) []NAPTR {
	var l []NAPTR
	for _, r := range found {
		if strings.EqualFold(r.Flags, "s") && transportOfService(r.Service) != "" && strings.Trim(r.Replacement, ".") != "" && len(l) < maxPointers {
			l = append(l, r)
		}
	}
	slices.SortStableFunc(l, func(a, b NAPTR) int {
		return cmp.Or(cmp.Compare(a.Order, b.Order), cmp.Compare(a.Preference, b.Preference))
	})
	return l
}

// targets gives the addresses of SRV records, in the order in which they are
// tried; an error when there are none.
func (n *names) targets(ctx context.Context, records []*net.SRV) ([]netip.AddrPort, error) {
	var out []netip.AddrPort
	failed := errors.New("no server is named")
	for _, r := range orderSRV(records, rand.IntN) {
		found, err := n.at(ctx, strings.TrimSuffix(r.Target, "."), r.Port)
		if err != nil {
			failed = err
			continue
		}
		out = append(out, found...)
	}
	if len(out) == 0 {
		return nil, failed
	}
	return out, nil
}
