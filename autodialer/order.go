package autodialer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"vpbx/pbx"
)

// verb is what is to become of a campaign.
type verb string

const (
	toStart  verb = "start"
	toPause  verb = "pause"
	toResume verb = "resume"
	toCancel verb = "cancel"
	toFinish verb = "finish" // all are called, or its time is over: the runner's own word
	toLook   verb = "look"   // what it is by what is kept: likewise
	toCheck  verb = "check"  // whether it may run as it is set now: likewise
)

// order asks loop to change what a campaign does.
type order struct {
	key
	do    verb
	by    string
	alert string          // why, where nobody has asked for it
	late  bool            // toFinish: its time is over
	reply chan<- ordering // has room for one; nil: nobody waits
}

// ordering is what came of an order.
type ordering struct {
	state pbx.CampaignState
	err   error
}

// saved is a change of state that is kept, or was refused.
type saved struct {
	order
	ordering
	company *pbx.Company // with whose settings it was checked
}

// StartCampaign starts a campaign, for by, who asks for it. It is refused with the reasons
// when the campaign is not complete or the law forbids it.
func (r *Runner) StartCampaign(ctx context.Context, t pbx.TenantID, name, by string) (pbx.CampaignState, error) {
	return r.order(ctx, order{key: key{t, name}, do: toStart, by: by})
}

// PauseCampaign lets a campaign dial nobody until it is resumed. Calls go on.
func (r *Runner) PauseCampaign(ctx context.Context, t pbx.TenantID, name, by string) (pbx.CampaignState, error) {
	return r.order(ctx, order{key: key{t, name}, do: toPause, by: by})
}

// ResumeCampaign lets a paused campaign go on, on the conditions of its start.
func (r *Runner) ResumeCampaign(ctx context.Context, t pbx.TenantID, name, by string) (pbx.CampaignState, error) {
	return r.order(ctx, order{key: key{t, name}, do: toResume, by: by})
}

// CancelCampaign ends a campaign for good. Calls go on to their ends; whoever waits to be
// called is not.
func (r *Runner) CancelCampaign(ctx context.Context, t pbx.TenantID, name, by string) (pbx.CampaignState, error) {
	return r.order(ctx, order{key: key{t, name}, do: toCancel, by: by})
}

func (r *Runner) order(ctx context.Context, o order) (pbx.CampaignState, error) {
	reply := make(chan ordering, 1)
	o.reply = reply
	select {
	case r.mail <- o:
	case <-r.gone:
		return pbx.CampaignState{}, errClosed
	case <-ctx.Done():
		return pbx.CampaignState{}, ctx.Err()
	}
	select {
	case a := <-reply:
		return a.state, a.err
	case <-r.gone:
		return pbx.CampaignState{}, errClosed
	case <-ctx.Done():
		return pbx.CampaignState{}, ctx.Err()
	}
}

// ordered carries an order out beside the loop, one of a campaign at a time.
func (r *Runner) ordered(o order) {
	x := r.runs[o.key]
	if x == nil { // it does not run so far
		x = newRun(pbx.CampaignState{Tenant: o.tenant, Campaign: o.name})
		r.runs[o.key] = x
	}
	if x.changing {
		if len(x.orders) >= maxOrders {
			o.answer(ordering{err: &pbx.Error{Kind: pbx.Limit, Msg: "too many orders wait for this campaign"}})
			return
		}
		x.orders = append(x.orders, o)
		return
	}
	x.changing = true
	if !r.aside(func() { r.tell(r.change(o)) }) {
		o.answer(ordering{err: errClosed})
	}
}

func (o order) answer(a ordering) {
	if o.reply != nil {
		o.reply <- a
	}
}

// change checks an order and keeps what it makes of the campaign.
func (r *Runner) change(o order) saved {
	ctx, cancel := r.bounded()
	defer cancel()
	s, err := r.state(ctx, o.key)
	if err != nil {
		return saved{order: o, ordering: ordering{err: err}}
	}
	company, settings := r.settings(o.key)
	switch {
	case o.do == toLook:
		return saved{o, ordering{s, nil}, nil}
	case o.do == toCheck && (settings == nil || s.Status != pbx.CampaignRunning): // it does not run any more, or not for long
		return saved{o, ordering{s, nil}, company}
	case o.do == toCheck:
		return saved{o, ordering{s, r.fits(ctx, company, settings, time.Now(), s.Status)}, company}
	}
	kept := s
	next, err := o.next(s)
	switch {
	case err != nil:
	case next == pbx.CampaignRunning:
		err = r.mayRun(ctx, company, settings, s)
	}
	if err != nil {
		return saved{order: o, ordering: ordering{s, err}}
	}
	now := time.Now()
	s.Status, s.Alert, s.By, s.Updated, s.Version = next, o.alert, o.by, now, s.Version+1
	if settings != nil {
		s.Settings = settings
	}
	switch {
	case next == pbx.CampaignRunning:
		if s.Started == nil {
			s.Started = &now
		}
		s.Resumed, s.Ended = &now, nil
	case next.Over():
		s.Ended = &now
	}
	save := r.Store.SaveCampaign
	if o.do == toFinish && !o.late {
		save = r.Store.FinishCampaign
	}
	switch err := save(ctx, o.tenant, s); {
	case err != nil && pbx.KindOf(err) == pbx.Conflict:
		return saved{order: o, ordering: ordering{kept, errMore}}
	case err != nil:
		return saved{order: o, ordering: ordering{kept, fmt.Errorf("%s campaign %s: %w", o.do, o.name, err)}}
	}
	return saved{o, ordering{s, nil}, company}
}

// errMore refuses to finish a campaign to which somebody was added meanwhile.
var errMore = &pbx.Error{Kind: pbx.Conflict, Msg: "targets of the campaign wait to be called"}

// decided tells whether an order was refused, rather than not carried out.
func decided(err error) bool {
	switch pbx.KindOf(err) {
	case pbx.Conflict, pbx.Invalid, pbx.NotFound, pbx.Limit:
		return true
	}
	return false
}

// next is the status that an order leads to.
func (o order) next(s pbx.CampaignState) (pbx.CampaignStatus, error) {
	is := func(list ...pbx.CampaignStatus) bool {
		for _, x := range list {
			if s.Status == x {
				return true
			}
		}
		return false
	}
	switch {
	case o.do == toStart && is(pbx.CampaignDraft, pbx.CampaignReady, pbx.CampaignFinished),
		o.do == toResume && is(pbx.CampaignPaused):
		return pbx.CampaignRunning, nil
	case o.do == toPause && is(pbx.CampaignRunning):
		return pbx.CampaignPaused, nil
	case o.do == toPause && o.alert != "" && is(pbx.CampaignDraft, pbx.CampaignReady): // it should have started by itself
		return pbx.CampaignPaused, nil
	case o.do == toCancel && is(pbx.CampaignDraft, pbx.CampaignReady, pbx.CampaignRunning, pbx.CampaignPaused):
		return pbx.CampaignCancelled, nil
	case o.do == toFinish && is(pbx.CampaignRunning):
		return pbx.CampaignFinished, nil
	}
	return "", &pbx.Error{Kind: pbx.Conflict, Msg: fmt.Sprintf("a campaign that is %s cannot be told to %s", s.Status, o.do)}
}

// changed takes over a change that is kept.
func (r *Runner) changed(m saved) {
	x := r.runs[m.key]
	x.changing = false
	switch {
	case m.err == nil && m.do == toLook:
		r.looked(m, x)
	case m.err == nil && m.do == toCheck:
		x.fits = m.company
	case m.err == nil:
		x.fits = m.company
		r.take(m.key, m.state)
		r.Log.Info("campaign "+string(m.state.Status), "tenant", m.tenant, "campaign", m.name, "by", m.by, "alert", m.alert)
		told := m.state
		told.Settings = nil // watchers ask for them where they want them
		r.Publish(m.tenant, "campaign."+string(told.Status), told)
		if m.alert != "" {
			r.metrics.paused.Inc()
		}
		if m.state.Status == pbx.CampaignCancelled || m.late {
			r.aside(func() { r.expire(m.key) })
		}
	default:
		r.refusedOrder(m, x)
	}
	m.answer(m.ordering)
	if len(x.orders) > 0 {
		o := x.orders[0]
		x.orders = x.orders[1:]
		r.ordered(o)
	}
}

// looked takes over what is kept of a campaign, where that is not what was thought.
func (r *Runner) looked(m saved, x *run) {
	x.unsure = false
	if m.state.Version != x.state.Version || m.state.Status != x.state.Status {
		if x.state.Status != "" { // else nothing was thought of it
			r.Log.Warn("campaign was "+string(m.state.Status)+" already", "tenant", m.tenant, "campaign", m.name)
		}
		r.take(m.key, m.state)
	}
}

// refusedOrder does what follows when an order was not carried out.
func (r *Runner) refusedOrder(m saved, x *run) {
	at := time.Now()
	switch {
	case m.do == toLook && pbx.KindOf(m.err) == pbx.NotFound: // the company was made anew
		x.unsure = false
		r.take(m.key, pbx.CampaignState{Tenant: m.tenant, Campaign: m.name, Status: pbx.CampaignDraft})
		return
	case errors.Is(m.err, errMore):
		x.feedAt = at.Add(time.Second)
		return
	case m.do == toStart && m.by == schedule && m.state.Status != pbx.CampaignDraft && m.state.Status != pbx.CampaignReady && decided(m.err):
		return // somebody was faster
	case m.do == toCheck && decided(m.err):
		x.orders = append(x.orders, order{key: m.key, do: toPause, alert: "its settings have changed, and it may not run with them: " + m.err.Error()})
		return
	}
	x.unsure = pbx.KindOf(m.err) != pbx.NotFound // it may be kept all the same
	if x.unsure && !decided(m.err) {
		x.holdUntil = at.Add(retryStore)
	}
	if m.reply != nil {
		return
	}
	r.Log.Error("campaign not changed", "tenant", m.tenant, "campaign", m.name, "to", m.do, "error", m.err)
	x.holdUntil = at.Add(retryStore)
	switch {
	case m.by == schedule && !decided(m.err):
		r.startLater(m.key, at)
	case m.do == toStart: // whoever has set its start wants to know
		x.orders = append(x.orders, order{key: m.key, do: toPause, by: m.by, alert: "it could not start by itself: " + m.err.Error()})
	}
}

// schedule stands for whoever has set the start of a campaign.
const schedule = "schedule"

// startAgain asks for the start of a campaign that could not be looked at.
type startAgain struct{ key }

// startLater tries the start of a campaign anew when the store may be back.
func (r *Runner) startLater(k key, at time.Time) {
	r.planned[k] = at.Add(retryStore)
	r.planAt = time.Time{}
}

// take makes a campaign do what its state says.
func (r *Runner) take(k key, s pbx.CampaignState) {
	x := r.runs[k]
	if x == nil {
		x = newRun(s)
		r.runs[k] = x
	}
	resumed := s.Status == pbx.CampaignRunning && x.state.Status != pbx.CampaignRunning
	x.state = s
	if s.Status != pbx.CampaignRunning {
		x.waiting = nil
	}
	if resumed {
		x.began = time.Now()
		x.faults, x.trunkDown, x.feedAt, x.holdUntil = 0, time.Time{}, time.Time{}, time.Time{}
		r.limits.Start(x.began, k.id())
	}
}

// expire ends the targets that still wait for a campaign that is over.
func (r *Runner) expire(k key) {
	for wait := settleLeast; ; {
		ctx, cancel := r.bounded()
		n, err := r.Store.ExpireTargets(ctx, k.tenant, k.name, time.Now())
		cancel()
		if err == nil && n == 0 || r.ctx.Err() != nil {
			return // when it is closed the next start of the process takes it up
		}
		if err == nil {
			wait = settleLeast
			continue
		}
		r.Log.Error("targets of a campaign that is over still wait", "tenant", k.tenant, "campaign", k.name, "error", err)
		select {
		case <-time.After(wait):
		case <-r.ctx.Done():
		}
		wait = min(2*wait, settleMost)
	}
}

// plan orders the start of campaigns whose time has come, and gives when the next one's
// comes.
func (r *Runner) plan(at time.Time) time.Time {
	if d := r.Directory(); d != r.directory {
		r.directory, r.planAt = d, time.Time{}
		clear(r.planned)
		for _, c := range d.Companies() {
			for name, s := range c.Campaigns {
				if !s.Start.IsZero() {
					r.planned[key{c.ID, name}] = s.Start
				}
			}
		}
	}
	if r.drained {
		return time.Time{}
	}
	if at.Before(r.planAt) {
		return r.planAt
	}
	next := at.Add(planEvery)
	for k, start := range r.planned {
		if start.After(at) {
			next = earliest(next, start)
			continue
		}
		delete(r.planned, k)
		r.aside(func() { r.startPlanned(k) })
	}
	r.planAt = next
	return next
}

// startPlanned starts a campaign whose time has come, unless it was started, cancelled or
// has ended before.
func (r *Runner) startPlanned(k key) {
	ctx, cancel := r.bounded()
	defer cancel()
	s, err := r.state(ctx, k)
	switch {
	case err != nil:
		r.Log.Error("campaign not started", "tenant", k.tenant, "campaign", k.name, "error", err)
		if !decided(err) {
			r.tell(startAgain{k})
		}
	case s.Status == pbx.CampaignDraft || s.Status == pbx.CampaignReady:
		r.tell(order{key: k, do: toStart, by: schedule})
	}
}
