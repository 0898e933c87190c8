package media

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"vpbx/media/audio"
)

var formatOf = map[audio.Codec]*format{
	audio.PCMA: {audio: audio.PCMA}, audio.PCMU: {audio: audio.PCMU}, audio.G722: {audio: audio.G722}, audio.Opus: {audio: audio.Opus},
}

// arrival is a packet as the network hands it over.
type arrival struct {
	at      time.Duration
	h       header
	payload []byte
}

// line is the packets of sound coded with a codec, as they leave the peer.
func line(t testing.TB, c audio.Codec, pcm []int16, rate int, loss float64) []arrival {
	t.Helper()
	enc := audio.NewEncoder(c, rate)
	enc.Lossy(loss)
	var list []arrival
	buf := make([]byte, audio.MaxFrame)
	for i, f := range slices.Collect(slices.Chunk(pcm[:len(pcm)/enc.Frame()*enc.Frame()], enc.Frame())) {
		n := enc.Encode(buf, f)
		list = append(list, arrival{at: time.Duration(i) * frameTime,
			h:       header{seq: uint16(i), ts: uint32(i * c.Clock() / 50), ssrc: 7},
			payload: slices.Clone(buf[:n])})
	}
	return list
}

// playback gives a jitter buffer what arrives and takes the frames, from phase on.
type playback struct {
	in      []arrival // that have not arrived yet
	j       *jitter
	c       audio.Codec
	at      time.Duration // of the next frame
	out     []int16
	refused map[reason]int
	begin   time.Time
	wait    []time.Duration // of what is decoded, each frame
}

func newPlayback(c audio.Codec, rate int, phase time.Duration) *playback {
	return &playback{j: &jitter{rate: rate}, c: c, at: phase, refused: map[reason]int{}, begin: time.Unix(1000, 0)}
}

// run takes frames until an instant, while more arrives.
func (p *playback) run(in []arrival, until time.Duration) {
	p.in = append(p.in, in...)
	frame := make([]int16, p.j.rate/50)
	for ; p.at < until; p.at += frameTime {
		for len(p.in) > 0 && p.in[0].at <= p.at {
			a := p.in[0]
			if why := p.j.put(formatOf[p.c], a.h, a.payload, p.begin.Add(a.at)); why != kept {
				p.refused[why]++
			}
			p.in = p.in[1:]
		}
		at := p.begin.Add(p.at)
		p.j.take(frame, at)
		p.out = append(p.out, frame...)
		wait := time.Duration(0)
		if p.j.playing {
			wait = frameTime + p.j.wait(p.j.next, at.Sub(p.j.origin)) + time.Duration(len(p.j.pcm))*time.Second/time.Duration(p.j.rate)
		}
		p.wait = append(p.wait, wait)
	}
}

func sorted(in []arrival) []arrival {
	slices.SortStableFunc(in, func(a, b arrival) int { return int(a.at - b.at) })
	return in
}

// noisy is sound that has no period anywhere, so that nothing is stretched.
func noisy(n int) []int16 {
	rng := rand.New(rand.NewPCG(3, 4))
	pcm := make([]int16, n)
	for i := range pcm {
		pcm[i] = int16(rng.IntN(20000) - 10000)
	}
	// What the law makes of it comes out as it went in.
	b := make([]byte, n)
	audio.EncodeALaw(b, pcm)
	audio.DecodeALaw(pcm, b)
	return pcm
}

// What comes on time, in disorder, twice or in packets of any length comes out as it
// was, sample by sample, after the initial delay.
func TestJitterKeepsSound(t *testing.T) {
	src := noisy(4 * 8000)
	whole := line(t, audio.PCMA, src, 8000, 0)
	tests := map[string]func() []arrival{
		"on time": func() []arrival { return slices.Clone(whole) },
		"jitter of 30 ms": func() []arrival {
			in, rng := slices.Clone(whole), rand.New(rand.NewPCG(1, 1))
			for i := range in {
				in[i].at += time.Duration(rng.IntN(30)) * time.Millisecond
			}
			return sorted(in)
		},
		"pairs swapped": func() []arrival {
			in := slices.Clone(whole)
			for i := 10; i+1 < len(in); i += 10 {
				in[i].at += 25 * time.Millisecond
			}
			return sorted(in)
		},
		"all twice": func() []arrival {
			var in []arrival
			for _, a := range whole {
				b := a
				b.at += time.Millisecond
				in = append(in, a, b)
			}
			return sorted(in)
		},
		"the first two swapped": func() []arrival {
			in := slices.Clone(whole)
			in[0].at = 21 * time.Millisecond
			return sorted(in)
		},
		"over the wrap": func() []arrival {
			in := slices.Clone(whole)
			for i := range in {
				in[i].h.ts -= 8000
				in[i].h.seq -= 50
			}
			return in
		},
	}
	for _, ms := range []int{5, 10, 30, 40, 60, 120, 180} {
		tests[time.Duration(ms*1e6).String()] = func() []arrival {
			b := make([]byte, len(src))
			audio.EncodeALaw(b, src)
			var in []arrival
			for i, p := range slices.Collect(slices.Chunk(b, 8*ms)) {
				in = append(in, arrival{time.Duration((i+1)*ms) * time.Millisecond, header{seq: uint16(i), ts: uint32(8 * ms * i), ssrc: 7}, p})
			}
			return in
		}
	}
	for name, make := range tests {
		t.Run(name, func(t *testing.T) {
			p := newPlayback(audio.PCMA, 8000, 7*time.Millisecond)
			p.run(make(), 3*time.Second)
			out := p.out
			for len(out) > 0 && out[0] == 0 {
				out = out[1:]
			}
			if len(out) < 2*8000 || !slices.Equal(out[:2*8000], src[:2*8000]) {
				i := 0
				for i < min(len(out), len(src)) && out[i] == src[i] {
					i++
				}
				t.Errorf("%d samples, the first %d are right", len(out), i)
			}
		})
	}
}

// What is lost is made up, and nothing moves behind it.
func TestJitterLoss(t *testing.T) {
	onOneGoroutine(t)
	src := speech(t, 8000)
	for _, c := range []audio.Codec{audio.PCMA, audio.G722, audio.Opus} {
		in := line(t, c, src, 8000, 0)
		clean := newPlayback(c, 8000, 5*time.Millisecond)
		clean.run(in, 3*time.Second)
		var some []arrival
		for i, a := range in {
			if i%20 != 13 {
				some = append(some, a)
			}
		}
		lossy := newPlayback(c, 8000, 5*time.Millisecond)
		lossy.run(some, 3*time.Second)
		with := measure(clean.out, lossy.out, 8000)
		holes := slices.Clone(clean.out)
		for i := 13; i < len(in); i += 20 {
			from := (i + 2) * 160
			clear(holes[min(from, len(holes)):min(from+160, len(holes))])
		}
		without := measure(clean.out, holes, 8000)
		t.Logf("%v, 5 %% lost: %v; silence instead: %v", c, with, without)
		if with.delay != 0 || with.snr < without.snr+4 {
			t.Errorf("%v: %v, silence would be %v", c, with, without)
		}
	}
}

// In-band FEC brings back what PLC has to guess.
func TestJitterFEC(t *testing.T) {
	onOneGoroutine(t)
	src := speech(t, 16000)
	var got [2]quality
	for i, share := range []float64{0, 0.2} {
		in := line(t, audio.Opus, src, 16000, share)
		clean := newPlayback(audio.Opus, 16000, 5*time.Millisecond)
		clean.run(in, 3*time.Second)
		some := slices.DeleteFunc(slices.Clone(in), func(a arrival) bool { return a.h.seq%5 == 3 })
		lossy := newPlayback(audio.Opus, 16000, 5*time.Millisecond)
		lossy.run(some, 3*time.Second)
		got[i] = measure(clean.out, lossy.out, 16000)
	}
	t.Logf("20 %% lost: PLC %v, FEC %v", got[0], got[1])
	if got[1].snr < got[0].snr+3 {
		t.Errorf("FEC %v, PLC %v", got[1], got[0])
	}
}

// The wait follows the network: little on a good one, enough on a bad one, little
// again afterwards, without a gap.
func TestJitterAdapts(t *testing.T) {
	var src []int16
	for range 20 {
		src = append(src, speech(t, 8000)...)
	}
	in, rng := line(t, audio.PCMA, src, 8000, 0), rand.New(rand.NewPCG(5, 5))
	for i := range in {
		if at := in[i].at; at > 20*time.Second && at < 30*time.Second {
			in[i].at += time.Duration(rng.IntN(90)) * time.Millisecond
		}
	}
	p := newPlayback(audio.PCMA, 8000, 3*time.Millisecond)
	p.run(sorted(in), 58*time.Second)
	mean := func(from, to int) time.Duration {
		var sum time.Duration
		for _, w := range p.wait[from*50 : to*50] {
			sum += w
		}
		return sum / time.Duration((to-from)*50)
	}
	good, bad, again := mean(12, 20), mean(24, 30), mean(45, 57)
	t.Logf("waits %v on a good network, %v with jitter of 90 ms, then %v", good, bad, again)
	if good > 45*time.Millisecond || bad < 80*time.Millisecond || bad > 120*time.Millisecond || again > 45*time.Millisecond {
		t.Error("these are not what they should be")
	}
	if late := p.refused[dropLate]; late > 40 {
		t.Errorf("%d packets were late", late)
	}
}

// A burst after the network stood still is heard, and its delay is given back
// without a cut.
func TestJitterBurst(t *testing.T) {
	var src []int16
	for range 4 {
		src = append(src, speech(t, 8000)...)
	}
	in := line(t, audio.PCMA, src, 8000, 0)
	for i := range in {
		if at := in[i].at; at > 4*time.Second && at < 4300*time.Millisecond {
			in[i].at = 4300 * time.Millisecond
		}
	}
	p := newPlayback(audio.PCMA, 8000, 3*time.Millisecond)
	p.run(in, 12*time.Second)
	if len(p.refused) > 0 {
		t.Errorf("%v", p.refused)
	}
	if w := p.wait[220]; w < 200*time.Millisecond {
		t.Errorf("%v after the burst: it was cut", w)
	}
	if w := p.wait[350]; w > 240*time.Millisecond {
		t.Errorf("%v seconds after it", w)
	}
}

// One that sends nothing while it is silent is heard from its first word again; its
// comfort noise is heard in between.
func TestJitterPauses(t *testing.T) {
	src := noisy(8000)
	in := line(t, audio.PCMA, src, 8000, 0)
	var all []arrival
	for part := range 3 { // a second of sound, 1.7 s of silence
		for _, a := range in {
			a.at += time.Duration(part) * 2700 * time.Millisecond
			a.h.ts += uint32(part) * 21600
			a.h.seq += uint16(part * 50)
			all = append(all, a)
		}
	}
	p := newPlayback(audio.PCMA, 8000, 3*time.Millisecond)
	p.run(all, 4*time.Second) // in the second pause, that began at 3.7 s
	if why := p.j.put(&comfort, header{ts: 21600 + 8000, ssrc: 7}, []byte{45}, p.begin.Add(p.at)); why != kept {
		t.Error(why)
	}
	p.run(nil, 8*time.Second)
	level := func(from, to time.Duration) int64 {
		return audio.Level(p.out[from*8/time.Millisecond : to*8/time.Millisecond])
	}
	const ms = time.Millisecond
	if level(1200*ms, 2600*ms) != 0 || level(4200*ms, 5200*ms) < 10000 || level(4200*ms, 5200*ms) > 60000 {
		t.Errorf("levels %d in the pause, %d with comfort noise", level(1200*ms, 2600*ms), level(4200*ms, 5200*ms))
	}
	const melts = 40 // what was made up at the end of the part before ends in the first milliseconds
	for part := range 3 {
		found := false
		for from := part * 21600; from < part*21600+800 && !found; from++ {
			found = slices.Equal(p.out[from+melts:from+8000], src[melts:])
		}
		if !found {
			t.Errorf("part %d is not heard whole soon", part)
		}
	}
}

// DTX of Opus: packets that say "nothing", and then no packets.
func TestJitterDTX(t *testing.T) {
	onOneGoroutine(t)
	src := speech(t, 16000)
	in := line(t, audio.Opus, src, 16000, 0)
	last := in[100]
	in = in[:100]
	for i := range 200 { // four seconds, a packet each 400 ms
		if i%20 == 0 {
			a := last
			a.at += time.Duration(i) * frameTime
			a.h.ts += uint32(i * 960)
			a.h.seq += uint16(i)
			a.payload = a.payload[:1]
			in = append(in, a)
		}
	}
	more := line(t, audio.Opus, src, 16000, 0)
	for _, a := range more {
		a.at += 6 * time.Second
		a.h.ts += 300 * 960
		a.h.seq += 300
		in = append(in, a)
	}
	p := newPlayback(audio.Opus, 16000, 3*time.Millisecond)
	p.run(in, 9*time.Second)
	if level := audio.Level(p.out[3*16000 : 5*16000]); level > 3000 {
		t.Errorf("level² %d in a pause", level)
	}
	if q := measure(src[:40000], p.out[6*16000:], 16000); q.delay > 100*time.Millisecond || q.snr < 3 || len(p.refused) > 0 {
		t.Errorf("after the pause: %v, refused %v", q, p.refused)
	}
}

// Another source, clock or place in time is heard within a moment.
func TestJitterNewBeginnings(t *testing.T) {
	src := noisy(16000)
	for name, change := range map[string]func(h *header){
		"another SSRC":        func(h *header) { h.ssrc, h.ts = 8, h.ts*1+77777 },
		"far ahead":           func(h *header) { h.ts += 1 << 30 },
		"far back":            func(h *header) { h.ts -= 1 << 30 },
		"two seconds ahead":   func(h *header) { h.ts += 16000 },
		"two seconds back":    func(h *header) { h.ts -= 16000 },
		"a little ahead":      func(h *header) { h.ts += 800 },
		"a little back":       func(h *header) { h.ts -= 800 },
		"a fraction of a one": func(h *header) { h.ts += 30 },
	} {
		t.Run(name, func(t *testing.T) {
			in := line(t, audio.PCMA, src, 8000, 0)
			for i := range in[50:] {
				change(&in[50+i].h)
			}
			p := newPlayback(audio.PCMA, 8000, 3*time.Millisecond)
			p.run(in, 2*time.Second)
			tail := src[14400:15200]
			found := false
			for i := 14400; i+800 <= len(p.out) && !found; i++ {
				found = slices.Equal(p.out[i:][:800], tail)
			}
			if !found {
				t.Error("the end is not heard")
			}
			silent := 0
			for f := range slices.Chunk(p.out[50*160:], 160) {
				if audio.Silent(f) {
					silent++
				}
			}
			if silent > 12 {
				t.Errorf("%d silent frames", silent)
			}
		})
	}
}

// What is quiet is not decoded after a while, and the first word after it is whole.
func TestJitterSleeps(t *testing.T) {
	onOneGoroutine(t)
	for _, c := range []audio.Codec{audio.PCMA, audio.G722, audio.Opus} {
		src := make([]int16, 8000, 40000)
		src = append(src, speech(t, 8000)...)
		in := line(t, c, src, 8000, 0)
		p := newPlayback(c, 8000, 3*time.Millisecond)
		p.run(in[:46], 900*time.Millisecond)
		if !p.j.asleep() {
			t.Errorf("%v is decoded for nothing", c)
		}
		p.run(in[46:], 4*time.Second)
		q := measure(src[8000:], p.out[8000:], 8000)
		t.Logf("%v: %v", c, q)
		if p.j.asleep() || q.snr < 4 {
			t.Errorf("%v: %v", c, q)
		}
	}
}

func TestJitterAllocatesNothing(t *testing.T) {
	onOneGoroutine(t)
	for _, c := range []audio.Codec{audio.PCMA, audio.G722, audio.Opus} {
		in := line(t, c, speech(t, 16000), 16000, 0)
		j, frame, n, at := &jitter{rate: 16000}, make([]int16, 320), 0, time.Unix(1000, 0)
		step := func() {
			a := in[n%len(in)]
			if n%11 != 5 {
				j.put(formatOf[c], header{ts: uint32(n * c.Clock() / 50), ssrc: 1}, a.payload, at)
			}
			j.take(frame, at)
			n++
			at = at.Add(frameTime)
		}
		for range 300 {
			step()
		}
		if got := testing.AllocsPerRun(1000, step); got != 0 {
			t.Errorf("%v: %v allocations a frame", c, got)
		}
	}
}

func FuzzJitter(f *testing.F) {
	f.Add([]byte{1, 0, 0, 160, 1, 0, 1, 64, 0, 0, 0, 0})
	f.Add([]byte{1, 255, 255, 255, 2, 0, 0, 0, 1, 128, 0, 0})
	f.Add([]byte{0x81, 0, 1, 7, 0, 0, 0, 0, 0x45, 1, 0, 4, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		j := jitter{rate: 8000 + int(len(b)&1)*8000}
		frame := make([]int16, j.rate/50)
		at := time.Unix(1000, 0)
		kinds := []*format{formatOf[audio.PCMA], formatOf[audio.PCMU], formatOf[audio.G722], formatOf[audio.Opus], &comfort}
		for len(b) >= 4 {
			if b[0] == 0 {
				at = at.Add(time.Duration(b[1]) * time.Millisecond)
				if !j.take(frame, at) && !audio.Silent(frame) {
					t.Fatal("silence is not silent")
				}
			} else {
				ts := uint32(b[1])<<24 | uint32(b[2])<<12 | uint32(b[3])
				j.put(kinds[int(b[0]>>5)%len(kinds)], header{ssrc: uint32(b[0] & 3), ts: ts}, b[:min(len(b), int(b[0])*6)], at)
			}
			if len(j.queue) > jitterSlots || len(j.queue)+len(j.free) > jitterSlots+2 {
				t.Fatalf("%d packets wait, %d are free", len(j.queue), len(j.free))
			}
			for i := 1; i < len(j.queue); i++ {
				if j.queue[i].pos <= j.queue[i-1].pos {
					t.Fatal("out of order")
				}
			}
			b = b[4:]
		}
	})
}

// BenchmarkJitter is a packet in and a frame out.
func BenchmarkJitter(b *testing.B) {
	for _, c := range []audio.Codec{audio.PCMA, audio.G722, audio.Opus} {
		b.Run(c.String(), func(b *testing.B) {
			in := line(b, c, speech(b, 16000), 16000, 0)
			j, frame, n, at := &jitter{rate: 16000}, make([]int16, 320), 0, time.Unix(1000, 0)
			cpu(b, 1, func() {
				j.put(formatOf[c], header{ts: uint32(n * c.Clock() / 50), ssrc: 1}, in[n%len(in)].payload, at)
				j.take(frame, at)
				n++
				at = at.Add(frameTime)
			})
		})
	}
}
