package sip

import (
	"bytes"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	msg "github.com/emiago/sipgo/sip"

	"vpbx/pbx"
)

// maxFramed bounds what is kept of a message that a connection has brought in
// part, for the mirror.
const maxFramed = 128 << 10

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

// mirrorStream shows what a connection brought. That is not always one
// message; the flow keeps the rest. WebSockets keep messages apart by
// themselves.
func (s *Server) mirrorStream(p msg.TransportReadProps, data []byte) {
	if s.mirror.to == nil {
		return
	}
	transport := msg.NetworkToLower(p.Transport)
	if transport == "ws" || transport == "wss" {
		s.mirror.pass(true, transport, p.LocalAddr, p.RemoteAddr, data)
		return
	}
	if f := s.flows.get(transport, p.RemoteAddr.String()); f != nil {
		f.framer.feed(data, func(message []byte) { s.mirror.pass(true, transport, p.LocalAddr, p.RemoteAddr, message) })
	}
}

// framer cuts the messages out of what a connection brings
// (RFC 3261 §18.3). It belongs to the goroutine that reads.
type framer struct{ buf []byte }

// feed takes what was read and calls each for every message that is whole.
func (f *framer) feed(data []byte, each func([]byte)) {
	if len(f.buf)+len(data) > maxFramed {
		f.buf = nil // sipgo gives up, too; begin again with whatever comes
		return
	}
	f.buf = append(f.buf, data...)
	for {
		f.buf = bytes.TrimLeft(f.buf, "\r\n\x00")
		end := bytes.Index(f.buf, []byte("\r\n\r\n"))
		if end < 0 {
			break
		}
		size := end + 4 + contentLength(f.buf[:end])
		if size > maxFramed {
			f.buf = nil
			return
		}
		if size > len(f.buf) {
			break
		}
		each(f.buf[:size])
		f.buf = f.buf[size:]
	}
	if len(f.buf) == 0 {
		f.buf = nil
	}
}

// contentLength reads the length of the body; 0 when there is none.
func contentLength(head []byte) int {
	n, err := strconv.Atoi(headerIn(head, "Content-Length", "l"))
	if err != nil || n < 0 || n > maxFramed {
		return 0
	}
	return n
}

// callIDOf finds the Call-ID in a message that is not parsed; "" when there is
// none.
func callIDOf(message []byte) string {
	head, _, _ := bytes.Cut(message, []byte("\r\n\r\n"))
	return headerIn(head, "Call-ID", "i")
}

// headerIn gives the value of the first header of that name.
func headerIn(head []byte, name, short string) string {
	for i := 0; i < len(head); {
		var line []byte
		line, i = nextLine(head, i)
		n, value, ok := bytes.Cut(line, []byte(":"))
		if ok {
			if n := strings.TrimSpace(string(n)); strings.EqualFold(n, name) || strings.EqualFold(n, short) {
				return strings.TrimSpace(string(value))
			}
		}
	}
	return ""
}
