package storetest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"vpbx/pbx"
)

// testHistories: an order is of one company, taken once, made in its turn, and its
// end is told once.
func testHistories(t *testing.T, open Open) {
	s := open(t)
	putCRM(t, s, "acme", "+74950000000")
	put(t, s, Company("beta", "+74950000001"))
	yes := true
	order := pbx.History{ID: "h1", Tenant: "acme", Since: t0, Until: t0.Add(time.Hour), Answered: &yes, Ordered: t0, State: pbx.HistoryWaiting}
	if err := s.OrderHistory(t.Context(), "acme", order); err != nil {
		t.Fatal(err)
	}
	again := order
	again.ID = "h2"
	err := s.OrderHistory(t.Context(), "acme", again)
	wantKind(t, "the same again", err, pbx.Conflict)
	var e *pbx.Error
	if !errors.As(err, &e) || e.Field != "h1" {
		t.Errorf("the error does not name the order: %v", err)
	}
	wantKind(t, "another company", s.OrderHistory(t.Context(), "beta", order), pbx.Invalid)
	theirs := order
	theirs.ID, theirs.Tenant, theirs.Ordered = "h3", "beta", t0.Add(time.Second)
	if err := s.OrderHistory(t.Context(), "beta", theirs); err != nil {
		t.Error("the same period of another company:", err)
	}
	for i := range maxWaiting - 1 {
		more := order
		more.ID, more.Number, more.Ordered = fmt.Sprint("m", i), fmt.Sprint(i), t0.Add(time.Minute)
		if err := s.OrderHistory(t.Context(), "acme", more); err != nil {
			t.Fatal(err)
		}
	}
	again.Number = "one too many"
	wantKind(t, "too many", s.OrderHistory(t.Context(), "acme", again), pbx.Limit)
	closeStore(t, s)
	s = open(t)
	defer closeStore(t, s)

	_, err = s.History(t.Context(), "beta", "h1")
	wantKind(t, "of another company", err, pbx.NotFound)
	got, err := s.NextHistory(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	same(t, "next", got, order)
	order.State, order.Format, order.Rows = pbx.HistoryReady, pbx.HistoryZIP, 7
	wantKind(t, "finish of another company", s.FinishHistory(t.Context(), "beta", order), pbx.Invalid)
	for range 2 {
		if err := s.FinishHistory(t.Context(), "acme", order); err != nil {
			t.Fatal(err)
		}
	}
	got, err = s.History(t.Context(), "acme", "h1")
	if err != nil {
		t.Fatal(err)
	}
	same(t, "finished", got, order)
	list, _, err := s.Deliveries(t.Context(), "acme", pbx.DeliveryQuery{})
	if err != nil || len(list) != 1 || list[0].Notification.Order != "h1" || list[0].Notification.Result != 0 || list[0].Event != pbx.NotifyHistory {
		t.Errorf("told: %+v, %v", list, err)
	}
	if got, err = s.NextHistory(t.Context()); err != nil || got.ID != "h3" {
		t.Errorf("next: %+v, %v", got, err)
	}
	if err := s.LoseHistory(t.Context(), "acme", "h1"); err != nil {
		t.Fatal(err)
	}
	again.Number, again.Ordered = "", t0.Add(time.Minute)
	if err := s.OrderHistory(t.Context(), "acme", again); err != nil {
		t.Error("what was lost is ordered again:", err)
	}
	if err := s.ForgetHistories(t.Context(), t0.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	_, err = s.History(t.Context(), "acme", "h1")
	wantKind(t, "forgotten", err, pbx.NotFound)
	if got, err = s.NextHistory(t.Context()); err != nil || got.ID == "h1" || got.Tenant != "acme" {
		t.Errorf("next: %+v, %v", got, err)
	}
}

const maxWaiting = 10 // histories of a company
