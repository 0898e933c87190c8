package recordings

import (
	"encoding/binary"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vpbx/media/audio"
	"vpbx/pbx"
)

func openStore(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := New(Options{Dir: dir, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// voice sends a tone in packets of 20 ms.
type voice struct {
	track *Track
	codec audio.Codec
	freq  float64
	seq   uint16
	ts    uint32
	phase float64
}

func (v *voice) send() {
	pcm := make([]int16, frame)
	v.phase = audio.Tone(pcm, rate, v.freq, 0.5, v.phase)
	v.sendPCM(pcm)
}

func (v *voice) sendPCM(pcm []int16) {
	payload := make([]byte, len(pcm))
	if v.codec == audio.PCMU {
		audio.EncodeULaw(payload, pcm)
	} else {
		audio.EncodeALaw(payload, pcm)
	}
	v.track.RTP(v.codec, v.seq, v.ts, false, payload, time.Now())
	v.skip()
}

func (v *voice) skip() {
	v.seq++
	v.ts += frame
}

// readStereo reads a file of ours and holds that its header says what follows.
func readStereo(t *testing.T, r io.Reader) (left, right []int16) {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if len(b) < headerSize || string(b[:4]) != "RIFF" || string(b[8:16]) != "WAVEfmt " {
		t.Fatalf("no WAV file: %d bytes", len(b))
	}
	size := binary.LittleEndian.Uint32
	if int(size(b[4:])) != len(b)-8 || int(size(b[40:])) != len(b)-headerSize {
		t.Fatalf("the header says %d and %d bytes of %d", size(b[4:]), size(b[40:]), len(b))
	}
	for b = b[headerSize:]; len(b) > 0; b = b[frameSize:] {
		left = append(left, int16(binary.LittleEndian.Uint16(b)))
		right = append(right, int16(binary.LittleEndian.Uint16(b[2:])))
	}
	return left, right
}

func openRecording(t *testing.T, s *Store, rec pbx.Recording) (left, right []int16) {
	t.Helper()
	f, size, closed, err := s.Open(rec.Tenant, rec.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if size != rec.Bytes || closed.IsZero() {
		t.Errorf("the file has %d bytes, the record %d", size, rec.Bytes)
	}
	return readStereo(t, f)
}

// between cuts a piece out of a sound.
func between(pcm []int16, from, to time.Duration) []int16 {
	return pcm[samplesIn(from):samplesIn(to)]
}

func loud(pcm []int16, freq float64) bool { return audio.Goertzel(pcm, rate, freq) > 0.05 }

func silent(pcm []int16) bool {
	for _, v := range pcm {
		if v > 16 || v < -16 { // A-law has no zero: ±8 is silence
			return false
		}
	}
	return true
}

// TestTwoSides records three seconds of talk in which each side sounds in its
// own time, and looks for each tone on its side, at its time, and nowhere else.
func TestTwoSides(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t, dir)
		defer s.Close()
		r, err := s.Start("acme", "call-1", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		caller := &voice{track: r.Side(0), codec: audio.PCMA, freq: 440, seq: 65500, ts: 1<<32 - 8000}
		callee := &voice{track: r.Side(1), codec: audio.PCMU, freq: 1000}
		for i := range 150 { // the caller speaks for two seconds, the callee after one
			if i < 100 {
				caller.send()
			}
			if i >= 50 {
				callee.send()
			}
			time.Sleep(20 * time.Millisecond)
		}
		rec := r.Close()
		if rec.ID != r.ID() || rec.Tenant != "acme" || rec.Call != "call-1" || rec.Seconds != 3 || rec.Lost != 0 || rec.Error != "" {
			t.Errorf("recording %+v", rec)
		}
		if again := r.Close(); !reflect.DeepEqual(again, rec) {
			t.Errorf("closed again: %+v", again)
		}
		left, right := openRecording(t, s, rec)
		if len(left) != 3*rate {
			t.Errorf("%d samples", len(left))
		}
		if !loud(between(left, 0, 2*time.Second), 440) || loud(left, 1000) || !silent(between(left, 2*time.Second, 3*time.Second)) {
			t.Error("left: want 440 Hz in the first two seconds only")
		}
		if !loud(between(right, time.Second, 3*time.Second), 1000) || loud(right, 440) || !silent(between(right, 0, time.Second)) {
			t.Error("right: want 1000 Hz in the last two seconds only")
		}
		entries, _ := filepath.Glob(filepath.Join(dir, "acme", "*", "*", "*", "*"))
		if len(entries) != 1 || filepath.Base(entries[0]) != string(rec.ID)+".wav" {
			t.Errorf("files %q", entries)
		}
	})
}

// TestSessionAfterSession: the party of a side changes, with numbers and times
// that mean something else; not a packet is lost, whatever they are.
func TestSessionAfterSession(t *testing.T) {
	dir := t.TempDir()
	for _, next := range []struct {
		seq uint16
		ts  uint32
	}{{99, 70_000}, {90, 160 * 90}, {50000, 1}, {300, 1 << 31}, {101, 160 * 110}, {60000, 1<<32 - 100_000}} {
		synctest.Test(t, func(t *testing.T) {
			s := openStore(t, dir)
			defer s.Close()
			r, err := s.Start("acme", "call-1", time.Now())
			if err != nil {
				t.Fatal(err)
			}
			before := &voice{track: r.Side(1), codec: audio.PCMA, freq: 440, seq: 0, ts: 0}
			after := &voice{track: r.Side(1), codec: audio.PCMA, freq: 1000, seq: next.seq, ts: next.ts}
			for i := range 200 {
				if i < 100 {
					before.send()
				} else {
					after.send()
				}
				time.Sleep(20 * time.Millisecond)
			}
			_, right := openRecording(t, s, r.Close())
			for at := time.Duration(0); at < 4*time.Second; at += 20 * time.Millisecond {
				want := 440.0
				if at >= 2*time.Second {
					want = 1000
				}
				if !loud(between(right, at, at+20*time.Millisecond), want) {
					t.Errorf("%+v: %v Hz is missing at %v", next, want, at)
					break
				}
			}
		})
	}
}

// TestExtraVoice: a third voice is on both sides while it speaks, beside the one
// that is there.
func TestExtraVoice(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t, dir)
		defer s.Close()
		r, err := s.Start("acme", "call-1", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		caller := &voice{track: r.Side(0), codec: audio.PCMA, freq: 440}
		third := &voice{track: r.Extra(), codec: audio.PCMU, freq: 1000, seq: 65530, ts: 1<<32 - 800}
		for i := range 150 {
			caller.send()
			if i >= 50 && i < 100 {
				third.send()
			}
			time.Sleep(20 * time.Millisecond)
		}
		rec := r.Close()
		if rec.Seconds != 3 || rec.Lost != 0 || rec.Error != "" {
			t.Errorf("recording %+v", rec)
		}
		left, right := openRecording(t, s, rec)
		middle := between(left, time.Second, 2*time.Second)
		if !loud(middle, 440) || !loud(middle, 1000) || loud(between(left, 0, time.Second), 1000) || loud(between(left, 2*time.Second, 3*time.Second), 1000) {
			t.Error("left: want 440 Hz throughout and 1000 Hz in the middle")
		}
		if !loud(between(right, time.Second, 2*time.Second), 1000) || loud(right, 440) ||
			!silent(between(right, 0, time.Second)) || !silent(between(right, 2*time.Second, 3*time.Second)) {
			t.Error("right: want 1000 Hz in the middle only")
		}
	})
}

// TestLossJumpAndCodecChange: a side that loses packets, starts other timestamps
// and changes its codec stays with the clock.
func TestLossJumpAndCodecChange(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t, dir)
		defer s.Close()
		r, err := s.Start("acme", "call-1", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		v := &voice{track: r.Side(1), codec: audio.PCMA, freq: 700}
		for i := range 200 {
			switch {
			case i >= 50 && i < 75: // half a second is lost
				v.skip()
			case i == 100:
				v.seq, v.ts, v.codec = 40000, 7e8, audio.PCMU
				fallthrough
			default:
				v.send()
			}
			time.Sleep(20 * time.Millisecond)
		}
		_, right := openRecording(t, s, r.Close())
		if !silent(between(right, time.Second, 1500*time.Millisecond)) {
			t.Error("what was lost is not silence")
		}
		for _, at := range []time.Duration{0, 1500 * time.Millisecond, 2 * time.Second, 3 * time.Second} {
			if !loud(between(right, at, at+500*time.Millisecond), 700) {
				t.Errorf("no tone at %v", at)
			}
		}
	})
}

func TestForeignCodec(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t, dir)
		defer s.Close()
		r, err := s.Start("acme", "call-1", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		v := &voice{track: r.Side(0), codec: audio.PCMA, freq: 440}
		for range 50 {
			v.send()
			r.Side(1).RTP(audio.Other, v.seq, v.ts, false, make([]byte, 60), time.Now())
			time.Sleep(20 * time.Millisecond)
		}
		rec := r.Close()
		if rec.Error != "a side used a codec that cannot be recorded" || rec.Seconds != 1 {
			t.Errorf("recording %+v", rec)
		}
		if left, right := openRecording(t, s, rec); !loud(left, 440) || !silent(right) {
			t.Error("want the one side and not the other")
		}
	})
}

// TestNobodySpeaks: a recording without a packet is as long as the call.
func TestNobodySpeaks(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t, dir)
		defer s.Close()
		r, err := s.Start("acme", "call-1", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(90*time.Second + 500*time.Millisecond)
		rec := r.Close()
		left, right := openRecording(t, s, rec)
		if rec.Seconds != 90.5 || len(left) != 724000 || !silent(left) || !silent(right) {
			t.Errorf("%+v, %d samples", rec, len(left))
		}
		empty, err := s.Start("acme", "call-2", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if rec := empty.Close(); rec.Seconds != 0 || rec.Bytes != headerSize || rec.Error != "" {
			t.Errorf("empty recording %+v", rec)
		}
	})
}

// TestTenMinutesAreExact: ten minutes are written to the sample, with both sides aligned.
func TestTenMinutesAreExact(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t, dir)
		defer s.Close()
		r, err := s.Start("acme", "call-1", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		a, b := &voice{track: r.Side(0), codec: audio.PCMA}, &voice{track: r.Side(1), codec: audio.PCMA, ts: 99}
		quiet, click := make([]int16, frame), make([]int16, frame)
		click[0] = 20000
		for i := range 600 * 50 {
			pcm := quiet
			if i%50 == 0 {
				pcm = click
			}
			a.sendPCM(pcm)
			b.sendPCM(pcm)
			time.Sleep(20 * time.Millisecond)
		}
		rec := r.Close()
		left, right := openRecording(t, s, rec)
		if rec.Seconds != 600 || rec.Lost != 0 || len(left) != 600*rate {
			t.Fatalf("%+v, %d samples", rec, len(left))
		}
		for i := 0; i < len(left); i += rate {
			if left[i] < 10000 || right[i] < 10000 {
				t.Fatalf("no click at second %d: %d, %d", i/rate, left[i], right[i])
			}
		}
	})
}

func TestLimits(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s, err := New(Options{Dir: dir, Log: slog.New(slog.DiscardHandler), MaxOpen: 1})
		if err != nil {
			t.Fatal(err)
		}
		r, err := s.Start("acme", "call-1", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Start("acme", "call-2", time.Now()); pbx.KindOf(err) != pbx.Limit {
			t.Errorf("one too many: %v", err)
		}
		if _, err := s.Start("../etc", "call-3", time.Now()); err == nil {
			t.Error("a tenant that is a path was taken")
		}
		time.Sleep(time.Second)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if rec := r.Close(); rec.Seconds != 1 || rec.Error != "" {
			t.Errorf("closed with the store: %+v", rec)
		}
		if _, err := s.Start("acme", "call-4", time.Now()); pbx.KindOf(err) != pbx.Unavailable {
			t.Errorf("after Close: %v", err)
		}
	})
}

// TestQueueIsBounded: what the disk is too slow for is lost and counted, and one
// side cannot take the room of the other.
func TestQueueIsBounded(t *testing.T) {
	r := &Recorder{queue: newQueue()}
	payload := make([]byte, frame)
	for i := range 10000 {
		r.Side(0).RTP(audio.PCMA, uint16(i), uint32(i*frame), false, payload, time.Time{})
	}
	for range 50 {
		r.Side(1).RTP(audio.PCMA, 0, 0, false, payload, time.Time{})
	}
	if r.lost != 10000-maxPackets || r.queue.waiting[1].packets != 50 {
		t.Errorf("lost %d, waiting %+v", r.lost, r.queue.waiting)
	}
	r.queue.reset()
	for range 100 {
		r.Side(0).RTP(audio.PCMA, 0, 0, false, make([]byte, 1400), time.Time{})
	}
	if n := r.queue.waiting[0].bytes; n > maxBytes {
		t.Errorf("%d bytes wait", n)
	}
}

// TestSlowDisk: four seconds of a disk that does not answer are caught up.
func TestSlowDisk(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t, dir)
		defer s.Close()
		id, name, err := newFile("acme", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		// A recorder whose writer does not run for the first four seconds.
		r := &Recorder{store: s, info: pbx.Recording{ID: id, Tenant: "acme"}, name: name, start: time.Now(),
			stop: make(chan struct{}), done: make(chan struct{}), queue: newQueue(), spare: newQueue()}
		if err := s.create(r); err != nil {
			t.Fatal(err)
		}
		a, b := &voice{track: r.Side(0), codec: audio.PCMA, freq: 440}, &voice{track: r.Side(1), codec: audio.PCMA, freq: 1000}
		for range 195 {
			a.send()
			b.send()
			time.Sleep(20 * time.Millisecond)
		}
		go r.run()
		time.Sleep(300 * time.Millisecond)
		rec := r.Close()
		left, right := openRecording(t, s, rec)
		if rec.Lost != 0 || rec.Seconds != 4.2 || !loud(between(left, 0, 3900*time.Millisecond), 440) || !loud(between(right, 0, 3900*time.Millisecond), 1000) {
			t.Errorf("recording %+v", rec)
		}
		for at := time.Duration(0); at < 3900*time.Millisecond; at += 100 * time.Millisecond {
			if !loud(between(left, at, at+100*time.Millisecond), 440) {
				t.Errorf("a hole at %v", at)
			}
		}
	})
}

// TestManyAtOnce runs recordings beside each other under the race detector.
func TestManyAtOnce(t *testing.T) {
	s := openStore(t, t.TempDir())
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			r, err := s.Start("acme", "call", time.Now())
			if err != nil {
				t.Error(err)
				return
			}
			var sides sync.WaitGroup
			for n := range 2 {
				sides.Go(func() {
					v := &voice{track: r.Side(n), codec: audio.PCMA, freq: 440}
					for range 100 {
						v.send()
					}
				})
			}
			go r.Close()
			sides.Wait()
			if rec := r.Close(); rec.Error != "" {
				t.Errorf("recording %+v", rec)
			}
		})
	}
	all.Wait()
	if len(s.open) != 0 {
		t.Errorf("%d recordings are still open", len(s.open))
	}
}

func TestOpenNothingElse(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "secret.wav"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := openStore(t, filepath.Join(dir, "recordings"))
	r, err := s.Start("acme", "call", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	id := r.ID()
	if _, _, _, err := s.Open("acme", id); pbx.KindOf(err) != pbx.NotFound {
		t.Errorf("a recording under way: %v", err)
	}
	r.Close()
	if f, _, _, err := s.Open("acme", id); err != nil {
		t.Error(err)
	} else {
		f.Close()
	}
	for _, c := range []struct {
		t  pbx.TenantID
		id pbx.RecordingID
	}{
		{"umbra", id}, {"", id}, {"..", id}, {"acme/..", id}, {"acme", ""}, {"acme", "../../secret"}, {"acme", id + "/.."},
		{"acme", pbx.RecordingID(strings.ToUpper(string(id)))}, {"acme", id[:31]}, {"acme", id[:31] + "x"},
		{"acme", "ffffffffffff" + id[12:]}, {"acme", "\x00" + id[1:]},
	} {
		if f, _, _, err := s.Open(c.t, c.id); pbx.KindOf(err) != pbx.NotFound {
			t.Errorf("Open(%q, %q): %v, %v", c.t, c.id, f, err)
		}
	}
	// A link out of the directory is not followed.
	day, _ := dirOf("acme", id)
	stray := pbx.NewRecordingID(time.Now())
	if err := os.Symlink(filepath.Join(dir, "secret.wav"), filepath.Join(dir, "recordings", day, string(stray)+suffix)); err != nil {
		t.Fatal(err)
	}
	if f, _, _, err := s.Open("acme", stray); err == nil {
		t.Errorf("a link was followed: %v", f)
	}
}

func FuzzFileOf(f *testing.F) {
	f.Add("acme", string(pbx.NewRecordingID(time.UnixMilli(1790000000000))))
	f.Add("../x", strings.Repeat("0", 32))
	f.Fuzz(func(t *testing.T, tenant, id string) {
		name, err := fileOf(pbx.TenantID(tenant), pbx.RecordingID(id))
		if err != nil {
			return
		}
		if !filepath.IsLocal(name) || strings.Count(name, "/") != 4 {
			t.Fatalf("fileOf(%q, %q) = %q", tenant, id, name)
		}
		if a, b, ok := parsePart(name + partial); !ok || string(a) != tenant || string(b) != id {
			t.Fatalf("parsePart(%q) = %q, %q, %t", name+partial, a, b, ok)
		}
	})
}

func TestRTPAllocatesNothing(t *testing.T) {
	r := &Recorder{queue: newQueue()}
	track, payload, at := r.Side(0), make([]byte, frame), time.Now()
	n := 0
	if a := testing.AllocsPerRun(1000, func() {
		track.RTP(audio.PCMA, 1, 2, false, payload, at)
		if n++; n%30 == 0 {
			r.queue.reset()
		}
	}); a != 0 {
		t.Errorf("%v allocations for a packet", a)
	}
}

// BenchmarkRTP is what a recording costs the goroutine that reads packets.
func BenchmarkRTP(b *testing.B) {
	r := &Recorder{queue: newQueue()}
	track, payload, at := r.Side(0), make([]byte, frame), time.Now()
	b.ReportAllocs()
	for i := range b.N {
		track.RTP(audio.PCMA, 1, 2, false, payload, at)
		if i%30 == 0 {
			r.queue.reset()
		}
	}
}

// BenchmarkSecond is what the writer does for a second of one recording, the
// disk included.
func BenchmarkSecond(b *testing.B) {
	s, err := New(Options{Dir: b.TempDir(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	id, name, _ := newFile("acme", time.Now())
	r := &Recorder{store: s, info: pbx.Recording{ID: id}, name: name, start: time.Now(), queue: newQueue(), spare: newQueue()}
	if err := s.create(r); err != nil {
		b.Fatal(err)
	}
	defer r.file.Close()
	payload, at, seq := make([]byte, frame), r.start, uint16(0)
	left, right := r.Side(0), r.Side(1)
	b.ReportAllocs()
	for range b.N {
		for range 5 {
			for range 10 {
				at = at.Add(20 * time.Millisecond)
				seq++
				left.RTP(audio.PCMA, seq, uint32(seq)*frame, false, payload, at)
				right.RTP(audio.PCMA, seq, uint32(seq)*frame, false, payload, at)
			}
			if err := r.drain(at, hold); err != nil {
				b.Fatal(err)
			}
		}
		if r.wav.Frames() > 1<<27 {
			b.Fatal("too long")
		}
		if err := r.wav.Sync(); err != nil {
			b.Fatal(err)
		}
	}
}

// TestParseFile: only names that the store gives are taken for finished files.
func TestParseFile(t *testing.T) {
	id := pbx.NewRecordingID(time.Date(2026, 11, 22, 23, 59, 59, 0, time.UTC))
	name, err := fileOf("acme", id)
	if err != nil {
		t.Fatal(err)
	}
	if tenant, got, ok := parseFile(name); !ok || tenant != "acme" || got != id {
		t.Errorf("%s: %s %s %v", name, tenant, got, ok)
	}
	for _, bad := range []string{"", "/", name + partial, "x/" + name, strings.TrimSuffix(name, suffix), strings.Replace(name, "2026", "2027", 1),
		strings.Replace(name, "acme", "..", 1), strings.Replace(name, "acme", "", 1), strings.ToUpper(name), "acme/" + string(id) + suffix} {
		if _, _, ok := parseFile(bad); ok {
			t.Errorf("%q is taken", bad)
		}
	}
}
