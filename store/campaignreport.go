package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"vpbx/pbx"
)

// span is a time from since until, whose zero times are no bounds.
func span(since, until time.Time) (from, to int64) {
	from, to = math.MinInt64, math.MaxInt64
	if !since.IsZero() {
		from = micros(since)
	}
	if !until.IsZero() {
		to = micros(until)
	}
	return from, to
}

// EachAttempt calls f with each attempt of a campaign that began from since until, those
// that go on too, in the order in which they began, until f gives an error, which is given
// back as it is. Zero times are no bounds. It reads a page at a time.
func (s *Store) EachAttempt(ctx context.Context, t pbx.TenantID, campaign string, since, until time.Time, f func(pbx.Attempt) error) error {
	from, to := span(since, until)
	target, n := int64(math.MinInt64), int64(0)
	for {
		var list []pbx.Attempt
		err := s.rows(ctx, func(rows *sql.Rows) error { return scanInto(rows, &list) },
			`SELECT body FROM attempts WHERE tenant = $1 AND campaign = $2 AND campaign <> '' AND began < $3 AND began >= $4 AND (began, target, n) > ($4, $5, $6)
			ORDER BY began, target, n LIMIT $7`, string(t), column(campaign), to, from, target, n, maxLimit)
		if err != nil {
			return fmt.Errorf("read attempts of campaign %s of company %s: %w", campaign, t, err)
		}
		for _, a := range list {
			if err := f(a); err != nil {
				return err
			}
		}
		if len(list) < maxLimit {
			return nil
		}
		last := list[len(list)-1]
		from, target, n = micros(last.Began), last.Target, int64(last.N)
	}
}

// CampaignReport gives what has become of the targets of a campaign, and what came of its
// attempts that began from since until and are over; zero times are no bounds. The hours
// are those of UTC.
func (s *Store) CampaignReport(ctx context.Context, t pbx.TenantID, campaign string, since, until time.Time) (pbx.CampaignReport, error) {
	defer s.metrics.time("campaign_report")()
	r := pbx.CampaignReport{Campaign: campaign, Targets: map[pbx.TargetState]int{}, Reasons: map[pbx.HoldReason]int{}, Final: map[pbx.AttemptOutcome]int{},
		Outcomes: map[pbx.AttemptOutcome]int{}, Answers: []pbx.AnswerCount{}, Hours: []pbx.HourCount{}}
	if err := s.describe(ctx, t, &r); err != nil {
		return r, err
	}
	if !since.IsZero() {
		r.Since = &since
	}
	if !until.IsZero() {
		r.Until = &until
	}
	counts, err := s.counts(ctx, t, campaign)
	if err != nil {
		return r, err
	}
	for c, n := range counts {
		r.Targets[c.state] += n
		if c.reason != "" {
			r.Reasons[c.reason] += n
		}
		if c.outcome != "" {
			r.Final[c.outcome] += n
		}
	}
	from, to := span(since, until)
	if err := s.countAttempts(ctx, t, &r, from, to); err != nil {
		return r, fmt.Errorf("report on campaign %s of company %s: %w", campaign, t, err)
	}
	if err := s.countAnswers(ctx, t, &r, from, to); err != nil {
		return r, fmt.Errorf("report on campaign %s of company %s: %w", campaign, t, err)
	}
	return r, nil
}

// describe tells of what kind and mode a campaign is: as set, or, when it was taken out of
// the document, as it was.
func (s *Store) describe(ctx context.Context, t pbx.TenantID, r *pbx.CampaignReport) error {
	if company := s.Directory().Company(t); company != nil && company.Campaigns[r.Campaign] != nil {
		r.Kind, r.Mode = company.Campaigns[r.Campaign].Kind, company.Campaigns[r.Campaign].Mode
		return nil
	}
	state, err := s.CampaignState(ctx, t, r.Campaign)
	if err == nil && state.Settings != nil {
		r.Kind, r.Mode = state.Settings.Kind, state.Settings.Mode
	}
	return err
}

const hourMicros = int64(time.Hour / time.Microsecond)

// countAttempts counts what the attempts came to, all and by hour.
func (s *Store) countAttempts(ctx context.Context, t pbx.TenantID, r *pbx.CampaignReport, from, to int64) error {
	var talk, waited int64
	connected, abandoned := 0, 0
	err := s.rows(ctx, func(rows *sql.Rows) error {
		var hour, talked, wait int64
		var outcome pbx.AttemptOutcome
		var n, opted, waits int
		if err := rows.Scan(&hour, &outcome, &n, &talked, &opted, &wait, &waits); err != nil {
			return err
		}
		at := fromMicros(hour * hourMicros)
		if len(r.Hours) == 0 || !r.Hours[len(r.Hours)-1].Hour.Equal(at) {
			r.Hours = append(r.Hours, pbx.HourCount{Hour: at, Outcomes: map[pbx.AttemptOutcome]int{}})
		}
		h := &r.Hours[len(r.Hours)-1]
		h.Attempts += n
		h.Outcomes[outcome] += n
		r.Attempts += n
		r.Outcomes[outcome] += n
		r.OptedOut += opted
		talk, waited, connected = talk+talked, waited+wait, connected+waits
		if outcome.Live() {
			h.Live += n
			r.Live += n
		}
		if outcome == pbx.AttemptAbandoned {
			abandoned += n
		}
		return nil
	}, `SELECT began / $5, outcome, count(*), sum(talk), sum(opted), sum(CASE WHEN waited >= 0 THEN waited ELSE 0 END), sum(CASE WHEN waited >= 0 THEN 1 ELSE 0 END)
		FROM attempts WHERE tenant = $1 AND campaign = $2 AND campaign <> '' AND began >= $3 AND began < $4 AND ended <> 0
		GROUP BY began / $5, outcome ORDER BY began / $5, outcome`, string(t), column(r.Campaign), from, to, hourMicros)
	r.Talk = float64(talk) / 1e6
	if connected > 0 {
		r.Operator = float64(waited) / 1e6 / float64(connected)
	}
	if r.Live > 0 {
		r.Share = float64(abandoned) / float64(r.Live)
	}
	return err
}

// countAnswers counts the keys that were pressed.
func (s *Store) countAnswers(ctx context.Context, t pbx.TenantID, r *pbx.CampaignReport, from, to int64) error {
	pressed := map[pbx.Answer]int{}
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
			pressed[a] += n
		}
		return nil
	}, `SELECT answers, count(*) FROM attempts WHERE tenant = $1 AND campaign = $2 AND campaign <> '' AND began >= $3 AND began < $4 AND answers <> ''
		GROUP BY answers`, string(t), column(r.Campaign), from, to)
	for a, n := range pressed {
		r.Answers = append(r.Answers, pbx.AnswerCount{Answer: a, Count: n})
	}
	slices.SortFunc(r.Answers, func(x, y pbx.AnswerCount) int {
		if c := strings.Compare(x.Block, y.Block); c != 0 {
			return c
		}
		if c := strings.Compare(x.Key, y.Key); c != 0 {
			return c
		}
		return strings.Compare(x.Answer.Answer, y.Answer.Answer)
	})
	return err
}
