package webrtc

import (
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

// Peer is where packets of a browser seem to come from, and where packets for it go:
// an address of the discard prefix (RFC 6666), since the real one changes as ICE finds
// better ways.
var Peer = netip.MustParseAddrPort("[100::1]:9")

// Conn is one end of a transport as a socket: a queue with a read deadline.
type Conn struct {
	t     *Transport
	queue chan *packet
	wake  chan struct{}   // holds one token when the reader has something to look at
	lost  <-chan struct{} // closed when the connection has failed; nil: that is not told here
	over  chan struct{}   // closed by Close

	mu       sync.Mutex // guards the fields below
	closed   bool
	deadline time.Time
	expiry   *time.Timer
}

func newConn(t *Transport, room int) *Conn {
	return &Conn{t: t, queue: make(chan *packet, room), wake: make(chan struct{}, 1), over: make(chan struct{})}
}

// push reports whether there was room for a packet.
func (c *Conn) push(pkt *packet) bool {
	select {
	case c.queue <- pkt:
		return true
	default:
		return false
	}
}

// ReadFromUDPAddrPort waits for a packet of the browser: decrypted, and not a replay.
// It is ErrFailed for good once the connection has failed. One goroutine reads.
func (c *Conn) ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error) {
	for {
		if err := c.overdue(); err != nil {
			return 0, netip.AddrPort{}, err
		}
		select {
		case pkt := <-c.queue:
			n := copy(b, pkt.b[:pkt.n])
			c.t.port.pool.Put(pkt)
			return n, Peer, nil
		case <-c.wake:
		case <-c.lost:
			return 0, netip.AddrPort{}, c.fail(ErrFailed)
		case <-c.over:
			return 0, netip.AddrPort{}, c.fail(net.ErrClosed)
		}
	}
}

// overdue is the error of a deadline that has passed.
func (c *Conn) overdue() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.deadline.IsZero() && !time.Now().Before(c.deadline) {
		return c.fail(os.ErrDeadlineExceeded)
	}
	return nil
}

func (c *Conn) fail(err error) error {
	return &net.OpError{Op: "read", Net: "webrtc", Source: c.LocalAddr(), Err: err}
}

// WriteToUDPAddrPort sends a packet of RTP or RTCP to the browser, wherever to says. It
// is lost while there is no connection.
func (c *Conn) WriteToUDPAddrPort(b []byte, _ netip.AddrPort) (int, error) {
	select {
	case <-c.over:
		return 0, c.fail(net.ErrClosed)
	default:
	}
	if err := c.t.send(b); err != nil {
		return 0, err
	}
	return len(b), nil
}

// LocalAddr is the address of the port.
func (c *Conn) LocalAddr() net.Addr { return c.t.port.conn.LocalAddr() }

// SetReadDeadline makes reads fail with os.ErrDeadlineExceeded from t on; the zero time
// means never.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return c.fail(net.ErrClosed)
	}
	c.deadline = t
	switch {
	case t.IsZero():
		if c.expiry != nil {
			c.expiry.Stop()
		}
	case c.expiry == nil:
		c.expiry = time.AfterFunc(time.Until(t), c.poke)
	default:
		c.expiry.Reset(time.Until(t))
	}
	return nil
}

// poke lets the reader look at its deadline.
func (c *Conn) poke() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// Close ends reads and writes. The transport goes on until it is closed.
func (c *Conn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil
	}
	c.closed = true
	if c.expiry != nil {
		c.expiry.Stop()
	}
	close(c.over)
	return nil
}
