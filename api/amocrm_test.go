package api

import (
	"context"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"vpbx/pbx"
	"vpbx/tenants"
)

// amoStub is amoCRM to the API: it notes what it is told.
type amoStub struct {
	said []string
	err  error
}

func (a *amoStub) say(words ...string) error {
	a.said = append(a.said, strings.Join(words, " "))
	return a.err
}

func (a *amoStub) Link(_ context.Context, c *pbx.Company, o pbx.AmoLinkOrder) (string, error) {
	if err := tenants.MayLink(c, o.Account, o.Replace); err != nil {
		return "", err
	}
	return "https://www.amocrm.ru/oauth?state=s", a.say("link", string(c.ID), o.Account, o.By)
}
func (a *amoStub) Unlink(_ context.Context, t pbx.TenantID) error { return a.say("unlink", string(t)) }
func (a *amoStub) Trouble(context.Context, *pbx.Company) string   { return "the link is broken" }
func (a *amoStub) Users(context.Context, *pbx.Company) ([]pbx.AmoUser, error) {
	return []pbx.AmoUser{{ID: 501, Name: "Анна", Active: true, Extension: "101"}}, a.err
}
func (a *amoStub) Pipelines(context.Context, *pbx.Company) ([]pbx.AmoPipeline, error) {
	return []pbx.AmoPipeline{{ID: 700, Name: "Продажи", Statuses: []pbx.AmoStatus{{ID: 701, Name: "Новая"}}}}, a.err
}
func (a *amoStub) Callback(_ context.Context, code, state, referer string) (string, error) {
	return "demo.amocrm.ru", a.say("callback", code, state, referer)
}
func (a *amoStub) Uninstalled(_ context.Context, client, account, sign string) error {
	return a.say("uninstalled", client, account, sign)
}
func (a *amoStub) Origin(origin string) *pbx.Company {
	if origin == "https://demo.amocrm.ru" {
		return acme()
	}
	return nil
}
func (a *amoStub) Visitor(token, origin string) (pbx.AmoVisitor, error) {
	return pbx.AmoVisitor{Account: "demo.amocrm.ru", User: 501, Extension: "101"}, a.say("visitor", token, origin)
}
func (a *amoStub) Dial(_ context.Context, token, origin, number string) (pbx.CallID, error) {
	return "c1", a.say("dial", token, origin, number)
}
func (a *amoStub) Recording(_ context.Context, q url.Values, from netip.Addr) (string, error) {
	return "/records/token", a.say("recording", q.Get("session_id"), from.String())
}

const amoText = `
tenant: acme
domain: acme.test
extensions: [{number: "101", password: s3cret-101}]
crm: {kind: amocrm, account: demo.amocrm.ru, client_id: 11111111-2222-3333-4444-555555555555, client_secret: the-secret, users: {"501": "101"}}
`

// TestM07API: scenarios and the map of users over HTTP, with the mistakes of a document.
func TestM07API(t *testing.T) {
	r := newRig(t)
	stub := &amoStub{}
	r.c.Amo = stub
	const path = "/api/v1/tenants/acme/amocrm"
	r.ask("GET", path+"/scenarios", acmeToken, nil).want(t, 409)
	r.put("/api/v1/tenants/acme", adminToken, amoText)
	for _, x := range []struct {
		method, path, body string
		status             int
	}{
		{"POST", "/scenarios", `{"name": "С сайта", "smart": true, "events": {"missed_new": {"contact": {"title": "Клиент $(phone)"}}}}`, 204},
		{"POST", "/scenarios", `{"name": "С сайта"}`, 409},
		{"POST", "/scenarios", `{"name": "x", "lines": ["+7"]}`, 400},
		{"POST", "/scenarios", `{"name": "x", "colour": "red"}`, 400},
		{"POST", "/scenarios", `[`, 400},
		{"POST", "/scenarios/%D0%A1%20%D1%81%D0%B0%D0%B9%D1%82%D0%B0/copy", `{"name": "Копия"}`, 204},
		{"POST", "/scenarios/%D0%9A%D0%BE%D0%BF%D0%B8%D1%8F/rename", `{"name": "Два"}`, 204},
		{"POST", "/scenarios/%D0%94%D0%B2%D0%B0/on", ``, 204},
		{"POST", "/scenarios/%D0%94%D0%B2%D0%B0/off", ``, 204},
		{"PUT", "/scenarios/%D0%94%D0%B2%D0%B0", `{"name": "Три", "on": false}`, 204},
		{"DELETE", "/scenarios/%D0%94%D0%B2%D0%B0", ``, 404},
		{"DELETE", "/scenarios/%D0%A2%D1%80%D0%B8", ``, 204},
		{"PUT", "/users", `{"users": {"501": "101"}, "fallback": "101"}`, 204},
		{"PUT", "/users", `{"users": {"501": "101", "502": "101"}}`, 400},
		{"PUT", "/users", `{"users": {"501": "101"}, "other": 1}`, 400},
		{"GET", "/users", ``, 200},
		{"GET", "/pipelines", ``, 200},
		{"POST", "/link", ``, 200},
		{"POST", "/link", `{"client_id": "x"}`, 400},
		{"DELETE", "", ``, 204},
	} {
		var body any
		if x.body != "" {
			body = x.body
		}
		if a := r.ask(x.method, path+x.path, acmeToken, body); a.StatusCode != x.status {
			t.Errorf("%s %s: %d %s", x.method, x.path, a.StatusCode, a.body)
		}
		r.ask(x.method, path+x.path, otherToken, body).want(t, 404)
	}
	if got := strings.Join(stub.said, "; "); got != "link acme  acme; unlink acme" {
		t.Errorf("told: %s", got)
	}
	var list struct{ Items []tenants.AmoScenario }
	r.ask("GET", path+"/scenarios", acmeToken, nil).into(t, &list)
	if len(list.Items) != 1 || list.Items[0].Name != "С сайта" || !*list.Items[0].On {
		t.Errorf("%+v", list)
	}
	r.check(r.store.UpdateCompany(t.Context(), "acme", func(c *pbx.Company) (*pbx.Company, error) {
		c.CRM.Amo.Link = &pbx.AmoLink{Account: "demo.amocrm.ru", AccountID: 7, ClientSecret: "the-secret", Key: "the-key"}
		return c, nil
	}))
	a := r.ask("GET", path, acmeToken, nil)
	for _, secret := range []string{"the-secret", "the-key"} {
		if strings.Contains(string(a.body), secret) || !strings.Contains(string(a.body), `"connected":"demo.amocrm.ru"`) || !strings.Contains(string(a.body), "the link is broken") {
			t.Errorf("%s", a.body)
		}
	}
	if p := r.ask("POST", path+"/link", acmeToken, `{"account": "other.amocrm.ru"}`).want(t, 409); !strings.Contains(p.Message, "demo.amocrm.ru") {
		t.Errorf("M18: %+v", p)
	}
	r.ask("POST", path+"/link", acmeToken, `{"account": "other.amocrm.ru", "replace": true}`).want(t, 200)
}

// TestAmoVisits: what comes from amoCRM and its pages, which have no token of ours.
func TestAmoVisits(t *testing.T) {
	r := newRig(t)
	stub := &amoStub{}
	r.c.Amo = stub
	const page = "https://demo.amocrm.ru"
	if a := r.ask("GET", "/amocrm/callback?code=c&state=s&referer=demo.amocrm.ru", "", nil); a.StatusCode != 200 || !strings.Contains(string(a.body), "demo.amocrm.ru is connected") {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
	r.ask("GET", "/amocrm/uninstall?client_uuid=c&account_id=7&signature=f", "", nil).want(t, 204)
	if a := r.ask("GET", "/amocrm/recording?session_id=c1", "", nil); a.StatusCode != 302 || a.Header.Get("Location") != "/records/token" {
		t.Errorf("%d %v", a.StatusCode, a.Header)
	}
	for origin, allowed := range map[string]string{page: page, "https://evil.test": "", "": ""} {
		for _, method := range []string{"OPTIONS", "POST"} {
			a := r.ask(method, "/amocrm/call", "", `{"to": "+79160000000"}`, "Origin", origin, "X-Auth-Token", "t")
			if a.Header.Get("Access-Control-Allow-Origin") != allowed || a.Header.Get("Vary") != "Origin" || a.Header.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("%s of %q: %v", method, origin, a.Header)
			}
		}
	}
	r.ask("GET", "/amocrm/widget", "", nil, "Origin", page, "X-Auth-Token", "t").want(t, 200)
	for _, body := range []string{"", "{", `{"to": ""}`, `{"to": "` + strings.Repeat("1", 100) + `"}`} {
		r.ask("POST", "/amocrm/call", "", body, "X-Auth-Token", "t").want(t, 400)
	}
	want := "callback c s demo.amocrm.ru; uninstalled c 7 f; recording c1"
	if got := strings.Join(stub.said, "; "); !strings.HasPrefix(got, want) || !strings.Contains(got, "dial t "+page+" +79160000000") || !strings.Contains(got, "visitor t "+page) {
		t.Errorf("told: %s", got)
	}
	if log := r.log.String(); strings.Contains(log, "state=") || strings.Contains(log, "code=") {
		t.Errorf("a code is in the log: %s", log)
	}
	stub.err = &pbx.Error{Kind: pbx.NotFound, Msg: "nobody asked"}
	statuses := map[int]int{}
	for range 15 {
		statuses[r.ask("GET", "/amocrm/callback?code=c&state=guess", "", nil).StatusCode]++
	}
	if statuses[404] != guessBurst || statuses[429] != 15-guessBurst {
		t.Errorf("guesses: %v", statuses)
	}
}
