package audio

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/thesyncim/gopus"
)

// known are the codecs that are decoded and encoded.
var known = []Codec{PCMU, PCMA, G722, Opus}

// chirp is a second of sound that sweeps over the band of a telephone.
func chirp(rate int) []int16 {
	pcm := make([]int16, rate)
	phase := 0.0
	for i := range pcm {
		phase += 2 * math.Pi * (200 + 3000*float64(i)/float64(len(pcm))) / float64(rate)
		pcm[i] = int16(8000 * math.Sin(phase))
	}
	return pcm
}

// sum is a digest of a codec's output.
func sum(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:8])
}

// TestG722Golden: the numbers were made by an independent implementation of ITU-T
// G.722 (that of SpanDSP), which gave the same bytes and samples.
func TestG722Golden(t *testing.T) {
	var enc, dec g722State
	enc.begin()
	dec.begin()
	src := make([]int16, 16000)
	for i := range src { // of whole numbers, to be the same on every machine
		src[i] = int16((i*i/7+i*37)%20001 - 10000)
	}
	coded, pcm := make([]byte, len(src)/2), make([]int16, len(src))
	enc.encode(coded, src)
	if got := sum(coded); got != "28c820ff36bbd3c2" {
		t.Errorf("encoded %s", got)
	}
	dec.decode(pcm, coded)
	raw := make([]byte, 0, 2*len(pcm))
	for _, v := range pcm {
		raw = append(raw, byte(v), byte(uint16(v)>>8))
	}
	if got := sum(raw); got != "74cacbecedc0913d" {
		t.Errorf("decoded %s", got)
	}
}

// TestG722Wild: random codes drive the predictor to its bounds and no further.
func TestG722Wild(t *testing.T) {
	var g g722State
	g.begin()
	pcm, c := make([]int16, 2), uint32(1)
	for range 200_000 {
		c = c*1664525 + 1013904223
		g.decode(pcm, []byte{byte(c >> 24)})
		for _, b := range g.bands {
			if b.det <= 0 || b.det > 32767 || max(b.s, -b.s) > 32768 {
				t.Fatalf("%+v", b)
			}
		}
	}
}

// through sends sound through a codec, in frames.
func through(t testing.TB, c Codec, rate int, src []int16) []int16 {
	t.Helper()
	e, d := NewEncoder(c, rate), NewDecoder(c, rate)
	var out []int16
	buf, pcm := make([]byte, MaxFrame), make([]int16, room(rate))
	for f := range slices.Chunk(src, e.Frame()) {
		n := e.Encode(buf, f)
		if n == 0 {
			t.Fatal("not encoded")
		}
		m := d.Decode(pcm, buf[:n])
		if m != len(f) {
			t.Fatalf("%d samples of %d", m, len(f))
		}
		out = append(out, pcm[:m]...)
	}
	return out
}

// snr finds the delay of a signal behind another and how far above the rest it is,
// in decibels, whatever its gain.
func snr(src, out []int16, rate int) (db float64, delay int) {
	db = math.Inf(-1)
	body := src[rate/10 : len(src)-rate/10]
	for d := range rate / 50 {
		got := out[rate/10+d:][:len(body)]
		var xy, xx, yy float64
		for i, v := range body {
			x, y := float64(v), float64(got[i])
			xy += x * y
			xx += x * x
			yy += y * y
		}
		rest := max(xx*yy-xy*xy, xx*yy*1e-10)
		if q := 10 * math.Log10(xy*xy/rest); xy > 0 && q > db {
			db, delay = q, d
		}
	}
	return db, delay
}

func TestThroughACodec(t *testing.T) {
	least := map[Codec]float64{PCMU: 33, PCMA: 33, G722: 25, Opus: 8}
	for _, c := range known {
		for _, rate := range []int{8000, 16000} {
			src := chirp(rate)
			db, delay := snr(src, through(t, c, rate, src), rate)
			t.Logf("%v at %d: %.1f dB, %.1f ms late", c, rate, db, 1000*float64(delay)/float64(rate))
			if db < least[c] || delay > rate/100 {
				t.Errorf("%v at %d: %.1f dB, %d samples late", c, rate, db, delay)
			}
		}
	}
}

func TestUnknownCoder(t *testing.T) {
	for _, tt := range []struct {
		c    Codec
		rate int
	}{{None, 8000}, {Other, 8000}, {Opus, 48000}, {PCMA, 0}} {
		if NewDecoder(tt.c, tt.rate) != nil || NewEncoder(tt.c, tt.rate) != nil {
			t.Errorf("%+v", tt)
		}
	}
}

func TestResampler(t *testing.T) {
	for _, tt := range []struct{ from, to int }{{8000, 16000}, {16000, 8000}, {8000, 48000}, {48000, 8000}, {16000, 48000}, {48000, 16000}} {
		r := NewResampler(tt.from, tt.to)
		src := make([]int16, tt.from)
		Tone(src, tt.from, 1000, 0.5, 0)
		var out []int16
		dst := make([]int16, tt.to/50)
		for f := range slices.Chunk(src, tt.from/50) {
			n := r.Resample(dst, f)
			if n != tt.to/50 {
				t.Fatalf("%+v: %d samples", tt, n)
			}
			out = append(out, dst[:n]...)
		}
		want := make([]int16, tt.to)
		Tone(want, tt.to, 1000, 0.5, 0)
		db, delay := snr(want, out, tt.to)
		if db < 55 {
			t.Errorf("%+v: %.1f dB, %d late", tt, db, delay)
		}
	}
	if NewResampler(8000, 44100) != nil || NewResampler(8000, 8000) != nil || NewResampler(0, 8000) != nil {
		t.Error("a ratio that is not one of ours")
	}
}

// TestResamplerRejects: what the lower rate cannot carry is gone, not folded.
func TestResamplerRejects(t *testing.T) {
	r := NewResampler(16000, 8000)
	src, dst := make([]int16, 16000), make([]int16, 8000)
	Tone(src, 16000, 5200, 0.5, 0)
	r.Resample(dst, src)
	for _, v := range dst[100:] {
		if v > 30 || v < -30 {
			t.Fatalf("%d is left of 5,200 Hz", v)
		}
	}
}

// TestResamplerSizes: blocks of any size give the same samples.
func TestResamplerSizes(t *testing.T) {
	src := chirp(16000)
	whole, part := NewResampler(16000, 8000), NewResampler(16000, 8000)
	want, got := make([]int16, 8000), make([]int16, 0, 8001)
	n := whole.Resample(want, src)
	for i, size := 0, 1; i < len(src); size = size%97 + 1 {
		end := min(i+size, len(src))
		dst := make([]int16, 100)
		got = append(got, dst[:part.Resample(dst, src[i:end])]...)
		i = end
	}
	if !slices.Equal(got, want[:n]) {
		t.Error("not the same")
	}
}

// TestConceal: a lost packet in a tone is hardly heard with each codec, and long
// loss becomes silence; Opus, which fades slowly, is asked for 60 ms at most.
func TestConceal(t *testing.T) {
	for _, c := range known {
		for _, rate := range []int{8000, 16000} {
			src := make([]int16, rate)
			Tone(src, rate, 250, 0.3, 0)
			e, d := NewEncoder(c, rate), NewDecoder(c, rate)
			buf, pcm := make([]byte, MaxFrame), make([]int16, room(rate))
			var lost []int16
			for i, f := range slices.Collect(slices.Chunk(src, e.Frame())) {
				n := e.Encode(buf, f)
				if i == 20 {
					continue
				}
				if i == 21 {
					lost = make([]int16, e.Frame())
					d.Conceal(lost, buf[:n])
				}
				d.Decode(pcm, buf[:n])
			}
			if share := Goertzel(lost, rate, 250); share < 0.8 || Silent(lost) {
				t.Errorf("%v at %d: %.2f of what was made up is the tone", c, rate, share)
			}
			for range 20 {
				d.Conceal(lost, nil)
			}
			if level := peak(lost); c != Opus && level > 0 {
				t.Errorf("%v at %d: %d after a long loss", c, rate, level)
			}
		}
	}
}

func peak(pcm []int16) int {
	most := 0
	for _, v := range pcm {
		most = max(most, int(v), -int(v))
	}
	return most
}

// packets are a second of a tone, in frames.
func packets(t testing.TB, c Codec, rate int, freq float64) [][]byte {
	t.Helper()
	src := make([]int16, rate)
	Tone(src, rate, freq, 0.3, 0)
	e := NewEncoder(c, rate)
	e.Lossy(0.1)
	var list [][]byte
	buf := make([]byte, MaxFrame)
	for f := range slices.Chunk(src, e.Frame()) {
		list = append(list, slices.Clone(buf[:e.Encode(buf, f)]))
	}
	return list
}

func TestListener(t *testing.T) {
	const rate = 8000
	for _, c := range known {
		t.Run(c.String(), func(t *testing.T) {
			list := packets(t, c, rate, 400)
			l := NewListener(rate)
			step := uint32(c.Clock() / 50)
			hear := func(i int) (int64, []int16) {
				return l.Hear(c, 7, math.MaxUint32-10*step+uint32(i)*step+1, list[i])
			}
			base, pcm := hear(0)
			if len(pcm) != 160 {
				t.Fatalf("%d samples", len(pcm))
			}
			for i := 1; i < 15; i++ { // over the wrap
				if at, pcm := hear(i); at != base+int64(i)*160 || len(pcm) != 160 {
					t.Fatalf("packet %d at %d, %d samples", i, at-base, len(pcm))
				}
			}
			if _, pcm := hear(14); pcm != nil {
				t.Error("a packet twice")
			}
			if at, pcm := hear(17); at != base+15*160 || len(pcm) != 480 || Goertzel(pcm[:320], rate, 400) < 0.7 {
				t.Errorf("two lost: %d samples at %d", len(pcm), at-base)
			}
			if _, pcm := hear(16); pcm != nil {
				t.Error("a late packet")
			}
			if at, pcm := hear(30); at != base+30*160 || len(pcm) != 160 {
				t.Errorf("after a pause: %d samples at %d", len(pcm), at-base)
			}
			epoch := l.Epoch()
			if _, pcm := l.Hear(c, 8, 1000, list[31]); len(pcm) != 160 || l.Epoch() == epoch {
				t.Error("another SSRC")
			}
			if _, pcm := l.Hear(c, 8, 1000+100*uint32(c.Clock()), list[32]); len(pcm) != 160 || l.Epoch() != epoch+2 {
				t.Error("a jump")
			}
			for i := range lateMost {
				if _, pcm := l.Hear(c, 8, 1000+99*uint32(c.Clock())+uint32(i)*step, list[33]); (pcm != nil) != (i == lateMost-1) {
					t.Errorf("late packet %d: %d samples", i, len(pcm))
				}
			}
		})
	}
}

// TestOpusShapes: packets of other lengths and of two channels.
func TestOpusShapes(t *testing.T) {
	one := packets(t, Opus, 16000, 400)
	for _, tt := range []struct {
		name    string
		payload []byte
		samples int
	}{
		{"empty", nil, 0},
		{"only the first byte, which is DTX", one[0][:1], 160},
		{"a frame count that lies", []byte{0x0b, 0x3f, 1, 2, 3}, 0},
		{"two frames of equal length, odd", []byte{0x09, 1, 2, 3, 4, 5}, -1},
	} {
		d := NewDecoder(Opus, 8000)
		pcm := make([]int16, room(8000))
		if n := d.Decode(pcm, tt.payload); tt.samples >= 0 && n != tt.samples {
			t.Errorf("%s: %d samples", tt.name, n)
		}
		if n := d.Decode(pcm, one[1]); n != 160 {
			t.Errorf("%s: then %d samples", tt.name, n)
		}
	}
}

// TestOpusStereo: a phone may send two channels and another rate and length
// whatever was agreed (RFC 7587 §4.3); they become one channel of ours.
func TestOpusStereo(t *testing.T) {
	e, err := gopus.NewEncoder(gopus.EncoderConfig{SampleRate: 48000, Channels: 2, Application: gopus.ApplicationAudio})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.SetFrameSize(480); err != nil {
		t.Fatal(err)
	}
	mono := make([]int16, 48000)
	Tone(mono, 48000, 500, 0.3, 0)
	d := NewDecoder(Opus, 8000)
	var out []int16
	buf, pcm := make([]byte, 1275), make([]int16, room(8000))
	for f := range slices.Chunk(mono, 480) {
		both := make([]int16, 0, 960)
		for _, v := range f {
			both = append(both, v, v)
		}
		n, err := e.EncodeInt16(both, buf)
		if err != nil {
			t.Fatal(err)
		}
		m := d.Decode(pcm, buf[:n])
		if m != 80 {
			t.Fatalf("%d samples", m)
		}
		out = append(out, pcm[:m]...)
	}
	if share := Goertzel(out[4000:], 8000, 500); share < 0.95 || peak(out[4000:]) < 5000 {
		t.Errorf("the tone is %.2f of it, peak %d", share, peak(out[4000:]))
	}
}

// FuzzListener: nothing that comes as a payload does more than sound wrong.
// TestListenerRefuses: what is no packet of a known codec.
func TestListenerRefuses(t *testing.T) {
	l := NewListener(8000)
	l.Hear(PCMA, 1, 1640, make([]byte, 160))
	if _, pcm := l.Hear(Other, 1, 1800, make([]byte, 160)); pcm != nil {
		t.Error("a codec that is not known")
	}
	if _, pcm := l.Hear(PCMU, 1, 1800, make([]byte, 1505)); len(pcm) != 0 {
		t.Error("a packet that is too long")
	}
	if _, ok := l.Lead(PCMA, 1, 1800); ok {
		t.Error("the line of another codec goes on")
	}
}

func FuzzListener(f *testing.F) {
	for i, c := range known {
		for _, p := range packets(f, c, 8000, 400)[:3] {
			f.Add(byte(i), uint32(0), uint32(960), p, p)
		}
	}
	f.Add(byte(3), uint32(0), uint32(1), []byte{0xff, 0xff, 0xff}, []byte{})
	f.Fuzz(func(t *testing.T, kind byte, first, second uint32, a, b []byte) {
		c := known[kind%4]
		rate := 8000 + int(kind&4)*2000
		l := NewListener(rate)
		for range 3 {
			for _, p := range []struct {
				ts uint32
				b  []byte
			}{{first, a}, {second, b}} {
				if _, pcm := l.Hear(c, 1, p.ts, p.b); len(pcm) > (maxMs+gapMost)*rate/1000 {
					t.Fatalf("%d samples", len(pcm))
				}
			}
			first, second = first+second, second*2
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	for _, c := range known {
		for _, rate := range []int{8000, 16000} {
			b.Run(fmt.Sprint(c, "/", rate), func(b *testing.B) {
				list := packets(b, c, rate, 400)
				d, pcm := NewDecoder(c, rate), make([]int16, room(rate))
				b.ReportAllocs()
				for i := range b.N {
					d.Decode(pcm, list[i%len(list)])
				}
			})
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	for _, c := range known {
		for _, rate := range []int{8000, 16000} {
			b.Run(fmt.Sprint(c, "/", rate), func(b *testing.B) {
				src := chirp(rate)
				e, buf := NewEncoder(c, rate), make([]byte, MaxFrame)
				frame := e.Frame()
				b.ReportAllocs()
				for i := range b.N {
					e.Encode(buf, src[i%50*frame:][:frame])
				}
			})
		}
	}
}

func BenchmarkConceal(b *testing.B) {
	c := newConcealer(16000)
	pcm := make([]int16, 320)
	Tone(pcm, 16000, 150, 0.3, 0)
	b.ReportAllocs()
	for range b.N {
		c.heard(pcm)
		c.fill(pcm)
	}
}
