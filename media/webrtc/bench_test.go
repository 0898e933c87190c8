package webrtc_test

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"vpbx/internal/phone"
	"vpbx/media/sdp"
	"vpbx/media/webrtc"
)

// loopback connects a browser over real sockets.
func loopback(b *testing.B) (*webrtc.Transport, *phone.Browser) {
	b.Helper()
	must := func(err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	must(err)
	port, err := webrtc.NewPort(conn)
	must(err)
	tr, err := port.Open(webrtc.Options{SSRC: ourSSRC, Failed: time.Minute})
	must(err)
	theirs, err := net.ListenPacket("udp", "127.0.0.1:0")
	must(err)
	page, err := phone.NewBrowser(theirs, theirSSRC)
	must(err)
	offer, err := page.Offer(false)
	must(err)
	l, err := tr.Answer(remote(offer))
	must(err)
	r := rig{at: conn.LocalAddr().(*net.UDPAddr).AddrPort()}
	must(page.Accept(r.text(l)))
	limit, tick := time.After(20*time.Second), time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for tr.Stats().Setup == 0 || !page.Connected() {
		select {
		case <-tick.C:
		case <-limit:
			b.Fatalf("not connected: %+v", tr.Stats())
		}
	}
	b.Cleanup(func() {
		must(page.Close())
		must(tr.Close())
		must(port.Close())
	})
	return tr, page
}

// BenchmarkTransport is one packet of 20 ms of G.711 from us to a browser and its answer
// back, encrypted both ways over loopback: both ends' work, ours and that of the
// browser, which is pion too.
func BenchmarkTransport(b *testing.B) {
	tr, page := loopback(b)
	out, in, buf := packet(0, ourSSRC, string(make([]byte, 160))), packet(0, theirSSRC, string(make([]byte, 160))), make([]byte, 1500)
	b.ReportAllocs()
	seq := uint16(0)
	for b.Loop() {
		seq++
		out[2], out[3], in[2], in[3] = byte(seq>>8), byte(seq), byte(seq>>8), byte(seq)
		if _, err := tr.RTP().WriteToUDPAddrPort(out, webrtc.Peer); err != nil {
			b.Fatal(err)
		}
		if _, _, err := page.ReadFromUDPAddrPort(buf); err != nil {
			b.Fatal(err)
		}
		if _, err := page.WriteToUDPAddrPort(in, webrtc.Peer); err != nil {
			b.Fatal(err)
		}
		if _, _, err := tr.RTP().ReadFromUDPAddrPort(buf); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSend is our half of that on the way out.
func BenchmarkSend(b *testing.B) {
	tr, _ := loopback(b)
	out := packet(0, ourSSRC, string(make([]byte, 160)))
	b.ReportAllocs()
	for seq := uint16(0); b.Loop(); seq++ {
		out[2], out[3] = byte(seq>>8), byte(seq)
		if _, err := tr.RTP().WriteToUDPAddrPort(out, webrtc.Peer); err != nil {
			b.Fatal(err)
		}
	}
}

// quiet is a socket that hears nothing.
type quiet struct{ gone chan struct{} }

func (q quiet) ReadFromUDPAddrPort([]byte) (int, netip.AddrPort, error) {
	<-q.gone
	return 0, netip.AddrPort{}, net.ErrClosed
}
func (q quiet) WriteToUDPAddrPort(b []byte, _ netip.AddrPort) (int, error) { return len(b), nil }
func (q quiet) LocalAddr() net.Addr                                        { return &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 30000} }
func (q quiet) Close() error                                               { close(q.gone); return nil }

// BenchmarkStrangers is what a datagram of a stranger costs the port.
func BenchmarkStrangers(b *testing.B) {
	port, err := webrtc.NewPort(quiet{make(chan struct{})})
	if err != nil {
		b.Fatal(err)
	}
	defer port.Close()
	from := netip.MustParseAddrPort("203.0.113.9:2000")
	p := packet(0, 0x666, string(make([]byte, 160)))
	b.ReportAllocs()
	for b.Loop() {
		port.Take(p, from)
	}
}

// FuzzPort gives the port datagrams of strangers, and of the address of a session: it
// neither panics nor keeps anything of them.
func FuzzPort(f *testing.F) {
	f.Add(hello)
	f.Add(packet(1, 2, "sound"))
	f.Add([]byte{0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12})
	port, err := webrtc.NewPort(quiet{make(chan struct{})})
	if err != nil {
		f.Fatal(err)
	}
	tr, err := port.Open(webrtc.Options{SSRC: ourSSRC, Failed: time.Minute})
	if err != nil {
		f.Fatal(err)
	}
	l, err := tr.Offer()
	if err != nil {
		f.Fatal(err)
	}
	if err := tr.Accept(webrtc.Remote{Ufrag: "abcd", Pwd: "0123456789012345678901", Hash: "sha-256", Setup: "active",
		Fingerprint: "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF"}); err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		if err := tr.Close(); err != nil {
			f.Error(err)
		}
		if err := port.Close(); err != nil {
			f.Error(err)
		}
	})
	known := netip.MustParseAddrPort("198.51.100.7:4000")
	f.Fuzz(func(t *testing.T, b []byte) {
		port.Take(connectivityCheck(t, l.Ufrag, l.Pwd), known)
		port.Take(b, netip.MustParseAddrPort("203.0.113.9:2000"))
		port.Take(b, known)
		if lines, keys, flows := port.Sizes(); lines > 2 || keys != 1 || flows > 1 {
			t.Errorf("%d lines, %d keys, %d flows", lines, keys, flows)
		}
	})
}

// FuzzRemote reads descriptions as package media does and gives them to a transport.
func FuzzRemote(f *testing.F) {
	f.Add("abcd", "0123456789012345678901", "1 1 udp 2113937151 198.51.100.7 4000 typ host", "actpass")
	f.Add("abcd", "0123456789012345678901", "1 1 tcp 1 x.local 9 typ host tcptype active\r\na=x", "passive")
	port, err := webrtc.NewPort(quiet{make(chan struct{})})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		if err := port.Close(); err != nil {
			f.Error(err)
		}
	})
	f.Fuzz(func(t *testing.T, ufrag, pwd, candidate, setup string) {
		text := "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 8\r\nc=IN IP4 0.0.0.0\r\na=rtcp-mux\r\na=ice-ufrag:" + ufrag + "\r\na=ice-pwd:" + pwd +
			"\r\na=candidate:" + candidate + "\r\na=setup:" + setup +
			"\r\na=fingerprint:sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF\r\n"
		d, err := sdp.Parse([]byte(text))
		if err != nil {
			return
		}
		i, err := d.WebRTC()
		if err != nil {
			return
		}
		m := d.Media[i]
		tr, err := port.Open(webrtc.Options{SSRC: ourSSRC, Failed: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		_, err = tr.Answer(webrtc.Remote{Ufrag: m.ICE.Ufrag, Pwd: m.ICE.Pwd, Hash: m.Fingerprints[0].Hash,
			Fingerprint: m.Fingerprints[0].Value, Setup: m.Setup, Candidates: m.ICE.Candidates})
		if err != nil && m.Setup != "holdconn" {
			t.Errorf("what was read cannot be taken: %v\n%s", err, text)
		}
		if err := tr.Close(); err != nil {
			t.Error(err)
		}
	})
}
