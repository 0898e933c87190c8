package crm

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"vpbx/pbx"
)

// desk is a CRM of the tests: what it does with a question is written down as
// a function, and it counts the questions.
type desk struct {
	answer func(ctx context.Context, from string) (pbx.Contact, error)
	asked  atomic.Int32
}

func (*desk) Deliver(context.Context, *pbx.Company, *pbx.Notification) error { return nil }

func (d *desk) Owner(ctx context.Context, _ *pbx.Company, from, _ string, _ pbx.CallID) (pbx.Contact, error) {
	d.asked.Add(1)
	return d.answer(ctx, from)
}

func acme() *pbx.Company {
	return &pbx.Company{
		Tenant: pbx.Tenant{ID: "acme", Domain: "acme.test"},
		CRM:    pbx.CRM{Kind: "desk", URL: "http://crm", Timeout: 700 * time.Millisecond},
	}
}

// bubble runs f with a Lookup over d, on fake time.
func bubble(t *testing.T, d *desk, f func(t *testing.T, l *Lookup)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l, err := NewLookup(Options{Connectors: map[string]Connector{"desk": d}, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		f(t, l)
	})
}

// ask makes a lookup and writes it in a line.
func ask(t *testing.T, l *Lookup, c *pbx.Company, from string) string {
	contact, lookup := l.Owner(t.Context(), c, from, "+74950000000", "call")
	if contact.Name != lookup.Contact || contact.Owner != lookup.Owner {
		t.Errorf("%+v and %+v differ", contact, lookup)
	}
	return fmt.Sprintf("%s %s %s %.0fms", lookup.Result, lookup.Owner, lookup.Contact, lookup.MS)
}

func expect(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

func knows(owner, name string, takes time.Duration) *desk {
	return &desk{answer: func(ctx context.Context, _ string) (pbx.Contact, error) {
		select {
		case <-time.After(takes):
			return pbx.Contact{Owner: owner, Name: name}, nil
		case <-ctx.Done():
			return pbx.Contact{}, ctx.Err()
		}
	}}
}

func TestLookupResults(t *testing.T) {
	for _, c := range []struct {
		name string
		d    *desk
		want string
	}{
		{"found", knows("101", "Ivan", 120*time.Millisecond), "found 101 Ivan 120ms"},
		{"contact without owner", knows("", "Ivan", 0), "found  Ivan 0ms"},
		{"not found", knows("", "", 5*time.Millisecond), "not_found   5ms"},
		{"just in time", knows("101", "Ivan", 699*time.Millisecond), "found 101 Ivan 699ms"},
		{"too late", knows("101", "Ivan", 701*time.Millisecond), "timeout   700ms"},
		{"down", &desk{answer: func(context.Context, string) (pbx.Contact, error) {
			return pbx.Contact{}, errors.New("connection refused")
		}}, "error   0ms"},
		{"garbage", &desk{answer: func(context.Context, string) (pbx.Contact, error) {
			return pbx.Contact{Owner: "101"}, fmt.Errorf("status 500: %w", ErrBadAnswer)
		}}, "bad_answer   0ms"},
		{"panic", &desk{answer: func(context.Context, string) (pbx.Contact, error) {
			var nobody *pbx.Company
			return pbx.Contact{Name: nobody.Name}, nil
		}}, "error   0ms"},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, c.d, func(t *testing.T, l *Lookup) {
				expect(t, "first", ask(t, l, acme(), "+79160000001"), c.want)
			})
		})
	}
}

// TestDeafConnector holds that the budget holds even if the connector does not
// hear its context.
func TestDeafConnector(t *testing.T) {
	d := &desk{answer: func(context.Context, string) (pbx.Contact, error) {
		time.Sleep(time.Hour)
		return pbx.Contact{Owner: "101"}, nil
	}}
	bubble(t, d, func(t *testing.T, l *Lookup) {
		expect(t, "deaf", ask(t, l, acme(), "+79160000001"), "timeout   700ms")
	})
}

func TestNobodyToAsk(t *testing.T) {
	bubble(t, knows("101", "Ivan", 0), func(t *testing.T, l *Lookup) {
		c := acme()
		expect(t, "hidden number", ask(t, l, c, ""), "none   0ms")
		c.CRM.Kind = "none"
		expect(t, "no crm", ask(t, l, c, "+79160000001"), "none   0ms")
	})
}

func TestCache(t *testing.T) {
	d := knows("101", "Ivan", time.Millisecond)
	bubble(t, d, func(t *testing.T, l *Lookup) {
		c := acme()
		expect(t, "first", ask(t, l, c, "+79160000001"), "found 101 Ivan 1ms")
		time.Sleep(59 * time.Second)
		expect(t, "59 s later", ask(t, l, c, "+79160000001"), "cached 101 Ivan 0ms")
		time.Sleep(time.Second)
		expect(t, "60 s later", ask(t, l, c, "+79160000001"), "found 101 Ivan 1ms")
		expect(t, "other number", ask(t, l, c, "+79160000002"), "found 101 Ivan 1ms")

		other := acme()
		other.ID = "globex"
		expect(t, "other company", ask(t, l, other, "+79160000001"), "found 101 Ivan 1ms")
		changed := acme()
		changed.CRM.SignKey = "new"
		expect(t, "changed settings", ask(t, l, changed, "+79160000001"), "found 101 Ivan 1ms")
		slower := acme()
		slower.CRM.Timeout = time.Second
		expect(t, "changed timeout", ask(t, l, slower, "+79160000001"), "cached 101 Ivan 0ms")
		if n := d.asked.Load(); n != 5 {
			t.Errorf("asked %d times", n)
		}
	})
}

func TestCacheOfUnknownNumbers(t *testing.T) {
	bubble(t, knows("", "", 0), func(t *testing.T, l *Lookup) {
		expect(t, "first", ask(t, l, acme(), "+79160000001"), "not_found   0ms")
		time.Sleep(14 * time.Second)
		expect(t, "14 s later", ask(t, l, acme(), "+79160000001"), "cached   0ms")
		time.Sleep(time.Second)
		expect(t, "15 s later", ask(t, l, acme(), "+79160000001"), "not_found   0ms")
	})
}

func TestBreakerOnFakeTime(t *testing.T) {
	down := true
	d := &desk{}
	d.answer = func(ctx context.Context, _ string) (pbx.Contact, error) {
		if down {
			<-ctx.Done()
			return pbx.Contact{}, ctx.Err()
		}
		return pbx.Contact{Owner: "101"}, nil
	}
	bubble(t, d, func(t *testing.T, l *Lookup) {
		for range breakAfter {
			expect(t, "hanging", ask(t, l, acme(), "+79160000001"), "timeout   700ms")
		}
		expect(t, "open", ask(t, l, acme(), "+79160000001"), "breaker   0ms")
		other := acme()
		other.ID = "globex"
		expect(t, "other company", ask(t, l, other, "+79160000001"), "timeout   700ms")

		time.Sleep(breakFor)
		probe := make(chan string)
		go func() { probe <- ask(t, l, acme(), "+79160000001") }()
		synctest.Wait()
		expect(t, "during the probe", ask(t, l, acme(), "+79160000002"), "breaker   0ms")
		expect(t, "probe", <-probe, "timeout   700ms")
		expect(t, "open again", ask(t, l, acme(), "+79160000001"), "breaker   0ms")

		down = false
		moved := acme()
		moved.CRM.URL = "http://other"
		expect(t, "moved to another address", ask(t, l, moved, "+79160000001"), "found 101  0ms")
		time.Sleep(breakFor)
		expect(t, "second probe", ask(t, l, acme(), "+79160000001"), "found 101  0ms")
		expect(t, "closed", ask(t, l, acme(), "+79160000002"), "found 101  0ms")
	})
}

// TestAbandonedProbe holds that a caller who hangs up during the probe does
// not leave the breaker waiting for it for ever.
func TestAbandonedProbe(t *testing.T) {
	d := knows("101", "", time.Second)
	bubble(t, d, func(t *testing.T, l *Lookup) {
		for range breakAfter {
			ask(t, l, acme(), "+79160000001")
		}
		time.Sleep(breakFor)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		l.Owner(ctx, acme(), "+79160000001", "", "")
		synctest.Wait()
		expect(t, "next probe", ask(t, l, acme(), "+79160000001"), "timeout   700ms")
	})
}

func TestSharedRequest(t *testing.T) {
	d := knows("101", "Ivan", 500*time.Millisecond)
	bubble(t, d, func(t *testing.T, l *Lookup) {
		const callers = 20
		got := make(chan string, callers)
		for range callers {
			go func() { got <- ask(t, l, acme(), "+79160000001") }()
		}
		for range callers {
			expect(t, "each", <-got, "found 101 Ivan 500ms")
		}
		if n := d.asked.Load(); n != 1 {
			t.Errorf("asked %d times", n)
		}
	})
}

// TestHangUp holds that the first of two who ask the same may leave without
// taking the answer from the second, and that the last one ends the request.
func TestHangUp(t *testing.T) {
	var ended atomic.Int32
	d := &desk{answer: func(ctx context.Context, _ string) (pbx.Contact, error) {
		select {
		case <-time.After(500 * time.Millisecond):
			return pbx.Contact{Owner: "101"}, nil
		case <-ctx.Done():
			ended.Add(1)
			return pbx.Contact{}, ctx.Err()
		}
	}}
	bubble(t, d, func(t *testing.T, l *Lookup) {
		first, cancel := context.WithCancel(t.Context())
		got := make(chan string, 1)
		go func() {
			_, lookup := l.Owner(first, acme(), "+79160000001", "+74950000000", "1")
			got <- fmt.Sprintf("%s %.0f", lookup.Result, lookup.MS)
		}()
		synctest.Wait()
		time.AfterFunc(100*time.Millisecond, cancel)
		expect(t, "who stays", ask(t, l, acme(), "+79160000001"), "found 101  500ms")
		expect(t, "who leaves", <-got, "none 100")
		if ended.Load() != 0 {
			t.Error("the request ended with its first caller")
		}

		alone, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		_, lookup := l.Owner(alone, acme(), "+79160000002", "+74950000000", "2")
		expect(t, "a deadline of the caller", fmt.Sprintf("%s %.0f", lookup.Result, lookup.MS), "timeout 200")
		synctest.Wait()
		if ended.Load() != 1 {
			t.Error("the request outlived its last caller")
		}
		expect(t, "asked anew", ask(t, l, acme(), "+79160000002"), "found 101  500ms")
	})
}

func TestTooManyRequests(t *testing.T) {
	d := knows("101", "", time.Hour)
	bubble(t, d, func(t *testing.T, l *Lookup) {
		for i := range maxFlights {
			c := acme()
			c.ID = pbx.TenantID(fmt.Sprint("company", i%10))
			go l.Owner(t.Context(), c, fmt.Sprint("+7", i), "", "")
		}
		synctest.Wait()
		expect(t, "one more", ask(t, l, acme(), "+79160000001"), "error   0ms")
		time.Sleep(time.Second)
	})
}

// TestNeighbours: a company whose CRM hangs, under a storm of calls, does not
// take the CRMs of others away.
func TestNeighbours(t *testing.T) {
	d := &desk{answer: func(ctx context.Context, from string) (pbx.Contact, error) {
		if from == "+79160000001" {
			return pbx.Contact{Owner: "101"}, nil
		}
		<-ctx.Done()
		return pbx.Contact{}, ctx.Err()
	}}
	bubble(t, d, func(t *testing.T, l *Lookup) {
		for i := range 2 * maxFlights {
			go l.Owner(t.Context(), acme(), fmt.Sprint(i), "+74950000000", "call")
		}
		synctest.Wait()
		other := acme()
		other.ID = "umbra"
		expect(t, "neighbour", ask(t, l, other, "+79160000001"), "found 101  0ms")
	})
}

func TestCloseEndsRequests(t *testing.T) {
	bubble(t, knows("101", "", time.Hour), func(t *testing.T, l *Lookup) {
		c := acme()
		c.CRM.Timeout = time.Hour
		got := make(chan string, 1)
		go func() { got <- ask(t, l, c, "+79160000001") }()
		synctest.Wait()
		l.Close()
		expect(t, "under way", <-got, "none   0ms")
		expect(t, "afterwards", ask(t, l, c, "+79160000001"), "none   0ms")
	})
}
