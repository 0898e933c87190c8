package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync/atomic"
)

// line is the connection to the server while one e-mail is sent.
type line struct {
	s    *Sender
	conn atomic.Pointer[bounded]
}

// dial opens the connection; with TLS from the start it is encrypted when it returns.
func (l *line) dial(ctx context.Context, network, address string) (net.Conn, error) {
	raw, err := l.s.o.Dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	b := &bounded{Conn: raw}
	b.left.Store(readLimit)
	l.conn.Store(b)
	if err := ctx.Err(); err != nil { // whoever closes it may have come before it was there
		l.close()
		return nil, err
	}
	if l.s.o.TLS != TLS {
		return b, nil
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	c := tls.Client(b, l.s.tls(host))
	if err := c.HandshakeContext(ctx); err != nil {
		l.close()
		return nil, err
	}
	return c, nil
}

// close closes the connection, if there is one. It may be called more than once.
func (l *line) close() {
	if b := l.conn.Load(); b != nil {
		_ = b.Close() // there is nothing more to say to the server
	}
}

// full tells whether the server has said as much as it may.
func (l *line) full() bool {
	b := l.conn.Load()
	return b != nil && b.left.Load() <= 0
}

// bounded is a connection from which only so much is read.
type bounded struct {
	net.Conn
	left atomic.Int64
}

var errTooMuch = errors.New("too much was said")

// Read reads until the bound is reached.
func (b *bounded) Read(p []byte) (int, error) {
	left := b.left.Load()
	if left <= 0 {
		return 0, errTooMuch
	}
	n, err := b.Conn.Read(p[:min(int64(len(p)), left)])
	b.left.Add(-int64(n))
	return n, err
}
