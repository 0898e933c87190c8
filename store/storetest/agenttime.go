package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"vpbx/pbx"
	"vpbx/store"
)

// testAgentTimes: what agents have said is found with what they had said before, talks with
// those whose wrap-up may lie in the time; of each company by itself, and until it is removed.
func testAgentTimes(t *testing.T, open Open) {
	s := open(t)
	put(t, s, Company("acme", "+74950000000"))
	put(t, s, Company("umbra", "+74950000001"))
	t0 := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	say := func(tenant pbx.TenantID, number, paused string, version int64, minute int) {
		t.Helper()
		if err := s.SaveAgent(t.Context(), tenant, pbx.AgentState{Tenant: tenant, Number: number, Paused: paused, Version: version, Since: t0.Add(time.Duration(minute) * time.Minute)}); err != nil {
			t.Error(err)
		}
	}
	said := func(tenant pbx.TenantID, from, to int) string {
		t.Helper()
		list, err := s.AgentStates(t.Context(), tenant, t0.Add(time.Duration(from)*time.Minute), t0.Add(time.Duration(to)*time.Minute))
		if err != nil {
			t.Error(err)
		}
		var text []string
		for _, a := range list {
			text = append(text, a.Number+a.Paused)
		}
		return strings.Join(text, " ")
	}
	say("acme", "101", "a", 1, 0)
	say("acme", "101", "c", 3, 20)
	say("acme", "101", "late", 2, 10) // a later version is kept: it never counted
	say("acme", "101", "d", 4, 30)
	say("acme", "102", "x", 1, 25)
	say("umbra", "101", "y", 1, 0)
	for span, want := range map[[2]int]string{{0, 60}: "101a 101c 101d 102x", {-5, 0}: "", {5, 20}: "101a", {20, 26}: "101c 102x", {40, 50}: "101d 102x"} {
		if got := said("acme", span[0], span[1]); got != want {
			t.Errorf("from %d to %d: %q, want %q", span[0], span[1], got, want)
		}
	}
	talk := func(tenant pbx.TenantID, call string, from, to int) error {
		return s.SaveAgentTalk(t.Context(), tenant, pbx.AgentTalk{Tenant: "acme", Number: "101", Queue: "700", Call: pbx.CallID(call), Kind: pbx.TalkQueue,
			Since: t0.Add(time.Duration(from) * time.Minute), Until: t0.Add(time.Duration(to) * time.Minute), Wrapup: time.Second})
	}
	for i, x := range [][2]int{{0, 10}, {70, 80}, {100, 130}, {150, 160}, {150, 160}} {
		if err := talk("acme", fmt.Sprint("c", min(i, 3)), x[0], x[1]); err != nil {
			t.Error(err)
		}
	}
	wantKind(t, "of another", talk("umbra", "c9", 0, 10), pbx.Invalid)
	wantKind(t, "of nobody", s.SaveAgentTalk(t.Context(), "acme", pbx.AgentTalk{Tenant: "acme"}), pbx.Invalid)
	talks := func(tenant pbx.TenantID, from, to int) string {
		t.Helper()
		list, err := s.AgentTalks(t.Context(), tenant, t0.Add(time.Duration(from)*time.Minute), t0.Add(time.Duration(to)*time.Minute))
		if err != nil {
			t.Error(err)
		}
		var text []string
		for _, a := range list {
			text = append(text, string(a.Call))
		}
		return strings.Join(text, " ")
	}
	for span, want := range map[[2]int]string{{110, 120}: "c1 c2", {135, 300}: "c1 c2 c3", {400, 500}: "", {0, 70}: "c0"} {
		if got := talks("acme", span[0], span[1]); got != want {
			t.Errorf("talks from %d to %d: %q, want %q", span[0], span[1], got, want)
		}
	}
	if got := talks("umbra", 0, 500); got != "" {
		t.Errorf("of another: %s", got)
	}
	testAgentTimesForgotten(t, s, t0, said, talks)
}

// testAgentTimesForgotten: after more than a year the last word is left, and nothing of a company
// that was removed.
func testAgentTimesForgotten(t *testing.T, s *store.Store, t0 time.Time, said, talks func(tenant pbx.TenantID, from, to int) string) {
	t.Helper()
	if _, err := s.OpenCallbacks(t.Context(), t0.Add(401*24*time.Hour)); err != nil {
		t.Error(err)
	}
	if a, b := said("acme", -1000, 1000), talks("acme", -1000, 1000); a != "101d 102x" || b != "" {
		t.Errorf("after a year: %q, %q", a, b)
	}
	if err := s.UpdateCompany(t.Context(), "umbra", func(*pbx.Company) (*pbx.Company, error) { return nil, nil }); err != nil {
		t.Error(err)
	}
	if err := s.SaveAgentTalk(t.Context(), "umbra", pbx.AgentTalk{Tenant: "umbra", Number: "101", Since: t0, Until: t0}); err != nil {
		t.Error(err)
	}
	if a, b := said("umbra", -1000, 1000), talks("umbra", -1000, 1000); a != "" || b != "" {
		t.Errorf("of a company that was removed: %q, %q", a, b)
	}
}
