package sip

import (
	"bytes"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	msg "github.com/emiago/sipgo/sip"

	"vpbx/pbx"
)

// The bounds of a ladder.
const (
	maxRungs      = 64   // messages of a leg; of more, those in the middle are left out
	maxRungBytes  = 2048 // of one message
	maxRungHeader = 512  // of one line
	maxRungHead   = 1536 // of the start line and the headers: the rest is for the SDP
)

// ladder is what a leg and its peer sent each other, trimmed when it happens,
// so that no message is held in memory for the length of a call. One string is
// allocated per message. Its methods may be called by any goroutine.
type ladder struct {
	mu   sync.Mutex
	list []rung
	buf  []byte // reused
	left int    // messages left out before list[maxRungs/2]
	own  string // our side, as the peer reaches it
}

type rung struct {
	at        time.Time
	in        bool
	transport string
	peer      string
	text      string // start line, headers, an empty line, SDP
}

// add notes a message; peer is its "IP:port" at the other end.
func (l *ladder) add(in bool, transport, peer string, m msg.Message) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buf = trim(l.buf[:0], m)
	l.put(rung{now, in, transport, peer, string(l.buf)})
}

// put keeps a message that is trimmed. It is called with l.mu held, or before
// anybody else knows the leg.
func (l *ladder) put(r rung) {
	if len(l.list) < maxRungs {
		l.list = append(l.list, r)
		return
	}
	middle := maxRungs / 2
	copy(l.list[middle:], l.list[middle+1:])
	l.list[maxRungs-1] = r
	l.left++
}

// at tells the ladder where the peer reaches us.
func (l *ladder) at(h hop) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.own == "" {
		l.own = net.JoinHostPort(h.via.host, strconv.Itoa(h.via.port))
	}
}

// in and out note a message of the peer and one of ours.
func (l *Leg) in(transport, peer string, m msg.Message) {
	l.ladder.add(true, transport, peer, m)
	l.capture(true, transport, peer, m)
}

func (l *Leg) out(transport, peer string, m msg.Message) {
	l.ladder.add(false, transport, peer, m)
	l.capture(false, transport, peer, m)
}

// Ladder gives the SIP messages of the leg so far, in order, trimmed and
// without secrets. It may be called at any time, also after the leg has ended.
// The messages that sipgo answers by itself (ACK to a refusal, 487 to a
// CANCEL) are in it as they are sent, but for an ACK to a refusal of ours.
func (l *Leg) Ladder() []pbx.Message {
	l.ladder.mu.Lock()
	defer l.ladder.mu.Unlock()
	list := make([]pbx.Message, len(l.ladder.list))
	for i, r := range l.ladder.list {
		m := pbx.Message{At: r.at, Leg: l.ID, Dir: "out", Transport: r.transport, From: l.ladder.own, To: r.peer}
		if r.in {
			m.Dir, m.From, m.To = "in", r.peer, l.ladder.own
		}
		head, sdp, _ := strings.Cut(r.text, "\n\n")
		lines := strings.Split(strings.TrimSuffix(head, "\n"), "\n")
		m.Start, m.Headers = lines[0], lines[1:]
		if sdp = strings.TrimSuffix(sdp, "\n"); sdp != "" {
			m.SDP = strings.Split(sdp, "\n")
		}
		if i == maxRungs/2 {
			m.LeftOut = l.ladder.left
		}
		list[i] = m
	}
	return list
}

// Done is closed when the leg has ended and everything it still had to send
// was answered, or waited for in vain.
func (l *Leg) Done() <-chan struct{} { return l.over }

// shown are the headers that a ladder keeps; false: without their value,
// which is a secret or half of one.
var shown = map[string]bool{
	"from": true, "f": true, "to": true, "t": true, "call-id": true, "i": true, "cseq": true, "via": true, "v": true,
	"contact": true, "m": true, "reason": true, "require": true, "supported": true, "k": true, "session-expires": true, "x": true,
	"min-se": true, "user-agent": true, "server": true, "content-type": true, "c": true, "content-length": true, "l": true,
	"refer-to": true, "r": true, "referred-by": true, "b": true, "replaces": true, "event": true, "o": true, "subscription-state": true,
	"retry-after": true, "warning": true, "route": true, "record-route": true,
	"authorization": false, "proxy-authorization": false, "www-authenticate": false, "proxy-authenticate": false,
}

// trim writes what a ladder keeps of a message behind b.
func trim(b []byte, m msg.Message) []byte {
	w := trimmer{b: b, limit: maxRungHead}
	switch m := m.(type) {
	case *msg.Request:
		m.StartLineWrite(&w)
	case *msg.Response:
		m.StartLineWrite(&w)
	}
	w.end()
	vias := 0
	for _, h := range headersOf(m) {
		name := h.Name()
		keep, known := shownHeader(name)
		if !known {
			continue
		}
		if strings.EqualFold(name, "via") || strings.EqualFold(name, "v") {
			if vias++; vias > 1 {
				continue
			}
		}
		if keep {
			h.StringWrite(&w)
		} else {
			w.WriteString(name)
			w.WriteString(": (not kept)")
		}
		w.end()
	}
	w.limit = maxRungBytes
	w.b = append(w.b, '\n')
	w.start = len(w.b)
	for line := range strings.Lines(string(m.Body())) {
		if line = strings.TrimRight(line, "\r\n"); shownSDP(line) {
			w.WriteString(line)
			w.end()
		}
	}
	return w.b
}

// shownHeader looks a header name up without allocating.
func shownHeader(name string) (keep, known bool) {
	var low [32]byte
	if len(name) > len(low) {
		return false, false
	}
	for i := range len(name) {
		c := name[i]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		low[i] = c
	}
	keep, known = shown[string(low[:len(name)])]
	return keep, known
}

// shownSDP says whether a line of a session description is kept: where the
// sound goes, which codecs, which direction. Keys (k=, a=crypto) are not.
func shownSDP(line string) bool {
	switch line {
	case "a=sendrecv", "a=sendonly", "a=recvonly", "a=inactive":
		return true
	}
	return strings.HasPrefix(line, "c=") || strings.HasPrefix(line, "m=") || strings.HasPrefix(line, "a=rtpmap:")
}

// trimmer writes lines of bounded length, up to a limit of all together; a line
// that does not fit is left out.
type trimmer struct {
	b     []byte
	start int // of the line that is being written
	limit int
}

// WriteString adds to the line, as long as it may grow.
func (w *trimmer) WriteString(s string) (int, error) {
	room := maxRungHeader - (len(w.b) - w.start)
	w.b = append(w.b, s[:max(0, min(room, len(s)))]...)
	return len(s), nil
}

// end ends the line.
func (w *trimmer) end() {
	line := w.b[w.start:]
	for i, c := range line {
		if c < ' ' {
			line[i] = ' '
		}
	}
	maskPasswords(line)
	if len(w.b)+2 > w.limit {
		w.b = w.b[:w.start]
		return
	}
	w.b = append(w.b, '\n')
	w.start = len(w.b)
}

// maskPasswords hides the passwords of SIP URIs (sip:user:password@host).
func maskPasswords(line []byte) {
	for i, c := range line {
		if c != '@' {
			continue
		}
		secret := 0 // where the part behind the last colon begins
		for j := i - 1; j >= 0 && !strings.ContainsRune("<> \t\",;=@", rune(line[j])); j-- {
			if line[j] != ':' {
				continue
			}
			if secret > 0 && (bytes.HasSuffix(line[:j], []byte("sip")) || bytes.HasSuffix(line[:j], []byte("sips"))) {
				for k := secret; k < i; k++ {
					line[k] = '*'
				}
				break
			}
			secret = j + 1
		}
	}
}
