package crm

import (
	"testing"
	"time"
)

func TestBreaker(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	type event struct {
		at    time.Duration
		allow bool    // what allow must say
		o     outcome // and what then becomes of the request
	}
	for name, events := range map[string][]event{
		"opens at the fifth failure in a row": {
			{0, true, bad}, {0, true, bad}, {0, true, bad}, {0, true, bad}, {0, true, bad}, {0, false, 0},
		},
		"a success in between starts the count again": {
			{0, true, bad}, {0, true, bad}, {0, true, bad}, {0, true, bad}, {0, true, good}, {0, true, bad}, {0, true, bad},
		},
		"who hangs up says nothing": {
			{0, true, bad}, {0, true, bad}, {0, true, bad}, {0, true, bad}, {0, true, abandoned}, {0, true, bad}, {0, false, 0},
		},
		"closes by the probe": {
			{0, true, bad}, {0, true, bad}, {0, true, bad}, {0, true, bad}, {0, true, bad},
			{breakFor - 1, false, 0}, {breakFor, true, good}, {breakFor, true, bad}, {breakFor, true, bad},
		},
		"stays open by the probe": {
			{0, true, bad}, {0, true, bad}, {0, true, bad}, {0, true, bad}, {0, true, bad},
			{breakFor, true, bad}, {breakFor, false, 0}, {2*breakFor - 1, false, 0}, {2 * breakFor, true, good}, {2 * breakFor, true, good},
		},
		"an abandoned probe makes room for the next": {
			{0, true, bad}, {0, true, bad}, {0, true, bad}, {0, true, bad}, {0, true, bad},
			{breakFor, true, abandoned}, {breakFor, true, good}, {breakFor, true, good},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var b breaker
			for i, e := range events {
				if got := b.allow(start.Add(e.at)); got != e.allow {
					t.Fatalf("event %d: allow = %t", i, got)
				}
				if e.allow {
					b.done(e.o, start.Add(e.at))
				}
			}
		})
	}
}

func TestBreakerProbesOnce(t *testing.T) {
	var b breaker
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for range breakAfter {
		b.allow(at)
		b.done(bad, at)
	}
	at = at.Add(breakFor)
	if !b.allow(at) || b.allow(at) || b.allow(at.Add(time.Hour)) {
		t.Fatal("want one probe at a time")
	}
}
