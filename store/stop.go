package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"vpbx/pbx"
)

// stopped tells whether any of the numbers is on the stop list of the company or of the
// campaign.
func (t *txn) stopped(tenant pbx.TenantID, campaign string, numbers []string) (bool, error) {
	found := false
	for _, number := range numbers {
		err := t.query(func(*sql.Rows) error { found = true; return nil },
			`SELECT 1 FROM stops WHERE tenant = $1 AND campaign IN ('', $2) AND number = $3 LIMIT 1`, string(tenant), campaign, number)
		if err != nil || found {
			return found, err
		}
	}
	return false, nil
}

// addStop puts a number on a stop list and skips the targets that wait and have it, of
// the campaign or of all of the company. One that is on the list stays as it is. It gives
// how many targets it has skipped.
func (s *Store) addStop(tx *txn, t pbx.TenantID, stop pbx.Stop, at time.Time) (int, error) {
	_, err := tx.exec(`INSERT INTO stops (tenant, campaign, number, source, note, at) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (tenant, campaign, number) DO NOTHING`,
		string(t), column(stop.Campaign), column(stop.Number), column(stop.Source), column(stop.Note), micros(stop.At))
	if err != nil {
		return 0, err
	}
	places, err := tx.placesOf(t, column(stop.Campaign), column(stop.Number))
	if err != nil {
		return 0, err
	}
	skipped := 0
	for _, p := range places {
		r, found, err := tx.target(t, p.campaign, p.target)
		if err != nil {
			return 0, err
		}
		if !found || r.State != pbx.TargetWaiting {
			continue
		}
		counts, was := tally{}, classOf(&r.Target)
		r.State, r.Reason, r.Updated = pbx.TargetSkipped, pbx.HeldStopList, at
		if err := tx.putTarget(t, p.campaign, &r, was, counts); err != nil {
			return 0, err
		}
		if err := tx.addCounts(t, p.campaign, counts); err != nil {
			return 0, err
		}
		if err := s.tellOver(tx, t, p.campaign, &r.Target); err != nil {
			return 0, err
		}
		skipped++
	}
	return skipped, nil
}

// place is where a number is called.
type place struct {
	campaign string
	target   int64
}

// placesOf gives the targets that have a number: that of a campaign, or, where that is "",
// those of all campaigns in which somebody waits.
func (t *txn) placesOf(tenant pbx.TenantID, campaign, number string) ([]place, error) {
	var places []place
	scan := func(rows *sql.Rows) error {
		var p place
		err := rows.Scan(&p.campaign, &p.target)
		places = append(places, p)
		return err
	}
	if campaign != "" {
		err := t.query(scan, `SELECT campaign, target FROM target_numbers WHERE tenant = $1 AND campaign = $2 AND number = $3`,
			string(tenant), campaign, number)
		return places, err
	}
	err := t.query(scan, `SELECT n.campaign, n.target FROM
		(SELECT DISTINCT campaign FROM target_counts WHERE tenant = $1 AND state = 'waiting' AND amount > 0) c
		JOIN target_numbers n ON n.tenant = $1 AND n.campaign = c.campaign AND n.number = $2`, string(tenant), number)
	return places, err
}

// AddStops puts numbers on the stop lists that they name, and skips at once the targets
// that wait and have one of them. It gives how many targets that were. A number that is
// on its list stays as it is.
func (s *Store) AddStops(ctx context.Context, t pbx.TenantID, list []pbx.Stop) (int, error) {
	skipped := 0
	for part := range slices.Chunk(list, s.portion(t)) {
		n := 0
		err := s.writer.do(ctx, func(tx *txn) error {
			n = 0
			if err := tx.there(t); err != nil {
				return err
			}
			for _, stop := range part {
				k, err := s.addStop(tx, t, stop, time.Now())
				if err != nil {
					return err
				}
				n += k
			}
			return nil
		})
		if err != nil {
			return 0, fmt.Errorf("add to the stop lists of company %s: %w", t, err)
		}
		skipped += n
	}
	return skipped, nil
}

// Stops lists the stop list of the company, or that of a campaign, in the order of the
// numbers, behind after; limit of them at most.
func (s *Store) Stops(ctx context.Context, t pbx.TenantID, campaign, after string, limit int) ([]pbx.Stop, error) {
	defer s.metrics.time("stops")()
	list := []pbx.Stop{}
	err := s.rows(ctx, func(rows *sql.Rows) error {
		stop := pbx.Stop{Campaign: campaign}
		var at int64
		if err := rows.Scan(&stop.Number, &stop.Source, &stop.Note, &at); err != nil {
			return err
		}
		stop.At = fromMicros(at)
		list = append(list, stop)
		return nil
	}, `SELECT number, source, note, at FROM stops WHERE tenant = $1 AND campaign = $2 AND number > $3 ORDER BY number LIMIT $4`,
		string(t), column(campaign), column(after), min(limit, maxLimit))
	if err != nil {
		return nil, fmt.Errorf("read the stop list of company %s: %w", t, err)
	}
	return list, nil
}

// Stop gives a number's place on the stop list of the company, or on that of a campaign; a
// NotFound error when it is not there.
func (s *Store) Stop(ctx context.Context, t pbx.TenantID, campaign, number string) (pbx.Stop, error) {
	stop := pbx.Stop{Number: number, Campaign: campaign}
	var at int64
	err := s.readDB.QueryRowContext(ctx, `SELECT source, note, at FROM stops WHERE tenant = $1 AND campaign = $2 AND number = $3`,
		string(t), column(campaign), column(number)).Scan(&stop.Source, &stop.Note, &at)
	if err != nil {
		return pbx.Stop{}, found(err, "number on the stop list")
	}
	stop.At = fromMicros(at)
	return stop, nil
}

// RemoveStop takes a number off the stop list of the company, or off that of a campaign;
// a NotFound error when it is not there. Targets that were skipped stay so until somebody
// puts them back.
func (s *Store) RemoveStop(ctx context.Context, t pbx.TenantID, campaign, number string) error {
	return s.writer.do(ctx, func(tx *txn) error {
		n, err := tx.exec(`DELETE FROM stops WHERE tenant = $1 AND campaign = $2 AND number = $3`, string(t), column(campaign), column(number))
		if err == nil && n == 0 {
			return &pbx.Error{Kind: pbx.NotFound, Msg: "no such number on the stop list"}
		}
		return err
	})
}

// AddConsents keeps that people have agreed to be called, each in the place of what was
// kept of the number before.
func (s *Store) AddConsents(ctx context.Context, t pbx.TenantID, list []pbx.Consent) error {
	for part := range slices.Chunk(list, portion) {
		err := s.writer.do(ctx, func(tx *txn) error {
			if err := tx.there(t); err != nil {
				return err
			}
			for _, c := range part {
				if _, err := tx.exec(`INSERT INTO consents (tenant, number, source, text, at) VALUES ($1, $2, $3, $4, $5)
					ON CONFLICT (tenant, number) DO UPDATE SET source = excluded.source, text = excluded.text, at = excluded.at`,
					string(t), column(c.Number), column(c.Source), column(c.Text), micros(c.At)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("add consents of company %s: %w", t, err)
		}
	}
	return nil
}

// Consents gives the consent records of the numbers that have one.
func (s *Store) Consents(ctx context.Context, t pbx.TenantID, numbers []string) (map[string]pbx.Consent, error) {
	records := map[string]pbx.Consent{}
	for _, number := range numbers {
		c := pbx.Consent{Number: number}
		var at int64
		err := s.readDB.QueryRowContext(ctx, `SELECT source, text, at FROM consents WHERE tenant = $1 AND number = $2`,
			string(t), column(number)).Scan(&c.Source, &c.Text, &at)
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil {
			return nil, unavailable("read a consent", err)
		}
		c.At = fromMicros(at)
		records[number] = c
	}
	return records, nil
}

// ConsentList lists the consent records of a company in the order of the numbers, behind
// after; limit of them at most.
func (s *Store) ConsentList(ctx context.Context, t pbx.TenantID, after string, limit int) ([]pbx.Consent, error) {
	defer s.metrics.time("consents")()
	list := []pbx.Consent{}
	err := s.rows(ctx, func(rows *sql.Rows) error {
		var c pbx.Consent
		var at int64
		if err := rows.Scan(&c.Number, &c.Source, &c.Text, &at); err != nil {
			return err
		}
		c.At = fromMicros(at)
		list = append(list, c)
		return nil
	}, `SELECT number, source, text, at FROM consents WHERE tenant = $1 AND number > $2 ORDER BY number LIMIT $3`,
		string(t), column(after), min(limit, maxLimit))
	if err != nil {
		return nil, fmt.Errorf("list the consents of company %s: %w", t, err)
	}
	return list, nil
}

// RemoveConsent forgets that somebody has agreed to be called; a NotFound error when
// nothing is known of the number.
func (s *Store) RemoveConsent(ctx context.Context, t pbx.TenantID, number string) error {
	return s.writer.do(ctx, func(tx *txn) error {
		n, err := tx.exec(`DELETE FROM consents WHERE tenant = $1 AND number = $2`, string(t), column(number))
		if err == nil && n == 0 {
			return &pbx.Error{Kind: pbx.NotFound, Msg: "no such consent"}
		}
		return err
	})
}
