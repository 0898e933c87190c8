package sip

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	msg "github.com/emiago/sipgo/sip"
)

// hop is everything about the way to a neighbour that a request needs: where
// it goes, the socket it leaves from, and how that neighbour reaches us.
type hop struct {
	transport string        // udp, tcp, tls, ws, wss
	dest      string        // IP:port
	name      string        // tls: the name dest was found by, which its certificate must bear; "": the address
	laddr     msg.Addr      // udp: the listening socket; else empty: flows are found by dest
	via       hostport      // sent-by
	contact   msg.Uri       // our Contact there, without a user part
	uri       string        // of the Request-URI, for one flow of several of a phone; "": that of the request
	within    time.Duration // tcp: instead of UDP, if a connection can be had within that; 0: any time
	fallback  bool          // udp: what comes before it in a list of hops is the same peer over TCP
}

// hop plans the way to dest ("IP:port") over a transport. It fails when we do
// not listen on that transport in the address family of dest.
func (s *Server) hop(transport, dest string) (hop, error) {
	peer, err := addrPort(dest)
	if err != nil {
		return hop{}, err
	}
	transport = strings.ToLower(transport)
	l := s.listenerFor(transport, peer)
	if l == nil {
		return hop{}, fmt.Errorf("no %s listener to reach %s from", transport, peer)
	}
	host, err := s.advertised(l, peer.Addr())
	if err != nil {
		return hop{}, err
	}
	h := hop{transport: transport, dest: peer.String(), via: hostport{host, int(l.addr.Port())}}
	h.contact = msg.Uri{Scheme: "sip", Host: host, Port: h.via.port}
	if transport == "udp" {
		h.laddr = msg.Addr{IP: net.IP(l.addr.Addr().AsSlice()), Port: int(l.addr.Port())}
	} else {
		h.contact.UriParams = msg.HeaderParams{{K: "transport", V: strings.Replace(transport, "wss", "ws", 1)}} // RFC 7118 §5.2.3
	}
	return h, nil
}

// listenerFor picks the listener to talk to peer from: over UDP the one that
// last heard of it, otherwise the first of its address family.
func (s *Server) listenerFor(transport string, peer netip.AddrPort) *listener {
	var heard string
	if transport == "udp" {
		if c := s.ua.TransportLayer().Pool("udp").Get(peer.String()); c != nil {
			heard = c.LocalAddr().String()
			c.TryClose()
		}
	}
	var first *listener
	for _, l := range s.listeners {
		if l.transport != transport || !l.family(peer.Addr()) {
			continue
		}
		if l.key == heard {
			return l
		}
		if first == nil {
			first = l
		}
	}
	return first
}

// localTransport says whether we listen on a transport at all.
func (s *Server) localTransport(transport string) bool {
	return slices.ContainsFunc(s.listeners, func(l *listener) bool { return l.transport == transport })
}

// advertised is the host we name to a peer: the external one outside our
// networks, else the address the peer sees us by.
func (s *Server) advertised(l *listener, peer netip.Addr) (string, error) {
	if !s.local(peer) {
		for _, e := range s.cfg.External {
			e = strings.Trim(e, "[]")
			if a, ok := literal(e); !ok || a.Is4() == peer.Is4() {
				return e, nil
			}
		}
	}
	if a := l.addr.Addr(); !a.IsUnspecified() {
		return a.String(), nil
	}
	a := s.cfg.LocalFor(peer)
	if !a.IsValid() {
		return "", fmt.Errorf("no route to %s", peer)
	}
	return a.Unmap().String(), nil
}

// local says whether a peer is inside our networks.
func (s *Server) local(a netip.Addr) bool {
	for _, p := range s.cfg.LocalNets {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// newVia makes the Via of a new transaction over h: fresh branch
// (RFC 3261 §8.1.1.7) and rport (RFC 3581 §3).
func (s *Server) newVia(h hop) *msg.ViaHeader {
	return &msg.ViaHeader{
		ProtocolName: "SIP", ProtocolVersion: "2.0", Transport: strings.ToUpper(h.transport),
		Host: h.via.host, Port: h.via.port,
		Params: msg.HeaderParams{{K: "branch", V: msg.RFC3261BranchMagicCookie + token()}, {K: "rport"}},
	}
}

// send starts the client transaction of req over h. The request must be whole
// but for its Via, which is added unless there is one already (CANCEL has that
// of its INVITE). It blocks only to open a TCP or TLS connection, until ctx
// ends; a request that [validate] refuses is not sent.
func (s *Server) send(ctx context.Context, h hop, req *msg.Request) (msg.ClientTransaction, error) {
	if err := s.prepare(ctx, h, req); err != nil {
		return nil, err
	}
	tx, err := s.ua.TransactionLayer().Request(ctx, req)
	if err != nil {
		return nil, fmt.Errorf("send %s to %s %s: %w", req.Method, h.transport, h.dest, err)
	}
	return tx, nil
}

// write sends req over h without a transaction, as an ACK to a 2xx must be
// (RFC 3261 §13.2.2.4). Its Via is added unless there is one already.
func (s *Server) write(ctx context.Context, h hop, req *msg.Request) error {
	if err := s.prepare(ctx, h, req); err != nil {
		return err
	}
	if err := s.ua.TransportLayer().WriteMsg(req); err != nil {
		return fmt.Errorf("send %s to %s %s: %w", req.Method, h.transport, h.dest, err)
	}
	return nil
}

func (s *Server) prepare(ctx context.Context, h hop, req *msg.Request) error {
	if req.Via() == nil {
		req.PrependHeader(s.newVia(h))
	}
	if req.ContentLength() == nil {
		req.SetBody(req.Body())
	}
	req.SetTransport(strings.ToUpper(h.transport))
	req.SetDestination(h.dest)
	req.Laddr = h.laddr
	if err := validate(req); err != nil {
		return fmt.Errorf("send %s to %s %s: %w", req.Method, h.transport, h.dest, err)
	}
	if h.transport == "udp" {
		return nil
	}
	return s.connect(ctx, h)
}

// routes remembers for a while which of our addresses a peer sees, as asking
// the kernel costs more than the rest of a message.
type routes struct {
	mu    sync.Mutex
	known map[netip.Addr]route
}

type route struct {
	own   netip.Addr
	until time.Time
}

const (
	routeLife      = 10 * time.Second
	maxRoutesKnown = 4096
)

func (r *routes) to(peer netip.Addr) netip.Addr {
	now := time.Now()
	r.mu.Lock()
	k, ok := r.known[peer]
	r.mu.Unlock()
	if ok && now.Before(k.until) {
		return k.own
	}
	own := routeTo(peer)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known == nil || len(r.known) >= maxRoutesKnown {
		r.known = map[netip.Addr]route{}
	}
	r.known[peer] = route{own, now.Add(routeLife)}
	return own
}

// routeTo asks the kernel which of our addresses a packet to peer would carry.
func routeTo(peer netip.Addr) netip.Addr {
	c, err := net.Dial("udp", net.JoinHostPort(peer.String(), strconv.Itoa(9)))
	if err != nil {
		return netip.Addr{}
	}
	defer c.Close()
	a, err := addrPort(c.LocalAddr().String())
	if err != nil {
		return netip.Addr{}
	}
	return a.Addr()
}
