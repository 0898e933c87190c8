package store

import (
	"context"
	"errors"
	"fmt"

	"vpbx/pbx"
)

// errFound ends the reading of the spool.
var errFound = errors.New("found")

// KeptCall gives the record of a call wherever it is kept: in the database, or in the spool
// where the database has not taken it yet. It is a NotFound error when the company has no such call.
// It reads the spool from its beginning: it is for the start, not for whoever browses calls.
func (s *Store) KeptCall(ctx context.Context, t pbx.TenantID, id pbx.CallID) (pbx.CDR, error) {
	if s.spool != nil && s.spool.Len() > 0 { // first: what is replayed meanwhile is in the database then
		c, found, err := s.spool.call(ctx, callKey{t, id})
		if err != nil {
			return c, fmt.Errorf("look for call %s in the spool: %w", id, err)
		}
		if found {
			return c, nil
		}
	}
	c, _, err := s.Call(ctx, t, id)
	return c, err
}

// call gives the record of a call that waits; found is false when it does not.
func (s *Spool) call(ctx context.Context, k callKey) (record pbx.CDR, found bool, err error) {
	from, to, err := s.waiting(ctx)
	if err != nil {
		return record, false, err
	}
	err = s.lines(from, to, func(line []byte) error {
		if t, c, _, err := parseLine(line); err == nil && k == (callKey{t, c.ID}) {
			record = c
			return errFound
		}
		return nil
	})
	if errors.Is(err, errFound) {
		return record, true, nil
	}
	return record, false, err
}
