package crm

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vpbx/pbx"
	"vpbx/store"
)

// TestDeliver100000 is the promise: 100,000 events, the CRM down for an hour, a
// restart in between; none lost, none out of order within its call, and a CRM
// that is down is asked for now and then, not stormed.
func TestDeliver100000(t *testing.T) {
	calls := 16_667
	if testing.Short() || raceDetector {
		calls = 1000
	}
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		begin := time.Now()
		up := begin.Add(time.Hour)
		o.crm.say = func(*pbx.Notification) (time.Duration, error) {
			if time.Now().Before(up) {
				return 2 * time.Second, errors.New("connection refused")
			}
			return 20 * time.Millisecond, nil
		}
		var ringing sync.WaitGroup
		for n := range calls {
			ringing.Go(func() { o.call("acme", fmt.Sprintf("c%05d", n)) })
			if n%100 == 0 {
				time.Sleep(10 * time.Second)
			}
			if n == calls/2 {
				ringing.Wait()
				o.close()
				o.open()
			}
		}
		ringing.Wait()
		time.Sleep(time.Until(up))
		during := o.crm.tries(begin)
		time.Sleep(time.Hour)
		if left := o.pending(); left != 0 {
			t.Errorf("%d events are left", left)
		}
		if dead := len(o.dead()); dead != 0 {
			t.Errorf("%d events are given up", dead)
		}
		o.wantTold(6 * calls)
		for call, seqs := range o.crm.seen {
			if !slices.Equal(seqs, []int{1, 2, 3, 4, 5, 6}) {
				t.Errorf("call %s was told as %v", call, seqs)
			}
		}
		if during > 200 || o.crm.most > lanes || len(o.crm.bad) > 0 {
			t.Errorf("%d tries in the hour, %d at once, %v", during, o.crm.most, o.crm.bad)
		}
		t.Logf("%d events; %d tries while the CRM was down for an hour", 6*calls, during)
		o.close()
	})
}

// TestDeliverHeadOfLine: a call whose event the CRM fails on holds up nothing
// but its own events; the event is given up in the end, and can be sent again.
func TestDeliverHeadOfLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		defer o.close()
		poison := true
		o.crm.say = func(n *pbx.Notification) (time.Duration, error) {
			if poison && n.Call == "bad" && n.Seq == 2 {
				return time.Millisecond, errors.New("HTTP status 500")
			}
			return time.Millisecond, nil
		}
		o.call("acme", "bad")
		for n := range 600 {
			o.call("acme", fmt.Sprintf("good%d", n))
			time.Sleep(10 * time.Second)
			if n == 5 {
				if o.wantTold(6*6 + 1); len(o.crm.of("bad")) != 1 {
					t.Errorf("of the bad call %v was told", o.crm.of("bad"))
				}
			}
		}
		dead := o.dead()
		if len(dead) != 1 || dead[0].ID != "bad-2" || dead[0].Strikes != maxStrikes || !strings.Contains(dead[0].Error, "500") {
			t.Fatalf("given up: %+v", dead)
		}
		if got := o.crm.of("bad"); !slices.Equal(got, []int{1, 3, 4, 5, 6}) {
			t.Errorf("of the bad call %v was told", got)
		}
		o.crm.mu.Lock()
		poison = false
		o.crm.mu.Unlock()
		o.must(o.store.RetryNotification(t.Context(), "acme", "bad-2"))
		time.Sleep(time.Second)
		if got := o.crm.of("bad"); !slices.Equal(got, []int{1, 3, 4, 5, 6, 2}) || o.pending()+len(o.dead()) != 0 {
			t.Errorf("of the bad call %v was told", got)
		}
		if got := o.counted(); got[givenUp] != 1 || got[delivered] != 601*6 || got[failed] < maxStrikes {
			t.Errorf("counted %v", got)
		}
	})
}

// TestDeliverHanging: a CRM that does not answer for some calls holds up those.
func TestDeliverHanging(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		o.crm.say = func(n *pbx.Notification) (time.Duration, error) {
			if n.Call == "hangs" {
				return time.Hour, nil
			}
			return time.Millisecond, nil
		}
		o.call("acme", "hangs")
		time.Sleep(time.Second)
		began := time.Now()
		o.call("acme", "next")
		time.Sleep(100 * time.Millisecond)
		if o.wantTold(6); len(o.crm.of("next")) != 6 {
			t.Error("the next call waits")
		}
		o.close()
		if took := time.Since(began); took > 200*time.Millisecond {
			t.Errorf("close took %v", took)
		}
	})
}

// TestDeliverSays: what a connector says decides what becomes of the event.
func TestDeliverSays(t *testing.T) {
	for name, test := range map[string]struct {
		err      error
		after    time.Duration
		tries    [2]int // at least, at most
		dead     int
		forGood  bool
		released time.Duration // 0: it is not told again
	}{
		"refused":     {fmt.Errorf("no: %w", ErrRefused), time.Hour, [2]int{6, 6}, 6, true, 0},
		"retry after": {&RetryAfter{10 * time.Minute, errors.New("429")}, 9 * time.Minute, [2]int{1, 1}, 0, false, 11 * time.Minute},
		"too long":    {&RetryAfter{100 * time.Hour, errors.New("503")}, 59 * time.Minute, [2]int{1, 1}, 0, false, 61 * time.Minute},
		"bad answer":  {ErrBadAnswer, time.Hour, [2]int{50, 100}, 0, false, 62 * time.Minute},
		"panics":      {errPanics, time.Hour, [2]int{50, 100}, 0, false, 62 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newOffice(t)
				defer o.close()
				begin := time.Now()
				o.crm.say = func(*pbx.Notification) (time.Duration, error) {
					if !test.forGood && time.Since(begin) > test.after {
						return 0, nil
					}
					return 0, test.err
				}
				o.call("acme", "c")
				time.Sleep(test.after)
				if n := o.crm.tries(begin); n < test.tries[0] || n > test.tries[1] {
					t.Errorf("%d tries, want %v", n, test.tries)
				}
				if dead := o.dead(); len(dead) != test.dead {
					t.Errorf("%d given up: %+v", len(dead), dead)
				}
				if test.released > 0 {
					time.Sleep(test.released - test.after)
					o.wantTold(6)
				}
			})
		})
	}
}

var errPanics = errors.New("panics")

// TestDeliverTooOld: an event that the CRM never takes is given up after three
// days, and the events behind it are tried.
func TestDeliverTooOld(t *testing.T) {
	if raceDetector {
		t.Skip("three days of fake time take minutes with the race detector")
	}
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		defer o.close()
		begin := time.Now()
		o.crm.say = func(*pbx.Notification) (time.Duration, error) { return 0, errors.New("no") }
		o.call("acme", "c")
		time.Sleep(71 * time.Hour)
		if o.pending() != 6 || o.crm.tries(begin) > 71*80 {
			t.Errorf("%d pending after %d tries", o.pending(), o.crm.tries(begin))
		}
		time.Sleep(2 * time.Hour)
		if o.pending() != 0 || len(o.dead()) != 6 {
			t.Errorf("%d pending, %d dead", o.pending(), len(o.dead()))
		}
	})
}

// TestDeliverConfig: other settings are tried at once; a CRM that is turned off
// leaves dead letters, a company that is removed nothing.
func TestDeliverConfig(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		defer o.close()
		down := true
		o.crm.say = func(*pbx.Notification) (time.Duration, error) {
			if down {
				return 0, errors.New("401")
			}
			return 0, nil
		}
		set := func(v bool) {
			o.crm.mu.Lock()
			defer o.crm.mu.Unlock()
			down = v
		}
		o.call("acme", "a")
		time.Sleep(50 * time.Minute)
		set(false)
		o.put("acme", "rtk", "http://b")
		o.deliver.Wake("acme")
		time.Sleep(time.Second)
		o.wantTold(6)

		set(true)
		o.call("acme", "b")
		time.Sleep(time.Minute)
		o.put("acme", "none", "")
		o.deliver.Wake("acme")
		time.Sleep(time.Second)
		if dead := o.dead(); len(dead) != 6 || dead[0].Error != crmOff || o.pending() != 0 {
			t.Errorf("after the CRM was turned off: %+v", dead)
		}
		o.call("acme", "unheard")
		set(false)
		o.put("acme", "rtk", "http://b")
		if n, err := o.store.RetryNotifications(t.Context(), "acme"); n != 6 || err != nil {
			t.Errorf("%d sent again, %v", n, err)
		}
		time.Sleep(time.Second)
		o.wantTold(12)

		set(true)
		o.call("acme", "c")
		time.Sleep(time.Minute)
		o.must(o.store.UpdateCompany(t.Context(), "acme", func(*pbx.Company) (*pbx.Company, error) { return nil, nil }))
		set(false)
		time.Sleep(time.Hour)
		o.wantTold(12)
		if o.pending() != 0 || len(o.deliver.lines) != 0 {
			t.Errorf("%d pending, lines %v", o.pending(), slices.Collect(maps.Keys(o.deliver.lines)))
		}
	})
}

// TestDeliverCompanies: more companies than are told at once, half of them with a
// CRM that hangs: the others are told within seconds.
func TestDeliverCompanies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		defer o.close()
		o.crm.say = func(n *pbx.Notification) (time.Duration, error) {
			if strings.HasPrefix(string(n.Call), "hang") {
				return time.Hour, nil
			}
			return 10 * time.Millisecond, nil
		}
		for n := range 2 * maxLines {
			id := pbx.TenantID(fmt.Sprintf("t%03d", n))
			o.put(id, "rtk", "http://a")
			for i := range 8 {
				o.call(id, fmt.Sprintf("%s%d-%d", []string{"good", "hang"}[n%2], n, i))
			}
		}
		time.Sleep(time.Minute)
		o.wantTold(maxLines * 8 * 6)
	})
}

// TestDeliverStoreFails: while the store does not answer nothing is tried; then
// all goes on.
func TestDeliverStoreFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		defer o.close()
		broken := &brokenOutbox{Store: o.store}
		o.deliver.Close()
		d, err := NewDeliverer(Options{Connectors: map[string]Connector{"rtk": o.crm}, Log: slog.New(slog.DiscardHandler)})
		o.must(err)
		broken.set(true)
		d.Start(broken, o.store.Directory)
		defer d.Close()
		o.deliver, _ = NewDeliverer(Options{Log: slog.New(slog.DiscardHandler)}) // never started
		o.call("acme", "c")
		d.Wake("acme")
		time.Sleep(10 * time.Minute)
		o.wantTold(0)
		broken.set(false)
		time.Sleep(time.Minute)
		o.wantTold(6)
	})
}

type brokenOutbox struct {
	*store.Store
	mu  sync.Mutex
	off bool
}

func (b *brokenOutbox) set(off bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.off = off
}

func (b *brokenOutbox) DueNotifications(ctx context.Context, t pbx.TenantID, now time.Time, limit int) ([]pbx.Delivery, error) {
	b.mu.Lock()
	off := b.off
	b.mu.Unlock()
	if off {
		return nil, errors.New("locked")
	}
	return b.Store.DueNotifications(ctx, t, now, limit)
}

// TestR21EventOrder: a CRM that takes 500 ms for each event is told of the events
// of a call in order, one after the other, and of eight calls at once.
func TestR21EventOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		defer o.close()
		o.crm.say = func(*pbx.Notification) (time.Duration, error) { return 500 * time.Millisecond, nil }
		for n := range lanes {
			o.call("acme", fmt.Sprint("c", n))
		}
		time.Sleep(6*500*time.Millisecond + 100*time.Millisecond)
		o.wantTold(6 * lanes)
		for call, seqs := range o.crm.seen {
			if !slices.Equal(seqs, []int{1, 2, 3, 4, 5, 6}) {
				t.Errorf("call %s was told as %v", call, seqs)
			}
		}
		if o.crm.most != lanes || len(o.crm.bad) > 0 {
			t.Errorf("%d calls at once; %v", o.crm.most, o.crm.bad)
		}
	})
}
