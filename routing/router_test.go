package routing

import (
	"context"
	"testing"

	"vpbx/pbx"
)

// book is an owner finder that knows its answers by heart and counts.
type book struct {
	owners map[string]string
	asked  []string
}

func (b *book) Owner(_ context.Context, c *pbx.Company, from, to string, call pbx.CallID) (pbx.Contact, pbx.Lookup) {
	b.asked = append(b.asked, string(c.ID)+" "+from+" "+to+" "+string(call))
	owner, known := b.owners[from]
	if !known {
		return pbx.Contact{}, pbx.Lookup{Result: NotFound}
	}
	return pbx.Contact{Owner: owner, Name: "Ivan"}, pbx.Lookup{Owner: owner, Contact: "Ivan", Result: Found}
}

// TestRouteAsks tells when the CRM is asked, and with what.
func TestRouteAsks(t *testing.T) {
	const asked = "acme +79160000001 +74950000000 call1"
	for _, c := range []struct {
		name  string
		alter func(*Request)
		asked string
		want  string
	}{
		{"a caller from outside, numbers normalised", func(r *Request) { r.From, r.To = "89160000001", "8 495 000-00-00" }, asked,
			"in +74950000000: ring 101 all 20s; ring 101+102 all 25s"},
		{"a rule that does not want the owner", func(r *Request) { r.To = "+74950000003" }, "",
			"in +74950000003: play welcome; reject 480 no_answer"},
		{"a hidden number", func(r *Request) { r.From = "anonymous" }, "",
			"in +74950000000: ring 101+102 all 25s | crm was not asked: the caller hides the number"},
		{"no crm", func(r *Request) { r.Company.CRM.Kind = "none" }, "",
			"in +74950000000: ring 101+102 all 25s | no crm is set up"},
		{"a colleague", func(r *Request) { r.Caller = r.Company.Extensions["103"] }, "",
			"internal +74950000000: ring 101+102 all 25s | +74950000000 is a number of this company: no trip through the provider"},
		{"a number of nobody", func(r *Request) { r.To = "+74951111111" }, "",
			"in +74951111111: reject 404 unknown_number | +74951111111 is not a number of this company"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := &book{owners: map[string]string{"+79160000001": "101"}}
			r := &Router{Owners: b, Registered: func(id pbx.TenantID, ext string) bool { return id == "acme" && ext == "101" }}
			req := Request{Company: acme(), From: "+79160000001", To: "+74950000000"}
			c.alter(&req)
			d := r.Route(t.Context(), req, "call1")
			if got := brief(d); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if c.asked == "" && len(b.asked) != 0 || c.asked != "" && (len(b.asked) != 1 || b.asked[0] != c.asked) {
				t.Errorf("asked %q, want %q", b.asked, c.asked)
			}
			if (c.asked != "") != (d.Lookup != nil) {
				t.Errorf("lookup %+v", d.Lookup)
			}
		})
	}
	d := (&Router{Registered: func(pbx.TenantID, string) bool { return true }}).Route(t.Context(), Request{Company: acme(), From: "1", To: "+74950000000"}, "c")
	if got, want := brief(d), "in +74950000000: ring 101+102 all 25s | crm was not asked"; got != want {
		t.Errorf("without an owner finder: %s, want %s", got, want)
	}
}
