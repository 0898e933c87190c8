package store

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"vpbx/pbx"
)

// Rows of a page.
const (
	defaultLimit = 50
	maxLimit     = 1000
)

// Calls gives the records of the company that q selects, newest first, and the
// cursor of the next page, "" when there is none. A limit of 0 is defaultLimit;
// a cursor that did not come from here is an Invalid error.
func (s *Store) Calls(ctx context.Context, t pbx.TenantID, q pbx.CallQuery) ([]pbx.CDR, string, error) {
	defer s.metrics.time("calls")()
	from, started, id := `calls c`, `c.started`, `c.id`
	if q.Number != "" {
		from, started, id = `call_numbers n JOIN calls c ON c.tenant = n.tenant AND c.id = n.call`, `n.started`, `n.call`
	}
	var w where
	if q.Number != "" {
		w.and(`n.tenant = ?`, string(t))
		w.and(`n.number = ?`, column(q.Number))
	} else {
		w.and(`c.tenant = ?`, string(t))
	}
	return page[pbx.CDR](ctx, s, selection{from, started, id, `c.body`}, w, q)
}

// Recordings gives the recordings of the calls that q selects, newest first,
// and the cursor of the next page. The cursor of Calls is not good here.
func (s *Store) Recordings(ctx context.Context, t pbx.TenantID, q pbx.CallQuery) ([]pbx.Recording, string, error) {
	defer s.metrics.time("recordings")()
	var w where
	w.and(`r.tenant = ?`, string(t))
	if q.Number != "" {
		w.and(`EXISTS (SELECT 1 FROM call_numbers n WHERE n.tenant = r.tenant AND n.number = ?
			AND n.started = r.started AND n.call = r.call)`, column(q.Number))
	}
	from := `recordings r JOIN calls c ON c.tenant = r.tenant AND c.id = r.call`
	return page[pbx.Recording](ctx, s, selection{from, `r.started`, `r.id`, `r.body`}, w, q)
}

// Call gives the record with its ladder and the trace of a call, a NotFound error when the
// company has no such call.
func (s *Store) Call(ctx context.Context, t pbx.TenantID, id pbx.CallID) (pbx.CDR, []pbx.CallEvent, error) {
	defer s.metrics.time("call")()
	var c pbx.CDR
	var events []pbx.CallEvent
	var body, trace string
	var packed []byte
	err := s.readDB.QueryRowContext(ctx, `SELECT body, trace, ladder FROM calls WHERE tenant = $1 AND id = $2`,
		string(t), string(id)).Scan(&body, &trace, &packed)
	if err != nil {
		return c, nil, found(err, "call")
	}
	if err := json.Unmarshal([]byte(body), &c); err != nil {
		return c, nil, fmt.Errorf("decode call %s: %w", id, err)
	}
	if err := json.Unmarshal([]byte(trace), &events); err != nil {
		return c, nil, fmt.Errorf("decode the trace of call %s: %w", id, err)
	}
	if c.Ladder, err = unpackLadder(packed); err != nil {
		return c, nil, fmt.Errorf("decode call %s: %w", id, err)
	}
	return c, events, nil
}

// Recording gives what is known of a recording, a NotFound error when the
// company has no such recording.
func (s *Store) Recording(ctx context.Context, t pbx.TenantID, id pbx.RecordingID) (pbx.Recording, error) {
	defer s.metrics.time("recording")()
	var r pbx.Recording
	var body string
	err := s.readDB.QueryRowContext(ctx, `SELECT body FROM recordings WHERE tenant = $1 AND id = $2`,
		string(t), string(id)).Scan(&body)
	if err != nil {
		return r, found(err, "recording")
	}
	if err := json.Unmarshal([]byte(body), &r); err != nil {
		return r, fmt.Errorf("decode recording %s: %w", id, err)
	}
	return r, nil
}

// found turns the error of a query for one row into ours.
func found(err error, what string) error {
	if errors.Is(err, sql.ErrNoRows) {
		return &pbx.Error{Kind: pbx.NotFound, Msg: "no such " + what}
	}
	return unavailable("read "+what, err)
}

// selection is where a page comes from: tables, the two columns it is sorted
// by, and the JSON of an item.
type selection struct {
	from, started, id, body string
}

// page reads one page of q, which the caller has narrowed to a company by w.
func page[T any](ctx context.Context, s *Store, sel selection, w where, q pbx.CallQuery) ([]T, string, error) {
	if err := w.query(sel, q); err != nil {
		return nil, "", err
	}
	limit := q.Limit
	if limit <= 0 {
		limit = defaultLimit
	}
	limit = min(limit, maxLimit)
	items := []T{}
	var next, last cursor
	err := s.rows(ctx, func(rows *sql.Rows) error {
		var body string
		var item T
		at := cursor{}
		if err := rows.Scan(&at.started, &at.id, &body); err != nil {
			return err
		}
		if len(items) == limit {
			next = last
			return nil
		}
		if err := json.Unmarshal([]byte(body), &item); err != nil {
			return fmt.Errorf("decode %s: %w", at.id, err)
		}
		items, last = append(items, item), at
		return nil
	}, fmt.Sprintf(`SELECT %s, %s, %s FROM %s WHERE %s ORDER BY %s DESC, %s DESC LIMIT %d`,
		sel.started, sel.id, sel.body, sel.from, w.text(), sel.started, sel.id, limit+1), w.args...)
	if err != nil {
		return nil, "", err
	}
	return items, next.String(), nil
}

// where is the condition of a query.
type where struct {
	conds []string
	args  []any
}

// and adds a condition, whose question marks become the numbered parameters
// for args.
func (w *where) and(cond string, args ...any) {
	for _, arg := range args {
		w.args = append(w.args, arg)
		cond = strings.Replace(cond, "?", "$"+strconv.Itoa(len(w.args)), 1)
	}
	w.conds = append(w.conds, cond)
}

func (w *where) text() string { return strings.Join(w.conds, " AND ") }

// query adds what q asks for beside the number.
func (w *where) query(sel selection, q pbx.CallQuery) error {
	if !q.Since.IsZero() {
		w.and(sel.started+` >= ?`, micros(q.Since))
	}
	if !q.Until.IsZero() {
		w.and(sel.started+` < ?`, micros(q.Until))
	}
	if q.Direction != "" {
		w.and(`c.direction = ?`, string(q.Direction))
	}
	if q.Outcome != "" {
		w.and(`c.outcome = ?`, string(q.Outcome))
	}
	if q.Cursor != "" {
		c, err := parseCursor(q.Cursor)
		if err != nil {
			return err
		}
		w.and(fmt.Sprintf(`(%s, %s) < (?, ?)`, sel.started, sel.id), c.started, c.id)
	}
	return nil
}

// cursor is the last item of a page.
type cursor struct {
	started int64
	id      string
}

// String is the cursor as callers carry it; "" for the zero cursor.
func (c cursor) String() string {
	if c.id == "" {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(c.started, 10) + " " + c.id))
}

// maxCursor bounds the text of a cursor.
const maxCursor = 256

// parseCursor reads what String wrote.
func parseCursor(s string) (cursor, error) {
	bad := &pbx.Error{Kind: pbx.Invalid, Field: "cursor", Msg: "not a cursor of this list"}
	if len(s) > maxCursor {
		return cursor{}, bad
	}
	text, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil {
		return cursor{}, bad
	}
	number, id, ok := strings.Cut(string(text), " ")
	started, err := strconv.ParseInt(number, 10, 64)
	if err != nil || !ok || id == "" {
		return cursor{}, bad
	}
	c := cursor{started, id}
	if c.String() != s {
		return cursor{}, bad
	}
	return c, nil
}

// time starts the clock of a query; what it returns stops it.
func (m *metrics) time(query string) func() {
	began := time.Now()
	return func() { m.querySeconds.WithLabelValues(query).Observe(time.Since(began).Seconds()) }
}
