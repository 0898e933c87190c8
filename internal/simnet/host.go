package simnet

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"syscall"
)

// The ports given to sockets that ask for port 0.
const (
	firstEphemeral = 32768
	lastEphemeral  = 60999
)

// Host is a machine on a Net: addresses and the sockets bound to them. Its
// methods may be called by any goroutine.
type Host struct {
	net   *Net
	addrs []netip.Addr
	nat   *nat // that the host is behind, or nil

	// Guarded by the lock of the Net. An unspecified address is a socket that
	// listens on all addresses of its family.
	udp  map[netip.AddrPort]*PacketConn
	tcp  map[netip.AddrPort]*Listener
	conn map[*Conn]struct{}
	next uint16
}

// closer is a socket of any kind.
type closer interface {
	shut()
	name() string
}

// Host adds a machine with the given IP addresses. It also has the loopback
// addresses, which nobody else can reach. An address that is not an IP literal, or
// that another host has, is a mistake in the test and panics.
func (n *Net) Host(addrs ...string) *Host {
	h := &Host{
		net: n, next: firstEphemeral,
		udp: make(map[netip.AddrPort]*PacketConn), tcp: make(map[netip.AddrPort]*Listener), conn: make(map[*Conn]struct{}),
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, s := range addrs {
		a := netip.MustParseAddr(s).Unmap()
		if n.byAddr[a] != nil || n.nats[a] != nil {
			panic("simnet: address " + s + " is taken")
		}
		n.byAddr[a] = h
		h.addrs = append(h.addrs, a)
	}
	if len(h.addrs) == 0 {
		panic("simnet: a host needs an address")
	}
	n.hosts = append(n.hosts, h)
	return h
}

// Addrs are the addresses of the host, without the loopback ones.
func (h *Host) Addrs() []netip.Addr { return append([]netip.Addr(nil), h.addrs...) }

// LocalFor is the address the host sends from when it sends to peer: the one of
// the same family with the longest common prefix. It is the invalid address when
// the host has none of that family.
func (h *Host) LocalFor(peer netip.Addr) netip.Addr {
	peer = peer.Unmap()
	if peer.IsLoopback() {
		return peer
	}
	var best netip.Addr
	longest := -1
	for _, a := range h.addrs {
		if a.Is4() != peer.Is4() {
			continue
		}
		if bits := commonPrefix(a, peer); bits > longest {
			best, longest = a, bits
		}
	}
	return best
}

func commonPrefix(a, b netip.Addr) int {
	for bits := a.BitLen(); bits > 0; bits-- {
		p, err := a.Prefix(bits)
		if err == nil && p.Contains(b) {
			return bits
		}
	}
	return 0
}

// ListenPacket opens a UDP socket. The network is "udp", "udp4" or "udp6"; the
// port may be 0; an empty or unspecified address means all addresses of the host
// (of both families for "udp"). The result is a [*PacketConn].
func (h *Host) ListenPacket(network, address string) (net.PacketConn, error) {
	bind, err := h.bindAddr(network, "udp", address)
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Err: err}
	}
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	c, err := h.listenPacket(network, bind)
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Addr: net.UDPAddrFromAddrPort(bind), Err: err}
	}
	return c, nil
}

// listenPacket opens a socket. The lock of the Net is held.
func (h *Host) listenPacket(network string, bind netip.AddrPort) (*PacketConn, error) {
	if h.net.closed {
		return nil, net.ErrClosed
	}
	keys, err := h.claim(network, bind, func(key netip.AddrPort) bool { return h.udp[key] != nil })
	if err != nil {
		return nil, err
	}
	c := newPacketConn(h, network, keys)
	for _, key := range keys {
		h.udp[key] = c
	}
	return c, nil
}

// Listen opens a TCP listener; network and address are as for ListenPacket with
// "tcp" in place of "udp". The result is a [*Listener].
func (h *Host) Listen(network, address string) (net.Listener, error) {
	bind, err := h.bindAddr(network, "tcp", address)
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Err: err}
	}
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	if h.net.closed {
		return nil, &net.OpError{Op: "listen", Net: network, Err: net.ErrClosed}
	}
	keys, err := h.claim(network, bind, func(key netip.AddrPort) bool { return h.tcp[key] != nil })
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Addr: net.TCPAddrFromAddrPort(bind), Err: err}
	}
	l := newListener(h, keys)
	for _, key := range keys {
		h.tcp[key] = l
	}
	return l, nil
}

// Dial connects to address. A TCP dial is refused when nobody listens there,
// fails at once when no host has the address, and waits for ctx when the link is
// down. A UDP socket is connected: it hears only that peer, and ECONNREFUSED when
// nobody listens there.
func (h *Host) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	kind := network
	if len(kind) > 3 {
		kind = kind[:3]
	}
	peer, err := h.bindAddr(network, kind, address)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	if peer.Addr().IsUnspecified() {
		peer = netip.AddrPortFrom(loopback(peer.Addr()), peer.Port())
	}
	local := h.LocalFor(peer.Addr())
	if !local.IsValid() {
		return nil, &net.OpError{Op: "dial", Net: network, Addr: net.TCPAddrFromAddrPort(peer), Err: syscall.ENETUNREACH}
	}
	if kind == "tcp" {
		return h.dialTCP(ctx, network, local, peer)
	}
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	c, err := h.listenPacket(network, netip.AddrPortFrom(local, 0))
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Addr: net.UDPAddrFromAddrPort(peer), Err: err}
	}
	c.peer = peer
	return &connectedUDP{c}, nil
}

// bindAddr reads an address and checks the network, which is kind with or without
// a family.
func (h *Host) bindAddr(network, kind, address string) (netip.AddrPort, error) {
	if network != kind && network != kind+"4" && network != kind+"6" || kind != "udp" && kind != "tcp" {
		return netip.AddrPort{}, net.UnknownNetworkError(network)
	}
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return netip.AddrPort{}, err
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		return netip.AddrPort{}, &net.AddrError{Err: "invalid port", Addr: address}
	}
	var a netip.Addr
	switch host {
	case "":
		a = netip.IPv4Unspecified()
		if network == kind+"6" {
			a = netip.IPv6Unspecified()
		}
	case "localhost":
		a = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	default:
		if a, err = netip.ParseAddr(host); err != nil {
			return netip.AddrPort{}, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
		}
	}
	a = a.Unmap()
	if network == kind+"4" && !a.Is4() || network == kind+"6" && a.Is4() {
		return netip.AddrPort{}, &net.AddrError{Err: "address of the other family", Addr: address}
	}
	return netip.AddrPortFrom(a, uint16(port)), nil
}

// claim finds the table keys of a new socket: one, or two when it listens on all
// addresses of both families. The lock of the Net is held.
func (h *Host) claim(network string, bind netip.AddrPort, taken func(netip.AddrPort) bool) ([]netip.AddrPort, error) {
	addrs := []netip.Addr{bind.Addr()}
	switch {
	case bind.Addr().IsUnspecified():
		if len(network) == 3 { // both families
			other := netip.IPv6Unspecified()
			if bind.Addr() == other {
				other = netip.IPv4Unspecified()
			}
			addrs = append(addrs, other)
		}
	case !bind.Addr().IsLoopback() && h.net.byAddr[bind.Addr()] != h:
		return nil, syscall.EADDRNOTAVAIL
	}
	free := func(port uint16) bool {
		for _, a := range addrs {
			if h.portTaken(a, port, taken) {
				return false
			}
		}
		return true
	}
	port := bind.Port()
	if port == 0 {
		for tries := lastEphemeral - firstEphemeral; ; tries-- {
			if tries < 0 {
				return nil, syscall.EADDRINUSE
			}
			port = h.next
			h.next++
			if h.next > lastEphemeral {
				h.next = firstEphemeral
			}
			if free(port) {
				break
			}
		}
	} else if !free(port) {
		return nil, syscall.EADDRINUSE
	}
	keys := make([]netip.AddrPort, len(addrs))
	for i, a := range addrs {
		keys[i] = netip.AddrPortFrom(a, port)
	}
	return keys, nil
}

// portTaken reports whether a socket on a collides with one that exists: the same
// address, or either of the two unspecified.
func (h *Host) portTaken(a netip.Addr, port uint16, taken func(netip.AddrPort) bool) bool {
	if taken(netip.AddrPortFrom(a, port)) || taken(netip.AddrPortFrom(unspecified(a), port)) {
		return true
	}
	if !a.IsUnspecified() {
		return false
	}
	for _, own := range h.addrs {
		if own.Is4() == a.Is4() && taken(netip.AddrPortFrom(own, port)) {
			return true
		}
	}
	return taken(netip.AddrPortFrom(loopback(a), port))
}

func unspecified(a netip.Addr) netip.Addr {
	if a.Is4() {
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}

func loopback(a netip.Addr) netip.Addr {
	if a.Is4() {
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	return netip.IPv6Loopback()
}

// sockets lists what is open. The lock of the Net is held.
func (h *Host) sockets() []closer {
	seen := make(map[closer]struct{})
	var all []closer
	add := func(c closer) {
		if _, ok := seen[c]; !ok {
			seen[c] = struct{}{}
			all = append(all, c)
		}
	}
	for _, c := range h.udp {
		add(c)
	}
	for _, l := range h.tcp {
		add(l)
	}
	for c := range h.conn {
		add(c)
	}
	return all
}

// udpAt and tcpAt find who listens on an address of this host. The lock of the
// Net is held.
func (h *Host) udpAt(ap netip.AddrPort) *PacketConn {
	if c := h.udp[ap]; c != nil {
		return c
	}
	return h.udp[netip.AddrPortFrom(unspecified(ap.Addr()), ap.Port())]
}

func (h *Host) tcpAt(ap netip.AddrPort) *Listener {
	if l := h.tcp[ap]; l != nil {
		return l
	}
	return h.tcp[netip.AddrPortFrom(unspecified(ap.Addr()), ap.Port())]
}

// route finds the host that has an address as seen from h, the address the packet
// has when it arrives there, and the source address that host sees. The lock of
// the Net is held.
func (h *Host) route(proto byte, from, to netip.AddrPort) (dst *Host, src, at netip.AddrPort, ok bool) {
	n := h.net
	if to.Addr().IsLoopback() {
		return h, from, to, true
	}
	if dst = n.byAddr[to.Addr()]; dst != nil && (dst == h || dst.nat == nil || dst.nat == h.nat) {
		if h.nat == nil || dst == h || dst.nat == h.nat {
			return dst, from, to, true
		}
		src, ok = h.nat.out(proto, h, from, to)
		return dst, src, to, ok
	}
	gate := n.nats[to.Addr()]
	if gate == nil || gate == h.nat {
		return nil, netip.AddrPort{}, netip.AddrPort{}, false
	}
	src = from
	if h.nat != nil {
		if src, ok = h.nat.out(proto, h, from, to); !ok {
			return nil, netip.AddrPort{}, netip.AddrPort{}, false
		}
	}
	dst, at, ok = gate.in(proto, src, to)
	return dst, src, at, ok
}

func (h *Host) String() string { return fmt.Sprintf("host %v", h.addrs) }
