package media

import "time"

// gapMin is how many packets in a row must come for a loss to be one of its own
// and not of a burst: Gmin of RFC 3611 §4.7.2.
const gapMin = 16

// bursts tells losses that come together from those that come alone, as RFC 3611
// appendix A.2 does: the counters are the transitions of its four states. The zero
// value has seen nothing.
type bursts struct {
	came  uint64 // packets since the latest loss
	lost  uint64 // losses of what may become a burst
	total uint64 // losses of all
	runs  uint64 // stretches of losses with nothing between

	c11, c13, c14, c22, c23, c33 uint64
}

// packet takes the next packet in order of sequence numbers.
func (b *bursts) packet(came bool) {
	if came {
		b.came++
		return
	}
	b.total++
	if b.came > 0 || b.total == 1 {
		b.runs++
	}
	if b.total == 1 || b.came >= gapMin {
		b.close()
		b.lost = 1
		b.c11 += b.came
	} else {
		b.lost++
		if b.came == 0 {
			b.c33++
		} else {
			b.c23++
			b.c22 += b.came - 1
		}
	}
	b.came = 0
}

// close ends what may have become a burst; of one loss alone it was none. RFC 3611
// counts one at the very first loss, too, where there was nothing before.
func (b *bursts) close() {
	switch {
	case b.lost == 1:
		b.c14++
	case b.lost > 1:
		b.c13++
	}
}

// gone takes packets that are all lost.
func (b *bursts) gone(n int) {
	for range n {
		b.packet(false)
	}
}

// ratio is BurstR of ITU-T G.107 §3.5: the mean length of a stretch of losses, in
// terms of what it would be if the same share were lost at random; 1 at least.
func (b *bursts) ratio(loss float64) float64 {
	if b.runs == 0 {
		return 1
	}
	return max(1, float64(b.total)/float64(b.runs)*(1-loss))
}

// gapsAndBursts are the figures of RFC 3611 §4.7.2: the share of packets lost
// within bursts and between them, and how long each lasts on average.
type gapsAndBursts struct {
	burstDensity, gapDensity float64
	burst, gap               time.Duration
}

// measure computes the figures for packets of a length; all is how many there were.
func (b bursts) measure(packet time.Duration, all uint64) gapsAndBursts {
	b.close()
	c13, c14, c22, c23, c33 := float64(b.c13), float64(b.c14), float64(b.c22), float64(b.c23), float64(b.c33)
	c11 := float64(b.c11 + b.came)
	var m gapsAndBursts
	if c11+c14 > 0 {
		m.gapDensity = c14 / (c11 + c14)
	}
	if b.c13 == 0 {
		m.gap = packet * time.Duration(all)
		return m
	}
	c31, c32 := c13, c23
	p32, p23 := 0.0, 1.0
	if c31+c32+c33 > 0 {
		p32 = c32 / (c31 + c32 + c33)
	}
	if c22+c23 >= 1 {
		p23 = 1 - c22/(c22+c23)
	}
	if p23+p32 > 0 {
		m.burstDensity = p23 / (p23 + p32)
	}
	sum := c11 + c14 + c13 + c22 + c23 + c31 + c32 + c33
	gap := (c11 + c14 + c13) / c13
	m.gap = time.Duration(gap * float64(packet))
	m.burst = time.Duration(max(0, sum/c13-gap) * float64(packet))
	return m
}
