package audio

import "math"

// Noise makes comfort noise (RFC 3389): noise of the level that the peer measured
// while nobody spoke. The spectrum that may follow the level is not used. The zero
// value is silent. It belongs to one goroutine.
type Noise struct {
	level float64 // of the samples, root of the mean square
	seed  uint32
}

// noiseMost is the loudest noise that is made, −30 dBov: what claims more is no
// background.
const noiseMost = 30

// Hear takes a payload: its first byte is the level in −dBov (RFC 3389 §3.1), 0 being a square wave of full scale. What
// has none changes nothing.
func (n *Noise) Hear(payload []byte) {
	if len(payload) == 0 {
		return
	}
	down := max(int(payload[0]&0x7f), noiseMost)
	n.level = 32768 * math.Pow(10, -float64(down)/20)
}

// Stop makes it silent.
func (n *Noise) Stop() { n.level = 0 }

// Fill fills dst and reports whether there is anything to be heard.
func (n *Noise) Fill(dst []int16) bool {
	if n.level < 1 {
		clear(dst)
		return false
	}
	amplitude := n.level * math.Sqrt(3) // of an even distribution with that level
	for i := range dst {
		n.seed = n.seed*1664525 + 1013904223
		dst[i] = int16(amplitude * float64(int32(n.seed)) / (1 << 31))
	}
	return true
}
