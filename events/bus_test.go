package events

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func next(t *testing.T, s *Subscription) Event {
	t.Helper()
	e, err := s.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestBusTenantsAndOrder(t *testing.T) {
	var b Bus
	defer b.Close()
	acme, umbra := b.Subscribe(Filter{Tenant: "acme"}), b.Subscribe(Filter{Tenant: "umbra"})
	for i := range 3 {
		b.Publish(Event{Tenant: "acme", Kind: fmt.Sprint("a", i)})
		b.Publish(Event{Tenant: "umbra", Kind: fmt.Sprint("u", i)})
	}
	var last uint64
	for i := range 3 {
		e := next(t, acme)
		if e.Kind != fmt.Sprint("a", i) || e.ID <= last {
			t.Fatalf("event %d is %+v", i, e)
		}
		last = e.ID
		if e := next(t, umbra); e.Tenant != "umbra" {
			t.Fatalf("umbra sees an event of %s", e.Tenant)
		}
	}
}

func TestBusResume(t *testing.T) {
	var b Bus
	defer b.Close()
	first := b.Subscribe(Filter{Tenant: "acme"})
	b.Publish(Event{Tenant: "acme", Kind: "1"})
	seen := next(t, first).ID
	first.Close()
	b.Publish(Event{Tenant: "acme", Kind: "2"})
	b.Publish(Event{Tenant: "acme", Kind: "3"})

	again := b.Subscribe(Filter{Tenant: "acme", After: seen})
	b.Publish(Event{Tenant: "acme", Kind: "4"})
	for _, want := range []string{"2", "3", "4"} {
		if e := next(t, again); e.Kind != want {
			t.Fatalf("resumed with %q, want %q", e.Kind, want)
		}
	}
	for i := range 2 * memorySize {
		b.Publish(Event{Tenant: "acme", Kind: fmt.Sprint(i)})
	}
	late := b.Subscribe(Filter{Tenant: "acme", After: seen})
	if _, err := late.Next(t.Context()); !errors.As(err, new(Missed)) {
		t.Fatalf("a gap in the memory gave %v, want Missed", err)
	}
	if e := next(t, late); e.Kind != fmt.Sprint(memorySize) {
		t.Fatalf("the oldest remembered event is %q", e.Kind)
	}
}

// TestBusRestart: ids of a new process go on behind those of the old one.
func TestBusRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var old Bus
		s := old.Subscribe(Filter{Tenant: "acme"})
		old.Publish(Event{Tenant: "acme"})
		id := next(t, s).ID
		old.Close()
		time.Sleep(time.Second)
		var b Bus
		defer b.Close()
		again := b.Subscribe(Filter{Tenant: "acme", After: id})
		b.Publish(Event{Tenant: "acme", Kind: "new"})
		if _, err := again.Next(t.Context()); !errors.As(err, new(Missed)) {
			t.Fatalf("after a restart: %v, want Missed", err)
		}
		if e := next(t, again); e.ID <= id {
			t.Fatalf("id %d after %d", e.ID, id)
		}
	})
}

// TestBusClockSetBack: an id from before the clock was set back is none of this
// process, so nobody knows what was missed since.
func TestBusClockSetBack(t *testing.T) {
	var b Bus
	defer b.Close()
	b.Publish(Event{Tenant: "acme", Kind: "1"})
	s := b.Subscribe(Filter{Tenant: "acme", After: uint64(time.Now().Add(time.Hour).UnixMicro())})
	b.Publish(Event{Tenant: "acme", Kind: "2"})
	if _, err := s.Next(t.Context()); !errors.As(err, new(Missed)) {
		t.Fatalf("an id from the future gave %v, want Missed", err)
	}
	if e := next(t, s); e.Kind != "2" {
		t.Fatalf("then came %q", e.Kind)
	}
}

// TestBusIDsTellNothing: from the ids of its events a company cannot learn how
// much goes on at others.
func TestBusIDsTellNothing(t *testing.T) {
	var b Bus
	defer b.Close()
	s := b.Subscribe(Filter{Tenant: "acme"})
	b.Publish(Event{Tenant: "acme"})
	for range 10 {
		b.Publish(Event{Tenant: "umbra"})
	}
	b.Publish(Event{Tenant: "acme"})
	if first, second := next(t, s).ID, next(t, s).ID; second != first+1 {
		t.Fatalf("ids %d and %d: %d events of others lie between them", first, second, second-first-1)
	}
}

func TestBusSlowSubscriber(t *testing.T) {
	var b Bus
	defer b.Close()
	s := b.Subscribe(Filter{Tenant: "acme"})
	for i := range queueSize + 10 {
		b.Publish(Event{Tenant: "acme", Kind: fmt.Sprint(i)})
	}
	next(t, s)
	b.Publish(Event{Tenant: "acme", Kind: "in the gap"})
	for i := 1; i < queueSize; i++ {
		if e := next(t, s); e.Kind != fmt.Sprint(i) {
			t.Fatalf("event %d is %q", i, e.Kind)
		}
	}
	var missed Missed
	if _, err := s.Next(t.Context()); !errors.As(err, &missed) || missed != 11 {
		t.Fatalf("told %v, want 11 missed", err)
	}
	b.Publish(Event{Tenant: "acme", Kind: "after"})
	if e := next(t, s); e.Kind != "after" {
		t.Fatalf("after the gap came %q", e.Kind)
	}
}

func TestBusClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b Bus
		s := b.Subscribe(Filter{Tenant: "acme"})
		go func() { time.Sleep(time.Second); b.Close(); b.Close() }()
		if _, err := s.Next(t.Context()); !errors.Is(err, ErrClosed) {
			t.Fatal(err)
		}
		s.Close()
		if _, err := b.Subscribe(Filter{Tenant: "acme"}).Next(t.Context()); !errors.Is(err, ErrClosed) {
			t.Fatal(err)
		}
		b.Publish(Event{Tenant: "acme"})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var open Bus
		if _, err := open.Subscribe(Filter{Tenant: "acme"}).Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
	})
}

func TestBusRace(t *testing.T) {
	var b Bus
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 500 {
				b.Publish(Event{Tenant: "acme"})
			}
		})
		wg.Go(func() {
			s := b.Subscribe(Filter{Tenant: "acme"})
			defer s.Close()
			var last uint64
			for range 100 {
				ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
				e, err := s.Next(ctx)
				cancel()
				if err == nil && e.ID <= last {
					t.Errorf("id %d after %d", e.ID, last)
				}
				last = max(last, e.ID)
			}
		})
	}
	wg.Wait()
	b.Close()
}
