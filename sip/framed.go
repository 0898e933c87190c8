package sip

import (
	"bytes"
	"net"
	"strconv"
	"sync/atomic"

	msg "github.com/emiago/sipgo/sip"
)

// framed is a connection that gives one message with each Read, however TCP cut
// the stream (RFC 3261 §18.3), as far as the buffer of the reader goes. The
// parser of sipgo takes the end of a segment for the end of a folded header, and
// loses segments that are all zeros. What cannot be framed is handed on as it
// comes, for sipgo to refuse.
type framed struct {
	net.Conn
	buf   []byte // came, and was not handed on
	ready int    // of it may be handed on
	seen  int    // of it was searched for the end of the headers
	raw   bool   // nothing is framed any more

	broken func()      // tells of a connection that sipgo closes for what it has read
	over   atomic.Bool // it ended by itself
}

// frame frames a connection. sipgo closes one when it cannot parse what was read
// from it, and says so to nobody but a log of its own.
func (s *Server) frame(c net.Conn) net.Conn {
	return &framed{Conn: c, broken: func() {
		if peer, err := addrPort(c.RemoteAddr().String()); err == nil && !isDone(s.ctx.Done()) && !s.blocked(peer.Addr()) {
			s.met.rejected(malformed)
		}
	}}
}

// Close closes the connection.
func (f *framed) Close() error {
	if !f.over.Swap(true) {
		f.broken()
	}
	return f.Conn.Close()
}

// Read gives a message, what is between two of them, or a part of either.
func (f *framed) Read(b []byte) (int, error) {
	for f.ready == 0 {
		if f.raw && len(f.buf) == 0 {
			n, err := f.Conn.Read(b)
			if err != nil {
				f.over.Store(true)
			}
			return n, err
		}
		if f.ready = f.next(); f.ready > 0 {
			break
		}
		chunk := make([]byte, 4096)
		n, err := f.Conn.Read(chunk)
		if n == 0 && err != nil {
			f.over.Store(true)
			return 0, err
		}
		f.buf = append(f.buf, chunk[:n]...)
	}
	n := copy(b, f.buf[:f.ready])
	f.ready -= n
	if f.buf = f.buf[n:]; len(f.buf) == 0 {
		f.buf = nil
	}
	return n, nil
}

// next says how many bytes at the beginning of the buffer belong together; 0
// when more have to come.
func (f *framed) next() int {
	if f.raw || len(f.buf) == 0 {
		return len(f.buf)
	}
	if n := len(f.buf) - len(bytes.TrimLeft(f.buf, "\r\n")); n > 0 {
		return min(n, 4) // keepalives (RFC 5626 §3.5.1)
	}
	if line := bytes.IndexByte(f.buf, '\n'); line >= 0 && !likeSIP(f.buf[:line+1]) {
		return f.giveUp()
	}
	end := bytes.Index(f.buf[f.seen:], []byte("\r\n\r\n"))
	if end < 0 {
		f.seen = max(0, len(f.buf)-3)
		if len(f.buf) > msg.ParseMaxMessageLength {
			return f.giveUp()
		}
		return 0
	}
	head := f.seen + end + 4
	length, ok := contentLength(f.buf[:head])
	if !ok || head+length > msg.ParseMaxMessageLength {
		return f.giveUp()
	}
	if head+length > len(f.buf) {
		return 0
	}
	f.seen = 0
	return head + length
}

// giveUp leaves the rest of the stream to sipgo.
func (f *framed) giveUp() int {
	f.raw = true
	return len(f.buf)
}

// contentLength reads the length of a body from the lines of a message; false
// when it is not there exactly once or is no number of a sensible size.
func contentLength(head []byte) (int, bool) {
	length, found := 0, false
	for line := range bytes.SplitSeq(head, []byte("\r\n")) {
		name, value, ok := bytes.Cut(line, []byte(":"))
		name = bytes.TrimRight(name, " \t")
		if !ok || !bytes.EqualFold(name, []byte("Content-Length")) && !bytes.EqualFold(name, []byte("l")) {
			continue
		}
		n, err := strconv.ParseUint(string(bytes.Trim(value, " \t")), 10, 16)
		if err != nil || found {
			return 0, false
		}
		length, found = int(n), true
	}
	return length, found
}
