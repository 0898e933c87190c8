package store

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"vpbx/pbx"
)

// openDir opens the store of node n1 in dir until the test ends.
func openDir(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(t.Context(), Options{Dir: dir, Node: "n1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// testCall gives a record of some size.
func testCall(n int) (pbx.CDR, []pbx.CallEvent) {
	t0 := time.Date(2026, 11, 22, 10, 0, n, 0, time.UTC)
	cause := pbx.NewCause(pbx.PartyCaller, pbx.Cancelled)
	trace := []pbx.CallEvent{
		{At: t0, Kind: pbx.Arrived, Direction: pbx.In, From: "+79160000001", To: "+74950000000", Why: []string{strings.Repeat("why ", 500)}},
		{At: t0.Add(time.Second), Kind: pbx.Ended, Cause: &cause},
	}
	return pbx.Summarize("acme", pbx.CallID(fmt.Sprintf("call-%05d", n)), trace), trace
}

func keep(t testing.TB, s *Store, n int) {
	t.Helper()
	c, trace := testCall(n)
	if err := s.Record(t.Context(), "acme", c, trace); err != nil {
		t.Fatalf("record %d: %v", n, err)
	}
}

// value is what a metric of one value says.
func value(t testing.TB, c prometheus.Collector) float64 {
	t.Helper()
	r := prometheus.NewRegistry()
	if err := r.Register(c); err != nil {
		t.Fatal(err)
	}
	families, err := r.Gather()
	if err != nil || len(families) != 1 {
		t.Fatalf("metric %v, %v", families, err)
	}
	m := families[0].Metric[0]
	return m.GetGauge().GetValue() + m.GetCounter().GetValue()
}

// wantCalls checks that the first n calls are saved.
func wantCalls(t testing.TB, s *Store, n int) {
	t.Helper()
	for i := range n {
		c, trace := testCall(i)
		_, got, err := s.Call(t.Context(), "acme", c.ID)
		if err != nil || len(got) != len(trace) {
			t.Fatalf("call %d: %d events, %v", i, len(got), err)
		}
	}
}

// limitPages bounds the database to what it has now, or lifts the bound.
func limitPages(t testing.TB, s *Store, limited bool) {
	t.Helper()
	pages := math.MaxInt32
	err := s.writer.do(t.Context(), func(tx *txn) error {
		if limited {
			if err := tx.query(func(rows *sql.Rows) error { return rows.Scan(&pages) }, `PRAGMA page_count`); err != nil {
				return err
			}
		}
		return tx.query(func(*sql.Rows) error { return nil }, fmt.Sprintf(`PRAGMA max_page_count = %d`, pages))
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestFullDatabase: when the database has no room, records go to the spool, and
// from there into the database when it has.
func TestFullDatabase(t *testing.T) {
	s := openDir(t, t.TempDir())
	limitPages(t, s, true)
	const n = 50
	for i := range n {
		keep(t, s, i)
	}
	if waiting := s.spool.Len(); waiting < n-20 {
		t.Fatalf("%d of %d records are spooled", waiting, n)
	}
	if got := value(t, s.metrics.records.WithLabelValues("spooled")); int(got) != s.spool.Len() {
		t.Errorf("counted %v spooled records", got)
	}
	if err := s.spool.Replay(t.Context(), s.SaveCall); err == nil {
		t.Error("a full database took the spool")
	}
	limitPages(t, s, false)
	if err := s.spool.Replay(t.Context(), s.SaveCall); err != nil {
		t.Fatal(err)
	}
	if s.spool.Len() != 0 || value(t, s.metrics.spoolRecords) != 0 || value(t, s.metrics.spoolBytes) != 0 {
		t.Errorf("%d records are left", s.spool.Len())
	}
	wantCalls(t, s, n)
	keep(t, s, n)
	if s.spool.Len() != 0 {
		t.Error("a record was spooled although the database takes it")
	}
}

// TestReplayer: nobody has to ask for the replay.
func TestReplayer(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := openDir(t, dir)
		limitPages(t, s, true)
		for i := range 30 {
			keep(t, s, i)
		}
		if s.spool.Len() == 0 {
			t.Fatal("nothing is spooled")
		}
		time.Sleep(replayEvery + time.Second)
		if s.spool.Len() == 0 {
			t.Fatal("a full database took the spool")
		}
		limitPages(t, s, false)
		time.Sleep(replayEvery)
		if s.spool.Len() != 0 {
			t.Errorf("%d records are left", s.spool.Len())
		}
		wantCalls(t, s, 30)
	})
}

// TestStalledDisk: neither the database nor the spool can be written for half a
// minute, and no record is lost.
func TestStalledDisk(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := openDir(t, dir)
		limitPages(t, s, true)
		if err := s.spool.take(t.Context()); err != nil { // somebody's write hangs
			t.Fatal(err)
		}
		time.AfterFunc(30*time.Second, s.spool.give)
		for i := range 60 { // more than the limited database takes
			c, trace := testCall(i)
			go func() {
				if err := s.Record(t.Context(), "acme", c, trace); err != nil {
					t.Errorf("record %d: %v", i, err)
				}
			}()
		}
		time.Sleep(31 * time.Second)
		limitPages(t, s, false)
		time.Sleep(replayEvery)
		wantCalls(t, s, 60)
	})
}

// TestSpoolAtStart: what was spooled before the process died is saved when the
// next one begins, and those calls do not count as interrupted even while it
// cannot be.
func TestSpoolAtStart(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := openDir(t, dir)
		c, trace := testCall(0)
		for _, id := range []pbx.CallID{c.ID, "cut off"} {
			if err := s.JournalCall(t.Context(), "acme", id, trace[:1]); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(2 * journalDelay)
		if open, err := s.Interrupted(t.Context(), "n1"); err != nil || len(open) != 2 {
			t.Fatalf("open calls %v, %v", open, err)
		}
		if err := s.spool.Append(t.Context(), "acme", c, trace); err != nil {
			t.Fatal(err)
		}
		if open, err := s.Interrupted(t.Context(), "n1"); err != nil || len(open) != 1 || open[0].ID != "cut off" {
			t.Errorf("interrupted calls %v, %v", open, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = openDir(t, dir)
		wantCalls(t, s, 1)
		if open, err := s.Interrupted(t.Context(), "n1"); err != nil || len(open) != 1 {
			t.Errorf("interrupted calls after the start %v, %v", open, err)
		}
	})
}

// TestLockedDatabase: a database that somebody else holds delays nobody longer
// than saveTime.
func TestLockedDatabase(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openDir(t, dir)
	other, err := openSQLite(filepath.Join(dir, databaseFile), false)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	tx, err := other.BeginTx(t.Context(), nil) // immediate
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	keep(t, s, 0)
	if took := time.Since(began); took < saveTime || took > 2*saveTime {
		t.Errorf("the record took %s", took)
	}
	if s.spool.Len() != 1 {
		t.Errorf("%d records are spooled", s.spool.Len())
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	keep(t, s, 1)
	if err := s.spool.Replay(t.Context(), s.SaveCall); err != nil {
		t.Fatal(err)
	}
	wantCalls(t, s, 2)
}

// TestTornSpool: lines that cannot be used are put aside, the others saved.
func TestTornSpool(t *testing.T) {
	dir := t.TempDir()
	line := func(n int) string {
		c, trace := testCall(n)
		body, events, err := encodeCall(c, trace)
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(spooled{c.Tenant, body, events, nil})
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	foreign := strings.Replace(line(9), `"tenant":"acme"`, `"tenant":"beta"`, 1)
	text := line(0) + "\n" + "garbage\n\n" + line(1) + "\n" + foreign + "\n{}\n" + line(2)[:40]
	if err := os.WriteFile(filepath.Join(dir, spoolFile), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s := openDir(t, dir)
	wantCalls(t, s, 2)
	if got := value(t, s.metrics.spoolCorrupt); got != 4 {
		t.Errorf("%v lines are counted as corrupt, want 4", got)
	}
	bad, err := os.ReadFile(filepath.Join(dir, badFile))
	if err != nil || string(bad) != "garbage\n"+foreign+"\n{}\n"+line(2)[:40]+"\n" {
		t.Errorf("put aside: %q, %v", bad, err)
	}
	if s.spool.Len() != 0 || s.spool.size != 0 {
		t.Errorf("left: %d lines, %d bytes", s.spool.Len(), s.spool.size)
	}

	// A record that is appended behind a torn line is not torn with it.
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, spoolFile), []byte(line(2)[:40]), 0o600); err != nil {
		t.Fatal(err)
	}
	sp, err := openSpool(dir, s.log, newMetrics())
	if err != nil {
		t.Fatal(err)
	}
	c, trace := testCall(3)
	if err := sp.Append(t.Context(), "acme", c, trace); err != nil {
		t.Fatal(err)
	}
	var replayed []pbx.CallID
	err = sp.Replay(t.Context(), func(_ context.Context, _ pbx.TenantID, c pbx.CDR, _ []pbx.CallEvent) error {
		replayed = append(replayed, c.ID)
		return nil
	})
	if err != nil || len(replayed) != 1 || replayed[0] != c.ID || sp.Len() != 0 {
		t.Errorf("replayed %v, %v, %d left", replayed, err, sp.Len())
	}
	if err := sp.close(); err != nil {
		t.Fatal(err)
	}
}

// TestAppendWhileReplaying: neither waits for the other, and nothing is lost.
func TestAppendWhileReplaying(t *testing.T) {
	s, err := openSpool(t.TempDir(), openDir(t, t.TempDir()).log, newMetrics())
	if err != nil {
		t.Fatal(err)
	}
	add := func(n int) {
		c, trace := testCall(n)
		if err := s.Append(t.Context(), "acme", c, trace); err != nil {
			t.Fatal(err)
		}
	}
	add(0)
	add(1)
	seen := map[pbx.CallID]int{}
	next := 2
	err = s.Replay(t.Context(), func(_ context.Context, _ pbx.TenantID, c pbx.CDR, _ []pbx.CallEvent) error {
		seen[c.ID]++
		if next < 10 {
			add(next)
			next++
		}
		return nil
	})
	if err != nil || len(seen) != 10 || s.Len() != 0 || s.size != 0 {
		t.Errorf("replayed %v, %v, left %d", seen, err, s.Len())
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("%s was replayed %d times", id, n)
		}
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	c, trace := testCall(0)
	if err := s.Append(t.Context(), "acme", c, trace); err == nil {
		t.Error("a closed spool took a record")
	}
}

// TestNotANumber: a measurement of 0/0 does not cost the record.
func TestNotANumber(t *testing.T) {
	s := openDir(t, t.TempDir())
	c, trace := testCall(0)
	nan := &pbx.Quality{MOS: math.NaN(), Loss: math.Inf(1), Sent: 7}
	c.Talk, c.Caller.Quality, c.CRM = math.NaN(), nan, &pbx.Lookup{MS: math.Inf(-1)}
	c.Parties = []pbx.Participant{{Who: "101", Quality: nan}}
	c.Recordings = []pbx.Recording{{ID: "r", Seconds: math.NaN()}}
	trace[1].Quality, trace[1].Recording = nan, &pbx.Recording{Seconds: math.Inf(1)}
	if err := s.Record(t.Context(), "acme", c, trace); err != nil {
		t.Fatal(err)
	}
	got, events, err := s.Call(t.Context(), "acme", c.ID)
	if err != nil || got.Parties[0].Quality.Sent != 7 || got.Parties[0].Quality.MOS != 0 || events[1].Quality.Sent != 7 {
		t.Errorf("record %+v, %v", got, err)
	}
	if !math.IsNaN(nan.MOS) {
		t.Error("the caller's data was changed")
	}
}

// TestRefusedRecord: a record of another company is a mistake, not a failure,
// and is not spooled.
func TestRefusedRecord(t *testing.T) {
	s := openDir(t, t.TempDir())
	c, trace := testCall(0)
	if err := s.Record(t.Context(), "beta", c, trace); pbx.KindOf(err) != pbx.Invalid {
		t.Errorf("error %v", err)
	}
	if s.spool.Len() != 0 {
		t.Error("it was spooled")
	}
}

// TestClosedStore: a record that comes too late is not taken in silence.
func TestClosedStore(t *testing.T) {
	s := openDir(t, t.TempDir())
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	c, trace := testCall(0)
	if err := s.Record(t.Context(), "acme", c, trace); pbx.KindOf(err) != pbx.Unavailable {
		t.Errorf("error %v", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("closing again: %v", err)
	}
}

// TestNewerDatabase: an older build leaves a newer database alone.
func TestNewerDatabase(t *testing.T) {
	dir := t.TempDir()
	s := openDir(t, dir)
	err := s.writer.do(t.Context(), func(tx *txn) error {
		_, err := tx.exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, TRUE)`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "newer vpbx") {
		t.Errorf("error %v", err)
	}
}

// TestReload: what a tool changed beside the server is seen after a reload.
func TestReload(t *testing.T) {
	dir := t.TempDir()
	s := openDir(t, dir)
	tool, err := Open(t.Context(), Options{Dir: dir, Beside: true})
	if err != nil {
		t.Fatal(err)
	}
	err = tool.UpdateCompany(t.Context(), "a", func(*pbx.Company) (*pbx.Company, error) {
		return &pbx.Company{Tenant: pbx.Tenant{ID: "a", Domain: "a.test"}}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := tool.Close(); err != nil {
		t.Fatal(err)
	}
	if s.Directory().Company("a") != nil {
		t.Error("seen without a reload")
	}
	if err := s.Reload(t.Context(), "a"); err != nil || s.Directory().Company("a") == nil {
		t.Errorf("after the reload: %v, %v", s.Directory().Company("a"), err)
	}
}

// crashDir tells the test binary that it is the process to be killed.
const crashDir = "VPBX_STORE_CRASH_DIR"

// TestKilled kills a process that saves calls: every one it was told is saved
// is there, and those that were going on are interrupted.
func TestKilled(t *testing.T) {
	if dir := os.Getenv(crashDir); dir != "" {
		saveForever(t, dir)
		return
	}
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilled$")
	cmd.Env = append(os.Environ(), crashDir+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	saved := 0
	for lines := bufio.NewScanner(out); saved < 200 && lines.Scan(); {
		if lines.Text() == fmt.Sprintf("saved %d", saved) {
			saved++
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	if saved < 200 {
		t.Fatalf("the process saved %d calls", saved)
	}
	s := openDir(t, dir)
	wantCalls(t, s, saved)
	open, err := s.Interrupted(t.Context(), "n1")
	if err != nil || len(open) != 1 || open[0].ID != "open" || len(open[0].Trace) != 1 {
		t.Fatalf("interrupted calls %v, %v", open, err)
	}
	c := pbx.Summarize(open[0].Tenant, open[0].ID, open[0].Trace)
	if err := s.Record(t.Context(), open[0].Tenant, c, open[0].Trace); err != nil || c.Cause.Reason != pbx.Interrupted {
		t.Errorf("record %+v, %v", c.Cause, err)
	}
	if open, err = s.Interrupted(t.Context(), "n1"); err != nil || len(open) != 0 {
		t.Errorf("interrupted calls after they were recorded %v, %v", open, err)
	}
}

// saveForever says of each call when it is saved.
func saveForever(t *testing.T, dir string) {
	s := openDir(t, dir)
	_, trace := testCall(0)
	if err := s.JournalCall(t.Context(), "acme", "open", trace[:1]); err != nil {
		t.Fatal(err)
	}
	for written := 0; written == 0; {
		open, err := s.Interrupted(t.Context(), "n1")
		if err != nil {
			t.Fatal(err)
		}
		written = len(open)
	}
	for i := 0; ; i++ {
		keep(t, s, i)
		fmt.Printf("saved %d\n", i)
	}
}

func FuzzCursor(f *testing.F) {
	f.Add(cursor{1, "a"}.String())
	f.Add("")
	f.Add("MSBh")
	f.Fuzz(func(t *testing.T, s string) {
		c, err := parseCursor(s)
		if err == nil && c.String() != s {
			t.Errorf("%q is read as %+v, which is written %q", s, c, c)
		}
		if err != nil && pbx.KindOf(err) != pbx.Invalid {
			t.Errorf("error %v", err)
		}
	})
}

func FuzzSpoolLine(f *testing.F) {
	c, trace := testCall(0)
	body, events, err := encodeCall(c, trace)
	if err != nil {
		f.Fatal(err)
	}
	line, err := json.Marshal(spooled{"acme", body, events, nil})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(line)
	f.Add([]byte(`{"tenant":"a","cdr":{"id":"x"},"trace":null}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		tenant, c, _, err := parseLine(line)
		if err == nil && (tenant == "" || c.ID == "") {
			t.Errorf("%q passed", line)
		}
	})
}

// BenchmarkSaveCall is calls saved by many at once, as when many end at once.
func BenchmarkSaveCall(b *testing.B) {
	s := openDir(b, b.TempDir())
	var n int
	next := make(chan int)
	go func() {
		defer close(next)
		for ; n < b.N; n++ {
			next <- n
		}
	}()
	b.SetParallelism(32)
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			c, trace := testCall(<-next)
			if err := s.SaveCall(b.Context(), "acme", c, trace); err != nil {
				b.Fatal(err)
			}
		}
	})
	for range next {
	}
}

// BenchmarkRecordAlone is one call after the other.
func BenchmarkRecordAlone(b *testing.B) {
	s := openDir(b, b.TempDir())
	for n := 0; b.Loop(); n++ {
		keep(b, s, n)
	}
}

// TestPanicInAChange: what a document does to the code that reads it must not
// take the process, and with it all calls, along.
func TestPanicInAChange(t *testing.T) {
	s := openDir(t, t.TempDir())
	err := s.UpdateCompany(t.Context(), "acme", func(*pbx.Company) (*pbx.Company, error) {
		panic("a mistake of ours")
	})
	if pbx.KindOf(err) != pbx.Internal {
		t.Errorf("the error is %v", err)
	}
	keep(t, s, 1)
	if _, _, err := s.Call(t.Context(), "acme", "call-00001"); err != nil {
		t.Error(err)
	}
}
