package flow

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"
)

// TestOperatorsReleased makes calls of campaigns that end in all ways there are, with callers of
// the same queue beside them: 50 for each seed of STORM_SEEDS. Nobody is reserved, rings or talks at the
// end, which is an invariant of every flow, and whoever is there can be reserved again.
func TestOperatorsReleased(t *testing.T) {
	first, last, err := seeds(os.Getenv("STORM_SEEDS"))
	if err != nil {
		t.Fatal(err)
	}
	for seed := first; seed <= last; seed++ {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			script := releasedScript(rand.New(rand.NewPCG(seed, 6)))
			s, err := parse(script)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if t.Failed() {
					t.Logf("the script:\n%s", script)
				}
			})
			got := runSeed(t, s, seed)
			if n := strings.Count(got, "    campaign connected"); n == 0 {
				t.Error("nobody was connected at all")
			}
			if !strings.Contains(got[strings.LastIndex(got, "campaign     calls"):], "has called +79160000005: connected") {
				t.Errorf("after all this nobody could be reserved:\n%s", got)
			}
		})
	}
}

// releasedScript is 50 calls of campaigns within two minutes.
func releasedScript(r *rand.Rand) string {
	some := func(d time.Duration) time.Duration {
		return time.Duration(r.Int64N(int64(d))).Truncate(time.Millisecond)
	}
	one := func(of ...string) string { return of[r.IntN(len(of))] }
	var b strings.Builder
	b.WriteString(`
acme
  groups:
    - {number: "600", name: Продажи, members: ["101", "102"], strategy: all, ring: 20s}
    - {number: "700", name: Обзвон, kind: queue, members: ["101", "102", "103"], wrapup: 1s, retry: 2s}
  rules: [{number: "+74950000002", steps: [{queue: "700"}]}]
phone 101
phone 102 intercom talk=9s
phone 103 answers=1s talk=5s
phone +79160000001 answers=2s talk=4s
phone +79160000002 busy
phone +79160000003 answers=4s says=600ms talk=3s
phone +79160000004 never
phone +79160000005 answers=1s talk=2s
`)
	const length = 2 * time.Minute
	for at := time.Duration(0); at < length; at += 20 * time.Second {
		fmt.Fprintf(&b, "at %v call 101 to *47 talk=%v patience=5s\n", at, time.Second+some(18*time.Second))
		fmt.Fprintf(&b, "at %v call +79160000006 to +74950000002 patience=%v talk=%v\n", at+some(20*time.Second), time.Second+some(9*time.Second), time.Second+some(5*time.Second))
		fmt.Fprintf(&b, "at %v %s %s\n", at+some(20*time.Second), one("101", "102", "103"), one("hangs up", "holds", "presses *#", "presses #", "refers to 103 hangs=never"))
		fmt.Fprintf(&b, "at %v api POST calls/{live}/hangup maybe\n", at+some(20*time.Second))
		fmt.Fprintf(&b, "at %v api POST agents/%s/%s maybe\n", at+some(10*time.Second), "102", one("pause", "resume"))
	}
	for range 50 {
		cancelled := ""
		if r.IntN(3) == 0 {
			cancelled = fmt.Sprintf(" cancelled=%v", time.Millisecond+some(8*time.Second))
		}
		fmt.Fprintf(&b, "at %v attempt %s%s\n  {\"mode\": %q, \"machine\": {\"do\": %q}, \"operators\": {\"queue\": \"700\", \"sorry\": \"welcome\", \"card\": \"3s\"}}\n", some(length),
			one("+79160000001", "+79160000001", "+79160000002", "+79160000003", "+79160000004"), cancelled,
			one("progressive", "progressive", "predictive", "preview"), one("", "", "hangup"))
	}
	fmt.Fprintf(&b, "at %v api POST agents/102/resume maybe\n", length+time.Minute)
	fmt.Fprintf(&b, "at %v attempt +79160000005\n  {\"mode\": \"progressive\", \"operators\": {\"queue\": \"700\"}}\n", length+3*time.Minute)
	return b.String()
}
