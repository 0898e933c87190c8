package audio

import (
	"math"
	"slices"
	"testing"
)

// voice is like a vowel: a period with harmonics, a little noise.
func voice(rate, n int, pitch float64) []int16 {
	pcm := make([]int16, n)
	var noise Noise
	noise.Hear([]byte{60})
	noise.Fill(pcm)
	for i := range pcm {
		var v float64
		for k := 1; k <= 12; k++ {
			v += math.Sin(2*math.Pi*pitch*float64(k*i)/float64(rate)+float64(k*k)) / float64(k)
		}
		pcm[i] += int16(4000 * v)
	}
	return pcm
}

// click is the largest step between neighbours.
func click(pcm []int16) int {
	most := 0
	for i := 1; i < len(pcm); i++ {
		d := int(pcm[i]) - int(pcm[i-1])
		most = max(most, d, -d)
	}
	return most
}

// Sound becomes shorter and longer by its period, with no step that was not there.
func TestStretch(t *testing.T) {
	for _, rate := range []int{8000, 16000} {
		for _, pitch := range []float64{70, 110, 180, 300} {
			whole := voice(rate, rate, pitch)
			before, frame := slices.Clone(whole[:rate/2]), rate/50
			part := slices.Clone(whole[rate/2:][:frame])
			n := Shorten(part, rate, frame, false)
			got := append(slices.Concat(before, part[:n]), whole[rate/2+frame:]...)
			if taken := frame - n; taken == 0 || math.Abs(math.Remainder(float64(taken), float64(rate)/pitch)) > float64(rate)/4000 {
				t.Errorf("%d Hz, pitch %v: %d samples taken out", rate, pitch, taken)
			}
			if click(got) > click(whole)*5/4 {
				t.Errorf("%d Hz, pitch %v: a step of %d, there were %d", rate, pitch, click(got), click(whole))
			}
			part = append(slices.Clone(whole[rate/2:][:frame]), make([]int16, rate*stretchMost/1000)...)
			n = Lengthen(part, frame, rate, false)
			got = append(slices.Concat(before, part[:n]), whole[rate/2+frame:]...)
			if more := n - frame; more == 0 || math.Abs(math.Remainder(float64(more), float64(rate)/pitch)) > float64(rate)/4000 {
				t.Errorf("%d Hz, pitch %v: %d samples put in", rate, pitch, more)
			}
			if click(got) > click(whole)*5/4 {
				t.Errorf("%d Hz, pitch %v: a step of %d, there were %d", rate, pitch, click(got), click(whole))
			}
		}
	}
}

// What has no period is left alone, unless there is nothing to be heard or it is
// forced; what is too short is left alone always.
func TestStretchLeaves(t *testing.T) {
	noise := make([]int16, 160, 400)
	seed := uint32(1)
	for i := range noise {
		seed = seed*1664525 + 1013904223
		noise[i] = int16(seed>>16) / 4
	}
	if n := Shorten(slices.Clone(noise), 8000, 160, false); n != 160 {
		t.Errorf("%d samples of noise are left", n)
	}
	if n := Lengthen(append(slices.Clone(noise), make([]int16, 240)...), 160, 8000, false); n != 160 {
		t.Errorf("%d samples of noise", n)
	}
	if n := Shorten(slices.Clone(noise), 8000, 160, true); n >= 160 || n < 40 {
		t.Errorf("forced: %d samples of noise", n)
	}
	if n := Shorten(make([]int16, 160), 8000, 100, false); n != 60 {
		t.Errorf("%d samples of silence", n)
	}
	if n := Shorten(make([]int16, 160), 8000, 1000, false); n != 40 {
		t.Errorf("%d samples of silence", n)
	}
	if n := Shorten(make([]int16, 50), 8000, 50, true); n != 50 {
		t.Errorf("%d samples of very little", n)
	}
}

func TestStretchAllocatesNothing(t *testing.T) {
	pcm := voice(16000, 640, 120)
	if n := testing.AllocsPerRun(100, func() { Shorten(pcm[:320], 16000, 320, true); Lengthen(pcm, 320, 16000, true) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkStretch(b *testing.B) {
	pcm := voice(16000, 320, 120)
	b.ReportAllocs()
	for b.Loop() {
		stretchLag(pcm, 16000, false)
	}
}

func TestNoise(t *testing.T) {
	var n Noise
	pcm := make([]int16, 8000)
	if n.Fill(pcm) {
		t.Error("sound before any")
	}
	for _, tt := range []struct {
		payload []byte
		want    float64 // dBov
	}{{[]byte{40}, -40}, {[]byte{60, 100, 30}, -60}, {[]byte{0}, -30}, {[]byte{0x80 | 50}, -50}, {nil, -50}} {
		n.Hear(tt.payload)
		if !n.Fill(pcm) {
			t.Fatal("silence")
		}
		var sum float64
		for _, v := range pcm {
			sum += float64(v) * float64(v)
		}
		if got := 10 * math.Log10(sum/8000/(32768*32768)); math.Abs(got-tt.want) > 0.7 {
			t.Errorf("%v: %.1f dBov", tt.payload, got)
		}
	}
	if n.Hear([]byte{127}); n.Fill(pcm) {
		t.Error("−127 dBov is heard")
	}
	n.Hear([]byte{40})
	if n.Stop(); n.Fill(pcm) {
		t.Error("it does not stop")
	}
}

// Length agrees with the decoders.
func TestLength(t *testing.T) {
	for _, c := range known {
		d, pcm := NewDecoder(c, 16000), make([]int16, room(16000))
		for _, p := range packets(t, c, 16000, 400) {
			if got, want := Length(c, p)*16000/c.Clock(), d.Decode(pcm, p); got != want {
				t.Fatalf("%v: %d samples, not %d", c, got, want)
			}
		}
	}
	for _, tt := range []struct {
		c       Codec
		payload []byte
		want    int
	}{{Opus, nil, 0}, {Opus, []byte{0x08}, 960}, {Opus, []byte{0x0b}, 0}, {Opus, []byte{0x0b, 3}, 2880}, {Opus, []byte{0x0b, 0x3f}, 0},
		{Opus, []byte{0x80}, 120}, {Opus, []byte{0x79}, 1920}, {PCMA, make([]byte, 1504), 1504}, {PCMA, make([]byte, 1505), 0}, {Other, []byte{1}, 0}} {
		if got := Length(tt.c, tt.payload); got != tt.want {
			t.Errorf("%v %x: %d", tt.c, tt.payload, got)
		}
	}
}

// Quiet tells a voice from a quiet room, by every codec. To Opus a vowel that goes
// on for more than half a second is no voice.
func TestQuiet(t *testing.T) {
	for _, c := range known {
		for _, rate := range []int{8000, 16000} {
			room, buf := make([]int16, rate), make([]byte, MaxFrame)
			var n Noise
			n.Hear([]byte{70})
			n.Fill(room)
			for name, src := range map[string][]int16{"voice": voice(rate, rate/2, 130), "room": room, "nothing": make([]int16, rate)} {
				e, quiet := NewEncoder(c, rate), 0
				for f := range slices.Chunk(src, e.Frame()) {
					if Quiet(c, buf[:e.Encode(buf, f)]) {
						quiet++
					}
				}
				if (name == "voice") != (quiet <= 5) || name != "voice" && quiet < 45 {
					t.Errorf("%v at %d: %d packets of a %s are quiet", c, rate, quiet, name)
				}
			}
		}
	}
	if Quiet(Other, nil) || !Quiet(Opus, nil) || !DTX(Opus, []byte{1, 2}) || DTX(PCMA, nil) {
		t.Error("of no packet")
	}
}

// FuzzPacket: what is seen of a packet without decoding it agrees with the decoder.
func FuzzPacket(f *testing.F) {
	for i, c := range known {
		for _, p := range packets(f, c, 16000, 400)[:3] {
			f.Add(byte(i), p)
		}
	}
	f.Add(byte(3), []byte{0x0b, 3, 1, 2, 3})
	f.Fuzz(func(t *testing.T, kind byte, p []byte) {
		c := known[kind%4]
		length := Length(c, p)
		Quiet(c, p)
		Repairs(c, p)
		if length < 0 || length > maxMs*c.Clock()/1000 {
			t.Fatalf("length %d", length)
		}
		d, pcm := NewDecoder(c, 16000), make([]int16, room(16000))
		if n := d.Decode(pcm, p); n > 0 && n != length*16000/c.Clock() {
			t.Errorf("%v: %d samples of a packet of %d", c, n, length)
		}
	})
}
