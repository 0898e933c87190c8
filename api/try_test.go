package api

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"vpbx/pbx"
)

const tried = `{"tenant": "acme", "domain": "acme.test", "zone": "Europe/Moscow", "country": "RU",
  "extensions": [{"number": "101", "name": "Anna", "password": "secret-101", "forward": {"busy": "102"}}, {"number": "102", "name": "Ivan", "password": "secret-102"}],
  "groups": [{"number": "600", "members": ["101", "102"]}],
  "trunks": [{"name": "t", "host": "h.test"}], "numbers": [{"number": "+74950000000", "trunk": "t"}],
  "outbound": [{"prefix": "+", "trunks": ["t"], "caller": "+74950000000"}],
  "schedules": [{"name": "work", "hours": ["mon-fri 09:00-18:00"], "except": ["2027-01-01..2027-01-08", {"date": "2026-12-31", "hours": ["09:00-15:00"]}]}],
  "lists": [{"name": "black", "numbers": ["8 916 000-00-66"]}],
  "rules": [
    {"number": "*", "callers": {"only": ["black"]}, "steps": [{"reject": 603}]},
    {"number": "+74950000000", "when": "work", "owner": {"ring": "15s", "fallback": "102"}, "steps": [{"ring": "600"}]},
    {"number": "+74950000000", "steps": [{"reject": 480}]}],
  "crm": {"kind": "rtk", "url": "http://crm.test", "client_id": "000003C405E6525C64C184258C44EC99", "sign_key": "00000716ABDA6D4DFF10F82BCBBFC532"}}`

// TestTryRoute: what would become of calls, without one.
func TestTryRoute(t *testing.T) {
	r := newRig(t)
	r.ask("PUT", "/api/v1/tenants/acme", adminToken, tried).want(t, 200)
	r.ask("PUT", "/api/v1/tenants/acme/contacts/+79160000005", acmeToken, `{"name":"Пётр","owner":"102"}`).want(t, 200)
	const path = "/api/v1/tenants/acme/route"
	for _, x := range []struct{ body, want string }{
		{`{"from":"8 (916) 000-00-01","to":"84950000000","at":"2026-11-23T10:00:00+03:00","owner":"101","trunk":"t"}`,
			"in +79160000001 +74950000000 rules[1] work true 2026-11-23T18:00:00+03:00 |within work: open until Mon 18:00| ring owner 101 by crm 15s 101 true map[busy:102]; ring extension 102 in place of the owner 15s 102 false map[]; ring group 600 20s 101 true map[busy:102] 102 false map[]"},
		{`{"from":"+79160000001","to":"+74950000000","at":"2026-12-31T12:30:00Z"}`,
			"in +79160000001 +74950000000 rules[2] work false 2027-01-11T09:00:00+03:00 |outside work: closed until 2027-01-11 09:00; rejected with 480 by the rule of +74950000000| reject 480 rejected"},
		{`{"from":"+79160000066","to":"+74950000000"}`, "in +79160000066 +74950000000 rules[0] work"},
		{`{"from":"+79160000005","to":"+74950000000","at":"2026-11-23T10:00:00+03:00"}`,
			"Пётр in +79160000005 +74950000000 rules[1] work true 2026-11-23T18:00:00+03:00 |within work: open until Mon 18:00; owner 102 is not registered| ring group 600 20s 101 true map[busy:102] 102 false map[]"},
		{`{"to":"+74950000000","at":"2026-11-23T10:00:00+03:00"}`,
			"in anonymous +74950000000 rules[1] work true 2026-11-23T18:00:00+03:00 |within work: open until Mon 18:00; crm was not asked: the caller hides the number| ring group 600 20s 101 true map[busy:102] 102 false map[]"},
		{`{"caller":"101","to":"8 495 123-45-67","at":"2026-11-23T10:00:00+03:00"}`,
			"out 101 +74951234567  work true 2026-11-23T18:00:00+03:00 |+74951234567 by trunk t| dial +74951234567 as +74950000000 120s t"},
		{`{"caller":"101","to":"600","at":"2026-11-23T10:00:00+03:00"}`, "internal 101 600  work true 2026-11-23T18:00:00+03:00 || ring group 600 20s 102 false map[]"},
		{`{"caller":"101","to":"*43","at":"2026-11-23T10:00:00+03:00"}`, "internal 101 *43  work true 2026-11-23T18:00:00+03:00 || feature feature code *43"},
	} {
		a := r.ask("POST", path, acmeToken, x.body)
		a.want(t, 200)
		var p pbx.RoutePlan
		r.check(json.Unmarshal(a.body, &p))
		if got := briefPlan(p); !strings.HasPrefix(got, x.want) {
			t.Errorf("%s\ngot  %s\nwant %s", x.body, got, x.want)
		}
	}
	for body, field := range map[string]string{
		`{}`: "to", `{"to":""}`: "to", `{"to":"1","from":"me"}`: "from", `{"to":"1","at":"tomorrow"}`: "at", `{"to":"1","trunk":"x"}`: "trunk", `{"to":"1","caller":"999"}`: "caller",
		`{"to":"1","caller":"101","from":"1"}`: "caller", `{"to":"1","owner":"101","ask_crm":true}`: "owner", `{"to":"1","call":true}`: "call", `{"to":"` + strings.Repeat("1", 65) + `"}`: "to",
	} {
		if p := r.ask("POST", path, acmeToken, body).want(t, 400); !strings.HasSuffix(p.Field, field) && !strings.Contains(p.Message, field) {
			t.Errorf("%s: %+v", body, p)
		}
	}
	r.ask("POST", path, otherToken, `{"to":"1"}`).want(t, 404)
	r.ask("POST", path, "", `{"to":"1"}`).want(t, 401)
	if len(r.live.calls) != 0 {
		t.Errorf("%d calls were made", len(r.live.calls))
	}
}

// briefPlan writes a plan in a line.
func briefPlan(p pbx.RoutePlan) string {
	var s []string
	if p.Contact.Name != "" {
		s = append(s, p.Contact.Name)
	}
	s = append(s, string(p.Direction), p.From, p.To, p.Rule)
	for _, x := range p.Schedules {
		s = append(s, fmt.Sprintf("%s %v %s", x.Name, x.Open, x.Until.Format("2006-01-02T15:04:05Z07:00")))
	}
	var steps []string
	for _, x := range p.Steps {
		step := []string{x.Do, x.Text}
		if x.For > 0 {
			step = append(step, fmt.Sprintf("%gs", x.For))
		}
		for _, who := range x.Who {
			step = append(step, fmt.Sprintf("%s %v %v", who.Number, who.Registered, who.Forward))
		}
		steps = append(steps, strings.Join(append(step, x.Trunks...), " "))
	}
	return strings.Join(s, " ") + " |" + strings.Join(p.Why, "; ") + "| " + strings.Join(steps, "; ")
}

// TestContacts: the address book over the API.
func TestContacts(t *testing.T) {
	r := newRig(t)
	const path = "/api/v1/tenants/acme/contacts"
	r.ask("PUT", path+"/8%20(916)%20000-00-05", acmeToken, `{"name":" Пётр "}`).want(t, 200)
	r.ask("POST", path, acmeToken, `{"contacts":[{"number":"+7 916 000 00 01","name":"Анна","owner":"101"},{"number":"89160000005","owner":"102"},{"number":"+44 (0)20 7946 0958","name":"Bob"}]}`).want(t, 204)
	for target, want := range map[string]string{
		"?limit=2":                         `{"items":[{"number":"+442079460958","name":"Bob"},{"number":"+79160000001","name":"Анна","owner":"101"}],"next":"Kzc5MTYwMDAwMDAx"}`,
		"?limit=2&cursor=Kzc5MTYwMDAwMDAx": `{"items":[{"number":"+79160000005","owner":"102"}],"next":""}`,
		"/89160000005":                     `{"number":"+79160000005","owner":"102"}`,
		"/+79160000001":                    `{"number":"+79160000001","name":"Анна","owner":"101"}`,
	} {
		if a := r.ask("GET", path+target, acmeToken, nil); a.StatusCode != 200 || strings.TrimSpace(string(a.body)) != want {
			t.Errorf("%s: %d %s", target, a.StatusCode, a.body)
		}
	}
	r.ask("DELETE", path+"/89160000005", acmeToken, nil).want(t, 204)
	r.ask("DELETE", path+"/89160000005", acmeToken, nil).want(t, 404)
	r.ask("GET", path+"/89160000005", acmeToken, nil).want(t, 404)
	for body, field := range map[string]string{
		`{"contacts":[{"number":"89160000009","name":"x"},{"number":"me","name":"x"}]}`: "contacts[1].number",
		`{"contacts":[{"number":"1"}]}`:                        "contacts[0].name",
		`{"contacts":[{"number":"1","name":"a\nb"}]}`:          "contacts[0].name",
		`{"contacts":[{"number":"1","owner":"999"}]}`:          "contacts[0].owner",
		`{"contacts":[]}`:                                      "contacts",
		`{"contacts":[{"number":"1","name":"x","phone":"2"}]}`: "contacts[0].phone",
	} {
		if p := r.ask("POST", path, acmeToken, body).want(t, 400); !strings.Contains(p.Field+p.Message, field) {
			t.Errorf("%s: %+v", body, p)
		}
	}
	r.ask("GET", path+"/89160000009", acmeToken, nil).want(t, 404) // all or none
	r.ask("GET", path+"?cursor=!", acmeToken, nil).want(t, 400)
	r.ask("GET", path, otherToken, nil).want(t, 404)
	if a := r.ask("GET", "/api/v1/tenants/other/contacts", otherToken, nil); strings.TrimSpace(string(a.body)) != `{"items":[],"next":""}` {
		t.Errorf("another company has %s", a.body)
	}
}
