package api

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/iotest"
)

// TestNumbersDuringUpload: while a company sends a file, which may take an hour, a few
// numbers can still be put on its stop list, and people be added; another file waits.
func TestNumbersDuringUpload(t *testing.T) {
	r := newCampaign(t)
	end, err := r.uploads.begin("new")
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	r.ask("POST", newPath+"/stop-list", newToken, `{"items": [{"number": "+79161234567"}]}`).want(t, 200)
	r.ask("POST", newPath+"/consents", newToken, `{"items": [{"number": "+79161234567", "source": "site"}]}`).want(t, 200)
	r.ask("POST", debts+"/targets", newToken, `{"items": [{"numbers": ["+79161234568"]}]}`).want(t, 200)
	for _, path := range []string{newPath + "/stop-list", newPath + "/consents", debts + "/targets"} {
		a := r.ask("POST", path, newToken, people, "Content-Type", "text/csv")
		a.want(t, 429)
		if a.Header.Get("Retry-After") == "" {
			t.Errorf("%s: no Retry-After", path)
		}
	}
}

// TestConsentTakenBackIsTold: whoever runs the campaigns is told that a consent is gone, as of
// one that came.
func TestConsentTakenBackIsTold(t *testing.T) {
	r := newCampaign(t)
	before := r.changes("debts")
	r.ask("POST", newPath+"/consents", newToken, `{"items": [{"number": "+79161234567", "source": "site"}]}`).want(t, 200)
	if n := r.changes("debts") - before; n != 1 {
		t.Errorf("told %d times of a consent", n)
	}
	r.ask("DELETE", newPath+"/consents/+79161234567", newToken, nil).want(t, 204)
	if n := r.changes("debts") - before; n != 2 {
		t.Errorf("told %d times of a consent that came and went", n)
	}
}

// TestNoSuchNumber: what is no number names nobody, not everybody.
func TestNoSuchNumber(t *testing.T) {
	r := newCampaign(t)
	r.ask("POST", debts+"/targets", newToken, `{"items": [{"numbers": ["+79161234567"]}, {"numbers": ["+79161234568"]}]}`).want(t, 200)
	for _, number := range []string{"abc", "%20", "---"} {
		for _, method := range []string{"GET", "DELETE"} {
			if p := r.ask(method, debts+"/targets?number="+number, newToken, nil).want(t, 400); p.Field != "number" {
				t.Errorf("%s %s: %+v", method, number, p)
			}
		}
	}
	if p := r.ask("POST", debts+"/targets/retry", newToken, `{"number": "abc"}`).want(t, 400); p.Field != "number" {
		t.Errorf("%+v", p)
	}
}

// TestBadConsents: a consent was given in the past by somebody who can be named; the list of
// consents can be shown whatever was sent.
func TestBadConsents(t *testing.T) {
	r := newCampaign(t)
	for consent, field := range map[string]string{
		`"source": "site", "at": "9999-12-31T23:59:59-14:00"`: "at",
		`"source": "site", "at": "2100-01-01T00:00:00Z"`:      "at",
		`"source": "site", "at": "1500-01-01T00:00:00Z"`:      "at",
		`"source": "a\u0000b"`:                                "source",
		`"source": " "`:                                       "source",
		`"source": "site", "text": "a\u0007b"`:                "text",
	} {
		if p := r.ask("POST", newPath+"/consents", newToken, `{"items": [{"number": "+79161234567", `+consent+`}]}`).want(t, 400); p.Field != "items[0]."+field {
			t.Errorf("%s: %+v", consent, p)
		}
		if p := r.ask("POST", debts+"/targets", newToken, `{"items": [{"numbers": ["+79161234567"], "consent": {`+consent+`}}]}`).want(t, 400); p.Field != "items[0].consent."+field {
			t.Errorf("%s: %+v", consent, p)
		}
	}
	r.ask("POST", newPath+"/consents", newToken, `{"items": [{"number": "+79161234567", "source": "site", "at": "2026-01-01T00:00:00Z"}]}`).want(t, 200)
	r.ask("GET", newPath+"/consents", newToken, nil).want(t, 200)
}

// TestCutOffUpload: a list whose sender goes away is the sender's mistake, and the answer
// says what was added before.
func TestCutOffUpload(t *testing.T) {
	list := "phone\n"
	for i := range 12000 {
		list += fmt.Sprintf("+7916%07d\n", i)
	}
	for name, c := range map[string]struct {
		err  error // of reading the body
		want string
	}{
		"gone": {io.ErrUnexpectedEOF, "broken off"},
		"slow": {fmt.Errorf("read tcp: %w", os.ErrDeadlineExceeded), "in time"},
		"huge": {&http.MaxBytesError{Limit: maxUpload}, "larger than 256 MiB"},
	} {
		r := newCampaign(t)
		req, err := http.NewRequest("POST", debts+"/targets", io.MultiReader(strings.NewReader(list), iotest.ErrReader(c.err)))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+newToken)
		req.Header.Set("Content-Type", "text/csv")
		w := httptest.NewRecorder()
		r.ServeHTTP(w, req)
		if w.Code != 400 || !strings.Contains(w.Body.String(), c.want) || !strings.Contains(w.Body.String(), "targets that came before") {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		if strings.Contains(r.log.String(), "ERROR") {
			t.Errorf("%s: %s", name, r.log)
		}
	}
}

// TestReadyEverywhere: a draft with people to be called is ready, whoever is asked for it.
func TestReadyEverywhere(t *testing.T) {
	r := newCampaign(t)
	status := func(path string) string {
		var line CampaignLine
		r.ask("GET", path, newToken, nil).into(t, &line)
		return string(line.Status)
	}
	if got := status(debts); got != "draft" {
		t.Errorf("without people: %s", got)
	}
	r.ask("POST", debts+"/targets", newToken, `{"items": [{"numbers": ["+79161234567"]}]}`).want(t, 200)
	var list List[CampaignLine]
	r.ask("GET", newPath+"/campaigns", newToken, nil).into(t, &list)
	if len(list.Items) != 1 || list.Items[0].Status != "ready" || status(debts) != "ready" {
		t.Errorf("%+v, %s", list, status(debts))
	}
	r.ask("DELETE", debts, newToken, nil).want(t, 204)
}
