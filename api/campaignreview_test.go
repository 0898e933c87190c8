package api

import (
	"testing"
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
