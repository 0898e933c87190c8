package webrtc_test

import (
	"testing"
	"testing/synctest"
	"time"

	"vpbx/media/webrtc"
)

// TestStatsMeanwhile asks how connections are from their first instant, while they
// begin, connect and end: it is for the race detector.
func TestStatsMeanwhile(t *testing.T) {
	for _, meets := range []bool{false, true} { // whether the browser is there
		for range 20 {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				tr, b := r.open(), r.browser()
				var seen webrtc.Stats
				over := make(chan struct{})
				go func() {
					defer close(over)
					for range 200 {
						if s := tr.Stats(); s.Candidate != "" {
							seen = s
						}
						time.Sleep(20 * time.Millisecond)
					}
				}()
				l, err := tr.Offer()
				check(t, err)
				answer, err := b.Answer(r.text(l))
				check(t, err)
				if !meets {
					check(t, b.Close())
				}
				check(t, tr.Accept(remote(answer)))
				tr.Stats()
				time.Sleep(2 * time.Second)
				check(t, tr.Close())
				tr.Stats()
				<-over
				if meets != (seen.Candidate == "host") {
					t.Errorf("the browser is there: %v; seen %+v", meets, seen)
				}
				if meets {
					check(t, b.Close())
				}
				check(t, r.port.Close())
			})
		}
	}
}
