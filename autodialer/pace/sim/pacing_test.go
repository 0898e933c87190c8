package sim

import (
	"flag"
	"fmt"
	"math"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"vpbx/autodialer/pace"
)

var rewrite = flag.Bool("rewrite", false, "write the table of docs/pacing.md anew: takes minutes")

// full says that the tests simulate as much as docs/pacing.md reports, for minutes.
var full = os.Getenv("VPBX_PACING") == "full"

var from = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

const limit = 0.03

func always(p float64) func(time.Time) float64 { return func(time.Time) float64 { return p } }

// noon triples the chance of an answer at once.
func noon(at time.Time) float64 {
	if at.Hour() < 12 {
		return 0.2
	}
	return 0.6
}

// wavy goes up and down over the day, and differs from day to day.
func wavy(at time.Time) float64 {
	return 0.3 + 0.15*math.Sin(float64(at.Hour())+float64(at.Minute())/60) + 0.05*math.Sin(2*float64(at.YearDay()))
}

func centre(seed uint64, operators int, answer func(time.Time) float64) Centre {
	return Centre{Seed: seed, From: from, Operators: operators, Answer: answer, Machine: 0.2, Busy: 0.2}
}

func ours(seed uint64) Predictive {
	return Predictive{pace.NewPredictive(pace.Settings{Since: from, Limit: limit, Seed: seed})}
}

// broken counts days over the limit.
func broken(days []Day) int {
	n := 0
	for _, d := range days {
		if d.Share() > limit {
			n++
		}
	}
	return n
}

// tolerated is how often something that happens with 5 % at most may be seen in n trials,
// lest a test fails by chance more than once in a thousand.
func tolerated(n int) int {
	term, sum, k := math.Pow(0.95, float64(n)), 0.0, 0
	for ; ; k++ {
		if sum += term; sum > 0.999 || k == n {
			return k
		}
		term *= float64(n-k) / float64(k+1) * 0.05 / 0.95
	}
}

// TestA13AbandonedWithinLimit simulates days, short ones in which each abandoned call weighs
// much, and months of them: the limit is broken in 5 % of them at most, with answers that
// are steady, that change suddenly at noon, and that go up and down.
func TestA13AbandonedWithinLimit(t *testing.T) {
	tests := []struct {
		name      string
		operators int
		answer    func(time.Time) float64
		hours     time.Duration
		days      int
		seeds     int // of as many days, in the full size
	}{
		{"steady", 5, always(0.3), time.Hour, 6, 10},
		{"noon", 5, noon, 4 * time.Hour, 1, 10},
		{"wavy", 10, wavy, time.Hour, 3, 10},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			seeds := 1
			if full {
				seeds, tt.days = tt.seeds, 30
			}
			days, over, months := 0, 0, 0
			for seed := range uint64(seeds) {
				c := centre(seed, tt.operators, tt.answer)
				c.Hours, c.Days = tt.hours, tt.days
				got := c.Run(ours(seed))
				days += len(got)
				over += broken(got)
				if Sum(got).Share() > limit {
					months++
				}
				if s := Sum(got); s.Live == 0 || s.Connected+s.Abandoned != s.Live {
					t.Fatalf("answered %d, connected %d, abandoned %d", s.Live, s.Connected, s.Abandoned)
				}
			}
			t.Logf("%d of %d days and %d of %d months over the limit", over, days, months, seeds)
			if over > tolerated(days) || months > tolerated(seeds) {
				t.Errorf("over the limit: %d of %d days, %d of %d months", over, days, months, seeds)
			}
		})
	}
}

// TestA12NeverMoreThanFree watches progressive dialling at every decision of a day on which
// operators come and go: it never has more calls without an operator than operators who
// are free, but for those whose operator has just left.
func TestA12NeverMoreThanFree(t *testing.T) {
	for seed := range uint64(10) {
		c := centre(seed, 8, always(0.4))
		c.Shifts = []Shift{{time.Hour, 3}, {2 * time.Hour, 12}, {3 * time.Hour, 0}, {4 * time.Hour, 5}}
		c.Watch = func(at time.Time, free, dialling, launches int) {
			if launches > 0 && dialling+launches > free {
				t.Fatalf("%v: %d launches beside %d calls for %d free operators", at, launches, dialling, free)
			}
		}
		days := c.Run(&Progressive{})
		if s := Sum(days); s.Connected == 0 {
			t.Fatalf("nobody was connected: %+v", s)
		}
	}
}

// TestA12OperatorsLeave has half of the operators log out at once: of the calls that ring
// then some are abandoned, but no more are dialled ahead, and the day is held.
func TestA12OperatorsLeave(t *testing.T) {
	c := centre(1, 12, always(0.3))
	c.Hours = 2 * time.Hour
	left := from.Add(time.Hour)
	c.Shifts = []Shift{{time.Hour, 6}}
	c.Watch = func(at time.Time, free, dialling, launches int) {
		if s := at.Sub(left); s >= 0 && s < 15*time.Second && launches > max(0, free-dialling) {
			t.Errorf("%v after they have left: %d launches beside %d calls for %d free", s, launches, dialling, free)
		}
	}
	if d := c.Run(ours(1))[0]; d.Share() > limit {
		t.Errorf("%d of %d abandoned", d.Abandoned, d.Live)
	}
}

// TestSameSeed gives the same days, whichever pacer it is.
func TestSameSeed(t *testing.T) {
	for _, pacer := range []func() Pacer{
		func() Pacer { return &Progressive{} }, func() Pacer { return newRatio() }, func() Pacer { return ours(7) },
	} {
		c := centre(7, 4, wavy)
		c.Hours, c.Targets, c.Attempts = time.Hour, 400, 3
		a, b := c.Run(pacer()), c.Run(pacer())
		if a[0] != b[0] {
			t.Errorf("%+v and %+v", a, b)
		}
		if a[0].Calls > 3*c.Targets {
			t.Errorf("%d calls to %d targets", a[0].Calls, c.Targets)
		}
	}
}

// row is one of the table of docs/pacing.md.
type row struct {
	operators int
	answer    string
	mode      string
}

var chances = map[string]func(time.Time) float64{
	"10 %": always(0.1), "30 %": always(0.3), "60 %": always(0.6), "20 → 60 % at noon": noon,
}

// rows are all of the table, in its order.
func rows() []row {
	var all []row
	for _, operators := range []int{5, 20, 100} {
		for _, answer := range []string{"10 %", "30 %", "60 %", "20 → 60 % at noon"} {
			for _, mode := range []string{"preview", "progressive", "adaptive ratio", "predictive"} {
				all = append(all, row{operators, answer, mode})
			}
		}
	}
	return all
}

// run simulates days of 6 hours around noon, fewer for more operators.
func (r row) run() []Day {
	c := centre(11, r.operators, chances[r.answer])
	c.Hours, c.Days = 6*time.Hour, map[int]int{5: 10, 20: 3, 100: 1}[r.operators]
	switch r.mode {
	case "preview":
		c.Card = 20 * time.Second
		return c.Run(&Progressive{})
	case "progressive":
		return c.Run(&Progressive{})
	case "adaptive ratio":
		return c.Run(newRatio())
	}
	return c.Run(ours(11))
}

// line writes a row with what came of it.
func (r row) line(days []Day) string {
	s := Sum(days)
	return fmt.Sprintf("| %d | %s | %s | %.1f %% | %.2f %% | %d of %d | %.1f |",
		r.operators, r.answer, r.mode, 100*s.Occupancy(), 100*s.Share(), broken(days), len(days), s.PerHour())
}

const (
	document = "../../../docs/pacing.md"
	begins   = "<!-- table: go test ./autodialer/pace/sim -run TestTable -rewrite -timeout 60m -->\n"
	ends     = "<!-- end of table -->\n"
)

// TestTable compares the table of docs/pacing.md with what the simulation gives: all rows of
// the pacers that do not simulate themselves, and of ours one, or all in the full size.
func TestTable(t *testing.T) {
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatalf("read the document: %v", err)
	}
	before, rest, ok := strings.Cut(string(text), begins)
	table, after, ok2 := strings.Cut(rest, ends)
	if !ok || !ok2 {
		t.Fatal("the document has no place for the table")
	}
	if *rewrite {
		table = "| operators | answered | mode | occupancy | abandoned | days over 3 % | talks per operator-hour |\n|---|---|---|---|---|---|---|\n"
		for _, r := range rows() {
			table += r.line(r.run()) + "\n"
			t.Log(r)
		}
		if err := os.WriteFile(document, []byte(before+begins+table+ends+after), 0o644); err != nil {
			t.Fatalf("write the document: %v", err)
		}
	}
	ordered(t, table)
	if runtime.GOARCH != "amd64" {
		t.Skip("other processors round otherwise, and a day is as chaotic as the weather")
	}
	for _, r := range rows() {
		if r.mode == "predictive" && !full && r != (row{5, "60 %", "predictive"}) {
			continue
		}
		if line := r.line(r.run()); !strings.Contains(table, line+"\n") {
			t.Errorf("not in the table: %s", line)
		}
	}
}

// ordered looks in the table that predictive dialling keeps operators at least as busy as
// progressive dialling does, and that it holds the limit.
func ordered(t *testing.T, table string) {
	progressive, lines := -1.0, 0
	for _, line := range strings.Split(strings.TrimSpace(table), "\n") {
		f := strings.Split(line, "|")
		if len(f) < 8 {
			continue
		}
		var busy, lost float64
		fmt.Sscanf(strings.TrimSpace(f[4]), "%f", &busy)
		fmt.Sscanf(strings.TrimSpace(f[5]), "%f", &lost)
		switch strings.TrimSpace(f[3]) {
		case "progressive":
			progressive = busy
		case "predictive":
			lines++
			if busy < progressive || lost > 100*limit {
				t.Errorf("occupancy %.1f %%, progressive %.1f %%, abandoned %.2f %%: %s", busy, progressive, lost, line)
			}
		}
	}
	if lines != len(rows())/4 {
		t.Errorf("%d rows of predictive dialling", lines)
	}
}
