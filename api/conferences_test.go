package api

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"vpbx/pbx"
)

func (l *liveCalls) Conferences(t pbx.TenantID) []pbx.ConferenceInfo {
	if t != "acme" {
		return nil
	}
	return []pbx.ConferenceInfo{{Number: "800", Name: "Planning", Started: time.Unix(1000, 0), Max: 100,
		Members: []pbx.ConferenceMember{{Call: "c1", Who: "101", Joined: time.Unix(1001, 0), Speaking: true}}}}
}

func (l *liveCalls) ChangeConference(_ context.Context, t pbx.TenantID, number string, x pbx.ConferenceChange) error {
	if t != "acme" || number != "800" {
		return &pbx.Error{Kind: pbx.NotFound, Msg: "no such conference goes on"}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done = append(l.done, fmt.Sprintf("%s %q %t %v", x.Do, x.Call, x.On, x.Gain))
	return nil
}

func (l *liveCalls) Invite(_ context.Context, t pbx.TenantID, i pbx.ConferenceInvite) (pbx.CallID, error) {
	if t != "acme" || i.Number != "800" {
		return "", &pbx.Error{Kind: pbx.NotFound, Msg: "no such conference"}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done = append(l.done, fmt.Sprintf("invite %q from %q", i.To, i.From))
	return "c9", nil
}

func (l *liveCalls) ConferenceOf(_ context.Context, t pbx.TenantID, id pbx.CallID, number string) (string, error) {
	if err := l.control(t, id, fmt.Sprintf("conference %q", number)); err != nil {
		return "", err
	}
	return string(id), nil
}

// TestConferences: each route says to call control what its body said, and refuses
// bodies that make no sense before that.
func TestConferences(t *testing.T) {
	r := newRig(t)
	id, err := r.live.Originate(t.Context(), pbx.Originate{Tenant: "acme", From: "101", To: "102"})
	r.check(err)
	const path = "/api/v1/tenants/acme/conferences"
	for _, x := range []struct {
		path, body string
		status     int
		done       string
	}{
		{"/800/mute", ``, 204, `mute "" false 0`},
		{"/800/mute", `{"call":"c1"}`, 204, `mute "c1" false 0`},
		{"/800/unmute", `{}`, 204, `unmute "" false 0`},
		{"/800/mute", `{"who":"101"}`, 400, ""},
		{"/800/kick", `{"call":"c1"}`, 204, `kick "c1" false 0`},
		{"/800/kick", `{}`, 400, ""},
		{"/800/kick", `{"call":""}`, 400, ""},
		{"/800/lock", ``, 204, `lock "" false 0`},
		{"/800/unlock", ``, 204, `unlock "" false 0`},
		{"/800/end", ``, 204, `end "" false 0`},
		{"/800/record", `{"on":true}`, 204, `record "" true 0`},
		{"/800/record", `{}`, 400, ""},
		{"/800/gain", `{"call":"c1","gain":-6.5}`, 204, `gain "c1" false -6.5`},
		{"/800/gain", `{"call":"c1","gain":21}`, 400, ""},
		{"/800/gain", `{"gain":3}`, 400, ""},
		{"/800/invite", `{"to":"+79160000001","from":"101"}`, 202, `invite "+79160000001" from "101"`},
		{"/800/invite", `{"to":"103"}`, 202, `invite "103" from ""`},
		{"/800/invite", `{}`, 400, ""},
		{"/801/invite", `{"to":"103"}`, 404, ""},
		{"/801/lock", ``, 404, ""},
		{"/" + strings.Repeat("8", 65) + "/lock", ``, 400, ""},
		{"/../calls/" + string(id) + "/conference", ``, 200, `conference ""`},
	} {
		r.live.done = nil
		var body any
		if x.body != "" {
			body = x.body
		}
		at := strings.Replace(path+x.path, "/conferences/..", "", 1)
		a := r.ask("POST", at, acmeToken, body)
		if a.StatusCode != x.status {
			t.Errorf("%s %s: %d %s, want %d", x.path, x.body, a.StatusCode, a.body, x.status)
		}
		if want := []string{x.done}; x.done != "" && !slices.Equal(r.live.done, want) || x.done == "" && r.live.done != nil {
			t.Errorf("%s %s did %q, want %q", x.path, x.body, r.live.done, x.done)
		}
	}
	for _, at := range []string{"", "/800"} {
		if a := r.ask("GET", path+at, acmeToken, nil); a.StatusCode != 200 || !strings.Contains(string(a.body), `"speaking":true`) {
			t.Errorf("GET %s: %d %s", at, a.StatusCode, a.body)
		}
	}
	r.ask("GET", path+"/801", acmeToken, nil).want(t, 404)
	r.ask("GET", path+"/800", otherToken, nil).want(t, 404)
	r.ask("GET", "/api/v1/tenants/other/conferences/800", otherToken, nil).want(t, 404)
	r.ask("POST", "/api/v1/tenants/other/conferences/800/end", otherToken, nil).want(t, 404)
}
