package call

import (
	"reflect"
	"testing"

	"vpbx/pbx"
	"vpbx/routing"
	"vpbx/sip"
)

// TestCallerOf: whom an inbound call is from, by what its trunk may assert.
func TestCallerOf(t *testing.T) {
	company := &pbx.Company{Tenant: pbx.Tenant{Country: "RU"}}
	for name, test := range map[string]struct {
		trusted bool
		from    sip.Party
		claims  sip.Claims
		who     string
		shown   string
	}{
		"From":              {false, sip.Party{User: "89160000001", Name: "Ivan"}, sip.Claims{}, "+79160000001", "Ivan"},
		"asserted, not so":  {false, sip.Party{User: "89160000001"}, sip.Claims{Asserted: sip.Party{User: "+7999"}}, "+79160000001", ""},
		"asserted":          {true, sip.Party{User: "89160000001", Name: "Ivan"}, sip.Claims{Asserted: sip.Party{User: "+79990000001"}}, "+79990000001", "Ivan"},
		"asserted, named":   {true, sip.Party{User: "anonymous"}, sip.Claims{Asserted: sip.Party{User: "+79990000001", Name: "Petr"}}, "+79990000001", "Petr"},
		"private":           {true, sip.Party{User: "89160000001", Name: "Ivan"}, sip.Claims{Private: true, Asserted: sip.Party{User: "+79990000001"}}, "anonymous", ""},
		"anonymous":         {false, sip.Party{User: "anonymous", Name: "Anonymous"}, sip.Claims{}, "anonymous", "Anonymous"},
		"private, no trust": {false, sip.Party{User: "89160000001"}, sip.Claims{Private: true}, "anonymous", ""},
	} {
		l := &sip.Leg{Company: company, Trunk: &pbx.Trunk{Trusted: test.trusted}, From: test.from, Claims: test.claims}
		if who, shown := callerOf(l); who != test.who || shown != test.shown {
			t.Errorf("%s: %s %q, want %s %q", name, who, shown, test.who, test.shown)
		}
	}
}

// TestIdentityOf: a verdict counts from a trusted trunk only, an attestation from
// any, as nobody has checked it.
func TestIdentityOf(t *testing.T) {
	l := &sip.Leg{Trunk: &pbx.Trunk{Trusted: true}, Claims: sip.Claims{Verstat: "TN-Validation-Passed", Attest: "A"}}
	if got := identityOf(l); got == nil || *got != (pbx.Identity{Verstat: "TN-Validation-Passed", Attest: "A"}) {
		t.Errorf("%+v", got)
	}
	l.Trunk = &pbx.Trunk{}
	if got := identityOf(l); got == nil || *got != (pbx.Identity{Attest: "A"}) {
		t.Errorf("not trusted: %+v", got)
	}
	l.Claims.Attest = ""
	if identityOf(l) != nil || identityOf(nil) != nil || identityOf(&sip.Leg{Claims: l.Claims}) != nil {
		t.Error("nothing is known, and something is told")
	}
}

// TestCallerFor: what a trunk is told of the caller, and what it is not told.
func TestCallerFor(t *testing.T) {
	company := &pbx.Company{Tenant: pbx.Tenant{ID: "acme"}}
	server, err := sip.New(sip.Config{Listen: []sip.Listen{{Transport: "udp", Addr: "127.0.0.1:0"}}, Directory: func() *pbx.Directory { return nil }, Accept: func(*sip.Leg) {}})
	if err != nil {
		t.Fatal(err)
	}
	phone := &party{number: "101", who: "101", leg: &sip.Leg{Extension: "101"}}
	hides := &party{number: "101", who: "101", leg: &sip.Leg{Extension: "101", Claims: sip.Claims{Private: true}}}
	identity := []string{"a.b.c;info=<x>"}
	outsider := &party{who: "+79160000001", trunk: "in", leg: &sip.Leg{Trunk: &pbx.Trunk{}, Claims: sip.Claims{Identity: identity}}}
	hidden := &party{who: "anonymous", trunk: "in", leg: &sip.Leg{Trunk: &pbx.Trunk{}, Claims: sip.Claims{Identity: identity, Private: true}}}
	all := pbx.CallerID{From: "{digits}", PAI: "{number}", PPI: "{extension}", RPID: "{caller}"}
	number := sip.Header{Name: "P-Asserted-Identity", Value: "<sip:+74950000000@h.test>"}
	private := sip.Header{Name: "Privacy", Value: "id"}
	for name, test := range map[string]struct {
		caller *party
		trunk  pbx.Trunk
		by     string
		want   outgoing
	}{
		"nothing said": {phone, pbx.Trunk{}, "101", outgoing{from: sip.Party{User: "+74950000000"}}},
		"templates": {phone, pbx.Trunk{Username: "u@x", Contact: "{username}", CallerID: all}, "101", outgoing{
			from: sip.Party{User: "74950000000"}, contact: "u@x",
			headers: []sip.Header{number, {Name: "P-Preferred-Identity", Value: "<sip:101@h.test>"}, {Name: "Remote-Party-ID", Value: "<sip:+74950000000@h.test>;party=calling;screen=yes;privacy=off"}},
		}},
		"hidden":                     {hides, pbx.Trunk{CallerID: all}, "101", outgoing{from: sip.Party{User: "anonymous", Name: "Anonymous"}, host: "anonymous.invalid", contact: "anonymous", headers: []sip.Header{private}}},
		"hidden, trusted":            {hides, pbx.Trunk{Trusted: true, CallerID: pbx.CallerID{PAI: "{number}"}}, "101", outgoing{from: sip.Party{User: "anonymous", Name: "Anonymous"}, host: "anonymous.invalid", contact: "anonymous", headers: []sip.Header{private, number}}},
		"another forwards":           {hides, pbx.Trunk{}, "102", outgoing{from: sip.Party{User: "+74950000000"}}},
		"outsider, company's number": {outsider, pbx.Trunk{}, "102", outgoing{from: sip.Party{User: "+74950000000"}, headers: []sip.Header{{Name: "Identity", Value: identity[0]}}}},
		"outsider, own number":       {outsider, pbx.Trunk{CallerID: pbx.CallerID{From: "{caller}"}}, "102", outgoing{from: sip.Party{User: "+79160000001"}, headers: []sip.Header{{Name: "Identity", Value: identity[0]}}}},
		"hidden outsider":            {hidden, pbx.Trunk{CallerID: pbx.CallerID{From: "{caller}", RPID: "{caller}"}}, "102", outgoing{from: sip.Party{User: "anonymous", Name: "Anonymous"}, host: "anonymous.invalid", contact: "anonymous", headers: []sip.Header{private}}},
		"hidden outsider, trusted":   {hidden, pbx.Trunk{Trusted: true}, "102", outgoing{from: sip.Party{User: "+74950000000"}, headers: []sip.Header{{Name: "Identity", Value: identity[0]}}}},
	} {
		c := &Call{company: company, caller: test.caller}
		test.trunk.Host = "h.test"
		to := server.TrunkTarget(company, &test.trunk, "+79990000001")
		got := c.callerFor(routing.Dial{By: test.by, Caller: "+74950000000"}, &test.trunk, to)
		test.want.number = "+74950000000"
		if !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s:\n%+v, want\n%+v", name, got, test.want)
		}
	}
}
