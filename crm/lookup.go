package crm

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime/debug"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"

	"vpbx/pbx"
)

// The results of a lookup: the closed set of Result of [pbx.Lookup] and of the
// metric's label.
const (
	found     = "found"
	notFound  = "not_found"
	cached    = "cached"
	timeout   = "timeout"
	failed    = "error"
	badAnswer = "bad_answer"
	resting   = "breaker"
	none      = "none" // no CRM, no number, or the call ended before the answer
)

var results = []string{found, notFound, cached, timeout, failed, badAnswer, resting, none}

const (
	defaultTimeout = 700 * time.Millisecond
	keepFound      = 60 * time.Second
	keepNotFound   = 15 * time.Second
	maxCached      = 100_000
	maxFlights     = 1000 // requests under way at once, over all companies
	maxOfCompany   = 200  // and of one company: what hangs for one must not fail for all
	maxBreakers    = 10_000
)

// Options configures a Lookup or a Deliverer.
type Options struct {
	Connectors map[string]Connector // by CRM kind, not changed afterwards
	Log        *slog.Logger
	Metrics    Registerer // nil: not registered
}

// Lookup finds the owners of callers. It may be used by any number of
// goroutines.
type Lookup struct {
	connectors map[string]Connector
	log        *slog.Logger
	metrics    metrics
	cache      *otter.Cache[question, pbx.Contact]
	closing    context.Context
	close      context.CancelFunc
	requests   sync.WaitGroup

	mu       sync.Mutex // guards the following
	closed   bool
	flights  map[question]*flight
	busy     map[pbx.TenantID]int // flights of each company
	breakers map[remote]*breaker  // of the CRMs that failed last time
}

// unknown says whether the CRM does not know the caller.
func unknown(c pbx.Contact) bool { return c.Name == "" && c.Owner == "" }

// remote is a CRM as a company configured it. It is part of every key, so that
// changed settings begin anew.
type remote struct {
	tenant                          pbx.TenantID
	domain, kind, url, client, sign string
	amo                             [sha256.Size]byte // likewise, of its JSON
	webhook, trust                  string            // likewise
}

func remoteOf(c *pbx.Company) remote {
	r := remote{tenant: c.ID, domain: c.Domain, kind: c.CRM.Kind, url: c.CRM.URL, client: c.CRM.ClientID, sign: c.CRM.SignKey}
	if t := c.CRM.Trust; t.SSL != "" || t.Certificate != "" {
		r.trust = string(t.SSL) + " " + t.Certificate
	}
	if c.CRM.Webhook != nil {
		webhook, _ := json.Marshal(c.CRM.Webhook) // of strings and maps of them: cannot fail
		r.webhook = string(webhook)
	}
	if c.CRM.Amo != nil {
		amo, _ := json.Marshal(c.CRM.Amo) // likewise
		r.amo = sha256.Sum256(amo)
	}
	return r
}

// question is what a CRM is asked: the answer may depend on the dialled number
// as well as on the caller.
type question struct {
	remote
	from, to string
}

// flight is a request under way, shared by everybody who asks the same.
type flight struct {
	ctx     context.Context // ends with the budget, with cancel, and with the Lookup
	cancel  context.CancelFunc
	waiting int           // guarded by Lookup.mu
	landed  bool          // guarded by Lookup.mu
	done    chan struct{} // closed behind the last write to the rest
	contact pbx.Contact
	result  string
}

// NewLookup makes a Lookup. It must be closed.
func NewLookup(o Options) (*Lookup, error) {
	m, err := newMetrics(o.Metrics)
	if err != nil {
		return nil, err
	}
	cache, err := otter.New(&otter.Options[question, pbx.Contact]{
		MaximumSize: maxCached,
		ExpiryCalculator: otter.ExpiryWritingFunc(func(e otter.Entry[question, pbx.Contact]) time.Duration {
			if unknown(e.Value) {
				return keepNotFound
			}
			return keepFound
		}),
	})
	if err != nil {
		return nil, fmt.Errorf("make the cache of contacts: %w", err)
	}
	l := &Lookup{
		connectors: o.Connectors,
		log:        o.Log,
		metrics:    m,
		cache:      cache,
		flights:    map[question]*flight{},
		busy:       map[pbx.TenantID]int{},
		breakers:   map[remote]*breaker{},
	}
	l.closing, l.close = context.WithCancel(context.Background())
	return l, nil
}

// Close ends the requests under way and waits for them. Lookups made
// afterwards get nothing but cached answers.
func (l *Lookup) Close() error {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.close()
	l.requests.Wait()
	l.cache.StopAllGoroutines()
	return nil
}

// Owner tells who from is and which extension owns him, for a call to to of
// company c. It takes at most c.CRM.Timeout (700 ms when that is zero), and
// returns at once when ctx ends. Result is one of: found, not_found, cached
// (either way: see Owner and Contact), timeout, error, bad_answer, breaker
// (not asked, because it failed too often), none (no CRM, no number, or the
// call ended first).
func (l *Lookup) Owner(ctx context.Context, c *pbx.Company, from, to string, call pbx.CallID) (pbx.Contact, pbx.Lookup) {
	start := time.Now()
	contact, result := l.owner(ctx, c, from, to, call)
	took := time.Since(start)
	l.metrics.observe(result, took)
	return contact, pbx.Lookup{
		Contact: contact.Name,
		Owner:   contact.Owner,
		MS:      float64(took.Microseconds()) / 1000,
		Result:  result,
	}
}

func (l *Lookup) owner(ctx context.Context, c *pbx.Company, from, to string, call pbx.CallID) (pbx.Contact, string) {
	connector := l.connectors[c.CRM.Kind]
	if connector == nil || from == "" {
		return pbx.Contact{}, none
	}
	q := question{remoteOf(c), from, to}
	if contact, ok := l.cache.GetIfPresent(q); ok {
		return contact, cached
	}
	budget := c.CRM.Timeout
	if budget <= 0 {
		budget = defaultTimeout
	}
	f, refused := l.board(q, budget, func(ctx context.Context) (pbx.Contact, error) {
		return connector.Owner(ctx, c, from, to, call)
	})
	if f == nil {
		return pbx.Contact{}, refused
	}
	defer l.leave(q, f)
	return f.wait(ctx)
}

// wait gives what came of a request, or why it was not waited for: the budget
// holds even if the connector does not obey its context.
func (f *flight) wait(ctx context.Context) (pbx.Contact, string) {
	select {
	case <-f.done:
	case <-f.ctx.Done():
		ctx = f.ctx
	case <-ctx.Done():
	}
	select {
	case <-f.done: // also when it came together with the end of a context
		return f.contact, f.result
	default:
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return pbx.Contact{}, timeout
	}
	return pbx.Contact{}, none
}

// board joins the request that asks q, or begins it when the breaker and the
// limits allow; otherwise it says why not.
func (l *Lookup) board(q question, budget time.Duration, ask func(context.Context) (pbx.Contact, error)) (*flight, string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if f := l.flights[q]; f != nil {
		f.waiting++
		return f, ""
	}
	if l.closed {
		return nil, none
	}
	if len(l.flights) >= maxFlights || l.busy[q.tenant] >= maxOfCompany {
		return nil, failed
	}
	if b := l.breakers[q.remote]; b != nil && !b.allow(time.Now()) {
		return nil, resting
	}
	ctx, cancel := context.WithTimeout(l.closing, budget)
	f := &flight{ctx: ctx, cancel: cancel, waiting: 1, done: make(chan struct{})}
	l.flights[q] = f
	l.busy[q.tenant]++
	l.requests.Go(func() { l.fly(q, f, ask) })
	return f, ""
}

// leave is called by whoever boarded. The last one cancels the request; the
// first one after the budget gives it up for all.
func (l *Lookup) leave(q question, f *flight) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f.waiting--
	switch {
	case errors.Is(f.ctx.Err(), context.DeadlineExceeded):
		l.land(q, f, timeout)
	case f.waiting == 0:
		l.land(q, f, none)
		f.cancel()
	}
}

// land takes a request out of those that can be joined and tells the breaker
// how it went; only the first call for a request counts. Lookup.mu is held.
func (l *Lookup) land(q question, f *flight, result string) {
	if f.landed {
		return
	}
	f.landed = true
	delete(l.flights, q)
	if l.busy[q.tenant]--; l.busy[q.tenant] == 0 {
		delete(l.busy, q.tenant)
	}
	l.settle(q.remote, result)
}

// fly makes the request and tells everybody on board.
func (l *Lookup) fly(q question, f *flight, ask func(context.Context) (pbx.Contact, error)) {
	defer f.cancel()
	contact, err := guarded(f.ctx, ask)
	switch {
	case err == nil && unknown(contact):
		f.contact, f.result = contact, notFound
	case err == nil:
		f.contact, f.result = contact, found
	default:
		f.result = resultOf(f.ctx, err)
	}
	if err == nil {
		l.cache.Set(q, contact)
	} else if f.result != none {
		l.log.Warn("crm lookup failed", "tenant", q.tenant, "result", f.result, "error", err)
	}

	l.mu.Lock()
	l.land(q, f, f.result)
	l.mu.Unlock()
	close(f.done)
}

// settle tells the breaker how a request went. Only failing CRMs have one.
func (l *Lookup) settle(r remote, result string) {
	b, now := l.breakers[r], time.Now()
	switch result {
	case found, notFound:
		delete(l.breakers, r)
	case none:
		if b != nil {
			b.done(abandoned, now)
		}
	default:
		if b == nil {
			if len(l.breakers) >= maxBreakers {
				clear(l.breakers) // settings long gone, mostly; those that fail come back
			}
			b = &breaker{}
			l.breakers[r] = b
		}
		b.done(bad, now)
	}
}

// guarded runs a connector; a panic in it is an error of that request.
func guarded(ctx context.Context, ask func(context.Context) (pbx.Contact, error)) (c pbx.Contact, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("connector panicked: %v\n%s", p, debug.Stack())
		}
	}()
	return ask(ctx)
}

// resultOf names the failure of a request.
func resultOf(ctx context.Context, err error) string {
	var network net.Error
	switch {
	case errors.Is(err, ErrBadAnswer):
		return badAnswer
	case ctx.Err() == context.Canceled:
		return none
	case ctx.Err() != nil, errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return timeout
	}
	return failed
}
