package recordings

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"vpbx/media/audio"
)

// record lets two talk for so long, in steps of 20 ms, before each of which it calls f.
func record(t *testing.T, length time.Duration, f func(r *Recorder, at time.Duration)) (left, right []int16) {
	t.Helper()
	s := openStore(t, t.TempDir())
	defer s.Close()
	r, err := s.Start("acme", "call-1", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	caller := &voice{track: r.Side(0), codec: audio.PCMA, freq: 440}
	callee := &voice{track: r.Side(1), codec: audio.PCMU, freq: 1000}
	for at := time.Duration(0); at < length; at += 20 * time.Millisecond {
		f(r, at)
		caller.send()
		callee.send()
		time.Sleep(20 * time.Millisecond)
	}
	rec := r.Close()
	if rec.Seconds != length.Seconds() || rec.Lost != 0 || rec.Error != "" {
		t.Errorf("recording %+v", rec)
	}
	for i, p := range rec.Pauses {
		t.Logf("pause %d: %v to %v", i, p.From, p.To)
	}
	return openRecording(t, s, rec)
}

// TestPause pauses twice, the second time until the end: both sides are silence, to
// the sample, and what follows is in its place.
func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, right := record(t, 5*time.Second, func(r *Recorder, at time.Duration) {
			switch at {
			case time.Second:
				if !r.Pause() || r.Pause() || !r.Paused() {
					t.Error("not paused once")
				}
				r.Beep()
			case 2 * time.Second:
				if !r.Resume() || r.Resume() || r.Paused() {
					t.Error("not resumed once")
				}
			case 4 * time.Second:
				r.Pause()
			}
		})
		for name, side := range map[string][]int16{"left": left, "right": right} {
			freq := 440.0
			if name == "right" {
				freq = 1000
			}
			for _, v := range slices.Concat(between(side, time.Second, 2*time.Second), between(side, 4*time.Second, 5*time.Second)) {
				if v != 0 {
					t.Fatalf("%s: a sample of the pause is %d", name, v)
				}
			}
			if !loud(between(side, 900*time.Millisecond, time.Second), freq) || !loud(between(side, 2*time.Second, 2100*time.Millisecond), freq) {
				t.Errorf("%s: silent beside the pause", name)
			}
		}
	})
}

// TestPauseAgainAndAgain fills the pauses of a recording: it stays paused.
func TestPauseAgainAndAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t, t.TempDir())
		defer s.Close()
		r, err := s.Start("acme", "call-1", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		for range 2 * maxPauses {
			r.Pause()
			time.Sleep(10 * time.Millisecond)
			r.Resume()
			time.Sleep(10 * time.Millisecond)
		}
		if !r.Paused() {
			t.Error("not paused")
		}
		if rec := r.Close(); len(rec.Pauses) != maxPauses || rec.Error != "" {
			t.Errorf("%d pauses, error %q", len(rec.Pauses), rec.Error)
		}
		if r.Pause() || r.Resume() {
			t.Error("paused or resumed when it was over")
		}
	})
}

// TestBeep finds the tone on both sides, at its time, beside what is said.
func TestBeep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, right := record(t, 3*time.Second, func(r *Recorder, at time.Duration) {
			if at == time.Second {
				r.Beep()
			}
		})
		for _, side := range [][]int16{left, right} {
			during := between(side, time.Second, 1200*time.Millisecond)
			if audio.Goertzel(during, rate, 1400) < 0.01 {
				t.Error("no tone")
			}
			if p := audio.Goertzel(between(side, 1300*time.Millisecond, 2*time.Second), rate, 1400); p > 0.001 {
				t.Errorf("a tone behind it: %v", p)
			}
		}
		if !loud(between(left, time.Second, 1200*time.Millisecond), 440) {
			t.Error("the tone took the place of the talk")
		}
	})
}

// TestPCM records samples that come from no peer, as the mix of a conference, on both
// sides.
func TestPCM(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t, t.TempDir())
		defer s.Close()
		r, err := s.Start("acme", "call-1", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		mix, pcm, phase := r.Extra(), make([]int16, frame), 0.0
		for n := range 100 {
			phase = audio.Tone(pcm, rate, 600, 0.3, phase)
			mix.PCM(uint16(n), uint32(n*frame), pcm, time.Now())
			time.Sleep(20 * time.Millisecond)
		}
		left, right := openRecording(t, s, r.Close())
		if !loud(left, 600) || !loud(right, 600) {
			t.Error("the mix is not on both sides")
		}
	})
}

func BenchmarkPCM(b *testing.B) {
	s, err := New(Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	r, err := s.Start("acme", "call-1", time.Now())
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	mix, pcm := r.Extra(), make([]int16, frame)
	b.ReportAllocs()
	for n := range b.N {
		mix.PCM(uint16(n), uint32(n*frame), pcm, time.Now())
	}
}
