package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"vpbx/pbx"
)

// hourMicros is the length of the hours by which attempts are counted.
const hourMicros = int64(time.Hour / time.Microsecond)

// figures are what attempts of one outcome add up to; times are in microseconds.
type figures struct {
	amount, opted, waits int
	talk, waited         int64
}

func (f *figures) add(g figures) {
	f.amount, f.opted, f.waits = f.amount+g.amount, f.opted+g.opted, f.waits+g.waits
	f.talk, f.waited = f.talk+g.talk, f.waited+g.waited
}

// addHour counts an attempt that is over.
func (t *txn) addHour(tenant pbx.TenantID, a pbx.Attempt, e ending) error {
	hour := micros(a.Began) / hourMicros
	waits, waited := 0, int64(0)
	if e.waited >= 0 {
		waits, waited = 1, e.waited
	}
	_, err := t.exec(`INSERT INTO attempt_hours (tenant, campaign, hour, outcome, amount, talk, opted, waits, waited) VALUES ($1, $2, $3, $4, 1, $5, $6, $7, $8)
		ON CONFLICT (tenant, campaign, hour, outcome) DO UPDATE SET amount = attempt_hours.amount + 1, talk = attempt_hours.talk + excluded.talk,
		opted = attempt_hours.opted + excluded.opted, waits = attempt_hours.waits + excluded.waits, waited = attempt_hours.waited + excluded.waited`,
		string(tenant), a.Campaign, hour, string(a.Outcome), e.talk, e.opted, waits, waited)
	if err != nil || a.Result == nil {
		return err
	}
	for _, k := range a.Result.Answers {
		if _, err := t.exec(`INSERT INTO answer_hours (tenant, campaign, hour, block, key, answer, amount) VALUES ($1, $2, $3, $4, $5, $6, 1)
			ON CONFLICT (tenant, campaign, hour, block, key, answer) DO UPDATE SET amount = answer_hours.amount + 1`,
			string(tenant), a.Campaign, hour, column(k.Block), column(k.Key), column(k.Answer)); err != nil {
			return err
		}
	}
	return nil
}

// span is a time from since until, whose zero times are no bounds.
func span(since, until time.Time) (from, to int64) {
	to = math.MaxInt64
	if !since.IsZero() {
		from = max(0, micros(since))
	}
	if !until.IsZero() {
		to = max(from, micros(until))
	}
	return from, to
}

// whole gives the whole hours in a span, which may be none, and what is left before and
// behind them.
func whole(from, to int64) (first, last int64, rest [][2]int64) {
	first, last = from/hourMicros, to/hourMicros
	if from%hourMicros != 0 {
		first++
	}
	if to == math.MaxInt64 {
		last = to
	}
	if first >= last {
		return 0, 0, [][2]int64{{from, to}}
	}
	rest = append(rest, [2]int64{from, first * hourMicros})
	if last != to {
		rest = append(rest, [2]int64{last * hourMicros, to})
	}
	return first, last, rest
}

// eachHour calls f with what the attempts of a campaign that began in a span and are over
// came to, by hour and outcome. It may give an hour and outcome in several parts.
func (s *Store) eachHour(ctx context.Context, t pbx.TenantID, campaign string, from, to int64, f func(hour int64, outcome pbx.AttemptOutcome, g figures)) error {
	scan := func(rows *sql.Rows) error {
		var hour int64
		var outcome pbx.AttemptOutcome
		var g figures
		err := rows.Scan(&hour, &outcome, &g.amount, &g.talk, &g.opted, &g.waits, &g.waited)
		f(hour, outcome, g)
		return err
	}
	first, last, rest := whole(from, to)
	err := s.rows(ctx, scan, `SELECT hour, outcome, amount, talk, opted, waits, waited FROM attempt_hours
		WHERE tenant = $1 AND campaign = $2 AND hour >= $3 AND hour < $4`, string(t), column(campaign), first, last)
	if err != nil {
		return err
	}
	for _, part := range rest {
		if part[0] >= part[1] {
			continue
		}
		err := s.rows(ctx, scan, `SELECT began / $5, outcome, count(*), sum(talk), sum(opted), count(CASE WHEN waited >= 0 THEN 1 END),
			sum(CASE WHEN waited >= 0 THEN waited ELSE 0 END) FROM attempts
			WHERE tenant = $1 AND campaign = $2 AND campaign <> '' AND began >= $3 AND began < $4 AND ended <> 0 GROUP BY began / $5, outcome`,
			string(t), column(campaign), part[0], part[1], hourMicros)
		if err != nil {
			return err
		}
	}
	return nil
}

// eachAnswer calls f with how often each key was pressed in the attempts of a campaign
// that began in a span. It may give a key in several parts.
func (s *Store) eachAnswer(ctx context.Context, t pbx.TenantID, campaign string, from, to int64, f func(a pbx.Answer, n int)) error {
	first, last, rest := whole(from, to)
	err := s.rows(ctx, func(rows *sql.Rows) error {
		var a pbx.Answer
		var n int
		err := rows.Scan(&a.Block, &a.Key, &a.Answer, &n)
		f(a, n)
		return err
	}, `SELECT block, key, answer, sum(amount) FROM answer_hours WHERE tenant = $1 AND campaign = $2 AND hour >= $3 AND hour < $4
		GROUP BY block, key, answer`, string(t), column(campaign), first, last)
	if err != nil {
		return err
	}
	for _, part := range rest {
		if part[0] >= part[1] {
			continue
		}
		err := s.rows(ctx, func(rows *sql.Rows) error {
			var text string
			var n int
			if err := rows.Scan(&text, &n); err != nil {
				return err
			}
			var answers []pbx.Answer
			if err := json.Unmarshal([]byte(text), &answers); err != nil {
				return fmt.Errorf("decode answers: %w", err)
			}
			for _, a := range answers {
				f(a, n)
			}
			return nil
		}, `SELECT answers, count(*) FROM attempts WHERE tenant = $1 AND campaign = $2 AND campaign <> '' AND began >= $3 AND began < $4 AND answers <> ''
			GROUP BY answers`, string(t), column(campaign), part[0], part[1])
		if err != nil {
			return err
		}
	}
	return nil
}
