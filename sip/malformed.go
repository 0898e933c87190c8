package sip

import (
	"fmt"
	"hash/maphash"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"

	msg "github.com/emiago/sipgo/sip"
)

// unparsed answers requests over UDP that sipgo cannot parse, when enough of
// them can be read to say so (RFC 3261 §8.2, §21.4.1; RFC 4475 §3.1.2). sipgo
// drops them and tells only what they were, in its log, so the latest datagrams
// are remembered by their hash, with where they came from. Over TCP there is no
// answer: the connection is closed, since nobody knows where the next message
// begins.
type unparsed struct {
	seed maphash.Seed

	mu   sync.Mutex
	last [64]datagram
	next int
}

type datagram struct {
	hash  uint64
	local string // listener.key
	peer  net.Addr
}

// note remembers a datagram that goes to the parser.
func (u *unparsed) note(local, peer net.Addr, data []byte) {
	d := datagram{maphash.Bytes(u.seed, data), local.String(), peer}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.last[u.next] = d
	u.next = (u.next + 1) % len(u.last)
}

// find gives the datagram with that content, and a word made of it.
func (u *unparsed) find(data string) (d datagram, ok bool) {
	hash := maphash.String(u.seed, data)
	u.mu.Lock()
	defer u.mu.Unlock()
	i := slices.IndexFunc(u.last[:], func(d datagram) bool { return d.peer != nil && d.hash == hash })
	if i < 0 {
		return datagram{}, false
	}
	d, u.last[i] = u.last[i], datagram{}
	return d, true
}

// malformed counts what cannot be parsed and answers it when it can be. It
// keeps no state: a request that comes again is answered again, with the same tag.
func (s *Server) malformed(data string) {
	s.met.rejected(malformed)
	d, ok := s.unparsed.find(data)
	if !ok {
		return
	}
	source, err := addrPort(d.peer.String())
	i := slices.IndexFunc(s.listeners, func(l *listener) bool { return l.packet != nil && l.key == d.local })
	if err != nil || i < 0 {
		return
	}
	s.answerRaw(data, d.hash, s.listeners[i], source)
}

// hidden counts a request that was parsed but has control characters in its
// headers. One over UDP is answered, unless they are line breaks: whoever hides
// lines knows why.
func (s *Server) hidden(req *msg.Request) {
	s.met.rejected(malformed)
	source, err := addrPort(req.Source())
	breaks := slices.ContainsFunc(req.Headers(), func(h msg.Header) bool { return broken(h.Value()) })
	if err != nil || transportOf(req) != "udp" || breaks {
		return
	}
	if l := s.listenerFor("udp", source); l != nil {
		data := text(req)
		s.answerRaw(data, maphash.String(s.unparsed.seed, data), l, source)
	}
}

// answerRaw sends the answer to a request that is known as text only, to where
// that came from: where its Via points to is not known to be true.
func (s *Server) answerRaw(data string, hash uint64, l *listener, source netip.AddrPort) {
	method, code, answer := apology(data, fmt.Sprintf("%016x", hash))
	if answer == "" {
		return
	}
	s.met.answered(method, code)
	to := net.UDPAddrFromAddrPort(source)
	if _, err := l.packet.WriteTo([]byte(answer), to); err != nil {
		s.log.Debug("sip: answer to a malformed request", "error", err)
		return
	}
	s.mirror.pass(false, "udp", l.packet.LocalAddr(), to, []byte(answer))
}

// maxRepeated bounds a header that is sent back.
const maxRepeated = 1024

// apology writes the answer to a request that could not be parsed; "" when it is
// an ACK or a response, or lacks what an answer needs.
func apology(data, tag string) (method msg.RequestMethod, code int, answer string) {
	head, _, _ := strings.Cut(data, "\r\n\r\n")
	start, rest, _ := strings.Cut(head, "\r\n")
	word, uri, _ := strings.Cut(start, " ")
	method = msg.RequestMethod(word)
	if method == msg.ACK || word == "" || strings.HasPrefix(strings.ToUpper(word), "SIP/") {
		return method, 0, ""
	}
	code = 400
	scheme, _, _ := strings.Cut(strings.TrimSpace(uri), ":")
	switch {
	case !known[method]:
		code = 501 // RFC 3261 §8.2.1
	case isScheme(scheme) && !slices.Contains([]string{"sip", "sips", "tel"}, strings.ToLower(scheme)):
		code = 416 // RFC 3261 §8.2.2.1
	}
	h := repeated(rest)
	for _, name := range []string{"From", "To", "Call-ID", "CSeq"} {
		if len(h[name]) != 1 || broken(h[name][0]) {
			return method, 0, ""
		}
	}
	if len(h["Via"]) == 0 || slices.ContainsFunc(h["Via"], broken) {
		return method, 0, ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "SIP/2.0 %d %s\r\n", code, phrase(code))
	for _, v := range h["Via"] {
		b.WriteString("Via: " + v + "\r\n")
	}
	to := h["To"][0]
	if !strings.Contains(strings.ToLower(to), "tag=") {
		to += ";tag=" + tag
	}
	b.WriteString("From: " + h["From"][0] + "\r\nTo: " + to + "\r\nCall-ID: " + h["Call-ID"][0] + "\r\nCSeq: " + h["CSeq"][0] + "\r\nContent-Length: 0\r\n\r\n")
	return method, code, b.String()
}

// repeated reads the headers that an answer repeats, as they were written, folded
// lines made one.
func repeated(head string) map[string][]string {
	names := map[string]string{"via": "Via", "v": "Via", "from": "From", "f": "From", "to": "To", "t": "To", "call-id": "Call-ID", "i": "Call-ID", "cseq": "CSeq"}
	found := map[string][]string{}
	last := ""
	for line := range strings.SplitSeq(head, "\r\n") {
		if line != "" && (line[0] == ' ' || line[0] == '\t') {
			if l := found[last]; len(l) > 0 && len(l[len(l)-1])+len(line) <= maxRepeated {
				l[len(l)-1] += " " + strings.TrimSpace(line)
			}
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		if last = names[strings.ToLower(strings.TrimSpace(name))]; ok && last != "" && len(value) <= maxRepeated && len(found[last]) < 16 {
			found[last] = append(found[last], strings.TrimSpace(value))
		}
	}
	return found
}

// broken says whether a value would end its line early. Other control
// characters go back to whoever wrote them: RFC 4475 §3.1.1.2 has some in a To.
func broken(value string) bool { return strings.ContainsAny(value, "\r\n") }

func isScheme(s string) bool {
	return s != "" && strings.Trim(strings.ToLower(s), "abcdefghijklmnopqrstuvwxyz0123456789+-.") == ""
}
