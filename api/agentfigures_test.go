package api

import (
	"net/url"
	"testing"
	"time"

	"vpbx/pbx"
)

func (l *liveCalls) AgentTalks(t pbx.TenantID) []pbx.AgentTalk {
	if t != "acme" {
		return nil
	}
	now := time.Now()
	return []pbx.AgentTalk{{Tenant: t, Number: "101", Queue: "700", Since: now.Add(-time.Minute), Until: now}}
}

// TestAgentFigures: what agents have said and the talks that are over and go on come together,
// of this company alone; times that make no sense are refused.
func TestAgentFigures(t *testing.T) {
	r := newRig(t)
	r.check(r.store.UpdateCompany(t.Context(), "acme", func(*pbx.Company) (*pbx.Company, error) {
		c := acme()
		c.Groups = map[string]*pbx.Group{"700": {Number: "700", Members: []string{"101", "102"}, Queue: &pbx.Queue{}}, "600": {Number: "600"}}
		return c, nil
	}))
	now := time.Now()
	for _, tenant := range []pbx.TenantID{"acme", "other"} {
		state := pbx.AgentState{Tenant: tenant, Number: "102", Logged: pbx.LoggedIn, Paused: "lunch", Since: now.Add(-10 * time.Minute), Version: 1}
		if err := r.store.SaveAgent(t.Context(), tenant, state); err != nil {
			t.Fatal(err)
		}
		talk := pbx.AgentTalk{Tenant: tenant, Number: "101", Queue: "700", Call: "c1", Since: now.Add(-30 * time.Minute), Until: now.Add(-25 * time.Minute), Wrapup: 10 * time.Second}
		if err := r.store.SaveAgentTalk(t.Context(), tenant, talk); err != nil {
			t.Fatal(err)
		}
	}
	const path = "/api/v1/tenants/acme/agents/figures"
	since := "?since=" + url.QueryEscape(now.Add(-time.Hour).Format(time.RFC3339))
	var got AgentReport
	r.ask("GET", path+since, acmeToken, nil).into(t, &got)
	near := func(got, want float64) bool { return got > want-5 && got < want+5 }
	if len(got.Items) != 2 || got.Items[0].Agent != "101" || got.Items[0].Talks != 2 || !near(got.Items[0].Talk, 360) || got.Items[0].Wrapup != 10 || !near(got.Items[0].LoggedIn, 3600) ||
		!near(got.Items[1].Paused, 600) || len(got.Items[1].Pauses) != 1 || got.Items[1].Pauses[0].Times != 1 {
		t.Errorf("%+v", got)
	}
	r.ask("GET", path+since+"&queue=700", acmeToken, nil).into(t, &got)
	if len(got.Items) != 2 {
		t.Errorf("of its queue: %+v", got)
	}
	tomorrow := url.QueryEscape(now.Add(24 * time.Hour).Format(time.RFC3339))
	r.ask("GET", path+since+"&until="+tomorrow, acmeToken, nil).into(t, &got)
	if d := got.Until.Sub(now); d < 0 || d > time.Minute {
		t.Errorf("until %v", got.Until)
	}
	r.ask("GET", path+"?since="+tomorrow+"&until="+url.QueryEscape(now.Add(25*time.Hour).Format(time.RFC3339)), acmeToken, nil).want(t, 400)
	r.ask("GET", path+"?since=2026-01-01&until=2026-03-01", acmeToken, nil).want(t, 400)
	r.ask("GET", path+"?queue=600", acmeToken, nil).want(t, 404)
	r.ask("GET", path, otherToken, nil).want(t, 404)
}
