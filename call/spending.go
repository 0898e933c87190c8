package call

import (
	"context"
	"time"

	"vpbx/pbx"
)

// payer names an account: a company, or one of its extensions.
type payer struct {
	tenant pbx.TenantID
	who    string
}

// account is what was spent in one day, and reserved of it. It is under mu of the
// Manager.
type account struct {
	day     string
	amount  pbx.Money
	unsaved pbx.Money // of amount, what the ledger does not have yet
	limit   pbx.Money // as of the last call, 0: none
	name    string
}

// Restore takes over what was spent before this process began. It is called
// before the first call.
func (m *Manager) Restore(list []pbx.Spending) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range list {
		k := payer{s.Tenant, s.Who}
		if a := m.spent[k]; a == nil || a.day < s.Day {
			m.spent[k] = &account{day: s.Day, amount: s.Amount}
		}
	}
}

// accounts gives those that pay for a grant, as of the company's day. It is called
// with m.mu held.
func (g *grant) accounts(at time.Time) []*account {
	list := []*account{g.m.account(payer{g.company.ID, ""}, dayOf(g.company, at))}
	list[0].limit, list[0].name = g.company.Limits.Spend, "the company"
	if e := g.company.Extensions[g.by]; e != nil {
		a := g.m.account(payer{g.company.ID, g.by}, list[0].day)
		a.limit, a.name = g.company.SpendOf(e), "extension "+g.by
		list = append(list, a)
	}
	return list
}

// account gives an account as of a day; a new day begins with nothing.
func (m *Manager) account(k payer, day string) *account {
	a := m.spent[k]
	if a == nil {
		a = &account{day: day}
		m.spent[k] = a
	}
	if a.day < day { // a clock that was put back does not forget
		a.day, a.amount, a.unsaved = day, 0, 0
	}
	return a
}

// dayOf is the day of a company's zone.
func dayOf(c *pbx.Company, at time.Time) string {
	if zone, err := time.LoadLocation(c.Zone); err == nil {
		at = at.In(zone)
	}
	return at.Format(time.DateOnly)
}

// save writes what the ledger does not have yet of the accounts of a grant. What
// could not be written is tried again with the next.
func (m *Manager) save(ctx context.Context, g *grant) {
	if m.Ledger == nil || g.rate == 0 {
		return
	}
	for _, k := range []payer{{g.company.ID, ""}, {g.company.ID, g.by}} {
		m.mu.Lock()
		a := m.spent[k]
		if a == nil || a.unsaved == 0 {
			m.mu.Unlock()
			continue
		}
		s := pbx.Spending{Tenant: k.tenant, Who: k.who, Day: a.day, Amount: a.unsaved}
		a.unsaved = 0
		m.mu.Unlock()
		err := m.Ledger.AddSpending(ctx, k.tenant, s)
		if err == nil {
			continue
		}
		m.Log.Warn("spending not saved", "tenant", k.tenant, "extension", k.who, "error", err)
		m.mu.Lock()
		if a.day == s.Day {
			a.unsaved += s.Amount
		}
		m.mu.Unlock()
	}
}

// saveLater is save beside whoever asks for it. It is called with m.mu held.
// Close waits for it, so nothing is begun when no call is left: what is not given
// back then counts as spent.
func (m *Manager) saveLater(g *grant) {
	if len(m.calls) == 0 {
		return
	}
	m.wg.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), saveBound)
		defer cancel()
		m.save(ctx, g)
	})
}
