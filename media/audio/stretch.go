package audio

import "math"

// How sound is made shorter or longer without changing its pitch: by one period of
// the voice, the two ends of the seam melting into each other (WSOLA).
const (
	stretchSeam  = 5    // milliseconds over which they melt, and that are compared
	stretchLeast = 2    // shortest period, 2.5 ms, rounded down
	stretchMost  = 15   // and longest
	stretchAlike = 0.85 // correlation from which a period is one; 1 is the same
	stretchQuiet = 100  // peak below which nothing is heard of a seam
)

// Shorten takes one period out of pcm, sound of 8 or 16 kHz, in place and says how
// many samples are left: as many as before when there is no period in it, unless
// forced, or when it is shorter than 10 ms. Where there is next to nothing to be
// heard it takes out all but 5 ms, though never more than most samples.
func Shorten(pcm []int16, rate, most int, force bool) int {
	seam := stretchSeam * rate / 1000
	lag, ok := stretchLag(pcm, rate, force)
	if !ok {
		return len(pcm)
	}
	if quiet(pcm) {
		lag = max(1, min(most, len(pcm)-seam))
	}
	melt(pcm[:seam], pcm[:seam], pcm[lag:])
	return seam + copy(pcm[seam:], pcm[seam+lag:])
}

// Lengthen repeats one period at the beginning of the n samples in pcm and says how
// many there are then; pcm must have room for 15 ms more. It changes nothing where
// Shorten would not.
func Lengthen(pcm []int16, n, rate int, force bool) int {
	seam := stretchSeam * rate / 1000
	lag, ok := stretchLag(pcm[:n], rate, force)
	if !ok {
		return n
	}
	copy(pcm[lag:n+lag], pcm[:n])                  // the sound again, a period later
	melt(pcm[lag:][:seam], pcm[2*lag:], pcm[lag:]) // from where the first period would go on
	return n + lag
}

// melt writes to dst what begins as from and ends as into; dst may be either.
func melt(dst, from, into []int16) {
	n := len(dst)
	for i := range dst {
		dst[i] = int16((int(from[i])*(n-i) + int(into[i])*i) / n)
	}
}

// quiet reports whether a seam would not be heard.
func quiet(pcm []int16) bool {
	for _, v := range pcm {
		if v > stretchQuiet || v < -stretchQuiet {
			return false
		}
	}
	return true
}

// stretchLag finds the distance at which the beginning of pcm is most like itself,
// and says whether it may be made shorter or longer by it.
func stretchLag(pcm []int16, rate int, force bool) (lag int, ok bool) {
	seam := stretchSeam * rate / 1000
	least, most := stretchLeast*rate/1000+rate/2000, min(stretchMost*rate/1000, len(pcm)-seam)
	if most < least {
		return 0, false
	}
	step := rate / 8000
	best := math.Inf(-1)
	for l := least; l <= most; l += step {
		if r := alike(pcm[:seam], pcm[l:], step); r > best {
			best, lag = r, l
		}
	}
	if step > 1 { // between those that were tried
		for l := max(lag-1, least); l <= min(lag+1, most); l++ {
			if r := alike(pcm[:seam], pcm[l:], 1); r > best {
				best, lag = r, l
			}
		}
	}
	return lag, force || best >= stretchAlike || quiet(pcm)
}

// alike is the correlation of a with the beginning of b, −1 to 1, by every step-th
// sample.
func alike(a, b []int16, step int) float64 {
	var ab, aa, bb int64
	for i := 0; i < len(a); i += step {
		x, y := int64(a[i]), int64(b[i])
		ab += x * y
		aa += x * x
		bb += y * y
	}
	if aa == 0 || bb == 0 {
		return 0
	}
	return float64(ab) / math.Sqrt(float64(aa)*float64(bb))
}
