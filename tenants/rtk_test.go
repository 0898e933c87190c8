package tenants

import (
	"strings"
	"testing"

	"vpbx/pbx"
)

// TestRTK: the settings of the integration API come back as they are, those that are
// usual need no words.
func TestRTK(t *testing.T) {
	const usual = "tenant: acme\ndomain: acme.test\ncrm:\n  kind: rtk\n  url: http://crm.test\n  client_id: A0000000000000000000000000000001\n  sign_key: B0000000000000000000000000000002\n"
	for more, want := range map[string]*pbx.RTK{
		"": nil, "  api: true\n  history_format: zip\n": nil,
		"  api: false\n": {Off: true}, "  history_format: gzip\n": {HistoryFormat: "gzip"},
	} {
		c, err := parse(t, usual+more, "").Company(nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.CRM.RTK; (got == nil) != (want == nil) || got != nil && *got != *want {
			t.Errorf("%q: %+v, want %+v", more, got, want)
		}
		if want == nil && c.CRM.RTK.Format() != "zip" || strings.Contains(more, "gzip") && c.CRM.RTK.Format() != "gzip" {
			t.Errorf("%q: %s", more, c.CRM.RTK.Format())
		}
		again, err := FromCompany(c).Company(c)
		if err != nil || len(diff(c, again)) != 0 {
			t.Errorf("%q applied again: %v, %v", more, diff(c, again), err)
		}
	}
}
