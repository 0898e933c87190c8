package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"vpbx/pbx"
)

// saveTime is how long a call record waits for the database before it goes to
// the spool, spoolTime how long then for the spool: a disk may stall for tens of
// seconds, and a record that waits holds up nothing but its own call, which is over.
const (
	saveTime  = 2 * time.Second
	spoolTime = 2 * time.Minute
)

// Record keeps the record of an ended call with its trace: in the database, or
// in the spool when the database fails or takes longer than saveTime; a disk that
// stalls is waited for as long as spoolTime. The end of ctx does not stop it. It fails only when both do, or when the record is
// not of company t.
func (s *Store) Record(ctx context.Context, t pbx.TenantID, c pbx.CDR, trace []pbx.CallEvent) error {
	ctx = context.WithoutCancel(ctx)
	saving, cancel := context.WithTimeout(ctx, saveTime)
	defer cancel()
	err := s.SaveCall(saving, t, c, trace)
	if err == nil {
		s.metrics.records.WithLabelValues("saved").Inc()
		return nil
	}
	if pbx.KindOf(err) == pbx.Invalid || s.spool == nil {
		s.metrics.records.WithLabelValues("lost").Inc()
		return err
	}
	spooling, cancel := context.WithTimeout(ctx, spoolTime)
	defer cancel()
	if spoolErr := s.spool.Append(spooling, t, c, trace); spoolErr != nil {
		s.metrics.records.WithLabelValues("lost").Inc()
		return errors.Join(err, spoolErr)
	}
	s.metrics.records.WithLabelValues("spooled").Inc()
	s.log.Warn("call record spooled", "tenant", t, "call", c.ID, "err", err)
	return nil
}

// SaveCall writes the record of an ended call, its trace, its ladder, its
// recordings and messages and, when the company has a CRM, the events that it is still to be told
// of, and takes the call out of the journal, in one transaction. A call that is saved already is left as it is.
func (s *Store) SaveCall(ctx context.Context, t pbx.TenantID, c pbx.CDR, trace []pbx.CallEvent) error {
	if t == "" || c.ID == "" {
		return &pbx.Error{Kind: pbx.Invalid, Msg: "a call record without company or id"}
	}
	if c.Tenant != t {
		return mismatch("the call record")
	}
	r := record{CDR: c, store: s, events: trace}
	body, events, err := encodeCall(c, trace)
	if err != nil {
		return fmt.Errorf("save call %s: %w", c.ID, err)
	}
	r.body, r.trace = string(body), string(events)
	if r.packed, err = packLadder(c.Ladder); err != nil {
		return fmt.Errorf("save call %s: %w", c.ID, err)
	}
	if err := s.writer.do(ctx, r.save); err != nil {
		return fmt.Errorf("save call %s: %w", c.ID, err)
	}
	return nil
}

// record is a call on its way into the database.
type record struct {
	pbx.CDR
	store  *Store
	body   string
	trace  string
	packed []byte // the ladder; nil: none
	events []pbx.CallEvent
}

func (r *record) save(tx *txn) error {
	tenant, id, started := string(r.Tenant), string(r.ID), micros(r.Started)
	saved, err := tx.exec(`INSERT INTO calls (tenant, id, started, direction, outcome, caller, called, body, trace, ladder)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (tenant, id) DO NOTHING`,
		tenant, id, started, string(r.Direction), string(r.Outcome), column(r.From), column(r.To), r.body, r.trace, r.packed)
	if err != nil {
		return err
	}
	told, err := tx.journaled(callKey{r.Tenant, r.ID})
	if err != nil {
		return err
	}
	if _, err := tx.exec(`DELETE FROM journal WHERE tenant = $1 AND call = $2`, tenant, id); err != nil {
		return err
	}
	tx.after = append(tx.after, func() { r.store.journal.forget(callKey{r.Tenant, r.ID}) })
	if saved == 0 {
		return nil
	}
	for _, number := range numbers(r.CDR) {
		if _, err := tx.exec(`INSERT INTO call_numbers (tenant, number, started, call) VALUES ($1, $2, $3, $4)
			ON CONFLICT (tenant, number, started, call) DO NOTHING`, tenant, number, started, id); err != nil {
			return err
		}
	}
	if err := r.saveQueues(tx); err != nil {
		return err
	}
	if err := r.saveRecordings(tx); err != nil {
		return err
	}
	if err := r.saveMessages(tx); err != nil {
		return err
	}
	_, err = r.store.tell(tx, callKey{r.Tenant, r.ID}, r.events, &r.CDR, told)
	return err
}

// saveRecordings writes the rows of the recordings that have an id; one that
// could not even begin has none and stands in the record only.
func (r *record) saveRecordings(tx *txn) error {
	for _, rec := range r.Recordings {
		if rec.ID == "" {
			continue
		}
		rec.Tenant, rec.Call, rec.Seconds = r.Tenant, r.ID, number(rec.Seconds)
		rec.Link, rec.Removed = "", nil
		link, err := tx.nextLink(r.Tenant, rec)
		if err != nil {
			return err
		}
		rec.Link = link.Link
		body, err := json.Marshal(rec)
		if err != nil {
			return fmt.Errorf("encode recording %s: %w", rec.ID, err)
		}
		n, err := tx.exec(`INSERT INTO recordings (tenant, id, call, started, body) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (tenant, id) DO NOTHING`,
			string(r.Tenant), string(rec.ID), string(r.ID), micros(r.Started), string(body))
		if err != nil {
			return err
		}
		if n == 0 || rec.Link == "" {
			continue
		}
		if err := tx.addLink(r.Tenant, link); err != nil {
			return err
		}
		tx.after = append(tx.after, func() { r.store.ready(rec) })
	}
	return nil
}

// numbers lists everybody who took part in a call, each once.
func numbers(c pbx.CDR) []string {
	seen := map[string]bool{"": true}
	var list []string
	add := func(number string) {
		if number = column(number); !seen[number] {
			seen[number] = true
			list = append(list, number)
		}
	}
	add(c.From)
	add(c.To)
	add(c.Caller.Who)
	for _, p := range c.Parties {
		add(p.Who)
	}
	return list
}

// column makes text that came from outside fit for a TEXT column of any
// engine.
func column(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}
