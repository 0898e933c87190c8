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

// told lists what the CRM is told of targets, in the order of their ids.
func told(t *testing.T, s *store.Store) string {
	t.Helper()
	due, err := s.DueNotifications(t.Context(), "acme", time.Now().Add(time.Hour), 100)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, d := range due {
		if d.Notification.Target == nil {
			continue
		}
		n := d.Notification.Target
		text := strings.TrimSpace(fmt.Sprintf("%d %s %s", n.Target.ID, n.Target.State, n.Target.Reason))
		if n.Last != nil {
			text += fmt.Sprintf(" after %s %s", n.Call, n.Last.Outcome)
		}
		list = append(list, text)
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

// testTellOver: the CRM is told of everybody who is over, also of those whom no attempt
// has ended, and of nobody else.
func testTellOver(t *testing.T, open Open) {
	s := open(t)
	putCRM(t, s, "acme", "+74950000000")
	start(t, s, "acme", "sale", pbx.CampaignRunning, 1)
	stop := func(n int) pbx.Stop { return pbx.Stop{Number: target(n).Numbers[0], Source: "api", At: t0} }
	if _, err := s.AddStops(t.Context(), "acme", []pbx.Stop{stop(1)}); err != nil {
		t.Fatal(err)
	}
	add(t, s, "acme", "sale", target(1), target(2), target(3), target(4), target(5))
	if got := told(t, s); got != "1 skipped stop_list" {
		t.Errorf("added: %s", got)
	}
	if n, err := s.AddStops(t.Context(), "acme", []pbx.Stop{stop(2)}); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	if n, err := s.RemoveTargets(t.Context(), "acme", "sale", pbx.TargetPick{IDs: []int64{3}}); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	a := attempt("acme", "sale", all(t, s, "acme", "sale")[3], t0)
	begin(t, s, a, lenient)
	e := settled(a, pbx.AttemptBusy, pbx.TargetWaiting, t0)
	e.Attempt.Result = &pbx.InCampaign{Outcome: pbx.AttemptBusy}
	settle(t, s, e)
	start(t, s, "acme", "sale", pbx.CampaignCancelled, 2)
	if n, err := s.ExpireTargets(t.Context(), "acme", "sale", t0); err != nil || n != 2 {
		t.Fatal(n, err)
	}
	want := "1 skipped stop_list, 2 skipped stop_list, 3 removed, 4 expired after " + string(a.Call) + " busy, 5 expired"
	if got := told(t, s); got != want {
		t.Errorf("told %s\nwant %s", got, want)
	}
	if due, err := s.DueNotifications(t.Context(), "other", time.Now().Add(time.Hour), 100); err != nil || len(due) != 0 {
		t.Errorf("another company: %v, %v", due, err)
	}
}

// testTargetsLast: events of calls do not wait behind those of targets.
func testTargetsLast(t *testing.T, open Open) {
	s := open(t)
	putCRM(t, s, "acme", "+74950000000")
	queue := func(name string, kind pbx.NotificationKind) {
		if err := s.QueueNotification(t.Context(), "acme", name, pbx.Notification{Seq: 1, Kind: kind, At: t0}); err != nil {
			t.Fatal(err)
		}
	}
	for n := range 5 {
		queue(fmt.Sprintf("target-%d", n), pbx.NotifyTarget)
	}
	queue("call-1", pbx.NotifyRinging)
	for _, c := range []struct {
		limit int
		want  string
	}{{1, "call-1"}, {3, "call-1 target-0 target-1"}, {100, "call-1 target-0 target-1 target-2 target-3 target-4"}} {
		due, err := s.DueNotifications(t.Context(), "acme", time.Now().Add(time.Hour), c.limit)
		if err != nil {
			t.Fatal(err)
		}
		var calls []string
		for _, d := range due {
			calls = append(calls, d.Call)
		}
		if got := strings.Join(calls, " "); got != c.want {
			t.Errorf("limit %d: %s, want %s", c.limit, got, c.want)
		}
	}
}
