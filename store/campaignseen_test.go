package store

import (
	"testing"
	"time"

	"vpbx/pbx"
)

// TestBeginSeen: an attempt is not begun when another campaign of the company has dialled one
// of the target's numbers since what is known of them was read.
func TestBeginSeen(t *testing.T) {
	s := openCampaign(t, t.TempDir())
	ctx, t0 := t.Context(), time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	var ids []int64
	for _, name := range []string{"sale", "other"} {
		if err := s.SaveCampaign(ctx, "acme", pbx.CampaignState{Tenant: "acme", Campaign: name, Status: pbx.CampaignRunning, Version: 100}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.AddTargets(ctx, "acme", name, []pbx.Target{{Numbers: []string{"+79160000001", "+79160000002"}, Next: t0}}); err != nil {
			t.Fatal(err)
		}
		list, _, err := s.DueTargets(ctx, "acme", name, t0, 1)
		if err != nil || len(list) != 1 {
			t.Fatal(list, err)
		}
		ids = append(ids, list[0].ID)
	}
	attempt := func(campaign string, id int64, number string, at time.Time) pbx.Attempt {
		return pbx.Attempt{Tenant: "acme", Campaign: campaign, Target: id, N: 1, Number: number, Call: pbx.CallID(campaign + at.String()),
			Kind: pbx.CampaignInform, Mode: pbx.DialMessage, Began: at}
	}
	begin := func(at, seen time.Time) pbx.HoldReason {
		t.Helper()
		held, err := s.BeginAttempt(ctx, "acme", attempt("sale", ids[0], "+79160000001", at), pbx.AttemptGuard{Attempts: 3, PerNumber: 3, Seen: seen})
		if err != nil {
			t.Fatal(err)
		}
		return held
	}
	other := attempt("other", ids[1], "+79160000002", t0)
	if held, err := s.BeginAttempt(ctx, "acme", other, pbx.AttemptGuard{Attempts: 3, PerNumber: 3}); err != nil || held != "" {
		t.Fatal(held, err)
	}
	if held := begin(t0.Add(time.Second), t0.Add(time.Second)); held != pbx.HeldDialled {
		t.Errorf("while the target's other number is dialled: %q", held)
	}
	ended := t0.Add(time.Minute)
	other.Ended, other.Outcome = &ended, pbx.AttemptAbandoned
	if err := s.SettleAttempt(ctx, "acme", pbx.Settlement{Attempt: other, Target: pbx.Target{State: pbx.TargetDone}}); err != nil {
		t.Fatal(err)
	}
	if held := begin(ended.Add(time.Minute), t0.Add(time.Second)); held != pbx.HeldDialled {
		t.Errorf("read before that was over: %q", held)
	}
	if held := begin(ended.Add(time.Minute), ended.Add(time.Second)); held != "" {
		t.Errorf("read behind it: %q", held)
	}
}

// TestFinishCampaign: a campaign with somebody to call is not finished, and one that was
// started again expires nobody.
func TestFinishCampaign(t *testing.T) {
	s := openCampaign(t, t.TempDir())
	ctx, t0 := t.Context(), time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	fill(t, s, 2, t0)
	state := pbx.CampaignState{Tenant: "acme", Campaign: "sale", Status: pbx.CampaignFinished, Version: 100}
	if err := s.FinishCampaign(ctx, "acme", state); pbx.KindOf(err) != pbx.Conflict {
		t.Errorf("finished with targets that wait: %v", err)
	}
	if n, err := s.ExpireTargets(ctx, "acme", "sale", t0); err != nil || n != 0 {
		t.Errorf("%d targets of a campaign that runs expire, %v", n, err)
	}
	if _, err := s.RemoveTargets(ctx, "acme", "sale", pbx.TargetPick{State: pbx.TargetWaiting}); err != nil {
		t.Fatal(err)
	}
	if err := s.FinishCampaign(ctx, "acme", state); err != nil {
		t.Errorf("with nobody to call: %v", err)
	}
}
