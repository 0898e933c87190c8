package amd

import "math"

// highpass takes away what is below voices on a telephone: a hum of the mains and constant
// voltage. It is a filter of second order with its corner at 200 Hz.
type highpass struct{ x1, x2, y1, y2 float64 }

// Of a Butterworth filter, by the bilinear transform.
const (
	hpGain = 0.894859
	hpA1   = -1.778631
	hpA2   = 0.800803

	hpLeast = 1e-6 // what is less is nothing: processors are slow with the least of numbers
)

func (h *highpass) pass(x float64) float64 {
	y := hpGain*(x-2*h.x1+h.x2) - hpA1*h.y1 - hpA2*h.y2
	if y < hpLeast && y > -hpLeast {
		y = 0
	}
	h.x1, h.x2, h.y1, h.y2 = x, h.x1, y, h.y1
	return y
}

const (
	fullScale   = 32767 * 32767 / 2 // power of the loudest sine
	groundSpan  = 60                // blocks: in so much speech there is a moment of quiet
	groundSoon  = 30                // blocks after which nothing is supposed any more
	groundLeast = -70.0             // decibels
	groundMost  = -40.0             // what is louder is no noise of a line
	silent      = -90.0
	groundPrior = -60.0 // until something is known
	behind      = 20.0  // decibels by which what is heard besides a voice is below its loudest
	louder      = 12.0  // by which who speaks is louder than what was heard before
	clearlyOver = 6.5   // decibels by which a word is over the threshold at its loudest
)

// ground follows the noise of the line: the quietest of the latest 0.6 s.
type ground struct {
	levels [groundSpan]float64 // of blocks
	at     int
	before float64 // power of the last block
}

func (g *ground) begin() {
	for i := range g.levels {
		g.levels[i] = groundPrior
		if i >= groundSoon {
			g.levels[i] = groundMost
		}
	}
	g.at = groundSoon
}

// hear takes a block and says how loud it is, smoothed, in decibels of full scale.
func (g *ground) hear(block []float64) float64 {
	var sum float64
	for _, x := range block {
		sum += x * x
	}
	power := sum / blockSize
	level := 10 * math.Log10((power+g.before)/2/fullScale+1e-9)
	g.before = power
	g.levels[g.at] = level
	g.at = (g.at + 1) % groundSpan
	return level
}

// threshold is how loud voice is at least, where somebody has been so loud.
func (g *ground) threshold(o *Options, loudest float64) float64 {
	least := g.levels[0]
	for _, l := range g.levels[1:] {
		least = min(least, l)
	}
	return max(o.Level, loudest-behind, min(max(least, groundLeast), groundMost)+o.Over)
}

// voice follows when somebody speaks. Times are in blocks; a word is what is spoken without a gap.
type voice struct {
	first int // where the first word begins; -1: nobody has spoken
	last  int // where the latest word ends, so far; -1 before
	words int

	speaking bool    // in a word
	begun    int     // where what may become a word begins
	loud     int     // its blocks that are loud
	quiet    int     // blocks since the last of them
	peak     float64 // its loudest
	before   int     // last, before it

	loudest float64 // of all words
}

// length is how long the greeting is, from the first word to the latest.
func (v *voice) length() int {
	if v.first < 0 {
		return 0
	}
	return v.last - v.first
}

// hear takes the level of a block, which ends at now. A tone is no voice.
func (v *voice) hear(level, threshold float64, tone bool, now int, o *Options) {
	if level < threshold || tone {
		if v.loud > 0 {
			if v.quiet++; v.quiet >= count(o.Gap) {
				v.end(threshold)
			}
		}
		return
	}
	if v.loud == 0 {
		v.begun, v.peak, v.before = now-1, level, v.last
	}
	v.loud++
	v.quiet = 0
	v.peak = max(v.peak, level)
	switch {
	case v.speaking:
		v.last = now
	case v.loud >= count(o.Word):
		v.speaking = true
		v.words++
		v.last = now
	default:
		return
	}
	if v.first < 0 || v.peak > v.loudest+louder {
		v.first, v.words = v.begun, 1
	}
	v.loudest = max(v.loudest, v.peak)
}

// end ends a word. One that was not clearly louder than what is there without it, as is known
// by now, was noise that has begun.
func (v *voice) end(threshold float64) {
	if v.speaking && v.peak < threshold+clearlyOver {
		v.words--
		v.last = v.before
		if v.words == 0 {
			v.first, v.loudest = -1, silent
		}
	}
	v.speaking, v.loud, v.quiet = false, 0, 0
}
