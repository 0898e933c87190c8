package flow

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vpbx/pbx"
)

// operatorRaces are deeds that two do at nearly the same time while an operator is about
// to talk for a campaign; {a} and {b} are when. The target is called at 1s and answers at
// 9s; 101 has a line, 102 is rung.
var operatorRaces = []struct{ name, script string }{
	{"two targets answer", `
at 1005ms attempt +79160000002
  {"mode": "predictive", "operators": {"queue": "700", "sorry": "welcome"}}`},
	{"the target answers, the operator hangs up", `
at {b} 101 hangs up`},
	{"the target answers, the operator pauses", `
at {b} api POST agents/101/pause`},
	{"the target answers, the operator logs out", `
at {b} api POST agents/101/logout`},
	{"the target answers, the operator holds", `
at {b} 101 holds
at 12s 101 resumes`},
	{"the target answers and hangs up", `
at {b} +79160000001 hangs up`},
	{"the target answers, the line is hung up", `
at {b} api POST calls/{live of 101}/hangup maybe`},
	{"the operator is called by another", `
at {b} call 103 to 101 patience=3s talk=5s`},
	{"a caller comes to the queue", `
at {b} call +79160000003 to +74950000002 patience=10s talk=3s`},
	{"both hang up", `
at 15s +79160000001 hangs up
at {b2} 101 hangs up`},
	{"the target hangs up, the operator ends the talk", `
at 15s +79160000001 hangs up
at {b2} 101 presses *#`},
	{"the target hangs up, the next one answers", `
at {b1} attempt +79160000002
  {"mode": "predictive", "operators": {"queue": "700"}}
at 15s +79160000001 hangs up`},
	{"the target hangs up, the operator sends it on", `
at 15s +79160000001 hangs up
at {b2} 101 refers to 103 hangs=never`},
	{"the PBX is stopped", `
at {b} stop
at 90s start`},
	{"the PBX is stopped while they talk", `
at 15s +79160000001 hangs up
at {b2} stop
at 90s start`},
}

// TestOperatorRaces does two things at nearly the same time, in either order, and looks
// at the invariants: nobody is reserved or talks for ever, a leg has one owner.
func TestOperatorRaces(t *testing.T) {
	const world = `
acme
  groups:
    - {number: "600", name: Продажи, members: ["101", "102"], strategy: all, ring: 20s}
    - {number: "700", name: Обзвон, kind: queue, members: ["101", "102"], wrapup: 0s}
  rules: [{number: "+74950000002", steps: [{queue: "700"}]}]
phone 101
phone 102 intercom talk=20s
phone 103 answers=1s talk=5s
phone +79160000001 answers=8s talk=30s
phone +79160000002 answers=8s talk=20s
call 101 to *47 talk=2m
at 1s attempt +79160000001
  {"mode": "MODE", "operators": {"queue": "700", "sorry": "welcome"}}`
	offsets := []int{0, 5, 10}
	if detecting {
		offsets = []int{5}
	}
	for _, mode := range []string{"progressive", "predictive"} {
		for _, r := range operatorRaces {
			t.Run(mode+" "+r.name, func(t *testing.T) {
				t.Parallel()
				for _, apart := range offsets {
					d := time.Duration(apart) * time.Millisecond
					script := strings.ReplaceAll(world, "MODE", mode) + strings.NewReplacer("{b}", (9*time.Second+d).String(),
						"{b1}", (7*time.Second-d).String(), "{b2}", (15*time.Second+d).String()).Replace(r.script) + "\n"
					s, err := parse(script)
					if err != nil {
						t.Fatal(err)
					}
					t.Run(fmt.Sprint(apart), func(t *testing.T) {
						t.Cleanup(func() {
							if t.Failed() {
								t.Logf("the script:\n%s", script)
							}
						})
						runSeed(t, s, uint64(apart+100))
					})
				}
			})
		}
	}
}

// TestOperatorHeard measures, on the clock of the bubble, how long a target hears nothing
// between its answer and the voice of the operator, where each way of the network takes
// 5 ms: from a line the next packet of the operator's phone is the first it hears.
func TestOperatorHeard(t *testing.T) {
	const calls = 25
	for _, c := range []struct {
		name, line string
		most       time.Duration
	}{
		{"line", "call 101 to *47 talk=10m\n", 30 * time.Millisecond},
		{"phone", "", 45 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			script := `
acme
  groups:
    - {number: "600", name: Продажи, members: ["101"], strategy: all, ring: 20s}
    - {number: "700", name: Обзвон, kind: queue, members: ["101"]}
phone 101 intercom
phone +79160000001 answers=2s talk=3s
` + c.line
			for i := range calls { // at all places within a packet of 20 ms
				script += fmt.Sprintf("at %v attempt +79160000001\n  {\"mode\": \"predictive\", \"operators\": {\"queue\": \"700\"}}\n", time.Duration(i)*20*time.Second+time.Second+time.Duration(i)*7*time.Millisecond)
			}
			s, err := parse(script)
			if err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1)
				defer w.net.Close()
				err := errors.Join(w.furnish(s), w.play(s))
				var records []record
				if err == nil {
					records, err = w.records("acme")
				}
				heard := w.heardAfter(records)
				w.close()
				if err != nil || len(heard) != calls {
					t.Fatalf("%d of %d targets heard somebody: %v\n%s", len(heard), calls, err, w.log.text())
				}
				slices.Sort(heard)
				t.Logf("answer to the operator's voice: p50 %v, p95 %v, most %v", heard[calls/2], heard[calls*95/100], heard[calls-1])
				if heard[calls-1] > c.most {
					t.Errorf("it took up to %v, more than %v", heard[calls-1], c.most)
				}
			})
		})
	}
}

// heardAfter gives how long each target of the campaign waited for the first packet after it
// had answered, in the order of the calls.
func (w *world) heardAfter(records []record) (list []time.Duration) {
	slices.SortFunc(records, func(a, b record) int { return a.Started.Compare(b.Started) })
	legs := w.agents["+79160000001"].legs
	for _, r := range records {
		i := slices.IndexFunc(r.Trace, func(e pbx.CallEvent) bool { return e.Kind == pbx.Answered && e.Who == "+79160000001" })
		if r.Campaign == nil || i < 0 || len(legs) == 0 {
			continue
		}
		const way = 5 * time.Millisecond // its 200 has been
		list = append(list, legs[0].RTP().First.Sub(r.Trace[i].At.Add(-way)))
		legs = legs[1:]
	}
	return list
}
