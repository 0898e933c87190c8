package api

import (
	"strings"
	"testing"

	"vpbx/pbx"
)

func TestNoSuchPathOrMethod(t *testing.T) {
	r := newRig(t)
	for _, path := range []string{"/", "/api", "/api/v1/tenants/acme/nothing", "/api/v1/tenants/acme/calls/1/2/3"} {
		if p := r.ask("GET", path, adminToken, nil).want(t, 404); p.Kind != pbx.NotFound {
			t.Errorf("%s: %+v", path, p)
		}
	}
	a := r.ask("DELETE", "/api/v1/tenants/acme/calls", adminToken, nil)
	if p := a.want(t, 405); p.Kind != pbx.Invalid || a.Header.Get("Allow") != "GET, HEAD, POST" {
		t.Errorf("%+v, Allow %q", p, a.Header.Get("Allow"))
	}
}

func TestBadParameters(t *testing.T) {
	r := newRig(t)
	for _, c := range []struct{ path, field string }{
		{"calls?limit=0", "limit"},
		{"calls?limit=501", "limit"},
		{"calls?limit=x", "limit"},
		{"calls?direction=up", "direction"},
		{"calls?outcome=great", "outcome"},
		{"calls?since=yesterday", "since"},
		{"calls?until=2026-13-01", "until"},
		{"calls?since=2026-02-01&until=2026-01-01", "until"},
		{"calls?number=anna", "number"},
		{"calls?nubmer=101", "nubmer"},
		{"calls?live=perhaps", "live"},
		{"calls?live=true&cursor=!", "cursor"},
		{"recordings/1?format=flac", "format"},
		{"recordings/1?format=exe", "format"},
	} {
		p := r.ask("GET", "/api/v1/tenants/acme/"+c.path, acmeToken, nil).want(t, 400)
		if p.Kind != pbx.Invalid || p.Field != c.field || !strings.Contains(p.Message, c.field) {
			t.Errorf("%s: %+v", c.path, p)
		}
	}
}

func TestBadBodies(t *testing.T) {
	r := newRig(t)
	const path = "/api/v1/tenants/acme/calls"
	for _, c := range []struct {
		body   string
		status int
		field  string
	}{
		{``, 400, ""},
		{`{`, 400, ""},
		{`[]`, 400, ""},
		{`{"from": "101"}`, 400, ""},
		{`{"from": 101, "to": "102"}`, 400, "from"},
		{`{"from": "101", "to": "102", "when": "now"}`, 400, "when"},
		{`{"from": "999", "to": "102"}`, 400, "from"},
		{`{"from": "` + strings.Repeat("1", maxBody) + `"}`, 413, ""},
	} {
		if p := r.ask("POST", path, acmeToken, c.body).want(t, c.status); p.Kind != pbx.Invalid || p.Field != c.field {
			t.Errorf("%.60s: %+v", c.body, p)
		}
	}
}
