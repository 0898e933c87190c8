// Package autodialer runs campaigns: it calls the targets of each, one attempt at a
// time for each target, at the hours and as fast as the campaign, the law and the
// operators allow, and keeps what came of it.
//
// What it is not: it does not know SIP, sound or calls, which a [Dialer] makes, nor SQL,
// which a [Store] has. How fast is decided by autodialer/pace, whether a target may be
// called by autodialer/law; both are pure.
//
// Who owns which goroutine: [Runner] has one goroutine that owns all running campaigns
// and waits in one place. Beside it, each running campaign has at most one reader of the
// store, and each attempt one goroutine, which begins it, waits in [Dialer.Dial] and
// settles it; what they come to is posted to the first. Close ends and waits for all.
//
// Campaigns with one queue share its operators: what one dials the others do not count on.
// While the store fails a campaign dials nobody, and goes on when it is back; when the answer
// of a write was lost the runner finds out what is kept before it does anything else.
//
// Invariants: an attempt is saved before its number is dialled, and settled behind the
// record of its call; an attempt that a dead process left is settled as interrupted at
// the start. A target is in one attempt at most. Nothing is dialled that
// [Store.BeginAttempt] has not granted, by what is known of the target's numbers then. The
// tests of a store that fails are in faults_test.go, those of odd data and of several
// campaigns in odd_test.go.
package autodialer

import (
	"context"
	"time"

	"vpbx/pbx"
)

// Dialer makes the calls. call.Manager is it.
type Dialer interface {
	// Dial makes the call of an attempt and returns its record once that is kept. An
	// error means that there was no call, and so no record.
	Dial(ctx context.Context, c pbx.CampaignCall) (pbx.CDR, error)
	// Operators tells how many agents of a queue are at work, and how many of them are
	// free for a call of a campaign now.
	Operators(t pbx.TenantID, queue string) (online, free int)
}

// Store keeps campaigns. store.Store is it.
type Store interface {
	// OpenCampaigns gives the states of all campaigns that are not over, or are and have
	// targets that still wait; it is asked once, at the start.
	OpenCampaigns(ctx context.Context) ([]pbx.CampaignState, error)
	// CampaignState gives the state of a campaign; NotFound when nothing has become of
	// it yet.
	CampaignState(ctx context.Context, t pbx.TenantID, campaign string) (pbx.CampaignState, error)
	// SaveCampaign keeps a state unless one of a later version is kept.
	SaveCampaign(ctx context.Context, t pbx.TenantID, s pbx.CampaignState) error
	// FinishCampaign does so if no target of the campaign waits or is dialled, a Conflict
	// otherwise.
	FinishCampaign(ctx context.Context, t pbx.TenantID, s pbx.CampaignState) error
	// LeftAttempts gives the attempts that were begun and never settled, of all
	// companies; it is asked once, at the start.
	LeftAttempts(ctx context.Context) ([]pbx.Attempt, error)
	// DueTargets gives targets that wait and are due at a moment, those of the highest
	// priority first, then those due first; at most limit. With none it gives when
	// the next will be, zero when none waits.
	DueTargets(ctx context.Context, t pbx.TenantID, campaign string, at time.Time, limit int) ([]pbx.Target, time.Time, error)
	// Contacted gives the attempts to any of the numbers since a time, by all campaigns
	// of the company, those that go on too.
	Contacted(ctx context.Context, t pbx.TenantID, numbers []string, since time.Time) ([]pbx.Contacted, error)
	// Consents gives the consent records of the numbers that have one.
	Consents(ctx context.Context, t pbx.TenantID, numbers []string) (map[string]pbx.Consent, error)
	// Target gives one target; NotFound when there is none.
	Target(ctx context.Context, t pbx.TenantID, campaign string, id int64) (pbx.Target, error)
	// DeferTargets writes when targets that may not be called now are due again, or
	// that they are over. Those that no longer wait stay as they are.
	DeferTargets(ctx context.Context, t pbx.TenantID, campaign string, list []pbx.Deferral) error
	// BeginAttempt takes a target out of waiting and keeps the attempt, if all of g
	// holds, the number is on no stop list, and nobody else of the company dials it;
	// otherwise it tells why not. The error is a Conflict when the target is not there
	// to be called now (the campaign does not run, the target no longer waits, is not due
	// or had another attempt meanwhile): it is to be read again. The same attempt begun
	// again is granted, so that it can be asked for anew when the answer was lost.
	BeginAttempt(ctx context.Context, t pbx.TenantID, a pbx.Attempt, g pbx.AttemptGuard) (pbx.HoldReason, error)
	// SettleAttempt keeps what an attempt came to, once: the second time it changes
	// nothing. A target that would wait is over instead when it was removed meanwhile, is
	// on a stop list, or its campaign is over.
	SettleAttempt(ctx context.Context, t pbx.TenantID, s pbx.Settlement) error
	// ExpireTargets ends the targets that still wait, in portions, and gives how many
	// it has ended: 0 when none is left.
	ExpireTargets(ctx context.Context, t pbx.TenantID, campaign string, at time.Time) (int, error)
	// Abandonment counts the live answers of a campaign since a time, and those of
	// them that were abandoned.
	Abandonment(ctx context.Context, t pbx.TenantID, campaign string, since time.Time) (live, abandoned int, err error)
	// KeptCall gives the record of a call, also of one that the database has not taken yet;
	// NotFound when there is none.
	KeptCall(ctx context.Context, t pbx.TenantID, id pbx.CallID) (pbx.CDR, error)
	// CountTargets counts targets by state.
	CountTargets(ctx context.Context, t pbx.TenantID, campaign string) (map[pbx.TargetState]int, error)
}
