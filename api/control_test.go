package api

import (
	"slices"
	"testing"

	"vpbx/pbx"
)

// TestControl: each route says to call control what its body said, and refuses
// bodies that make no sense before that.
func TestControl(t *testing.T) {
	r := newRig(t)
	id, err := r.live.Originate(t.Context(), pbx.Originate{Tenant: "acme", From: "101", To: "102"})
	r.check(err)
	path := "/api/v1/tenants/acme/calls/" + string(id) + "/"
	for _, x := range []struct {
		verb, body string
		status     int
		done       string
	}{
		{"transfer", `{"by":"101","to":"103"}`, 204, `transfer by "101" to "103" with ""`},
		{"transfer", `{"with":"c2"}`, 204, `transfer by "" to "" with "c2"`},
		{"transfer", `{}`, 400, ""},
		{"transfer", `{"to":"103","with":"c2"}`, 400, ""},
		{"transfer", `{"to":"103","other":1}`, 400, ""},
		{"hold", `{"by":"101"}`, 204, `hold by "101"`},
		{"hold", `{}`, 204, `hold by ""`},
		{"hold", ``, 204, `hold by ""`},
		{"resume", ``, 204, "resume"},
		{"dtmf", `{"digits":"5#"}`, 204, `press "5#" to ""`},
		{"dtmf", `{"digits":"5#","to":"101"}`, 204, `press "5#" to "101"`},
		{"dtmf", `{"digits":"x"}`, 400, ""},
		{"dtmf", `{"digits":""}`, 400, ""},
		{"dtmf", `{"digits":"123456789012345678901234567890123"}`, 400, ""},
		{"listen", `{"from":"103"}`, 202, `listen by "103" to ""`},
		{"whisper", `{"from":"103","to":"101"}`, 202, `whisper by "103" to "101"`},
		{"barge", `{"from":"103"}`, 202, `barge by "103" to ""`},
		{"barge", `{}`, 400, ""},
		{"record", `{"on":true}`, 204, "record on 0s"},
		{"record", `{"on":false}`, 204, "record off 0s"},
		{"record", `{"do":"on"}`, 204, "record on 0s"},
		{"record", `{"do":"off"}`, 204, "record off 0s"},
		{"record", `{"do":"pause","for":90}`, 204, "record pause 1m30s"},
		{"record", `{"do":"resume"}`, 204, "record resume 0s"},
		{"record", `{"do":"resume","for":90}`, 400, ""},
		{"record", `{"do":"pause","for":0}`, 400, ""},
		{"record", `{"do":"pause","for":86400}`, 400, ""},
		{"record", `{"do":"pause","on":true}`, 400, ""},
		{"record", `{"do":"erase"}`, 400, ""},
		{"record", `{}`, 400, ""},
		{"record", `{"on":"yes"}`, 400, ""},
	} {
		r.live.done = nil
		var body any
		if x.body != "" {
			body = x.body
		}
		a := r.ask("POST", path+x.verb, acmeToken, body)
		if a.StatusCode != x.status {
			t.Errorf("%s %s: %d %s, want %d", x.verb, x.body, a.StatusCode, a.body, x.status)
		}
		if want := []string{x.done}; x.done != "" && !slices.Equal(r.live.done, want) || x.done == "" && r.live.done != nil {
			t.Errorf("%s %s did %q, want %q", x.verb, x.body, r.live.done, x.done)
		}
	}
	r.ask("POST", "/api/v1/tenants/other/calls/"+string(id)+"/resume", otherToken, nil).want(t, 404)
	r.ask("POST", path+"resume", otherToken, nil).want(t, 404)
}
