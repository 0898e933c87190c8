package media

import (
	"sync"
	"time"
)

// A pair of ports rests after a session, so that late packets of one call are not
// heard in the next: for quarantine while others are free, for leastRest always.
const (
	quarantine = 5 * time.Second
	leastRest  = time.Second
)

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

// reserve takes the first free pair at or after the given one, round the range;
// when all that are not taken still rest, the one that has rested longest.
func (p *ports) reserve(at time.Time, from int) (uint16, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var rested uint16
	longest := leastRest
	for i := range p.pairs {
		port := p.first + 2*uint16((from+i)%p.pairs)
		if p.taken[port] {
			continue
		}
		freed, resting := p.freed[port]
		rest := at.Sub(freed)
		if !resting || rest >= quarantine {
			return p.take(port), true
		}
		if rest >= longest {
			rested, longest = port, rest
		}
	}
	if rested == 0 {
		return 0, false
	}
	return p.take(rested), true
}

// take marks a pair; mu is held.
func (p *ports) take(port uint16) uint16 {
	delete(p.freed, port)
	p.taken[port] = true
	return port
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
