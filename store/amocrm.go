package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"vpbx/pbx"
)

const (
	keepSteps    = 45 * 24 * time.Hour // longer than what was given up can be sent again
	maxAmoStates = 50                  // of a company
	maxAllStates = 10_000
)

// AmoSteps gives what was done in amoCRM because of a call.
func (s *Store) AmoSteps(ctx context.Context, t pbx.TenantID, call pbx.CallID) ([]pbx.AmoStep, error) {
	var all []pbx.AmoStep
	err := s.rows(ctx, func(rows *sql.Rows) error {
		var step pbx.AmoStep
		var begun, done int64
		if err := rows.Scan(&step.Name, &begun, &done, &step.ID, &step.Note); err != nil {
			return err
		}
		step.Begun, step.Done = fromMicros(begun), done != 0
		all = append(all, step)
		return nil
	}, `SELECT name, begun, done, id, note FROM amo_steps WHERE tenant = $1 AND call = $2 ORDER BY begun, name`, string(t), string(call))
	if err != nil {
		return nil, fmt.Errorf("read the steps of call %s: %w", call, err)
	}
	return all, nil
}

// SaveAmoStep notes how far a step is. When it was first begun stays; one that is
// done is not undone.
func (s *Store) SaveAmoStep(ctx context.Context, t pbx.TenantID, call pbx.CallID, step pbx.AmoStep) error {
	done := int64(0)
	if step.Done {
		done = 1
	}
	err := s.writer.do(ctx, func(tx *txn) error {
		_, err := tx.exec(`INSERT INTO amo_steps (tenant, call, name, begun, done, id, note) VALUES ($1, $2, $3, $4, $5, $6, $7)
			ON CONFLICT (tenant, call, name) DO UPDATE SET done = excluded.done, id = excluded.id, note = excluded.note WHERE amo_steps.done = 0`,
			string(t), string(call), step.Name, micros(step.Begun), done, step.ID, column(step.Note))
		return err
	})
	if err != nil {
		return fmt.Errorf("note step %s of call %s: %w", step.Name, call, err)
	}
	return nil
}

// SweepAmo forgets what was done because of calls long ago, and links that were
// asked for and never made.
func (s *Store) SweepAmo(ctx context.Context, now time.Time) error {
	err := s.writer.do(ctx, func(tx *txn) error {
		if _, err := tx.exec(`DELETE FROM amo_steps WHERE begun < $1`, micros(now.Add(-keepSteps))); err != nil {
			return err
		}
		_, err := tx.exec(`DELETE FROM amo_states WHERE expires <= $1`, micros(now))
		return err
	})
	if err != nil {
		return fmt.Errorf("forget old steps in amoCRM: %w", err)
	}
	return nil
}

// AddAmoState keeps a link that a company asks for. Too many at once are a Limit.
func (s *Store) AddAmoState(ctx context.Context, t pbx.TenantID, state pbx.AmoState) error {
	if state.Tenant != t {
		return mismatch("the link")
	}
	if !tokenHash.MatchString(state.Hash) {
		return &pbx.Error{Kind: pbx.Invalid, Field: "hash", Msg: "not the hex form of a SHA-256"}
	}
	body, err := json.Marshal(state)
	if err != nil {
		return fmt.Errorf("encode the link: %w", err)
	}
	return s.writer.do(ctx, func(tx *txn) error {
		if _, err := tx.exec(`DELETE FROM amo_states WHERE expires <= $1`, micros(time.Now())); err != nil {
			return err
		}
		var own, all int
		if err := tx.query(func(rows *sql.Rows) error { return rows.Scan(&own, &all) },
			`SELECT count(CASE WHEN tenant = $1 THEN 1 END), count(*) FROM amo_states`, string(t)); err != nil {
			return err
		}
		if own >= maxAmoStates || all >= maxAllStates {
			return &pbx.Error{Kind: pbx.Limit, Msg: "too many links to amoCRM were asked for; wait ten minutes"}
		}
		_, err := tx.exec(`INSERT INTO amo_states (hash, tenant, body, expires) VALUES ($1, $2, $3, $4)`,
			state.Hash, string(t), string(body), micros(state.Expires))
		return err
	})
}

// TakeAmoState gives a link that was asked for, once: a NotFound error when there is
// none of that hash, or when it has expired.
func (s *Store) TakeAmoState(ctx context.Context, hash string, now time.Time) (pbx.AmoState, error) {
	var state pbx.AmoState
	err := s.writer.do(ctx, func(tx *txn) error {
		state = pbx.AmoState{}
		var body string
		if err := tx.query(func(rows *sql.Rows) error { return rows.Scan(&body) },
			`SELECT body FROM amo_states WHERE hash = $1 AND expires > $2`, hash, micros(now)); err != nil {
			return err
		}
		if body == "" {
			return &pbx.Error{Kind: pbx.NotFound, Msg: "nobody asked for this link, or it was used or has expired"}
		}
		if err := json.Unmarshal([]byte(body), &state); err != nil {
			return fmt.Errorf("decode the link: %w", err)
		}
		_, err := tx.exec(`DELETE FROM amo_states WHERE hash = $1`, hash)
		return err
	})
	if err != nil { // and state is not ours to read: who stops waiting does not stop the writer
		return pbx.AmoState{}, err
	}
	return state, nil
}
