package tenants

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"vpbx/pbx"
)

// menus is a company with menus of every kind.
const menus = `tenant: a
domain: a.test
extensions: [{number: "101", password: secret1}]
prompts: [{name: hello, text: Здравствуйте}, {name: bad, upload: true}]
menus:
- {name: main, number: "900", prompt: hello, invalid: bad, no_input: hello, timeout: 7s, digit_timeout: 1s, tries: 2, direct: true,
   keys: {"1": [{play: hello}, {ring: "101", for: 10s}], "2": [{menu: more}], "*": [{menu: main}], "#": [{reject: 603}]}, otherwise: [{ring: "101"}]}
- {name: more, prompt: hello, keys: {0: [{menu: main}]}}
`

func TestMenus(t *testing.T) {
	c := company(t, parse(t, menus, ""), nil)
	same(t, "menus", c.Menus, map[string]*pbx.Menu{
		"main": {Name: "main", Number: "900", Prompt: "hello", Invalid: "bad", NoInput: "hello", Timeout: 7 * time.Second, Digits: time.Second, Tries: 2, Direct: true,
			Keys: map[string][]pbx.Step{
				"1": {{Kind: pbx.StepPlay, Target: "hello"}, {Kind: pbx.StepRing, Target: "101", For: 10 * time.Second}},
				"2": {{Kind: pbx.StepMenu, Target: "more"}}, "*": {{Kind: pbx.StepMenu, Target: "main"}}, "#": {{Kind: pbx.StepReject, Code: 603}},
			}, Otherwise: []pbx.Step{{Kind: pbx.StepRing, Target: "101"}}},
		"more": {Name: "more", Prompt: "hello", Timeout: 5 * time.Second, Digits: 2 * time.Second, Tries: 3,
			Keys: map[string][]pbx.Step{"0": {{Kind: pbx.StepMenu, Target: "main"}}}},
	})
	text, err := json.Marshal(FromCompany(c))
	if err != nil {
		t.Fatal(err)
	}
	if changes := diff(c, company(t, parse(t, string(text), ""), c)); len(changes) != 0 {
		t.Errorf("read and written back: %v\n%s", changes, text)
	}
}

// TestMenuMistakes: each case is the rest of a document, and its mistakes.
func TestMenuMistakes(t *testing.T) {
	const head = "tenant: a\ndomain: a.test\nextensions: [{number: \"1\", password: secret}]\nprompts: [{name: p, upload: true}]\n"
	menu := func(rest string) string { return head + "menus:\n- {name: m, prompt: p, " + rest + "}\n" }
	for name, test := range map[string]struct{ text, want string }{
		"good":           {menu(`keys: {"1": [{ring: "1"}]}`), ""},
		"needs":          {head + "menus: [{}, {name: a b, direct: true, prompt: q}]\n", `5 menus[0].name: is needed; 5 menus[0].prompt: is needed; 5 menus[0].keys: a menu needs keys, or direct; 5 menus[1].name: "a b" is not; 5 menus[1].prompt: there is no prompt "q"`},
		"twice":          {head + "menus:\n- {name: m, number: \"9\", prompt: p, direct: true}\n- {name: m, number: \"9\", prompt: p, direct: true}\n", `7 menus[1].name: "m" is already menus[0]; 7 menus[1].number: "9" is already menus[0]`},
		"number":         {head + "conferences: [{number: \"7\"}]\ngroups: [{number: \"6\", members: [\"1\"]}]\nmenus:\n- {name: a, number: \"1\", prompt: p, direct: true}\n- {name: b, number: \"6\", prompt: p, direct: true}\n- {name: c, number: \"7\", prompt: p, direct: true}\n- {name: d, number: \"+7\", prompt: p, direct: true}\n", `8 menus[0].number: 1 is already extensions[0]; 9 menus[1].number: 6 is already groups[0]; 10 menus[2].number: 7 is already conferences[0]; 11 menus[3].number: "+7" is not 1 to 10 digits`},
		"values":         {menu(`direct: true, invalid: x, no_input: y, timeout: 2m, digit_timeout: 1ms, tries: 11, tone: x`), `6 menus[0].invalid: there is no prompt "x"; 6 menus[0].no_input: there is no prompt "y"; 6 menus[0].timeout: must be 500ms to 1m0s; 6 menus[0].digit_timeout: must be 500ms to 1m0s; 6 menus[0].tries: must be 1 to 10; 6 menus[0].tone: unknown key`},
		"keys":           {menu(`keys: {"10": [{ring: "1"}], "A": [{ring: "1"}], "3": [], "4": [{ring: "2"}], "5": [{ring: "1", play: p}], "*": [{reject: 1}], "#": [{reject: 404}, {ring: "1"}]}`), `6 menus[0].keys: "10" is not a key; 6 menus[0].keys: "A" is not a key; 6 menus[0].keys.3: a key needs steps; 6 menus[0].keys.4[0].ring: "2" is neither; 6 menus[0].keys.5[0]: a step is one of; 6 menus[0].keys.*[0].reject: must be; 6 menus[0].keys.#[1]: is never reached: [0] rejects`},
		"no such menu":   {menu(`keys: {"1": [{ring: "1"}], "2": [{menu: n}]}`), `6 menus[0].keys.2[0].menu: there is no menu "n"`},
		"no way out":     {menu(`keys: {"1": [{play: p}], "2": [{menu: m}]}, otherwise: [{play: p}]`), `6 menus[0]: has no way out: no key of it`},
		"none of two":    {menu(`keys: {"1": [{menu: n}]}`) + "- {name: n, prompt: p, keys: {\"1\": [{menu: m}]}, otherwise: [{play: p}]}\n", `6 menus[0]: has no way out; 7 menus[1]: has no way out`},
		"out by others":  {menu(`keys: {"1": [{menu: n}]}`) + "- {name: n, prompt: p, keys: {\"1\": [{menu: m}], \"2\": [{play: p}, {ring: \"1\"}]}}\n", ""},
		"out by direct":  {menu(`keys: {"1": [{menu: m}]}, direct: true`), ""},
		"out by silence": {menu(`keys: {"1": [{menu: m}]}, otherwise: [{ring: "1"}]`), ""},
		"round":          {menu(`direct: true, otherwise: [{play: p}, {menu: m}]`), `6 menus[0].otherwise[1].menu: a caller who presses nothing goes round: m, m`},
		"round of two":   {menu(`direct: true, otherwise: [{menu: n}]`) + "- {name: n, prompt: p, direct: true, otherwise: [{menu: o}]}\n- {name: o, prompt: p, direct: true, otherwise: [{menu: n}]}\n", `8 menus[2].otherwise[0].menu: a caller who presses nothing goes round: n, o, n`},
		"rings before":   {menu(`direct: true, otherwise: [{ring: "1"}, {menu: m}]`), ""},
		"forward":        {head + "menus: [{name: m, number: \"9\", prompt: p, direct: true}]\n", ""},
		"too many":       {head + "menus: [" + strings.Repeat("{},", 201) + "]\n", ""},
	} {
		if name == "too many" {
			_, err := Parse([]byte(test.text), "")
			if err == nil || !strings.Contains(err.Error(), "201 items; 200 at most") {
				t.Error("201 menus are taken")
			}
			continue
		}
		t.Run(name, func(t *testing.T) { testMistakes(t, test.text, test.want) })
	}
}
