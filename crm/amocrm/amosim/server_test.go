package amosim

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// browser is somebody who uses the account.
type browser struct {
	*testing.T
	s      *Server
	token  string
	tokens map[string]any // the last answer with tokens
}

// with runs f in a bubble with an account to which a token is there.
func with(t *testing.T, o Options, f func(b *browser)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		b := &browser{T: t, s: s}
		if status := b.grant(map[string]string{"grant_type": "authorization_code", "code": s.NewCode()}); status != 200 {
			t.Fatal("no token")
		}
		time.Sleep(2 * time.Second)
		f(b)
	})
}

// send sends a request and gives status and answer.
func (b *browser) send(method, target, kind, body string) (int, map[string]any) {
	b.Helper()
	r := httptest.NewRequest(method, "https://demo.amocrm.ru"+target, strings.NewReader(body))
	r.Header.Set("Content-Type", kind)
	if b.token != "" {
		r.Header.Set("Authorization", "Bearer "+b.token)
	}
	w := httptest.NewRecorder()
	b.s.ServeHTTP(w, r)
	var answer map[string]any
	if w.Body.Len() > 0 {
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
			b.Fatalf("%s %s: %q", method, target, w.Body)
		}
	}
	if kind := w.Header().Get("Content-Type"); answer != nil && (kind == "application/hal+json") != (w.Code < 400) {
		b.Errorf("%s %s: %d with %s", method, target, w.Code, kind)
	}
	return w.Code, answer
}

// do sends a request in its time.
func (b *browser) do(method, target, body string) (int, map[string]any) {
	b.Helper()
	time.Sleep(200 * time.Millisecond)
	return b.send(method, target, "application/json", body)
}

// is checks the status of an answer and what of it, as JSON, must be there.
func (b *browser) is(method, target, body string, status int, parts ...string) map[string]any {
	b.Helper()
	got, answer := b.do(method, target, body)
	text, _ := json.Marshal(answer)
	if got != status {
		b.Errorf("%s %s %s: %d %s, want %d", method, target, body, got, text, status)
	}
	for _, part := range parts {
		if !strings.Contains(string(text), part) {
			b.Errorf("%s %s %s: %s, want %s", method, target, body, text, part)
		}
	}
	return answer
}

// grant asks for tokens and uses what comes.
func (b *browser) grant(f map[string]string) int {
	for name, value := range map[string]string{"client_id": "sim-client", "client_secret": "sim-secret", "redirect_uri": "https://example.test/amocrm"} {
		if _, ok := f[name]; !ok {
			f[name] = value
		}
	}
	body, _ := json.Marshal(f)
	status, answer := b.do("POST", "/oauth2/access_token", string(body))
	if status == 200 {
		b.tokens, b.token = answer, answer["access_token"].(string)
	}
	return status
}

func (b *browser) refresh(token any) int {
	return b.grant(map[string]string{"grant_type": "refresh_token", "refresh_token": fmt.Sprint(token)})
}

func account1() Seed {
	return Seed{
		Users:  []SeedUser{{ID: 1, Name: "Анна", Admin: true}, {ID: 2, Name: "Борис"}},
		Fields: []SeedField{{ID: 900, Code: "SOURCE", Name: "Источник", Entity: "leads"}},
		Contacts: []SeedContact{{ID: 10, Name: "Один лид", Phones: []string{"+7 (916) 000-00-10"}}, {ID: 11, Name: "Покупатель", Phones: []string{"89160000011"}},
			{ID: 12, Name: "Два лида", Phones: []string{"9160000012"}}, {ID: 13, Name: "Закрытый лид", Phones: []string{"+79160000013"}},
			{ID: 14, Name: "Лид и покупатель", Phones: []string{"+79160000014"}, Emails: []string{"Mail@example.test"}, Tags: []string{"a"}}},
		Companies: []SeedContact{{ID: 20, Name: "ООО", Phones: []string{"+74950000020"}}},
		Customers: []SeedLink{{ID: 30, Contacts: []int64{11}}, {ID: 31, Contacts: []int64{14}}},
		Leads: []SeedLead{{ID: 40, Contacts: []int64{10}}, {ID: 41, Contacts: []int64{12}}, {ID: 42, Contacts: []int64{12}}, {ID: 43, Status: 142, Contacts: []int64{13}},
			{ID: 44, Contacts: []int64{14}}, {ID: 45, Status: 143, Contacts: []int64{10}}},
	}
}

func TestOAuth(t *testing.T) {
	with(t, Options{}, func(b *browser) {
		first := b.tokens["refresh_token"]
		if b.tokens["token_type"] != "Bearer" || b.tokens["expires_in"] != 86400.0 {
			t.Errorf("%v", b.tokens)
		}
		// A refresh token is good for once, and the new one afterwards.
		if b.refresh(first) != 200 || b.refresh(first) != 401 || b.refresh(b.tokens["refresh_token"]) != 200 {
			t.Error("rotation")
		}
		b.is("GET", "/api/v4/account", "", 200, `"current_user_id"`)
		old := b.token
		b.refresh(b.tokens["refresh_token"])
		b.token, old = old, b.token
		b.is("GET", "/api/v4/account", "", 401, `"status":401`, `"title":"Unauthorized"`)
		b.token = old
		time.Sleep(24*time.Hour - time.Second)
		b.is("GET", "/api/v4/account", "", 200)
		time.Sleep(time.Second)
		b.is("GET", "/api/v4/account", "", 401)
		time.Sleep(90 * 24 * time.Hour)
		if b.refresh(b.tokens["refresh_token"]) != 401 {
			t.Error("a refresh token of three months")
		}
		code := func(f map[string]string) int {
			f["grant_type"] = "authorization_code"
			if _, ok := f["code"]; !ok {
				f["code"] = b.s.NewCode()
			}
			return b.grant(f)
		}
		used, late := b.s.NewCode(), b.s.NewCode()
		for _, test := range []struct {
			f    map[string]string
			want int
		}{
			{map[string]string{"code": used}, 200}, {map[string]string{"code": used}, 400}, {map[string]string{"code": "x"}, 400}, {map[string]string{"client_id": "x"}, 401},
			{map[string]string{"client_secret": "x"}, 401}, {map[string]string{"redirect_uri": "https://x.test"}, 400},
		} {
			if got := code(test.f); got != test.want {
				t.Errorf("%v: %d", test.f, got)
			}
		}
		time.Sleep(20 * time.Minute)
		if code(map[string]string{"code": late}) != 400 || b.grant(map[string]string{"grant_type": "password"}) != 400 {
			t.Error("an old code, or another grant")
		}
		form := url.Values{"grant_type": {"authorization_code"}, "code": {b.s.NewCode()}, "client_id": {"sim-client"}, "client_secret": {"sim-secret"}, "redirect_uri": {"https://example.test/amocrm"}}
		if status, _ := b.send("POST", "/oauth2/access_token", "application/x-www-form-urlencoded", form.Encode()); status != 200 {
			t.Errorf("a form: %d", status)
		}
		for _, body := range []string{"", "x", "[]", "null", `{"code":1}`} {
			if status, _ := b.do("POST", "/oauth2/access_token", body); status/100 != 4 {
				t.Errorf("%q: %d", body, status)
			}
		}
		b.s.Revoke()
		if b.refresh(b.tokens["refresh_token"]) != 401 {
			t.Error("revoked")
		}
		w := httptest.NewRecorder()
		b.s.ServeHTTP(w, httptest.NewRequest("GET", "http://sim.test/oauth?client_id=sim-client&state=a%26b", nil))
		to, err := url.Parse(w.Header().Get("Location"))
		if err != nil || w.Code != 302 || to.Host != "example.test" || to.Query().Get("state") != "a&b" || to.Query().Get("referer") != "sim.test" || code(map[string]string{"code": to.Query().Get("code")}) != 200 {
			t.Errorf("%d %v", w.Code, to)
		}
	})
}

func TestLimit(t *testing.T) {
	with(t, Options{LockAfter: 5}, func(b *browser) {
		got := ""
		for range 14 {
			status, _ := b.send("GET", "/api/v4/account", "", "")
			got += fmt.Sprint(status, " ")
		}
		if want := strings.Repeat("200 ", 7) + strings.Repeat("429 ", 5) + "403 403 "; got != want {
			t.Errorf("%s", got)
		}
		time.Sleep(5*time.Minute - time.Second)
		if status, _ := b.send("GET", "/api/v4/account", "", ""); status != 403 {
			t.Errorf("%d", status)
		}
		time.Sleep(time.Second)
		b.is("GET", "/api/v4/account", "", 200)
	})
	with(t, Options{}, func(b *browser) {
		for range 70 {
			if status, _ := b.send("GET", "/api/v4/account", "", ""); status != 200 {
				t.Errorf("%d", status)
			}
			time.Sleep(time.Second/7 + 1)
		}
	})
}

func TestLists(t *testing.T) {
	seed := Seed{}
	for i := range 600 {
		seed.Contacts = append(seed.Contacts, SeedContact{Name: fmt.Sprint("c", i)})
	}
	with(t, Options{Seed: seed}, func(b *browser) {
		b.is("GET", "/api/v4/leads", "", 204)
		b.is("GET", "/api/v4/tasks", "", 204)
		b.is("GET", "/api/v4/contacts?query=nobody", "", 204)
		b.is("GET", "/api/v4/contacts/1", "", 204)
		b.is("GET", "/api/v4/nothing", "", 404)
		for query, want := range map[string]int{"": 50, "?limit=250": 250, "?limit=1000": 250, "?limit=250&page=3": 100, "?limit=-1": 50, "?page=x": 50, "?limit=1": 1} {
			answer := b.is("GET", "/api/v4/contacts"+query, "", 200)
			list := answer["_embedded"].(map[string]any)["contacts"].([]any)
			_, next := answer["_links"].(map[string]any)["next"]
			if len(list) != want || next == (query == "?limit=250&page=3") {
				t.Errorf("%s: %d contacts, next %v", query, len(list), next)
			}
		}
		b.is("GET", "/api/v4/contacts?limit=250&page=4", "", 204)
		b.is("GET", "/api/v4/contacts?page=999999999999999999", "", 204)
		b.is("GET", "/api/v4/contacts?page=9999999", "", 204)
	})
}

func TestQuery(t *testing.T) {
	with(t, Options{Seed: account1()}, func(b *browser) {
		for query, want := range map[string]string{"9160000010": "[10]", "000-00-10": "[10]", "0000": "[10 11 12 13 14]", "mail@EXAMPLE": "[14]", "лид": "[10 12 13 14]", "14": "[14]"} {
			_, answer := b.do("GET", "/api/v4/contacts?query="+url.QueryEscape(query), "")
			var ids []any
			if answer != nil {
				for _, c := range answer["_embedded"].(map[string]any)["contacts"].([]any) {
					ids = append(ids, c.(map[string]any)["id"])
				}
			}
			if got := fmt.Sprint(ids); got != want {
				t.Errorf("%q: %s, want %s", query, got, want)
			}
		}
		b.is("GET", "/api/v4/contacts/14?with=leads", "", 200, `"leads":[{"id":44}]`, `"field_code":"PHONE"`, `"tags":[{"id":`, `"companies":[]`)
		b.is("GET", "/api/v4/contacts/14", "", 200, `"_links":{"self"`)
		b.is("GET", "/api/v4/leads?filter[id][]=40&filter[id][]=43&with=contacts", "", 200, `"id":40`, `"id":43`, `"contacts":[{"id":10}]`)
		b.is("GET", "/api/v4/leads/41", "", 200, `"status_id"`)
		b.is("GET", "/api/v4/users", "", 200, `"is_admin":true`)
		b.is("GET", "/api/v4/leads/pipelines", "", 200, `"id":142`, `"type":1`)
	})
}

func TestValidation(t *testing.T) {
	with(t, Options{Seed: account1()}, func(b *browser) {
		answer := b.is("POST", "/api/v4/contacts", `[{"name":"ok"},{"request_id":"mine","responsible_user_id":77,"name":5}]`, 400,
			`"title":"Bad Request"`, `"type":"https://httpstatus.es/400"`, `"status":400`, `"detail":"Request validation failed"`)
		errs, _ := json.Marshal(answer["validation-errors"])
		if want := `[{"errors":[{"code":"InvalidType","detail":"This value should be of type string.","path":"name"},{"code":"NotSupportedChoice","detail":"The value you selected is not a valid choice.","path":"responsible_user_id"}],"request_id":"mine"}]`; string(errs) != want {
			t.Errorf("%s", errs)
		}
		if n := len(b.s.State().Contacts); n != 5 {
			t.Errorf("%d contacts: a part of a refused batch is stored", n)
		}
		for path, bodies := range map[string][]string{
			"/api/v4/contacts": {``, `{}`, `[]`, `null`, `[1]`, `[null]`, `["x"]`, `[{"custom_fields_values":{}}]`, `[{"custom_fields_values":[{"field_code":"NO","values":[]}]}]`,
				`[{"custom_fields_values":[{"field_code":"PHONE","values":[{"value":"1","enum_code":"MARS"}]}]}]`, `[{"custom_fields_values":["x"]}]`, `[{"_embedded":[]}]`},
			"/api/v4/leads": {`[{"status_id":1}]`, `[{"pipeline_id":1}]`, `[{"_embedded":{"contacts":[{"id":1}]}}]`, `[{"_embedded":{"contacts":[{}]}}]`, `[{"price":"x"}]`},
			"/api/v4/tasks": {`[{}]`, `[{"text":"","complete_till":1}]`, `[{"text":"a"}]`, `[{"text":"a","complete_till":"1"}]`, `[{"text":"a","complete_till":1,"entity_type":"leads","entity_id":1}]`, `[{"text":"a","complete_till":1,"responsible_user_id":77}]`},
			"/api/v4/calls": {`[{}]`, `[{"direction":"x","phone":"1","duration":1,"source":"s"}]`, `[{"direction":"inbound","phone":"1","duration":"1","source":"s"}]`,
				`[{"direction":"inbound","phone":"1","duration":1,"source":"s","call_status":9}]`, `[{"direction":"inbound","phone":"","duration":1,"source":"s"}]`},
			"/api/v4/leads/unsorted/sip": {`[{}]`, `[{"source_uid":"a","source_name":"b"}]`, `[{"source_uid":"a","source_name":"b","metadata":1}]`, `[{"source_uid":"a","source_name":"b","metadata":{},"pipeline_id":1}]`},
			"/api/v2/events":             {``, `{}`, `{"add":[]}`, `{"add":[{}]}`, `{"add":[{"type":"x","phone_number":"1"}]}`, `{"add":[{"type":"phone_call"}]}`, `{"add":[{"type":"phone_call","phone_number":"1","users":[77]}]}`, `{"add":[{"type":"phone_call","phone_number":"1","users":"x"}]}`, `{"add":[{"type":"phone_call","phone_number":"1","users":[{}]}]}`},
		} {
			for _, body := range bodies {
				b.is("POST", path, body, 400)
			}
		}
		b.is("POST", "/api/v4/leads", "["+strings.Repeat(`{},`, 250)+"{}]", 400)
		b.is("POST", "/api/v4/leads", "["+strings.Repeat(`{},`, 249)+"{}]", 200)
		b.is("POST", "/api/v4/leads", strings.Repeat(" ", maxBody+1), 413)
		b.is("PATCH", "/api/v4/contacts/10", `{"responsible_user_id":2}`, 200, `"id":10`)
		b.is("PATCH", "/api/v4/contacts/10", `{"responsible_user_id":77}`, 400)
		b.is("PATCH", "/api/v4/contacts/10", `x`, 400)
		b.is("PATCH", "/api/v4/contacts/99", `{}`, 404)
		b.is("PATCH", "/api/v4/contacts", `[{"id":11,"name":"x"},{"id":99}]`, 400, `"request_id":"1"`)
		b.is("PATCH", "/api/v4/contacts", `[{"id":11,"name":"x"},{"id":12,"name":"y"}]`, 200)
		b.is("PATCH", "/api/v4/leads/40", `{"status_id":142}`, 200)
		st := b.s.State()
		if st.Contacts[0].Responsible != 2 || st.Contacts[1].Name != "x" || st.Contacts[2].Name != "y" || st.Leads[0].Status != 142 || len(st.Tasks)+len(st.Calls)+len(st.Unsorted)+len(st.Events) > 0 {
			t.Errorf("%+v", st)
		}
	})
}

// TestCalls is the rule by which a call finds its card.
func TestCalls(t *testing.T) {
	with(t, Options{Seed: account1()}, func(b *browser) {
		call := func(phone, uniq string) string {
			return fmt.Sprintf(`{"direction":"inbound","phone":%q,"duration":5,"source":"s","uniq":%q,"request_id":%q}`, phone, uniq, phone)
		}
		for phone, want := range map[string]string{
			"+79160000010": `"entity_id":40,"entity_type":"leads"`, "79160000011": `"entity_id":30,"entity_type":"customers"`, "89160000012": `"entity_id":12,"entity_type":"contacts"`,
			"8 916 000-00-13": `"entity_id":13,"entity_type":"contacts"`, "9160000014": `"entity_id":14,"entity_type":"contacts"`, "+74950000020": `"entity_id":20,"entity_type":"companies"`,
		} {
			b.is("POST", "/api/v4/calls", "["+call(phone, "")+"]", 200, want, `"_total_items":1`, `"errors":[]`)
		}
		b.is("POST", "/api/v4/calls", "["+call("+79169999999", "")+"]", 400, `"_total_items":0`, `"errors":[{"detail":"Entity not found","request_id":"+79169999999","status":263,"title":"Entity not found"}]`)
		b.is("POST", "/api/v4/calls", "["+call("+79169999999", "u")+","+call("+79160000010", "u")+"]", 200, `"_total_items":1`, `"request_id":"+79169999999"`, `"entity_id":40`)
		b.is("POST", "/api/v4/calls", "["+call("+79160000010", "u")+"]", 200)
		if n := len(b.s.State().Calls); n != 7 {
			t.Errorf("%d calls", n)
		}
	})
}

func TestUnsorted(t *testing.T) {
	with(t, Options{Seed: account1()}, func(b *browser) {
		add := func(uniq string) string {
			return fmt.Sprintf(`[{"source_uid":"s","source_name":"n","metadata":{"uniq":%q,"from":79990000000,"phone":"1","called_at":1,"duration":2},
				"_embedded":{"leads":[{"name":"l"}],"contacts":[{"name":"k","custom_fields_values":[{"field_code":"PHONE","values":[{"value":"+79990000000","enum_code":"MOB"}]}]}]}}]`, uniq)
		}
		answer := b.is("POST", "/api/v4/leads/unsorted/sip", add("1"), 200, `"uid":"`, `"leads":[{"id":`, `"contacts":[{"id":`)
		b.is("POST", "/api/v4/leads/unsorted/sip", add("1"), 400, `"validation-errors"`)
		b.is("POST", "/api/v4/leads/unsorted/sip", add("2"), 200)
		b.is("GET", "/api/v4/contacts?query=79990000000", "", 204)
		b.is("GET", "/api/v4/leads/unsorted", "", 200, `"category":"sip"`)
		uid := answer["_embedded"].(map[string]any)["unsorted"].([]any)[0].(map[string]any)["uid"].(string)
		b.is("POST", "/api/v4/leads/unsorted/"+uid+"/accept", `{"user_id":1}`, 200)
		b.is("POST", "/api/v4/leads/unsorted/"+uid+"/accept", `{}`, 404)
		b.is("GET", "/api/v4/contacts?query=79990000000", "", 200, `"name":"k"`)
		b.is("DELETE", "/api/v4/leads/unsorted/"+b.s.State().Unsorted[1].UID+"/decline", "", 200)
		b.is("GET", "/api/v4/leads/unsorted", "", 204)
	})
}

func TestEvents(t *testing.T) {
	with(t, Options{Seed: account1()}, func(b *browser) {
		b.is("POST", "/api/v2/events", `{"add":[{"type":"phone_call","phone_number":"+79160000010","users":["1",2]},{"type":"phone_call","phone_number":79160000011}]}`, 200, `"element_id":40`, `"items"`)
		b.is("POST", "/api/v2/events/", `{"add":[{"type":"phone_call","phone_number":"1"}]}`, 200)
		if got := fmt.Sprint(b.s.State().Events); got != "[{+79160000010 [1 2]} {79160000011 []} {1 []}]" {
			t.Error(got)
		}
	})
}

func TestFaultsAndMoves(t *testing.T) {
	with(t, Options{Seed: account1()}, func(b *browser) {
		b.is("POST", "/sim/faults", `{"kind":"status","code":503,"after":"9","path":"/api/v4/account","times":2}`, 204)
		b.is("GET", "/api/v4/users", "", 200)
		b.is("GET", "/api/v4/account", "", 503)
		b.is("GET", "/api/v4/account", "", 503)
		b.is("GET", "/api/v4/account", "", 200)
		b.is("POST", "/sim/faults", `{"kind":"status","times":-1}`, 204)
		for range 3 {
			b.is("GET", "/api/v4/account", "", 500)
		}
		b.is("POST", "/sim/faults", `{}`, 204)
		b.is("POST", "/sim/faults", `x`, 400)
		b.s.SetFault(Fault{Kind: "slow", Delay: time.Hour})
		began := time.Now()
		b.is("GET", "/api/v4/account", "", 200)
		if time.Since(began) < time.Hour {
			t.Error("not slow")
		}
		for kind, want := range map[string]int{"html": 50, "broken": 10, "huge": 10 << 20} {
			b.s.SetFault(Fault{Kind: kind})
			w := httptest.NewRecorder()
			b.s.ServeHTTP(w, httptest.NewRequest("GET", "/api/v4/account", nil))
			if n, _ := io.Copy(io.Discard, w.Body); n < int64(want) || w.Code != 200 {
				t.Errorf("%s: %d bytes", kind, n)
			}
		}
		b.s.Move("new.amocrm.ru")
		b.is("GET", "/oauth2/account/subdomain", "", 200, `"domain":"new.amocrm.ru"`, `"subdomain":"new"`, `"top_level_domain":"ru"`)
		w := httptest.NewRecorder()
		b.s.ServeHTTP(w, httptest.NewRequest("GET", "https://demo.amocrm.ru/api/v4/account?x=1", nil))
		if w.Code != 301 || w.Header().Get("Location") != "https://new.amocrm.ru/api/v4/account?x=1" {
			t.Errorf("%d %s", w.Code, w.Header().Get("Location"))
		}
		b.is("POST", "/sim/code", "", 200, `"code":"code-`)
		b.is("GET", "/sim/state", "", 200, `"contacts":[`, `"requests":{`, `"statuses":[`)
	})
}

func TestSeed(t *testing.T) {
	seed, err := ParseSeed([]byte("users: [{id: 1, name: Анна, admin: true}]\ncontacts:\n  - {id: 7, name: Иван, phones: ['+79160000001'], responsible: 1}\nleads:\n  - {name: Окна, contacts: [7]}\n"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Options{Seed: seed})
	if err != nil {
		t.Fatal(err)
	}
	if st := s.State(); st.Contacts[0].phones()[0] != "+79160000001" || st.Leads[0].Contacts[0] != 7 || st.Leads[0].Status == 0 || !st.Users[0].Rights["is_admin"].(bool) {
		t.Errorf("%+v", st)
	}
	for _, bad := range []string{"users: x", "nobody: []", "contacts: [{id: x}]"} {
		if _, err := ParseSeed([]byte(bad)); err == nil {
			t.Errorf("%q is read", bad)
		}
	}
	for _, bad := range []Seed{{Leads: []SeedLead{{Contacts: []int64{1}}}}, {Leads: []SeedLead{{Status: 5}}}, {Leads: []SeedLead{{Pipeline: 5}}}, {Fields: []SeedField{{Entity: "x"}}}, {Customers: []SeedLink{{Contacts: []int64{5}}}}} {
		if _, err := New(Options{Seed: bad}); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}

// FuzzServer throws bodies at all that can be posted: each is answered, and what is
// stored can be shown.
func FuzzServer(f *testing.F) {
	for _, body := range []string{`[{"name":"x","custom_fields_values":[{"field_code":"PHONE","values":[{"value":1}]}],"_embedded":{"tags":[{"name":"a"}]}}]`,
		`[{"direction":"inbound","phone":"+79160000010","duration":5,"source":"s"}]`, `[{"source_uid":"s","source_name":"n","metadata":{}}]`,
		`{"add":[{"type":"phone_call","phone_number":1,"users":[1]}]}`, `[{"text":"a","complete_till":1}]`, `null`, `[{"id":10,"name":null}]`} {
		f.Add(body)
	}
	s, err := New(Options{Seed: account1(), PerSecond: 1 << 30})
	if err != nil {
		f.Fatal(err)
	}
	s.grants.access["t"] = time.Now().Add(time.Hour)
	f.Fuzz(func(t *testing.T, body string) {
		for _, route := range []string{"POST /api/v4/contacts", "PATCH /api/v4/contacts", "PATCH /api/v4/contacts/10", "POST /api/v4/leads", "POST /api/v4/tasks", "POST /api/v4/calls",
			"POST /api/v4/leads/unsorted/sip", "POST /api/v2/events", "POST /oauth2/access_token", "POST /sim/faults"} {
			method, path, _ := strings.Cut(route, " ")
			r := httptest.NewRequest(method, path, strings.NewReader(body))
			r.Header.Set("Authorization", "Bearer t")
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			if w.Code == http.StatusUnauthorized && path != "/oauth2/access_token" {
				t.Errorf("%s: %d", route, w.Code)
			}
			s.SetFault(Fault{})
		}
		s.mu.Lock()
		a := &s.account
		a.Contacts, a.Leads = a.Contacts[:5], a.Leads[:6]
		a.Tasks, a.Calls, a.Unsorted, a.Events = nil, nil, nil, nil
		s.limit = limit{}
		s.mu.Unlock()
	})
}
