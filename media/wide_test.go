package media

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"vpbx/media/audio"
)

// twoTones is a second of a low tone and one that only wideband carries.
func twoTones(rate int) []int16 {
	pcm, high := make([]int16, rate), make([]int16, rate)
	audio.Tone(pcm, rate, 700, 0.2, 0)
	if rate >= wideRate {
		audio.Tone(high, rate, 5000, 0.2, 0)
		audio.Mix(pcm, high)
	}
	return pcm
}

// converge lets all say silence but the first.
func converge(d time.Duration, first []int16, list ...*talker) {
	quiet := make([]int16, 320)
	begin := time.Now()
	for n := range int(d / frameTime) {
		for i, x := range list {
			size := x.rate / 50
			if i == 0 {
				at := n * size % (len(first) - size + 1)
				x.say(first[at:][:size])
			} else {
				x.say(quiet[:size])
			}
		}
		time.Sleep(frameTime)
		for _, x := range list {
			x.listen(time.Since(begin))
		}
	}
}

// The mix is wideband as long as two can hear it so, and each peer hears one stream
// whatever it is.
func TestConferenceIsWideband(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		list := []*talker{r.talker(1, G722, 16000), r.talker(2, PCMA, 8000), r.talker(3, PCMU, 8000), r.talker(4, Opus, 16000)}
		c := r.e.NewConference()
		high := func(x *talker) bool {
			end := x.out[len(x.out)-x.rate/5:]
			if audio.Goertzel(end, x.rate, 700) < 0.3 {
				t.Errorf("%v does not hear the low tone", x.codec.Name)
			}
			return x.rate >= wideRate && audio.Goertzel(end, x.rate, 5000) > 0.2
		}
		join := func(x *talker) {
			t.Helper()
			if err := c.Add(x.Session, Role{}); err != nil {
				t.Fatal(err)
			}
		}
		for _, x := range list[:3] {
			join(x)
		}
		converge(600*time.Millisecond, twoTones(16000), list...)
		if c.mixer.table.Load().rate != promptRate || high(list[1]) {
			t.Error("wideband for one")
		}
		join(list[3])
		converge(600*time.Millisecond, twoTones(16000), list...)
		if c.mixer.table.Load().rate != wideRate || !high(list[3]) || high(list[1]) || high(list[2]) {
			t.Error("two do not hear each other in wideband")
		}
		// One agrees on another codec.
		list[3].answer(t, described("198.51.100.4:4000", PCMA, 8000), PCMA)
		if c.mixer.table.Load().rate != promptRate {
			t.Error("still wideband")
		}
		c.Remove(list[3].Session)
		converge(200*time.Millisecond, twoTones(16000), list[:3]...)
		for _, x := range list[1:3] {
			x.whole(t)
			high(x)
		}
	})
}

// Gain makes a member louder and quieter for the others, and two are mixed for it.
func TestConferenceGain(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		list := []*talker{r.talker(1, PCMA, 8000), r.talker(2, PCMU, 8000), r.talker(3, PCMA, 8000)}
		c := r.e.NewConference()
		for _, x := range list[:2] {
			if err := c.Add(x.Session, Role{}); err != nil {
				t.Fatal(err)
			}
		}
		tone := make([]int16, 8000)
		audio.Tone(tone, 8000, 700, 0.1, 0)
		level := func() float64 {
			converge(400*time.Millisecond, tone, list...)
			for _, x := range list[1:2] {
				return 10 * math.Log10(float64(audio.Level(x.out[len(x.out)-1600:]))/float64(audio.Level(tone))+1e-9)
			}
			return 0
		}
		for _, tt := range []struct {
			set, want float64
			mixed     bool
		}{{0, 0, false}, {6, 6, true}, {-20, -20, true}, {100, mostGain, true}, {0, 0, false}} {
			if err := c.Gain(list[0].Session, tt.set); err != nil {
				t.Fatal(err)
			}
			want := tt.want
			if got := level(); math.Abs(got-want) > 1.5 && tt.set != 100 || tt.set == 100 && got < 15 {
				t.Errorf("%v dB: %.1f", tt.set, got)
			}
			if (c.mixer != nil) != tt.mixed {
				t.Errorf("%v dB: mixed %v", tt.set, c.mixer != nil)
			}
		}
		if err := c.Gain(list[2].Session, 6); err != nil || c.mixer != nil {
			t.Error("the gain of one that is not there")
		}
		list[1].whole(t)
	})
}

// A prompt is heard by all, over what is said, whether they are one, two or more; two
// are a relay again after it.
func TestConferencePlay(t *testing.T) {
	beep := TonePrompt(audio.Cadence{Freqs: []float64{2500}, Amplitude: 0.1, Pattern: []time.Duration{300 * time.Millisecond}})
	for n := 1; n <= 4; n++ {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			bubble(t, nil, func(r *rig) {
				list := r.members(n)
				c := r.e.NewConference()
				defer c.Close()
				for i, m := range list {
					add(t, c, m, Role{Deaf: i == 3})
				}
				talk(200*time.Millisecond, list...)
				if err := c.Play(beep); err != nil {
					t.Fatal(err)
				}
				talk(240*time.Millisecond, list...)
				all := append(slices.Clone(list), &member{freq: 2500})
				for i, m := range list {
					want := []int{n}
					if n > 1 && n < 4 {
						want = append(slices.DeleteFunc([]int{0, 1, 2}[:n], func(k int) bool { return k == i }), n)
					} else if n == 4 && i < 3 {
						want = append(slices.DeleteFunc([]int{0, 1, 2, 3}, func(k int) bool { return k == i }), n)
					} else if n == 4 {
						want = nil
					}
					if got := m.hears(t, all); !slices.Equal(got, want) {
						t.Errorf("%d hears %v, want %v", i, got, want)
					}
				}
				talk(400*time.Millisecond, list...)
				if (c.relay != nil) != (n == 2) || c.plays {
					t.Errorf("%d are a relay afterwards: %v", n, c.relay != nil)
				}
				for i, m := range list {
					if slices.Contains(m.hears(t, all), n) {
						t.Errorf("%d still hears it", i)
					}
					m.whole(t)
				}
			})
		})
	}
}

func TestConferencePlayRefuses(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		beep := ConfirmationPrompt()
		c := r.e.NewConference()
		if err := c.Play(beep); err != nil { // nobody is there
			t.Error(err)
		}
		list := r.members(2)
		add(t, c, list[0], Role{})
		for range 2 * maxPrompts { // more than may wait
			if err := c.Play(beep); err != nil {
				t.Error(err)
			}
		}
		if n := len(c.mixer.prompts); n != maxPrompts {
			t.Errorf("%d prompts wait", n)
		}
		c.Remove(list[0].Session)
		add(t, c, list[0], Role{})
		add(t, c, list[1], Role{})
		if c.relay == nil {
			t.Error("two are mixed for a prompt that nobody was there to hear")
		}
		p := r.open("198.51.100.30")
		p.answer(t, describeCodecs("198.51.100.30:4000", "18"), g729)
		d := r.e.NewConference()
		if err := d.Add(p.Session, Role{}); err != nil {
			t.Fatal(err)
		}
		is(t, d.Play(beep), ErrNoCodec)
		is(t, d.SetTap(&listening{}), ErrNoCodec)
		is(t, d.Gain(p.Session, 3), ErrNoCodec)
		c.Close()
		is(t, c.Play(beep), ErrClosed)
		talk(time.Second, list...)
	})
}

// listening is a tap that writes down what it hears.
type listening struct {
	mu  sync.Mutex
	ts  []uint32
	seq []uint16
	pcm []int16
}

func (l *listening) RTP(codec audio.Codec, seq uint16, ts uint32, _ bool, payload []byte, _ time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ts, l.seq = append(l.ts, ts), append(l.seq, seq)
	pcm := make([]int16, len(payload))
	audio.Decode(pcm, payload, codec)
	l.pcm = append(l.pcm, pcm...)
}

// The tap hears all in one stream, of two, three and again two, narrow and wide.
func TestConferenceTap(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		list := r.members(3)
		c := r.e.NewConference()
		defer c.Close()
		var l listening
		if err := c.SetTap(&l); err != nil {
			t.Fatal(err)
		}
		who := func() (found []int) {
			l.mu.Lock()
			defer l.mu.Unlock()
			for i, m := range list {
				if audio.Goertzel(l.pcm[len(l.pcm)-800:], 8000, m.freq) > 0.05 {
					found = append(found, i)
				}
			}
			return found
		}
		add(t, c, list[0], Role{})
		add(t, c, list[1], Role{})
		talk(400*time.Millisecond, list...)
		if got := who(); !slices.Equal(got, []int{0, 1}) {
			t.Errorf("of two it hears %v", got)
		}
		add(t, c, list[2], Role{Only: list[0].Session})
		talk(400*time.Millisecond, list...)
		if got := who(); !slices.Equal(got, []int{0, 1}) {
			t.Errorf("with a whisper it hears %v", got)
		}
		add(t, c, list[2], Role{})
		talk(400*time.Millisecond, list...)
		if got := who(); !slices.Equal(got, []int{0, 1, 2}) {
			t.Errorf("of three it hears %v", got)
		}
		for _, m := range list { // nobody is there for a while
			c.Remove(m.Session)
		}
		time.Sleep(time.Second)
		add(t, c, list[0], Role{})
		talk(400*time.Millisecond, list...)
		l.mu.Lock()
		for i := 1; i < len(l.ts); i++ {
			if l.seq[i] != l.seq[i-1]+1 {
				t.Fatalf("frame %d: number %d after %d", i, l.seq[i], l.seq[i-1])
			}
			if step := l.ts[i] - l.ts[i-1]; step != 160 && (step < 8000 || step > 9600) {
				t.Errorf("frame %d: %d after the one before", i, step)
			}
		}
		n := len(l.ts)
		l.mu.Unlock()
		if err := c.SetTap(nil); err != nil {
			t.Fatal(err)
		}
		talk(200*time.Millisecond, list...)
		if l.mu.Lock(); len(l.ts) > n+1 {
			t.Error("it still hears")
		}
		l.mu.Unlock()
	})
}

// Of more than eight who speak at once the loudest are heard.
func TestLoudestAreHeard(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		var list []*talker
		c := r.e.NewConference()
		for i := range 13 {
			x := r.talker(i+1, PCMA, 8000)
			list = append(list, x)
			if err := c.Add(x.Session, Role{}); err != nil {
				t.Fatal(err)
			}
		}
		freq := func(i int) float64 { return 300 + 200*float64(i) }
		tones := make([][]int16, len(list))
		for i := range list[1:] {
			tones[i+1] = make([]int16, 8000)
			amplitude := 0.02
			if i%3 != 0 { // 8 of 12
				amplitude = 0.05
			}
			audio.Tone(tones[i+1], 8000, freq(i+1), amplitude, 0)
		}
		begin := time.Now()
		for n := range 40 {
			for i, x := range list[1:] {
				x.say(tones[i+1][n*160:][:160])
			}
			time.Sleep(frameTime)
			list[0].listen(time.Since(begin))
		}
		end := list[0].out[len(list[0].out)-3200:]
		for i := range list[1:] {
			if heard := audio.Goertzel(end, 8000, freq(i+1)) > 0.01; heard != (i%3 != 0) {
				t.Errorf("%d is heard: %v", i+1, heard)
			}
		}
	})
}

// One who begins and ends to speak has a mix of his own meanwhile: what he hears has no seam.
func TestNoSeamInTheMix(t *testing.T) {
	for _, codec := range []Codec{PCMA, G722, Opus} {
		t.Run(codec.Name, func(t *testing.T) {
			bubble(t, nil, func(r *rig) {
				list := []*talker{r.talker(1, PCMA, 8000), r.talker(2, codec, 8000), r.talker(3, codec, 8000)}
				c := r.e.NewConference()
				for _, x := range list {
					if err := c.Add(x.Session, Role{}); err != nil {
						t.Fatal(err)
					}
				}
				tone, words := make([]int16, 8000), make([]int16, 8000)
				audio.Tone(tone, 8000, 400, 0.2, 0)
				audio.Tone(words, 8000, 1100, 0.1, 0)
				quiet := make([]int16, 160)
				begin := time.Now()
				for n := range 250 {
					list[0].say(tone[n%50*160:][:160])
					second := quiet
					if n > 100 && n < 140 {
						second = words[n%50*160:][:160]
					}
					list[1].say(second)
					list[2].say(quiet)
					time.Sleep(frameTime)
					for _, x := range list {
						x.listen(time.Since(begin))
					}
				}
				// What is not the tone: the second hears nothing else, whatever it says.
				worst := 1.0
				for at := 8000; at+800 < len(list[1].out); at += 400 {
					worst = min(worst, audio.Goertzel(list[1].out[at:][:800], 8000, 400))
				}
				if worst < 0.97 {
					t.Errorf("at worst %.3f of it is the tone", worst)
				}
				list[1].whole(t)
			})
		})
	}
}

// BenchmarkConference is a frame of 100 members, of whom three speak, with packets in
// and out but for the system calls: each with Opus, with G.722, and with A-law.
func BenchmarkConference(b *testing.B) {
	for _, codec := range []Codec{PCMA, G722, Opus} {
		for _, speak := range []int{3, 8} {
			b.Run(fmt.Sprint(codec.Name, "/speakers=", speak), func(b *testing.B) {
				step := conferring(b, 100, speak, codec)
				for range 200 {
					step()
				}
				cpu(b, 100, step)
			})
		}
	}
}

func TestConferenceAllocatesNothing(t *testing.T) {
	onOneGoroutine(t)
	for _, codec := range []Codec{PCMA, G722, Opus} {
		step := conferring(t, 10, 3, codec)
		for range 160 {
			step()
		}
		if got := testing.AllocsPerRun(160, step); got > 0 {
			t.Errorf("%v: %v allocations a frame", codec.Name, got)
		}
	}
}

func TestJoinAndLeavePrompts(t *testing.T) {
	for name, p := range map[string]*Prompt{"join": JoinPrompt(), "leave": LeavePrompt()} {
		pcm := make([]int16, len(p.alaw))
		audio.DecodeALaw(pcm, p.alaw)
		half := len(pcm) / 3
		low, high := audio.Goertzel(pcm[half:2*half], 8000, 987.77), audio.Goertzel(pcm[half:2*half], 8000, 1567.98)
		if p.Duration() > 500*time.Millisecond || (name == "leave") != (low > high) || max(low, high) < 0.6 {
			t.Errorf("%s: %v, ends with %.2f and %.2f", name, p.Duration(), low, high)
		}
	}
}
