package phone

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/emiago/sipgo/sip"
)

const (
	dialTimeout  = 10 * time.Second
	writeTimeout = 5 * time.Second
	maxStreams   = 64 // connections at once
)

// udpConn is what the phone needs of a UDP socket.
type udpConn interface {
	net.PacketConn
	ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error)
	WriteToUDPAddrPort(b []byte, addr netip.AddrPort) (int, error)
}

// stream is a TCP or TLS connection.
type stream struct {
	conn   net.Conn
	peer   netip.AddrPort
	local  netip.AddrPort
	closed bool // owned by the loop
}

// hop is where a message goes to or came from.
type hop struct {
	peer   netip.AddrPort
	stream *stream // nil for UDP
}

// open opens the sockets and finds out the own address.
func (p *Phone) open() error {
	address := p.cfg.Address
	if address == "" {
		address = ":0"
	}
	switch p.network {
	case "udp":
		c, err := p.listenUDP(address)
		if err != nil {
			return err
		}
		p.udp = c
		p.local = addrPort(c.LocalAddr())
	case "tcp", "tls":
		if p.network == "tls" && (p.cfg.TLS == nil || len(p.cfg.TLS.Certificates) == 0) {
			break
		}
		l, err := p.cfg.Listen("tcp", address)
		if err != nil {
			return fmt.Errorf("listen on %s: %w", address, err)
		}
		if p.network == "tls" {
			l = tls.NewListener(l, p.cfg.TLS)
		}
		p.listener = l
		p.local = addrPort(l.Addr())
	case "ws", "wss": // it is only called over the connection that it opens
	default:
		return fmt.Errorf("unknown transport %q", p.network)
	}
	if p.local.IsValid() && !p.local.Addr().IsUnspecified() {
		return nil
	}
	ip, err := p.ownAddress(address)
	if err != nil {
		p.closeSockets()
		return err
	}
	p.local = netip.AddrPortFrom(ip, p.local.Port())
	return nil
}

func (p *Phone) closeSockets() {
	if p.udp != nil {
		_ = p.udp.Close()
	}
	if p.listener != nil {
		_ = p.listener.Close()
	}
}

func (p *Phone) listenUDP(address string) (udpConn, error) {
	c, err := p.cfg.ListenPacket("udp", address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	u, ok := c.(udpConn)
	if !ok {
		_ = c.Close()
		return nil, fmt.Errorf("listen on %s: %T lacks ReadFromUDPAddrPort", address, c)
	}
	return u, nil
}

// ownAddress is the address the phone sends from to its server.
func (p *Phone) ownAddress(address string) (netip.Addr, error) {
	if ip, err := netip.ParseAddr(hostOf(address)); err == nil && !ip.IsUnspecified() {
		return ip, nil
	}
	if p.cfg.Server == "" {
		return netip.Addr{}, errors.New("a phone on all addresses needs a server to find its own")
	}
	server, err := p.resolve(p.ctx, p.cfg.Server)
	if err != nil {
		return netip.Addr{}, err
	}
	c, err := p.cfg.Dial(p.ctx, "udp", server.String())
	if err != nil {
		return netip.Addr{}, fmt.Errorf("find the own address: %w", err)
	}
	defer c.Close()
	return addrPort(c.LocalAddr()).Addr(), nil
}

// resolve finds the address of host:port; the port defaults to that of the transport.
func (p *Phone) resolve(ctx context.Context, address string) (netip.AddrPort, error) {
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		host, service = address, "5060"
		switch p.network {
		case "tls":
			service = "5061"
		case "ws":
			service = "80"
		case "wss":
			service = "443"
		}
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("address %q: bad port", address)
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return netip.AddrPortFrom(ip.Unmap(), uint16(port)), nil
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("resolve %s: %w", host, err)
	}
	return netip.AddrPortFrom(ips[0].Unmap(), uint16(port)), nil
}

// reach finds the way to an address, making the connection if there is none. It
// waits for the network and must not be called by the loop.
func (p *Phone) reach(ctx context.Context, to netip.AddrPort) (hop, error) {
	if p.network == "udp" {
		return hop{peer: to}, nil
	}
	var s *stream
	p.do(func() { s = p.streams[to] })
	if s != nil {
		return hop{to, s}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	defer context.AfterFunc(p.ctx, cancel)()
	conn, err := p.cfg.Dial(ctx, "tcp", to.String())
	if err != nil {
		return hop{}, err
	}
	whole, err := p.handshake(ctx, conn, to)
	if err != nil {
		_ = conn.Close()
		return hop{}, err
	}
	s = &stream{conn: whole, peer: to, local: addrPort(conn.LocalAddr())}
	if !p.post(func() { p.adopt(s) }) {
		_ = conn.Close()
		return hop{}, ErrClosed
	}
	return hop{to, s}, nil
}

func (p *Phone) clientTLS(to netip.AddrPort) *tls.Config {
	cfg := p.cfg.TLS.Clone()
	if cfg == nil {
		cfg = &tls.Config{}
	}
	if cfg.ServerName == "" {
		cfg.ServerName = hostOf(p.cfg.Server)
		if cfg.ServerName == "" {
			cfg.ServerName = to.Addr().String()
		}
	}
	return cfg
}

// adopt takes a connection in and starts its reader. Only the loop may call it.
func (p *Phone) adopt(s *stream) {
	if len(p.streams) >= maxStreams {
		_ = s.conn.Close()
		return
	}
	p.streams[s.peer] = s
	p.wg.Go(func() { p.readStream(s) })
}

func (p *Phone) accept() {
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			return
		}
		s := &stream{conn: conn, peer: addrPort(conn.RemoteAddr()), local: addrPort(conn.LocalAddr())}
		if !p.post(func() { p.adopt(s) }) {
			_ = conn.Close()
			return
		}
	}
}

func (p *Phone) readUDP() {
	buf := make([]byte, 65535)
	for {
		n, from, err := p.udp.ReadFromUDPAddrPort(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // an ICMP error of an earlier packet
		}
		raw := bytes.Clone(buf[:n])
		from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		if !p.post(func() { p.datagram(raw, hop{peer: from}) }) {
			return
		}
	}
}

func (p *Phone) datagram(raw []byte, h hop) {
	if p.gone {
		return
	}
	if len(bytes.Trim(raw, "\r\n\x00")) == 0 {
		p.pings++
		return
	}
	msg, err := p.parser.ParseSIP(raw)
	if err != nil {
		p.log.Debug("cannot parse a datagram", "from", h.peer, "error", err)
		return
	}
	p.receive(msg, raw, h)
}

func (p *Phone) readStream(s *stream) {
	defer p.post(func() {
		s.closed = true
		_ = s.conn.Close()
		if p.streams[s.peer] == s {
			delete(p.streams, s.peer)
		}
	})
	parser := p.parser.NewSIPStream()
	defer parser.Close()
	buf := make([]byte, 16<<10)
	atStart := true // no message is half read
	for {
		n, err := s.conn.Read(buf)
		if err != nil {
			return
		}
		if atStart && len(bytes.Trim(buf[:n], "\r\n")) == 0 {
			pong := n >= 4 // RFC 5626 §3.5.1
			p.post(func() { p.pinged(s, pong) })
			continue
		}
		if _, err := parser.Write(buf[:n]); err != nil {
			return
		}
		atStart = true
		for parser.Buffer().Len() > 0 {
			msg, _, err := parser.ParseNext()
			if errors.Is(err, io.ErrUnexpectedEOF) {
				atStart = false
				break
			}
			if err != nil {
				p.log.Debug("cannot parse a stream", "from", s.peer, "error", err)
				return
			}
			if !p.post(func() { p.receive(msg, nil, hop{s.peer, s}) }) {
				return
			}
		}
	}
}

func (p *Phone) pinged(s *stream, pong bool) {
	if p.gone {
		return
	}
	p.pings++
	if pong {
		p.send(hop{s.peer, s}, []byte("\r\n"))
	}
}

// receive sorts a message to its transaction.
func (p *Phone) receive(msg sip.Message, raw []byte, h hop) {
	if p.gone {
		return
	}
	if p.cfg.Trace != nil {
		if raw == nil {
			raw = []byte(msg.String())
		}
		p.cfg.Trace("in", raw)
	}
	if msg.Via() == nil || msg.CSeq() == nil || msg.CallID() == nil || msg.From() == nil || msg.To() == nil {
		p.log.Debug("message without a mandatory header", "from", h.peer)
		return
	}
	msg.SetSource(h.peer.String())
	switch m := msg.(type) {
	case *sip.Response:
		branch, _ := m.Via().Params.Get("branch")
		if tx := p.clients[branch+string(m.CSeq().MethodName)]; tx != nil {
			tx.receive(m)
		}
	case *sip.Request:
		p.receiveRequest(m, h)
	}
}

// send writes one message. The error of a broken connection shows later, as a
// transaction that gets no answer.
func (p *Phone) send(h hop, raw []byte) {
	if p.gone {
		return
	}
	if p.cfg.Mangle != nil && len(raw) > 4 {
		if raw = p.cfg.Mangle(raw); raw == nil {
			return
		}
	}
	if p.cfg.Trace != nil && len(raw) > 4 {
		p.cfg.Trace("out", raw)
	}
	var err error
	switch {
	case h.stream == nil && p.udp == nil:
		err = errors.New("the connection is gone")
	case h.stream == nil:
		_, err = p.udp.WriteToUDPAddrPort(raw, h.peer)
	default:
		_ = h.stream.conn.SetWriteDeadline(time.Now().Add(writeTimeout))
		_, err = h.stream.conn.Write(raw)
	}
	if err != nil {
		p.log.Debug("cannot send", "to", h.peer, "error", err)
	}
}

// SendRaw sends bytes as they are to the server: broken messages, floods. What
// comes back is seen by Trace only.
func (p *Phone) SendRaw(ctx context.Context, raw []byte) error {
	h, err := p.reachServer(ctx)
	if err != nil {
		return err
	}
	if !p.do(func() { p.send(h, raw) }) {
		return ErrClosed
	}
	return nil
}

func (p *Phone) reachServer(ctx context.Context) (hop, error) {
	if p.cfg.Server == "" {
		return hop{}, errors.New("the phone has no server")
	}
	to, err := p.resolve(ctx, p.cfg.Server)
	if err != nil {
		return hop{}, err
	}
	return p.reach(ctx, to)
}

// keepAlive sends CRLF to the server, over the connection if there is one
// (RFC 5626 §3.5).
func (p *Phone) keepAlive() {
	if to, err := netip.ParseAddrPort(p.cfg.Server); err == nil {
		if p.network == "udp" {
			p.send(hop{peer: to}, []byte("\r\n\r\n"))
		} else if s := p.streams[to]; s != nil {
			p.send(hop{to, s}, []byte("\r\n\r\n"))
		}
	}
	p.clock.after(p.cfg.KeepAlive, p.keepAlive)
}

func addrPort(a net.Addr) netip.AddrPort {
	var ap netip.AddrPort
	switch a := a.(type) {
	case *net.UDPAddr:
		ap = a.AddrPort()
	case *net.TCPAddr:
		ap = a.AddrPort()
	}
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
