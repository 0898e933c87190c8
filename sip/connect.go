package sip

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"time"
)

// connectFor bounds the opening of a connection, TLS handshake and all.
const connectFor = 10 * time.Second

// dialled is a listener whose connections we opened ourselves: sipgo serves
// them as it serves accepted ones, with our limits on them and in whatever
// network the program runs, instead of dialling on its own.
type dialled struct {
	offers chan offer
	closed chan struct{}
	last   chan struct{} // of the offer taken before; only Accept uses it
}

// offer is a connection to be served; taken is closed when it is.
type offer struct {
	conn  net.Conn
	taken chan struct{}
}

func newDialled() *dialled {
	return &dialled{offers: make(chan offer), closed: make(chan struct{})}
}

// Accept gives the next connection that was opened. That it is called again
// shows that the one before is in the pool of sipgo.
func (d *dialled) Accept() (net.Conn, error) {
	if d.last != nil {
		close(d.last)
		d.last = nil
	}
	select {
	case o := <-d.offers:
		d.last = o.taken
		return o.conn, nil
	case <-d.closed:
		return nil, net.ErrClosed
	}
}

// Close ends Accept. It is called once.
func (d *dialled) Close() error {
	close(d.closed)
	return nil
}

// Addr is nowhere: nobody can connect to this listener.
func (d *dialled) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4zero} }

// hand gives a connection to sipgo and returns when it is in its pool.
func (d *dialled) hand(ctx context.Context, c net.Conn) error {
	o := offer{c, make(chan struct{})}
	select {
	case d.offers <- o:
	case <-d.closed:
		return net.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-o.taken:
		return nil
	case <-d.closed:
		return net.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// connect makes sure that there is an open connection to h. Two requests at
// the same time may open two; both are served, and the later one is used.
func (s *Server) connect(ctx context.Context, h hop) error {
	if s.connected(h.transport, h.dest) {
		return nil
	}
	if isSocket(h.transport) {
		return fmt.Errorf("the WebSocket of %s is closed", h.dest)
	}
	limit := connectFor
	if h.within > 0 {
		limit = h.within
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	c, err := s.open(ctx, h)
	if err != nil {
		return fmt.Errorf("connect to %s %s: %w", h.transport, h.dest, err)
	}
	if err := s.dialled[h.transport].hand(ctx, c); err != nil {
		c.Close()
		return fmt.Errorf("connect to %s %s: %w", h.transport, h.dest, err)
	}
	return nil
}

// connected says whether there is an open connection to dest ("IP:port").
func (s *Server) connected(transport, dest string) bool {
	pool := s.ua.TransportLayer().Pool(transport)
	if pool == nil {
		return false
	}
	c := pool.Get(dest)
	if c == nil {
		return false
	}
	c.TryClose() // Get took a reference
	return true
}

func (s *Server) open(ctx context.Context, h hop) (net.Conn, error) {
	c, err := s.cfg.Dial(ctx, "tcp", h.dest)
	if err != nil {
		return nil, err
	}
	f := s.flows.own(h.transport, c)
	if f == nil {
		c.Close()
		return nil, net.ErrClosed
	}
	if h.transport != "tls" {
		return s.heed(f, f), nil
	}
	t := tls.Client(f, s.tlsClient(h))
	if err := t.HandshakeContext(ctx); err != nil {
		f.Close()
		return nil, fmt.Errorf("TLS handshake: %w", err)
	}
	return s.heed(secured{t, f}, f), nil
}

// tlsClient is the configuration for connections we open: the certificate of
// the peer must be good for the name or address it was reached by, and signed
// by an authority of the system or, when there is one, of our configuration.
func (s *Server) tlsClient(h hop) *tls.Config {
	c := &tls.Config{ServerName: h.name}
	if s.cfg.TLS != nil {
		if own := s.cfg.TLS(); own != nil {
			c.RootCAs = own.RootCAs
		}
	}
	if c.ServerName == "" {
		c.ServerName, _, _ = net.SplitHostPort(h.dest)
	}
	return c
}
