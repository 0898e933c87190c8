package api

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"vpbx/pbx"
)

// TestRoutes walks the route table: every route has a known permission, and
// all but the open ones want a token.
func TestRoutes(t *testing.T) {
	r := newRig(t)
	open := map[string]bool{"/healthz": true, "/readyz": true, "/metrics": true, "/records/{link}": true,
		"/amocrm/callback": true, "/amocrm/uninstall": true, "/amocrm/recording": true, "/amocrm/widget": true, "/amocrm/call": true}
	if len(r.routes) < 14 {
		t.Fatalf("only %d routes", len(r.routes))
	}
	for _, rt := range r.routes {
		if !rt.Permission.known() {
			t.Errorf("%s %s has the permission %q", rt.Method, rt.Path, rt.Permission)
		}
		if (rt.Permission == Open) != open[rt.Path] {
			t.Errorf("%s %s is %q", rt.Method, rt.Path, rt.Permission)
		}
		if rt.Permission == Open {
			continue
		}
		for _, token := range []string{"", "wrong"} {
			a := r.ask(rt.Method, fill(rt.Path, "acme", "1", "1"), token, nil)
			if p := a.want(t, 401); p.Kind != pbx.Unauthenticated || a.Header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s %s without a token: %+v", rt.Method, rt.Path, p)
			}
		}
		r.tokens.guesses = sources{}
	}
}

// fill puts values into the pattern of a path.
func fill(path, tenant, call, recording string) string {
	path = strings.ReplaceAll(path, "{tenant}", tenant)
	id := call
	if strings.Contains(path, "/recordings/") {
		id = recording
	}
	return strings.ReplaceAll(path, "{id}", id)
}

// TestOtherTenant: whatever a tenant's token asks of another company, it is
// told that there is no such company, whether there is one or not.
func TestOtherTenant(t *testing.T) {
	r := newRig(t)
	cdr := r.saveCall(time.Now(), "101", "+79161234567")
	live, err := r.live.Originate(t.Context(), pbx.Originate{Tenant: "acme", From: "101", To: "102"})
	r.check(err)
	before := r.store.Directory().Company("acme")
	for _, rt := range r.routes {
		if !strings.Contains(rt.Path, "{tenant}") {
			continue
		}
		for _, call := range []pbx.CallID{cdr.ID, live} {
			body := `{"from": "101", "to": "102"}`
			theirs := r.ask(rt.Method, fill(rt.Path, "acme", string(call), string(cdr.Recordings[0].ID)), otherToken, body).want(t, 404)
			nobodys := r.ask(rt.Method, fill(rt.Path, "nobody", string(call), string(cdr.Recordings[0].ID)), otherToken, body).want(t, 404)
			theirs.ID, nobodys.ID = "", ""
			if theirs.Message != nobodys.Message || theirs.Kind != nobodys.Kind {
				t.Errorf("%s %s tells a company that exists from one that does not: %+v, %+v", rt.Method, rt.Path, theirs, nobodys)
			}
		}
	}
	// Ids of one company mean nothing below the path of another.
	for _, path := range []string{"calls/" + string(cdr.ID), "calls/" + string(live), "recordings/" + string(cdr.Recordings[0].ID)} {
		r.ask("GET", "/api/v1/tenants/other/"+path, otherToken, nil).want(t, 404)
		r.ask("GET", "/api/v1/tenants/other/"+path, adminToken, nil).want(t, 404)
	}
	r.ask("POST", "/api/v1/tenants/other/calls/"+string(live)+"/hangup", otherToken, nil).want(t, 404)
	if len(r.live.Live("acme")) != 1 || r.store.Directory().Company("acme") != before {
		t.Error("a request with the token of another company changed something")
	}
	r.ask("GET", "/api/v1/tenants", otherToken, nil).want(t, 403)
	r.ask("DELETE", "/api/v1/tenants/other", otherToken, nil).want(t, 403)
}

// TestNoCompany: an administrator is told of a company that does not exist on
// every route but the one that makes it.
func TestNoCompany(t *testing.T) {
	r := newRig(t)
	for _, rt := range r.routes {
		if strings.Contains(rt.Path, "{tenant}") && rt.Permission != WriteTenant {
			r.ask(rt.Method, fill(rt.Path, "nobody", "1", "1"), adminToken, `{"from": "101", "to": "102"}`).want(t, 404)
		}
	}
}

func TestUnknownPermission(t *testing.T) {
	r := newRig(t)
	for _, p := range []Permission{"", "everything"} {
		r.broken = nil
		r.add(route{http.MethodGet, "/new", p}, func(http.ResponseWriter, *http.Request) {})
		if r.broken == nil {
			t.Errorf("a route with the permission %q was taken", p)
		}
	}
	r.ask("GET", "/new", adminToken, nil).want(t, 404)
}

func TestInternalErrorsAreForTheLog(t *testing.T) {
	r := newRig(t)
	r.live.fail = errors.New("dial 10.0.0.7:5060 with password s3cret")
	p := r.ask("POST", "/api/v1/tenants/acme/calls", acmeToken, `{"from": "101", "to": "102"}`).want(t, 500)
	if p.Kind != pbx.Internal || strings.Contains(p.Message, "10.0.0.7") {
		t.Errorf("the client sees %+v", p)
	}
	if log := r.log.String(); !strings.Contains(log, p.ID) || !strings.Contains(log, "dial 10.0.0.7") {
		t.Errorf("the log lacks the error or its id:\n%s", log)
	}
	r.live.fail = &pbx.Error{Kind: pbx.Unavailable, Msg: "draining", Err: errors.New("inner")}
	if p := r.ask("POST", "/api/v1/tenants/acme/calls", acmeToken, `{"from": "101", "to": "102"}`).want(t, 503); p.Message != "draining" {
		t.Errorf("%+v", p)
	}
}

func TestPanic(t *testing.T) {
	r := newRig(t)
	r.add(route{http.MethodGet, "/panic", Open}, func(http.ResponseWriter, *http.Request) {
		var c *pbx.Company
		_ = c.Zone
	})
	if p := r.ask("GET", "/panic", "", nil).want(t, 500); !strings.Contains(r.log.String(), p.ID) || !strings.Contains(r.log.String(), "route_test.go") {
		t.Errorf("the log lacks the stack of the panic:\n%s", r.log)
	}
	r.ask("GET", "/healthz", "", nil).want(t, 200)
}

func TestHeaders(t *testing.T) {
	r := newRig(t)
	a := r.ask("GET", "/api/v1/tenants/acme/calls?number=%2B79160000000", acmeToken, nil)
	a.want(t, 200)
	for name, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Cache-Control": "no-store", "Content-Type": "application/json",
	} {
		if got := a.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if log := r.log.String(); strings.Contains(log, acmeToken) || strings.Contains(log, "79160000000") {
		t.Errorf("a token or a query is in the log:\n%s", log)
	}
}

func TestOpenAPI(t *testing.T) {
	r := newRig(t)
	a := r.ask("GET", openAPIPath, acmeToken, nil)
	a.want(t, 200)
	var doc struct {
		OpenAPI    string
		Paths      map[string]map[string]any
		Components struct{ Schemas map[string]any }
	}
	a.into(t, &doc)
	for _, rt := range r.routes {
		if rt.Path == openAPIPath || rt.Path == "/metrics" || rt.Path == "/records/{link}" || strings.HasPrefix(rt.Path, "/amocrm/") {
			continue
		}
		if doc.Paths[rt.Path][strings.ToLower(rt.Method)] == nil {
			t.Errorf("%s %s is not described", rt.Method, rt.Path)
		}
	}
	for _, schema := range []string{"CDR", "CallEvent", "CallInfo", "Recording", "Binding", "Failure", "Problem"} {
		if doc.Components.Schemas[schema] == nil {
			t.Errorf("no schema %s", schema)
		}
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1") || strings.Contains(string(a.body), "$schema") {
		t.Errorf("OpenAPI %s, or a $schema link in it", doc.OpenAPI)
	}
}
