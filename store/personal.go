package store

import (
	"context"
	"fmt"

	"vpbx/pbx"
)

// UpdateExtension lets change set what belongs to the phone of an extension
// (see [pbx.Personal]). The Directory has it when UpdateExtension returns. A
// NotFound error when there is no such extension. change may be called twice
// and must have no effects of its own.
func (s *Store) UpdateExtension(ctx context.Context, t pbx.TenantID, number string, change func(*pbx.Extension)) error {
	err := s.UpdateCompany(ctx, t, func(old *pbx.Company) (*pbx.Company, error) {
		if old == nil || old.Extensions[number] == nil {
			return nil, &pbx.Error{Kind: pbx.NotFound, Msg: "no such extension"}
		}
		change(old.Extensions[number]) // decoded for this transaction, seen by nobody else
		return old, nil
	})
	if err != nil {
		return fmt.Errorf("update extension %s of company %s: %w", number, t, err)
	}
	return nil
}
