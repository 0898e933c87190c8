package tenants

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"vpbx/pbx"
)

// example is the company file of the documentation, without what this build
// refuses.
const example = `tenant: acme
domain: acme.vpbx.test            # SIP domain and digest realm
name: ООО «Акме»
zone: Europe/Moscow
country: RU                       # how national numbers are read
limits: {calls: 100, per_minute: 300, international: false}
extensions:
  - {number: "101", name: Анна Петрова, password: s3cret-101, record: true, voicemail: true, email: anna@acme.test}
  - {number: "102", name: Иван Волков,  password: s3cret-102, forward: {busy: "101", no_answer: "+79160000001", after: 20s}}
groups:
  - {number: "600", name: Продажи, members: ["101", "102"], strategy: all, ring: 20s}
trunks:
  - {name: carrier, host: 127.0.0.1:5070, transport: udp, from: [127.0.0.1/32], calls: 50}      # by address
  - {name: sipprov, host: sip.provider.test, username: u1, password: p1, register: true}         # by digest, we register
numbers:
  - {number: "+74950000000", trunk: carrier}
outbound:
  - {prefix: "+", trunks: [carrier, sipprov], caller: "+74950000000"}
prompts:
  - {name: welcome, file: prompts/welcome.wav}
rules:
  - {number: "+74950000000", owner: true, record: true,
     steps: [{play: welcome}, {ring: "600", for: 30s}, {dial: "+79160000001"}, {reject: 603}]}
crm:
  kind: rtk
  url: http://127.0.0.1:9000       # method names are appended
  client_id: 000003C405E6525C64C184258C44EC99
  sign_key: 00000716ABDA6D4DFF10F82BCBBFC532
  timeout: 700ms
  exceptions: ["102"]              # never targets of owner routing
`

// whole is the company file of the documentation as it is.
const whole = `tenant: acme
domain: acme.vpbx.test
name: ООО «Акме»
zone: Europe/Moscow
country: RU
limits: {calls: 100, per_minute: 300, international: false}
extensions:
  - {number: "101", name: Анна Петрова, password: s3cret-101, record: true, voicemail: true, email: anna@acme.test}
  - {number: "102", name: Иван Волков,  password: s3cret-102, forward: {busy: "101", no_answer: "+79160000001", after: 20s}}
groups:
  - {number: "600", name: Продажи, members: ["101", "102"], strategy: all, ring: 20s}
  - {number: "700", name: Поддержка, kind: queue, members: ["102"], strategy: least_recent, wrapup: 10s, max_wait: 5m, music: default, announce: position}
trunks:
  - {name: carrier, host: 127.0.0.1:5070, transport: udp, from: [127.0.0.1/32], calls: 50}
  - {name: sipprov, host: sip.provider.test, username: u1, password: p1, register: true}
numbers:
  - {number: "+74950000000", trunk: carrier}
outbound:
  - {prefix: "+", trunks: [carrier, sipprov], caller: "+74950000000"}
schedules:
  - {name: work, hours: ["mon-fri 09:00-18:00"], except: ["2027-01-01..2027-01-08"]}
prompts:
  - {name: welcome, file: prompts/welcome.wav}
menus:
  - {name: main, prompt: welcome, timeout: 5s, tries: 3, direct: true,
     keys: {"1": [{ring: "600"}], "2": [{queue: "700"}], "0": [{ring: "101"}]}, otherwise: [{ring: "600"}]}
rules:
  - {number: "+74950000000", when: work, owner: true, record: true,
     steps: [{menu: main}, {voicemail: "101"}]}
  - {number: "+74950000000", steps: [{play: welcome}, {voicemail: "101"}]}
crm:
  kind: rtk
  url: http://127.0.0.1:9000
  client_id: 000003C405E6525C64C184258C44EC99
  sign_key: 00000716ABDA6D4DFF10F82BCBBFC532
  timeout: 700ms
  exceptions: ["102"]
`

// companyDir makes a directory with the prompt of the examples.
func companyDir(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "prompts"), 0o700); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "prompts", "welcome.wav"), "RIFF\x24\x00\x00\x00WAVEfmt ")
	return dir
}

func writeFile(t testing.TB, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func parse(t *testing.T, text, dir string) *Document {
	t.Helper()
	d, err := Parse([]byte(text), dir)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func company(t *testing.T, d *Document, old *pbx.Company) *pbx.Company {
	t.Helper()
	c, err := d.Company(old)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmp.Exporter(func(reflect.Type) bool { return true })); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestExample(t *testing.T) {
	dir := companyDir(t)
	got := company(t, parse(t, example, dir), nil)
	ha1 := func(number, password string) (string, string) {
		a1 := []byte(number + ":acme.vpbx.test:" + password)
		return fmt.Sprintf("%x", md5.Sum(a1)), fmt.Sprintf("%x", sha256.Sum256(a1))
	}
	m1, s1 := ha1("101", "s3cret-101")
	m2, s2 := ha1("102", "s3cret-102")
	if _, err := hex.DecodeString(got.Extensions["101"].HA1SHA256); err != nil || len(got.Extensions["101"].HA1SHA256) != 64 {
		t.Error("the SHA-256 hash is not 64 hexadecimal digits")
	}
	same(t, "company", got, &pbx.Company{
		Tenant: pbx.Tenant{ID: "acme", Domain: "acme.vpbx.test", Name: "ООО «Акме»", Zone: "Europe/Moscow", Country: "RU",
			Limits: pbx.Limits{Calls: 100, PerMinute: 300}},
		Extensions: map[string]*pbx.Extension{
			"101": {Number: "101", Name: "Анна Петрова", HA1MD5: m1, HA1SHA256: s1, Record: true, Voicemail: &pbx.Box{Keep: 30 * 24 * time.Hour}, Email: "anna@acme.test"},
			"102": {Number: "102", Name: "Иван Волков", HA1MD5: m2, HA1SHA256: s2,
				Forward: &pbx.Forward{Busy: "101", NoAnswer: "+79160000001", After: 20 * time.Second}},
		},
		Groups: map[string]*pbx.Group{"600": {Number: "600", Name: "Продажи", Members: []string{"101", "102"}, Strategy: pbx.RingAll, Ring: 20 * time.Second}},
		Trunks: []*pbx.Trunk{
			{Name: "carrier", Host: "127.0.0.1:5070", Transport: "udp", From: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, Calls: 50},
			{Name: "sipprov", Host: "sip.provider.test", Username: "u1", Password: "p1", Register: true},
		},
		Numbers:     map[string]*pbx.Number{"+74950000000": {Number: "+74950000000", Trunk: "carrier"}},
		Outbound:    []pbx.Outbound{{Prefix: "+", Trunks: []string{"carrier", "sipprov"}, Caller: "+74950000000"}},
		Prompts:     map[string]*pbx.Prompt{"welcome": {Name: "welcome", File: filepath.Join(dir, "prompts", "welcome.wav")}},
		Conferences: map[string]*pbx.Conference{},
		Rules: []pbx.Rule{{Number: "+74950000000", Owner: true, Record: true, Steps: []pbx.Step{
			{Kind: pbx.StepPlay, Target: "welcome"}, {Kind: pbx.StepRing, Target: "600", For: 30 * time.Second},
			{Kind: pbx.StepDial, Target: "+79160000001"}, {Kind: pbx.StepReject, Code: 603},
		}}},
		CRM: pbx.CRM{Kind: "rtk", URL: "http://127.0.0.1:9000", ClientID: "000003C405E6525C64C184258C44EC99",
			SignKey: "00000716ABDA6D4DFF10F82BCBBFC532", Timeout: 700 * time.Millisecond, Exceptions: []string{"102"}},
	})
}

// TestWhole: the company file of the documentation is taken as it is, and the document of
// that company makes the same company.
func TestWhole(t *testing.T) {
	c := company(t, parse(t, whole, companyDir(t)), nil)
	again, err := FromCompany(c).Company(c)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "made again", again, c)
}

// TestDefaults: the smallest document, and one that only JSON would write so.
func TestDefaults(t *testing.T) {
	small := company(t, parse(t, "tenant: a\ndomain: A.Test\n", ""), nil)
	same(t, "smallest company", small, &pbx.Company{
		Tenant: pbx.Tenant{ID: "a", Domain: "a.test", Zone: "UTC"}, CRM: pbx.CRM{Kind: "none"},
		Extensions: map[string]*pbx.Extension{}, Groups: map[string]*pbx.Group{},
		Numbers: map[string]*pbx.Number{}, Prompts: map[string]*pbx.Prompt{}, Conferences: map[string]*pbx.Conference{},
	})
	empty := `{"tenant":"a","domain":"A.Test","limits":{},"extensions":[],"groups":null,"schedules":[],"menus":null,"crm":{"exceptions":[]},"rules":[]}`
	same(t, "with empty lists", company(t, parse(t, empty, ""), nil), small)
}

func TestGroupsOfExtensions(t *testing.T) {
	c := company(t, parse(t, `{tenant: a, domain: a.test,
		extensions: [{number: "1", password: secret1, groups: ["6"], codecs: [pcma, OPUS], dtmf: info}, {number: "2", password: secret2, groups: ["6"]}],
		groups: [{number: "6", members: ["2"], strategy: linear}]}`, ""), nil)
	same(t, "members", c.Groups["6"], &pbx.Group{Number: "6", Members: []string{"2", "1"}, Strategy: pbx.Linear, Ring: 20 * time.Second})
	same(t, "codecs", c.Extensions["1"].Codecs, []string{"PCMA", "opus"})
	same(t, "dtmf", c.Extensions["1"].DTMF, pbx.DTMFInfo)
}

// TestJSON: the same document as JSON is the same company.
func TestJSON(t *testing.T) {
	dir := companyDir(t)
	d := parse(t, example, dir)
	data, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	same(t, "company from JSON", company(t, parse(t, string(data), dir), nil), company(t, d, nil))
}

// TestRoundTrip: what is read holds no secret, and written back it changes
// nothing, from whatever directory.
func TestRoundTrip(t *testing.T) {
	dir := companyDir(t)
	c := company(t, parse(t, example, dir), nil)
	data, err := json.Marshal(FromCompany(c))
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"s3cret", `"p1"`, "00000716ABDA6D4DFF10F82BCBBFC532", "assword", "sign_key", "ha1", c.Extensions["101"].HA1MD5} {
		if strings.Contains(string(data), secret) {
			t.Errorf("the document shows %s", secret)
		}
	}
	for _, from := range []string{dir, t.TempDir(), ""} {
		again := company(t, parse(t, string(data), from), c)
		same(t, "company after a round trip", again, c)
		if changes := diff(c, again); len(changes) != 0 {
			t.Errorf("changes %v", changes)
		}
	}
}

// TestSecretsAreKeptForTheSame: a secret that is left out must not be carried
// to another place.
func TestSecretsAreKeptForTheSame(t *testing.T) {
	dir := companyDir(t)
	c := company(t, parse(t, example, dir), nil)
	for name, test := range map[string]struct {
		change func(*Document)
		want   []string
	}{
		"nothing":          {func(*Document) {}, nil},
		"domain":           {func(d *Document) { d.Domain = "other.test" }, []string{"extensions[0].password", "extensions[1].password"}},
		"case of domain":   {func(d *Document) { d.Domain = "ACME.vpbx.test" }, nil},
		"trunk host":       {func(d *Document) { d.Trunks[1].Host = "evil.test" }, []string{"trunks[1].password"}},
		"trunk user":       {func(d *Document) { d.Trunks[1].Username = "u2" }, []string{"trunks[1].password"}},
		"trunk without":    {func(d *Document) { d.Trunks[1].Username, d.Trunks[1].Register = "", false }, nil},
		"crm url":          {func(d *Document) { d.CRM.URL = "http://evil.test" }, []string{"crm.sign_key"}},
		"crm client":       {func(d *Document) { d.CRM.ClientID = strings.Repeat("0", 32) }, []string{"crm.sign_key"}},
		"crm none":         {func(d *Document) { d.CRM = CRM{} }, nil},
		"new extension":    {func(d *Document) { d.Extensions = append(d.Extensions, Extension{Number: "103"}) }, []string{"extensions[2].password"}},
		"password":         {func(d *Document) { d.Extensions[0].Password = "another" }, nil},
		"foreign prompt":   {func(d *Document) { d.Prompts[0].File = "/etc/passwd" }, []string{"prompts[0].file"}},
		"prompt by others": {func(d *Document) { d.Prompts[0].Name, d.Rules = "new", nil }, []string{"prompts[0].file"}},
		"bad in code":      {func(d *Document) { d.Groups[0].Members = nil }, []string{"groups[0].members"}},
	} {
		d := FromCompany(c)
		test.change(d)
		_, err := d.Company(c)
		var got []string
		for _, m := range Mistakes(err) {
			got = append(got, m.Path)
		}
		if (err == nil) != (test.want == nil) || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: mistakes at %v, want %v (%v)", name, got, test.want, err)
		}
	}
}

// memory is a Store without a disk: companies go through JSON as they do in a
// database.
type memory struct {
	directory *pbx.Directory
}

func (m *memory) Directory() *pbx.Directory { return m.directory }

func (m *memory) UpdateCompany(_ context.Context, t pbx.TenantID, change func(*pbx.Company) (*pbx.Company, error)) error {
	next, err := change(m.directory.Company(t))
	if err != nil {
		return err
	}
	var companies []*pbx.Company
	for _, c := range m.directory.Companies() {
		if c.ID != t {
			companies = append(companies, c)
		}
	}
	if next != nil {
		data, err := json.Marshal(next)
		if err != nil {
			return err
		}
		stored := &pbx.Company{}
		if err := json.Unmarshal(data, stored); err != nil {
			return err
		}
		for _, c := range companies {
			if c.Domain == next.Domain {
				return &pbx.Error{Kind: pbx.Conflict, Field: "domain", Msg: "taken"}
			}
		}
		companies = append(companies, stored)
	}
	m.directory = pbx.NewDirectory(companies)
	return nil
}

func TestMistakesOfOtherErrors(t *testing.T) {
	if Mistakes(errors.New("x")) != nil || Mistakes(nil) != nil {
		t.Error("mistakes of an error that is about something else")
	}
}

// TestRecordInJSON holds what clients that know only true and false read.
func TestRecordInJSON(t *testing.T) {
	for r, want := range map[Record]string{"": "false", "true": "true", both: `"announce+beep"`} {
		if got, err := json.Marshal(r); err != nil || string(got) != want {
			t.Errorf("%q becomes %s, %v; want %s", r, got, err, want)
		}
	}
}
