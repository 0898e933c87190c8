package routing

import (
	"fmt"
	"slices"

	"vpbx/pbx"
)

// owner puts the phone of the caller's owner in front of the rule, or says why
// it does not.
func (p *plan) owner(registered func(string) bool) {
	c, owner := p.req.Company, p.Contact.Owner
	switch {
	case p.Lookup == nil && !hasCRM(c):
		p.why("no crm is set up")
	case p.Lookup == nil && c.E164(p.req.From) == "":
		p.why("crm was not asked: the caller hides the number")
	case p.Lookup == nil:
		p.why("crm was not asked")
	case owner == "" && p.Contact.Why != "":
		p.why(p.Contact.Why)
	case owner == "":
		p.why(p.noOwner())
	case pbx.CleanNumber(owner) != owner:
		p.why("crm: the owner it names is not a number")
	case c.Extensions[owner] == nil:
		p.why("owner " + owner + " is not an extension")
	case slices.Contains(c.CRM.Exceptions, owner):
		p.why("owner " + owner + " is an exception")
	case !registered(owner):
		p.why("owner " + owner + " is not registered")
	default:
		if p.Contact.Why != "" {
			p.why(p.Contact.Why)
		}
		p.Steps = append(p.Steps, Ring{Who: []string{owner}, For: DefaultRing, Why: "owner " + owner + " by crm"})
	}
}

// noOwner says why a lookup gave nobody.
func (p *plan) noOwner() string {
	switch p.Lookup.Result {
	case Timeout:
		return fmt.Sprintf("crm did not answer in %d ms", p.req.Company.CRM.Timeout.Milliseconds())
	case Failed:
		return "crm could not be asked"
	case BadAnswer:
		return "crm: broken answer"
	case Breaker:
		return "crm is resting after failures (breaker)"
	case None:
		return "crm was not asked"
	}
	if p.Contact.Name != "" {
		return "crm: the contact has no owner"
	}
	return "crm: not found"
}
