package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"vpbx/pbx"
)

const (
	portion     = 1000 // targets in one transaction
	tellPortion = 200  // of those that end at once, where the company's CRM is told of each

	// contactsKept is how long the attempts of a campaign that was dropped still count
	// for others: no law looks further back.
	contactsKept = 92 * 24 * time.Hour
)

// SaveCampaign keeps the state of a campaign unless one of a later version is kept, or
// the company was removed.
func (s *Store) SaveCampaign(ctx context.Context, t pbx.TenantID, c pbx.CampaignState) error {
	return s.saveCampaign(ctx, t, c, func(*txn) error { return nil })
}

// FinishCampaign does so if no target of the campaign waits or is dialled in that moment;
// otherwise it is a Conflict.
func (s *Store) FinishCampaign(ctx context.Context, t pbx.TenantID, c pbx.CampaignState) error {
	return s.saveCampaign(ctx, t, c, func(tx *txn) error {
		left := false
		err := tx.query(func(*sql.Rows) error { left = true; return nil }, `SELECT 1 FROM target_counts
			WHERE tenant = $1 AND campaign = $2 AND state IN ('waiting', 'dialling') AND amount > 0 LIMIT 1`, string(t), c.Campaign)
		if err == nil && left {
			return &pbx.Error{Kind: pbx.Conflict, Msg: "targets of the campaign wait to be called"}
		}
		return err
	})
}

// saveCampaign keeps the state of a campaign if may has no error.
func (s *Store) saveCampaign(ctx context.Context, t pbx.TenantID, c pbx.CampaignState, may func(*txn) error) error {
	if t == "" || c.Campaign == "" {
		return &pbx.Error{Kind: pbx.Invalid, Msg: "the state of a campaign without company or name"}
	}
	if c.Tenant != t {
		return mismatch("the state of the campaign")
	}
	body, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("encode the state of campaign %s: %w", c.Campaign, err)
	}
	err = s.writer.do(ctx, func(tx *txn) error {
		if err := may(tx); err != nil {
			return err
		}
		_, err := tx.exec(`INSERT INTO campaigns (tenant, campaign, version, status, body)
			SELECT $1, $2, $3, $4, $5 WHERE EXISTS (SELECT 1 FROM company_rows WHERE tenant = $1)
			ON CONFLICT (tenant, campaign) DO UPDATE SET version = excluded.version, status = excluded.status, body = excluded.body
			WHERE excluded.version > campaigns.version`, string(t), c.Campaign, c.Version, string(c.Status), string(body))
		return err
	})
	if err != nil {
		return fmt.Errorf("save campaign %s of company %s: %w", c.Campaign, t, err)
	}
	return nil
}

// OpenCampaigns gives the states of the campaigns of all companies that are not over, or
// are and have targets that still wait. It is asked once, at the start.
func (s *Store) OpenCampaigns(ctx context.Context) ([]pbx.CampaignState, error) {
	var list []pbx.CampaignState
	err := s.rows(ctx, func(rows *sql.Rows) error { return scanInto(rows, &list) },
		`SELECT body FROM campaigns c WHERE status NOT IN ('finished', 'cancelled') OR EXISTS (SELECT 1 FROM target_counts n
			WHERE n.tenant = c.tenant AND n.campaign = c.campaign AND n.state = 'waiting' AND n.amount > 0) ORDER BY tenant, campaign`)
	if err != nil {
		return nil, fmt.Errorf("read campaigns: %w", err)
	}
	return list, nil
}

// CampaignStates gives the states of all campaigns that the company has or had, in the
// order of their names.
func (s *Store) CampaignStates(ctx context.Context, t pbx.TenantID) ([]pbx.CampaignState, error) {
	list := []pbx.CampaignState{}
	err := s.rows(ctx, func(rows *sql.Rows) error { return scanInto(rows, &list) },
		`SELECT body FROM campaigns WHERE tenant = $1 ORDER BY campaign`, string(t))
	if err != nil {
		return nil, fmt.Errorf("read campaigns of company %s: %w", t, err)
	}
	return list, nil
}

// CampaignState gives the state of a campaign, a NotFound error when it has none.
func (s *Store) CampaignState(ctx context.Context, t pbx.TenantID, campaign string) (pbx.CampaignState, error) {
	var c pbx.CampaignState
	var body string
	err := s.readDB.QueryRowContext(ctx, `SELECT body FROM campaigns WHERE tenant = $1 AND campaign = $2`, string(t), column(campaign)).Scan(&body)
	if err != nil {
		return c, found(err, "campaign")
	}
	if err := json.Unmarshal([]byte(body), &c); err != nil {
		return c, fmt.Errorf("decode campaign %s: %w", campaign, err)
	}
	return c, nil
}

// campaignStatus gives how far a campaign is, "" when it has no state yet.
func (t *txn) campaignStatus(tenant pbx.TenantID, campaign string) (pbx.CampaignStatus, error) {
	var status pbx.CampaignStatus
	err := t.query(func(rows *sql.Rows) error { return rows.Scan(&status) },
		`SELECT status FROM campaigns WHERE tenant = $1 AND campaign = $2`, string(tenant), campaign)
	return status, err
}

// DropCampaign removes the state of a campaign that is over or never began, its targets
// and its stop list, in portions. Its attempts lose the name and what was said in them,
// and still count as contacts of the company as long as the law may ask. It is a Conflict
// when the campaign may still call somebody. What was dropped when an error came stays so;
// it may be asked for again.
func (s *Store) DropCampaign(ctx context.Context, t pbx.TenantID, campaign string) error {
	old := micros(time.Now().Add(-contactsKept))
	for _, drop := range []func(*txn) (int64, error){
		func(tx *txn) (int64, error) { return tx.dropTargets(t, campaign) },
		func(tx *txn) (int64, error) {
			return tx.exec(`DELETE FROM target_numbers WHERE tenant = $1 AND campaign = $2 AND number IN (
				SELECT number FROM target_numbers WHERE tenant = $1 AND campaign = $2 LIMIT $3)`, string(t), campaign, portion)
		},
		func(tx *txn) (int64, error) {
			return tx.exec(`DELETE FROM stops WHERE tenant = $1 AND campaign = $2 AND campaign <> '' AND number IN (
				SELECT number FROM stops WHERE tenant = $1 AND campaign = $2 LIMIT $3)`, string(t), campaign, portion)
		},
		func(tx *txn) (int64, error) {
			return tx.exec(`UPDATE attempts SET campaign = '', body = '{}', answers = '' WHERE tenant = $1 AND campaign = $2 AND campaign <> '' AND (target, n) IN (
				SELECT target, n FROM attempts WHERE tenant = $1 AND campaign = $2 LIMIT $3)`, string(t), campaign, portion)
		},
		func(tx *txn) (int64, error) {
			return tx.exec(`DELETE FROM attempts WHERE tenant = $1 AND campaign = '' AND (target, n) IN (
				SELECT target, n FROM attempts WHERE tenant = $1 AND campaign = '' AND began < $2 LIMIT $3)`, string(t), old, portion)
		},
	} {
		if err := s.dropPortions(ctx, t, campaign, drop); err != nil {
			return fmt.Errorf("drop campaign %s of company %s: %w", campaign, t, err)
		}
	}
	err := s.writer.do(ctx, func(tx *txn) error {
		if err := tx.dormant(t, campaign); err != nil {
			return err
		}
		for _, query := range []string{
			`DELETE FROM target_counts WHERE tenant = $1 AND campaign = $2 AND amount = 0`,
			`DELETE FROM attempt_hours WHERE tenant = $1 AND campaign = $2`,
			`DELETE FROM answer_hours WHERE tenant = $1 AND campaign = $2`,
			`DELETE FROM campaigns WHERE tenant = $1 AND campaign = $2`,
		} {
			if _, err := tx.exec(query, string(t), campaign); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("drop campaign %s of company %s: %w", campaign, t, err)
	}
	return nil
}

// dropPortions calls drop until it has nothing left to drop of a campaign that stays
// dormant.
func (s *Store) dropPortions(ctx context.Context, t pbx.TenantID, campaign string, drop func(*txn) (int64, error)) error {
	for {
		dropped := int64(0)
		err := s.writer.do(ctx, func(tx *txn) error {
			err := tx.dormant(t, campaign)
			if err == nil {
				dropped, err = drop(tx)
			}
			return err
		})
		if err != nil || dropped == 0 {
			return err
		}
	}
}

// dropTargets deletes a portion of the targets of a campaign and counts them no longer.
func (t *txn) dropTargets(tenant pbx.TenantID, campaign string) (int64, error) {
	counts, last := tally{}, int64(0)
	err := t.query(func(rows *sql.Rows) error {
		var c targetClass
		err := rows.Scan(&last, &c.state, &c.reason, &c.outcome)
		counts[c]--
		return err
	}, `SELECT id, state, reason, outcome FROM targets WHERE tenant = $1 AND campaign = $2 ORDER BY id LIMIT $3`, string(tenant), campaign, portion)
	if err != nil {
		return 0, err
	}
	n, err := t.exec(`DELETE FROM targets WHERE tenant = $1 AND campaign = $2 AND id <= $3`, string(tenant), campaign, last)
	if err != nil {
		return 0, err
	}
	return n, t.addCounts(tenant, campaign, counts)
}

// dormant is a Conflict when somebody of the campaign is dialled or will be.
func (t *txn) dormant(tenant pbx.TenantID, campaign string) error {
	status, err := t.campaignStatus(tenant, campaign)
	if err != nil {
		return err
	}
	if status != "" && status != pbx.CampaignDraft && !status.Over() {
		return &pbx.Error{Kind: pbx.Conflict, Msg: "the campaign is " + string(status) + ": only one that is over, or a draft, can be dropped"}
	}
	going := false
	err = t.query(func(*sql.Rows) error { going = true; return nil },
		`SELECT 1 FROM targets WHERE tenant = $1 AND campaign = $2 AND state = 'dialling' LIMIT 1`, string(tenant), campaign)
	if err == nil && going {
		return &pbx.Error{Kind: pbx.Conflict, Msg: "a target of the campaign is dialled just now"}
	}
	return err
}
