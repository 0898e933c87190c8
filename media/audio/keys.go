package audio

import (
	"math"
	"time"
)

// How keys are found in sound of 8 kHz, between the bounds that the administrations
// of ITU-T Q.24 set for a receiver.
const (
	keyRate  = 8000
	keyBlock = 102 // samples that are looked at together: 12.75 ms

	// A key is heard when so many blocks in a row have it, which 40 ms always hold,
	// and is over when as many have it no more.
	keyBlocks = 2

	keyLeast   = 160   // amplitude of a tone: −43 dBm0
	keyTwist   = 10    // power of the high tone over that of the low: 10 dB
	keyReverse = 10    // and the other way round
	keyPeak    = 6.3   // of a tone over the others of its group: 8 dB
	keyShare   = 0.68  // of the energy of a block that is seen at the two frequencies
	keyGoesOn  = 0.45  // and that is enough of a key that is down already
	keyPure    = 0.88  // and that is in the tones, which may lie beside
	keySecond  = 0.04  // power of a second harmonic to that of its tone: −14 dB
	keySteady  = 2     // power of a tone in one block to the next: 3 dB
	keyApart   = 150   // Hz between two tones that a block tells apart
	keyDrift   = 0.022 // share by which a frequency may be off: Q.24 wants 1.5 to 1.8 %
)

const keyGrid = "123A456B789C*0#D"

var (
	keyFreqs = [8]float64{697, 770, 852, 941, 1209, 1336, 1477, 1633}
	keyTones = newBins(1)
	keyOver  = newBins(2) // their second harmonics
)

// bin is a frequency that is looked for.
type bin struct {
	freq, k, cos, sin float64
	turn              float64 // of the phase in a block, radians
}

func newBins(harmonic float64) (bins [8]bin) {
	for i, f := range keyFreqs {
		w := 2 * math.Pi * f * harmonic / keyRate
		bins[i] = bin{freq: f * harmonic, k: 2 * math.Cos(w), cos: math.Cos(w), sin: math.Sin(w), turn: w * keyBlock}
	}
	return bins
}

// measure is Goertzel's of four frequencies at once: how strong each is in a block,
// as a complex number.
func measure(block *[keyBlock]float64, b *[4]bin, re, im *[4]float64) {
	k0, k1, k2, k3 := b[0].k, b[1].k, b[2].k, b[3].k
	var a0, a1, a2, a3, z0, z1, z2, z3 float64
	for _, x := range block {
		a0, z0 = x+k0*a0-z0, a0
		a1, z1 = x+k1*a1-z1, a1
		a2, z2 = x+k2*a2-z2, a2
		a3, z3 = x+k3*a3-z3, a3
	}
	re[0], im[0] = a0-z0*b[0].cos, z0*b[0].sin
	re[1], im[1] = a1-z1*b[1].cos, z1*b[1].sin
	re[2], im[2] = a2-z2*b[2].cos, z2*b[2].sin
	re[3], im[3] = a3-z3*b[3].cos, z3*b[3].sin
}

// keyLook is what one block shows.
type keyLook struct {
	place  int        // in keyGrid; -1: no key
	like   int        // the key that it is most like, which is enough for one that is down; -1: none
	energy float64    // of all there is
	power  [8]float64 // of the frequencies, as the square of an amplitude
	phase  [2]float64 // of the key's tones
}

// KeyDetector hears keys that are pressed as two tones in the sound (ITU-T Q.23),
// from 40 ms on with 40 ms between. It tells them from speech and music by level,
// twist and what else is in the sound (Q.24), by the second harmonic, which voices
// have, and by steadiness: from one block to the next a key has the same loudness
// and, as its phases tell, the same exact frequencies. It belongs to one goroutine;
// the zero value is ready.
type KeyDetector struct {
	block  [keyBlock]float64
	have   int
	looks  [3]keyLook // the latest first
	down   byte
	misses int
	tail   float64 // samples of the first of them that still were the key
	held   float64 // samples
}

// Down is the key that is down, 0 for none.
func (d *KeyDetector) Down() byte { return d.down }

// Held is how long the key has been down, or the last was that is down no more.
func (d *KeyDetector) Held() time.Duration {
	return time.Duration(d.held / keyRate * float64(time.Second))
}

// Hear takes samples of 8 kHz, up to where a key begins or ends, which Down then
// tells, and says how many that were.
func (d *KeyDetector) Hear(pcm []int16) (n int) {
	before := d.down
	for n < len(pcm) {
		take := pcm[n:min(len(pcm), n+keyBlock-d.have)]
		for i, v := range take {
			d.block[d.have+i] = float64(v)
		}
		n, d.have = n+len(take), d.have+len(take)
		if d.have < keyBlock {
			break
		}
		d.have = 0
		if d.next(); d.down != before {
			break
		}
	}
	return n
}

// next goes on by a block.
func (d *KeyDetector) next() {
	d.looks[2], d.looks[1] = d.looks[1], d.looks[0]
	d.look(&d.looks[0])
	now, last := &d.looks[0], &d.looks[1]
	switch {
	case d.down != 0 && now.like >= 0 && keyGrid[now.like] == d.down:
		d.held += keyBlock * float64(1+d.misses)
		d.misses = 0
	case d.down != 0:
		if d.misses++; d.misses == 1 {
			d.tail = part(now, last)
		}
		if d.misses == keyBlocks {
			d.down, d.misses = 0, 0
			d.held += d.tail
		}
	case now.place >= 0 && now.follows(last):
		d.down = keyGrid[now.place]
		d.held = keyBlocks*keyBlock + part(&d.looks[2], last)
	}
}

// part is how many samples of a block at the edge of a key are the key's, next to
// a block that is all of it.
func part(edge, full *keyLook) float64 {
	if full.place < 0 {
		return 0
	}
	low, high := full.place/4, 4+full.place%4
	share := (edge.power[low] + edge.power[high]) / (full.power[low] + full.power[high])
	return keyBlock * min(math.Sqrt(share), 1)
}

// follows reports whether a block goes on with the key of the one before it.
func (l *keyLook) follows(last *keyLook) bool {
	if l.place != last.place {
		return false
	}
	var now, before float64
	for i, tone := range [2]int{l.place / 4, 4 + l.place%4} {
		if change := l.power[tone] / last.power[tone]; change > keySteady || change < 1/keySteady {
			return false
		}
		turn := keyTones[tone].turn
		off := math.Remainder(l.phase[i]-last.phase[i]-turn, 2*math.Pi)
		if max(off, -off) > keyDrift*turn {
			return false
		}
		seen := seen(off / 2)
		now, before = now+l.power[tone]/seen, before+last.power[tone]/seen
	}
	return now*keyBlock/2 > keyPure*l.energy && before*keyBlock/2 > keyPure*last.energy
}

// seen is the share of a tone's power that a block shows of it when its phase is x
// radians off in the middle of the block.
func seen(x float64) float64 {
	if max(x, -x) < 1e-3 {
		return 1
	}
	s := math.Sin(x) / x
	return s * s
}

// look looks at the block.
func (d *KeyDetector) look(l *keyLook) {
	*l = keyLook{place: -1, like: -1}
	for _, x := range d.block {
		l.energy += x * x
	}
	if l.energy < keyLeast*keyLeast*keyBlock {
		return
	}
	var re, im [8]float64
	const unit = 4.0 / (keyBlock * keyBlock)
	for i := 0; i < 8; i += 4 {
		measure(&d.block, (*[4]bin)(keyTones[i:]), (*[4]float64)(re[i:]), (*[4]float64)(im[i:]))
	}
	for i := range re {
		l.power[i] = (re[i]*re[i] + im[i]*im[i]) * unit
	}
	low, high := highest(l.power[:4]), 4+highest(l.power[4:])
	pl, ph := l.power[low], l.power[high]
	seen := (pl + ph) * keyBlock / 2
	if min(pl, ph) < keyLeast*keyLeast || seen < keyGoesOn*l.energy {
		return
	}
	l.like = 4*low + high - 4
	switch {
	case ph > pl*keyTwist, pl > ph*keyReverse, seen < keyShare*l.energy:
	case !alone(l.power[:4], low), !alone(l.power[4:], high-4):
	case d.overtone(low, high, max(pl, ph)), d.overtone(high, low, max(pl, ph)):
	default:
		l.place = l.like
		l.phase = [2]float64{math.Atan2(im[low], re[low]), math.Atan2(im[high], re[high])}
	}
}

// highest is the place of the strongest.
func highest(group []float64) int {
	best := 0
	for i, p := range group {
		if p > group[best] {
			best = i
		}
	}
	return best
}

// alone reports whether the strongest is well above the others.
func alone(group []float64, best int) bool {
	for i, p := range group {
		if i != best && p*keyPeak > group[best] {
			return false
		}
	}
	return true
}

// overtone reports whether a tone has a second harmonic. It cannot be told from the
// other tone where that is next to it.
func (d *KeyDetector) overtone(tone, other int, power float64) bool {
	b := &keyOver[tone]
	if off := b.freq - keyFreqs[other]; max(off, -off) < keyApart {
		return false
	}
	var s1, s2 float64
	for _, x := range d.block {
		s1, s2 = x+b.k*s1-s2, s1
	}
	return (s1*s1+s2*s2-b.k*s1*s2)*4/(keyBlock*keyBlock) > keySecond*power
}
