package pace

import (
	"math"
	"math/rand/v2"
	"time"
)

const (
	most      = 32    // launches that are looked at in one simulation
	few       = 2     // launches that are looked at first
	work      = 30000 // calls and talks that all draws of a simulation follow
	fewDraws  = 150
	manyDraws = 600
	beliefs   = 50 // different chances and lengths of talks that are drawn for them
)

// horizon simulates the seconds that come: which of the calls that ring are answered and
// when, which operators become free meanwhile, and how many of those who answer find
// none. It draws the chance of an answer and the length of talks from what is believed
// of them, so not knowing them well counts as risk.
//
// Someone who answers and finds no operator within the time allowed is lost at once and
// takes nobody from others: so the losses of one draw are by how much the answers ever
// exceed the operators that were free before, or became so.
type horizon struct {
	z [grains]float64 // of the normal distribution

	ring    [grains]uint8  // seconds until an answer
	rung    [slots]float64 // share of the answers that have come until a second
	odds    [slots]float64 // chance of having rung so long without an answer, as a call nobody answers to one that somebody does
	talk    [grains]float64
	flights [slots]int // calls that ring, by the seconds that they have
	talks   []talking
	count   int // flights

	lost [most + 1]int // by launches, in all draws
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

// run simulates and fills in lost. It gives the number of draws.
func (h *horizon) run(r *rand.Rand, s scene) int {
	draws := min(max(work/(h.count+len(h.talks)+s.answers+1), fewDraws), manyDraws)
	h.lost = [most + 1]int{}
	for done := 0; done < draws; {
		p, scale := s.answer.draw(r), math.Exp(s.sure*r.NormFloat64())
		for range min(max(1, draws/beliefs), draws-done) {
			h.draw(r, s, p, scale)
			done++
		}
	}
	return draws
}

// draw is one future.
func (h *horizon) draw(r *rand.Rand, s scene, p, scale float64) {
	var room [slots]int // change of the operators free, by second
	h.releases(r, &room, scale, int(s.wait/time.Second))
	for e, n := range h.flights {
		if n == 0 {
			continue
		}
		chance := p / (p + (1-p)*h.odds[e])
		for range n {
			if r.Float64() < chance {
				room[max(h.second(r, h.rung[e])-e, 0)]--
			}
		}
	}
	sum, least := s.free, 0
	for i, d := range room {
		sum += d
		room[i] = sum
		least = min(least, sum)
	}
	h.lost[0] -= least
	for k := 1; k <= s.answers; k++ {
		if r.Float64() < p {
			for i := h.second(r, 0); i < slots; i++ {
				room[i]--
				least = min(least, room[i])
			}
		}
		h.lost[k] -= least
	}
}

// second draws when a call is answered that was not until a share of the answers.
func (h *horizon) second(r *rand.Rand, rung float64) int {
	return int(h.ring[min(int((rung+r.Float64()*(1-rung))*grains), grains-1)])
}

// releases draws when the talks are over. An operator who comes within the time allowed
// after an answer is in time for it.
func (h *horizon) releases(r *rand.Rand, room *[slots]int, scale float64, wait int) {
	for _, t := range h.talks {
		left := scale * (h.talk[t.from+r.IntN(grains-t.from)] - t.so)
		if left < slots {
			room[max(int(left)-wait, 0)]++
		}
	}
}
