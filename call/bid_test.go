package call

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"vpbx/pbx"
)

func bidQueue(wrapup time.Duration) *pbx.Group {
	return &pbx.Group{Number: "700", Members: []string{"101", "102", "103"}, Strategy: pbx.RingAll, Queue: &pbx.Queue{Wrapup: wrapup, MaxSize: 50}}
}

func anybody(string) bool { return true }

// TestBids: whose turn it is when callers and campaigns want the same agents, and whom they get.
func TestBids(t *testing.T) {
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	g := bidQueue(0)
	m := newMatcher(func(int) int { return 0 })
	m.agent("103").line = &operatorLine{idle: true}
	dials := &waiter{call: "dials", group: g, since: at, bid: &bid{}}
	answered := &waiter{call: "answered", group: g, since: at.Add(time.Minute), bid: &bid{}}
	caller := &waiter{call: "caller", group: g, since: at.Add(time.Hour)}
	named := &waiter{call: "named", group: g, since: at, bid: &bid{only: "103"}}
	for _, w := range []*waiter{dials, answered, caller, named} {
		m.enter(w)
	}
	m.hasAnswered(answered)
	var order []string
	for _, w := range m.waiting {
		order = append(order, string(w.call))
	}
	if got := strings.Join(order, " "); got != "caller answered dials named" {
		t.Errorf("they are served in the order %s", got)
	}
	if n := m.size("700", false); n != 1 || m.position(caller) != 1 {
		t.Errorf("%d wait in the queue, the caller at %d: campaigns are no callers", n, m.position(caller))
	}
	m.round(at, func(number string) bool { return number == "101" }) // the others cannot be rung for callers
	for w, want := range map[*waiter]string{caller: "101", answered: "103", dials: "102", named: ""} {
		if got := strings.Join(w.offered, " "); got != want {
			t.Errorf("%s got %q, want %q", w.call, got, want)
		}
	}
	m.leave(dials)
	if m.agents["102"].offer != nil {
		t.Error("102 is reserved for a call that is over")
	}
}

// TestBidWrapup: an operator is left alone after a talk only, as the campaign says.
func TestBidWrapup(t *testing.T) {
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		of, own time.Duration
		talked  bool
		want    time.Duration
	}{{10 * time.Second, 0, true, 10 * time.Second}, {10 * time.Second, 3 * time.Second, true, 3 * time.Second}, {10 * time.Second, 3 * time.Second, false, 0}} {
		m := newMatcher(nil)
		w := &waiter{group: bidQueue(c.of), since: at, bid: &bid{wrapup: c.own, talked: c.talked}}
		m.enter(w)
		m.answer("101", w, at, nil)
		m.talked(m.agents["101"], at.Add(time.Minute), true)
		if got := max(0, m.agents["101"].until.Sub(at.Add(time.Minute))); got != c.want {
			t.Errorf("%+v: it is left alone for %v", c, got)
		}
		if len(m.talks) > 0 {
			t.Error("the talk counts for the waits of the queue")
		}
	}
}

// TestBidsAnyOrder: whatever agents and calls do, nobody has two offers, no agent is kept for
// a call that is over, and nobody waits for whom an agent is free.
func TestBidsAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
		m, g := newMatcher(func(int) int { return 0 }), bidQueue(5*time.Second)
		var open []*waiter
		some := func() *waiter { return open[rapid.IntRange(0, len(open)-1).Draw(t, "call")] }
		over := func(w *waiter) {
			m.leave(w)
			open = slices.DeleteFunc(open, func(x *waiter) bool { return x == w })
		}
		for n := range rapid.IntRange(1, 60).Draw(t, "steps") {
			at = at.Add(time.Duration(rapid.IntRange(0, 4000).Draw(t, "ms")) * time.Millisecond)
			a := m.agent(rapid.SampledFrom(g.Members).Draw(t, "agent"))
			switch rapid.IntRange(0, 7).Draw(t, "deed") {
			case 0, 1:
				w := &waiter{call: pbx.CallID(fmt.Sprint(n)), group: g, since: at}
				if rapid.Bool().Draw(t, "campaign") {
					w.bid = &bid{}
				}
				m.enter(w)
				open = append(open, w)
			case 2:
				if len(open) > 0 {
					over(some())
				}
			case 3:
				if len(open) > 0 {
					if w := some(); w.bid != nil {
						m.hasAnswered(w)
					}
				}
			case 4:
				if w := a.offer; w != nil {
					if w.bid != nil {
						w.bid.talked = true
					}
					m.answer(a.number, w, at, nil)
					over(w)
				}
			case 5:
				m.talked(a, at, true)
			case 6:
				a.state.Paused = rapid.SampledFrom([]string{"", pbx.PausedPlain}).Draw(t, "paused")
				m.unreserve(a)
			case 7:
				if a.line = nil; rapid.Bool().Draw(t, "line") {
					a.line = &operatorLine{idle: true}
				}
			}
			m.round(at, anybody)
			checkBids(t, m, open, at)
		}
	})
}

func checkBids(t *rapid.T, m *matcher, open []*waiter, at time.Time) {
	for _, a := range m.agents {
		if a.offer != nil && (!slices.Contains(open, a.offer) || !slices.Contains(a.offer.offered, a.number)) {
			t.Fatalf("%s is kept for a call that is over or does not know", a.number)
		}
		if a.offer != nil && a.offer.bid != nil && a.state.Paused != "" {
			t.Fatalf("%s is reserved and pauses", a.number)
		}
		if !a.idle(at) {
			continue
		}
		for _, w := range m.waiting {
			if len(w.offered) == 0 {
				t.Fatalf("call %s waits and %s is free", w.call, a.number)
			}
		}
	}
}
