package routing

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"vpbx/pbx"
)

// acme is the company of the tables.
func acme() *pbx.Company {
	ext := func(n string) *pbx.Extension { return &pbx.Extension{Number: n, Name: "ext " + n} }
	c := &pbx.Company{
		Tenant: pbx.Tenant{ID: "acme", Domain: "acme.test", Zone: "Europe/Moscow", Country: "RU"},
		Extensions: map[string]*pbx.Extension{
			"101": ext("101"), "102": ext("102"), "103": ext("103"), "104": ext("104"),
		},
		Groups: map[string]*pbx.Group{
			"600": {Number: "600", Members: []string{"101", "102"}, Strategy: pbx.RingAll, Ring: 25 * time.Second},
			"601": {Number: "601", Members: []string{"102", "103", "102", "999"}, Strategy: pbx.Linear, Ring: 10 * time.Second},
			"602": {Number: "602", Strategy: pbx.RingAll},
		},
		Trunks: []*pbx.Trunk{{Name: "carrier"}, {Name: "sipprov"}, {Name: "cheap"}},
		Numbers: map[string]*pbx.Number{
			"+74950000000": {Number: "+74950000000", Trunk: "carrier"},
			"+74950000001": {Number: "+74950000001", Trunk: "carrier"},
			"+74950000002": {Number: "+74950000002", Trunk: "carrier"},
			"+74950000003": {Number: "+74950000003", Trunk: "carrier"},
			"+74950000004": {Number: "+74950000004", Trunk: "carrier"},
		},
		Outbound: []pbx.Outbound{
			{Prefix: "+", Trunks: []string{"carrier", "sipprov"}, Caller: "+74950000000"},
			{Prefix: "+7916", Trunks: []string{"cheap"}, Caller: "+74950000001"},
			{Prefix: "112", Trunks: []string{"carrier"}},
			{Prefix: "+7999", Trunks: []string{"gone"}},
		},
		Rules: []pbx.Rule{
			{Number: "+74950000000", Owner: true, Steps: []pbx.Step{{Kind: pbx.StepRing, Target: "600"}}},
			{Number: "+74950000000", Steps: []pbx.Step{{Kind: pbx.StepReject, Code: 486}}},
			{Number: "+74950000001", Record: true, Steps: []pbx.Step{
				{Kind: pbx.StepPlay, Target: "welcome"},
				{Kind: pbx.StepRing, Target: "104", For: 7 * time.Second},
				{Kind: pbx.StepDial, Target: "8 916 123-45-67", For: 30 * time.Second},
				{Kind: pbx.StepReject, Code: 486},
				{Kind: pbx.StepRing, Target: "101"},
			}},
			{Number: "+74950000003", Steps: []pbx.Step{{Kind: pbx.StepPlay, Target: "welcome"}}},
			{Number: "+74950000004", Steps: []pbx.Step{
				{Kind: pbx.StepRing, Target: "602"}, {Kind: pbx.StepRing, Target: "777"},
				{Kind: pbx.StepPlay, Target: "none"}, {Kind: pbx.StepDial, Target: "+49301234567"},
				{Kind: "menu", Target: "main"},
			}},
		},
		Prompts: map[string]*pbx.Prompt{"welcome": {Name: "welcome", File: "/w.wav"}},
		CRM:     pbx.CRM{Kind: "rtk", Timeout: 700 * time.Millisecond, Exceptions: []string{"102"}},
	}
	c.Extensions["103"].Caller = "+74950000002"
	c.Extensions["104"].Record = true
	return c
}

// brief writes a decision in one line: the steps, then the reasons.
func brief(d Decision) string {
	var s []string
	for _, step := range d.Steps {
		switch x := step.(type) {
		case Ring:
			how := "all"
			if x.Linear {
				how = "linear"
			}
			s = append(s, fmt.Sprintf("ring %s %s %v", strings.Join(x.Who, "+"), how, x.For))
		case Play:
			for _, prompt := range x.Prompts {
				s = append(s, "play "+prompt.Name)
			}
		case Dial:
			s = append(s, fmt.Sprintf("dial %s by %s as %s %v", x.Number, names(x.Trunks), x.Caller, x.For))
		case Reject:
			s = append(s, fmt.Sprintf("reject %d %s", x.Cause.SIP, x.Cause.Reason))
		}
	}
	out := fmt.Sprintf("%s %s: %s", d.Direction, d.To, strings.Join(s, "; "))
	if d.Record {
		out += "; record"
	}
	if len(d.Why) > 0 {
		out += " | " + strings.Join(d.Why, "; ")
	}
	return out
}

func phones(on ...string) func(string) bool {
	return func(ext string) bool { return strings.Contains(" "+strings.Join(on, " ")+" ", " "+ext+" ") }
}

func TestDecideInbound(t *testing.T) {
	for _, c := range []struct{ name, to, want string }{
		{"a rule with a group", "84950000000",
			"in +74950000000: ring 101+102 all 25s | crm was not asked"},
		{"every kind of step, and none behind a reject", "+74950000001",
			"in +74950000001: play welcome; ring 104 all 7s; dial +79161234567 by cheap as +74950000001 30s; reject 486 rejected; record | " +
				"+79161234567 by trunk cheap; rejected with 486 by the rule of +74950000001"},
		{"a number without a rule", "+74950000002", "in +74950000002: reject 404 no_route | no rule for +74950000002"},
		{"a rule that only plays", "+74950000003", "in +74950000003: play welcome; reject 480 no_answer"},
		{"a rule of which nothing can be done", "+74950000004",
			"in +74950000004: reject 404 no_route | group 602 has nobody to ring; 777 is neither an extension nor a group; " +
				"there is no prompt none; +49301234567 is in another country: international calls are not allowed; " +
				"there is no menu main; nothing to do for +74950000004"},
		{"a number of nobody", "+74951111111",
			"in +74951111111: reject 404 unknown_number | +74951111111 is not a number of this company"},
		{"an extension is no public number", "101", "in 101: reject 404 unknown_number | 101 is not a number of this company"},
		{"garbage", "1;drop", "in : reject 404 unknown_number | the called number cannot be read"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := decide(Request{Company: acme(), Direction: pbx.In, From: "+79160000001", To: c.to, Trunk: "carrier"}, pbx.Contact{}, nil, phones())
			if got := brief(d); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestDecideOwner(t *testing.T) {
	const rule = "ring 101+102 all 25s"
	for _, c := range []struct {
		name          string
		owner, result string
		want          string
	}{
		{"owner", "101", Found, "ring 101 all 20s; " + rule},
		{"owner from the cache", "101", Cached, "ring 101 all 20s; " + rule},
		{"owner who is recorded", "104", Found, "ring 104 all 20s; " + rule + "; record"},
		{"an exception", "102", Found, rule + " | owner 102 is an exception"},
		{"not registered", "103", Found, rule + " | owner 103 is not registered"},
		{"unknown", "107", Found, rule + " | owner 107 is not an extension"},
		{"a group is no owner", "600", Found, rule + " | owner 600 is not an extension"},
		{"hostile", "101\r\nX: y", Found, rule + " | crm: the owner it names is not a number"},
		{"not found", "", NotFound, rule + " | crm: not found"},
		{"not found, from the cache", "", Cached, rule + " | crm: not found"},
		{"timeout", "", Timeout, rule + " | crm did not answer in 700 ms"},
		{"down", "", Failed, rule + " | crm could not be asked"},
		{"broken", "", BadAnswer, rule + " | crm: broken answer"},
		{"breaker", "", Breaker, rule + " | crm is resting after failures (breaker)"},
		{"call over", "", None, rule + " | crm was not asked"},
	} {
		t.Run(c.name, func(t *testing.T) {
			req := Request{Company: acme(), Direction: pbx.In, From: "+79160000001", To: "+74950000000"}
			d := decide(req, pbx.Contact{Owner: c.owner}, &pbx.Lookup{Owner: c.owner, Result: c.result}, phones("101", "102", "104"))
			if got, want := brief(d), "in +74950000000: "+c.want; got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			if r, is := d.Steps[0].(Ring); is && len(d.Steps) == 2 && r.Why != "owner "+c.owner+" by crm" {
				t.Errorf("the owner rings because %q", r.Why)
			}
		})
	}
	d := decide(Request{Company: acme(), From: "+79160000001", To: "+74950000000"}, pbx.Contact{Name: "Ivan"}, &pbx.Lookup{Contact: "Ivan", Result: Found}, phones())
	if got, want := brief(d), "in +74950000000: "+rule+" | crm: the contact has no owner"; got != want || d.Contact.Name != "Ivan" {
		t.Errorf("got  %s, contact %q\nwant %s", got, d.Contact.Name, want)
	}
}

func TestDecideDialled(t *testing.T) {
	for _, c := range []struct{ name, from, to, want string }{
		{"extension", "101", "102", "internal 102: ring 102 all 20s"},
		{"written with dashes", "101", "1-02", "internal 102: ring 102 all 20s"},
		{"callee is recorded", "101", "104", "internal 104: ring 104 all 20s; record"},
		{"caller is recorded", "104", "101", "internal 101: ring 101 all 20s; record"},
		{"oneself", "101", "101", "internal 101: reject 486 busy | 101 called itself"},
		{"group without the caller", "101", "600", "internal 600: ring 102 all 25s"},
		{"linear group", "101", "601", "internal 601: ring 102+103 linear 10s"},
		{"empty group", "101", "602", "internal 602: reject 404 no_route | group 602 has nobody to ring; nothing to do for 602"},
		{"feature code", "101", "*97", "internal *97: reject 404 unknown_number | 101 has no voicemail"},
		{"national", "101", "8 (903) 123-45-67",
			"out +79031234567: dial +79031234567 by carrier, then sipprov as +74950000000 2m0s | +79031234567 by trunk carrier, then sipprov"},
		{"longest prefix", "101", "89161234567",
			"out +79161234567: dial +79161234567 by cheap as +74950000001 2m0s | +79161234567 by trunk cheap"},
		{"caller's own number", "103", "89161234567",
			"out +79161234567: dial +79161234567 by cheap as +74950000002 2m0s | +79161234567 by trunk cheap"},
		{"emergency", "101", "112", "out 112: dial 112 by carrier as  2m0s | 112 by trunk carrier"},
		{"abroad", "101", "81049301234567",
			"out +49301234567: reject 403 forbidden | +49301234567 is in another country: international calls are not allowed"},
		{"own number from inside", "103", "84950000000",
			"internal +74950000000: ring 101+102 all 25s | +74950000000 is a number of this company: no trip through the provider"},
		{"nobody", "101", "555", "out 555: reject 404 unknown_number | 555 is nobody here, and no outbound prefix matches it"},
		{"prefix whose trunk is gone", "101", "+79991234567", "out +79991234567: reject 404 no_route | no trunk for prefix +7999"},
		{"a hash", "101", "#31#89161234567", "out #31#89161234567: reject 404 unknown_number | the dialled number cannot be read"},
		{"garbage", "101", "sip:x@y", "internal : reject 404 unknown_number | the dialled number cannot be read"},
		{"nothing", "101", "", "internal : reject 404 unknown_number | the dialled number cannot be read"},
	} {
		t.Run(c.name, func(t *testing.T) {
			co := acme()
			req := Request{Company: co, From: c.from, To: c.to, Caller: co.Extensions[c.from]}
			d := decide(req, pbx.Contact{}, nil, phones("101", "102"))
			if got := brief(d); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
	co := acme()
	co.Limits.International = true
	d := decide(Request{Company: co, To: "81049301234567", Caller: co.Extensions["101"]}, pbx.Contact{}, nil, phones())
	if got, want := brief(d), "out +49301234567: dial +49301234567 by carrier, then sipprov as +74950000000 2m0s | +49301234567 by trunk carrier, then sipprov"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestAbroad(t *testing.T) {
	for _, c := range []struct {
		country, number string
		want            bool
	}{
		{"RU", "+79161234567", false},
		{"RU", "+77011234567", true},
		{"KZ", "+77011234567", false},
		{"KZ", "+79161234567", true},
		{"RU", "+12025550100", true},
		{"US", "+12025550100", false},
		{"US", "+14165550100", false},
		{"US", "+18765550100", true},
		{"JM", "+18765550100", true},
		{"DE", "+4930123456", false},
		{"DE", "+420123456789", true},
		{"DE", "015112345678", false},
		{"DE", "0044", true},
		{"", "+79161234567", true},
		{"ZZ", "+79161234567", true},
		{"RU", "112", false},
		{"RU", "1234567", false},
		{"RU", "12025550100", true},
		{"RU", "81049301", true},
		{"RU", "+710442079460958", true}, // 8 10 44 … by a trunk that wants 8 for +7
		{"RU", "+71067712345", true},     // likewise, as long as a number of the country
		{"RU", "+78104930123456", true},
		{"RU", "+70049301234", true},
		{"RU", "+78121234567", false}, // Saint Petersburg
		{"GB", "+440014155550100", true},
		{"GB", "+442079460958", false},
		{"IT", "+390612345678", false}, // Rome
		{"IT", "+390044207946", true},
		{"JP", "+8110442079460958", true},
		{"US", "+101144207946", true},
		{"US", "01144", true},
		{"US", "+1", true},
		{"US", "01442071234567", true}, // operator-assisted
		{"JP", "010442071234567", true},
		{"JP", "0112345678", false},  // Sapporo
		{"GB", "01134960000", false}, // Leeds
		{"IL", "012442071234567", true},
		{"RU", "0442071234567", true},
		{"", "0442071234567", true},
		{"RU", "03", false},
	} {
		if got := abroad(c.country, c.number); got != c.want {
			t.Errorf("abroad(%q, %q) = %t", c.country, c.number, got)
		}
	}
	for a, code := range callingCodes {
		for b, longer := range callingCodes {
			if code != longer && strings.HasPrefix(longer, code) {
				t.Errorf("the code of %s, %s, begins that of %s, %s", a, code, b, longer)
			}
		}
	}
}

// TestRuleIsBounded gives a rule more steps than a decision may have.
func TestRuleIsBounded(t *testing.T) {
	for _, kind := range []pbx.StepKind{pbx.StepRing, pbx.StepPlay} {
		c := acme()
		target := map[pbx.StepKind]string{pbx.StepRing: "101", pbx.StepPlay: "welcome"}[kind]
		steps := make([]pbx.Step, 100)
		for i := range steps {
			steps[i] = pbx.Step{Kind: kind, Target: target, For: time.Hour}
		}
		c.Rules = []pbx.Rule{{Number: "+74950000000", Owner: true, Steps: steps}}
		d := decide(Request{Company: c, To: "+74950000000"}, pbx.Contact{Owner: "101"}, &pbx.Lookup{Result: Found}, phones("101"))
		if len(d.Steps) != MaxSteps || !reflect.DeepEqual(d.Why, []string{"only the first 64 steps are used"}) {
			t.Errorf("%s: %d steps, because %q", kind, len(d.Steps), d.Why)
		}
		if r, is := d.Steps[1].(Ring); is && r.For != MaxRing {
			t.Errorf("rings for %v", r.For)
		}
	}
}
