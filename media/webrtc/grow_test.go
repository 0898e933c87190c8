package webrtc_test

import (
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

// TestNothingGrows makes a hundred calls of browsers, one after the other: what is left
// of them is nothing.
func TestNothingGrows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		call := func() {
			tr, b := r.call()
			time.Sleep(time.Second)
			passes(t, "to the browser", tr.RTP(), b, packet(1, ourSSRC, "hello"))
			check(t, b.Close())
			check(t, tr.Close())
		}
		heap := func() uint64 {
			var m runtime.MemStats
			for range 3 {
				runtime.GC()
			}
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		for range 20 {
			call()
		}
		before, goroutines := heap(), runtime.NumGoroutine()
		for range 100 {
			call()
		}
		after := heap()
		t.Logf("heap %d kB, then %d kB", before>>10, after>>10)
		if after > before+1<<20 {
			t.Errorf("the heap has grown from %d to %d kB", before>>10, after>>10)
		}
		if n := runtime.NumGoroutine(); n > goroutines {
			t.Errorf("%d goroutines, before %d", n, goroutines)
		}
		if a, b, c := r.port.Sizes(); a+b+c != 0 {
			t.Errorf("%d lines, %d keys, %d flows are left", a, b, c)
		}
		check(t, r.port.Close())
	})
}
