package pace

import (
	"math"
	"math/rand/v2"
	"time"
)

const (
	long       = 30 // days of the longer window
	riskDraws  = 200
	riskHalves = 6 // of the interval in which the target is looked for
)

// Tally counts the live answers of a window and how many of them were abandoned:
// answered by a person and not connected to an operator in time. Machines are in neither.
type Tally struct{ Live, Abandoned int }

// Share is abandoned of live, 0 without any.
func (t Tally) Share() float64 {
	if t.Live == 0 {
		return 0
	}
	return float64(t.Abandoned) / float64(t.Live)
}

// Bound is the upper end of the share that such a tally speaks for, with 95 % (Wilson,
// 1927).
func (t Tally) Bound() float64 {
	if t.Live == 0 {
		return 1
	}
	n, p := float64(t.Live), t.Share()
	zz := z90 * z90
	return min(1, (p+zz/(2*n)+z90*math.Sqrt(p*(1-p)/n+zz/(4*n*n)))/(1+zz/n))
}

// reached says whether a limit is reached.
func (t Tally) reached(limit float64) bool {
	return t.Abandoned > 0 && float64(t.Abandoned) >= limit*float64(t.Live)
}

// Windows gives the starts of the windows of the law that a time is in: the calendar day
// in the location of since, and the 30 days that are counted one after the other from
// the day of since on.
func Windows(since, at time.Time) (day, month time.Time) {
	where := since.Location()
	midnight := func(t time.Time, days int) time.Time {
		return time.Date(t.Year(), t.Month(), t.Day()+days, 0, 0, 0, 0, where)
	}
	day, month = midnight(at.In(where), 0), midnight(since, 0)
	if day.Before(month) {
		return day, day
	}
	// Noon to midnight, so that a day of 23 or 25 hours changes nothing.
	days := int(midnight(at.In(where), 0).Add(12*time.Hour).Sub(month) / (24 * time.Hour))
	return day, midnight(since, days-days%long)
}

// future is what the rest of a window may bring.
type future struct {
	more    float64 // live answers that are expected
	pending float64 // abandoned calls that are expected of those that ring
	trust   float64 // abandoned calls that say how good the forecast of them is
}

// part is how much of a window is to come, by its answers. The risk that is allowed is
// spent evenly over the window: were all of it allowed anew at every moment that has gone
// well, the sum would be several times as much.
func (f future) part(t Tally) float64 { return f.more / max(1, f.more+float64(t.Live)) }

// draws are those of one search, the same for each target, so that a higher target is
// never found to be less risky.
type draws [riskDraws]struct{ share, factor float64 }

// draw draws how much of the rest there will be, for a campaign may be stopped at any
// moment, and by how much the forecast is wrong.
func (f future) draw(r *rand.Rand, d *draws) {
	shape := 10 + f.trust
	for i := range d {
		// One in each of as many equal parts.
		d[i].share = (float64(i) + r.Float64()) / riskDraws
		d[i].factor = gamma(r, shape) / shape
	}
}

// risk is the simulated probability that a limit is broken at the end of a window when
// from now on a share target of those who answer is abandoned, and the upper bound (95 %)
// of what so few draws can tell. Given a draw, the number of abandoned calls is Poisson.
func (f future) risk(d *draws, t Tally, limit, target float64) (mean, bound float64) {
	sum, square := 0.0, 0.0
	for _, x := range d {
		more := f.more * x.share
		left := math.Floor(limit*(float64(t.Live)+more) - float64(t.Abandoned))
		p := exceeds(left, (target*more+f.pending)*x.factor)
		sum += p
		square += p * p
	}
	mean = sum / riskDraws
	bound = mean + z90*math.Sqrt(max(0, square/riskDraws-mean*mean)/riskDraws)
	return mean, min(1, bound)
}

// exceeds is the probability that a Poisson variable is greater than n, by the cube
// root of the chi-square distribution that has the same (Wilson and Hilferty, 1931).
func exceeds(n, mean float64) float64 {
	switch {
	case n < 0:
		return 1
	case mean <= 0:
		return 0
	case n == 0:
		return -math.Expm1(-mean)
	}
	k := n + 1
	z := (math.Cbrt(mean/k) - 1 + 1/(9*k)) * 3 * math.Sqrt(k)
	if z < -6 {
		return 0
	}
	return math.Erfc(-z/math.Sqrt2) / 2
}
