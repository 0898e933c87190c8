package media

import (
	"testing"
	"time"

	"vpbx/media/amd"
)

// Who sends nothing at all is Unsure when the bound is over, to the millisecond.
func TestDetectOfNobody(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a := r.open("198.51.100.1")
		a.answer(t, describe("198.51.100.1:4000"))
		began := time.Now()
		a.Detect(amd.Default())
		ev, ok := (<-a.events).(Detected)
		want := Detected{S: a.Session, Verdict: amd.Unsure, Reason: amd.InitialSilence, After: 2 * time.Second}
		if took := time.Since(began); !ok || ev != want || took != 2*time.Second {
			t.Errorf("%+v after %v", ev, took)
		}
		time.Sleep(2 * time.Minute)
		if ev := a.next(); ev != nil {
			t.Errorf("%#v", ev)
		}
		if a.detect.Load() != nil {
			t.Error("it listens for ever")
		}
	})
}

func TestStopDetect(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a := r.open("198.51.100.1")
		a.answer(t, describe("198.51.100.1:4000"))
		a.Detect(amd.Default())
		time.Sleep(time.Second)
		a.StopDetect()
		time.Sleep(5 * time.Second)
		if ev := a.next(); ev != nil {
			t.Errorf("%#v", ev)
		}
	})
}
