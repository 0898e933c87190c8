package strict_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"vpbx/internal/strict"
)

type company struct {
	common     `yaml:",inline"`
	Limits     limits      `yaml:"limits"`
	Extensions []extension `yaml:"extensions"`
	Menus      []menu      `yaml:"menus"`
	From       []netip.Prefix
	Nets       []netip.Prefix `yaml:"nets"`
	Local      netip.Addr     `yaml:"local"`
	Share      float64        `yaml:"share"`
	Color      color          `yaml:"color"`
	Hidden     string         `yaml:"-"`
}

type common struct {
	Tenant string `yaml:"tenant"`
	Zone   string `yaml:"zone,omitempty"`
}

type limits struct {
	Calls         int   `yaml:"calls"`
	PerMinute     uint8 `yaml:"per_minute"`
	International bool  `yaml:"international"`
}

type extension struct {
	Number  string   `yaml:"number"`
	Name    string   `yaml:"name"`
	Secret  string   `yaml:"password"`
	Forward *forward `yaml:"forward"`
}

type forward struct {
	Busy  string        `yaml:"busy"`
	After time.Duration `yaml:"after"`
}

type menu struct {
	Name string            `yaml:"name"`
	Keys map[digit][]step  `yaml:"keys"`
	Say  map[string]string `yaml:"say"`
}

type digit string

// color takes two words.
type color string

func (c *color) UnmarshalText(text []byte) error {
	if s := string(text); s != "red" && s != "green" {
		return fmt.Errorf("color %q is neither red nor green", s)
	}
	*c = color(text)
	return nil
}

// step is a union: {ring: "600", for: 20s} or {reject: 404}.
type step struct {
	Ring   string
	For    time.Duration
	Reject int
}

func (s *step) UnmarshalStrict(n strict.Node) {
	if n.Kind() != strict.Map {
		n.Errorf("must be a step such as {ring: \"600\"}, is %v", n.Kind())
		return
	}
	if _, ok := n.Field("ring"); ok {
		var ring struct {
			To  string        `yaml:"ring"`
			For time.Duration `yaml:"for"`
		}
		if n.Decode(&ring) {
			s.Ring, s.For = ring.To, ring.For
		}
		return
	}
	if code, ok := n.Field("reject"); ok {
		code.Decode(&s.Reject)
		return
	}
	n.Errorf("unknown step %s", strings.Join(n.Keys(), ", "))
}

const good = `
tenant: acme
zone: Europe/Moscow
limits: {calls: 100, per_minute: 200, international: true}
extensions:
  - {number: "101", name: Анна Петрова, password: s3cret-101}
  - number: 007
    name: "Иван \"W\""
    password: +7495
    forward: {busy: 1e10, after: 1m30s}
menus:
- name: main
  keys: {"1": [{ring: "600", for: 20s}], 2: [{reject: 404}, ring: 601]}
  say:
    ru: |
      Добрый день.
      Ждите.
nets: [127.0.0.0/8, "::1/128", fc00::/7]
local: ""
share: 0.5
color: green
`

func TestDecode(t *testing.T) {
	want := company{
		common: common{Tenant: "acme", Zone: "Europe/Moscow"},
		Limits: limits{Calls: 100, PerMinute: 200, International: true},
		Extensions: []extension{
			{Number: "101", Name: "Анна Петрова", Secret: "s3cret-101"},
			{Number: "007", Name: `Иван "W"`, Secret: "+7495", Forward: &forward{"1e10", 90 * time.Second}},
		},
		Menus: []menu{{
			Name: "main",
			Keys: map[digit][]step{"1": {{Ring: "600", For: 20 * time.Second}}, "2": {{Reject: 404}, {Ring: "601"}}},
			Say:  map[string]string{"ru": "Добрый день.\nЖдите.\n"},
		}},
		Nets: []netip.Prefix{
			netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"), netip.MustParsePrefix("fc00::/7"),
		},
		Share: 0.5,
		Color: "green",
	}
	for name, text := range map[string]string{
		"lf": good, "crlf": strings.ReplaceAll(good, "\n", "\r\n"), "bom": "\ufeff" + good, "header": "---\n" + good + "...\n",
	} {
		var c company
		if err := strict.Decode([]byte(text), &c).Err(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if d := cmp.Diff(want, c, cmp.AllowUnexported(company{}), cmp.Comparer(equal[netip.Prefix]), cmp.Comparer(equal[netip.Addr])); d != "" {
			t.Errorf("%s: -want +got:\n%s", name, d)
		}
	}
}

func equal[T comparable](a, b T) bool { return a == b }

func TestJSON(t *testing.T) {
	const text = "{\n\t\"tenant\": \"acme\\/\\u041f \\ud83d\\ude00\",\n\t\"limits\": {\"calls\": 5, \"international\": false},\n" +
		"\t\"extensions\": [{\"number\": 101, \"forward\": null}],\n\t\"share\": 2\n}"
	var c company
	if err := strict.Decode([]byte(text), &c).Err(); err != nil {
		t.Fatal(err)
	}
	if c.Tenant != "acme/П 😀" || c.Limits.Calls != 5 || c.Extensions[0].Number != "101" || c.Share != 2 {
		t.Errorf("got %+v", c)
	}
}

func TestEmptyKeepsDefaults(t *testing.T) {
	for _, text := range []string{"", "\n", "# nothing\n", "---\n", "{}", "~", "limits:\nextensions:\nmenus: ~\n"} {
		c := company{Limits: limits{Calls: 7}, Extensions: []extension{{Number: "1"}}, Color: "red"}
		if err := strict.Decode([]byte(text), &c).Err(); err != nil {
			t.Errorf("%q: %v", text, err)
		}
		if c.Limits.Calls != 7 || len(c.Extensions) != 1 || c.Color != "red" {
			t.Errorf("%q: defaults lost: %+v", text, c)
		}
	}
	c := company{Extensions: []extension{{Number: "1", Name: "old"}, {Number: "2"}}}
	if err := strict.Decode([]byte("extensions: [{number: 3}]"), &c).Err(); err != nil {
		t.Fatal(err)
	}
	if len(c.Extensions) != 1 || c.Extensions[0] != (extension{Number: "3"}) {
		t.Errorf("a list must replace its default, got %+v", c.Extensions)
	}
}

func TestMistakes(t *testing.T) {
	tests := []struct{ text, want string }{
		{"tenat: x", "1:1 tenat: unknown key, did you mean tenant?"},
		{"a: 1", "1:1 a: unknown key"},
		{"hidden: 1\nFrom: []\n-: 1", "1:1 hidden: unknown key|2:1 From: unknown key|3:1 -: unknown key"},
		{"tenant: a\ntenant: b", "2:1 tenant: given twice, first on line 1"},
		{"limits:\n  calls: 1\n  calls: x", "3:3 limits.calls: given twice, first on line 2"},
		{"tenant: [a]", "1:1 tenant: must be text, is a list"},
		{"tenant: {a: b}", "1:1 tenant: must be text, is a map"},
		{"tenant:", "1:1 tenant: has no value"},
		{"tenant: null", "1:1 tenant: has no value"},
		{"limits: 5", "1:9 limits: must be a map, is a single value"},
		{"limits: []", "1:1 limits: must be a map, is a list"},
		{"extensions: {number: 1}", "1:1 extensions: must be a list, is a map"},
		{"extensions: [1]", "1:14 extensions[0]: must be a map, is a single value"},
		{"extensions:\n- number: 1\n  passwrd: x", "3:3 extensions[0].passwrd: unknown key, did you mean password?"},
		{"limits: {calls: 1.5}", `1:17 limits.calls: "1.5" is not a whole number of this field's range, in plain digits`},
		{"limits: {calls: 010}", `1:17 limits.calls: "010" is not a whole number of this field's range, in plain digits`},
		{"limits: {calls: 0x10}", `1:17 limits.calls: "0x10" is not a whole number of this field's range, in plain digits`},
		{"limits: {calls: 1_000}", `1:17 limits.calls: "1_000" is not a whole number of this field's range, in plain digits`},
		{"limits: {calls: \"5\"}", `1:17 limits.calls: "5" is not a whole number of this field's range, in plain digits`},
		{"limits: {per_minute: 256}", `1:22 limits.per_minute: "256" is not a whole number of this field's range, in plain digits`},
		{"limits: {per_minute: -1}", `1:22 limits.per_minute: "-1" is not a whole number of this field's range, in plain digits`},
		{"limits: {international: yes}", "1:25 limits.international: must be true or false, without quotes"},
		{"limits: {international: \"true\"}", "1:25 limits.international: must be true or false, without quotes"},
		{"share: .nan", `1:8 share: ".nan" is not a number`},
		{"share: abc", `1:8 share: "abc" is not a number`},
		{"extensions: [{forward: {after: 20 s}}]", `1:32 extensions[0].forward.after: "20 s" is not a duration; write 20s, 5m or 1h30m`},
		{"extensions: [{forward: {after: 20}}]", `1:32 extensions[0].forward.after: "20" is not a duration; write 20s, 5m or 1h30m`},
		{"extensions: [{forward: {after: [20s]}}]", "1:25 extensions[0].forward.after: must be a duration such as 20s, is a list"},
		{"nets: [10.0.0.1, \"\"]", `1:8 nets[0]: "10.0.0.1" is not a network; write it as 10.0.0.0/8, a single address as 192.0.2.1/32|` +
			`1:18 nets[1]: "" is not a network; write it as 10.0.0.0/8, a single address as 192.0.2.1/32`},
		{"color: blue", `1:8 color: color "blue" is neither red nor green`},
		{"color: [red]", "1:1 color: must be a single value, is a list"},
		{"menus: [{keys: {1: [ring, {blow: 1}, {ring: x, for: y, at: z}, {reject: }]}}]",
			`1:21 menus[0].keys.1[0]: must be a step such as {ring: "600"}, is a single value|` +
				`1:27 menus[0].keys.1[1]: unknown step blow|` +
				`1:53 menus[0].keys.1[2].for: "y" is not a duration; write 20s, 5m or 1h30m|` +
				`1:56 menus[0].keys.1[2].at: unknown key|` +
				`1:65 menus[0].keys.1[3].reject: has no value`},
		{"menus: [{say: {a.b: [x], \"\": [y]}}]",
			`1:16 menus[0].say["a.b"]: must be text, is a list|1:26 menus[0].say[""]: must be text, is a list`},
		{"hello", "1:1 : must be a map, is a single value"},
		{"- a", "1:1 : must be a map, is a list"},
		{"tenant: {a: b: c}", `1:1 tenant: must be text, is a map|1:13 tenant.a: text with ": " in it must stand in quotes`},
		{"tenant: a\n zone: b", "1:9 : mapping value is not allowed in this context"},
		{"limits: [1, 2\ntenant: b", "2:1 : ',' or ']' must be specified"},
		{"zone: \"s3cret", "1:7 : could not find end character of double-quoted text"},
		{"a: 1\n---\nb: 2", "1:1 : more than one document in the file"},
	}
	for _, tt := range tests {
		var c company
		if got := list(strict.Decode([]byte(tt.text), &c).Err()); got != tt.want {
			t.Errorf("%q:\n got %s\nwant %s", tt.text, got, tt.want)
		}
	}
}

// list writes mistakes as "line:column path: message|…".
func list(err error) string {
	var ms strict.Mistakes
	if !errors.As(err, &ms) {
		return fmt.Sprint(err)
	}
	var parts []string
	for _, m := range ms {
		parts = append(parts, fmt.Sprintf("%d:%d %s: %s", m.Line, m.Column, m.Path, m.Msg))
	}
	return strings.Join(parts, "|")
}

func TestAllMistakesAtOnce(t *testing.T) {
	const text = `tenant: acme
limits: {calls: many}
extensions:
  - {number: "101", pasword: s3cret}
  - {number: "101", forward: {after: 20 s}}
`
	var c company
	doc := strict.Decode([]byte(text), &c)
	doc.Add("extensions[1].number", "number %s is used twice", c.Extensions[1].Number)
	doc.Add("extensions[0].password", "is missing")
	doc.Add("VPBX_NODE", "is empty")
	doc.Add("limits.calls", "must not be 0") // was misread, so it is not said twice
	doc.Add("extensions[1].forward.after.x", "nor around it")
	const want = `6 mistakes:
  line 2: limits.calls: "many" is not a whole number of this field's range, in plain digits
  line 4: extensions[0].password: is missing
  line 4: extensions[0].pasword: unknown key, did you mean password?
  line 5: extensions[1].number: number 101 is used twice
  line 5: extensions[1].forward.after: "20 s" is not a duration; write 20s, 5m or 1h30m
  VPBX_NODE: is empty`
	if got := doc.Err().Error(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	doc = strict.Decode([]byte("tenant: \"x"), &c)
	doc.Add("tenant", "is missing") // nothing was read, so nothing is missing
	if got := doc.Err().Error(); strings.Contains(got, "missing") {
		t.Errorf("after a syntax error: %s", got)
	}
	one := strict.Decode([]byte("x: 1"), &c).Err()
	if got := fmt.Errorf("vpbx.yaml: %w", one).Error(); got != "vpbx.yaml: line 1: x: unknown key" {
		t.Errorf("one mistake is %q", got)
	}
}

func TestLine(t *testing.T) {
	const text = `tenant: acme
extensions:
  - number: "101"
    name: x

  - {number: "102",
     name: y}
menus:
  - keys:
      a.b: [1]
`
	var c company
	doc := strict.Decode([]byte(text), &c)
	for path, want := range map[string]int{
		"": 1, "tenant": 1, "extensions": 2, "extensions[0]": 3, "extensions[0].name": 4, "extensions[0].password": 3,
		"extensions[1]": 6, "extensions[1].name": 7, "extensions[9].name": 2, "nothing.at.all": 0,
		`menus[0].keys["a.b"][0]`: 10, "menus[x": 8, `menus[0].keys["a`: 9, "extensions[-1]": 2,
	} {
		if got := doc.Line(path); got != want {
			t.Errorf("%s stands on line %d, want %d", path, got, want)
		}
	}
	if !doc.Has("extensions[0].name") || doc.Has("extensions[0].password") {
		t.Error("Has is wrong about extensions[0]")
	}
	if empty := strict.Decode(nil, &c); empty.Line("tenant") != 0 || empty.Has("tenant") || empty.Err() != nil {
		t.Error("an empty document has a position or a mistake")
	}
}

func TestDecodeText(t *testing.T) {
	var v struct {
		s    string
		list []string
		nets []netip.Prefix
		on   bool
		n    int
		d    time.Duration
		c    color
	}
	for _, tt := range []struct {
		text string
		v    any
		want string
	}{
		{"a, b: c", &v.s, "<nil>"},
		{"a, b ,c", &v.list, "<nil>"},
		{"10.0.0.0/8,x", &v.nets, `[1]: "x" is not a network; write it as 10.0.0.0/8, a single address as 192.0.2.1/32`},
		{"", &v.nets, "<nil>"},
		{"true", &v.on, "<nil>"},
		{"1", &v.on, "must be true or false, without quotes"},
		{"12", &v.n, "<nil>"},
		{"20s", &v.d, "<nil>"},
		{"blue", &v.c, `color "blue" is neither red nor green`},
		{"blue", v.c, "cannot be decoded into strict_test.color: not a pointer"},
	} {
		if got := fmt.Sprint(strict.DecodeText(tt.text, tt.v)); got != tt.want {
			t.Errorf("%q into %T: %s, want %s", tt.text, tt.v, got, tt.want)
		}
	}
	if v.s != "a, b: c" || len(v.list) != 3 || v.list[1] != "b" || len(v.nets) != 0 || !v.on || v.n != 12 || v.d != 20*time.Second {
		t.Errorf("got %+v", v)
	}
}

// TestColons is about texts with colons that need no quotes, in every place
// where a list may stand.
func TestColons(t *testing.T) {
	for _, text := range []string{
		"udp://0.0.0.0:5060", "tls://[::]:5061", "::1/128", "fc00::/7", "12:30", "5070:x", "true:1", "a:b:c", "Иван:Пётр", "a b:c d",
	} {
		for _, doc := range []string{
			"say: {v: %s}", "say: {v: %s, w: x}", "say:\n  v: %s\n", "menus: [{say: {v: %s}}]",
			"list: [%s]", "list: [%[1]s, %[1]s]", "list:\n- %s", "{list: [%s]}", "{list: [%s, x], share: 1}", "{list: [ %s ]}", "{list: [x,%s]}", "{list: [\n  %s,\n  %[1]s\n]}",
		} {
			var c struct {
				Say   map[string]string `yaml:"say"`
				Menus []menu            `yaml:"menus"`
				List  []string          `yaml:"list"`
				Share int               `yaml:"share"`
			}
			if strings.Contains(text, "[") && strings.ContainsAny(doc, "[{") {
				continue // a text with brackets needs quotes there
			}
			data := strings.ReplaceAll(strings.ReplaceAll(doc, "%[1]s", text), "%s", text)
			if err := strict.Decode([]byte(data), &c).Err(); err != nil {
				t.Errorf("%s: %v", data, err)
				continue
			}
			if len(c.Menus) > 0 {
				c.Say = c.Menus[0].Say
			}
			found := c.Say["v"] == text
			for _, item := range c.List {
				found = found || item == text
			}
			if !found {
				t.Errorf("%s: %+v", data, c)
			}
		}
	}
	var c company
	if err := strict.Decode([]byte(`{menus: [{keys: {"1": [ring: 600, reject: 404, "ring": 601]}}]}`), &c).Err(); err != nil {
		t.Fatal(err)
	}
	if got := c.Menus[0].Keys["1"]; len(got) != 3 || got[0].Ring != "600" || got[1].Reject != 404 || got[2].Ring != "601" {
		t.Errorf("pairs in a list: %+v", got)
	}
}

// TestCompany reads a whole company file. The JSON beside it holds the same
// with every scalar as its text, as PyYAML's BaseLoader reads it.
func TestCompany(t *testing.T) {
	data, err := os.ReadFile("testdata/company.yaml")
	if err != nil {
		t.Fatal(err)
	}
	golden, err := os.ReadFile("testdata/company.json")
	if err != nil {
		t.Fatal(err)
	}
	var want any
	if err := json.Unmarshal(golden, &want); err != nil {
		t.Fatal(err)
	}
	var got anything
	if err := strict.Decode(data, &got).Err(); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got.v); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	var again anything
	if err := strict.Decode(golden, &again).Err(); err != nil || !cmp.Equal(want, again.v) {
		t.Errorf("the same as JSON reads as %v, %v", again.v, err)
	}
}
