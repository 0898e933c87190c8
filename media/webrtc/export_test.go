package webrtc

import "net/netip"

// Sizes are how many lines, passwords and addresses the port keeps.
func (p *Port) Sizes() (lines, keys, flows int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.lines), len(p.keys), len(p.flows)
}

// Take gives the port a datagram as its reader does.
func (p *Port) Take(b []byte, from netip.AddrPort) {
	pkt := p.packet()
	pkt.n, pkt.from = copy(pkt.b[:], b), from
	if !p.dispatch(pkt) {
		p.pool.Put(pkt)
	}
}

// MaxFlows and MaxSources are the bounds.
const MaxFlows, MaxSources = maxFlows, maxSources
