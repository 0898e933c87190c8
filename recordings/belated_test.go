package recordings

import (
	"testing"
	"testing/synctest"
	"time"

	"vpbx/media/audio"
	"vpbx/pbx"
)

// stalled records a tone of 440 Hz on the left and one of 1000 Hz on the right for
// 6 s; what both say between from and to arrives only at to, at once and a quarter of
// it twice. f is called before each packet is said.
func stalled(t *testing.T, from, to time.Duration, f func(r *Recorder, at time.Duration)) (rec pbx.Recording, left, right []int16) {
	t.Helper()
	s := openStore(t, t.TempDir())
	defer s.Close()
	r, err := s.Start("acme", "call-1", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	voices := []*voice{{track: r.Side(0), codec: audio.PCMA, freq: 440}, {track: r.Side(1), codec: audio.PCMU, freq: 1000}}
	var held []func()
	for at := time.Duration(0); at < 6*time.Second; at += 20 * time.Millisecond {
		if f != nil {
			f(r, at)
		}
		if at == to {
			for i, h := range held {
				if h(); i%4 == 0 {
					held[i/2]()
				}
			}
		}
		for _, v := range voices {
			if at < from || at >= to {
				v.send()
				continue
			}
			pcm := make([]int16, frame)
			v.phase = audio.Tone(pcm, rate, v.freq, 0.5, v.phase)
			late := *v
			held = append(held, func() { again := late; again.sendPCM(pcm) })
			v.skip()
		}
		time.Sleep(20 * time.Millisecond)
	}
	rec = r.Close()
	left, right = openRecording(t, s, rec)
	return rec, left, right
}

// TestHeldUp holds up what both say for two seconds: it is in the recording, in its
// place and as loud as the rest, although the file was further already.
func TestHeldUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec, left, right := stalled(t, 2*time.Second, 4*time.Second, nil)
		if rec.Seconds != 6 || rec.Lost != 0 || rec.Error != "" {
			t.Errorf("recording %+v", rec)
		}
		for name, side := range map[string][]int16{"left": left, "right": right} {
			freq := 440.0
			if name == "right" {
				freq = 1000
			}
			for at := time.Duration(0); at < 6*time.Second; at += 20 * time.Millisecond {
				piece := between(side, at, at+20*time.Millisecond)
				if !loud(piece, freq) {
					t.Errorf("%s: no tone at %v", name, at)
				}
				for _, v := range piece {
					if v > 1<<14+1<<10 || v < -1<<14-1<<10 {
						t.Fatalf("%s: a sample of %d at %v: twice as loud", name, v, at)
					}
				}
			}
		}
	})
}

// TestHeldUpOverPause pauses while what is said is held up: of that nothing is in
// the recording, and the rest is.
func TestHeldUpOverPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, left, right := stalled(t, 2*time.Second, 4500*time.Millisecond, func(r *Recorder, at time.Duration) {
			switch at {
			case 3 * time.Second:
				r.Pause()
			case 4 * time.Second:
				r.Resume()
			}
		})
		for _, side := range [][]int16{left, right} {
			if !silent(between(side, 3*time.Second, 4*time.Second)) {
				t.Error("sound of the pause is in the recording")
			}
		}
		for at := 2 * time.Second; at < 3*time.Second; at += 20 * time.Millisecond {
			if !loud(between(left, at, at+20*time.Millisecond), 440) {
				t.Errorf("no tone at %v", at)
			}
		}
		if !loud(between(left, 4100*time.Millisecond, 4400*time.Millisecond), 440) {
			t.Error("no tone behind the pause")
		}
	})
}

// TestTooOld counts what comes later than a recording can take.
func TestTooOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t, t.TempDir())
		defer s.Close()
		r, err := s.Start("acme", "call-1", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		v := &voice{track: r.Side(0), codec: audio.PCMA, freq: 440}
		late := *v
		for range 400 { // 8 s
			v.send()
			time.Sleep(20 * time.Millisecond)
		}
		late.send()
		time.Sleep(20 * time.Millisecond)
		if rec := r.Close(); rec.Lost != 1 || rec.Error != "" {
			t.Errorf("recording %+v", rec)
		}
	})
}
