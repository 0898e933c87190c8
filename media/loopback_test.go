package media

import (
	"bytes"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"vpbx/media/sdp"
)

// sink takes packets and forgets them.
type sink struct{ PacketConn }

func (sink) WriteToUDPAddrPort(b []byte, _ netip.AddrPort) (int, error) { return len(b), nil }

// relaying is a joined pair without goroutines, and a packet for it.
func relaying(tb testing.TB) (a *Session, packet []byte, src netip.AddrPort) {
	tb.Helper()
	e, err := New(Config{Listen: []netip.Addr{netip.MustParseAddr(ours)}})
	if err != nil {
		tb.Fatal(err)
	}
	made := func(port uint16, peer string, offer []byte) *Session {
		s := newSession(e, Options{Peer: netip.MustParseAddr(peer)}, e.cfg.Listen[0], port, sink{}, sink{})
		if err := s.SetOffer(offer); err != nil {
			tb.Fatal(err)
		}
		if _, err := s.answer([]Codec{PCMA}); err != nil {
			tb.Fatal(err)
		}
		return s
	}
	a = made(20000, "198.51.100.1", describe("198.51.100.1:4000"))
	b := made(20002, "198.51.100.2", describe("198.51.100.2:5000"))
	Join(a, b)
	return a, rtp(8, false, 0, 0, 7, make([]byte, frameBytes)), netip.MustParseAddrPort("198.51.100.1:4000")
}

// step gives the packet the next number and time.
func step(packet []byte, n int) {
	header{pt: 8, seq: uint16(n), ts: uint32(n) * frameBytes, ssrc: 7}.write(packet)
}

func TestRelayAllocatesNothing(t *testing.T) {
	a, packet, src := relaying(t)
	at, n := time.Unix(1000, 0), 0
	got := testing.AllocsPerRun(1000, func() {
		step(packet, n)
		a.packet(packet, src, at)
		n++
		at = at.Add(frameTime)
	})
	if got != 0 {
		t.Errorf("%v allocations a packet", got)
	}
	if q := a.Quality(); q.Received != uint64(n) || q.Dropped != 0 {
		t.Errorf("%+v", q)
	}
}

// BenchmarkRelayPacket is our own work for a packet, without the system calls.
func BenchmarkRelayPacket(b *testing.B) {
	a, packet, src := relaying(b)
	at := time.Unix(1000, 0)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		step(packet, n)
		a.packet(packet, src, at)
		n++
		at = at.Add(frameTime)
	}
}

// listenUDP is a phone's socket on the loopback interface.
func listenUDP(tb testing.TB) *net.UDPConn {
	tb.Helper()
	c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { c.Close() })
	return c
}

// realPair is a joined pair on real sockets with a phone each, whose ports are
// not of the range of the engine.
func realPair(tb testing.TB) (a, b *Session, pa, pb *net.UDPConn) {
	tb.Helper()
	e, err := New(Config{Listen: []netip.Addr{netip.MustParseAddr("127.0.0.1")}, PortMin: 20000, PortMax: 31999})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := e.Close(); err != nil {
			tb.Error(err)
		}
	})
	party := func(phone *net.UDPConn) *Session {
		addr := phone.LocalAddr().(*net.UDPAddr).AddrPort()
		s, err := e.Open(Options{Name: addr.String(), Peer: addr.Addr()})
		if err != nil {
			tb.Fatal(err)
		}
		if err := s.SetOffer(describe(addr.String(), "a=rtcp-mux")); err != nil {
			tb.Fatal(err)
		}
		if _, err := s.Answer([]Codec{PCMA}); err != nil {
			tb.Fatal(err)
		}
		return s
	}
	pa, pb = listenUDP(tb), listenUDP(tb)
	a, b = party(pa), party(pb)
	Join(a, b)
	return a, b, pa, pb
}

func port(s *Session) netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), s.port)
}

// echo sends a packet through the relay and reads it at the other side.
func echo(tb testing.TB, from *net.UDPConn, to netip.AddrPort, at *net.UDPConn, packet, buf []byte) header {
	tb.Helper()
	if _, err := from.WriteToUDPAddrPort(packet, to); err != nil {
		tb.Fatal(err)
	}
	if err := at.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		tb.Fatal(err)
	}
	n, _, err := at.ReadFromUDPAddrPort(buf)
	if err != nil {
		tb.Fatal(err)
	}
	h, ok := parseHeader(buf[:n])
	if !ok {
		tb.Fatalf("got %x", buf[:n])
	}
	return h
}

func TestRelayOnRealSockets(t *testing.T) {
	a, b, pa, pb := realPair(t)
	packet, buf := rtp(8, false, 0, 0, 7, make([]byte, frameBytes)), make([]byte, 2000)
	var first header
	for n := range 100 {
		step(packet, n)
		h := echo(t, pa, port(a), pb, packet, buf)
		if n == 0 {
			first = h
		}
		if h.seq != first.seq+uint16(n) || h.ssrc != first.ssrc || h.end-h.start != frameBytes {
			t.Fatalf("packet %d: %+v", n, h)
		}
		echo(t, pb, port(b), pa, packet, buf)
	}
	if q := a.Quality(); q.Received != 100 || q.Sent != 100 {
		t.Errorf("%+v", q)
	}
}

// The owner renegotiates, plays and asks while packets flow: for the race
// detector.
func TestOwnerBesideReaders(t *testing.T) {
	a, b, pa, _ := realPair(t)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		packet := rtp(8, false, 0, 0, 7, make([]byte, frameBytes))
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			step(packet, n)
			if _, err := pa.WriteToUDPAddrPort(packet, port(a)); err != nil {
				return
			}
		}
	}()
	address := pa.LocalAddr().String()
	for i := range 200 {
		direction := sdp.Direction(i % 4)
		if err := a.SetOffer(describe(address, "a="+direction.String())); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Answer([]Codec{PCMA}); err != nil {
			t.Fatal(err)
		}
		a.Expect()
		b.Play(sound(2), true)
		a.SetTap(&tape{})
		a.Quality()
		a.State()
		b.StopPlay()
		a.SetTap(nil)
		Join(b, a)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	close(stop)
	<-stopped
}

// BenchmarkRelaySockets is the whole way of a packet over the loopback interface
// and back, four system calls of which two are ours.
func BenchmarkRelaySockets(b *testing.B) {
	s, _, pa, pb := realPair(b)
	packet, buf := rtp(8, false, 0, 0, 7, make([]byte, frameBytes)), make([]byte, 2000)
	to, n := port(s), 0
	b.ReportAllocs()
	for b.Loop() {
		step(packet, n)
		echo(b, pa, to, pb, packet, buf)
		n++
	}
}

func TestRouteTo(t *testing.T) {
	if got := routeTo(netip.MustParseAddr("127.0.0.1")); got != netip.MustParseAddr("127.0.0.1") {
		t.Errorf("%v", got)
	}
	if got := routeTo(netip.Addr{}); got.IsValid() && !got.IsLoopback() {
		t.Errorf("towards nobody: %v", got)
	}
}

// FuzzNegotiation feeds a session both roles of a peer.
func FuzzNegotiation(f *testing.F) {
	f.Add(describe("198.51.100.1:4000", "a=sendonly", "a=rtcp-mux"), []byte("v=0\nc=IN IP4 0.0.0.0\nm=audio 9 RTP/AVP 8"))
	f.Add(profiled("198.51.100.1:4000", "RTP/SAVP", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20|1:4"),
		profiled("198.51.100.1:4000", "UDP/TLS/RTP/SAVP", "a=setup:passive", "a=fingerprint:sha-1 "+strings.Repeat("0A:", 19)+"0A"))
	f.Add([]byte("v=0\nc=IN IP6 ::1\nm=image 1 udptl t38\nm=audio 4/2 RTP/AVPF 111 9\na=rtpmap:111 opus/48000/2"), []byte("v=0\nm=audio 0 x y"))
	f.Fuzz(func(t *testing.T, offer, answer []byte) {
		s, packet, src := relaying(t)
		defer s.dtls.close()
		if s.SetOffer(offer) == nil {
			if text, err := s.Answer(s.Codecs()); err == nil {
				if _, err := sdp.Parse(text); err != nil {
					t.Fatalf("our answer: %v\n%s", err, text)
				}
			}
		}
		if text, err := s.Offer([]Codec{PCMA, opus}); err != nil {
			t.Fatal(err)
		} else if _, err := sdp.Parse(text); err != nil {
			t.Fatalf("our offer: %v\n%s", err, text)
		}
		if err := s.SetAnswer(answer); err == nil && s.Codec().Name == "" {
			t.Fatal("agreed on no codec")
		}
		s.packet(packet, src, time.Unix(1000, 0))
		s.State()
	})
}

// A conference on real sockets: each hears the mix, whoever sends.
func TestConferenceOnRealSockets(t *testing.T) {
	a, b, pa, pb := realPair(t)
	c := a.e.NewConference()
	defer c.Close()
	for s, r := range map[*Session]Role{a: {}, b: {Mute: true}} {
		if err := c.Add(s, r); err != nil {
			t.Fatal(err)
		}
	}
	packet, buf := rtp(8, false, 0, 0, 7, bytes.Repeat([]byte{0x2A}, frameBytes)), make([]byte, 2000)
	loud := 0
	for n := 0; n < 500 && loud < 5; n++ {
		step(packet, n)
		echo(t, pa, port(a), pb, packet, buf) // the answer is whatever frame is next
		if buf[headerLen] == 0x2A {
			loud++
		}
	}
	if loud < 5 {
		t.Error("the speaker is not heard")
	}
	echo(t, pb, port(b), pa, packet, buf)
	if buf[headerLen] != 0xD5 {
		t.Errorf("the speaker hears %#x instead of silence", buf[headerLen])
	}
}
