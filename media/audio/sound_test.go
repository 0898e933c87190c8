package audio

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/thesyncim/gopus"
	"github.com/thesyncim/gopus/container/ogg"
)

// oggFile encodes samples of 48 kHz as Ogg Opus.
func oggFile(t testing.TB, samples []int16, channels int) []byte {
	t.Helper()
	enc, err := gopus.NewEncoder(gopus.EncoderConfig{SampleRate: 48000, Channels: channels, Application: gopus.ApplicationVoIP})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w, err := ogg.NewWriter(&b, 48000, uint8(channels))
	if err != nil {
		t.Fatal(err)
	}
	packet := make([]byte, 4000)
	for frame := 960 * channels; len(samples) >= frame; samples = samples[frame:] {
		n, err := enc.EncodeInt16(samples[:frame], packet)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.WritePacket(packet[:n], 960); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func pureTone(rate int, d time.Duration, amplitude float64) []int16 {
	pcm := make([]int16, samplesIn(d, rate))
	Tone(pcm, rate, 440, amplitude, 0)
	return pcm
}

func soundFile(samples []int16, rate int) []byte {
	b, err := EncodeWAV(PCM{samples, rate})
	if err != nil {
		panic(err) // the test is wrong
	}
	return b
}

func testdata(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestReadSound: each form gives the tone back that was put in, as long as it was.
func TestReadSound(t *testing.T) {
	const length = 1500 * time.Millisecond
	stereo := make([]int16, 0, 2*72000)
	for _, v := range pureTone(48000, length, 0.3) {
		stereo = append(stereo, v, v)
	}
	for name, tt := range map[string]struct {
		data []byte
		rate int
	}{
		"wav 8 kHz":         {soundFile(pureTone(8000, length, 0.3), 8000), 8000},
		"wav 16 kHz":        {soundFile(pureTone(16000, length, 0.3), 16000), 16000},
		"wav 48 kHz":        {soundFile(pureTone(48000, length, 0.3), 48000), 48000},
		"mp3 44.1 stereo":   {testdata(t, "tone-44100-stereo.mp3"), 44100},
		"mp3 16 kHz":        {testdata(t, "tone-16000-mono.mp3"), 16000},
		"mp3 with ID3":      {append([]byte("ID3\x04\x00\x00\x00\x00\x01\x00"+strings.Repeat("\xff", 128)), testdata(t, "tone-16000-mono.mp3")...), 16000},
		"ogg opus":          {oggFile(t, pureTone(48000, length, 0.3), 1), 16000},
		"ogg opus, stereo":  {oggFile(t, stereo, 2), 16000},
		"wav, size unknown": {unsized(soundFile(pureTone(8000, length, 0.3), 8000)), 8000},
	} {
		p, err := ReadSound(tt.data, Limits{Whole: true})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if p.Rate != tt.rate {
			t.Errorf("%s: %d samples a second, want %d", name, p.Rate, tt.rate)
		}
		if d := p.Duration() - length; d < -30*time.Millisecond || d > 150*time.Millisecond {
			t.Errorf("%s: %v long, want %v", name, p.Duration(), length)
		}
		middle := p.Samples[len(p.Samples)/3:][:p.Rate/2]
		if share := Goertzel(middle, p.Rate, 440); share < 0.95 {
			t.Errorf("%s: the tone is %.2f of it", name, share)
		}
	}
}

// unsized is a file whose writer could not go back to the header.
func unsized(b []byte) []byte {
	copy(b[40:], "\xff\xff\xff\xff")
	return b
}

// TestReadSoundRefuses: files that are broken or lie about their size.
func TestReadSoundRefuses(t *testing.T) {
	whole := soundFile(pureTone(8000, time.Second, 0.3), 8000)
	huge := bytes.Clone(whole)
	copy(huge[40:], "\xf0\xff\xff\xff")
	song, opus := testdata(t, "tone-44100-stereo.mp3"), oggFile(t, pureTone(48000, time.Second, 0.3), 1)
	bits := bytes.Clone(whole)
	bits[34] = 20
	for name, tt := range map[string]struct {
		data []byte
		want string
	}{
		"nothing":                {nil, "the file is empty"},
		"text":                   {[]byte("Добро пожаловать"), "neither WAV nor MP3 nor Ogg Opus"},
		"picture":                {[]byte("\x89PNG\r\n\x1a\n0000"), "neither WAV"},
		"wav cut":                {whole[:5000], "claims 16000 bytes of sound and 4956 are there"},
		"wav claims 4 GB":        {huge, "claims 4294967280 bytes of sound and 16000 are there"},
		"wav of 20 bits":         {bits, "20 bits a sample"},
		"wav header only":        {whole[:44], "claims 16000"},
		"mp3 cut":                {song[:len(song)/2], "it is cut short"},
		"mp3 frame only":         {song[:4], "not a sound"},
		"ID3 claims 200 MB":      {append([]byte("ID3\x04\x00\x00\x64\x00\x00\x00"), song...), "its ID3 tag claims"},
		"ID3 and nothing":        {[]byte("ID3\x04\x00\x00\x00\x00\x00\x00"), "neither WAV"},
		"ogg cut in the headers": {opus[:60], "no Opus in it"},
		"ogg headers only":       {opus[:100], "not a sound"},
		"ogg of something else":  {[]byte("OggS" + strings.Repeat("\x00", 100)), "no Opus in it"},
	} {
		if _, err := ReadSound(tt.data, Limits{Whole: true}); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
	for name, data := range map[string][]byte{"wav": whole, "mp3": song, "ogg": opus} {
		if _, err := ReadSound(data, Limits{Length: 500 * time.Millisecond}); !errors.Is(err, ErrTooLong) {
			t.Errorf("%s over the limit: %v", name, err)
		}
	}
}

func TestNormalise(t *testing.T) {
	silence := make([]int16, 8000)
	Normalise(silence, 8000)
	if math.Abs(float64(silence[0])) != 0 || !math.IsInf(Loudness(silence, 8000), -1) {
		t.Error("silence is no longer silent")
	}
	for _, amplitude := range []float64{0.02, 0.1, 0.9} {
		pcm := append(pureTone(8000, time.Second, amplitude), make([]int16, 16000)...) // a pause does not count
		Normalise(pcm, 8000)
		if l := Loudness(pcm, 8000); math.Abs(l-speechLevel) > 0.5 {
			t.Errorf("amplitude %v: %.1f dB, want %.1f", amplitude, l, speechLevel)
		}
	}
	faint := pureTone(8000, time.Second, 0.006)
	before := Loudness(faint, 8000)
	Normalise(faint, 8000)
	if l := Loudness(faint, 8000); l-before > mostGain+0.5 {
		t.Errorf("noise is made louder by %.1f dB", l-before)
	}
	clicks := make([]int16, 8000) // loud peaks, little power
	for i := 0; i < len(clicks); i += 400 {
		clicks[i] = 20000
	}
	Normalise(clicks, 8000)
	for _, v := range clicks {
		if float64(v) > math.MaxInt16*math.Pow(10, peakLevel/20)+1 {
			t.Fatalf("a peak of %d", v)
		}
	}
}

func FuzzReadSound(f *testing.F) {
	f.Add(soundFile(pureTone(8000, 100*time.Millisecond, 0.3), 8000))
	f.Add(oggFile(f, pureTone(48000, 100*time.Millisecond, 0.3), 1))
	f.Add(testdata(f, "tone-16000-mono.mp3"))
	f.Add(testdata(f, "tone-8000-mono.mp3"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := ReadSound(data, Limits{Length: 5 * time.Second})
		if err != nil {
			return
		}
		if p.Rate < 8000 || p.Rate > 48000 || p.Duration() > 5*time.Second+time.Millisecond {
			t.Errorf("%d samples at %d", len(p.Samples), p.Rate)
		}
		Normalise(p.Samples, p.Rate)
	})
}
