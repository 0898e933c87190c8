package tenants

import (
	"strings"
	"testing"

	"vpbx/pbx"
)

const hooked = `
tenant: acme
domain: acme.test
extensions: [{number: "101", password: s3cret-101}]
crm:
  kind: webhook
  url: https://crm.test/hooks?source=pbx
  secret: 0123456789abcdef
  events: [ringing, ended]
  headers: {Authorization: Bearer abc}
  timeout: 500ms
  lookup:
    url: https://api.crm.test/contacts/{digits}?to={to}
    method: POST
    body: '{"phone": "{from}", "call": ["{call}"]}'
    owner: data.0.manager
    users: {"17": "101"}
`

// TestWebhook: the keys of a webhook come back without secrets, and what was left
// out is kept as long as it goes to the same addresses.
func TestWebhook(t *testing.T) {
	d := parse(t, hooked, "")
	c, err := d.Company(nil)
	if err != nil {
		t.Fatal(err)
	}
	w := c.CRM.Webhook
	if w.Secret != "0123456789abcdef" || w.Headers["Authorization"] != "Bearer abc" || w.Lookup.Name != "name" || w.Lookup.Users["17"] != "101" ||
		!c.CRM.Wants(pbx.NotifyEnded) || c.CRM.Wants(pbx.NotifyArrived) {
		t.Errorf("webhook %+v, %+v", w, w.Lookup)
	}
	shown := FromCompany(c)
	if h := shown.CRM.Headers; shown.CRM.Secret != "" || len(h) != 1 || h["Authorization"] != "" {
		t.Errorf("shown with secrets: %+v", shown.CRM)
	}
	again, err := shown.Company(c)
	if err != nil || len(diff(c, again)) != 0 {
		t.Errorf("applied again: %v, %v", diff(c, again), err)
	}
	for from, to := range map[string]string{"https://crm.test/hooks": "https://evil.test/hooks", "https://api.crm.test": "https://evil.test"} {
		text := strings.NewReplacer(from, to, "  secret: 0123456789abcdef\n", "", "Bearer abc", `""`).Replace(hooked)
		_, err := parse(t, text, "").Company(c)
		if err == nil || len(Mistakes(err)) != 2 {
			t.Errorf("secrets went along to %s: %v", to, err)
		}
	}
	if _, err := Parse([]byte(strings.Replace(hooked, "kind: webhook", "kind: none", 1)), ""); err == nil {
		t.Error("keys of a webhook without one are taken")
	}
}
