package api

import (
	"testing"

	"vpbx/pbx"
)

func TestAllow(t *testing.T) {
	admin := Principal{Role: RoleAdmin}
	acme := Principal{Role: RoleTenant, Tenant: "acme"}
	for _, c := range []struct {
		who    Principal
		tenant pbx.TenantID
		p      Permission
		want   pbx.Kind // "": allowed
	}{
		{admin, "acme", RemoveTenant, ""},
		{admin, "", ListTenants, ""},
		{acme, "acme", ReadCalls, ""},
		{acme, "acme", WriteTenant, ""},
		{acme, "acme", RemoveRecordings, ""},
		{acme, "acme", WritePrompts, ""},
		{acme, "other", WritePrompts, pbx.NotFound},
		{acme, "other", ReadPrompts, pbx.NotFound},
		{acme, "other", RemoveRecordings, pbx.NotFound},
		{acme, "", ReadAPI, ""},
		{acme, "acme", RemoveTenant, pbx.Denied},
		{acme, "", ListTenants, pbx.Denied},
		{acme, "other", ReadCalls, pbx.NotFound},
		{acme, "other", RemoveTenant, pbx.NotFound},
		{acme, "ACME", ReadCalls, pbx.NotFound},
		{Principal{Role: RoleTenant}, "acme", ReadCalls, pbx.NotFound},
		{Principal{}, "acme", ReadCalls, pbx.NotFound},
		{Principal{}, "", ReadAPI, pbx.Denied},
		{Principal{Role: "owner", Tenant: "acme"}, "acme", ReadCalls, pbx.Denied},
		{admin, "acme", "", pbx.Denied},
		{admin, "acme", "calls.everything", pbx.Denied},
		{Principal{}, "", Open, ""},
	} {
		err := Allow(c.who, c.tenant, c.p)
		if (err == nil) != (c.want == "") || err != nil && pbx.KindOf(err) != c.want {
			t.Errorf("Allow(%+v, %q, %q) = %v, want %q", c.who, c.tenant, c.p, err, c.want)
		}
	}
}

// TestGrantsAreClosed: no role holds what an administrator does not.
func TestGrantsAreClosed(t *testing.T) {
	for role, held := range grants {
		for p := range held {
			if !p.known() {
				t.Errorf("role %s holds the unknown permission %q", role, p)
			}
		}
	}
}
