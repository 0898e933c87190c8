package amd_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"vpbx/media/amd"
)

// sound is made of pieces one after the other: "voice 500", "silence 400", "noise 300 -45",
// "tone 200 1000", "tone 300 440 480", times in milliseconds.
func sound(t testing.TB, pieces ...string) []int16 {
	t.Helper()
	m := &stage{Rand: rand.New(rand.NewPCG(1, 1))}
	for _, p := range pieces {
		f := strings.Fields(p)
		var n []float64
		for _, x := range f[1:] {
			var v float64
			if _, err := fmt.Sscan(x, &v); err != nil {
				t.Fatal(err)
			}
			n = append(n, v)
		}
		at, d := length(len(m.pcm)), time.Duration(n[0])*time.Millisecond
		m.pcm = append(m.pcm, make([]float64, samples(d))...)
		switch f[0] {
		case "voice":
			m.vowels(at, d)
		case "noise":
			m.noise(at, at+d, n[1], true)
		case "tone":
			m.sine(at, d, -15, n[1:]...)
		}
	}
	pcm := make([]int16, len(m.pcm))
	for i, v := range m.pcm {
		pcm[i] = int16(v)
	}
	return pcm
}

// vowels is like somebody who speaks: a voice whose pitch wanders, in syllables.
func (m *stage) vowels(at, d time.Duration) {
	phase, low := 0.0, 0.0
	for i := range samples(d) {
		x := float64(i) / 8000
		phase += (130 + 20*math.Sin(9*x)) / 8000
		if phase >= 1 {
			phase--
			low += 8
		}
		low *= 0.8
		m.pcm[samples(at)+i] += 900 * low * (1 - 0.9*math.Pow(math.Sin(math.Pi*5*x), 8))
	}
}

func TestVerdicts(t *testing.T) {
	long := amd.Default()
	long.Greeting, long.Bound = 3*time.Second, 4*time.Second
	short := amd.Default()
	short.Words = 1
	for _, x := range []struct {
		name    string
		o       amd.Options
		pieces  []string
		verdict amd.Verdict
		reason  amd.Reason
		after   int // milliseconds, 60 off at most
	}{
		{"hello", amd.Options{}, []string{"silence 300", "voice 500", "silence 2000"}, amd.Human, amd.SilenceAfterGreeting, 1300},
		{"at once", amd.Options{}, []string{"voice 500", "silence 2000"}, amd.Human, amd.SilenceAfterGreeting, 1000},
		{"two words", amd.Options{}, []string{"silence 300", "voice 500", "silence 200", "voice 500", "silence 2000"}, amd.Human, amd.SilenceAfterGreeting, 2200},
		{"late", amd.Options{}, []string{"silence 1900", "voice 400", "silence 2000"}, amd.Human, amd.SilenceAfterGreeting, 2800},
		{"nobody", amd.Options{}, []string{"silence 5000"}, amd.Unsure, amd.InitialSilence, 2000},
		{"too late", amd.Options{}, []string{"silence 2100", "voice 400", "silence 2000"}, amd.Unsure, amd.InitialSilence, 2000},
		{"long greeting", amd.Options{}, []string{"silence 300", "voice 9000"}, amd.Machine, amd.LongGreeting, 2100},
		{"long, and so allowed", long, []string{"silence 300", "voice 2500", "silence 2000"}, amd.Human, amd.SilenceAfterGreeting, 3500},
		{"long, and silent at the bound", amd.Options{}, []string{"silence 300", "voice 1600", "silence 2000"}, amd.Unsure, amd.Timeout, 2300},
		{"words", short, []string{"silence 300", "voice 300", "silence 150", "voice 9000"}, amd.Machine, amd.Words, 820},
		{"street", amd.Options{}, []string{"noise 9000 -45"}, amd.Unsure, amd.InitialSilence, 2000},
		{"click", amd.Options{}, []string{"silence 100", "noise 30 -20", "silence 3000"}, amd.Unsure, amd.InitialSilence, 2000},
		{"beep", amd.Options{}, []string{"silence 300", "tone 500 1000", "silence 1000"}, amd.Machine, amd.Beep, 850},
		{"two words and a beep", amd.Options{}, []string{"silence 300", "voice 700", "silence 400", "tone 300 800", "silence 2000"}, amd.Machine, amd.Beep, 1750},
		{"a low beep after words", amd.Options{}, []string{"silence 300", "voice 700", "silence 400", "tone 500 440", "silence 2000"}, amd.Machine, amd.Beep, 1950},
		{"special information tone", amd.Options{}, []string{"silence 300", "tone 330 950", "tone 330 1400", "tone 330 1800", "silence 2000"}, amd.Machine, amd.Tone, 1010},
		{"American one", amd.Options{}, []string{"silence 300", "tone 276 913.8", "tone 276 1370.6", "tone 380 1776.7", "silence 2000"}, amd.Machine, amd.Tone, 900},
		{"fax", amd.Options{}, []string{"silence 300", "tone 4000 2100"}, amd.Machine, amd.Tone, 720},
		{"a calling fax", amd.Options{}, []string{"silence 300", "tone 500 1100", "silence 3000"}, amd.Machine, amd.Tone, 720},
		{"busy", amd.Options{}, []string{"silence 300", "tone 350 425", "silence 350", "tone 350 425", "silence 350"}, amd.Machine, amd.Tone, 1410},
		{"American busy", amd.Options{}, []string{"silence 100", "tone 500 480 620", "silence 500", "tone 500 480 620", "silence 500"}, amd.Machine, amd.Tone, 1660},
		{"ringing", amd.Options{}, []string{"silence 300", "tone 1000 425", "silence 4000", "tone 1000 425"}, amd.Unsure, amd.Tone, 2000},
		{"American ringing", amd.Options{}, []string{"silence 300", "tone 2000 440 480", "silence 4000"}, amd.Unsure, amd.Tone, 2000},
		{"a key, then hello", amd.Options{}, []string{"silence 200", "tone 200 770 1336", "silence 200", "voice 400", "silence 2000"}, amd.Human, amd.SilenceAfterGreeting, 1500},
	} {
		d := amd.New(x.o)
		d.Feed(sound(t, x.pieces...))
		got := d.Decision()
		off := got.After - time.Duration(x.after)*time.Millisecond
		if got.Verdict != x.verdict || got.Reason != x.reason || max(off, -off) > 60*time.Millisecond {
			t.Errorf("%s: %v, %v after %v, want %v, %v after %d ms", x.name, got.Verdict, got.Reason, got.After, x.verdict, x.reason, x.after)
		}
	}
}

// After the verdict: the beep, or the silence where none comes.
func TestListensOn(t *testing.T) {
	for _, x := range []struct {
		name   string
		pieces []string
		beeps  int
		beep   int // when the last one ends, milliseconds
		ended  int // 0: not
	}{
		{"beep", []string{"voice 4000", "silence 500", "tone 400 1000", "silence 1000"}, 1, 4900, 0},
		{"beep and silence", []string{"voice 4000", "silence 500", "tone 400 1000", "silence 3000"}, 1, 4900, 6900},
		{"two", []string{"voice 4000", "tone 200 1000", "voice 3000", "tone 200 425", "silence 100"}, 2, 7400, 0},
		{"none", []string{"voice 4000", "silence 3000"}, 0, 0, 6000},
		{"a key is none", []string{"voice 4000", "silence 500", "tone 400 697 1209", "silence 1000"}, 0, 0, 0},
		{"fax is none", []string{"tone 4000 2100", "silence 100", "tone 300 1000", "silence 100"}, 0, 0, 0},
		{"a fax's tone is, after words", []string{"voice 4000", "silence 500", "tone 500 1100", "silence 100"}, 1, 5000, 0},
		{"a tone without end", []string{"voice 4000", "silence 500", "tone 3000 1000", "silence 100"}, 0, 0, 0},
		{"short", []string{"voice 4000", "silence 500", "tone 60 1000", "silence 100"}, 0, 0, 0},
		{"950 Hz", []string{"voice 4000", "silence 500", "tone 330 950", "silence 100"}, 1, 4830, 0},
		{"950 Hz alone", []string{"silence 300", "tone 330 950", "silence 400"}, 1, 630, 0},
	} {
		d := amd.New(amd.Default())
		d.Feed(sound(t, x.pieces...))
		n, end := d.Beeps()
		over, at := d.Ended()
		ms := func(a time.Duration, b int) bool {
			a -= time.Duration(b) * time.Millisecond
			return max(a, -a) <= 60*time.Millisecond
		}
		if d.Decision().Verdict != amd.Machine || n != x.beeps || !ms(end, x.beep) || over != (x.ended > 0) || !ms(at, x.ended) {
			t.Errorf("%s: %+v, %d beeps to %v, ended %v at %v", x.name, d.Decision(), n, end, over, at)
		}
	}
}

func TestDone(t *testing.T) {
	d := amd.New(amd.Default())
	d.Feed(sound(t, "voice 500", "silence 400"))
	if d.Done() {
		t.Error("done before the verdict")
	}
	d.Feed(sound(t, "silence 200"))
	if !d.Done() {
		t.Error("not done with a human")
	}
	d = amd.New(amd.Default())
	d.Feed(sound(t, "voice 3000"))
	if d.Done() {
		t.Error("a machine is not listened to")
	}
	d.Feed(sound(t, "silence 57000"))
	if !d.Done() {
		t.Error("a machine is listened to for ever")
	}
}

// How the sound is cut into frames changes nothing.
func TestFramesDoNotMatter(t *testing.T) {
	if raced {
		t.Skip("long, and nothing here is concurrent")
	}
	list := scenes(t, "tuning", 1)[:40]
	rapid.Check(t, func(t *rapid.T) {
		pcm := list[rapid.IntRange(0, len(list)-1).Draw(t, "scene")].pcm
		whole, cut := amd.New(amd.Default()), amd.New(amd.Default())
		whole.Feed(pcm)
		for rest := pcm; len(rest) > 0; {
			n := min(rapid.IntRange(1, 2000).Draw(t, "frame"), len(rest))
			cut.Feed(rest[:n])
			cut.Feed(nil)
			rest = rest[n:]
		}
		if *whole != *cut {
			t.Errorf("%+v and %+v", whole.Decision(), cut.Decision())
		}
	})
}

// Any sound has a verdict in time, which stays, and nothing is out of its bounds.
func FuzzFeed(f *testing.F) {
	for _, pieces := range [][]string{{"voice 100"}, {"tone 60 1000"}, {"tone 60 440 480"}, {"noise 60 -30"}} {
		var b []byte
		for _, v := range sound(f, pieces...) {
			b = binary.LittleEndian.AppendUint16(b, uint16(v))
		}
		f.Add(b, uint16(160))
	}
	f.Fuzz(func(t *testing.T, data []byte, frame uint16) {
		pcm := make([]int16, len(data)/2)
		for i := range pcm {
			pcm[i] = int16(binary.LittleEndian.Uint16(data[2*i:]))
		}
		d := amd.New(amd.Default())
		var was amd.Decision
		feed := func(pcm []int16) {
			d.Feed(pcm)
			if now := d.Decision(); was.Verdict != amd.Undecided && now != was {
				t.Fatalf("%+v became %+v", was, now)
			} else {
				was = now
			}
		}
		pcm = slices.Repeat(pcm, 4)
		for n := int(frame) + 1; len(pcm) > 0; pcm = pcm[min(n, len(pcm)):] {
			feed(pcm[:min(n, len(pcm))])
		}
		feed(make([]int16, 4*8000))
		n, end := d.Beeps()
		if was.Verdict == amd.Undecided || was.Reason == amd.None || was.After <= 0 || was.After > 4*time.Second || (n > 0) != (end > 0) {
			t.Errorf("%+v, %d beeps to %v", was, n, end)
		}
	})
}

func TestOptions(t *testing.T) {
	if err := amd.Default().Validate(); err != nil {
		t.Error(err)
	}
	if amd.New(amd.Options{}).Options() != amd.Default() {
		t.Error("the zero options are not the default")
	}
	o := amd.Options{Unsure: amd.Unsure, Level: math.NaN(), Over: math.Inf(1)}
	const want = "bound: must be 500ms to 10s\nshort_pause: must be 100ms to 10s\npause: must be 100ms to 10s\ngreeting: must be 100ms to 10s\n" +
		"gap: must be 10ms to 1s\nword: must be 10ms to 1s\nbeep: must be 60ms to 2s\nend: must be 500ms to 10s\n" +
		"unsure: must be human or machine\nwords: must be 1 to 100\nlevel: must be -70 to -10\nover: must be 3 to 30"
	if err := o.Validate(); err == nil || err.Error() != want {
		t.Errorf("%v", err)
	}
	o.Unsure = amd.Machine
	if o.Treat(amd.Unsure) != amd.Machine || o.Treat(amd.Human) != amd.Human || amd.Default().Treat(amd.Unsure) != amd.Human {
		t.Error("Treat")
	}
	var v amd.Verdict
	if err := v.UnmarshalText([]byte("machine")); err != nil || v != amd.Machine {
		t.Error(v, err)
	}
	if err := v.UnmarshalText([]byte("robot")); err == nil || amd.Verdict(200).String() == "" || amd.Reason(200).String() == "" {
		t.Error(err)
	}
}

func BenchmarkFeed(b *testing.B) {
	for name, pcm := range map[string][]int16{
		"voice":   sound(b, "voice 10000"),
		"silence": sound(b, "silence 10000"),
		"noise":   sound(b, "noise 10000 -30"),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			d := amd.New(amd.Default())
			for at := 0; b.Loop(); at = (at + 160) % (len(pcm) - 160) {
				d.Feed(pcm[at : at+160])
			}
		})
	}
}

// TestQuiet: the verdict says how long nobody has spoken by then, and where nobody speaks it
// comes as early as Silence says.
func TestQuiet(t *testing.T) {
	early := amd.Default()
	early.Silence = 1500 * time.Millisecond
	for _, c := range []struct {
		name                   string
		options                amd.Options
		pieces                 []string
		verdict                amd.Verdict
		after, least, most, in time.Duration
	}{
		{"nobody speaks", amd.Default(), []string{"silence 5000"}, amd.Unsure, 2 * time.Second, 2 * time.Second, 2 * time.Second, 0},
		{"nobody speaks, early", early, []string{"silence 5000"}, amd.Unsure, 1500 * time.Millisecond, 1500 * time.Millisecond, 1500 * time.Millisecond, 0},
		{"a word", early, []string{"silence 300", "voice 600", "silence 5000"}, amd.Human, 1400 * time.Millisecond, 450 * time.Millisecond, 550 * time.Millisecond, 100 * time.Millisecond},
		{"who begins late", early, []string{"silence 1400", "voice 600", "silence 5000"}, amd.Human, 2500 * time.Millisecond, 450 * time.Millisecond, 550 * time.Millisecond, 100 * time.Millisecond},
	} {
		d := amd.New(c.options)
		d.Feed(sound(t, c.pieces...))
		x := d.Decision()
		if x.Verdict != c.verdict || (x.After-c.after).Abs() > c.in || x.Quiet < c.least || x.Quiet > c.most {
			t.Errorf("%s: %v after %v, quiet for %v", c.name, x.Verdict, x.After, x.Quiet)
		}
	}
}
