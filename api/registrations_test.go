package api

import (
	"strings"
	"testing"
	"time"

	"vpbx/pbx"
)

func TestRegistrations(t *testing.T) {
	r := newRig(t)
	at := time.Date(2026, 7, 1, 9, 0, 0, 0, time.UTC)
	bind := func(tenant pbx.TenantID, ext, contact string) pbx.Binding {
		return pbx.Binding{Tenant: tenant, Extension: ext, Contact: contact, CallID: contact, CSeq: 1, Transport: "udp",
			Source: "10.0.0.9:5060", UserAgent: "phone", Registered: at, Expires: at.Add(10 * time.Minute)}
	}
	r.check(r.store.SaveBindings(t.Context(), []pbx.Binding{
		bind("acme", "102", "sip:102@a"), bind("acme", "101", "sip:101@b"), bind("acme", "101", "sip:101@a"), bind("other", "101", "sip:101@x"),
	}, nil))
	var got []string
	path := "/api/v1/tenants/acme/registrations?limit=2"
	for next := path; next != ""; {
		a := r.ask("GET", next, acmeToken, nil)
		a.want(t, 200)
		var list List[pbx.Binding]
		a.into(t, &list)
		for _, b := range list.Items {
			got = append(got, b.Contact)
		}
		if !strings.Contains(string(a.body), `"expires":"2026-07-01T12:10:00+03:00"`) {
			t.Errorf("not in the zone of the company: %s", a.body)
		}
		next = ""
		if list.Next != "" {
			next = path + "&cursor=" + list.Next
		}
	}
	if want := "sip:101@a sip:101@b sip:102@a"; strings.Join(got, " ") != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
