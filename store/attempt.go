package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"vpbx/pbx"
)

// BeginAttempt takes a target out of waiting and keeps the attempt, all at once, if the
// bounds of g hold in that moment, the number is on no stop list and no campaign of the
// company dials it; otherwise it tells why not, and nothing is changed. The error is a
// Conflict when the target is not to be called now: the campaign does not run, the target
// does not wait, is not due or had another attempt meanwhile. The same attempt begun again
// is granted again, so that whoever lost the answer can ask for it.
func (s *Store) BeginAttempt(ctx context.Context, t pbx.TenantID, a pbx.Attempt, g pbx.AttemptGuard) (pbx.HoldReason, error) {
	if t == "" || a.Campaign == "" || a.Call == "" {
		return "", &pbx.Error{Kind: pbx.Invalid, Msg: "an attempt without company, campaign or call"}
	}
	if a.Tenant != t {
		return "", mismatch("the attempt")
	}
	body, err := json.Marshal(a)
	if err != nil {
		return "", fmt.Errorf("encode an attempt to target %d: %w", a.Target, err)
	}
	var held pbx.HoldReason
	err = s.writer.do(ctx, func(tx *txn) error {
		held = ""
		r, begun, err := tx.callable(t, a)
		if err != nil || begun {
			return err
		}
		if held, err = tx.held(t, a, g, &r.Target); err != nil || held != "" {
			return err
		}
		return tx.beginAttempt(t, a, &r, string(body))
	})
	if err != nil {
		return "", fmt.Errorf("begin attempt %d to target %d of campaign %s of company %s: %w", a.N, a.Target, a.Campaign, t, err)
	}
	return held, nil
}

// callable gives the target of an attempt if it is to be called now, a Conflict error
// otherwise. begun tells that this very attempt goes on already.
func (t *txn) callable(tenant pbx.TenantID, a pbx.Attempt) (r targetRow, begun bool, err error) {
	r, found, err := t.target(tenant, a.Campaign, a.Target)
	if err != nil {
		return r, false, err
	}
	if !found {
		return r, false, &pbx.Error{Kind: pbx.NotFound, Msg: "no such target"}
	}
	if r.State == pbx.TargetDialling {
		err = t.query(func(*sql.Rows) error { begun = true; return nil },
			`SELECT 1 FROM attempts WHERE tenant = $1 AND campaign = $2 AND target = $3 AND n = $4 AND call = $5 AND number = $6 AND ended = 0`,
			string(tenant), a.Campaign, a.Target, a.N, string(a.Call), a.Number)
		if err != nil || begun {
			return r, begun, err
		}
	}
	status, err := t.campaignStatus(tenant, a.Campaign)
	switch {
	case err != nil:
		return r, false, err
	case status != pbx.CampaignRunning:
		return r, false, &pbx.Error{Kind: pbx.Conflict, Msg: "the campaign does not run"}
	case r.State != pbx.TargetWaiting:
		return r, false, &pbx.Error{Kind: pbx.Conflict, Msg: "the target is " + string(r.State) + " and does not wait"}
	case r.Next.After(a.Began):
		return r, false, &pbx.Error{Kind: pbx.Conflict, Msg: "the target is not due yet"}
	case a.N != r.Attempts+1:
		return r, false, &pbx.Error{Kind: pbx.Conflict, Msg: fmt.Sprintf("the target had %d attempts", r.Attempts)}
	case !slices.Contains(r.Numbers, a.Number):
		return r, false, &pbx.Error{Kind: pbx.Invalid, Field: "number", Msg: "the target has no such number"}
	}
	return r, false, nil
}

// held tells what forbids an attempt to a target in this moment, "" when nothing does.
func (t *txn) held(tenant pbx.TenantID, a pbx.Attempt, g pbx.AttemptGuard, r *pbx.Target) (pbx.HoldReason, error) {
	stopped, err := t.stopped(tenant, a.Campaign, r.Numbers)
	switch {
	case err != nil:
		return "", err
	case stopped:
		return pbx.HeldStopList, nil
	case r.Attempts >= g.Attempts:
		return pbx.HeldAttempts, nil
	}
	if g.Spacing > 0 {
		last := int64(math.MinInt64)
		err := t.query(func(rows *sql.Rows) error { return rows.Scan(&last) },
			`SELECT began FROM attempts WHERE tenant = $1 AND campaign = $2 AND target = $3 ORDER BY n DESC LIMIT 1`, string(tenant), a.Campaign, a.Target)
		if err != nil {
			return "", err
		}
		if last != math.MinInt64 && fromMicros(last).Add(g.Spacing).After(a.Began) {
			return pbx.HeldSpacing, nil
		}
	}
	return t.heldByContacts(tenant, a, g, r)
}

// heldByContacts does so for what the attempts to the target's numbers say.
func (t *txn) heldByContacts(tenant pbx.TenantID, a pbx.Attempt, g pbx.AttemptGuard, r *pbx.Target) (pbx.HoldReason, error) {
	reached := make([]int, len(g.Limits))
	perNumber, dialled := 0, false
	since := int64(math.MaxInt64)
	for _, l := range g.Limits {
		since = min(since, micros(l.Since))
	}
	seen := int64(math.MaxInt64)
	if !g.Seen.IsZero() {
		seen = micros(g.Seen)
	}
	for _, number := range r.Numbers {
		from := since
		if number == a.Number || !g.Seen.IsZero() {
			from = math.MinInt64
		}
		err := t.query(func(rows *sql.Rows) error {
			var campaign string
			var c pbx.Contacted
			var began, ended int64
			if err := rows.Scan(&campaign, &began, &ended, &c.Kind, &c.Mode, &c.Outcome); err != nil {
				return err
			}
			c.At = fromMicros(began)
			dialled = dialled || began >= seen || ended >= seen || ended == 0 && !g.Seen.IsZero()
			if number == a.Number {
				dialled = dialled || ended == 0
				if campaign == a.Campaign {
					perNumber++
				}
			}
			for i, l := range g.Limits {
				if counts(l, c) {
					reached[i]++
				}
			}
			return nil
		}, `SELECT campaign, began, ended, kind, mode, outcome FROM attempts WHERE tenant = $1 AND number = $2 AND began >= $3`,
			string(tenant), number, from)
		if err != nil {
			return "", err
		}
	}
	switch {
	case dialled:
		return pbx.HeldDialled, nil
	case perNumber >= g.PerNumber:
		return pbx.HeldNumber, nil
	}
	for i, l := range g.Limits {
		if reached[i] >= l.Max {
			return l.Reason, nil
		}
	}
	return "", nil
}

// counts tells whether an attempt counts for a limit. One that goes on may still become
// either; a message that led to an operator was a call too.
func counts(l pbx.ContactLimit, c pbx.Contacted) bool {
	if l.Kind != "" && l.Kind != c.Kind || c.At.Before(l.Since) || !c.Outcome.Reached() {
		return false
	}
	if l.Message {
		return c.Outcome == "" || !c.Mode.OperatorMode()
	}
	return c.Outcome == "" || c.Mode.OperatorMode() || c.Outcome == pbx.AttemptConnected
}

// beginAttempt writes that a target is dialled.
func (t *txn) beginAttempt(tenant pbx.TenantID, a pbx.Attempt, r *targetRow, body string) error {
	counts, was := tally{}, classOf(&r.Target)
	r.State, r.Reason, r.Updated = pbx.TargetDialling, "", a.Began
	r.Attempts++
	if err := t.putTarget(tenant, a.Campaign, r, was, counts); err != nil {
		return err
	}
	if err := t.addCounts(tenant, a.Campaign, counts); err != nil {
		return err
	}
	_, err := t.exec(`INSERT INTO attempts (tenant, campaign, target, n, number, call, kind, mode, began, body)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		string(tenant), a.Campaign, a.Target, a.N, a.Number, string(a.Call), string(a.Kind), string(a.Mode), micros(a.Began), body)
	return err
}

// SettleAttempt keeps what an attempt came to, what becomes of its target, the number that
// is not to be called any more and what the company's CRM is told, all at once. The second
// time it changes nothing. A target that would wait again, or for a person, is removed
// when somebody took it out meanwhile; one that would wait again is skipped when it is on
// a stop list, and expires when its campaign is over. An attempt that is withdrawn is
// forgotten; to forget it again is a NotFound error, as for one that never was.
func (s *Store) SettleAttempt(ctx context.Context, t pbx.TenantID, e pbx.Settlement) error {
	a := e.Attempt
	if a.Tenant != t {
		return mismatch("the attempt")
	}
	if e.Target.State == "" || e.Target.State == pbx.TargetDialling || !e.Withdrawn && (a.Ended == nil || a.Outcome == "") {
		return &pbx.Error{Kind: pbx.Invalid, Msg: "an attempt is settled that goes on"}
	}
	over, err := endOf(a)
	if err != nil {
		return fmt.Errorf("encode attempt %d to target %d: %w", a.N, a.Target, err)
	}
	err = s.writer.do(ctx, func(tx *txn) error {
		ended, err := tx.endAttempt(t, a, over, e.Withdrawn)
		if err != nil || !ended {
			return err
		}
		if e.Stop != nil && !e.Withdrawn {
			if _, err := s.addStop(tx, t, *e.Stop, *a.Ended); err != nil {
				return err
			}
		}
		return s.settleTarget(tx, t, e)
	})
	if err != nil {
		return fmt.Errorf("settle attempt %d to target %d of campaign %s of company %s: %w", a.N, a.Target, a.Campaign, t, err)
	}
	return nil
}

// ending is the columns of an attempt that is over.
type ending struct {
	talk, waited  int64
	opted         int
	answerer      string
	answers, body string
}

func endOf(a pbx.Attempt) (ending, error) {
	a.Talk = number(a.Talk)
	e := ending{talk: secondsToMicros(a.Talk), waited: -1}
	if a.Result != nil {
		result := *a.Result
		e.answerer = column(result.Answerer)
		for _, f := range []**float64{&result.Connected, &result.Sorry} {
			if *f != nil {
				clean := number(**f)
				*f = &clean
			}
		}
		if result.Connected != nil {
			e.waited = secondsToMicros(*result.Connected)
		}
		if result.OptedOut {
			e.opted = 1
		}
		if len(result.Answers) > 0 {
			text, err := json.Marshal(result.Answers)
			if err != nil {
				return ending{}, err
			}
			e.answers = string(text)
		}
		a.Result = &result
	}
	body, err := json.Marshal(a)
	e.body = string(body)
	return e, err
}

// secondsToMicros keeps sums exact, whatever their order.
func secondsToMicros(seconds float64) int64 { return int64(math.Round(seconds * 1e6)) }

// endAttempt writes the end of an attempt that goes on, or takes it back. It is false when
// it was over before, and a NotFound error when there is no such attempt.
func (t *txn) endAttempt(tenant pbx.TenantID, a pbx.Attempt, e ending, withdrawn bool) (bool, error) {
	const this = ` WHERE tenant = $1 AND campaign = $2 AND target = $3 AND n = $4 AND call = $5`
	id := []any{string(tenant), a.Campaign, a.Target, a.N, string(a.Call)}
	var n int64
	var err error
	if withdrawn {
		n, err = t.exec(`DELETE FROM attempts`+this+` AND ended = 0`, id...)
	} else {
		n, err = t.exec(`UPDATE attempts SET ended = $6, outcome = $7, answerer = $8, talk = $9, waited = $10, opted = $11, answers = $12, body = $13`+
			this+` AND ended = 0`, append(id, max(1, micros(*a.Ended)), string(a.Outcome), e.answerer, e.talk, e.waited, e.opted, e.answers, e.body)...)
	}
	if err == nil && n > 0 && !withdrawn {
		err = t.addHour(tenant, a, e)
	}
	if err != nil || n > 0 {
		return n > 0, err
	}
	known := false
	err = t.query(func(*sql.Rows) error { known = true; return nil }, `SELECT 1 FROM attempts`+this, id...)
	if err == nil && !known {
		return false, &pbx.Error{Kind: pbx.NotFound, Msg: "no such attempt"}
	}
	return false, err
}

// settleTarget writes what becomes of a target whose attempt is over.
func (s *Store) settleTarget(tx *txn, t pbx.TenantID, e pbx.Settlement) error {
	a := e.Attempt
	r, found, err := tx.target(t, a.Campaign, a.Target)
	if err != nil || !found {
		return err
	}
	was, removed := classOf(&r.Target), r.leaving
	r.State, r.Reason, r.Next, r.Turn, r.Operator = e.Target.State, e.Target.Reason, e.Target.Next, e.Target.Turn, e.Target.Operator
	r.Tried, r.Came, r.Dead = e.Target.Tried, e.Target.Came, e.Target.Dead
	r.leaving = false
	if e.Withdrawn {
		r.Attempts, r.Updated = max(0, r.Attempts-1), time.Now()
	} else {
		r.Outcome, r.Updated = a.Outcome, *a.Ended
	}
	if removed && (r.State == pbx.TargetWaiting || r.State == pbx.TargetInterrupted) {
		r.State, r.Reason = pbx.TargetRemoved, ""
	}
	if r.State == pbx.TargetWaiting {
		if err := tx.mayWait(t, a.Campaign, &r.Target); err != nil {
			return err
		}
	}
	counts := tally{}
	if err := tx.putTarget(t, a.Campaign, &r, was, counts); err != nil {
		return err
	}
	if err := tx.addCounts(t, a.Campaign, counts); err != nil {
		return err
	}
	notice := e.Notify
	if notice == nil && r.State != e.Target.State { // it is over though its runner thought that it waits
		notice = &pbx.Notification{At: r.Updated, Target: &pbx.TargetNotice{Campaign: a.Campaign, Last: a.Result, Call: a.Call}}
	}
	return s.tellTarget(tx, t, &r.Target, notice)
}

// mayWait skips a target that is about to wait and is on a stop list, and ends one whose
// campaign is over.
func (t *txn) mayWait(tenant pbx.TenantID, campaign string, r *pbx.Target) error {
	stopped, err := t.stopped(tenant, campaign, r.Numbers)
	if err != nil {
		return err
	}
	if stopped {
		r.State, r.Reason = pbx.TargetSkipped, pbx.HeldStopList
		return nil
	}
	status, err := t.campaignStatus(tenant, campaign)
	if err == nil && status.Over() {
		r.State = pbx.TargetExpired
	}
	return err
}
