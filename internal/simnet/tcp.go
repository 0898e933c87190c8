package simnet

import (
	"context"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"
)

const (
	tcpWindow  = 256 << 10 // bytes sent and not yet read
	tcpSegment = 16 << 10  // bytes that travel together
	backlog    = 128       // connections waiting to be accepted
	firstRTO   = 200 * time.Millisecond
	lastRTO    = 6400 * time.Millisecond
	giveUp     = 2 * time.Minute // without an acknowledgement a connection is dead
)

// Listener accepts TCP connections.
type Listener struct {
	host *Host
	keys []netip.AddrPort
	in   chan *Conn
	done chan struct{}
	once sync.Once
}

func newListener(h *Host, keys []netip.AddrPort) *Listener {
	return &Listener{host: h, keys: keys, in: make(chan *Conn, backlog), done: make(chan struct{})}
}

func (l *Listener) name() string { return "tcp listener " + l.keys[0].String() }

// Addr is the address the listener was opened on, with its port.
func (l *Listener) Addr() net.Addr { return net.TCPAddrFromAddrPort(l.keys[0]) }

// Accept waits for a connection.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case <-l.done:
		return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: l.Addr(), Err: net.ErrClosed}
	default:
	}
	select {
	case c := <-l.in:
		return c, nil
	case <-l.done:
		return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: l.Addr(), Err: net.ErrClosed}
	}
}

// Close frees the port, wakes Accept, and resets connections nobody accepted.
// Accepted connections live on.
func (l *Listener) Close() error {
	n := l.host.net
	n.mu.Lock()
	for _, key := range l.keys {
		if l.host.tcp[key] == l {
			delete(l.host.tcp, key)
		}
	}
	n.mu.Unlock()
	err := error(&net.OpError{Op: "close", Net: "tcp", Addr: l.Addr(), Err: net.ErrClosed})
	l.once.Do(func() {
		close(l.done)
		err = nil
		for {
			select {
			case c := <-l.in:
				c.shut()
			default:
				return
			}
		}
	})
	return err
}

func (l *Listener) shut() { _ = l.Close() }

// Conn is one end of a TCP connection. Its addresses are *net.TCPAddr as this end
// sees them.
type Conn struct {
	host          *Host
	local, remote netip.AddrPort
	other         *Conn

	// How segments leave, guarded by the lock of the Net.
	path    *path
	flow    [2]netip.AddrPort // both ends, for the drawing of losses
	count   uint64
	last    time.Duration // instant at which the last segment arrives
	waiting []segment     // on their way, in order

	mu       sync.Mutex
	buf      []byte // arrived, not read
	eof      bool   // the peer has sent everything
	err      error  // the connection is broken
	closed   bool
	shutW    bool // this end has sent everything
	inFlight int  // bytes sent by this end that the peer has not read
	rd, wr   waiter
}

// segment is a piece of the stream, or its end.
type segment struct {
	data     []byte
	fin, rst bool
	tried    time.Duration // how long it has been under way in vain
	rto      time.Duration
}

// waiter is one direction of a conn as its user sees it: a deadline and a token
// that says there is something to look at.
type waiter struct {
	deadline time.Time
	expiry   *time.Timer
	ready    chan struct{}
}

func (w *waiter) poke() {
	select {
	case w.ready <- struct{}{}:
	default:
	}
}

func (w *waiter) expired() bool {
	return !w.deadline.IsZero() && !time.Now().Before(w.deadline)
}

func newConn(h *Host, local, remote netip.AddrPort) *Conn {
	c := &Conn{host: h, local: local, remote: remote}
	c.rd.ready, c.wr.ready = make(chan struct{}, 1), make(chan struct{}, 1)
	return c
}

// dialTCP makes the connection with one exchange of packets.
func (h *Host) dialTCP(ctx context.Context, network string, local netip.Addr, peer netip.AddrPort) (net.Conn, error) {
	fail := func(err error) error {
		return &net.OpError{Op: "dial", Net: network, Addr: net.TCPAddrFromAddrPort(peer), Err: err}
	}
	n := h.net
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		return nil, fail(net.ErrClosed)
	}
	port := h.next
	h.next++
	if h.next > lastEphemeral {
		h.next = firstEphemeral
	}
	c := newConn(h, netip.AddrPortFrom(local, port), peer)
	h.conn[c] = struct{}{}
	answer := make(chan error, 1)
	h.syn(c, answer, time.Second)
	n.mu.Unlock()

	var err error
	select {
	case err = <-answer:
	case <-ctx.Done():
		err = ctx.Err()
	case <-c.wr.ready: // closed with the Net
		err = net.ErrClosed
	}
	if err != nil {
		c.shut()
		return nil, fail(err)
	}
	return c, nil
}

// syn sends the first packet of a connection, again after rto when it is lost.
// The lock of the Net is held.
func (h *Host) syn(c *Conn, answer chan<- error, rto time.Duration) {
	n := h.net
	if _, open := h.conn[c]; !open {
		return
	}
	dst, src, at, ok := h.route('t', c.local, c.remote)
	if !ok {
		if n.reachable(c.remote.Addr()) { // a NAT drops it without a word
			n.at(n.now()+rto, event{run: func() { h.syn(c, answer, min(2*rto, 16*time.Second)) }})
			return
		}
		answer <- syscall.EHOSTUNREACH
		return
	}
	p, back := n.path(h, dst), n.path(dst, h)
	c.count++
	if p.lost(n, src, at, c.count) {
		n.at(n.now()+rto, event{run: func() { h.syn(c, answer, min(2*rto, 16*time.Second)) }})
		return
	}
	n.at(n.now()+p.delay(n, src, at, c.count), event{run: func() {
		err := dst.accept(c, src, at, p, back)
		n.at(n.now()+back.delay(n, at, src, 0), event{run: func() { answer <- err }})
	}})
}

// reachable reports whether an address belongs to anyone. The lock is held.
func (n *Net) reachable(a netip.Addr) bool { return n.byAddr[a] != nil || n.nats[a] != nil }

// accept makes the other end of c and gives it to whoever listens. The lock of
// the Net is held.
func (h *Host) accept(c *Conn, src, at netip.AddrPort, p, back *path) error {
	l := h.tcpAt(at)
	if _, open := c.host.conn[c]; l == nil || !open {
		return syscall.ECONNREFUSED
	}
	s := newConn(h, at, src)
	c.other, s.other = s, c
	c.path, s.path = p, back
	c.flow, s.flow = [2]netip.AddrPort{src, at}, [2]netip.AddrPort{at, src}
	select {
	case l.in <- s:
		h.conn[s] = struct{}{}
		return nil
	default:
		return syscall.ECONNREFUSED
	}
}

func (c *Conn) name() string { return "tcp " + c.local.String() + " - " + c.remote.String() }

// LocalAddr and RemoteAddr are the two ends as this one sees them.
func (c *Conn) LocalAddr() net.Addr  { return net.TCPAddrFromAddrPort(c.local) }
func (c *Conn) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.remote) }

// Read returns what has arrived, io.EOF after the peer's last byte.
func (c *Conn) Read(b []byte) (int, error) {
	for {
		n, err := c.take(b)
		if n > 0 {
			c.other.acked(n)
			return n, nil
		}
		if err == io.EOF {
			return 0, io.EOF
		}
		if err != nil {
			return 0, c.fail("read", err)
		}
		if len(b) == 0 {
			return 0, nil
		}
		<-c.rd.ready
	}
}

// take copies out what has arrived; zero and no error mean wait.
func (c *Conn) take(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		c.rd.poke()
		return 0, net.ErrClosed
	case c.rd.expired():
		c.rd.poke()
		return 0, os.ErrDeadlineExceeded
	case len(c.buf) > 0:
		n := copy(b, c.buf)
		c.buf = c.buf[n:]
		if len(c.buf) == 0 {
			c.buf = nil
		} else {
			c.rd.poke()
		}
		return n, nil
	case c.err != nil:
		c.rd.poke()
		return 0, c.err
	case c.eof:
		c.rd.poke()
		return 0, io.EOF
	}
	return 0, nil
}

// acked opens the window by n bytes.
func (c *Conn) acked(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inFlight -= n
	c.wr.poke()
}

// Write sends b, waiting while the peer does not read.
func (c *Conn) Write(b []byte) (int, error) {
	sent := 0
	for {
		n, err := c.reserve(len(b) - sent)
		if err != nil {
			return sent, c.fail("write", err)
		}
		if n > 0 {
			c.send(segment{data: append([]byte(nil), b[sent:sent+n]...)})
			sent += n
		}
		if sent == len(b) {
			return sent, nil
		}
		if n == 0 {
			<-c.wr.ready
		}
	}
}

// reserve takes up to want bytes of the window; zero and no error mean wait.
func (c *Conn) reserve(want int) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		c.wr.poke()
		return 0, net.ErrClosed
	case c.shutW:
		return 0, syscall.EPIPE
	case c.err != nil:
		c.wr.poke()
		return 0, c.err
	case c.wr.expired():
		c.wr.poke()
		return 0, os.ErrDeadlineExceeded
	}
	n := min(want, tcpSegment, tcpWindow-c.inFlight)
	c.inFlight += n
	return n, nil
}

// send puts a segment on its way behind those before it.
func (c *Conn) send(s segment) {
	n := c.host.net
	n.mu.Lock()
	defer n.mu.Unlock()
	if c.path == nil {
		return
	}
	c.count++
	s.rto = firstRTO
	c.waiting = append(c.waiting, s)
	at := n.now() + c.path.delay(n, c.flow[0], c.flow[1], c.count)
	if !c.path.o.Down && c.path.lost(n, c.flow[0], c.flow[1], c.count) {
		at += firstRTO
	}
	c.last = max(at, c.last+1)
	n.at(c.last, event{run: c.arrive})
}

// arrive delivers the first segment that is under way. While the link is down it
// is tried again later. The lock of the Net is held.
func (c *Conn) arrive() {
	if len(c.waiting) == 0 {
		return
	}
	s := &c.waiting[0]
	if c.path.o.Down {
		if s.tried > giveUp {
			c.waiting = nil
			c.broken(syscall.ETIMEDOUT)
			return
		}
		n := c.host.net
		s.tried += s.rto
		n.at(n.now()+s.rto, event{run: c.arrive})
		s.rto = min(2*s.rto, lastRTO)
		return
	}
	arrived := *s
	c.waiting[0] = segment{}
	c.waiting = c.waiting[1:]
	if arrived.rst {
		c.other.broken(syscall.ECONNRESET)
	} else if !c.other.receive(arrived.data, arrived.fin) {
		c.broken(syscall.ECONNRESET)
	}
}

// receive takes an arrived segment; false means the connection is not there any
// more.
func (c *Conn) receive(data []byte, fin bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return fin
	}
	c.buf = append(c.buf, data...)
	c.eof = c.eof || fin
	c.rd.poke()
	return true
}

func (c *Conn) broken(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = err
	}
	c.rd.poke()
	c.wr.poke()
}

// CloseWrite ends the stream to the peer, which reads io.EOF after it; reading
// goes on.
func (c *Conn) CloseWrite() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return c.fail("close", net.ErrClosed)
	}
	first := !c.shutW
	c.shutW = true
	c.mu.Unlock()
	if first {
		c.send(segment{fin: true})
	}
	return nil
}

// Close ends the connection both ways and wakes readers and writers of this end.
// What was written still arrives. The peer finds the connection reset when this end
// leaves bytes unread, now or later.
func (c *Conn) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return c.fail("close", net.ErrClosed)
	}
	last := segment{fin: true, rst: len(c.buf) > 0}
	first := !c.shutW || last.rst
	c.closed, c.shutW, c.buf = true, true, nil
	for _, w := range []*waiter{&c.rd, &c.wr} {
		if w.expiry != nil {
			w.expiry.Stop()
		}
		w.poke()
	}
	c.mu.Unlock()
	n := c.host.net
	n.mu.Lock()
	delete(c.host.conn, c)
	n.mu.Unlock()
	if first {
		c.send(last)
	}
	return nil
}

func (c *Conn) shut() { _ = c.Close() }

// SetReadDeadline makes reads fail with os.ErrDeadlineExceeded from t on; the zero
// time means never.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.setDeadline(t, &c.rd) }

// SetWriteDeadline is the same for writes that wait for the window.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.setDeadline(t, &c.wr) }

// SetDeadline sets both.
func (c *Conn) SetDeadline(t time.Time) error { return c.setDeadline(t, &c.rd, &c.wr) }

func (c *Conn) setDeadline(t time.Time, waiters ...*waiter) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return c.fail("set", net.ErrClosed)
	}
	for _, w := range waiters {
		w.deadline = t
		w.expiry = setExpiry(w.expiry, t, w.poke)
	}
	return nil
}

// SetKeepAlive and SetNoDelay exist for callers that know *net.TCPConn.
func (c *Conn) SetKeepAlive(bool) error { return nil }
func (c *Conn) SetNoDelay(bool) error   { return nil }

func (c *Conn) fail(op string, err error) error {
	return &net.OpError{Op: op, Net: "tcp", Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err}
}
