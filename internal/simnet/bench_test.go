package simnet_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vpbx/internal/simnet"
)

// BenchmarkHourOfRTP is one hour of two-way audio: 360,000 packets of 172 bytes.
func BenchmarkHourOfRTP(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		hourOfRTP(b)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/360000, "ns/packet")
}

func hourOfRTP(b *testing.B) {
	// A bubble needs a *testing.T; the outer test of one run gives it.
	testing.RunTests(func(string, string) (bool, error) { return true, nil }, []testing.InternalTest{{Name: "hour", F: func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := simnet.New(simnet.Options{})
			x, y := listenUDP(t, n.Host("10.0.0.1"), "10.0.0.1:4000"), listenUDP(t, n.Host("10.0.0.2"), "10.0.0.2:4000")
			var wg sync.WaitGroup
			for _, end := range []struct {
				conn packetConn
				peer string
			}{{x, "10.0.0.2:4000"}, {y, "10.0.0.1:4000"}} {
				peer := addr(end.peer)
				wg.Go(func() {
					tick := time.NewTicker(20 * time.Millisecond)
					defer tick.Stop()
					payload := make([]byte, 172)
					for range 180000 {
						<-tick.C
						_, _ = end.conn.WriteToUDPAddrPort(payload, peer)
					}
				})
				wg.Go(func() {
					buf := make([]byte, 1500)
					for range 180000 {
						if _, _, err := end.conn.ReadFromUDPAddrPort(buf); err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			n.Close()
		})
	}}})
}
