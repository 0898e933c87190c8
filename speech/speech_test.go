package speech

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"vpbx/media/audio"
)

// spoken is a sound file of half a second.
func spoken(t testing.TB) []byte {
	t.Helper()
	pcm := make([]int16, 4000)
	audio.Tone(pcm, 8000, 440, 0.05, 0)
	data, err := audio.EncodeWAV(audio.PCM{Samples: pcm, Rate: 8000})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// script writes a shell program.
func script(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "engine")
	if err := os.WriteFile(file, []byte("#!/bin/sh\n"+text), 0o700); err != nil {
		t.Fatal(err)
	}
	return file
}

func speaker(t *testing.T, o Options) *Speaker {
	t.Helper()
	o.Log = slog.New(slog.DiscardHandler)
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestCommand: the text comes on the standard input and never as an argument; voice and
// language do, where the template has them; our environment does not.
func TestCommand(t *testing.T) {
	dir := t.TempDir()
	sound := filepath.Join(dir, "sound.wav")
	if err := os.WriteFile(sound, spoken(t), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("VPBX_HTTP_TOKEN", "our secret")
	file := script(t, `cat > "`+dir+`/text"; echo "$@" > "`+dir+`/args"; env > "`+dir+`/env"; cat "`+sound+`"`)
	c := Command{Args: []string{file, "--voice={voice}", "{language}", "$(id)"}}
	text := `"; rm -rf / #` + " Привет $(id) `id`"
	data, err := c.Say(t.Context(), Request{Text: text, Language: "ru", Voice: "anna"})
	if err != nil || len(data) != len(spoken(t)) {
		t.Fatalf("%d bytes, %v", len(data), err)
	}
	for name, want := range map[string]string{"text": text + "\n", "args": "--voice=anna ru $(id)\n"} {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if env, _ := os.ReadFile(filepath.Join(dir, "env")); strings.Contains(string(env), "secret") {
		t.Errorf("environment %s", env)
	}
	if _, err := c.Say(t.Context(), Request{Text: "a", Language: "ru"}); err != nil {
		t.Error(err)
	}
	if got, _ := os.ReadFile(filepath.Join(dir, "args")); string(got) != "--voice=ru ru $(id)\n" {
		t.Errorf("without a voice: %q", got)
	}
}

// TestCommandMisbehaves: each ends within its time, with an error that names it.
func TestCommandMisbehaves(t *testing.T) {
	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"is not there":     {[]string{"/nonexistent/engine"}, "no such file"},
		"not configured":   {nil, "no program"},
		"fails":            {[]string{script(t, "cat >/dev/null; echo no voice >&2; exit 3")}, "no voice"},
		"hangs":            {[]string{script(t, "sleep 60 & sleep 60")}, "deadline exceeded"},
		"writes endlessly": {[]string{"cat", "/dev/zero"}, "more than"},
	} {
		limit := time.Second
		if name == "writes endlessly" {
			limit = time.Minute // it is ended by what it writes
		}
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		began := time.Now()
		_, err := Command{Args: tt.args}.Say(ctx, Request{Text: strings.Repeat("x", 1<<20), Language: "ru"})
		cancel()
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("%s: took %v", name, took)
		}
	}
}

func TestHTTP(t *testing.T) {
	var header http.Header
	var body []byte
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header = r.Header
		body, _ = io.ReadAll(r.Body)
		if r.URL.Path == "/away" {
			http.Redirect(w, r, "/", http.StatusFound)
			return
		}
		w.WriteHeader(status)
		_, _ = w.Write(spoken(t))
	}))
	defer server.Close()
	h := NewHTTP(HTTPOptions{URL: server.URL, Token: "secret"})
	defer h.Close()
	if data, err := h.Say(t.Context(), Request{Text: "да", Language: "ru", Voice: "v"}); err != nil || len(data) == 0 {
		t.Fatal(err)
	}
	var q map[string]string
	if err := json.Unmarshal(body, &q); err != nil || q["text"] != "да" || q["language"] != "ru" || q["voice"] != "v" {
		t.Errorf("body %s", body)
	}
	if header.Get("Authorization") != "Bearer secret" || strings.Contains(h.ID(), "secret") {
		t.Errorf("header %v, id %q", header, h.ID())
	}
	status = http.StatusTooManyRequests
	if _, err := h.Say(t.Context(), Request{}); err == nil || !strings.Contains(err.Error(), "429") {
		t.Errorf("status: %v", err)
	}
	other := NewHTTP(HTTPOptions{URL: server.URL + "/away", Token: "secret", Header: "X-API-Key"})
	defer other.Close()
	if _, err := other.Say(t.Context(), Request{}); err == nil || !strings.Contains(err.Error(), "302") {
		t.Errorf("redirect: %v", err)
	}
	if header.Get("X-Api-Key") != "secret" || header.Get("Authorization") != "" {
		t.Errorf("header %v", header)
	}
}

// counting is an engine that fails as told.
type counting struct {
	asked atomic.Int32
	data  []byte
	err   error
	wait  time.Duration
}

func (c *counting) ID() string { return "counting" }

func (c *counting) Say(ctx context.Context, _ Request) ([]byte, error) {
	c.asked.Add(1)
	select {
	case <-time.After(c.wait):
		return c.data, c.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// TestSpeakerKeeps: a text is spoken once, also for the next process, and comes out as
// loud as others; a file that is broken on disk is made anew.
func TestSpeakerKeeps(t *testing.T) {
	dir := t.TempDir()
	e := &counting{data: spoken(t)}
	r := Request{Text: "Привет", Language: "ru"}
	for range 2 {
		s := speaker(t, Options{Engine: e, Cache: dir})
		for range 2 {
			pcm, err := s.Say(t.Context(), r)
			if err != nil || pcm.Duration() != 500*time.Millisecond {
				t.Fatalf("%v, %v", pcm.Duration(), err)
			}
			if l := audio.Loudness(pcm.Samples, pcm.Rate); math.Abs(l+23) > 1 {
				t.Errorf("%.1f dB", l)
			}
		}
	}
	if n := e.asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
	s := speaker(t, Options{Engine: e, Cache: dir})
	for i, other := range []Request{{Text: "Привет", Language: "en"}, {Text: "Привет", Language: "ru", Voice: "x"}, {Text: "Привет!", Language: "ru"}} {
		if _, err := s.Say(t.Context(), other); err != nil || e.asked.Load() != int32(i+2) {
			t.Errorf("%+v: asked %d times, %v", other, e.asked.Load(), err)
		}
	}
	file := s.disk.path(s.Key(r))
	if err := os.WriteFile(file, []byte("RIFF"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Say(t.Context(), r); err != nil || e.asked.Load() != 5 {
		t.Errorf("broken on disk: asked %d times, %v", e.asked.Load(), err)
	}
}

// TestSpeakerFails: what an engine does wrong has a name, and after three failures it
// rests.
func TestSpeakerFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if _, err := speaker(t, Options{}).Say(t.Context(), Request{Text: "a"}); !errors.Is(err, ErrNone) {
			t.Errorf("no engine: %v", err)
		}
		silence, err := audio.EncodeWAV(audio.PCM{Samples: make([]int16, 8000), Rate: 8000})
		if err != nil {
			t.Fatal(err)
		}
		for name, tt := range map[string]struct {
			e    *counting
			want error
		}{
			"error":    {&counting{err: errors.New("x")}, ErrFailed},
			"no sound": {&counting{data: []byte("<html>")}, ErrFailed},
			"nothing":  {&counting{}, ErrFailed},
			"silence":  {&counting{data: silence}, ErrFailed},
			"slow":     {&counting{wait: time.Hour}, ErrTimeout},
		} {
			s := speaker(t, Options{Engine: tt.e, Timeout: time.Second})
			for range patience {
				if _, err := s.Say(t.Context(), Request{Text: "a"}); !errors.Is(err, tt.want) {
					t.Errorf("%s: %v", name, err)
				}
			}
			began := time.Now()
			if _, err := s.Say(t.Context(), Request{Text: "a"}); !errors.Is(err, ErrResting) || time.Since(began) != 0 {
				t.Errorf("%s, the fourth time: %v after %v", name, err, time.Since(began))
			}
			time.Sleep(rest)
			if _, err := s.Say(t.Context(), Request{Text: "a"}); !errors.Is(err, tt.want) {
				t.Errorf("%s, after the rest: %v", name, err)
			}
		}
		// Whoever hangs up is no failure of the engine.
		s := speaker(t, Options{Engine: &counting{wait: time.Hour}, Timeout: time.Minute})
		for range 5 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if _, err := s.Say(ctx, Request{Text: "a"}); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrTimeout) {
				t.Errorf("given up: %v", err)
			}
			cancel()
		}
		if s.resting() {
			t.Error("it rests because callers hung up")
		}
	})
}

// TestDiskIsBounded: what was used longest ago goes.
func TestDiskIsBounded(t *testing.T) {
	s := speaker(t, Options{Engine: &counting{data: spoken(t)}, Cache: t.TempDir()})
	s.disk.most = 10 * 8044
	for i := range 30 {
		if _, err := s.Say(t.Context(), Request{Text: strings.Repeat("a", i+1)}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Say(t.Context(), Request{Text: "a"}); err != nil { // used all the time
			t.Fatal(err)
		}
	}
	entries, err := os.ReadDir(s.disk.dir)
	if err != nil || len(entries) > 10 || len(entries) < 8 {
		t.Errorf("%d files, %v", len(entries), err)
	}
	if _, ok := s.disk.read(s.Key(Request{Text: "a"})); !ok {
		t.Error("what is used all the time is gone")
	}
}

// TestEspeak: the real program speaks both languages, so long and so loud as speech is.
func TestEspeak(t *testing.T) {
	path, err := exec.LookPath("espeak-ng")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("espeak-ng is missing; run scripts/setup")
		}
		t.Skip("espeak-ng is not installed")
	}
	s := speaker(t, Options{Engine: Espeak(path), Timeout: 30 * time.Second})
	short := map[string]time.Duration{}
	for _, r := range []Request{
		{Text: "Добрый день.", Language: "ru"}, {Text: "Good afternoon.", Language: "en"}, {Text: "Good afternoon.", Language: "en-us", Voice: "en-us+f3"},
	} {
		pcm, err := s.Say(t.Context(), r)
		if err != nil {
			t.Errorf("%+v: %v", r, err)
			continue
		}
		if d := pcm.Duration(); d < 500*time.Millisecond || d > 3*time.Second {
			t.Errorf("%+v: %v long", r, d)
		}
		if l := audio.Loudness(pcm.Samples, pcm.Rate); l < -29 || l > -21 {
			t.Errorf("%+v: %.1f dB", r, l)
		}
		short[r.Language] = pcm.Duration()
	}
	long, err := s.Say(t.Context(), Request{Text: "Добрый день. Ваш долг составляет двадцать один рубль пятьдесят две копейки.", Language: "ru"})
	if err != nil || long.Duration() < 2*short["ru"] {
		t.Errorf("a long text is %v, %v", long.Duration(), err)
	}
	if _, err := s.Say(t.Context(), Request{Text: "a", Language: "ru", Voice: "nobody"}); !errors.Is(err, ErrFailed) {
		t.Errorf("a voice that is not there: %v", err)
	}
}
