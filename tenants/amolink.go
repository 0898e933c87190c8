package tenants

import (
	"context"
	"fmt"
	"slices"

	"vpbx/internal/strict"
	"vpbx/pbx"
)

// ParseScenario reads a scenario, YAML or JSON. Whether it fits the company is seen
// when it is kept.
func ParseScenario(data []byte) (AmoScenario, error) {
	var s AmoScenario
	if err := strict.Decode(data, &s).Err(); err != nil {
		return AmoScenario{}, invalidScenario(err)
	}
	return s, nil
}

func invalidScenario(mistakes error) error {
	e := &pbx.Error{Kind: pbx.Invalid, Msg: "the scenario has mistakes", Err: mistakes}
	if list := Mistakes(mistakes); len(list) > 0 {
		e.Field, e.Msg = list[0].Path, list[0].Path+": "+list[0].Message
	}
	return e
}

// Scenarios lists the amoCRM scenarios of a company in their order.
func (s *Service) Scenarios(_ context.Context, t pbx.TenantID) ([]AmoScenario, error) {
	c := s.store.Directory().Company(t)
	if c == nil {
		return nil, unknown()
	}
	if c.CRM.Amo == nil {
		return nil, noAmo()
	}
	return documentAmo(c.CRM.Amo).Scenarios, nil
}

// AddScenario adds a scenario behind the others; a name that is taken is a Conflict.
func (s *Service) AddScenario(ctx context.Context, t pbx.TenantID, scenario AmoScenario) error {
	return s.editAmo(ctx, t, func(a *AmoCRM) error {
		if scenarioAt(a, scenario.Name) >= 0 {
			return taken(scenario.Name)
		}
		a.Scenarios = append(a.Scenarios, scenario)
		return nil
	})
}

// SetScenario replaces the scenario of that name; the new one may have another.
func (s *Service) SetScenario(ctx context.Context, t pbx.TenantID, name string, scenario AmoScenario) error {
	return s.editScenario(ctx, t, name, func(a *AmoCRM, i int) error {
		if scenario.Name != name && scenarioAt(a, scenario.Name) >= 0 {
			return taken(scenario.Name)
		}
		a.Scenarios[i] = scenario
		return nil
	})
}

// CopyScenario adds a copy behind the scenario of that name, switched off.
func (s *Service) CopyScenario(ctx context.Context, t pbx.TenantID, name, as string) error {
	return s.editScenario(ctx, t, name, func(a *AmoCRM, i int) error {
		if scenarioAt(a, as) >= 0 {
			return taken(as)
		}
		copied, off := a.Scenarios[i], false
		copied.Name, copied.On = as, &off
		a.Scenarios = slices.Insert(a.Scenarios, i+1, copied)
		return nil
	})
}

// RenameScenario gives the scenario of that name another.
func (s *Service) RenameScenario(ctx context.Context, t pbx.TenantID, name, to string) error {
	return s.editScenario(ctx, t, name, func(a *AmoCRM, i int) error {
		if to != name && scenarioAt(a, to) >= 0 {
			return taken(to)
		}
		a.Scenarios[i].Name = to
		return nil
	})
}

// SwitchScenario switches the scenario of that name on or off.
func (s *Service) SwitchScenario(ctx context.Context, t pbx.TenantID, name string, on bool) error {
	return s.editScenario(ctx, t, name, func(a *AmoCRM, i int) error {
		a.Scenarios[i].On = &on
		return nil
	})
}

// RemoveScenario removes the scenario of that name.
func (s *Service) RemoveScenario(ctx context.Context, t pbx.TenantID, name string) error {
	return s.editScenario(ctx, t, name, func(a *AmoCRM, i int) error {
		a.Scenarios = slices.Delete(a.Scenarios, i, i+1)
		return nil
	})
}

// SetAmoUsers replaces who has which internal number, and the manager for abnormal
// situations.
func (s *Service) SetAmoUsers(ctx context.Context, t pbx.TenantID, users map[string]string, fallback string) error {
	return s.editAmo(ctx, t, func(a *AmoCRM) error {
		a.Users, a.Fallback = users, fallback
		return nil
	})
}

// LinkAmo connects a company with an account of amoCRM. An account that another
// company is connected with is a Conflict, and so is another account of this one
// unless it may be replaced: then the settings that name things of the old account
// go with it, and the scenarios are off.
func (s *Service) LinkAmo(ctx context.Context, t pbx.TenantID, link pbx.AmoLink, replace bool) error {
	err := s.store.UpdateCompany(ctx, t, func(old *pbx.Company) (*pbx.Company, error) {
		if old == nil {
			return nil, unknown()
		}
		if err := MayLink(old, link.Account, replace); err != nil {
			return nil, err
		}
		a := old.CRM.Amo // decoded for this transaction, seen by nobody else
		if a.Link != nil && a.Link.AccountID != link.AccountID {
			a.Users, a.Listeners, a.Fallback = nil, nil, ""
			switchOff(a)
		}
		a.Link = &link
		return old, nil
	})
	if err != nil {
		return fmt.Errorf("connect company %s with amoCRM: %w", t, err)
	}
	return nil
}

// UnlinkAmo disconnects a company from amoCRM and switches its scenarios off. of is
// the account that says so, nil when the company itself does; another than the
// connected one changes nothing.
func (s *Service) UnlinkAmo(ctx context.Context, t pbx.TenantID, of *pbx.AmoLink) error {
	err := s.store.UpdateCompany(ctx, t, func(old *pbx.Company) (*pbx.Company, error) {
		switch {
		case old == nil:
			return nil, unknown()
		case old.CRM.Amo == nil || old.CRM.Amo.Link == nil:
			return nil, &pbx.Error{Kind: pbx.Conflict, Msg: "no amoCRM account is connected"}
		case of != nil && of.Key != old.CRM.Amo.Link.Key:
			return old, nil
		}
		old.CRM.Amo.Link = nil
		switchOff(old.CRM.Amo)
		return old, nil
	})
	if err != nil {
		return fmt.Errorf("disconnect company %s from amoCRM: %w", t, err)
	}
	return nil
}

func switchOff(a *pbx.AmoCRM) {
	for i := range a.Scenarios {
		a.Scenarios[i].On = false
	}
}

// MayLink says why a company cannot be connected with an account, nil when it can.
func MayLink(c *pbx.Company, account string, replace bool) error {
	switch {
	case c.CRM.Kind == "rtk":
		return &pbx.Error{Kind: pbx.Conflict, Field: "crm.kind",
			Msg: "the integration API (crm kind rtk) is enabled; it and amoCRM exclude each other: turn it off first"}
	case c.CRM.Amo == nil:
		return noAmo()
	case c.CRM.Amo.Link != nil && c.CRM.Amo.Link.Account != account && !replace:
		return &pbx.Error{Kind: pbx.Conflict, Field: "account",
			Msg: "the amoCRM account " + c.CRM.Amo.Link.Account + " is connected; disconnect it, or ask with replace"}
	}
	return nil
}

func noAmo() error {
	return &pbx.Error{Kind: pbx.Conflict, Field: "crm.kind", Msg: "the CRM of the company is not of kind amocrm"}
}

func taken(name string) error {
	return &pbx.Error{Kind: pbx.Conflict, Field: "name", Msg: fmt.Sprintf("there is a scenario %.60q already", name)}
}

func scenarioAt(a *AmoCRM, name string) int {
	return slices.IndexFunc(a.Scenarios, func(s AmoScenario) bool { return s.Name == name })
}

// editScenario is editAmo for a scenario that is there.
func (s *Service) editScenario(ctx context.Context, t pbx.TenantID, name string, edit func(a *AmoCRM, i int) error) error {
	return s.editAmo(ctx, t, func(a *AmoCRM) error {
		i := scenarioAt(a, name)
		if i < 0 {
			return &pbx.Error{Kind: pbx.NotFound, Msg: "no such scenario"}
		}
		return edit(a, i)
	})
}

// editAmo changes the amoCRM settings of a company, as its document has them, in one
// transaction. The result is checked as that of a document is.
func (s *Service) editAmo(ctx context.Context, t pbx.TenantID, edit func(*AmoCRM) error) error {
	err := s.store.UpdateCompany(ctx, t, func(old *pbx.Company) (*pbx.Company, error) {
		if old == nil {
			return nil, unknown()
		}
		if old.CRM.Amo == nil {
			return nil, noAmo()
		}
		d := FromCompany(old)
		if err := edit(&d.CRM.AmoCRM); err != nil {
			return nil, err
		}
		m := &mistakes{}
		d.checkAmoOf(old, m.add)
		if err := m.err(); err != nil {
			return nil, invalidScenario(m.list)
		}
		amo := pbx.AmoCRM{Account: old.CRM.Amo.Account, ClientSecret: old.CRM.Amo.ClientSecret, Link: old.CRM.Amo.Link}
		d.CRM.AmoCRM.into(&amo)
		next := *old
		next.CRM.Amo = &amo
		return &next, nil
	})
	if err != nil {
		return fmt.Errorf("change the amoCRM settings of company %s: %w", t, err)
	}
	return nil
}

// checkAmoOf is check for the amoCRM keys only.
func (d *Document) checkAmoOf(of *pbx.Company, note noteFunc) {
	c := &checker{Document: d, note: note, extensions: map[string]int{}, numbers: map[string]int{}, groups: map[string]int{}}
	for n := range of.Extensions {
		c.extensions[n] = 0
	}
	for n := range of.Numbers {
		c.numbers[n] = 0
	}
	for n := range of.Groups {
		c.groups[n] = 0
	}
	c.checkAmo()
}
