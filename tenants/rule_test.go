package tenants

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"vpbx/pbx"
)

// TestRuleMistakes: what is wrong with schedules, lists, conditions and rules.
func TestRuleMistakes(t *testing.T) {
	const head = "tenant: a\ndomain: a.test\ncountry: RU\n"
	const lines = head + "trunks: [{name: t, host: h.test}]\nnumbers: [{number: \"+74950000000\", trunk: t}, {number: \"+74950000001\", trunk: t}, {number: \"+74950000002\", trunk: t}]\noutbound: [{prefix: \"+\", trunks: [t]}]\nextensions: [{number: \"1\", password: secret}]\nschedules: [{name: work, hours: [\"mon-fri 09:00-18:00\"]}]\nlists: [{name: black}]\n"
	rule := func(text ...string) string { return lines + "rules:\n- " + strings.Join(text, "\n- ") + "\n" }
	const reject = "steps: [{reject: 603}]"
	for name, test := range map[string]struct{ text, want string }{
		"good":           {head + "schedules:\n- {name: work, hours: [mon-fri 9:00-13:00, \"mon-fri 13:00-18:00\", \"sat,sun 22:00-06:00\"], except: [2027-01-01..2027-01-08, {date: 2026-12-31, hours: [09:00-15:00]}, {date: 2027-03-08}]}\n", ""},
		"hours":          {head + "schedules:\n- name: work\n  hours:\n  - mon 9-18\n  - mun 09:00-18:00\n  - mon 09:00-09:00\n  - {}\n", `7 schedules[0].hours[0]: "9" is not a time of the day; 8 schedules[0].hours[1]: "mun" is not days; 9 schedules[0].hours[2]: "mon 09:00-09:00" ends when it begins; 10 schedules[0].hours[3]: must be a single value`},
		"overlap":        {head + "schedules:\n- name: work\n  hours:\n  - mon-fri 09:00-18:00\n  - sat 10:00-14:00\n  - wed 17:00-20:00\n  - fri 22:00-10:01\n", `9 schedules[0].hours[2]: wed 17:00-20:00 overlaps mon-fri 09:00-18:00 of hours[0]; 10 schedules[0].hours[3]: fri 22:00-10:01 overlaps sat 10:00-14:00 of hours[1]`},
		"dates":          {head + "schedules:\n- name: work\n  hours: [\"09:00-18:00\"]\n  except:\n  - 2027-02-30\n  - 2027-01-08..2027-01-01\n  - {hours: [\"09:00-10:00\"]}\n  - 2027-01-01..2028-01-02\n  - {date: 2029-01-01, hours: [\"09:00-12:00\", \"11:00-13:00\"]}\n  - {date: 2029-02-01, open: true}\n", `8 schedules[0].except[0]: "2027-02-30" is not a date; 9 schedules[0].except[1]: "2027-01-08..2027-01-01" ends before it begins; 10 schedules[0].except[2]: needs a date; 11 schedules[0].except[3]: is longer than 366 days; 12 schedules[0].except[4].hours[1]: 11:00-13:00 overlaps 09:00-12:00 of hours[0]; 13 schedules[0].except[5].open: unknown key`},
		"dates twice":    {head + "schedules:\n- name: work\n  hours: [\"09:00-18:00\"]\n  except:\n  - 2027-01-01..2027-01-08\n  - 2027-05-09\n  - {date: 2027-01-08, hours: [\"09:00-10:00\"]}\n  - 2027-05-01..2027-05-10\n", `10 schedules[0].except[2]: shares 2027-01-08 with except[0]; 11 schedules[0].except[3]: shares 2027-05-09 with except[1]`},
		"never open":     {head + "schedules:\n- {name: work, hours: []}\n- {name: play, except: [2027-01-01]}\n- {name: once, except: [{date: 2027-01-01, hours: [09:00-18:00]}]}\n", `5 schedules[0]: is never open; 6 schedules[1]: is never open`},
		"names":          {head + "schedules:\n- {name: a b, hours: [09:00-18:00]}\n- {hours: [09:00-18:00]}\n- {name: work, hours: [09:00-18:00]}\n- {name: work, hours: [09:00-18:00]}\n", `5 schedules[0].name: "a b" is not letters; 6 schedules[1].name: is needed; 8 schedules[3].name: "work" is already schedules[2]`},
		"when":           {rule("{number: \"+74950000000\", when: wrok, "+reject+"}", "{number: \"+74950000000\", when: \"!work\", "+reject+"}", "{number: \"+74950000000\", when: not work, "+reject+"}"), `11 rules[0].when: there is no schedule "wrok"; 12 rules[1].when: there is no schedule "work"; write its name, or not and its name`},
		"when of a line": {head + "trunks: [{name: t, host: h.test}]\nschedules: [{name: day, hours: [08:00-20:00]}]\noutbound:\n- {prefix: \"+\", trunks: [t], when: day}\n- {prefix: \"+\", trunks: [t], when: night}\n- {prefix: \"+\", trunks: [t]}\n- {prefix: \"+\", trunks: [t], when: day}\n- {prefix: \"+\", trunks: [t]}\n", `8 outbound[1].when: there is no schedule "night"; 10 outbound[3].prefix: is never used: outbound[2] carries "+" at any time; 11 outbound[4].prefix: "+" is already outbound[2]`},
		"lists":          {head + "lists:\n- {name: anonymous}\n- {name: l, numbers: [8 916 123-45-67, me, \"*97\", \"\"], prefixes: [\"+7900\", \"\", x]}\n- {name: l}\n", `5 lists[0].name: anonymous is the name of callers who hide; 6 lists[1].numbers[1]: "me" is not a number; 6 lists[1].numbers[2]: "*97" is not a number; 6 lists[1].numbers[3]: "" is not a number; 6 lists[1].prefixes[1]: is needed; 6 lists[1].prefixes[2]: "x" is not; 7 lists[2].name: "l" is already lists[1]`},
		"callers":        {rule("{number: \"+74950000000\", callers: {only: [black, anonymous], not: white}, "+reject+"}", "{number: \"+74950000001\", callers: {only: black, not: [black]}, "+reject+"}"), `11 rules[0].callers.not: there is no list "white"; 12 rules[1].callers.not: "black" is named twice`},
		"numbers":        {rule("{number: \"+74950000000\", numbers: [\"+74950000001\"], "+reject+"}", "{numbers: [\"+74950000002\", \"+74950000002\", \"+7\", \"*\"], "+reject+"}", "{numbers: [], "+reject+"}"), `11 rules[0].number: goes without numbers; 12 rules[1].numbers[1]: "+74950000002" is already rules[1].numbers[0]; 12 rules[1].numbers[2]: the company has no number "+7"; 12 rules[1].numbers[3]: the company has no number "*"; 13 rules[2].number: is needed`},
		"owner":          {rule("{number: \"+74950000000\", owner: {ring: 1h, fallback: \"9\", after: 1s}, "+reject+"}", "{number: \"+74950000001\", owner: perhaps, "+reject+"}", "{number: \"+74950000002\", owner: {fallback: \"1\"}, "+reject+"}"), `11 rules[0].owner.ring: must be 1s to 2m0s; 11 rules[0].owner.fallback: "9" is neither extension nor group; 11 rules[0].owner.after: unknown key; 12 rules[1].owner: must be true or false`},
		"unreachable":    {rule("{number: \"+74950000000\", when: work, "+reject+"}", "{number: \"+74950000000\", when: work, "+reject+"}", "{number: \"+74950000000\", when: not work, "+reject+"}", "{number: \"+74950000000\", callers: {only: black}, "+reject+"}"), `12 rules[1]: is never reached: rules[0] takes these calls to +74950000000; 14 rules[3]: is never reached: rules[2] takes these calls to +74950000000`},
		"reached":        {rule("{number: \"*\", callers: {only: black}, "+reject+"}", "{number: \"+74950000000\", when: work, callers: {not: anonymous}, "+reject+"}", "{number: \"+74950000000\", when: not work, callers: {not: anonymous}, "+reject+"}", "{number: \"+74950000000\", "+reject+"}", "{numbers: [\"+74950000000\", \"+74950000001\"], "+reject+"}", "{number: \"*\", when: work, "+reject+"}", "{number: \"*\", "+reject+"}"), ""},
		"any first":      {rule("{number: \"*\", "+reject+"}", "{number: \"+74950000000\", when: work, "+reject+"}", "{number: \"*\", callers: {only: black}, "+reject+"}"), `12 rules[1]: is never reached: rules[0] takes every call to +74950000000; 13 rules[2]: is never reached: rules[0] takes every call to *`},
		"circle":         {rule("{number: \"+74950000000\", when: work, steps: [{ring: \"1\"}, {dial: 8 495 000-00-01}]}", "{number: \"+74950000001\", steps: [{dial: \"+74950000000\"}]}"), `11 rules[0].steps[1].dial: the rules of +74950000001 lead back to this one; 12 rules[1].steps[0].dial: the rules of +74950000000 lead back to this one`},
		"own circle":     {rule("{number: \"+74950000000\", steps: [{dial: \"+74950000000\"}]}"), `11 rules[0].steps[0].dial: the rules of +74950000000 lead back to this one`},
		"any circle":     {rule("{number: \"*\", steps: [{dial: \"+74950000000\"}]}"), `11 rules[0].steps[0].dial: the rules of +74950000000 lead back to this one`},
		"no circle":      {rule("{number: \"+74950000000\", "+reject+"}", "{number: \"+74950000001\", steps: [{dial: \"+74950000002\"}]}", "{number: \"*\", steps: [{dial: \"+74950000000\"}]}"), ""},
	} {
		t.Run(name, func(t *testing.T) { testMistakes(t, test.text, test.want) })
	}
}

const ruled = `tenant: acme
domain: acme.test
zone: Europe/Moscow
country: RU
extensions: [{number: "101", password: secret-101}, {number: "102", password: secret-102}]
trunks: [{name: t, host: h.test}]
numbers: [{number: "+74950000000", trunk: t}, {number: "+74950000001", trunk: t}]
outbound:
  - {prefix: "+", trunks: [t], when: work, caller: "+74950000000"}
  - {prefix: "+", trunks: [t]}
schedules:
  - {name: work, hours: ["mon-fri 9:00-18:00"], except: [2027-05-09, 2027-01-01..2027-01-08, {date: "2026-12-31", hours: ["09:00-15:00"]}]}
lists:
  - {name: black, numbers: [8 (916) 000-00-02, "+79160000001", "89160000002", "101"], prefixes: ["+7900", "+1"]}
rules:
  - {number: "*", callers: {only: [black, anonymous]}, steps: [{reject: 603}]}
  - {numbers: ["+74950000000", "+74950000001"], when: work, owner: {ring: 15s, fallback: "102"}, steps: [{ring: "101"}]}
  - {number: "*", when: not work, callers: {not: black}, owner: true, steps: [{reject: 480}]}
`

// TestRules: what a document says of schedules, lists and rules is stored, given
// back, and changes nothing when it is applied again.
func TestRules(t *testing.T) {
	c := company(t, parse(t, ruled, ""), nil)
	s := c.Schedules["work"]
	if len(s.Except) != 3 || s.Except[0].Dates() != "2026-12-31" || s.Except[2].Dates() != "2027-05-09" || s.Hours[0].String() != "mon-fri 09:00-18:00" {
		t.Errorf("schedule %+v", s)
	}
	same(t, "list", c.Lists["black"], &pbx.List{Name: "black", Numbers: []string{"+79160000001", "+79160000002", "101"}, Prefixes: []string{"+1", "+7900"}})
	r := c.Rules[1]
	if r.Key() != "+74950000000,+74950000001" || r.When != "work" || !r.Owner || r.OwnerRing != 15*time.Second || r.Fallback != "102" {
		t.Errorf("rule %+v", r)
	}
	same(t, "callers", c.Rules[2].Callers, pbx.Callers{Not: []string{"black"}})
	again := company(t, FromCompany(c), c)
	if changes := diff(c, again); len(changes) > 0 {
		t.Errorf("applied again: %v", changes)
	}
	other := company(t, parse(t, strings.Replace(ruled, "reject: 480", "reject: 486", 1), ""), nil)
	if got := fmt.Sprint(diff(c, other)); got != "[{changed rule *#2}]" {
		t.Errorf("changes %s", got)
	}
	other = company(t, parse(t, strings.Replace(ruled, "2027-05-09", "2027-05-10", 1), ""), nil)
	if got := fmt.Sprint(diff(c, other)); got != "[{changed schedule work}]" {
		t.Errorf("changes %s", got)
	}
}

// TestLongLists: the longest lists are read and applied in a time that somebody
// waits for.
func TestLongLists(t *testing.T) {
	document := func(n int) string {
		var b strings.Builder
		b.WriteString("tenant: a\ndomain: a.test\ncountry: RU\nlists: [{name: black, numbers: [")
		for i := range n {
			fmt.Fprintf(&b, "\"8 916 %07d\",", i)
		}
		b.WriteString("]}]\n")
		return b.String()
	}
	begin := time.Now()
	c := company(t, parse(t, document(maxListed), ""), nil)
	if l := c.Lists["black"]; len(l.Numbers) != maxListed || !l.Has("+79160049999") || l.Has("+79160050000") {
		t.Errorf("%d numbers", len(l.Numbers))
	}
	t.Logf("%d numbers are read and applied in %v", maxListed, time.Since(begin))
	testMistakes(t, document(maxListed+1), "4 lists: 50001 numbers and 0 prefixes; 50000 and 1000 at most")
}
