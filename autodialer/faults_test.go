package autodialer

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"vpbx/pbx"
)

// faulty is a store that fails where a test says.
type faulty struct {
	Store
	down atomic.Bool // nothing is answered
	deaf atomic.Bool // Abandonment fails
	lose atomic.Bool // the answers of BeginAttempt, which it carries out
	// The answers of SaveCampaign are lost.
	loseSave atomic.Bool
	begins   atomic.Int64
	reads    atomic.Int64
	saving   atomic.Value // func() before a state is saved
	spooled  []pbx.CDR    // records that the database has not taken
}

func (f *faulty) KeptCall(ctx context.Context, t pbx.TenantID, id pbx.CallID) (pbx.CDR, error) {
	for _, c := range f.spooled {
		if c.Tenant == t && c.ID == id {
			return c, nil
		}
	}
	return f.Store.KeptCall(ctx, t, id)
}

var errDown = errors.New("the disk is full")

func (f *faulty) err() error {
	if f.down.Load() {
		return errDown
	}
	return nil
}

func (f *faulty) CampaignState(ctx context.Context, t pbx.TenantID, campaign string) (pbx.CampaignState, error) {
	if err := f.err(); err != nil {
		return pbx.CampaignState{}, err
	}
	return f.Store.CampaignState(ctx, t, campaign)
}

func (f *faulty) SaveCampaign(ctx context.Context, t pbx.TenantID, s pbx.CampaignState) error {
	if err := f.err(); err != nil {
		return err
	}
	if do, is := f.saving.Load().(func()); is {
		do()
	}
	err := f.Store.SaveCampaign(ctx, t, s)
	if f.loseSave.Load() {
		return errDown
	}
	return err
}

func (f *faulty) DueTargets(ctx context.Context, t pbx.TenantID, campaign string, at time.Time, limit int) ([]pbx.Target, time.Time, error) {
	f.reads.Add(1)
	if err := f.err(); err != nil {
		return nil, time.Time{}, err
	}
	return f.Store.DueTargets(ctx, t, campaign, at, limit)
}

func (f *faulty) BeginAttempt(ctx context.Context, t pbx.TenantID, a pbx.Attempt, g pbx.AttemptGuard) (pbx.HoldReason, error) {
	f.begins.Add(1)
	if err := f.err(); err != nil {
		return "", err
	}
	held, err := f.Store.BeginAttempt(ctx, t, a, g)
	if f.lose.Load() {
		return "", errDown
	}
	return held, err
}

func (f *faulty) SettleAttempt(ctx context.Context, t pbx.TenantID, s pbx.Settlement) error {
	if err := f.err(); err != nil {
		return err
	}
	return f.Store.SettleAttempt(ctx, t, s)
}

func (f *faulty) ExpireTargets(ctx context.Context, t pbx.TenantID, campaign string, at time.Time) (int, error) {
	if err := f.err(); err != nil {
		return 0, err
	}
	return f.Store.ExpireTargets(ctx, t, campaign, at)
}

func (f *faulty) Abandonment(ctx context.Context, t pbx.TenantID, campaign string, since time.Time) (int, int, error) {
	f.reads.Add(1)
	if f.deaf.Load() {
		return 0, 0, errDown
	}
	return f.Store.Abandonment(ctx, t, campaign, since)
}

// failing runs f in a bubble in whose store a faulty one stands before.
func failing(t *testing.T, c *pbx.Company, f func(*world, *faulty)) {
	t.Helper()
	bubble(t, 11, monday, c, func(w *world) {
		w.runner.Close()
		x := &faulty{}
		w.between = func(s Store) Store { x.Store = s; return x }
		w.start()
		f(w, x)
	})
}

// TestAnswerOfBeginLost: an attempt whose beginning was kept though the answer was lost is
// taken back: the target does not stay dialled, nobody is dialled, and the campaign ends.
func TestAnswerOfBeginLost(t *testing.T) {
	failing(t, company(campaign("news")), func(w *world, x *faulty) {
		t := w.t
		w.add("news", 5)
		x.lose.Store(true)
		w.must(w.runner.StartCampaign(t.Context(), "acme", "news", "anna"))
		time.Sleep(3 * time.Second)
		if n := len(w.exchange.calls()) + w.exchange.now("news"); n != 0 {
			t.Errorf("%d are dialled without leave", n)
		}
		x.lose.Store(false)
		time.Sleep(20 * time.Minute)
		before := x.reads.Load()
		w.until("news", pbx.CampaignFinished, 8*time.Hour)
		if c := w.counts("news"); c[pbx.TargetDialling] != 0 {
			t.Errorf("targets %v", c)
		}
		if n := x.reads.Load() - before; n > 5000 {
			t.Errorf("%d reads", n)
		}
	})
}

// TestStoreFailsForMinutes: while the store fails the campaign holds and asks it now and
// then; afterwards it goes on, and nothing is lost.
func TestStoreFailsForMinutes(t *testing.T) {
	k := campaign("news")
	k.Pace.PerSecond = 20
	failing(t, company(k), func(w *world, x *faulty) {
		t := w.t
		w.add("news", 600)
		w.must(w.runner.StartCampaign(t.Context(), "acme", "news", "anna"))
		time.Sleep(5 * time.Second)
		begins, reads := x.begins.Load(), x.reads.Load()
		x.down.Store(true)
		time.Sleep(6 * time.Minute)
		if n := x.begins.Load() - begins; n > 100 {
			t.Errorf("%d attempts are begun in six minutes in which the store fails", n)
		}
		if n := x.reads.Load() - reads; n > 120 {
			t.Errorf("it is read %d times in six minutes in which it fails", n)
		}
		x.down.Store(false)
		w.until("news", pbx.CampaignFinished, 8*time.Hour)
		w.reported("news")
	})
}

// reported compares the report of a campaign with what was seen.
func (w *world) reported(name string) {
	w.t.Helper()
	r, err := w.store.CampaignReport(w.t.Context(), "acme", name, time.Time{}, time.Time{})
	if err != nil {
		w.t.Fatal(err)
	}
	seen, n := map[pbx.AttemptOutcome]int{}, 0
	for _, d := range w.exchange.calls() {
		if d.c.Campaign == name {
			seen[d.outcome]++
			n++
		}
	}
	if r.Attempts != n || fmt.Sprint(r.Outcomes) != fmt.Sprint(seen) {
		w.t.Errorf("report: %d attempts, %v; seen: %d, %v", r.Attempts, r.Outcomes, n, seen)
	}
}

// TestPlannedStartWaitsForStore: a campaign whose time comes while the store fails starts
// when it is back.
func TestPlannedStartWaitsForStore(t *testing.T) {
	k := campaign("news")
	k.Start = monday.Add(10 * time.Minute)
	failing(t, company(k), func(w *world, x *faulty) {
		t := w.t
		w.add("news", 5)
		time.Sleep(9 * time.Minute)
		x.down.Store(true)
		time.Sleep(5 * time.Minute)
		x.down.Store(false)
		time.Sleep(time.Minute)
		if s, err := w.store.CampaignState(t.Context(), "acme", "news"); err != nil || s.Status != pbx.CampaignRunning {
			t.Errorf("%+v, %v", s, err)
		}
	})
}

// TestEndWaitsForStore: targets of a campaign that is over expire when the store is back.
func TestEndWaitsForStore(t *testing.T) {
	failing(t, company(campaign("news")), func(w *world, x *faulty) {
		t := w.t
		w.add("news", 50)
		w.must(w.runner.StartCampaign(t.Context(), "acme", "news", "anna"))
		done := make(chan struct{})
		x.saving.Store(func() {
			go func() { x.down.Store(true); time.Sleep(time.Minute); x.down.Store(false); close(done) }()
			time.Sleep(time.Millisecond)
		})
		w.must(w.runner.CancelCampaign(t.Context(), "acme", "news", "anna"))
		<-done
		time.Sleep(5 * time.Minute)
		if c := w.counts("news"); c[pbx.TargetWaiting] != 0 {
			t.Errorf("targets %v", c)
		}
	})
}

// TestAddedAtTheEnd: a target that is added in the moment in which a campaign ends is called.
func TestAddedAtTheEnd(t *testing.T) {
	failing(t, company(campaign("news")), func(w *world, x *faulty) {
		t := w.t
		w.add("news", 1)
		w.exchange.habits = func(string) habits { return habits{human: 1} }
		w.must(w.runner.StartCampaign(t.Context(), "acme", "news", "anna"))
		var late atomic.Bool
		x.saving.Store(func() {
			if late.Swap(true) {
				return
			}
			if _, err := w.store.AddTargets(t.Context(), "acme", "news", []pbx.Target{{Numbers: []string{number(77)}}}); err != nil {
				t.Error(err)
			}
		})
		w.until("news", pbx.CampaignFinished, 8*time.Hour)
		time.Sleep(time.Minute)
		if c := w.counts("news"); late.Load() && c[pbx.TargetExpired] != 0 {
			t.Errorf("targets %v", c)
		}
	})
}

// TestPacerWaitsForStore: a predictive campaign that cannot learn what was before asks again
// now and then, not all the time.
func TestPacerWaitsForStore(t *testing.T) {
	k := campaign("sales")
	k.Kind, k.Mode, k.Script = pbx.CampaignOperators, pbx.DialPredictive, nil
	k.Operators = pbx.Operators{Queue: "700", Within: 2 * time.Second, SafeHarbour: "hello"}
	failing(t, company(k), func(w *world, x *faulty) {
		t := w.t
		w.exchange.crew = crew{5, 5}
		w.add("sales", 300)
		x.deaf.Store(true)
		w.must(w.runner.StartCampaign(t.Context(), "acme", "sales", "anna"))
		before := x.reads.Load()
		time.Sleep(time.Minute)
		if n := x.reads.Load() - before; n > 60 {
			t.Errorf("%d reads in a minute", n)
		}
	})
}

// TestInterruptedSpooled: an attempt that a dead process left is settled by the record of
// its call though that still waits in the spool, as when the process died again before the
// database took it.
func TestInterruptedSpooled(t *testing.T) {
	failing(t, company(campaign("news")), func(w *world, x *faulty) {
		t, ctx := w.t, w.t.Context()
		w.runner.Close()
		w.add("news", 1)
		state := pbx.CampaignState{Tenant: "acme", Campaign: "news", Status: pbx.CampaignRunning, Version: 1, Updated: time.Now()}
		if err := w.store.SaveCampaign(ctx, "acme", state); err != nil {
			t.Fatal(err)
		}
		list, _, err := w.store.DueTargets(ctx, "acme", "news", time.Now(), 10)
		if err != nil || len(list) != 1 {
			t.Fatalf("%d targets, %v", len(list), err)
		}
		a := pbx.Attempt{Tenant: "acme", Campaign: "news", Target: list[0].ID, N: 1, Number: list[0].Numbers[0], Call: pbx.NewCallID(time.Now()),
			Kind: pbx.CampaignInform, Mode: pbx.DialMessage, Began: time.Now()}
		if held, err := w.store.BeginAttempt(ctx, "acme", a, pbx.AttemptGuard{Attempts: 3, PerNumber: 3}); err != nil || held != "" {
			t.Fatal(held, err)
		}
		cause := pbx.NewCause(pbx.PartyCallee, pbx.Hangup)
		x.spooled = []pbx.CDR{{ID: a.Call, Tenant: "acme", Ended: time.Now(), Talk: 30, Outcome: pbx.OutcomeAnswered, Cause: pbx.CDRCause{Cause: cause, Text: cause.Text()},
			Campaign: &pbx.InCampaign{Outcome: pbx.AttemptAnswered, Told: true}}}
		w.start()
		made, err := w.store.Attempts(ctx, "acme", "news", a.Target)
		if err != nil || len(made) != 1 || made[0].Outcome != pbx.AttemptAnswered || made[0].Talk != 30 || made[0].Cause == nil || *made[0].Cause != cause {
			t.Errorf("the attempt: %+v, %v", made, err)
		}
	})
}
