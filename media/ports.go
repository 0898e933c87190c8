package media

import (
	"sync"
	"time"
)

// quarantine is how long a pair of ports rests after a session, so that late
// packets of one call are not heard in the next.
const quarantine = 5 * time.Second

// ports hands out pairs of an even port and the next one.
type ports struct {
	first uint16 // first even port
	pairs int

	mu    sync.Mutex
	taken map[uint16]bool      // by even port
	freed map[uint16]time.Time // when it was given back, while it rests
}

func newPorts(low, high uint16) *ports {
	p := &ports{first: low + low%2, taken: map[uint16]bool{}, freed: map[uint16]time.Time{}}
	p.pairs = (int(high) - int(p.first) + 1) / 2
	return p
}

// reserve takes the first free pair at or after the given one, round the range.
func (p *ports) reserve(at time.Time, from int) (uint16, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.pairs {
		port := p.first + 2*uint16((from+i)%p.pairs)
		if p.taken[port] {
			continue
		}
		if freed, resting := p.freed[port]; resting {
			if at.Sub(freed) < quarantine {
				continue
			}
			delete(p.freed, port)
		}
		p.taken[port] = true
		return port, true
	}
	return 0, false
}

// release gives a pair back.
func (p *ports) release(port uint16, at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken[port] {
		delete(p.taken, port)
		p.freed[port] = at
	}
}

// used reports whether a port, RTP or RTCP, is in a session's hands.
func (p *ports) used(port uint16) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.taken[port&^1]
}
