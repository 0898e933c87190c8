package amd

import "math"

const (
	windowSize = 160   // samples in which a tone is looked for
	lags       = 16    // distances at which the window is compared with itself
	toneLevel  = -42.0 // decibels of full scale

	toneLow   = 340.0 // hertz: below are voices
	toneHigh  = 2550.0
	tonePure  = 0.80  // of the energy that is in the tones
	toneMatch = 0.04  // by which the window may differ from one of the tones alone, at all lags
	toneDrift = 0.006 // share by which a frequency moves
	twoDrift  = 0.012 // the same of two, which are measured less exactly
	toneSwell = 2.5   // factor by which the power moves
	toneFade  = 1.35  // factor between the power at the beginning and the end of a beep: 1.3 dB
	toneFull  = 3     // blocks after which a tone fills the window
	toneMiss  = 4     // blocks in a row without the tone before it is over
	weakest   = 0.06  // of the energy in the weaker of two tones

	octaveOff = 0.05  // share by which an octave is off
	deepTop   = 500.0 // hertz
	deepMore  = 3     // blocks by which such a beep is longer
	beepMost  = 250   // blocks: what is longer is no beep
	longTone  = 150   // blocks of a tone that is a machine's
)

// toneSound is a tone, or two, as they are in a window or have been.
type toneSound struct {
	low, high float64 // hertz; high is 0 for a single one
	power     float64
	blocks    int // how long it was there, without the one at which it began

	early float64    // power when it was there in full
	late  [3]float64 // and of the latest windows, the latest first
}

// near reports whether two frequencies are the same, but for a share.
func near(f, want, share float64) bool { return math.Abs(f-want) <= share*want }

// same reports whether a window goes on with a tone.
func (t toneSound) same(w toneSound) bool {
	if (t.high == 0) != (w.high == 0) || w.power > t.power*toneSwell || w.power < t.power/toneSwell {
		return false
	}
	if t.high == 0 {
		return near(w.low, t.low, toneDrift)
	}
	return near(w.low, t.low, twoDrift) && near(w.high, t.high, twoDrift)
}

// steady reports whether it is as loud at its end as at its beginning: a note fades.
func (t toneSound) steady() bool {
	return t.early < toneFade*t.late[2] && t.late[2] < toneFade*t.early
}

// keep notes how loud it is in a window.
func (t *toneSound) keep(power float64) {
	if t.blocks <= toneFull {
		t.early = power
	}
	t.late[2], t.late[1], t.late[0] = t.late[1], t.late[0], power
}

// octave reports whether the one is the overtone of the other, as of instruments and voices.
func (t toneSound) octave() bool { return near(t.high, 2*t.low, octaveOff) }

// deep reports whether it is as low as a voice, or a note of a melody, may be.
func (t toneSound) deep() bool { return t.high == 0 && t.low < deepTop }

// key reports whether it is a key of a telephone (ITU-T Q.23).
func (t toneSound) key() bool {
	low, high := false, false
	for i := range keyLow {
		low = low || near(t.low, keyLow[i], keyOff)
		high = high || near(t.high, keyHigh[i], keyOff)
	}
	return low && high
}

const keyOff = 0.02

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

// suspected reports whether one may just have begun.
func (r *toneRun) suspected() bool { return r.now.blocks >= 2 }

// long reports whether it is there for longer than beeps as a rule are, and does not tell of the progress
// of a call.
func (r *toneRun) long() bool { return r.now.blocks >= longTone && !r.now.progress() }

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
		r.now.keep(t.power)
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

// products are those of a window with itself at the distances 0 to lags, to both sides. For a sum of
// sines of angles w, the one of distance k is the sum of their energies times cos(kw); noise adds to
// the distance 0 alone.
type products [lags + 1]float64

// findTone looks for one tone or two in a window that have nearly all of its energy.
func findTone(w *[windowSize]float64) (toneSound, bool) {
	var r products
	mid := w[lags : windowSize-lags]
	for k := range r {
		later, before := w[lags+k:windowSize-lags+k], w[lags-k:windowSize-lags-k]
		var sum float64
		for i, x := range mid {
			sum += x * (later[i] + before[i])
		}
		r[k] = sum / 2
	}
	power := r[0] / float64(len(mid))
	if f, ok := r.single(); ok {
		return toneSound{low: f, power: power}, true
	}
	if low, high, ok := r.double(); ok {
		return toneSound{low: low, high: high, power: power}, true
	}
	return toneSound{}, false
}

// single finds one tone: its cosine c is in r[k+1] + r[k-1] = 2c·r[k].
func (r *products) single() (freq float64, ok bool) {
	var top, bottom float64
	for k := 2; k < lags; k++ {
		top += r[k] * (r[k+1] + r[k-1])
		bottom += r[k] * r[k]
	}
	c := top / (2 * bottom)
	if !(c > -1 && c < 1) {
		return 0, false
	}
	freq = math.Acos(c) * rate / (2 * math.Pi)
	if freq < toneLow || freq > toneHigh {
		return 0, false
	}
	return freq, r.matches(c, c)
}

// double finds two: the sum a and the product b of their cosines are in
// r[k+2] + r[k-2] + 2r[k] = 2a(r[k+1] + r[k-1]) - 4b·r[k].
func (r *products) double() (low, high float64, ok bool) {
	var uu, uv, vv, uy, vy float64
	for k := 3; k <= lags-2; k++ {
		u, v, y := 2*(r[k+1]+r[k-1]), -4*r[k], r[k+2]+r[k-2]+2*r[k]
		uu, uv, vv, uy, vy = uu+u*u, uv+u*v, vv+v*v, uy+u*y, vy+v*y
	}
	det := uu*vv - uv*uv
	a, b := (uy*vv-vy*uv)/det, (vy*uu-uy*uv)/det
	root := math.Sqrt(a*a/4 - b)
	c1, c2 := a/2+root, a/2-root // c1 is that of the lower tone
	if !(root > 0 && c1 < 1 && c2 > -1) {
		return 0, 0, false
	}
	low, high = math.Acos(c1)*rate/(2*math.Pi), math.Acos(c2)*rate/(2*math.Pi)
	if low < toneLow || high > toneHigh {
		return 0, 0, false
	}
	return low, high, r.matches(c1, c2)
}

// matches reports whether the window is like tones of these cosines at all distances. For a single one
// they are the same.
func (r *products) matches(c1, c2 float64) bool {
	var t1, t2 products // cosines of multiples of the angles
	t1[0], t1[1], t2[0], t2[1] = 1, c1, 1, c2
	var p11, p12, p22, y1, y2 float64
	for k := 1; k <= lags; k++ {
		if k > 1 {
			t1[k], t2[k] = 2*c1*t1[k-1]-t1[k-2], 2*c2*t2[k-1]-t2[k-2]
		}
		p11, p12, p22 = p11+t1[k]*t1[k], p12+t1[k]*t2[k], p22+t2[k]*t2[k]
		y1, y2 = y1+t1[k]*r[k], y2+t2[k]*r[k]
	}
	e1, e2 := y1/p11, 0.0 // energies of the two
	if c1 != c2 {
		det := p11*p22 - p12*p12
		e1, e2 = (y1*p22-y2*p12)/det, (y2*p11-y1*p12)/det
		if !(min(e1, e2) > weakest*r[0]) {
			return false
		}
	}
	if !(e1+e2 > tonePure*r[0]) {
		return false
	}
	var off float64
	for k := 1; k <= lags; k++ {
		d := (r[k] - e1*t1[k] - e2*t2[k]) / r[0]
		off += d * d
	}
	return off <= lags*toneMatch*toneMatch
}
