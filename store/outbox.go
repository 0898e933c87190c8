package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"vpbx/pbx"
)

// How much is given up and still kept.
const (
	keepDead = 30 * 24 * time.Hour
	maxDead  = 100_000 // of a company
)

// journaled gives how many events of an open call are told already.
func (t *txn) journaled(k callKey) (told int, err error) {
	err = t.query(func(rows *sql.Rows) error { return rows.Scan(&told) },
		`SELECT told FROM journal WHERE tenant = $1 AND call = $2`, string(k.tenant), string(k.call))
	return told, err
}

// tell puts what a CRM is to be told of a call, behind the first told of it,
// into the outbox, and gives how many are told now. It does so in the
// transaction in which the trace, or the record, is written.
func (s *Store) tell(tx *txn, k callKey, trace []pbx.CallEvent, record *pbx.CDR, told int) (int, error) {
	company := s.Directory().Company(k.tenant)
	if company == nil || !company.CRM.InUse() {
		return told, nil
	}
	notices := pbx.Notifications(k.call, trace, record)
	for _, n := range notices[min(told, len(notices)):] {
		if !company.CRM.Wants(n.Kind) {
			continue
		}
		if err := s.enqueue(tx, k.tenant, string(k.call), n); err != nil {
			return told, err
		}
	}
	return max(told, len(notices)), nil
}

// enqueue puts one event into the outbox; one that is there stays as it is.
func (s *Store) enqueue(tx *txn, t pbx.TenantID, call string, n pbx.Notification) error {
	body, err := json.Marshal(n)
	if _, ok := errors.AsType[*json.UnsupportedValueError](err); ok && n.Record != nil { // as in encodeCall
		clean, _ := finite(*n.Record, nil)
		n.Record = &clean
		body, err = json.Marshal(n)
	}
	if err != nil {
		return fmt.Errorf("encode event %d of %s: %w", n.Seq, call, err)
	}
	added, err := tx.exec(`INSERT INTO outbox (tenant, call, seq, kind, body, created, tries, next)
		VALUES ($1, $2, $3, $4, $5, $6, 0, $6) ON CONFLICT (tenant, call, seq) DO NOTHING`,
		string(t), call, n.Seq, string(n.Kind), string(body), micros(time.Now()))
	if err != nil || added == 0 {
		return err
	}
	tx.after = append(tx.after, func() {
		s.metrics.outbox.Inc()
		s.queued(t)
	})
	return nil
}

// QueueNotification keeps an event that is about no call, such as a history that is
// ready, until the CRM of the company has it. name tells it from others; what
// was queued under the same name before stays as it is.
func (s *Store) QueueNotification(ctx context.Context, t pbx.TenantID, name string, n pbx.Notification) error {
	if t == "" || name == "" {
		return &pbx.Error{Kind: pbx.Invalid, Msg: "an event without company or name"}
	}
	err := s.writer.do(ctx, func(tx *txn) error { return s.enqueue(tx, t, name, n) })
	if err != nil {
		return fmt.Errorf("queue event %s: %w", name, err)
	}
	return nil
}

// OutboxPending counts the events that wait to be delivered, of all companies.
func (s *Store) OutboxPending(ctx context.Context) (int, error) {
	var n int
	if err := s.readDB.QueryRowContext(ctx, `SELECT count(*) FROM outbox WHERE dead = 0`).Scan(&n); err != nil {
		return 0, unavailable("count the outbox", err)
	}
	return n, nil
}

// OutboxOldest gives when the oldest event that waits was queued; the zero time
// when none does.
func (s *Store) OutboxOldest(ctx context.Context) (time.Time, error) {
	var oldest sql.NullInt64
	if err := s.readDB.QueryRowContext(ctx, `SELECT min(created) FROM outbox WHERE dead = 0`).Scan(&oldest); err != nil {
		return time.Time{}, unavailable("ask for the oldest event", err)
	}
	if !oldest.Valid {
		return time.Time{}, nil
	}
	return fromMicros(oldest.Int64), nil
}

// OutboxTenants lists the companies of which events wait. It steps from company
// to company, however many events each has.
func (s *Store) OutboxTenants(ctx context.Context) ([]pbx.TenantID, error) {
	var all []pbx.TenantID
	for last := ""; ; {
		var next sql.NullString
		var waits bool
		err := s.readDB.QueryRowContext(ctx, `SELECT t.tenant, EXISTS (SELECT 1 FROM outbox o WHERE o.tenant = t.tenant AND o.dead = 0)
			FROM (SELECT min(tenant) AS tenant FROM outbox WHERE tenant > $1) t`, last).Scan(&next, &waits)
		if err != nil {
			return nil, fmt.Errorf("list companies with events: %w", unavailable("read the outbox", err))
		}
		if !next.Valid {
			return all, nil
		}
		if last = next.String; waits {
			all = append(all, pbx.TenantID(last))
		}
	}
}

const (
	deliveryColumns = `o.call, o.seq, o.kind, o.body, o.created, o.tries, o.next, o.dead, o.tried, o.strikes, o.error`

	// first is the condition that no earlier event of the call waits.
	first = ` AND NOT EXISTS (SELECT 1 FROM outbox p WHERE p.tenant = o.tenant AND p.call = o.call AND p.seq < o.seq AND p.dead = 0)`
)

// deliveries reads what a query of deliveryColumns gives.
func (s *Store) deliveries(ctx context.Context, query string, args ...any) ([]pbx.Delivery, error) {
	list := []pbx.Delivery{}
	err := s.rows(ctx, func(rows *sql.Rows) error {
		var d pbx.Delivery
		var body string
		var created, next, dead, tried int64
		if err := rows.Scan(&d.Call, &d.Seq, &d.Event, &body, &created, &d.Tries, &next, &dead, &tried, &d.Strikes, &d.Error); err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(body), &d.Notification); err != nil {
			return fmt.Errorf("decode event %d of %s: %w", d.Seq, d.Call, err)
		}
		d.ID, d.Created, d.State = pbx.DeliveryID(d.Call, d.Seq), fromMicros(created), pbx.DeliveryPending
		if tried != 0 {
			at := fromMicros(tried)
			d.Tried = &at
		}
		if at := fromMicros(next); dead == 0 {
			d.Next = &at
		} else {
			d.State = pbx.DeliveryDead
		}
		list = append(list, d)
		return nil
	}, query, args...)
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	return list, nil
}

// DueNotifications gives of each call of the company the first event that waits, when
// it is due, the longest due first; limit at most. Those about targets of campaigns come
// behind the others: of them a million may wait, and nobody waits for them.
func (s *Store) DueNotifications(ctx context.Context, t pbx.TenantID, now time.Time, limit int) ([]pbx.Delivery, error) {
	const due = `SELECT ` + deliveryColumns + ` FROM outbox o WHERE o.tenant = $1 AND o.dead = 0 AND o.next <= $2` + first
	const sorted = ` ORDER BY o.next, o.call LIMIT $3`
	list, err := s.deliveries(ctx, due+` AND o.kind <> 'target'`+sorted, string(t), micros(now), limit)
	if err != nil || len(list) >= limit {
		return list, err
	}
	targets, err := s.deliveries(ctx, due+` AND o.kind = 'target'`+sorted, string(t), micros(now), limit-len(list))
	return append(list, targets...), err
}

// CallNotifications gives the events of one call that wait, in their order; limit at
// most.
func (s *Store) CallNotifications(ctx context.Context, t pbx.TenantID, call string, limit int) ([]pbx.Delivery, error) {
	return s.deliveries(ctx, `SELECT `+deliveryColumns+` FROM outbox o WHERE o.tenant = $1 AND o.call = $2 AND o.dead = 0
		ORDER BY o.seq LIMIT $3`, string(t), call, limit)
}

// NextNotification gives when DueNotifications will have something, the zero time when
// nothing waits.
func (s *Store) NextNotification(ctx context.Context, t pbx.TenantID) (time.Time, error) {
	list, err := s.deliveries(ctx, `SELECT `+deliveryColumns+` FROM outbox o WHERE o.tenant = $1 AND o.dead = 0`+first+`
		ORDER BY o.next, o.call LIMIT 1`, string(t))
	if err != nil || len(list) == 0 {
		return time.Time{}, err
	}
	return *list[0].Next, nil
}

// SettleNotifications notes what came of tries: what is done is forgotten.
func (s *Store) SettleNotifications(ctx context.Context, t pbx.TenantID, list []pbx.Settled) error {
	return s.writer.do(ctx, func(tx *txn) error {
		gone := int64(0)
		for _, d := range list {
			var n int64
			var err error
			switch {
			case d.Done:
				n, err = tx.exec(`DELETE FROM outbox WHERE tenant = $1 AND call = $2 AND seq = $3 AND dead = 0`, string(t), d.Call, d.Seq)
			case d.Dead:
				n, err = tx.exec(`UPDATE outbox SET dead = 1, tries = tries + 1, tried = $4, strikes = $5, error = $6
					WHERE tenant = $1 AND call = $2 AND seq = $3 AND dead = 0`, string(t), d.Call, d.Seq, micros(d.At), d.Strikes, column(d.Error))
			default:
				_, err = tx.exec(`UPDATE outbox SET tries = tries + 1, tried = $4, strikes = $5, error = $6, next = $7
					WHERE tenant = $1 AND call = $2 AND seq = $3 AND dead = 0`, string(t), d.Call, d.Seq, micros(d.At), d.Strikes, column(d.Error), micros(d.Next))
			}
			if err != nil {
				return err
			}
			gone += n
		}
		tx.after = append(tx.after, func() { s.metrics.outbox.Sub(float64(gone)) })
		return nil
	})
}

// GiveUpNotifications gives all events up that wait for the CRM of the company.
func (s *Store) GiveUpNotifications(ctx context.Context, t pbx.TenantID, why string) (int, error) {
	var n int64
	err := s.writer.do(ctx, func(tx *txn) (err error) {
		n, err = tx.exec(`UPDATE outbox SET dead = 1, error = $2 WHERE tenant = $1 AND dead = 0`, string(t), column(why))
		if err == nil {
			tx.after = append(tx.after, func() { s.metrics.outbox.Sub(float64(n)) })
		}
		return err
	})
	if err != nil { // and n is not ours to read: who stops waiting does not stop the writer
		return 0, err
	}
	return int(n), nil
}

// HastenNotifications makes all events that wait for the CRM of the company due.
func (s *Store) HastenNotifications(ctx context.Context, t pbx.TenantID) error {
	return s.writer.do(ctx, func(tx *txn) error {
		now := micros(time.Now())
		_, err := tx.exec(`UPDATE outbox SET next = $2 WHERE tenant = $1 AND dead = 0 AND next > $2`, string(t), now)
		return err
	})
}

// RetryNotification makes an event due, as if it was never tried; one that was given
// up waits again. An id of no event of the company is a NotFound error.
func (s *Store) RetryNotification(ctx context.Context, t pbx.TenantID, id string) error {
	call, seq, ok := pbx.ParseDeliveryID(id)
	if !ok {
		return &pbx.Error{Kind: pbx.NotFound, Msg: "no such delivery"}
	}
	n, err := s.retry(ctx, t, ` AND call = $3 AND seq = $4`, call, seq)
	if err == nil && n == 0 {
		return &pbx.Error{Kind: pbx.NotFound, Msg: "no such delivery"}
	}
	return err
}

// RetryNotifications makes all events due that are kept for the CRM of the company,
// and gives their number; those that were given up wait again.
func (s *Store) RetryNotifications(ctx context.Context, t pbx.TenantID) (int, error) {
	return s.retry(ctx, t, ``)
}

func (s *Store) retry(ctx context.Context, t pbx.TenantID, which string, args ...any) (int, error) {
	var alive, raised int64
	err := s.writer.do(ctx, func(tx *txn) (err error) {
		args := append([]any{string(t), micros(time.Now())}, args...)
		// A new age, too, as what is too old is given up.
		const again = `UPDATE outbox SET created = $2, next = $2, tries = 0, strikes = 0, error = '', `
		if alive, err = tx.exec(again+`dead = 0 WHERE tenant = $1 AND dead = 0`+which, args...); err != nil {
			return err
		}
		if raised, err = tx.exec(again+`dead = 0 WHERE tenant = $1 AND dead = 1`+which, args...); err != nil {
			return err
		}
		tx.after = append(tx.after, func() {
			s.metrics.outbox.Add(float64(raised))
			s.queued(t)
		})
		return nil
	})
	if err != nil {
		return 0, err
	}
	return int(alive + raised), nil
}

// SweepNotifications forgets what was given up more than thirty days before now, and
// the oldest where a company has more than a hundred thousand.
func (s *Store) SweepNotifications(ctx context.Context, now time.Time) (int, error) {
	var n int64
	err := s.writer.do(ctx, func(tx *txn) (err error) {
		n = 0
		if n, err = tx.exec(`DELETE FROM outbox WHERE dead = 1 AND created < $1`, micros(now.Add(-keepDead))); err != nil {
			return err
		}
		var crowded []pbx.TenantID
		err = tx.query(func(rows *sql.Rows) error {
			var t pbx.TenantID
			err := rows.Scan(&t)
			crowded = append(crowded, t)
			return err
		}, `SELECT tenant FROM outbox WHERE dead = 1 GROUP BY tenant HAVING count(*) > $1`, maxDead)
		if err != nil {
			return err
		}
		for _, t := range crowded {
			more, err := tx.exec(`DELETE FROM outbox WHERE tenant = $1 AND dead = 1 AND created < (SELECT created FROM outbox
				WHERE tenant = $1 AND dead = 1 ORDER BY created DESC LIMIT 1 OFFSET $2)`, string(t), maxDead-1)
			if err != nil {
				return err
			}
			n += more
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("sweep the outbox: %w", err)
	}
	return int(n), nil
}

// Deliveries gives the events that are kept for the CRM of the company, in the
// order of the calls and within them, and the cursor of the next page.
func (s *Store) Deliveries(ctx context.Context, t pbx.TenantID, q pbx.DeliveryQuery) ([]pbx.Delivery, string, error) {
	var w where
	w.and(`o.tenant = ?`, string(t))
	switch q.State {
	case "":
	case pbx.DeliveryPending, pbx.DeliveryDead:
		dead := 0
		if q.State == pbx.DeliveryDead {
			dead = 1
		}
		w.and(`o.dead = ?`, dead)
	default:
		return nil, "", &pbx.Error{Kind: pbx.Invalid, Field: "state", Msg: "neither pending nor dead"}
	}
	if q.Cursor != "" {
		call, seq, ok := pbx.ParseDeliveryID(q.Cursor)
		if !ok {
			return nil, "", &pbx.Error{Kind: pbx.Invalid, Field: "cursor", Msg: "not a cursor of this list"}
		}
		w.and(`(o.call, o.seq) > (?, ?)`, call, seq)
	}
	limit := min(max(q.Limit, 0), maxLimit)
	if limit == 0 {
		limit = defaultLimit
	}
	list, err := s.deliveries(ctx, fmt.Sprintf(`SELECT `+deliveryColumns+` FROM outbox o WHERE %s ORDER BY o.call, o.seq LIMIT %d`,
		w.text(), limit+1), w.args...)
	if err != nil || len(list) <= limit {
		return list, "", err
	}
	return list[:limit], list[limit-1].ID, nil
}
