package amd_test

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vpbx/media/audio"
)

// scene is what is heard of one answered call, made of clips, tones and noise.
type scene struct {
	name  string
	kind  string // of phrases.txt, or music, fax, busy
	pcm   []int16
	voice [2]time.Duration // from when to when the greeting lasts
	beep  time.Duration    // the end of the beep after it, 0: none
	place string           // what is heard besides
}

// clip is a file of the corpus.
type clip struct {
	name, kind, voice string
	pcm               []int16
}

func clips(t testing.TB, part string) []clip {
	t.Helper()
	names, err := filepath.Glob("testdata/" + part + "-*.wav")
	if err != nil || len(names) == 0 {
		t.Fatalf("no corpus in testdata: %v", err)
	}
	var list []clip
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		pcm, err := audio.ReadWAV(bytes.NewReader(data), audio.Limits{Whole: true})
		if err != nil {
			t.Fatal(err)
		}
		f := strings.Split(strings.TrimSuffix(filepath.Base(name), ".wav"), "-")
		list = append(list, clip{name: strings.Join(f[1:], "-"), kind: f[1], voice: f[2] + f[4], pcm: pcm.Samples})
	}
	return list
}

// scenes puts each clip of a part into so many scenes, and adds some without a voice.
func scenes(t testing.TB, part string, each int) []scene {
	all := clips(t, part)
	var list []scene
	for n, c := range all {
		for k := range each {
			m := newStage(part, n, k)
			list = append(list, m.voice(c, all, k))
		}
	}
	for k := range 5 * each {
		for i, kind := range []string{"music", "fax", "busy"} {
			m := newStage(part, 1000+i, k)
			list = append(list, m.tones(kind, k))
		}
	}
	return list
}

// sceneTime is how long a scene is heard.
const sceneTime = 9 * time.Second

// stage is where a scene is put together.
type stage struct {
	*rand.Rand
	pcm []float64
}

func newStage(part string, n, k int) *stage {
	return &stage{Rand: rand.New(rand.NewPCG(uint64(len(part)*1000+n), uint64(k))), pcm: make([]float64, samples(sceneTime))}
}

func samples(d time.Duration) int             { return int(d * 8000 / time.Second) }
func length(samples int) time.Duration        { return time.Duration(samples) * time.Second / 8000 }
func amplitude(db float64) float64            { return 32767 * math.Pow(10, db/20) }
func (m *stage) between(a, b float64) float64 { return a + (b-a)*m.Float64() }
func (m *stage) chance(p float64) bool        { return m.Float64() < p }

// wait is how long it takes until somebody speaks, seconds: as a rule a few tenths.
func (m *stage) wait(least, mean, most float64) time.Duration {
	return time.Duration(min(least+m.ExpFloat64()*mean, most) * float64(time.Second))
}

// add mixes sound in at a time and says when it ends.
func (m *stage) add(at time.Duration, pcm []int16, gain float64) time.Duration {
	for i, v := range pcm {
		if n := samples(at) + i; n < len(m.pcm) {
			m.pcm[n] += gain * float64(v)
		}
	}
	return at + length(len(pcm))
}

// noise adds noise from one time to another: white for a line, and as the street or a breath
// sound, mostly of low frequencies.
func (m *stage) noise(from, to time.Duration, level float64, dull bool) {
	var low, swell float64
	for n := samples(from); n < min(samples(to), len(m.pcm)); n++ {
		x := m.NormFloat64()
		if dull {
			low += 0.15 * (x - low)
			x = low * 3.5
		}
		if n%800 == 0 {
			swell = m.between(-3, 3)
		}
		if dull {
			x *= math.Pow(10, swell/20)
		}
		m.pcm[n] += x * amplitude(level)
	}
}

// sine adds tones together for a time and says when they end.
func (m *stage) sine(at, d time.Duration, level float64, freqs ...float64) time.Duration {
	a := amplitude(level) / float64(len(freqs))
	for i := range samples(d) {
		for _, f := range freqs {
			if n := samples(at) + i; n < len(m.pcm) {
				m.pcm[n] += a * math.Sin(2*math.Pi*f*float64(i)/8000)
			}
		}
	}
	return at + d
}

// music plays chords of plucked strings with a beat.
func (m *stage) music(from, to time.Duration, level float64) {
	const fade = 0.9997 // a sample
	root := m.between(130, 260)
	step := time.Duration(m.between(0.2, 0.45) * float64(time.Second))
	for at := from; at < to; at += step {
		for range 3 {
			f := root * math.Pow(2, float64([]int{0, 3, 4, 5, 7, 9, 12, 14, 16}[m.IntN(9)])/12)
			a := amplitude(level) * m.between(0.3, 1)
			from := samples(at)
			for n := from; n < min(from+samples(3*step), samples(to), len(m.pcm)); n++ {
				sin, cos := math.Sincos(2 * math.Pi * f * float64(n-from) / 8000)
				m.pcm[n] += a * sin * (1 + cos) // with an octave
				a *= fade
			}
		}
	}
}

// voice is a scene in which somebody speaks.
func (m *stage) voice(c clip, all []clip, k int) scene {
	s := scene{name: fmt.Sprintf("%s/%d", c.name, k), kind: c.kind}
	gain := math.Pow(10, m.between(-12, 4)/20)
	if human(c.kind) {
		s.voice[0] = m.wait(0.1, 0.4, 1.8)
		s.voice[1] = m.add(s.voice[0], c.pcm, gain)
		m.handset(s.voice[0])
		m.people(&s, c, all, gain)
		s.place = m.place(0.8)
	} else {
		s.voice[0] = m.wait(0.05, 0.35, 1.8)
		if c.kind == "network" && m.chance(0.5) {
			s.voice[0] = m.information(s.voice[0]/2) + 100*time.Millisecond
		}
		s.voice[1] = m.add(s.voice[0], c.pcm, gain)
		if c.kind != "network" {
			s.beep = m.beep(s.voice[1] + m.wait(0.1, 0.4, 1.8))
		}
		s.place = m.place(0.4)
	}
	s.pcm = m.line()
	return s
}

// handset is what is heard before somebody speaks: the click of a switch, a breath.
func (m *stage) handset(until time.Duration) {
	if m.chance(0.3) {
		m.noise(20*time.Millisecond, 30*time.Millisecond, m.between(-35, -20), false)
	}
	if m.chance(0.3) && until > 500*time.Millisecond {
		from := until - m.wait(0.25, 0.1, 0.4)
		m.noise(from, from+m.wait(0.1, 0.1, 0.25), m.between(-52, -42), true)
	}
}

// people is what somebody may say behind a greeting: a word at once, or the greeting again
// because nobody speaks.
func (m *stage) people(s *scene, c clip, all []clip, gain float64) {
	if m.chance(0.15) && c.kind == "human" && len(c.pcm) < 6400 {
		for range 20 {
			if x := all[m.IntN(len(all))]; x.kind == "human" && x.voice == c.voice && len(x.pcm) < 6400 {
				s.voice[1] = m.add(s.voice[1]+m.wait(0.15, 0.1, 0.4), x.pcm, gain)
				break
			}
		}
	}
	if m.chance(0.3) {
		m.add(s.voice[1]+m.wait(1.2, 0.5, 3), c.pcm, gain)
	}
}

// place is what is heard of where somebody is, or where a greeting was recorded.
func (m *stage) place(p float64) string {
	if !m.chance(p) {
		return "nothing"
	}
	switch m.IntN(4) {
	case 0:
		m.noise(0, sceneTime, m.between(-68, -48), false)
		return "a line"
	case 1:
		m.noise(0, sceneTime, m.between(-55, -38), true)
		return "a street"
	case 2:
		m.music(0, sceneTime, m.between(-58, -44))
		return "music"
	}
	m.noise(0, sceneTime, m.between(-60, -45), false)
	m.sine(0, sceneTime, m.between(-55, -40), 50)
	return "a hum"
}

// beep is one of those that machines have, and says when it ends.
func (m *stage) beep(at time.Duration) time.Duration {
	level := m.between(-24, -8)
	long := time.Duration(m.between(0.12, 1) * float64(time.Second))
	switch m.IntN(4) {
	case 0:
		return m.sine(at, long, level, 1000)
	case 1:
		return m.sine(at, long, level, m.between(400, 2400))
	case 2:
		return m.sine(at, long, level, 440)
	}
	f := m.between(500, 1200)
	return m.sine(at, long, level, f, f*m.between(1.2, 1.9))
}

// information is the special information tone of ITU-T E.180, and says when it ends.
func (m *stage) information(at time.Duration) time.Duration {
	for _, f := range []float64{950, 1400, 1800} {
		at = m.sine(at, 330*time.Millisecond, -15, f) + 20*time.Millisecond
	}
	return at
}

// tones is a scene in which nobody speaks.
func (m *stage) tones(kind string, k int) scene {
	s := scene{name: fmt.Sprintf("%s/%d", kind, k), kind: kind}
	s.voice[0] = m.wait(0.05, 0.2, 0.8)
	switch kind {
	case "music":
		m.music(s.voice[0], sceneTime, m.between(-28, -16))
	case "fax":
		m.sine(s.voice[0], 3*time.Second, m.between(-20, -10), 2100)
	case "busy":
		f := [][]float64{{425}, {480, 620}, {400}}[m.IntN(3)]
		for at := s.voice[0]; at < sceneTime; at += 700 * time.Millisecond {
			m.sine(at, 350*time.Millisecond, -16, f...)
		}
	}
	s.place = m.place(0.3)
	s.pcm = m.line()
	return s
}

// line is what arrives of a scene: A-law, and of some calls without a few packets.
func (m *stage) line() []int16 {
	pcm := make([]int16, len(m.pcm))
	for i, v := range m.pcm {
		pcm[i] = int16(min(max(math.Round(v), -32768), 32767))
	}
	if m.chance(0.4) {
		loss := m.between(0.005, 0.05)
		for at := 0; at+160 <= len(pcm); at += 160 {
			if m.chance(loss) {
				clear(pcm[at : at+160])
			}
		}
	}
	law := make([]byte, len(pcm))
	audio.EncodeALaw(law, pcm)
	audio.DecodeALaw(pcm, law)
	return pcm
}
