package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"vpbx/pbx"
	"vpbx/store"
)

func putCRM(t *testing.T, s *store.Store, id pbx.TenantID, number string) *pbx.Company {
	t.Helper()
	c := Company(id, number)
	c.CRM = pbx.CRM{Kind: "rtk", URL: "http://127.0.0.1"}
	put(t, s, c)
	return c
}

// waiting lists the events of a company that wait, by call and place.
func waiting(t *testing.T, s *store.Store, tenant pbx.TenantID, state pbx.DeliveryState) string {
	t.Helper()
	var all []string
	cursor := ""
	for {
		list, next, err := s.Deliveries(t.Context(), tenant, pbx.DeliveryQuery{State: state, Limit: 2, Cursor: cursor})
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range list {
			if d.State != state || d.Notification.Kind != d.Event || d.Seq != d.Notification.Seq {
				t.Errorf("delivery %+v", d)
			}
			all = append(all, fmt.Sprintf("%s%s", strings.TrimPrefix(d.ID, string(tenant)+"-"), map[bool]string{true: "!"}[d.Error != ""]))
		}
		if next == "" {
			return strings.Join(all, " ")
		}
		cursor = next
	}
}

func wantWaiting(t *testing.T, s *store.Store, tenant pbx.TenantID, state pbx.DeliveryState, want string) {
	t.Helper()
	if got := waiting(t, s, tenant, state); got != want {
		t.Errorf("%s of %s: %q, want %q", state, tenant, got, want)
	}
}

// testOutbox: events are queued with the trace and the record, each once,
// whatever is replayed; those that were delivered meanwhile do not come again.
func testOutbox(t *testing.T, open Open) {
	s := open(t)
	pending := func(want int) {
		t.Helper()
		if n, err := s.OutboxPending(t.Context()); err != nil || n != want {
			t.Errorf("pending %d, %v, want %d", n, err, want)
		}
	}
	put(t, s, Company("none", "+74950000000"))
	putCRM(t, s, "rtk", "+74950000001")
	for _, tenant := range []pbx.TenantID{"none", "nobody"} {
		c, trace := Call(tenant, 1)
		save(t, s, c, trace)
	}
	pending(0)
	if oldest, err := s.OutboxOldest(t.Context()); err != nil || !oldest.IsZero() {
		t.Errorf("oldest of none: %v, %v", oldest, err)
	}
	c, trace := Call("rtk", 1)
	journal := func(n int) {
		t.Helper()
		if err := s.JournalCall(t.Context(), "rtk", c.ID, trace[:n:n]); err != nil {
			t.Fatal(err)
		}
		closeStore(t, s) // writes it
		s = open(t)
	}
	journal(2)
	wantWaiting(t, s, "rtk", pbx.DeliveryPending, "0001-1")
	if err := s.SettleNotifications(t.Context(), "rtk", []pbx.Settled{{Call: string(c.ID), Seq: 1, Done: true}}); err != nil {
		t.Fatal(err)
	}
	journal(3)
	wantWaiting(t, s, "rtk", pbx.DeliveryPending, "0001-2 0001-3")
	journal(3)
	save(t, s, c, trace)
	save(t, s, c, trace)
	wantWaiting(t, s, "rtk", pbx.DeliveryPending, "0001-2 0001-3 0001-4 0001-5")
	journal(3) // late: it is saved already
	pending(4)
	if oldest, err := s.OutboxOldest(t.Context()); err != nil || time.Since(oldest) > time.Hour || time.Since(oldest) < 0 {
		t.Errorf("oldest: %v, %v", oldest, err)
	}
	if list, err := s.OutboxTenants(t.Context()); err != nil || len(list) != 1 || list[0] != "rtk" {
		t.Errorf("companies %v, %v", list, err)
	}
	hook := Company("hook", "+74950000002")
	hook.CRM = pbx.CRM{Kind: "webhook", Webhook: &pbx.Webhook{Events: []pbx.NotificationKind{pbx.NotifyEnded}}}
	put(t, s, hook)
	c, trace = Call("hook", 1)
	save(t, s, c, trace)
	wantWaiting(t, s, "hook", pbx.DeliveryPending, "0001-5")
	if err := s.QueueNotification(t.Context(), "rtk", "order-7", pbx.Notification{Kind: pbx.NotifyHistory, Seq: 1, Order: "7"}); err != nil {
		t.Fatal(err)
	}
	wantKind(t, "no name", s.QueueNotification(t.Context(), "rtk", "", pbx.Notification{}), pbx.Invalid)
	wantWaiting(t, s, "rtk", pbx.DeliveryPending, "order-7-1 0001-2 0001-3 0001-4 0001-5")
	if err := s.UpdateCompany(t.Context(), "rtk", func(*pbx.Company) (*pbx.Company, error) { return nil, nil }); err != nil {
		t.Fatal(err)
	}
	pending(1)
}

// testOutboxSettled: what is due, in which order, and what becomes of events
// that are tried, given up and sent again. Nothing touches another company.
func testOutboxSettled(t *testing.T, open Open) {
	s := open(t)
	putCRM(t, s, "rtk", "+74950000001")
	putCRM(t, s, "beta", "+74950000002")
	for n := 1; n <= 2; n++ {
		c, trace := Call("rtk", n)
		save(t, s, c, trace)
	}
	c, trace := Call("beta", 1)
	save(t, s, c, trace)
	now := time.Now()
	dueAt := func(at time.Time, want string) {
		t.Helper()
		list, err := s.DueNotifications(t.Context(), "rtk", at, 10)
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, d := range list {
			ids = append(ids, strings.TrimPrefix(d.ID, "rtk-"))
		}
		if got := strings.Join(ids, " "); got != want {
			t.Errorf("due %q, want %q", got, want)
		}
	}
	settle := func(list ...pbx.Settled) {
		t.Helper()
		if err := s.SettleNotifications(t.Context(), "rtk", list); err != nil {
			t.Fatal(err)
		}
	}
	dueAt(now.Add(-time.Hour), "")
	dueAt(now, "0001-1 0002-1")
	later := now.Add(time.Minute).Truncate(time.Microsecond).UTC()
	settle(pbx.Settled{Call: "rtk-0001", Seq: 1, At: now, Next: later, Strikes: 2, Error: "no\x00t\xff"}, pbx.Settled{Call: "rtk-0002", Seq: 1, Done: true},
		pbx.Settled{Call: "beta-0001", Seq: 1, Done: true})
	dueAt(now, "0002-2")
	dueAt(later, "0002-2 0001-1")
	if next, err := s.NextNotification(t.Context(), "rtk"); err != nil || next.After(now) {
		t.Errorf("next %v, %v", next, err)
	}
	list, err := s.CallNotifications(t.Context(), "rtk", "rtk-0001", 3)
	if err != nil || len(list) != 3 || list[0].Seq != 1 || list[0].Tries != 1 || list[0].Strikes != 2 || !list[0].Next.Equal(later) || list[2].Seq != 3 || list[2].Tries != 0 {
		t.Errorf("call: %+v, %v", list, err)
	}
	settle(pbx.Settled{Call: "rtk-0001", Seq: 1, At: now, Dead: true, Error: "refused"})
	settle(pbx.Settled{Call: "rtk-0001", Seq: 1, At: now, Done: true}) // too late
	dueAt(now, "0001-2 0002-2")
	wantWaiting(t, s, "rtk", pbx.DeliveryDead, "0001-1!")
	closeStore(t, s)
	s = open(t)
	wantKind(t, "another company", s.RetryNotification(t.Context(), "beta", "rtk-0001-1"), pbx.NotFound)
	for _, id := range []string{"", "x", "-1", "rtk-0001-01", "rtk-0001-99", "rtk-0001-x"} {
		wantKind(t, "id "+id, s.RetryNotification(t.Context(), "rtk", id), pbx.NotFound)
	}
	if err := s.RetryNotification(t.Context(), "rtk", "rtk-0001-1"); err != nil {
		t.Fatal(err)
	}
	dueAt(time.Now(), "0002-2 0001-1")
	if n, err := s.GiveUpNotifications(t.Context(), "rtk", "off"); err != nil || n != 9 {
		t.Errorf("given up %d, %v", n, err)
	}
	dueAt(time.Now(), "")
	if next, err := s.NextNotification(t.Context(), "rtk"); err != nil || !next.IsZero() {
		t.Errorf("next of none: %v, %v", next, err)
	}
	if n, err := s.RetryNotifications(t.Context(), "rtk"); err != nil || n != 9 {
		t.Errorf("sent again %d, %v", n, err)
	}
	settle(pbx.Settled{Call: "rtk-0001", Seq: 1, At: now, Next: time.Now().Add(time.Hour)})
	if err := s.HastenNotifications(t.Context(), "rtk"); err != nil {
		t.Fatal(err)
	}
	dueAt(time.Now(), "0002-2 0001-1")
	settle(pbx.Settled{Call: "rtk-0001", Seq: 1, At: now, Dead: true})
	if n, err := s.SweepNotifications(t.Context(), time.Now().Add(29*24*time.Hour)); err != nil || n != 0 {
		t.Errorf("swept too early: %d, %v", n, err)
	}
	if n, err := s.SweepNotifications(t.Context(), time.Now().Add(31*24*time.Hour)); err != nil || n != 1 {
		t.Errorf("swept %d, %v", n, err)
	}
	if n, err := s.OutboxPending(t.Context()); err != nil || n != 13 {
		t.Errorf("pending %d, %v", n, err)
	}
	_, _, err = s.Deliveries(t.Context(), "rtk", pbx.DeliveryQuery{Cursor: "no"})
	wantKind(t, "cursor", err, pbx.Invalid)
	_, _, err = s.Deliveries(t.Context(), "rtk", pbx.DeliveryQuery{State: "gone"})
	wantKind(t, "state", err, pbx.Invalid)
}
