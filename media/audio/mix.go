package audio

import "math"

// Mix adds src to dst, which must be at least as long; what is too loud for a
// sample is cut off.
func Mix(dst, src []int16) {
	dst = dst[:len(src)]
	for i, v := range src {
		dst[i] = clip(int64(dst[i]) + int64(v))
	}
}

// Silent reports whether there is nothing in the samples but what the laws of
// G.711 make of zero: A-law has none and says ±8.
func Silent(samples []int16) bool {
	for _, v := range samples {
		if v > 8 || v < -8 {
			return false
		}
	}
	return true
}

// Gain multiplies samples by a factor in 256ths: 256 leaves them as they are, 128
// is half.
func Gain(samples []int16, factor int32) {
	for i, v := range samples {
		samples[i] = clip(int64(v) * int64(factor) >> 8)
	}
}

func clip(v int64) int16 {
	return int16(min(max(v, math.MinInt16), math.MaxInt16))
}
