package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"vpbx/pbx"
)

// Bounds of the histories of a company.
const (
	maxHistories        = 100 // that are kept
	maxWaitingHistories = 10  // of them not made yet
)

// OrderHistory keeps the order of a history, whose state is HistoryWaiting. The error
// is a Conflict when the company has ordered the same, it is still kept and did not
// fail; its Field is the id of that order. It is Limit when the company has too many.
func (s *Store) OrderHistory(ctx context.Context, t pbx.TenantID, h pbx.History) error {
	if h.Tenant != t {
		return mismatch("the history")
	}
	body, err := json.Marshal(h)
	if err != nil {
		return fmt.Errorf("encode history %s: %w", h.ID, err)
	}
	err = s.writer.do(ctx, func(tx *txn) error {
		if err := tx.there(t); err != nil {
			return err
		}
		if _, err := tx.exec(`DELETE FROM histories WHERE tenant = $1 AND wanted = $2 AND state = $3`,
			string(t), h.Wants(), string(pbx.HistoryFailed)); err != nil {
			return err
		}
		same, all, waiting := "", 0, 0
		err := tx.query(func(rows *sql.Rows) error {
			var id, wanted string
			var state pbx.HistoryState
			if err := rows.Scan(&id, &wanted, &state); err != nil {
				return err
			}
			all++
			if state == pbx.HistoryWaiting {
				waiting++
			}
			if wanted == h.Wants() {
				same = id
			}
			return nil
		}, `SELECT id, wanted, state FROM histories WHERE tenant = $1`, string(t))
		switch {
		case err != nil:
			return err
		case same != "":
			return &pbx.Error{Kind: pbx.Conflict, Field: same, Msg: "a history of that period is ordered already"}
		case all >= maxHistories || waiting >= maxWaitingHistories:
			return &pbx.Error{Kind: pbx.Limit, Msg: fmt.Sprintf("%d histories are kept and %d wait: no more are taken", all, waiting)}
		}
		_, err = tx.exec(`INSERT INTO histories (tenant, id, wanted, state, ordered, body) VALUES ($1, $2, $3, $4, $5, $6)`,
			string(t), h.ID, h.Wants(), string(h.State), micros(h.Ordered), string(body))
		return err
	})
	if err != nil {
		return fmt.Errorf("order a history: %w", err)
	}
	return nil
}

// History gives an order of the company, a NotFound error when it has none of that id.
func (s *Store) History(ctx context.Context, t pbx.TenantID, id string) (pbx.History, error) {
	return s.history(s.readDB.QueryRowContext(ctx, `SELECT body FROM histories WHERE tenant = $1 AND id = $2`, string(t), id))
}

// NextHistory gives the oldest order that waits, of all companies, a NotFound error
// when none does.
func (s *Store) NextHistory(ctx context.Context) (pbx.History, error) {
	return s.history(s.readDB.QueryRowContext(ctx, `SELECT body FROM histories WHERE state = $1 ORDER BY ordered, id LIMIT 1`, string(pbx.HistoryWaiting)))
}

func (s *Store) history(row *sql.Row) (pbx.History, error) {
	var h pbx.History
	var body string
	if err := row.Scan(&body); err != nil {
		return h, found(err, "history")
	}
	if err := json.Unmarshal([]byte(body), &h); err != nil {
		return h, fmt.Errorf("decode a history: %w", err)
	}
	return h, nil
}

// FinishHistory keeps what became of an order that waited, and tells the CRM of the
// company, in one transaction. One that does not wait any more, or was forgotten, is
// left as it is.
func (s *Store) FinishHistory(ctx context.Context, t pbx.TenantID, h pbx.History) error {
	if h.Tenant != t {
		return mismatch("the history")
	}
	body, err := json.Marshal(h)
	if err != nil {
		return fmt.Errorf("encode history %s: %w", h.ID, err)
	}
	n := pbx.Notification{Seq: 1, Kind: pbx.NotifyHistory, At: time.Now(), Order: h.ID}
	if h.State != pbx.HistoryReady {
		n.Result = 1
	}
	err = s.writer.do(ctx, func(tx *txn) error {
		changed, err := tx.exec(`UPDATE histories SET state = $1, body = $2 WHERE tenant = $3 AND id = $4 AND state = $5`,
			string(h.State), string(body), string(t), h.ID, string(pbx.HistoryWaiting))
		if err != nil || changed == 0 {
			return err
		}
		if c := s.Directory().Company(t); c == nil || !c.CRM.InUse() {
			return nil
		}
		return s.enqueue(tx, t, "history-"+h.ID, n)
	})
	if err != nil {
		return fmt.Errorf("finish history %s: %w", h.ID, err)
	}
	return nil
}

// LoseHistory says of an order of the company that its file is gone: it has failed,
// and the same can be ordered again.
func (s *Store) LoseHistory(ctx context.Context, t pbx.TenantID, id string) error {
	err := s.writer.do(ctx, func(tx *txn) error {
		_, err := tx.exec(`UPDATE histories SET state = $1 WHERE tenant = $2 AND id = $3 AND state = $4`,
			string(pbx.HistoryFailed), string(t), id, string(pbx.HistoryReady))
		return err
	})
	if err != nil {
		return fmt.Errorf("lose history %s: %w", id, err)
	}
	return nil
}

// ForgetHistories forgets the orders of all companies from before a time.
func (s *Store) ForgetHistories(ctx context.Context, before time.Time) error {
	err := s.writer.do(ctx, func(tx *txn) error {
		_, err := tx.exec(`DELETE FROM histories WHERE ordered < $1`, micros(before))
		return err
	})
	if err != nil {
		return fmt.Errorf("forget histories: %w", err)
	}
	return nil
}
