package sip

import (
	"bufio"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"vpbx/pbx"
)

// socketPath is where WebSockets are opened, and maxHandshake bounds the HTTP
// request that does so.
const (
	socketPath   = "/ws"
	maxHandshake = 16 << 10
	handTo       = 5 * time.Second // sipgo takes a connection within that
)

// serveWebSocket accepts the connections of a ws or wss listener. sipgo would
// shake hands in its accept loop, without a time limit, and reads control frames
// as if they had no body: so it only gets connections that are open, cleaned by
// a [socket].
func (s *Server) serveWebSocket(l *listener) {
	g := &gate{Listener: l.stream, s: s, transport: l.transport}
	if l.transport == "wss" {
		g.tls = s.tlsServer()
	}
	for {
		c, err := g.Accept()
		if err != nil {
			return
		}
		s.serving.Go(func() { s.shakeHands(l.transport, c) })
	}
}

// shakeHands does the opening handshake (RFC 6455 §4.2, RFC 7118 §4) and hands
// the connection to sipgo. The limits of its flow bound how long that takes.
func (s *Server) shakeHands(transport string, c net.Conn) {
	limit := &io.LimitedReader{R: c, N: maxHandshake}
	r := bufio.NewReader(limit)
	req, err := http.ReadRequest(r)
	if err != nil {
		s.met.rejected(garbage)
		c.Close()
		return
	}
	if code := s.refusal(req); code != 0 {
		s.met.rejected(garbage)
		s.log.Debug("sip: WebSocket refused", "source", c.RemoteAddr().String(), "code", code, "origin", clean(req.Header.Get("Origin")))
		version := ""
		if code == http.StatusUpgradeRequired {
			version = "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
		}
		fmt.Fprintf(c, "HTTP/1.1 %d %s\r\n%sConnection: close\r\nContent-Length: 0\r\n\r\n", code, http.StatusText(code), version)
		c.Close()
		return
	}
	limit.N = math.MaxInt64
	if _, err := fmt.Fprintf(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Accept: %s\r\nSec-WebSocket-Protocol: sip\r\n\r\n", acceptKey(req.Header.Get("Sec-WebSocket-Key"))); err != nil {
		c.Close()
		return
	}
	ctx, cancel := context.WithTimeout(s.ctx, handTo)
	defer cancel()
	w := newSocket(c, r, func(message []byte) { s.mirror.pass(false, transport, c.LocalAddr(), c.RemoteAddr(), message) })
	if err := s.dialled[transport].hand(ctx, w); err != nil {
		w.Close()
	}
}

// refusal is the status with which a handshake is refused, 0 when it is right.
func (s *Server) refusal(req *http.Request) int {
	h := req.Header
	key, err := base64.StdEncoding.DecodeString(h.Get("Sec-WebSocket-Key"))
	switch {
	case req.URL.Path != socketPath:
		return http.StatusNotFound
	case req.Method != http.MethodGet:
		return http.StatusMethodNotAllowed
	case !req.ProtoAtLeast(1, 1), !token13(h, "Connection", "upgrade"), !token13(h, "Upgrade", "websocket"), h.Get("Sec-WebSocket-Version") != "13":
		return http.StatusUpgradeRequired
	case err != nil || len(key) != 16, !token13(h, "Sec-Websocket-Protocol", "sip"): // RFC 7118 §4.1
		return http.StatusBadRequest
	case !s.welcome(h.Get("Origin"), req.Host):
		return http.StatusForbidden
	}
	return 0
}

// token13 says whether a list header of a handshake holds a token.
func token13(h http.Header, name, want string) bool {
	for _, v := range h.Values(name) {
		for t := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.TrimSpace(t), want) {
				return true
			}
		}
	}
	return false
}

// welcome says whether a page may speak to us (RFC 6455 §10.2): one that is
// served under the name the connection is made to, whatever the port, or that is
// listed. Who names no origin is no browser.
func (s *Server) welcome(origin, host string) bool {
	if origin == "" {
		return true
	}
	for _, o := range s.cfg.Origins {
		if o == "*" || strings.EqualFold(strings.TrimSuffix(o, "/"), origin) {
			return true
		}
	}
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" || host == "" {
		return false
	}
	own := url.URL{Host: host}
	return strings.EqualFold(u.Hostname(), own.Hostname())
}

// acceptKey answers the key of a handshake (RFC 6455 §4.2.2).
func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// isSocket says whether a transport is a WebSocket: only the peer can open one.
func isSocket(transport string) bool { return transport == "ws" || transport == "wss" }

// reconnect is how long a phone has to come back, on another connection, to the
// calls it had on a WebSocket that was closed.
const reconnect = 15 * time.Second

// parted is told of each connection that was closed; last says that there is no
// other to the same address.
func (s *Server) parted(n *flow, last bool) {
	if last {
		s.watches.disconnected(n.key)
	}
	if isSocket(n.transport) {
		s.cut(n)
	}
}

// cut is told that a WebSocket is closed. Nothing can reach the phone behind it,
// so its bindings are dropped; its calls end unless it comes back soon.
func (s *Server) cut(n *flow) {
	if isDone(s.ctx.Done()) {
		return
	}
	gone := way{n.transport, n.peer.String()}
	s.reg.lost(n.accounts(), gone)
	if legs := s.dlg.over(gone); len(legs) > 0 {
		time.AfterFunc(reconnect, func() { s.dlg.hangUpOver(gone, legs) })
	}
}

// over lists the legs that are reached over a flow.
func (d *dialogs) over(w way) []*Leg {
	d.mu.Lock()
	defer d.mu.Unlock()
	var l []*Leg
	for _, x := range d.legs {
		if x.uses(w) {
			l = append(l, x)
		}
	}
	return l
}

// hangUpOver ends those of the legs that are still reached over a flow which is
// closed. Those that have ended do not mind.
func (d *dialogs) hangUpOver(w way, legs []*Leg) {
	for _, l := range legs {
		if l.uses(w) {
			l.Hangup(pbx.NewCause(l.peer(), pbx.NoReply))
		}
	}
}

// uses says whether a leg's requests go over a flow; it may be called by any
// goroutine.
func (l *Leg) uses(w way) bool {
	st := l.State()
	return st.Transport == w.transport && st.Peer == w.addr && st.Phase != ended.String()
}

// lost drops what phones of some accounts registered over a flow that is gone.
func (r *registrar) lost(accounts []account, w way) {
	source, err := netip.ParseAddrPort(w.addr)
	if err != nil {
		return
	}
	var ch changes
	r.mu.Lock()
	for _, who := range accounts {
		for _, b := range r.bindings[who] {
			if b.Transport == w.transport && b.source == source {
				r.remove(b, expired, &ch)
			}
		}
	}
	r.commit(ch)
	r.mu.Unlock()
	r.announce(ch)
}
