package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"vpbx/pbx"
)

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

// countAttempts counts what the attempts came to, all and by hour.
func (s *Store) countAttempts(ctx context.Context, t pbx.TenantID, r *pbx.CampaignReport, from, to int64) error {
	hours := map[int64]*pbx.HourCount{}
	var sum figures
	err := s.eachHour(ctx, t, r.Campaign, from, to, func(hour int64, outcome pbx.AttemptOutcome, f figures) {
		h := hours[hour]
		if h == nil {
			h = &pbx.HourCount{Hour: fromMicros(hour * hourMicros), Outcomes: map[pbx.AttemptOutcome]int{}}
			hours[hour] = h
		}
		h.Attempts += f.amount
		h.Outcomes[outcome] += f.amount
		r.Outcomes[outcome] += f.amount
		if outcome.Live() {
			h.Live += f.amount
			r.Live += f.amount
		}
		sum.add(f)
	})
	if err != nil {
		return err
	}
	for _, hour := range slices.Sorted(maps.Keys(hours)) {
		r.Hours = append(r.Hours, *hours[hour])
	}
	r.Attempts, r.OptedOut, r.Talk = sum.amount, sum.opted, float64(sum.talk)/1e6
	if sum.waits > 0 {
		r.Operator = float64(sum.waited) / 1e6 / float64(sum.waits)
	}
	if r.Live > 0 {
		r.Share = float64(r.Outcomes[pbx.AttemptAbandoned]) / float64(r.Live)
	}
	return nil
}

// countAnswers counts the keys that were pressed.
func (s *Store) countAnswers(ctx context.Context, t pbx.TenantID, r *pbx.CampaignReport, from, to int64) error {
	pressed := map[pbx.Answer]int{}
	err := s.eachAnswer(ctx, t, r.Campaign, from, to, func(a pbx.Answer, n int) { pressed[a] += n })
	for a, n := range pressed {
		r.Answers = append(r.Answers, pbx.AnswerCount{Answer: a, Count: n})
	}
	slices.SortFunc(r.Answers, func(x, y pbx.AnswerCount) int {
		return cmp.Or(strings.Compare(x.Block, y.Block), strings.Compare(x.Key, y.Key), strings.Compare(x.Answer.Answer, y.Answer.Answer))
	})
	return err
}
