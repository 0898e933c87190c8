package pace

import (
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestProgressive is one call for each free operator who has none.
func TestProgressive(t *testing.T) {
	for _, tt := range []struct{ free, dialling, want int }{{0, 0, 0}, {3, 0, 3}, {3, 2, 1}, {3, 3, 0}, {1, 5, 0}, {-1, 0, 0}} {
		if got := Progressive(tt.free, tt.dialling); got != tt.want {
			t.Errorf("%d free, %d dialling: %d, want %d", tt.free, tt.dialling, got, tt.want)
		}
	}
}

// open is a moment in the middle of a day: nine operators have talked for long, one is free.
func open(p *Predictive) (time.Time, Now) {
	for i := range 9 {
		call := "t" + strconv.Itoa(i)
		p.Launched(monday, call)
		p.Answered(monday, call)
		p.Connected(monday, call)
	}
	p.price = 10 // as it comes to be with time
	at := monday.Add(100 * time.Second)
	return at, Now{Operators: 10, Free: 1, Left: -1, Until: at.Add(6 * time.Hour)}
}

// TestEvidence dials progressively until enough answers and talks are known.
func TestEvidence(t *testing.T) {
	p := NewPredictive(Settings{Since: monday, Seed: 1})
	at, now := monday, Now{Operators: 10, Free: 10, Left: -1}
	for i := range 60 {
		at = at.Add(time.Minute)
		n, _ := p.Launches(at, now)
		s := p.State()
		if enough := i >= 50; (s.Mode == ModePredictive) != enough || !enough && (n != 10 || s.Why != WhyEvidence) {
			t.Fatalf("after %d answers: %d launches, %+v", i, n, s)
		}
		call := strconv.Itoa(i)
		p.Launched(at, call)
		p.Answered(at.Add(10*time.Second), call)
		p.Connected(at.Add(10*time.Second), call)
		p.Finished(at.Add(50*time.Second), call)
	}
	p = NewPredictive(Settings{Since: monday, Talks: 61})
	for i := range 60 {
		p.Answered(monday, strconv.Itoa(i))
	}
	if p.Launches(monday, now); p.State().Mode != ModeProgressive {
		t.Errorf("without a talk: %+v", p.State())
	}
}

// TestA13FallsToProgressive counts abandoned calls up to the limit: from then on there is no
// call but for a free operator, until the share is below the limit again.
func TestA13FallsToProgressive(t *testing.T) {
	p := taught(monday, 0.2)
	at, now := open(p)
	if n, _ := p.Launches(at, now); p.State().Mode != ModePredictive || n < 2 {
		t.Fatalf("it launches %d: %+v", n, p.State())
	}
	for i := range 10 {
		at = at.Add(time.Second)
		p.Abandoned(at, "a"+strconv.Itoa(i))
		n, _ := p.Launches(at, now)
		s := p.State()
		if s.Day.reached(0.03) && (s.Mode != ModeProgressive || s.Why != WhyLimit || n != 1 || s.Target != 0) {
			t.Fatalf("%d of %d abandoned, %d launches: %+v", s.Day.Abandoned, s.Day.Live, n, s)
		}
	}
	if s := p.State(); !s.Day.reached(0.03) {
		t.Fatalf("the limit is not reached: %+v", s)
	}
	for i := range 400 {
		at = at.Add(time.Second)
		p.Answered(at, "b"+strconv.Itoa(i))
	}
	if p.Launches(at.Add(time.Minute), now); p.State().Mode != ModePredictive {
		t.Errorf("below the limit: %+v", p.State())
	}
	p.Past(at, Tally{Live: 500}, Tally{Live: 10000, Abandoned: 301})
	if n, _ := p.Launches(at.Add(2*time.Minute), now); n != 1 || p.State().Why != WhyLimit {
		t.Errorf("over the limit of the month it launches %d: %+v", n, p.State())
	}
}

// TestA13Risk stops dialling ahead near the limit, when what is left of the day is too
// little to be sure.
func TestA13Risk(t *testing.T) {
	p := taught(monday, 0.2)
	at, now := open(p)
	p.Past(at, Tally{Live: 1000, Abandoned: 29}, Tally{Live: 1000, Abandoned: 29})
	p.Launches(at, now)
	if s := p.State(); s.Target >= 0.03 || s.RiskBound > 0.05 {
		t.Errorf("one call from the limit: %+v", s)
	}
	wide := p.State().Target
	p.Past(at, Tally{Live: 1000, Abandoned: 5}, Tally{Live: 1000, Abandoned: 5})
	p.Launches(at.Add(time.Minute), now)
	if s := p.State(); s.Target <= wide || s.Target > 0.03 {
		t.Errorf("far from the limit: %+v, before %v", s, wide)
	}
}

// TestA12OperatorsLeave halts dialling ahead when half of the operators log out.
func TestA12OperatorsLeave(t *testing.T) {
	p := taught(monday, 0.2)
	at, now := open(p)
	if n, _ := p.Launches(at, now); n < 2 {
		t.Fatalf("it launches %d: %+v", n, p.State())
	}
	now.Operators = 5
	at = at.Add(time.Second)
	n, again := p.Launches(at, now)
	if n != 1 || p.State().Why != WhyOperators || !again.Equal(at.Add(settle)) {
		t.Errorf("it launches %d until %v: %+v", n, again, p.State())
	}
	now.Operators, now.Free = 0, 0
	if n, _ := p.Launches(at.Add(time.Minute), now); n != 0 {
		t.Errorf("with no operator it launches %d", n)
	}
}

// TestA12NeverLess says anything in any order: the pacer never launches less than
// progressive dialling, nor more calls than its ratio, and counts no call twice.
func TestA12NeverLess(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := taught(monday, 0.3)
		at := monday
		tell := []func(time.Time, string){p.Launched, p.Answered, p.Failed, p.Machine, p.Connected, p.Abandoned, p.Finished}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			at = at.Add(time.Duration(rapid.IntRange(0, 20000).Draw(t, "ms")) * time.Millisecond)
			call := "c" + strconv.Itoa(rapid.IntRange(0, 8).Draw(t, "call"))
			rapid.SampledFrom(tell).Draw(t, "what")(at, call)
			operators := rapid.IntRange(0, 12).Draw(t, "operators")
			now := Now{Operators: operators, Free: rapid.IntRange(0, operators).Draw(t, "free"), Left: rapid.IntRange(-1, 50).Draw(t, "left")}
			n, again := p.Launches(at, now)
			ringing, waiting, _ := p.calls.count()
			floor := Progressive(now.Free, ringing+waiting)
			if n < floor || n > floor && ringing+n > 5*operators || !again.IsZero() && !again.After(at) {
				t.Fatalf("%+v with %d ringing, %d waiting: %d launches, again %v", now, ringing, waiting, n, again)
			}
			s := p.State()
			if s.Mode == ModeProgressive && n != floor || s.Day.Abandoned > s.Day.Live || !(s.AnswerLow < s.Answer && s.Answer < s.AnswerHigh) {
				t.Fatalf("%d launches: %+v", n, s)
			}
		}
	})
}

// TestEndsThatNobodyTold forgets calls whose end is never told.
func TestEndsThatNobodyTold(t *testing.T) {
	p := NewPredictive(Settings{Since: monday})
	p.Launched(monday, "1")
	p.Launched(monday, "2")
	p.Answered(monday, "2")
	if n, _ := p.Launches(monday, Now{Operators: 3, Free: 3}); n != 1 {
		t.Errorf("launches %d beside two", n)
	}
	if n, _ := p.Launches(monday.Add(10*time.Minute), Now{Operators: 3, Free: 3}); n != 3 {
		t.Errorf("launches %d when both are forgotten", n)
	}
}

// TestMachineTakenForAPerson takes the live answer back.
func TestMachineTakenForAPerson(t *testing.T) {
	p := NewPredictive(Settings{Since: monday})
	p.Launched(monday, "1")
	p.Answered(monday, "1")
	p.Machine(monday, "1")
	p.Launched(monday, "2")
	p.Machine(monday, "2")
	if p.day.Live != 0 || p.month.Live != 0 || len(p.calls.list) != 0 {
		t.Errorf("%+v, %d calls", p.day, len(p.calls.list))
	}
}

// TestWindows are calendar days and successive periods of 30 days, also over a change of
// the clocks.
func TestWindows(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip("no zones here")
	}
	since := time.Date(2026, 3, 2, 15, 0, 0, 0, berlin)
	day := func(m time.Month, d int) time.Time { return time.Date(2026, m, d, 0, 0, 0, 0, berlin) }
	for _, tt := range []struct{ at, day, month time.Time }{
		{since, day(3, 2), day(3, 2)},
		{day(3, 3).Add(-time.Nanosecond), day(3, 2), day(3, 2)},
		{day(3, 3), day(3, 3), day(3, 2)},
		{day(3, 31), day(3, 31), day(3, 2)},
		{day(4, 1).Add(-time.Nanosecond), day(3, 31), day(3, 2)}, // summer time began on the 29th
		{day(4, 1), day(4, 1), day(4, 1)},
		{day(4, 30), day(4, 30), day(4, 1)},
		{day(5, 1), day(5, 1), day(5, 1)},
		{day(11, 27), day(11, 27), day(11, 27)},
		{day(3, 1), day(3, 1), day(3, 1)}, // before it began
	} {
		if d, m := Windows(since, tt.at.UTC()); !d.Equal(tt.day) || !m.Equal(tt.month) {
			t.Errorf("%v: %v and %v, want %v and %v", tt.at, d, m, tt.day, tt.month)
		}
	}
}

// TestWindowsRoll begins to count anew with the day and with the 30 days.
func TestWindowsRoll(t *testing.T) {
	p := NewPredictive(Settings{Since: monday})
	p.Past(monday, Tally{100, 2}, Tally{100, 2})
	p.Answered(monday.AddDate(0, 0, 1), "")
	if p.day != (Tally{1, 0}) || p.month != (Tally{101, 2}) {
		t.Errorf("on the next day %+v and %+v", p.day, p.month)
	}
	p.Answered(monday.AddDate(0, 0, 30), "")
	if p.day != (Tally{1, 0}) || p.month != (Tally{1, 0}) {
		t.Errorf("after 30 days %+v and %+v", p.day, p.month)
	}
}

// TestExceeds is near the Poisson distribution summed up.
func TestExceeds(t *testing.T) {
	for _, mean := range []float64{0.1, 1, 4, 30, 300} {
		term, below := math.Exp(-mean), 0.0
		for n := range 400 {
			below += term
			term *= mean / float64(n+1)
			if got, want := exceeds(float64(n), mean), 1-below; math.Abs(got-want) > 0.006 {
				t.Fatalf("more than %d of mean %v: %.4f, is %.4f", n, mean, got, want)
			}
		}
	}
	if exceeds(-1, 0) != 1 || exceeds(0, 0) != 0 {
		t.Error("without any")
	}
}

// TestBound is the Wilson bound of known shares.
func TestBound(t *testing.T) {
	for _, tt := range []struct {
		Tally
		want float64
	}{{Tally{0, 0}, 1}, {Tally{100, 0}, 0.0263}, {Tally{100, 3}, 0.0723}, {Tally{10000, 300}, 0.0329}} {
		if got := tt.Bound(); math.Abs(got-tt.want) > 0.0005 {
			t.Errorf("%+v: %.4f, want %.4f", tt.Tally, got, tt.want)
		}
	}
}

// TestBelief draws from a Beta distribution, and finds its interval.
func TestBelief(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, x := range []beta{{1, 2}, {3, 27}, {30, 120}, {90, 60}} {
		low, high := x.interval()
		sum, out := 0.0, 0
		for range 20000 {
			y := x.draw(r)
			sum += y
			if y < low || y > high {
				out++
			}
		}
		if math.Abs(sum/20000-x.mean()) > 0.01 {
			t.Errorf("%+v: mean %.3f, want %.3f", x, sum/20000, x.mean())
		}
		if share := float64(out) / 20000; x.n() > 20 && (share < 0.06 || share > 0.14) {
			t.Errorf("%+v: %.3f are outside of the interval", x, share)
		}
	}
}

// TestAnswerFollows a sudden change, and remembers the hour on the next day.
func TestAnswerFollows(t *testing.T) {
	var x answering
	r := rand.New(rand.NewPCG(1, 1))
	call := func(hour, n int, chance float64) {
		x.roll(hour)
		for range n {
			x.add(r.Float64() < chance)
		}
	}
	call(10, 1000, 0.2)
	if m := x.now().mean(); math.Abs(m-0.2) > 0.08 {
		t.Errorf("it believes in %.2f, is 0.2", m)
	}
	call(11, 300, 0.6)
	if m := x.now().mean(); math.Abs(m-0.6) > 0.1 {
		t.Errorf("after the change it believes in %.2f, is 0.6", m)
	}
	x.roll(10) // of the next day
	if m := x.now().mean(); m < 0.3 || m > 0.55 {
		t.Errorf("on the next morning it believes in %.2f", m)
	}
	call(10, 300, 0.2)
	if m := x.now().mean(); math.Abs(m-0.2) > 0.08 {
		t.Errorf("later it believes in %.2f, is 0.2", m)
	}
}

// TestHandling finds mean and deviation, and follows a change.
func TestHandling(t *testing.T) {
	var x handling
	r := rand.New(rand.NewPCG(1, 1))
	for range 2000 {
		x.add(time.Duration(float64(time.Minute) * math.Exp(0.5*r.NormFloat64())))
	}
	if sd := x.sd(); math.Abs(sd-0.5) > 0.06 || math.Abs(x.expected().Seconds()-68) > 6 {
		t.Errorf("deviation %.2f, mean %v", sd, x.expected())
	}
	for range 2000 {
		x.add(3 * time.Minute)
	}
	if math.Abs(x.expected().Seconds()-180) > 15 {
		t.Errorf("later mean %v", x.expected())
	}
}

// TestHorizon compares what a launch is said to cost with a plain simulation of the same,
// second by second and call by call, which shares nothing with it.
func TestHorizon(t *testing.T) {
	const p = 0.3
	var h horizon
	h.z = quantiles()
	ring := newRinging()
	for range 200 {
		ring.add(10*time.Second, true)
		ring.add(30*time.Second, false)
	}
	var talk handling
	for range 100 {
		talk.add(100 * time.Second)
		talk.add(160 * time.Second)
	}
	h.rings(&ring)
	h.handles(&talk)
	for range 8 {
		h.flight(5 * time.Second)
	}
	for range 10 {
		h.serve(100 * time.Second)
	}
	s := scene{free: 1, answer: beta{p * 1e6, (1 - p) * 1e6}, wait: 2 * time.Second, answers: 2}
	r := rand.New(rand.NewPCG(1, 1))
	var cost [2]float64
	draws := 0
	for range 100 {
		draws += h.run(r, s)
		cost[0] += h.costs[0]
		cost[1] += h.costs[1]
	}
	want := plainly(r, &talk, p)
	for k := range cost {
		if got := cost[k] / float64(draws); math.Abs(got-want[k]) > 0.02 {
			t.Errorf("launch %d costs %.3f, plainly %.3f", k+1, got, want[k])
		}
	}
}

// plainly gives the abandoned calls that a first and a second launch add.
func plainly(r *rand.Rand, talk *handling, p float64) [2]float64 {
	const rounds = 20000
	var lost [3]int
	for range rounds {
		free := map[int]int{0: 1} // by second
		for range 10 {
			for {
				if d := math.Exp(talk.mean + talk.sd()*r.NormFloat64()); d > 100 {
					free[max(0, int(d-100)-2)]++
					break
				}
			}
		}
		answers := map[int]int{}
		for range 8 {
			if r.Float64() < p {
				answers[5]++
			}
		}
		first, second := r.Float64() < p, r.Float64() < p
		for k := range lost {
			ready := 0
			for s := range 48 {
				ready += free[s]
				n := answers[s]
				if s == 10 && k > 0 && first {
					n++
				}
				if s == 10 && k > 1 && second {
					n++
				}
				lost[k] += max(0, n-ready)
				ready = max(0, ready-n)
			}
		}
	}
	return [2]float64{float64(lost[1]-lost[0]) / rounds, float64(lost[2]-lost[1]) / rounds}
}

// TestSeed gives the same launches for the same seed.
func TestSeed(t *testing.T) {
	said := func() string {
		p := taught(monday, 0.3)
		at, now := open(p)
		s := ""
		for i := range 200 {
			at = at.Add(time.Second)
			n, _ := p.Launches(at, now)
			for k := range n {
				p.Launched(at, strconv.Itoa(i)+"/"+strconv.Itoa(k))
			}
			s += strconv.Itoa(n) + " "
		}
		return s
	}
	if a, b := said(), said(); a != b {
		t.Errorf("%s\n%s", a, b)
	}
}
