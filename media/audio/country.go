package audio

import "time"

// Progress is a tone that tells a caller how the call goes (ITU-T E.180).
type Progress int

// The tones.
const (
	Ringing      Progress = iota // it rings there
	Busy                         // the one who was called is busy, or does not answer
	Congestion                   // no way there now
	Unobtainable                 // no such number
)

// progressLevel is about −16 dBFS: audible, not startling.
const progressLevel = 0.15

// plan is the tones of a country: the frequencies in hertz, and how long each tone is on
// and off in milliseconds.
type plan struct {
	ringFreqs  []float64
	ring       []int
	freqs      []float64 // of busy and congestion
	busy       []int
	congestion []int
	steady     bool // unobtainable is a continuous tone in place of the three of E.180
}

// international is what ITU-T E.180 recommends and most of the world has.
var international = plan{[]float64{425}, []int{1000, 4000}, []float64{425}, []int{500, 500}, []int{250, 250}, false}

// like is international with other times.
func like(ring, busy, congestion []int) plan {
	p := international
	p.ring, p.busy, p.congestion = ring, busy, congestion
	return p
}

// usual is the ringing of international.
var usual = international.ring

// america is the plan of the North American countries.
var america = plan{[]float64{440, 480}, []int{2000, 4000}, []float64{480, 620}, []int{500, 500}, []int{250, 250}, false}

// plans are those of the countries that differ from international, by ISO 3166 code
// (ITU-T E.180 supplement 2).
var plans = map[string]plan{
	"RU": like(usual, []int{350, 350}, []int{175, 175}),
	"BY": like(usual, []int{350, 350}, []int{175, 175}),
	"KZ": like(usual, []int{350, 350}, []int{175, 175}),
	"UA": like(usual, []int{350, 350}, []int{175, 175}),
	"US": america, "CA": america,
	"GB": {[]float64{400, 450}, []int{400, 200, 400, 2000}, []float64{400}, []int{375, 375}, []int{400, 350, 225, 525}, true},
	"IE": {[]float64{400, 450}, []int{400, 200, 400, 2000}, []float64{425}, []int{500, 500}, []int{500, 500}, false},
	"DE": like(usual, []int{480, 480}, []int{240, 240}),
	"FR": {[]float64{440}, []int{1500, 3500}, []float64{440}, []int{500, 500}, []int{250, 250}, false},
	"IT": like(usual, []int{500, 500}, []int{200, 200}),
	"ES": like([]int{1500, 3000}, []int{200, 200}, []int{200, 200, 200, 200, 200, 600}),
	"PT": like([]int{1000, 5000}, []int{500, 500}, []int{200, 200}),
	"BE": like([]int{1000, 3000}, []int{500, 500}, []int{167, 167}),
	"AT": {[]float64{420}, []int{1000, 5000}, []float64{420}, []int{400, 400}, []int{200, 200}, false},
	"CH": like(usual, []int{500, 500}, []int{200, 200}),
	"SE": like([]int{1000, 5000}, []int{250, 250}, []int{250, 750}),
	"NO": like(usual, []int{500, 500}, []int{200, 200}),
	"FI": like(usual, []int{300, 300}, []int{200, 200}),
	"DK": like(usual, []int{500, 500}, []int{200, 200}),
	"PL": like(usual, []int{500, 500}, []int{500, 500}),
	"CZ": like(usual, []int{330, 330}, []int{165, 165}),
	"HU": like([]int{1250, 3750}, []int{300, 300}, []int{300, 300}),
	"GR": like(usual, []int{300, 300}, []int{200, 200}),
	"LT": like(usual, []int{350, 350}, []int{200, 200}),
	"EE": like(usual, []int{300, 300}, []int{200, 200}),
	"IL": {[]float64{400}, []int{1000, 3000}, []float64{400}, []int{500, 500}, []int{250, 250}, false},
	"TR": {[]float64{450}, []int{2000, 4000}, []float64{450}, []int{500, 500}, []int{200, 200, 200, 200, 200, 200, 600, 200}, false},
	"IN": {[]float64{400}, []int{400, 200, 400, 2000}, []float64{400}, []int{750, 750}, []int{250, 250}, false},
	"CN": {[]float64{450}, []int{1000, 4000}, []float64{450}, []int{350, 350}, []int{700, 700}, false},
	"JP": {[]float64{384, 416}, []int{1000, 2000}, []float64{400}, []int{500, 500}, []int{500, 500}, false},
	"AU": {[]float64{400, 450}, []int{400, 200, 400, 2000}, []float64{425}, []int{375, 375}, []int{375, 375}, false},
	"NZ": {[]float64{400, 450}, []int{400, 200, 400, 2000}, []float64{400}, []int{500, 500}, []int{250, 250}, false},
	"BR": like(usual, []int{250, 250}, []int{250, 250, 750, 250}),
	"MX": like(usual, []int{250, 250}, []int{250, 250}),
}

// Ringback is the tone that a caller of the given country (ISO 3166 code) knows
// as "it rings there". Countries that are not listed get the ITU recommended one.
func Ringback(country string) Cadence {
	p := planOf(country)
	return cadence(p.ringFreqs, p.ring)
}

// ProgressTone is one period of a tone of a country, to be repeated.
func ProgressTone(t Progress, country string, rate int) []int16 {
	p := planOf(country)
	switch {
	case t == Ringing:
		return cadence(p.ringFreqs, p.ring).PCM(rate)
	case t == Busy:
		return cadence(p.freqs, p.busy).PCM(rate)
	case t == Congestion:
		return cadence(p.freqs, p.congestion).PCM(rate)
	case p.steady:
		return cadence(p.freqs, []int{1000}).PCM(rate)
	}
	return Melody{Amplitude: progressLevel, Step: 330 * time.Millisecond, Notes: []float64{950, 1400, 1800, 0, 0, 0}}.PCM(rate)
}

func planOf(country string) plan {
	if p, ok := plans[country]; ok {
		return p
	}
	return international
}

func cadence(freqs []float64, milliseconds []int) Cadence {
	c := Cadence{Freqs: freqs, Amplitude: progressLevel}
	for _, ms := range milliseconds {
		c.Pattern = append(c.Pattern, time.Duration(ms)*time.Millisecond)
	}
	return c
}
