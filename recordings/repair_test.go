package recordings

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"vpbx/media/audio"
	"vpbx/pbx"
)

// TestKill takes the file of a recording under way, as a kill -9 leaves it, at
// many moments: its header is at most a second old, and Repair loses no more
// than that either.
func TestKill(t *testing.T) {
	live, dead := t.TempDir(), t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t, live)
		defer s.Close()
		r, err := s.Start("acme", "call-1", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		v := &voice{track: r.Side(0), codec: audio.PCMA, freq: 440}
		for i := range 500 {
			v.send()
			time.Sleep(20 * time.Millisecond)
			if i%7 != 0 {
				continue
			}
			synctest.Wait() // the writer has done its part for this moment
			spoken := time.Duration(i+1) * 20 * time.Millisecond
			b, err := os.ReadFile(filepath.Join(live, r.name+partial))
			if err != nil {
				t.Fatal(err)
			}
			pcm, err := audio.ReadWAV(bytes.NewReader(b), audio.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if missing := spoken - pcm.Duration(); missing > 1500*time.Millisecond {
				t.Errorf("at %v the header misses %v", spoken, missing)
			}
			if written := time.Duration((len(b)-headerSize)/frameSize) * time.Second / rate; spoken-written > 520*time.Millisecond {
				t.Errorf("at %v the file misses %v", spoken, spoken-written)
			}
			if i == 301 {
				leave(t, dead, r.name+partial, append(b, 1, 2, 3)) // half a frame more
			}
		}
		if got, err := s.Repair(t.Context()); err != nil || len(got) != 0 {
			t.Errorf("a recording under way was repaired: %+v, %v", got, err)
		}
		if rec := r.Close(); rec.Seconds != 10 || rec.Error != "" {
			t.Errorf("recording %+v", rec)
		}

		next := openStore(t, dead)
		defer next.Close()
		got, err := next.Repair(t.Context())
		if err != nil || len(got) != 1 {
			t.Fatalf("%+v, %v", got, err)
		}
		rec := got[0]
		if rec.ID != r.ID() || rec.Tenant != "acme" || rec.Error != interrupted || rec.Seconds < 5.5 || rec.Seconds > 6.04 {
			t.Errorf("repaired %+v", rec)
		}
		if left, right := openRecording(t, next, rec); !loud(left, 440) || !silent(right) {
			t.Error("the sound is gone")
		}
		if got, err := next.Repair(t.Context()); err != nil || len(got) != 0 {
			t.Errorf("repaired twice: %+v, %v", got, err)
		}
	})
}

func leave(t *testing.T, dir, name string, b []byte) {
	t.Helper()
	name = filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestRepairOddFiles: what is no recording of ours is left alone; one without a
// whole header is reported and removed, as there is no sound in it.
func TestRepairOddFiles(t *testing.T) {
	dir := t.TempDir()
	id := pbx.NewRecordingID(time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC))
	empty := "acme/2026/11/22/" + string(id) + ".wav.part"
	others := []string{
		"notes.txt",
		"acme/2026/11/22/notes.wav.part",
		"acme/2026/11/21/" + string(id) + ".wav.part", // another day than its id
		string(id) + ".wav.part",
		"acme/2026/11/22/" + string(id) + ".wav.part.bak",
	}
	for _, name := range append(others, empty) {
		leave(t, dir, name, []byte("RIFF"))
	}
	s := openStore(t, dir)
	got, err := s.Repair(t.Context())
	if err != nil || len(got) != 1 || got[0].ID != id || got[0].Seconds != 0 || got[0].Error != interrupted+" and could not be repaired" {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := os.Stat(filepath.Join(dir, empty)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the empty file: %v", err)
	}
	for _, name := range others {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Repair(over); !errors.Is(err, context.Canceled) {
		t.Errorf("with an ended context: %v", err)
	}
}
