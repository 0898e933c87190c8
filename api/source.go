package api

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	guessBurst = 10              // wrong tokens a source may send at once
	guessEvery = 6 * time.Second // and one more each
	maxSources = 4096            // sources counted; beyond them all others share one budget
)

// sources counts the wrong tokens of each source. The zero value is ready.
type sources struct {
	mu    sync.Mutex
	left  map[netip.Prefix]*rate.Limiter
	swept time.Time
}

// mayTry says whether the source has a wrong token left.
func (s *sources) mayTry(from netip.Addr, at time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, ok := s.left[network(from)]
	if !ok && len(s.left) >= maxSources {
		l, ok = s.left[netip.Prefix{}]
	}
	return !ok || l.TokensAt(at) >= 1
}

// wrong counts a wrong token of the source.
func (s *sources) wrong(from netip.Addr, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := network(from)
	l := s.left[n]
	if l == nil && len(s.left) >= maxSources {
		s.sweep(at)
	}
	if l == nil && len(s.left) >= maxSources {
		n = netip.Prefix{}
		l = s.left[n]
	}
	if l == nil {
		if s.left == nil {
			s.left = map[netip.Prefix]*rate.Limiter{}
		}
		l = rate.NewLimiter(rate.Every(guessEvery), guessBurst)
		s.left[n] = l
	}
	l.AllowN(at, 1)
}

// sweep forgets the sources that have their whole budget again. It looks
// through all of them, so it does so only as often as a budget grows.
func (s *sources) sweep(at time.Time) {
	if at.Sub(s.swept) < guessEvery {
		return
	}
	s.swept = at
	for n, l := range s.left {
		if l.TokensAt(at) >= guessBurst {
			delete(s.left, n)
		}
	}
}

// network is what counts as one source: an IPv4 address, and the /64 of an
// IPv6 one, which is what a single subscriber is given.
func network(a netip.Addr) netip.Prefix {
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	p, err := a.WithZone("").Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}
