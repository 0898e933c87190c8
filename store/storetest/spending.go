package storetest

import (
	"sync"
	"testing"

	"vpbx/pbx"
)

// testSpending: sums are kept per company, payer and day, whatever their order;
// old days and removed companies are forgotten.
func testSpending(t *testing.T, open Open) {
	s := open(t)
	put(t, s, Company("acme", "+74950000000"))
	add := func(tenant pbx.TenantID, who, day string, amount pbx.Money) {
		t.Helper()
		if err := s.AddSpending(t.Context(), tenant, pbx.Spending{Tenant: tenant, Who: who, Day: day, Amount: amount}); err != nil {
			t.Error(err)
		}
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { add("acme", "", "2026-11-22", 5) })
		wg.Go(func() { add("acme", "", "2026-11-22", -2) })
	}
	wg.Wait()
	add("acme", "101", "2026-11-22", 7)
	add("acme", "101", "2026-11-21", 8)
	add("acme", "101", "2026-11-19", 9)
	add("umbra", "101", "2026-11-22", 10)
	wantKind(t, "no day", s.AddSpending(t.Context(), "acme", pbx.Spending{Tenant: "acme"}), pbx.Invalid)
	wantKind(t, "another company", s.AddSpending(t.Context(), "acme", pbx.Spending{Tenant: "umbra", Day: "2026-11-22"}), pbx.Invalid)
	closeStore(t, s)
	s = open(t)
	defer closeStore(t, s)
	list, err := s.Spending(t.Context(), t0)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "spending", list, []pbx.Spending{
		{Tenant: "acme", Day: "2026-11-22", Amount: 60}, {Tenant: "acme", Who: "101", Day: "2026-11-21", Amount: 8},
		{Tenant: "acme", Who: "101", Day: "2026-11-22", Amount: 7}, {Tenant: "umbra", Who: "101", Day: "2026-11-22", Amount: 10},
	})
	if err := s.UpdateCompany(t.Context(), "acme", func(*pbx.Company) (*pbx.Company, error) { return nil, nil }); err != nil {
		t.Fatal(err)
	}
	if list, err = s.Spending(t.Context(), t0); err != nil || len(list) != 1 || list[0].Tenant != "umbra" {
		t.Errorf("after the company was removed: %v, %v", list, err)
	}
}
