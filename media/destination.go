package media

import (
	"fmt"
	"net/netip"

	"vpbx/media/sdp"
)

// settle completes what was agreed with the peer's addresses and makes it valid
// for the packet path.
func (s *Session) settle(a *agreed, theirs sdp.Media, mux bool) error {
	if s.browser != nil {
		s.settleBrowser(a, theirs.Direction)
		return nil
	}
	to, err := s.target(theirs.RTP())
	if err != nil {
		return err
	}
	if a.rtcp, err = s.target(theirs.RTCP); err != nil {
		return err
	}
	a.remote, a.dir, a.mux, a.xr = theirs.RTP(), theirs.Direction, mux, theirs.XR
	before := s.agreed.Load()
	s.agreed.Store(a)
	s.resettle(before, a)
	if before != nil && before.remote == a.remote {
		return nil // the address did not change: what was locked on stays
	}
	if before != nil && !before.described() && a.sendable() && s.dst.Load() != nil {
		return nil // locked on before the peer's SDP came; the latch goes on from there
	}
	if !to.IsValid() {
		s.dst.Store(nil)
		return nil
	}
	s.dst.Store(&to)
	return nil
}

// resettle gives up the source that RTCP was locked on when the peer's SDP names
// another address, as its latch will with the next packet.
func (s *Session) resettle(before, a *agreed) {
	seen := s.rtcpDst.Load()
	if before == nil || seen == nil || before.rtcp == a.rtcp {
		return
	}
	if before.described() || !(source{sdp: a.rtcp, peer: s.opt.Peer}).allows(seen.Addr()) {
		s.rtcpDst.Store(nil)
	}
}

// target is where packets for an address in the peer's SDP go until its own
// packets show better: to that address, or, where it cannot be reached from here
// (a name, a private address behind NAT), to the same port of the host that the
// signalling comes from. An invalid result means nowhere; addresses where packets
// must never go are an error.
func (s *Session) target(a netip.AddrPort) (netip.AddrPort, error) {
	ip := a.Addr()
	if a.Port() == 0 || ip.IsValid() && ip.IsUnspecified() {
		return netip.AddrPort{}, nil
	}
	if ip.IsMulticast() || ip == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
		return netip.AddrPort{}, fmt.Errorf("%w: address %v", ErrNotAcceptable, ip)
	}
	if !ip.IsValid() || s.hidden(ip) {
		ip = s.opt.Peer
	}
	if !ip.IsValid() {
		return netip.AddrPort{}, nil
	}
	if !s.reaches(ip) {
		return netip.AddrPort{}, fmt.Errorf("%w: no way to %v", ErrNotAcceptable, ip)
	}
	to := netip.AddrPortFrom(ip, a.Port())
	if s.e.owns(to) {
		return netip.AddrPort{}, fmt.Errorf("%w: %v is our own", ErrNotAcceptable, to)
	}
	return to, nil
}

// hidden reports whether an address is one of our networks while its owner is
// outside of them: it means another network than ours.
func (s *Session) hidden(a netip.Addr) bool {
	p := s.opt.Peer
	if !p.IsValid() {
		return false
	}
	return a.IsLoopback() && !p.IsLoopback() || s.e.isLocal(a) && !s.e.isLocal(p)
}
