package sip

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"
)

const (
	maxSocketMessage = 32 << 10         // what the read buffer of sipgo holds
	maxFragments     = 64               // of one message
	pingSocket       = 45 * time.Second // of silence, after which we ask whether the peer is there
	deafPings        = 2                // unanswered ones that end a connection
)

// The opcodes of RFC 6455 §5.2 and status codes of §7.4.1.
const (
	opContinue, opText, opBinary = 0, 1, 2
	opClose, opPing, opPong      = 8, 9, 10

	closeNormal, closeProtocol, closeText, closeTooBig = 1000, 1002, 1007, 1009
)

// errSocket is a breach of the WebSocket protocol.
type errSocket uint16

// Error tells the status code.
func (e errSocket) Error() string { return "websocket: protocol error" }

// upgrade is the request that sipgo shakes hands with, in the place of the
// peer's, which we answered ourselves.
const upgrade = "GET /ws HTTP/1.1\r\nHost: pbx\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"

// socket is an open WebSocket (RFC 6455) as sipgo reads it best: behind a
// handshake of our own come the peer's messages, each as one masked text frame.
// Control frames are dealt with here, fragments joined, sizes bounded. What sipgo
// writes are frames of a server, which pass whole; its handshake goes nowhere.
//
// Reads come from one goroutine, writes from any.
type socket struct {
	net.Conn
	r    *bufio.Reader
	left []byte // read by sipgo next
	keep *time.Timer

	heard  atomic.Bool  // since the last tick
	missed int          // ticks without a byte; only tick uses it
	sent   func([]byte) // told of the messages that sipgo sends
	closed atomic.Bool

	mu    sync.Mutex // of writes
	shook bool       // sipgo's handshake is over
	out   []byte     // a frame that is not whole yet
}

func newSocket(c net.Conn, r *bufio.Reader, sent func([]byte)) *socket {
	w := &socket{Conn: c, r: r, left: []byte(upgrade), sent: sent}
	w.keep = time.AfterFunc(pingSocket, w.tick)
	return w
}

// tick asks a silent peer whether it is there, and closes the connection of one
// that does not say so.
func (w *socket) tick() {
	if w.heard.Swap(false) {
		w.missed = 0
	} else if w.missed++; w.missed > deafPings {
		w.Close()
		return
	}
	if w.frame(opPing, nil) != nil {
		w.Close()
	}
	if !w.closed.Load() {
		w.keep.Reset(pingSocket)
	}
}

// Close stops the pings and closes the connection.
func (w *socket) Close() error {
	w.closed.Store(true)
	w.keep.Stop()
	return w.Conn.Close()
}

// Read gives sipgo the bytes of its handshake, then of whole messages.
func (w *socket) Read(b []byte) (int, error) {
	for len(w.left) == 0 {
		m, err := w.message()
		if err != nil {
			if code, ok := errors.AsType[errSocket](err); ok {
				w.frame(opClose, binary.BigEndian.AppendUint16(nil, uint16(code)))
				err = io.EOF
			}
			w.Close()
			return 0, err
		}
		if len(m) > 0 {
			w.left = maskedText(m)
		}
	}
	n := copy(b, w.left)
	w.left = w.left[n:]
	return n, nil
}

// message reads the next message, whole (RFC 6455 §5.4).
func (w *socket) message() ([]byte, error) {
	var message []byte
	kind, parts := byte(opContinue), 0
	for {
		f, err := readFrame(w.r, maxSocketMessage-len(message))
		if err != nil {
			return nil, err
		}
		w.heard.Store(true)
		switch f.op {
		case opPing:
			if err := w.frame(opPong, f.payload); err != nil {
				return nil, err
			}
			continue
		case opPong:
			continue
		case opClose:
			w.frame(opClose, f.payload[:min(len(f.payload), 2)])
			return nil, io.EOF
		case opText, opBinary: // RFC 7118 §4.2: either may carry SIP
			if parts > 0 {
				return nil, errSocket(closeProtocol)
			}
			kind = f.op
		case opContinue:
			if parts == 0 {
				return nil, errSocket(closeProtocol)
			}
		}
		if parts++; parts > maxFragments {
			return nil, errSocket(closeTooBig)
		}
		message = append(message, f.payload...)
		if !f.fin {
			continue
		}
		if kind == opText && !utf8.Valid(message) {
			return nil, errSocket(closeText)
		}
		return message, nil
	}
}

// frame is a frame as it came, unmasked.
type frame struct {
	fin     bool
	op      byte
	payload []byte
}

// readFrame reads one frame of a client whose payload is no longer than limit
// (RFC 6455 §5.2, §5.5). It never reads beyond the frame.
func readFrame(r io.Reader, limit int) (frame, error) {
	var head [14]byte
	if _, err := io.ReadFull(r, head[:2]); err != nil {
		return frame{}, err
	}
	f := frame{fin: head[0]&0x80 != 0, op: head[0] & 0x0f}
	size, control := uint64(head[1]&0x7f), f.op >= opClose
	switch {
	case head[0]&0x70 != 0, head[1]&0x80 == 0, f.op > opBinary && f.op < opClose, f.op > opPong, control && (!f.fin || size > 125):
		return frame{}, errSocket(closeProtocol)
	}
	var err error
	switch size {
	case 126:
		_, err = io.ReadFull(r, head[:2])
		size = uint64(binary.BigEndian.Uint16(head[:2]))
	case 127:
		_, err = io.ReadFull(r, head[:8])
		size = binary.BigEndian.Uint64(head[:8])
	}
	if err != nil {
		return frame{}, err
	}
	if !control && size > uint64(max(limit, 0)) {
		return frame{}, errSocket(closeTooBig)
	}
	mask := head[:4]
	if _, err := io.ReadFull(r, mask); err != nil {
		return frame{}, err
	}
	f.payload = make([]byte, size)
	if _, err := io.ReadFull(r, f.payload); err != nil {
		return frame{}, err
	}
	for i := range f.payload {
		f.payload[i] ^= mask[i&3]
	}
	return f, nil
}

// frameHead is the head of a frame of n bytes: a last one, masked with zeros when
// it is a client's.
func frameHead(op byte, n int, masked bool) []byte {
	var m byte
	if masked {
		m = 0x80
	}
	b := []byte{0x80 | op}
	switch {
	case n < 126:
		b = append(b, m|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, m|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, m|127), uint64(n))
	}
	if masked {
		b = append(b, 0, 0, 0, 0)
	}
	return b
}

// maskedText is a message as a client sends it in one text frame.
func maskedText(m []byte) []byte { return append(frameHead(opText, len(m), true), m...) }

// frame sends a control frame. It never comes between the parts of another one,
// since those wait in out.
func (w *socket) frame(op byte, payload []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, err := w.Conn.Write(append(frameHead(op, len(payload), false), payload...))
	return err
}

// Write takes what sipgo writes: first the answer to the handshake, which ends
// here, then frames, which are sent when they are whole.
func (w *socket) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.out = append(w.out, b...)
	if !w.shook {
		n := len(w.out)
		if n < 4 || string(w.out[n-4:]) != "\r\n\r\n" {
			return len(b), nil
		}
		w.shook, w.out = true, w.out[:0]
		return len(b), nil
	}
	for {
		n, ok := frameSize(w.out)
		if !ok || len(w.out) < n {
			return len(b), nil
		}
		if _, err := w.Conn.Write(w.out[:n]); err != nil {
			return 0, err
		}
		w.sent(w.out[n-payloadSize(w.out) : n])
		w.out = append(w.out[:0], w.out[n:]...)
	}
}

// payloadSize is the length of the payload of the unmasked frame that begins b,
// whose head is there.
func payloadSize(b []byte) int {
	n, _ := frameSize(b)
	switch b[1] & 0x7f {
	case 126:
		return n - 4
	case 127:
		return n - 10
	}
	return n - 2
}

// frameSize is the length of the unmasked frame that begins b, head and all;
// false when too little of it is there to say.
func frameSize(b []byte) (int, bool) {
	if len(b) < 2 {
		return 0, false
	}
	switch n := int(b[1] & 0x7f); {
	case n < 126:
		return 2 + n, true
	case n == 126 && len(b) >= 4:
		return 4 + int(binary.BigEndian.Uint16(b[2:])), true
	case n == 127 && len(b) >= 10:
		return 10 + int(binary.BigEndian.Uint64(b[2:])&(1<<31-1)), true
	}
	return 0, false
}
