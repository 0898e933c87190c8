package webrtc

import (
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// line is what a session has of the port: the socket that pion reads and writes.
type line struct {
	port  *Port
	key   lineKey
	local *net.UDPAddr
	queue chan *packet
	gone  chan struct{} // closed when it is shut

	mu   sync.Mutex // guards over
	over bool

	flows []netip.AddrPort // oldest first; guarded by Port.mu
}

func newLine(p *Port, key lineKey, local *net.UDPAddr) *line {
	return &line{port: p, key: key, local: local, queue: make(chan *packet, queueLen), gone: make(chan struct{})}
}

// push reports whether there was room for a packet.
func (l *line) push(pkt *packet) bool {
	select {
	case l.queue <- pkt:
		return true
	default:
		return false
	}
}

// lose takes an address out of the list; Port.mu is held.
func (l *line) lose(a netip.AddrPort) {
	l.flows = slices.DeleteFunc(l.flows, func(f netip.AddrPort) bool { return f == a })
}

// ReadFromAddrPort waits for a packet.
func (l *line) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	select {
	case pkt := <-l.queue:
		n, from := copy(b, pkt.b[:pkt.n]), pkt.from
		l.port.pool.Put(pkt)
		return n, from, nil
	case <-l.gone:
		return 0, netip.AddrPort{}, net.ErrClosed
	}
}

// WriteToAddrPort sends a packet.
func (l *line) WriteToAddrPort(b []byte, to netip.AddrPort) (int, error) {
	return l.port.conn.WriteToUDPAddrPort(b, netip.AddrPortFrom(to.Addr().Unmap(), to.Port()))
}

// ReadFrom is ReadFromAddrPort, as net.PacketConn has it.
func (l *line) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := l.ReadFromAddrPort(b)
	if err != nil {
		return 0, nil, err
	}
	return n, net.UDPAddrFromAddrPort(from), nil
}

// WriteTo is WriteToAddrPort, as net.PacketConn has it.
func (l *line) WriteTo(b []byte, to net.Addr) (int, error) {
	a, ok := to.(*net.UDPAddr)
	if !ok {
		return 0, net.InvalidAddrError("not a UDP address")
	}
	return l.WriteToAddrPort(b, a.AddrPort())
}

// LocalAddr is what GetListenAddresses said.
func (l *line) LocalAddr() net.Addr { return l.local }

// Deadlines do nothing: pion sets them only before Close, which wakes the reader.
func (l *line) SetDeadline(time.Time) error      { return nil }
func (l *line) SetReadDeadline(time.Time) error  { return nil }
func (l *line) SetWriteDeadline(time.Time) error { return nil }

// Close takes the line off the port.
func (l *line) Close() error {
	l.shut()
	return nil
}

func (l *line) shut() {
	l.mu.Lock()
	again := l.over
	l.over = true
	l.mu.Unlock()
	if again {
		return
	}
	close(l.gone)
	p := l.port
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lines[l.key] == l {
		delete(p.lines, l.key)
	}
	for _, a := range l.flows {
		if p.flows[a] == l {
			delete(p.flows, a)
		}
	}
	l.flows = nil
}
