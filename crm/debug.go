package crm

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"vpbx/pbx"
)

// Bounds of debugging.
const (
	MaxDebug     = 24 * time.Hour // for which it is switched on at once
	maxExchanges = 200            // that wait to be kept, of all companies
	keepBudget   = 10 * time.Second
)

// Exchanges keeps exchanges and who is debugging. Package store implements it.
type Exchanges interface {
	AddExchanges(ctx context.Context, t pbx.TenantID, list []pbx.Exchange) error
	SetDebugging(ctx context.Context, t pbx.TenantID, until time.Time) error
	Debugging(ctx context.Context) (map[pbx.TenantID]time.Time, error)
}

// DebugOptions configures a Debugger.
type DebugOptions struct {
	Store     Exchanges
	Directory func() *pbx.Directory
	Networks  []netip.Prefix // whose answers are shown beside those of public addresses
	Log       *slog.Logger
	Metrics   Registerer // nil: not registered
}

// Debugger keeps what passes between a company and its CRM while somebody debugs
// it, and tests always. Its methods may be called by any goroutine.
type Debugger struct {
	o       DebugOptions
	metrics debugMetrics
	wake    chan struct{} // one slot: waiting has something
	flushes chan chan struct{}
	stop    chan struct{}
	gone    chan struct{}

	mu      sync.Mutex
	until   map[pbx.TenantID]time.Time
	waiting []noted
}

// noted is an exchange that is not kept yet.
type noted struct {
	tenant pbx.TenantID
	x      pbx.Exchange
}

// NewDebugger makes a Debugger, which goes on with what an earlier process began. It
// must be closed, before the store is.
func NewDebugger(ctx context.Context, o DebugOptions) (*Debugger, error) {
	m, err := newDebugMetrics(o.Metrics)
	if err != nil {
		return nil, err
	}
	until, err := o.Store.Debugging(ctx)
	if err != nil {
		return nil, err
	}
	d := &Debugger{o: o, metrics: m, until: until, wake: make(chan struct{}, 1), flushes: make(chan chan struct{}),
		stop: make(chan struct{}), gone: make(chan struct{})}
	go d.loop()
	return d, nil
}

// Close keeps what waits and ends. It is called once.
func (d *Debugger) Close() {
	close(d.stop)
	<-d.gone
}

// Switch switches debugging of a company on for a time, at most MaxDebug, or off with
// 0, and gives when it ends by itself.
func (d *Debugger) Switch(ctx context.Context, t pbx.TenantID, length time.Duration) (time.Time, error) {
	var until time.Time
	if length > 0 {
		until = time.Now().Add(min(length, MaxDebug)).Truncate(time.Microsecond)
	}
	if err := d.o.Store.SetDebugging(ctx, t, until); err != nil {
		return time.Time{}, err
	}
	d.set(t, until)
	return until, nil
}

// Forget is told of a company that is removed.
func (d *Debugger) Forget(t pbx.TenantID) { d.set(t, time.Time{}) }

func (d *Debugger) set(t pbx.TenantID, until time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if until.IsZero() {
		delete(d.until, t)
		return
	}
	d.until[t] = until
}

// Until says when debugging of a company ends by itself, the zero time when it is off.
func (d *Debugger) Until(t pbx.TenantID) time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	until := d.until[t]
	if until.IsZero() || time.Now().Before(until) {
		return until
	}
	delete(d.until, t)
	return time.Time{}
}

// Note keeps an exchange that is a test, or whose company is debugging. It does not
// wait: where too many wait already it is lost, and counted.
func (d *Debugger) Note(t pbx.TenantID, x pbx.Exchange) {
	if !x.Test && d.Until(t).IsZero() {
		return
	}
	d.clean(t, &x)
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.waiting) >= maxExchanges {
		d.metrics.lost.Inc()
		return
	}
	d.waiting = append(d.waiting, noted{t, x})
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// Keep keeps an exchange, whether its company is debugging or not, and gives it as it
// is kept.
func (d *Debugger) Keep(ctx context.Context, t pbx.TenantID, x pbx.Exchange) (pbx.Exchange, error) {
	d.clean(t, &x)
	if err := d.o.Store.AddExchanges(ctx, t, []pbx.Exchange{x}); err != nil {
		return x, err
	}
	d.metrics.kept.Inc()
	return x, nil
}

// Flush returns when everything that was noted is kept, or when ctx ends.
func (d *Debugger) Flush(ctx context.Context) error {
	done := make(chan struct{})
	select {
	case d.flushes <- done:
	case <-d.gone:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-done:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// clean makes an exchange fit to be kept. The address of a CRM is chosen by its
// company: what is answered from inside the operator's network is not for it to read.
func (d *Debugger) clean(t pbx.TenantID, x *pbx.Exchange) {
	if x.Direction == pbx.ToCRM && x.Remote != "" {
		if err := check(x.Remote, d.o.Networks); err != nil {
			x.Answer = pbx.HTTPMessage{}
			x.Error = fmt.Sprintf("the answer is not shown: %v", err)
		}
	}
	var secrets []string
	if c := d.o.Directory().Company(t); c != nil && c.CRM.SignKey != "" {
		secrets = append(secrets, c.CRM.SignKey)
	}
	x.Clean(secrets...)
}

// loop keeps what is noted.
func (d *Debugger) loop() {
	defer close(d.gone)
	for {
		select {
		case <-d.wake:
			d.keep()
		case done := <-d.flushes:
			d.keep()
			close(done)
		case <-d.stop:
			d.keep()
			return
		}
	}
}

// keep writes what waits.
func (d *Debugger) keep() {
	d.mu.Lock()
	waiting := d.waiting
	d.waiting = nil
	d.mu.Unlock()
	lists := map[pbx.TenantID][]pbx.Exchange{}
	for _, n := range waiting {
		lists[n.tenant] = append(lists[n.tenant], n.x)
	}
	for t, list := range lists {
		ctx, cancel := context.WithTimeout(context.Background(), keepBudget)
		err := d.o.Store.AddExchanges(ctx, t, list)
		cancel()
		if err != nil {
			d.metrics.lost.Add(float64(len(list)))
			d.o.Log.Warn("exchanges with a CRM are not kept", "tenant", t, "exchanges", len(list), "error", err)
			continue
		}
		d.metrics.kept.Add(float64(len(list)))
	}
}
