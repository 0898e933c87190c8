package sip

import (
	"fmt"
	"hash/fnv"
	"io"
	"net"
	"strings"
	"time"

	msg "github.com/emiago/sipgo/sip"

	"vpbx/pbx"
)

// How often a flow hears from us. NATs forget a UDP mapping after 30 s at the
// earliest (RFC 4787 §4.3 asks for two minutes), a TCP one after minutes.
const (
	pingUDP    = 25 * time.Second
	pingStream = 60 * time.Second
)

// nextPing is the time to the next keepalive. It differs a little from phone
// to phone, so that they do not all hear from us at once after a restart.
func nextPing(b *pbx.Binding) time.Duration {
	every := pingStream
	if b.Transport == "udp" {
		every = pingUDP
	}
	h := fnv.New32a()
	h.Write([]byte(b.Contact))
	return every - time.Duration(h.Sum32()%4000)*time.Millisecond
}

// firstPing is the time to the first keepalive of a binding: spread over the
// whole interval.
func firstPing(b *pbx.Binding) time.Duration {
	h := fnv.New32a()
	h.Write([]byte(b.Contact))
	h.Write([]byte{0})
	return time.Duration(1+h.Sum32()%uint32(nextPing(b)/time.Millisecond)) * time.Millisecond
}

// needsPing says whether there may be a NAT or a firewall on the way to a
// phone: its address is not the one it thinks it has, or it is a public one. A
// connection is kept alive always.
func needsPing(b *pbx.Binding) bool {
	source, err := addrPort(b.Source)
	if err != nil {
		return false
	}
	if b.Transport != "udp" {
		return !isSocket(b.Transport) // a WebSocket has pings of its own
	}
	own, ok := contactAddr(b.Contact)
	a := source.Addr()
	return !ok || own != source || !a.IsPrivate() && !a.IsLoopback() && !a.IsLinkLocalUnicast()
}

// keepalive sends something over the flow of a binding. Over UDP it is an
// OPTIONS, as it is the answer of the phone, from the inside, that keeps every
// kind of NAT open (RFC 4787 §4.3); what it answers does not matter. Over TCP
// it is the ping of RFC 5626 §3.5.1, which is also an empty line to a peer
// that does not know it.
func (s *Server) keepalive(b *pbx.Binding) {
	send := s.pingPacket
	if b.Transport != "udp" {
		send = s.pingFlow
	}
	if err := send(b); err != nil {
		s.log.Debug("sip: keepalive", "tenant", b.Tenant, "extension", b.Extension, "error", err)
	}
}

func (s *Server) pingPacket(b *pbx.Binding) error {
	peer, err := addrPort(b.Source)
	if err != nil {
		return err
	}
	l := s.listenerFor("udp", peer)
	if l == nil {
		return fmt.Errorf("no udp listener to reach %s from", peer)
	}
	host, err := s.advertised(l, peer.Addr())
	if err != nil {
		return err
	}
	uri, err := rawURI(b.Contact)
	if err != nil {
		return err
	}
	own := hostport{host, int(l.addr.Port())}
	ping, to := pingMessage(own, uri.String()), net.UDPAddrFromAddrPort(peer)
	if _, err = l.packet.WriteTo(ping, to); err == nil {
		s.mirror.pass(false, "udp", l.packet.LocalAddr(), to, ping)
	}
	return err
}

// pingMessage is an OPTIONS outside of transactions: it is not repeated, and
// its answer is dropped.
func pingMessage(own hostport, uri string) []byte {
	if strings.Contains(own.host, ":") {
		own.host = "[" + own.host + "]"
	}
	return fmt.Appendf(nil, "OPTIONS %s SIP/2.0\r\n"+
		"Via: SIP/2.0/UDP %s:%d;branch=%s;rport\r\n"+
		"Max-Forwards: 70\r\n"+
		"From: <sip:keepalive@%s>;tag=%s\r\n"+
		"To: <%s>\r\n"+
		"Call-ID: %s\r\n"+
		"CSeq: 1 OPTIONS\r\n"+
		"Content-Length: 0\r\n\r\n",
		uri, own.host, own.port, msg.RFC3261BranchMagicCookie+token(), own.host, token(), uri, token())
}

func (s *Server) pingFlow(b *pbx.Binding) error {
	c := s.ua.TransportLayer().Pool(b.Transport).Get(b.Source)
	if c == nil {
		return nil // the phone will come back
	}
	defer c.TryClose()
	w, ok := c.(io.Writer)
	if !ok {
		return fmt.Errorf("connection of type %T", c)
	}
	_, err := w.Write([]byte("\r\n\r\n"))
	return err
}
