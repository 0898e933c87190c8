package audio

import "math"

// G.722 at 64 kbit/s, mode 1: 16 kHz sound is split into two bands of 8 kHz, each
// coded by adaptive differential PCM, six bits for the lower one and two for the
// upper. Names and tables are those of ITU-T G.722 (the blocks of clause 6.2).
var (
	g722Q6 = [30]int{0, 35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714,
		786, 858, 940, 1023, 1121, 1219, 1339, 1458, 1612, 1765, 1980, 2195, 2557, 2919}
	g722ILN = [31]int{0, 63, 62, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4}
	g722ILP = [31]int{0, 61, 60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49, 48, 47, 46, 45, 44, 43, 42, 41, 40, 39, 38, 37, 36, 35, 34, 33, 32}
	g722ILB = [32]int{2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834,
		2896, 2960, 3025, 3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008}
	// The steps of the scale factor of each code word: WL by RL42, WH by RH2.
	g722LogLow  = [16]int{-60, 3042, 1198, 538, 334, 172, 58, -30, 3042, 1198, 538, 334, 172, 58, -30, -60}
	g722LogHigh = [4]int{798, -214, 798, -214}
	g722QM2     = [4]int{-7408, -1616, 7408, 1616}
	g722QM4     = [16]int{0, -20456, -12896, -8968, -6288, -4240, -2584, -1200, 20456, 12896, 8968, 6288, 4240, 2584, 1200, 0}
	g722QM6     = [64]int{-136, -136, -136, -136, -24808, -21904, -19008, -16704, -14984, -13512, -12280, -11192, -10232, -9360, -8576, -7856,
		-7192, -6576, -6000, -5456, -4944, -4464, -4008, -3576, -3168, -2776, -2400, -2032, -1688, -1360, -1040, -728,
		24808, 21904, 19008, 16704, 14984, 13512, 12280, 11192, 10232, 9360, 8576, 7856, 7192, 6576, 6000, 5456,
		4944, 4464, 4008, 3576, 3168, 2776, 2400, 2032, 1688, 1360, 1040, 728, 432, 136, -432, -136}
	// Every second coefficient of the quadrature mirror filter; the others are the
	// same backwards.
	g722QMF = [12]int{3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11}
)

// g722Band is the adaptive predictor and the scale factor of one band.
type g722Band struct {
	s, sp, sz int    // predicted signal and its two parts
	r, p, a   [3]int // reconstructed and partly reconstructed signal; poles
	d, b      [7]int // quantized differences; zeros
	nb, det   int    // scale factor, logarithmic and linear
}

func sat16(v int) int { return min(max(v, math.MinInt16), math.MaxInt16) }

// adapt is block 4: it takes the quantized difference and predicts the next
// sample.
func (x *g722Band) adapt(d int) {
	x.d[0] = d
	x.r[0] = sat16(x.s + d) // RECONS
	x.p[0] = sat16(x.sz + d)
	x.poles()
	x.zeros(d)
	x.sp = sat16(x.a[1]*sat16(2*x.r[1])>>15 + x.a[2]*sat16(2*x.r[2])>>15) // FILTEP
	sz := 0                                                               // FILTEZ
	for i := 6; i > 0; i-- {
		sz += x.b[i] * sat16(2*x.d[i]) >> 15
	}
	x.sz = sat16(sz)
	x.s = sat16(x.sp + x.sz) // PREDIC
}

// poles adapts the two pole coefficients: UPPOL2, UPPOL1.
func (x *g722Band) poles() {
	same1, same2 := x.p[0]>>15 == x.p[1]>>15, x.p[0]>>15 == x.p[2]>>15
	w := sat16(4 * x.a[1])
	if same1 {
		w = min(-w, math.MaxInt16)
	}
	a2 := w>>7 - 128
	if same2 {
		a2 += 256
	}
	a2 = min(max(a2+x.a[2]*32512>>15, -12288), 12288)
	a1 := x.a[1]*32640>>15 - 192
	if same1 {
		a1 += 384
	}
	most := sat16(15360 - a2)
	x.a = [3]int{0, min(max(sat16(a1), -most), most), a2}
	x.r = [3]int{0, x.r[0], x.r[1]}
	x.p = [3]int{0, x.p[0], x.p[1]}
}

// zeros adapts the six zero coefficients (UPZERO) and moves the delay line.
func (x *g722Band) zeros(d int) {
	for i := 6; i > 0; i-- {
		b := x.b[i] * 32640 >> 15
		switch {
		case d == 0:
		case x.d[i]>>15 == d>>15:
			b += 128
		default:
			b -= 128
		}
		x.b[i] = sat16(b)
		x.d[i] = x.d[i-1]
	}
}

// scale moves the scale factor: LOGSCL and SCALEL, or LOGSCH and SCALEH.
func (x *g722Band) scale(step, most, shift int) {
	x.nb = min(max(x.nb*127>>7+step, 0), most)
	v, by := g722ILB[x.nb>>6&31], shift-x.nb>>11
	if by < 0 {
		x.det = v << -by << 2
	} else {
		x.det = v >> by << 2
	}
}

func (x *g722Band) low(code int) {
	d := x.det * g722QM4[code>>2] >> 15
	x.scale(g722LogLow[code>>2], 18432, 8)
	x.adapt(d)
}

func (x *g722Band) high(code int) (d int) {
	d = x.det * g722QM2[code] >> 15
	x.scale(g722LogHigh[code], 22528, 10)
	x.adapt(d)
	return d
}

// g722State is a coder in one direction.
type g722State struct {
	bands [2]g722Band
	x     [24]int // of the mirror filter
	seed  uint32  // of settle
}

// begin gives the state a reset makes.
func (g *g722State) begin() {
	*g = g722State{}
	g.bands[0].det, g.bands[1].det = 32, 8
}

// mirror takes two samples into the filter and gives its two sums.
func (g *g722State) mirror(first, second int) (odd, even int) {
	copy(g.x[:], g.x[2:])
	g.x[22], g.x[23] = first, second
	for i, c := range g722QMF {
		odd += g.x[2*i] * c
		even += g.x[2*i+1] * g722QMF[11-i]
	}
	return odd, even
}

// encode codes pairs of samples, one byte each.
func (g *g722State) encode(dst []byte, src []int16) {
	for n := range len(src) / 2 {
		odd, even := g.mirror(int(src[2*n]), int(src[2*n+1]))
		low := g.quantizeLow((even + odd) >> 14)
		g.bands[0].low(low)
		high := g.quantizeHigh((even - odd) >> 14)
		g.bands[1].high(high)
		dst[n] = byte(high<<6 | low)
	}
}

// quantizeLow is QUANTL.
func (g *g722State) quantizeLow(x int) int {
	el := sat16(x - g.bands[0].s)
	size := el
	if el < 0 {
		size = -(el + 1)
	}
	i := 1
	for i < 30 && size >= g722Q6[i]*g.bands[0].det>>12 {
		i++
	}
	if el < 0 {
		return g722ILN[i]
	}
	return g722ILP[i]
}

// quantizeHigh is QUANTH.
func (g *g722State) quantizeHigh(x int) int {
	eh := sat16(x - g.bands[1].s)
	size, code := eh, 3
	if eh < 0 {
		size, code = -(eh + 1), 1
	}
	if size >= 564*g.bands[1].det>>12 {
		code--
	}
	return code
}

// decode makes two samples of each byte.
func (g *g722State) decode(dst []int16, src []byte) {
	low, high := &g.bands[0], &g.bands[1]
	for n, c := range src {
		code := int(c & 0x3f)
		lower := clip14(low.s + low.det*g722QM6[code]>>15)
		low.low(code)
		s := high.s
		upper := clip14(s + high.high(int(c>>6)))
		odd, even := g.mirror(lower+upper, lower-upper)
		dst[2*n], dst[2*n+1] = int16(sat16(even>>11)), int16(sat16(odd>>11))
	}
}

// clip14 is LIMIT.
func clip14(v int) int { return min(max(v, -16384), 16383) }

// g722Rate is how many codes are sent in a second.
const g722Rate = 8000

// settle fills dst with the smallest steps of both bands, up and down at random, so that
// scale factors and predictors of whoever decodes them fade away, and goes along. Any
// rule in the signs, as what is made of silence has, would teach the predictors something.
func (g *g722State) settle(dst []byte) int {
	const up, down = 0xfa, 0x5e
	for i := range dst {
		g.seed = g.seed*1664525 + 1013904223
		dst[i] = up
		if g.seed>>31 != 0 {
			dst[i] = down
		}
		g.bands[0].low(int(dst[i] & 0x3f))
		g.bands[1].high(int(dst[i] >> 6))
	}
	return len(dst)
}
