package autodialer

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"vpbx/autodialer/law"
	"vpbx/autodialer/pace"
	"vpbx/pbx"
)

// Bounds of a runner.
const (
	maxMail    = 1024                   // messages that wait for its goroutine
	maxOrders  = 16                     // orders that wait for one campaign
	storeBound = 20 * time.Second       // for one thing that is asked of the store
	lookEvery  = 200 * time.Millisecond // at the operators, while a campaign needs some
	tellEvery  = 2 * time.Second        // of the progress of a campaign
	planEvery  = time.Minute            // for campaigns that start by themselves
)

// errClosed answers whoever asks a runner that is closed.
var errClosed = &pbx.Error{Kind: pbx.Unavailable, Msg: "the PBX is being stopped"}

// Options are what a Runner works with. All fields are needed.
type Options struct {
	Dialer    Dialer
	Store     Store
	Directory func() *pbx.Directory
	Law       *law.Law
	// TrunkUp tells whether a trunk can be dialled now, as far as is known.
	TrunkUp func(pbx.TenantID, string) bool
	// Publish tells whoever watches a company what happens to its campaigns: kind is
	// campaign.running (or another status), campaign.target or campaign.progress. It must not
	// block.
	Publish func(t pbx.TenantID, kind string, body any)
	Log     *slog.Logger
	Metrics Registerer
}

// Runner runs the campaigns of all companies of this process.
type Runner struct {
	Options
	metrics metrics
	mail    chan any
	ctx     context.Context // ends with the runner
	cancel  context.CancelFunc
	gone    chan struct{} // closed when loop has returned
	work    sync.WaitGroup
	calls   sync.Map // openCall by pbx.CallID, of attempts that go on

	mu     sync.Mutex
	closed bool

	// What follows is loop's own.
	runs      map[key]*run
	limits    *pace.Limiter
	directory *pbx.Directory // the one that plans were made of
	planned   map[key]time.Time
	planAt    time.Time
	drained   bool // nothing is dialled any more
}

// key names a campaign among those of all companies.
type key struct {
	tenant pbx.TenantID
	name   string
}

// NewRunner makes a Runner. It starts nothing.
func NewRunner(o Options) *Runner {
	r := &Runner{Options: o, mail: make(chan any, maxMail), gone: make(chan struct{}), runs: map[key]*run{}, planned: map[key]time.Time{}, limits: pace.NewLimiter()}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.metrics.register(o.Metrics)
	return r
}

// Start settles the attempts that a dead process left, takes up the campaigns that ran, and
// runs them until Close. It is called once, when calls can be made.
func (r *Runner) Start(ctx context.Context) error {
	if err := r.recover(ctx); err != nil {
		return err
	}
	open, err := r.Store.OpenCampaigns(ctx)
	if err != nil {
		return fmt.Errorf("read campaigns: %w", err)
	}
	for _, s := range open {
		k := key{s.Tenant, s.Campaign}
		switch {
		case s.Status == pbx.CampaignRunning || s.Status == pbx.CampaignPaused:
			r.take(k, s)
		case s.Status == pbx.CampaignCancelled || s.Status.Over() && s.Settings.Passed(time.Now()):
			r.aside(func() { r.expire(k) }) // who was added to a finished one waits for its next start
		}
	}
	r.aside(r.loop)
	return nil
}

// Drain lets nothing more be dialled. Calls that go on do so.
func (r *Runner) Drain() { r.tell(drain{}) }

// Close ends the runner: attempts whose calls are over by then are settled, those of others
// at the next start. It may be called more than once, also without Start.
func (r *Runner) Close() {
	r.mu.Lock()
	first := !r.closed
	r.closed = true
	r.mu.Unlock()
	r.cancel()
	if first {
		r.work.Wait()
	}
}

// loop is the goroutine that owns every campaign.
func (r *Runner) loop() {
	defer close(r.gone)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case m := <-r.mail:
			r.handle(m)
			for more := true; more; { // what has come together is looked at together
				select {
				case m := <-r.mail:
					r.handle(m)
				default:
					more = false
				}
			}
		case <-timer.C:
		case <-r.ctx.Done():
			return
		}
		now := time.Now()
		next := r.advance(now)
		if next.IsZero() { // nothing but a message changes anything
			timer.Stop()
			continue
		}
		timer.Reset(max(next.Sub(now), time.Millisecond))
	}
}

// What is posted to loop, besides what aside's helpers come to.
type (
	// wake says that something about a campaign, or all of a company, has changed.
	wake struct {
		tenant pbx.TenantID
		name   string
	}
	drain struct{}
)

// tell posts a message unless the runner is closed.
func (r *Runner) tell(m any) {
	select {
	case r.mail <- m:
	case <-r.ctx.Done():
	}
}

// aside runs f beside the loop. It does nothing when the runner is closed.
func (r *Runner) aside(f func()) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false
	}
	r.work.Add(1)
	go func() {
		defer r.work.Done()
		f()
	}()
	return true
}

// bounded is the context of one thing that is asked of the store.
func (r *Runner) bounded() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(r.ctx), storeBound)
}

func (r *Runner) handle(m any) {
	switch m := m.(type) {
	case order:
		r.ordered(m)
	case saved:
		r.changed(m)
	case asked:
		r.answer(m)
	case fed:
		r.took(m)
	case ended:
		r.over(m)
	case heard:
		r.listen(m)
	case putBack:
		r.putOffDone(m)
	case knownPast:
		r.past(m)
	case startAgain:
		r.startLater(m.key, time.Now())
	case drain:
		r.drained = true
	case wake:
		for k, x := range r.runs {
			if k.tenant == m.tenant && (m.name == "" || m.name == k.name) {
				x.readAnew(time.Now())
			}
		}
		r.planAt = time.Time{}
	}
}

// advance does what can be done at a moment and gives when to look again.
func (r *Runner) advance(at time.Time) time.Time {
	next := r.plan(at)
	for k, x := range r.runs {
		next = earliest(next, r.tend(k, x, at))
	}
	return earliest(next, r.launch(at))
}

// earliest gives the earlier of two moments; the zero time is never.
func earliest(a, b time.Time) time.Time {
	switch {
	case a.IsZero():
		return b
	case b.IsZero() || a.Before(b):
		return a
	}
	return b
}

// CampaignChanged says that targets, stop lists or settings have changed: of a campaign, or,
// with "", of any of the company.
func (r *Runner) CampaignChanged(t pbx.TenantID, name string) { r.tell(wake{t, name}) }

// asked is the wish to know how a campaign goes.
type asked struct {
	key
	reply chan pbx.CampaignProgress
}

// CampaignProgress tells how a campaign goes; NotFound when there is none of that name.
func (r *Runner) CampaignProgress(ctx context.Context, t pbx.TenantID, name string) (pbx.CampaignProgress, error) {
	a := asked{key{t, name}, make(chan pbx.CampaignProgress, 1)}
	var p pbx.CampaignProgress
	select {
	case r.mail <- a:
	case <-r.gone:
		return p, errClosed
	case <-ctx.Done():
		return p, ctx.Err()
	}
	select {
	case p = <-a.reply:
	case <-r.gone:
		return p, errClosed
	case <-ctx.Done():
		return p, ctx.Err()
	}
	if p.Campaign == "" { // it does not run
		s, err := r.state(ctx, a.key)
		if err != nil {
			return p, err
		}
		p.CampaignState = s
	}
	var err error
	p.Targets, err = r.Store.CountTargets(ctx, t, name)
	if p.Status == pbx.CampaignDraft && p.Targets[pbx.TargetWaiting] > 0 {
		p.Status = pbx.CampaignReady
	}
	if err == nil && p.Next != nil && p.Why == "" {
		p.Why, err = r.waitsFor(ctx, a.key, *p.Next)
	}
	return p, err
}

// state gives the state of a campaign, a draft where nothing has become of it yet; NotFound
// when the company has no campaign of that name and never ran one.
func (r *Runner) state(ctx context.Context, k key) (pbx.CampaignState, error) {
	s, err := r.Store.CampaignState(ctx, k.tenant, k.name)
	if pbx.KindOf(err) != pbx.NotFound {
		return s, err
	}
	if _, settings := r.settings(k); settings == nil {
		return s, &pbx.Error{Kind: pbx.NotFound, Msg: "no such campaign"}
	}
	return pbx.CampaignState{Tenant: k.tenant, Campaign: k.name, Status: pbx.CampaignDraft}, nil
}

// settings gives a campaign and its company as they are now, nil when they are not there.
func (r *Runner) settings(k key) (*pbx.Company, *pbx.Campaign) {
	c := r.Directory().Company(k.tenant)
	if c == nil {
		return nil, nil
	}
	return c, c.Campaigns[k.name]
}

// recover settles the attempts that were going on when the process ended: by the record of
// the call where there is one, which the journal has closed meanwhile, also when it still
// waits for the database, else as interrupted. None of them is dialled again for the same
// attempt.
func (r *Runner) recover(ctx context.Context) error {
	left, err := r.Store.LeftAttempts(ctx)
	if err != nil {
		return fmt.Errorf("read attempts that were left: %w", err)
	}
	for _, a := range left {
		cdr, err := r.Store.KeptCall(ctx, a.Tenant, a.Call)
		if err != nil && pbx.KindOf(err) != pbx.NotFound {
			return fmt.Errorf("read the call of an attempt: %w", err)
		}
		switch err := r.settle(ctx, a, cdr); {
		case pbx.KindOf(err) == pbx.NotFound: // its target is not there: nobody can be told
			r.Log.Error("attempt without a target", "tenant", a.Tenant, "campaign", a.Campaign, "target", a.Target, "call", a.Call)
		case err != nil:
			return fmt.Errorf("settle an attempt that was left: %w", err)
		}
	}
	if len(left) > 0 {
		r.Log.Warn("attempts of campaigns that were interrupted are settled", "attempts", len(left))
	}
	return nil
}
