package store

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"vpbx/pbx"
)

// benchTargets is how many targets the campaign of the benchmarks has.
const benchTargets = 1_000_000

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

// callAll calls n targets, fifty at a time.
func callAll(b *testing.B, s *Store, n int, at time.Time) {
	b.Helper()
	work := make(chan pbx.Target)
	done := make(chan bool)
	for range 50 {
		go func() {
			for r := range work {
				callOnce(b, s, r, at)
			}
			done <- true
		}()
	}
	for left := n; left > 0; {
		list, _, err := s.DueTargets(b.Context(), "acme", "sale", at, min(left, 1000))
		if err != nil || len(list) == 0 {
			b.Fatalf("due: %d, %v", len(list), err)
		}
		for _, r := range list {
			work <- r
		}
		for waiting := true; waiting; { // until none of the page waits
			last, err := s.Target(b.Context(), "acme", "sale", list[len(list)-1].ID)
			if err != nil {
				b.Fatal(err)
			}
			waiting = last.State == pbx.TargetWaiting
		}
		left -= len(list)
	}
	close(work)
	for range 50 {
		<-done
	}
}

// BenchmarkCampaign is a campaign of a million targets: `go test ./store -bench Campaign
// -benchtime 1000x -run XXX -timeout 1h`.
func BenchmarkCampaign(b *testing.B) {
	s := openCampaign(b, b.TempDir())
	t0 := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	began := time.Now()
	fill(b, s, benchTargets, t0)
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	b.Logf("added %.0f targets/s; the process has %d MB", benchTargets/time.Since(began).Seconds(), mem.Sys>>20)
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
				if _, _, err := s.Abandonment(b.Context(), "acme", "sale", t0.Add(-time.Hour)); err != nil {
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
	called := 0
	calls := func(b *testing.B, n int) {
		b.Helper()
		began := time.Now()
		callAll(b, s, n, t0)
		called += n
		b.Logf("%d called: %.0f attempts/s at fifty at once", called, float64(n)/time.Since(began).Seconds())
	}
	queries(b, "start")
	b.Run("attempt/alone", func(b *testing.B) {
		list, _, err := s.DueTargets(b.Context(), "acme", "sale", t0, 1000)
		if err != nil {
			b.Fatal(err)
		}
		i := 0
		for b.Loop() {
			if i == len(list) {
				b.Skip("more than a page: -benchtime 900x")
			}
			callOnce(b, s, list[i], t0)
			i++
		}
		called += i
	})
	calls(b, benchTargets/2-called)
	queries(b, "middle")
	calls(b, benchTargets-2000-called)
	queries(b, "end")
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
