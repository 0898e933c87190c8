package media

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/rtcp"
)

// RTP bleed: a stranger sends to a session's port in the hope of being taken for
// the peer and sent its audio.
func TestRTPBleed(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a, _, pa, pb := r.pair()
		stranger := r.phone("203.0.113.66:4000", a)
		for range 10 { // before the peer's first packet
			stranger.voice(66)
		}
		pb.voice(1)
		pa.voice(2)
		for range 10 { // and after
			stranger.voice(66)
		}
		pb.voice(3)
		time.Sleep(2 * time.Second) // and when the peer is quiet
		stranger.ssrc = pa.ssrc
		stranger.voice(66)
		pb.voice(4)
		if got := stranger.hear(); len(got) != 0 {
			t.Errorf("the stranger hears %d packets", len(got))
		}
		if got := pa.hear(); len(got) != 3 {
			t.Errorf("the peer hears %d packets of 3", len(got))
		}
		a.wantDrops(t, map[string]uint64{"source": 21})
	})
}

// RTP injection: packets from elsewhere must not be heard by the other party, even
// from the peer's own host and with its SSRC.
func TestRTPInjection(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a, _, pa, pb := r.pair()
		pa.voice(1)
		elsewhere, neighbour := r.phone("203.0.113.66:4000", a), r.phone("198.51.100.1:4444", a)
		for _, p := range []*phone{elsewhere, neighbour} {
			p.ssrc, p.seq, p.ts = pa.ssrc, pa.seq, pa.ts
			p.voice(66)
		}
		pa.voice(2)
		got := pb.hear()
		if len(got) != 2 || got[0].payload[0] != 1 || got[1].payload[0] != 2 {
			t.Errorf("%d packets heard", len(got))
		}
		a.wantDrops(t, map[string]uint64{"source": 2})
	})
}

// Reports from elsewhere must not spoil the figures nor draw ours.
func TestRTCPInjection(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a, _, pa, pb := r.pair()
		pb.voice(1)
		stranger := r.phone("203.0.113.66:4000", a)
		lie := &rtcp.ReceiverReport{SSRC: 1, Reports: []rtcp.ReceptionReport{{SSRC: a.out.ssrc, FractionLost: 255}}}
		stranger.control(lie)
		pa.control(&rtcp.ReceiverReport{SSRC: pa.ssrc})
		stranger.control(lie)
		time.Sleep(20 * time.Second)
		if got := reports(t, stranger.rtcp); len(got) != 0 {
			t.Errorf("the stranger gets %v", got)
		}
		if got := reports(t, pa.rtcp); len(got) == 0 {
			t.Error("the peer gets no reports")
		}
		if q := a.Quality(); q.RemoteLoss != 0 {
			t.Errorf("the lie is believed: %+v", q)
		}
		a.wantDrops(t, map[string]uint64{"source": 2})
	})
}

// A phone behind NAT names a private address; its packets come from the host that
// signals for it.
func TestLockBehindNAT(t *testing.T) {
	bubble(t, func(c *Config) { c.LocalNets = []netip.Prefix{netip.MustParsePrefix("192.168.0.0/16")} }, func(r *rig) {
		a, b := r.open("198.51.100.1"), r.open("198.51.100.2")
		nat, guess := r.phone("198.51.100.1:61000", a), r.phone("198.51.100.1:4000", a)
		pb := r.phone("198.51.100.2:5000", b)
		private := r.phone("192.168.0.7:4000", a) // the same address, here somebody else
		a.answer(t, describe("192.168.0.7:4000"))
		b.answer(t, describe("198.51.100.2:5000"))
		Join(a.Session, b.Session)
		pb.voice(1)
		if len(guess.hear()) != 1 || len(private.hear()) != 0 {
			t.Error("before the first packet: not sent to the signalling host")
		}
		nat.voice(2)
		pb.voice(3)
		if len(nat.hear()) != 1 || len(guess.hear()) != 0 || len(private.hear()) != 0 {
			t.Error("after the first packet: not sent to its source")
		}
	})
}

func TestLatch(t *testing.T) {
	exact, other, third := netip.MustParseAddrPort("198.51.100.1:4000"), netip.MustParseAddrPort("198.51.100.1:4002"), netip.MustParseAddrPort("198.51.100.9:4000")
	signal := netip.MustParseAddrPort("198.51.100.8:7000")
	signal2, signal3 := netip.AddrPortFrom(signal.Addr(), 7002), netip.AddrPortFrom(signal.Addr(), 7004)
	stranger := netip.MustParseAddrPort("203.0.113.66:4000")
	moved := netip.MustParseAddrPort("198.51.100.1:9000")
	type step struct {
		after time.Duration
		src   netip.AddrPort
		ssrc  uint32
		sdp   netip.AddrPort
		want  verdict
	}
	const ms = time.Millisecond
	tests := []struct {
		name  string
		steps []step
	}{
		{"exact address", []step{{0, exact, 1, exact, locked}, {20 * ms, exact, 1, exact, passed}, {20 * ms, other, 1, exact, refused}}},
		{"stranger never", []step{{0, stranger, 1, exact, refused}, {0, exact, 1, exact, locked}, {5 * time.Second, stranger, 1, exact, refused}}},
		{"signalling host", []step{{0, signal, 1, exact, locked}, {20 * ms, signal, 1, exact, passed}}},
		{"exact takes over in time", []step{{0, other, 1, exact, locked}, {400 * ms, exact, 2, exact, locked}, {20 * ms, other, 1, exact, refused}}},
		{"exact comes too late", []step{{0, other, 1, exact, locked}, {510 * ms, other, 1, exact, passed}, {20 * ms, exact, 2, exact, refused}}},
		{"takeover only once", []step{{0, other, 1, exact, locked}, {10 * ms, exact, 2, exact, locked}, {10 * ms, other, 1, exact, refused}, {1000 * ms, other, 2, exact, locked}, {10 * ms, exact, 3, exact, refused}}},
		{"same SSRC after silence", []step{{0, exact, 1, exact, locked}, {999 * ms, other, 1, exact, refused}, {1 * ms, other, 1, exact, locked}, {10 * ms, exact, 1, exact, refused}}},
		{"another SSRC after silence", []step{{0, exact, 1, exact, locked}, {5 * time.Second, other, 2, exact, refused}}},
		{"SSRC may change in place", []step{{0, exact, 1, exact, locked}, {0, exact, 2, exact, passed}, {time.Second, other, 2, exact, locked}}},
		{"exact after silence", []step{{0, other, 1, exact, locked}, {999 * ms, exact, 2, exact, refused}, {1 * ms, exact, 2, exact, locked}, {10 * ms, other, 1, exact, refused}}},
		{"new SDP address", []step{{0, exact, 1, exact, locked}, {20 * ms, third, 1, exact, refused}, {20 * ms, third, 1, third, locked}, {20 * ms, exact, 1, third, refused}}},
		{"late packet of the old port, NAT", []step{{0, signal, 1, exact, locked}, {20 * ms, signal, 1, moved, locked}, {300 * ms, signal2, 2, moved, locked}, {20 * ms, signal, 1, moved, refused}, {20 * ms, signal3, 3, moved, refused}}},
		{"old port goes on", []step{{0, signal, 1, exact, locked}, {20 * ms, signal, 1, moved, locked}, {2010 * ms, signal, 1, moved, passed}, {0, signal2, 2, moved, refused}}},
		{"new SDP port", []step{{0, exact, 1, exact, locked}, {20 * ms, moved, 1, moved, locked}}},
		{"early media, then SDP", []step{{0, signal, 1, netip.AddrPort{}, locked}, {3 * time.Second, signal, 1, exact, passed}, {100 * ms, exact, 2, exact, locked}}},
		{"nobody before SDP but the signalling host", []step{{0, exact, 1, netip.AddrPort{}, refused}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := latch{silence: rtpSilence}
			at := time.Unix(1000, 0)
			for i, s := range tt.steps {
				at = at.Add(s.after)
				if got := l.admit(s.src, s.ssrc, source{sdp: s.sdp, peer: signal.Addr()}, at); got != s.want {
					t.Fatalf("step %d, %v: %v, want %v", i, s.src, got, s.want)
				}
			}
		})
	}
}

// The destination follows a relock.
func TestRelockAfterSilence(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a, _, pa, pb := r.pair()
		pa.voice(1)
		moved := r.phone("198.51.100.1:4400", a)
		moved.ssrc, moved.seq, moved.ts = pa.ssrc, pa.seq, pa.ts
		time.Sleep(time.Second)
		moved.voice(2)
		pb.voice(3)
		if len(moved.hear()) != 1 || len(pa.hear()) != 0 {
			t.Error("audio does not follow the phone's new port")
		}
		if a.State().Remote.Port() != 4400 {
			t.Errorf("state: %v", a.State().Remote)
		}
	})
}

func TestRelockAfterReoffer(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a, _, pa, pb := r.pair()
		pa.voice(1)
		a.answer(t, describe("198.51.100.1:4000", "a=x")) // the same address: nothing changes
		pb.voice(2)
		moved := r.phone("198.51.100.7:4600", a)
		a.answer(t, describe("198.51.100.7:4600"))
		pb.voice(3)
		moved.voice(4)
		pa.voice(5)
		if len(pa.hear()) != 1 || len(moved.hear()) != 1 {
			t.Error("audio does not follow the new address")
		}
		got := pb.hear()
		if len(got) != 2 || got[1].payload[0] != 4 {
			t.Errorf("%+v", got)
		}
	})
}

// What must never be sent to.
func TestForbiddenDestinations(t *testing.T) {
	bubble(t, func(c *Config) { c.External = []netip.Addr{netip.MustParseAddr("203.0.113.1")} }, func(r *rig) {
		a, b := r.open("198.51.100.1"), r.open("198.51.100.2")
		own := netip.AddrPortFrom(netip.MustParseAddr(ours), b.port).String()
		for _, address := range []string{"224.0.0.5:4000", "255.255.255.255:4000", own,
			netip.AddrPortFrom(netip.MustParseAddr("203.0.113.1"), b.port+1).String(), "[2001:db8::1]:4000"} {
			is(t, a.SetOffer(describe(address)), ErrNotAcceptable)
		}
		if _, err := b.Offer([]Codec{PCMA}); err != nil {
			t.Fatal(err)
		}
		is(t, b.SetAnswer(describe(own)), ErrNotAcceptable)
		if a.dst.Load() != nil || b.dst.Load() != nil {
			t.Error("there is a destination")
		}
	})
}

// A loopback address from outside would let a caller reach services of this host.
func TestLoopbackFromOutsideIsNotSentTo(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a := r.open("198.51.100.1")
		a.answer(t, describe("127.0.0.1:4000"))
		if got := a.State().Remote.String(); got != "198.51.100.1:4000" {
			t.Errorf("sends to %v", got)
		}
	})
}

func TestNothingIsTakenBeforeSDP(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a := r.open("198.51.100.1")
		pa := r.phone("198.51.100.1:4000", a)
		pa.voice(1)
		pa.control(&rtcp.ReceiverReport{SSRC: 1})
		a.wantDrops(t, map[string]uint64{"source": 2})
	})
}

// Early media: packets of the callee that overtake its answer.
func TestMediaBeforeAnswer(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a, b := r.open("198.51.100.1"), r.open("198.51.100.2")
		pa, pb := r.phone("198.51.100.1:4000", a), r.phone("198.51.100.2:5000", b)
		a.answer(t, describe("198.51.100.1:4000"))
		if _, err := b.Offer([]Codec{PCMA, PCMU}); err != nil {
			t.Fatal(err)
		}
		Join(a.Session, b.Session)
		pb.voice(1)
		pa.voice(2) // and the way back is known already
		if got := pa.hear(); len(got) != 1 {
			t.Errorf("the caller hears %d packets", len(got))
		}
		if err := b.SetAnswer(describe("198.51.100.2:5000")); err != nil {
			t.Fatal(err)
		}
		pa.voice(3)
		if got := pb.hear(); len(got) != 2 {
			t.Errorf("the callee hears %d packets", len(got))
		}
	})
}

// A peer that has moved gets our reports at its new address; nothing goes on to
// the old one.
func TestReportsFollowReoffer(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a, _, pa, _ := r.pair()
		pa.voice(1)
		pa.control(&rtcp.ReceiverReport{SSRC: pa.ssrc})
		moved := r.phone("198.51.100.7:4600", a)
		a.answer(t, describe("198.51.100.7:4600"))
		time.Sleep(20 * time.Second)
		if got := reports(t, pa.rtcp); len(got) != 0 {
			t.Errorf("the old address gets %d reports", len(got))
		}
		if got := reports(t, moved.rtcp); len(got) == 0 {
			t.Error("the new address gets no reports")
		}
	})
}

// What comes from elsewhere is not even read.
func TestForeignRTCPIsNotParsed(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a, _, _, _ := r.pair()
		stranger := r.phone("203.0.113.66:4000", a)
		if _, err := stranger.rtcp.WriteToUDPAddrPort(bytes.Repeat([]byte{0x80, 200}, 50), netip.AddrPortFrom(a.local, a.port+1)); err != nil {
			t.Fatal(err)
		}
		a.wantDrops(t, map[string]uint64{"source": 1})
	})
}

// An address that is written as a name is an address too: a change of its port is
// followed.
func TestReofferWithHostName(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		named := func(address string) []byte {
			return bytes.Replace(describe(address), []byte("IP4 198.51.100.1"), []byte("IP4 phone.example"), 1)
		}
		a, b := r.open("198.51.100.1"), r.open("198.51.100.2")
		before, after, pb := r.phone("198.51.100.1:4000", a), r.phone("198.51.100.1:4600", a), r.phone("198.51.100.2:5000", b)
		a.answer(t, named("198.51.100.1:4000"))
		b.answer(t, describe("198.51.100.2:5000"))
		Join(a.Session, b.Session)
		before.voice(1)
		a.answer(t, named("198.51.100.1:4600"))
		pb.voice(2)
		after.voice(3)
		if len(after.hear()) != 1 || len(before.hear()) != 0 {
			t.Error("audio does not follow the new port")
		}
		if got := pb.hear(); len(got) != 2 || got[1].payload[0] != 3 {
			t.Errorf("%d packets heard from the new port", len(got))
		}
	})
}

// One forged packet before the peer's first one must not silence it for good.
func TestForgedFirstPacket(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		_, _, pa, pb := r.pair()
		forged := r.phone("198.51.100.1:4444", nil)
		forged.to = pa.to
		forged.voice(66)
		time.Sleep(3 * time.Second)
		pa.voice(1)
		pb.voice(2)
		if got := pb.hear(); len(got) != 2 || got[1].payload[0] != 1 {
			t.Errorf("%d packets heard", len(got))
		}
		if len(pa.hear()) != 1 || len(forged.hear()) != 0 {
			t.Error("the peer does not get the audio")
		}
	})
}
