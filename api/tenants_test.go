package api

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vpbx/pbx"
	"vpbx/tenants"
)

const document = `
tenant: new
domain: new.test
name: Новая
zone: Europe/Moscow
country: RU
extensions:
  - {number: "101", name: Анна, password: s3cret-101}
  - {number: "102", name: Иван, password: s3cret-102, record: true}
groups:
  - {number: "600", name: Продажи, members: ["101", "102"], ring: 15s}
trunks:
  - {name: carrier, host: 127.0.0.1:5070, from: [127.0.0.1/32], username: u1, password: p1-secret}
numbers:
  - {number: "+74950000000", trunk: carrier}
rules:
  - {number: "+74950000000", owner: true, steps: [{ring: "600"}, {reject: 480}]}
crm: {kind: rtk, url: "http://127.0.0.1:9000", client_id: 000003C405E6525C64C184258C44EC99, sign_key: 00000716ABDA6D4DFF10F82BCBBFC532}
`

const newPath = "/api/v1/tenants/new"

func (r *rig) put(path, token, body string) tenants.Changes {
	r.t.Helper()
	a := r.ask("PUT", path, token, body, "Content-Type", "application/yaml")
	a.want(r.t, 200)
	var out struct{ Changes tenants.Changes }
	a.into(r.t, &out)
	if out.Changes == nil {
		r.t.Fatalf("changes are null: %s", a.body)
	}
	return out.Changes
}

func TestPutDocument(t *testing.T) {
	r := newRig(t)
	if c := r.put(newPath, adminToken, document); len(c) == 0 || c[0] != (tenants.Change{Action: tenants.Added, Noun: "tenant", Key: "new"}) {
		t.Errorf("%+v", c)
	}
	if c := r.put(newPath, adminToken, document); len(c) != 0 {
		t.Errorf("applied again: %+v", c)
	}
	before := r.store.Directory().Company("new")
	if before.Extensions["102"] == nil || before.Rules[0].Steps[0].Target != "600" {
		t.Fatalf("%+v", before)
	}

	// What is read holds no secret, and written back it changes nothing.
	a := r.ask("GET", newPath, adminToken, nil)
	a.want(t, 200)
	for _, secret := range []string{"s3cret", "p1-secret", "00000716ABDA", before.Extensions["101"].HA1MD5} {
		if strings.Contains(string(a.body), secret) {
			t.Errorf("%s is in %s", secret, a.body)
		}
	}
	if c := r.put(newPath, adminToken, string(a.body)); len(c) != 0 || r.store.Directory().Company("new") != before {
		t.Errorf("written back: %+v", c)
	}

	changed := strings.Replace(document, "ring: 15s", "ring: 30s", 1)
	if c := r.put(newPath, adminToken, changed); len(c) != 1 || c[0] != (tenants.Change{Action: tenants.Changed, Noun: "group", Key: "600"}) {
		t.Errorf("%+v", c)
	}
	if log := r.log.String(); strings.Contains(log, "s3cret") {
		t.Errorf("a password is in the log:\n%s", log)
	}
}

func TestPutMistakes(t *testing.T) {
	r := newRig(t)
	bad := strings.Replace(document, `{ring: "600"}`, `{ring: "700"}`, 1)
	bad = strings.Replace(bad, "zone: Europe/Moscow", "zone: Europe/Moskau", 1)
	bad += "colour: red\n"
	p := r.ask("PUT", newPath, adminToken, bad).want(t, 400)
	var at []string
	for _, d := range p.Details {
		if d.Line == 0 || d.Message == "" {
			t.Errorf("%+v", d)
		}
		at = append(at, d.Path)
	}
	if got, want := strings.Join(at, " "), "zone rules[0].steps[0].ring colour"; got != want || p.Kind != pbx.Invalid {
		t.Errorf("mistakes at %q, want %q; %+v", got, want, p)
	}
	if r.store.Directory().Company("new") != nil {
		t.Error("a document with mistakes was applied")
	}
	for _, body := range []string{"", "[]", "{", "tenant: acme", `{"tenant": "new"}`} {
		r.ask("PUT", newPath, adminToken, body).want(t, 400)
	}
}

func TestPutForAnother(t *testing.T) {
	r := newRig(t)
	// The document of one company under the path of another.
	if p := r.ask("PUT", "/api/v1/tenants/acme", acmeToken, document).want(t, 400); p.Field != "tenant" {
		t.Errorf("%+v", p)
	}
	r.ask("PUT", "/api/v1/tenants/ACME", adminToken, document).want(t, 400)
	r.ask("PUT", newPath, acmeToken, document).want(t, 404)
	// The domain of another company: refused, without saying whose it is.
	p := r.ask("PUT", newPath, adminToken, strings.Replace(document, "new.test", "other.test", 1)).want(t, 409)
	if p.Kind != pbx.Conflict || strings.Contains(p.Message, `"other"`) {
		t.Errorf("%+v", p)
	}
	// A token whose company was removed cannot make it again.
	r.addToken("the-token-of-new", "new")
	r.ask("PUT", newPath, "the-token-of-new", document).want(t, 404)
}

// TestPromptsByAPI: a document that comes by API reaches sound files of its
// own company only.
func TestPromptsByAPI(t *testing.T) {
	r := newRig(t)
	wav := []byte("RIFF\x24\x00\x00\x00WAVEfmt ")
	for _, name := range []string{"new/hello.wav", "other/secret.wav"} {
		file := filepath.Join(r.c.Prompts, name)
		r.check(os.MkdirAll(filepath.Dir(file), 0o700))
		r.check(os.WriteFile(file, wav, 0o600))
	}
	with := func(file string) string {
		return document + "prompts: [{name: hello, file: \"" + file + "\"}]\n"
	}
	for _, file := range []string{
		"../other/secret.wav", filepath.Join(r.c.Prompts, "other/secret.wav"), "/etc/passwd", "missing.wav", "hello.wav/../../other/secret.wav",
	} {
		p := r.ask("PUT", newPath, adminToken, with(file)).want(t, 400)
		if len(p.Details) != 1 || p.Details[0].Path != "prompts[0].file" {
			t.Errorf("%s: %+v", file, p)
		}
	}
	r.put(newPath, adminToken, with("hello.wav"))
	a := r.ask("GET", newPath, adminToken, nil)
	if c := r.put(newPath, adminToken, string(a.body)); len(c) != 0 {
		t.Errorf("written back: %+v", c)
	}
}

func TestListAndDelete(t *testing.T) {
	r := newRig(t)
	a := r.ask("GET", "/api/v1/tenants?limit=1", adminToken, nil)
	a.want(t, 200)
	var list List[Company]
	a.into(t, &list)
	if len(list.Items) != 1 || list.Items[0] != (Company{Tenant: "acme", Domain: "acme.test", Name: "Acme"}) {
		t.Fatalf("%s", a.body)
	}
	r.ask("GET", "/api/v1/tenants?limit=1&cursor="+list.Next, adminToken, nil).into(t, &list)
	if len(list.Items) != 1 || list.Items[0].Tenant != "other" || list.Next != "" {
		t.Fatalf("%+v", list)
	}
	r.ask("DELETE", "/api/v1/tenants/acme", acmeToken, nil).want(t, 403)
	r.ask("DELETE", "/api/v1/tenants/acme", adminToken, nil).want(t, 204)
	r.ask("DELETE", "/api/v1/tenants/acme", adminToken, nil).want(t, 404)
	r.ask("GET", "/api/v1/tenants/acme", adminToken, nil).want(t, 404)
}

// TestLimitsAreTheAdministrators: a company's own token may change its document,
// but not what bounds the damage of a stolen one.
func TestLimitsAreTheAdministrators(t *testing.T) {
	r := newRig(t)
	var doc map[string]any
	r.ask("GET", "/api/v1/tenants/acme", acmeToken, nil).into(t, &doc)
	put := func(token string) answer {
		return r.ask("PUT", "/api/v1/tenants/acme", token, doc)
	}
	doc["name"] = "Acme and Sons"
	put(acmeToken).want(t, 200)
	doc["limits"] = map[string]any{"calls": 9999, "international": true}
	if p := put(acmeToken).want(t, 403); p.Field != "limits" {
		t.Errorf("refused for %q", p.Field)
	}
	put(adminToken).want(t, 200)
	put(acmeToken).want(t, 200) // nothing of it differs now
	doc["rates"] = []any{map[string]any{"prefix": "+7", "minute": 0}}
	if p := put(acmeToken).want(t, 403); p.Field != "rates" {
		t.Errorf("refused for %q", p.Field)
	}
	put(adminToken).want(t, 200)
	doc["domain"] = "elsewhere.test"
	if p := put(acmeToken).want(t, 403); p.Field != "domain" {
		t.Errorf("refused for %q", p.Field)
	}
}

// TestLimitsAreKept: what an administrator changes while a company's own token puts its
// document stays.
func TestLimitsAreKept(t *testing.T) {
	r := newRig(t)
	doc, err := r.c.Tenants.Document(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	doc.Name = "Acme and Sons"
	r.c.Tenants = overtaken{r.c.Tenants, func() {
		lower := *doc
		lower.Name, lower.Limits.Calls = "Acme", 7
		if _, err := tenants.NewService(r.store).Apply(t.Context(), &lower); err != nil {
			t.Error(err)
		}
	}}
	if p := r.ask("PUT", "/api/v1/tenants/acme", acmeToken, doc).want(t, 403); p.Field != "limits" {
		t.Errorf("refused for %q", p.Field)
	}
	if got := r.store.Directory().Company("acme").Limits.Calls; got != 7 {
		t.Errorf("%d calls are allowed", got)
	}
}

// overtaken are companies that somebody else changes first.
type overtaken struct {
	Tenants
	first func()
}

func (o overtaken) ApplyIf(ctx context.Context, d *tenants.Document, may tenants.Condition) (tenants.Changes, error) {
	o.first()
	return o.Tenants.ApplyIf(ctx, d, may)
}
