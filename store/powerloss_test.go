package store

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"vpbx/pbx"
)

// openOnDisk is openCampaign with a disk that is watched.
func openOnDisk(t *testing.T) (*Store, *disk) {
	t.Helper()
	dir := t.TempDir()
	d := watchDisk(t, dir)
	return openCampaign(t, dir), d
}

// TestPowerLossCalls: a call that was said to be saved is there after a loss of power,
// whatever else was written, through several turns of the log.
func TestPowerLossCalls(t *testing.T) {
	s, d := openOnDisk(t)
	for n := range 600 {
		keep(t, s, n)
		if n%2 == 0 {
			bind(t, s, n)
		}
		if n%100 == 99 {
			wantCalls(t, d.cut(t), n+1)
		}
	}
	if d.files[databaseFile] == nil {
		t.Error("the log was never copied into the database: too few calls for this test")
	}
}

// bind saves a registration.
func bind(t *testing.T, s *Store, n int) {
	t.Helper()
	b := pbx.Binding{Tenant: "acme", Extension: fmt.Sprint(100 + n), Contact: "sip:a@192.0.2.1", Expires: time.Now().Add(time.Hour)}
	if err := s.SaveBindings(t.Context(), []pbx.Binding{b}, nil); err != nil {
		t.Fatal(err)
	}
}

// TestPowerLossAttempt: leave to dial is on the disk before it is given, and what came of
// the attempt before it is settled.
func TestPowerLossAttempt(t *testing.T) {
	s, d := openOnDisk(t)
	at := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	fill(t, s, 1, at)
	a := pbx.Attempt{Tenant: "acme", Campaign: "sale", Target: 1, N: 1, Number: "+79160000000", Call: "c1", Began: at}
	if held, err := s.BeginAttempt(t.Context(), "acme", a, pbx.AttemptGuard{Attempts: 1, PerNumber: 1}); err != nil || held != "" {
		t.Fatal(held, err)
	}
	cut := d.cut(t)
	left, err := cut.LeftAttempts(t.Context())
	if err != nil || len(left) != 1 {
		t.Fatalf("attempts that go on after the loss: %v, %v", left, err)
	}
	if list, _, err := cut.DueTargets(t.Context(), "acme", "sale", at.Add(time.Hour), 10); err != nil || len(list) != 0 {
		t.Errorf("it would be dialled again: %v, %v", list, err)
	}
	ended := at.Add(time.Minute)
	a.Ended, a.Outcome = &ended, pbx.AttemptAnswered
	if err := s.SettleAttempt(t.Context(), "acme", pbx.Settlement{Attempt: a, Target: pbx.Target{State: pbx.TargetDone}}); err != nil {
		t.Fatal(err)
	}
	if r, err := d.cut(t).Target(t.Context(), "acme", "sale", 1); err != nil || r.State != pbx.TargetDone {
		t.Errorf("after it was settled: %s, %v", r.State, err)
	}
}

// TestPowerLossSpool: a line leaves the spool when its call is on the disk.
func TestPowerLossSpool(t *testing.T) {
	s, d := openOnDisk(t)
	c, trace := testCall(0)
	if err := s.spool.Append(t.Context(), "acme", c, trace); err != nil {
		t.Fatal(err)
	}
	if err := s.spool.Replay(t.Context(), s.SaveCall); err != nil {
		t.Fatal(err)
	}
	wantCalls(t, d.cut(t), 1) // without the spool
}

// TestPowerLossJournal: a call that goes on is known after a loss of power as it was when the
// journal was written.
func TestPowerLossJournal(t *testing.T) {
	s, d := openOnDisk(t)
	_, trace := testCall(0)
	if err := s.JournalCall(t.Context(), "acme", "c1", trace[:1]); err != nil {
		t.Fatal(err)
	}
	for open := 0; open == 0; { // until the writer has come to it
		list, err := s.Interrupted(t.Context(), "n1")
		if err != nil {
			t.Fatal(err)
		}
		open = len(list)
	}
	if list, err := d.cut(t).Interrupted(t.Context(), "n1"); err != nil || len(list) != 1 {
		t.Errorf("open calls: %v, %v", list, err)
	}
}

// TestPowerLossNoSync: registrations sync nothing, nor does a question; together with
// something that may not be lost they are synced.
func TestPowerLossNoSync(t *testing.T) {
	s, d := openOnDisk(t)
	before := d.count()
	for n := range 50 {
		bind(t, s, n)
		if err := s.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := d.count() - before; n != 0 {
		t.Errorf("%d syncs", n)
	}
	keep(t, s, 0)
	if n := d.count() - before; n != 1 {
		t.Errorf("a call record: %d syncs", n)
	}
	if list, err := d.cut(t).Bindings(t.Context()); err != nil || len(list) != 50 {
		t.Errorf("%d registrations are on the disk, %v", len(list), err)
	}
}

// TestSpoolBadLineStays: a line that cannot be used and cannot be put aside either stays
// where it is.
func TestSpoolBadLineStays(t *testing.T) {
	dir := t.TempDir()
	s := openDir(t, dir)
	c, trace := testCall(0)
	if err := s.spool.Append(t.Context(), "acme", c, trace); err != nil {
		t.Fatal(err)
	}
	bad := filepath.Join(dir, badFile)
	if err := os.Mkdir(bad, 0o700); err != nil {
		t.Fatal(err)
	}
	refuse := &pbx.Error{Kind: pbx.Invalid, Msg: "no such record"}
	save := func(context.Context, pbx.TenantID, pbx.CDR, []pbx.CallEvent) error { return refuse }
	if err := s.spool.Replay(t.Context(), save); err == nil || s.spool.Len() != 1 {
		t.Errorf("error %v, %d lines wait", err, s.spool.Len())
	}
	if err := os.Remove(bad); err != nil {
		t.Fatal(err)
	}
	if err := s.spool.Replay(t.Context(), save); err != nil || s.spool.Len() != 0 {
		t.Errorf("error %v, %d lines wait", err, s.spool.Len())
	}
	if body, err := os.ReadFile(bad); err != nil || len(body) == 0 {
		t.Errorf("put aside: %d bytes, %v", len(body), err)
	}
}

// BenchmarkSlowDisk is calls saved, and attempts begun and settled, by fifty at once on disks
// that take longer to sync than this one; p99 is of one record, or of both halves of an
// attempt.
func BenchmarkSlowDisk(b *testing.B) {
	t0 := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	for _, slow := range []time.Duration{0, 5 * time.Millisecond, 20 * time.Millisecond} {
		b.Run(fmt.Sprintf("records/%s", slow), func(b *testing.B) {
			dir := b.TempDir()
			watchDisk(b, dir).slow = max(slow, 1)
			s := openCampaign(b, dir)
			fifty(b, func(i int) {
				c, trace := testCall(i)
				if err := s.SaveCall(b.Context(), "acme", c, trace); err != nil {
					b.Error(err)
				}
			})
		})
		b.Run(fmt.Sprintf("attempts/%s", slow), func(b *testing.B) {
			dir := b.TempDir()
			d := watchDisk(b, dir)
			d.slow = 1
			s := openCampaign(b, dir)
			fill(b, s, b.N, t0)
			d.slow = max(slow, 1)
			fifty(b, func(i int) {
				callOnce(b, s, pbx.Target{ID: int64(i + 1), Numbers: []string{fmt.Sprintf("+7916%07d", i)}}, t0)
			})
		})
	}
}

// fifty calls do b.N times, by fifty at once.
func fifty(b *testing.B, do func(i int)) {
	var next atomic.Int64
	times := make([]time.Duration, b.N)
	b.ResetTimer()
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			for i := next.Add(1) - 1; i < int64(b.N); i = next.Add(1) - 1 {
				began := time.Now()
				do(int(i))
				times[i] = time.Since(began)
			}
		})
	}
	all.Wait()
	slices.Sort(times)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
	b.ReportMetric(times[b.N/2].Seconds()*1000, "p50-ms")
	b.ReportMetric(times[b.N*99/100].Seconds()*1000, "p99-ms")
}
