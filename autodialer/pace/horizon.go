package pace

import (
	"math"
	"math/rand/v2"
	"time"
)

const (
	most      = 32    // launches that are looked at in one simulation
	few       = 2     // launches that are looked at first
	work      = 20000 // calls and talks that all draws of a simulation follow
	fewDraws  = 60
	manyDraws = 200
	beliefs   = 40 // different chances and lengths of talks that are drawn for them
)

// horizon simulates the seconds that come: which of the calls that ring are answered and
// when, which operators become free meanwhile, and how many of those who answer find
// none. It draws the chance of an answer and the length of talks from what is believed
// of them, so not knowing them well counts as risk.
//
// Someone who answers and finds no operator within the time allowed is lost at once and
// takes nobody from others: so the losses of one draw are by how much the answers ever
// exceed the operators that were free before, or became so. What one more launch adds to them
// is taken on average over when it is answered, if it is: that needs few draws.
type horizon struct {
	source rand.PCG
	z      [grains]float64 // of the normal distribution

	ring    [grains]uint8      // seconds until an answer
	rung    [slots + 1]float64 // share of the answers that have come until a second
	odds    [slots]float64     // chance of having rung so long without an answer, as a call nobody answers to one that somebody does
	talk    [grains]float64
	flights [slots]int // calls that ring, by the seconds that they have
	talks   []talking
	count   int // flights

	lost  float64       // abandoned calls of those that ring, in all draws
	costs [most]float64 // abandoned calls that each further launch adds, in all draws
}

// talking is a talk that goes on.
type talking struct {
	so   float64 // seconds, so far
	from int     // grains of talks that are shorter
}

// scene is what the simulation starts from.
type scene struct {
	free    int           // operators, less those who wait for one
	answer  beta          // chance of a live answer
	sure    float64       // deviation of the logarithm of the mean of talks
	wait    time.Duration // in which an operator must be found
	answers int           // launches that are looked at
}

// rings takes over what is believed of ringing.
func (h *horizon) rings(x *ringing) {
	live, not := 0.0, 0.0
	for s := range slots {
		live += x.live[s]
		not += x.not[s]
	}
	sumLive, sumNot, grain := 0.0, 0.0, 0
	h.rung[slots] = 1
	for s := range slots {
		h.rung[s] = sumLive / live
		h.odds[s] = max(1-sumNot/not, 0.001) / max(1-sumLive/live, 0.001)
		sumLive += x.live[s]
		sumNot += x.not[s]
		for ; grain < grains && (float64(grain)+0.5)/grains <= sumLive/live; grain++ {
			h.ring[grain] = uint8(s)
		}
	}
	for ; grain < grains; grain++ {
		h.ring[grain] = slots - 1
	}
}

// handles takes over what is believed of talks.
func (h *horizon) handles(x *handling) {
	sd := x.sd()
	for i, z := range h.z {
		h.talk[i] = math.Exp(x.mean + sd*z)
	}
}

// clear forgets calls and talks.
func (h *horizon) clear() {
	h.flights, h.talks, h.count = [slots]int{}, h.talks[:0], 0
}

// flight adds a call that rings.
func (h *horizon) flight(rung time.Duration) {
	h.flights[min(max(int(rung/time.Second), 0), slots-1)]++
	h.count++
}

// serve adds a talk.
func (h *horizon) serve(so time.Duration) {
	t := talking{so: so.Seconds()}
	low, high := 0, grains
	for low < high {
		if mid := (low + high) / 2; h.talk[mid] < t.so {
			low = mid + 1
		} else {
			high = mid
		}
	}
	t.from = min(low, grains-1)
	h.talks = append(h.talks, t)
}

// run simulates and fills in lost and costs. It gives the number of draws.
func (h *horizon) run(r *rand.Rand, s scene) int {
	draws := min(max(work/(h.count+len(h.talks)+s.answers+1), fewDraws), manyDraws)
	h.lost, h.costs = 0, [most]float64{}
	for done := 0; done < draws; {
		p, scale := s.answer.draw(r), math.Exp(s.sure*r.NormFloat64())
		for range min(max(1, draws/beliefs), draws-done) {
			h.draw(s, p, scale)
			done++
		}
	}
	return draws
}

// draw is one future.
func (h *horizon) draw(s scene, p, scale float64) {
	var room [slots]int // change of the operators free, by second
	h.releases(&room, scale, int(s.wait/time.Second))
	for e, n := range h.flights {
		if n == 0 {
			continue
		}
		chance := p / (p + (1-p)*h.odds[e])
		for range n {
			if u := h.uniform(); u < chance {
				room[max(h.second(u/chance, h.rung[e])-e, 0)]--
			}
		}
	}
	// least is how few operators are ever left, if that is none or less, and last is when
	// that is so for the last time: who answers until then takes one from somebody.
	sum, least, last := s.free, 0, -1
	for i, d := range room {
		sum += d
		room[i] = sum
		if sum <= least {
			least, last = sum, i
		}
	}
	h.lost -= float64(least)
	for k := range s.answers {
		h.costs[k] += p * h.rung[last+1]
		u := h.uniform()
		if u >= p {
			continue
		}
		for i := h.second(u/p, 0); i < slots; i++ {
			room[i]--
			if room[i] <= least {
				least, last = room[i], i
			}
		}
	}
}

// uniform draws a number below 1. It is most of what a simulation does, and so does not
// go through an interface.
func (h *horizon) uniform() float64 { return float64(h.source.Uint64()>>11) / (1 << 53) }

// second is when a call is answered that was not until a share of the answers; u is
// uniform.
func (h *horizon) second(u, rung float64) int {
	return int(h.ring[min(int((rung+u*(1-rung))*grains), grains-1)])
}

// releases draws when the talks are over. An operator who comes within the time allowed
// after an answer is in time for it.
func (h *horizon) releases(room *[slots]int, scale float64, wait int) {
	for _, t := range h.talks {
		grain := t.from + int(h.uniform()*float64(grains-t.from))
		if left := scale * (h.talk[grain] - t.so); left < slots {
			room[max(int(left)-wait, 0)]++
		}
	}
}
