package audio

import (
	"slices"
	"testing"
	"time"
)

func TestMix(t *testing.T) {
	dst := []int16{0, 1000, 32000, -32000, 32767, -32768, 5}
	Mix(dst, []int16{0, -1500, 1000, -1000, 32767, -32768})
	if want := []int16{0, -500, 32767, -32768, 32767, -32768, 5}; !slices.Equal(dst, want) {
		t.Errorf("%v, want %v", dst, want)
	}
}

func TestMixedTonesAreBothThere(t *testing.T) {
	a, b := make([]int16, 1600), make([]int16, 1600)
	Tone(a, 8000, 400, 0.3, 0)
	Tone(b, 8000, 1000, 0.3, 0)
	Mix(a, b)
	for _, f := range []float64{400, 1000} {
		if share := Goertzel(a, 8000, f); share < 0.49 || share > 0.51 {
			t.Errorf("%v Hz holds %.3f of the energy", f, share)
		}
	}
}

func TestGain(t *testing.T) {
	for _, tt := range []struct {
		factor int32
		want   []int16
	}{
		{256, []int16{100, -100, 32767, -32768}},
		{128, []int16{50, -50, 16383, -16384}},
		{0, []int16{0, 0, 0, 0}},
		{512, []int16{200, -200, 32767, -32768}},
		{1 << 30, []int16{32767, -32768, 32767, -32768}},
	} {
		got := []int16{100, -100, 32767, -32768}
		Gain(got, tt.factor)
		if !slices.Equal(got, tt.want) {
			t.Errorf("gain %d: %v, want %v", tt.factor, got, tt.want)
		}
	}
}

func TestSilent(t *testing.T) {
	for _, codec := range []Codec{PCMA, PCMU} {
		code, pcm := make([]byte, 160), make([]int16, 160)
		Encode(code, pcm, codec)
		if Decode(pcm, code, codec); !Silent(pcm) {
			t.Errorf("%v: silence is %d", codec, pcm[0])
		}
		pcm[100] = 40
		Encode(code, pcm, codec)
		if Decode(pcm, code, codec); Silent(pcm) {
			t.Errorf("%v: sound is silent", codec)
		}
	}
	if Encode(nil, nil, Other) || Decode(nil, nil, None) {
		t.Error("a codec that is not known here")
	}
}

func TestMixAllocatesNothing(t *testing.T) {
	a, b := make([]int16, 160), make([]int16, 160)
	if n := testing.AllocsPerRun(100, func() { Mix(a, b); Gain(a, 200) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestMelody(t *testing.T) {
	pcm := Melody{Notes: []float64{440, 0, 880}, Step: 500 * time.Millisecond, Amplitude: 0.2}.PCM(8000)
	if len(pcm) != 12000 {
		t.Fatalf("%d samples", len(pcm))
	}
	if share := Goertzel(pcm[:800], 8000, 440); share < 0.9 {
		t.Errorf("440 Hz holds %.2f of the first note", share)
	}
	if share := Goertzel(pcm[8000:8800], 8000, 880); share < 0.9 {
		t.Errorf("880 Hz holds %.2f of the last note", share)
	}
	if n := len(Melody{}.PCM(8000)); n != 0 {
		t.Errorf("%d samples of nothing", n)
	}
}
