package storetest

import (
	"testing"
	"time"

	"vpbx/pbx"
)

func testCRMTokens(t *testing.T, open Open) {
	s := open(t)
	put(t, s, Company("acme", "+74950000000"))
	put(t, s, Company("beta", "+74950000001"))
	token := pbx.CRMToken{Client: "c", Linked: "https://a.amocrm.ru", Base: "https://b.amocrm.ru", Access: "a", Refresh: "r",
		Issued: t0, Expires: t0.Add(24 * time.Hour), Broken: "why"}
	other := token
	other.Access = "beta's"
	for tenant, token := range map[pbx.TenantID]pbx.CRMToken{"acme": {Client: "old"}, "beta": other} {
		if err := s.SaveCRMToken(t.Context(), tenant, token); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.SaveCRMToken(t.Context(), "acme", token); err != nil {
		t.Fatal(err)
	}
	wantKind(t, "token without company", s.SaveCRMToken(t.Context(), "", token), pbx.Invalid)
	wantKind(t, "token of a company that is not there", s.SaveCRMToken(t.Context(), "gone", token), pbx.NotFound)
	closeStore(t, s)

	s = open(t)
	got, err := s.CRMToken(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	same(t, "token after a restart", got, token)
	for range 2 {
		if err := s.DropCRMToken(t.Context(), "acme"); err != nil {
			t.Fatal(err)
		}
	}
	_, err = s.CRMToken(t.Context(), "acme")
	wantKind(t, "dropped token", err, pbx.NotFound)
	if got, err = s.CRMToken(t.Context(), "beta"); err != nil || got.Access != "beta's" {
		t.Errorf("the token of the other company: %q, %v", got.Access, err)
	}
	remove := func(*pbx.Company) (*pbx.Company, error) { return nil, nil }
	if err := s.UpdateCompany(t.Context(), "beta", remove); err != nil {
		t.Fatal(err)
	}
	_, err = s.CRMToken(t.Context(), "beta")
	wantKind(t, "token of a removed company", err, pbx.NotFound)
}
