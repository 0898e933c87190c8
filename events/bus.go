package events

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"vpbx/pbx"
)

const (
	queueSize  = 256  // events that wait for a subscriber
	memorySize = 1000 // events of a company that can be asked for again
)

// Event is one thing that happened in a company.
type Event struct {
	ID     uint64 // grows with time, company by company; what Last-Event-ID refers to
	Tenant pbx.TenantID
	Kind   string // "call.ringing", "registration.expired"
	At     time.Time
	Body   any // pbx.Live or pbx.Binding; not changed after Publish
}

// Filter says what a subscriber wants to see.
type Filter struct {
	Tenant pbx.TenantID // events of this company only
	After  uint64       // first the remembered events with larger ids; 0: only new ones
}

// ErrClosed is what Next returns when the bus or the subscription is closed.
var ErrClosed = errors.New("event bus is closed")

// Missed is the error by which Next tells that events were lost at this point:
// how many, 0 when that is not known. The subscription goes on.
type Missed uint64

// Error says how many events were missed.
func (m Missed) Error() string { return fmt.Sprintf("%d events missed", uint64(m)) }

// Bus hands events to subscribers. The zero Bus is ready; the ids of a company
// begin at the time it is first heard of in microseconds, so that they grow
// across restarts and tell nothing of other companies.
// Its methods may be called from any goroutine.
type Bus struct {
	mu     sync.Mutex
	tenant map[pbx.TenantID]*channel
	closed bool
}

// channel is what the bus knows of one company.
type channel struct {
	last   uint64  // id of the newest event
	memory []Event // ring
	next   int     // where the next event goes once the ring is full
	gone   uint64  // id of the newest event that was forgotten, or that came before the bus
	subs   map[*Subscription]struct{}
}

// Publish hands e, with a fresh id, to everybody who watches its company.
func (b *Bus) Publish(e Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return
	}
	c := b.channel(e.Tenant)
	c.last++
	e.ID = c.last
	c.remember(e)
	for s := range c.subs {
		s.offer(e)
	}
}

// channel gives the company's channel; it is called with b.mu held.
func (b *Bus) channel(t pbx.TenantID) *channel {
	if b.tenant == nil {
		b.tenant = make(map[pbx.TenantID]*channel)
	}
	c := b.tenant[t]
	if c == nil {
		began := uint64(time.Now().UnixMicro())
		c = &channel{last: began, gone: began, subs: make(map[*Subscription]struct{})}
		b.tenant[t] = c
	}
	return c
}

func (c *channel) remember(e Event) {
	if len(c.memory) < memorySize {
		c.memory = append(c.memory, e)
		return
	}
	c.gone = c.memory[c.next].ID
	c.memory[c.next] = e
	c.next = (c.next + 1) % memorySize
}

// since lists what is remembered with ids larger than after, oldest first.
func (c *channel) since(after uint64) []Event {
	var found []Event
	for i := range c.memory {
		if e := c.memory[(c.next+i)%len(c.memory)]; e.ID > after {
			found = append(found, e)
		}
	}
	return found
}

// Subscribe begins to watch. The subscription must be closed.
func (b *Bus) Subscribe(f Filter) *Subscription {
	s := &Subscription{bus: b, tenant: f.Tenant, queue: make(chan Event, queueSize), done: make(chan struct{})}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		s.close()
		return s
	}
	c := b.channel(f.Tenant)
	c.subs[s] = struct{}{}
	if f.After != 0 {
		s.backlog = c.since(f.After)
		s.unsure = f.After < c.gone || f.After > c.last // c.last: the clock was set back
	}
	return s
}

// Close ends all subscriptions. It may be called more than once.
func (b *Bus) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	for _, c := range b.tenant {
		for s := range c.subs {
			s.close()
		}
		clear(c.subs)
	}
}

// Subscription is one watcher. Its methods are for one goroutine.
type Subscription struct {
	bus     *Bus
	tenant  pbx.TenantID
	backlog []Event // remembered events, before those of queue
	unsure  bool    // some before the backlog may have been forgotten
	queue   chan Event
	done    chan struct{}
	ended   bool   // done is closed; under bus.mu
	missed  uint64 // events lost since the queue was full; under bus.mu
}

// offer puts e into the queue, or counts it as missed. Once one is missed, all
// are until the subscriber has been told: it learns where the gap is. It is
// called with bus.mu held.
func (s *Subscription) offer(e Event) {
	if s.missed == 0 {
		select {
		case s.queue <- e:
			return
		default:
		}
	}
	s.missed++
}

// Next gives the next event. It waits until there is one, ctx is over, or the
// bus is closed (ErrClosed). A [Missed] error tells of a gap; what comes after
// it follows with the next calls.
func (s *Subscription) Next(ctx context.Context) (Event, error) {
	if s.unsure {
		s.unsure = false
		return Event{}, Missed(0)
	}
	if len(s.backlog) > 0 {
		e := s.backlog[0]
		s.backlog = s.backlog[1:]
		return e, nil
	}
	select {
	case e := <-s.queue:
		return e, nil
	default:
	}
	if n := s.takeMissed(); n > 0 {
		return Event{}, Missed(n)
	}
	select {
	case e := <-s.queue:
		return e, nil
	case <-s.done:
		return Event{}, ErrClosed
	case <-ctx.Done():
		return Event{}, ctx.Err()
	}
}

// takeMissed gives the number of events missed, when the queue is empty.
func (s *Subscription) takeMissed() uint64 {
	s.bus.mu.Lock()
	defer s.bus.mu.Unlock()
	if len(s.queue) > 0 {
		return 0
	}
	n := s.missed
	s.missed = 0
	return n
}

// Close ends the subscription. It may be called more than once.
func (s *Subscription) Close() {
	s.bus.mu.Lock()
	defer s.bus.mu.Unlock()
	if c := s.bus.tenant[s.tenant]; c != nil {
		delete(c.subs, s)
	}
	s.close()
}

func (s *Subscription) close() {
	if !s.ended {
		s.ended = true
		close(s.done)
	}
}
