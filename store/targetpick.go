package store

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"slices"
	"time"

	"vpbx/pbx"
)

// RemoveTargets takes targets out of a campaign that are not over, and gives how many.
// One that is dialled is not dialled again: it is removed when its attempt is settled,
// unless that reached it or ended it otherwise.
func (s *Store) RemoveTargets(ctx context.Context, t pbx.TenantID, campaign string, p pbx.TargetPick) (int, error) {
	n, err := s.eachPicked(ctx, t, campaign, p, func(_ *txn, r *targetRow) (bool, error) {
		switch {
		case r.State == pbx.TargetDialling && !r.leaving:
			r.leaving = true
		case r.State == pbx.TargetWaiting:
			r.State, r.Reason = pbx.TargetRemoved, ""
		default:
			return false, nil
		}
		return true, nil
	})
	if err != nil {
		return n, fmt.Errorf("remove targets from campaign %s of company %s: %w", campaign, t, err)
	}
	return n, nil
}

// RetryTargets lets targets wait again that were interrupted, exhausted or skipped, by a
// person's word, and gives how many. Whoever is on a stop list stays skipped, and the
// bounds of attempts hold as before. It is a Conflict when the campaign
// is cancelled; one that is finished calls them once it is started again.
func (s *Store) RetryTargets(ctx context.Context, t pbx.TenantID, campaign string, p pbx.TargetPick) (int, error) {
	n, err := s.eachPicked(ctx, t, campaign, p, func(tx *txn, r *targetRow) (bool, error) {
		status, err := tx.campaignStatus(t, campaign)
		if err != nil {
			return false, err
		}
		if status == pbx.CampaignCancelled {
			return false, &pbx.Error{Kind: pbx.Conflict, Msg: "the campaign is " + string(status)}
		}
		if r.State != pbx.TargetInterrupted && r.State != pbx.TargetExhausted && r.State != pbx.TargetSkipped {
			return false, nil
		}
		if stopped, err := tx.stopped(t, campaign, r.Numbers); err != nil || stopped {
			return false, err
		}
		r.State, r.Reason, r.Next = pbx.TargetWaiting, "", time.Now()
		return true, nil
	})
	if err != nil {
		return n, fmt.Errorf("retry targets of campaign %s of company %s: %w", campaign, t, err)
	}
	return n, nil
}

// eachPicked calls change with each target that p names, in portions, writes those of
// which it says that they have changed, queues what the company's CRM is told of those that
// are over, and gives how many have changed.
func (s *Store) eachPicked(ctx context.Context, t pbx.TenantID, campaign string, p pbx.TargetPick, change func(*txn, *targetRow) (bool, error)) (int, error) {
	if len(p.IDs) == 0 && p.Number == "" && p.Key == "" && p.State == "" {
		return 0, &pbx.Error{Kind: pbx.Invalid, Msg: "no targets are named"}
	}
	p.IDs = slices.Compact(slices.Sorted(slices.Values(p.IDs)))
	changed := 0
	for after, done := int64(math.MinInt64), false; !done; {
		var n int
		var last int64
		err := s.writer.do(ctx, func(tx *txn) error {
			n, last = 0, after
			list, err := tx.picked(t, campaign, p, after, s.portion(t))
			if err != nil {
				return err
			}
			counts, at := tally{}, time.Now()
			for i := range list {
				r := &list[i]
				last = r.ID
				was := classOf(&r.Target)
				yes, err := change(tx, r)
				if err != nil {
					return err
				}
				if !yes {
					continue
				}
				r.Updated = at
				if err := tx.putTarget(t, campaign, r, was, counts); err != nil {
					return err
				}
				if err := s.tellOver(tx, t, campaign, &r.Target); err != nil {
					return err
				}
				n++
			}
			return tx.addCounts(t, campaign, counts)
		})
		if err != nil {
			return changed, err
		}
		changed += n
		done, after = last == after, last
	}
	return changed, nil
}

// picked gives the targets of a portion that p names, behind an id.
func (t *txn) picked(tenant pbx.TenantID, campaign string, p pbx.TargetPick, after int64, limit int) ([]targetRow, error) {
	var list []targetRow
	scan := func(rows *sql.Rows) error {
		var r targetRow
		err := r.scan(rows)
		list = append(list, r)
		return err
	}
	const some = `SELECT ` + targetColumns + ` FROM targets WHERE tenant = $1 AND campaign = $2 AND id > $3 AND `
	const sorted = ` ORDER BY id LIMIT $5`
	var err error
	switch {
	case len(p.IDs) > 0:
		return t.pickedIDs(tenant, campaign, p.IDs, after, limit)
	case p.Number != "":
		err = t.query(scan, some+`id = (SELECT target FROM target_numbers WHERE tenant = $1 AND campaign = $2 AND number = $4)`+sorted,
			string(tenant), campaign, after, column(p.Number), limit)
	case p.Key != "":
		err = t.query(scan, some+`key <> '' AND key = $4`+sorted, string(tenant), campaign, after, column(p.Key), limit)
	default:
		err = t.query(scan, some+`state = $4`+sorted, string(tenant), campaign, after, string(p.State), limit)
	}
	return list, err
}

// pickedIDs gives the targets of a portion whose ids are in a sorted list, behind one.
func (t *txn) pickedIDs(tenant pbx.TenantID, campaign string, ids []int64, after int64, limit int) ([]targetRow, error) {
	var list []targetRow
	first, found := slices.BinarySearch(ids, after)
	if found {
		first++
	}
	for _, id := range ids[first:] {
		r, found, err := t.target(tenant, campaign, id)
		if err != nil {
			return nil, err
		}
		if !found {
			continue
		}
		if list = append(list, r); len(list) == limit {
			break
		}
	}
	return list, nil
}
