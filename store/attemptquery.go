package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"vpbx/pbx"
)

// LeftAttempts gives the attempts of all companies that were begun and never settled. It
// is asked once, at the start.
func (s *Store) LeftAttempts(ctx context.Context) ([]pbx.Attempt, error) {
	var list []pbx.Attempt
	err := s.rows(ctx, func(rows *sql.Rows) error { return scanInto(rows, &list) },
		`SELECT body FROM attempts WHERE ended = 0 ORDER BY tenant, number`)
	if err != nil {
		return nil, fmt.Errorf("read attempts that were left: %w", err)
	}
	return list, nil
}

// Contacted gives the attempts to any of the numbers that began at a time or later, by all
// campaigns of the company, those that go on too, in the order in which they began.
func (s *Store) Contacted(ctx context.Context, t pbx.TenantID, numbers []string, since time.Time) ([]pbx.Contacted, error) {
	defer s.metrics.time("contacted")()
	var list []pbx.Contacted
	for i, number := range numbers {
		if slices.Contains(numbers[:i], number) {
			continue
		}
		err := s.rows(ctx, func(rows *sql.Rows) error {
			c := pbx.Contacted{Number: number}
			var began, ended int64
			if err := rows.Scan(&began, &ended, &c.Kind, &c.Mode, &c.Outcome, &c.Answerer); err != nil {
				return err
			}
			c.At = fromMicros(began)
			if ended != 0 {
				c.Ended = fromMicros(ended)
			}
			list = append(list, c)
			return nil
		}, `SELECT began, ended, kind, mode, outcome, answerer FROM attempts WHERE tenant = $1 AND number = $2 AND began >= $3 ORDER BY began`,
			string(t), column(number), micros(since))
		if err != nil {
			return nil, fmt.Errorf("read earlier attempts of company %s: %w", t, err)
		}
	}
	slices.SortStableFunc(list, func(x, y pbx.Contacted) int { return x.At.Compare(y.At) })
	return list, nil
}

// Abandonment counts the live answers of a campaign in attempts that began at a time or
// later, and those of them that were abandoned.
func (s *Store) Abandonment(ctx context.Context, t pbx.TenantID, campaign string, since time.Time) (live, abandoned int, err error) {
	defer s.metrics.time("abandonment")()
	scan := func(rows *sql.Rows) error {
		var outcome pbx.AttemptOutcome
		var n int
		err := rows.Scan(&outcome, &n)
		if outcome.Live() {
			live += n
		}
		if outcome == pbx.AttemptAbandoned {
			abandoned += n
		}
		return err
	}
	first, last, rest := whole(span(since, time.Time{}))
	err = s.rows(ctx, scan, `SELECT outcome, sum(amount) FROM attempt_hours WHERE tenant = $1 AND campaign = $2 AND hour >= $3 AND hour < $4 GROUP BY outcome`,
		string(t), column(campaign), first, last)
	for _, part := range rest {
		if err == nil {
			err = s.rows(ctx, scan, `SELECT outcome, count(*) FROM attempts WHERE tenant = $1 AND campaign = $2 AND began >= $3 AND began < $4 GROUP BY outcome`,
				string(t), column(campaign), part[0], part[1])
		}
	}
	if err != nil {
		return 0, 0, fmt.Errorf("count abandoned calls of campaign %s of company %s: %w", campaign, t, err)
	}
	return live, abandoned, nil
}

// Attempts gives the attempts to a target in their order, of which it has as many as the
// campaign allows.
func (s *Store) Attempts(ctx context.Context, t pbx.TenantID, campaign string, target int64) ([]pbx.Attempt, error) {
	list := []pbx.Attempt{}
	err := s.rows(ctx, func(rows *sql.Rows) error { return scanInto(rows, &list) },
		`SELECT body FROM attempts WHERE tenant = $1 AND campaign = $2 AND target = $3 ORDER BY n LIMIT $4`,
		string(t), column(campaign), target, maxLimit)
	if err != nil {
		return nil, fmt.Errorf("read attempts to target %d of company %s: %w", target, t, err)
	}
	return list, nil
}
