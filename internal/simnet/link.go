package simnet

import (
	"net/netip"
	"time"
)

// LinkOptions say how packets travel between two hosts. The zero value is a link
// with the delay of the Net and no faults.
type LinkOptions struct {
	Delay   time.Duration // one way; 0 means the delay of the Net
	Jitter  time.Duration // each packet is later by up to this much; order is kept
	Loss    float64       // share of packets lost, 0 to 1; a lost TCP segment is sent again
	Reorder float64       // share of datagrams held back, so that later ones overtake them
	Down    bool          // nothing passes
}

// Link joins two hosts, both ways.
type Link struct {
	net      *Net
	to, from *path
}

// pair is an ordered pair of hosts.
type pair struct{ from, to *Host }

// path is one direction of a link.
type path struct {
	o     LinkOptions
	own   time.Duration // the part of the delay that no other path has
	last  time.Duration // instant at which the last datagram arrives
	local bool
}

// Link returns the link between two hosts, made when first asked for.
func (n *Net) Link(a, b *Host) *Link {
	n.mu.Lock()
	defer n.mu.Unlock()
	return &Link{net: n, to: n.path(a, b), from: n.path(b, a)}
}

// Set changes both directions of the link for the packets sent from now on.
// TCP segments already under way notice that the link is down.
func (l *Link) Set(o LinkOptions) {
	l.net.mu.Lock()
	defer l.net.mu.Unlock()
	if o.Delay <= 0 {
		o.Delay = l.net.def.Delay
	}
	l.to.o, l.from.o = o, o
}

// path finds or makes one direction between two hosts. The lock is held.
func (n *Net) path(from, to *Host) *path {
	key := pair{from, to}
	p, ok := n.links[key]
	if !ok {
		spread := mix(mix(n.seed^hashAddr(from.addrs[0])) ^ hashAddr(to.addrs[0])<<1)
		p = &path{o: n.def, own: time.Duration(spread % uint64(pairSpread)), local: from == to}
		if p.local {
			p.o = LinkOptions{Delay: localDelay}
			p.own /= 100
		}
		n.links[key] = p
	}
	return p
}

// delay is how long the count-th packet between two endpoints travels, without
// losses. The lock of the Net is held.
func (p *path) delay(n *Net, from, to netip.AddrPort, count uint64) time.Duration {
	d := p.o.Delay + p.own
	if p.o.Jitter > 0 {
		d += time.Duration(n.draw('j', from, to, count) * float64(p.o.Jitter))
	}
	return d
}

// lost reports whether the count-th packet is lost. The lock of the Net is held.
func (p *path) lost(n *Net, from, to netip.AddrPort, count uint64) bool {
	return p.o.Down || p.o.Loss > 0 && n.draw('l', from, to, count) < p.o.Loss
}

// arrival is the instant at which a datagram sent now arrives; false when it is
// lost. Datagrams of one direction keep their order unless held back. The lock of
// the Net is held.
func (p *path) arrival(n *Net, from, to netip.AddrPort, count uint64) (time.Duration, bool) {
	if p.lost(n, from, to, count) {
		return 0, false
	}
	at := n.now() + p.delay(n, from, to, count)
	if p.o.Reorder > 0 && n.draw('r', from, to, count) < p.o.Reorder {
		// Long enough for the next packet of an audio stream to pass it.
		return at + 30*time.Millisecond, true
	}
	at = max(at, p.last+1)
	p.last = at
	return at, true
}
