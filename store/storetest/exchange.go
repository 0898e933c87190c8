package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"vpbx/pbx"
)

// testExchanges: exchanges are listed by filter and by page, newest first, and what
// came since; they are bounded, cleared, swept and go with their company, and only
// with their own.
func testExchanges(t *testing.T, open Open) {
	s := open(t)
	put(t, s, Company("acme", "+74950000000"))
	put(t, s, Company("umbra", "+74950000001"))
	add := func(tenant pbx.TenantID, list ...pbx.Exchange) {
		t.Helper()
		if err := s.AddExchanges(t.Context(), tenant, list); err != nil {
			t.Fatal(err)
		}
	}
	list := func(tenant pbx.TenantID, q pbx.ExchangeQuery) (got string, items []pbx.Exchange, next string) {
		t.Helper()
		items, next, err := s.Exchanges(t.Context(), tenant, q)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range items {
			got += e.Method + " "
		}
		return strings.TrimSpace(got), items, next
	}
	want := func(tenant pbx.TenantID, q pbx.ExchangeQuery, want string) {
		t.Helper()
		if got, _, _ := list(tenant, q); got != want {
			t.Errorf("%s %+v: got %q, want %q", tenant, q, got, want)
		}
	}
	at := time.Now()
	add("acme", pbx.Exchange{At: at.Add(-time.Hour), Direction: pbx.ToCRM, Method: pbx.MethodNumber, Request: pbx.HTTPMessage{Body: "\x00\x1b[2J{", Headers: map[string]string{"A": "b"}}},
		pbx.Exchange{At: at, Direction: pbx.FromCRM, Method: pbx.MethodCall})
	add("umbra", pbx.Exchange{At: at, Direction: pbx.FromCRM, Method: pbx.MethodUsers})
	add("gone", pbx.Exchange{At: at, Method: pbx.MethodUsers})
	want("acme", pbx.ExchangeQuery{}, "call_info get_number_info")
	want("acme", pbx.ExchangeQuery{Direction: pbx.ToCRM}, "get_number_info")
	want("acme", pbx.ExchangeQuery{Method: pbx.MethodCall}, "call_info")
	want("acme", pbx.ExchangeQuery{Method: pbx.MethodCall, Direction: pbx.ToCRM}, "")
	want("umbra", pbx.ExchangeQuery{}, "users_info")
	want("gone", pbx.ExchangeQuery{}, "")
	_, first, next := list("acme", pbx.ExchangeQuery{Limit: 1})
	want("acme", pbx.ExchangeQuery{Limit: 1, Cursor: next}, "get_number_info")
	want("acme", pbx.ExchangeQuery{After: first[0].ID}, "")
	_, all, _ := list("acme", pbx.ExchangeQuery{})
	if all[1].Request.Body != "\x00\x1b[2J{" || all[1].Request.Headers["A"] != "b" {
		t.Errorf("read back %+v", all[1])
	}
	for _, q := range []pbx.ExchangeQuery{{Cursor: "x"}, {Cursor: "01"}, {Method: "nope"}} {
		_, _, err := s.Exchanges(t.Context(), "acme", q)
		wantKind(t, fmt.Sprint(q), err, pbx.Invalid)
	}

	if n, err := s.ClearExchanges(t.Context(), "umbra"); n != 1 || err != nil {
		t.Errorf("cleared %d, %v", n, err)
	}
	want("umbra", pbx.ExchangeQuery{}, "")
	if err := s.SweepExchanges(t.Context(), at.Add(-time.Minute)); err != nil {
		t.Error(err)
	}
	want("acme", pbx.ExchangeQuery{}, "call_info")
	if n, err := s.ClearExchanges(t.Context(), "acme"); n != 1 || err != nil {
		t.Errorf("cleared %d, %v", n, err)
	}
	add("acme", pbx.Exchange{At: at, Method: pbx.MethodUsers})
	want("acme", pbx.ExchangeQuery{After: first[0].ID}, "users_info")

	many := make([]pbx.Exchange, 1010)
	for i := range many {
		many[i] = pbx.Exchange{At: at, Method: fmt.Sprint(i)}
	}
	add("acme", many...)
	if _, items, _ := list("acme", pbx.ExchangeQuery{Limit: 1000}); len(items) != 1000 || items[0].Method != "1009" {
		t.Errorf("%d kept", len(items))
	}
	for range 5 {
		huge := make([]pbx.Exchange, 30)
		for i := range huge {
			huge[i].Answer.Body = strings.Repeat("x", 200<<10)
		}
		add("acme", huge...)
	}
	if _, items, _ := list("acme", pbx.ExchangeQuery{Limit: 1000}); len(items) != 81 {
		t.Errorf("%d of 200 KiB kept in 16 MiB", len(items))
	}
	testDebugging(t, open, s)
}

// testDebugging: until when is kept over a restart and goes with the company.
func testDebugging(t *testing.T, open Open, s interface{ Close() error }) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	until := time.Now().Add(time.Hour).Truncate(time.Microsecond)
	again := open(t)
	for _, err := range []error{
		again.SetDebugging(t.Context(), "acme", t0), again.SetDebugging(t.Context(), "acme", until),
		again.SetDebugging(t.Context(), "umbra", until), again.SetDebugging(t.Context(), "umbra", time.Time{}),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	if err := again.SweepExchanges(t.Context(), t0); err != nil {
		t.Error(err)
	}
	wantKind(t, "no company", again.SetDebugging(t.Context(), "gone", until), pbx.NotFound)
	closeStore(t, again)
	again = open(t)
	defer closeStore(t, again)
	if all, err := again.Debugging(t.Context()); err != nil || len(all) != 1 || !all["acme"].Equal(until) {
		t.Errorf("debugging %v, %v", all, err)
	}
	if err := again.UpdateCompany(t.Context(), "acme", func(*pbx.Company) (*pbx.Company, error) { return nil, nil }); err != nil {
		t.Fatal(err)
	}
	all, err := again.Debugging(t.Context())
	if list, _, listErr := again.Exchanges(t.Context(), "acme", pbx.ExchangeQuery{}); err != nil || listErr != nil || len(all)+len(list) != 0 {
		t.Errorf("of a company that is gone: %v, %d exchanges, %v, %v", all, len(list), err, listErr)
	}
}
