package amosim

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"time"
)

// limit turns requests away that come too fast.
type limit struct {
	taken   []time.Time // of the last second
	refused []time.Time // of LockWithin
	locked  time.Time
}

// arrive gives the status by which a request is turned away, 0: by none.
func (l *limit) arrive(o *Options, now time.Time) int {
	if now.Before(l.locked) {
		return http.StatusForbidden
	}
	l.taken = since(l.taken, now.Add(-time.Second))
	if len(l.taken) < o.PerSecond {
		l.taken = append(l.taken, now)
		return 0
	}
	l.refused = append(since(l.refused, now.Add(-o.LockWithin)), now)
	if len(l.refused) > o.LockAfter {
		l.locked = now.Add(o.LockFor)
		return http.StatusForbidden
	}
	return http.StatusTooManyRequests
}

// since drops the times that are not after t.
func since(all []time.Time, t time.Time) []time.Time {
	for len(all) > 0 && !all[0].After(t) {
		all = all[1:]
	}
	return all
}

// Fault has a Server misbehave.
type Fault struct {
	Path  string        `json:"path" yaml:"path"`   // begin of the paths that it is for, "": all
	Kind  string        `json:"kind" yaml:"kind"`   // status, html, slow, drop, huge, broken
	Code  int           `json:"code" yaml:"code"`   // of kind status: what is answered
	After string        `json:"after" yaml:"after"` // of kind status: Retry-After
	Delay time.Duration `json:"delay" yaml:"delay"` // of kind slow: nanoseconds
	Times int           `json:"times" yaml:"times"` // how often, 0: once; less: until there is another
}

// SetFault has the next requests fail; a Fault without kind ends all that are set.
func (s *Server) SetFault(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.Kind == "" {
		s.faults = nil
		return
	}
	if f.Times == 0 {
		f.Times = 1
	}
	s.faults = append(s.faults, f)
}

// nextFault gives the fault for a request. s.mu is held.
func (s *Server) nextFault(r *http.Request) *Fault {
	for i := range s.faults {
		f := &s.faults[i]
		if f.Times == 0 || !strings.HasPrefix(r.URL.Path, f.Path) {
			continue
		}
		if f.Times > 0 {
			f.Times--
		}
		spoilt := *f
		return &spoilt
	}
	return nil
}

// strike spoils the answer. It is false when the request is to be answered all the
// same.
func (f *Fault) strike(w http.ResponseWriter, r *http.Request) bool {
	switch f.Kind {
	case "status":
		if f.After != "" {
			w.Header().Set("Retry-After", f.After)
		}
		code := f.Code
		if code < 300 || code > 599 {
			code = http.StatusInternalServerError
		}
		write(w, problem(code, "fault"))
	case "html":
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<!DOCTYPE html><html><body>Технические работы</body></html>"))
	case "broken":
		w.Header().Set("Content-Type", "application/hal+json")
		_, _ = w.Write([]byte(`{"_embedded":{"contacts":[{"id":`))
	case "huge":
		w.Header().Set("Content-Type", "application/hal+json")
		block := []byte(strings.Repeat(" ", 64<<10))
		for range 160 {
			if _, err := w.Write(block); err != nil {
				break // whoever asked has seen enough
			}
		}
	case "slow":
		body, err := io.ReadAll(r.Body) // a server notices that nobody waits only behind the body
		if err != nil {
			return true
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		timer := time.NewTimer(f.Delay)
		defer timer.Stop()
		select {
		case <-timer.C:
			return false
		case <-r.Context().Done():
		}
	case "drop":
		panic(http.ErrAbortHandler)
	}
	return true
}
