package pace

import (
	"fmt"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var monday = time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)

// launch is one that a limiter has admitted, in a property test.
type launch struct {
	at       time.Time
	campaign ID
	trunk    string
	ends     time.Time
}

// world is a few campaigns of two companies on a few trunks, with limits drawn by rapid.
type world struct {
	*Limiter
	campaigns []ID
	trunks    map[ID]string // of campaigns
	limits    map[string]Limit
	all       []launch
	open      []launch
}

func drawWorld(t *rapid.T) *world {
	w := &world{Limiter: NewLimiter(), trunks: map[ID]string{}, limits: map[string]Limit{}}
	limit := rapid.Custom(func(t *rapid.T) Limit {
		return Limit{
			PerSecond: rapid.SampledFrom([]float64{0, 0.5, 1, 1.5, 3, 10, 33}).Draw(t, "per second"),
			AtOnce:    rapid.SampledFrom([]int{0, 1, 2, 7, 40}).Draw(t, "at once"),
			From:      rapid.SampledFrom([]float64{0, 0.2, 1}).Draw(t, "from"),
			RampUp:    rapid.SampledFrom([]time.Duration{0, 3 * time.Second, time.Minute}).Draw(t, "ramp"),
		}
	})
	for _, o := range []string{"a", "b"} {
		w.limits[o] = limit.Draw(t, "company")
		w.SetCompany(o, w.limits[o])
		for _, k := range []string{"x", "y"} {
			w.limits[o+"/"+k] = limit.Draw(t, "trunk")
			w.SetTrunk(ID{o, k}, w.limits[o+"/"+k])
		}
		for n := range rapid.IntRange(1, 3).Draw(t, "campaigns") {
			id := ID{o, fmt.Sprint(n)}
			w.campaigns = append(w.campaigns, id)
			w.trunks[id] = rapid.SampledFrom([]string{"x", "y"}).Draw(t, "by")
			w.limits[o+"//"+id.Name] = limit.Draw(t, "campaign")
			w.SetCampaign(id, rapid.IntRange(1, 4).Draw(t, "weight"), w.limits[o+"//"+id.Name])
			w.Start(monday, id)
		}
	}
	return w
}

// finish ends the calls that are over at a time.
func (w *world) finish(at time.Time) {
	left := w.open[:0]
	for _, c := range w.open {
		if c.ends.After(at) {
			left = append(left, c)
			continue
		}
		w.Done(at, c.campaign, c.trunk, false)
	}
	w.open = left
}

// levels are the names of the limits of a call.
func (c launch) levels() []string {
	return []string{c.campaign.Company, c.campaign.Company + "/" + c.trunk, c.campaign.Company + "//" + c.campaign.Name}
}

// TestA07LimitsHold draws limits and asks at drawn moments: in no window of one second are
// there more launches, and never more calls at once, than each of the three levels allows;
// a launch is refused before the time that a refusal has named and granted at it.
func TestA07LimitsHold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		at := monday
		for range rapid.IntRange(20, 150).Draw(t, "steps") {
			at = at.Add(time.Duration(rapid.IntRange(0, 400).Draw(t, "ms")) * time.Millisecond)
			w.finish(at)
			id := rapid.SampledFrom(w.campaigns).Draw(t, "campaign")
			ok, next := w.Admit(at, id, w.trunks[id])
			if !ok && !next.IsZero() && rapid.Bool().Draw(t, "wait") && !w.ends(next) {
				if early := next.Add(-time.Nanosecond); early.After(at) {
					if ok, again := w.Admit(early, id, w.trunks[id]); ok || !again.Equal(next) {
						t.Fatalf("granted %v before %v, or another time: %v", ok, next, again)
					}
				}
				at = next
				if ok, next = w.Admit(at, id, w.trunks[id]); !ok {
					t.Fatalf("refused at the time that was named, until %v", next)
				}
			}
			if ok {
				c := launch{at, id, w.trunks[id], at.Add(time.Duration(rapid.IntRange(0, 5000).Draw(t, "call")) * time.Millisecond)}
				w.all, w.open = append(w.all, c), append(w.open, c)
			}
			w.check(t, at)
		}
	})
}

// ends says whether a call ends before a time: then something else has changed.
func (w *world) ends(before time.Time) bool {
	for _, c := range w.open {
		if !c.ends.After(before) {
			return true
		}
	}
	return false
}

// check counts, by code that shares nothing with the limiter.
func (w *world) check(t *rapid.T, at time.Time) {
	second, open := map[string]int{}, map[string]int{}
	before := map[string]time.Time{}
	for _, c := range w.all {
		for _, level := range c.levels() {
			last, has := before[level]
			if r := w.limits[level].PerSecond; has && r > 0 && r < 1 && c.at.Sub(last).Seconds() < 1/r {
				t.Fatalf("%s: launches %s apart at %g a second", level, c.at.Sub(last), r)
			}
			before[level] = c.at
		}
		if c.at.After(at.Add(-time.Second)) {
			for _, level := range c.levels() {
				second[level]++
			}
		}
	}
	for _, c := range w.open {
		for _, level := range c.levels() {
			open[level]++
		}
	}
	for level, limit := range w.limits {
		if most := int(math.Ceil(limit.PerSecond)); most > 0 && second[level] > most {
			t.Fatalf("%s: %d launches in a second, at most %d", level, second[level], most)
		}
		if limit.AtOnce > 0 && open[level] > limit.AtOnce {
			t.Fatalf("%s: %d at once, at most %d", level, open[level], limit.AtOnce)
		}
	}
}

// TestTurnsAreFair has campaigns that always want to launch share the places of a company
// and its trunks: at any moment each pair on one trunk is within one launch of each by
// weight, so nobody starves.
func TestTurnsAreFair(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := NewLimiter()
		l.SetCompany("a", Limit{PerSecond: rapid.SampledFrom([]float64{0, 5, 20}).Draw(t, "company"), AtOnce: rapid.IntRange(1, 30).Draw(t, "at once")})
		l.SetTrunk(ID{"a", "x"}, Limit{AtOnce: rapid.IntRange(0, 10).Draw(t, "x")})
		l.SetTrunk(ID{"a", "y"}, Limit{PerSecond: rapid.SampledFrom([]float64{0, 1, 7}).Draw(t, "y")})
		weights, trunks, launched := map[ID]int{}, map[ID]string{}, map[ID]int{}
		for n := range rapid.IntRange(2, 5).Draw(t, "campaigns") {
			id := ID{"a", fmt.Sprint(n)}
			weights[id] = rapid.IntRange(1, 4).Draw(t, "weight")
			trunks[id] = rapid.SampledFrom([]string{"x", "y"}).Draw(t, "by")
			l.SetCampaign(id, weights[id], Limit{})
			l.Want(id, trunks[id], math.MaxInt)
		}
		var open []launch
		at := monday
		for range 400 {
			at = at.Add(time.Duration(rapid.IntRange(1, 100).Draw(t, "ms")) * time.Millisecond)
			for len(open) > 0 && !open[0].ends.After(at) {
				l.Done(at, open[0].campaign, open[0].trunk, false)
				open = open[1:]
			}
			id, _, ok := l.Turn(at)
			if !ok {
				continue
			}
			if ok, next := l.Admit(at, id, trunks[id]); !ok {
				t.Fatalf("it is the turn of %v, who is refused until %v", id, next)
			}
			launched[id]++
			open = append(open, launch{campaign: id, trunk: trunks[id], ends: at.Add(2 * time.Second)})
			for a := range weights {
				for b := range weights {
					x, y := float64(launched[a])/float64(weights[a]), float64(launched[b])/float64(weights[b])
					if trunks[a] == trunks[b] && math.Abs(x-y) > 1/float64(weights[a])+1/float64(weights[b])+1e-9 {
						t.Fatalf("%v has launched %d with weight %d, %v %d with %d", a, launched[a], weights[a], b, launched[b], weights[b])
					}
				}
			}
		}
	})
}

// spin launches whatever is allowed for a while, in steps of a millisecond, calls of no
// length, and counts by campaign.
func spin(l *Limiter, at time.Time, d time.Duration, trunks map[ID]string) map[ID]int {
	launched := map[ID]int{}
	for end := at.Add(d); at.Before(end); at = at.Add(time.Millisecond) {
		for range 100 {
			id, _, ok := l.Turn(at)
			if !ok {
				break
			}
			if ok, _ := l.Admit(at, id, trunks[id]); ok {
				launched[id]++
				l.Done(at, id, trunks[id], false)
			}
		}
	}
	return launched
}

// TestTurnsShare shows who gets what of ten launches a second in ten seconds.
func TestTurnsShare(t *testing.T) {
	type c struct {
		weight int
		own    float64 // calls per second
		trunk  string
	}
	tests := []struct {
		name      string
		campaigns []c
		trunk     float64 // calls per second of trunk y
		want      []int
	}{
		{"alone", []c{{1, 0, "x"}}, 0, []int{100}},
		{"equal", []c{{1, 0, "x"}, {1, 0, "x"}}, 0, []int{50, 50}},
		{"by weight", []c{{3, 0, "x"}, {1, 0, "x"}, {1, 0, "x"}}, 0, []int{60, 20, 20}},
		{"by weight over trunks", []c{{3, 0, "x"}, {1, 0, "x"}, {1, 0, "y"}}, 0, []int{60, 20, 20}},
		{"what one leaves", []c{{1, 1, "x"}, {1, 0, "x"}, {1, 0, "x"}}, 0, []int{10, 45, 45}},
		{"what a trunk leaves", []c{{3, 0, "y"}, {1, 0, "y"}, {1, 0, "x"}}, 4, []int{30, 10, 60}},
		{"heavy and slow", []c{{100, 1, "x"}, {1, 0, "x"}, {1, 0, "y"}}, 0, []int{10, 45, 45}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l, trunks := NewLimiter(), map[ID]string{}
			l.SetCompany("a", Limit{PerSecond: 10})
			l.SetTrunk(ID{"a", "y"}, Limit{PerSecond: tt.trunk})
			for n, c := range tt.campaigns {
				id := ID{"a", fmt.Sprint(n)}
				trunks[id] = c.trunk
				l.SetCampaign(id, c.weight, Limit{PerSecond: c.own})
				l.Want(id, c.trunk, math.MaxInt)
			}
			got := spin(l, monday, 10*time.Second, trunks)
			for n, want := range tt.want {
				if have := got[ID{"a", fmt.Sprint(n)}]; have < want-2 || have > want+2 {
					t.Errorf("campaign %d launched %d, want about %d (%v)", n, have, want, got)
				}
			}
		})
	}
}

// TestTurnComesBack has a campaign stay away for long: it does not keep the others from
// their turns then.
func TestTurnComesBack(t *testing.T) {
	l, trunks := NewLimiter(), map[ID]string{}
	l.SetCompany("a", Limit{PerSecond: 10})
	first, second := ID{"a", "1"}, ID{"a", "2"}
	l.Want(first, "", math.MaxInt)
	if n := spin(l, monday, time.Minute, trunks)[first]; n < 599 {
		t.Fatalf("launched %d alone", n)
	}
	l.Want(second, "", math.MaxInt)
	if got := spin(l, monday.Add(time.Minute), 10*time.Second, trunks); got[first] < 48 || got[second] < 48 {
		t.Errorf("launched %v together", got)
	}
}

// TestRamp follows the speed of a ramp, and begins it anew with a burst of faults.
func TestRamp(t *testing.T) {
	l, id := NewLimiter(), ID{"a", "1"}
	l.SetCampaign(id, 1, Limit{PerSecond: 10, From: 1, RampUp: 20 * time.Second})
	l.Start(monday, id)
	l.Want(id, "x", math.MaxInt)
	trunks := map[ID]string{id: "x"}
	at := monday
	for _, want := range []int{32, 77, 100} { // 1 to 5.5, 5.5 to 10, 10
		if got := spin(l, at, 10*time.Second, trunks)[id]; got < want-2 || got > want+2 {
			t.Errorf("from %v on launched %d, want about %d", at.Sub(monday), got, want)
		}
		at = at.Add(10 * time.Second)
	}
	for n := range 5 {
		at = at.Add(200 * time.Millisecond)
		ok, next := l.Admit(at, id, "x")
		if !ok {
			t.Fatalf("refused until %v", next)
		}
		if burst := l.Done(at, id, "x", true); burst != (n == 4) {
			t.Fatalf("fault %d: burst %v", n+1, burst)
		}
	}
	if got := spin(l, at, 10*time.Second, trunks)[id]; got < 30 || got > 34 {
		t.Errorf("after the burst launched %d, want about 32", got)
	}
}

// TestSlowWithoutRamp has a campaign that has just begun keep to a speed below one a second.
func TestSlowWithoutRamp(t *testing.T) {
	l, id := NewLimiter(), ID{"a", "1"}
	l.SetCampaign(id, 1, Limit{PerSecond: 0.05, From: 0.005})
	l.Start(monday, id)
	l.Want(id, "", math.MaxInt)
	if got := spin(l, monday, time.Minute, map[ID]string{})[id]; got != 3 { // at once, and each 20 s
		t.Errorf("launched %d in a minute", got)
	}
}

// TestBadLimits has figures that mean nothing stand for no limit.
func TestBadLimits(t *testing.T) {
	for _, limit := range []Limit{{}, {PerSecond: -1, AtOnce: -1}, {PerSecond: math.NaN(), From: math.NaN(), RampUp: -1}, {From: 3, RampUp: time.Second}} {
		l := NewLimiter()
		l.SetCampaign(ID{"a", "1"}, -1, limit)
		for range 100 {
			if ok, next := l.Admit(monday, ID{"a", "1"}, ""); !ok {
				t.Fatalf("%+v refuses until %v", limit, next)
			}
		}
	}
	l := NewLimiter()
	l.SetCampaign(ID{"a", "1"}, 1, Limit{PerSecond: math.Inf(1)})
	l.Want(ID{"a", "1"}, "", math.MaxInt)
	if got := spin(l, monday, time.Second, nil)[ID{"a", "1"}]; got > MaxPerSecond {
		t.Errorf("without end is %d in a second", got)
	}
}

// TestDrop keeps counting the calls of a campaign that was dropped.
func TestDrop(t *testing.T) {
	l, id := NewLimiter(), ID{"a", "1"}
	l.SetCompany("a", Limit{AtOnce: 1})
	l.SetCampaign(id, 1, Limit{})
	if ok, _ := l.Admit(monday, id, "x"); !ok {
		t.Fatal("refused")
	}
	l.Drop(id)
	if l.Calls(id) != 1 {
		t.Error("its call is forgotten")
	}
	if ok, next := l.Admit(monday, ID{"a", "2"}, "x"); ok || !next.IsZero() {
		t.Error("two calls at once")
	}
	l.Done(monday, id, "x", false)
	if len(l.companies["a"].campaigns) != 1 {
		t.Error("it is not forgotten")
	}
	if ok, _ := l.Admit(monday, ID{"a", "2"}, "x"); !ok {
		t.Error("its place is not free")
	}
}
