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
	callbacksKept = 90 * 24 * time.Hour // after they were asked for
	maxCallbacks  = 1000                // of one list
)

// SaveAgent keeps the state of an agent unless one of a later version is kept, or the
// company was removed.
func (s *Store) SaveAgent(ctx context.Context, t pbx.TenantID, a pbx.AgentState) error {
	if t == "" || a.Number == "" {
		return &pbx.Error{Kind: pbx.Invalid, Msg: "an agent without company or number"}
	}
	if a.Tenant != t {
		return mismatch("the agent")
	}
	body, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("encode agent %s: %w", a.Number, err)
	}
	err = s.writer.do(ctx, func(tx *txn) error {
		if _, err := tx.exec(`INSERT INTO agents (tenant, number, version, body)
			SELECT $1, $2, $3, $4 WHERE EXISTS (SELECT 1 FROM company_rows WHERE tenant = $1)
			ON CONFLICT (tenant, number) DO UPDATE SET version = excluded.version, body = excluded.body
			WHERE excluded.version > agents.version`, string(t), a.Number, a.Version, string(body)); err != nil {
			return err
		}
		return saveAgentState(tx, t, a, string(body))
	})
	if err != nil {
		return fmt.Errorf("save agent %s of company %s: %w", a.Number, t, err)
	}
	return nil
}

// Agents gives what the agents of all companies have said. It is asked once, at the
// start.
func (s *Store) Agents(ctx context.Context) ([]pbx.AgentState, error) {
	var list []pbx.AgentState
	err := s.rows(ctx, func(rows *sql.Rows) error { return scanInto(rows, &list) },
		`SELECT body FROM agents ORDER BY tenant, number`)
	if err != nil {
		return nil, fmt.Errorf("read agents: %w", err)
	}
	return list, nil
}

// SaveCallback keeps a callback as it is now. One that is over stays so; a company that
// was removed has none.
func (s *Store) SaveCallback(ctx context.Context, t pbx.TenantID, c pbx.CallbackOrder) error {
	if t == "" || c.ID == "" {
		return &pbx.Error{Kind: pbx.Invalid, Msg: "a callback without company or id"}
	}
	if c.Tenant != t {
		return mismatch("the callback")
	}
	body, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("encode callback %s: %w", c.ID, err)
	}
	err = s.writer.do(ctx, func(tx *txn) error {
		_, err := tx.exec(`INSERT INTO callbacks (tenant, id, queue, asked, state, body)
			SELECT $1, $2, $3, $4, $5, $6 WHERE EXISTS (SELECT 1 FROM company_rows WHERE tenant = $1)
			ON CONFLICT (tenant, id) DO UPDATE SET state = excluded.state, body = excluded.body
			WHERE callbacks.state IN ('waiting', 'dialling')`,
			string(t), c.ID, c.Queue, micros(c.Asked), string(c.State), string(body))
		return err
	})
	if err != nil {
		return fmt.Errorf("save callback %s of company %s: %w", c.ID, t, err)
	}
	return nil
}

// OpenCallbacks gives the callbacks of all companies that are not over, the oldest first,
// and forgets those that were over long ago, and old times of agents. It is asked once, at the start.
func (s *Store) OpenCallbacks(ctx context.Context, at time.Time) ([]pbx.CallbackOrder, error) {
	err := s.writer.do(ctx, func(tx *txn) error {
		_, err := tx.exec(`DELETE FROM callbacks WHERE asked < $1 AND state NOT IN ('waiting', 'dialling')`, micros(at.Add(-callbacksKept)))
		if err != nil {
			return err
		}
		return forgetAgentTimes(tx, at)
	})
	if err != nil {
		return nil, fmt.Errorf("forget old callbacks and times of agents: %w", err)
	}
	var list []pbx.CallbackOrder
	err = s.rows(ctx, func(rows *sql.Rows) error { return scanInto(rows, &list) },
		`SELECT body FROM callbacks WHERE state IN ('waiting', 'dialling') ORDER BY asked, id`)
	if err != nil {
		return nil, fmt.Errorf("read callbacks: %w", err)
	}
	return list, nil
}

// Callbacks gives the callbacks that were asked for in a queue of the company from since
// until, the newest first, a thousand at most.
func (s *Store) Callbacks(ctx context.Context, t pbx.TenantID, queue string, since, until time.Time) ([]pbx.CallbackOrder, error) {
	defer s.metrics.time("callbacks")()
	var list []pbx.CallbackOrder
	err := s.rows(ctx, func(rows *sql.Rows) error { return scanInto(rows, &list) },
		`SELECT body FROM callbacks WHERE tenant = $1 AND queue = $2 AND asked >= $3 AND asked < $4 ORDER BY asked DESC, id DESC LIMIT $5`,
		string(t), queue, micros(since), micros(until), maxCallbacks)
	if err != nil {
		return nil, fmt.Errorf("read callbacks of company %s: %w", t, err)
	}
	return list, nil
}

// QueueVisits calls f with each time that a caller has spent in a queue of the company, of
// those who came from since until and whose calls are over, in the order in which they came.
func (s *Store) QueueVisits(ctx context.Context, t pbx.TenantID, queue string, since, until time.Time, f func(pbx.InQueue)) error {
	defer s.metrics.time("queue_visits")()
	err := s.rows(ctx, func(rows *sql.Rows) error {
		var one []pbx.InQueue
		if err := scanInto(rows, &one); err != nil {
			return err
		}
		f(one[0])
		return nil
	}, `SELECT body FROM queue_visits WHERE tenant = $1 AND queue = $2 AND entered >= $3 AND entered < $4 ORDER BY entered, call, nth`,
		string(t), queue, micros(since), micros(until))
	if err != nil {
		return fmt.Errorf("read visits of queue %s of company %s: %w", queue, t, err)
	}
	return nil
}

// scanInto adds the JSON of a row to a list.
func scanInto[T any](rows *sql.Rows, list *[]T) error {
	var body string
	var v T
	if err := rows.Scan(&body); err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		return fmt.Errorf("decode: %w", err)
	}
	*list = append(*list, v)
	return nil
}

// saveQueues writes the times that the call has spent in queues.
func (r *record) saveQueues(tx *txn) error {
	for i, v := range r.Queues {
		body, err := json.Marshal(v)
		if err != nil {
			return fmt.Errorf("encode the time in queue %s: %w", v.Number, err)
		}
		if _, err := tx.exec(`INSERT INTO queue_visits (tenant, queue, entered, call, nth, body) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (tenant, queue, entered, call, nth) DO NOTHING`,
			string(r.Tenant), column(v.Number), micros(v.Entered), string(r.ID), i, string(body)); err != nil {
			return err
		}
	}
	return nil
}
