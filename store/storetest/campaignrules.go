package storetest

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"vpbx/pbx"
	"vpbx/store"
)

// testGuards: what forbids an attempt, and that nothing is changed then.
func testGuards(t *testing.T, open Open) {
	s := open(t)
	put(t, s, Company("acme", "+74950000000"))
	add(t, s, "acme", "sale", target(1, 2))
	r := all(t, s, "acme", "sale")[0]
	refused := func(what string, a pbx.Attempt, kind pbx.Kind) {
		t.Helper()
		_, err := s.BeginAttempt(t.Context(), "acme", a, lenient)
		wantKind(t, what, err, kind)
	}
	a := attempt("acme", "sale", r, t0)
	refused("no state", a, pbx.Conflict)
	for i, status := range []pbx.CampaignStatus{pbx.CampaignDraft, pbx.CampaignReady, pbx.CampaignPaused, pbx.CampaignRunning} {
		if i > 0 {
			refused("before "+string(status), a, pbx.Conflict)
		}
		start(t, s, "acme", "sale", status, int64(i+1))
	}
	early, second, strange, foreign, nameless, nobody := a, a, a, a, a, a
	early.Began, second.N, strange.Number, foreign.Tenant, nameless.Call, nobody.Target = t0.Add(-time.Second), 2, "+79160000009", "beta", "", 99
	refused("early", early, pbx.Conflict)
	refused("another attempt", second, pbx.Conflict)
	refused("another's number", strange, pbx.Invalid)
	refused("another company's", foreign, pbx.Invalid)
	refused("no call", nameless, pbx.Invalid)
	refused("no target", nobody, pbx.NotFound)
	if held := begin(t, s, a, pbx.AttemptGuard{PerNumber: 1}); held != pbx.HeldAttempts {
		t.Errorf("no attempts allowed: %q", held)
	}
	if held := begin(t, s, a, pbx.AttemptGuard{Attempts: 1}); held != pbx.HeldNumber {
		t.Errorf("no attempts to the number allowed: %q", held)
	}
	if got := states(t, s, "acme", "sale"); got != "1 waiting" {
		t.Errorf("targets %s", got)
	}
	if held := begin(t, s, a, lenient); held != "" {
		t.Errorf("held: %s", held)
	}
	settle(t, s, settled(a, pbx.AttemptBusy, pbx.TargetWaiting, t0))
	r = all(t, s, "acme", "sale")[0]
	spaced := lenient
	spaced.Spacing = time.Minute
	a = attempt("acme", "sale", r, t0.Add(59*time.Second))
	if held := begin(t, s, a, spaced); held != pbx.HeldSpacing {
		t.Errorf("too soon: %q", held)
	}
	a.Began = t0.Add(time.Minute)
	if held := begin(t, s, a, spaced); held != "" {
		t.Errorf("after the spacing: %q", held)
	}
	start(t, s, "acme", "poll", pbx.CampaignRunning, 1)
	add(t, s, "acme", "poll", target(2, 1))
	other := all(t, s, "acme", "poll")[0]
	other.Turn = 1
	if held := begin(t, s, attempt("acme", "poll", other, a.Began), lenient); held != pbx.HeldDialled {
		t.Errorf("dialled by another campaign: %q", held)
	}
	other.Turn = 0
	if held := begin(t, s, attempt("acme", "poll", other, a.Began), lenient); held != "" {
		t.Errorf("the other number: %q", held)
	}
}

// testWithdrawn: an attempt that is taken back leaves nothing behind.
func testWithdrawn(t *testing.T, open Open) {
	s := open(t)
	put(t, s, Company("acme", "+74950000000"))
	start(t, s, "acme", "sale", pbx.CampaignRunning, 1)
	add(t, s, "acme", "sale", target(1))
	r := all(t, s, "acme", "sale")[0]
	a := attempt("acme", "sale", r, t0)
	begin(t, s, a, lenient)
	back := pbx.Settlement{Attempt: a, Target: pbx.Target{State: pbx.TargetWaiting, Next: t0.Add(time.Second)}, Withdrawn: true}
	settle(t, s, back)
	wantKind(t, "again", s.SettleAttempt(t.Context(), "acme", back), pbx.NotFound)
	after := all(t, s, "acme", "sale")[0]
	if after.State != pbx.TargetWaiting || after.Attempts != 0 || after.Outcome != "" || !after.Next.Equal(t0.Add(time.Second)) {
		t.Errorf("target %+v", after)
	}
	if list, err := s.Contacted(t.Context(), "acme", r.Numbers, t0); err != nil || len(list) != 0 {
		t.Errorf("contacted %v, %v", list, err)
	}
	a.Call, a.Began = "next", t0.Add(time.Second)
	if held := begin(t, s, a, pbx.AttemptGuard{Attempts: 1, PerNumber: 1, Spacing: time.Hour}); held != "" {
		t.Errorf("held: %s", held)
	}
	wantKind(t, "late", s.SettleAttempt(t.Context(), "acme", back), pbx.NotFound)
	e := settled(a, pbx.AttemptBusy, pbx.TargetWaiting, t0)
	e.Target.Tried, e.Target.Came = map[string]int{a.Number: 1}, map[pbx.AttemptOutcome]int{pbx.AttemptBusy: 1}
	e.Target.Dead, e.Target.Turn, e.Target.Operator = map[string]pbx.HoldReason{a.Number: pbx.HeldInvalid}, 0, pbx.AnyOperator
	settle(t, s, e)
	after = all(t, s, "acme", "sale")[0]
	same(t, "past", []any{after.Tried, after.Came, after.Dead, after.Operator, after.Attempts},
		[]any{e.Target.Tried, e.Target.Came, e.Target.Dead, pbx.AnyOperator, 1})
}

// testStops: whoever is on a stop list is not called, from that moment on.
func testStops(t *testing.T, open Open) {
	s := open(t)
	put(t, s, Company("acme", "+74950000000"))
	stop := func(campaign string, want int, numbers ...int) {
		t.Helper()
		var list []pbx.Stop
		for _, n := range numbers {
			list = append(list, pbx.Stop{Number: target(n).Numbers[0], Campaign: campaign, Source: "api", At: t0})
		}
		if n, err := s.AddStops(t.Context(), "acme", list); err != nil || n != want {
			t.Errorf("stopped %d, %v", n, err)
		}
	}
	stop("", 0, 1)
	stop("poll", 0, 2)
	same(t, "added", add(t, s, "acme", "sale", target(1), target(2), target(3, 4), target(5), target(6)), pbx.Added{Added: 5, Stopped: 1})
	same(t, "added", add(t, s, "acme", "poll", target(1), target(2), target(3), target(4)), pbx.Added{Added: 4, Stopped: 2})
	start(t, s, "acme", "sale", pbx.CampaignRunning, 1)
	busy := all(t, s, "acme", "sale")[3]
	a := attempt("acme", "sale", busy, t0)
	begin(t, s, a, lenient)
	stop("sale", 1, 4, 5)
	stop("", 1, 3) // of poll; that of sale is skipped already
	if got := states(t, s, "acme", "sale"); got != "1 skipped stop_list, 2 waiting, 3 skipped stop_list, 4 dialling, 5 waiting" {
		t.Errorf("sale: %s", got)
	}
	if got := states(t, s, "acme", "poll"); got != "6 skipped stop_list, 7 skipped stop_list, 8 skipped stop_list, 9 waiting" {
		t.Errorf("poll: %s", got)
	}
	settle(t, s, settled(a, pbx.AttemptBusy, pbx.TargetWaiting, t0))
	list, err := s.Stops(t.Context(), "acme", "sale", "", 10)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "stop list", list, []pbx.Stop{{Number: "+79160000004", Campaign: "sale", Source: "api", At: t0}, {Number: "+79160000005", Campaign: "sale", Source: "api", At: t0}})
	if list, err = s.Stops(t.Context(), "acme", "", "+79160000001", 10); err != nil || len(list) != 1 || list[0].Number != "+79160000003" {
		t.Errorf("second page of the company: %v, %v", list, err)
	}
	if err := s.RemoveStop(t.Context(), "acme", "", "+79160000001"); err != nil {
		t.Fatal(err)
	}
	wantKind(t, "again", s.RemoveStop(t.Context(), "acme", "", "+79160000001"), pbx.NotFound)
	_, err = s.Stop(t.Context(), "acme", "", "+79160000001")
	wantKind(t, "gone", err, pbx.NotFound)
	if n, err := s.RetryTargets(t.Context(), "acme", "sale", pbx.TargetPick{State: pbx.TargetSkipped}); err != nil || n != 1 {
		t.Errorf("retried %d, %v", n, err)
	}
	if got := states(t, s, "acme", "sale"); got != "1 waiting, 2 waiting, 3 skipped stop_list, 4 skipped stop_list, 5 waiting" {
		t.Errorf("sale: %s", got)
	}
	_, err = s.AddStops(t.Context(), "nobody", list)
	wantKind(t, "no company", err, pbx.NotFound)
}

// testConsents: the last record of a number counts.
func testConsents(t *testing.T, open Open) {
	s := open(t)
	put(t, s, Company("acme", "+74950000000"))
	consent := func(number, text string) pbx.Consent {
		return pbx.Consent{Number: number, Source: "site", Text: text, At: t0}
	}
	for _, c := range []pbx.Consent{consent("+1", "a"), consent("+2", "b"), consent("+1", "c")} {
		if err := s.AddConsents(t.Context(), "acme", []pbx.Consent{c}); err != nil {
			t.Fatal(err)
		}
	}
	wantKind(t, "no company", s.AddConsents(t.Context(), "nobody", []pbx.Consent{consent("+1", "a")}), pbx.NotFound)
	got, err := s.Consents(t.Context(), "acme", []string{"+1", "+2", "+3"})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "consents", got, map[string]pbx.Consent{"+1": consent("+1", "c"), "+2": consent("+2", "b")})
	if err := s.RemoveConsent(t.Context(), "acme", "+1"); err != nil {
		t.Fatal(err)
	}
	wantKind(t, "again", s.RemoveConsent(t.Context(), "acme", "+1"), pbx.NotFound)
	list, err := s.ConsentList(t.Context(), "acme", "", 10)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "list", list, []pbx.Consent{consent("+2", "b")})
}

// testRemoveTargets: what is taken out is not called; what is dialled just now is not
// called again.
func testRemoveTargets(t *testing.T, open Open) {
	s := open(t)
	put(t, s, Company("acme", "+74950000000"))
	start(t, s, "acme", "sale", pbx.CampaignRunning, 1)
	keyed := target(1, 2)
	keyed.Key = "k"
	add(t, s, "acme", "sale", keyed, target(3), target(4), target(5), target(6), target(7))
	list := all(t, s, "acme", "sale")
	var going []pbx.Attempt
	for _, r := range list[2:6] {
		a := attempt("acme", "sale", r, t0)
		begin(t, s, a, lenient)
		going = append(going, a)
	}
	remove := func(want int, p pbx.TargetPick) {
		t.Helper()
		if n, err := s.RemoveTargets(t.Context(), "acme", "sale", p); err != nil || n != want {
			t.Errorf("%+v removed %d, %v", p, n, err)
		}
	}
	_, err := s.RemoveTargets(t.Context(), "acme", "sale", pbx.TargetPick{})
	wantKind(t, "nobody named", err, pbx.Invalid)
	remove(1, pbx.TargetPick{Key: "k"})
	remove(0, pbx.TargetPick{Key: "k"})
	remove(1, pbx.TargetPick{Number: "+79160000003"})
	remove(3, pbx.TargetPick{IDs: []int64{5, 3, 4, 4, 99, -1}})
	remove(0, pbx.TargetPick{IDs: []int64{5}})
	if got := states(t, s, "acme", "sale"); got != "1 removed, 2 removed, 3 dialling, 4 dialling, 5 dialling, 6 dialling" {
		t.Errorf("sale: %s", got)
	}
	for i, state := range []pbx.TargetState{pbx.TargetWaiting, pbx.TargetDone, pbx.TargetInterrupted, pbx.TargetInterrupted} {
		settle(t, s, settled(going[i], pbx.AttemptBusy, state, t0))
	}
	if got := states(t, s, "acme", "sale"); got != "1 removed, 2 removed, 3 removed, 4 done, 5 removed, 6 interrupted" {
		t.Errorf("sale: %s", got)
	}
	same(t, "a removed number again, and one in use", add(t, s, "acme", "sale", target(2), target(1, 7), target(3)), pbx.Added{Added: 2, Duplicates: 1})
	if list, _, err := s.Targets(t.Context(), "acme", "sale", pbx.TargetQuery{Number: "+79160000001"}); err != nil || len(list) != 1 || list[0].ID != 1 {
		t.Errorf("number 1 is of %v, %v", list, err)
	}
	if n, err := s.RetryTargets(t.Context(), "acme", "sale", pbx.TargetPick{IDs: []int64{4, 6}}); err != nil || n != 1 {
		t.Errorf("retried %d, %v", n, err)
	}
	if got := states(t, s, "acme", "sale"); got != "1 removed, 2 removed, 3 removed, 4 done, 5 removed, 6 waiting, 7 waiting, 8 waiting" {
		t.Errorf("sale: %s", got)
	}
	start(t, s, "acme", "sale", pbx.CampaignCancelled, 2)
	_, err = s.RetryTargets(t.Context(), "acme", "sale", pbx.TargetPick{IDs: []int64{5, 6}})
	wantKind(t, "a campaign that is over", err, pbx.Conflict)
}

// testDefer: only who waits is deferred, and the CRM is told who is over.
func testDefer(t *testing.T, open Open) {
	s := open(t)
	putCRM(t, s, "acme", "+74950000000")
	start(t, s, "acme", "sale", pbx.CampaignRunning, 1)
	add(t, s, "acme", "sale", target(1), target(2), target(3), target(4))
	a := attempt("acme", "sale", all(t, s, "acme", "sale")[2], t0)
	begin(t, s, a, lenient)
	notice := &pbx.Notification{At: t0, Target: &pbx.TargetNotice{Campaign: "sale"}}
	list := []pbx.Deferral{{Target: 1, State: pbx.TargetWaiting, Reason: pbx.HeldWindow, Next: t0.Add(time.Hour), Notify: notice},
		{Target: 2, State: pbx.TargetSkipped, Reason: pbx.HeldNoConsent, Notify: notice}, {Target: 3, State: pbx.TargetSkipped, Notify: notice}, {Target: 99, State: pbx.TargetSkipped}}
	for range 2 {
		if err := s.DeferTargets(t.Context(), "acme", "sale", list); err != nil {
			t.Fatal(err)
		}
	}
	if got := states(t, s, "acme", "sale"); got != "1 waiting window, 2 skipped no_consent, 3 dialling, 4 waiting" {
		t.Errorf("sale: %s", got)
	}
	due, err := s.DueNotifications(t.Context(), "acme", time.Now().Add(time.Hour), 10)
	if err != nil || len(due) != 1 || due[0].Notification.Kind != pbx.NotifyTarget || due[0].Notification.Target.Target.Reason != pbx.HeldNoConsent {
		t.Errorf("the CRM is told %+v, %v", due, err)
	}
	if n, err := s.ExpireTargets(t.Context(), "acme", "sale", t0); err != nil || n != 0 {
		t.Errorf("expired %d of a campaign that runs, %v", n, err)
	}
	start(t, s, "acme", "sale", pbx.CampaignCancelled, 2)
	if n, err := s.ExpireTargets(t.Context(), "acme", "sale", t0); err != nil || n != 2 {
		t.Errorf("expired %d, %v", n, err)
	}
	settle(t, s, settled(a, pbx.AttemptBusy, pbx.TargetWaiting, t0)) // its runner did not know yet
	if got := states(t, s, "acme", "sale"); got != "1 expired window, 2 skipped no_consent, 3 expired, 4 expired" {
		t.Errorf("sale: %s", got)
	}
	if due, err = s.DueNotifications(t.Context(), "acme", time.Now().Add(time.Hour), 10); err != nil || len(due) != 4 {
		t.Errorf("the CRM is told %+v, %v", due, err)
	}
}

// testAttemptReads: what came of attempts is found by number and by time.
func testAttemptReads(t *testing.T, open Open) {
	s := open(t)
	put(t, s, Company("acme", "+74950000000"))
	start(t, s, "acme", "sale", pbx.CampaignRunning, 1)
	outcomes := []pbx.AttemptOutcome{pbx.AttemptAnswered, pbx.AttemptAbandoned, pbx.AttemptBusy, pbx.AttemptConnected, pbx.AttemptMachine}
	at := func(n int) time.Time { return t0.Add(time.Duration(n) * 20 * time.Minute) }
	for i, outcome := range outcomes {
		add(t, s, "acme", "sale", target(i))
		r := all(t, s, "acme", "sale")[i]
		a := attempt("acme", "sale", r, at(i))
		if outcome == pbx.AttemptMachine {
			a.Kind, a.Mode = pbx.CampaignDebt, pbx.DialPredictive
		}
		if held := begin(t, s, a, lenient); held != "" {
			t.Fatal(held)
		}
		e := settled(a, outcome, pbx.TargetDone, time.Time{})
		e.Attempt.Talk, e.Attempt.Result.Answerer = 0.1, "human"
		settle(t, s, e)
	}
	live, abandoned, err := s.Abandonment(t.Context(), "acme", "sale", at(1))
	if err != nil || live != 2 || abandoned != 1 {
		t.Errorf("abandonment %d of %d, %v", abandoned, live, err)
	}
	var began []time.Time
	err = s.EachAttempt(t.Context(), "acme", "sale", at(1), at(4), func(a pbx.Attempt) error { began = append(began, a.Began); return nil })
	if err != nil {
		t.Fatal(err)
	}
	same(t, "attempts of a time", began, []time.Time{at(1), at(2), at(3)})
	stop := &pbx.Error{Kind: pbx.Gone}
	if err := s.EachAttempt(t.Context(), "acme", "sale", time.Time{}, time.Time{}, func(pbx.Attempt) error { return stop }); err != stop {
		t.Errorf("who stops gets %v", err)
	}
	report, err := s.CampaignReport(t.Context(), "acme", "sale", at(1), at(4))
	if err != nil {
		t.Fatal(err)
	}
	since, until := at(1), at(4)
	same(t, "report", report, pbx.CampaignReport{Campaign: "sale", Since: &since, Until: &until, Targets: map[pbx.TargetState]int{"done": 5}, Reasons: map[pbx.HoldReason]int{},
		Final:    map[pbx.AttemptOutcome]int{"answered": 1, "abandoned": 1, "busy": 1, "connected": 1, "machine": 1},
		Attempts: 3, Outcomes: map[pbx.AttemptOutcome]int{"abandoned": 1, "busy": 1, "connected": 1}, Live: 2, Talk: 0.3, Share: 0.5, Answers: []pbx.AnswerCount{},
		Hours: []pbx.HourCount{{Hour: t0, Attempts: 2, Live: 1, Outcomes: map[pbx.AttemptOutcome]int{"abandoned": 1, "busy": 1}},
			{Hour: t0.Add(time.Hour), Attempts: 1, Live: 1, Outcomes: map[pbx.AttemptOutcome]int{"connected": 1}}}})
	_, err = s.CampaignReport(t.Context(), "acme", "none", time.Time{}, time.Time{})
	wantKind(t, "report on no campaign", err, pbx.NotFound)
}

// testDropCampaign: only what calls nobody is dropped; its attempts still count.
func testDropCampaign(t *testing.T, open Open) {
	s := open(t)
	put(t, s, Company("acme", "+74950000000"))
	start(t, s, "acme", "sale", pbx.CampaignRunning, 1)
	add(t, s, "acme", "sale", target(1), target(2))
	add(t, s, "acme", "poll", target(1))
	a := attempt("acme", "sale", all(t, s, "acme", "sale")[0], t0)
	a.Began = time.Now().UTC().Truncate(time.Second)
	begin(t, s, a, lenient)
	wantKind(t, "while it runs", s.DropCampaign(t.Context(), "acme", "sale"), pbx.Conflict)
	start(t, s, "acme", "sale", pbx.CampaignCancelled, 2)
	wantKind(t, "while somebody is dialled", s.DropCampaign(t.Context(), "acme", "sale"), pbx.Conflict)
	settle(t, s, settled(a, pbx.AttemptAnswered, pbx.TargetDone, time.Time{}))
	if _, err := s.AddStops(t.Context(), "acme", []pbx.Stop{{Number: "+1", Campaign: "sale", At: t0}, {Number: "+1", At: t0}}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.DropCampaign(t.Context(), "acme", "sale"); err != nil {
			t.Fatal(err)
		}
	}
	if got := states(t, s, "acme", "sale"); got != "" {
		t.Errorf("sale: %s", got)
	}
	if got := states(t, s, "acme", "poll"); got != "3 waiting" {
		t.Errorf("poll: %s", got)
	}
	_, err := s.CampaignState(t.Context(), "acme", "sale")
	wantKind(t, "state", err, pbx.NotFound)
	_, err = s.Stop(t.Context(), "acme", "sale", "+1")
	wantKind(t, "stop of the campaign", err, pbx.NotFound)
	if _, err := s.Stop(t.Context(), "acme", "", "+1"); err != nil {
		t.Error(err)
	}
	list, err := s.Contacted(t.Context(), "acme", []string{a.Number}, t0.Add(-24*365*time.Hour))
	if err != nil || len(list) != 1 || list[0].Outcome != pbx.AttemptAnswered {
		t.Errorf("contacted %+v, %v", list, err)
	}
	start(t, s, "acme", "sale", pbx.CampaignRunning, 1)
	add(t, s, "acme", "sale", target(1))
	if report, err := s.CampaignReport(t.Context(), "acme", "sale", time.Time{}, time.Time{}); err != nil || report.Attempts != 0 {
		t.Errorf("the next campaign of that name: %+v, %v", report, err)
	}
}

// testCampaignIsolation: two companies with the same campaign and the same number have
// nothing of each other, and a removed company leaves nothing to the next of its name.
func testCampaignIsolation(t *testing.T, open Open) {
	s := open(t)
	for i, tenant := range []pbx.TenantID{"acme", "beta"} {
		put(t, s, Company(tenant, "+7495000000"+string(rune('0'+i))))
		start(t, s, tenant, "sale", pbx.CampaignRunning, 1)
		same(t, "added", add(t, s, tenant, "sale", target(1)), pbx.Added{Added: 1})
	}
	limits := pbx.AttemptGuard{Attempts: 1, PerNumber: 1, Limits: []pbx.ContactLimit{{Message: true, Since: t0, Max: 1, Reason: pbx.HeldDebtDay}}}
	ra, rb := all(t, s, "acme", "sale")[0], all(t, s, "beta", "sale")[0]
	a, b := attempt("acme", "sale", ra, t0), attempt("beta", "sale", rb, t0)
	if held := begin(t, s, a, limits); held != "" {
		t.Errorf("acme is held: %s", held)
	}
	if _, err := s.AddStops(t.Context(), "acme", []pbx.Stop{{Number: a.Number, At: t0}}); err != nil {
		t.Fatal(err)
	}
	if err := s.AddConsents(t.Context(), "acme", []pbx.Consent{{Number: a.Number, At: t0}}); err != nil {
		t.Fatal(err)
	}
	if got := states(t, s, "beta", "sale"); got != "1 waiting" {
		t.Errorf("beta: %s", got)
	}
	seesNothing := func(tenant pbx.TenantID) {
		t.Helper()
		if list, err := s.Contacted(t.Context(), tenant, ra.Numbers, t0); err != nil || len(list) != 0 {
			t.Errorf("%q sees attempts %v, %v", tenant, list, err)
		}
		if list, err := s.Stops(t.Context(), tenant, "", "", 10); err != nil || len(list) != 0 {
			t.Errorf("%q sees stops %v, %v", tenant, list, err)
		}
		if list, err := s.ConsentList(t.Context(), tenant, "", 10); err != nil || len(list) != 0 {
			t.Errorf("%q sees consents %v, %v", tenant, list, err)
		}
		if list, err := s.Attempts(t.Context(), tenant, "sale", ra.ID); err != nil || len(list) != 0 {
			t.Errorf("%q sees attempts %v, %v", tenant, list, err)
		}
	}
	seesNothing("beta")
	seesNothing("")
	if held := begin(t, s, b, limits); held != "" {
		t.Errorf("beta is held by acme: %s", held)
	}
	settle(t, s, settled(a, pbx.AttemptAnswered, pbx.TargetDone, time.Time{}))
	if got := states(t, s, "beta", "sale"); got != "1 dialling" {
		t.Errorf("beta: %s", got)
	}
	if err := s.UpdateCompany(t.Context(), "acme", func(*pbx.Company) (*pbx.Company, error) { return nil, nil }); err != nil {
		t.Fatal(err)
	}
	put(t, s, Company("acme", "+74950000000"))
	seesNothing("acme")
	if got := states(t, s, "acme", "sale"); got != "" {
		t.Errorf("the next acme: %s", got)
	}
	if list, err := s.CampaignStates(t.Context(), "acme"); err != nil || len(list) != 0 {
		t.Errorf("the next acme has campaigns %v, %v", list, err)
	}
	if left, err := s.LeftAttempts(t.Context()); err != nil || len(left) != 1 || left[0].Tenant != "beta" {
		t.Errorf("left %v, %v", left, err)
	}
	if list, err := s.CampaignStates(t.Context(), "beta"); err != nil || len(list) != 1 {
		t.Errorf("beta has campaigns %v, %v", list, err)
	}
}

// testCappedA06: however many ask at once, and whatever they know, a target and a number
// are dialled as often as allowed, and once at a time.
func testCappedA06(t *testing.T, open Open) {
	s := open(t)
	put(t, s, Company("acme", "+74950000000"))
	start(t, s, "acme", "sale", pbx.CampaignRunning, 1)
	add(t, s, "acme", "sale", target(1, 2))
	guard := pbx.AttemptGuard{Attempts: 5, PerNumber: 3}
	made, reasons := map[string]int{}, map[pbx.HoldReason]int{}
	for round := range 8 {
		r := all(t, s, "acme", "sale")[0]
		r.Turn = round % 2
		if round > 5 {
			r.Turn = 0
		}
		granted, a := race(t, s, 8, guard, func(i int) pbx.Attempt {
			a := attempt("acme", "sale", r, t0.Add(time.Duration(round)*time.Minute))
			a.Call += pbx.CallID(rune('a' + i))
			return a
		}, reasons)
		if granted == 0 {
			continue
		}
		if granted != 1 {
			t.Fatalf("%d attempts at once", granted)
		}
		made[a.Number]++
		closeStore(t, s) // the process dies: the attempt is found and counts
		s = open(t)
		left, err := s.LeftAttempts(t.Context())
		if err != nil || len(left) != 1 || left[0].Call != a.Call {
			t.Fatalf("left %+v, %v", left, err)
		}
		settle(t, s, settled(left[0], pbx.AttemptInterrupted, pbx.TargetWaiting, t0))
	}
	if made["+79160000001"] != 3 || made["+79160000002"] != 2 || reasons[pbx.HeldAttempts] == 0 {
		t.Errorf("attempts %v, held %v", made, reasons)
	}
}

// race begins attempts at once, and gives how many were granted and one of them.
func race(t *testing.T, s *store.Store, n int, g pbx.AttemptGuard, make func(int) pbx.Attempt, reasons map[pbx.HoldReason]int) (int, pbx.Attempt) {
	t.Helper()
	var wg sync.WaitGroup
	var mu sync.Mutex
	var granted atomic.Int32
	var one pbx.Attempt
	for i := range n {
		wg.Go(func() {
			a := make(i)
			held, err := s.BeginAttempt(t.Context(), a.Tenant, a, g)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil && pbx.KindOf(err) != pbx.Conflict:
				t.Error(err)
			case err != nil:
			case held != "":
				reasons[held]++
			default:
				granted.Add(1)
				one = a
			}
		})
	}
	wg.Wait()
	return int(granted.Load()), one
}

// testContactedA15: what the law's pauses are reckoned by is seen by every campaign of the
// company, from the moment in which the attempt begins.
func testContactedA15(t *testing.T, open Open) {
	s := open(t)
	put(t, s, Company("acme", "+74950000000"))
	for i, campaign := range []string{"sale", "poll"} {
		start(t, s, "acme", campaign, pbx.CampaignRunning, 1)
		add(t, s, "acme", campaign, target(1, 2))
		r := all(t, s, "acme", campaign)[0]
		r.Turn = i
		a := attempt("acme", campaign, r, t0.Add(time.Duration(i)*time.Hour))
		a.Kind, a.Mode = pbx.CampaignOperators, pbx.DialPredictive
		if held := begin(t, s, a, lenient); held != "" {
			t.Fatal(held)
		}
		if campaign == "poll" {
			break
		}
		e := settled(a, pbx.AttemptAbandoned, pbx.TargetWaiting, t0.Add(72*time.Hour))
		e.Attempt.Result.Answerer = "unsure"
		settle(t, s, e)
	}
	abandoned := pbx.Contacted{Number: "+79160000001", At: t0, Kind: pbx.CampaignOperators, Mode: pbx.DialPredictive, Outcome: pbx.AttemptAbandoned, Answerer: "unsure", Ended: t0.Add(20 * time.Second)}
	going := pbx.Contacted{Number: "+79160000002", At: t0.Add(time.Hour), Kind: pbx.CampaignOperators, Mode: pbx.DialPredictive}
	for _, test := range []struct {
		numbers []string
		since   time.Time
		want    []pbx.Contacted
	}{
		{[]string{"+79160000002", "+79160000001", "+79160000001"}, t0, []pbx.Contacted{abandoned, going}},
		{[]string{"+79160000001"}, t0, []pbx.Contacted{abandoned}},
		{[]string{"+79160000001", "+79160000002"}, t0.Add(time.Microsecond), []pbx.Contacted{going}},
		{[]string{"+79160000003", "%", ""}, t0, nil},
		{nil, t0, nil},
	} {
		got, err := s.Contacted(t.Context(), "acme", test.numbers, test.since)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "contacts", got, test.want)
	}
}

// testLimitsA18: the counters of a debtor are those of all campaigns and numbers, also when
// campaigns ask in the same moment.
func testLimitsA18(t *testing.T, open Open) {
	s := open(t)
	put(t, s, Company("acme", "+74950000000"))
	campaigns := []string{"c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7"}
	for i, campaign := range campaigns {
		start(t, s, "acme", campaign, pbx.CampaignRunning, 1)
		numbers := target(1, 2)
		if i%2 == 1 {
			numbers = target(2, 1)
		}
		add(t, s, "acme", campaign, numbers)
	}
	// Messages: 2 in a day, 4 in a week, 16 in a month; calls 1, 2, 8.
	guard := func(at time.Time) pbx.AttemptGuard {
		g := pbx.AttemptGuard{Attempts: 1000, PerNumber: 1000}
		for _, l := range []struct {
			days, max int
			reason    pbx.HoldReason
		}{{1, 2, pbx.HeldDebtDay}, {7, 4, pbx.HeldDebtWeek}, {30, 16, pbx.HeldDebtMonth}} {
			since := at.Add(-time.Duration(l.days)*24*time.Hour + time.Microsecond)
			g.Limits = append(g.Limits, pbx.ContactLimit{Kind: pbx.CampaignDebt, Message: true, Since: since, Max: l.max, Reason: l.reason},
				pbx.ContactLimit{Kind: pbx.CampaignDebt, Since: since, Max: l.max / 2, Reason: l.reason})
		}
		return g
	}
	var began []time.Time
	reasons := map[pbx.HoldReason]int{}
	for hour := range 31 * 6 { // every four hours
		at := t0.Add(time.Duration(hour) * 4 * time.Hour)
		var list []pbx.Target
		for _, campaign := range campaigns {
			list = append(list, all(t, s, "acme", campaign)[0])
		}
		race(t, s, len(campaigns), guard(at), func(i int) pbx.Attempt {
			a := attempt("acme", campaigns[i], list[i], at)
			a.Kind = pbx.CampaignDebt
			return a
		}, reasons)
		left, err := s.LeftAttempts(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range left {
			outcome := []pbx.AttemptOutcome{pbx.AttemptAnswered, pbx.AttemptMachine, pbx.AttemptInterrupted, pbx.AttemptBusy}[hour%4]
			if outcome != pbx.AttemptBusy {
				began = append(began, at)
			}
			settle(t, s, settled(a, outcome, pbx.TargetWaiting, t0))
		}
	}
	for i := range began {
		for _, l := range []struct{ days, max int }{{1, 2}, {7, 4}, {30, 16}} {
			n := 0
			for _, other := range began[i:] {
				if other.Sub(began[i]) < time.Duration(l.days)*24*time.Hour {
					n++
				}
			}
			if n > l.max {
				t.Fatalf("%d contacts in %d days from %v", n, l.days, began[i])
			}
		}
	}
	if len(began) < 16 || reasons[pbx.HeldDebtDay] == 0 || reasons[pbx.HeldDebtWeek] == 0 || reasons[pbx.HeldDebtMonth] == 0 {
		t.Errorf("%d contacts, held %v", len(began), reasons)
	}
	a := attempt("acme", "c0", all(t, s, "acme", "c0")[0], t0.Add(31*24*time.Hour))
	a.Kind, a.Mode = pbx.CampaignDebt, pbx.DialPreview
	if held := begin(t, s, a, guard(a.Began)); held != "" {
		t.Errorf("a call by an operator is counted with the messages: %q", held)
	}
}
