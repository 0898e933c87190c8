package sip

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	msg "github.com/emiago/sipgo/sip"
)

// way is where requests go: a transport and a "host:port", whose host may be a
// name still. A name alone stands for what its SRV records say, and without a
// transport for what its NAPTR records say (RFC 3263 §4).
type way struct{ transport, addr string }

// wayTo is the next hop to a URI (RFC 3261 §8.1.2), over the
// transport given unless the URI names another one.
func wayTo(uri, transport string) (way, error) {
	var u msg.Uri
	if err := msg.ParseUri(uri, &u); err != nil {
		return way{}, fmt.Errorf("parse URI: %w", err)
	}
	w := way{transport: transport}
	if t, ok := param(u.UriParams, "transport"); ok {
		w.transport = strings.ToLower(t)
	}
	if u.Scheme == "sips" {
		w.transport = "tls"
	}
	host, port := strings.Trim(u.Host, "[]"), u.Port
	if m, ok := param(u.UriParams, "maddr"); ok && m != "" {
		host = strings.Trim(m, "[]")
	}
	w.addr = destination(w.transport, host, port)
	return w, nil
}

// destination is where a URI or a trunk with a host and maybe a port (else 0)
// leads to: without a port an address has the default one, and a name is left
// to its SRV records (RFC 3263 §4.2).
func destination(transport, host string, port int) string {
	if port == 0 {
		if _, err := netip.ParseAddr(host); err != nil && host != "" && !strings.Contains(host, ":") {
			return host
		}
		port = msg.DefaultPort(transport)
	}
	return net.JoinHostPort(host, strconv.Itoa(port))
}

// reach plans the hops of a way, best first: one for each address of its host.
func (d *dialogs) reach(ctx context.Context, w way) ([]hop, error) {
	found, err := d.names.endpoints(ctx, w, d.s.localTransport)
	if err != nil {
		return nil, err
	}
	var hops []hop
	var failed error
	for _, e := range found {
		h, err := d.s.hop(e.transport, e.addr.String())
		if err != nil {
			failed = err
			continue
		}
		if !w.literal() {
			h.name, _ = splitHost(w.addr)
		}
		hops = append(hops, h)
	}
	if len(hops) == 0 {
		return nil, failed
	}
	return hops, nil
}

// literal says whether reach needs no name server.
func (w way) literal() bool {
	_, err := addrPort(w.addr)
	return err == nil
}

// way is where requests inside the dialog go: to a phone over the flow it
// registered or called over, since its Contact is often an address behind a
// NAT (RFC 5626 §5.3); to a trunk where its Route or Contact says.
func (l *Leg) way() way { return l.wayOf(&l.d) }

func (l *Leg) wayOf(d *dialog) way {
	if l.flow != (way{}) {
		return l.flow
	}
	next := d.target
	if len(d.routes) > 0 {
		next = d.routes[0]
	}
	transport := l.Transport
	if transport == "" {
		transport = l.heard.transport
	}
	w, err := wayTo(next, transport)
	if l.heard == (way{}) {
		return w
	}
	if err != nil || !l.s.localTransport(w.transport) || unreachable(w.addr, l.heard.addr) {
		return l.heard
	}
	if l.Trunk != nil && !strings.Contains(w.addr, ":") {
		if t, _ := trunkWay(l.Trunk); t == w {
			return l.heard // the target that serves this call, not any of the trunk's
		}
	}
	if l.heard.transport != "udp" && l.s.connected(l.heard.transport, l.heard.addr) {
		return l.heard // the peer's own connection is still open
	}
	return w
}

// unreachable says whether a peer named an address that only it can reach: a
// private one, while its packets come from a public one.
func unreachable(named, from string) bool {
	n, err := addrPort(named)
	if err != nil {
		return false
	}
	f, err := addrPort(from)
	if err != nil {
		return false
	}
	return n.Addr().IsUnspecified() || n.Addr().IsPrivate() && !f.Addr().IsPrivate() && !f.Addr().IsLoopback()
}

// near notes where the peer of an outbound leg was reached.
func (l *Leg) near(h hop) {
	if l.heard == (way{}) {
		l.heard = way{h.transport, h.dest}
	}
	if l.flow != (way{}) && l.flow.addr != h.dest && l.phase == early {
		l.flow = way{h.transport, h.dest} // another flow of the same phone
		l.note()
	}
}
