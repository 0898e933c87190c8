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

	"github.com/prometheus/client_golang/prometheus"

	"vpbx/pbx"
	"vpbx/store"
)

// books is a CRM that notes what it is told, and answers as say says.
type books struct {
	say func(n *pbx.Notification) (time.Duration, error)

	mu   sync.Mutex
	seen map[pbx.CallID][]int
	at   []time.Time // of each try
	most int         // tries at once
	now  int
	busy map[pbx.CallID]bool
	bad  []string
}

func newBooks() *books {
	return &books{seen: map[pbx.CallID][]int{}, busy: map[pbx.CallID]bool{}, say: func(*pbx.Notification) (time.Duration, error) { return 20 * time.Millisecond, nil }}
}

func (*books) Owner(context.Context, *pbx.Company, string, string, pbx.CallID) (pbx.Contact, error) {
	return pbx.Contact{}, nil
}

func (b *books) Deliver(ctx context.Context, _ *pbx.Company, n *pbx.Notification) error {
	b.mu.Lock()
	b.at = append(b.at, time.Now())
	if b.busy[n.Call] {
		b.bad = append(b.bad, fmt.Sprintf("two events of call %s at once", n.Call))
	}
	b.busy[n.Call] = true
	b.now++
	b.most = max(b.most, b.now)
	takes, err := b.say(n)
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.now--
		b.busy[n.Call] = false
	}()
	if errors.Is(err, errPanics) {
		panic("connector")
	}
	select {
	case <-time.After(takes):
	case <-ctx.Done():
		return ctx.Err()
	}
	if err == nil {
		b.mu.Lock()
		b.seen[n.Call] = append(b.seen[n.Call], n.Seq)
		b.mu.Unlock()
	}
	return err
}

func (b *books) told() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for _, seqs := range b.seen {
		n += len(seqs)
	}
	return n
}

// tries gives the number of tries since a time.
func (b *books) tries(since time.Time) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for _, at := range b.at {
		if !at.Before(since) {
			n++
		}
	}
	return n
}

// office is a store with a company whose CRM is told.
type office struct {
	*testing.T
	dir     string
	crm     *books
	store   *store.Store
	deliver *Deliverer
	metrics *prometheus.Registry
}

func newOffice(t *testing.T) *office {
	o := &office{T: t, dir: t.TempDir(), crm: newBooks()}
	o.open()
	o.put("acme", "rtk", "http://a")
	return o
}

func (o *office) must(err error) {
	o.Helper()
	if err != nil {
		o.Fatal(err)
	}
}

func (o *office) open() {
	o.Helper()
	var err error
	o.metrics = prometheus.NewRegistry()
	o.deliver, err = NewDeliverer(Options{Connectors: map[string]Connector{"rtk": o.crm}, Log: slog.New(slog.DiscardHandler), Metrics: o.metrics})
	o.must(err)
	o.store, err = store.Open(o.Context(), store.Options{Dir: o.dir, Node: "n", Queued: o.deliver.Wake})
	o.must(err)
	o.deliver.Start(o.store, o.store.Directory)
}

func (o *office) close() {
	o.deliver.Close()
	o.must(o.store.Close())
}

func (o *office) put(id pbx.TenantID, kind, url string) {
	o.Helper()
	o.must(o.store.UpdateCompany(o.Context(), id, func(*pbx.Company) (*pbx.Company, error) {
		return &pbx.Company{Tenant: pbx.Tenant{ID: id, Domain: string(id) + ".test"}, CRM: pbx.CRM{Kind: kind, URL: url},
			Extensions: map[string]*pbx.Extension{}, Groups: map[string]*pbx.Group{}, Numbers: map[string]*pbx.Number{}, Prompts: map[string]*pbx.Prompt{}}, nil
	}))
}

// call saves a call of six events: arrived, ringing twice, answered,
// disconnected, ended.
func (o *office) call(t pbx.TenantID, id string) {
	at := time.Now()
	cause := pbx.NewCause(pbx.PartyCaller, pbx.Hangup)
	trace := []pbx.CallEvent{
		{At: at, Kind: pbx.Arrived, Direction: pbx.In, From: "+79160000001", Who: "+79160000001", To: "+74950000000", Trunk: "t", Leg: "a"},
		{At: at, Kind: pbx.Dialled, Who: "101", Leg: "b"}, {At: at, Kind: pbx.Dialled, Who: "102", Leg: "c"},
		{At: at, Kind: pbx.Ringing, Who: "101", Leg: "b"}, {At: at, Kind: pbx.Ringing, Who: "102", Leg: "c"},
		{At: at, Kind: pbx.Bridged, Who: "101", Leg: "b"},
		{At: at, Kind: pbx.Ended, Cause: &cause},
	}
	if err := o.store.SaveCall(o.Context(), t, pbx.Summarize(t, pbx.CallID(id), trace), trace); err != nil {
		o.Error(err)
	}
}

// counted gives the metric by result.
func (o *office) counted() map[string]int {
	families, err := o.metrics.Gather()
	o.must(err)
	got := map[string]int{}
	for _, m := range families[0].Metric {
		got[m.Label[0].GetValue()] = int(m.Counter.GetValue())
	}
	return got
}

func (o *office) pending() int {
	n, err := o.store.OutboxPending(o.Context())
	o.must(err)
	return n
}

func (o *office) dead() []pbx.Delivery {
	list, _, err := o.store.Deliveries(o.Context(), "acme", pbx.DeliveryQuery{State: pbx.DeliveryDead})
	o.must(err)
	return list
}

func (o *office) wantTold(want int) {
	o.Helper()
	if got := o.crm.told(); got != want {
		o.Errorf("the CRM was told of %d events, want %d", got, want)
	}
}

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
				if o.wantTold(6*6 + 1); len(o.crm.seen["bad"]) != 1 {
					t.Errorf("of the bad call %v was told", o.crm.seen["bad"])
				}
			}
		}
		dead := o.dead()
		if len(dead) != 1 || dead[0].ID != "bad-2" || dead[0].Strikes != maxStrikes || !strings.Contains(dead[0].Error, "500") {
			t.Fatalf("given up: %+v", dead)
		}
		if got := o.crm.seen["bad"]; !slices.Equal(got, []int{1, 3, 4, 5, 6}) {
			t.Errorf("of the bad call %v was told", got)
		}
		o.crm.mu.Lock()
		poison = false
		o.crm.mu.Unlock()
		o.must(o.store.RetryNotification(t.Context(), "acme", "bad-2"))
		time.Sleep(time.Second)
		if got := o.crm.seen["bad"]; !slices.Equal(got, []int{1, 3, 4, 5, 6, 2}) || o.pending()+len(o.dead()) != 0 {
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
		if o.wantTold(6); len(o.crm.seen["next"]) != 6 {
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
		time.Sleep(31 * 24 * time.Hour)
		if n := len(o.dead()); n != 0 {
			t.Errorf("%d dead are kept for ever", n)
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
