package tenants

import (
	"context"
	"fmt"

	"vpbx/pbx"
)

// Store is where companies are kept; package store implements it.
type Store interface {
	// Directory gives the companies as they are.
	Directory() *pbx.Directory
	// UpdateCompany replaces a company by what change makes of it, in one
	// transaction. old is nil when there is none; a nil result removes it. The
	// error of change is returned as it is. A domain or number that another
	// company has is a Conflict.
	UpdateCompany(ctx context.Context, t pbx.TenantID, change func(old *pbx.Company) (*pbx.Company, error)) error
}

// Service applies company documents. Its methods may be called by any
// goroutine.
type Service struct {
	store Store
}

// NewService makes a Service that keeps companies in s.
func NewService(s Store) *Service { return &Service{store: s} }

// Apply makes a company what the document says, in one transaction, and lists
// what that changed. The error is Invalid with all mistakes (see [Mistakes]), or
// Conflict when another company has the domain or a number; nothing is changed
// then. Calls that are going on keep the company they began with.
func (s *Service) Apply(ctx context.Context, d *Document) (Changes, error) {
	return s.ApplyIf(ctx, d, func(any) error { return nil })
}

// ApplyIf is Apply for a document that replaces what may allows: it is asked about the
// document of the company as it is, nil when there is none.
func (s *Service) ApplyIf(ctx context.Context, d *Document, may Condition) (Changes, error) {
	// Not in the transaction, in which all companies take their turns.
	if err := d.checked(); err != nil {
		return nil, fmt.Errorf("apply company %s: %w", d.Tenant, err)
	}
	var changes Changes
	err := s.store.UpdateCompany(ctx, d.Tenant, func(old *pbx.Company) (*pbx.Company, error) {
		var now any
		if old != nil {
			now = FromCompany(old)
		}
		if err := may(now); err != nil {
			return nil, err
		}
		next, err := d.company(old)
		if err != nil {
			return nil, err
		}
		changes = diff(old, next)
		return next, nil
	})
	if err != nil {
		return nil, fmt.Errorf("apply company %s: %w", d.Tenant, err)
	}
	return changes, nil
}

// Provision is Apply for a company file. One that was applied before and is still the
// same is not applied again, so that a restart does not undo what was changed by the API
// since: stale is true then, and the changes are those that it would have made.
func (s *Service) Provision(ctx context.Context, d *Document) (changes Changes, stale bool, err error) {
	if err := d.checked(); err != nil {
		return nil, false, fmt.Errorf("apply company file of %s: %w", d.Tenant, err)
	}
	err = s.store.UpdateCompany(ctx, d.Tenant, func(old *pbx.Company) (*pbx.Company, error) {
		stale = old != nil && d.digest != "" && old.Provisioned == d.digest
		next, err := d.company(old)
		switch {
		case err == nil:
			changes = diff(old, next)
			next.Provisioned = d.digest
		case stale: // what was added since forbids it, such as a number of another company
			changes = nil
		default:
			return nil, err
		}
		if stale {
			return old, nil
		}
		return next, nil
	})
	if err != nil {
		return nil, false, fmt.Errorf("apply company file of %s: %w", d.Tenant, err)
	}
	return changes, stale, nil
}

// Remove removes a company with its registrations and tokens, a NotFound error
// when there is none. The records of its calls stay, for whoever has to answer
// for them, and are seen again by a company that is made under the same id.
func (s *Service) Remove(ctx context.Context, t pbx.TenantID) error {
	err := s.store.UpdateCompany(ctx, t, func(old *pbx.Company) (*pbx.Company, error) {
		if old == nil {
			return nil, unknown()
		}
		return nil, nil
	})
	if err != nil {
		return fmt.Errorf("remove company %s: %w", t, err)
	}
	return nil
}

// Document gives the document of a company, without its secrets; a NotFound
// error when there is none.
func (s *Service) Document(_ context.Context, t pbx.TenantID) (*Document, error) {
	c := s.store.Directory().Company(t)
	if c == nil {
		return nil, unknown()
	}
	return FromCompany(c), nil
}

// List gives all companies by id.
func (s *Service) List(context.Context) ([]pbx.Tenant, error) {
	companies := s.store.Directory().Companies()
	list := make([]pbx.Tenant, len(companies))
	for i, c := range companies {
		list[i] = c.Tenant
	}
	return list, nil
}

func unknown() error { return &pbx.Error{Kind: pbx.NotFound, Msg: "no such company"} }
