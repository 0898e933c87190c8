package tenants

import (
	"encoding/json"
	"testing"
	"time"

	"vpbx/pbx"
)

func TestDays(t *testing.T) {
	for text, want := range map[string]struct {
		d    time.Duration
		text string
	}{
		"90d": {90 * 24 * time.Hour, "90d"}, "24h": {24 * time.Hour, "1d"}, "36h": {36 * time.Hour, "36h0m0s"}, "1h30m": {90 * time.Minute, "1h30m0s"}, "0d": {0, "0s"},
	} {
		var d Days
		if err := d.UnmarshalText([]byte(text)); err != nil || time.Duration(d) != want.d || d.String() != want.text {
			t.Errorf("%s: %s, %v", text, d, err)
		}
	}
	for _, text := range []string{"", "d", "-1d", "1.5d", "36501d", "99999999999999999999d", "90", "90 d", "1d12h", "d90", "９d"} {
		var d Days
		if err := d.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is %s", text, d)
		}
	}
}

func FuzzDays(f *testing.F) {
	for _, s := range []string{"90d", "36h", "1h30m", "-1d", "0d"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var d, again Days
		if d.UnmarshalText([]byte(s)) != nil {
			return
		}
		if err := again.UnmarshalText([]byte(d.String())); err != nil || again != d {
			t.Errorf("%q is %s, and that is %s, %v", s, d, again, err)
		}
	})
}

// TestRecordComesBack: how recordings are told of is stored and given back, as is the
// plain true of older documents.
func TestRecordComesBack(t *testing.T) {
	const text = "tenant: a\ndomain: a.test\nrecordings: {announce: p, beep: 15s, start_key: \"*1\", stop_key: \"*2\", pause_key: \"*8\", resume_key: \"*9\", pause_limit: 3m}\n" +
		"prompts: [{name: p, file: prompts/welcome.wav}]\n" +
		"extensions: [{number: \"1\", password: secret, record: true}, {number: \"2\", password: secret, record: announce}, {number: \"3\", password: secret, record: beep},\n" +
		"  {number: \"4\", password: secret, record: announce+beep}, {number: \"5\", password: secret, record: false}, {number: \"6\", password: secret}]\n"
	dir := companyDir(t)
	d, err := Parse([]byte(text), dir)
	if err != nil {
		t.Fatal(err)
	}
	c, err := d.Company(nil)
	if err != nil {
		t.Fatal(err)
	}
	for number, want := range map[string]pbx.Extension{
		"1": {Record: true}, "2": {Record: true, Notice: pbx.Notice{Announce: true}}, "3": {Record: true, Notice: pbx.Notice{Beep: true}},
		"4": {Record: true, Notice: pbx.Notice{Announce: true, Beep: true}}, "5": {}, "6": {},
	} {
		if e := c.Extensions[number]; e.Record != want.Record || e.Notice != want.Notice {
			t.Errorf("extension %s: %v %+v", number, e.Record, e.Notice)
		}
	}
	back, err := json.Marshal(FromCompany(c))
	if err != nil {
		t.Fatal(err)
	}
	again, err := Parse(back, dir)
	if err != nil {
		t.Fatal(err)
	}
	next, err := again.Company(c)
	if err != nil {
		t.Fatal(err)
	}
	if changes := diff(c, next); len(changes) != 0 {
		t.Errorf("changes %+v of %s", changes, back)
	}
}

// TestKeepComesBack: the rule is stored, is a change, and is given back.
func TestKeepComesBack(t *testing.T) {
	d, err := Parse([]byte("tenant: a\ndomain: a.test\nrecordings: {keep: 90d}\n"), "")
	if err != nil {
		t.Fatal(err)
	}
	c, err := d.Company(nil)
	if err != nil || c.Recordings.Keep != 90*24*time.Hour {
		t.Fatalf("%+v, %v", c, err)
	}
	if back := FromCompany(c); back.Recordings.Keep.String() != "90d" {
		t.Errorf("given back %+v", back.Recordings)
	}
	other := *c
	other.Recordings.Keep = 0
	if changes := diff(&other, c); len(changes) != 1 || changes[0].Noun != "tenant" {
		t.Errorf("changes %+v", changes)
	}
}
