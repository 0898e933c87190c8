package call

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"vpbx/pbx"
)

// ledger keeps what was added, as the store does.
type ledger struct {
	mu    sync.Mutex
	kept  map[payer]pbx.Money
	fails bool
}

func (l *ledger) AddSpending(_ context.Context, t pbx.TenantID, s pbx.Spending) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fails {
		return errors.New("disk full")
	}
	if l.kept == nil {
		l.kept = map[payer]pbx.Money{}
	}
	l.kept[payer{t, s.Who}] += s.Amount
	return nil
}

// gate is a Manager with one company, enough of it to ask for leave to dial.
func gate(limits pbx.Limits, l *ledger) (*Manager, *pbx.Company) {
	m := NewManager(Config{Ledger: l, Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry()})
	return m, &pbx.Company{
		Tenant:     pbx.Tenant{ID: "acme", Country: "RU", Zone: "Europe/Moscow", Limits: limits},
		Extensions: map[string]*pbx.Extension{"101": {Number: "101", PerMinute: 1000}, "102": {Number: "102", Spend: 4e6, PerMinute: 1000}},
		Rates:      []pbx.Rate{{Prefix: "+7", Minute: 1e6}, {Prefix: "+7916", Minute: 2e6}, {Prefix: "+7800", Minute: 0}},
	}
}

func (m *Manager) testCall(c *pbx.Company, ext string) *Call {
	call := &Call{m: m, id: pbx.NewCallID(time.Now()), company: c, arrived: time.Now(), caller: &party{number: ext}}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls[call.id] = call
	return call
}

// spentOf is what a company has spent, with what is reserved.
func (m *Manager) spentOf(t pbx.TenantID) pbx.Money {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.spent[payer{t, ""}].amount
}

// TestAdmitOutside: what the gate lets through, and why not.
func TestAdmitOutside(t *testing.T) {
	for name, test := range map[string]struct {
		limits pbx.Limits
		by     string
		number string
		calls  int // that go on already
		want   pbx.Reason
	}{
		"allowed":             {pbx.Limits{}, "101", "+79160000001", 0, ""},
		"by the company":      {pbx.Limits{}, "", "+79160000001", 0, ""},
		"international":       {pbx.Limits{}, "101", "+49301234567", 0, pbx.Forbidden},
		"international, yes":  {pbx.Limits{International: true}, "101", "+49301234567", 0, ""},
		"premium":             {pbx.Limits{}, "101", "+78091234567", 0, pbx.Premium},
		"premium, yes":        {pbx.Limits{Premium: true}, "101", "+78091234567", 0, ""},
		"premium abroad":      {pbx.Limits{International: true}, "101", "+491371234567", 0, pbx.Premium},
		"barred":              {pbx.Limits{Premium: true, Barred: []string{"+7495123"}}, "101", "+74951234567", 0, pbx.Forbidden},
		"extension at once":   {pbx.Limits{ExtCalls: 2}, "101", "+79160000001", 2, pbx.OverLimit},
		"company at once":     {pbx.Limits{Calls: 3}, "", "+79160000001", 3, pbx.OverLimit},
		"default at once":     {pbx.Limits{}, "101", "+79160000001", pbx.GuardExtCalls, pbx.OverLimit},
		"a minute":            {pbx.Limits{ExtPerMinute: 2}, "103", "+79160000001", 0, ""}, // not an extension any more: the company answers
		"spent":               {pbx.Limits{Spend: 4e6}, "101", "+79160000001", 2, pbx.Spent},
		"spent, free number":  {pbx.Limits{Spend: 4e6}, "101", "+78001234567", 2, ""},
		"spent, emergency":    {pbx.Limits{Spend: 1}, "101", "112", 0, ""},
		"spent by extension":  {pbx.Limits{Spend: 1000e6}, "102", "+79160000001", 2, pbx.Spent},
		"no rate":             {pbx.Limits{Spend: 20e6, International: true}, "101", "+49301234567", 0, pbx.Forbidden},
		"no rate, no limit":   {pbx.Limits{International: true}, "101", "+49301234567", 0, ""},
		"nothing but a crumb": {pbx.Limits{Spend: 300_000}, "101", "+79160000001", 0, pbx.Spent},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, company := gate(test.limits, &ledger{})
				c := m.testCall(company, test.by)
				for range test.calls {
					if _, no := m.admitOutside(c, test.by, "+79160000001"); no != nil {
						t.Fatal(no.why)
					}
				}
				_, no := m.admitOutside(c, test.by, test.number)
				switch {
				case no == nil && test.want != "":
					t.Errorf("allowed, want %s", test.want)
				case no != nil && (no.cause.Reason != test.want || no.why == "" || no.cause.SIP == 0):
					t.Errorf("%s: %s, want %q", no.cause.Reason, no.why, test.want)
				}
			})
		})
	}
}

// TestPerMinuteOfExtension: what an extension forwards or transfers counts, its
// own call was counted when it came in.
func TestPerMinuteOfExtension(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, company := gate(pbx.Limits{}, &ledger{})
		company.Extensions["101"].PerMinute = 2
		c := m.testCall(company, "101")
		if refused := m.admit(c); refused != nil {
			t.Fatal(c.refusedWhy)
		}
		for i, want := range []bool{true, true, false} {
			if _, no := m.admitOutside(c, "101", "+79160000001"); (no == nil) != want {
				t.Errorf("call %d: %v", i, no)
			}
		}
		time.Sleep(time.Minute)
		if _, no := m.admitOutside(c, "101", "+79160000001"); no != nil {
			t.Error(no.why)
		}
	})
}

// TestEmergencyPasses: no limit stops a call for help; an internal number of three
// digits is none.
func TestEmergencyPasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, company := gate(pbx.Limits{Calls: 1, PerMinute: 1, ExtCalls: 1, ExtPerMinute: 1, Spend: 1}, &ledger{})
		company.Extensions["101"].PerMinute = 0
		for i, test := range []struct {
			dialled string
			want    bool
		}{{"+79160000001", true}, {"112", true}, {"102", false}, {"112", true}, {"+79160000001", false}} {
			c := m.testCall(company, "101")
			c.dialled = test.dialled
			if refused := m.admit(c); (refused == nil) != test.want {
				t.Errorf("call %d to %s: %v %s", i, test.dialled, refused, c.refusedWhy)
			}
			if test.dialled == "112" {
				if _, no := m.admitOutside(c, "101", "112"); no != nil {
					t.Error(no.why)
				}
			}
		}
	})
}

// TestSpendConcurrently: however many calls ask at once, what they hold together
// is never more than the limit, and what was not used comes back.
func TestSpendConcurrently(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &ledger{}
		m, company := gate(pbx.Limits{Spend: 20e6, Calls: 10000, ExtCalls: 10000}, l)
		var mu sync.Mutex
		var held []*grant
		var wg sync.WaitGroup
		for range 200 {
			wg.Go(func() {
				g, no := m.admitOutside(m.testCall(company, "101"), "101", "+79160000001")
				if no != nil {
					return
				}
				m.save(t.Context(), g)
				mu.Lock()
				held = append(held, g)
				mu.Unlock()
			})
		}
		wg.Wait()
		if len(held) != 10 || m.spentOf("acme") != 20e6 || l.kept[payer{"acme", "101"}] != 20e6 {
			t.Fatalf("%d calls hold %s, kept %s", len(held), m.spentOf("acme"), l.kept[payer{"acme", "101"}])
		}
		for _, g := range held[1:] {
			m.settle(g)
			m.settle(g)
		}
		m.answered(held[0], nil)
		time.Sleep(90 * time.Second)
		m.settle(held[0])
		m.wg.Wait()
		if got := m.spentOf("acme"); got != 3e6 { // a minute and a half for two a minute
			t.Errorf("spent %s", got)
		}
		for who, got := range l.kept {
			if got != 3e6 {
				t.Errorf("kept %s of %v", got, who)
			}
		}
		if len(m.used) != 0 {
			t.Errorf("still counted: %v", m.used)
		}
	})
}

// TestRenew: a call goes on as long as there is money, and what it has cost by
// then is all that is taken.
func TestRenew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, company := gate(pbx.Limits{Spend: 100e6}, &ledger{})
		g, no := m.admitOutside(m.testCall(company, "101"), "101", "+74950000009")
		if no != nil {
			t.Fatal(no.why)
		}
		m.answered(g, nil)
		time.Sleep(12*time.Minute + 30*time.Second)
		if got := m.spentOf("acme"); got != 13e6 {
			t.Errorf("%s are reserved, want thirteen minutes", got)
		}
		m.settle(g)
		m.wg.Wait()
		if got := m.spentOf("acme"); got != 12.5e6 {
			t.Errorf("spent %s", got)
		}
	})
}

// TestMidnight: the day is that of the company's zone; a new one begins with
// nothing, and money of yesterday does not come back today.
func TestMidnight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, company := gate(pbx.Limits{Spend: 2e6}, &ledger{})
		time.Sleep(20*time.Hour + 55*time.Minute) // 2000-01-01 00:00 UTC is 03:00 in Moscow
		g, no := m.admitOutside(m.testCall(company, "101"), "101", "+79160000001")
		if no != nil {
			t.Fatal(no.why)
		}
		if _, no := m.admitOutside(m.testCall(company, "101"), "101", "+79160000001"); no == nil {
			t.Fatal("the limit is used up")
		}
		time.Sleep(10 * time.Minute)
		if _, no := m.admitOutside(m.testCall(company, "101"), "101", "+79160000001"); no != nil {
			t.Fatal(no.why)
		}
		m.settle(g)
		m.wg.Wait()
		if got := m.spentOf("acme"); got != 2e6 {
			t.Errorf("today %s, want 2", got)
		}
	})
}

// TestRestore: what was spent before a restart counts; a ledger that fails gets
// it with the next.
func TestRestore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &ledger{fails: true}
		m, company := gate(pbx.Limits{Spend: 100e6}, l)
		m.Restore([]pbx.Spending{
			{Tenant: "acme", Day: "1999-12-31", Amount: 100e6}, {Tenant: "acme", Day: "2000-01-01", Amount: 99e6}, {Tenant: "umbra", Day: "2000-01-01", Amount: 100e6},
		})
		g, no := m.admitOutside(m.testCall(company, "101"), "101", "+79160000001")
		if no != nil {
			t.Fatal(no.why)
		}
		if g.reserved != 1e6 {
			t.Errorf("reserved %s, want what is left", g.reserved)
		}
		m.save(t.Context(), g)
		l.fails = false
		m.save(t.Context(), g)
		if l.kept[payer{"acme", ""}] != 1e6 {
			t.Errorf("kept %v", l.kept)
		}
		if _, no := m.admitOutside(m.testCall(company, "101"), "101", "+79160000001"); no == nil || no.cause.Reason != pbx.Spent {
			t.Error("more than the limit")
		}
		m.settle(g)
		m.wg.Wait()
	})
}

// TestForgetSettles: a call that ends before anybody answers gives everything
// back.
func TestForgetSettles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, company := gate(pbx.Limits{Spend: 100e6}, &ledger{})
		c := m.testCall(company, "101")
		m.wg.Add(1)
		for i := range 5 {
			if _, no := m.admitOutside(c, "101", "+7916000000"+strconv.Itoa(i)); no != nil {
				t.Fatal(no.why)
			}
		}
		m.forget(c)
		m.wg.Wait()
		if len(m.used) != 0 || m.spentOf("acme") != 0 {
			t.Errorf("%v, %s", m.used, m.spentOf("acme"))
		}
	})
}
