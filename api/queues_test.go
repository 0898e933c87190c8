package api

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"vpbx/pbx"
)

func (l *liveCalls) Queues(t pbx.TenantID, only string) []pbx.QueueInfo {
	list := []pbx.QueueInfo{{Number: "700", Waiting: []pbx.Waiting{{From: "+79160000001", Position: 1, Since: time.Unix(0, 0)}}}, {Number: "701"}}
	return slices.DeleteFunc(list, func(q pbx.QueueInfo) bool { return t != "acme" || only != "" && q.Number != only })
}

func (l *liveCalls) AgentList(t pbx.TenantID) []pbx.AgentInfo {
	return []pbx.AgentInfo{{Number: "101", Status: pbx.AgentAvailable}, {Number: "102", Status: pbx.AgentPaused}}
}

func (l *liveCalls) ChangeAgent(_ context.Context, t pbx.TenantID, number string, x pbx.AgentChange) (pbx.AgentInfo, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t != "acme" {
		return pbx.AgentInfo{}, &pbx.Error{Kind: pbx.NotFound, Msg: "no such extension"}
	}
	l.done = append(l.done, fmt.Sprintf("%s %s %q %q", x.Do, number, x.Queue, x.Reason))
	return pbx.AgentInfo{Number: number}, nil
}

func (l *liveCalls) CancelCallback(_ context.Context, t pbx.TenantID, queue, id string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done = append(l.done, "cancel "+queue+" "+id)
	return nil
}

// TestAgents: each route says to call control what its body said, and refuses bodies that
// make no sense before that.
func TestAgents(t *testing.T) {
	r := newRig(t)
	const path = "/api/v1/tenants/acme"
	for _, x := range []struct {
		method, path, body string
		status             int
		done               string
	}{
		{"POST", "/agents/101/login", ``, 200, `login 101 "" ""`},
		{"POST", "/agents/101/login", `{"queue":"701"}`, 200, `login 101 "701" ""`},
		{"POST", "/agents/101/logout", `{}`, 200, `logout 101 "" ""`},
		{"POST", "/agents/101/pause", `{"reason":"lunch"}`, 200, `pause 101 "" "lunch"`},
		{"POST", "/agents/101/pause", ``, 200, `pause 101 "" ""`},
		{"POST", "/agents/101/pause", `{"why":"x"}`, 400, ""},
		{"POST", "/agents/101/pause", `{"reason":5}`, 400, ""},
		{"POST", "/agents/101/resume", ``, 200, `resume 101 "" ""`},
		{"POST", "/agents/12345678901/resume", ``, 400, ""},
		{"DELETE", "/queues/700/callbacks/c1", ``, 204, `cancel 700 c1`},
	} {
		r.live.done = nil
		var body any
		if x.body != "" {
			body = x.body
		}
		a := r.ask(x.method, path+x.path, acmeToken, body)
		if a.StatusCode != x.status {
			t.Errorf("%s %s: %d %s, want %d", x.path, x.body, a.StatusCode, a.body, x.status)
		}
		if want := []string{x.done}; x.done != "" && !slices.Equal(r.live.done, want) || x.done == "" && r.live.done != nil {
			t.Errorf("%s %s did %q, want %q", x.path, x.body, r.live.done, x.done)
		}
	}
	r.ask("POST", path+"/agents/101/login", otherToken, nil).want(t, 404)
	if a := r.ask("GET", path+"/agents?limit=1", acmeToken, nil); a.StatusCode != 200 || !strings.Contains(string(a.body), `"next"`) {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
}

// TestQueues: the queues of a company as they are, and their figures.
func TestQueues(t *testing.T) {
	r := newRig(t)
	const path = "/api/v1/tenants/acme/queues"
	r.check(r.store.UpdateCompany(t.Context(), "acme", func(c *pbx.Company) (*pbx.Company, error) {
		c.Groups["700"] = &pbx.Group{Number: "700", Queue: &pbx.Queue{SLA: 20 * time.Second}}
		return c, nil
	}))
	entered := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	cdr := pbx.CDR{ID: "q1", Tenant: "acme", Started: entered, Queues: []pbx.InQueue{{Number: "700", Entered: entered, Waited: 7, Left: pbx.LeftAnswered, Agent: "101", Talk: 3}}}
	r.check(r.store.SaveCall(t.Context(), "acme", cdr, nil))
	r.check(r.store.SaveCallback(t.Context(), "acme", pbx.CallbackOrder{ID: "c1", Tenant: "acme", Queue: "700", Asked: entered, State: pbx.CallbackReached}))
	span := "?since=" + url.QueryEscape("2026-11-22T10:00:00+03:00") + "&until=2026-11-23"
	for at, want := range map[string]string{
		"":                            `"since":"1970-01-01T03:00:00+03:00"`,
		"/700":                        `"position":1`,
		"/700/figures" + span:         `"answered":1,"answered_within_sla":1,"abandoned":0`,
		"/700/callbacks" + span:       `"state":"reached"`,
		"/700/figures?until=2020-1-1": "",
	} {
		a := r.ask("GET", path+at, acmeToken, nil)
		status := 200
		if want == "" {
			status = 400
		}
		if a.StatusCode != status || !strings.Contains(string(a.body), want) {
			t.Errorf("GET %s: %d %s, want %s", at, a.StatusCode, a.body, want)
		}
	}
	r.ask("GET", path+"/700/figures?since=2026-01-01&until=2026-11-01", acmeToken, nil).want(t, 400)
	r.ask("GET", path+"/700/figures?since=2026-01-02&until=2026-01-01", acmeToken, nil).want(t, 400)
	for _, at := range []string{"/600", "/600/figures", "/600/callbacks", "/x"} {
		r.ask("GET", path+at, acmeToken, nil).want(t, 404)
	}
	r.ask("GET", path+"/700", otherToken, nil).want(t, 404)
	r.ask("GET", "/api/v1/tenants/other/queues/700", otherToken, nil).want(t, 404)
}
