package recordings

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vpbx/media/audio"
	"vpbx/pbx"
	"vpbx/store"
)

// archive is a store of recordings with a real ledger.
type archive struct {
	*Keeper
	t      *testing.T
	dir    string
	sounds *Store
	ledger *store.Store
}

func newArchive(t *testing.T) *archive {
	t.Helper()
	a := &archive{t: t, dir: t.TempDir()}
	a.open(Options{})
	t.Cleanup(func() { a.close() })
	return a
}

func (a *archive) open(o Options) {
	a.t.Helper()
	log := slog.New(slog.DiscardHandler)
	if o.Log == nil {
		o.Log = log
	}
	o.Dir, o.Cache = filepath.Join(a.dir, "recordings"), filepath.Join(a.dir, "converted")
	var err error
	if a.sounds, err = New(o); err != nil {
		a.t.Fatal(err)
	}
	if a.ledger, err = store.Open(a.t.Context(), store.Options{Dir: a.dir, Node: "n1"}); err != nil {
		a.t.Fatal(err)
	}
	a.Keeper = NewKeeper(a.sounds, a.ledger, log)
}

func (a *archive) close() {
	if err := errors.Join(a.sounds.Close(), a.ledger.Close()); err != nil {
		a.t.Error(err)
	}
}

// make records some sound of a call that began at. The recording itself is made
// now, as one that began long ago would be long.
func (a *archive) make(t pbx.TenantID, at time.Time) pbx.Recording {
	a.t.Helper()
	call := pbx.NewCallID(at)
	at = time.Now().Add(-300 * time.Millisecond)
	r, err := a.sounds.Start(t, call, at)
	if err != nil {
		a.t.Fatal(err)
	}
	track := r.Side(0)
	for i := range 10 {
		track.RTP(audio.PCMA, uint16(i), uint32(i)*160, i == 0, []byte(strings.Repeat(string(r.ID()), 5)), at.Add(time.Duration(i)*20*time.Millisecond))
	}
	return r.Close()
}

// save keeps the record of a call with a recording.
func (a *archive) save(at time.Time, r pbx.Recording) {
	a.t.Helper()
	cause := pbx.NewCause(pbx.PartyCaller, pbx.Hangup)
	trace := []pbx.CallEvent{
		{At: at, Kind: pbx.Arrived, Direction: pbx.In, From: "101", To: "102"},
		{At: at, Kind: pbx.RecordEnd, Recording: &r},
		{At: at, Kind: pbx.Ended, Cause: &cause},
	}
	if err := a.ledger.SaveCall(a.t.Context(), r.Tenant, pbx.Summarize(r.Tenant, r.Call, trace), trace); err != nil {
		a.t.Fatal(err)
	}
}

func (a *archive) kept(t pbx.TenantID, at time.Time) pbx.Recording {
	a.t.Helper()
	r := a.make(t, at)
	if r.Error != "" || !pbx.IsSum(r.SHA256) {
		a.t.Fatalf("recording %+v", r)
	}
	a.save(at, r)
	return r
}

func (a *archive) file(r pbx.Recording) string {
	a.t.Helper()
	name, err := fileOf(r.Tenant, r.ID)
	if err != nil {
		a.t.Fatal(err)
	}
	return filepath.Join(a.dir, "recordings", name)
}

// verdict verifies a company and gives what came of it in a line.
func (a *archive) verdict(t pbx.TenantID, q pbx.VerifyQuery) string {
	a.t.Helper()
	v, err := a.Verify(a.t.Context(), t, q)
	if err != nil {
		a.t.Fatal(err)
	}
	s := fmt.Sprintf("%d checked %d whole %d removed", v.Checked, v.Whole, v.Removed)
	for _, f := range v.Findings {
		s += fmt.Sprintf("; %d %s", f.Seq, f.Flaw)
	}
	return s
}

func (a *archive) want(what string, t pbx.TenantID, want string) {
	a.t.Helper()
	if got := a.verdict(t, pbx.VerifyQuery{}); got != want {
		a.t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func (a *archive) check(err error) {
	a.t.Helper()
	if err != nil {
		a.t.Fatal(err)
	}
}

func TestVerifyFindsWhatWasDone(t *testing.T) {
	a := newArchive(t)
	now := time.Now()
	a.want("nothing", "acme", "0 checked 0 whole 0 removed")
	var all []pbx.Recording
	for i := range 6 {
		all = append(all, a.kept("acme", now.Add(time.Duration(i)*time.Second)))
	}
	a.kept("umbra", now)
	a.want("as recorded", "acme", "6 checked 6 whole 0 removed")

	b, err := os.ReadFile(a.file(all[1]))
	a.check(err)
	b[len(b)-1] ^= 1
	a.check(os.WriteFile(a.file(all[1]), b, 0o600))
	a.check(os.Remove(a.file(all[2])))
	a.check(os.Truncate(a.file(all[3]), 44))
	a.check(a.Remove(t.Context(), "acme", all[4].ID, pbx.Removal{At: now, By: "anna"}))
	stray := a.make("acme", now.Add(time.Minute))
	a.want("what was done", "acme", "6 checked 2 whole 1 removed; 2 altered; 3 missing; 4 altered; 0 unchained")
	a.want("another company", "umbra", "1 checked 1 whole 0 removed")

	// The file of one in the place of another, of another company even.
	b, err = os.ReadFile(a.file(all[0]))
	a.check(err)
	a.check(os.WriteFile(a.file(all[5]), b, 0o600))
	a.check(os.WriteFile(a.file(all[4]), b, 0o600))
	a.save(now.Add(time.Minute), stray)
	a.want("swapped, put back, saved", "acme", "7 checked 2 whole 1 removed; 2 altered; 3 missing; 4 altered; 5 left_over; 6 altered")
}

func TestVerifyInParts(t *testing.T) {
	a := newArchive(t)
	now := time.Now()
	for i := range 5 {
		a.kept("acme", now.Add(time.Duration(i)*time.Second))
	}
	var next int64
	var got []string
	head := ""
	for {
		v, err := a.Verify(t.Context(), "acme", pbx.VerifyQuery{After: next, Limit: 2})
		a.check(err)
		got = append(got, fmt.Sprint(v.Checked, v.Whole, len(v.Findings), v.Next))
		if head = v.Head; v.Next == 0 {
			break
		}
		next = v.Next
	}
	if want := "2 2 0 2, 2 2 0 4, 1 1 0 0"; strings.Join(got, ", ") != want {
		t.Errorf("%v, want %s", got, want)
	}
	a.want("whole", "acme", "5 checked 5 whole 0 removed")
	for head, want := range map[string]string{head: "5 checked 5 whole 0 removed", pbx.ChainStart: "5 checked 5 whole 0 removed",
		strings.Repeat("a", 64): "5 checked 5 whole 0 removed; 0 broken"} {
		if got := a.verdict("acme", pbx.VerifyQuery{Head: head}); got != want {
			t.Errorf("with head %s: %s", head, got)
		}
	}
	if got := a.verdict("acme", pbx.VerifyQuery{After: 99}); got != "0 checked 0 whole 0 removed; 99 broken" {
		t.Errorf("behind the end: %s", got)
	}
	for _, q := range []pbx.VerifyQuery{{After: -1}, {Head: "x"}, {Head: strings.Repeat("A", 64)}} {
		if _, err := a.Verify(t.Context(), "acme", q); pbx.KindOf(err) != pbx.Invalid {
			t.Errorf("%+v: %v", q, err)
		}
	}
	a.verifying <- struct{}{}
	if _, err := a.Verify(t.Context(), "acme", pbx.VerifyQuery{}); pbx.KindOf(err) != pbx.Limit {
		t.Errorf("two at once: %v", err)
	}
	<-a.verifying
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := a.Verify(ctx, "acme", pbx.VerifyQuery{}); err == nil {
		t.Error("verified although nobody waits")
	}
}

// forged is a ledger whose chain somebody changed.
type forged struct {
	Ledger
	change func([]pbx.Link) []pbx.Link
}

func (f forged) Links(ctx context.Context, t pbx.TenantID, from int64, limit int) ([]pbx.Link, error) {
	links, err := f.Ledger.Links(ctx, t, from, limit)
	return f.change(links), err
}

func TestVerifyForgedChain(t *testing.T) {
	a := newArchive(t)
	for i := range 4 {
		a.kept("acme", time.Now().Add(time.Duration(i)*time.Second))
	}
	for name, c := range map[string]struct {
		change func([]pbx.Link) []pbx.Link
		want   string
	}{
		"sum":            {func(l []pbx.Link) []pbx.Link { l[1].SHA256 = strings.Repeat("0", 64); return l }, "4 checked 3 whole 0 removed; 2 broken; 2 broken; 2 altered"},
		"link":           {func(l []pbx.Link) []pbx.Link { l[1].Link = l[0].Link; return l }, "4 checked 4 whole 0 removed; 2 broken; 2 broken; 3 broken"},
		"one out":        {func(l []pbx.Link) []pbx.Link { return append(l[:1], l[2:]...) }, "3 checked 3 whole 0 removed; 2 broken"},
		"first out":      {func(l []pbx.Link) []pbx.Link { return l[1:] }, "3 checked 3 whole 0 removed; 1 broken"},
		"renumbered":     {func(l []pbx.Link) []pbx.Link { l[1].Seq, l[2].Seq = 3, 2; l[1], l[2] = l[2], l[1]; return l }, "4 checked 4 whole 0 removed; 2 broken; 3 broken; 4 broken"},
		"record missing": {func(l []pbx.Link) []pbx.Link { l[3].Recording = nil; return l }, "4 checked 4 whole 0 removed; 4 broken"},
	} {
		k := *a
		k.Keeper = NewKeeper(a.sounds, forged{a.ledger, c.change}, slog.New(slog.DiscardHandler))
		if got := k.verdict("acme", pbx.VerifyQuery{}); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// TestVerifyForgedTombstone: a removal is lawful when the chain says so, in the words
// of the tombstone.
func TestVerifyForgedTombstone(t *testing.T) {
	a := newArchive(t)
	now := time.Now()
	first := a.kept("acme", now)
	a.kept("acme", now.Add(time.Second))
	a.check(a.Remove(t.Context(), "acme", first.ID, pbx.Removal{At: now, By: "anna", Why: "asked for"}))
	a.want("lawful", "acme", "2 checked 1 whole 1 removed")
	for name, c := range map[string]struct {
		change func([]pbx.Link) []pbx.Link
		want   string
	}{
		"taken out": {func(l []pbx.Link) []pbx.Link { l[0].Buried = false; return l[:2] }, "2 checked 1 whole 1 removed; 1 broken"},
		"other words": {func(l []pbx.Link) []pbx.Link {
			r := *l[2].Recording
			r.Removed = &pbx.Removal{At: now, By: "ivan", Why: "asked for"}
			l[2].Recording = &r
			return l
		}, "2 checked 1 whole 1 removed; 3 broken"},
		"taken back":  {func(l []pbx.Link) []pbx.Link { l[2].Recording.Removed = nil; return l }, "2 checked 1 whole 1 removed; 3 broken"},
		"as kept":     {func(l []pbx.Link) []pbx.Link { l[2].Kind = pbx.LinkKept; return l }, "3 checked 1 whole 2 removed; 3 broken; 3 broken"},
		"record gone": {func(l []pbx.Link) []pbx.Link { l[2].Recording = nil; return l }, "2 checked 1 whole 1 removed; 3 broken"},
		"no file, no tombstone": {func(l []pbx.Link) []pbx.Link {
			l[1].Recording.Removed = &pbx.Removal{At: now, By: "ivan"}
			return l
		}, "2 checked 0 whole 2 removed; 2 broken; 2 left_over"},
	} {
		k := *a
		k.Keeper = NewKeeper(a.sounds, forged{a.ledger, c.change}, slog.New(slog.DiscardHandler))
		if got := k.verdict("acme", pbx.VerifyQuery{}); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	v, err := a.Verify(t.Context(), "acme", pbx.VerifyQuery{})
	if a.check(err); v.Buried != 1 {
		t.Errorf("%d tombstones", v.Buried)
	}
}

func TestSweep(t *testing.T) {
	a := newArchive(t)
	now := time.Now()
	day := 24 * time.Hour
	old, young := a.kept("acme", now.Add(-91*day)), a.kept("acme", now.Add(-89*day))
	other := a.kept("umbra", now.Add(-1000*day))
	a.check(a.Sweep(t.Context(), "acme", 0, now))
	a.want("kept for ever", "acme", "2 checked 2 whole 0 removed")
	a.check(a.Sweep(t.Context(), "acme", 90*day, now))
	a.want("swept", "acme", "2 checked 1 whole 1 removed")
	a.want("not swept", "umbra", "1 checked 1 whole 0 removed")
	r, err := a.ledger.Recording(t.Context(), "acme", old.ID)
	a.check(err)
	if r.Removed == nil || r.Removed.By != pbx.ByRetention || r.Seconds != old.Seconds || r.SHA256 != old.SHA256 {
		t.Errorf("tombstone %+v", r)
	}
	for r, want := range map[*pbx.Recording]bool{&old: false, &young: true, &other: true} {
		if _, err := os.Stat(a.file(*r)); (err == nil) != want {
			t.Errorf("file of %s: %v", r.ID, err)
		}
	}
}

func TestSweepMany(t *testing.T) {
	a := newArchive(t)
	at := time.Now().Add(-time.Hour)
	for i := range sweepBatch + 5 {
		when := at.Add(time.Duration(i) * time.Millisecond)
		a.save(when, pbx.Recording{ID: pbx.NewRecordingID(when), Tenant: "acme", Call: pbx.NewCallID(when)})
	}
	a.check(a.Sweep(t.Context(), "acme", time.Minute, time.Now()))
	if left, err := a.ledger.Expired(t.Context(), "acme", time.Now(), 1); err != nil || len(left) != 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

// TestCrashes dies between any two steps of what is done with a recording and
// starts again.
func TestCrashes(t *testing.T) {
	at := time.Now().Add(-time.Hour)
	removal := pbx.Removal{At: time.Now(), By: "anna"}
	for name, c := range map[string]struct {
		do     func(a *archive)
		before string // verified right after the start
		after  string // and after a sweep
	}{
		"file without record": {func(a *archive) { a.make("acme", at) }, "0 checked 0 whole 0 removed; 0 unchained", "0 checked 0 whole 0 removed; 0 unchained"},
		"record without link": {func(a *archive) {
			r := a.make("acme", at)
			r.SHA256 = "" // as an older version, or a disk that was too slow, left it
			a.save(at, r)
		}, "0 checked 0 whole 0 removed; 0 unchained", "1 checked 1 whole 0 removed"},
		"tombstone without removal": {func(a *archive) {
			a.check(a.ledger.RemoveRecording(a.t.Context(), "acme", a.kept("acme", at).ID, removal))
		}, "1 checked 0 whole 1 removed; 1 left_over", "1 checked 0 whole 1 removed"},
		"removal not noted": {func(a *archive) {
			r := a.kept("acme", at)
			a.check(a.ledger.RemoveRecording(a.t.Context(), "acme", r.ID, removal))
			a.check(a.sounds.Remove("acme", r.ID))
		}, "1 checked 0 whole 1 removed", "1 checked 0 whole 1 removed"},
	} {
		t.Run(name, func(t *testing.T) {
			a := newArchive(t)
			c.do(a)
			a.close()
			a.open(Options{})
			a.want("at start", "acme", c.before)
			a.check(a.Sweep(t.Context(), "acme", 0, time.Now()))
			a.check(a.Chain(t.Context(), "acme"))
			a.want("after a sweep", "acme", c.after)
			if left, err := a.ledger.LeftOver(t.Context(), "acme", 1); err != nil || len(left) != 0 {
				t.Errorf("left over %v, %v", left, err)
			}
		})
	}
}

// TestRepairedIsSummed: what Repair finishes has the sum of what it finished.
func TestRepairedIsSummed(t *testing.T) {
	a := newArchive(t)
	r := a.make("acme", time.Now())
	a.check(os.Rename(a.file(r), a.file(r)+partial))
	found, err := a.sounds.Repair(t.Context())
	if err != nil || len(found) != 1 || found[0].SHA256 != r.SHA256 {
		t.Errorf("repaired %+v, %v", found, err)
	}
	if sum, size, err := a.sounds.Sum(t.Context(), "acme", r.ID); err != nil || sum != r.SHA256 || size != r.Bytes {
		t.Errorf("sum %s of %d bytes, %v", sum, size, err)
	}
}

func TestRemoveRefuses(t *testing.T) {
	a := newArchive(t)
	r := a.kept("acme", time.Now())
	for _, c := range []struct {
		tenant pbx.TenantID
		id     pbx.RecordingID
	}{{"umbra", r.ID}, {"", r.ID}, {"../acme", r.ID}, {"acme", ""}, {"acme", "../../x"}, {"acme", "no such id"}} {
		if err := a.Remove(t.Context(), c.tenant, c.id, pbx.Removal{}); pbx.KindOf(err) != pbx.NotFound {
			t.Errorf("%+v: %v", c, err)
		}
	}
	a.want("untouched", "acme", "1 checked 1 whole 0 removed")
}
