package call

import (
	"slices"
	"strings"
	"testing"
	"time"

	"vpbx/pbx"
)

// TestPick: the rule of matching.
func TestPick(t *testing.T) {
	t0 := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	at := func(m int) time.Time { return t0.Add(time.Duration(m) * time.Minute) }
	free := []candidate{
		{number: "a", place: 0, freed: at(5), level: 1},
		{number: "b", place: 1, freed: at(2), level: 3},
		{number: "c", place: 2, freed: at(2), level: 3},
		{number: "d", place: 3, priority: 1, level: 9},
	}
	for _, c := range []struct {
		strategy pbx.Strategy
		last     int
		want     string
	}{
		{pbx.LeastRecent, -1, "b"}, {pbx.Linear, 1, "a"}, {pbx.RoundRobin, -1, "a"}, {pbx.RoundRobin, 0, "b"}, {pbx.RoundRobin, 2, "a"}, {pbx.RoundRobin, 7, "a"},
		{pbx.Random, 0, "c"}, {pbx.RingAll, 0, "b c a"}, {pbx.Skilled, 0, "b"}, {"", 0, "b"},
	} {
		got := pick(c.strategy, free, c.last, func(n int) int { return n - 1 })
		var names []string
		for _, g := range got {
			names = append(names, g.number)
		}
		if text := strings.Join(names, " "); text != c.want {
			t.Errorf("%s after %d: %s, want %s", c.strategy, c.last, text, c.want)
		}
	}
	if got := pick(pbx.RingAll, nil, 0, nil); got != nil {
		t.Errorf("of nobody: %v", got)
	}
	if got := pick(pbx.Linear, free[3:], 0, nil); len(got) != 1 || got[0].number != "d" {
		t.Errorf("those of a higher priority when there are no others: %v", got)
	}
	if len(free) != 4 || free[0].number != "a" {
		t.Error("the list was changed")
	}
}

// TestOrder: among those who wait the weight of the queue counts first, then their
// priority, then who came first; a place that is kept is the old one.
func TestOrder(t *testing.T) {
	t0 := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	light := &pbx.Group{Number: "700", Queue: &pbx.Queue{}}
	heavy := &pbx.Group{Number: "701", Queue: &pbx.Queue{Weight: 1}}
	m := newMatcher(nil)
	for _, w := range []*waiter{
		{call: "late", group: light, since: t0.Add(time.Minute)}, {call: "first", group: light, since: t0}, {call: "second", group: light, since: t0},
		{call: "dear", group: light, since: t0.Add(time.Hour), priority: 1}, {call: "heavy", group: heavy, since: t0.Add(time.Hour)},
		{call: "kept", group: light, since: t0.Add(time.Second), order: &pbx.CallbackOrder{}},
	} {
		m.enter(w)
	}
	var order []string
	for _, w := range m.waiting {
		order = append(order, string(w.call))
	}
	if want := []string{"heavy", "dear", "first", "second", "kept", "late"}; !slices.Equal(order, want) {
		t.Errorf("%v", order)
	}
	if n := m.position(m.waiting[5]); n != 5 {
		t.Errorf("the last of 700 is at %d", n)
	}
	if n, callbacks := m.size("700", false), m.size("700", true); n != 4 || callbacks != 1 {
		t.Errorf("%d callers, %d callbacks", n, callbacks)
	}
}

// TestExpects: the wait is guessed from the last talks and the agents who are there.
func TestExpects(t *testing.T) {
	g := &pbx.Group{Number: "700", Members: []string{"101", "102"}, Queue: &pbx.Queue{Wrapup: 10 * time.Second}}
	m := newMatcher(nil)
	t0 := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	if _, known := m.expects(g, 1); known {
		t.Error("known from nothing")
	}
	for range 30 {
		w := &waiter{group: g}
		m.enter(w)
		m.answer("101", w, t0, nil)
		m.talked(m.agents["101"], t0.Add(50*time.Second), true)
	}
	if d, known := m.expects(g, 4); !known || d != 2*time.Minute {
		t.Errorf("%v, %v", d, known)
	}
	m.agents["102"].state.Paused = pbx.PausedPlain
	if d, _ := m.expects(g, 4); d != 4*time.Minute {
		t.Errorf("with one agent: %v", d)
	}
	m.agents["101"].state.Logged = pbx.LoggedOut
	if _, known := m.expects(g, 1); known {
		t.Error("known without agents")
	}
}
