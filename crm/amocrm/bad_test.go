package amocrm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"vpbx/crm"
	"vpbx/crm/amocrm/amosim"
)

// page puts contacts into a list as amoCRM gives it.
func page(contacts string) string { return `{"_page":1,"_embedded":{"contacts":` + contacts + `}}` }

// good is a contact that must be found whatever stands beside it.
const good = `{"id":7,"name":"Иван","responsible_user_id":502,"custom_fields_values":[{"field_code":"PHONE","values":[{"value":"+79161234567"}]}]}`

// TestBadAnswers: whatever is answered to a lookup, there is an answer, or an error
// that says what was wrong, in time.
func TestBadAnswers(t *testing.T) {
	tests := map[string]struct{ answer, want string }{
		"html":                 {`<html>Технические работы</html>`, "bad"},
		"empty":                {``, "[]"},
		"broken":               {`{"_embedded":{"contacts":[`, "bad"},
		"an array":             {`[]`, "bad"},
		"a number":             {`1`, "bad"},
		"null":                 {`null`, "[]"},
		"10 MB":                {page(`["` + strings.Repeat("x", 10<<20) + `"]`), "bad"},
		"deep":                 {strings.Repeat(`[`, 100_000), "bad"},
		"null list":            {page(`null`), "[]"},
		"null embedded":        {`{"_embedded":null}`, "[]"},
		"embedded of text":     {`{"_embedded":"x"}`, "[]"},
		"list of text":         {page(`"x"`), "[]"},
		"null elements":        {page(`[null,` + good + `,null]`), "[7 Иван 502]"},
		"other elements":       {page(`["x",1,[],true,` + good + `]`), "[7 Иван 502]"},
		"id of text":           {page(strings.Replace(`[`+good+`]`, "7", `"7"`, 1)), "[7 Иван 502]"},
		"responsible of text":  {page(strings.Replace(`[`+good+`]`, "502", `"502"`, 1)), "[7 Иван 502]"},
		"no id":                {page(strings.Replace(`[`+good+`]`, `"id":7,`, ``, 1)), "[]"},
		"negative id":          {page(strings.Replace(`[`+good+`]`, "7", "-7", 1)), "[]"},
		"huge id":              {page(strings.Replace(`[`+good+`]`, "7", strings.Repeat("9", 40), 1)), "[]"},
		"deleted":              {page(strings.Replace(`[`+good+`]`, `"id"`, `"is_deleted":true,"id"`, 1)), "[]"},
		"phone of a number":    {page(strings.Replace(`[`+good+`]`, `"+79161234567"`, `79161234567`, 1)), "[7 Иван 502]"},
		"phone of null":        {page(strings.Replace(`[`+good+`]`, `"+79161234567"`, `null`, 1)), "[]"},
		"fields of null":       {page(`[{"id":1,"custom_fields_values":null},` + good + `]`), "[7 Иван 502]"},
		"fields of an object":  {page(`[{"id":1,"custom_fields_values":{"a":1}},` + good + `]`), "[7 Иван 502]"},
		"values of text":       {page(`[{"id":1,"custom_fields_values":[{"field_code":"PHONE","values":"x"}]},` + good + `]`), "[7 Иван 502]"},
		"name of an object":    {page(strings.Replace(`[`+good+`]`, `"Иван"`, `{"a":1}`, 1)), "[7  502]"},
		"hostile name":         {page(strings.Replace(`[`+good+`]`, `Иван`, `a\r\nVia: x\u0000\u202e<b>`, 1)), "[7 a  Via: x<b> 502]"},
		"long name":            {page(strings.Replace(`[`+good+`]`, `Иван`, strings.Repeat("ы", 10_000), 1)), "[7 " + strings.Repeat("ы", maxText) + " 502]"},
		"another's number":     {page(strings.Replace(`[`+good+`]`, "+79161234567", "+79161234568", 1)), "[]"},
		"text behind the JSON": {page(`[`+good+`]`) + "x", "bad"},
	}
	work(t, amosim.Options{}, func(w *office) {
		for name, test := range tests {
			time.Sleep(time.Second)
			w.answer(func(http.Handler) http.HandlerFunc {
				return func(rw http.ResponseWriter, r *http.Request) {
					_, _ = io.ReadAll(r.Body)
					_, _ = io.WriteString(rw, test.answer)
				}
			})
			ctx, cancel := w.within(700 * time.Millisecond)
			found, err := w.client.Contacts(Urgent(ctx), w.a, "+79161234567")
			cancel()
			got := fmt.Sprint(mapped(found, func(c Contact) string { return fmt.Sprint(c.ID, " ", c.Name, " ", c.Responsible) }))
			if err != nil {
				got = "bad"
			}
			if got != test.want || err != nil && !errors.Is(err, crm.ErrBadAnswer) {
				t.Errorf("%s: %.200s (%v), want %.200s", name, got, err, test.want)
			}
			w.silent(fmt.Sprint(err))
		}
	})
}

// TestIll: a server that is ill is an error in time; nothing is sent twice.
func TestIll(t *testing.T) {
	tests := []struct {
		fault amosim.Fault
		want  error
	}{
		{amosim.Fault{Kind: "status", Code: 500}, crm.ErrBadAnswer},
		{amosim.Fault{Kind: "status", Code: 503, After: "60"}, crm.ErrBadAnswer},
		{amosim.Fault{Kind: "status", Code: 404}, crm.ErrRefused},
		{amosim.Fault{Kind: "status", Code: 422}, crm.ErrRefused},
		{amosim.Fault{Kind: "html"}, crm.ErrBadAnswer},
		{amosim.Fault{Kind: "broken"}, crm.ErrBadAnswer},
		{amosim.Fault{Kind: "huge"}, crm.ErrBadAnswer},
		{amosim.Fault{Kind: "slow", Delay: time.Minute}, context.DeadlineExceeded},
		{amosim.Fault{Kind: "drop"}, io.EOF},
	}
	work(t, amosim.Options{}, func(w *office) {
		for _, test := range tests {
			test.fault.Path, test.fault.Times = "/api/", -1
			w.sim.SetFault(amosim.Fault{})
			w.sim.SetFault(test.fault)
			w.fresh()
			ctx, cancel := w.within(10 * time.Second)
			got, err := w.client.AddLeads(ctx, w.a, []NewLead{{Name: "a"}, {Name: "b"}})
			cancel()
			seen, _ := w.came()
			var after *crm.RetryAfter
			if asked := test.fault.After != ""; errors.As(err, &after) != asked || asked && after.After != time.Minute {
				t.Errorf("%+v: %v", test.fault, err)
			}
			if !errors.Is(err, test.want) || len(got) != 2 || !errors.Is(got[0].Err, test.want) || !errors.Is(got[1].Err, test.want) || len(seen) != 1 {
				t.Errorf("%+v: %v, %v, %d requests", test.fault, err, got, len(seen))
			}
			w.silent(fmt.Sprint(err))
		}
	})
}

// TestBadAdded: answers to items that do not say what became of them.
func TestBadAdded(t *testing.T) {
	tests := map[string]struct {
		status int
		answer string
		want   []string // part of the error of each of three items, "": none
	}{
		"one is missing":       {200, `{"_embedded":{"leads":[{"id":1,"request_id":"0"},{"id":"3","request_id":2}]}}`, []string{"", "does not say", ""}},
		"others' ids":          {200, `{"_embedded":{"leads":[{"id":1,"request_id":"7"},{"id":2,"request_id":"-1"},{"id":3}]}}`, []string{"does not say", "does not say", "does not say"}},
		"no ids":               {200, `{"_embedded":{"leads":[{"request_id":"0"},{"id":null,"request_id":"1"},{"id":{},"request_id":"2"}]}}`, []string{"does not say", "does not say", "does not say"}},
		"empty":                {200, ``, []string{"does not say", "does not say", "does not say"}},
		"refused as a whole":   {400, `{"title":"Bad Request","detail":"no\nrights"}`, []string{"Bad Request: no rights", "Bad Request: no rights", "Bad Request: no rights"}},
		"a page":               {400, `<html>`, []string{"HTTP status 400", "HTTP status 400", "HTTP status 400"}},
		"null errors":          {400, `{"validation-errors":null,"errors":null}`, []string{"refused", "refused", "refused"}},
		"errors of text":       {400, `{"validation-errors":"x","errors":["y",{"request_id":"1","title":"t"}]}`, []string{"refused", "t", "refused"}},
		"an error of a number": {400, `{"validation-errors":[{"request_id":1,"errors":[{"code":5,"path":null,"detail":"d"}]}]}`, []string{"refused", "(5): d", "refused"}},
	}
	work(t, amosim.Options{}, func(w *office) {
		for name, test := range tests {
			w.answer(func(http.Handler) http.HandlerFunc {
				return func(rw http.ResponseWriter, _ *http.Request) {
					rw.WriteHeader(test.status)
					_, _ = io.WriteString(rw, test.answer)
				}
			})
			got, err := w.client.AddLeads(w.Context(), w.a, []NewLead{{Name: "a"}, {Name: "b"}, {Name: "c"}})
			for i, r := range got {
				if want := test.want[i]; (r.Err == nil) != (want == "") || r.Err != nil && !strings.Contains(r.Err.Error(), want) {
					t.Errorf("%s: item %d: %v, want %q (%v)", name, i, r.Err, want, err)
				}
			}
		}
	})
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{page(`[` + good + `]`), page(`null`), `{"_embedded":{"users":[{"id":"1","rights":{"is_admin":1}}]},"_links":{"next":{"href":"x"}}}`,
		`{"_embedded":{"pipelines":[{"id":1,"_embedded":{"statuses":[{"id":142,"type":1}]}}]}}`, `{"id":5,"name":"x","current_user_id":"7"}`,
		`{"validation-errors":[{"request_id":"0","errors":[{"code":"a","path":"b","detail":"c"}]}],"errors":[{"request_id":1,"title":"t","status":263}]}`,
		`{"access_token":"a","refresh_token":"b","expires_in":86400}`, `{"_embedded":{"leads":[{"id":1,"updated_at":1e300}]}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, status := range []int{200, 204, 400} {
			got := answer{status: status, body: body}
			contacts, _ := decodeContacts(got)
			for _, c := range contacts {
				if c.ID <= 0 || len([]rune(c.Name)) > maxText || strings.ContainsAny(c.Name, "\r\n\x00") {
					t.Errorf("contact %+v", c)
				}
				c.has("RU", "+79161234567")
			}
			leads, _ := decodeLeads(got)
			for _, l := range leads {
				if l.ID <= 0 || l.Updated.Year() > 9999 {
					t.Errorf("lead %+v", l)
				}
			}
			_, _, _ = decodeUsers(got)
			_, _ = decodePipelines(got)
			_, _ = decodeInfo(got)
			_, problems, _ := decodeAdded(got, "leads")
			for _, err := range problems {
				if strings.ContainsAny(err.Error(), "\r\n") {
					t.Errorf("error %q", err)
				}
			}
			_ = got.problem()
		}
		if access, refresh, life, err := decodeGrant(body); err == nil && (access == "" || refresh == "" || life <= 0) {
			t.Errorf("tokens %q %q %v", access, refresh, life)
		}
	})
}
