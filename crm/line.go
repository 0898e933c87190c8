package crm

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"reflect"
	"runtime/debug"
	"time"

	"vpbx/pbx"
)

// How a CRM is told.
const (
	lanes      = 8                // calls of a company that are told of at once
	fetch      = 64               // calls that are looked for at once; more than lanes
	run        = 8                // events of a call that are settled together
	tryTime    = 10 * time.Second // for one event
	firstRetry = time.Second      // doubled with each try
	lastRetry  = 5 * time.Minute  // of an event that fails while others do not
	lastProbe  = time.Minute      // of any other: the breaker bounds how often the CRM is asked
	maxStrikes = 12               // tries that failed while the CRM took others
	maxAge     = 72 * time.Hour   // of an event that the CRM does not take
	maxRest    = time.Hour        // that a CRM can ask for
	maxError   = 300              // bytes kept of an error
)

// crmOff is why events are given up that nobody wants any more.
const crmOff = "the CRM was turned off"

// line tells the CRM of one company. Its goroutine is begun by the Deliverer
// when something is due, and ends when nothing is; the fields live on.
type line struct {
	d      *Deliverer
	tenant pbx.TenantID
	log    *slog.Logger
	more   chan struct{} // one slot: something was queued

	running, poked bool      // of the Deliverer's goroutine, likewise due
	due            time.Time // when to run

	waiting  []string // calls whose first event is due, of the goroutine, likewise
	crm      pbx.CRM  // as it was configured last
	known    bool     // crm is set
	breaker  breaker
	lastGood time.Time // when it last took an event
}

// poke says that something was queued.
func (l *line) poke() {
	l.due, l.poked = time.Now(), true
	select {
	case l.more <- struct{}{}:
	default:
	}
}

// flown is what came of telling of one call.
type flown struct {
	call    string
	settled []pbx.Settled
	outcome outcome
	rest    time.Duration // asked for by the CRM
	good    time.Time     // when it last took an event
}

// run tells the CRM until nothing is due, and gives when something will be, the
// zero time when nothing waits.
func (l *line) run(ctx context.Context) time.Time {
	flying := map[string]bool{}
	landed := make(chan flown, lanes)
	l.waiting = nil
	for {
		company, connector := l.settings(ctx, len(flying) == 0)
		err := error(nil)
		if connector != nil && ctx.Err() == nil {
			err = l.begin(ctx, company, connector, flying, landed)
		}
		if len(flying) == 0 {
			return l.again(ctx, connector, err)
		}
		select {
		case <-l.more:
		case f := <-landed:
			l.land(ctx, f, flying, landed)
		}
	}
}

// settings gives the company and the connector of its CRM, nil when events can
// go nowhere: those of a company that was removed went with it, those for a CRM
// that was turned off are given up, once nothing is under way. A CRM whose
// settings changed begins anew.
func (l *line) settings(ctx context.Context, idle bool) (*pbx.Company, Connector) {
	company := l.d.directory().Company(l.tenant)
	if company == nil {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, outboxBudget)
	defer cancel()
	connector := l.d.Connectors[company.CRM.Kind]
	if connector == nil && !idle {
		return nil, nil
	}
	if connector == nil {
		n, err := l.d.outbox.GiveUpNotifications(ctx, l.tenant, crmOff)
		if (err != nil || n > 0) && ctx.Err() == nil {
			l.log.Warn("events are given up, for there is no CRM", "events", n, "error", err)
		}
		l.d.metrics.add(givenUp, n)
		return nil, nil
	}
	if l.known && !reflect.DeepEqual(l.crm, company.CRM) {
		l.breaker = breaker{}
		if err := l.d.outbox.HastenNotifications(ctx, l.tenant); err != nil && ctx.Err() == nil {
			l.log.Warn("events not made due", "error", err)
		}
	}
	l.crm, l.known = company.CRM, true
	return company, connector
}

// begin tells of calls whose first event is due, as many as there are free
// lanes and the breaker lets through.
func (l *line) begin(ctx context.Context, c *pbx.Company, to Connector, flying map[string]bool, landed chan<- flown) error {
	if len(flying) >= lanes || l.breaker.resting(time.Now()) {
		return nil
	}
	if len(l.waiting) == 0 {
		asking, cancel := context.WithTimeout(ctx, outboxBudget)
		defer cancel()
		first, err := l.d.outbox.DueNotifications(asking, l.tenant, time.Now(), fetch)
		if err != nil {
			return err
		}
		for _, n := range first {
			l.waiting = append(l.waiting, n.Call)
		}
	}
	for len(l.waiting) > 0 && len(flying) < lanes {
		call := l.waiting[0]
		if !flying[call] {
			if !l.breaker.allow(time.Now()) {
				return nil
			}
			flying[call] = true
			lastGood := l.lastGood
			l.d.workers.Go(func() { landed <- l.fly(ctx, c, to, call, lastGood) })
		}
		l.waiting = l.waiting[1:]
	}
	return nil
}

// land notes what came of the calls that are back.
func (l *line) land(ctx context.Context, f flown, flying map[string]bool, landed <-chan flown) {
	var settled []pbx.Settled
	var back []string
	wasDown := l.breaker.failures >= breakAfter
	for {
		back = append(back, f.call)
		settled = append(settled, f.settled...)
		l.breaker.done(f.outcome, time.Now())
		if f.rest > 0 {
			l.breaker.rest(time.Now().Add(f.rest))
		}
		if f.good.After(l.lastGood) {
			l.lastGood = f.good
		}
		select {
		case f = <-landed:
			continue
		default:
		}
		break
	}
	// What the CRM has is noted even while we are being stopped.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), outboxBudget)
	defer cancel()
	if err := l.d.outbox.SettleNotifications(ctx, l.tenant, settled); err != nil {
		l.log.Warn("delivered events come again, for that is not noted", "events", len(settled), "error", err)
		l.breaker.rest(time.Now().Add(lookAgain))
	}
	for _, call := range back {
		delete(flying, call)
	}
	if wasDown && l.breaker.failures == 0 {
		l.log.Info("the CRM takes events again")
		if err := l.d.outbox.HastenNotifications(ctx, l.tenant); err != nil {
			l.log.Warn("events not made due", "error", err)
		}
	}
}

// again gives when the line is to run again.
func (l *line) again(ctx context.Context, to Connector, err error) time.Time {
	if to == nil || ctx.Err() != nil {
		return time.Time{}
	}
	if err == nil && l.breaker.resting(time.Now()) {
		return l.breaker.until
	}
	ctx, cancel := context.WithTimeout(ctx, outboxBudget)
	defer cancel()
	var next time.Time
	if err == nil {
		next, err = l.d.outbox.NextNotification(ctx, l.tenant)
	}
	if err != nil {
		l.log.Warn("outbox not read", "error", err)
		return time.Now().Add(lookAgain)
	}
	return next
}

// fly tells of one call in order, until an event is not taken or is not due.
func (l *line) fly(ctx context.Context, c *pbx.Company, to Connector, call string, lastGood time.Time) flown {
	f := flown{call: call, outcome: abandoned}
	asking, cancel := context.WithTimeout(ctx, outboxBudget)
	defer cancel()
	list, err := l.d.outbox.CallNotifications(asking, l.tenant, call, run)
	if err != nil {
		f.rest = lookAgain
		return f
	}
	for i := range list {
		n := &list[i]
		now := time.Now()
		if n.Next.After(now) {
			return f
		}
		err := l.try(ctx, c, to, n)
		if ctx.Err() != nil && err != nil { // we are being stopped
			return f
		}
		s, o, rest := l.judge(n, err, lastGood)
		f.settled, f.outcome, f.rest = append(f.settled, s), o, rest
		if s.Done {
			f.good = s.At
		}
		if !s.Done && !s.Dead {
			return f
		}
	}
	return f
}

// try tells of one event. A panic in a connector is an error of that try.
func (l *line) try(ctx context.Context, c *pbx.Company, to Connector, n *pbx.Delivery) (err error) {
	ctx, cancel := context.WithTimeout(ctx, tryTime)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("connector panicked: %v", p)
			l.log.Error("connector panicked", "panic", p, "stack", string(debug.Stack()))
		}
	}()
	if err = to.Deliver(ctx, c, &n.Notification); err != nil && ctx.Err() != nil {
		err = fmt.Errorf("no answer in %v: %w", tryTime, err)
	}
	return err
}

// judge says what becomes of an event after a try, and what that says of the
// CRM. An event is given up when the CRM refuses it, when it is too old, and
// when it failed too often while the CRM took others: a CRM that is down costs
// no event.
func (l *line) judge(n *pbx.Delivery, err error, lastGood time.Time) (pbx.Settled, outcome, time.Duration) {
	now := time.Now()
	s := pbx.Settled{Call: n.Call, Seq: n.Seq, At: now, Strikes: n.Strikes}
	if err == nil {
		s.Done = true
		l.d.metrics.add(delivered, 1)
		return s, good, 0
	}
	s.Error = err.Error()
	s.Error = s.Error[:min(len(s.Error), maxError)]
	if errors.Is(err, ErrRefused) {
		s.Dead = true
		l.d.metrics.add(refused, 1)
		l.log.Warn("the CRM refuses an event", "call", n.Call, "seq", n.Seq, "event", n.Event, "error", err)
		return s, good, 0
	}
	result := failed
	if errors.Is(err, ErrBadAnswer) {
		result = badAnswer
	} else if errors.Is(err, context.DeadlineExceeded) {
		result = timeout
	}
	l.d.metrics.add(result, 1)
	if n.Tried != nil && lastGood.After(*n.Tried) {
		s.Strikes++
	}
	if s.Strikes >= maxStrikes || now.Sub(n.Created) > maxAge {
		s.Dead = true
		l.d.metrics.add(givenUp, 1)
		l.log.Warn("an event is given up", "call", n.Call, "seq", n.Seq, "event", n.Event, "tries", n.Tries+1, "error", err)
		return s, bad, 0
	}
	most := lastProbe
	if s.Strikes > n.Strikes {
		most = lastRetry
	}
	s.Next = now.Add(backoff(l.tenant, n.Tries, most))
	l.log.Info("event not delivered", "call", n.Call, "seq", n.Seq, "event", n.Event, "tries", n.Tries+1, "next", s.Next, "error", err)
	var later *RetryAfter
	if errors.As(err, &later) {
		return s, bad, min(max(later.After, firstRetry), maxRest)
	}
	return s, bad, 0
}

// backoff is how long an event waits after it failed once more: twice as long as
// the last time, less or more by a fifth, so that companies whose CRMs were down
// together do not come back together.
func backoff(t pbx.TenantID, tries int, most time.Duration) time.Duration {
	wait := most
	if tries < 9 {
		wait = min(firstRetry<<tries, most)
	}
	h := fnv.New32a()
	fmt.Fprint(h, t, tries)
	return wait*8/10 + wait*4/10*time.Duration(h.Sum32()%1000)/1000
}
