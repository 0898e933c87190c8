package api

import (
	"net/http/httptest"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"vpbx/pbx"
	"vpbx/recordings"
)

// linkTo makes a link and gives its path.
func (r *rig) linkTo(o pbx.LinkOrder) string {
	r.t.Helper()
	token, err := r.c.Links.(*recordings.Links).Make(r.t.Context(), "acme", o)
	r.check(err)
	return pbx.RecordsPath + token
}

// TestLink: a link gives the sound once, to the address it is for, in parts as well;
// its token is in no log.
func TestLink(t *testing.T) {
	r := newRig(t)
	rec := r.record()
	here := netip.MustParseAddr("192.0.2.1") // as httptest says
	order := pbx.LinkOrder{Recording: rec.ID, From: here, Single: true, For: time.Hour, By: "crm"}
	path := r.linkTo(order)

	r.ask("HEAD", path, "", nil).want(t, 200)
	if part := r.ask("GET", path, "", nil, "Range", "bytes=0-1"); part.StatusCode != 206 || string(part.body) != "RI" {
		t.Errorf("a part: %d %q", part.StatusCode, part.body)
	}
	whole := r.ask("GET", path, "", nil)
	whole.want(t, 200)
	if got := whole.Header.Get("Content-Type"); got != "audio/wav" || !strings.HasPrefix(string(whole.body), "RIFF") || whole.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%s, %d bytes, %v", got, len(whole.body), whole.Header)
	}
	if part := r.ask("GET", path, "", nil, "Range", "bytes=4-7"); part.StatusCode != 206 || len(part.body) != 4 {
		t.Errorf("a part behind: %d", part.StatusCode)
	}
	for _, span := range []string{"", "bytes=0-", "bytes=0-1,4-5", "lines=1-2"} {
		if p := r.ask("GET", path, "", nil, "Range", span).want(t, 410); p.Kind != pbx.Gone {
			t.Errorf("%q a second time: %+v", span, p)
		}
	}
	r.ask("POST", path, "", nil).want(t, 405)
	for _, wrong := range []string{"x", strings.Repeat("a", 32), strings.Repeat("a", 5000)} {
		r.ask("GET", pbx.RecordsPath+wrong, "", nil).want(t, 404)
	}

	often := order
	often.Single, often.From = false, netip.Addr{}
	path = r.linkTo(often)
	for range 3 {
		r.ask("GET", path, "", nil).want(t, 200)
	}
	elsewhere := order
	elsewhere.From = netip.MustParseAddr("192.0.2.2")
	r.ask("GET", r.linkTo(elsewhere), "", nil).want(t, 403)

	log := r.log.String()
	for _, token := range []string{path, strings.TrimPrefix(path, pbx.RecordsPath)} {
		if strings.Contains(log, token) {
			t.Errorf("a link is in the log")
		}
	}
	if !strings.Contains(log, "audit: link to a recording made") || !strings.Contains(log, "audit: recording fetched by a link") {
		t.Error("no audit of links in the log")
	}

	gone := r.linkTo(often)
	r.ask("DELETE", "/api/v1/tenants/acme/recordings/"+string(rec.ID), acmeToken, nil).want(t, 204)
	r.ask("GET", gone, "", nil).want(t, 410)
}

// TestLinkGuesses: who guesses links is refused after some, and no one else.
func TestLinkGuesses(t *testing.T) {
	r := newRig(t)
	for range guessBurst {
		r.ask("GET", pbx.RecordsPath+"guess", "", nil).want(t, 404)
	}
	if a := r.ask("GET", pbx.RecordsPath+"guess", "", nil); a.StatusCode != 429 || a.Header.Get("Retry-After") == "" {
		t.Errorf("one guess too many: %d", a.StatusCode)
	}
	req := httptest.NewRequest("GET", pbx.RecordsPath+"guess", nil)
	req.RemoteAddr = "198.51.100.7:1234"
	rec := httptest.NewRecorder()
	if r.ServeHTTP(rec, req); rec.Code != 404 {
		t.Errorf("another address: %d", rec.Code)
	}
}

// TestLinkMP3: the sound is MP3 where the machine has an encoder.
func TestLinkMP3(t *testing.T) {
	lame, err := exec.LookPath("lame")
	if err != nil {
		t.Skip("lame is not installed; the tests of package recordings fail for that where it has to be")
	}
	r := newRigWith(t, lame)
	a := r.ask("GET", r.linkTo(pbx.LinkOrder{Recording: r.record().ID, Single: true}), "", nil)
	if a.StatusCode != 200 || a.Header.Get("Content-Type") != "audio/mpeg" || len(a.body) < 1000 || a.body[0] != 0xff {
		t.Errorf("%d %s, %d bytes", a.StatusCode, a.Header.Get("Content-Type"), len(a.body))
	}
}
