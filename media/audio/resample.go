package audio

import "math"

// tapsPerSide is the half length of the low-pass filter in samples of the lower
// rate: 16 give 60 dB of rejection a fifth above the band edge.
const tapsPerSide = 16

// Resample turns samples of one rate into samples of another with a windowed-sinc
// polyphase filter. It is for whole files, not for frames: the filter is computed
// anew and the result allocated. Rates must be positive.
func Resample(src []int16, from, to int) []int16 {
	if from == to || len(src) == 0 {
		return src
	}
	g := gcd(from, to)
	up, down := to/g, from/g
	phases := filterBank(up, down)
	half := len(phases[0]) / 2
	dst := make([]int16, int64(len(src))*int64(up)/int64(down))
	for n := range dst {
		at := int64(n) * int64(down)
		first := int(at/int64(up)) - half + 1
		dst[n] = dot(phases[at%int64(up)], src, first)
	}
	return dst
}

// dot applies the filter to src starting at index first, with silence outside.
func dot(filter []float64, src []int16, first int) int16 {
	var sum float64
	for i, c := range filter {
		if j := first + i; j >= 0 && j < len(src) {
			sum += c * float64(src[j])
		}
	}
	return int16(clamp(math.Round(sum), math.MinInt16, math.MaxInt16))
}

// filterBank has one filter for each of the up fractions of an input sample at
// which an output sample can fall. Each sums to 1.
func filterBank(up, down int) [][]float64 {
	cutoff := min(1, float64(up)/float64(down)) * 0.92 // share of the input's half rate
	half := int(math.Ceil(tapsPerSide * max(1, float64(down)/float64(up))))
	bank := make([][]float64, up)
	for p := range bank {
		taps := make([]float64, 2*half)
		var sum float64
		for i := range taps {
			x := float64(i-half+1) - float64(p)/float64(up)
			taps[i] = sinc(cutoff*x) * blackman(x/float64(half))
			sum += taps[i]
		}
		for i := range taps {
			taps[i] /= sum
		}
		bank[p] = taps
	}
	return bank
}

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	return math.Sin(math.Pi*x) / (math.Pi * x)
}

// blackman is the window of that name over −1 to 1.
func blackman(x float64) float64 {
	if x <= -1 || x >= 1 {
		return 0
	}
	return 0.42 + 0.5*math.Cos(math.Pi*x) + 0.08*math.Cos(2*math.Pi*x)
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
