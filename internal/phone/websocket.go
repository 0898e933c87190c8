package phone

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// overSocket says whether the phone speaks SIP over a WebSocket (RFC 7118). It
// then only opens connections and cannot be connected to.
func (p *Phone) overSocket() bool { return p.network == "ws" || p.network == "wss" }

// secure says whether connections are made over TLS.
func (p *Phone) secure() bool { return p.network == "tls" || p.network == "wss" }

// upgrade opens a WebSocket over a connection.
func (p *Phone) upgrade(ctx context.Context, conn net.Conn, to netip.AddrPort) (net.Conn, error) {
	d := ws.Dialer{Protocols: []string{"sip"}}
	if p.cfg.Origin != "" {
		d.Header = ws.HandshakeHeaderHTTP(http.Header{"Origin": []string{p.cfg.Origin}})
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	br, _, err := d.Upgrade(conn, &url.URL{Scheme: "ws", Host: to.String(), Path: "/ws"})
	if err != nil {
		return nil, fmt.Errorf("websocket handshake with %v: %w", to, err)
	}
	s := &socket{Conn: conn, r: conn}
	if br != nil {
		s.r = io.MultiReader(bufio.NewReader(br), conn)
	}
	return s, nil
}

// socket is a WebSocket as a stream of SIP: messages of the peer one after the
// other, and each write a message of its own. Pings are answered.
type socket struct {
	net.Conn
	r    io.Reader
	left []byte
	mu   sync.Mutex // of writes
}

// Read gives bytes of the peer's messages.
func (s *socket) Read(b []byte) (int, error) {
	for len(s.left) == 0 {
		m, _, err := wsutil.ReadServerData(struct {
			io.Reader
			io.Writer
		}{s.r, control{s}})
		if err != nil {
			return 0, err
		}
		s.left = m
	}
	n := copy(b, s.left)
	s.left = s.left[n:]
	return n, nil
}

// Write sends one message.
func (s *socket) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := wsutil.WriteClientText(s.Conn, b); err != nil {
		return 0, err
	}
	return len(b), nil
}

// control writes frames that answer the peer's control frames.
type control struct{ s *socket }

func (c control) Write(b []byte) (int, error) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	_ = c.s.Conn.SetWriteDeadline(time.Now().Add(writeTimeout))
	return c.s.Conn.Write(b)
}

// handshake makes a connection what the transport of the phone needs.
func (p *Phone) handshake(ctx context.Context, conn net.Conn, to netip.AddrPort) (net.Conn, error) {
	if p.secure() {
		secure := tls.Client(conn, p.clientTLS(to))
		if err := secure.HandshakeContext(ctx); err != nil {
			return nil, fmt.Errorf("tls handshake with %v: %w", to, err)
		}
		conn = secure
	}
	if p.overSocket() {
		return p.upgrade(ctx, conn, to)
	}
	return conn, nil
}

// Disconnect closes the connections of a phone that is not on UDP, without a word
// to anyone. The next thing it sends opens another one.
func (p *Phone) Disconnect() {
	p.do(func() {
		for peer, s := range p.streams {
			s.closed = true
			_ = s.conn.Close()
			delete(p.streams, peer)
		}
	})
}
