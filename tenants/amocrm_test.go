package tenants

import (
	"strings"
	"testing"
	"time"

	"vpbx/pbx"
)

const onAmo = `
tenant: acme
domain: acme.test
extensions: [{number: "101", password: s3cret-101}, {number: "102", password: s3cret-102}]
groups: [{number: "600", members: ["101"]}]
trunks: [{name: carrier, host: carrier.test}]
numbers: [{number: "+74950000000", trunk: carrier}]
crm:
  kind: amocrm
  account: Acme.amocrm.ru
  client_id: 11111111-2222-3333-4444-555555555555
  client_secret: the-secret-of-the-integration
  timeout: 500ms
  users: {"501": "101", "502": "102"}
  fallback: "101"
  listeners: ["503"]
  scenarios:
    - name: Входящие с сайта
      lines: ["+74950000000"]
      smart: true
      exceptions: ["102"]
      events:
        incoming_new:
          contact: {title: Клиент $(phone), tags: [сайт], fields: {"901": звонок, EMAIL: нет}, responsible: call}
          lead: {title: "Звонок $(phone) на $(line)", pipeline: 700, status: 701, tags: [сайт], group: "600"}
          task: {text: Перезвонить $(phone), responsible: fallback, due: 2h}
          transferee: true
        incoming_known: {lead: {responsible: contact}}
        missed_new: {unsorted: {pipeline: 700}}
    - {name: Остальное, on: false}
`

// TestAmo: the keys for amoCRM come back without the secret, which is kept for the same
// integration.
func TestAmo(t *testing.T) {
	c := company(t, parse(t, onAmo, ""), nil)
	a := c.CRM.Amo
	r := a.Scenarios[0].Events[pbx.AmoIncomingNew]
	if a.Account != "acme.amocrm.ru" || a.Users[502] != "102" || a.Listeners[0] != 503 || !a.Scenarios[0].On || a.Scenarios[1].On || c.CRM.InUse() ||
		r.Contact.Fields["901"] != "звонок" || r.Lead.Group != "600" || r.Task.Due != 2*time.Hour || !r.Transferee ||
		a.Scenarios[0].Events[pbx.AmoIncomingKnown].Lead.Name != "$(phone)" || a.Scenarios[0].Events[pbx.AmoMissedNew].Unsorted.Pipeline != 700 {
		t.Errorf("%+v", a)
	}
	a.Link = &pbx.AmoLink{Account: "acme.amocrm.ru", AccountID: 7, ClientSecret: "linked-secret", Key: "linked-key"}
	shown := FromCompany(c)
	if shown.CRM.ClientSecret != "" {
		t.Errorf("shown with the secret: %+v", shown.CRM)
	}
	again := company(t, shown, c)
	if d := diff(c, again); len(d) != 0 || again.CRM.Amo.ClientSecret != a.ClientSecret || again.CRM.Amo.Link == nil || !again.CRM.InUse() {
		t.Errorf("applied again: %v %+v", d, again.CRM.Amo)
	}
	other := strings.NewReplacer("11111111", "22222222", "  client_secret: the-secret-of-the-integration\n", "").Replace(onAmo)
	if _, err := parse(t, other, "").Company(c); err == nil || len(Mistakes(err)) != 1 {
		t.Errorf("the secret went along to another integration: %v", err)
	}
	off := company(t, parse(t, onAmo[:strings.Index(onAmo, "crm:")], ""), c)
	if off.CRM.Amo != nil || off.CRM.InUse() {
		t.Errorf("a document without crm: %+v", off.CRM)
	}
}

// TestM06: no internal number is of two users.
func TestM06(t *testing.T) {
	_, err := Parse([]byte(strings.Replace(onAmo, `"502": "102"`, `"502": "101"`, 1)), "")
	list := Mistakes(err)
	if len(list) != 1 || list[0].Path != "crm.users.502" || list[0].Message != "101 is already the number of user 501" || list[0].Line == 0 {
		t.Errorf("%+v", list)
	}
	s := NewService(&memory{pbx.NewDirectory(nil)})
	if _, err := s.Apply(t.Context(), parse(t, onAmo, "")); err != nil {
		t.Fatal(err)
	}
	for _, users := range []map[string]string{{"501": "101", "502": "101"}, {"501": "999"}, {"x": "101"}, {"0": "101"}, {"0501": "101"}} {
		if err := s.SetAmoUsers(t.Context(), "acme", users, "101"); pbx.KindOf(err) != pbx.Invalid {
			t.Errorf("%v: %v", users, err)
		}
	}
	if err := s.SetAmoUsers(t.Context(), "acme", map[string]string{"501": "101"}, "999"); pbx.KindOf(err) != pbx.Invalid {
		t.Errorf("fallback: %v", err)
	}
	if err := s.SetAmoUsers(t.Context(), "acme", map[string]string{"501": "102"}, "101"); err != nil {
		t.Fatal(err)
	}
	if a := s.store.Directory().Company("acme").CRM.Amo; len(a.Users) != 1 || a.Users[501] != "102" || a.Fallback != "101" || len(a.Scenarios) != 2 {
		t.Errorf("%+v", a)
	}
}

// TestAmoMistakes: each mistake has its path.
func TestAmoMistakes(t *testing.T) {
	for name, test := range map[string]struct{ from, to, path, want string }{
		"account":      {"Acme.amocrm.ru", "acme.example.com", "crm.account", "is not an account such as acme.amocrm.ru"},
		"no account":   {"  account: Acme.amocrm.ru\n", "", "crm.account", "is needed"},
		"client":       {"client_id: 11111111-", "client_id: 1 1-", "crm.client_id", "is not the ID of an integration"},
		"secret":       {"the-secret-of", "\"the secret\" #", "crm.client_secret", "printable ASCII"},
		"url":          {"  timeout: 500ms", "  url: http://crm.test", "crm", "url and sign_key are no keys of kind amocrm"},
		"user":         {`"501": "101"`, `"anna": "101"`, "crm.users", `"anna" is not the id of a user`},
		"extension":    {`"502": "102"`, `"502": "105"`, "crm.users.502", `there is no extension "105"`},
		"fallback":     {`fallback: "101"`, `fallback: "105"`, "crm.fallback", `there is no extension "105"`},
		"listener":     {`["503"]`, `["503", "503"]`, "crm.listeners[1]", "is already crm.listeners[0]"},
		"name":         {"name: Остальное", `name: ""`, "crm.scenarios[1].name", "is needed"},
		"name again":   {"name: Остальное", "name: Входящие с сайта", "crm.scenarios[1].name", "is already crm.scenarios[0]"},
		"line":         {`lines: ["+74950000000"]`, `lines: ["+74950000001"]`, "crm.scenarios[0].lines[0]", "is not a number of the company"},
		"exception":    {`exceptions: ["102"]`, `exceptions: ["105"]`, "crm.scenarios[0].exceptions[0]", "there is no extension"},
		"event":        {"incoming_known:", "incoming_old:", "crm.scenarios[0].events.incoming_old", "is none of incoming_new, incoming_known"},
		"known":        {"{lead: {responsible: contact}}", "{contact: {}}", "crm.scenarios[0].events.incoming_known", "a known one has a contact"},
		"lead alone":   {"{unsorted: {pipeline: 700}}", "{lead: {}}", "crm.scenarios[0].events.missed_new", "a contact is needed"},
		"unsorted":     {"{unsorted: {pipeline: 700}}", "{unsorted: {}, contact: {}}", "crm.scenarios[0].events.missed_new.unsorted", "stands alone"},
		"template":     {"Клиент $(phone)", "Клиент $(name)", "crm.scenarios[0].events.incoming_new.contact.title", `"$(name)" is none of $(phone), $(line)`},
		"template end": {"Клиент $(phone)", "Клиент $(phone", "crm.scenarios[0].events.incoming_new.contact.title", `"$(phone" is none of`},
		"field":        {"EMAIL: нет", "e-mail: нет", "crm.scenarios[0].events.incoming_new.contact.fields", `"e-mail" is neither the id nor the code of a field`},
		"tag":          {"tags: [сайт], fields", "tags: [\"\"], fields", "crm.scenarios[0].events.incoming_new.contact.tags[0]", "is empty"},
		"who":          {"responsible: call", "responsible: contact", "crm.scenarios[0].events.incoming_new.contact.responsible", `"contact" is none of call, fallback`},
		"group":        {`group: "600"`, `group: "601"`, "crm.scenarios[0].events.incoming_new.lead.group", `there is no group "601"`},
		"two of them":  {`group: "600"`, `group: "600", responsible: call`, "crm.scenarios[0].events.incoming_new.lead", "either responsible or group"},
		"negative":     {"status: 701", "status: -1", "crm.scenarios[0].events.incoming_new.lead", "must not be negative"},
		"text":         {"text: Перезвонить $(phone)", `text: ""`, "crm.scenarios[0].events.incoming_new.task.text", "is needed"},
		"due":          {"due: 2h", "due: 1s", "crm.scenarios[0].events.incoming_new.task.due", "must be 1m0s to"},
		"unknown key":  {"smart: true", "smrt: true", "crm.scenarios[0].smrt", "unknown key, did you mean smart?"},
	} {
		text := strings.Replace(onAmo, test.from, test.to, 1)
		_, err := Parse([]byte(text), "")
		list := Mistakes(err)
		if text == onAmo || len(list) != 1 || list[0].Path != test.path || !strings.Contains(list[0].Message, test.want) {
			t.Errorf("%s: %+v", name, list)
		}
	}
}

// TestM07: scenarios are added, copied, renamed, replaced, switched and removed; what is wrong
// changes nothing.
func TestM07(t *testing.T) {
	s := NewService(&memory{pbx.NewDirectory(nil)})
	ctx := t.Context()
	if _, err := s.Apply(ctx, parse(t, onAmo, "")); err != nil {
		t.Fatal(err)
	}
	names := func() string {
		list, err := s.Scenarios(ctx, "acme")
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, one := range list {
			sign := "-"
			if *one.On {
				sign = "+"
			}
			all = append(all, sign+one.Name)
		}
		return strings.Join(all, " ")
	}
	const site = "Входящие с сайта"
	scenario, err := ParseScenario([]byte(`{"name": "Ночь", "lines": ["+74950000000"], "events": {"missed_new": {"unsorted": {}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	bad := scenario
	bad.Name, bad.Lines = "Плохой", []string{"+7000"}
	for _, step := range []struct {
		name string
		do   func() error
		kind pbx.Kind
		want string
	}{
		{"add", func() error { return s.AddScenario(ctx, "acme", scenario) }, "", "+Входящие с сайта -Остальное +Ночь"},
		{"add again", func() error { return s.AddScenario(ctx, "acme", scenario) }, pbx.Conflict, "+Входящие с сайта -Остальное +Ночь"},
		{"add a bad one", func() error { return s.AddScenario(ctx, "acme", bad) }, pbx.Invalid, "+Входящие с сайта -Остальное +Ночь"},
		{"copy", func() error { return s.CopyScenario(ctx, "acme", site, "Копия") }, "", "+Входящие с сайта -Копия -Остальное +Ночь"},
		{"copy again", func() error { return s.CopyScenario(ctx, "acme", site, "Копия") }, pbx.Conflict, "+Входящие с сайта -Копия -Остальное +Ночь"},
		{"switch on", func() error { return s.SwitchScenario(ctx, "acme", "Копия", true) }, "", "+Входящие с сайта +Копия -Остальное +Ночь"},
		{"switch off", func() error { return s.SwitchScenario(ctx, "acme", site, false) }, "", "-Входящие с сайта +Копия -Остальное +Ночь"},
		{"rename", func() error { return s.RenameScenario(ctx, "acme", "Копия", "Сайт 2") }, "", "-Входящие с сайта +Сайт 2 -Остальное +Ночь"},
		{"rename to another", func() error { return s.RenameScenario(ctx, "acme", "Сайт 2", "Ночь") }, pbx.Conflict, "-Входящие с сайта +Сайт 2 -Остальное +Ночь"},
		{"rename to nothing", func() error { return s.RenameScenario(ctx, "acme", "Сайт 2", " ") }, pbx.Invalid, "-Входящие с сайта +Сайт 2 -Остальное +Ночь"},
		{"replace", func() error { return s.SetScenario(ctx, "acme", "Остальное", AmoScenario{Name: "Всё"}) }, "", "-Входящие с сайта +Сайт 2 +Всё +Ночь"},
		{"replace none", func() error { return s.SetScenario(ctx, "acme", "Остальное", AmoScenario{Name: "Всё"}) }, pbx.NotFound, "-Входящие с сайта +Сайт 2 +Всё +Ночь"},
		{"remove", func() error { return s.RemoveScenario(ctx, "acme", site) }, "", "+Сайт 2 +Всё +Ночь"},
		{"remove again", func() error { return s.RemoveScenario(ctx, "acme", site) }, pbx.NotFound, "+Сайт 2 +Всё +Ночь"},
		{"of nobody", func() error { return s.RemoveScenario(ctx, "nobody", site) }, pbx.NotFound, "+Сайт 2 +Всё +Ночь"},
	} {
		err := step.do()
		if (err == nil) != (step.kind == "") || err != nil && pbx.KindOf(err) != step.kind || names() != step.want {
			t.Errorf("%s: %v, %s", step.name, err, names())
		}
	}
	a := s.store.Directory().Company("acme").CRM.Amo
	if got := a.Scenario("+74950000000"); got == nil || got.Name != "Сайт 2" || !got.Smart || got.Events[pbx.AmoIncomingNew].Lead.Pipeline != 700 {
		t.Errorf("the copy lost something: %+v", got)
	}
	if a.ClientSecret != "the-secret-of-the-integration" || a.Users[501] != "101" {
		t.Errorf("the rest: %+v", a)
	}
	if _, err := ParseScenario([]byte(`{"name": "x", "colour": "red"}`)); pbx.KindOf(err) != pbx.Invalid {
		t.Errorf("an unknown key: %v", err)
	}
}
