package media

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	page "vpbx/internal/phone"
	"vpbx/internal/simnet"
)

// web is an engine and a browser on a network in memory.
type web struct {
	t    *testing.T
	e    *Engine
	page *page.Browser
	host *simnet.Host
}

// inBrowser runs a test with an engine and a browser on fake time.
func inBrowser(t *testing.T, change func(*Config), test func(w *web)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(simnet.Options{})
		defer n.Close()
		pbx := n.Host("192.0.2.1")
		cfg := Config{Listen: []netip.Addr{netip.MustParseAddr("192.0.2.1")}, PortMin: 20000, PortMax: 20009,
			ListenPacket: pbx.ListenPacket, LocalFor: pbx.LocalFor}
		if change != nil {
			change(&cfg)
		}
		e, err := New(cfg)
		is(t, err, nil)
		w := &web{t: t, e: e, host: n.Host("198.51.100.7")}
		conn, err := w.host.ListenPacket("udp", "198.51.100.7:0")
		is(t, err, nil)
		w.page, err = page.NewBrowser(conn, 0x2222)
		is(t, err, nil)
		test(w)
		is(t, w.page.Close(), nil)
		is(t, e.Close(), nil)
	})
}

func (w *web) open() *Session {
	w.t.Helper()
	s, err := w.e.Open(Options{Name: "page", Peer: netip.MustParseAddr("198.51.100.7"), WebRTC: true})
	is(w.t, err, nil)
	return s
}

// offer is one of the browser, of Opus and both laws of G.711.
func (w *web) offer(direction string, restart bool) []byte {
	w.t.Helper()
	lines, err := w.page.Offer(restart)
	is(w.t, err, nil)
	return []byte("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111 0 8 110 126\r\nc=IN IP4 0.0.0.0\r\n" +
		"a=rtpmap:111 opus/48000/2\r\na=rtpmap:110 telephone-event/48000\r\na=rtpmap:126 telephone-event/8000\r\na=" + direction + "\r\n" + lines)
}

// take answers an offer.
func (w *web) take(s *Session, offer []byte, codecs ...Codec) string {
	w.t.Helper()
	is(w.t, s.SetOffer(offer), nil)
	answer, err := s.Answer(codecs)
	is(w.t, err, nil)
	return string(answer)
}

// wants fails unless a description has all of the lines.
func wants(t *testing.T, text string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains(text, "\r\n"+line+"\r\n") {
			t.Errorf("no line %q in\n%s", line, text)
		}
	}
}

// TestBrowserTalks connects a browser, hears it under its payload types, holds, resumes
// and begins ICE anew. The connection is one; a wrong offer changes nothing.
func TestBrowserTalks(t *testing.T) {
	inBrowser(t, nil, func(w *web) {
		s := w.open()
		answer := w.take(s, w.offer("sendrecv", false), Opus, PCMA)
		wants(t, answer, "a=ice-lite", "a=group:BUNDLE 0", "a=mid:0", "a=setup:active", "a=rtcp-mux", "a=sendrecv",
			"a=rtpmap:111 opus/48000/2", "a=rtpmap:110 telephone-event/48000", "a=end-of-candidates")
		is(t, w.page.Accept(answer), nil)
		s.Expect()
		time.Sleep(2 * time.Second)
		if c := s.Connection(); c.ICE != "connected" || c.DTLS != "connected" {
			t.Fatalf("connection %+v", c)
		}
		send := func(pt uint8, seq uint16, payload ...byte) {
			_, err := w.page.WriteToUDPAddrPort(rtp(pt, false, seq, uint32(seq)*960, 0x2222, payload), netip.AddrPort{})
			is(t, err, nil)
			time.Sleep(20 * time.Millisecond)
		}
		send(111, 1, 0xf8, 0xff, 0xfe)
		send(96, 2, 1, 2, 3)
		if q := s.Quality(); q.Received != 1 || q.Codec != "opus" || s.totals().drops[dropPayload] != 1 {
			t.Errorf("heard %+v, dropped %v", q, s.totals().drops)
		}
		held := w.take(s, w.offer("sendonly", false), Opus)
		wants(t, held, "a=recvonly", "a=setup:active")
		if !s.Held() || nameOf(held) != nameOf(answer) {
			t.Errorf("held %v; the way is %s, was %s", s.Held(), nameOf(held), nameOf(answer))
		}
		wants(t, w.take(s, w.offer("inactive", false), Opus), "a=inactive")
		back := w.take(s, w.offer("sendrecv", false), Opus)
		if again := w.take(s, w.offer("sendrecv", false), Opus); again != back {
			t.Errorf("the same offer is answered with\n%s\nand before with\n%s", again, back)
		}

		is(t, s.SetOffer(describe("198.51.100.7:4000")), ErrNotAcceptable)
		other := strings.Replace(string(w.offer("sendrecv", false)), "a=fingerprint:sha-256 ", "a=fingerprint:sha-256 00", 1)
		is(t, s.SetOffer([]byte(other)), ErrNotAcceptable) // too long to be one
		other = strings.Replace(other, "sha-256 00", "sha-256 ", 1)
		i := strings.Index(other, "sha-256 ") + len("sha-256 ")
		other = other[:i] + "00:" + other[i+3:]
		is(t, s.SetOffer([]byte(other)), nil)
		_, err := s.Answer([]Codec{Opus})
		is(t, err, ErrNotAcceptable)
		is(t, s.SetOffer(w.offer("sendrecv", false)), nil)
		_, err = s.Answer([]Codec{G722})
		is(t, err, ErrNoCodec)

		anew := w.take(s, w.offer("sendrecv", true), Opus)
		if nameOf(anew) == nameOf(back) {
			t.Error("a new beginning of ICE is answered with the old name")
		}
		is(t, w.page.Accept(anew), nil)
		time.Sleep(2 * time.Second)
		send(111, 3, 0xf8, 0xff, 0xfe)
		if q, c := s.Quality(), s.Connection(); q.Received != 2 || c.Restarts != 1 || c.ICE != "connected" {
			t.Errorf("after the restart: heard %+v, connection %+v", q, c)
		}
		is(t, s.Close(), nil)
		if c := s.Connection(); c.DTLS != "connected" || c.Restarts != 1 {
			t.Errorf("after the end: %+v", c)
		}
	})
}

// nameOf is the name of ICE in a description.
func nameOf(text string) string {
	_, rest, _ := strings.Cut(text, "a=ice-ufrag:")
	name, _, _ := strings.Cut(rest, "\r\n")
	return name
}

// TestBrowserIsOffered makes an offer for a browser outside: external addresses as
// candidates, codecs that browsers have in the given order, and the same again when it
// is repeated. A desk phone's answer to it is refused.
func TestBrowserIsOffered(t *testing.T) {
	external := []netip.Addr{netip.MustParseAddr("203.0.113.1"), netip.MustParseAddr("2001:db8::1")}
	inBrowser(t, func(c *Config) { c.External, c.WebRTCPort = external, 30000 }, func(w *web) {
		s := w.open()
		offer, err := s.Offer([]Codec{{PT: 18, Name: "G729", Rate: 8000, Channels: 1}, Opus, PCMA})
		is(t, err, nil)
		wants(t, string(offer), "m=audio 30000 UDP/TLS/RTP/SAVPF 111 8 101 96", "a=setup:actpass", "a=ice-lite", "a=mid:0", "a=sendrecv",
			"a=candidate:1 1 udp 2130706431 203.0.113.1 30000 typ host", "a=candidate:2 1 udp 2130706175 2001:db8::1 30000 typ host")
		again, err := s.Offer([]Codec{Opus, PCMA})
		is(t, err, nil)
		if string(again) != string(offer) {
			t.Errorf("offered\n%s\nthen\n%s", offer, again)
		}
		is(t, s.SetAnswer(describe("198.51.100.7:4000")), ErrNotAcceptable)
		lines, err := w.page.Answer(strings.ReplaceAll(string(offer), "203.0.113.1 30000", "192.0.2.1 30000"))
		is(t, err, nil)
		is(t, s.SetAnswer([]byte("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 8 101\r\nc=IN IP4 0.0.0.0\r\n"+
			"a=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n"+lines)), nil)
		time.Sleep(2 * time.Second)
		if c := s.Connection(); c.DTLS != "connected" || s.Codec().Name != "PCMA" {
			t.Errorf("connection %+v, codec %v", c, s.Codec())
		}
		_, err = s.Offer([]Codec{{PT: 18, Name: "G729", Rate: 8000, Channels: 1}})
		is(t, err, ErrNoCodec)
		is(t, s.Close(), nil)
	})
}

// TestBrowserPort shares one port among browsers, and takes it from the range only
// when the first one comes.
func TestBrowserPort(t *testing.T) {
	inBrowser(t, nil, func(w *web) {
		is(t, errOf(w.e.Open(Options{Name: "plain", Peer: netip.MustParseAddr("198.51.100.7")})), nil)
		a, b := w.open(), w.open()
		if a.port != b.port || a.port < 20000 || a.port > 20009 {
			t.Errorf("ports %d and %d", a.port, b.port)
		}
		is(t, a.Close(), nil)
		is(t, a.Close(), nil)
		is(t, w.e.Close(), nil)
		is(t, errOf(w.e.Open(Options{Name: "late", Peer: netip.MustParseAddr("198.51.100.7"), WebRTC: true})), ErrClosed)
	})
	if _, err := New(Config{PortMin: 20000, PortMax: 20009, WebRTCPort: 20004}); err == nil {
		t.Error("a port within the range of telephones is taken")
	}
	var l net.ListenConfig
	taken, err := l.ListenPacket(context.Background(), "udp", "127.0.0.1:0")
	is(t, err, nil)
	defer taken.Close()
	port := taken.LocalAddr().(*net.UDPAddr).Port
	_, err = New(Config{Listen: []netip.Addr{netip.MustParseAddr("127.0.0.1")}, PortMin: 1024, PortMax: 1025, WebRTCPort: uint16(port)})
	if err == nil || errors.Is(err, ErrNoPorts) {
		t.Errorf("a port that is taken: %v", err)
	}
}

func errOf[T any](_ T, err error) error { return err }
