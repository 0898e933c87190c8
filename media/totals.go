package media

// totals are the counters of one or many sessions.
type totals struct {
	received, sent, lost uint64
	drops                [reasons]uint64
}

func (t *totals) add(o totals) {
	t.received += o.received
	t.sent += o.sent
	t.lost += o.lost
	for i, n := range o.drops {
		t.drops[i] += n
	}
}

// totals are the session's counters so far.
func (s *Session) totals() totals {
	var t totals
	s.in.mu.Lock()
	t.received, t.drops = s.in.packets, s.in.drops
	t.lost, _ = s.in.lost()
	s.in.mu.Unlock()
	s.out.mu.Lock()
	t.sent = s.out.packets
	s.out.mu.Unlock()
	return t
}

// totals sums all sessions, open and closed, and counts the open ones and those of
// them that are mixed, or transcoded, and those of browsers among all. Lost packets are an estimate that a late packet corrects; the sum never falls, as counters
// must not.
func (e *Engine) totals() (sum totals, open, mixed, transcoded, browsers int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	sum = e.past
	for s := range e.live {
		sum.add(s.totals())
		if s.browser != nil {
			browsers++
		}
		if s.ear.Load() != nil {
			mixed++
		} else if r := s.route.Load(); r != nil && r.transcodes {
			transcoded++
		}
	}
	e.mostLost = max(e.mostLost, sum.lost)
	sum.lost = e.mostLost
	return sum, len(e.live), mixed, transcoded, browsers
}
