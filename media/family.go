package media

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
)

// anywhere reports whether sessions listen on all addresses. One socket then
// serves both families, where the machine has both: package net opens the IPv4
// wildcard as a dual-stack socket, and as an IPv4 one where there is no IPv6.
func (e *Engine) anywhere() bool {
	return slices.ContainsFunc(e.cfg.Listen, netip.Addr.IsUnspecified)
}

// bindAddr is where the sockets of a session with a peer are bound: everywhere,
// or at our address of the peer's family; without one, or while the peer is not
// known, at the first.
func (e *Engine) bindAddr(peer netip.Addr) netip.Addr {
	if e.anywhere() {
		return netip.IPv4Unspecified()
	}
	if own, ok := sameFamily(e.cfg.Listen, peer); ok {
		return own
	}
	return e.cfg.Listen[0]
}

// sameFamily finds the address in a list whose family is that of a peer; the
// wildcards do not count.
func sameFamily(list []netip.Addr, peer netip.Addr) (netip.Addr, bool) {
	for _, a := range list {
		if peer.IsValid() && a.Is4() == peer.Is4() && !a.IsUnspecified() {
			return a, true
		}
	}
	return netip.Addr{}, false
}

// advertise is the address that goes into the SDP for a peer: one of its family
// (RFC 4566 §5.7), unless we have none.
func (e *Engine) advertise(peer netip.Addr) (netip.Addr, error) {
	if !(peer.IsValid() && e.isLocal(peer)) {
		if a, ok := sameFamily(e.cfg.External, peer); ok {
			return a, nil
		}
		if len(e.cfg.External) > 0 && !peer.Is6() {
			return e.cfg.External[0], nil
		}
	}
	if a, ok := sameFamily(e.cfg.Listen, peer); ok {
		return a, nil
	}
	if !e.anywhere() {
		return e.cfg.Listen[0], nil
	}
	if !peer.IsValid() {
		return netip.Addr{}, errors.New("address of the peer is not known")
	}
	a := e.cfg.LocalFor(peer).Unmap()
	if !a.IsValid() {
		return netip.Addr{}, fmt.Errorf("no route to %v", peer)
	}
	return a.WithZone(""), nil
}

// reaches reports whether packets can go from our sockets to an address.
func (s *Session) reaches(ip netip.Addr) bool {
	if !s.e.anywhere() {
		return s.e.bindAddr(s.opt.Peer).Is4() == ip.Is4()
	}
	return ip.Is4() == s.opt.Peer.Is4() || s.e.cfg.LocalFor(ip).IsValid()
}

// face makes our address in SDP one of the family that the peer wants its
// packets at, when its media is not where its signalling comes from. mu is held.
func (s *Session) face(theirs netip.Addr) {
	if !theirs.IsValid() || theirs.IsUnspecified() || theirs.Is4() == s.local.Is4() || !s.e.anywhere() {
		return
	}
	if a, err := s.e.advertise(theirs); err == nil && a.Is4() == theirs.Is4() {
		s.local = a
	}
}

// owns reports whether an address is a media port of this engine: sending there
// would let packets run in a circle.
func (e *Engine) owns(a netip.AddrPort) bool {
	if !e.ports.used(a.Port()) {
		return false
	}
	ip := a.Addr()
	if slices.Contains(e.cfg.Listen, ip) || slices.Contains(e.cfg.External, ip) {
		return true
	}
	// The route to an address of this host begins at that address.
	return e.anywhere() && (ip.IsLoopback() || ip == e.cfg.LocalFor(ip).Unmap())
}
