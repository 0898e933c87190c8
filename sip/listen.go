package sip

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// receiveBuffer is what we ask the kernel for per UDP socket: enough for the
// burst of retransmissions when a few thousand phones come back at once.
const receiveBuffer = 4 << 20

// listener is one address of ours.
type listener struct {
	transport string
	addr      netip.AddrPort
	key       string // as sipgo names the socket
	packet    net.PacketConn
	stream    net.Listener
	alone     bool // the other family has a listener of its own
}

// family says whether peer can be reached from this socket.
func (l *listener) family(peer netip.Addr) bool {
	own := l.addr.Addr()
	return own.Is4() == peer.Is4() || own.IsUnspecified() && own.Is6() && !l.alone
}

// listen binds all addresses.
func (s *Server) listen() error {
	if len(s.cfg.Listen) == 0 {
		return errors.New("sip: no address to listen on")
	}
	for _, want := range s.cfg.Listen {
		l, err := s.bind(strings.ToLower(want.Transport), want.Addr, s.beside(want))
		if err != nil {
			return fmt.Errorf("listen on %s://%s: %w", want.Transport, want.Addr, err)
		}
		s.listeners = append(s.listeners, l)
	}
	for _, transport := range []string{"tcp", "tls", "ws", "wss"} {
		s.dialled[transport] = newDialled()
	}
	return nil
}

// beside says whether both wildcards of a port are listened on, each by a
// listener of its own: then neither may take the other's family, as an IPv6
// wildcard does by itself (RFC 3493 §5.3).
func (s *Server) beside(want Listen) bool {
	own, err := netip.ParseAddrPort(want.Addr)
	if err != nil || !own.Addr().IsUnspecified() || own.Port() == 0 {
		return false
	}
	return slices.ContainsFunc(s.cfg.Listen, func(l Listen) bool {
		other, err := netip.ParseAddrPort(l.Addr)
		return err == nil && other.Addr().IsUnspecified() && other.Port() == own.Port() && other.Addr().Is4() != own.Addr().Is4() &&
			strings.EqualFold(l.Transport, "udp") == strings.EqualFold(want.Transport, "udp")
	})
}

// network is "udp" or "tcp", with the family of addr when it is not to listen
// for the other one.
func network(kind, addr string, alone bool) string {
	a, err := netip.ParseAddrPort(addr)
	switch {
	case !alone || err != nil:
		return kind
	case a.Addr().Is4():
		return kind + "4"
	}
	return kind + "6"
}

func (s *Server) bind(transport, addr string, alone bool) (*listener, error) {
	l := &listener{transport: transport, alone: alone}
	var local net.Addr
	switch transport {
	case "udp":
		c, err := s.cfg.ListenPacket(network("udp", addr, alone), addr)
		if err != nil {
			return nil, err
		}
		l.packet, local = c, c.LocalAddr()
	case "tcp", "tls", "ws", "wss":
		if (transport == "tls" || transport == "wss") && s.cfg.TLS == nil {
			return nil, errors.New("no certificate is configured")
		}
		n, err := s.cfg.ListenTCP(network("tcp", addr, alone), addr)
		if err != nil {
			return nil, err
		}
		l.stream, local = n, n.Addr()
	default:
		return nil, errors.New("transport is none of udp, tcp, tls, ws, wss")
	}
	l.key = local.String()
	a, err := addrPort(l.key)
	if err != nil {
		l.close()
		return nil, err
	}
	l.addr = a
	return l, nil
}

func (l *listener) close() error {
	if l.packet != nil {
		return l.packet.Close()
	}
	return l.stream.Close()
}

// serve starts the loops that read from the listeners.
func (s *Server) serve() {
	tp := s.ua.TransportLayer()
	for _, l := range s.listeners {
		switch l.transport {
		case "udp":
			s.servePacket(l.packet)
		case "tcp":
			s.serving.Go(func() { tp.ServeTCP(&gate{Listener: l.stream, s: s, transport: "tcp"}) })
		case "tls":
			s.serving.Go(func() { tp.ServeTLS(&gate{Listener: l.stream, s: s, transport: "tls", tls: s.tlsServer()}) })
		case "ws", "wss":
			s.serving.Go(func() { s.serveWebSocket(l) })
		}
	}
	s.serving.Go(func() { tp.ServeTCP(s.dialled["tcp"]) })
	s.serving.Go(func() { tp.ServeTLS(s.dialled["tls"]) })
	s.serving.Go(func() { tp.ServeWS(s.dialled["ws"]) })
	s.serving.Go(func() { tp.ServeWSS(s.dialled["wss"]) })
}

// tlsServer makes the configuration that asks for the current certificates at
// every handshake.
func (s *Server) tlsServer() *tls.Config {
	return &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		c := s.cfg.TLS()
		if c == nil {
			return nil, errors.New("no certificate is configured")
		}
		return c, nil
	}}
}

// closeListeners stops reading. Loops that wait in Accept or ReadFrom return.
func (s *Server) closeListeners() error {
	var errs error
	for _, l := range s.listeners {
		if err := l.close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = errors.Join(errs, fmt.Errorf("close %s listener %s: %w", l.transport, l.key, err))
		}
	}
	for _, d := range s.dialled {
		d.Close()
	}
	return errs
}

// listenPacket opens a UDP socket on the real network. An IPv4 wildcard stays
// one, rather than becoming the IPv6 wildcard that Go would make of it, so that
// both can be listened on side by side.
func listenPacket(network, address string) (net.PacketConn, error) {
	if host, _, err := net.SplitHostPort(address); err == nil {
		if a, ok := literal(host); ok && a.Is4() {
			network = "udp4"
		}
	}
	c, err := net.ListenPacket(network, address)
	if err != nil {
		return nil, err
	}
	if u, ok := c.(*net.UDPConn); ok {
		u.SetReadBuffer(receiveBuffer) // best effort: the kernel has a limit of its own
	}
	return c, nil
}

// maxPeers is how many changes of peer a packet reader serves before it is
// replaced.
const maxPeers = 1 << 16

// packetReader is a UDP socket as one read loop of sipgo sees it. sipgo keeps
// an entry for every source address for as long as its loop runs, which on a
// public address is forever: so after a while the reader ends, its entries
// with it, and the next one has already taken over.
type packetReader struct {
	net.PacketConn
	next    func()
	begun   func() // tells that the loop runs
	shed    func(netip.Addr) bool
	mirror  *mirror
	log     *slog.Logger
	stopped <-chan struct{}
	last    string
	peers   int
}

// servePacket starts a reader on a UDP socket. It returns when sipgo reads from
// it, as only then requests can leave from that socket.
func (s *Server) servePacket(c net.PacketConn) {
	reading := make(chan struct{})
	r := &packetReader{PacketConn: c, next: func() { s.servePacket(c) }, shed: s.shed, mirror: &s.mirror, log: s.log, stopped: s.ctx.Done()}
	r.begun = sync.OnceFunc(func() { close(reading) })
	s.serving.Go(func() {
		defer r.begun()
		s.ua.TransportLayer().ServeUDP(r)
	})
	<-reading
}

// ReadFrom reads the next datagram. Errors that do not come from closing the
// socket are not the end of it, as sipgo would have them.
func (r *packetReader) ReadFrom(b []byte) (int, net.Addr, error) {
	r.begun()
	if r.peers >= maxPeers {
		r.next()
		return 0, nil, net.ErrClosed
	}
	for {
		n, from, err := r.PacketConn.ReadFrom(b)
		switch {
		case err == nil && r.shed(addrOf(from)):
			continue
		case err == nil:
			if a := from.String(); a != r.last {
				r.last = a
				r.peers++
			}
			return n, from, nil
		case errors.Is(err, net.ErrClosed) || isDone(r.stopped):
			return 0, nil, net.ErrClosed
		}
		r.log.Warn("sip: read from UDP socket", "address", r.LocalAddr().String(), "error", err)
		if !pause(r.stopped, 10*time.Millisecond) {
			return 0, nil, net.ErrClosed
		}
	}
}

// WriteTo sends a datagram.
func (r *packetReader) WriteTo(b []byte, to net.Addr) (int, error) {
	n, err := r.PacketConn.WriteTo(b, to)
	if err == nil {
		r.mirror.pass(false, "udp", r.LocalAddr(), to, b)
	}
	return n, err
}

// gate is a TCP listener that lets in what there is room for.
type gate struct {
	net.Listener
	s         *Server
	transport string
	tls       *tls.Config
}

// Accept gives the next connection that is within the limits. The TLS
// handshake is made by the goroutine that reads from it, so a slow one holds
// up nobody.
func (g *gate) Accept() (net.Conn, error) {
	for {
		c, err := g.Listener.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) || isDone(g.s.ctx.Done()) {
				return nil, net.ErrClosed
			}
			// Out of descriptors, or the peer was gone already: go on.
			g.s.log.Warn("sip: accept", "address", g.Addr().String(), "error", err)
			if !pause(g.s.ctx.Done(), 50*time.Millisecond) {
				return nil, net.ErrClosed
			}
			continue
		}
		f, why := g.s.flows.add(g.transport, c, g.s.blocked)
		if f == nil {
			g.s.met.rejected(why)
			c.Close()
			continue
		}
		var conn net.Conn = f
		if g.tls != nil {
			conn = secured{tls.Server(f, g.tls), f}
		}
		if g.transport == "ws" || g.transport == "wss" { // sipgo does not read those itself
			return conn, nil
		}
		return g.s.heed(conn, f), nil
	}
}

// secured is a TLS connection over a flow, closed without waiting for the
// peer to take our goodbye.
type secured struct {
	*tls.Conn
	flow *flow
}

// Write encrypts and writes.
func (c secured) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	if err == nil {
		transport, _, _ := strings.Cut(c.flow.key, " ")
		c.flow.all.mirror.pass(false, transport, c.LocalAddr(), c.RemoteAddr(), b)
	}
	return n, err
}

// Close closes the flow below.
func (c secured) Close() error { return c.flow.Close() }

// isDone says whether a channel is closed.
func isDone(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// pause waits for d; false when stopped came first.
func pause(stopped <-chan struct{}, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-stopped:
		return false
	}
}
