package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"vpbx/pbx"
)

// saveMessages puts the messages that were left in a call into their boxes, with an
// e-mail for each where the box has an address. A box that is gone meanwhile gets none:
// what was said stays as a recording of the call.
func (r *record) saveMessages(tx *txn) error {
	company := r.store.Directory().Company(r.Tenant)
	if company == nil {
		return nil
	}
	for _, m := range pbx.VoiceMessages(r.CDR, r.events) {
		if company.Box(m.Box) == nil {
			r.store.log.Warn("a message was left in a box that is gone", "tenant", r.Tenant, "call", r.ID, "box", m.Box)
			continue
		}
		m.Seconds = number(m.Seconds)
		if e := company.Extensions[m.From]; e != nil && m.Name == "" {
			m.Name = e.Name
		}
		body, err := json.Marshal(m)
		if err != nil {
			return fmt.Errorf("encode message %s: %w", m.ID, err)
		}
		n, err := tx.exec(`INSERT INTO voice_messages (tenant, id, box, started, heard, body) VALUES ($1, $2, $3, $4, 0, $5)
			ON CONFLICT (tenant, id) DO NOTHING`, string(r.Tenant), string(m.ID), m.Box, micros(m.At), string(body))
		if err != nil {
			return err
		}
		if n == 0 {
			continue
		}
		if to := company.BoxMail(m.Box); to != "" && r.store.mailing {
			if err := r.store.enqueueMail(tx, r.Tenant, string(m.ID), pbx.MessageMail(company, to, m)); err != nil {
				return err
			}
		}
		if err := r.store.boxChanged(tx, r.Tenant, m.Box, &m); err != nil {
			return err
		}
	}
	return nil
}

// boxChanged tells, after the commit, what is in a box.
func (s *Store) boxChanged(tx *txn, t pbx.TenantID, box string, left *pbx.VoiceMessage) error {
	state := pbx.BoxState{Tenant: t, Box: box, Left: left}
	err := tx.query(func(rows *sql.Rows) error { return rows.Scan(&state.New, &state.Old) },
		`SELECT count(*) - coalesce(sum(heard), 0), coalesce(sum(heard), 0) FROM voice_messages WHERE tenant = $1 AND box = $2`, string(t), box)
	if err != nil {
		return err
	}
	tx.after = append(tx.after, func() { s.boxed(state) })
	return nil
}

// Mailbox counts the messages of a box.
func (s *Store) Mailbox(ctx context.Context, t pbx.TenantID, box string) (m pbx.Mailbox, err error) {
	err = s.readDB.QueryRowContext(ctx, `SELECT count(*) - coalesce(sum(heard), 0), coalesce(sum(heard), 0)
		FROM voice_messages WHERE tenant = $1 AND box = $2`, string(t), box).Scan(&m.New, &m.Old)
	if err != nil {
		return m, unavailable("count messages", err)
	}
	return m, nil
}

// TellBoxes tells Options.Boxed of each box of a company in which there is something, of
// all companies when t is "".
func (s *Store) TellBoxes(ctx context.Context, t pbx.TenantID) error {
	err := s.writer.do(ctx, func(tx *txn) error {
		var list []pbx.BoxState
		err := tx.query(func(rows *sql.Rows) error {
			var b pbx.BoxState
			err := rows.Scan(&b.Tenant, &b.Box, &b.New, &b.Old)
			list = append(list, b)
			return err
		}, `SELECT tenant, box, count(*) - sum(heard), sum(heard) FROM voice_messages WHERE tenant = $1 OR $1 = '' GROUP BY tenant, box`, string(t))
		if err != nil {
			return err
		}
		tx.after = append(tx.after, func() {
			for _, b := range list {
				s.boxed(b)
			}
		})
		return nil
	})
	if err != nil {
		return fmt.Errorf("count the messages of all boxes: %w", err)
	}
	return nil
}

// VoiceMessages gives a page of the messages of a box, newest first, and the cursor of
// the next page.
func (s *Store) VoiceMessages(ctx context.Context, t pbx.TenantID, q pbx.VoiceQuery) ([]pbx.VoiceMessage, string, error) {
	var w where
	w.and(`m.tenant = ?`, string(t))
	w.and(`m.box = ?`, q.Box)
	if q.Read != nil {
		heard := 0
		if *q.Read {
			heard = 1
		}
		w.and(`m.heard = ?`, heard)
	}
	sel := selection{from: `voice_messages m`, started: `m.started`, id: `m.id`, body: `m.body`}
	return page[pbx.VoiceMessage](ctx, s, sel, w, pbx.CallQuery{Limit: q.Limit, Cursor: q.Cursor})
}

// VoiceMessage gives a message of a box, a NotFound error when it has no such message.
func (s *Store) VoiceMessage(ctx context.Context, t pbx.TenantID, box string, id pbx.RecordingID) (pbx.VoiceMessage, error) {
	var m pbx.VoiceMessage
	var body string
	err := s.readDB.QueryRowContext(ctx, `SELECT body FROM voice_messages WHERE tenant = $1 AND id = $2 AND box = $3`,
		string(t), string(id), box).Scan(&body)
	if err != nil {
		return m, found(err, "message")
	}
	if err := json.Unmarshal([]byte(body), &m); err != nil {
		return m, fmt.Errorf("decode message %s: %w", id, err)
	}
	return m, nil
}

// MarkMessage notes that a message of a box was heard, or is new again. The error is
// NotFound when the box has no such message.
func (s *Store) MarkMessage(ctx context.Context, t pbx.TenantID, box string, id pbx.RecordingID, read bool) error {
	err := s.writer.do(ctx, func(tx *txn) error {
		m, err := tx.message(t, id)
		if err != nil {
			return err
		}
		if m.Box != box {
			return noMessage()
		}
		if m.Read == read {
			return nil
		}
		m.Read = read
		body, err := json.Marshal(m)
		if err != nil {
			return fmt.Errorf("encode message %s: %w", id, err)
		}
		heard := 0
		if read {
			heard = 1
		}
		if _, err := tx.exec(`UPDATE voice_messages SET heard = $1, body = $2 WHERE tenant = $3 AND id = $4`,
			heard, string(body), string(t), string(id)); err != nil {
			return err
		}
		return s.boxChanged(tx, t, box, nil)
	})
	if err != nil {
		return fmt.Errorf("mark message %s: %w", id, err)
	}
	return nil
}

func noMessage() error { return &pbx.Error{Kind: pbx.NotFound, Msg: "no such message"} }

func (t *txn) message(tenant pbx.TenantID, id pbx.RecordingID) (m pbx.VoiceMessage, err error) {
	var body string
	if err := t.query(func(rows *sql.Rows) error { return rows.Scan(&body) },
		`SELECT body FROM voice_messages WHERE tenant = $1 AND id = $2`, string(tenant), string(id)); err != nil {
		return m, err
	}
	if body == "" {
		return m, noMessage()
	}
	if err := json.Unmarshal([]byte(body), &m); err != nil {
		return m, fmt.Errorf("decode message %s: %w", id, err)
	}
	return m, nil
}

// dropMessage takes a recording that is removed out of its box, where it is in one.
func (s *Store) dropMessage(tx *txn, t pbx.TenantID, r pbx.Recording) error {
	if r.Box == "" {
		return nil
	}
	n, err := tx.exec(`DELETE FROM voice_messages WHERE tenant = $1 AND id = $2`, string(t), string(r.ID))
	if err != nil || n == 0 {
		return err
	}
	return s.boxChanged(tx, t, r.Box, nil)
}

// UsedBoxes lists the boxes of a company in which there are messages, also those that
// the company does not have any more.
func (s *Store) UsedBoxes(ctx context.Context, t pbx.TenantID) ([]string, error) {
	var list []string
	err := s.rows(ctx, func(rows *sql.Rows) error {
		var box string
		err := rows.Scan(&box)
		list = append(list, box)
		return err
	}, `SELECT DISTINCT box FROM voice_messages WHERE tenant = $1 ORDER BY box`, string(t))
	if err != nil {
		return nil, fmt.Errorf("list boxes: %w", err)
	}
	return list, nil
}

// ExpiredMessages lists the messages of a box that began before that time, oldest
// first, limit at most.
func (s *Store) ExpiredMessages(ctx context.Context, t pbx.TenantID, box string, before time.Time, limit int) ([]pbx.RecordingID, error) {
	var list []pbx.RecordingID
	err := s.rows(ctx, func(rows *sql.Rows) error {
		var id pbx.RecordingID
		err := rows.Scan(&id)
		list = append(list, id)
		return err
	}, `SELECT id FROM voice_messages WHERE tenant = $1 AND box = $2 AND started < $3 ORDER BY started, id LIMIT $4`,
		string(t), box, micros(before), limit)
	if err != nil {
		return nil, fmt.Errorf("list old messages: %w", err)
	}
	return list, nil
}
