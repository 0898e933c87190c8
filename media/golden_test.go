package media

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"vpbx/media/audio"
)

// talker is a phone that says sound of our choice and writes down what it hears as
// it comes, on the wall's clock.
type talker struct {
	*party
	*phone
	codec Codec
	rate  int
	enc   *audio.Encoder
	dec   *audio.Decoder
	out   []int16
	all   []heard
}

// talker opens a party with a phone of a codec, with sound of a rate.
func (r *rig) talker(n int, c Codec, rate int) *talker {
	r.t.Helper()
	address := fmt.Sprintf("198.51.100.%d:4000", n)
	p := r.open(fmt.Sprintf("198.51.100.%d", n))
	p.answer(r.t, described(address, c, c.Rate), c)
	return &talker{party: p, phone: r.phone(address, p), codec: c, rate: rate,
		enc: audio.NewEncoder(c.Audio(), rate), dec: audio.NewDecoder(c.Audio(), rate)}
}

// say sends a frame.
func (x *talker) say(pcm []int16) {
	buf := make([]byte, audio.MaxFrame)
	x.send(buf[:x.enc.Encode(buf, pcm)])
}

// send sends a frame that is coded already.
func (x *talker) send(payload []byte) {
	x.raw(rtp(x.codec.PT, false, x.seq, x.ts, x.phone.ssrc, payload))
	x.seq++
	x.ts += units(frameTime, x.codec.Rate)
}

// toneFrames are a second of a tone of 500 Hz in frames of each codec, by its name, to be
// sent in a loop by many at once.
var toneFrames = sync.OnceValue(func() map[string][][]byte {
	tone := make([]int16, 8000)
	audio.Tone(tone, 8000, 500, 0.3, 0)
	frames := map[string][][]byte{}
	for _, c := range []Codec{PCMA, PCMU, G722, Opus} {
		enc := audio.NewEncoder(c.Audio(), 8000)
		for f := range slices.Chunk(tone, 160) {
			buf := make([]byte, audio.MaxFrame)
			frames[c.Name] = append(frames[c.Name], buf[:enc.Encode(buf, f)])
		}
	}
	return frames
})

// listen writes down what has come since the beginning.
func (x *talker) listen(since time.Duration) {
	pcm := make([]int16, x.rate/4)
	for _, h := range x.phone.hear() {
		x.all = append(x.all, h)
		if h.pt != x.codec.PT {
			continue
		}
		if due := int(since * time.Duration(x.rate) / time.Second); len(x.out) < due {
			x.out = append(x.out, make([]int16, due-len(x.out))...)
		}
		x.out = append(x.out, pcm[:x.dec.Decode(pcm, h.payload)]...)
	}
}

// whole fails unless what was heard is one stream: one SSRC, each number once, timestamps
// that never stand still.
func (x *talker) whole(t *testing.T) {
	t.Helper()
	for i := 1; i < len(x.all); i++ {
		h, before := x.all[i], x.all[i-1]
		if h.seq != before.seq+1 || h.ssrc != before.ssrc {
			t.Fatalf("packet %d: %+v after %+v", i, h.header, before.header)
		}
		if step := int32(h.ts - before.ts); h.pt == x.codec.PT && before.pt == h.pt && step <= 0 {
			t.Fatalf("packet %d: the timestamp moves by %d", i, step)
		}
	}
}

// converse lets the first speak and the others listen, in a bubble where everything
// between them takes no time; each packet is sent when its sound is over.
func converse(pcm []int16, from *talker, others ...*talker) {
	begin := time.Now()
	size := from.rate / 50
	for f := range slices.Chunk(pcm[:len(pcm)/size*size], size) {
		from.say(f)
		for _, x := range others {
			x.listen(time.Since(begin))
		}
		time.Sleep(frameTime)
		for _, x := range others {
			x.listen(time.Since(begin))
		}
	}
}

// between is the rate of what two codecs both carry.
func between(a, b Codec) int { return audio.Between(a.Audio(), b.Audio()) }

// The sound of speech through each path: what it must keep, and how late it may be beyond
// the packet it comes in. The figures are in docs/performance.md.
func TestGoldenBridge(t *testing.T) {
	least := map[[2]string]float64{ // segmental SNR, a few dB below what was measured
		{"PCMA", "PCMA"}: 33, {"PCMA", "PCMU"}: 29, {"PCMU", "PCMA"}: 29, {"PCMA", "G722"}: 20, {"G722", "PCMA"}: 20,
		{"G722", "G722"}: 15, {"opus", "opus"}: 6, {"opus", "PCMA"}: 6, {"PCMA", "opus"}: 6, {"G722", "opus"}: 6, {"opus", "G722"}: 6,
	}
	for path, snr := range least {
		if raced && (path[0] == "opus" || path[1] == "opus") {
			continue
		}
		t.Run(path[0]+" "+path[1], func(t *testing.T) {
			bubble(t, nil, func(r *rig) {
				from, into := codecNamed(path[0]), codecNamed(path[1])
				rate := between(from, into)
				a, b := r.talker(1, from, rate), r.talker(2, into, rate)
				Join(a.Session, b.Session)
				src := speech(t, rate)
				converse(src, a, b)
				q := measure(src, b.out, rate)
				t.Logf("%v", q)
				if q.snr < snr || q.delay > 20*time.Millisecond || math.Abs(q.gain-1) > 0.15 {
					t.Errorf("%v, want %v dB", q, snr)
				}
				b.whole(t)
			})
		})
	}
}

// onOneGoroutine leaves a test of sound alone to who looks for no races.
func onOneGoroutine(t *testing.T) {
	t.Helper()
	if raced {
		t.Skip("there is nothing to race with")
	}
}

func codecNamed(name string) Codec {
	for _, c := range []Codec{PCMA, PCMU, G722, Opus} {
		if c.Name == name {
			return c
		}
	}
	return Codec{}
}

// Speech through a conference: it waits in the jitter buffer, and all that listen have the
// same, in their codec; wideband where two are.
func TestGoldenConference(t *testing.T) {
	least := map[string]float64{"PCMA": 28, "G722": 12, "opus": 5}
	for _, from := range []Codec{PCMA, G722, Opus} {
		if raced && from != PCMA {
			continue
		}
		t.Run(from.Name, func(t *testing.T) {
			bubble(t, nil, func(r *rig) {
				rate := from.Audio().Rate()
				rate = min(rate, 16000)
				list := []*talker{r.talker(1, from, rate), r.talker(2, PCMA, 8000), r.talker(3, G722, 16000), r.talker(4, Opus, 16000)}
				c := r.e.NewConference()
				for _, x := range list {
					if err := c.Add(x.Session, Role{}); err != nil {
						t.Fatal(err)
					}
				}
				src := speech(t, rate)
				converse(src, list[0], list[1:]...)
				for _, x := range list[1:] {
					// By the lower of the two rates.
					ref, out, at := src, x.out, min(rate, x.rate)
					if rate != at {
						ref = audio.Resample(src, rate, at)
					}
					if x.rate != at {
						out = audio.Resample(x.out, x.rate, at)
					}
					q := measure(ref, out, at)
					t.Logf("to %v: %v", x.codec.Name, q)
					want := min(least[from.Name], least[x.codec.Name])
					if from == Opus && x.codec == Opus {
						want = 2.5 // coded twice, and shortened by a period on the way
					}
					if q.snr < want || q.delay > 90*time.Millisecond || math.Abs(q.gain-1) > 0.2 {
						t.Errorf("to %v: %v, want %v dB", x.codec.Name, q, want)
					}
					x.whole(t)
				}
			})
		})
	}
}

// Prompts of speech, narrow and wide.
func TestGoldenPrompt(t *testing.T) {
	for _, tt := range []struct {
		c    Codec
		rate int
		snr  float64
	}{{PCMA, 8000, 32}, {PCMU, 8000, 32}, {G722, 16000, 17}, {Opus, 16000, 6}, {G722, 8000, 20}, {Opus, 8000, 6}} {
		if raced && tt.c == Opus {
			continue
		}
		t.Run(fmt.Sprint(tt.c.Name, " ", tt.rate), func(t *testing.T) {
			bubble(t, nil, func(r *rig) {
				p, err := NewPrompt(speech(t, tt.rate), tt.rate)
				if err != nil {
					t.Fatal(err)
				}
				a := r.talker(1, tt.c, tt.rate)
				a.Play(p, false)
				begin := time.Now()
				for range 150 {
					time.Sleep(frameTime)
					a.listen(time.Since(begin) - frameTime)
				}
				src := speech(t, tt.rate)
				q := measure(src, a.out, tt.rate)
				t.Logf("%v", q)
				if q.snr < tt.snr || q.delay > 30*time.Millisecond {
					t.Errorf("%v, want %v dB", q, tt.snr)
				}
				a.whole(t)
			})
		})
	}
}

// The bridge decodes packets as they come. Were they to wait in a jitter buffer there, the
// phone behind it, which has one too, would not wait less: on a good network behind the
// bridge the sound would come a packet later, on one as bad as that before it no sooner.
func TestBridgeNeedsNoBuffer(t *testing.T) {
	var src []int16
	for range 6 {
		src = append(src, speech(t, 8000)...)
	}
	const bad, good = 40, 3 // milliseconds of jitter
	rng := rand.New(rand.NewPCG(8, 8))
	through := func(in []arrival, jitter int) []arrival {
		for i := range in {
			in[i].at += time.Duration(rng.IntN(jitter*1000)) * time.Microsecond
		}
		return sorted(in)
	}
	wait := func(p *playback) (mean time.Duration) {
		for _, w := range p.wait[len(p.wait)-500:] {
			mean += w / 500
		}
		return mean
	}
	for _, tt := range []struct {
		name   string
		behind int
		saves  time.Duration
	}{{"a good network behind", good, 15 * time.Millisecond}, {"a bad network behind", bad, 0}} {
		straight := newPlayback(audio.PCMA, 8000, 3*time.Millisecond)
		straight.run(through(through(line(t, audio.PCMA, src, 8000, 0), bad), tt.behind), 18*time.Second)
		first := newPlayback(audio.PCMA, 8000, 3*time.Millisecond)
		first.run(through(line(t, audio.PCMA, src, 8000, 0), bad), 18*time.Second)
		second := newPlayback(audio.PCMA, 8000, 3*time.Millisecond)
		second.run(through(line(t, audio.PCMA, first.out, 8000, 0), tt.behind), 18*time.Second)
		direct, buffered := wait(straight), wait(first)+wait(second)
		t.Logf("%s: %v and %d late straight, %v and %d late with a buffer in between", tt.name, direct, straight.refused[dropLate],
			buffered, first.refused[dropLate]+second.refused[dropLate])
		if direct+tt.saves > buffered {
			t.Errorf("%s: %v straight, %v with a buffer", tt.name, direct, buffered)
		}
	}
}

// An hour on a network that loses one packet in a hundred and delays others by up to 40 ms, between
// clocks that differ: the wait stays what it is, and the sound whole.
func TestHour(t *testing.T) {
	onOneGoroutine(t)
	const hour = 180_000 // packets
	src := speech(t, 8000)
	src = src[:len(src)/160*160]
	period := len(src) / 160
	packets := line(t, audio.PCMA, src, 8000, 0)
	for _, ppm := range []float64{-200, 200} {
		t.Run(fmt.Sprint(ppm, " ppm"), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(uint64(ppm+1000), 9))
			p := newPlayback(audio.PCMA, 8000, 3*time.Millisecond)
			var pending []arrival
			sums := map[int]float64{} // loudness by minute
			silent, run, longest := 0, 0, 0
			var waits []time.Duration
			for n := range hour {
				if rng.Float64() >= 0.01 {
					at := time.Duration(float64(n) * float64(frameTime) * (1 + ppm/1e6))
					a := packets[n%period]
					a.h.ts, a.h.seq = uint32(n*160), uint16(n)
					a.at = at + time.Duration(rng.ExpFloat64()*6*float64(time.Millisecond))
					pending = append(pending, a)
				}
				if n%100 != 99 {
					continue
				}
				slices.SortFunc(pending, func(a, b arrival) int { return int(a.at - b.at) })
				until := time.Duration(float64(n) * float64(frameTime) * (1 + ppm/1e6)) // no more will come before
				i := slices.IndexFunc(pending, func(a arrival) bool { return a.at >= until })
				if i < 0 {
					i = len(pending)
				}
				p.run(pending[:i], until)
				pending = slices.Clone(pending[i:])
				for f := range slices.Chunk(p.out, 160) {
					sums[n/3000] += float64(audio.Level(f))
					if audio.Silent(f) {
						silent++
						run++
						longest = max(longest, run)
					} else {
						run = 0
					}
				}
				waits = append(waits, p.wait...)
				p.out, p.wait = p.out[:0], p.wait[:0]
			}
			mean := func(w []time.Duration) (m, most time.Duration) {
				for _, v := range w {
					m += v
					most = max(most, v)
				}
				return m / time.Duration(len(w)), most
			}
			begin, _ := mean(waits[3000 : 3000+hour/6])
			end, _ := mean(waits[len(waits)-hour/6:])
			_, most := mean(waits[3000:])
			want := float64(audio.Level(src))
			for minute := 1; minute < hour/3000-1; minute++ {
				if db := 10 * math.Log10(sums[minute]/3000/want); math.Abs(db) > 0.6 {
					t.Errorf("minute %d is %.2f dB off", minute, db)
				}
			}
			t.Logf("waits %v at the beginning, %v at the end, %v at most; %d silent frames, %d at most in a row; %v", begin, end, most, silent, longest, p.refused)
			if end > begin+8*time.Millisecond || end < begin-8*time.Millisecond || most > 120*time.Millisecond {
				t.Error("the wait drifts")
			}
			quietIn := 0
			for f := range slices.Chunk(src, 160) {
				if audio.Silent(f) {
					quietIn++
				}
			}
			if had := hour / period * quietIn; silent > had+hour/500 {
				t.Errorf("%d silent frames, there were %d", silent, had)
			}
			if p.refused[dropLate] > hour*4/100 {
				t.Errorf("%d late", p.refused[dropLate])
			}
		})
	}
}
