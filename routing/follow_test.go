package routing

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"vpbx/pbx"
)

// TestFollowMe: the places where the owner of an extension is looked for, in their order.
func TestFollowMe(t *testing.T) {
	c := acme()
	c.Extensions["101"].Caller = "+74950000001"
	c.Extensions["101"].Follow = []pbx.Follow{
		{Dial: "8 916 123-45-67", After: 10 * time.Second, For: 15 * time.Second, Confirm: true},
		{Ring: "101", For: 20 * time.Second}, {Ring: "102"}, {Ring: "999"},
		{Dial: "+49301234567", After: 5 * time.Second, For: 500 * time.Second},
	}
	tell := func(req Request) string {
		places, why := FollowMe(req, c.Extensions["101"])
		var s []string
		for _, p := range places {
			where := p.Ring
			if where == "" {
				where = fmt.Sprintf("%s by %s for %s as %s", p.Dial.Number, names(p.Dial.Trunks), p.Dial.By, p.Dial.Caller)
			}
			if p.Cause.Reason != "" {
				where = p.Dial.Number + " " + string(p.Cause.Reason)
			}
			if p.Confirm {
				where += " confirm"
			}
			s = append(s, fmt.Sprintf("%s %v+%v", where, p.After, p.For))
		}
		return strings.Join(s, "; ") + " | " + strings.Join(why, "; ")
	}
	const mobile = "+79161234567 by cheap for 101 as +74950000001 confirm 10s+15s"
	const first, abroad = "101 0s+20s; 102 0s+20s; ", "+49301234567 forbidden 5s+2m0s; "
	for name, test := range map[string]struct {
		from   string
		caller *pbx.Extension
		want   string
	}{
		"from outside":               {"+79160000001", nil, first + abroad + mobile + " | 999 is not an extension"},
		"from the mobile":            {"89161234567", nil, "101 0s+20s; 102 0s+20s; +49301234567 forbidden 5s+2m0s | +79161234567 is the caller; 999 is not an extension"},
		"from a colleague":           {"102", c.Extensions["102"], "101 0s+20s; " + abroad + mobile + " | 102 is the caller; 999 is not an extension"},
		"a hidden number, anybody's": {"anonymous", nil, first + abroad + mobile + " | 999 is not an extension"},
	} {
		if got := tell(Request{Company: c, From: test.from, To: "101", Caller: test.caller}); got != test.want {
			t.Errorf("%s:\n%s, want\n%s", name, got, test.want)
		}
	}
	c.Extensions["101"].Follow = c.Extensions["101"].Follow[:3]
	if d := ForwardAfter(c.Extensions["101"]); d != 25*time.Second {
		t.Errorf("it takes %v", d)
	}
}
