package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"vpbx/pbx"
	"vpbx/store"
)

// start makes a campaign of a company run.
func start(t *testing.T, s *store.Store, tenant pbx.TenantID, campaign string, status pbx.CampaignStatus, version int64) {
	t.Helper()
	state := pbx.CampaignState{Tenant: tenant, Campaign: campaign, Status: status, Version: version, Updated: t0}
	if err := s.SaveCampaign(t.Context(), tenant, state); err != nil {
		t.Fatal(err)
	}
}

// target gives a target with numbers of six digits.
func target(numbers ...int) pbx.Target {
	r := pbx.Target{Next: t0}
	for _, n := range numbers {
		r.Numbers = append(r.Numbers, fmt.Sprintf("+7916%07d", n))
	}
	return r
}

func add(t *testing.T, s *store.Store, tenant pbx.TenantID, campaign string, list ...pbx.Target) pbx.Added {
	t.Helper()
	added, err := s.AddTargets(t.Context(), tenant, campaign, list)
	if err != nil {
		t.Fatal(err)
	}
	return added
}

// all reads the targets of a campaign.
func all(t *testing.T, s *store.Store, tenant pbx.TenantID, campaign string) []pbx.Target {
	t.Helper()
	var list []pbx.Target
	if err := s.EachTarget(t.Context(), tenant, campaign, func(r pbx.Target) error { list = append(list, r); return nil }); err != nil {
		t.Fatal(err)
	}
	return list
}

// states tells of each target its id, state and reason.
func states(t *testing.T, s *store.Store, tenant pbx.TenantID, campaign string) string {
	t.Helper()
	var text []string
	counted := map[pbx.TargetState]int{}
	for _, r := range all(t, s, tenant, campaign) {
		text = append(text, strings.TrimRight(fmt.Sprintf("%d %s %s", r.ID, r.State, r.Reason), " "))
		counted[r.State]++
	}
	got, err := s.CountTargets(t.Context(), tenant, campaign)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "counts of "+campaign, got, counted)
	return strings.Join(text, ", ")
}

// lenient is a guard that lets everything pass.
var lenient = pbx.AttemptGuard{Attempts: 100, PerNumber: 100}

// attempt is the next attempt to a number of a target.
func attempt(tenant pbx.TenantID, campaign string, r pbx.Target, at time.Time) pbx.Attempt {
	return pbx.Attempt{Tenant: tenant, Campaign: campaign, Target: r.ID, N: r.Attempts + 1, Number: r.Numbers[r.Turn],
		Call: pbx.CallID(fmt.Sprintf("%s-%d-%d", campaign, r.ID, r.Attempts+1)), Kind: pbx.CampaignInform, Mode: pbx.DialMessage, Began: at}
}

// begin begins an attempt, or tells why it was not.
func begin(t *testing.T, s *store.Store, a pbx.Attempt, g pbx.AttemptGuard) pbx.HoldReason {
	t.Helper()
	held, err := s.BeginAttempt(t.Context(), a.Tenant, a, g)
	if err != nil {
		t.Fatal(err)
	}
	return held
}

// settled is what becomes of an attempt and its target.
func settled(a pbx.Attempt, outcome pbx.AttemptOutcome, state pbx.TargetState, next time.Time) pbx.Settlement {
	ended := a.Began.Add(20 * time.Second)
	a.Ended, a.Outcome, a.Result = &ended, outcome, &pbx.InCampaign{Outcome: outcome}
	return pbx.Settlement{Attempt: a, Target: pbx.Target{State: state, Next: next}}
}

func settle(t *testing.T, s *store.Store, e pbx.Settlement) {
	t.Helper()
	if err := s.SettleAttempt(t.Context(), e.Attempt.Tenant, e); err != nil {
		t.Fatal(err)
	}
}

// testCampaignStates: a state is kept by version, survives, and goes with the company.
func testCampaignStates(t *testing.T, open Open) {
	s := open(t)
	put(t, s, Company("acme", "+74950000000"))
	put(t, s, Company("beta", "+74950000001"))
	start(t, s, "acme", "sale", pbx.CampaignRunning, 2)
	start(t, s, "acme", "sale", pbx.CampaignDraft, 1) // late
	start(t, s, "acme", "old", pbx.CampaignFinished, 1)
	start(t, s, "beta", "sale", pbx.CampaignPaused, 1)
	start(t, s, "nobody", "sale", pbx.CampaignPaused, 1)
	wantKind(t, "another company", s.SaveCampaign(t.Context(), "acme", pbx.CampaignState{Tenant: "beta", Campaign: "x"}), pbx.Invalid)
	wantKind(t, "no name", s.SaveCampaign(t.Context(), "acme", pbx.CampaignState{Tenant: "acme"}), pbx.Invalid)
	closeStore(t, s)
	s = open(t)
	list, err := s.OpenCampaigns(t.Context())
	if err != nil || len(list) != 2 || list[0].Tenant != "acme" || list[0].Status != pbx.CampaignRunning || list[1].Tenant != "beta" {
		t.Errorf("open campaigns: %+v, %v", list, err)
	}
	list, err = s.CampaignStates(t.Context(), "acme")
	if err != nil || len(list) != 2 || list[0].Campaign != "old" {
		t.Errorf("campaigns of acme: %+v, %v", list, err)
	}
	one, err := s.CampaignState(t.Context(), "acme", "sale")
	if err != nil || one.Version != 2 {
		t.Errorf("campaign: %+v, %v", one, err)
	}
	_, err = s.CampaignState(t.Context(), "acme", "none")
	wantKind(t, "no such campaign", err, pbx.NotFound)
}

// testTargets: what is added is found again, each number once in a campaign.
func testTargets(t *testing.T, open Open) {
	s := open(t)
	put(t, s, Company("acme", "+74950000000"))
	full := target(1, 2)
	full.Key, full.Name, full.Zone, full.Priority, full.Line = "k1", "Анна", "Asia/Omsk", 5, 7
	full.Variables, full.Consent = map[string]string{"sum": "10\x00"}, &pbx.Consent{Source: "site", Text: "yes", At: t0}
	same(t, "first", add(t, s, "acme", "sale", full, target(3), target(2, 4), target(5, 5)), pbx.Added{Added: 3, Duplicates: 1})
	same(t, "again", add(t, s, "acme", "sale", target(3), target(4), target(6, 1)), pbx.Added{Added: 1, Duplicates: 2})
	same(t, "elsewhere", add(t, s, "acme", "poll", target(3)), pbx.Added{Added: 1})
	closeStore(t, s)
	s = open(t)
	got, err := s.Target(t.Context(), "acme", "sale", 1)
	if err != nil {
		t.Fatal(err)
	}
	if got.Added.IsZero() || got.Updated.IsZero() {
		t.Error("no times")
	}
	full.ID, full.State, full.Added, full.Updated = 1, pbx.TargetWaiting, got.Added, got.Updated
	same(t, "target", got, full)
	_, err = s.Target(t.Context(), "acme", "poll", 1)
	wantKind(t, "target of another campaign", err, pbx.NotFound)
	for _, test := range []struct {
		q    pbx.TargetQuery
		want []int64
		next string
	}{
		{pbx.TargetQuery{}, []int64{1, 2, 3, 4}, ""},
		{pbx.TargetQuery{Limit: 3}, []int64{1, 2, 3}, "3"},
		{pbx.TargetQuery{Limit: 3, Cursor: "3"}, []int64{4}, ""},
		{pbx.TargetQuery{Key: "k1"}, []int64{1}, ""},
		{pbx.TargetQuery{Key: "' OR 1=1 --"}, nil, ""},
		{pbx.TargetQuery{Number: "+79160000002"}, []int64{1}, ""},
		{pbx.TargetQuery{Number: "+79160000009"}, nil, ""},
		{pbx.TargetQuery{State: pbx.TargetWaiting, Limit: 1}, []int64{1}, "1"},
		{pbx.TargetQuery{State: pbx.TargetDone}, nil, ""},
		{pbx.TargetQuery{Outcome: pbx.AttemptBusy}, nil, ""},
	} {
		list, next, err := s.Targets(t.Context(), "acme", "sale", test.q)
		var ids []int64
		for _, r := range list {
			ids = append(ids, r.ID)
		}
		if err != nil || next != test.next || !slices.Equal(ids, test.want) {
			t.Errorf("%+v gave %v, %q, %v", test.q, ids, next, err)
		}
	}
	for _, bad := range []string{"x", "0", "-1", "01", "1 ", "99999999999999999999"} {
		_, _, err := s.Targets(t.Context(), "acme", "sale", pbx.TargetQuery{Cursor: bad})
		wantKind(t, "cursor "+bad, err, pbx.Invalid)
	}
	high := target(8)
	high.Priority = pbx.MaxTargetPriority + 1
	for what, r := range map[string]pbx.Target{"no number": {}, "six numbers": target(11, 12, 13, 14, 15, 16), "priority": high} {
		_, err := s.AddTargets(t.Context(), "acme", "sale", []pbx.Target{target(20), r})
		wantKind(t, what, err, pbx.Invalid)
	}
	start(t, s, "acme", "sale", pbx.CampaignCancelled, 1)
	_, err = s.AddTargets(t.Context(), "acme", "sale", []pbx.Target{target(20)})
	wantKind(t, "a campaign that is over", err, pbx.Conflict)
	_, err = s.AddTargets(t.Context(), "nobody", "sale", []pbx.Target{target(20)})
	wantKind(t, "no company", err, pbx.NotFound)
	if got := states(t, s, "acme", "sale"); got != "1 waiting, 2 waiting, 3 waiting, 4 waiting" {
		t.Errorf("targets %s", got)
	}
}

// testDueTargets: the highest priority first, then who is due first; else when the next is.
func testDueTargets(t *testing.T, open Open) {
	s := open(t)
	put(t, s, Company("acme", "+74950000000"))
	at := func(n int) time.Time { return t0.Add(time.Duration(n) * time.Minute) }
	for i, test := range []struct{ priority, next int }{{0, 3}, {0, 1}, {9, 5}, {9, 2}, {-9, 0}, {0, 1}} {
		r := target(i)
		r.Priority, r.Next = test.priority, at(test.next)
		add(t, s, "acme", "sale", r)
	}
	for _, test := range []struct {
		at, limit int
		want      []int64
		next      time.Time
	}{
		{-1, 10, nil, at(0)}, {0, 10, []int64{5}, time.Time{}}, {1, 10, []int64{2, 6, 5}, time.Time{}},
		{9, 10, []int64{4, 3, 2, 6, 1, 5}, time.Time{}}, {9, 3, []int64{4, 3, 2}, time.Time{}},
	} {
		list, next, err := s.DueTargets(t.Context(), "acme", "sale", at(test.at), test.limit)
		var ids []int64
		for _, r := range list {
			ids = append(ids, r.ID)
		}
		if err != nil || !slices.Equal(ids, test.want) || !next.Equal(test.next) {
			t.Errorf("at %d: %v, %v, %v", test.at, ids, next, err)
		}
	}
	start(t, s, "acme", "sale", pbx.CampaignCancelled, 9)
	if n, err := s.ExpireTargets(t.Context(), "acme", "sale", at(9)); err != nil || n != 6 {
		t.Errorf("expired %d, %v", n, err)
	}
	if n, err := s.ExpireTargets(t.Context(), "acme", "sale", at(9)); err != nil || n != 0 {
		t.Errorf("expired again %d, %v", n, err)
	}
	if list, next, err := s.DueTargets(t.Context(), "acme", "sale", at(9), 5); err != nil || len(list) != 0 || !next.IsZero() {
		t.Errorf("none waits: %v, %v, %v", list, next, err)
	}
}

// testAttempt: one attempt from its beginning to its end, each asked for twice.
func testAttempt(t *testing.T, open Open) {
	s := open(t)
	putCRM(t, s, "acme", "+74950000000")
	start(t, s, "acme", "sale", pbx.CampaignRunning, 1)
	add(t, s, "acme", "sale", target(1, 2))
	r := all(t, s, "acme", "sale")[0]
	a := attempt("acme", "sale", r, t0)
	for range 2 {
		if held := begin(t, s, a, lenient); held != "" {
			t.Fatalf("held: %s", held)
		}
	}
	other := a
	other.Call = "other"
	_, err := s.BeginAttempt(t.Context(), "acme", other, lenient)
	wantKind(t, "a second attempt at once", err, pbx.Conflict)
	if got := states(t, s, "acme", "sale"); got != "1 dialling" {
		t.Errorf("targets %s", got)
	}
	closeStore(t, s)
	s = open(t)
	left, err := s.LeftAttempts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	same(t, "left", left, []pbx.Attempt{a})

	waited := 1.25
	e := settled(a, pbx.AttemptConnected, pbx.TargetDone, time.Time{})
	e.Attempt.Talk, e.Attempt.Result = 7.5, &pbx.InCampaign{Outcome: pbx.AttemptConnected, Answerer: "human", OptedOut: true, Connected: &waited,
		Answers: []pbx.Answer{{Block: "b", Key: "1", Answer: "yes"}}}
	e.Stop = &pbx.Stop{Number: a.Number, Source: "key", At: t0}
	e.Notify = &pbx.Notification{At: t0, Target: &pbx.TargetNotice{Campaign: "sale", Call: a.Call}}
	settle(t, s, e)
	again := e
	again.Target.State, again.Attempt.Outcome = pbx.TargetWaiting, pbx.AttemptFailed
	settle(t, s, again)
	if got := states(t, s, "acme", "sale"); got != "1 done" {
		t.Errorf("targets %s", got)
	}
	if stop, err := s.Stop(t.Context(), "acme", "", a.Number); err != nil || stop.Source != "key" {
		t.Errorf("stop %+v, %v", stop, err)
	}
	list, err := s.Attempts(t.Context(), "acme", "sale", r.ID)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "attempts", list, []pbx.Attempt{e.Attempt})
	if left, err := s.LeftAttempts(t.Context()); err != nil || len(left) != 0 {
		t.Errorf("left %v, %v", left, err)
	}
	due, err := s.DueNotifications(t.Context(), "acme", time.Now().Add(time.Hour), 10)
	if err != nil || len(due) != 1 || due[0].Notification.Target.Target.State != pbx.TargetDone || due[0].Notification.Target.Target.Outcome != pbx.AttemptConnected {
		t.Errorf("the CRM is told %+v, %v", due, err)
	}
	unknown := e
	unknown.Attempt.Call = "none"
	wantKind(t, "an unknown attempt", s.SettleAttempt(t.Context(), "acme", unknown), pbx.NotFound)
	unknown.Attempt.Ended = nil
	wantKind(t, "one that goes on", s.SettleAttempt(t.Context(), "acme", unknown), pbx.Invalid)
	report, err := s.CampaignReport(t.Context(), "acme", "sale", time.Time{}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "report", report, pbx.CampaignReport{Campaign: "sale", Targets: map[pbx.TargetState]int{"done": 1}, Reasons: map[pbx.HoldReason]int{},
		Final: map[pbx.AttemptOutcome]int{"connected": 1}, Attempts: 1, Outcomes: map[pbx.AttemptOutcome]int{"connected": 1}, Live: 1, Talk: 7.5,
		Operator: 1.25, OptedOut: 1, Answers: []pbx.AnswerCount{{Answer: pbx.Answer{Block: "b", Key: "1", Answer: "yes"}, Count: 1}},
		Hours: []pbx.HourCount{{Hour: t0, Attempts: 1, Live: 1, Outcomes: map[pbx.AttemptOutcome]int{"connected": 1}}}})
}
