package call

import (
	"testing"
	"time"

	"vpbx/pbx"
)

// TestPINTurns: three wrong PINs slow nobody down; behind them one is looked at in
// 1, 2, 4 … 10 s, however many ask at once, and who would wait too long is refused.
// After ten minutes all is forgotten.
func TestPINTurns(t *testing.T) {
	m := &Manager{pins: map[string]*pinGate{}}
	t0 := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	for range pinFree {
		if d, ok := m.pinTurn("a", t0); d != 0 || !ok {
			t.Fatalf("%v, %t", d, ok)
		}
		m.pinWrong("a", t0)
	}
	for i, want := range []time.Duration{0, time.Second, 2 * time.Second, 3 * time.Second} {
		if d, ok := m.pinTurn("a", t0); d != want || !ok {
			t.Errorf("the %d. at once: %v, %t", i+1, d, ok)
		}
	}
	at := t0.Add(5 * time.Second)
	for range 20 {
		m.pinWrong("a", at)
	}
	var waits []time.Duration
	for range 6 {
		d, ok := m.pinTurn("a", at)
		if !ok {
			break
		}
		waits = append(waits, d)
	}
	if len(waits) != 4 || waits[3] != 3*pinSlow {
		t.Errorf("waits %v", waits)
	}
	if d, ok := m.pinTurn("b", at); d != 0 || !ok {
		t.Errorf("another waits %v, %t", d, ok)
	}
	if d, ok := m.pinTurn("a", t0.Add(pinMemory)); d != 0 || !ok || len(m.pins) != 0 {
		t.Errorf("later: %v, %t, %v", d, ok, m.pins)
	}
}

func TestKnows(t *testing.T) {
	both := &pbx.Conference{PIN: "1234", ModeratorPIN: "98765"}
	open := &pbx.Conference{ModeratorPIN: "98765"}
	for _, c := range []struct {
		conf          *pbx.Conference
		digits        string
		moderator, ok bool
	}{
		{both, "1234", false, true}, {both, "98765", true, true}, {both, "", false, false}, {both, "12345", false, false}, {both, "123", false, false},
		{open, "", false, true}, {open, "98765", true, true}, {open, "1", false, false},
	} {
		if moderator, ok := knows(c.conf, c.digits); moderator != c.moderator || ok != c.ok {
			t.Errorf("%+v, %q: moderator %t, ok %t", *c.conf, c.digits, moderator, ok)
		}
	}
}
