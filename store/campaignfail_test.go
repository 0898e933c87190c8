package store

import (
	"bufio"
	"database/sql"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"vpbx/pbx"
)

// wantCounted checks that the kept numbers of targets are those of the rows, that a target
// is dialled when one attempt to it goes on, and only then, and gives the numbers by state.
func wantCounted(t testing.TB, s *Store) map[pbx.TargetState]int {
	t.Helper()
	have := map[pbx.TargetState]int{}
	err := s.rows(t.Context(), func(rows *sql.Rows) error {
		var state pbx.TargetState
		var n, open int
		err := rows.Scan(&state, &n, &open)
		have[state] = n
		if state == pbx.TargetDialling && open != n || state != pbx.TargetDialling && open != 0 {
			t.Errorf("%d targets are %s, and %d attempts go on", n, state, open)
		}
		return err
	}, `SELECT t.state, count(*), count(a.n) FROM targets t LEFT JOIN attempts a
		ON a.tenant = t.tenant AND a.campaign = t.campaign AND a.target = t.id AND a.ended = 0 GROUP BY t.state`)
	if err != nil {
		t.Fatal(err)
	}
	counted, err := s.CountTargets(t.Context(), "acme", "sale")
	if err != nil || !maps.Equal(counted, have) {
		t.Errorf("counted %v, %v, there are %v", counted, err, have)
	}
	return have
}

func failAttempt(id int64, n int, at time.Time) pbx.Attempt {
	return pbx.Attempt{Tenant: "acme", Campaign: "sale", Target: id, N: n, Number: fmt.Sprintf("+7916%07d", id-1), Call: pbx.CallID(fmt.Sprintf("c%d-%d", id, n)),
		Kind: pbx.CampaignInform, Mode: pbx.DialMessage, Began: at}
}

// TestCampaignFullDatabase: what has no room is not half written: a target whose attempt
// could not be kept still waits, an attempt that could not be settled still goes on.
func TestCampaignFullDatabase(t *testing.T) {
	s := openCampaign(t, t.TempDir())
	t0 := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	const n = 300
	fill(t, s, n, t0)
	limitPages(t, s, true)
	if _, err := s.AddTargets(t.Context(), "acme", "sale", []pbx.Target{{Numbers: []string{"+1"}, Variables: map[string]string{"x": strings.Repeat("x", 100_000)}}}); pbx.KindOf(err) != pbx.Unavailable {
		t.Errorf("a full database took a target: %v", err)
	}
	guard := pbx.AttemptGuard{Attempts: 3, PerNumber: 3}
	begun := 0
	for id := int64(1); id <= n; id++ {
		held, err := s.BeginAttempt(t.Context(), "acme", failAttempt(id, 1, t0), guard)
		switch {
		case err == nil && held == "":
			begun++
		case pbx.KindOf(err) != pbx.Unavailable:
			t.Fatalf("begin: %q, %v", held, err)
		}
	}
	if begun == 0 || begun == n {
		t.Fatalf("%d of %d attempts were begun", begun, n)
	}
	if have := wantCounted(t, s); have[pbx.TargetDialling] != begun || have[pbx.TargetWaiting] != n-begun {
		t.Errorf("%d begun, targets %v", begun, have)
	}
	left, err := s.LeftAttempts(t.Context())
	if err != nil || len(left) != begun {
		t.Fatalf("left %d, %v", len(left), err)
	}
	ended := t0.Add(time.Minute)
	over := func(a pbx.Attempt) error {
		a.Ended, a.Outcome = &ended, pbx.AttemptAnswered
		a.Result = &pbx.InCampaign{Answers: []pbx.Answer{{Block: "b", Key: "1", Answer: strings.Repeat("long ", 2000)}}}
		return s.SettleAttempt(t.Context(), "acme", pbx.Settlement{Attempt: a, Target: pbx.Target{State: pbx.TargetDone}})
	}
	if err := over(left[0]); pbx.KindOf(err) != pbx.Unavailable {
		t.Errorf("a full database settled: %v", err)
	}
	if have := wantCounted(t, s); have[pbx.TargetDialling] != begun {
		t.Errorf("targets %v", have)
	}
	limitPages(t, s, false)
	for _, a := range left {
		if err := over(a); err != nil {
			t.Fatal(err)
		}
	}
	if have := wantCounted(t, s); have[pbx.TargetDone] != begun || have[pbx.TargetWaiting] != n-begun {
		t.Errorf("targets %v", have)
	}
}

// TestCampaignKilled kills a process that calls the targets of a campaign: every attempt
// that it was told is begun is there, those it was told are settled are over, and each
// target is where its attempts say.
func TestCampaignKilled(t *testing.T) {
	if dir := os.Getenv(crashDir); dir != "" {
		callForever(t, dir)
		return
	}
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^TestCampaignKilled$")
	cmd.Env = append(os.Environ(), crashDir+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	told := map[string]string{}
	for lines := bufio.NewScanner(out); len(told) < 300 && lines.Scan(); {
		if word, call, ok := strings.Cut(lines.Text(), " "); ok && (word == "begun" || word == "settled") {
			told[call] = word
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	if len(told) < 300 {
		t.Fatalf("the process told of %d attempts", len(told))
	}
	s := openDir(t, dir)
	ended := map[string]bool{}
	err = s.EachAttempt(t.Context(), "acme", "sale", time.Time{}, time.Time{}, func(a pbx.Attempt) error { ended[string(a.Call)] = a.Ended != nil; return nil })
	if err != nil {
		t.Fatal(err)
	}
	for call, word := range told {
		over, there := ended[call]
		if !there || word == "settled" && !over {
			t.Errorf("attempt %s was %s; it is there: %v, over: %v", call, word, there, over)
		}
	}
	if have := wantCounted(t, s); have[pbx.TargetWaiting]+have[pbx.TargetDialling]+have[pbx.TargetDone] != 2000 {
		t.Errorf("targets %v", have)
	}
}

// callForever says of each attempt when it is begun, and of every other one when it is
// settled.
func callForever(t *testing.T, dir string) {
	s := openCampaign(t, dir)
	t0 := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	fill(t, s, 2000, t0)
	for id := int64(1); id <= 2000; id++ {
		a := failAttempt(id, 1, t0)
		if held, err := s.BeginAttempt(t.Context(), "acme", a, pbx.AttemptGuard{Attempts: 1, PerNumber: 1}); err != nil || held != "" {
			t.Fatal(held, err)
		}
		fmt.Printf("begun %s\n", a.Call)
		if id%2 == 0 {
			continue
		}
		ended := t0.Add(time.Second)
		a.Ended, a.Outcome = &ended, pbx.AttemptAnswered
		if err := s.SettleAttempt(t.Context(), "acme", pbx.Settlement{Attempt: a, Target: pbx.Target{State: pbx.TargetDone}}); err != nil {
			t.Fatal(err)
		}
		fmt.Printf("settled %s\n", a.Call)
	}
	select {}
}
