package api

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"vpbx/pbx"
)

// saveCall stores an answered call of acme that began at the time at, with a
// recording that has no file.
func (r *rig) saveCall(at time.Time, from, to string) pbx.CDR {
	r.t.Helper()
	rec := pbx.Recording{ID: pbx.NewRecordingID(at), Tenant: "acme", Call: pbx.NewCallID(at), Seconds: 10, Bytes: 320044}
	return r.saveRecorded(at, from, to, rec)
}

// saveRecorded stores an answered call with that recording.
func (r *rig) saveRecorded(at time.Time, from, to string, rec pbx.Recording) pbx.CDR {
	r.t.Helper()
	hung := pbx.NewCause(pbx.PartyCaller, pbx.Hangup)
	trace := []pbx.CallEvent{
		{At: at, Kind: pbx.Arrived, Direction: pbx.Out, From: from, To: to, Who: from, Leg: "A"},
		{At: at, Kind: pbx.Routed, Why: []string{"prefix + by carrier"}},
		{At: at, Kind: pbx.Dialled, Who: to, Leg: "B"},
		{At: at.Add(2 * time.Second), Kind: pbx.Answered, Who: to, Leg: "B"},
		{At: at.Add(2 * time.Second), Kind: pbx.Bridged, Who: to, Leg: "B"},
		{At: at.Add(12 * time.Second), Kind: pbx.RecordEnd, Recording: &rec},
		{At: at.Add(12 * time.Second), Kind: pbx.LegEnded, Leg: "B", Codec: "PCMA", Quality: &pbx.Quality{MOS: 4.3}, Cause: &hung},
		{At: at.Add(12 * time.Second), Kind: pbx.Ended, Cause: &hung},
	}
	cdr := pbx.Summarize("acme", rec.Call, trace)
	r.check(r.store.SaveCall(r.t.Context(), "acme", cdr, trace))
	return cdr
}

func TestCallRecord(t *testing.T) {
	r := newRig(t)
	at := time.Date(2026, 7, 1, 9, 0, 0, 0, time.UTC)
	saved := r.saveCall(at, "101", "+79161234567")
	a := r.ask("GET", "/api/v1/tenants/acme/calls/"+string(saved.ID), acmeToken, nil)
	a.want(t, 200)
	var got CallRecord
	a.into(t, &got)
	if got.ID != saved.ID || got.Talk != 10 || got.Wait != 2 || len(got.Trace) != 8 || len(got.Why) != 1 || got.Parties[0].Quality.MOS != 4.3 {
		t.Errorf("%s", a.body)
	}
	// Every time is told in the zone of the company.
	for _, want := range []string{
		`"started":"2026-07-01T12:00:00+03:00"`, `"answered":"2026-07-01T12:00:02+03:00"`, `"ended":"2026-07-01T12:00:12+03:00"`,
		`"at":"2026-07-01T12:00:00+03:00"`, `"text":{"en":"The caller hung up"`,
	} {
		if !strings.Contains(string(a.body), want) {
			t.Errorf("no %s in %s", want, a.body)
		}
	}
	if strings.Contains(string(a.body), `Z"`) {
		t.Errorf("a time in UTC in %s", a.body)
	}
	r.ask("GET", "/api/v1/tenants/acme/calls/nothing", acmeToken, nil).want(t, 404)
}

func TestCallList(t *testing.T) {
	r := newRig(t)
	day := time.Date(2026, 7, 1, 0, 0, 0, 0, time.FixedZone("", 3*3600))
	for i := range 5 {
		r.saveCall(day.Add(time.Duration(i)*24*time.Hour), "101", fmt.Sprintf("+7916000000%d", i))
	}
	for _, c := range []struct {
		query string
		want  string // last digits of the called numbers, in order
	}{
		{"", "43210"},
		{"since=2026-07-03", "432"},
		{"until=2026-07-03", "10"},
		{"since=2026-07-02T00:00:00%2B03:00&until=2026-07-03T21:00:00Z", "21"},
		{"since=2026-07-02T00:00:00+03:00&until=2026-07-04", "21"},
		{"direction=out", "43210"},
		{"direction=in", ""},
		{"outcome=answered", "43210"},
		{"outcome=missed", ""},
		{"number=101", "43210"},
		{"number=+79160000002", "2"},
		{"number=8+(916)+000-00-02", "2"},
		{"number=105", ""},
	} {
		a := r.ask("GET", "/api/v1/tenants/acme/calls?"+c.query, acmeToken, nil)
		a.want(t, 200)
		if got := r.called(a); got != c.want {
			t.Errorf("%s gives %q, want %q", c.query, got, c.want)
		}
	}
	if a := r.ask("GET", "/api/v1/tenants/other/calls", otherToken, nil); string(a.body) != `{"items":[],"next":""}`+"\n" {
		t.Errorf("the other company has %s", a.body)
	}
}

func (r *rig) called(a answer) string {
	r.t.Helper()
	var list List[pbx.CDR]
	a.into(r.t, &list)
	var out string
	for _, c := range list.Items {
		out += c.To[len(c.To)-1:]
	}
	return out
}

func TestCallPages(t *testing.T) {
	r := newRig(t)
	for i := range 5 {
		r.saveCall(time.Unix(int64(i)*1000, 0), "101", fmt.Sprintf("+7916000000%d", i))
	}
	var got, cursor string
	for range 3 {
		a := r.ask("GET", "/api/v1/tenants/acme/calls?limit=2&cursor="+cursor, acmeToken, nil)
		a.want(t, 200)
		got += r.called(a) + " "
		var list List[pbx.CDR]
		a.into(t, &list)
		cursor = list.Next
	}
	if got != "43 21 0 " || cursor != "" {
		t.Errorf("pages %q, then %q", got, cursor)
	}
	if p := r.ask("GET", "/api/v1/tenants/acme/calls?cursor=garbage", acmeToken, nil).want(t, 400); p.Field != "cursor" {
		t.Errorf("%+v", p)
	}
}

func TestLiveCalls(t *testing.T) {
	r := newRig(t)
	const calls = "/api/v1/tenants/acme/calls"
	a := r.ask("POST", calls, acmeToken, map[string]string{"from": "101", "to": "+7 916 123-45-67"}, "Content-Type", "application/x-www-form-urlencoded")
	a.want(t, 202)
	var made struct{ ID pbx.CallID }
	a.into(t, &made)
	if a.Header.Get("Location") != calls+"/"+string(made.ID) {
		t.Errorf("Location %q", a.Header.Get("Location"))
	}
	var one pbx.CallInfo
	r.ask("GET", a.Header.Get("Location"), acmeToken, nil).into(t, &one)
	if one.ID != made.ID || one.State != pbx.Arrived || one.From != "101" {
		t.Errorf("%+v", one)
	}
	for query, want := range map[string]int{"": 1, "&direction=out": 1, "&direction=in": 0, "&number=101": 1, "&number=102": 0} {
		var list List[pbx.CallInfo]
		r.ask("GET", calls+"?live=true"+query, acmeToken, nil).into(t, &list)
		if len(list.Items) != want {
			t.Errorf("%s gives %d calls, want %d", query, len(list.Items), want)
		}
	}
	r.ask("POST", calls+"/"+string(made.ID)+"/hangup", acmeToken, nil).want(t, 204)
	r.ask("POST", calls+"/"+string(made.ID)+"/hangup", acmeToken, nil).want(t, 404)
	r.ask("GET", a.Header.Get("Location"), acmeToken, nil).want(t, 404)
	r.ask("POST", calls, acmeToken, `{"from": "101", "to": "anna"}`).want(t, 400)
}
