package amd

import "math"

const (
	windowSize = 160   // samples in which a tone is looked for
	lags       = 8     // distances at which the window is compared with itself
	toneLevel  = -42.0 // decibels of full scale

	toneLow   = 340.0 // hertz: below are voices
	toneHigh  = 2550.0
	tonePure  = 0.80  // of the energy that is in the tones
	toneMatch = 0.06  // by which the window may differ from one of the tones alone, at all lags
	toneDrift = 0.012 // share by which a frequency moves
	toneSwell = 4.0   // factor by which the power moves
	toneMiss  = 2     // blocks in a row without the tone before it is over
	weakest   = 0.06  // of the energy in the weaker of two tones

	beepMost = 250 // blocks: what is longer is no beep
	longTone = 150 // blocks of a tone that is a machine's
)

// toneSound is a tone, or two, as they are in a window or have been.
type toneSound struct {
	low, high float64 // hertz; high is 0 for a single one
	power     float64
	blocks    int // how long it was there, without the one at which it began
}

// near reports whether two frequencies are the same, but for a share.
func near(f, want, share float64) bool { return math.Abs(f-want) <= share*want }

// same reports whether a window goes on with a tone.
func (t toneSound) same(w toneSound) bool {
	if (t.high == 0) != (w.high == 0) || w.power > t.power*toneSwell || w.power < t.power/toneSwell {
		return false
	}
	return near(w.low, t.low, toneDrift) && (t.high == 0 || near(w.high, t.high, toneDrift))
}

// key reports whether it is a key of a telephone (ITU-T Q.23).
func (t toneSound) key() bool {
	low, high := false, false
	for i := range keyLow {
		low = low || near(t.low, keyLow[i], keyOff)
		high = high || near(t.high, keyHigh[i], keyOff)
	}
	return low && high
}

const keyOff = 0.025

var (
	keyLow  = [4]float64{697, 770, 852, 941}
	keyHigh = [4]float64{1209, 1336, 1477, 1633}
)

// toneRun follows a tone from window to window.
type toneRun struct {
	now  toneSound
	miss int
	end  int // block where the latest tone ended that was there for long enough to be one; 0: none
}

// toneLeast is how many windows a tone is in until it is taken for one.
const toneLeast = 4

// on reports whether a tone is there.
func (r *toneRun) on() bool { return r.now.blocks >= toneLeast }

// tooLong reports whether it is there for longer than any beep, and is not one that tells of the progress of
// a call.
func (r *toneRun) tooLong() bool { return r.now.blocks >= longTone && !r.now.progress() }

// hear takes the window that ends with the block now. A tone that is over is given back.
func (r *toneRun) hear(w *[windowSize]float64, loud bool, now int) (over toneSound, ended bool) {
	t, ok := toneSound{}, false
	if loud {
		t, ok = findTone(w)
	}
	if ok && r.now.blocks > 0 && r.now.same(t) {
		share := 1 / float64(r.now.blocks+1)
		r.now.low += (t.low - r.now.low) * share
		r.now.high += (t.high - r.now.high) * share
		r.now.power += (t.power - r.now.power) * share
		r.now.blocks += 1 + r.miss
		r.miss = 0
		return over, false
	}
	if r.miss++; r.now.blocks > 0 && r.miss <= toneMiss && (!ok || r.on()) {
		return over, false
	}
	over, ended = r.now, r.on()
	if ended {
		r.end = now - r.miss
	}
	r.now, r.miss = toneSound{}, 0
	if ok {
		r.now = t
		r.now.blocks = 1
	}
	return over, ended
}

// findTone looks for one tone or two in a window that have nearly all of its energy. For a sum of
// sines of angles w the products of the window with itself at the distance k, to both sides, are the sum
// of their energies times cos(kw); noise adds to the distance 0 alone.
func findTone(w *[windowSize]float64) (toneSound, bool) {
	var r [lags + 1]float64
	mid := w[lags : windowSize-lags]
	for k := range r {
		later, before := w[lags+k:windowSize-lags+k], w[lags-k:windowSize-lags-k]
		var sum float64
		for i, x := range mid {
			sum += x * (later[i] + before[i])
		}
		r[k] = sum / 2
	}
	if r[0] <= 0 {
		return toneSound{}, false
	}
	power := r[0] / float64(len(mid))
	if f, ok := single(&r); ok {
		return toneSound{low: f, power: power}, true
	}
	if low, high, ok := double(&r); ok {
		return toneSound{low: low, high: high, power: power}, true
	}
	return toneSound{}, false
}

// single finds one tone, by Pisarenko's way: from the distances 1 and 2.
func single(r *[lags + 1]float64) (freq float64, ok bool) {
	if r[1] == 0 {
		return 0, false
	}
	c := (r[2] + math.Sqrt(r[2]*r[2]+8*r[1]*r[1])) / (4 * r[1])
	if !(c > -1 && c < 1) {
		return 0, false
	}
	energy := r[1] / c
	freq = math.Acos(c) * rate / (2 * math.Pi)
	if energy < tonePure*r[0] || freq < toneLow || freq > toneHigh {
		return 0, false
	}
	return freq, matches(r, energy, c, 0, 0)
}

// double finds two, by Prony's way: the cosines of their angles are the nodes of the moments that the distances
// 0 to 3 give.
func double(r *[lags + 1]float64) (low, high float64, ok bool) {
	m0, m1 := r[0], r[1]
	m2, m3 := (r[2]+m0)/2, (r[3]+3*m1)/4
	det := m1*m1 - m0*m2
	if math.Abs(det) < 1e-6*m0*m0 {
		return 0, 0, false
	}
	p, q := (m0*m3-m1*m2)/det, (m2*m2-m1*m3)/det
	disc := p*p/4 - q
	if disc <= 0 {
		return 0, 0, false
	}
	root := math.Sqrt(disc)
	a, b := -p/2+root, -p/2-root // a is that of the lower tone
	if a >= 1 || b <= -1 {
		return 0, 0, false
	}
	ea := (m1 - b*m0) / (a - b)
	eb := m0 - ea
	low, high = math.Acos(a)*rate/(2*math.Pi), math.Acos(b)*rate/(2*math.Pi)
	if min(ea, eb) < weakest*m0 || low < toneLow || high > toneHigh {
		return 0, 0, false
	}
	return low, high, matches(r, ea, a, eb, b)
}

// matches reports whether the window is like tones of these energies and cosines at all distances.
func matches(r *[lags + 1]float64, ea, a, eb, b float64) bool {
	a0, a1, b0, b1 := 1.0, a, 1.0, b // cos(kw) of k-1 and k
	var off float64
	for k := 1; k <= lags; k++ {
		diff := (r[k] - ea*a1 - eb*b1) / r[0]
		off += diff * diff
		a0, a1 = a1, 2*a*a1-a0
		b0, b1 = b1, 2*b*b1-b0
	}
	return off <= lags*toneMatch*toneMatch
}
