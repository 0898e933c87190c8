package amocrm

import (
	"context"
	"fmt"
	"slices"

	"vpbx/pbx"
)

// Owner finds the contact that has the caller's number on its card and the internal
// number of the user who is responsible for it. See [crm.Connector].
func (b *Connector) Owner(ctx context.Context, c *pbx.Company, from, to string, _ pbx.CallID) (pbx.Contact, error) {
	if !connected(c) {
		return pbx.Contact{Why: "amoCRM: no account is connected"}, nil
	}
	s := c.CRM.Amo.Scenario(to)
	switch {
	case s == nil:
		return pbx.Contact{Why: "amoCRM: no scenario has the line " + to}, nil
	case !s.Smart:
		return pbx.Contact{Why: fmt.Sprintf("amoCRM: the smart manager of scenario %q is off", s.Name)}, nil
	}
	found, err := b.client.Contacts(Urgent(ctx), accountOf(c, b.external), from)
	if err != nil {
		return pbx.Contact{}, fmt.Errorf("ask amoCRM for the owner: %w", err)
	}
	return ownerOf(c.CRM.Amo, s, found), nil
}

// ownerOf says to whom a caller goes who has these contacts: to the internal number of
// who is responsible, which may be an exception; to the fallback manager when that
// user has none; to nobody when there is no contact.
func ownerOf(a *pbx.AmoCRM, s *pbx.AmoScenario, found []Contact) pbx.Contact {
	contact, ok := choose(a, s.Exceptions, found)
	if !ok {
		return pbx.Contact{Why: "amoCRM: no contact has this number"}
	}
	owner := pbx.Contact{Name: contact.Name}
	number := a.Users[contact.Responsible]
	switch {
	case number != "" && slices.Contains(s.Exceptions, number):
		owner.Why = fmt.Sprintf("amoCRM: %s, who is responsible, is an exception of scenario %q", number, s.Name)
	case number != "":
		owner.Owner = number
	case a.Fallback == "":
		owner.Why = fmt.Sprintf("amoCRM: user %d, who is responsible, has no internal number, and there is no fallback manager", contact.Responsible)
	case slices.Contains(s.Exceptions, a.Fallback):
		owner.Why = fmt.Sprintf("amoCRM: user %d, who is responsible, has no internal number, and the fallback manager %s is an exception", contact.Responsible, a.Fallback)
	default:
		owner.Owner = a.Fallback
		owner.Why = fmt.Sprintf("amoCRM: user %d, who is responsible, has no internal number: fallback manager %s", contact.Responsible, a.Fallback)
	}
	return owner
}

// choose gives the contact that stands for a number which several may have: the first
// whose responsible user can be rung, then the first whose has a number at all, then
// the first.
func choose(a *pbx.AmoCRM, exceptions []string, found []Contact) (Contact, bool) {
	if len(found) == 0 {
		return Contact{}, false
	}
	best, rank := found[0], 0
	for _, c := range found {
		number := a.Users[c.Responsible]
		if number == "" {
			continue
		}
		if !slices.Contains(exceptions, number) {
			return c, true
		}
		if rank == 0 {
			best, rank = c, 1
		}
	}
	return best, true
}
