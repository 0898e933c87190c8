package amd_test

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"vpbx/media/audio"
)

var remake = flag.Bool("make", false, "have espeak-ng speak the corpus anew")

// phrase is a line of testdata/phrases.txt.
type phrase struct{ part, kind, language, text string }

func phrases(t *testing.T) []phrase {
	t.Helper()
	data, err := os.ReadFile("testdata/phrases.txt")
	if err != nil {
		t.Fatal(err)
	}
	var list []phrase
	lines := bufio.NewScanner(bytes.NewReader(data))
	for lines.Scan() {
		line := lines.Text()
		if line == "" || line[0] == '#' {
			continue
		}
		f := strings.SplitN(line, " ", 4)
		if len(f) != 4 {
			t.Fatalf("testdata/phrases.txt: %q", line)
		}
		list = append(list, phrase{f[0], f[1], f[2], f[3]})
	}
	return list
}

// voices speak each part, with their speeds in words a minute and pitches.
var voices = map[string][]struct {
	variant      string
	speed, pitch int
}{
	"tuning": {{"m3", 165, 50}, {"f2", 185, 55}, {"m7", 140, 35}, {"Andy", 200, 45}},
	"held":   {{"f4", 160, 50}, {"m1", 190, 40}, {"belinda", 145, 60}, {"Alex", 175, 55}},
}

// langs are the voices of espeak-ng for a language.
var langs = map[string]map[string]string{"tuning": {"ru": "ru", "en": "en-us"}, "held": {"ru": "ru", "en": "en-gb"}}

const (
	clipMost   = 4500 * time.Millisecond // of what is kept of a clip: what follows decides nothing
	machineOf  = 2                       // voices that speak the greeting of a machine; of humans all
	quietBelow = 300                     // samples that are cut off at both ends
)

// TestMake speaks the corpus: go test ./media/amd -run TestMake -make. It gives the same files
// wherever espeak-ng is of the same version (1.51).
func TestMake(t *testing.T) {
	if !*remake {
		t.Skip("only with -make")
	}
	old, err := filepath.Glob("testdata/*.wav")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range old {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	for n, p := range phrases(t) {
		for i, v := range voices[p.part] {
			if !human(p.kind) && (i+n)%len(voices[p.part]) >= machineOf {
				continue
			}
			name := fmt.Sprintf("testdata/%s-%s-%s-%02d-%s.wav", p.part, p.kind, p.language, n, v.variant)
			if err := speak(name, langs[p.part][p.language]+"+"+v.variant, v.speed, v.pitch, p.text); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func human(kind string) bool { return kind == "human" || kind == "office" }

// speak writes what a voice says as a WAV file of A-law.
func speak(name, voice string, speed, pitch int, text string) error {
	out, err := exec.Command("espeak-ng", "-v", voice, "-s", strconv.Itoa(speed), "-p", strconv.Itoa(pitch), "--stdout", text).Output()
	if err != nil {
		return fmt.Errorf("speak %q: %w", text, err)
	}
	pcm, err := audio.ReadWAV(bytes.NewReader(out), audio.Limits{})
	if err != nil {
		return fmt.Errorf("speak %q: %w", text, err)
	}
	s := audio.Resample(pcm.Samples, pcm.Rate, 8000)
	audio.Normalise(s, 8000)
	for len(s) > 0 && max(s[0], -s[0]) < quietBelow {
		s = s[1:]
	}
	for len(s) > 0 && max(s[len(s)-1], -s[len(s)-1]) < quietBelow {
		s = s[:len(s)-1]
	}
	s = s[:min(len(s), int(clipMost.Milliseconds())*8)]
	return os.WriteFile(name, wavALaw(s), 0o644)
}

// wavALaw is a WAV file of A-law, 8 kHz.
func wavALaw(s []int16) []byte {
	data := make([]byte, len(s))
	audio.EncodeALaw(data, s)
	var b bytes.Buffer
	le := func(v uint32, n int) {
		for range n {
			b.WriteByte(byte(v))
			v >>= 8
		}
	}
	b.WriteString("RIFF")
	le(uint32(38+len(data)), 4)
	b.WriteString("WAVEfmt ")
	for _, x := range [][2]int{{18, 4}, {6, 2}, {1, 2}, {8000, 4}, {8000, 4}, {1, 2}, {8, 2}, {0, 2}} {
		le(uint32(x[0]), x[1])
	}
	b.WriteString("data")
	le(uint32(len(data)), 4)
	b.Write(data)
	return b.Bytes()
}
