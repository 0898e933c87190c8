package sip

import (
	"testing"
	"time"

	"vpbx/pbx"
)

// TestTrunkHealth: a trunk is down after three OPTIONS without answer, and up
// with the first answer, whatever it says.
func TestTrunkHealth(t *testing.T) {
	inBubble(t, func(c *Config, _ *pbx.Company) { c.ProbeEvery = 30 * time.Second }, func(r *legRig) {
		check := func(want bool, when string) {
			t.Helper()
			if got := r.s.TrunkUp("acme", "carrier"); got != want || r.trunkUp() != map[bool]float64{true: 1}[want] {
				t.Fatalf("%s: up is %v, gauge %v", when, got, r.trunkUp())
			}
		}
		check(true, "at first")
		m := r.peer.wantIn("OPTIONS sip:10.0.0.2:5060 ", 61*time.Second)
		r.peer.reply(m, "404 Who", "o", "")
		for end := time.Now().Add(85 * time.Second); time.Now().Before(end); {
			r.peer.next(time.Second)
		}
		check(true, "before the third miss")
		for end := time.Now().Add(40 * time.Second); time.Now().Before(end); {
			r.peer.next(time.Second)
		}
		check(false, "after three misses")
		m = r.peer.wantIn("OPTIONS", 40*time.Second)
		r.peer.reply(m, "503 Full", "o", "")
		time.Sleep(time.Second)
		check(true, "after an answer")
	})
}
