package api

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"vpbx/pbx"
	"vpbx/store"
	"vpbx/tenants"
)

// dialling starts and ends campaigns, and calls nobody.
type dialling struct {
	store *store.Store

	mu      sync.Mutex
	changed map[string]int // by company and name
}

func (d *dialling) to(ctx context.Context, t pbx.TenantID, name, by string, status pbx.CampaignStatus, from ...pbx.CampaignStatus) (pbx.CampaignState, error) {
	c := d.store.Directory().Company(t)
	if c == nil || c.Campaigns[name] == nil {
		return pbx.CampaignState{}, noCampaign()
	}
	state, err := d.store.CampaignState(ctx, t, name)
	if pbx.KindOf(err) == pbx.NotFound {
		state, err = pbx.CampaignState{Tenant: t, Campaign: name, Status: pbx.CampaignDraft}, nil
	}
	if err != nil {
		return state, err
	}
	allowed := false
	for _, s := range from {
		allowed = allowed || s == state.Status
	}
	if !allowed {
		return state, &pbx.Error{Kind: pbx.Conflict, Msg: "the campaign is " + string(state.Status)}
	}
	now := time.Now().UTC()
	state.Status, state.By, state.Updated, state.Settings = status, by, now, c.Campaigns[name]
	state.Version++
	if state.Started == nil && status == pbx.CampaignRunning {
		state.Started = &now
	}
	return state, d.store.SaveCampaign(ctx, t, state)
}

func (d *dialling) StartCampaign(ctx context.Context, t pbx.TenantID, name, by string) (pbx.CampaignState, error) {
	return d.to(ctx, t, name, by, pbx.CampaignRunning, pbx.CampaignDraft, pbx.CampaignReady)
}

func (d *dialling) PauseCampaign(ctx context.Context, t pbx.TenantID, name, by string) (pbx.CampaignState, error) {
	return d.to(ctx, t, name, by, pbx.CampaignPaused, pbx.CampaignRunning)
}

func (d *dialling) ResumeCampaign(ctx context.Context, t pbx.TenantID, name, by string) (pbx.CampaignState, error) {
	return d.to(ctx, t, name, by, pbx.CampaignRunning, pbx.CampaignPaused)
}

func (d *dialling) CancelCampaign(ctx context.Context, t pbx.TenantID, name, by string) (pbx.CampaignState, error) {
	return d.to(ctx, t, name, by, pbx.CampaignCancelled, pbx.CampaignDraft, pbx.CampaignReady, pbx.CampaignRunning, pbx.CampaignPaused)
}

func (d *dialling) CampaignProgress(ctx context.Context, t pbx.TenantID, name string) (pbx.CampaignProgress, error) {
	counts, err := d.store.CountTargets(ctx, t, name)
	return pbx.CampaignProgress{CampaignState: pbx.CampaignState{Tenant: t, Campaign: name, Status: pbx.CampaignRunning}, Targets: counts, Rate: 1.5, Why: "nobody is due"}, err
}

func (d *dialling) CampaignChanged(t pbx.TenantID, name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.changed[string(t)+"/"+name]++
}

func (r *rig) changes(name string) int {
	d := r.c.Campaigns.(*dialling)
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.changed["new/"+name]
}

const (
	newToken = "the-token-of-new"
	debts    = newPath + "/campaigns/debts"
)

const debtsText = `{"name": "debts", "title": "Долги", "kind": "debt", "when": "day", "callers": [{"number": "+74950000000", "label": "Акме"}], "script": [{"name": "main", "play": "hello", "keys": {"1": {"answer": "will pay"}}}]}`

// newCampaign makes a company with a campaign.
func newCampaign(t *testing.T) *rig {
	r := newRig(t)
	r.put(newPath, adminToken, document+"outbound: [{prefix: \"+\", trunks: [carrier]}]\nprompts: [{name: hello, text: Здравствуйте}]\nschedules: [{name: day, hours: [\"09:00-20:00\"]}]\n")
	r.addToken(newToken, "new")
	r.ask("POST", newPath+"/campaigns", newToken, debtsText).want(t, 201)
	return r
}

// TestCampaigns: a campaign is made, read, changed, started, paused and removed.
func TestCampaigns(t *testing.T) {
	r := newCampaign(t)
	r.ask("POST", newPath+"/campaigns", newToken, debtsText).want(t, 409)
	if p := r.ask("POST", newPath+"/campaigns", newToken, `{"kind": "debt"}`).want(t, 400); p.Field != "name" {
		t.Errorf("%+v", p)
	}
	a := r.ask("GET", debts, newToken, nil)
	a.want(t, 200)
	var whole CampaignWhole
	a.into(t, &whole)
	if whole.Status != pbx.CampaignDraft || whole.Title != "Долги" || whole.Settings == nil || whole.Settings.Pace.AtOnce != 10 || a.Header.Get("ETag") == "" {
		t.Errorf("%s", a.body)
	}
	// What was read is written back, with the ETag and without.
	settings, err := json.Marshal(whole.Settings)
	r.check(err)
	if c := r.put(debts, newToken, string(settings)); len(c) != 0 {
		t.Errorf("written back: %+v", c)
	}
	tag := a.Header.Get("ETag")
	whole.Settings.Pace.AtOnce = 20
	r.ask("PUT", debts, newToken, whole.Settings, "If-Match", tag).want(t, 200)
	if p := r.ask("PUT", debts, newToken, whole.Settings, "If-Match", tag).want(t, 412); p.Kind != pbx.Outdated {
		t.Errorf("%+v", p)
	}
	r.ask("DELETE", debts, newToken, nil, "If-Match", tag).want(t, 412)
	if p := r.ask("PUT", debts, newToken, `{"kind": "debt", "when": "night", "callers": []}`).want(t, 400); len(p.Details) != 3 || p.Details[0].Path != "script" && p.Details[0].Line == 0 {
		t.Errorf("%+v", p)
	}
	if r.changes("debts") != 3 {
		t.Errorf("told of %d changes", r.changes("debts"))
	}
	for _, step := range []struct {
		verb   string
		status int
		now    pbx.CampaignStatus
	}{{"pause", 409, ""}, {"start", 200, pbx.CampaignRunning}, {"start", 409, ""}, {"pause", 200, pbx.CampaignPaused}, {"resume", 200, pbx.CampaignRunning}} {
		a := r.ask("POST", debts+"/"+step.verb, newToken, nil)
		a.want(t, step.status)
		var line CampaignLine
		if step.status == 200 {
			if a.into(t, &line); line.Status != step.now || line.By != "new" || line.Started == nil {
				t.Errorf("%s: %s", step.verb, a.body)
			}
		}
	}
	var now CampaignNow
	r.ask("GET", debts+"/progress", newToken, nil).into(t, &now)
	if now.Name != "debts" || now.Rate != 1.5 || now.Why != "nobody is due" {
		t.Errorf("%+v", now)
	}
	r.ask("DELETE", debts, newToken, nil).want(t, 409)
	// What it refers to cannot be removed.
	r.ask("DELETE", newPath+"/schedules/day", newToken, nil).want(t, 400)
	r.ask("DELETE", newPath+"/prompts/hello", newToken, nil).want(t, 409)
	r.ask("POST", debts+"/cancel", newToken, nil).want(t, 200)
	var list List[CampaignLine]
	r.ask("GET", newPath+"/campaigns", newToken, nil).into(t, &list)
	if len(list.Items) != 1 || list.Items[0].Status != pbx.CampaignCancelled || list.Items[0].Kind != pbx.CampaignDebt || list.Items[0].Targets == nil {
		t.Errorf("%+v", list)
	}
	r.ask("DELETE", debts, newToken, nil).want(t, 204)
	r.ask("GET", debts, newToken, nil).want(t, 404)
	r.ask("DELETE", debts, newToken, nil).want(t, 404)
	for _, verb := range []string{"start", "pause", "resume", "cancel"} {
		r.ask("POST", debts+"/"+verb, newToken, nil).want(t, 404)
	}
	r.ask("GET", debts+"/progress", newToken, nil).want(t, 404)
	r.ask("POST", newPath+"/campaigns", newToken, debtsText).want(t, 201)
}

// TestRemovedCampaign: what became of a campaign is there when the document has it no
// longer, and none of its name is made until that is removed.
func TestRemovedCampaign(t *testing.T) {
	r := newCampaign(t)
	r.ask("POST", debts+"/start", newToken, nil).want(t, 200)
	_, err := tenants.NewService(r.store).Edit(t.Context(), "new", tenants.Campaigns.Remove("debts", func(any) error { return nil }))
	r.check(err)
	var whole CampaignWhole
	r.ask("GET", debts, newToken, nil).into(t, &whole)
	if !whole.Removed || whole.Settings != nil || whole.Title != "Долги" || whole.Status != pbx.CampaignRunning {
		t.Errorf("%+v", whole)
	}
	r.ask("GET", debts+"/report", newToken, nil).want(t, 200)
	if p := r.ask("POST", newPath+"/campaigns", newToken, debtsText).want(t, 409); !strings.Contains(p.Message, "delete it first") {
		t.Errorf("%+v", p)
	}
	r.ask("DELETE", debts, newToken, nil).want(t, 409)
}

// TestCampaignsOfOthers: the token of another company sees nothing of a campaign.
func TestCampaignsOfOthers(t *testing.T) {
	r := newCampaign(t)
	r.ask("POST", debts+"/targets", newToken, `{"items": [{"numbers": ["+79161234567"]}]}`).want(t, 200)
	r.ask("POST", newPath+"/stop-list", newToken, `{"items": [{"number": "+79161234568"}]}`).want(t, 200)
	mine := "/api/v1/tenants/acme"
	for _, rt := range r.routes {
		if !strings.Contains(rt.Path, "/campaigns") && !strings.Contains(rt.Path, "/stop-list") && !strings.Contains(rt.Path, "/consents") {
			continue
		}
		path := strings.NewReplacer("{campaign}", "debts", "{target}", "1", "{number}", "+79161234568").Replace(strings.TrimPrefix(rt.Path, tenantPath))
		body := `{"items": [{"numbers": ["+79161234567"], "number": "+79161234567", "source": "x"}]}`
		r.ask(rt.Method, newPath+path, acmeToken, body).want(t, 404)
		if strings.Contains(rt.Path, "{campaign}") && rt.Method != "PUT" {
			// The name means nothing in another company.
			if a := r.ask(rt.Method, mine+path, acmeToken, body); a.StatusCode != 404 && a.StatusCode != 400 {
				t.Errorf("%s %s: %d %s", rt.Method, path, a.StatusCode, a.body)
			}
		}
	}
	var stops List[pbx.Stop]
	r.ask("GET", mine+"/stop-list", acmeToken, nil).into(t, &stops)
	if len(stops.Items) != 0 {
		t.Errorf("%+v", stops)
	}
	var list List[pbx.Target]
	r.ask("GET", debts+"/targets", newToken, nil).into(t, &list)
	if len(list.Items) != 1 || list.Items[0].State != pbx.TargetWaiting {
		t.Errorf("%+v", list)
	}
}

func TestManyCampaigns(t *testing.T) {
	r := newCampaign(t)
	for i := range 3 {
		r.ask("POST", newPath+"/campaigns", newToken, strings.Replace(debtsText, "debts", fmt.Sprintf("c%d", i), 1)).want(t, 201)
	}
	var list List[CampaignLine]
	r.ask("GET", newPath+"/campaigns?limit=3", newToken, nil).into(t, &list)
	if len(list.Items) != 3 || list.Items[0].Name != "c0" || list.Next == "" {
		t.Errorf("%+v", list)
	}
	r.ask("GET", newPath+"/campaigns?limit=3&cursor="+list.Next, newToken, nil).into(t, &list)
	if len(list.Items) != 1 || list.Items[0].Name != "debts" || list.Next != "" {
		t.Errorf("%+v", list)
	}
}
