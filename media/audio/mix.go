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

// Sum adds src, times a factor in 256ths, to dst, which must be at least as long.
func Sum(dst []int32, src []int16, factor int32) {
	dst = dst[:len(src)]
	for i, v := range src {
		dst[i] += int32(v) * factor >> 8
	}
}

// Clip writes sums to dst, which must be at least as long; what is too loud for a
// sample is cut off.
func Clip(dst []int16, sum []int32) {
	dst = dst[:len(sum)]
	for i, v := range sum {
		dst[i] = int16(min(max(v, math.MinInt16), math.MaxInt16))
	}
}

// Level is the mean square of the samples.
func Level(samples []int16) int64 {
	var sum int64
	for _, v := range samples {
		sum += int64(v) * int64(v)
	}
	return sum / int64(max(len(samples), 1))
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
