package audio

import (
	"testing"
	"time"
)

// TestProgressTone: the tones of some countries, by their frequency and by when they are
// on; every tone of every country is one that can be repeated.
func TestProgressTone(t *testing.T) {
	for _, tt := range []struct {
		country string
		tone    Progress
		freqs   []float64
		on, off int // milliseconds
	}{
		{"RU", Ringing, []float64{425}, 1000, 4000}, {"RU", Busy, []float64{425}, 350, 350}, {"RU", Congestion, []float64{425}, 175, 175},
		{"US", Busy, []float64{480, 620}, 500, 500}, {"US", Congestion, []float64{480, 620}, 250, 250},
		{"GB", Busy, []float64{400}, 375, 375}, {"DE", Busy, []float64{425}, 480, 480}, {"FR", Ringing, []float64{440}, 1500, 3500},
		{"XX", Busy, []float64{425}, 500, 500}, {"", Congestion, []float64{425}, 250, 250},
	} {
		pcm := ProgressTone(tt.tone, tt.country, 8000)
		if want := (tt.on + tt.off) * 8; len(pcm) != want {
			t.Errorf("%s %d: %d samples, want %d", tt.country, tt.tone, len(pcm), want)
			continue
		}
		for _, f := range tt.freqs {
			if p := Goertzel(pcm[:tt.on*8], 8000, f); p < 0.9/float64(len(tt.freqs)) {
				t.Errorf("%s %d: %v Hz holds %.2f of it", tt.country, tt.tone, f, p)
			}
		}
		for _, v := range pcm[tt.on*8:] {
			if v != 0 {
				t.Errorf("%s %d: not silent when it is off", tt.country, tt.tone)
				break
			}
		}
	}
	sit := ProgressTone(Unobtainable, "RU", 8000)
	for i, f := range []float64{950, 1400, 1800} { // ITU-T E.180 §6: the special information tone
		part := sit[i*330*8:][:330*8]
		if p := Goertzel(part[400:2200], 8000, f); p < 0.8 {
			t.Errorf("part %d: %v Hz holds %.2f of it", i, f, p)
		}
	}
	if steady := ProgressTone(Unobtainable, "GB", 8000); Goertzel(steady, 8000, 400) < 0.95 {
		t.Error("the British one is no steady tone of 400 Hz")
	}
	for country := range plans {
		for tone := Ringing; tone <= Unobtainable; tone++ {
			if n := len(ProgressTone(tone, country, 8000)); n == 0 || n > 8000*int(8*time.Second/time.Second) {
				t.Errorf("%s %d: %d samples", country, tone, n)
			}
		}
	}
}
