package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"vpbx/pbx"
)

// How much of what passes between a company and its CRM is kept. KeepExchanges is
// what the sweeper is told.
const (
	KeepExchanges    = 7 * 24 * time.Hour
	maxExchanges     = 1000     // of a company
	maxExchangeBytes = 16 << 20 // likewise, as JSON
)

// AddExchanges keeps exchanges of a company, in their order, and forgets the oldest
// where they are too many or too large. Each is given an id. A company that is gone
// keeps nothing. The last of them may be lost with the power.
func (s *Store) AddExchanges(ctx context.Context, t pbx.TenantID, list []pbx.Exchange) error {
	err := s.writer.doLossy(ctx, func(tx *txn) error {
		if s.Directory().Company(t) == nil {
			return nil
		}
		var last int64
		err := tx.query(func(rows *sql.Rows) error { return rows.Scan(&last) },
			`SELECT coalesce(max(id), 0) FROM exchanges WHERE tenant = $1`, string(t))
		if err != nil {
			return err
		}
		for _, e := range list {
			// By the time, so that ids rise also after the log was cleared.
			last = max(last+1, micros(time.Now()))
			e.ID = last
			body, err := json.Marshal(e)
			if err != nil {
				return fmt.Errorf("encode an exchange: %w", err)
			}
			if _, err := tx.exec(`INSERT INTO exchanges (tenant, id, at, direction, method, bytes, body) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
				string(t), e.ID, micros(e.At), string(e.Direction), column(e.Method), len(body), string(body)); err != nil {
				return err
			}
		}
		return tx.trimExchanges(t)
	})
	if err != nil {
		return fmt.Errorf("keep exchanges of company %s: %w", t, err)
	}
	return nil
}

// trimExchanges forgets the oldest exchanges of a company that are beyond its bounds.
func (t *txn) trimExchanges(tenant pbx.TenantID) error {
	var rows, bytes, keep int64
	err := t.query(func(r *sql.Rows) error {
		var id, n int64
		if err := r.Scan(&id, &n); err != nil {
			return err
		}
		rows, bytes = rows+1, bytes+n
		if rows <= maxExchanges && bytes <= maxExchangeBytes {
			keep = id
		}
		return nil
	}, `SELECT id, bytes FROM exchanges WHERE tenant = $1 ORDER BY id DESC`, string(tenant))
	if err != nil || rows <= maxExchanges && bytes <= maxExchangeBytes {
		return err
	}
	_, err = t.exec(`DELETE FROM exchanges WHERE tenant = $1 AND id < $2`, string(tenant), keep)
	return err
}

// Exchanges gives the exchanges of a company that q selects, newest first, and the
// cursor of the next page, "" when there is none.
func (s *Store) Exchanges(ctx context.Context, t pbx.TenantID, q pbx.ExchangeQuery) ([]pbx.Exchange, string, error) {
	var w where
	w.and(`tenant = ?`, string(t))
	if q.Method != "" {
		if !slices.Contains(pbx.ExchangeMethods, q.Method) {
			return nil, "", &pbx.Error{Kind: pbx.Invalid, Field: "method", Msg: "no such method"}
		}
		w.and(`method = ?`, q.Method)
	}
	if q.Direction != "" {
		w.and(`direction = ?`, string(q.Direction))
	}
	if q.After > 0 {
		w.and(`id > ?`, q.After)
	}
	if q.Cursor != "" {
		before, err := strconv.ParseInt(q.Cursor, 10, 64)
		if err != nil || strconv.FormatInt(before, 10) != q.Cursor {
			return nil, "", &pbx.Error{Kind: pbx.Invalid, Field: "cursor", Msg: "not a cursor of this list"}
		}
		w.and(`id < ?`, before)
	}
	limit := min(max(q.Limit, 0), maxLimit)
	if limit == 0 {
		limit = defaultLimit
	}
	list := []pbx.Exchange{}
	err := s.rows(ctx, func(rows *sql.Rows) error {
		var id int64
		var body string
		var e pbx.Exchange
		if err := rows.Scan(&id, &body); err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(body), &e); err != nil {
			return fmt.Errorf("decode exchange %d: %w", id, err)
		}
		list = append(list, e)
		return nil
	}, fmt.Sprintf(`SELECT id, body FROM exchanges WHERE %s ORDER BY id DESC LIMIT %d`, w.text(), limit+1), w.args...)
	if err != nil {
		return nil, "", fmt.Errorf("read exchanges of company %s: %w", t, err)
	}
	if len(list) <= limit {
		return list, "", nil
	}
	return list[:limit], strconv.FormatInt(list[limit-1].ID, 10), nil
}

// ClearExchanges forgets all exchanges of a company and gives their number.
func (s *Store) ClearExchanges(ctx context.Context, t pbx.TenantID) (int, error) {
	var n int64
	err := s.writer.do(ctx, func(tx *txn) (err error) {
		n, err = tx.exec(`DELETE FROM exchanges WHERE tenant = $1`, string(t))
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("clear the exchanges of company %s: %w", t, err)
	}
	return int(n), nil
}

// SweepExchanges forgets the exchanges of all companies from before a time, and that
// somebody was debugging who is no longer.
func (s *Store) SweepExchanges(ctx context.Context, before time.Time) error {
	err := s.writer.do(ctx, func(tx *txn) error {
		if _, err := tx.exec(`DELETE FROM exchanges WHERE at < $1`, micros(before)); err != nil {
			return err
		}
		_, err := tx.exec(`DELETE FROM debugging WHERE until < $1`, micros(time.Now()))
		return err
	})
	if err != nil {
		return fmt.Errorf("sweep the exchanges: %w", err)
	}
	return nil
}

// SetDebugging notes until when all exchanges of a company are kept; the zero time:
// no longer.
func (s *Store) SetDebugging(ctx context.Context, t pbx.TenantID, until time.Time) error {
	err := s.writer.do(ctx, func(tx *txn) error {
		if until.IsZero() {
			_, err := tx.exec(`DELETE FROM debugging WHERE tenant = $1`, string(t))
			return err
		}
		if s.Directory().Company(t) == nil {
			return &pbx.Error{Kind: pbx.NotFound, Msg: "no such company"}
		}
		_, err := tx.exec(`INSERT INTO debugging (tenant, until) VALUES ($1, $2)
			ON CONFLICT (tenant) DO UPDATE SET until = excluded.until`, string(t), micros(until))
		return err
	})
	if err != nil {
		return fmt.Errorf("set debugging of company %s: %w", t, err)
	}
	return nil
}

// Debugging gives until when all exchanges of each company are kept. It is asked
// once, at the start.
func (s *Store) Debugging(ctx context.Context) (map[pbx.TenantID]time.Time, error) {
	all := map[pbx.TenantID]time.Time{}
	err := s.rows(ctx, func(rows *sql.Rows) error {
		var t pbx.TenantID
		var until int64
		if err := rows.Scan(&t, &until); err != nil {
			return err
		}
		all[t] = fromMicros(until)
		return nil
	}, `SELECT tenant, until FROM debugging`)
	if err != nil {
		return nil, fmt.Errorf("read who is debugging: %w", err)
	}
	return all, nil
}
