package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"vpbx/pbx"
)

// nextLink gives the link that rec gets when it is added to the chain now; one
// without a sum of its file gets none.
func (t *txn) nextLink(tenant pbx.TenantID, rec pbx.Recording) (pbx.Link, error) {
	if !pbx.IsSum(rec.SHA256) {
		return pbx.Link{}, nil
	}
	l := pbx.Link{ID: rec.ID, SHA256: rec.SHA256, At: time.Now()}
	previous, err := t.lastLink(tenant, &l)
	if err != nil {
		return l, err
	}
	l.Seq++
	l.Link = l.Follow(previous)
	return l, nil
}

func (t *txn) addLink(tenant pbx.TenantID, l pbx.Link) error {
	_, err := t.exec(`INSERT INTO recording_chain (tenant, seq, kind, id, sha256, link, added) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		string(tenant), l.Seq, string(l.Kind), string(l.ID), l.SHA256, l.Link, micros(l.At))
	return err
}

// Links gives the links of a company's chain from the place from on, each with
// its recording, limit at most.
func (s *Store) Links(ctx context.Context, t pbx.TenantID, from int64, limit int) ([]pbx.Link, error) {
	var links []pbx.Link
	err := s.rows(ctx, func(rows *sql.Rows) error {
		var l pbx.Link
		var added int64
		var body sql.NullString
		if err := rows.Scan(&l.Seq, &l.Kind, &l.ID, &l.SHA256, &l.Link, &added, &body, &l.Buried); err != nil {
			return err
		}
		l.At = fromMicros(added)
		if body.Valid {
			l.Recording = new(pbx.Recording)
			if err := json.Unmarshal([]byte(body.String), l.Recording); err != nil {
				return fmt.Errorf("decode recording %s: %w", l.ID, err)
			}
		}
		links = append(links, l)
		return nil
	}, `SELECT l.seq, l.kind, l.id, l.sha256, l.link, l.added, r.body,
		EXISTS (SELECT 1 FROM recording_chain d WHERE d.tenant = l.tenant AND d.id = l.id AND d.kind = 'removed')
		FROM recording_chain l
		LEFT JOIN recordings r ON r.tenant = l.tenant AND r.id = l.id
		WHERE l.tenant = $1 AND l.seq >= $2 ORDER BY l.seq LIMIT $3`, string(t), from, limit)
	if err != nil {
		return nil, fmt.Errorf("read the chain of recordings: %w", err)
	}
	return links, nil
}

// HasLink says whether a link is in the chain of the company.
func (s *Store) HasLink(ctx context.Context, t pbx.TenantID, link string) (bool, error) {
	n, err := s.count(ctx, `SELECT count(*) FROM recording_chain WHERE tenant = $1 AND link = $2`, string(t), link)
	return n > 0, err
}

func (s *Store) count(ctx context.Context, query string, args ...any) (n int, err error) {
	if err := s.readDB.QueryRowContext(ctx, query, args...).Scan(&n); err != nil {
		return 0, unavailable("count rows", err)
	}
	return n, nil
}

// Unchained lists recordings that have no place in the chain and are not
// removed, those with ids behind after in the order of ids, limit at most.
func (s *Store) Unchained(ctx context.Context, t pbx.TenantID, after pbx.RecordingID, limit int) ([]pbx.Recording, error) {
	return s.recordings(ctx, `SELECT r.body FROM recordings r WHERE r.tenant = $1 AND r.id > $2 AND r.removed = 0
		AND NOT EXISTS (SELECT 1 FROM recording_chain l WHERE l.tenant = r.tenant AND l.id = r.id AND l.kind = '')
		ORDER BY r.id LIMIT $3`, string(t), string(after), limit)
}

// Expired lists recordings of calls that began before that time and are not
// removed, oldest first, limit at most.
func (s *Store) Expired(ctx context.Context, t pbx.TenantID, before time.Time, limit int) ([]pbx.Recording, error) {
	return s.recordings(ctx, `SELECT body FROM recordings WHERE tenant = $1 AND started < $2 AND removed = 0
		ORDER BY started, id LIMIT $3`, string(t), micros(before), limit)
}

// LeftOver lists recordings that are removed and whose files are not known to be
// gone, limit at most.
func (s *Store) LeftOver(ctx context.Context, t pbx.TenantID, limit int) ([]pbx.Recording, error) {
	return s.recordings(ctx, `SELECT body FROM recordings WHERE tenant = $1 AND removed <> 0 AND gone = 0
		ORDER BY id LIMIT $2`, string(t), limit)
}

func (s *Store) recordings(ctx context.Context, query string, args ...any) ([]pbx.Recording, error) {
	var list []pbx.Recording
	err := s.rows(ctx, func(rows *sql.Rows) error {
		var r pbx.Recording
		var body string
		if err := rows.Scan(&body); err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(body), &r); err != nil {
			return fmt.Errorf("decode a recording: %w", err)
		}
		list = append(list, r)
		return nil
	}, query, args...)
	if err != nil {
		return nil, fmt.Errorf("list recordings: %w", err)
	}
	return list, nil
}

// OpenRecordings gives the recordings of calls that have no record yet, as far as
// the journal has them.
func (s *Store) OpenRecordings(ctx context.Context, t pbx.TenantID) (map[pbx.RecordingID]bool, error) {
	open := map[pbx.RecordingID]bool{}
	err := s.rows(ctx, func(rows *sql.Rows) error {
		var trace string
		if err := rows.Scan(&trace); err != nil {
			return err
		}
		var events []pbx.CallEvent
		if err := json.Unmarshal([]byte(trace), &events); err != nil {
			return fmt.Errorf("decode the trace of an open call: %w", err)
		}
		for _, e := range events {
			if e.Recording != nil {
				open[e.Recording.ID] = true
			}
		}
		return nil
	}, `SELECT trace FROM journal WHERE tenant = $1`, string(t))
	if err != nil {
		return nil, fmt.Errorf("list open recordings: %w", err)
	}
	return open, nil
}

// ChainRecording gives a recording that has no place in the chain the next one,
// with the SHA-256 of its file. One that has a place, or is removed, is left as
// it is.
func (s *Store) ChainRecording(ctx context.Context, t pbx.TenantID, id pbx.RecordingID, sum string) error {
	if !pbx.IsSum(sum) {
		return &pbx.Error{Kind: pbx.Invalid, Msg: "not a SHA-256"}
	}
	err := s.writer.do(ctx, func(tx *txn) error {
		r, err := tx.recording(t, id)
		if err != nil || r.Removed != nil || r.Link != "" {
			return err
		}
		r.SHA256 = sum
		link, err := tx.nextLink(t, r)
		if err != nil {
			return err
		}
		r.Link = link.Link
		if err := tx.addLink(t, link); err != nil {
			return err
		}
		tx.after = append(tx.after, func() { s.ready(r) })
		return tx.putRecording(t, r)
	})
	if err != nil {
		return fmt.Errorf("chain recording %s: %w", id, err)
	}
	return nil
}

// RemoveRecording puts a tombstone on a recording: into its row, into the chain and
// into the record of its call. The file is the caller's to remove afterwards, see
// FileGone. The error is NotFound when the company has no such recording, Gone
// when it has a tombstone already.
func (s *Store) RemoveRecording(ctx context.Context, t pbx.TenantID, id pbx.RecordingID, why pbx.Removal) error {
	err := s.writer.do(ctx, func(tx *txn) error {
		r, err := tx.recording(t, id)
		if err != nil {
			return err
		}
		if r.Removed != nil {
			return &pbx.Error{Kind: pbx.Gone, Msg: "the recording was removed before"}
		}
		r.Removed = &why
		if err := tx.putRecording(t, r); err != nil {
			return err
		}
		if _, err := tx.exec(`UPDATE recordings SET removed = $1 WHERE tenant = $2 AND id = $3`, micros(why.At), string(t), string(id)); err != nil {
			return err
		}
		if err := tx.bury(t, id, why); err != nil {
			return err
		}
		if err := s.dropMessage(tx, t, r); err != nil {
			return err
		}
		return tx.markRemoved(t, r)
	})
	if err != nil {
		return fmt.Errorf("remove recording %s: %w", id, err)
	}
	return nil
}

// FileGone notes that a recording with a tombstone has no file any more.
func (s *Store) FileGone(ctx context.Context, t pbx.TenantID, id pbx.RecordingID) error {
	err := s.writer.do(ctx, func(tx *txn) error {
		_, err := tx.exec(`UPDATE recordings SET gone = 1 WHERE tenant = $1 AND id = $2 AND removed <> 0`, string(t), string(id))
		return err
	})
	if err != nil {
		return fmt.Errorf("note that recording %s has no file: %w", id, err)
	}
	return nil
}

func (t *txn) recording(tenant pbx.TenantID, id pbx.RecordingID) (r pbx.Recording, err error) {
	var body string
	if err := t.query(func(rows *sql.Rows) error { return rows.Scan(&body) },
		`SELECT body FROM recordings WHERE tenant = $1 AND id = $2`, string(tenant), string(id)); err != nil {
		return r, err
	}
	if body == "" {
		return r, &pbx.Error{Kind: pbx.NotFound, Msg: "no such recording"}
	}
	if err := json.Unmarshal([]byte(body), &r); err != nil {
		return r, fmt.Errorf("decode recording %s: %w", id, err)
	}
	return r, nil
}

func (t *txn) putRecording(tenant pbx.TenantID, r pbx.Recording) error {
	body, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode recording %s: %w", r.ID, err)
	}
	_, err = t.exec(`UPDATE recordings SET body = $1 WHERE tenant = $2 AND id = $3`, string(body), string(tenant), string(r.ID))
	return err
}

// markRemoved writes the tombstone of a recording into the record of its call.
func (t *txn) markRemoved(tenant pbx.TenantID, r pbx.Recording) error {
	var body string
	if err := t.query(func(rows *sql.Rows) error { return rows.Scan(&body) },
		`SELECT body FROM calls WHERE tenant = $1 AND id = $2`, string(tenant), string(r.Call)); err != nil {
		return err
	}
	var c pbx.CDR
	if err := json.Unmarshal([]byte(body), &c); err != nil {
		return fmt.Errorf("decode call %s: %w", r.Call, err)
	}
	for i := range c.Recordings {
		if c.Recordings[i].ID == r.ID {
			c.Recordings[i].Removed = r.Removed
		}
	}
	text, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("encode call %s: %w", r.Call, err)
	}
	_, err = t.exec(`UPDATE calls SET body = $1 WHERE tenant = $2 AND id = $3`, string(text), string(tenant), string(r.Call))
	return err
}
