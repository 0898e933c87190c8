package sip

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	msg "github.com/emiago/sipgo/sip"

	"vpbx/pbx"
)

// maxFramed bounds a message over a connection, and what is kept of one that has
// come in part. It is that of sipgo.
const maxFramed = 65535

// mirror shows every message that passes to Config.Mirror, as it is on the
// wire: those that are refused, repeated, or sent by sipgo itself among them.
// The ladder of a leg is another thing: what two parties said of one call,
// known to be theirs.
type mirror struct {
	to  func(pbx.Packet) // nil: nobody looks
	own func(peer netip.Addr) netip.Addr
}

// pass shows one message to the one who looks. Keepalives and what does not
// begin as SIP does is left out.
func (m *mirror) pass(in bool, transport string, local, peer net.Addr, data []byte) {
	if m.to == nil || !likeSIP(data) {
		return
	}
	l, errLocal := addrPort(local.String())
	p, errPeer := addrPort(peer.String())
	if errLocal != nil || errPeer != nil {
		return
	}
	if l.Addr().IsUnspecified() {
		if a := m.own(p.Addr()); a.IsValid() {
			l = netip.AddrPortFrom(a.Unmap(), l.Port())
		}
	}
	k := pbx.Packet{At: time.Now(), Transport: transport, From: l, To: p, CallID: callIDOf(data), Data: mask(data)}
	if in {
		k.From, k.To = p, l
	}
	m.to(k)
}

// streamed takes what was read from a connection and gives what sipgo may have
// of it, whole messages only: it takes the second line of a folded header that
// arrives by itself for a header of its own. Each message is shown to the mirror. WebSockets keep
// messages apart by themselves.
func (s *Server) streamed(p msg.TransportReadProps, data []byte) ([]byte, error) {
	transport := msg.NetworkToLower(p.Transport)
	seen := func(message []byte) { s.mirror.pass(true, transport, p.LocalAddr, p.RemoteAddr, message) }
	if transport == "ws" || transport == "wss" {
		seen(data)
		if !s.mayCancel(p, data) {
			return nil, nil
		}
		return data, nil
	}
	f := s.flows.between(transport, p.LocalAddr, p.RemoteAddr)
	if f == nil {
		return data, nil
	}
	var forged [][]byte
	whole, err := f.framer.feed(data, func(message []byte) {
		seen(message)
		if !s.mayCancel(p, message) {
			forged = append(forged, message)
		}
	})
	for _, m := range forged {
		whole = bytes.Replace(whole, m, nil, 1)
	}
	return whole, err // it is counted by inward
}

// framer cuts the messages out of what a connection brings
// (RFC 3261 §18.3). It belongs to the goroutine that reads.
type framer struct{ buf []byte }

// errUnframed closes a connection: nobody knows where its next message begins.
var errUnframed = errors.New("message without a length, or too long")

// feed takes what was read, gives all messages that are whole, and calls each
// for every one of them.
func (f *framer) feed(data []byte, each func([]byte)) ([]byte, error) {
	if len(f.buf) == 0 && len(bytes.Trim(data, "\r\n\x00")) == 0 {
		return data, nil // a keepalive
	}
	if len(f.buf) > 0 {
		data = append(f.buf, data...)
	}
	f.buf = nil
	done := 0
	for done < len(data) {
		rest := bytes.TrimLeft(data[done:], "\r\n\x00")
		size, ok := messageSize(rest)
		if !ok && done == 0 {
			each(rest)
			return nil, errUnframed
		}
		if size == 0 || size > len(rest) { // what cannot be framed is refused with the next read
			f.buf = bytes.Clone(rest)
			break
		}
		each(rest[:size])
		done = len(data) - len(rest) + size
	}
	return data[:done], nil
}

// messageSize gives the size of the message that b begins with, 0 when it is not
// known yet; false when it cannot be known or is too large (RFC 3261 §20.14).
func messageSize(b []byte) (size int, ok bool) {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		return 0, len(b) <= maxFramed
	}
	lengths := headersIn(b[:end], "Content-Length", "l")
	if len(lengths) != 1 {
		return 0, false
	}
	n, err := strconv.ParseUint(lengths[0], 10, 31)
	if err != nil || n > maxFramed || end+4+int(n) > maxFramed {
		return 0, false
	}
	return end + 4 + int(n), true
}

// callIDOf finds the Call-ID in a message that is not parsed; "" when there is
// none.
func callIDOf(message []byte) string {
	head, _, _ := bytes.Cut(message, []byte("\r\n\r\n"))
	if ids := headersIn(head, "Call-ID", "i"); len(ids) > 0 {
		return ids[0]
	}
	return ""
}

// headersIn gives the values of the headers of that name.
func headersIn(head []byte, name, short string) (values []string) {
	for i := 0; i < len(head); {
		var line []byte
		line, i = nextLine(head, i)
		n, value, ok := bytes.Cut(line, []byte(":"))
		if n = bytes.TrimSpace(n); ok && (bytes.EqualFold(n, []byte(name)) || bytes.EqualFold(n, []byte(short))) {
			values = append(values, strings.TrimSpace(string(value)))
		}
	}
	return values
}
