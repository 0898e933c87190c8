package audio

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// keySound is how keys sound in a test.
type keySound struct {
	low, high float64 // dBm0 of the two tones, by the law of G.711
	on, off   time.Duration
	drift     float64 // share by which their frequencies are off
	noise     float64 // SNR in dB; 0: none
}

// amplitude of a tone, of full scale.
func (k keySound) amplitude(level float64) float64 { return math.Pow(10, (level-3.14)/20) }

// pcm is all 16 keys behind some silence, the first block anywhere.
func (k keySound) pcm(r *rand.Rand) []int16 {
	pcm := make([]int16, 800+r.IntN(keyBlock))
	for _, c := range []byte(keyGrid) {
		low, high := Key(c)
		on := make([]int16, samplesIn(k.on, keyRate))
		second := make([]int16, len(on))
		Tone(on, keyRate, low*(1+k.drift), k.amplitude(k.low), 6*r.Float64())
		Tone(second, keyRate, high*(1+k.drift), k.amplitude(k.high), 6*r.Float64())
		Mix(on, second)
		pcm = append(append(pcm, on...), make([]int16, samplesIn(k.off, keyRate))...)
	}
	pcm = append(pcm, make([]int16, 1600+159)...)
	pcm = pcm[:len(pcm)/160*160]
	if k.noise > 0 {
		power := (math.Pow(k.amplitude(k.low), 2) + math.Pow(k.amplitude(k.high), 2)) / 2
		addNoise(pcm, r, math.MaxInt16*math.Sqrt(power*math.Pow(10, -k.noise/10)))
	}
	return pcm
}

// addNoise adds white noise of a standard deviation.
func addNoise(pcm []int16, r *rand.Rand, deviation float64) {
	for i, v := range pcm {
		pcm[i] = clip(int64(v) + int64(r.NormFloat64()*deviation))
	}
}

// keysIn are the keys that are heard in frames of 20 ms, and how long each was down.
func keysIn(pcm []int16) (keys string, held []time.Duration) {
	var d KeyDetector
	for ; len(pcm) > 0; pcm = pcm[min(160, len(pcm)):] {
		for frame := pcm[:min(160, len(pcm))]; len(frame) > 0; {
			before := d.Down()
			frame = frame[d.Hear(frame):]
			switch {
			case before == 0 && d.Down() != 0:
				keys += string(d.Down())
			case before != 0 && d.Down() == 0:
				held = append(held, d.Held())
			}
		}
	}
	return keys, held
}

// TestKeysInSound has the figures of docs/performance.md: how many of the keys that
// must be heard are, and how many of those that must not.
func TestKeysInSound(t *testing.T) {
	const ms = time.Millisecond
	plain := keySound{low: -10, high: -10, on: 40 * ms, off: 40 * ms}
	with := func(change func(*keySound)) keySound {
		k := plain
		change(&k)
		return k
	}
	level := func(low, high float64) keySound { return with(func(k *keySound) { k.low, k.high = low, high }) }
	drift := func(d float64) keySound { return with(func(k *keySound) { k.drift = d }) }
	timed := func(on, off int) keySound {
		return with(func(k *keySound) { k.on, k.off = time.Duration(on)*ms, time.Duration(off)*ms })
	}
	noisy := func(k keySound, snr float64) keySound { k.noise = snr; return k }
	tests := []struct {
		name        string
		k           keySound
		codec       Codec
		least, most float64 // share of the keys that is heard
		off         time.Duration
	}{
		{"-3 dBm0", level(-3, -3), PCMA, 1, 1, 10 * ms},
		{"-20 dBm0", level(-20, -20), PCMA, 1, 1, 10 * ms},
		{"-30 dBm0", level(-30, -30), PCMA, 1, 1, 10 * ms},
		{"-30 dBm0, µ-law", level(-30, -30), PCMU, 1, 1, 10 * ms},
		{"-55 dBm0", level(-55, -55), PCMA, 0, 0, 0},
		{"high 4 dB louder", level(-14, -10), PCMA, 1, 1, 10 * ms},
		{"high 6 dB louder", level(-16, -10), PCMA, 1, 1, 10 * ms},
		{"low 8 dB louder", level(-10, -18), PCMA, 0.97, 1, 10 * ms},
		{"low 6 dB louder, faint", level(-24, -30), PCMA, 1, 1, 10 * ms},
		{"high 14 dB louder", level(-24, -10), PCMA, 0, 0, 0},
		{"low 14 dB louder", level(-10, -24), PCMA, 0, 0, 0},
		{"1.5 % high", drift(0.015), PCMA, 1, 1, 10 * ms},
		{"1.5 % low", drift(-0.015), PCMA, 1, 1, 10 * ms},
		{"3.5 % high", drift(0.035), PCMA, 0, 0, 0},
		{"3.5 % low", drift(-0.035), PCMA, 0, 0, 0},
		{"20 ms", timed(20, 40), PCMA, 0, 0.01, 20 * ms},
		{"60/40 ms", timed(60, 40), PCMA, 1, 1, 10 * ms},
		{"1 s", timed(1000, 40), PCMA, 1, 1, 10 * ms},
		{"noise 15 dB", noisy(plain, 15), PCMA, 0.98, 1, 15 * ms},
		{"60/40 ms, noise 15 dB", noisy(timed(60, 40), 15), PCMA, 1, 1, 15 * ms},
		{"60/40 ms, noise 20 dB, -25 dBm0", noisy(keySound{low: -25, high: -25, on: 60 * ms, off: 40 * ms}, 20), PCMA, 1, 1, 15 * ms},
		{"G.722", plain, G722, 1, 1, 10 * ms},
		{"Opus, 60/60 ms", timed(60, 60), Opus, 0.99, 1, 25 * ms},
		{"Opus, 100/100 ms, -25 dBm0", keySound{low: -25, high: -25, on: 100 * ms, off: 100 * ms}, Opus, 1, 1, 25 * ms},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(4733, 23))
			heard, times := 0, 12
			if tt.codec == Opus {
				times = 3 // which takes long
			}
			var worst time.Duration
			for range times {
				keys, held := keysIn(through(t, tt.codec, keyRate, tt.k.pcm(r)))
				heard += inOrder(keys, keyGrid)
				for _, h := range held {
					worst = max(worst, h-tt.k.on, tt.k.on-h)
				}
			}
			share := float64(heard) / float64(times*len(keyGrid))
			t.Logf("%-32s %5.1f %%  %v", tt.name, 100*share, worst.Round(ms/10))
			if share < tt.least || share > tt.most || worst > tt.off {
				t.Errorf("%.3f of the keys heard, durations off by %v", share, worst)
			}
		})
	}
}

// inOrder counts how many of the keys wanted were heard, in their order; what was
// heard beside them counts against.
func inOrder(keys, want string) int {
	n := 0
	for i := range len(keys) {
		if at := bytes.IndexByte([]byte(want), keys[i]); at >= 0 {
			want = want[at+1:]
			n++
		} else {
			n--
		}
	}
	return n
}

// Speech is no key: made by espeak-ng, of women and men, English and Russian.
func TestTalkOff(t *testing.T) {
	names, err := filepath.Glob("testdata/talk/*.wav")
	if err != nil || len(names) != 4 {
		t.Fatalf("%v, %v", names, err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		talk, err := ReadWAV(bytes.NewReader(text), Limits{Length: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []Codec{PCMA, G722, Opus} {
			noKeys(t, fmt.Sprintf("%s over %v", name, c), through(t, c, keyRate, talk.Samples))
		}
		for _, gain := range []int32{32, 128, 256, 512} {
			pcm := append([]int16(nil), talk.Samples...)
			Gain(pcm, gain)
			addNoise(pcm, r, 100)
			noKeys(t, name+" with noise", pcm)
			for shift := range keyBlock / 17 {
				noKeys(t, name+" shifted", pcm[17*shift:])
			}
		}
	}
}

func noKeys(t *testing.T, name string, pcm []int16) {
	t.Helper()
	if keys, _ := keysIn(pcm); keys != "" {
		t.Errorf("%s: keys %s", name, keys)
	}
}

// Neither are music, noise, the tones of exchanges, one tone of a key, nor a key with
// a third tone or with harmonics.
func TestNoKeys(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	noise := make([]int16, 20*keyRate)
	addNoise(noise, r, 6000)
	noKeys(t, "noise", noise)
	sweep := make([]int16, 0, 20*keyRate)
	phase := 0.0
	for f := 200.0; f < 3600; f += 2 {
		block := make([]int16, 80)
		phase = Tone(block, keyRate, f, 0.5, phase)
		sweep = append(sweep, block...)
	}
	noKeys(t, "a sweep", sweep)
	chords := func(name string, amplitude float64, freqs ...float64) {
		pcm := make([]int16, 2*keyRate)
		for _, f := range freqs {
			one := make([]int16, len(pcm))
			Tone(one, keyRate, f, amplitude, r.Float64())
			Mix(pcm, one)
		}
		noKeys(t, name, pcm)
	}
	for _, e180 := range [][]float64{{425}, {350, 440}, {440, 480}, {480, 620}, {400, 450}, {950, 1400, 1800}, {1400}, {2100}, {1100}, {1800, 1850}} {
		chords(fmt.Sprint(e180, " Hz"), 0.2, e180...)
	}
	for i := range 16 {
		low, high := Key(keyGrid[i])
		chords("one tone", 0.4, low)
		chords("one tone", 0.4, high)
		chords("a third tone", 0.25, low, high, 1900)
		chords("a third tone below", 0.25, low, high, 420)
		chords("two of the low tones", 0.25, keyFreqs[i/4], keyFreqs[(i/4+1)%4], high)
		chords("harmonics", 0.2, high/2, high, 2*high, 1.5*high)
	}
	for base := 60; base < 84; base++ { // chords of an organ, C4 to B5
		note := func(n int) float64 { return 440 * math.Pow(2, float64(n-69)/12) }
		chords("major", 0.15, note(base), note(base+4), note(base+7))
		chords("minor", 0.15, note(base), note(base+3), note(base+7), note(base+12))
		chords("with overtones", 0.1, note(base), 2*note(base), 3*note(base), note(base+9), 2*note(base+9))
	}
	melody := Melody{Amplitude: 0.3, Step: 100 * time.Millisecond, Notes: make([]float64, 200)}
	for i := range melody.Notes {
		melody.Notes[i] = 440 * math.Pow(2, float64(r.IntN(24)-9)/12) // two pure tones of a key are one
	}
	noKeys(t, "a melody", melody.PCM(keyRate))
}

func FuzzKeyDetector(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4}, uint8(7))
	f.Fuzz(func(t *testing.T, b []byte, step uint8) {
		var d KeyDetector
		pcm := make([]int16, len(b)/2)
		for i := range pcm {
			pcm[i] = int16(b[2*i])<<8 | int16(b[2*i+1])
		}
		for len(pcm) > 0 {
			n := d.Hear(pcm[:min(len(pcm), int(step)+1)])
			if n <= 0 || d.Held() < 0 {
				t.Fatalf("%d samples, held %v", n, d.Held())
			}
			pcm = pcm[n:]
		}
	})
}

func BenchmarkKeyDetector(b *testing.B) {
	k := keySound{low: -10, high: -10, on: time.Second, noise: 20}
	pcm := k.pcm(rand.New(rand.NewPCG(1, 1)))[2000:2160]
	for name, frame := range map[string][]int16{"key": pcm, "silence": make([]int16, 160)} {
		b.Run(name, func(b *testing.B) {
			var d KeyDetector
			b.ReportAllocs()
			for b.Loop() {
				for p := frame; len(p) > 0; p = p[d.Hear(p):] {
				}
			}
		})
	}
}
