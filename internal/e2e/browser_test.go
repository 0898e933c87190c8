package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// The libraries that pages use, as npm names them.
const (
	jssip = "jssip@3.13.8"
	sipjs = "sip.js@0.21.2"
)

// libraries installs them, once on a machine, and gives their folder.
func libraries(t *testing.T) string {
	t.Helper()
	need(t, "npm")
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	dir := filepath.Join(cache, "vpbx-e2e", strings.ReplaceAll(jssip+"+"+sipjs, "/", "-"))
	modules := filepath.Join(dir, "node_modules")
	if _, err := os.Stat(filepath.Join(dir, "whole")); err == nil {
		return modules
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatalf("install %s: %v", jssip, err)
	}
	write(t, filepath.Join(dir, "package.json"), "{}")
	cmd := exec.CommandContext(t.Context(), "npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", jssip, sipjs)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("npm install %s %s: %v\n%s", jssip, sipjs, err, out)
		}
		t.Skipf("%s and %s cannot be installed by npm: %v", jssip, sipjs, err)
	}
	write(t, filepath.Join(dir, "whole"), "")
	return modules
}

// browser is a page in Chromium that is a phone. It hears a tone in its microphone.
type browser struct {
	*process
	t        *testing.T
	commands chan browserCommand
	replies  chan browserReply

	mu    sync.Mutex
	seen  []browserEvent
	asked int
}

type browserCommand struct {
	Name string `json:"name"`
	Args []any  `json:"args"`
}

type browserReply struct {
	Value any    `json:"value"`
	Error string `json:"error"`
}

type browserEvent struct{ Kind, Detail string }

// startBrowser opens the page of a library and waits until it is registered. A page
// with a codec knows no other; "": all that Chromium has.
func startBrowser(t *testing.T, s *server, library, user, codec string, tone float64) *browser {
	t.Helper()
	need(t, "chromium")
	b := &browser{t: t, commands: make(chan browserCommand), replies: make(chan browserReply, 1)}
	web := httptest.NewServer(b.handler(libraries(t)))
	t.Cleanup(web.Close)
	t.Cleanup(web.CloseClientConnections)
	dir, err := os.MkdirTemp("", "vpbx-e2e-page-")
	if err != nil {
		t.Fatalf("make a directory: %v", err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) }) // what Chromium leaves running for a moment may still write there
	page := web.URL + "/?" + url.Values{"lib": {library}, "user": {user}, "password": {"s3cret-" + user},
		"codec": {codec}, "domain": {"acme.vpbx.test"}, "ws": {"ws://" + s.ws.String() + "/ws"}}.Encode()
	b.process = start(t, library+" "+user, dir, "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
		"--no-first-run", "--log-level=3", "--disable-extensions", "--disable-background-networking", "--disable-component-update",
		"--user-data-dir="+filepath.Join(dir, "profile"), "--autoplay-policy=no-user-gesture-required",
		"--allow-loopback-in-peer-connection", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
		"--use-file-for-fake-audio-capture="+toneFile(t, dir, "microphone.wav", tone, 10*time.Second), page)
	b.waitEvent("loaded")
	b.do("register")
	b.waitEvent("registered")
	s.waitRegistered(user, 1)
	return b
}

// handler serves the page, its libraries, and what the test and the page say.
func (b *browser) handler(modules string) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /lib/", http.StripPrefix("/lib/", http.FileServer(http.Dir(modules))))
	mux.Handle("GET /", http.FileServer(http.Dir("testdata/browser")))
	mux.HandleFunc("GET /next", func(w http.ResponseWriter, r *http.Request) {
		select {
		case c := <-b.commands:
			_ = json.NewEncoder(w).Encode(c) // the page may be gone
		case <-time.After(20 * time.Second):
			w.WriteHeader(http.StatusNoContent)
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("POST /done", func(_ http.ResponseWriter, r *http.Request) {
		var reply browserReply
		if err := json.NewDecoder(r.Body).Decode(&reply); err != nil {
			reply.Error = err.Error()
		}
		b.replies <- reply
	})
	mux.HandleFunc("POST /event", func(_ http.ResponseWriter, r *http.Request) {
		var e browserEvent
		if json.NewDecoder(r.Body).Decode(&e) == nil {
			b.mu.Lock()
			b.seen = append(b.seen, e)
			b.mu.Unlock()
		}
	})
	return mux
}

// do makes the page do something and gives what came of it.
func (b *browser) do(name string, args ...any) any {
	b.t.Helper()
	if args == nil {
		args = []any{}
	}
	limit := time.After(patience * 30 * time.Second)
	select {
	case b.commands <- browserCommand{name, args}:
	case <-limit:
		b.t.Fatalf("%s takes no command; it told %v", b.name, b.events())
	}
	select {
	case r := <-b.replies:
		if r.Error != "" {
			b.t.Fatalf("%s: %s: %s; it told %v", b.name, name, r.Error, b.events())
		}
		return r.Value
	case <-limit:
		b.t.Fatalf("%s is not done with %s; it told %v", b.name, name, b.events())
		return nil
	}
}

func (b *browser) events() []browserEvent {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]browserEvent(nil), b.seen...)
}

// waitEvent waits for the next event of a kind, and gives it.
func (b *browser) waitEvent(kind string) browserEvent {
	b.t.Helper()
	var found browserEvent
	deadline := time.Now().Add(patience * 40 * time.Second)
	waitFor(b.t, 41*time.Second, b.name+" tells "+kind, func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		for i, e := range b.seen[b.asked:] {
			if e.Kind == kind {
				found = e
				b.asked += i + 1
				return true
			}
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("%s does not tell %s; it told %v", b.name, kind, b.seen)
		}
		return false
	})
	return found
}

// waitHeard waits until what the page hears is a tone.
func (b *browser) waitHeard(freq float64) {
	b.t.Helper()
	waitFor(b.t, 30*time.Second, fmt.Sprintf("%s hears %.0f Hz", b.name, freq), func() bool { return b.share(freq) > 0.8 })
}

// waitSilence waits until the page hears the tone no more.
func (b *browser) waitSilence(freq float64) {
	b.t.Helper()
	waitFor(b.t, 30*time.Second, fmt.Sprintf("%s does not hear %.0f Hz", b.name, freq), func() bool { return b.share(freq) < 0.1 })
}

func (b *browser) share(freq float64) float64 {
	b.t.Helper()
	f, ok := b.do("share", freq).(float64)
	if !ok {
		b.t.Fatalf("%s: share is no number", b.name)
	}
	return f
}
