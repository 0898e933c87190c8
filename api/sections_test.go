package api

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"vpbx/pbx"
	"vpbx/tenants"
)

const mainMenu = `{"prompt": "hello", "keys": {"1": [{"ring": "101"}], "2": [{"ring": "600"}]}, "otherwise": [{"ring": "600"}]}`

// newCompany puts the document of these tests.
func newCompany(t *testing.T) *rig {
	r := newRig(t)
	r.put(newPath, adminToken, document+"prompts: [{name: hello, text: Здравствуйте}]\n")
	r.addToken("the-token-of-new", "new")
	return r
}

// TestSections: an item is made, read, changed and removed by itself, with the company
// as it is otherwise.
func TestSections(t *testing.T) {
	r := newCompany(t)
	const token = "the-token-of-new"
	was := r.store.Directory().Company("new")
	if c := r.put(newPath+"/menus/main", token, mainMenu); len(c) != 1 || c[0] != (tenants.Change{Action: tenants.Added, Noun: "menu", Key: "main"}) {
		t.Errorf("%+v", c)
	}
	a := r.ask("GET", newPath+"/menus/main", token, nil)
	a.want(t, 200)
	var menu tenants.Menu
	a.into(t, &menu)
	if menu.Name != "main" || len(menu.Keys["2"]) != 1 || a.Header.Get("ETag") == "" {
		t.Errorf("%s, %v", a.body, a.Header)
	}
	if c := r.put(newPath+"/menus/main", token, string(a.body)); len(c) != 0 {
		t.Errorf("what was read, written back: %+v", c)
	}
	if c := r.put(newPath+"/menus/main", token, "prompt: hello\ndirect: true\n"); len(c) != 1 || c[0].Action != tenants.Changed {
		t.Errorf("YAML: %+v", c)
	}
	r.put(newPath+"/menus/after", token, mainMenu)
	var list List[tenants.Menu]
	r.ask("GET", newPath+"/menus?limit=1", token, nil).into(t, &list)
	if len(list.Items) != 1 || list.Items[0].Name != "after" || list.Next == "" {
		t.Errorf("%+v", list)
	}
	r.ask("GET", newPath+"/menus?cursor="+list.Next, token, nil).into(t, &list)
	if len(list.Items) != 1 || list.Items[0].Name != "main" || list.Next != "" {
		t.Errorf("%+v", list)
	}
	if c := r.put(newPath+"/groups/600", token, `{"members": ["102"], "strategy": "round_robin"}`); len(c) != 1 || c[0] != (tenants.Change{Action: tenants.Changed, Noun: "group", Key: "600"}) {
		t.Errorf("%+v", c)
	}
	r.put(newPath+"/rules", token, `{"items": [{"number": "+74950000000", "steps": [{"menu": "main"}]}]}`)
	now := r.store.Directory().Company("new")
	if now.Groups["600"].Strategy != pbx.RoundRobin || now.Rules[0].Steps[0].Target != "main" {
		t.Errorf("%+v", now)
	}
	if now.Extensions["101"].HA1MD5 != was.Extensions["101"].HA1MD5 || now.Trunks[0].Password != "p1-secret" || now.CRM.SignKey != was.CRM.SignKey {
		t.Error("a secret was lost on the way")
	}
	a = r.ask("DELETE", newPath+"/menus/main", token, nil)
	if p := a.want(t, 400); len(p.Details) != 1 || p.Details[0].Path != "rules[0].steps[0].menu" {
		t.Errorf("something leads there: %s", a.body)
	}
	r.ask("DELETE", newPath+"/menus/after", token, nil).want(t, 200)
	r.ask("GET", newPath+"/menus/after", token, nil).want(t, 404)
	r.ask("DELETE", newPath+"/menus/after", token, nil).want(t, 404)
	r.ask("DELETE", newPath+"/prompts/hello", token, nil).want(t, 409)
}

// TestSectionMistakes: mistakes are told by their path in what was sent, and its line.
func TestSectionMistakes(t *testing.T) {
	r := newCompany(t)
	r.put(newPath+"/menus/main", adminToken, mainMenu)
	before := r.store.Directory().Company("new")
	for name, test := range map[string]struct{ path, body, want string }{
		"text":            {"/menus/x", "welcome", ` 1`},
		"nothing":         {"/menus/x", "{}", "prompt 0 keys 0"},
		"unknown key":     {"/menus/x", `{"prompt": "hello", "direct": true, "kees": {}}`, "kees 1"},
		"deep":            {"/menus/x", "prompt: hello\nkeys:\n  1: [{ring: '101'}]\n  2:\n  - {ring: '999'}\n", "keys.2[0].ring 5"},
		"another name":    {"/menus/x", `{"name": "y", "prompt": "hello", "direct": true}`, "name 1"},
		"bad name":        {"/menus/-x", `{"prompt": "hello", "direct": true}`, "name 0"},
		"no way out":      {"/menus/x", `{"prompt": "hello", "keys": {"1": [{"menu": "x"}]}}`, " 1"},
		"elsewhere":       {"/menus/main", "prompt: hello\nnumber: '101'\ndirect: true\n", "number 2"},
		"group":           {"/groups/600", `{"members": ["101", "101", "7"], "strategy": "skills"}`, `members[1] 1 members[2] 1 strategy 1`},
		"of another kind": {"/groups/700", `{"members": ["101"], "kind": "herd"}`, "kind 1"},
		"queue":           {"/groups/700", `{"members": ["101"], "kind": "queue", "max_wait": "1s", "skip_busy": true}`, "max_wait 1 skip_busy 1"},
		"rules":           {"/rules", "items:\n- {number: '+74950000000', steps: [{menu: main}]}\n- {number: '+7', steps: [{play: x}]}\n", "items[1].number 3 items[1].steps[0].play 3"},
		"no rules":        {"/rules", "{}", "items 0"},
		"list of rules":   {"/rules", "[]", " 1"},
	} {
		a := r.ask("PUT", newPath+test.path, adminToken, test.body)
		var got []string
		for _, d := range a.want(t, 400).Details {
			got = append(got, fmt.Sprintf("%s %d", d.Path, d.Line))
		}
		if have := strings.Join(got, " "); have != test.want {
			t.Errorf("%s: %q, want %q: %s", name, have, test.want, a.body)
		}
	}
	r.ask("PUT", newPath+"/menus/main", adminToken, "").want(t, 400)
	r.ask("PUT", newPath+"/menus/x", adminToken, strings.Repeat("[", 5000)).want(t, 400)
	r.ask("PUT", newPath+"/menus/x", adminToken, strings.Repeat(" ", 5<<20)).want(t, 413)
	r.ask("PUT", "/api/v1/tenants/nobody/menus/x", adminToken, mainMenu).want(t, 404)
	r.ask("PUT", newPath+"/menus/x", acmeToken, mainMenu).want(t, 404)
	r.ask("GET", newPath+"/menus", otherToken, nil).want(t, 404)
	if r.store.Directory().Company("new") != before {
		t.Error("a mistake has changed something")
	}
}

// TestETags: nobody overwrites what another has changed since it was read.
func TestETags(t *testing.T) {
	r := newCompany(t)
	const one = newPath + "/menus/main"
	r.ask("PUT", one, adminToken, mainMenu, "If-Match", "*").want(t, 412)
	r.ask("PUT", one, adminToken, mainMenu, "If-None-Match", "*").want(t, 200)
	if p := r.ask("PUT", one, adminToken, mainMenu, "If-None-Match", "*").want(t, 412); p.Kind != pbx.Outdated || p.Field != "If-None-Match" {
		t.Errorf("%+v", p)
	}
	for _, path := range []string{one, newPath + "/groups/600", newPath + "/rules", newPath} {
		read := r.ask("GET", path, adminToken, nil)
		read.want(t, 200)
		tag := read.Header.Get("ETag")
		if again := r.ask("GET", path, adminToken, nil).Header.Get("ETag"); tag == "" || again != tag {
			t.Fatalf("%s: ETag %s, then %s", path, tag, again)
		}
		changed := strings.NewReplacer(`"tries":3`, `"tries":2`, `"ring":"15s"`, `"ring":"16s"`, `{"reject":480}`, `{"reject":486}`, `"Новая"`, `"Старая"`).Replace(string(read.body))
		r.ask("PUT", path, adminToken, changed, "If-Match", `"other", `+tag).want(t, 200)
		for _, old := range []string{tag, `W/` + tag, `"x"`} {
			if p := r.ask("PUT", path, adminToken, string(read.body), "If-Match", old).want(t, 412); p.Kind != pbx.Outdated {
				t.Errorf("%s: %+v", path, p)
			}
		}
		if path == one {
			r.ask("DELETE", path, adminToken, nil, "If-Match", tag).want(t, 412)
		}
		r.ask("PUT", path, adminToken, string(read.body), "If-Match", "*").want(t, 200)
	}
	tag := r.ask("GET", one, adminToken, nil).Header.Get("ETag")
	r.ask("DELETE", one, adminToken, nil, "If-Match", tag).want(t, 200)
}

// TestEditsTogether: of many who edit at once each finds its change kept.
func TestEditsTogether(t *testing.T) {
	r := newCompany(t)
	var wg sync.WaitGroup
	took := make([]int, 8)
	for i := range took {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for took[i] != 200 {
				took[i] = r.ask("PUT", fmt.Sprintf("%s/menus/m%d", newPath, i), adminToken, mainMenu).StatusCode
				if took[i] != 200 && took[i] != 409 {
					return
				}
			}
		}()
	}
	wg.Wait()
	if n := len(r.store.Directory().Company("new").Menus); n != len(took) {
		t.Errorf("%d menus of %d, %v", n, len(took), took)
	}
}

// TestSectionSchema: the description of the API has the forms of what is edited.
func TestSectionSchema(t *testing.T) {
	r := newRig(t)
	var api struct {
		Components struct {
			Schemas map[string]json.RawMessage
		}
	}
	r.ask("GET", openAPIPath, adminToken, nil).into(t, &api)
	if s := string(api.Components.Schemas["Menu"]); !strings.Contains(s, "digit_timeout") || !strings.Contains(s, "otherwise") {
		t.Errorf("%s", s)
	}
}
