package media

import (
	"net/netip"
	"time"
)

// How a latch may change its mind.
const (
	// takeover is how long after the first packet the exact address of the SDP may
	// still replace another port of an allowed host.
	takeover = 500 * time.Millisecond
	// changeover is how long after a new SDP the source that was given up for it
	// may still be replaced when it was the first to be heard again: its packets
	// that were under way come before those from a phone's new port behind a NAT.
	changeover = 2 * time.Second
	// rtpSilence and rtcpSilence are how long the locked source must have been
	// quiet before the same SSRC may come from another port (a NAT's new mapping),
	// and the exact address of the SDP with any SSRC: one packet forged before the
	// peer's first must not keep the peer out for good.
	rtpSilence  = time.Second
	rtcpSilence = 15 * time.Second
)

// verdict is what a latch says of a packet's source.
type verdict uint8

const (
	refused verdict = iota
	passed          // from the locked source
	locked          // passed, and the source is now the locked one
)

// source is where packets may come from: the address in the peer's SDP and the
// host its signalling comes from.
type source struct {
	sdp  netip.AddrPort // zero before the peer's SDP is known
	peer netip.Addr
}

func (s source) allows(a netip.Addr) bool {
	return a == s.sdp.Addr() || a == s.peer
}

// latch locks on the first allowed source of packets and lets nobody else in:
// against RTP bleed (getting a stranger's audio by sending to his port) and RTP
// injection (speaking into a call). It belongs to one goroutine.
type latch struct {
	silence time.Duration

	addr  netip.AddrPort // the locked source; invalid: none
	left  netip.AddrPort // the source that was given up for a new SDP
	ssrc  uint32
	want  netip.AddrPort // the SDP's address under which it was locked
	since time.Time      // when it was locked or, later, the SDP came
	last  time.Time      // latest packet
	moved bool           // it has moved since, so there is no takeover any more
}

// admit judges a well-formed packet.
func (l *latch) admit(src netip.AddrPort, ssrc uint32, from source, at time.Time) verdict {
	if l.want != from.sdp {
		l.renew(from, at)
	}
	if src == l.addr {
		l.ssrc, l.last = ssrc, at
		return passed
	}
	if !from.allows(src.Addr()) {
		return refused
	}
	if l.addr.IsValid() {
		if !l.mayMove(src, ssrc, at) {
			return refused
		}
		l.moved = true
	}
	l.addr, l.ssrc, l.since, l.last = src, ssrc, at, at
	return locked
}

// renew takes a new SDP address into account. A source locked before there was
// any stays (early media), every other is given up.
func (l *latch) renew(from source, at time.Time) {
	if l.want != (netip.AddrPort{}) || !from.allows(l.addr.Addr()) {
		l.left, l.addr = l.addr, netip.AddrPort{}
	}
	l.want, l.since, l.moved = from.sdp, at, false
}

// mayMove reports whether an allowed host's packet may replace the locked source.
func (l *latch) mayMove(src netip.AddrPort, ssrc uint32, at time.Time) bool {
	if src == l.want && !l.moved && at.Sub(l.since) <= takeover {
		return true
	}
	if l.addr == l.left && !l.moved && at.Sub(l.since) <= changeover {
		return true
	}
	return (src == l.want || ssrc == l.ssrc) && at.Sub(l.last) >= l.silence
}
