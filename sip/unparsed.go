package sip

import (
	"bytes"
	"fmt"
	"net"
	"strings"

	msg "github.com/emiago/sipgo/sip"
)

// maxEchoed bounds a header that is sent back without having been understood.
const maxEchoed = 1024

// unreadable says whether a datagram is a request whose Request-URI cannot be
// parsed, such as one with an IPv6 address without brackets (RFC 5118 §4.2).
// sipgo would drop it without a word.
func unreadable(data []byte) bool {
	line, _, _ := bytes.Cut(data, []byte("\r\n"))
	method, rest, ok := strings.Cut(string(line), " ")
	if !ok || method == "ACK" || strings.HasPrefix(method, "SIP/") {
		return false
	}
	uri, _, ok := strings.Cut(rest, " ")
	if !ok || uri == "" {
		return false
	}
	var u msg.Uri
	return msg.ParseUri(uri, &u) != nil
}

// badRequest writes the answer to a request that cannot be parsed, out of its own
// header lines (RFC 3261 §8.2.6.2): 416 when its Request-URI has a scheme that we
// do not know (§8.2.2.1), else 400. It is nil when a header that is needed is
// missing.
func badRequest(data []byte) []byte {
	head, _, ok := bytes.Cut(data, []byte("\r\n\r\n"))
	if !ok {
		return nil
	}
	var b bytes.Buffer
	code := 400
	_, uri, _ := strings.Cut(string(head), " ")
	if scheme, _, ok := strings.Cut(uri, ":"); ok && !oneOf(scheme, "sip", "sips", "tel") && !strings.ContainsFunc(scheme, func(r rune) bool { return !isToken(r) }) {
		code = 416
	}
	fmt.Fprintf(&b, "SIP/2.0 %d %s\r\n", code, phrase(code))
	found := map[string]int{}
	for i, line := range strings.Split(string(head), "\r\n") {
		name, value, ok := strings.Cut(line, ":")
		if i == 0 || !ok {
			continue
		}
		name = strings.ToLower(strings.TrimSpace(name))
		if long := echoed[name]; long != "" {
			name = long
		}
		switch name {
		case "via", "from", "to", "call-id", "cseq":
		default:
			continue
		}
		if len(value) > maxEchoed || control(value) {
			return nil
		}
		found[name]++
		if name == "to" && !strings.Contains(strings.ToLower(value), ";tag=") {
			value += ";tag=" + token()
		}
		b.WriteString(name + ": " + strings.TrimSpace(value) + "\r\n")
	}
	if found["via"] == 0 || found["from"] != 1 || found["to"] != 1 || found["call-id"] != 1 || found["cseq"] != 1 {
		return nil
	}
	b.WriteString("Content-Length: 0\r\n\r\n")
	return b.Bytes()
}

// echoed are the compact forms of the headers of a response.
var echoed = map[string]string{"v": "via", "f": "from", "t": "to", "i": "call-id"}

// refuseUnread answers a datagram that cannot be parsed from the socket it came
// to. It goes to where that came from, never to where its Via points: nothing of
// it is known to be true.
func (s *Server) refuseUnread(p msg.TransportReadProps, data []byte) {
	if res := badRequest(data); res != nil {
		s.answerFrom(p, res)
	}
}

// answerFrom sends a datagram back from the socket that one came to.
func (s *Server) answerFrom(p msg.TransportReadProps, res []byte) {
	for _, l := range s.listeners {
		if l.packet != nil && l.key == p.LocalAddr.String() {
			s.writeTo(l.packet, res, p.RemoteAddr)
			return
		}
	}
}

// writeTo sends a datagram of which nobody waits for the outcome.
func (s *Server) writeTo(c net.PacketConn, b []byte, to net.Addr) {
	if _, err := c.WriteTo(b, to); err != nil {
		s.log.Debug("sip: answer not sent", "to", to.String(), "error", err)
	}
}
