package store

import (
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"vpbx/pbx"
)

// campaignModel is what a company's campaigns must be like, in a few maps.
type campaignModel struct {
	s      **Store
	reopen func()
	tenant pbx.TenantID
	at     time.Time

	status  map[string]pbx.CampaignStatus
	version int64
	targets map[int64]*modelTarget
	stops   map[[2]string]bool // campaign and number
	made    []*pbx.Attempt     // that were granted and not taken back
}

type modelTarget struct {
	pbx.Target
	campaign string
	leaving  bool
}

var modelCampaigns = []string{"poll", "sale"}

// modelGuard is small enough to be met all the time.
func (m *campaignModel) guard() pbx.AttemptGuard {
	return pbx.AttemptGuard{Attempts: 3, PerNumber: 2, Spacing: time.Minute, Limits: []pbx.ContactLimit{
		{Kind: pbx.CampaignDebt, Message: true, Since: m.at.Add(-10 * time.Minute), Max: 2, Reason: pbx.HeldDebtDay}}}
}

func (m *campaignModel) stopped(t *modelTarget) bool {
	return slices.ContainsFunc(t.Numbers, func(n string) bool { return m.stops[[2]string{"", n}] || m.stops[[2]string{t.campaign, n}] })
}

// held is what BeginAttempt must answer; conflict stands for that error.
func (m *campaignModel) held(t *modelTarget, number string) pbx.HoldReason {
	g := m.guard()
	if m.status[t.campaign] != pbx.CampaignRunning || t.State != pbx.TargetWaiting || t.Next.After(m.at) {
		return "conflict"
	}
	attempts, perNumber, reached, dialled, spacing := 0, 0, 0, false, false
	for _, a := range m.made {
		if a.Target == t.ID {
			attempts++
			spacing = spacing || a.Began.Add(g.Spacing).After(m.at)
		}
		if a.Campaign == t.campaign && a.Number == number {
			perNumber++
		}
		if slices.Contains(t.Numbers, a.Number) && !a.Began.Before(g.Limits[0].Since) && a.Outcome.Reached() {
			reached++
		}
		dialled = dialled || a.Ended == nil && a.Number == number
	}
	switch {
	case m.stopped(t):
		return pbx.HeldStopList
	case attempts >= g.Attempts:
		return pbx.HeldAttempts
	case spacing:
		return pbx.HeldSpacing
	case dialled:
		return pbx.HeldDialled
	case perNumber >= g.PerNumber:
		return pbx.HeldNumber
	case reached >= g.Limits[0].Max:
		return pbx.HeldDebtDay
	}
	return ""
}

func (m *campaignModel) must(t *rapid.T, err error) {
	if err != nil {
		t.Fatal(err)
	}
}

func (m *campaignModel) number(t *rapid.T) string {
	return fmt.Sprintf("+7916000000%d", rapid.IntRange(1, 7).Draw(t, "number"))
}

// pick gives any target, nil when there is none.
func (m *campaignModel) pick(t *rapid.T) *modelTarget {
	if len(m.targets) == 0 {
		return nil
	}
	return m.targets[rapid.SampledFrom(slices.Sorted(maps.Keys(m.targets))).Draw(t, "target")]
}

func (m *campaignModel) setStatus(t *rapid.T, campaign string, status pbx.CampaignStatus) {
	m.version++
	m.status[campaign] = status
	m.must(t, (*m.s).SaveCampaign(t.Context(), m.tenant, pbx.CampaignState{Tenant: m.tenant, Campaign: campaign, Status: status, Version: m.version}))
}

func (m *campaignModel) add(t *rapid.T) {
	campaign := rapid.SampledFrom(modelCampaigns).Draw(t, "campaign")
	r := pbx.Target{Numbers: []string{m.number(t)}, Next: m.at}
	if n := m.number(t); n != r.Numbers[0] {
		r.Numbers = append(r.Numbers, n)
	}
	want := pbx.Added{Added: 1}
	last := int64(0)
	for _, other := range m.targets {
		last = max(last, other.ID)
		if other.campaign == campaign && other.State != pbx.TargetRemoved && slices.ContainsFunc(other.Numbers, func(n string) bool { return slices.Contains(r.Numbers, n) }) {
			want = pbx.Added{Duplicates: 1}
		}
	}
	r.ID, r.State = last+1, pbx.TargetWaiting
	mt := &modelTarget{Target: r, campaign: campaign}
	if want.Added == 1 && m.stopped(mt) {
		mt.State, want.Stopped = pbx.TargetSkipped, 1
	}
	got, err := (*m.s).AddTargets(t.Context(), m.tenant, campaign, []pbx.Target{r})
	if err != nil || got != want {
		t.Fatalf("added %+v, %v, want %+v", got, err, want)
	}
	if want.Added == 1 {
		m.targets[r.ID] = mt
	}
}

func (m *campaignModel) begin(t *rapid.T) {
	r := m.pick(t)
	if r == nil {
		return
	}
	number := rapid.SampledFrom(r.Numbers).Draw(t, "of its numbers")
	a := pbx.Attempt{Tenant: m.tenant, Campaign: r.campaign, Target: r.ID, N: r.Attempts + 1, Number: number, Call: pbx.CallID(fmt.Sprintf("%d-%d-%d", r.ID, r.Attempts+1, m.at.Unix())),
		Kind: pbx.CampaignDebt, Mode: pbx.DialMessage, Began: m.at}
	want := m.held(r, number)
	got, err := (*m.s).BeginAttempt(t.Context(), m.tenant, a, m.guard())
	if pbx.KindOf(err) == pbx.Conflict && err != nil {
		got, err = "conflict", nil
	}
	if err != nil || got != want {
		t.Fatalf("begin: %q, %v, want %q", got, err, want)
	}
	if got == "" {
		r.State = pbx.TargetDialling
		r.Attempts++
		m.made = append(m.made, &a)
	}
}

// settle ends an attempt that goes on, twice, or takes it back.
func (m *campaignModel) settle(t *rapid.T) {
	i := slices.IndexFunc(m.made, func(a *pbx.Attempt) bool { return a.Ended == nil })
	if i < 0 {
		return
	}
	a := m.made[i]
	r := m.targets[a.Target]
	e := pbx.Settlement{Target: pbx.Target{Next: m.at}, Withdrawn: rapid.IntRange(0, 5).Draw(t, "withdrawn") == 0}
	e.Target.State = rapid.SampledFrom([]pbx.TargetState{pbx.TargetWaiting, pbx.TargetWaiting, pbx.TargetDone, pbx.TargetExhausted, pbx.TargetInterrupted}).Draw(t, "then")
	if e.Withdrawn {
		m.made = slices.Delete(m.made, i, i+1)
		r.Attempts--
	} else {
		ended := m.at
		a.Ended, a.Outcome = &ended, rapid.SampledFrom([]pbx.AttemptOutcome{pbx.AttemptAnswered, pbx.AttemptBusy, pbx.AttemptInterrupted, pbx.AttemptMachine}).Draw(t, "outcome")
		a.Talk = float64(rapid.IntRange(0, 9).Draw(t, "talk"))
		a.Result = &pbx.InCampaign{Outcome: a.Outcome}
		for range rapid.IntRange(0, 2).Draw(t, "keys") {
			a.Result.Answers = append(a.Result.Answers, pbx.Answer{Block: "b", Key: fmt.Sprint(len(a.Result.Answers))})
		}
		if rapid.IntRange(0, 7).Draw(t, "opts out") == 0 {
			e.Stop = &pbx.Stop{Number: a.Number, Source: "key"}
			m.stop("", a.Number)
		}
	}
	e.Attempt = *a
	r.State = e.Target.State
	if r.leaving && (r.State == pbx.TargetWaiting || r.State == pbx.TargetInterrupted) {
		r.State = pbx.TargetRemoved
	}
	if r.State == pbx.TargetWaiting && m.stopped(r) {
		r.State = pbx.TargetSkipped
	}
	if r.State == pbx.TargetWaiting && m.status[r.campaign].Over() {
		r.State = pbx.TargetExpired
	}
	r.leaving, r.Next = false, m.at
	m.must(t, (*m.s).SettleAttempt(t.Context(), m.tenant, e))
	if err := (*m.s).SettleAttempt(t.Context(), m.tenant, e); err != nil && !e.Withdrawn {
		t.Fatal(err)
	}
}

// stop notes that a number is on a stop list.
func (m *campaignModel) stop(campaign, number string) {
	m.stops[[2]string{campaign, number}] = true
	for _, r := range m.targets {
		if r.State == pbx.TargetWaiting && m.stopped(r) {
			r.State = pbx.TargetSkipped
		}
	}
}

func (m *campaignModel) addStop(t *rapid.T) {
	campaign, number := rapid.SampledFrom([]string{"", "poll", "sale"}).Draw(t, "list"), m.number(t)
	m.stop(campaign, number)
	_, err := (*m.s).AddStops(t.Context(), m.tenant, []pbx.Stop{{Number: number, Campaign: campaign}})
	m.must(t, err)
}

func (m *campaignModel) removeStop(t *rapid.T) {
	for key := range m.stops {
		delete(m.stops, key)
		m.must(t, (*m.s).RemoveStop(t.Context(), m.tenant, key[0], key[1]))
	}
}

func (m *campaignModel) deferral(t *rapid.T) {
	r := m.pick(t)
	if r == nil {
		return
	}
	d := pbx.Deferral{Target: r.ID, State: pbx.TargetWaiting, Reason: pbx.HeldWindow, Next: m.at.Add(2 * time.Minute)}
	if rapid.Bool().Draw(t, "for good") {
		d.State, d.Reason = pbx.TargetSkipped, pbx.HeldNoConsent
	}
	m.must(t, (*m.s).DeferTargets(t.Context(), m.tenant, r.campaign, []pbx.Deferral{d}))
	if r.State == pbx.TargetWaiting {
		if r.State = d.State; d.State == pbx.TargetWaiting {
			r.Next = d.Next
		}
	}
}

func (m *campaignModel) remove(t *rapid.T) {
	r := m.pick(t)
	if r == nil {
		return
	}
	_, err := (*m.s).RemoveTargets(t.Context(), m.tenant, r.campaign, pbx.TargetPick{IDs: []int64{r.ID}})
	m.must(t, err)
	switch r.State {
	case pbx.TargetWaiting:
		r.State = pbx.TargetRemoved
	case pbx.TargetDialling:
		r.leaving = true
	}
}

// retry lets all that were interrupted, exhausted or skipped wait again. The moment in
// which they are due is that of the clock, so it is put back to that of the model.
func (m *campaignModel) retry(t *rapid.T) {
	for _, campaign := range modelCampaigns {
		for _, state := range []pbx.TargetState{pbx.TargetInterrupted, pbx.TargetExhausted, pbx.TargetSkipped} {
			_, err := (*m.s).RetryTargets(t.Context(), m.tenant, campaign, pbx.TargetPick{State: state})
			m.must(t, err)
		}
	}
	for _, r := range m.targets {
		again := r.State == pbx.TargetInterrupted || r.State == pbx.TargetExhausted || r.State == pbx.TargetSkipped
		if again && !m.stopped(r) {
			r.State, r.Next = pbx.TargetWaiting, m.at
			m.must(t, (*m.s).DeferTargets(t.Context(), m.tenant, r.campaign, []pbx.Deferral{{Target: r.ID, State: pbx.TargetWaiting, Next: m.at}}))
		}
	}
}

// switchStatus pauses and resumes a campaign.
func (m *campaignModel) switchStatus(t *rapid.T) {
	campaign := rapid.SampledFrom(modelCampaigns).Draw(t, "campaign")
	status := pbx.CampaignPaused
	if m.status[campaign] == status {
		status = pbx.CampaignRunning
	}
	m.setStatus(t, campaign, status)
}

// crash opens the store anew: all attempts that go on are found.
func (m *campaignModel) crash(t *rapid.T) {
	if rapid.IntRange(0, 9).Draw(t, "crash") > 0 {
		return
	}
	m.reopen()
	left, err := (*m.s).LeftAttempts(t.Context())
	m.must(t, err)
	found := 0
	for _, a := range left {
		if a.Tenant != m.tenant {
			continue
		}
		found++
		if !slices.ContainsFunc(m.made, func(b *pbx.Attempt) bool { return b.Ended == nil && b.Call == a.Call }) {
			t.Fatalf("attempt %+v does not go on", a)
		}
	}
	for _, a := range m.made {
		if a.Ended == nil {
			found--
		}
	}
	if found != 0 {
		t.Fatalf("%d attempts more than go on", found)
	}
}

// check compares the tables with the model and with each other.
func (m *campaignModel) check(t *rapid.T) {
	s := *m.s
	have := map[int64]string{}
	m.must(t, s.rows(t.Context(), func(rows *sql.Rows) error {
		var id, open int64
		var state string
		err := rows.Scan(&id, &state, &open)
		have[id] = state
		if (state == string(pbx.TargetDialling)) != (open == 1) || open > 1 {
			return fmt.Errorf("target %d is %s and has %d attempts that go on", id, state, open)
		}
		return err
	}, `SELECT t.id, t.state, (SELECT count(*) FROM attempts a WHERE a.tenant = t.tenant AND a.campaign = t.campaign AND a.target = t.id AND a.ended = 0)
		FROM targets t WHERE t.tenant = $1`, string(m.tenant)))
	want := map[int64]string{}
	for id, r := range m.targets {
		want[id] = string(r.State)
	}
	if !maps.Equal(have, want) {
		t.Fatalf("targets %v, want %v", have, want)
	}
	m.must(t, s.rows(t.Context(), func(rows *sql.Rows) error {
		var a, b, c string
		var n, counted int
		if err := rows.Scan(&a, &b, &c, &n, &counted); err != nil {
			return err
		}
		return fmt.Errorf("%d targets are %s %s %s, counted are %d", n, a, b, c, counted)
	}, `SELECT state, reason, outcome, sum(n), sum(counted) FROM (
			SELECT campaign, state, reason, outcome, 1 AS n, 0 AS counted FROM targets WHERE tenant = $1
			UNION ALL SELECT campaign, state, reason, outcome, 0, amount FROM target_counts WHERE tenant = $1)
		GROUP BY campaign, state, reason, outcome HAVING sum(n) <> sum(counted)`, string(m.tenant)))
	m.checkHours(t)
	var attempts, open, numbers, most int
	m.must(t, s.rows(t.Context(), func(rows *sql.Rows) error { return rows.Scan(&attempts, &open, &numbers) },
		`SELECT count(*), count(CASE WHEN ended = 0 THEN 1 END), count(DISTINCT CASE WHEN ended = 0 THEN number END) FROM attempts WHERE tenant = $1`, string(m.tenant)))
	m.must(t, s.rows(t.Context(), func(rows *sql.Rows) error { return rows.Scan(&most) },
		`SELECT coalesce(max(n), 0) FROM (SELECT count(*) AS n FROM attempts WHERE tenant = $1 GROUP BY campaign, number)`, string(m.tenant)))
	if attempts != len(m.made) || open != numbers || most > 2 {
		t.Fatalf("%d attempts of %d; %d go on to %d numbers; %d to one number", attempts, len(m.made), open, numbers, most)
	}
}

// checkHours compares what is counted by hour with the attempts.
func (m *campaignModel) checkHours(t *rapid.T) {
	for _, campaign := range modelCampaigns {
		first := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
		since := first.Add(time.Duration(rapid.IntRange(-60, 180).Draw(t, "since")) * time.Minute)
		until := since.Add(time.Duration(rapid.IntRange(0, 180).Draw(t, "long")) * time.Minute)
		if rapid.IntRange(0, 3).Draw(t, "all") == 0 {
			since, until = time.Time{}, time.Time{}
		}
		want := map[pbx.AttemptOutcome]int{}
		keys, talk, sum := 0, 0, 0
		for _, a := range m.made {
			if a.Campaign == campaign && a.Ended != nil && (since.IsZero() || !a.Began.Before(since) && a.Began.Before(until)) {
				want[a.Outcome]++
				talk += int(a.Talk)
				keys += len(a.Result.Answers)
			}
		}
		report, err := (*m.s).CampaignReport(t.Context(), m.tenant, campaign, since, until)
		for _, k := range report.Answers {
			sum += k.Count
		}
		if err != nil || !maps.Equal(report.Outcomes, want) || report.Talk != float64(talk) || sum != keys {
			t.Fatalf("from %v until %v: report %+v, %v; want %v, %d seconds, %d keys", since, until, report, err, want, talk, keys)
		}
	}
}

// TestCampaignModel: whatever is done in whatever order, no target is lost or dialled
// twice, no bound is passed, and the kept numbers are those of the rows.
func TestCampaignModel(t *testing.T) {
	dir, companies := t.TempDir(), 0
	s, err := Open(t.Context(), Options{Dir: dir, Node: "n1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	reopen := func() {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if s, err = Open(t.Context(), Options{Dir: dir, Node: "n1"}); err != nil {
			t.Fatal(err)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		companies++
		m := &campaignModel{s: &s, reopen: reopen, tenant: pbx.TenantID(fmt.Sprintf("company%d", companies)), at: time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC),
			status: map[string]pbx.CampaignStatus{}, targets: map[int64]*modelTarget{}, stops: map[[2]string]bool{}}
		m.must(t, s.UpdateCompany(t.Context(), m.tenant, func(*pbx.Company) (*pbx.Company, error) {
			return &pbx.Company{Tenant: pbx.Tenant{ID: m.tenant, Domain: string(m.tenant) + ".test"}}, nil
		}))
		for _, campaign := range modelCampaigns {
			m.setStatus(t, campaign, pbx.CampaignRunning)
		}
		for range 3 {
			m.add(t)
		}
		t.Repeat(map[string]func(*rapid.T){
			"":        m.check,
			"add":     m.add,
			"begin":   m.begin,
			"begin 2": m.begin,
			"begin 3": m.begin,
			"settle":  m.settle,
			"settle2": m.settle,
			"stop":    m.addStop,
			"unstop":  m.removeStop,
			"defer":   m.deferral,
			"remove":  m.remove,
			"retry":   m.retry,
			"pause":   m.switchStatus,
			"crash":   m.crash,
			"later": func(t *rapid.T) {
				m.at = m.at.Add(time.Duration(rapid.IntRange(1, 900).Draw(t, "seconds")) * time.Second)
			},
		})
	})
}
