package audio

import "math"

// MOS estimates how people would rate a G.711 call with packet loss concealment,
// 1 (bad) to 4.4 (as good as G.711 gets), by the E-model of ITU-T G.107 with its
// default values. lossRatio is 0 to 1, the times are in milliseconds; rttMs is
// the round trip of the network, half of which counts, and the receiver is taken
// to buffer twice the jitter.
func MOS(lossRatio, jitterMs, rttMs float64) float64 {
	const (
		r0  = 93.2 // Ro − Is at the default values
		ie  = 0    // G.113 appendix I: G.711
		bpl = 25.1 // G.113 appendix I: G.711 with concealment, random loss
		// packetMs is the delay of collecting one packet.
		packetMs = 20
	)
	loss := 100 * clamp(lossRatio, 0, 1)
	delay := packetMs + max(rttMs, 0)/2 + 2*max(jitterMs, 0)
	id := 0.024 * delay
	if delay > 177.3 {
		id += 0.11 * (delay - 177.3)
	}
	effective := ie + (95-ie)*loss/(loss+bpl) // G.107 §3.5, BurstR = 1
	return mosOf(r0 - id - effective)
}

// mosOf is G.107 annex B: the rating factor R as a mean opinion score. The cubic
// dips below 1 for R under 6.5, where the score is 1.
func mosOf(r float64) float64 {
	if math.IsNaN(r) || r <= 0 {
		return 1
	}
	if r >= 100 {
		return 4.5
	}
	return max(1, 1+0.035*r+r*(r-60)*(100-r)*7e-6)
}

func clamp(v, low, high float64) float64 {
	return max(low, min(v, high))
}
