package routing

import (
	"slices"
	"testing"

	"vpbx/pbx"
)

// TestPremium: paid services of our country and of others, in any form; and
// ordinary numbers that look like them.
func TestPremium(t *testing.T) {
	for _, c := range []struct {
		country, number string
		want            bool
	}{
		{"RU", "+78091234567", true},
		{"RU", "+78031234567", true},
		{"RU", "+78001234567", false},
		{"RU", "+74951234567", false},
		{"RU", "+79091234567", false},
		{"RU", "88091234567", true}, // not read, as by a company without its country's plan
		{"RU", "8091234567", true},
		{"RU", "112", false},
		{"KZ", "+78091234567", true},
		{"US", "+19005550100", true},
		{"US", "19005550100", true},
		{"US", "+12125550100", false},
		{"GB", "+449012345678", true},
		{"GB", "09012345678", true},
		{"GB", "+442012345678", false},
		{"DE", "0900123456", true},
		{"DE", "+4930123456", false},
		{"RU", "+881612345678", true},
		{"RU", "+979123456789", true},
		{"", "0900123456", false}, // nobody knows what that is: another country, which is refused first
	} {
		if got := premium(c.country, c.number); got != c.want {
			t.Errorf("%s from %s: %v", c.number, c.country, got)
		}
	}
	for i, p := range premiums {
		if slices.Contains(premiums[:i], p) || p[0] == '+' {
			t.Errorf("prefix %s", p)
		}
	}
}

// TestRefused: a digit that does not belong there makes no other number of one that is
// refused, as a trunk may be told to take the calling code off.
func TestRefused(t *testing.T) {
	ru := &pbx.Company{Tenant: pbx.Tenant{Country: "RU", Limits: pbx.Limits{Barred: []string{"+7900"}}}}
	it := &pbx.Company{Tenant: pbx.Tenant{Country: "IT"}}
	for _, c := range []struct {
		company *pbx.Company
		number  string
		want    pbx.Reason
	}{
		{ru, "+78091234567", pbx.Premium},
		{ru, "+788091234567", pbx.Premium},
		{ru, "+789001234567", pbx.Forbidden},
		{ru, "+79001234567", pbx.Forbidden},
		{ru, "+78900123456", ""}, // as long as a number of the country
		{ru, "+78121234567", ""},
		{it, "+390144123456", ""}, // Acqui Terme
		{it, "+39144123456", pbx.Premium},
	} {
		if got, why := Refused(c.company, c.number); got != c.want {
			t.Errorf("%s: %q, %s", c.number, got, why)
		}
	}
}

// TestDialOf: what the line that carries a call and who is answerable for it put
// into the plan.
func TestDialOf(t *testing.T) {
	a, b := &pbx.Trunk{Name: "a"}, &pbx.Trunk{Name: "b"}
	c := &pbx.Company{
		Tenant: pbx.Tenant{Country: "RU"},
		Trunks: []*pbx.Trunk{a, b},
		Extensions: map[string]*pbx.Extension{
			"101": {Number: "101"}, "102": {Number: "102", Caller: "+74950000002"}, "103": {Number: "103", Caller: pbx.Anonymous},
		},
		Outbound: []pbx.Outbound{{Prefix: "+7", Trunks: []string{"a", "gone", "b"}, Weights: []int{3, 2, 1}, Caller: "+74950000000", Strip: 2, Add: "8"}},
		Numbers:  map[string]*pbx.Number{"+74950000000": {Number: "+74950000000"}},
		Rules:    []pbx.Rule{{Number: "+74950000000", Steps: []pbx.Step{{Kind: pbx.StepDial, Target: "+79160000001"}}}},
	}
	find := func(steps []Step) Dial {
		d, ok := steps[0].(Dial)
		if !ok {
			t.Fatalf("%+v", steps)
		}
		return d
	}
	for ext, want := range map[string]Dial{
		"101": {By: "101", Caller: "+74950000000"},
		"102": {By: "102", Caller: "+74950000002"},
		"103": {By: "103", Caller: "+74950000000", Hidden: true},
	} {
		req := Request{Company: c, Caller: c.Extensions[ext], To: "89160000001"}
		d := find(decide(req, pbx.Contact{}, nil, nil).Steps)
		if d.By != want.By || d.Caller != want.Caller || d.Hidden != want.Hidden || d.Strip != 2 || d.Add != "8" || d.Number != "+79160000001" {
			t.Errorf("%s: %+v", ext, d)
		}
		if !slices.Equal(d.Trunks, []*pbx.Trunk{a, b}) || !slices.Equal(d.Weights, []int{3, 1}) {
			t.Errorf("%s: trunks %v, weights %v", ext, d.Trunks, d.Weights)
		}
		// Whoever forwards is answerable, not who calls.
		f := Forward(Request{Company: c, Caller: c.Extensions["101"]}, []Hop{{By: ext, To: "+79160000001"}})
		if d := find(f.Steps); d.By != ext || d.Hidden != want.Hidden {
			t.Errorf("forwarded by %s: %+v", ext, d)
		}
	}
	in := decide(Request{Company: c, To: "+74950000000", Trunk: "a"}, pbx.Contact{}, nil, nil)
	if d := find(in.Steps); d.By != "" || d.Caller != "+74950000000" {
		t.Errorf("a rule dials: %+v", d)
	}
}
