package media

import (
	"math"
	"time"
)

// How long sound waits at a jitter buffer.
const (
	delayLeast  = frameTime              // a frame is taken every 20 ms
	delayStart  = 40 * time.Millisecond  // before anything is known
	delayMost   = 200 * time.Millisecond // whatever is known
	delayAnew   = 500 * time.Millisecond // what comes so late is another path or clock, not jitter
	delayBucket = 5 * time.Millisecond   // of the histogram
	delaySpell  = 500 * time.Millisecond // the fastest packet is that of
	delaySpells = 8                      // so many spells, 4 s
	delayShare  = 0.97                   // of the packets shall come in time
	delayForget = 1.0 / 150              // weight of a new packet: 3 s of packets of 20 ms count
)

// delay measures how unevenly the packets of a peer come: how much later each is
// than the fastest of the last seconds, which follows the drift of two clocks.
// Its target is the wait with which nearly all come in time.
type delay struct {
	least  [delaySpells]time.Duration // transit of the fastest packet of each spell
	spell  int64                      // number of the current one
	begun  bool
	base   time.Duration // the least of least
	share  [delayAnew / delayBucket]float32
	weight float32 // of the next packet, larger at first
	target time.Duration
}

// reset begins to measure a new path.
func (d *delay) reset() {
	*d = delay{weight: 1.0 / 9, target: delayStart}
	d.share[delayStart/delayBucket-1] = 1
}

// add takes the transit of a packet, on a clock that has any beginning, that came
// now. It says how late that was.
func (d *delay) add(transit, now time.Duration) (late time.Duration) {
	spell := int64(now / delaySpell)
	switch {
	case !d.begun || spell-d.spell >= delaySpells || transit-d.base > delayAnew:
		d.line(transit)
	default:
		for ; d.spell < spell; d.spell++ {
			d.least[(d.spell+1)%delaySpells] = math.MaxInt64
		}
	}
	d.begun, d.spell = true, spell
	place := &d.least[spell%delaySpells]
	*place = min(*place, transit)
	d.base = *place
	for _, v := range d.least {
		d.base = min(d.base, v)
	}
	late = transit - d.base
	d.learn(late)
	return late
}

// line begins to compare with a packet.
func (d *delay) line(transit time.Duration) {
	for i := range d.least {
		d.least[i] = math.MaxInt64
	}
	d.base = transit
}

// learn counts how late a packet was.
func (d *delay) learn(late time.Duration) {
	w := d.weight
	for i := range d.share {
		d.share[i] *= 1 - w
	}
	d.share[min(max(late, 0)/delayBucket, time.Duration(len(d.share)-1))] += w
	d.weight = max(w/(1+w), delayForget)
	var sum float32
	d.target = delayMost
	for i, v := range d.share {
		if sum += v; sum >= delayShare {
			d.target = min(max(time.Duration(i+1)*delayBucket, delayLeast), delayMost)
			return
		}
	}
}
