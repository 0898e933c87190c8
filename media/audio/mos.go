package audio

import "math"

// Path is what a voice went through on its way, for the E-model of ITU-T G.107.
type Path struct {
	Codec    string  // encoding name of SDP
	Loss     float64 // share of packets, 0 to 1
	BurstR   float64 // G.107 §3.5; 0 is taken as 1, which is loss at random
	JitterMs float64 // the receiver is taken to buffer twice that
	RTTMs    float64 // round trip of the network, half of which counts
}

// impairment is what a codec does to a voice: Ie, and Bpl, its robustness against
// loss (ITU-T G.113 appendix I, with concealment). The wideband codecs are rated as
// G.711, which is as good as the scale of telephones gets.
var impairment = map[string]struct{ ie, bpl float64 }{
	"PCMA": {0, 25.1}, "PCMU": {0, 25.1}, "G722": {0, 25.1}, "opus": {0, 25.1},
	"G729": {11, 19}, "G723": {15, 16.1}, "GSM": {20, 10},
}

// R is the rating factor of G.107 with its default values, 0 to 93.2.
func (p Path) R() float64 {
	const packetMs = 20 // the delay of collecting one packet
	delay := packetMs + max(p.RTTMs, 0)/2 + 2*max(p.JitterMs, 0)
	id := 0.024 * delay
	if delay > 177.3 {
		id += 0.11 * (delay - 177.3)
	}
	return p.listening() - id
}

// listening is R without the delay, which only those notice who answer.
func (p Path) listening() float64 {
	const r0 = 93.2 // Ro − Is at the default values
	of, ok := impairment[p.Codec]
	if !ok {
		of = impairment["PCMA"]
	}
	loss := 100 * clamp(p.Loss, 0, 1)
	return r0 - of.ie - (95-of.ie)*loss/(loss/max(p.BurstR, 1)+of.bpl) // Ie,eff of G.107 §3.5
}

// MOS estimates how people who talk would rate it, 1 (bad) to 4.4 (as good as G.711
// gets).
func (p Path) MOS() float64 { return MOS(p.R()) }

// ListeningMOS is the same of people who only listen.
func (p Path) ListeningMOS() float64 { return MOS(p.listening()) }

// MOS is G.107 annex B: the rating factor R as a mean opinion score. The cubic
// dips below 1 for R under 6.5, where the score is 1.
func MOS(r float64) float64 {
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
