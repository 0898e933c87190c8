package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"vpbx/pbx"
)

// targetBody is what does not change of a target.
type targetBody struct {
	Name      string            `json:"name,omitempty"`
	Numbers   []string          `json:"numbers"`
	Variables map[string]string `json:"variables,omitempty"`
	Zone      string            `json:"zone,omitempty"`
	Consent   *pbx.Consent      `json:"consent,omitempty"`
	Line      int               `json:"line,omitempty"`
	Added     time.Time         `json:"added"`
}

// targetPast is what came of the attempts to a target that are over.
type targetPast struct {
	Tried map[string]int             `json:"tried,omitempty"`
	Came  map[pbx.AttemptOutcome]int `json:"came,omitempty"`
	Dead  map[string]pbx.HoldReason  `json:"dead,omitempty"`
}

// targetRow is a target as it is kept.
type targetRow struct {
	pbx.Target
	leaving bool // somebody took it out while it was dialled
}

const targetColumns = `id, key, state, reason, next, priority, attempts, turn, outcome, operator, updated, past, leaving, body`

// scan reads targetColumns.
func (r *targetRow) scan(rows *sql.Rows) error {
	var next, updated, leaving int64
	var text, past string
	err := rows.Scan(&r.ID, &r.Key, &r.State, &r.Reason, &next, &r.Priority, &r.Attempts, &r.Turn, &r.Outcome, &r.Operator, &updated,
		&past, &leaving, &text)
	if err != nil {
		return err
	}
	var b targetBody
	if err := json.Unmarshal([]byte(text), &b); err != nil {
		return fmt.Errorf("decode target %d: %w", r.ID, err)
	}
	if past != "" {
		var p targetPast
		if err := json.Unmarshal([]byte(past), &p); err != nil {
			return fmt.Errorf("decode the attempts to target %d: %w", r.ID, err)
		}
		r.Tried, r.Came, r.Dead = p.Tried, p.Came, p.Dead
	}
	r.Name, r.Numbers, r.Variables, r.Zone, r.Consent, r.Line, r.Added = b.Name, b.Numbers, b.Variables, b.Zone, b.Consent, b.Line, b.Added
	r.Next, r.Updated, r.leaving = fromMicros(next), fromMicros(updated), leaving != 0
	return nil
}

// scanTargets adds a row of targetColumns to a list.
func scanTargets(rows *sql.Rows, list *[]pbx.Target) error {
	var r targetRow
	if err := r.scan(rows); err != nil {
		return err
	}
	*list = append(*list, r.Target)
	return nil
}

// target reads a target of a campaign; found is false when there is none.
func (t *txn) target(tenant pbx.TenantID, campaign string, id int64) (r targetRow, found bool, err error) {
	err = t.query(func(rows *sql.Rows) error { found = true; return r.scan(rows) },
		`SELECT `+targetColumns+` FROM targets WHERE tenant = $1 AND campaign = $2 AND id = $3`, string(tenant), campaign, id)
	return r, found, err
}

// targetClass is what targets are counted by.
type targetClass struct {
	state   pbx.TargetState
	reason  pbx.HoldReason
	outcome pbx.AttemptOutcome
}

func classOf(t *pbx.Target) targetClass { return targetClass{t.State, t.Reason, t.Outcome} }

// tally is how the numbers of targets of a campaign change.
type tally map[targetClass]int

// putTarget writes what changes of a target, which was of class was.
func (t *txn) putTarget(tenant pbx.TenantID, campaign string, r *targetRow, was targetClass, counts tally) error {
	leaving, past := 0, ""
	if r.leaving {
		leaving = 1
	}
	if len(r.Tried)+len(r.Came)+len(r.Dead) > 0 {
		text, err := json.Marshal(targetPast{r.Tried, r.Came, r.Dead})
		if err != nil {
			return fmt.Errorf("encode the attempts to target %d: %w", r.ID, err)
		}
		past = string(text)
	}
	_, err := t.exec(`UPDATE targets SET state = $4, reason = $5, next = $6, attempts = $7, turn = $8, outcome = $9, operator = $10,
		updated = $11, leaving = $12, past = $13 WHERE tenant = $1 AND campaign = $2 AND id = $3`,
		string(tenant), campaign, r.ID, string(r.State), string(r.Reason), micros(r.Next), r.Attempts, r.Turn, string(r.Outcome), r.Operator,
		micros(r.Updated), leaving, past)
	counts[was]--
	counts[classOf(&r.Target)]++
	return err
}

// addCounts adds to the kept numbers of targets.
func (t *txn) addCounts(tenant pbx.TenantID, campaign string, counts tally) error {
	for c, n := range counts {
		if n == 0 {
			continue
		}
		if _, err := t.exec(`INSERT INTO target_counts (tenant, campaign, state, reason, outcome, amount) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (tenant, campaign, state, reason, outcome) DO UPDATE SET amount = target_counts.amount + excluded.amount`,
			string(tenant), campaign, string(c.state), string(c.reason), string(c.outcome), n); err != nil {
			return err
		}
	}
	return nil
}

// counts gives how many targets of a campaign there are of each class.
func (s *Store) counts(ctx context.Context, t pbx.TenantID, campaign string) (tally, error) {
	counts := tally{}
	err := s.rows(ctx, func(rows *sql.Rows) error {
		var c targetClass
		var n int
		if err := rows.Scan(&c.state, &c.reason, &c.outcome, &n); err != nil {
			return err
		}
		counts[c] = n
		return nil
	}, `SELECT state, reason, outcome, amount FROM target_counts WHERE tenant = $1 AND campaign = $2 AND amount <> 0`, string(t), column(campaign))
	if err != nil {
		return nil, fmt.Errorf("count targets of campaign %s of company %s: %w", campaign, t, err)
	}
	return counts, nil
}

// CountTargets counts the targets of a campaign by state; a state in which none is has no
// entry. It is quick however many there are.
func (s *Store) CountTargets(ctx context.Context, t pbx.TenantID, campaign string) (map[pbx.TargetState]int, error) {
	counts, err := s.counts(ctx, t, campaign)
	if err != nil {
		return nil, err
	}
	states := map[pbx.TargetState]int{}
	for c, n := range counts {
		states[c.state] += n
	}
	return states, nil
}

// DueTargets gives targets that wait and are due at a moment, those of the highest
// priority first, then those due first; limit at most. With none it gives when the next
// will be, the zero time when none waits.
func (s *Store) DueTargets(ctx context.Context, t pbx.TenantID, campaign string, at time.Time, limit int) ([]pbx.Target, time.Time, error) {
	defer s.metrics.time("due_targets")()
	limit = min(limit, maxLimit)
	var list []pbx.Target
	soonest := int64(math.MaxInt64)
	// Each priority by itself: of a high one thousands may wait for tomorrow.
	for priority := int64(math.MaxInt64); ; {
		var below, first sql.NullInt64
		err := s.readDB.QueryRowContext(ctx, `SELECT max(priority) FROM targets
			WHERE tenant = $1 AND campaign = $2 AND state = 'waiting' AND priority < $3`, string(t), campaign, priority).Scan(&below)
		if err != nil {
			return nil, time.Time{}, unavailable("read the priorities of targets", err)
		}
		if !below.Valid {
			break
		}
		priority = below.Int64
		err = s.rows(ctx, func(rows *sql.Rows) error { return scanTargets(rows, &list) },
			`SELECT `+targetColumns+` FROM targets WHERE tenant = $1 AND campaign = $2 AND state = 'waiting' AND priority = $3 AND next <= $4
			ORDER BY next, id LIMIT $5`, string(t), campaign, priority, micros(at), limit-len(list))
		if err != nil {
			return nil, time.Time{}, fmt.Errorf("read due targets of campaign %s of company %s: %w", campaign, t, err)
		}
		if len(list) >= limit {
			return list, time.Time{}, nil
		}
		err = s.readDB.QueryRowContext(ctx, `SELECT min(next) FROM targets
			WHERE tenant = $1 AND campaign = $2 AND state = 'waiting' AND priority = $3`, string(t), campaign, priority).Scan(&first)
		if err != nil {
			return nil, time.Time{}, unavailable("read when a target is due", err)
		}
		if first.Valid {
			soonest = min(soonest, first.Int64)
		}
	}
	if len(list) > 0 || soonest == math.MaxInt64 {
		return list, time.Time{}, nil
	}
	return nil, fromMicros(soonest), nil
}

// DeferTargets writes when targets that may not be called now are due again, or that they
// are over, and queues what the company's CRM is told of those. Those that no longer wait
// stay as they are.
func (s *Store) DeferTargets(ctx context.Context, t pbx.TenantID, campaign string, list []pbx.Deferral) error {
	for part := range slices.Chunk(list, portion) {
		err := s.writer.do(ctx, func(tx *txn) error {
			counts, at := tally{}, time.Now()
			for _, d := range part {
				r, found, err := tx.target(t, campaign, d.Target)
				if err != nil {
					return err
				}
				if !found || r.State != pbx.TargetWaiting {
					continue
				}
				was := classOf(&r.Target)
				r.State, r.Reason, r.Updated = d.State, d.Reason, at
				if d.State == pbx.TargetWaiting {
					r.Next = d.Next
				}
				if err := tx.putTarget(t, campaign, &r, was, counts); err != nil {
					return err
				}
				if err := s.tellTarget(tx, t, &r.Target, d.Notify); err != nil {
					return err
				}
			}
			return tx.addCounts(t, campaign, counts)
		})
		if err != nil {
			return fmt.Errorf("defer targets of campaign %s of company %s: %w", campaign, t, err)
		}
	}
	return nil
}

// ExpireTargets ends targets that still wait of a campaign that is over, as many as fit into
// one transaction, queues what the company's CRM is told of them, and gives how many it has
// ended: 0 when none is left.
func (s *Store) ExpireTargets(ctx context.Context, t pbx.TenantID, campaign string, at time.Time) (int, error) {
	ended := 0
	err := s.writer.do(ctx, func(tx *txn) error {
		ended = 0
		if status, err := tx.campaignStatus(t, campaign); err != nil || !status.Over() {
			return err // it was started again meanwhile
		}
		var list []targetRow
		err := tx.query(func(rows *sql.Rows) error {
			var r targetRow
			if err := r.scan(rows); err != nil {
				return err
			}
			list = append(list, r)
			return nil
		}, `SELECT `+targetColumns+` FROM targets WHERE tenant = $1 AND campaign = $2 AND state = 'waiting' ORDER BY id LIMIT $3`,
			string(t), campaign, s.portion(t))
		if err != nil {
			return err
		}
		counts := tally{}
		for i := range list {
			r := &list[i]
			was := classOf(&r.Target)
			r.State, r.Updated = pbx.TargetExpired, at
			if err := tx.putTarget(t, campaign, r, was, counts); err != nil {
				return err
			}
			if err := s.tellOver(tx, t, campaign, &r.Target); err != nil {
				return err
			}
		}
		ended = len(list)
		return tx.addCounts(t, campaign, counts)
	})
	if err != nil {
		return 0, fmt.Errorf("expire targets of campaign %s of company %s: %w", campaign, t, err)
	}
	return ended, nil
}
