package call

import (
	"reflect"
	"testing"

	"vpbx/pbx"
	"vpbx/routing"
	"vpbx/sip"
)

// TestForwardOn: which forward counts for what a phone came to; nothing is
// forwarded that is nobody's absence.
func TestForwardOn(t *testing.T) {
	for reason, want := range map[pbx.Reason]pbx.On{
		pbx.Busy: pbx.OnBusy, pbx.Declined: pbx.OnBusy, pbx.NoAnswer: pbx.OnNoAnswer,
		pbx.Unregistered: pbx.OnUnregistered, pbx.NoReply: pbx.OnUnregistered,
		pbx.NoCodec: "", pbx.NoPorts: "", pbx.Refused: "", pbx.OverLimit: "", "": "",
	} {
		if got := forwardOn(reason); got != want {
			t.Errorf("%s: %q, want %q", reason, got, want)
		}
	}
}

// TestDiverted: RFC 5806 and RFC 7044 for a call that was forwarded twice;
// outside no internal number is shown where there is a public one.
func TestDiverted(t *testing.T) {
	c := &Call{company: &pbx.Company{
		Tenant:     pbx.Tenant{Domain: "acme.test"},
		Extensions: map[string]*pbx.Extension{"101": {Number: "101", Caller: "+74950000001"}, "102": {Number: "102"}},
	}}
	if h := c.diverted(&party{who: "103"}, sip.Target{}, sip.Party{}); h != nil {
		t.Errorf("a call that was not forwarded has %v", h)
	}
	c.hops = []routing.Hop{{By: "101", On: pbx.OnNoAnswer}, {By: "102", On: pbx.OnBusy, DND: true}}
	got := c.diverted(&party{who: "103"}, sip.Target{}, sip.Party{User: "+79160000001"})
	want := []sip.Header{
		{Name: "Diversion", Value: "<sip:102@acme.test>;reason=do-not-disturb;counter=1;privacy=off;screen=no"},
		{Name: "Diversion", Value: "<sip:101@acme.test>;reason=no-answer;counter=1;privacy=off;screen=no"},
		{Name: "History-Info", Value: "<sip:101@acme.test?Reason=SIP%3Bcause%3D408>;index=1"},
		{Name: "History-Info", Value: "<sip:102@acme.test?Reason=SIP%3Bcause%3D486>;index=1.1;mp=1"},
		{Name: "History-Info", Value: "<sip:103@acme.test>;index=1.1.1;mp=1.1"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("inside\n%v\nwant\n%v", got, want)
	}
	trunk := &pbx.Trunk{Name: "carrier", Host: "sip.carrier.test"}
	got = c.diverted(&party{who: "+79990000001", trunk: "carrier"}, sip.Target{Trunk: trunk}, sip.Party{User: "+74950000000"})
	want = []sip.Header{
		{Name: "Diversion", Value: "<sip:+74950000000@acme.test>;reason=do-not-disturb;counter=1;privacy=off;screen=no"},
		{Name: "Diversion", Value: "<sip:+74950000001@acme.test>;reason=no-answer;counter=1;privacy=off;screen=no"},
		{Name: "History-Info", Value: "<sip:+74950000001@acme.test?Reason=SIP%3Bcause%3D408>;index=1"},
		{Name: "History-Info", Value: "<sip:+74950000000@acme.test?Reason=SIP%3Bcause%3D486>;index=1.1;mp=1"},
		{Name: "History-Info", Value: "<sip:+79990000001@sip.carrier.test>;index=1.1.1;mp=1.1"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("outside\n%v\nwant\n%v", got, want)
	}
}
