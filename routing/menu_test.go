package routing

import (
	"strings"
	"testing"

	"vpbx/pbx"
)

// TestPick: what keys say in a menu, one after the other; … is a further key that is
// waited for.
func TestPick(t *testing.T) {
	c := acme() // 101 to 104
	c.Extensions["2"] = &pbx.Extension{Number: "2"}
	c.Extensions["30"] = &pbx.Extension{Number: "30"}
	c.Extensions["3055"] = &pbx.Extension{Number: "3055"}
	keys := map[string][]pbx.Step{"1": nil, "2": nil, "9": nil, "*": nil, "#": nil}
	for name, test := range map[string]struct {
		direct bool
		typed  string
		want   string
	}{
		"a key":                          {false, "1", "key 1"},
		"no key":                         {false, "5", "nothing"},
		"no letter":                      {false, "A", "nothing"},
		"nothing":                        {false, "", "nothing"},
		"the star":                       {false, "*", "key *"},
		"the hash":                       {true, "#", "key #"},
		"the star at once":               {true, "*", "key *"},
		"a key that extensions begin by": {true, "1", "key 1…"},
		"ended":                          {true, "1#", "key 1"},
		"on the way":                     {true, "10", "nothing…"},
		"an extension":                   {true, "102", "ext 102"},
		"and ended":                      {true, "102#", "ext 102"},
		"a key is before an extension":   {true, "2", "key 2"},
		"one with a longer one":          {true, "30", "ext 30…"},
		"the longer one":                 {true, "3055", "ext 3055"},
		"nobody, read on":                {true, "17", "nothing…"},
		"nobody, read on still":          {true, "179", "nothing…"},
		"nobody, long enough":            {true, "1799", "nothing"},
		"nobody, ended":                  {true, "17#", "nothing"},
		"a star in a number":             {true, "1*", "nothing…"},
		"a key that nobody begins by":    {true, "9", "key 9"},
		"nothing yet":                    {true, "", "nothing…"},
	} {
		p := Pick(c, &pbx.Menu{Direct: test.direct, Keys: keys}, test.typed)
		got := "nothing"
		switch {
		case p.Key != "":
			got = "key " + p.Key
		case p.Extension != "":
			got = "ext " + p.Extension
		}
		if p.More {
			got += "…"
		}
		if got != test.want {
			t.Errorf("%s: %q is %s, want %s", name, test.typed, got, test.want)
		}
	}
}

// FuzzPick: whatever is pressed comes to an end, and what it says is there.
func FuzzPick(f *testing.F) {
	f.Add("1", true, "101 2 30")
	f.Add("10#", true, "1 10 100")
	f.Add("**", false, "")
	f.Fuzz(func(t *testing.T, typed string, direct bool, extensions string) {
		c := &pbx.Company{Extensions: map[string]*pbx.Extension{}}
		for _, n := range strings.Fields(extensions) {
			if len(n) <= 10 && strings.Trim(n, "0123456789") == "" {
				c.Extensions[n] = &pbx.Extension{Number: n}
			}
		}
		m := &pbx.Menu{Direct: direct, Keys: map[string][]pbx.Step{"1": nil, "#": nil}}
		p := Pick(c, m, typed)
		_, isKey := m.Keys[p.Key]
		switch {
		case p.More && (!direct || len(typed) >= 11 || strings.HasSuffix(typed, "#")):
			t.Fatalf("%q has no end", typed)
		case p.Key != "" && (!isKey || p.Extension != ""), p.Extension != "" && (c.Extensions[p.Extension] == nil || !direct):
			t.Fatalf("%q is %+v", typed, p)
		}
	})
}

// TestMenuInPlan: a menu is a step, also by its number; one that is not there is left out.
func TestMenuInPlan(t *testing.T) {
	c := acme()
	main := &pbx.Menu{Name: "main", Number: "900", Keys: map[string][]pbx.Step{"1": {{Kind: pbx.StepRing, Target: "101"}}}}
	c.Menus = map[string]*pbx.Menu{"main": main}
	is := func(what string, steps []Step, why []string) {
		t.Helper()
		if m, ok := steps[len(steps)-1].(Menu); !ok || m.Menu != main || why[len(why)-1] != "menu main" {
			t.Errorf("%s: %+v, %q", what, steps, why)
		}
	}
	d := decide(Request{Company: c, Direction: pbx.In, From: "+79160000001", To: "+74950000004"}, pbx.Contact{}, nil, phones())
	is("a rule", d.Steps, d.Why)
	d = decide(Request{Company: c, From: "101", To: "900", Caller: c.Extensions["101"]}, pbx.Contact{}, nil, phones())
	is("its number", d.Steps, d.Why)
	req := Request{Company: c, From: "+79160000001", To: "900", Caller: c.Extensions["102"]}
	f := Transfer(req, "")
	is("a transfer", f.Steps, f.Why)
	f = Forward(Request{Company: c, From: "103", To: "104"}, []Hop{{By: "104", To: "900", On: pbx.OnAlways}})
	is("a forward", f.Steps, f.Why)
	for what, f := range map[string]Forwarded{"a consultation": Consult(req, ""), "an invitation": Invite(req, "x")} {
		if _, ok := f.Steps[0].(Reject); !ok {
			t.Errorf("%s: %+v", what, f.Steps)
		}
	}
	if f := Continue(req, main.Keys["1"]); len(f.Steps) != 1 || len(f.Why) != 0 {
		t.Errorf("behind a key: %+v", f)
	}
}
