package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"vpbx/pbx"
)

// testAgents: the newest version of what an agent has said is kept, of each company by
// itself, and goes with the company.
func testAgents(t *testing.T, open Open) {
	s := open(t)
	put(t, s, Company("acme", "+74950000000"))
	put(t, s, Company("umbra", "+74950000001"))
	say := func(tenant pbx.TenantID, number, paused string, version int64) {
		t.Helper()
		if err := s.SaveAgent(t.Context(), tenant, pbx.AgentState{Tenant: tenant, Number: number, Paused: paused, Queues: []string{"700"}, Version: version}); err != nil {
			t.Error(err)
		}
	}
	say("acme", "101", "lunch", 2)
	say("acme", "101", "", 1)
	say("acme", "102", "x", 1)
	say("umbra", "101", "y", 1)
	wantKind(t, "of another", s.SaveAgent(t.Context(), "acme", pbx.AgentState{Tenant: "umbra", Number: "101"}), pbx.Invalid)
	wantKind(t, "of nobody", s.SaveAgent(t.Context(), "acme", pbx.AgentState{Tenant: "acme"}), pbx.Invalid)
	list, err := s.Agents(t.Context())
	if err != nil || len(list) != 3 || list[0].Paused != "lunch" || list[0].Version != 2 || !slices.Equal(list[0].Queues, []string{"700"}) {
		t.Errorf("%+v, %v", list, err)
	}
	if err := s.UpdateCompany(t.Context(), "acme", func(*pbx.Company) (*pbx.Company, error) { return nil, nil }); err != nil {
		t.Error(err)
	}
	say("acme", "101", "a call that goes on", 3)
	if list, err := s.Agents(t.Context()); err != nil || len(list) != 1 || list[0].Tenant != "umbra" {
		t.Errorf("after the company was removed: %+v, %v", list, err)
	}
}

// testCallbacks: a callback that is over stays so, whatever comes late; those that are not
// are found at the start.
func testCallbacks(t *testing.T, open Open) {
	s := open(t)
	put(t, s, Company("acme", "+74950000000"))
	put(t, s, Company("umbra", "+74950000001"))
	t0 := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	save := func(tenant pbx.TenantID, n int, state pbx.CallbackState) {
		t.Helper()
		o := pbx.CallbackOrder{ID: fmt.Sprint("c", n), Tenant: tenant, Queue: "700", Number: "+79160000001", State: state, Asked: t0.Add(time.Duration(n) * time.Minute)}
		if err := s.SaveCallback(t.Context(), tenant, o); err != nil {
			t.Error(err)
		}
	}
	for n := range 4 {
		save("acme", n, pbx.CallbackWaiting)
	}
	save("umbra", 9, pbx.CallbackWaiting)
	save("acme", 1, pbx.CallbackDialling)
	save("acme", 2, pbx.CallbackReached)
	save("acme", 2, pbx.CallbackWaiting) // too late
	wantKind(t, "of another", s.SaveCallback(t.Context(), "acme", pbx.CallbackOrder{ID: "x", Tenant: "umbra"}), pbx.Invalid)
	wantKind(t, "of nobody", s.SaveCallback(t.Context(), "acme", pbx.CallbackOrder{Tenant: "acme"}), pbx.Invalid)
	list, err := s.Callbacks(t.Context(), "acme", "700", t0.Add(time.Minute), t0.Add(3*time.Minute))
	if err != nil || len(list) != 2 || list[0].ID != "c2" || list[0].State != pbx.CallbackReached || list[1].State != pbx.CallbackDialling {
		t.Errorf("%+v, %v", list, err)
	}
	for _, at := range []time.Time{t0, t0.Add(365 * 24 * time.Hour)} {
		open, err := s.OpenCallbacks(t.Context(), at)
		if err != nil || len(open) != 4 || open[0].ID != "c0" || open[1].State != pbx.CallbackDialling {
			t.Errorf("open: %+v, %v", open, err)
		}
	}
	if list, err := s.Callbacks(t.Context(), "acme", "700", t0, t0.Add(time.Hour)); err != nil || len(list) != 3 {
		t.Errorf("those that were over long ago: %+v, %v", list, err)
	}
	if err := s.UpdateCompany(t.Context(), "umbra", func(*pbx.Company) (*pbx.Company, error) { return nil, nil }); err != nil {
		t.Error(err)
	}
	save("umbra", 9, pbx.CallbackDialling)
	save("umbra", 10, pbx.CallbackWaiting)
	if list, err := s.Callbacks(t.Context(), "umbra", "700", t0, t0.Add(time.Hour)); err != nil || len(list) != 0 {
		t.Errorf("of a company that was removed: %+v, %v", list, err)
	}
}

// testQueueVisits: the times in queues are saved with their call, once, and found by
// queue and time.
func testQueueVisits(t *testing.T, open Open) {
	s := open(t)
	entered := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for n := range 3 {
		for _, tenant := range []pbx.TenantID{"acme", "umbra"} {
			c, trace := Call(tenant, n, func(c *pbx.CDR) {
				c.Queues = []pbx.InQueue{
					{Number: "700", Entered: entered.Add(time.Duration(n) * time.Hour), Waited: float64(n), Left: pbx.LeftTimeout},
					{Number: "701", Entered: entered, Left: pbx.LeftAnswered, Agent: "101"},
				}
			})
			save(t, s, c, trace)
			save(t, s, c, trace) // again, as a replayed spool does
		}
	}
	visits := func(tenant pbx.TenantID, queue string, since, until time.Time) (list []pbx.InQueue) {
		t.Helper()
		if err := s.QueueVisits(t.Context(), tenant, queue, since, until, func(v pbx.InQueue) { list = append(list, v) }); err != nil {
			t.Error(err)
		}
		return list
	}
	if list := visits("acme", "700", entered, entered.Add(2*time.Hour)); len(list) != 2 || list[1].Waited != 1 || list[0].Left != pbx.LeftTimeout {
		t.Errorf("%+v", list)
	}
	if list := visits("umbra", "701", entered, entered.Add(time.Hour)); len(list) != 3 || list[0].Agent != "101" {
		t.Errorf("%+v", list)
	}
	if list := visits("beta", "700", entered, entered.Add(time.Hour)); len(list) != 0 {
		t.Errorf("%+v", list)
	}
}
