package routing

import (
	"slices"
	"testing"
	"time"

	"vpbx/pbx"
)

// timed is acme with schedules, lists and conditions.
func timed(t *testing.T) *pbx.Company {
	t.Helper()
	c := acme()
	hours := func(list ...string) []pbx.Hours {
		var all []pbx.Hours
		for _, text := range list {
			h, err := pbx.ParseHours(text)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, h)
		}
		return all
	}
	c.Schedules = map[string]*pbx.Schedule{
		"work":  {Name: "work", Hours: hours("mon-fri 09:00-18:00")},
		"lunch": {Name: "lunch", Hours: hours("12:00-13:00")},
	}
	c.Lists = map[string]*pbx.List{
		"black": {Name: "black", Numbers: []string{"+79160000066"}, Prefixes: []string{"+44", "+7900"}},
		"vip":   {Name: "vip", Numbers: []string{"+79160000001", "101"}},
	}
	ring := func(who string) []pbx.Step { return []pbx.Step{{Kind: pbx.StepRing, Target: who}} }
	reject := func(code int) []pbx.Step { return []pbx.Step{{Kind: pbx.StepReject, Code: code}} }
	c.Rules = []pbx.Rule{
		{Number: pbx.AnyNumber, Callers: pbx.Callers{Only: []string{"black"}}, Steps: reject(603)},
		{Number: "+74950000000", Callers: pbx.Callers{Only: []string{"vip"}}, Steps: ring("101")},
		{Number: "+74950000000", When: "lunch", Callers: pbx.Callers{Only: []string{pbx.Anonymous}}, Steps: reject(433)},
		{Number: "+74950000000", When: "work", Owner: true, Steps: ring("600")},
		{Number: "+74950000000", When: "not work", Callers: pbx.Callers{Not: []string{pbx.Anonymous}}, Steps: ring("104")},
		{Numbers: []string{"+74950000001", "+74950000002"}, When: "work", Steps: []pbx.Step{{Kind: pbx.StepDial, Target: "84950000000"}, {Kind: pbx.StepRing, Target: "103"}}},
		{Number: "+74950000003", Steps: []pbx.Step{{Kind: pbx.StepDial, Target: "+74950000004"}, {Kind: pbx.StepRing, Target: "103"}}},
		{Number: "+74950000004", Steps: []pbx.Step{{Kind: pbx.StepDial, Target: "+74950000003"}, {Kind: pbx.StepRing, Target: "104"}}},
		{Number: pbx.AnyNumber, When: "work", Steps: ring("102")},
	}
	return c
}

// TestRules: which rule takes a call, by its time and its caller, and what is said
// of it.
func TestRules(t *testing.T) {
	c := timed(t)
	for _, test := range []struct{ name, at, from, to, rule, want string }{
		{"in hours", "2026-11-23 10:00", "+79160000002", "+74950000000", "rules[3]", "ring 101+102 all 25s | within work: open until Mon 18:00; crm was not asked"},
		{"out of hours", "2026-11-23 18:00", "+79160000002", "+74950000000", "rules[4]", "ring 104 all 20s; record | outside work: closed until Tue 09:00"},
		{"on a saturday", "2026-11-28 10:00", "89160000002", "+74950000000", "rules[4]", "ring 104 all 20s; record | outside work: closed until Mon 09:00"},
		{"black", "2026-11-23 10:00", "8 (916) 000-00-66", "+74950000000", "rules[0]", "reject 603 rejected | +79160000066 is in list black; rejected with 603 by the rule of +74950000000"},
		{"black by prefix", "2026-11-23 10:00", "89001234567", "+74950000001", "rules[0]", "reject 603 rejected | +79001234567 is in list black; rejected with 603 by the rule of +74950000001"},
		{"black from abroad", "2026-11-23 10:00", "+442079460958", "+74950000001", "rules[0]", "reject 603 rejected | +442079460958 is in list black; rejected with 603 by the rule of +74950000001"},
		{"white goes before the crm", "2026-11-23 10:00", "+79160000001", "+74950000000", "rules[1]", "ring 101 all 20s | +79160000001 is in list vip"},
		{"hidden at lunch", "2026-11-23 12:30", "anonymous", "+74950000000", "rules[2]",
			"reject 433 rejected | the caller hides the number; within lunch: open until Mon 13:00; rejected with 433 by the rule of +74950000000"},
		{"hidden in hours", "2026-11-23 15:00", "anonymous", "+74950000000", "rules[3]",
			"ring 101+102 all 25s | the caller hides the number; outside lunch: closed until Tue 12:00; within work: open until Mon 18:00; crm was not asked: the caller hides the number"},
		{"hidden out of hours", "2026-11-23 20:00", "anonymous", "+74950000000", "",
			"reject 404 no_route | the caller hides the number; outside lunch: closed until Tue 12:00; outside work: closed until Tue 09:00; no rule for +74950000000"},
		{"one of several numbers", "2026-11-23 10:00", "+79160000002", "+74950000002", "rules[5]",
			"ring 101+102 all 25s; ring 103 all 20s | within work: open until Mon 18:00; +74950000000 is a number of this company: no trip through the provider"},
		{"any number", "2026-11-23 10:00", "+79160000002", "+74950000009", "rules[8]", "ring 102 all 20s | within work: open until Mon 18:00"},
		{"any number out of hours", "2026-11-23 20:00", "+79160000002", "+74950000009", "", "reject 404 no_route | outside work: closed until Tue 09:00; no rule for +74950000009"},
		{"round and round", "2026-11-23 10:00", "+79160000002", "+74950000003", "rules[6]",
			"ring 104 all 20s; ring 103 all 20s; record | +74950000004 is a number of this company: no trip through the provider; the rules lead back to +74950000003"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c.Numbers["+74950000009"] = &pbx.Number{Number: "+74950000009"}
			c.Numbers["+74950000004"] = &pbx.Number{Number: "+74950000004"}
			at, err := time.ParseInLocation("2006-01-02 15:04", test.at, c.Location())
			if err != nil {
				t.Fatal(err)
			}
			req := Request{Company: c, From: test.from, To: test.to, At: at.UTC()}
			d := decide(req, pbx.Contact{}, nil, phones("101"))
			got, want := brief(d), "in "+test.to+": "+test.want
			if got != want || d.Rule != test.rule {
				t.Errorf("got  %s %s\nwant %s %s", d.Rule, got, test.rule, want)
			}
			if rule := asks(req); rule != (test.rule == "rules[3]" && test.from != "anonymous") {
				t.Errorf("the crm is asked: %v", rule)
			}
		})
	}
}

// TestLines: which outbound line carries a call at what time.
func TestLines(t *testing.T) {
	c := timed(t)
	c.Outbound = []pbx.Outbound{
		{Prefix: "+7", Trunks: []string{"carrier"}, When: "work"},
		{Prefix: "+7", Trunks: []string{"cheap"}, When: "lunch"},
		{Prefix: "+7916", Trunks: []string{"sipprov"}, When: "lunch"},
		{Prefix: "112", Trunks: []string{"carrier"}, When: "work"},
	}
	for _, test := range []struct{ at, to, want string }{
		{"2026-11-23 10:00", "+79031234567", "dial +79031234567 by carrier as  2m0s | +79031234567 by trunk carrier"},
		{"2026-11-23 12:30", "+79031234567", "dial +79031234567 by carrier as  2m0s | +79031234567 by trunk carrier"},
		{"2026-11-22 12:30", "+79031234567", "dial +79031234567 by cheap as  2m0s | +79031234567 by trunk cheap"},
		{"2026-11-23 12:30", "+79161234567", "dial +79161234567 by sipprov as  2m0s | +79161234567 by trunk sipprov"},
		{"2026-11-23 10:00", "+79161234567", "dial +79161234567 by carrier as  2m0s | +79161234567 by trunk carrier"},
		{"2026-11-22 20:00", "+79031234567", "reject 403 forbidden | +79031234567 cannot be called now: outside lunch: closed until Mon 12:00"},
		{"2026-11-22 20:00", "112", "dial 112 by carrier as  2m0s | 112 by trunk carrier"},
		{"2026-11-22 20:00", "555", "reject 404 unknown_number | 555 is nobody here, and no outbound prefix matches it"},
	} {
		at, err := time.ParseInLocation("2006-01-02 15:04", test.at, c.Location())
		if err != nil {
			t.Fatal(err)
		}
		d := decide(Request{Company: c, To: test.to, Caller: c.Extensions["101"], At: at}, pbx.Contact{}, nil, nil)
		if got, want := brief(d), "out "+test.to+": "+test.want; got != want {
			t.Errorf("%s\ngot  %s\nwant %s", test.at, got, want)
		}
	}
}

// TestOwnerRouting: who rings for the owner, and when the fallback does.
func TestOwnerRouting(t *testing.T) {
	const rule = "ring 101+102 all 25s"
	const deputy = "ring 104 all 15s; " + rule + "; record | "
	for _, test := range []struct{ name, owner, result, book, want string }{
		{"owner, then the fallback", "101", Found, "", "ring 101 all 15s; " + "ring 104 all 15s; " + rule + "; record"},
		{"an owner who is the fallback", "104", Found, "", "ring 104 all 15s; " + rule + "; record"},
		{"not registered", "103", Found, "", deputy + "owner 103 is not registered"},
		{"an exception", "102", Found, "", deputy + "owner 102 is an exception"},
		{"unknown", "107", Found, "", deputy + "owner 107 is not an extension"},
		{"no number", "a", Found, "", deputy + "crm: the owner it names is not a number"},
		{"timeout", "", Timeout, "", deputy + "crm did not answer in 700 ms"},
		{"down", "", Failed, "", deputy + "crm could not be asked"},
		{"broken", "", BadAnswer, "", deputy + "crm: broken answer"},
		{"breaker", "", Breaker, "", deputy + "crm is resting after failures (breaker)"},
		{"not found", "", NotFound, "", rule + " | crm: not found"},
		{"call over", "", None, "", rule + " | crm was not asked"},
		{"by the book, not found", "", NotFound, "101", "ring 101 all 15s; ring 104 all 15s; " + rule + "; record | crm: not found"},
		{"by the book, down", "", Timeout, "101", "ring 101 all 15s; ring 104 all 15s; " + rule + "; record | crm did not answer in 700 ms"},
		{"by the book, not registered", "", Failed, "103", deputy + "crm could not be asked; owner 103 is not registered"},
		{"the crm goes first", "103", Found, "101", deputy + "owner 103 is not registered"},
		{"no crm", "", "", "101", "ring 101 all 15s; ring 104 all 15s; " + rule + "; record"},
		{"no crm, nobody", "", "", "", rule + " | no crm is set up"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := acme()
			c.Rules[0].OwnerRing, c.Rules[0].Fallback = 15*time.Second, "104"
			lookup := &pbx.Lookup{Owner: test.owner, Result: test.result}
			if test.result == "" {
				lookup, c.CRM.Kind = nil, "none"
			}
			req := Request{Company: c, From: "+79160000001", To: "+74950000000", Book: pbx.Contact{Name: "Пётр", Owner: test.book}}
			d := decide(req, pbx.Contact{Owner: test.owner}, lookup, phones("101", "102", "104"))
			if got, want := brief(d), "in +74950000000: "+test.want; got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			if d.Contact.Name != "Пётр" {
				t.Errorf("the caller is %q", d.Contact.Name)
			}
		})
	}
}

// TestOwnerWhoForwards: an owner without a phone whose calls go on elsewhere is rung:
// the call sees where to.
func TestOwnerWhoForwards(t *testing.T) {
	for _, f := range []pbx.Forward{{Always: "104"}, {Unregistered: "104"}, {Busy: "104"}} {
		c := acme()
		c.Extensions["103"].Forward = &f
		d := decide(Request{Company: c, From: "+79160000001", To: "+74950000000"}, pbx.Contact{Owner: "103"}, &pbx.Lookup{Result: Found}, phones())
		r, _ := d.Steps[0].(Ring)
		if rung := slices.Equal(r.Who, []string{"103"}); rung != (f.Busy == "") {
			t.Errorf("%+v: %+v", f, d.Steps[0])
		}
	}
	c := acme()
	c.Rules[0].Fallback = "602" // a group of nobody
	d := decide(Request{Company: c, From: "+79160000001", To: "+74950000000"}, pbx.Contact{}, &pbx.Lookup{Result: Failed}, phones())
	if got, want := brief(d), "in +74950000000: ring 101+102 all 25s | crm could not be asked; group 602 has nobody to ring"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
