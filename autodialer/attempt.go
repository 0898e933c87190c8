package autodialer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"vpbx/pbx"
)

const (
	withdrawnWait = 10 * time.Second // after an attempt for which no call could be begun
	settleLeast   = time.Second      // between two tries to settle an attempt, growing
	settleMost    = 30 * time.Second
)

// ended is what came of an attempt.
type ended struct {
	key
	target  int64
	trunk   string
	attempt pbx.Attempt // zero: it was not begun
	cdr     pbx.CDR
	fault   bool // of a trunk
	ours    bool // nothing could be said, or asked for, as the company has set it
	unsure  bool // the store has another idea of what is to be called
	told    *pbx.TargetNotice
	err     error
}

// attempt makes one attempt, from its beginning in the store to its settlement. It runs
// beside the loop.
func (r *Runner) attempt(k key, s *pbx.Campaign, c candidate, call pbx.CallID, trunk string, limits []pbx.ContactLimit) {
	e := r.make(k, s, c, call, limits)
	e.key, e.target, e.trunk = k, c.target.ID, trunk
	r.calls.Delete(call)
	r.tell(e)
}

func (r *Runner) make(k key, s *pbx.Campaign, c candidate, id pbx.CallID, limits []pbx.ContactLimit) ended {
	at, t := time.Now(), c.target
	a := pbx.Attempt{Tenant: k.tenant, Campaign: k.name, Target: t.ID, N: t.Attempts + 1, Number: c.number, Call: id,
		Kind: s.Kind, Mode: s.Mode, Began: at}
	caller, _ := s.CallerFor(c.number)
	held, err := r.begin(k, s, a, t.Came[pbx.AttemptMissed], limits, c.read)
	switch {
	case pbx.KindOf(err) == pbx.Conflict || pbx.KindOf(err) == pbx.NotFound:
		return ended{unsure: true} // it is not there to be called any more
	case err != nil: // it may be kept all the same
		if lost := r.takeBack(t, a); lost != nil {
			err = lost
		}
		return ended{err: fmt.Errorf("begin attempt: %w", err)}
	}
	if held != pbx.HeldWaits {
		return ended{err: r.refused(k, s, c, held)}
	}
	call := pbx.CampaignCall{Attempt: a, Settings: s, Key: t.Key, Name: t.Name, Variables: t.Variables, Caller: caller, Operator: t.Operator}
	cdr, err := r.Dialer.Dial(r.ctx, call)
	switch kind := pbx.KindOf(err); {
	case kind == pbx.Invalid || kind == pbx.NotFound: // it would be no better the next time
		r.Log.Error("attempt without a call", "tenant", k.tenant, "campaign", k.name, "target", t.ID, "error", err)
		e := r.conclude(k, s, t, a, pbx.CDR{Ended: time.Now(), Campaign: &pbx.InCampaign{Outcome: pbx.AttemptFailed}})
		e.ours, e.cdr.Cause.Text.EN = true, err.Error()
		return e
	case err != nil:
		r.Log.Debug("attempt taken back", "tenant", k.tenant, "campaign", k.name, "target", t.ID, "error", err)
		return ended{err: r.takeBack(t, a)}
	}
	return r.conclude(k, s, t, a, cdr)
}

// takeBack forgets an attempt for which no call was begun, and lets its target wait again.
func (r *Runner) takeBack(t pbx.Target, a pbx.Attempt) error {
	t.State, t.Next = pbx.TargetWaiting, time.Now().Add(withdrawnWait)
	return r.settled(pbx.Settlement{Attempt: a, Target: t, Withdrawn: true})
}

// begin asks the store for leave to dial. Attempts that operators missed dialled nobody.
func (r *Runner) begin(k key, s *pbx.Campaign, a pbx.Attempt, missed int, limits []pbx.ContactLimit, read time.Time) (pbx.HoldReason, error) {
	ctx, cancel := r.bounded()
	defer cancel()
	return r.Store.BeginAttempt(ctx, k.tenant, a, pbx.AttemptGuard{Attempts: s.Redial.Attempts + missed, PerNumber: s.Redial.PerNumber + missed,
		Spacing: s.Redial.Spacing, Limits: limits, Seen: read})
}

// refused writes down why the store has not given leave, so that the target is not read
// again at once.
func (r *Runner) refused(k key, s *pbx.Campaign, c candidate, held pbx.HoldReason) error {
	d := pbx.Deferral{Target: c.target.ID, State: pbx.TargetWaiting, Reason: held, Next: time.Now().Add(withdrawnWait)}
	switch held {
	case pbx.HeldStopList, pbx.HeldNoConsent:
		d.State = pbx.TargetSkipped
	case pbx.HeldAttempts, pbx.HeldNumber:
		d.State = pbx.TargetExhausted
	case pbx.HeldSpacing:
		d.Next = time.Now().Add(s.Redial.Spacing)
	case pbx.HeldDebtDay, pbx.HeldDebtWeek, pbx.HeldDebtMonth:
		d.Next = time.Now().Add(time.Minute) // by then the law's reader sees the other campaign's attempt
	}
	ctx, cancel := r.bounded()
	defer cancel()
	return r.deferAll(ctx, k, []pbx.Deferral{d})
}

// conclude settles an attempt by the record of its call.
func (r *Runner) conclude(k key, s *pbx.Campaign, t pbx.Target, a pbx.Attempt, cdr pbx.CDR) ended {
	settlement := conclusion(s, t, a, cdr, time.Now())
	e := ended{attempt: settlement.Attempt, cdr: cdr, fault: trunkFault(settlement.Attempt.Outcome, cdr), ours: ourFault(settlement.Attempt.Outcome, cdr)}
	e.err = r.settled(settlement)
	if e.err == nil {
		r.metrics.attempts.WithLabelValues(string(settlement.Attempt.Outcome)).Inc()
		e.told = &pbx.TargetNotice{Campaign: k.name, Target: settlement.Target, Last: settlement.Attempt.Result, Call: a.Call}
	}
	return e
}

// conclusion is what is written of an attempt whose call has that record. A record without a
// campaign, or none, is that of a call whose process died.
func conclusion(s *pbx.Campaign, t pbx.Target, a pbx.Attempt, cdr pbx.CDR, at time.Time) pbx.Settlement {
	a.Outcome = pbx.AttemptInterrupted
	if cdr.Campaign != nil {
		result := *cdr.Campaign
		a.Result, a.Outcome = &result, result.Outcome
	}
	if cdr.ID != "" {
		at, a.Talk = cdr.Ended, cdr.Talk
	}
	if cdr.Cause.Reason != "" {
		cause := cdr.Cause.Cause
		a.Cause = &cause
	}
	a.Ended = &at
	t = after(s, t, a, at)
	x := pbx.Settlement{Attempt: a, Target: t}
	switch {
	case a.Result != nil && a.Result.OptedOut:
		x.Stop = &pbx.Stop{Number: a.Number, Source: "key", Note: "campaign " + a.Campaign, At: at}
	case a.Outcome == pbx.AttemptRefused:
		x.Stop = &pbx.Stop{Number: a.Number, Source: "carrier", Note: "its subscriber has refused mass calls", At: at}
	}
	if t.State.Over() {
		x.Notify = &pbx.Notification{Seq: 1, Kind: pbx.NotifyTarget, At: at, Target: &pbx.TargetNotice{Campaign: a.Campaign, Target: t, Last: a.Result, Call: a.Call}}
	}
	return x
}

// settled keeps a settlement. While the store fails it tries again, until the runner is
// closed: then the attempt is settled at the next start, by the record of its call.
func (r *Runner) settled(s pbx.Settlement) error {
	for wait := settleLeast; ; wait = min(2*wait, settleMost) {
		ctx, cancel := r.bounded()
		err := r.Store.SettleAttempt(ctx, s.Attempt.Tenant, s)
		cancel()
		if err == nil || pbx.KindOf(err) == pbx.NotFound {
			return nil // the company was removed
		}
		r.Log.Error("attempt not settled", "tenant", s.Attempt.Tenant, "campaign", s.Attempt.Campaign, "call", s.Attempt.Call, "error", err)
		select {
		case <-time.After(wait):
		case <-r.ctx.Done():
			return err
		}
	}
}

// settle is conclude for an attempt that a dead process left.
func (r *Runner) settle(ctx context.Context, a pbx.Attempt, cdr pbx.CDR) error {
	t, err := r.Store.Target(ctx, a.Tenant, a.Campaign, a.Target)
	if err != nil {
		return err
	}
	_, s := r.settings(key{a.Tenant, a.Campaign})
	if s == nil {
		if state, err := r.Store.CampaignState(ctx, a.Tenant, a.Campaign); err == nil && state.Settings != nil {
			s = state.Settings
		} else {
			s = &pbx.Campaign{Name: a.Campaign}
		}
	}
	x := conclusion(s, t, a, cdr, time.Now())
	if err := r.Store.SettleAttempt(ctx, a.Tenant, x); err != nil {
		return err
	}
	r.metrics.attempts.WithLabelValues(string(x.Attempt.Outcome)).Inc()
	return nil
}

// trunkFault tells whether it was a trunk's fault that nobody was reached, and no limit of
// our own.
func trunkFault(o pbx.AttemptOutcome, cdr pbx.CDR) bool {
	if cdr.Cause.Party == pbx.PartyPBX {
		return false
	}
	return o == pbx.AttemptCongestion || o == pbx.AttemptFailed && (cdr.Cause.Party == pbx.PartyTrunk || cdr.Cause.Reason == pbx.NoReply)
}

// ourFault tells whether it was that of the company's settings, or of the program: a prompt
// without sound, no way to the number. The next call would fail as well.
func ourFault(o pbx.AttemptOutcome, cdr pbx.CDR) bool {
	return o == pbx.AttemptFailed && cdr.Cause.Party == pbx.PartyPBX
}

// over takes note that an attempt is over.
func (r *Runner) over(e ended) {
	if e.told != nil {
		r.Publish(e.tenant, "campaign.target", *e.told)
	}
	x := r.runs[e.key]
	if x == nil {
		return
	}
	at := time.Now()
	d := x.open[e.target]
	delete(x.open, e.target)
	x.dirty = true
	r.limits.Done(at, e.id(), e.trunk, e.fault)
	r.learnt(x, d, e, at)
	switch {
	case errors.Is(e.err, context.Canceled):
	case e.err != nil:
		r.Log.Error("campaign holds", "tenant", e.tenant, "campaign", e.name, "for", retryStore, "error", e.err)
		x.holdUntil = at.Add(retryStore)
	case e.attempt.Call == "": // it was not begun
	case e.fault || e.ours:
		where := "here"
		if e.fault {
			where = "at its trunks"
		}
		if x.faults++; x.faults >= maxFaults && x.state.Status == pbx.CampaignRunning && !x.changing {
			r.ordered(order{key: e.key, do: toPause, alert: fmt.Sprintf("%d calls in a row failed %s, the last by: %s", x.faults, where, e.cdr.Cause.Text.EN)})
		}
	default:
		x.faults = 0
	}
	x.unsure = x.unsure || e.unsure
	if soon := at.Add(betweenFeed); x.feedAt.After(soon) { // it may wait for another attempt, or have been the last
		x.feedAt = soon
	}
}
