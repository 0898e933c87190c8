package recordings

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/thesyncim/gopus"
	"github.com/thesyncim/gopus/container/ogg"

	"vpbx/media/audio"
	"vpbx/pbx"
)

// TestMain lets the test program be the encoder of a test: see standIn.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "stand-in" {
		os.Exit(encodeAsTold())
	}
	os.Exit(m.Run())
}

// encodeAsTold is an MP3 encoder that does what the file beside it says.
func encodeAsTold() int {
	how, err := os.ReadFile(os.Args[0] + ".how")
	if err != nil {
		return 3
	}
	in, err := io.ReadAll(os.Stdin)
	if err != nil {
		return 3
	}
	switch string(how) {
	case "fails":
		fmt.Fprint(os.Stderr, strings.Repeat("no\n", 10000))
		return 1
	case "endless":
		for {
			if _, err := os.Stdout.Write(make([]byte, 1<<20)); err != nil {
				return 1
			}
		}
	case "hangs":
		select {}
	}
	fmt.Printf("%d %s %v %v", len(in), in[:4], os.Args[1:], os.Environ())
	return 0
}

// standIn puts the stand-in for an encoder into a directory.
func standIn(t *testing.T, how string) string {
	t.Helper()
	me, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "stand-in")
	if err := errors.Join(os.Symlink(me, file), os.WriteFile(file+".how", []byte(how), 0o600)); err != nil {
		t.Fatal(err)
	}
	return file
}

// tone makes a recording of two tones by hand.
func (a *archive) tone(t pbx.TenantID, samples int) pbx.Recording {
	a.t.Helper()
	id, name, err := newFile(t, time.Now())
	a.check(err)
	name = filepath.Join(a.dir, "recordings", name)
	a.check(os.MkdirAll(filepath.Dir(name), 0o700))
	f, err := os.Create(name)
	a.check(err)
	w, err := audio.NewWAVWriter(f, 2, rate)
	a.check(err)
	left, right := make([]int16, samples), make([]int16, samples)
	audio.Tone(left, rate, 440, 0.5, 0)
	audio.Tone(right, rate, 1000, 0.5, 0)
	both := make([]int16, 0, 2*samples)
	for i := range left {
		both = append(both, left[i], right[i])
	}
	a.check(errors.Join(w.Write(both), w.Close(), f.Close()))
	return pbx.Recording{ID: id, Tenant: t}
}

// as reads a recording in a format.
func (a *archive) as(r pbx.Recording, format string) []byte {
	a.t.Helper()
	f, size, _, err := a.sounds.OpenAs(a.t.Context(), r.Tenant, r.ID, format)
	a.check(err)
	b, err := io.ReadAll(f)
	a.check(errors.Join(err, f.Close()))
	if int64(len(b)) != size {
		a.t.Errorf("%d bytes, said to be %d", len(b), size)
	}
	return b
}

// decodeOpus plays an Ogg Opus file at the rate of recordings.
func decodeOpus(t *testing.T, b []byte) (left, right []float64) {
	t.Helper()
	r, err := ogg.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	cfg := gopus.DefaultDecoderConfig(rate, 2)
	dec, err := gopus.NewDecoder(cfg)
	if err != nil {
		t.Fatal(err)
	}
	pcm := make([]float32, cfg.MaxPacketSamples*2)
	end := uint64(0)
	for {
		packet, granule, err := r.ReadPacket()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		end = granule
		n, err := dec.Decode(packet, pcm)
		if err != nil {
			t.Fatal(err)
		}
		for i := range n {
			left, right = append(left, float64(pcm[2*i])), append(right, float64(pcm[2*i+1]))
		}
	}
	skip := int(r.PreSkip()) / (opusRate / rate)
	to := int(end) / (opusRate / rate)
	if skip > to || to > len(left) {
		t.Fatalf("to be played from %d to %d of %d", skip, to, len(left))
	}
	return left[skip:to], right[skip:to]
}

// power is how much of a frequency is in a sound.
func power(pcm []float64, freq float64) float64 {
	var re, im float64
	for i, v := range pcm {
		s, c := math.Sincos(2 * math.Pi * freq * float64(i) / rate)
		re, im = re+v*c, im+v*s
	}
	return 2 * math.Hypot(re, im) / float64(len(pcm))
}

func TestOpus(t *testing.T) {
	a := newArchive(t)
	for _, samples := range []int{0, 1, 479, 480, 481, 8000, 8000*3 + 7} {
		b := a.as(a.tone("acme", samples), Opus)
		left, right := decodeOpus(t, b)
		if len(left) != samples {
			t.Errorf("%d samples became %d", samples, len(left))
		}
		if samples < 8000 {
			continue
		}
		if own, other := power(left, 440), power(left, 1000); own < 0.3 || other > 0.05 {
			t.Errorf("left: %.3f of its tone, %.3f of the other's", own, other)
		}
		if own, other := power(right, 1000), power(right, 440); own < 0.3 || other > 0.05 {
			t.Errorf("right: %.3f of its tone, %.3f of the other's", own, other)
		}
		if limit := samples*4/5 + 2000; len(b) > limit {
			t.Errorf("%d samples became %d bytes", samples, len(b))
		}
	}
}

func TestConvertedOnce(t *testing.T) {
	a := newArchive(t)
	r := a.tone("acme", 8000)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			f, _, _, err := a.sounds.OpenAs(t.Context(), "acme", r.ID, Opus)
			if err != nil {
				t.Error(err)
				return
			}
			f.Close()
		})
	}
	all.Wait()
	name := filepath.Join(a.dir, "converted", "acme", string(r.ID)+".opus")
	before, err := os.Stat(name)
	a.check(err)
	first := a.as(r, Opus)
	if after, err := os.Stat(name); err != nil || !os.SameFile(before, after) || after.ModTime() != before.ModTime() {
		t.Errorf("converted again: %v", err)
	}
	// What a dead process left half written is nobody's sound.
	a.check(os.Remove(name))
	a.check(os.WriteFile(name+partial, []byte("half"), 0o600))
	if again := a.as(r, Opus); len(again) != len(first) {
		t.Errorf("%d bytes, before %d", len(again), len(first))
	}
	if _, err := os.Stat(name + partial); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the half is still there: %v", err)
	}
}

func TestConvertedIsRemoved(t *testing.T) {
	a := newArchive(t)
	r := a.kept("acme", time.Now())
	a.as(r, Opus)
	a.check(a.Remove(t.Context(), "acme", r.ID, pbx.Removal{At: time.Now(), By: "anna"}))
	if _, _, _, err := a.sounds.OpenAs(t.Context(), "acme", r.ID, Opus); pbx.KindOf(err) != pbx.NotFound {
		t.Errorf("removed, and still there: %v", err)
	}
	files, err := os.ReadDir(filepath.Join(a.dir, "converted", "acme"))
	if err != nil || len(files) != 0 {
		t.Errorf("left %v, %v", files, err)
	}
	// Removed while it is converted: the conversion finds out at its end.
	r = a.kept("acme", time.Now())
	c := a.sounds.convert
	name, err := convertedFile("acme", r.ID, Opus)
	a.check(err)
	a.check(c.write(t.Context(), "acme", r.ID, Opus, name))
	a.check(os.Remove(a.file(r)))
	if err := c.convert("acme", r.ID, Opus, name); pbx.KindOf(err) != pbx.NotFound {
		t.Errorf("converted what is not there: %v", err)
	}
}

func TestCacheIsBounded(t *testing.T) {
	a := newArchive(t)
	a.close()
	a.open(Options{MaxCache: 20000})
	var last pbx.Recording
	for range 6 {
		last = a.tone("acme", 8000)
		a.as(last, Opus)
	}
	files, err := os.ReadDir(filepath.Join(a.dir, "converted", "acme"))
	a.check(err)
	var sum int64
	there := false
	for _, f := range files {
		info, err := f.Info()
		a.check(err)
		sum += info.Size()
		there = there || strings.HasPrefix(f.Name(), string(last.ID))
	}
	if sum > 20000 || !there || len(files) == 6 {
		t.Errorf("%d files of %d bytes; the last is there: %v", len(files), sum, there)
	}
}

func TestConvertRefuses(t *testing.T) {
	a := newArchive(t)
	r := a.tone("acme", 800)
	for _, c := range []struct {
		tenant pbx.TenantID
		id     pbx.RecordingID
		format string
		kind   pbx.Kind
	}{
		{"acme", r.ID, "flac", pbx.Unsupported}, {"acme", r.ID, "", pbx.Unsupported}, {"acme", r.ID, "../x", pbx.Unsupported},
		{"umbra", r.ID, Opus, pbx.NotFound}, {"..", r.ID, Opus, pbx.NotFound}, {"acme", "../../x", Opus, pbx.NotFound},
	} {
		if _, _, _, err := a.sounds.OpenAs(t.Context(), c.tenant, c.id, c.format); pbx.KindOf(err) != c.kind {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if _, _, _, err := openStore(t, t.TempDir()).OpenAs(t.Context(), "acme", r.ID, Opus); pbx.KindOf(err) != pbx.Unsupported {
		t.Errorf("without a cache: %v", err)
	}
	// A file that is none of ours.
	a.check(os.WriteFile(a.file(r), []byte("RIFF and nothing else"), 0o600))
	if _, _, _, err := a.sounds.OpenAs(t.Context(), "acme", r.ID, Opus); err == nil || pbx.KindOf(err) != pbx.Internal {
		t.Errorf("garbage: %v", err)
	}
	// Too large: a sparse file.
	a.check(os.Truncate(a.file(r), maxInput+1))
	if _, _, _, err := a.sounds.OpenAs(t.Context(), "acme", r.ID, Opus); pbx.KindOf(err) != pbx.Unsupported {
		t.Errorf("too large: %v", err)
	}
	a.sounds.convert.mu.Lock()
	a.sounds.convert.waiting["acme"] = maxWaiting
	a.sounds.convert.mu.Unlock()
	if _, _, _, err := a.sounds.OpenAs(t.Context(), "acme", a.tone("acme", 8).ID, Opus); pbx.KindOf(err) != pbx.Limit {
		t.Errorf("too many: %v", err)
	}
}

func TestMP3ByProgram(t *testing.T) {
	a := newArchive(t)
	a.close()
	a.open(Options{MP3: standIn(t, "works")})
	r := a.tone("acme", 800)
	if got, want := string(a.as(r, MP3)), "3244 RIFF [--quiet -b 48 - -] [LC_ALL=C]"; got != want {
		t.Errorf("the program was given %q, want %q", got, want)
	}
	for _, how := range []string{"fails", "endless"} {
		a.close()
		a.open(Options{MP3: standIn(t, how)})
		if _, _, _, err := a.sounds.OpenAs(t.Context(), "acme", a.tone("acme", 800).ID, MP3); err == nil || pbx.KindOf(err) != pbx.Internal || len(err.Error()) > 3*maxComplaint {
			t.Errorf("%s: %v", how, err)
		}
	}
	// One that hangs dies with the store, and nobody has to wait for it.
	a.close()
	a.open(Options{MP3: standIn(t, "hangs")})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, _, _, err := a.sounds.OpenAs(ctx, "acme", a.tone("acme", 800).ID, MP3); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("hangs: %v", err)
	}
	a.close()
	a.open(Options{MP3: filepath.Join(t.TempDir(), "lame")})
	if _, _, _, err := a.sounds.OpenAs(t.Context(), "acme", r.ID, MP3); pbx.KindOf(err) != pbx.Unsupported {
		t.Errorf("no program: %v", err)
	}
}

// TestMP3Real uses the encoders that the machine has.
func TestMP3Real(t *testing.T) {
	for _, name := range []string{"lame", "ffmpeg"} {
		t.Run(name, func(t *testing.T) {
			file, err := exec.LookPath(name)
			if err != nil && name == "lame" && os.Getenv("CI") == "true" {
				t.Fatal("lame is not installed")
			}
			if err != nil {
				t.Skipf("%s is not installed: one of the two is enough", name)
			}
			a := newArchive(t)
			a.close()
			a.open(Options{MP3: file})
			b := a.as(a.tone("acme", 5*8000), MP3)
			// MPEG audio begins with eleven set bits, ffmpeg puts an ID3 tag before.
			if len(b) < 10000 || len(b) > 60000 || !bytes.HasPrefix(b, []byte("ID3")) && binary.BigEndian.Uint16(b)&0xffe0 != 0xffe0 {
				t.Errorf("%d bytes that begin with % x", len(b), b[:min(4, len(b))])
			}
		})
	}
}

func FuzzReadHeader(f *testing.F) {
	var file bytes.Buffer
	w, err := audio.NewWAVWriter(seekless{&file}, 2, rate)
	if err != nil {
		f.Fatal(err)
	}
	_ = w
	f.Add(file.Bytes())
	f.Add([]byte("RIFF"))
	f.Add(bytes.Repeat([]byte{0xff}, 2*headerSize))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := readHeader(bytes.NewReader(b))
		if err == nil && (s.channels < 1 || s.channels > 2 || opusRate%s.rate != 0) {
			t.Errorf("%+v", s)
		}
		if len(b) > 1<<16 {
			return
		}
		var out bytes.Buffer
		if encoded := encodeOpus(t.Context(), &out, bytes.NewReader(b)); (encoded == nil) != (err == nil) {
			t.Errorf("header %v, encoded %v", err, encoded)
		}
	})
}

// seekless is for a writer that is not asked to seek.
type seekless struct{ io.Writer }

func (seekless) Seek(int64, int) (int64, error) { return 0, errors.ErrUnsupported }
