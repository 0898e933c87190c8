package tenants

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"vpbx/pbx"
)

// follows is a company with an extension whose owner is looked for.
const follows = `tenant: a
domain: a.test
country: RU
trunks: [{name: t, host: h.test}]
numbers: [{number: "+74950000000", trunk: t}]
outbound: [{prefix: "+", trunks: [t]}, {prefix: "112", trunks: [t]}]
extensions:
- {number: "1", password: secret1, follow: [{ring: "1", for: 15s}, {ring: "2", after: 5s, confirm: true}, {dial: "8 916 000-00-01", after: 10s, for: 30s}, {dial: "+79160000002", confirm: false}]}
- {number: "2", password: secret2}
`

func TestFollow(t *testing.T) {
	c := company(t, parse(t, follows, ""), nil)
	e := c.Extensions["1"]
	same(t, "places", e.Follow, []pbx.Follow{
		{Ring: "1", For: 15 * time.Second}, {Ring: "2", After: 5 * time.Second, For: 20 * time.Second, Confirm: true},
		{Dial: "8 916 000-00-01", After: 10 * time.Second, For: 30 * time.Second, Confirm: true}, {Dial: "+79160000002", For: 20 * time.Second},
	})
	if d := e.FollowTime(); d != 40*time.Second {
		t.Errorf("it takes %v", d)
	}
	text, err := json.Marshal(FromCompany(c))
	if err != nil {
		t.Fatal(err)
	}
	if changes := diff(c, company(t, parse(t, string(text), ""), c)); len(changes) != 0 {
		t.Errorf("read and written back: %v\n%s", changes, text)
	}
}

func TestFollowMistakes(t *testing.T) {
	head := strings.Join(strings.SplitAfter(follows, "\n")[:7], "")
	ext := func(rest string) string { return head + "- {number: \"1\", password: secret1, " + rest + "}\n" }
	for name, test := range map[string]struct{ text, want string }{
		"good":        {follows, ""},
		"neither":     {ext(`follow: [{for: 10s}, {ring: "1", dial: "+79160000001"}]`), `8 extensions[0].follow[0]: a place is one of; 8 extensions[0].follow[1]: a place is one of`},
		"nobody":      {ext(`follow: [{ring: "2"}, {dial: "12"}, {dial: "1"}, {dial: x}]`), `8 extensions[0].follow[0].ring: there is no extension "2"; 8 extensions[0].follow[1].dial: "12" is not a number; 8 extensions[0].follow[2].dial: "1" is not a number; 8 extensions[0].follow[3].dial: "x" is not a number`},
		"own number":  {ext(`follow: [{dial: "84950000000"}, {dial: "112"}]`), `8 extensions[0].follow[0].dial: +74950000000 is a number of the company itself; 8 extensions[0].follow[1].dial: 112 is for emergencies`},
		"twice":       {ext(`follow: [{ring: "1"}, {ring: "1", after: 5s}, {dial: "+79160000001"}, {dial: "89160000001"}]`), `8 extensions[0].follow[1].ring: "1" is already extensions[0].follow[0]; 8 extensions[0].follow[3].dial: "+79160000001" is already extensions[0].follow[2]`},
		"times":       {ext(`follow: [{ring: "1", after: -1s, for: 3m}, {dial: "+79160000001", after: 110s}]`), `8 extensions[0].follow[0].after: must be 0s to 2m0s; 8 extensions[0].follow[0].for: must be 1s to 2m0s; 8 extensions[0].follow[1]: rings until 2m10s after the call came; 2m0s at most`},
		"too many":    {ext(`follow: [` + strings.Repeat(`{ring: "1"},`, 11) + `]`), `8 extensions[0].follow: 11 places; 10 at most`},
		"with after":  {ext(`forward: {busy: "+79160000001", after: 10s}, follow: [{ring: "1"}]`), `8 extensions[0].follow: says how long each place rings`},
		"unknown key": {ext(`follow: [{ring: "1", wait: 5s}]`), `8 extensions[0].follow[0].wait: unknown key`},
	} {
		t.Run(name, func(t *testing.T) { testMistakes(t, test.text, test.want) })
	}
}
