package sip

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	msg "github.com/emiago/sipgo/sip"

	"vpbx/pbx"
)

// Target is where an INVITE can go: one phone of an extension, or a number at
// a trunk.
type Target struct {
	Who   string     // extension, or the number called at a trunk
	Trunk *pbx.Trunk // nil for a phone

	uri       string // Request-URI
	user      string // user part of To
	domain    string // host of From and To
	extension string
	agent     string
	way       way
	flow      way         // phones: the flow they registered over
	others    []alternate // further flows of the same phone (RFC 5626 §7)
	path      []string    // proxies on the way to it, used as Route (RFC 3327 §5.4)
	peer      netip.Addr
}

// Peer is the address that the signalling of the target goes to: what our own
// media address and the sources of its sound are chosen by. It is invalid for a
// trunk whose host was not looked up.
func (t Target) Peer() netip.Addr { return t.peer }

// WebSocket reports whether it is a phone that registered over a WebSocket, as
// browsers do (RFC 7118).
func (t Target) WebSocket() bool { return webSocket(t.flow.transport) }

// WebSocket reports whether a leg that was received came over a WebSocket.
func (l *Leg) WebSocket() bool { return webSocket(l.Transport) }

func webSocket(transport string) bool { return transport == "ws" || transport == "wss" }

// Secure reports whether the signalling of the target is encrypted on its way to
// the next hop, so that keys in it are not for everybody to read.
func (t Target) Secure() bool { return secure(t.way.transport) }

// Secure reports the same of a leg that has come in.
func (l *Leg) Secure() bool { return secure(l.Transport) }

// Datagrams reports whether the signalling of the target goes over UDP, or may.
func (t Target) Datagrams() bool { return t.way.transport == "udp" || t.way.transport == "" }

// Datagrams reports the same of a leg that has come in.
func (l *Leg) Datagrams() bool { return l.Transport == "udp" }

func secure(transport string) bool { return transport == "tls" || transport == "wss" }

// Address is a name-addr with a user part at the target's host, as it stands in
// P-Asserted-Identity and the like. user may be any text.
func (t Target) Address(user string) string {
	return "<sip:" + escapeUser(user) + "@" + t.domain + ">"
}

// String tells the target for logs and traces.
func (t Target) String() string {
	if t.Trunk != nil {
		return t.Who + " by " + t.Trunk.Name
	}
	return t.Who
}

// Targets lists where an extension can be called: one target per live binding,
// most recent first. A phone that registered over a connection which is closed
// now is left out until it registers again, unless it is a plain TCP phone
// whose Contact we can connect to.
func (s *Server) Targets(t pbx.TenantID, extension string) []Target {
	company := s.cfg.Directory().Company(t)
	if company == nil {
		return nil
	}
	var list []Target
	phones := map[string]int{} // of flows: where the phone is in the list
	for _, b := range s.reg.live(t, extension) {
		flow, ok := s.flowOf(b.Binding)
		if !ok || checkURI(b.Contact) != nil {
			continue
		}
		if b.outbound { // one phone rings once, over the flow that was heard of last
			if i, ok := phones[b.instance]; ok {
				if len(b.path) == 0 && len(list[i].path) == 0 {
					list[i].others = append(list[i].others, alternate{flow, b.Contact})
				}
				continue
			}
			phones[b.instance] = len(list)
		}
		list = append(list, Target{
			Who: extension, uri: b.Contact, user: extension, domain: company.Domain, extension: extension,
			agent: b.UserAgent, way: flow, flow: flow, peer: flow.host(), path: b.path,
		})
	}
	return list
}

// flowOf gives the way to a registered phone: the flow it registered over
// (RFC 5626 §5.3). A TCP flow that is gone can be replaced when the phone is not
// behind a NAT, as its Contact is then an address it listens on; a phone on TLS
// only calls us.
func (s *Server) flowOf(b pbx.Binding) (way, bool) {
	if b.Transport == "udp" || s.connected(b.Transport, b.Source) {
		return way{b.Transport, b.Source}, true
	}
	source, err := addrPort(b.Source)
	if err != nil || b.Transport != "tcp" {
		return way{}, false
	}
	own, ok := contactAddr(b.Contact)
	return way{"tcp", own.String()}, ok && own.Addr() == source.Addr()
}

// TrunkTarget gives the target of a number at a trunk of a company. Its Peer is
// not known before [Server.Locate] when the trunk's host is a name.
func (s *Server) TrunkTarget(c *pbx.Company, t *pbx.Trunk, number string) Target {
	w, host := trunkWay(t)
	user := clean(number)
	return Target{
		Who: number, Trunk: t, user: user, domain: host, way: w, peer: w.host(),
		uri: fmt.Sprintf("sip:%s@%s", escapeUser(user), trunkURI(t)),
	}
}

// Locate makes sure that the Peer of a target is known: it looks its host up
// where that is a name. It may wait for a name server until ctx ends.
func (s *Server) Locate(ctx context.Context, t Target) (Target, error) {
	if t.peer.IsValid() {
		return t, nil
	}
	found, err := s.dlg.names.endpoints(ctx, t.way, s.localTransport)
	if err != nil {
		return t, fmt.Errorf("find %s: %w", t, err)
	}
	t.peer = found[0].addr.Addr()
	return t, nil
}

// host is the address of a way, invalid when it names a host.
func (w way) host() netip.Addr {
	a, err := addrPort(w.addr)
	if err != nil {
		return netip.Addr{}
	}
	return a.Addr()
}

// trunkWay gives where requests to a trunk go, its outbound proxy where it has
// one, and the host part of its URIs. Without a transport it is the one that the
// name is served by; an address, or a name with a port, is served by UDP (RFC
// 3263 §4.1).
func trunkWay(t *pbx.Trunk) (w way, host string) {
	w.transport = strings.ToLower(t.Transport)
	host, port := splitHost(t.Host)
	next := host
	if t.Proxy != "" {
		next, port = splitHost(t.Proxy)
	}
	if _, err := netip.ParseAddr(next); w.transport == "" && (port != 0 || err == nil || strings.Contains(next, ":")) {
		w.transport = "udp"
	}
	w.addr = destination(w.transport, next, port)
	return w, bracket(host)
}

// proxyRoute is the Route of the outbound proxy of a trunk, nil when it has
// none: requests go there, and their Request-URI stays what it is (RFC 3261
// §8.1.2, §16.12.1.1).
func proxyRoute(t *pbx.Trunk) msg.Header {
	if t == nil || t.Proxy == "" {
		return nil
	}
	host, port := splitHost(t.Proxy)
	u := msg.Uri{Scheme: "sip", Host: bracket(host), Port: port, UriParams: msg.HeaderParams{}}
	if tr := strings.ToLower(t.Transport); tr != "" && tr != "udp" {
		u.UriParams = append(u.UriParams, msg.HeaderKV{K: "transport", V: tr})
	}
	u.UriParams = append(u.UriParams, msg.HeaderKV{K: "lr"})
	return &msg.RouteHeader{Address: u}
}

// throughProxy sends the initial INVITE through the outbound proxy of its trunk.
// Later requests follow the route that the answer sets (RFC 3261 §12.1.2).
func (l *Leg) throughProxy(req *msg.Request) {
	if r := proxyRoute(l.Trunk); r != nil {
		req.AppendHeader(r)
	}
}

// trunkURI is the host part of Request-URIs at a trunk: host and port as they
// are configured, and the transport unless it is UDP.
func trunkURI(t *pbx.Trunk) string {
	w, _ := trunkWay(t)
	host, port := splitHost(t.Host)
	u := bracket(host)
	if port != 0 {
		u += ":" + strconv.Itoa(port)
	}
	if w.transport != "udp" && w.transport != "" {
		u += ";transport=" + w.transport
	}
	return u
}

// splitHost splits "host" or "host:port"; port is 0 when there is none.
func splitHost(s string) (host string, port int) {
	if h, p, err := net.SplitHostPort(s); err == nil {
		if n, err := strconv.ParseUint(p, 10, 16); err == nil {
			return h, int(n)
		}
	}
	return strings.Trim(s, "[]"), 0
}

// bracket puts an IPv6 address into brackets, as URIs have it.
func bracket(host string) string {
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}
