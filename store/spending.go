package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"vpbx/pbx"
)

// spendingKept is how long what was spent in a day is kept: no zone is further
// behind.
const spendingKept = 48 * time.Hour

// AddSpending adds s.Amount, which may be negative, to what s.Who of a company has
// spent on a day. Sums do not depend on their order.
func (s *Store) AddSpending(ctx context.Context, t pbx.TenantID, p pbx.Spending) error {
	if t == "" || p.Day == "" {
		return &pbx.Error{Kind: pbx.Invalid, Msg: "spending without company or day"}
	}
	if p.Tenant != t {
		return mismatch("the spending")
	}
	err := s.writer.do(ctx, func(tx *txn) error {
		_, err := tx.exec(`INSERT INTO spending (tenant, who, day, amount) VALUES ($1, $2, $3, $4)
			ON CONFLICT (tenant, who, day) DO UPDATE SET amount = spending.amount + excluded.amount`,
			string(t), p.Who, p.Day, int64(p.Amount))
		return err
	})
	if err != nil {
		return fmt.Errorf("add spending of company %s: %w", p.Tenant, err)
	}
	return nil
}

// Spending gives what all companies have spent in the last days, each day by
// itself, and forgets what is older. It is asked once, at the start.
func (s *Store) Spending(ctx context.Context, at time.Time) ([]pbx.Spending, error) {
	oldest := at.UTC().Add(-spendingKept).Format(time.DateOnly)
	err := s.writer.do(ctx, func(tx *txn) error {
		_, err := tx.exec(`DELETE FROM spending WHERE day < $1`, oldest)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("forget old spending: %w", err)
	}
	var list []pbx.Spending
	err = s.rows(ctx, func(rows *sql.Rows) error {
		var p pbx.Spending
		var amount int64
		if err := rows.Scan(&p.Tenant, &p.Who, &p.Day, &amount); err != nil {
			return err
		}
		p.Amount = pbx.Money(amount)
		list = append(list, p)
		return nil
	}, `SELECT tenant, who, day, amount FROM spending ORDER BY tenant, who, day`)
	if err != nil {
		return nil, fmt.Errorf("read spending: %w", err)
	}
	return list, nil
}
