package routing

import (
	"context"
	"time"

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

// AddressBook is the company's own list of who calls.
type AddressBook interface {
	// Contact gives whom a number, normalised, belongs to; the zero Contact when
	// nobody knows. It must return when ctx ends.
	Contact(ctx context.Context, t pbx.TenantID, number string) (pbx.Contact, error)
}

// bookTime bounds a look into the address book: it is on our own disk.
const bookTime = 50 * time.Millisecond

// Router decides about calls. Its fields are set once, before the first call;
// it may be used by any number of goroutines.
type Router struct {
	Owners     OwnerFinder                           // nil: no CRM is ever asked
	Book       AddressBook                           // nil: there is none
	Registered func(t pbx.TenantID, ext string) bool // whether an extension has a phone now
}

// Route decides about one call. It blocks only while a CRM is asked, within that
// company's budget, and the address book read, 50 ms at most; when ctx ends
// meanwhile, it decides as if they had failed.
func (r *Router) Route(ctx context.Context, req Request, call pbx.CallID) Decision {
	var contact pbx.Contact
	var lookup *pbx.Lookup
	if r.Owners != nil && asks(req) {
		c, l := r.Owners.Owner(ctx, req.Company, req.Company.E164(req.From), req.Company.E164(req.To), call)
		contact, lookup = c, &l
	}
	return r.decided(ctx, req, contact, lookup)
}

// decided decides with what the CRM said.
func (r *Router) decided(ctx context.Context, req Request, contact pbx.Contact, lookup *pbx.Lookup) Decision {
	var err error
	if contact.Name == "" || contact.Owner == "" {
		req.Book, err = r.inBook(ctx, req)
	}
	d := decide(req, contact, lookup, func(ext string) bool { return r.Registered(req.Company.ID, ext) })
	if err != nil {
		d.Why = append(d.Why, "the address book could not be read")
	}
	return d
}

// inBook looks a caller from outside up in the address book.
func (r *Router) inBook(ctx context.Context, req Request) (pbx.Contact, error) {
	number := req.Company.E164(req.From)
	if r.Book == nil || req.Caller != nil || number == "" {
		return pbx.Contact{}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, bookTime)
	defer cancel()
	return r.Book.Contact(ctx, req.Company.ID, number)
}

// asks tells whether the CRM must be asked before req can be decided: only for
// callers from outside, where the rule that takes the call wants the owner.
func asks(req Request) bool {
	if req.Caller != nil || !hasCRM(req.Company) || req.Company.E164(req.From) == "" {
		return false
	}
	to := req.Company.E164(req.To)
	if req.Company.Numbers[to] == nil {
		return false
	}
	i, _ := ruleFor(req, to)
	return i >= 0 && req.Company.Rules[i].Owner
}

func hasCRM(c *pbx.Company) bool { return c.CRM.InUse() }
