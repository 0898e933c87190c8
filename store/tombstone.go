package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"vpbx/pbx"
)

// bury adds the tombstone of a recording to the chain.
func (t *txn) bury(tenant pbx.TenantID, id pbx.RecordingID, why pbx.Removal) error {
	l := pbx.Link{Kind: pbx.LinkRemoved, ID: id, SHA256: why.Sum(), At: time.Now()}
	previous, err := t.lastLink(tenant, &l)
	if err != nil {
		return err
	}
	l.Seq++
	l.Link = l.Follow(previous)
	return t.addLink(tenant, l)
}

// lastLink gives the last link of a chain and puts its place into l.
func (t *txn) lastLink(tenant pbx.TenantID, l *pbx.Link) (string, error) {
	previous := pbx.ChainStart
	err := t.query(func(rows *sql.Rows) error { return rows.Scan(&l.Seq, &previous) },
		`SELECT seq, link FROM recording_chain WHERE tenant = $1 ORDER BY seq DESC LIMIT 1`, string(tenant))
	return previous, err
}

// buryDue gives tombstones from before migration 5 their links. Nothing adds to
// their list, so that a tombstone without a link shows from then on.
func (s *Store) buryDue(ctx context.Context) error {
	type due struct{ tenant, id string }
	var list []due
	err := s.rows(ctx, func(rows *sql.Rows) error {
		var d due
		if err := rows.Scan(&d.tenant, &d.id); err != nil {
			return err
		}
		list = append(list, d)
		return nil
	}, `SELECT tenant, id FROM recording_tombstones_due ORDER BY tenant, id`)
	if err != nil {
		return fmt.Errorf("list tombstones without a link: %w", err)
	}
	for _, d := range list {
		tenant, id := pbx.TenantID(d.tenant), pbx.RecordingID(d.id)
		err := s.writer.do(ctx, func(tx *txn) error {
			r, err := tx.recording(tenant, id)
			if pbx.KindOf(err) == pbx.NotFound {
				err = nil
			}
			if err == nil && r.Removed != nil {
				err = tx.bury(tenant, id, *r.Removed)
			}
			if err != nil {
				return err
			}
			_, err = tx.exec(`DELETE FROM recording_tombstones_due WHERE tenant = $1 AND id = $2`, d.tenant, d.id)
			return err
		})
		if err != nil {
			return fmt.Errorf("chain the tombstone of recording %s: %w", id, err)
		}
	}
	return nil
}
