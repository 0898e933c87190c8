package sounds

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"vpbx/media/audio"
	"vpbx/pbx"
	"vpbx/speech"
)

// engine answers with a tone of a tenth of a second for each word.
type engine struct {
	asked atomic.Int32
	takes time.Duration
	last  atomic.Value
}

func (e *engine) ID() string { return "test" }

func (e *engine) Say(ctx context.Context, r speech.Request) ([]byte, error) {
	e.asked.Add(1)
	e.last.Store(r.Text)
	select {
	case <-time.After(e.takes):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return audio.EncodeWAV(pcmOf(time.Duration(len(strings.Fields(r.Text)))*100*time.Millisecond, 8000, 0.1))
}

func pcmOf(d time.Duration, rate int, amplitude float64) audio.PCM {
	pcm := audio.PCM{Samples: make([]int16, int(d*time.Duration(rate)/time.Second)), Rate: rate}
	audio.Tone(pcm.Samples, rate, 440, amplitude, 0)
	return pcm
}

func wav(t testing.TB, d time.Duration, rate int) []byte {
	t.Helper()
	data, err := audio.EncodeWAV(pcmOf(d, rate, 0.02))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func library(t testing.TB, e speech.Engine) *Library {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	s, err := speech.New(speech.Options{Engine: e, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	l, err := New(Options{Dir: t.TempDir(), Speech: s, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

func company(prompts ...*pbx.Prompt) *pbx.Company {
	c := &pbx.Company{Tenant: pbx.Tenant{ID: "acme", Country: "RU"}, Prompts: map[string]*pbx.Prompt{}}
	for _, p := range prompts {
		c.Prompts[p.Name] = p
	}
	return c
}

func TestAdd(t *testing.T) {
	l := library(t, nil)
	c := company()
	a, err := l.Add(t.Context(), "acme", wav(t, time.Second, 48000))
	if err != nil {
		t.Fatal(err)
	}
	if a.Length != time.Second || a.Size != 44+2*16000 {
		t.Errorf("%+v is not at 16 kHz", a)
	}
	again, err := l.Add(t.Context(), "acme", wav(t, time.Second, 48000))
	if err != nil || again != a {
		t.Errorf("the same again: %+v, %v", again, err)
	}
	if kept, err := l.Stat("acme", a.Hash); err != nil || kept != a {
		t.Errorf("stat %+v, %v", kept, err)
	}
	p := &pbx.Prompt{Name: "a", Upload: true, Sound: a.Hash}
	played, err := l.Load(t.Context(), c, p, nil)
	if err != nil || played.Duration() != time.Second {
		t.Errorf("played %v, %v", played, err)
	}
	data, err := l.Sound(t.Context(), c, p, nil)
	if err != nil {
		t.Fatal(err)
	}
	pcm, err := audio.ReadSound(data, audio.Limits{Whole: true})
	if err != nil || audio.Loudness(pcm.Samples, pcm.Rate) < -25 {
		t.Errorf("%.1f dB, %v", audio.Loudness(pcm.Samples, pcm.Rate), err)
	}
	if _, err := l.Stat("other", a.Hash); pbx.KindOf(err) != pbx.NotFound {
		t.Errorf("of another company: %v", err)
	}
	for _, hash := range []string{"", "../../etc/passwd", strings.Repeat("a", 63) + "/", strings.Repeat("A", 64), strings.Repeat("a", 64)} {
		if _, err := l.Stat("acme", hash); pbx.KindOf(err) != pbx.NotFound {
			t.Errorf("hash %q: %v", hash, err)
		}
	}
	for _, id := range []pbx.TenantID{"", "..", "a/b", "A"} {
		if _, err := l.Add(t.Context(), id, wav(t, time.Second, 8000)); err == nil {
			t.Errorf("tenant %q", id)
		}
	}
}

// TestAddRefuses: bad files, each with a sentence.
func TestAddRefuses(t *testing.T) {
	l := library(t, nil)
	whole := wav(t, time.Second, 8000)
	for name, tt := range map[string]struct {
		data []byte
		want string
	}{
		"nothing": {nil, "empty"}, "text": {[]byte("hello, world"), "neither WAV"}, "cut": {whole[:1000], "cut short"},
		"100 MB":  {append(bytes.Clone(whole), make([]byte, 100<<20)...), "larger than"},
		"an hour": {wav(t, time.Hour/4, 8000), "too long"},
	} {
		if _, err := l.Add(t.Context(), "acme", tt.data); pbx.KindOf(err) != pbx.Invalid || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if entries, err := os.ReadDir(filepath.Join(l.o.Dir, "acme")); err == nil && len(entries) > 0 {
		t.Errorf("refused files are kept: %v", entries)
	}
}

func TestSweep(t *testing.T) {
	l := library(t, nil)
	var hashes []string
	for i := range 3 {
		s, err := l.Add(t.Context(), "acme", wav(t, time.Duration(i+1)*time.Second, 8000))
		if err != nil {
			t.Fatal(err)
		}
		hashes = append(hashes, s.Hash)
	}
	c := company(&pbx.Prompt{Name: "a", Upload: true, Sound: hashes[0]})
	old := time.Now().Add(-time.Hour)
	for _, h := range hashes[:2] {
		if err := os.Chtimes(filepath.Join(l.o.Dir, "acme", h+".wav"), old, old); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Sweep(c); err != nil {
		t.Fatal(err)
	}
	for i, want := range []bool{true, false, true} { // used, old, fresh
		if _, err := l.Stat("acme", hashes[i]); (err == nil) != want {
			t.Errorf("sound %d: %v", i, err)
		}
	}
	if err := l.Sweep(&pbx.Company{Tenant: pbx.Tenant{ID: "nobody"}}); err != nil {
		t.Error(err)
	}
}

// TestOnce: a text that many want at once is spoken once; who hangs up does not take it
// from the others.
func TestOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &engine{takes: time.Second}
		l := library(t, e)
		defer l.Close()
		p := &pbx.Prompt{Name: "a", Text: "раз два"}
		c := company(p)
		hurried, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := l.Load(hurried, c, p, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("hurried: %v", err)
		}
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if got, err := l.Load(t.Context(), c, p, nil); err != nil || got.Duration() != 200*time.Millisecond {
					t.Errorf("%v, %v", got, err)
				}
			})
		}
		wg.Wait()
		if n := e.asked.Load(); n != 1 {
			t.Errorf("asked %d times", n)
		}
	})
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := library(t, &engine{takes: time.Hour})
		p := &pbx.Prompt{Name: "a", Text: "раз"}
		time.AfterFunc(time.Second, l.Close)
		if _, err := l.Load(t.Context(), company(p), p, nil); err == nil {
			t.Error("spoken by a library that is closed")
		}
		if _, err := l.Load(t.Context(), company(p), p, nil); pbx.KindOf(err) != pbx.Unavailable {
			t.Errorf("after Close: %v", err)
		}
	})
}

// TestReasons: what the record of a call says.
func TestReasons(t *testing.T) {
	l := library(t, nil)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "text.wav"), []byte("this is no sound"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		p    pbx.Prompt
		want string
	}{
		{pbx.Prompt{File: filepath.Join(dir, "missing.wav")}, "its file cannot be read"},
		{pbx.Prompt{File: dir}, "its file cannot be read"},
		{pbx.Prompt{File: filepath.Join(dir, "text.wav")}, "neither WAV nor MP3"},
		{pbx.Prompt{Upload: true}, "no sound has been uploaded for it yet"},
		{pbx.Prompt{Upload: true, Sound: strings.Repeat("a", 64)}, "its file cannot be read"},
		{pbx.Prompt{Upload: true, Sound: "../x"}, "there is no such sound"},
		{pbx.Prompt{Text: "a"}, "no speech engine is configured"},
		{pbx.Prompt{Text: "{a"}, "{ without }"},
		{pbx.Prompt{Text: "{a}"}, "{a} has no value"},
		{pbx.Prompt{Text: " "}, "there is nothing to say"},
	} {
		_, err := l.Load(t.Context(), company(), &tt.p, nil)
		e, ok := errors.AsType[*pbx.Error](err)
		if !ok || !strings.Contains(e.Msg, tt.want) {
			t.Errorf("%+v: %v", tt.p, err)
		}
	}
}

// phrases are recordings of words, each of a length of its own.
func phrases(t *testing.T, words map[string]time.Duration) *pbx.Company {
	t.Helper()
	dir := t.TempDir()
	c := company()
	n := 0
	for name, d := range words {
		n++
		file := filepath.Join(dir, fmt.Sprint(n, ".wav"))
		if err := os.WriteFile(file, wav(t, d, 8000), 0o600); err != nil {
			t.Fatal(err)
		}
		c.Prompts[name] = &pbx.Prompt{Name: name, File: file}
	}
	return c
}

// TestPhrases: a text is put together from recordings when all are there, the longest
// first, with pauses; otherwise the engine speaks all of it.
func TestPhrases(t *testing.T) {
	const ms = time.Millisecond
	c := phrases(t, map[string]time.Duration{
		"say.ru.ваш": 100 * ms, "say.ru.долг": 100 * ms, "say.ru.ваш_долг": 300 * ms, "say.ru.двадцать": 1000 * ms, "digits.ru.1": 2000 * ms,
		"say.ru.рубль": 4000 * ms, "say.ru.три": 40 * ms, "say.ru.четвертого": 60 * ms, "say.en.twenty": 500 * ms, "digits.en.2": 700 * ms, "say.en.noon": 20 * ms,
	})
	c.Prompts["say.ru.пять"] = &pbx.Prompt{Name: "say.ru.пять", Text: "пять"} // not recorded
	e := &engine{}
	l := library(t, e)
	for _, tt := range []struct {
		text, language string
		want           time.Duration
		engine         bool
	}{
		{"Ваш долг: {v:money}.", "", 300*ms + shortPause + 7000*ms, false},
		{"ваш, долг", "", 200*ms + shortPause, false}, // a phrase does not reach across a pause
		{"три", "", 40 * ms, false},
		{"четвёртого", "", 60 * ms, false},
		{"{v:number}", "en", 0, true}, // twenty-one: there is no one
		{"twenty-two noon", "en", 1220 * ms, false},
		{"ваш долг пять", "", 300 * ms, true},
		{"ваш новый долг", "", 300 * ms, true},
		{"долг", "de", 100 * ms, true},
	} {
		before := e.asked.Load()
		p := &pbx.Prompt{Name: "x", Text: tt.text, Language: tt.language}
		got, err := l.Load(t.Context(), c, p, func(string) (string, bool) { return "21", true })
		if err != nil {
			t.Errorf("%q: %v", tt.text, err)
			continue
		}
		if asked := e.asked.Load() > before; asked != tt.engine {
			t.Errorf("%q: engine asked: %v", tt.text, asked)
		}
		if d := got.Duration() - tt.want; tt.want > 0 && !tt.engine && (d < 0 || d > 20*ms) {
			t.Errorf("%q: %v, want %v", tt.text, got.Duration(), tt.want)
		}
	}
}

func TestMusic(t *testing.T) {
	c := phrases(t, map[string]time.Duration{"a": time.Second, "b": 2 * time.Second})
	c.Music = map[string]*pbx.Music{
		"default": {Name: "default", Files: []string{c.Prompts["a"].File, c.Prompts["b"].File}, Prompts: []string{"a"}},
		"gone":    {Name: "gone", Files: []string{"/nonexistent.wav"}},
		"lost":    {Name: "lost", Prompts: []string{"x"}},
	}
	l := library(t, nil)
	if p := l.Ready(c, "default"); p != nil {
		t.Error("ready before it was made")
	}
	if p, err := l.Music(t.Context(), c, "default"); err != nil || p.Duration() != 4*time.Second {
		t.Errorf("%v, %v", p, err)
	}
	if p := l.Ready(c, "default"); p == nil {
		t.Error("not ready")
	}
	if p, err := l.Music(t.Context(), c, "none"); p != nil || err != nil || l.Ready(c, "none") != nil {
		t.Errorf("none: %v, %v", p, err)
	}
	for _, name := range []string{"gone", "lost"} {
		if _, err := l.Music(t.Context(), c, name); pbx.KindOf(err) != pbx.NotFound || l.Ready(c, name) != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestFileChanges: a file that was replaced is another sound, without a restart.
func TestFileChanges(t *testing.T) {
	c := phrases(t, map[string]time.Duration{"a": time.Second})
	l := library(t, nil)
	for _, d := range []time.Duration{time.Second, 3 * time.Second} {
		if err := os.WriteFile(c.Prompts["a"].File, wav(t, d, 16000), 0o600); err != nil {
			t.Fatal(err)
		}
		if p, err := l.Load(t.Context(), c, c.Prompts["a"], nil); err != nil || p.Duration() != d {
			t.Errorf("%v: %v", p, err)
		}
	}
}

func TestCacheIsBounded(t *testing.T) {
	c := phrases(t, map[string]time.Duration{"a": time.Second, "b": time.Second, "c": time.Second})
	l := library(t, nil)
	l.cache.most = 2*2*8000 + 1000
	for _, name := range []string{"a", "b", "a", "c", "a"} {
		if _, err := l.Load(t.Context(), c, c.Prompts[name], nil); err != nil {
			t.Fatal(err)
		}
	}
	if l.cache.used.Len() != 2 || l.cache.bytes > l.cache.most {
		t.Errorf("%d sounds of %d bytes", l.cache.used.Len(), l.cache.bytes)
	}
	s, err := fileSource(c.Prompts["a"].File)
	if err != nil || l.cache.get(s.key) == nil {
		t.Errorf("what was used last is gone: %v", err)
	}
}

func BenchmarkReady(b *testing.B) {
	l := library(b, nil)
	file := filepath.Join(b.TempDir(), "a.wav")
	if err := os.WriteFile(file, wav(b, time.Second, 8000), 0o600); err != nil {
		b.Fatal(err)
	}
	c := company()
	c.Music = map[string]*pbx.Music{"m": {Name: "m", Files: []string{file}}}
	if _, err := l.Music(b.Context(), c, "m"); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		l.Ready(c, "m")
	}
}
