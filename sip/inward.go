package sip

import (
	"bytes"
	"net"
	"sync/atomic"
)

// inward is a connection as sipgo reads it. sipgo tells nobody when it closes one
// because it cannot parse what came, and throws reads away that are all zeros,
// also in the middle of a body.
type inward struct {
	net.Conn
	flow   *flow
	whole  []byte      // a message whose end was zeros, to be read
	broken func()      // tells of a connection that is closed for what came
	over   atomic.Bool // it ended by itself
}

// heed makes sipgo read c, a connection over f, as it should.
func (s *Server) heed(c net.Conn, f *flow) net.Conn {
	return &inward{Conn: c, flow: f, broken: func() {
		if peer, err := addrPort(c.RemoteAddr().String()); err == nil && !isDone(s.ctx.Done()) && !s.blocked(peer.Addr()) {
			s.met.rejected(malformed)
		}
	}}
}

// Read reads what came. Zeros inside a message are put to it here, before sipgo
// sees them.
func (c *inward) Read(b []byte) (int, error) {
	for len(c.whole) == 0 {
		n, err := c.Conn.Read(b)
		if err != nil {
			c.over.Store(true)
			return n, err
		}
		if len(c.flow.framer.buf) == 0 || len(bytes.TrimLeft(b[:n], "\x00")) > 0 {
			return n, nil
		}
		if c.whole, err = c.flow.framer.feed(b[:n], func([]byte) {}); err != nil {
			return 0, err
		}
	}
	n := copy(b, c.whole)
	c.whole = c.whole[n:]
	return n, nil
}

// Close closes the connection.
func (c *inward) Close() error {
	if !c.over.Swap(true) {
		c.broken()
	}
	return c.Conn.Close()
}
