package sim

import (
	"math"
	"math/rand/v2"
	"time"

	"vpbx/autodialer/pace"
)

// Centre is a contact centre and those whom it calls. The zero value of a field is what
// its comment says, none if it says nothing.
type Centre struct {
	Seed      uint64
	From      time.Time     // when the first day begins
	Hours     time.Duration // of dialling on each day; 8 h
	Days      int           // 1
	Operators int
	Shifts    []Shift // changes of Operators, in order; the same each day

	Answer  func(at time.Time) float64 // chance that a live person answers
	Machine float64                    // share of the other calls that a machine answers
	Busy    float64                    // share of them that are busy, or fail at once
	Ring    time.Duration              // given up after; 30 s
	Handle  time.Duration              // talk and wrap-up, mean; 3 min
	Sigma   float64                    // deviation of its logarithm; 0.7
	Wait    time.Duration              // in which an operator must be there; 2 s
	Card    time.Duration              // read by an operator before each dial: preview

	Targets  int           // on the list of each day; 0: without end
	Attempts int           // for each of them; 1
	Again    time.Duration // after which a target that was not reached is called again; 30 min

	// Watch, if set, sees each decision: free operators, calls without one, launches.
	Watch func(at time.Time, free, dialling, launches int)
}

// Shift changes how many operators are at work.
type Shift struct {
	After     time.Duration // the day began
	Operators int
}

// Day is what came of one day.
type Day struct {
	pace.Tally
	Calls, Connected int
	Busy, Present    time.Duration // of operators, together
}

// Occupancy is the share of their time that operators talk or wrap up.
func (d Day) Occupancy() float64 { return float64(d.Busy) / max(1, float64(d.Present)) }

// PerHour is how many people an operator talks with in an hour.
func (d Day) PerHour() float64 { return float64(d.Connected) / max(1e-9, d.Present.Hours()) }

// Sum adds days up.
func Sum(days []Day) Day {
	var sum Day
	for _, d := range days {
		sum.Live += d.Live
		sum.Abandoned += d.Abandoned
		sum.Calls += d.Calls
		sum.Connected += d.Connected
		sum.Busy += d.Busy
		sum.Present += d.Present
	}
	return sum
}

// Run simulates the days one after the other.
func (c Centre) Run(p Pacer) []Day {
	c = c.whole()
	r := &run{Centre: c, pacer: p, rand: rand.New(rand.NewPCG(c.Seed, 2))}
	days := make([]Day, 0, c.Days)
	for d := range c.Days {
		days = append(days, r.simulate(c.From.AddDate(0, 0, d)))
	}
	return days
}

// whole fills in what was left out.
func (c Centre) whole() Centre {
	set := func(d *time.Duration, to time.Duration) {
		if *d <= 0 {
			*d = to
		}
	}
	set(&c.Hours, 8*time.Hour)
	set(&c.Ring, 30*time.Second)
	set(&c.Handle, 3*time.Minute)
	set(&c.Wait, 2*time.Second)
	set(&c.Again, 30*time.Minute)
	c.Days, c.Attempts = max(1, c.Days), max(1, c.Attempts)
	if c.Sigma == 0 {
		c.Sigma = 0.7
	}
	return c
}

// lognormal draws a time.
func lognormal(r *rand.Rand, mean time.Duration, sigma float64) time.Duration {
	return time.Duration(float64(mean) * math.Exp(sigma*r.NormFloat64()-sigma*sigma/2))
}
