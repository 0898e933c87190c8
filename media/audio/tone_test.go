package audio

import (
	"math"
	"testing"
	"time"
)

func TestToneContinues(t *testing.T) {
	whole, parts := make([]int16, 320), make([]int16, 320)
	Tone(whole, 8000, 425, 0.5, 0)
	phase := Tone(parts[:160], 8000, 425, 0.5, 0)
	Tone(parts[160:], 8000, 425, 0.5, phase)
	for i := range whole {
		if d := int(whole[i]) - int(parts[i]); d < -1 || d > 1 {
			t.Fatalf("sample %d: %d in one block, %d in two", i, whole[i], parts[i])
		}
	}
}

func TestRingback(t *testing.T) {
	tests := []struct {
		country string
		freqs   []float64
		period  time.Duration
		on      time.Duration
	}{
		{"RU", []float64{425}, 5 * time.Second, time.Second},
		{"", []float64{425}, 5 * time.Second, time.Second},
		{"US", []float64{440, 480}, 6 * time.Second, 2 * time.Second},
		{"GB", []float64{400, 450}, 3 * time.Second, 400 * time.Millisecond},
	}
	for _, tt := range tests {
		t.Run(tt.country, func(t *testing.T) {
			pcm := Ringback(tt.country).PCM(8000)
			if len(pcm) != samplesIn(tt.period, 8000) {
				t.Fatalf("%d samples, want %v", len(pcm), tt.period)
			}
			on := pcm[:samplesIn(tt.on, 8000)]
			for _, f := range tt.freqs {
				if p := Goertzel(on, 8000, f); p < 0.95/float64(len(tt.freqs)) {
					t.Errorf("%v Hz holds %.3f of the energy", f, p)
				}
			}
			if p := Goertzel(pcm[len(on):len(on)+800], 8000, tt.freqs[0]); p != 0 {
				t.Errorf("tone in the silence: %.3f", p)
			}
		})
	}
}

func TestEmptyCadence(t *testing.T) {
	if pcm := (Cadence{}).PCM(8000); len(pcm) != 0 {
		t.Errorf("%d samples", len(pcm))
	}
	if pcm := (Cadence{Pattern: []time.Duration{time.Second}}).PCM(8000); Goertzel(pcm, 8000, 425) != 0 {
		t.Error("sound without a frequency")
	}
}

func TestGoertzel(t *testing.T) {
	tone := make([]int16, 8000)
	Tone(tone, 8000, 440, 0.1, 1)
	noise := make([]int16, 8000)
	seed := uint32(1)
	for i := range noise {
		seed = seed*1664525 + 1013904223
		noise[i] = int16(seed >> 16)
	}
	tests := []struct {
		name      string
		samples   []int16
		freq      float64
		low, high float64
	}{
		{"the tone", tone, 440, 0.99, 1},
		{"beside it", tone, 600, 0, 0.01},
		{"noise", noise, 440, 0, 0.01},
		{"silence", make([]int16, 160), 440, 0, 0},
		{"nothing", nil, 440, 0, 0},
	}
	for _, tt := range tests {
		if p := Goertzel(tt.samples, 8000, tt.freq); p < tt.low || p > tt.high {
			t.Errorf("%s: %.4f, want %v to %v", tt.name, p, tt.low, tt.high)
		}
	}
}

// The values are worked by hand from the formulas of G.107 §3 and annex B.
func TestMOS(t *testing.T) {
	tests := []struct {
		name string
		path Path
		want float64
	}{
		{"perfect", Path{}, 4.40},
		{"good office", Path{Codec: "PCMA", JitterMs: 2, RTTMs: 20}, 4.39},
		{"1 % loss", Path{Loss: 0.01, RTTMs: 40}, 4.303},
		{"5 % loss", Path{Loss: 0.05, RTTMs: 40}, 3.883},
		{"5 % loss in bursts", Path{Loss: 0.05, BurstR: 2, RTTMs: 40}, 3.829},
		{"20 % loss", Path{Loss: 0.20, RTTMs: 40}, 2.581},
		{"G.729", Path{Codec: "G729"}, 4.087},
		{"G.729, 2 % loss", Path{Codec: "G729", Loss: 0.02}, 3.774},
		{"a codec unheard of", Path{Codec: "x"}, 4.40},
		{"satellite", Path{RTTMs: 600}, 3.59},
		{"all lost", Path{Loss: 1}, 1.165},
		{"nonsense", Path{Loss: 7, BurstR: -3, JitterMs: -5, RTTMs: -1}, 1.165},
		{"hopeless", Path{Loss: 1, JitterMs: 1000, RTTMs: 5000}, 1},
	}
	for _, tt := range tests {
		if got := tt.path.MOS(); math.Abs(got-tt.want) > 0.01 {
			t.Errorf("%s: %.3f, want %.2f", tt.name, got, tt.want)
		}
	}
	if far := (Path{RTTMs: 600}); far.ListeningMOS() < 4.4 {
		t.Errorf("who only listens hears no delay: %.2f", far.ListeningMOS())
	}
	if got := MOS(math.NaN()); got != 1 {
		t.Errorf("NaN: %v", got)
	}
}

func TestResample(t *testing.T) {
	for _, tt := range []struct{ from, to int }{{16000, 8000}, {48000, 8000}, {44100, 8000}, {8000, 16000}, {8000, 48000}} {
		in := make([]int16, tt.from)
		Tone(in, tt.from, 1000, 0.5, 0)
		out := Resample(in, tt.from, tt.to)
		if len(out) != tt.to {
			t.Errorf("%d to %d: %d samples", tt.from, tt.to, len(out))
		}
		middle := out[tt.to/4 : tt.to*3/4]
		if p := Goertzel(middle, tt.to, 1000); p < 0.999 {
			t.Errorf("%d to %d: 1000 Hz holds %.4f of the energy", tt.from, tt.to, p)
		}
		var top int16
		for _, v := range middle {
			top = max(top, v)
		}
		if top < 16000 || top > 16800 {
			t.Errorf("%d to %d: level %d, want 16383", tt.from, tt.to, top)
		}
	}
}

// A tone above the new band must vanish, not fold back into it.
func TestResampleStopsAliases(t *testing.T) {
	in := make([]int16, 48000)
	Tone(in, 48000, 5500, 0.9, 0)
	for _, v := range Resample(in, 48000, 8000)[1000:7000] {
		if v > 60 || v < -60 {
			t.Fatalf("alias of level %d", v)
		}
	}
}

func TestKey(t *testing.T) {
	for digit, want := range map[byte][2]float64{'1': {697, 1209}, 'A': {697, 1633}, '5': {770, 1336}, '9': {852, 1477}, '*': {941, 1209}, '0': {941, 1336}, '#': {941, 1477}, 'D': {941, 1633}, 'x': {}} {
		if low, high := Key(digit); low != want[0] || high != want[1] {
			t.Errorf("%c: %v and %v, want %v", digit, low, high, want)
		}
	}
}
