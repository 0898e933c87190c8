package api

import (
	"strings"
	"testing"
	"time"

	"vpbx/pbx"
)

func TestRemoveRecording(t *testing.T) {
	r := newRig(t)
	rec := r.record()
	path := "/api/v1/tenants/acme/recordings/" + string(rec.ID)
	r.ask("DELETE", path, otherToken, nil).want(t, 404)
	r.ask("DELETE", path+"?why="+strings.Repeat("x", 201), acmeToken, nil).want(t, 400)
	r.ask("GET", path, acmeToken, nil).want(t, 200)

	if a := r.ask("DELETE", path+"?why=asked%0d%0afor", acmeToken, nil); a.StatusCode != 204 || len(a.body) != 0 {
		t.Fatalf("%d %s", a.StatusCode, a.body)
	}
	if log := r.log.String(); !strings.Contains(log, "audit: recording removed") || !strings.Contains(log, string(rec.ID)) || strings.Contains(log, "asked\r\nfor") {
		t.Errorf("log %s", log)
	}
	for _, format := range []string{"", "?format=wav", "?format=opus"} {
		if p := r.ask("GET", path+format, acmeToken, nil).want(t, 410); p.Kind != pbx.Gone || !strings.Contains(p.Message, "removed at") {
			t.Errorf("%+v", p)
		}
	}
	r.ask("DELETE", path, acmeToken, nil).want(t, 410)
	r.ask("DELETE", "/api/v1/tenants/acme/recordings/1", acmeToken, nil).want(t, 404)

	var list List[pbx.Recording]
	r.ask("GET", "/api/v1/tenants/acme/recordings", acmeToken, nil).into(t, &list)
	if len(list.Items) != 1 {
		t.Fatalf("%+v", list)
	}
	got := list.Items[0]
	if got.Removed == nil || got.Removed.By == "" || got.Removed.Why != "asked\r\nfor" || got.Seconds != rec.Seconds || got.SHA256 != rec.SHA256 {
		t.Errorf("tombstone %+v of %+v", got.Removed, got)
	}
	var call pbx.CDR
	r.ask("GET", "/api/v1/tenants/acme/calls/"+string(rec.Call), acmeToken, nil).into(t, &call)
	if len(call.Recordings) != 1 || call.Recordings[0].Removed == nil {
		t.Errorf("record of the call: %+v", call.Recordings)
	}
}

func TestVerifyRecordings(t *testing.T) {
	r := newRig(t)
	const path = "/api/v1/tenants/acme/recordings/verify"
	var v pbx.Verified
	r.ask("GET", path, acmeToken, nil).into(t, &v)
	if v.Checked != 0 || v.Findings == nil || v.Head != pbx.ChainStart {
		t.Errorf("%+v", v)
	}
	first, second := r.record(), r.record()
	r.check(r.sounds.Remove("acme", second.ID))
	r.ask("GET", path, acmeToken, nil).into(t, &v)
	if v.Checked != 2 || v.Whole != 1 || len(v.Findings) != 1 || v.Findings[0].Flaw != pbx.FlawMissing || v.Findings[0].Recording != second.ID {
		t.Errorf("%+v", v)
	}
	var part pbx.Verified
	r.ask("GET", path+"?limit=1", acmeToken, nil).into(t, &part)
	if part.Next != 1 || part.Head != pbx.ChainLink(pbx.ChainStart, first.ID, first.SHA256) {
		t.Errorf("%+v", part)
	}
	noted := part.Head
	part = pbx.Verified{}
	r.ask("GET", path+"?after=1&limit=1&head="+noted, acmeToken, nil).into(t, &part)
	if part.Next != 0 || part.Checked != 1 || part.Head != v.Head || len(part.Findings) != 1 {
		t.Errorf("%+v", part)
	}
	r.ask("GET", path, otherToken, nil).want(t, 404)
	for _, q := range []string{"?after=-1", "?after=x", "?limit=0", "?limit=1001", "?head=x", "?head=" + strings.Repeat("x", 65), "?x=1"} {
		r.ask("GET", path+q, acmeToken, nil).want(t, 400)
	}
	var others pbx.Verified
	r.ask("GET", "/api/v1/tenants/other/recordings/verify", otherToken, nil).into(t, &others)
	if others.Checked != 0 || len(others.Findings) != 0 {
		t.Errorf("%+v", others)
	}
}

func TestRecordingFormats(t *testing.T) {
	r := newRig(t)
	rec := r.record()
	path := "/api/v1/tenants/acme/recordings/" + string(rec.ID)
	whole := r.ask("GET", path+"?format=OPUS", acmeToken, nil)
	whole.want(t, 200)
	if whole.Header.Get("Content-Type") != "audio/ogg" || !strings.HasPrefix(string(whole.body), "OggS") ||
		whole.Header.Get("Content-Disposition") != "attachment; filename="+string(rec.ID)+".opus" {
		t.Errorf("%d bytes, %v", len(whole.body), whole.Header)
	}
	if a := r.ask("GET", path+"?format=opus", acmeToken, nil, "Range", "bytes=0-3"); a.StatusCode != 206 || string(a.body) != "OggS" {
		t.Errorf("%d %q", a.StatusCode, a.body)
	}
	if p := r.ask("GET", path+"?format=mp3", acmeToken, nil).want(t, 501); p.Kind != pbx.Unsupported || !strings.Contains(p.Message, "lame") {
		t.Errorf("%+v", p)
	}
	for _, format := range []string{"flac", "../x", "wav%00", "mp3%20"} {
		r.ask("GET", path+"?format="+format, acmeToken, nil).want(t, 400)
	}
	r.ask("GET", "/api/v1/tenants/other/recordings/"+string(rec.ID)+"?format=opus", otherToken, nil).want(t, 404)
	missing := r.saveCall(time.Now(), "101", "102").Recordings[0]
	r.ask("GET", "/api/v1/tenants/acme/recordings/"+string(missing.ID)+"?format=opus", acmeToken, nil).want(t, 404)
}
