package media

import (
	"testing"
	"time"

	"github.com/pion/rtcp"
)

func TestTimeoutOncePerSilence(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a, _, pa, _ := r.pair()
		time.Sleep(time.Minute)
		if ev := a.next(); ev != nil {
			t.Errorf("%#v before audio is expected", ev)
		}
		a.Expect()
		start := time.Now()
		if ev := <-a.events; ev != (Timeout{S: a.Session}) || time.Since(start) != 30*time.Second {
			t.Errorf("%#v after %v", ev, time.Since(start))
		}
		time.Sleep(10 * time.Minute)
		if ev := a.next(); ev != nil {
			t.Errorf("%#v again in the same silence", ev)
		}
		pa.voice(1)
		if ev := a.next(); ev != (FirstPacket{S: a.Session}) {
			t.Errorf("%#v", ev)
		}
		start = time.Now()
		if ev := <-a.events; ev != (Timeout{S: a.Session}) || time.Since(start) != 30*time.Second {
			t.Errorf("%#v after %v", ev, time.Since(start))
		}
	})
}

func TestPacketsPutTimeoutOff(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a, _, pa, _ := r.pair()
		a.Expect()
		a.Expect()
		for range 10 {
			time.Sleep(29 * time.Second)
			pa.voice(1)
		}
		<-a.events // the first packet
		if ev := a.next(); ev != nil {
			t.Errorf("%#v", ev)
		}
	})
}

// A phone that sends nothing while nobody speaks tells by its RTCP that it is there,
// from its RTCP port or from that of RTP; whoever falls silent altogether is missed.
// RTCP of a stranger says nothing of the peer.
func TestReportsPutTimeoutOff(t *testing.T) {
	for _, muxed := range []bool{false, true} {
		bubble(t, nil, func(r *rig) {
			a, _, pa, _ := r.pair()
			stranger := r.phone("203.0.113.66:4000", a)
			send := func(p *phone) { p.control(&rtcp.ReceiverReport{SSRC: p.ssrc}) }
			if muxed {
				a.answer(t, describe("198.51.100.1:4000", "a=rtcp-mux"))
				send = func(p *phone) {
					b, err := rtcp.Marshal([]rtcp.Packet{&rtcp.ReceiverReport{SSRC: p.ssrc}})
					if err != nil {
						t.Fatal(err)
					}
					p.raw(b)
				}
			}
			a.Expect()
			pa.voice(1)
			<-a.events // the first packet
			for range 20 {
				time.Sleep(29 * time.Second)
				send(pa)
			}
			if ev := a.next(); ev != nil {
				t.Errorf("muxed %v: %#v of a peer that reports", muxed, ev)
			}
			time.Sleep(20 * time.Second)
			send(stranger)
			if ev := a.next(); ev != nil {
				t.Errorf("muxed %v: %#v after 20 s", muxed, ev)
			}
			time.Sleep(10 * time.Second)
			if ev := a.next(); ev != (Timeout{S: a.Session}) {
				t.Errorf("muxed %v: %#v after 30 s", muxed, ev)
			}
			if q := a.Quality(); q.LongestGapMs < 600_000 {
				t.Errorf("muxed %v: longest gap %v ms", muxed, q.LongestGapMs)
			}
		})
	}
}

// Of a peer whose RTCP comes and whose RTP never does the record shows that sound went
// one way; its call goes on.
func TestReportsWithoutSound(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a, _, pa, pb := r.pair()
		a.Expect()
		for range 20 {
			pb.voice(1)
			time.Sleep(10 * time.Second)
			pa.control(&rtcp.ReceiverReport{SSRC: pa.ssrc})
		}
		if ev := a.next(); ev != nil {
			t.Errorf("%#v", ev)
		}
		if q := a.Quality(); !q.OneWay || q.FirstRTPMs != -1 || q.LongestGapMs < 200_000 {
			t.Errorf("%+v", q)
		}
	})
}

// A short time-out is kept to although the next report is later.
func TestTimeoutWakesReader(t *testing.T) {
	bubble(t, func(c *Config) { c.Timeout = 200 * time.Millisecond }, func(r *rig) {
		a, _, _, _ := r.pair()
		a.Expect()
		start := time.Now()
		<-a.events
		if d := time.Since(start); d != 200*time.Millisecond {
			t.Errorf("after %v", d)
		}
	})
}

func TestNoTimeoutOnHold(t *testing.T) {
	for _, hold := range []string{"a=sendonly", "a=recvonly", "a=inactive"} {
		bubble(t, nil, func(r *rig) {
			a, _, _, _ := r.pair()
			a.Expect()
			time.Sleep(29 * time.Second)
			a.answer(t, describe("198.51.100.1:4000", hold))
			time.Sleep(time.Hour)
			if ev := a.next(); ev != nil {
				t.Errorf("%s: %#v", hold, ev)
			}
			a.answer(t, describe("198.51.100.1:4000"))
			start := time.Now()
			if ev := <-a.events; ev != (Timeout{S: a.Session}) || time.Since(start) != 30*time.Second {
				t.Errorf("%s: %#v %v after resuming", hold, ev, time.Since(start))
			}
		})
	}
}

// A full mailbox loses key presses, which are counted, but no time-out.
func TestFullMailbox(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a, _, pa, _ := r.pair()
		a.Expect()
		for range cap(a.events) {
			a.events <- "busy"
		}
		pa.voice(1)
		pa.raw(rtp(101, true, pa.seq, pa.ts, pa.ssrc, event(5, true, 800)))
		time.Sleep(time.Minute)
		a.wantDrops(t, map[string]uint64{"event": 2})
		for range cap(a.events) {
			<-a.events
		}
		if ev := a.next(); ev != (Timeout{S: a.Session}) {
			t.Errorf("%#v", ev)
		}
	})
}

// Nobody listens any more: the session gives up its events, and then itself, or can
// be closed.
func TestGone(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a, _, _, _ := r.pair()
		a.Expect()
		for range cap(a.events) {
			a.events <- "busy"
		}
		time.Sleep(time.Minute)
		close(a.gone)
		time.Sleep(10 * time.Second)
		if !a.isDone() {
			t.Error("still open")
		}
	})
	bubble(t, nil, func(r *rig) { // closed while an event waits
		a, _, _, _ := r.pair()
		a.Expect()
		for range cap(a.events) {
			a.events <- "busy"
		}
		time.Sleep(time.Minute)
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestReportsAndRoundTrip(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a, _, pa, pb := r.pair()
		pa.control(&rtcp.SenderReport{SSRC: pa.ssrc, NTPTime: 0x1234567890ABCDEF})
		pa.voice(1)
		pa.seq += 1
		pa.voice(2)
		pb.voice(3)
		var sr *rtcp.SenderReport
		for sr == nil {
			time.Sleep(100 * time.Millisecond)
			for _, p := range reports(t, pa.rtcp) {
				if got, ok := p.(*rtcp.SenderReport); ok {
					sr = got
				}
			}
		}
		heard := pa.hear()
		if sr.SSRC != heard[0].ssrc || sr.PacketCount != 1 || sr.OctetCount != frameBytes || uint64(time.Now().Unix()+2208988800)-sr.NTPTime>>32 > 1 {
			t.Errorf("%+v", sr)
		}
		b := sr.Reports[0]
		if b.SSRC != pa.ssrc || b.LastSenderReport != 0x567890AB || b.TotalLost != 1 || b.FractionLost != 85 || b.LastSequenceNumber != 102 || b.Delay == 0 {
			t.Errorf("%+v", b)
		}
		received := time.Now()
		time.Sleep(35 * time.Millisecond)
		delay := uint32(time.Since(received) * 65536 / time.Second)
		time.Sleep(40 * time.Millisecond) // the way back
		pa.control(&rtcp.ReceiverReport{SSRC: pa.ssrc, Reports: []rtcp.ReceptionReport{{
			SSRC: sr.SSRC, FractionLost: 64, Jitter: 80, LastSenderReport: uint32(sr.NTPTime >> 16), Delay: delay,
		}}})
		q := a.Quality()
		if q.RTTMs < 39 || q.RTTMs > 141 || q.RemoteLoss != 0.25 || q.RemoteJitterMs != 10 {
			t.Errorf("%+v", q)
		}
	})
}

func TestReportIntervals(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		_, _, pa, _ := r.pair()
		start := time.Now()
		n := 0
		for d := range pa.rtcp.inbox {
			n++
			if got := d.b[1]; got != 201 {
				t.Fatalf("packet type %d although nothing was sent", got)
			}
			if n == 100 {
				break
			}
		}
		if d := time.Since(start); d < 400*time.Second || d > 600*time.Second {
			t.Errorf("100 reports in %v", d)
		}
	})
}

func TestMuxedRTCP(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a := r.open("198.51.100.1")
		pa := r.phone("198.51.100.1:4000", a)
		a.answer(t, describe("198.51.100.1:4000", "a=rtcp-mux"))
		pa.voice(1)
		b, err := rtcp.Marshal([]rtcp.Packet{&rtcp.ReceiverReport{SSRC: pa.ssrc, Reports: []rtcp.ReceptionReport{{SSRC: a.out.ssrc, FractionLost: 128}}}})
		if err != nil {
			t.Fatal(err)
		}
		pa.raw(b)
		pa.raw([]byte{0x80, 201, 0, 9}) // cut short
		stranger := r.phone("203.0.113.66:4000", a)
		stranger.raw(b)
		if q := a.Quality(); q.RemoteLoss != 0.5 || q.Received != 1 {
			t.Errorf("%+v", q)
		}
		a.wantDrops(t, map[string]uint64{"malformed": 1, "source": 1})
		time.Sleep(10 * time.Second)
		if len(reports(t, pa.rtcp)) != 0 || len(reports(t, pa.rtp)) == 0 {
			t.Error("reports do not go to the RTP port")
		}
	})
}

func TestGoodbye(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a, _, pa, _ := r.pair()
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		got := reports(t, pa.rtcp)
		if bye, ok := got[len(got)-1].(*rtcp.Goodbye); !ok || bye.Sources[0] != a.out.ssrc {
			t.Errorf("%v", got)
		}
	})
}

func TestBrokenRTCP(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a, _, pa, _ := r.pair()
		for _, b := range [][]byte{{}, {0x80}, {0x40, 201, 0, 1, 0, 0, 0, 7}, {0x80, 203, 0, 1, 0, 0, 0, 7}, {0x9f, 201, 0, 1, 0, 0, 0, 7}, make([]byte, 1501)} {
			if _, err := pa.rtcp.WriteToUDPAddrPort(b, pa.to2()); err != nil {
				t.Fatal(err)
			}
		}
		a.wantDrops(t, map[string]uint64{"malformed": 6})
	})
}

// What a report says of a source counts from that source's first packet
// (RFC 3550 §6.4.1), not from the one before it.
func TestReportsOfANewSource(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a, _, pa, _ := r.pair()
		pa.voice(1)
		pa.seq += 10
		pa.voice(1)
		pa.ssrc++
		pa.voice(1)
		time.Sleep(10 * time.Second)
		for _, p := range reports(t, pa.rtcp) {
			if rr, ok := p.(*rtcp.ReceiverReport); ok && rr.Reports[0].TotalLost != 0 {
				t.Errorf("%d packets lost of a source that lost none", rr.Reports[0].TotalLost)
			}
		}
		if q := a.Quality(); q.Lost != 10 {
			t.Errorf("the call lost %d packets, want 10", q.Lost)
		}
	})
}

// A round trip that no call could bear is a peer's mistake, not a figure.
func TestImpossibleRoundTrip(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a, _, pa, pb := r.pair()
		pb.voice(1)
		pa.voice(1)
		lsr := uint32(ntp(time.Now().Add(-time.Hour)) >> 16)
		pa.control(&rtcp.ReceiverReport{SSRC: pa.ssrc, Reports: []rtcp.ReceptionReport{{SSRC: a.out.ssrc, LastSenderReport: lsr}}})
		if q := a.Quality(); q.RTTMs != 0 || q.MOS < 4 {
			t.Errorf("round trip %v ms, MOS %v", q.RTTMs, q.MOS)
		}
	})
}
