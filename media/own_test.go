package media

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestOwnGetsEventsFromNowOn(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a := r.open("198.51.100.1")
		pa := r.phone("198.51.100.1:4000", a)
		a.answer(t, describe("198.51.100.1:4000"))
		pa.voice(1)
		if ev := a.next(); ev != (FirstPacket{S: a.Session}) {
			t.Fatalf("%#v", ev)
		}
		a.Play(sound(10), false)
		second := make(chan any, 8)
		a.Own(second, make(chan struct{}))
		time.Sleep(time.Second)
		if ev := <-second; ev != (PlayDone{S: a.Session}) {
			t.Errorf("%#v", ev)
		}
		if ev := a.next(); ev != nil {
			t.Errorf("the former owner got %#v", ev)
		}
	})
}

// A former owner that no longer reads holds nothing up, and what waited for it
// goes to the next, over several owners.
func TestOwnTakesWhatWaits(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a := r.open("198.51.100.1")
		a.answer(t, describe("198.51.100.1:4000"))
		for range cap(a.events) {
			a.events <- "full"
		}
		a.Play(sound(1), false)
		time.Sleep(time.Second) // PlayDone waits
		full := make(chan any)
		a.Own(full, make(chan struct{}))
		synctest.Wait()
		last := make(chan any, 1)
		a.Own(last, make(chan struct{}))
		synctest.Wait()
		if len(last) != 1 || <-last != (PlayDone{S: a.Session}) {
			t.Error("PlayDone was lost")
		}
		if len(a.events) != cap(a.events) {
			t.Error("the former mailbox was touched")
		}
	})
}

// The owner before is gone with an event that waits: the next still gets it if it
// takes over in time, and nothing hangs if it does not.
func TestOwnAfterGone(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a := r.open("198.51.100.1")
		a.answer(t, describe("198.51.100.1:4000"))
		gone := make(chan struct{})
		a.Own(make(chan any), gone)
		a.Play(sound(1), false)
		time.Sleep(time.Second)
		close(gone)
		synctest.Wait()
		last := make(chan any, 1)
		a.Own(last, make(chan struct{}))
		a.Play(sound(1), false)
		time.Sleep(time.Second)
		if len(last) != 1 {
			t.Errorf("%d events", len(last))
		}
	})
}

// A silence that the former owner was told of, and may not have read, is told to
// the next one, once.
func TestOwnHearsOfSilence(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a := r.open("198.51.100.1")
		a.answer(t, describe("198.51.100.1:4000"))
		a.Expect()
		time.Sleep(31 * time.Second)
		if len(a.events) != 1 {
			t.Fatalf("%d events", len(a.events))
		}
		second := make(chan any, 8)
		a.Own(second, make(chan struct{}))
		synctest.Wait()
		if len(second) != 1 || <-second != (Timeout{S: a.Session}) {
			t.Error("no Timeout for the new owner")
		}
		time.Sleep(5 * time.Minute)
		if len(second) != 0 || len(a.events) != 1 {
			t.Error("told again")
		}
	})
}

// Owners and taps change while packets come; the race detector looks on.
func TestOwnWhilePacketsCome(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a, _, pa, _ := r.pair()
		done := make(chan struct{})
		go func() {
			defer close(done)
			for i := range 200 {
				events := make(chan any, 1)
				a.Own(events, make(chan struct{}))
				a.SetTap(&tape{})
				if i%10 == 0 {
					a.SetTap(nil)
				}
				time.Sleep(5 * time.Millisecond)
			}
		}()
		for i := range 50 {
			pa.raw(rtp(101, i%5 == 0, pa.seq, uint32(i/5)*1600, pa.ssrc, event(5, i%5 == 4, uint16(i%5*160))))
			pa.seq++
			time.Sleep(20 * time.Millisecond)
		}
		<-done
	})
}

// TestDeserted: a session whose owner went without closing it closes itself and
// gives its ports back.
func TestDeserted(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a := r.open("198.51.100.1")
		gone := make(chan struct{})
		a.Own(make(chan any, 8), gone)
		time.Sleep(time.Minute)
		if a.isDone() {
			t.Fatal("closed while it had an owner")
		}
		close(gone)
		time.Sleep(10 * time.Second)
		if !a.isDone() {
			t.Error("still open 10 s after its owner went")
		}
	})
}
