package storetest

import (
	"fmt"
	"testing"

	"vpbx/pbx"
)

// testContacts: an address book is of one company, has each number once, and goes
// with the company.
func testContacts(t *testing.T, open Open) {
	s := open(t)
	put(t, s, Company("acme", "+74950000000"))
	put(t, s, Company("umbra", "+74950000001"))
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(s.PutContacts(t.Context(), "acme", []pbx.BookEntry{{Number: "+79160000002", Name: "Пётр"}, {Number: "+79160000001", Name: "Анна", Owner: "101"}, {Number: "101", Name: "Inside"}}))
	must(s.PutContacts(t.Context(), "umbra", []pbx.BookEntry{{Number: "+79160000001", Name: "Other"}}))
	must(s.PutContacts(t.Context(), "acme", []pbx.BookEntry{{Number: "+79160000002", Owner: "102"}}))
	closeStore(t, s)
	s = open(t)
	defer closeStore(t, s)
	for number, want := range map[string]pbx.Contact{"+79160000001": {Name: "Анна", Owner: "101"}, "+79160000002": {Owner: "102"}, "+79160000003": {}, "": {}} {
		if got, err := s.Contact(t.Context(), "acme", number); err != nil || got != want {
			t.Errorf("%s: %+v, %v", number, got, err)
		}
	}
	all, err := s.Contacts(t.Context(), "acme", "", 10)
	must(err)
	same(t, "contacts", all, []pbx.BookEntry{{Number: "+79160000001", Name: "Анна", Owner: "101"}, {Number: "+79160000002", Owner: "102"}, {Number: "101", Name: "Inside"}})
	part, err := s.Contacts(t.Context(), "acme", "+79160000001", 1)
	must(err)
	same(t, "a page", part, all[1:2])
	must(s.DropContact(t.Context(), "acme", "101"))
	wantKind(t, "again", s.DropContact(t.Context(), "acme", "101"), pbx.NotFound)

	var many []pbx.BookEntry
	for i := range pbx.MaxContacts - 1 {
		many = append(many, pbx.BookEntry{Number: fmt.Sprintf("+7%010d", i), Name: "x"})
	}
	wantKind(t, "too many", s.PutContacts(t.Context(), "acme", many), pbx.Limit)
	must(s.PutContacts(t.Context(), "acme", many[1:]))
	if got, err := s.Contact(t.Context(), "acme", "+70000050000"); err != nil || got.Name != "x" {
		t.Errorf("of many: %+v, %v", got, err)
	}
	must(s.UpdateCompany(t.Context(), "acme", func(*pbx.Company) (*pbx.Company, error) { return nil, nil }))
	wantKind(t, "a request that was under way", s.PutContacts(t.Context(), "acme", many[:1]), pbx.NotFound)
	if all, err := s.Contacts(t.Context(), "acme", "", 10); err != nil || len(all) != 0 {
		t.Errorf("after the company was removed: %v, %v", all, err)
	}
	if got, err := s.Contact(t.Context(), "umbra", "+79160000001"); err != nil || got.Name != "Other" {
		t.Errorf("of another company: %+v, %v", got, err)
	}
}
