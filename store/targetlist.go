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

// AddTargets adds targets to a campaign, at most a thousand in a transaction. They wait,
// or are skipped when a number of theirs is on a stop list, of which the company's CRM is
// told; one of which the campaign has
// a number already is left out, unless that was of a target that was removed. IDs, State,
// Attempts and what else the campaign makes of a target are not looked at. When an error
// comes in the middle, what is told was added; adding all again adds the rest.
func (s *Store) AddTargets(ctx context.Context, t pbx.TenantID, campaign string, list []pbx.Target) (pbx.Added, error) {
	var sum pbx.Added
	if t == "" || campaign == "" {
		return sum, &pbx.Error{Kind: pbx.Invalid, Msg: "targets without company or campaign"}
	}
	for part := range slices.Chunk(list, portion) {
		var added pbx.Added
		err := s.writer.do(ctx, func(tx *txn) error {
			var err error
			added, err = s.addTargets(tx, t, campaign, part, time.Now())
			return err
		})
		if err != nil {
			return sum, fmt.Errorf("add targets to campaign %s of company %s: %w", campaign, t, err)
		}
		sum.Added += added.Added
		sum.Duplicates += added.Duplicates
		sum.Stopped += added.Stopped
	}
	return sum, nil
}

// addTargets adds what fits into one transaction.
func (s *Store) addTargets(tx *txn, t pbx.TenantID, campaign string, list []pbx.Target, at time.Time) (pbx.Added, error) {
	var added pbx.Added
	last, err := tx.openForTargets(t, campaign, len(list))
	if err != nil {
		return added, err
	}
	counts := tally{}
	for i := range list {
		r := list[i]
		if err := checkTarget(&r); err != nil {
			return pbx.Added{}, err
		}
		r.ID, r.State, r.Reason, r.Added, r.Updated = last+1, pbx.TargetWaiting, "", at, at
		r.Attempts, r.Turn, r.Outcome, r.Operator = 0, 0, "", ""
		if r.Next.IsZero() {
			r.Next = at
		}
		mine, err := tx.claimNumbers(t, campaign, &r)
		if err != nil {
			return pbx.Added{}, err
		}
		if !mine {
			added.Duplicates++
			continue
		}
		stopped, err := tx.stopped(t, campaign, r.Numbers)
		if err != nil {
			return pbx.Added{}, err
		}
		if stopped {
			r.State, r.Reason = pbx.TargetSkipped, pbx.HeldStopList
			added.Stopped++
		}
		if err := tx.insertTarget(t, campaign, &r); err != nil {
			return pbx.Added{}, err
		}
		if err := s.tellOver(tx, t, campaign, &r); err != nil {
			return pbx.Added{}, err
		}
		counts[classOf(&r)]++
		added.Added++
		last++
	}
	if _, err := tx.exec(`INSERT INTO target_ids (tenant, last) VALUES ($1, $2) ON CONFLICT (tenant) DO UPDATE SET last = excluded.last`,
		string(t), last); err != nil {
		return pbx.Added{}, err
	}
	return added, tx.addCounts(t, campaign, counts)
}

// openForTargets gives the last id that a target of the company has, and an error when the
// campaign takes no more targets.
func (t *txn) openForTargets(tenant pbx.TenantID, campaign string, more int) (last int64, err error) {
	if err := t.there(tenant); err != nil {
		return 0, err
	}
	status, err := t.campaignStatus(tenant, campaign)
	if err != nil {
		return 0, err
	}
	if status == pbx.CampaignCancelled {
		return 0, &pbx.Error{Kind: pbx.Conflict, Msg: "the campaign is " + string(status)}
	}
	var have sql.NullInt64
	err = t.query(func(rows *sql.Rows) error { return rows.Scan(&have) },
		`SELECT sum(amount) FROM target_counts WHERE tenant = $1 AND campaign = $2`, string(tenant), campaign)
	if err != nil {
		return 0, err
	}
	if have.Int64+int64(more) > pbx.MaxTargets {
		return 0, &pbx.Error{Kind: pbx.Limit, Msg: fmt.Sprintf("the campaign would have %d targets; %d at most", have.Int64+int64(more), pbx.MaxTargets)}
	}
	err = t.query(func(rows *sql.Rows) error { return rows.Scan(&last) }, `SELECT last FROM target_ids WHERE tenant = $1`, string(tenant))
	return last, err
}

// checkTarget refuses a target that cannot be kept, and takes numbers that come again out
// of it.
func checkTarget(r *pbx.Target) error {
	var numbers []string
	for _, number := range r.Numbers {
		if number = column(number); number != "" && !slices.Contains(numbers, number) {
			numbers = append(numbers, number)
		}
	}
	r.Numbers, r.Key = numbers, column(r.Key)
	if len(numbers) == 0 || len(numbers) > pbx.MaxTargetNumbers {
		return &pbx.Error{Kind: pbx.Invalid, Field: "numbers", Msg: fmt.Sprintf("a target has 1 to %d numbers, not %d", pbx.MaxTargetNumbers, len(numbers))}
	}
	if r.Priority < -pbx.MaxTargetPriority || r.Priority > pbx.MaxTargetPriority {
		return &pbx.Error{Kind: pbx.Invalid, Field: "priority", Msg: fmt.Sprintf("the priority of a target is -%d to %d", pbx.MaxTargetPriority, pbx.MaxTargetPriority)}
	}
	return nil
}

// claimNumbers makes the numbers of a target its own within the campaign. It is false, and
// claims none, when another target has one that was not removed.
func (t *txn) claimNumbers(tenant pbx.TenantID, campaign string, r *pbx.Target) (bool, error) {
	var before []int64 // whose each was, 0: nobody's
	for i, number := range r.Numbers {
		n, err := t.exec(`INSERT INTO target_numbers (tenant, campaign, number, target) VALUES ($1, $2, $3, $4)
			ON CONFLICT (tenant, campaign, number) DO NOTHING`, string(tenant), campaign, number, r.ID)
		if err != nil {
			return false, err
		}
		owner := int64(0)
		if n == 0 {
			if owner, err = t.takeNumber(tenant, campaign, number, r.ID); err != nil {
				return false, err
			}
			if owner == 0 {
				return false, t.giveBack(tenant, campaign, r.Numbers[:i], before)
			}
		}
		before = append(before, owner)
	}
	return true, nil
}

// takeNumber makes a number of a removed target another's and tells whose it was, 0 when
// it is still in use.
func (t *txn) takeNumber(tenant pbx.TenantID, campaign, number string, to int64) (owner int64, err error) {
	err = t.query(func(rows *sql.Rows) error { return rows.Scan(&owner) },
		`SELECT n.target FROM target_numbers n JOIN targets t ON t.tenant = n.tenant AND t.campaign = n.campaign AND t.id = n.target
		WHERE n.tenant = $1 AND n.campaign = $2 AND n.number = $3 AND t.state = 'removed'`, string(tenant), campaign, number)
	if err != nil || owner == 0 {
		return 0, err
	}
	_, err = t.exec(`UPDATE target_numbers SET target = $4 WHERE tenant = $1 AND campaign = $2 AND number = $3`, string(tenant), campaign, number, to)
	return owner, err
}

// giveBack undoes the claims of claimNumbers.
func (t *txn) giveBack(tenant pbx.TenantID, campaign string, numbers []string, before []int64) error {
	for i, number := range numbers {
		var err error
		if before[i] == 0 {
			_, err = t.exec(`DELETE FROM target_numbers WHERE tenant = $1 AND campaign = $2 AND number = $3`, string(tenant), campaign, number)
		} else {
			_, err = t.exec(`UPDATE target_numbers SET target = $4 WHERE tenant = $1 AND campaign = $2 AND number = $3`,
				string(tenant), campaign, number, before[i])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *txn) insertTarget(tenant pbx.TenantID, campaign string, r *pbx.Target) error {
	body, err := json.Marshal(targetBody{r.Name, r.Numbers, r.Variables, r.Zone, r.Consent, r.Line, r.Added})
	if err != nil {
		return fmt.Errorf("encode a target: %w", err)
	}
	_, err = t.exec(`INSERT INTO targets (tenant, campaign, id, key, state, reason, next, priority, attempts, turn, outcome, operator, updated, body)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, 0, '', '', $9, $10)`,
		string(tenant), campaign, r.ID, r.Key, string(r.State), string(r.Reason), micros(r.Next), r.Priority, micros(r.Updated), string(body))
	return err
}

// Target gives a target of a campaign, a NotFound error when it has none of that id.
func (s *Store) Target(ctx context.Context, t pbx.TenantID, campaign string, id int64) (pbx.Target, error) {
	var list []pbx.Target
	err := s.rows(ctx, func(rows *sql.Rows) error { return scanTargets(rows, &list) },
		`SELECT `+targetColumns+` FROM targets WHERE tenant = $1 AND campaign = $2 AND id = $3`, string(t), column(campaign), id)
	if err != nil {
		return pbx.Target{}, fmt.Errorf("read target %d of company %s: %w", id, t, err)
	}
	if len(list) == 0 {
		return pbx.Target{}, &pbx.Error{Kind: pbx.NotFound, Msg: "no such target"}
	}
	return list[0], nil
}

// Targets gives the targets of a campaign that q selects, in the order of their ids, and
// the cursor of the next page, "" when there is none. A limit of 0 is defaultLimit; a
// cursor that did not come from here is an Invalid error.
func (s *Store) Targets(ctx context.Context, t pbx.TenantID, campaign string, q pbx.TargetQuery) ([]pbx.Target, string, error) {
	defer s.metrics.time("targets")()
	var w where
	w.and(`tenant = ?`, string(t))
	w.and(`campaign = ?`, column(campaign))
	if q.State != "" {
		w.and(`state = ?`, string(q.State))
	}
	if q.Outcome != "" {
		w.and(`outcome = ?`, string(q.Outcome))
	}
	if q.Key != "" {
		w.and(`key <> ''`) // else the index is not used
		w.and(`key = ?`, column(q.Key))
	}
	if q.Number != "" {
		w.and(`id = (SELECT target FROM target_numbers WHERE tenant = ? AND campaign = ? AND number = ?)`,
			string(t), column(campaign), column(q.Number))
	}
	if q.Cursor != "" {
		after, err := strconv.ParseInt(q.Cursor, 10, 64)
		if err != nil || strconv.FormatInt(after, 10) != q.Cursor || after <= 0 {
			return nil, "", &pbx.Error{Kind: pbx.Invalid, Field: "cursor", Msg: "not a cursor of this list"}
		}
		w.and(`id > ?`, after)
	}
	limit := q.Limit
	if limit <= 0 {
		limit = defaultLimit
	}
	limit = min(limit, maxLimit)
	list := []pbx.Target{}
	err := s.rows(ctx, func(rows *sql.Rows) error { return scanTargets(rows, &list) },
		fmt.Sprintf(`SELECT %s FROM targets WHERE %s ORDER BY id LIMIT %d`, targetColumns, w.text(), limit+1), w.args...)
	if err != nil {
		return nil, "", fmt.Errorf("list targets of campaign %s of company %s: %w", campaign, t, err)
	}
	if len(list) <= limit {
		return list, "", nil
	}
	list = list[:limit]
	return list, strconv.FormatInt(list[limit-1].ID, 10), nil
}

// EachTarget calls f with each target of a campaign in the order of their ids, until it
// gives an error, which is given back as it is. It reads a page at a time: a target that
// changes meanwhile is seen once, as it was before or is then.
func (s *Store) EachTarget(ctx context.Context, t pbx.TenantID, campaign string, f func(pbx.Target) error) error {
	q := pbx.TargetQuery{Limit: maxLimit}
	for {
		list, next, err := s.Targets(ctx, t, campaign, q)
		if err != nil {
			return err
		}
		for _, r := range list {
			if err := f(r); err != nil {
				return err
			}
		}
		if next == "" {
			return nil
		}
		q.Cursor = next
	}
}
