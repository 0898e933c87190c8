package crm

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
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

// of gives what was told of a call.
func (b *books) of(call pbx.CallID) []int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.seen[call])
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
