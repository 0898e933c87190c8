package recordings

import (
	"encoding/json"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"vpbx/media/audio"
	"vpbx/pbx"
)

// childDir names the directory for the process that runs under a limit.
const childDir = "VPBX_TEST_RECORDINGS_DIR"

const fileLimit = 100_000 // bytes, 3.1 s

// TestDiskThatTakesNoMore runs a recording in a process whose files may not grow
// above a limit, so that a write really fails in the middle.
func TestDiskThatTakesNoMore(t *testing.T) {
	if dir := os.Getenv(childDir); dir != "" {
		recordUnderLimit(t, dir)
		return
	}
	dir := t.TempDir()
	child := exec.Command(os.Args[0], "-test.run=^TestDiskThatTakesNoMore$")
	child.Env = append(os.Environ(), childDir+"="+dir)
	if out, err := child.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	b, err := os.ReadFile(filepath.Join(dir, "result"))
	if err != nil {
		t.Fatal(err)
	}
	var rec pbx.Recording
	if err := json.Unmarshal(b, &rec); err != nil {
		t.Fatal(err)
	}
	if rec.Error != "the recording became too long for a file" || rec.Seconds < 2.5 || rec.Seconds > 3.2 || rec.Bytes > fileLimit {
		t.Errorf("recording %+v", rec)
	}
	if left, right := openRecording(t, openStore(t, dir), rec); !loud(left, 440) || !loud(right, 1000) {
		t.Error("what was written is not there")
	}
}

func recordUnderLimit(t *testing.T, dir string) {
	signal.Ignore(syscall.SIGXFSZ)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: fileLimit, Max: fileLimit}); err != nil {
		t.Skip(err)
	}
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t, dir)
		defer s.Close()
		r, err := s.Start("acme", "call-1", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		a, b := &voice{track: r.Side(0), codec: audio.PCMA, freq: 440}, &voice{track: r.Side(1), codec: audio.PCMU, freq: 1000}
		for range 500 { // the call goes on for long after
			a.send()
			b.send()
			time.Sleep(20 * time.Millisecond)
		}
		if n := len(r.queue.packets); n > 2*int(writeEvery/(20*time.Millisecond)) {
			t.Errorf("%d packets were kept for a dead disk", n)
		}
		out, err := json.Marshal(r.Close())
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "result"), out, 0o600); err != nil {
			t.Fatal(err)
		}
	})
}

// TestStartWithoutDirectory: a recording that cannot begin is an error of Start.
func TestStartWithoutDirectory(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	if err := os.WriteFile(filepath.Join(dir, "acme"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Start("acme", "call-1", time.Now()); err == nil {
		t.Error("no error")
	}
	if len(s.open) != 0 {
		t.Error("it is counted as under way")
	}
}

// TestFileRemoved: somebody who deletes the file under a recording harms that
// recording only.
func TestFileRemoved(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t, dir)
		defer s.Close()
		r, err := s.Start("acme", "call-1", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if err := os.Remove(filepath.Join(dir, r.name+partial)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if rec := r.Close(); rec.Error != "the file of the recording was removed" {
			t.Errorf("recording %+v", rec)
		}
	})
}

// TestFullDisk fills a file system of 256 KiB, when the test may mount one.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"); err != nil {
		t.Skipf("a small file system cannot be mounted: %v", err)
	}
	defer syscall.Unmount(dir, syscall.MNT_DETACH)
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t, dir)
		defer s.Close()
		r, err := s.Start("acme", "call-1", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		a := &voice{track: r.Side(0), codec: audio.PCMA, freq: 440}
		for range 1000 {
			a.send()
			time.Sleep(20 * time.Millisecond)
		}
		if _, err := s.Start("acme", "call-2", time.Now()); err == nil {
			t.Error("a recording began on a full disk")
		}
		rec := r.Close()
		if rec.Error != "the disk is full" || rec.Seconds < 4 || rec.Seconds > 9 {
			t.Errorf("recording %+v", rec)
		}
		if left, _ := openRecording(t, s, rec); !loud(left, 440) {
			t.Error("what was written is not there")
		}
	})
}

// TestCloseIsBounded: a disk that hangs costs the end of a call five seconds.
func TestCloseIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hung := &Recorder{info: pbx.Recording{ID: "x"}, start: time.Now(), stop: make(chan struct{}), done: make(chan struct{})}
		time.Sleep(time.Minute)
		begun := time.Now()
		rec := hung.Close()
		if took := time.Since(begun); took != closeIn || rec.Seconds != 60 || rec.Error != "the disk did not take the recording in time" {
			t.Errorf("%+v after %v", rec, took)
		}
	})
}
