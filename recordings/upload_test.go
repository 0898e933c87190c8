package recordings

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"vpbx/pbx"
)

// storage is an S3 server whose answers can be spoiled.
type storage struct {
	*httptest.Server
	backend *s3mem.Backend
	spoil   atomic.Pointer[func(http.ResponseWriter, *http.Request) bool] // true: it has answered
	puts    atomic.Int64
}

func newStorage(t *testing.T) *storage {
	t.Helper()
	s := &storage{backend: s3mem.New()}
	if err := s.backend.CreateBucket("calls"); err != nil {
		t.Fatal(err)
	}
	fake := gofakes3.New(s.backend, gofakes3.WithTimeSkewLimit(0)).Server()
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if spoil := s.spoil.Load(); spoil != nil && (*spoil)(w, r) {
			return
		}
		if r.Method == http.MethodPut {
			s.puts.Add(1)
		}
		fake.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

// with spoils all answers from now on; nil heals them.
func (s *storage) with(f func(w http.ResponseWriter, r *http.Request) bool) {
	if f == nil {
		s.spoil.Store(nil)
		return
	}
	s.spoil.Store(&f)
}

func (s *storage) options() *S3 {
	return &S3{Endpoint: strings.TrimPrefix(s.URL, "http://"), Bucket: "calls", Prefix: "pbx/one", AccessKey: "key", SecretKey: "s3cret", PathStyle: true, Upload: true}
}

// keys lists the objects.
func (s *storage) keys(t *testing.T) []string {
	t.Helper()
	list, err := s.backend.ListBucket("calls", nil, gofakes3.ListBucketPage{})
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, o := range list.Contents {
		keys = append(keys, o.Key)
	}
	return keys
}

// answer spoils with an error of S3.
func answer(status int, code string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(status)
		fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>%s</Code><Message>no</Message></Error>`, code)
		return true
	}
}

// hangUp spoils by closing the connection, as a server that is down.
func hangUp(w http.ResponseWriter, r *http.Request) bool {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		conn.Close()
	}
	return true
}

// valueOf reads a counter or gauge.
func valueOf(t *testing.T, m prometheus.Metric) float64 {
	t.Helper()
	var d dto.Metric
	if err := m.Write(&d); err != nil {
		t.Fatal(err)
	}
	return d.GetCounter().GetValue() + d.GetGauge().GetValue()
}

// onDisk counts the finished recordings on the disk.
func (a *archive) onDisk() int {
	n := 0
	err := filepath.WalkDir(filepath.Join(a.dir, "recordings"), func(name string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(name, suffix) {
			n++
		}
		return err
	})
	a.check(err)
	return n
}

// until waits for something another goroutine does.
func until(t *testing.T, what string, f func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(20 * time.Second); !f(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

func newRemoteArchive(t *testing.T, o Options) *archive {
	t.Helper()
	a := &archive{t: t, dir: t.TempDir()}
	a.open(o)
	t.Cleanup(func() { a.close() })
	return a
}

func (a *archive) read(r pbx.Recording, format string) []byte {
	a.t.Helper()
	var f io.ReadSeekCloser
	var err error
	if format == "" {
		f, _, _, err = a.sounds.Open(r.Tenant, r.ID)
	} else {
		f, _, _, err = a.sounds.OpenAs(a.t.Context(), r.Tenant, r.ID, format)
	}
	a.check(err)
	defer f.Close()
	b, err := io.ReadAll(f)
	a.check(err)
	return b
}

// TestUpload: a recording goes to the storage under a name of ids only, leaves the
// disk, and all that can be done with one works as before.
func TestUpload(t *testing.T) {
	st := newStorage(t)
	reg := prometheus.NewRegistry()
	a := newRemoteArchive(t, Options{S3: st.options(), Metrics: reg})
	now := time.Now()
	r := a.kept("acme", now)
	name, err := fileOf(r.Tenant, r.ID)
	a.check(err)
	until(t, "uploaded", func() bool { return a.onDisk() == 0 })
	if keys := st.keys(t); len(keys) != 1 || keys[0] != "pbx/one/"+name {
		t.Fatalf("objects %q", keys)
	}
	sound := a.read(r, "")
	if int64(len(sound)) != r.Bytes {
		t.Errorf("%d bytes of %d", len(sound), r.Bytes)
	}
	f, size, at, err := a.sounds.Open(r.Tenant, r.ID)
	a.check(err)
	if size != r.Bytes || at.IsZero() {
		t.Errorf("%d bytes at %v", size, at)
	}
	part := httptest.NewRecorder()
	q := httptest.NewRequest("GET", "/", nil)
	q.Header.Set("Range", "bytes=100-149")
	http.ServeContent(part, q, "a.wav", at, f)
	a.check(f.Close())
	if part.Code != 206 || !bytes.Equal(part.Body.Bytes(), sound[100:150]) {
		t.Errorf("a part: %d, %d bytes", part.Code, part.Body.Len())
	}
	if b := a.read(r, Opus); string(b[:4]) != "OggS" {
		t.Error("not converted")
	}
	a.want("in the storage", "acme", "1 checked 1 whole 0 removed")

	other := a.kept("acme", now.Add(-100*24*time.Hour))
	until(t, "uploaded", func() bool { return a.onDisk() == 0 })
	a.check(a.Sweep(t.Context(), "acme", 24*time.Hour, now.Add(time.Second)))
	a.check(a.Remove(t.Context(), "acme", r.ID, pbx.Removal{At: now, By: "anna"}))
	if keys := st.keys(t); len(keys) != 0 {
		t.Errorf("left in the storage: %q", keys)
	}
	for _, r := range []pbx.Recording{r, other} {
		if _, _, _, err := a.sounds.Open(r.Tenant, r.ID); pbx.KindOf(err) != pbx.NotFound {
			t.Errorf("opened after it was removed: %v", err)
		}
	}
	a.want("removed", "acme", "2 checked 0 whole 2 removed")
	if n := valueOf(t, a.sounds.metrics.uploaded); n != 2 {
		t.Errorf("%v uploads", n)
	}
	if n := valueOf(t, a.sounds.metrics.pending); n != 0 {
		t.Errorf("%v pending", n)
	}
}

// TestUploadAltered: what somebody does in the storage shows.
func TestUploadAltered(t *testing.T) {
	st := newStorage(t)
	a := newRemoteArchive(t, Options{S3: st.options()})
	now := time.Now()
	var all []pbx.Recording
	for i := range 3 {
		all = append(all, a.kept("acme", now.Add(time.Duration(i)*time.Second)))
	}
	until(t, "uploaded", func() bool { return a.onDisk() == 0 })
	b := a.read(all[0], "")
	b[len(b)-1] ^= 1
	key := func(r pbx.Recording) string { name, _ := fileOf(r.Tenant, r.ID); return "pbx/one/" + name }
	if _, err := st.backend.PutObject("calls", key(all[0]), map[string]string{}, bytes.NewReader(b), int64(len(b)), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := st.backend.DeleteObject("calls", key(all[1])); err != nil {
		t.Fatal(err)
	}
	if _, err := st.backend.PutObject("calls", "pbx/one/"+strings.Replace(strings.TrimPrefix(key(all[2]), "pbx/one/"), string(all[2].ID)[20:], strings.Repeat("0", 12), 1), map[string]string{}, bytes.NewReader(b), int64(len(b)), nil); err != nil {
		t.Fatal(err)
	}
	a.want("what was done", "acme", "3 checked 1 whole 0 removed; 1 altered; 2 missing; 0 unchained")
}

// TestUploadFailures: while the storage is down, or wrong, recordings stay on the disk
// and can be heard, and they go there when it is back. Nothing secret is logged.
func TestUploadFailures(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(http.ResponseWriter, *http.Request) bool
		says  string
	}{
		"down":         {hangUp, "cannot be reached"},
		"no bucket":    {answerTo(http.MethodPut, answer(404, "NoSuchBucket")), "there is no bucket calls"},
		"unknown key":  {answer(403, "InvalidAccessKeyId"), ""},
		"wrong secret": {answerTo(http.MethodPut, answer(403, "SignatureDoesNotMatch")), "the secret key is wrong"},
		"denied":       {answerTo(http.MethodPut, answer(403, "AccessDenied")), "may not do that"},
		"overloaded":   {answerTo(http.MethodPut, answer(503, "SlowDown")), "SlowDown"},
		"garbage": {func(w http.ResponseWriter, r *http.Request) bool {
			w.WriteHeader(500)
			w.Write([]byte("<<<"))
			return true
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			st := newStorage(t)
			st.with(c.spoil)
			log := &lines{}
			a := newRemoteArchive(t, Options{S3: st.options(), Log: slog.New(slog.NewTextHandler(log, nil))})
			r := a.kept("acme", time.Now())
			until(t, "an upload failed", func() bool { return valueOf(t, a.sounds.metrics.uploadFailed) > 0 })
			until(t, "it is logged", func() bool { return strings.Contains(log.String(), "stay on the disk") })
			if text := log.String(); !strings.Contains(text, c.says) || strings.Contains(text, "s3cret") {
				t.Errorf("log %s", text)
			}
			if a.onDisk() != 1 || int64(len(a.read(r, ""))) != r.Bytes {
				t.Error("it is not on the disk")
			}
			if n := valueOf(t, a.sounds.metrics.pending); n != 1 {
				t.Errorf("%v pending", n)
			}
			if strings.HasPrefix(c.says, "the") { // what is listed there cannot be listed while it is down
				a.want("on the disk", "acme", "1 checked 1 whole 0 removed")
			}
			st.with(nil)
			until(t, "uploaded", func() bool { return a.onDisk() == 0 })
			if len(st.keys(t)) != 1 || int64(len(a.read(r, ""))) != r.Bytes {
				t.Error("it is not in the storage")
			}
		})
	}
}

// answerTo spoils the requests of one method.
func answerTo(method string, f func(http.ResponseWriter, *http.Request) bool) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool { return r.Method == method && f(w, r) }
}

// lines is a log that many may write.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// TestUploadSpoilt: what arrives there is not what was sent, although the storage says
// it took it; or its etag is no MD5, as of encrypted objects.
func TestUploadSpoilt(t *testing.T) {
	for _, etag := range []string{`"d41d8cd98f00b204e9800998ecf8427e"`, `"abc-2"`} {
		for _, whole := range []bool{false, true} {
			st := newStorage(t)
			var asked atomic.Int64
			a := newRemoteArchive(t, Options{S3: st.options()})
			var body atomic.Pointer[[]byte]
			st.with(func(w http.ResponseWriter, r *http.Request) bool {
				switch r.Method {
				case http.MethodPut:
					b, err := io.ReadAll(r.Body)
					if err != nil {
						return true
					}
					if !whole {
						b[len(b)/2] ^= 1
					}
					body.Store(&b)
				case http.MethodHead, http.MethodGet:
					b := body.Load()
					if b == nil {
						return answer(404, "NoSuchKey")(w, r)
					}
					w.Header().Set("ETag", etag)
					w.Header().Set("Last-Modified", time.Now().UTC().Format(http.TimeFormat))
					w.Header().Set("Content-Length", fmt.Sprint(len(*b)))
					if r.Method == http.MethodGet {
						asked.Add(1)
						w.Write(*b)
					}
				}
				w.Header().Set("ETag", etag)
				return true
			})
			a.kept("acme", time.Now())
			if whole {
				until(t, "uploaded", func() bool { return a.onDisk() == 0 })
			} else {
				until(t, "an upload failed", func() bool { return valueOf(t, a.sounds.metrics.uploadFailed) > 0 })
				if a.onDisk() != 1 {
					t.Error("removed here although it is spoilt there")
				}
			}
			if asked.Load() == 0 {
				t.Error("not read back")
			}
		}
	}
}

// TestUploadRestart: the process ends in the middle of an upload, another time behind
// it before the file was removed; what is on the disk goes there at the next start, and
// what is there already is not sent again.
func TestUploadRestart(t *testing.T) {
	st := newStorage(t)
	begun, stuck := make(chan struct{}, 10), make(chan struct{})
	st.with(answerTo(http.MethodPut, func(w http.ResponseWriter, r *http.Request) bool {
		if _, err := io.Copy(io.Discard, r.Body); err == nil {
			begun <- struct{}{}
		}
		select {
		case <-stuck:
		case <-r.Context().Done():
		}
		return hangUp(w, r)
	}))
	a := newRemoteArchive(t, Options{S3: st.options()})
	r := a.kept("acme", time.Now())
	<-begun
	a.close()
	close(stuck)
	if a.onDisk() != 1 || len(st.keys(t)) != 0 {
		t.Fatal("not as it was")
	}
	st.with(nil)
	a.open(Options{S3: st.options()})
	until(t, "uploaded", func() bool { return a.onDisk() == 0 })
	sound := a.read(r, "")

	a.close()
	a.check(os.MkdirAll(filepath.Dir(a.file(r)), 0o700))
	a.check(os.WriteFile(a.file(r), sound, 0o600))
	puts := st.puts.Load()
	a.open(Options{S3: st.options()})
	until(t, "removed here", func() bool { return a.onDisk() == 0 })
	if n := st.puts.Load(); n != puts {
		t.Errorf("sent again %d times", n-puts)
	}
	a.want("after all", "acme", "1 checked 1 whole 0 removed")
}

// TestUploadRemoved removes a recording while it is uploaded: nothing of it comes back.
func TestUploadRemoved(t *testing.T) {
	st := newStorage(t)
	begun := make(chan struct{}, 10)
	st.with(answerTo(http.MethodPut, func(w http.ResponseWriter, r *http.Request) bool {
		if _, err := io.Copy(io.Discard, r.Body); err == nil {
			begun <- struct{}{}
		}
		<-r.Context().Done()
		return hangUp(w, r)
	}))
	a := newRemoteArchive(t, Options{S3: st.options()})
	r := a.kept("acme", time.Now())
	<-begun
	st.with(nil)
	a.check(a.Remove(t.Context(), "acme", r.ID, pbx.Removal{At: time.Now(), By: "anna"}))
	if a.onDisk() != 0 || len(st.keys(t)) != 0 {
		t.Error("something is left")
	}
	a.want("removed", "acme", "1 checked 0 whole 1 removed")
}

// TestUploadRemovedWhileDown: the tombstone holds at once, and the object goes when
// the storage is back.
func TestUploadRemovedWhileDown(t *testing.T) {
	st := newStorage(t)
	a := newRemoteArchive(t, Options{S3: st.options()})
	r := a.kept("acme", time.Now())
	until(t, "uploaded", func() bool { return a.onDisk() == 0 })
	st.with(hangUp)
	if _, _, _, err := a.sounds.Open(r.Tenant, r.ID); pbx.KindOf(err) != pbx.Unavailable {
		t.Errorf("opened while the storage is down: %v", err)
	}
	if _, err := a.Verify(t.Context(), "acme", pbx.VerifyQuery{}); pbx.KindOf(err) != pbx.Unavailable {
		t.Errorf("verified while the storage is down: %v", err)
	}
	a.check(a.Remove(t.Context(), "acme", r.ID, pbx.Removal{At: time.Now(), By: "anna"}))
	st.with(nil)
	a.want("left over", "acme", "1 checked 0 whole 1 removed; 1 left_over")
	a.check(a.Sweep(t.Context(), "acme", 0, time.Now()))
	a.want("removed", "acme", "1 checked 0 whole 1 removed")
	if len(st.keys(t)) != 0 {
		t.Error("the object is left")
	}
}

// TestUploadMany lets many recordings end at once.
func TestUploadMany(t *testing.T) {
	st := newStorage(t)
	a := newRemoteArchive(t, Options{S3: st.options()})
	now := time.Now()
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() { a.make("acme", now.Add(time.Duration(i)*time.Second)) })
	}
	wg.Wait()
	until(t, "uploaded", func() bool { return a.onDisk() == 0 })
	if n := len(st.keys(t)); n != 40 {
		t.Errorf("%d objects", n)
	}
}

// TestUploadCutOff reads from a storage that stops in the middle.
func TestUploadCutOff(t *testing.T) {
	st := newStorage(t)
	a := newRemoteArchive(t, Options{S3: st.options()})
	r := a.kept("acme", time.Now())
	until(t, "uploaded", func() bool { return a.onDisk() == 0 })
	st.with(answerTo(http.MethodGet, func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Query().Has("list-type") {
			return false
		}
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nETag: \"x\"\r\nLast-Modified: %s\r\nContent-Length: 1000\r\n\r\nRIFF", time.Now().UTC().Format(http.TimeFormat))
			conn.Close()
		}
		return true
	}))
	f, _, _, err := a.sounds.Open(r.Tenant, r.ID)
	a.check(err)
	defer f.Close()
	if b, err := io.ReadAll(f); err == nil || len(b) > 4 {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	a.want("cut off", "acme", "1 checked 0 whole 0 removed; 1 unread")
}

// TestBucketDial: the network is the one that is given.
func TestBucketDial(t *testing.T) {
	o := newStorage(t).options()
	dialled := make(chan string, 10)
	o.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		dialled <- address
		return nil, fmt.Errorf("no network")
	}
	b, err := openBucket(*o)
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	if _, err := b.stat(t.Context(), "a"); pbx.KindOf(err) != pbx.Unavailable {
		t.Errorf("error %v", err)
	}
	if got := <-dialled; got != o.Endpoint {
		t.Errorf("dialled %s", got)
	}
}
