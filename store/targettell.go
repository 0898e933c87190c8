package store

import (
	"database/sql"
	"fmt"

	"vpbx/pbx"
)

// portion gives how many targets end in one transaction, so that the writer is free for
// others in between.
func (s *Store) portion(t pbx.TenantID) int {
	if company := s.Directory().Company(t); company != nil && company.CRM.Wants(pbx.NotifyTarget) {
		return tellPortion
	}
	return portion
}

// tellOver queues what the company's CRM is told of a target that is over though no
// attempt to it has just ended: it expired, was taken out, or is on a stop list. It does
// nothing for one that is not over.
func (s *Store) tellOver(tx *txn, t pbx.TenantID, campaign string, r *pbx.Target) error {
	return s.tellTarget(tx, t, r, &pbx.Notification{At: r.Updated, Target: &pbx.TargetNotice{Campaign: campaign}})
}

// tellTarget queues what the company's CRM is told of a target that is over, if it wants
// to be told; n may be nil. What came of the target's last attempt is looked up where n
// does not say it.
func (s *Store) tellTarget(tx *txn, t pbx.TenantID, r *pbx.Target, n *pbx.Notification) error {
	company := s.Directory().Company(t)
	if n == nil || !r.State.Over() || company == nil || !company.CRM.Wants(pbx.NotifyTarget) {
		return nil
	}
	told := *n
	told.Kind, told.Seq = pbx.NotifyTarget, r.Attempts+1
	if n.Target != nil {
		notice := *n.Target
		notice.Target = *r
		if notice.Call == "" && r.Attempts > 0 {
			last, found, err := tx.attempt(t, notice.Campaign, r.ID, r.Attempts)
			if err != nil {
				return err
			}
			if found {
				notice.Last, notice.Call = last.Result, last.Call
			}
		}
		told.Target = &notice
	}
	return s.enqueue(tx, t, fmt.Sprintf("target-%d", r.ID), told)
}

// attempt reads an attempt to a target by its number; found is false when there is none.
func (t *txn) attempt(tenant pbx.TenantID, campaign string, target int64, n int) (a pbx.Attempt, found bool, err error) {
	var list []pbx.Attempt
	err = t.query(func(rows *sql.Rows) error { return scanInto(rows, &list) },
		`SELECT body FROM attempts WHERE tenant = $1 AND campaign = $2 AND target = $3 AND n = $4`, string(tenant), campaign, target, n)
	if err != nil || len(list) == 0 {
		return a, false, err
	}
	return list[0], true, nil
}
