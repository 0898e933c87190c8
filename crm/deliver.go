package crm

import (
	"context"
	"sync"
	"time"

	"vpbx/pbx"
)

// Bounds of the delivery.
const (
	maxLines     = 64               // companies whose CRMs are told at once
	sweepEvery   = time.Minute      // for events of which nobody told us
	forgetEvery  = 60               // sweeps
	lookAgain    = 30 * time.Second // when the outbox cannot be read
	outboxBudget = 10 * time.Second // for one question to it
)

// Outbox keeps events until they are delivered. Package store implements it.
type Outbox interface {
	// OutboxTenants lists the companies of which events wait.
	OutboxTenants(ctx context.Context) ([]pbx.TenantID, error)
	// DueNotifications gives of each call the first event that waits, when it is due.
	DueNotifications(ctx context.Context, t pbx.TenantID, now time.Time, limit int) ([]pbx.Delivery, error)
	// CallNotifications gives the events of a call that wait, in their order.
	CallNotifications(ctx context.Context, t pbx.TenantID, call string, limit int) ([]pbx.Delivery, error)
	// NextNotification gives when DueNotifications will have something, the zero time when
	// nothing waits.
	NextNotification(ctx context.Context, t pbx.TenantID) (time.Time, error)
	// SettleNotifications notes what came of tries.
	SettleNotifications(ctx context.Context, t pbx.TenantID, list []pbx.Settled) error
	// GiveUpNotifications gives up all that waits.
	GiveUpNotifications(ctx context.Context, t pbx.TenantID, why string) (int, error)
	// HastenNotifications makes all that waits due.
	HastenNotifications(ctx context.Context, t pbx.TenantID) error
	// SweepNotifications forgets what was given up long ago.
	SweepNotifications(ctx context.Context, now time.Time) (int, error)
}

// Deliverer takes events out of the outbox and tells the CRMs of them.
type Deliverer struct {
	Options
	outbox    Outbox
	directory func() *pbx.Directory
	metrics   deliveryMetrics
	stop      context.CancelFunc
	gone      chan struct{}
	wake      chan struct{} // one slot: woken has something
	finished  chan finished // as many slots as lines can run
	workers   sync.WaitGroup
	lines     map[pbx.TenantID]*line // of the loop's goroutine

	mu    sync.Mutex
	woken map[pbx.TenantID]bool
}

// finished says that a line has nothing to do before again; zero: for ever.
type finished struct {
	tenant pbx.TenantID
	again  time.Time
}

// NewDeliverer makes a Deliverer. Nothing is delivered before Start.
func NewDeliverer(o Options) (*Deliverer, error) {
	m, err := newDeliveryMetrics(o.Metrics)
	if err != nil {
		return nil, err
	}
	return &Deliverer{Options: o, metrics: m, gone: make(chan struct{}),
		wake: make(chan struct{}, 1), finished: make(chan finished, maxLines),
		lines: map[pbx.TenantID]*line{}, woken: map[pbx.TenantID]bool{}}, nil
}

// Start begins to deliver what is in the outbox, first what an earlier process
// left. It is called once.
func (d *Deliverer) Start(outbox Outbox, directory func() *pbx.Directory) {
	d.outbox, d.directory = outbox, directory
	ctx, cancel := context.WithCancel(context.Background())
	d.stop = cancel
	go d.loop(ctx)
}

// Close ends the tries under way and waits for them; what is not delivered stays
// in the outbox. It may be called without Start, but once.
func (d *Deliverer) Close() {
	if d.stop == nil {
		return
	}
	d.stop()
	<-d.gone
}

// Wake says that events of a company are queued. It does not wait and may be
// called at any time, before Start as well.
func (d *Deliverer) Wake(t pbx.TenantID) {
	d.mu.Lock()
	d.woken[t] = true
	d.mu.Unlock()
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

func (d *Deliverer) takeWoken() map[pbx.TenantID]bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	woken := d.woken
	d.woken = map[pbx.TenantID]bool{}
	return woken
}

// loop begins the line of each company when it is due.
func (d *Deliverer) loop(ctx context.Context) {
	defer close(d.gone)
	defer d.workers.Wait()
	sweep := time.NewTicker(sweepEvery)
	defer sweep.Stop()
	timer := time.NewTimer(0)
	defer timer.Stop()
	d.sweep(ctx, 0)
	for sweeps := 1; ; {
		select {
		case <-ctx.Done():
			return
		case <-d.wake:
			for t := range d.takeWoken() {
				d.line(t).poke()
			}
		case f := <-d.finished:
			d.finish(f)
		case <-sweep.C:
			d.sweep(ctx, sweeps)
			sweeps++
		case <-timer.C:
		}
		if next := d.begin(ctx); !next.IsZero() {
			timer.Reset(max(time.Until(next), 0))
		}
	}
}

func (d *Deliverer) line(t pbx.TenantID) *line {
	l := d.lines[t]
	if l == nil {
		l = &line{d: d, tenant: t, more: make(chan struct{}, 1), log: d.Log.With("tenant", t)}
		d.lines[t] = l
	}
	return l
}

func (d *Deliverer) finish(f finished) {
	l := d.lines[f.tenant]
	l.running, l.due = false, f.again
	if l.poked {
		l.due = time.Now()
	}
	if l.due.IsZero() {
		delete(d.lines, f.tenant)
	}
}

// begin runs the lines that are due, as many as may run at once, those first
// that have been due for longest, and gives when the next will be.
func (d *Deliverer) begin(ctx context.Context) (next time.Time) {
	for {
		running := 0
		var first *line
		for _, l := range d.lines {
			switch {
			case l.running:
				running++
			case first == nil || l.due.Before(first.due):
				first = l
			}
		}
		if first == nil || running >= maxLines {
			return time.Time{} // whoever finishes asks again
		}
		if first.due.After(time.Now()) {
			return first.due
		}
		l := first
		l.running, l.poked = true, false
		d.workers.Go(func() { d.finished <- finished{l.tenant, l.run(ctx)} })
	}
}

// sweep looks for events of which nobody told us: those that an earlier process
// left, first of all.
func (d *Deliverer) sweep(ctx context.Context, n int) {
	ctx, cancel := context.WithTimeout(ctx, outboxBudget)
	defer cancel()
	list, err := d.outbox.OutboxTenants(ctx)
	if err != nil && ctx.Err() == nil {
		d.Log.Warn("outbox not read", "error", err)
	}
	for _, t := range list {
		if d.lines[t] == nil {
			d.line(t).poke()
		}
	}
	if n%forgetEvery != 0 {
		return
	}
	forgotten, err := d.outbox.SweepNotifications(ctx, time.Now())
	if (err != nil || forgotten > 0) && ctx.Err() == nil {
		d.Log.Warn("events that were given up long ago are forgotten", "events", forgotten, "error", err)
	}
}
