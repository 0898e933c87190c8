package audio

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// dbm0 is the amplitude of a tone of that level, by the law of G.711.
func dbm0(level float64) float64 { return math.Pow(10, (level-3.14)/20) }

// keyed makes the sound of keys, on and off as long as said, behind 100 ms and
// before 200 ms of silence.
type keyed struct {
	low, high float64 // dBm0
	on, off   time.Duration
	off1      float64 // share by which the frequencies are off
	noise     float64 // SNR in dB, 0: none
	seed      uint64
}

func (k keyed) sound(digits string) []int16 {
	r := rand.New(rand.NewPCG(k.seed, 1))
	pcm := make([]int16, 800+r.IntN(102))
	for _, c := range []byte(digits) {
		low, high := Key(c)
		on := make([]int16, samplesIn(k.on, 8000))
		second := make([]int16, len(on))
		Tone(on, 8000, low*(1+k.off1), dbm0(k.low), r.Float64()*6)
		Tone(second, 8000, high*(1+k.off1), dbm0(k.high), r.Float64()*6)
		Mix(on, second)
		pcm = append(append(pcm, on...), make([]int16, samplesIn(k.off, 8000))...)
	}
	pcm = append(pcm, make([]int16, 1600)...)
	if k.noise > 0 {
		power := (math.Pow(dbm0(k.low), 2) + math.Pow(dbm0(k.high), 2)) / 2
		sigma := math.Sqrt(power*math.Pow(10, -k.noise/10)) * math.MaxInt16
		for i := range pcm {
			pcm[i] = clip(int64(pcm[i]) + int64(r.NormFloat64()*sigma))
		}
	}
	return pcm
}

func detect(pcm []int16) (digits string, held []time.Duration) {
	var d KeyDetector
	for len(pcm) > 0 {
		before := d.Down()
		frame := pcm[:min(160, len(pcm))]
		n := d.Hear(frame)
		pcm = pcm[n:]
		switch {
		case d.Down() != 0 && before == 0:
			digits += string(d.Down())
		case d.Down() == 0 && before != 0:
			held = append(held, d.Held())
		}
	}
	return digits, held
}

func TestProto(t *testing.T) {
	rate := func(name string, k keyed, f func([]int16) []int16) {
		ok, all := 0, 0
		var worst time.Duration
		for s := range uint64(15) {
			k.seed = s
			pcm := k.sound(keyGrid)
			if f != nil {
				pcm = f(pcm)
			}
			got, held := detect(pcm)
			// count LCS simply
			all += 16
			if got == keyGrid {
				ok += 16
			} else {
				j := 0
				for i := 0; i < len(got); i++ {
					for x := j; x < 16; x++ {
						if keyGrid[x] == got[i] {
							ok++
							j = x + 1
							break
						}
					}
				}
			}
			for _, h := range held {
				worst = max(worst, h-k.on, k.on-h)
			}
		}
		fmt.Printf("%-40s %d/%d worst %v\n", name, ok, all, worst)
	}
	ms := time.Millisecond
	for _, l := range []float64{-3, -4, -10, -20, -25, -30} {
		rate(fmt.Sprintf("level %v", l), keyed{low: l, high: l, on: 40 * ms, off: 40 * ms}, nil)
		rate(fmt.Sprintf("level %v alaw", l), keyed{low: l, high: l, on: 60 * ms, off: 40 * ms}, func(p []int16) []int16 {
			b := make([]byte, len(p))
			EncodeALaw(b, p)
			DecodeALaw(p, b)
			return p
		})
	}
	for _, tw := range []float64{-10, -9, -8, -6, -4, 4, 6, 8, 9, 10} {
		rate(fmt.Sprintf("high over low %v", tw), keyed{low: -12, high: -12 + tw, on: 40 * ms, off: 40 * ms}, nil)
	}
	for _, o := range []float64{0.015, -0.015, 0.018, -.018, 0.02, 0.025, .03, .035, -.035} {
		rate(fmt.Sprintf("off %v", o), keyed{low: -12, high: -12, on: 40 * ms, off: 40 * ms, off1: o}, nil)
	}
	for _, n := range []float64{12, 15, 18, 20, 25} {
		rate(fmt.Sprintf("snr %v 40", n), keyed{low: -12, high: -12, on: 40 * ms, off: 40 * ms, noise: n}, nil)
		rate(fmt.Sprintf("snr %v 60/40", n), keyed{low: -12, high: -12, on: 60 * ms, off: 40 * ms, noise: n}, nil)
	}
	for _, on := range []int{15, 18, 20, 23, 25, 30, 35, 40, 60, 100, 1000} {
		rate(fmt.Sprintf("on %v", on), keyed{low: -12, high: -12, on: time.Duration(on) * ms, off: 40 * ms}, nil)
	}
	for _, c := range []Codec{} {
		for _, on := range []int{40, 50, 60, 100} {
			for _, l := range []float64{-3, -10, -25, -30} {
				rate(fmt.Sprintf("codec %v on %v level %v", c, on, l), keyed{low: l, high: l, on: time.Duration(on) * ms, off: time.Duration(on) * ms}, func(p []int16) []int16 {
					e, d := NewEncoder(c, 8000), NewDecoder(c, 8000)
					var out []int16
					buf := make([]byte, MaxFrame)
					pcm := make([]int16, 2000)
					for len(p) >= 160 {
						n := e.Encode(buf, p[:160])
						p = p[160:]
						out = append(out, pcm[:d.Decode(pcm, buf[:n])]...)
					}
					return out
				})
			}
		}
	}
}

func BenchmarkKeyDetector(b *testing.B) {
	pcm := keyed{low: -10, high: -10, on: 100 * time.Millisecond, off: 100 * time.Millisecond, noise: 20}.sound("1")[800:960]
	var d KeyDetector
	b.ReportAllocs()
	for b.Loop() {
		for p := pcm; len(p) > 0; p = p[d.Hear(p):] {
		}
	}
}

func TestTalk(t *testing.T) {
	files, _ := filepath.Glob("/tmp/dtmf/talk/*.wav")
	n, blocks := 0, 0
	for _, name := range files {
		f, _ := os.Open(name)
		pcm, err := ReadWAV(f, Limits{Length: 10 * time.Minute})
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		blocks += len(pcm.Samples) / keyBlock
		var d KeyDetector
		for p := pcm.Samples; len(p) > 0; {
			was := d.Down()
			p = p[d.Hear(p):]
			if was == 0 && d.Down() != 0 {
				n++
				fmt.Printf("%s %c at %v\n", name, d.Down(), float64(len(pcm.Samples)-len(p))/8000)
			}
		}
	}
	fmt.Println(n, "false keys", blocks, "blocks")
}
