package simnet

import (
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"
)

// udpQueue bounds the datagrams waiting in a socket, as a receive buffer does.
const udpQueue = 1024

// maxDatagram is the largest payload of UDP over IPv4.
const maxDatagram = 65507

// PacketConn is a UDP socket. Besides net.PacketConn it has the methods of
// *net.UDPConn that take a netip.AddrPort. Addresses are *net.UDPAddr; an IPv4
// address has four bytes.
type PacketConn struct {
	host    *Host
	network string
	keys    []netip.AddrPort // in host.udp
	peer    netip.AddrPort   // of a connected socket
	sent    uint64           // guarded by the lock of the Net

	mu       sync.Mutex
	queue    []datagram
	head     int
	refused  bool
	closed   bool
	deadline time.Time
	expiry   *time.Timer
	ready    chan struct{} // holds one token when a reader has something to look at
}

type datagram struct {
	from netip.AddrPort
	data []byte
}

func newPacketConn(h *Host, network string, keys []netip.AddrPort) *PacketConn {
	return &PacketConn{host: h, network: network, keys: keys, ready: make(chan struct{}, 1)}
}

func (c *PacketConn) name() string { return "udp " + c.keys[0].String() }

// LocalAddr is the address the socket was opened on, with its port.
func (c *PacketConn) LocalAddr() net.Addr { return net.UDPAddrFromAddrPort(c.keys[0]) }

// WriteToUDPAddrPort sends one datagram. Nothing tells whether it arrives.
func (c *PacketConn) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) {
	to = netip.AddrPortFrom(to.Addr().Unmap(), to.Port())
	if len(b) > maxDatagram {
		return 0, c.fail("write", to, syscall.EMSGSIZE)
	}
	c.mu.Lock()
	closed := c.closed
	c.mu.Unlock()
	if closed {
		return 0, c.fail("write", to, net.ErrClosed)
	}
	n := c.host.net
	n.mu.Lock()
	defer n.mu.Unlock()
	from, ok := c.source(to.Addr())
	if !ok {
		return 0, c.fail("write", to, syscall.ENETUNREACH)
	}
	count := c.sent
	c.sent++
	dst, src, at, ok := c.host.route('u', from, to)
	if !ok {
		return len(b), nil
	}
	p := n.path(c.host, dst)
	when, ok := p.arrival(n, src, at, count)
	if !ok {
		return len(b), nil
	}
	if target := dst.udpAt(at); target != nil {
		n.at(when, event{to: target, from: src, data: append([]byte(nil), b...)})
	} else if c.peer.IsValid() {
		// ICMP port unreachable comes back to a connected socket.
		n.at(when+p.o.Delay, event{run: c.refuse})
	}
	return len(b), nil
}

// source is the address a datagram leaves from.
func (c *PacketConn) source(to netip.Addr) (netip.AddrPort, bool) {
	for _, key := range c.keys {
		if key.Addr().Is4() != to.Is4() {
			continue
		}
		if !key.Addr().IsUnspecified() {
			return key, true
		}
		if a := c.host.LocalFor(to); a.IsValid() {
			return netip.AddrPortFrom(a, key.Port()), true
		}
	}
	return netip.AddrPort{}, false
}

// WriteTo is WriteToUDPAddrPort for a *net.UDPAddr.
func (c *PacketConn) WriteTo(b []byte, to net.Addr) (int, error) {
	u, ok := to.(*net.UDPAddr)
	if !ok {
		return 0, &net.OpError{Op: "write", Net: c.network, Addr: to, Err: syscall.EINVAL}
	}
	return c.WriteToUDPAddrPort(b, u.AddrPort())
}

// push puts an arrived datagram into the queue, or drops it when the queue is
// full. It does not block.
func (c *PacketConn) push(from netip.AddrPort, data []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || len(c.queue)-c.head >= udpQueue || c.peer.IsValid() && c.peer != from {
		return
	}
	if c.head > 0 && c.head == len(c.queue) {
		c.queue, c.head = c.queue[:0], 0
	}
	c.queue = append(c.queue, datagram{from, data})
	c.poke()
}

func (c *PacketConn) refuse() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refused = true
	c.poke()
}

// poke wakes one reader, now or when it comes.
func (c *PacketConn) poke() {
	select {
	case c.ready <- struct{}{}:
	default:
	}
}

// ReadFromUDPAddrPort waits for a datagram. What does not fit into b is lost.
func (c *PacketConn) ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error) {
	for {
		d, ok, err := c.take()
		if err != nil {
			return 0, netip.AddrPort{}, &net.OpError{Op: "read", Net: c.network, Source: c.LocalAddr(), Err: err}
		}
		if ok {
			return copy(b, d.data), d.from, nil
		}
		<-c.ready
	}
}

// take returns the next datagram, or an error, or neither when the reader has to
// wait. Whatever wakes all readers is passed on from one to the next.
func (c *PacketConn) take() (datagram, bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		c.poke()
		return datagram{}, false, net.ErrClosed
	case !c.deadline.IsZero() && !time.Now().Before(c.deadline):
		c.poke()
		return datagram{}, false, os.ErrDeadlineExceeded
	case c.refused:
		c.refused = false
		return datagram{}, false, syscall.ECONNREFUSED
	case c.head == len(c.queue):
		return datagram{}, false, nil
	}
	d := c.queue[c.head]
	c.queue[c.head] = datagram{}
	c.head++
	if c.head < len(c.queue) {
		c.poke()
		if c.head == udpQueue {
			c.queue, c.head = append([]datagram(nil), c.queue[c.head:]...), 0
		}
	}
	return d, true, nil
}

// ReadFrom is ReadFromUDPAddrPort with a *net.UDPAddr.
func (c *PacketConn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := c.ReadFromUDPAddrPort(b)
	if err != nil {
		return n, nil, err
	}
	return n, net.UDPAddrFromAddrPort(from), nil
}

// SetReadDeadline makes reads fail with os.ErrDeadlineExceeded from t on; the zero
// time means never.
func (c *PacketConn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return &net.OpError{Op: "set", Net: c.network, Err: net.ErrClosed}
	}
	c.deadline = t
	c.expiry = setExpiry(c.expiry, t, c.poke)
	return nil
}

// setExpiry makes the timer call wake at t, or never when t is zero.
func setExpiry(timer *time.Timer, t time.Time, wake func()) *time.Timer {
	switch {
	case t.IsZero():
		if timer != nil {
			timer.Stop()
		}
	case timer == nil:
		timer = time.AfterFunc(time.Until(t), wake)
	default:
		timer.Reset(time.Until(t))
	}
	return timer
}

// SetDeadline is SetReadDeadline, since writes do not wait.
func (c *PacketConn) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }

// SetWriteDeadline does nothing: writes do not wait.
func (c *PacketConn) SetWriteDeadline(time.Time) error { return nil }

// SetReadBuffer and SetWriteBuffer do nothing; the queue has its own bound.
func (c *PacketConn) SetReadBuffer(int) error  { return nil }
func (c *PacketConn) SetWriteBuffer(int) error { return nil }

// Close frees the port and wakes the readers with net.ErrClosed.
func (c *PacketConn) Close() error {
	n := c.host.net
	n.mu.Lock()
	for _, key := range c.keys {
		if c.host.udp[key] == c {
			delete(c.host.udp, key)
		}
	}
	n.mu.Unlock()
	if !c.wake() {
		return &net.OpError{Op: "close", Net: c.network, Addr: c.LocalAddr(), Err: net.ErrClosed}
	}
	return nil
}

func (c *PacketConn) shut() { _ = c.Close() }

// wake marks the socket closed and reports whether it was open.
func (c *PacketConn) wake() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.closed = true
	c.queue, c.head = nil, 0
	if c.expiry != nil {
		c.expiry.Stop()
	}
	c.poke()
	return true
}

func (c *PacketConn) fail(op string, to netip.AddrPort, err error) error {
	return &net.OpError{Op: op, Net: c.network, Source: c.LocalAddr(), Addr: net.UDPAddrFromAddrPort(to), Err: err}
}

// connectedUDP is a UDP socket made by Dial.
type connectedUDP struct{ *PacketConn }

func (c *connectedUDP) Read(b []byte) (int, error) {
	n, _, err := c.ReadFromUDPAddrPort(b)
	return n, err
}

func (c *connectedUDP) Write(b []byte) (int, error) { return c.WriteToUDPAddrPort(b, c.peer) }

func (c *connectedUDP) RemoteAddr() net.Addr { return net.UDPAddrFromAddrPort(c.peer) }
