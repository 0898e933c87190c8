package simnet

import (
	"maps"
	"net/netip"
	"time"
)

// NATOptions say how a NAT behaves, in the words of RFC 4787. The zero value is
// what a cheap router does: endpoint-independent mapping, address-and-port-
// dependent filtering, mappings forgotten after 30 s without a packet from inside.
type NATOptions struct {
	UDPExpiry   time.Duration // of an idle mapping; 0 means 30 s
	Symmetric   bool          // a mapping of its own for every destination
	OpenFilter  bool          // let in whoever knows the port (endpoint-independent filtering)
	InRefreshes bool          // packets from outside keep a mapping alive too
}

// tcpExpiry is how long a mapping for TCP can be used for new connections
// (RFC 5382 REQ-5). A connection that exists keeps its own.
const tcpExpiry = 124 * time.Minute

// natPeers bounds the peers a mapping remembers before those that expired are
// swept out.
const natPeers = 256

// natFirstPort is where a NAT begins to give out ports, so that they differ from
// those inside.
const natFirstPort = 10000

// nat is a router with one public address and the hosts behind it. Its fields are
// guarded by the lock of the Net.
type nat struct {
	net    *Net
	public netip.Addr
	o      NATOptions
	mapped map[natKey]*mapping
	byPort map[natPort]*mapping
	next   uint16
}

// natKey is what a mapping is found by when a packet leaves.
type natKey struct {
	proto byte
	host  *Host
	from  netip.AddrPort
	to    netip.AddrPort // only of a symmetric NAT
}

type natPort struct {
	proto byte
	port  uint16
}

// mapping is a public port and the inside endpoint behind it.
type mapping struct {
	key   natKey
	port  uint16
	until time.Duration
	peers map[netip.AddrPort]time.Duration // who may answer, until when
}

// NAT puts a host behind the public address. Several hosts may be put behind the
// same one; the options of the first count. Hosts outside cannot reach the inside
// addresses; hosts behind the same NAT reach each other directly. An address that
// is taken is a mistake in the test and panics.
func (n *Net) NAT(inside *Host, public string, o NATOptions) {
	a := netip.MustParseAddr(public).Unmap()
	if o.UDPExpiry <= 0 {
		o.UDPExpiry = 30 * time.Second
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.byAddr[a] != nil {
		panic("simnet: address " + public + " is taken")
	}
	g := n.nats[a]
	if g == nil {
		g = &nat{net: n, public: a, o: o, mapped: make(map[natKey]*mapping), byPort: make(map[natPort]*mapping), next: natFirstPort}
		n.nats[a] = g
	}
	inside.nat = g
}

// ForgetNAT makes the NAT with the public address forget its mappings, as a router
// does that was switched off and on. An address without a NAT is left alone.
func (n *Net) ForgetNAT(public string) {
	a := netip.MustParseAddr(public).Unmap()
	n.mu.Lock()
	defer n.mu.Unlock()
	if g := n.nats[a]; g != nil {
		clear(g.mapped)
		clear(g.byPort)
	}
}

// out rewrites the source of a packet that leaves.
func (g *nat) out(proto byte, h *Host, from, to netip.AddrPort) (netip.AddrPort, bool) {
	if from.Addr().Is4() != g.public.Is4() {
		return netip.AddrPort{}, false
	}
	now := g.net.now()
	key := natKey{proto: proto, host: h, from: from}
	if g.o.Symmetric {
		key.to = to
	}
	m := g.mapped[key]
	if m != nil && m.until <= now {
		g.forget(m)
		m = nil
	}
	if m == nil {
		if m = g.open(key, now); m == nil {
			return netip.AddrPort{}, false
		}
	}
	m.until = now + g.expiry(proto)
	m.peers[to] = m.until
	if len(m.peers) > natPeers {
		maps.DeleteFunc(m.peers, func(_ netip.AddrPort, until time.Duration) bool { return until <= now })
	}
	return netip.AddrPortFrom(g.public, m.port), true
}

// open makes a mapping on the next free port; nil when all are used.
func (g *nat) open(key natKey, now time.Duration) *mapping {
	for range 65536 - natFirstPort {
		port := g.next
		g.next++
		if g.next < natFirstPort {
			g.next = natFirstPort
		}
		if old := g.byPort[natPort{key.proto, port}]; old != nil {
			if old.until > now {
				continue
			}
			g.forget(old)
		}
		m := &mapping{key: key, port: port, peers: make(map[netip.AddrPort]time.Duration)}
		g.mapped[key] = m
		g.byPort[natPort{key.proto, port}] = m
		return m
	}
	return nil
}

// in finds the inside endpoint of a packet that comes from outside.
func (g *nat) in(proto byte, from, to netip.AddrPort) (*Host, netip.AddrPort, bool) {
	m := g.byPort[natPort{proto, to.Port()}]
	now := g.net.now()
	if m == nil || m.until <= now {
		return nil, netip.AddrPort{}, false
	}
	until, known := m.peers[from]
	if !g.o.OpenFilter && (!known || until <= now) {
		return nil, netip.AddrPort{}, false
	}
	if g.o.InRefreshes {
		m.until = now + g.expiry(proto)
		m.peers[from] = m.until
	}
	return m.key.host, m.key.from, true
}

func (g *nat) expiry(proto byte) time.Duration {
	if proto == 't' {
		return tcpExpiry
	}
	return g.o.UDPExpiry
}

func (g *nat) forget(m *mapping) {
	delete(g.mapped, m.key)
	delete(g.byPort, natPort{m.key.proto, m.port})
}
