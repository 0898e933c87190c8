package audio

import (
	"math"
	"testing"

	"github.com/zaf/g711"
)

func TestG711MatchesReference(t *testing.T) {
	all := make([]int16, 1<<16)
	for i := range all {
		all[i] = int16(uint16(i))
	}
	a, u := make([]byte, len(all)), make([]byte, len(all))
	EncodeALaw(a, all)
	EncodeULaw(u, all)
	for i, v := range all {
		if a[i] != g711.EncodeAlawFrame(v) || u[i] != g711.EncodeUlawFrame(v) {
			t.Fatalf("sample %d: A-law %#x, µ-law %#x", v, a[i], u[i])
		}
	}
}

// The codes of ITU-T G.711 for silence and full scale.
func TestG711KnownCodes(t *testing.T) {
	tests := []struct {
		sample     int16
		alaw, ulaw byte
	}{
		{0, 0xD5, 0xFF},
		{math.MaxInt16, 0xAA, 0x80},
		{math.MinInt16, 0x2A, 0x00},
	}
	for _, tt := range tests {
		var a, u [1]byte
		EncodeALaw(a[:], []int16{tt.sample})
		EncodeULaw(u[:], []int16{tt.sample})
		if a[0] != tt.alaw || u[0] != tt.ulaw {
			t.Errorf("%d: A-law %#x, want %#x; µ-law %#x, want %#x", tt.sample, a[0], tt.alaw, u[0], tt.ulaw)
		}
	}
}

func TestG711RoundTripKeepsTone(t *testing.T) {
	in := make([]int16, 800)
	Tone(in, 8000, 440, 0.5, 0)
	code, out := make([]byte, len(in)), make([]int16, len(in))
	EncodeALaw(code, in)
	DecodeALaw(out, code)
	if p := Goertzel(out, 8000, 440); p < 0.99 {
		t.Errorf("A-law: 440 Hz holds %.3f of the energy", p)
	}
	EncodeULaw(code, in)
	DecodeULaw(out, code)
	if p := Goertzel(out, 8000, 440); p < 0.99 {
		t.Errorf("µ-law: 440 Hz holds %.3f of the energy", p)
	}
}

func TestConversion(t *testing.T) {
	if Conversion(PCMA, PCMA) != nil || Conversion(PCMU, Other) != nil || Conversion(None, PCMA) != nil {
		t.Error("a conversion where none is needed or possible")
	}
	in := make([]int16, 800)
	Tone(in, 8000, 1000, 0.5, 0)
	code, out := make([]byte, len(in)), make([]int16, len(in))
	EncodeALaw(code, in)
	table := Conversion(PCMA, PCMU)
	for i, c := range code {
		code[i] = table[c]
	}
	DecodeULaw(out, code)
	if p := Goertzel(out, 8000, 1000); p < 0.99 {
		t.Errorf("A-law to µ-law: 1000 Hz holds %.3f of the energy", p)
	}
}

func TestCodecString(t *testing.T) {
	for c, want := range map[Codec]string{None: "none", PCMU: "PCMU", PCMA: "PCMA", Other: "other"} {
		if c.String() != want {
			t.Errorf("%d: %q, want %q", c, c, want)
		}
	}
}

func TestFrameAllocatesNothing(t *testing.T) {
	pcm, code := make([]int16, 160), make([]byte, 160)
	n := testing.AllocsPerRun(100, func() {
		EncodeALaw(code, pcm)
		DecodeALaw(pcm, code)
		EncodeULaw(code, pcm)
		DecodeULaw(pcm, code)
		Goertzel(pcm, 8000, 440)
	})
	if n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

func BenchmarkEncodeALaw(b *testing.B) {
	b.ReportAllocs()
	pcm, code := make([]int16, 160), make([]byte, 160)
	Tone(pcm, 8000, 440, 0.5, 0)
	for b.Loop() {
		EncodeALaw(code, pcm)
	}
}

func BenchmarkDecodeALaw(b *testing.B) {
	b.ReportAllocs()
	pcm, code := make([]int16, 160), make([]byte, 160)
	for b.Loop() {
		DecodeALaw(pcm, code)
	}
}

func BenchmarkGoertzel(b *testing.B) {
	b.ReportAllocs()
	pcm := make([]int16, 160)
	Tone(pcm, 8000, 440, 0.5, 0)
	for b.Loop() {
		Goertzel(pcm, 8000, 440)
	}
}
