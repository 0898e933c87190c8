package pace

import (
	"math"
	"math/rand/v2"
	"time"
)

const (
	recentCalls = 150  // results by which the chance of an answer now is guessed
	kept        = 40   // of them when another hour begins
	hourCalls   = 30   // what the same hour of other days counts at most
	hourMemory  = 1000 // results of an hour that are remembered
	ringMemory  = 500
	talkMemory  = 300
	slots       = 48  // seconds that a call is looked ahead: nobody rings longer
	grains      = 512 // steps of a distribution
)

// beta is what is known of a chance: the parameters of a Beta distribution.
type beta struct{ a, b float64 }

func (x beta) n() float64    { return x.a + x.b }
func (x beta) mean() float64 { return x.a / x.n() }

func (x beta) plus(y beta) beta { return beta{x.a + y.a, x.b + y.b} }

// least keeps what is worth at most n results: the older ones fade exponentially.
func (x beta) least(n float64) beta {
	if x.n() <= n {
		return x
	}
	return beta{x.a * n / x.n(), x.b * n / x.n()}
}

func (x beta) add(yes bool) beta {
	if yes {
		x.a++
	} else {
		x.b++
	}
	return x
}

// interval holds it with 90 %, by the normal distribution of its logit.
func (x beta) interval() (low, high float64) {
	m := x.mean()
	logit, sd := math.Log(m/(1-m)), 1/math.Sqrt(x.n()*m*(1-m))
	expit := func(y float64) float64 { return 1 / (1 + math.Exp(-y)) }
	return expit(logit - z90*sd), expit(logit + z90*sd)
}

// draw draws one by two gamma variables.
func (x beta) draw(r *rand.Rand) float64 {
	g := gamma(r, x.a)
	return g / (g + gamma(r, x.b))
}

// z90 bounds 90 % of a normal distribution from both sides, 95 % from one.
const z90 = 1.6449

// gamma draws from the gamma distribution of a shape of at least 1 and a scale of 1
// (Marsaglia and Tsang, 2000).
func gamma(r *rand.Rand, shape float64) float64 {
	d := shape - 1.0/3
	c := 1 / math.Sqrt(9*d)
	for range 100 {
		x := r.NormFloat64()
		v := 1 + c*x
		if v <= 0 {
			continue
		}
		v = v * v * v
		if u := 1 - r.Float64(); math.Log(u) < x*x/2+d*(1-v+math.Log(v)) {
			return d * v
		}
	}
	return shape
}

// answering is how likely a live person answers.
type answering struct {
	hours  [24]beta // of other days
	hour   int
	since  beta // the hour began
	recent beta
}

// roll goes on to an hour of the day.
func (x *answering) roll(h int) {
	if h != x.hour {
		old := x.hours[x.hour]
		x.hours[x.hour] = beta{old.a / 2, old.b / 2}.plus(x.since).least(hourMemory)
		x.hour, x.since, x.recent = h, beta{}, x.recent.least(kept)
	}
}

// add counts a result in the hour of the last roll.
func (x *answering) add(live bool) {
	x.since = x.since.add(live)
	x.recent = x.recent.add(live).least(recentCalls)
}

// now is what is believed of the hour of the last roll. One answer in three is believed
// of a campaign that has not called anybody.
func (x *answering) now() beta {
	return beta{1, 2}.plus(x.recent).plus(x.hours[x.hour].least(hourCalls))
}

// ringing is how long calls ring: seconds until a live person answers, or until it is
// known that none will.
type ringing struct {
	live, not [slots]float64
}

// newRinging believes what it has not seen, with the weight of two calls: answers come
// within 5 to 25 s, the rest is given up in 20 to 40 s.
func newRinging() ringing {
	var x ringing
	for s := 5; s < 25; s++ {
		x.live[s] = 0.1
	}
	for s := 20; s < 40; s++ {
		x.not[s] = 0.1
	}
	return x
}

func (x *ringing) add(d time.Duration, live bool) {
	of := &x.not
	if live {
		of = &x.live
	}
	total := 0.0
	for _, n := range of {
		total += n
	}
	if total >= ringMemory {
		for i := range of {
			of[i] *= 1 - 1/total
		}
	}
	of[min(max(int(d/time.Second), 0), slots-1)]++
}

func (x *ringing) mean() time.Duration {
	sum, total := 0.0, 0.0
	for s, n := range x.live {
		sum += n * (float64(s) + 0.5)
		total += n
	}
	return time.Duration(sum / total * float64(time.Second))
}

// handling is how long an operator has with a person, talk and wrap-up, as a log-normal
// distribution.
type handling struct {
	n, mean, square float64 // of the logarithms of seconds; square is the sum of squares about the mean
	seen            int
}

func (x *handling) add(d time.Duration) {
	y := math.Log(max(1, d.Seconds()))
	x.seen++
	if x.n >= talkMemory {
		x.square *= (talkMemory - 1) / x.n
		x.n = talkMemory - 1
	}
	x.n++
	d1 := y - x.mean
	x.mean += d1 / x.n
	x.square += d1 * (y - x.mean)
}

func (x *handling) sd() float64 {
	if x.n < 2 {
		return 1
	}
	return max(0.1, math.Sqrt(x.square/(x.n-1)))
}

// expected is the mean time, zero when none is known.
func (x *handling) expected() time.Duration {
	if x.n == 0 {
		return 0
	}
	s := min(x.sd(), 2)
	return time.Duration(math.Exp(x.mean+s*s/2) * float64(time.Second))
}

// quantiles are those of the normal distribution in the middles of equal steps.
func quantiles() [grains]float64 {
	var z [grains]float64
	for i := range z {
		z[i] = math.Sqrt2 * math.Erfinv(2*(float64(i)+0.5)/grains-1)
	}
	return z
}
