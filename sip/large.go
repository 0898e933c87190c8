package sip

import (
	"slices"
	"sync"
	"time"

	msg "github.com/emiago/sipgo/sip"
)

const (
	mostOverUDP = 1300                    // bytes of a request when the MTU of the path is not known (RFC 3261 §18.1.1)
	viaLength   = 120                     // of the Via that a request has not got yet
	tryTCP      = 1500 * time.Millisecond // a peer takes our connection within that, or is asked over UDP
	withoutTCP  = 10 * time.Minute        // how long a peer is known not to take one
)

// streamless are the peers on UDP that were found not to take TCP.
type streamless struct {
	mu    sync.Mutex
	until map[string]time.Time // by IP:port
}

// has says whether a peer is known not to take TCP.
func (s *streamless) has(dest string, at time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return at.Before(s.until[dest])
}

// note remembers that a peer did not take TCP.
func (s *streamless) note(dest string, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.until == nil || len(s.until) >= maxNames {
		s.until = map[string]time.Time{}
	}
	s.until[dest] = at.Add(withoutTCP)
}

// tooLong says whether a request is too long for a datagram that must not be
// fragmented.
func tooLong(req *msg.Request) bool {
	return len(req.Body()) > mostOverUDP || len(req.String())+viaLength > mostOverUDP
}

// overTCP puts, in front of each hop over UDP, one over TCP to the same peer when
// a request is too long for UDP (RFC 3261 §18.1.1). Peers that do not take it get
// the datagram in fragments. behindNAT says that what is reached over UDP is the
// mapping of a NAT, where nobody takes connections.
func (d *dialogs) overTCP(req *msg.Request, hops []hop, behindNAT bool) []hop {
	if behindNAT || req.Method == msg.CANCEL || !slices.ContainsFunc(hops, func(h hop) bool { return h.transport == "udp" }) || !tooLong(req) {
		return hops
	}
	var out []hop
	for _, h := range hops {
		if h.transport == "udp" && !d.streamless.has(h.dest, time.Now()) {
			if t, err := d.s.hop("tcp", h.dest); err == nil {
				t.within, t.uri = tryTCP, h.uri
				out = append(out, t)
				h.fallback = true
			}
		}
		out = append(out, h)
	}
	return out
}

// behindNAT says whether a phone is reached at another address than the one it
// says that it listens on.
func (l *Leg) behindNAT() bool {
	if l.Trunk != nil {
		return false
	}
	own, ok := contactAddr(l.d.target)
	return !ok || own.String() != l.flow.addr
}
