package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"vpbx/pbx"
)

// keepDeadMail is how long an e-mail that was given up can be looked at.
const keepDeadMail = 30 * 24 * time.Hour

// enqueueMail puts an e-mail into the queue; one that is there under the id stays.
func (s *Store) enqueueMail(tx *txn, t pbx.TenantID, id string, m pbx.Mail) error {
	body, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("encode e-mail %s: %w", id, err)
	}
	_, err = tx.exec(`INSERT INTO mails (tenant, id, body, created, tries, tried, next, dead, error)
		VALUES ($1, $2, $3, $4, 0, 0, $4, 0, '') ON CONFLICT (tenant, id) DO NOTHING`, string(t), id, string(body), micros(time.Now()))
	if err == nil {
		tx.after = append(tx.after, s.mailed)
	}
	return err
}

// QueueMail keeps an e-mail of a company until the server has it. id tells it from
// others; what was queued under the same id before stays as it is. The error is Unavailable when
// there is no mail server.
func (s *Store) QueueMail(ctx context.Context, t pbx.TenantID, id string, m pbx.Mail) error {
	if t == "" || id == "" {
		return &pbx.Error{Kind: pbx.Invalid, Msg: "an e-mail without company or id"}
	}
	if !s.mailing {
		return &pbx.Error{Kind: pbx.Unavailable, Msg: "there is no mail server"}
	}
	if err := s.writer.do(ctx, func(tx *txn) error { return s.enqueueMail(tx, t, id, m) }); err != nil {
		return fmt.Errorf("queue e-mail %s: %w", id, err)
	}
	return nil
}

const mailColumns = `tenant, id, body, created, tries, tried, next, dead, error`

func (s *Store) mails(ctx context.Context, query string, args ...any) ([]pbx.QueuedMail, error) {
	list := []pbx.QueuedMail{}
	err := s.rows(ctx, func(rows *sql.Rows) error {
		var m pbx.QueuedMail
		var body string
		var created, tried, next, dead int64
		if err := rows.Scan(&m.Tenant, &m.ID, &body, &created, &m.Tries, &tried, &next, &dead, &m.Error); err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(body), &m.Mail); err != nil {
			return fmt.Errorf("decode e-mail %s: %w", m.ID, err)
		}
		m.To, m.Subject, m.Created, m.State = m.Mail.To, m.Mail.Subject, fromMicros(created), pbx.MailPending
		if tried != 0 {
			at := fromMicros(tried)
			m.Tried = &at
		}
		if at := fromMicros(next); dead == 0 {
			m.Next = &at
		} else {
			m.State = pbx.MailDead
		}
		list = append(list, m)
		return nil
	}, query, args...)
	if err != nil {
		return nil, fmt.Errorf("read e-mails: %w", err)
	}
	return list, nil
}

// DueMails lists the e-mails of all companies that are to be tried now, the longest due
// first; limit at most.
func (s *Store) DueMails(ctx context.Context, now time.Time, limit int) ([]pbx.QueuedMail, error) {
	return s.mails(ctx, `SELECT `+mailColumns+` FROM mails WHERE dead = 0 AND next <= $1 ORDER BY next, tenant, id LIMIT $2`, micros(now), limit)
}

// NextMail gives when DueMails will have something, the zero time when nothing waits.
func (s *Store) NextMail(ctx context.Context) (time.Time, error) {
	var next sql.NullInt64
	if err := s.readDB.QueryRowContext(ctx, `SELECT min(next) FROM mails WHERE dead = 0`).Scan(&next); err != nil {
		return time.Time{}, unavailable("ask for the next e-mail", err)
	}
	if !next.Valid {
		return time.Time{}, nil
	}
	return fromMicros(next.Int64), nil
}

// MailsPending counts the e-mails that wait, of all companies.
func (s *Store) MailsPending(ctx context.Context) (int, error) {
	return s.count(ctx, `SELECT count(*) FROM mails WHERE dead = 0`)
}

// SettleMail notes what came of a try; what is done is forgotten.
func (s *Store) SettleMail(ctx context.Context, t pbx.TenantID, d pbx.MailSettled) error {
	return s.writer.do(ctx, func(tx *txn) (err error) {
		if d.Done {
			_, err = tx.exec(`DELETE FROM mails WHERE tenant = $1 AND id = $2`, string(t), d.ID)
			return err
		}
		dead, next := 0, micros(d.Next)
		if d.Dead {
			dead, next = 1, 0
		}
		_, err = tx.exec(`UPDATE mails SET tries = tries + 1, tried = $3, next = $4, dead = $5, error = $6 WHERE tenant = $1 AND id = $2`,
			string(t), d.ID, micros(d.At), next, dead, column(d.Error))
		return err
	})
}

// RetryMail makes an e-mail due, also one that was given up. A NotFound error when the
// company has none of that id.
func (s *Store) RetryMail(ctx context.Context, t pbx.TenantID, id string) error {
	err := s.writer.do(ctx, func(tx *txn) error {
		// A new age, too, as what is too old is given up.
		n, err := tx.exec(`UPDATE mails SET created = $3, next = $3, dead = 0, tries = 0, error = '' WHERE tenant = $1 AND id = $2`,
			string(t), id, micros(time.Now()))
		if err != nil {
			return err
		}
		if n == 0 {
			return &pbx.Error{Kind: pbx.NotFound, Msg: "no such e-mail"}
		}
		tx.after = append(tx.after, s.mailed)
		return nil
	})
	if err != nil {
		return fmt.Errorf("retry e-mail %s: %w", id, err)
	}
	return nil
}

// SweepMails forgets e-mails that were given up, thirty days after they were queued.
func (s *Store) SweepMails(ctx context.Context, now time.Time) error {
	err := s.writer.do(ctx, func(tx *txn) error {
		_, err := tx.exec(`DELETE FROM mails WHERE dead = 1 AND created < $1`, micros(now.Add(-keepDeadMail)))
		return err
	})
	if err != nil {
		return fmt.Errorf("forget old e-mails: %w", err)
	}
	return nil
}

// Mails gives a page of the e-mails of a company that are kept, oldest first, and the
// cursor of the next page.
func (s *Store) Mails(ctx context.Context, t pbx.TenantID, q pbx.MailQuery) ([]pbx.QueuedMail, string, error) {
	var w where
	w.and(`tenant = ?`, string(t))
	switch q.State {
	case "":
	case pbx.MailPending:
		w.and(`dead = ?`, 0)
	case pbx.MailDead:
		w.and(`dead = ?`, 1)
	default:
		return nil, "", &pbx.Error{Kind: pbx.Invalid, Field: "state", Msg: "neither pending nor dead"}
	}
	if q.Cursor != "" {
		c, err := parseCursor(q.Cursor)
		if err != nil {
			return nil, "", err
		}
		w.and(`(created, id) > (?, ?)`, c.started, c.id)
	}
	limit := min(max(q.Limit, 0), maxLimit)
	if limit == 0 {
		limit = defaultLimit
	}
	list, err := s.mails(ctx, fmt.Sprintf(`SELECT `+mailColumns+` FROM mails WHERE %s ORDER BY created, id LIMIT %d`, w.text(), limit+1), w.args...)
	if err != nil || len(list) <= limit {
		return list, "", err
	}
	last := list[limit-1]
	return list[:limit], cursor{micros(last.Created), last.ID}.String(), nil
}
