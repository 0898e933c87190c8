package routing

import (
	"context"

	"vpbx/pbx"
)

// The results of asking a CRM for the owner of a number, as [pbx.Lookup] names
// them. The set is closed: it is also the label of a metric.
const (
	Found     = "found"      // the CRM knows the caller
	NotFound  = "not_found"  // it does not
	Cached    = "cached"     // answered from memory, one way or the other
	Timeout   = "timeout"    // no whole answer within the budget
	Failed    = "error"      // not reached, or it reported an error
	BadAnswer = "bad_answer" // it answered what cannot be read
	Breaker   = "breaker"    // not asked: it failed too often just now
	None      = "none"       // not asked: no CRM or no number; or the call ended meanwhile
)

// OwnerFinder asks the company's CRM who owns a caller. It is never an error:
// failure is a result like any other. It must return within its budget and
// when ctx ends.
type OwnerFinder interface {
	Owner(ctx context.Context, c *pbx.Company, from, to string, call pbx.CallID) (pbx.Contact, pbx.Lookup)
}

// Router decides about calls. Its fields are set once, before the first call;
// it may be used by any number of goroutines.
type Router struct {
	Owners     OwnerFinder                           // nil: no CRM is ever asked
	Registered func(t pbx.TenantID, ext string) bool // whether an extension has a phone now
}

// Route decides about one call. It blocks only while a CRM is asked; when ctx
// ends meanwhile, it decides as if the CRM had failed.
func (r *Router) Route(ctx context.Context, req Request, call pbx.CallID) Decision {
	var contact pbx.Contact
	var lookup *pbx.Lookup
	if r.Owners != nil && asks(req) {
		c, l := r.Owners.Owner(ctx, req.Company, req.Company.E164(req.From), req.Company.E164(req.To), call)
		contact, lookup = c, &l
	}
	return decide(req, contact, lookup, func(ext string) bool {
		return r.Registered(req.Company.ID, ext)
	})
}

// asks tells whether the CRM must be asked before req can be decided: only for
// callers from outside, where the rule of the number wants the owner.
func asks(req Request) bool {
	if req.Caller != nil || !hasCRM(req.Company) || req.Company.E164(req.From) == "" {
		return false
	}
	to := req.Company.E164(req.To)
	if req.Company.Numbers[to] == nil {
		return false
	}
	rule := ruleOf(req.Company, to)
	return rule != nil && rule.Owner
}

func hasCRM(c *pbx.Company) bool { return c.CRM.InUse() }

// ruleOf gives the first rule of a public number, nil when it has none.
func ruleOf(c *pbx.Company, number string) *pbx.Rule {
	for i := range c.Rules {
		if c.Rules[i].Number == number {
			return &c.Rules[i]
		}
	}
	return nil
}
