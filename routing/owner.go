package routing

import (
	"cmp"
	"fmt"
	"slices"

	"vpbx/pbx"
)

// owner puts the phone of the caller's owner in front of the rule, or says why
// it does not. Whom the CRM names goes before what the address book says. The
// rule's fallback rings behind the owner, and in its place when the CRM could not
// say who that is or nobody can be rung there; not for a caller who has no owner.
func (p *plan) owner(r *pbx.Rule, registered func(string) bool) {
	owner, by := p.Contact.Owner, "crm"
	missing := false // there should be an owner
	if owner == "" {
		missing = p.Lookup != nil && failed(p.Lookup.Result)
		owner, by = p.req.Book.Owner, "the address book"
		if p.Lookup != nil || owner == "" {
			p.why(cmp.Or(p.Contact.Why, p.noOwner()))
		}
	} else if p.Contact.Why != "" {
		p.why(p.Contact.Why)
	}
	switch why := p.unfit(owner, by, registered); {
	case owner == "":
	case why != "":
		p.why(why)
		missing = true
	default:
		p.Steps = append(p.Steps, Ring{Who: []string{owner}, For: ringTime(r.OwnerRing, max(DefaultRing, p.req.Company.Extensions[owner].FollowTime())), Why: "owner " + owner + " by " + by})
		missing = true // when it comes to the next step
	}
	if missing && r.Fallback != "" && r.Fallback != owner {
		p.fallback(r)
	}
}

// fallback lays out who rings for an owner that is not there.
func (p *plan) fallback(r *pbx.Rule) {
	n := len(p.Steps)
	p.ring(r.Fallback, r.OwnerRing)
	if len(p.Steps) == n {
		return
	}
	const instead = " in place of the owner"
	switch s := p.Steps[n].(type) {
	case Ring:
		s.Why += instead
		p.Steps[n] = s
	case Queue:
		s.Why += instead
		p.Steps[n] = s
	}
}

// unfit says why the owner cannot be rung, "" when it can. One without a phone
// whose calls go on elsewhere can.
func (p *plan) unfit(owner, by string, registered func(string) bool) string {
	c := p.req.Company
	e := c.Extensions[owner]
	switch {
	case pbx.CleanNumber(owner) != owner:
		return by + ": the owner it names is not a number"
	case e == nil:
		return "owner " + owner + " is not an extension"
	case slices.Contains(c.CRM.Exceptions, owner):
		return "owner " + owner + " is an exception"
	case !registered(owner) && e.ForwardOn(pbx.OnAlways) == "" && e.ForwardOn(pbx.OnUnregistered) == "":
		return "owner " + owner + " is not registered"
	}
	return ""
}

// failed tells whether a lookup could not say who owns the caller.
func failed(result string) bool {
	return result == Timeout || result == Failed || result == BadAnswer || result == Breaker
}

// noOwner says why the CRM named nobody.
func (p *plan) noOwner() string {
	c := p.req.Company
	if p.Lookup == nil {
		switch {
		case !hasCRM(c):
			return "no crm is set up"
		case c.E164(p.req.From) == "":
			return "crm was not asked: the caller hides the number"
		}
		return "crm was not asked"
	}
	switch p.Lookup.Result {
	case Timeout:
		return fmt.Sprintf("crm did not answer in %d ms", c.CRM.Timeout.Milliseconds())
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
