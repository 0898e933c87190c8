package store

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"vpbx/pbx"
)

// benchTargets is how many targets the campaign of the benchmarks has; with -short it
// is only seen to work.
func benchTargets() int {
	if testing.Short() {
		return 20_000
	}
	return 1_000_000
}

// openCampaign opens a store with a campaign that runs.
func openCampaign(t testing.TB, dir string) *Store {
	t.Helper()
	s := openDir(t, dir)
	err := s.UpdateCompany(t.Context(), "acme", func(*pbx.Company) (*pbx.Company, error) {
		return &pbx.Company{Tenant: pbx.Tenant{ID: "acme", Domain: "acme.test"}}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	state := pbx.CampaignState{Tenant: "acme", Campaign: "sale", Status: pbx.CampaignRunning, Version: 1}
	if err := s.SaveCampaign(t.Context(), "acme", state); err != nil {
		t.Fatal(err)
	}
	return s
}

// fill adds n targets in requests of a thousand.
func fill(t testing.TB, s *Store, n int, next time.Time) {
	t.Helper()
	for i := 0; i < n; i += portion {
		list := make([]pbx.Target, min(portion, n-i))
		for k := range list {
			list[k] = pbx.Target{Key: fmt.Sprintf("k%d", i+k), Name: "Иван Иванов", Numbers: []string{fmt.Sprintf("+7916%07d", i+k)},
				Variables: map[string]string{"sum": "1 250,00", "day": "1 декабря"}, Line: i + k, Next: next}
		}
		if _, err := s.AddTargets(t.Context(), "acme", "sale", list); err != nil {
			t.Fatal(err)
		}
	}
}

// callOnce begins and settles an attempt to a target.
func callOnce(t testing.TB, s *Store, r pbx.Target, at time.Time) {
	a := pbx.Attempt{Tenant: "acme", Campaign: "sale", Target: r.ID, N: r.Attempts + 1, Number: r.Numbers[0], Kind: pbx.CampaignDebt, Mode: pbx.DialMessage,
		Call: pbx.CallID(fmt.Sprintf("c%d-%d", r.ID, r.Attempts)), Began: at}
	guard := pbx.AttemptGuard{Attempts: 9, PerNumber: 9, Spacing: time.Minute, Limits: []pbx.ContactLimit{
		{Kind: pbx.CampaignDebt, Message: true, Since: at.Add(-24 * time.Hour), Max: 2, Reason: pbx.HeldDebtDay},
		{Kind: pbx.CampaignDebt, Message: true, Since: at.Add(-7 * 24 * time.Hour), Max: 4, Reason: pbx.HeldDebtWeek},
		{Kind: pbx.CampaignDebt, Message: true, Since: at.Add(-30 * 24 * time.Hour), Max: 16, Reason: pbx.HeldDebtMonth},
	}}
	if held, err := s.BeginAttempt(t.Context(), "acme", a, guard); err != nil || held != "" {
		t.Errorf("begin: %s, %v", held, err)
		return
	}
	ended := at.Add(20 * time.Second)
	a.Ended, a.Outcome, a.Talk = &ended, pbx.AttemptAnswered, 12.5
	a.Result = &pbx.InCampaign{Outcome: a.Outcome, Answerer: "human", Answers: []pbx.Answer{{Block: "hello", Key: "1", Answer: "yes"}}}
	if err := s.SettleAttempt(t.Context(), "acme", pbx.Settlement{Attempt: a, Target: pbx.Target{State: pbx.TargetDone}}); err != nil {
		t.Error(err)
	}
}

// pretendCalled makes the first n targets done, each after one attempt, by plain SQL.
func pretendCalled(b *testing.B, s *Store, n int, at time.Time) {
	b.Helper()
	err := s.writer.do(b.Context(), func(tx *txn) error {
		for _, query := range []string{
			`INSERT OR IGNORE INTO attempts (tenant, campaign, target, n, number, call, kind, mode, began, ended, outcome, answerer, talk, answers, body)
				SELECT tenant, campaign, id, 1, '+7916' || printf('%07d', id - 1), 'c' || id, 'debt', 'message', $2 + id * 30000, $2 + id * 30000 + 20000000, 'answered', 'human',
				12500000, '[{"block":"hello","key":"1","answer":"yes"}]', '{"tenant":"acme","campaign":"sale","target":' || id || ',"n":1,"number":"+79160000000","call":"c1","kind":"debt","mode":"message"}'
				FROM targets WHERE tenant = 'acme' AND campaign = 'sale' AND state = 'waiting' AND id <= $1`,
			`UPDATE targets SET state = 'done', outcome = 'answered', attempts = 1 WHERE tenant = 'acme' AND campaign = 'sale' AND state = 'waiting' AND id <= $1 AND $2 > 0`,
			`DELETE FROM attempt_hours WHERE $1 > 0 AND $2 > 0`,
			`INSERT INTO attempt_hours SELECT tenant, campaign, began / 3600000000, outcome, count(*), sum(talk), 0, 0, 0 FROM attempts WHERE ended <> 0 AND $1 > 0 AND $2 > 0 GROUP BY 1, 2, 3, 4`,
			`DELETE FROM answer_hours WHERE $1 > 0 AND $2 > 0`,
			`INSERT INTO answer_hours SELECT tenant, campaign, began / 3600000000, 'hello', '1', 'yes', count(*) FROM attempts WHERE ended <> 0 AND $1 > 0 AND $2 > 0 GROUP BY 1, 2, 3`,
			`DELETE FROM target_counts WHERE $1 > 0 AND $2 > 0`,
			`INSERT INTO target_counts SELECT tenant, campaign, state, reason, outcome, count(*) FROM targets WHERE $1 > 0 AND $2 > 0 GROUP BY 1, 2, 3, 4, 5`,
		} {
			if _, err := tx.exec(query, n, micros(at)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}

// callSome calls n targets, fifty at a time.
func callSome(b *testing.B, s *Store, n int, at time.Time) {
	b.Helper()
	list, _, err := s.DueTargets(b.Context(), "acme", "sale", at, n)
	if err != nil || len(list) != n {
		b.Fatalf("due: %d, %v", len(list), err)
	}
	work := make(chan pbx.Target)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			for r := range work {
				callOnce(b, s, r, at)
			}
		})
	}
	began := time.Now()
	for _, r := range list {
		work <- r
	}
	close(work)
	wg.Wait()
	b.Logf("%.0f attempts/s at fifty at once", float64(n)/time.Since(began).Seconds())
}

// BenchmarkCampaign is a campaign of a million targets: `go test ./store -bench Campaign
// -benchtime 200x -run XXX -timeout 1h`.
func BenchmarkCampaign(b *testing.B) {
	s := openCampaign(b, b.TempDir())
	t0 := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	began := time.Now()
	targets := benchTargets()
	fill(b, s, targets, t0)
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	b.Logf("added %.0f targets/s; the process has %d MB", float64(targets)/time.Since(began).Seconds(), mem.Sys>>20)
	queries := func(b *testing.B, when string) {
		b.Run("due/"+when, func(b *testing.B) {
			for b.Loop() {
				if _, _, err := s.DueTargets(b.Context(), "acme", "sale", t0, 200); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("count/"+when, func(b *testing.B) {
			for b.Loop() {
				if _, err := s.CountTargets(b.Context(), "acme", "sale"); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("abandonment/"+when, func(b *testing.B) {
			for b.Loop() {
				if _, _, err := s.Abandonment(b.Context(), "acme", "sale", t0.Add(time.Minute)); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("report/"+when, func(b *testing.B) {
			for b.Loop() {
				if _, err := s.CampaignReport(b.Context(), "acme", "sale", time.Time{}, time.Time{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	for _, step := range []struct {
		when string
		done int
	}{{"start", 0}, {"middle", targets / 2}, {"end", targets - 5000}} {
		if step.done > 0 {
			pretendCalled(b, s, step.done, t0)
		}
		queries(b, step.when)
		b.Run("attempt/"+step.when, func(b *testing.B) {
			list, _, err := s.DueTargets(b.Context(), "acme", "sale", t0, 1000)
			if err != nil || len(list) < b.N {
				b.Fatalf("-benchtime 200x: %d targets, %v", len(list), err)
			}
			b.ResetTimer()
			for i := range b.N {
				callOnce(b, s, list[i], t0)
			}
		})
		callSome(b, s, 1000, t0)
	}
	runtime.ReadMemStats(&mem)
	b.Logf("the process has %d MB", mem.Sys>>20)
}

// BenchmarkAttempts is attempts by many at once.
func BenchmarkAttempts(b *testing.B) {
	s := openCampaign(b, b.TempDir())
	t0 := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	fill(b, s, b.N, t0)
	var next atomic.Int64
	b.ResetTimer()
	b.SetParallelism(25)
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			i := next.Add(1)
			callOnce(b, s, pbx.Target{ID: i, Numbers: []string{fmt.Sprintf("+7916%07d", i-1)}}, t0)
		}
	})
}

// BenchmarkCancel ends a campaign whose CRM wants to be told of each of its targets; an
// operation is a portion, during which nobody else writes. `-benchtime 1000x` is a million.
func BenchmarkCancel(b *testing.B) {
	for _, wants := range []bool{false, true} {
		b.Run(fmt.Sprintf("told=%t", wants), func(b *testing.B) {
			s := openCampaign(b, b.TempDir())
			t0 := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
			fill(b, s, b.N*portion, t0)
			err := s.UpdateCompany(b.Context(), "acme", func(c *pbx.Company) (*pbx.Company, error) {
				next := *c
				if wants {
					next.CRM = pbx.CRM{Kind: "webhook", URL: "http://127.0.0.1", Webhook: &pbx.Webhook{}}
				}
				return &next, nil
			})
			if err != nil {
				b.Fatal(err)
			}
			state := pbx.CampaignState{Tenant: "acme", Campaign: "sale", Status: pbx.CampaignCancelled, Version: 2}
			if err := s.SaveCampaign(b.Context(), "acme", state); err != nil {
				b.Fatal(err)
			}
			longest := time.Duration(0)
			b.ResetTimer()
			for range b.N {
				began := time.Now()
				if n, err := s.ExpireTargets(b.Context(), "acme", "sale", t0); err != nil || n == 0 {
					b.Fatal(n, err)
				}
				longest = max(longest, time.Since(began))
			}
			b.ReportMetric(longest.Seconds()*1000, "longest-ms")
		})
	}
}
