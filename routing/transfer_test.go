package routing

import (
	"fmt"
	"strings"
	"testing"

	"vpbx/pbx"
)

// TestTransfer: whom a call may be sent on to, and who is left out of groups.
func TestTransfer(t *testing.T) {
	for _, c := range []struct{ to, with, transfer, consult string }{
		{"103", "+79160000001", "ring 103", "ring 103"},
		{"101", "+79160000001", "403 101 is in the call already", "403 101 is in the call already"},
		{"102", "102", "403 102 is in the call already", "403 102 is in the call already"},
		{"", "102", "404 the number cannot be read", "404 the number cannot be read"},
		{"*50", "102", "park *50 101", "403 a call cannot be transferred to *50"},
		{"*72103", "102", "403 a call cannot be transferred to *72103", "403 a call cannot be transferred to *72103"},
		{"999", "102", "404 999 is nobody here, and no outbound prefix matches it", "404 999 is nobody here, and no outbound prefix matches it"},
		{"8 (916) 000-00-07", "102", "dial +79160000007", "dial +79160000007"},
		{"800", "102", "confer 800", "403 a conference cannot be consulted"},
		{"+49301234567", "102", "403 +49301234567 is in another country: international calls are not allowed", "403 +49301234567 is in another country: international calls are not allowed"},
	} {
		co := acme()
		co.Conferences = map[string]*pbx.Conference{"800": {Number: "800"}}
		req := Request{Company: co, To: c.to, Caller: co.Extensions["101"]}
		for verb, f := range map[string]Forwarded{c.transfer: Transfer(req, c.with), c.consult: Consult(req, c.with)} {
			if got := told(f); got != verb {
				t.Errorf("%q with %s: %s, want %s", c.to, c.with, got, verb)
			}
		}
	}
	co := acme()
	co.Groups["690"] = &pbx.Group{Number: "690", Members: []string{"101", "102", "103"}}
	f := Transfer(Request{Company: co, To: "690", Caller: co.Extensions["101"]}, "102")
	if got := told(f); got != "ring 103" {
		t.Errorf("a group with both who talk: %s", got)
	}
}

func told(f Forwarded) string {
	switch s := f.Steps[0].(type) {
	case Ring:
		return "ring " + strings.Join(s.Who, ",")
	case Dial:
		return "dial " + s.Number
	case Confer:
		return "confer " + s.Conference.Number
	case Park:
		return "park " + s.Orbit + " " + s.By
	case Reject:
		return fmt.Sprintf("%d %s", s.Cause.SIP, f.Why[len(f.Why)-1])
	}
	return fmt.Sprintf("%T", f.Steps[0])
}

// TestInvite: who can be called into a conference, by whose rights.
func TestInvite(t *testing.T) {
	co := acme()
	co.Conferences = map[string]*pbx.Conference{"800": {Number: "800"}}
	const name = "called into conference 800"
	for to, want := range map[string]string{
		"103":             "ring 103",
		"101":             "ring 101", // it invites itself: by another phone
		"600":             "ring 101,102",
		"8 916 000-00-07": "dial +79160000007",
		"+4930123456":     "403 " + name,
		"800":             "403 " + name,
		"*43":             "403 " + name,
		"+74950000000":    "403 " + name,
		"x":               "404 " + name,
		"999":             "404 " + name,
	} {
		for _, by := range []*pbx.Extension{nil, co.Extensions["101"]} {
			f := Invite(Request{Company: co, To: to, Caller: by}, "conference 800")
			if got := told(f); got != want {
				t.Errorf("%s: %s, want %s", to, got, want)
			}
			d, is := f.Steps[0].(Dial)
			if is && (d.By == "") != (by == nil) {
				t.Errorf("%s is called by %q", to, d.By)
			}
		}
	}
	d := decide(Request{Company: co, To: "800", Caller: co.Extensions["101"]}, pbx.Contact{}, nil, nil)
	if c, is := d.Steps[0].(Confer); !is || c.Conference.Number != "800" || d.Direction != pbx.InternalTo {
		t.Errorf("800 dialled: %+v", d)
	}
}
