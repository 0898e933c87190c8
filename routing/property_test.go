package routing

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"vpbx/pbx"
)

// wild makes a company in which anything may point anywhere, also to what
// does not exist.
func wild(r *rand.Rand) *pbx.Company {
	ext := func() string { return fmt.Sprint(100 + r.IntN(8)) }
	group := func() string { return fmt.Sprint(600 + r.IntN(4)) }
	public := func() string { return fmt.Sprintf("+7495000000%d", r.IntN(4)) }
	one := func(of ...string) string { return of[r.IntN(len(of))] }
	c := &pbx.Company{
		Tenant:     pbx.Tenant{ID: "wild", Country: one("RU", "US", "KZ", "DE", "", "JM")},
		Extensions: map[string]*pbx.Extension{}, Groups: map[string]*pbx.Group{},
		Numbers: map[string]*pbx.Number{}, Prompts: map[string]*pbx.Prompt{},
		CRM: pbx.CRM{Kind: one("rtk", "none", ""), Exceptions: []string{ext()}},
	}
	c.Limits.International = r.IntN(2) == 0
	for range r.IntN(6) {
		n := ext()
		c.Extensions[n] = &pbx.Extension{Number: n, Record: r.IntN(4) == 0}
	}
	for range r.IntN(4) {
		g := &pbx.Group{Number: group(), Strategy: pbx.Strategy(one("all", "linear", "?")), Ring: time.Duration(r.IntN(200)-20) * time.Second}
		for range r.IntN(5) {
			g.Members = append(g.Members, one(ext(), group(), ""))
		}
		c.Groups[g.Number] = g
	}
	for range r.IntN(3) {
		c.Trunks = append(c.Trunks, &pbx.Trunk{Name: one("a", "b")})
	}
	for range r.IntN(4) {
		n := public()
		c.Numbers[n] = &pbx.Number{Number: n, Trunk: one("a", "b")}
		c.Outbound = append(c.Outbound, pbx.Outbound{Prefix: one("+", "+7", "", "8", "112"), Trunks: []string{one("a", "b", "c")}})
	}
	if r.IntN(2) == 0 {
		c.Prompts["p"] = &pbx.Prompt{Name: "p"}
	}
	if r.IntN(2) == 0 {
		c.Schedules = map[string]*pbx.Schedule{"s": {Name: "s", Hours: []pbx.Hours{{Days: pbx.Days(r.IntN(128)), From: r.IntN(1440), To: r.IntN(1441)}}}}
		c.Lists = map[string]*pbx.List{"l": {Name: "l", Numbers: []string{"+79160000001", ext()}, Prefixes: []string{one("+7", "+44")}}}
	}
	for i := range c.Outbound {
		c.Outbound[i].When = pbx.When(one("", "s", "not s", "?"))
	}
	for range r.IntN(4) {
		rule := pbx.Rule{Number: one(public(), public(), pbx.AnyNumber), Owner: r.IntN(2) == 0, Record: r.IntN(4) == 0}
		if r.IntN(4) == 0 {
			rule.Number, rule.Numbers = "", []string{public(), public()}
		}
		if r.IntN(2) == 0 {
			rule.When = pbx.When(one("s", "not s", "?", "not "))
			rule.Callers = pbx.Callers{Only: []string{one("l", pbx.Anonymous, "?")}}
		}
		if r.IntN(3) == 0 {
			rule.Callers.Not = []string{one("l", pbx.Anonymous)}
		}
		rule.OwnerRing, rule.Fallback = time.Duration(r.IntN(300)-50)*time.Second, one("", ext(), group(), "?")
		for range r.IntN(80) {
			rule.Steps = append(rule.Steps, pbx.Step{
				Kind:   pbx.StepKind(one("ring", "ring", "play", "dial", "reject", "menu", "")),
				Target: one(ext(), group(), "p", public(), "+49301234567", "112", "", "\x00", "+74950000001"),
				For:    time.Duration(r.IntN(300)-50) * time.Second, Code: r.IntN(800),
			})
		}
		c.Rules = append(c.Rules, rule)
	}
	return c
}

// check holds the invariants of the package comment.
func check(t *testing.T, req Request, d Decision) {
	t.Helper()
	c := req.Company
	if len(d.Steps) == 0 || len(d.Steps) > MaxSteps {
		t.Fatalf("%d steps", len(d.Steps))
	}
	for i, s := range d.Steps {
		last := i == len(d.Steps)-1
		switch s := s.(type) {
		case Ring:
			if len(s.Who) == 0 || s.For <= 0 || s.For > MaxRing || s.Why == "" {
				t.Fatalf("bad %+v", s)
			}
			for j, who := range s.Who {
				if c.Extensions[who] == nil || slices.Contains(s.Who[:j], who) || req.Caller != nil && who == req.Caller.Number {
					t.Fatalf("%+v rings %q", s, who)
				}
				if c.Extensions[who].Record && !d.Record {
					t.Fatal("a party that is recorded is not")
				}
			}
		case Play:
			if len(s.Prompts) == 0 || slices.Contains(s.Prompts, nil) || last {
				t.Fatalf("step %d of %d: bad %+v", i, len(d.Steps), s)
			}
		case Dial:
			if s.Number == "" || len(s.Trunks) == 0 || s.For <= 0 || s.For > MaxRing {
				t.Fatalf("bad %+v", s)
			}
			for _, trunk := range s.Trunks {
				if !slices.Contains(c.Trunks, trunk) {
					t.Fatalf("trunk %+v is not of the company", trunk)
				}
			}
			if !c.Limits.International && abroad(c.Country, s.Number) {
				t.Fatalf("%s is abroad of %s", s.Number, c.Country)
			}
		case Feature:
			if !last || req.Caller == nil || (s.Code == ForwardTo) != (s.Number != "") {
				t.Fatalf("bad %+v", s)
			}
		case Reject:
			if !last || s.Cause.SIP < 400 || s.Cause.SIP > 699 || s.Cause.Reason == "" || len(d.Why) == 0 && i == 0 {
				t.Fatalf("step %d of %d, why %q: bad %+v", i, len(d.Steps), d.Why, s)
			}
		}
	}
}

// checkRule holds that a call follows the rule that the CRM was asked for, one that
// takes it; and that a plan can be written down.
func checkRule(t *testing.T, req Request, d Decision) {
	t.Helper()
	number := req.Company.E164(req.To)
	i, _ := ruleFor(req, number)
	ours := req.Company.Numbers[number] != nil
	if asks(req) && (i < 0 || !req.Company.Rules[i].Owner || !ours || req.Caller != nil) {
		t.Fatalf("the crm is asked for rule %d", i)
	}
	if d.Rule != "" && d.Rule != fmt.Sprintf("rules[%d]", i) {
		t.Fatalf("it follows %s, not %d", d.Rule, i)
	}
	if i >= 0 && (!req.Company.Rules[i].Takes(number)) {
		t.Fatalf("rule %d does not take %s", i, number)
	}
	if d.Contact.Name != "Book" {
		t.Fatalf("the contact is %+v", d.Contact)
	}
	router := &Router{Registered: func(pbx.TenantID, string) bool { return true }}
	for j, s := range router.plan(req, d).Steps {
		if s.Do == "" || s.Text == "" {
			t.Fatalf("%+v is described as %+v", d.Steps[j], s)
		}
	}
}

// tryWild decides about one call of a company, both made from the seed, and
// checks what comes out.
func tryWild(t *testing.T, seed uint64, from, to, owner string) {
	r := rand.New(rand.NewPCG(seed, 0))
	c := wild(r)
	req := Request{Company: c, From: from, To: to, At: time.Unix(int64(r.Uint32()), 0), Book: pbx.Contact{Name: "Book", Owner: fmt.Sprint(100 + r.IntN(8))}}
	if r.IntN(2) == 0 {
		req.Caller = c.Extensions[fmt.Sprint(100+r.IntN(8))]
	}
	var lookup *pbx.Lookup
	if r.IntN(4) > 0 {
		lookup = &pbx.Lookup{Result: Found}
	}
	registered := func(ext string) bool { return ext != "103" }
	d := decide(req, pbx.Contact{Owner: owner}, lookup, registered)
	check(t, req, d)
	checkRule(t, req, d)
	if again := decide(req, pbx.Contact{Owner: owner}, lookup, registered); !reflect.DeepEqual(d, again) {
		t.Fatalf("not pure:\n%+v\n%+v", d, again)
	}
	if !reflect.DeepEqual(c, wild(rand.New(rand.NewPCG(seed, 0)))) {
		t.Fatal("the company was changed")
	}
}

func TestInvariants(t *testing.T) {
	dialled := []string{"+74950000000", "84950000001", "101", "104", "600", "602", "*97", "*78", "*72112", "*72102", "*7281049301234567", "112", "+49301234567", "", "x", "+18765550100"}
	for seed := range uint64(3000) {
		tryWild(t, seed, "+79160000001", dialled[seed%uint64(len(dialled))], fmt.Sprint(100+seed%8))
	}
}

func FuzzDecide(f *testing.F) {
	f.Add(uint64(1), "+79160000001", "+74950000000", "101")
	f.Add(uint64(2), "anonymous", "*8101", "")
	f.Add(uint64(3), "\xff", "8 (495) 000-00-00", "101\r\n")
	f.Fuzz(tryWild)
}
