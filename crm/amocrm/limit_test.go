package amocrm

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vpbx/crm"
	"vpbx/crm/amocrm/amosim"
)

// most gives how many of times lie within a second at most.
func most(times []time.Time) int {
	n := 0
	for i := range times {
		in := 0
		for _, t := range times[i:] {
			if t.Sub(times[i]) < time.Second {
				in++
			}
		}
		n = max(n, in)
	}
	return n
}

// TestM02 has a burst of 100 requests, and callers who are looked up meanwhile: none
// is lost, no second has more than seven, and no caller waits.
func TestM02(t *testing.T) {
	work(t, amosim.Options{}, func(w *office) {
		w.fresh()
		began := time.Now()
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				ctx, cancel := w.within(time.Minute)
				defer cancel()
				if got, err := w.client.AddCalls(ctx, w.a, []Call{{Direction: Inbound, Phone: "+79161234567", Source: "vpbx"}}); err != nil || got[0].Err != nil {
					t.Errorf("%v %v", got, err)
				}
			})
		}
		slowest := time.Duration(0)
		for range 10 {
			time.Sleep(time.Second)
			asked := time.Now()
			ctx, cancel := w.within(700 * time.Millisecond)
			found, err := w.client.Contacts(Urgent(ctx), w.a, "+79161234567")
			cancel()
			if err != nil || len(found) != 1 {
				t.Errorf("%v, %v", found, err)
			}
			slowest = max(slowest, time.Since(asked))
		}
		all.Wait()
		took := time.Since(began)
		_, times := w.came()
		if len(times) != 110 || most(times) > 7 || len(w.sim.State().Calls) != 100 {
			t.Errorf("%d requests, %d within a second, %d calls", len(times), most(times), len(w.sim.State().Calls))
		}
		t.Logf("the slowest lookup took %v, all %v", slowest, took)
		if slowest > 50*time.Millisecond || took > 25*time.Second {
			t.Errorf("the slowest lookup took %v, all %v", slowest, took)
		}
	})
}

// TestM02Urgent: lookups alone may use all seven, and come in their order.
func TestM02Urgent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &limiter{}
		var all sync.WaitGroup
		var mu sync.Mutex
		var times []time.Time
		for of := range lanes {
			for range 40 {
				all.Go(func() {
					if err := l.wait(t.Context(), of); err != nil {
						t.Error(err)
					}
					mu.Lock()
					defer mu.Unlock()
					times = append(times, time.Now())
				})
			}
		}
		all.Wait()
		if n := most(times); n != 7 || len(times) != 80 {
			t.Errorf("%d within a second, of %d", n, len(times))
		}
		if took := times[39].Sub(times[0]); took > 6*time.Second {
			t.Errorf("forty lookups took %v", took)
		}
		if !l.idle(time.Now().Add(time.Hour)) {
			t.Error("never idle")
		}
	})
}

// TestM02Bounds: who cannot have his turn in time learns it at once, and the place of
// who goes is free.
func TestM02Bounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &limiter{}
		for range perWindow {
			if err := l.wait(t.Context(), urgent); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 700*time.Millisecond)
		defer cancel()
		began := time.Now()
		if err := l.wait(ctx, urgent); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 0 {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		gone, leave := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for range maxWaiting {
			all.Go(func() { _ = l.wait(gone, bulk) })
		}
		synctest.Wait()
		if err := l.wait(t.Context(), bulk); !errors.Is(err, ErrBusy) {
			t.Errorf("%v", err)
		}
		leave()
		all.Wait()
		if err := l.wait(t.Context(), bulk); err != nil {
			t.Error(err)
		}
	})
}

// TestM02TooMany: 429 makes a pause, as long as amoCRM asks, and the request is made again;
// 403 behind it ends all requests for ten minutes.
func TestM02TooMany(t *testing.T) {
	work(t, amosim.Options{}, func(w *office) {
		for _, test := range []struct {
			fault amosim.Fault
			crowd int
			pause time.Duration
		}{
			{amosim.Fault{Kind: "status", Code: 429}, 3, time.Second},
			{amosim.Fault{Kind: "status", Code: 429, Times: 3}, 3, time.Second},
			{amosim.Fault{Kind: "status", Code: 429, Times: 3}, 1, 7 * time.Second},
			{amosim.Fault{Kind: "status", Code: 429, After: "20"}, 3, 20 * time.Second},
			{amosim.Fault{Kind: "status", Code: 429, After: "-1"}, 3, time.Second},
		} {
			w.sim.SetFault(test.fault)
			began := time.Now()
			if err := w.crowd(test.crowd); err != nil {
				t.Errorf("%+v: %v", test.fault, err)
			}
			if took := time.Since(began); took < test.pause || took > test.pause+time.Second {
				t.Errorf("%+v took %v", test.fault, took)
			}
			time.Sleep(time.Minute)
		}

		w.sim.SetFault(amosim.Fault{Kind: "status", Code: 429, After: "3600"})
		ctx, cancel := w.within(time.Second)
		defer cancel()
		if _, err := w.client.AccountInfo(ctx, w.a); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		time.Sleep(maxAsked)

		w.sim.SetFault(amosim.Fault{Kind: "status", Code: 429})
		w.sim.SetFault(amosim.Fault{Kind: "status", Code: 403})
		w.fresh()
		err := w.crowd(20)
		var after *crm.RetryAfter
		if !errors.As(err, &after) || after.After > coolDown || after.After < coolDown-time.Minute {
			t.Errorf("%v", err)
		}
		seen, _ := w.came()
		before := len(seen)
		began := time.Now()
		for range 10 {
			if err := w.crowd(10); !errors.As(err, &after) {
				t.Errorf("%v", err)
			}
		}
		if seen, _ = w.came(); len(seen) != before || time.Since(began) != 0 {
			t.Errorf("%d requests came before and %d while we are locked out", before, len(seen)-before)
		}
		time.Sleep(coolDown)
		if err := w.crowd(3); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})
}

// TestForbidden: a 403 out of the blue is about one request.
func TestForbidden(t *testing.T) {
	work(t, amosim.Options{}, func(w *office) {
		w.sim.SetFault(amosim.Fault{Kind: "status", Code: 403})
		err := w.crowd(1)
		var status *StatusError
		if !errors.As(err, &status) || status.Status != http.StatusForbidden {
			t.Errorf("%v", err)
		}
		if err := w.crowd(1); err != nil {
			t.Error(err)
		}
	})
}

// TestM02Strict: the stand-in, which counts for itself, never has to say 429.
func TestM02Strict(t *testing.T) {
	work(t, amosim.Options{LockAfter: 1}, func(w *office) {
		limited := 0
		w.answer(func(sim http.Handler) http.HandlerFunc {
			return func(rw http.ResponseWriter, r *http.Request) {
				c := &counted{ResponseWriter: rw}
				sim.ServeHTTP(c, r)
				w.mu.Lock()
				defer w.mu.Unlock()
				if c.status == 429 || c.status == 403 {
					limited++
				}
			}
		})
		if err := w.crowd(100); err != nil || limited > 0 {
			t.Errorf("%v, %d turned away", err, limited)
		}
	})
}

// counted notes the status of an answer.
type counted struct {
	http.ResponseWriter
	status int
}

func (c *counted) WriteHeader(status int) {
	c.status = status
	c.ResponseWriter.WriteHeader(status)
}
