package tenants

import (
	"strings"
	"testing"

	"vpbx/pbx"
)

const trusted = `
tenant: acme
domain: acme.test
extensions: [{number: "101", password: s3cret-101}]
crm:
  kind: rtk
  url: https://crm.test/api
  client_id: 000003C405E6525C64C184258C44EC99
  sign_key: 00000716ABDA6D4DFF10F82BCBBFC532
  allow: [203.0.113.0/24, "2001:db8::1/128"]
  tls: on
`

// TestTrust: the keys come back as they were given, and applied again change nothing.
func TestTrust(t *testing.T) {
	c, err := parse(t, trusted, "").Company(nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.CRM.SSL != pbx.SSLOn || len(c.CRM.Allow) != 2 {
		t.Errorf("trust %+v", c.CRM.Trust)
	}
	shown := FromCompany(c)
	if shown.CRM.TLS != "on" || len(shown.CRM.Allow) != 2 || shown.CRM.SignKey != "" {
		t.Errorf("shown %+v", shown.CRM)
	}
	again, err := shown.Company(c)
	if err != nil || len(diff(c, again)) != 0 {
		t.Errorf("applied again: %v, %v", diff(c, again), err)
	}
}

// TestTrustMistakes: each is refused with its path.
func TestTrustMistakes(t *testing.T) {
	for from, to := range map[string][2]string{
		"allow: [203.0.113.0/24, \"2001:db8::1/128\"]": {"allow: [203.0.113.7]", "crm.allow[0]"},
		"[203.0.113.0/24, ":                            {"[203.0.113.7/24, ", "crm.allow[0]"},
		"2001:db8::1/128":                              {"::ffff:203.0.113.0/120", "crm.allow[1]"},
		"tls: on":                                      {"tls: always", "crm.tls"},
		"https://crm.test":                             {"http://crm.test", "crm.url"},
		"  tls: on\n":                                  {"  certificate: x\n", "crm.certificate"},
		"kind: rtk":                                    {"kind: none", "crm"},
	} {
		text := strings.Replace(trusted, from, to[0], 1)
		if text == trusted {
			t.Fatalf("%q is not there", from)
		}
		_, err := Parse([]byte(text), "")
		if all := Mistakes(err); len(all) == 0 || all[0].Path != to[1] || all[0].Line == 0 {
			t.Errorf("%q: %v", to[0], err)
		}
	}
}

// TestR26 : a company has either the number query of the integration API or amoCRM.
// The document has one kind; the keys of the one beside the kind of the other are
// refused with a message that says why.
func TestR26(t *testing.T) {
	text := strings.Replace(strings.Replace(trusted, "kind: rtk", "kind: amocrm", 1), "  allow: [203.0.113.0/24, \"2001:db8::1/128\"]\n  tls: on\n", "", 1)
	_, err := Parse([]byte(text), "")
	found := false
	for _, m := range Mistakes(err) {
		found = found || m.Path == "crm" && m.Message == pbx.OneCRM
	}
	if !found {
		t.Errorf("both are taken, or it is not said why: %v", err)
	}
}

// TestR31 : keys made by the API count, over whatever document still has the old ones,
// until one names others; a sign key that is left out stays.
func TestR31(t *testing.T) {
	s := NewService(&memory{pbx.NewDirectory(nil)})
	applied(t, s, trusted, "")
	crm := func() pbx.CRM { return s.store.Directory().Company("acme").CRM }
	old := crm()
	id, key, err := s.NewKeys(t.Context(), "acme")
	if now := crm(); err != nil || now.ClientID != id || now.SignKey != key || id == old.ClientID || key == old.SignKey {
		t.Fatalf("new keys %q: %v", id, err)
	}
	same := func(what string) {
		t.Helper()
		if now := crm(); now.ClientID != id || now.SignKey != key {
			t.Errorf("%s: other keys", what)
		}
	}
	if changes := applied(t, s, trusted, ""); changes != "" {
		t.Errorf("the old file changes %s", changes)
	}
	same("the file")
	applied(t, s, strings.Replace(trusted, "  sign_key: 00000716ABDA6D4DFF10F82BCBBFC532\n", "", 1), "")
	same("a document of before, without its key")
	applied(t, s, strings.Replace(trusted, "crm.test", "crm2.test", 1), "")
	if same("another address"); crm().URL != "https://crm2.test/api" {
		t.Error("the address is not changed")
	}
	d, err := s.Document(t.Context(), "acme")
	if err != nil || d.CRM.ClientID != id || d.CRM.SignKey != "" {
		t.Errorf("document %+v, %v", d.CRM, err)
	}
	if changes, err := s.Apply(t.Context(), d); err != nil || len(changes) != 0 {
		t.Errorf("the document changes %v, %v", changes, err)
	}
	same("the document")

	off := strings.Replace(trusted[:strings.Index(trusted, "  url:")], "rtk", "none", 1)
	applied(t, s, off, "")
	if _, err := s.Apply(t.Context(), parse(t, trusted, "")); len(Mistakes(err)) != 1 || Mistakes(err)[0].Path != "crm.client_id" {
		t.Errorf("turned off and on again, the old keys count: %v", err)
	}
	if _, _, err := s.NewKeys(t.Context(), "acme"); pbx.KindOf(err) != pbx.Conflict {
		t.Errorf("keys for no CRM: %v", err)
	}
	if _, _, err := s.NewKeys(t.Context(), "nobody"); pbx.KindOf(err) != pbx.NotFound {
		t.Errorf("keys for nobody: %v", err)
	}
	other := strings.Replace(trusted, "00000716ABDA6D4DFF10F82BCBBFC532", "11111716ABDA6D4DFF10F82BCBBFC532", 1)
	applied(t, s, other, "")
	if crm().SignKey != "11111716ABDA6D4DFF10F82BCBBFC532" {
		t.Error("a file with another key does not count")
	}
}
