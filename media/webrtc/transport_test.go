package webrtc_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vpbx/internal/phone"
	"vpbx/internal/simnet"
	"vpbx/media/sdp"
	"vpbx/media/webrtc"
)

const ourSSRC, theirSSRC = 0x1111, 0x2222

// rig is a port on one machine and a browser on another.
type rig struct {
	t    *testing.T
	net  *simnet.Net
	port *webrtc.Port
	host *simnet.Host
	at   netip.AddrPort
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, net: simnet.New(simnet.Options{}), at: netip.MustParseAddrPort("192.0.2.1:30000")}
	conn, err := r.net.Host("192.0.2.1").ListenPacket("udp", r.at.String())
	check(t, err)
	r.port, err = webrtc.NewPort(conn.(webrtc.PacketConn))
	check(t, err)
	r.host = r.net.Host("198.51.100.7")
	t.Cleanup(func() { r.net.Close() })
	return r
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (r *rig) browser() *phone.Browser {
	r.t.Helper()
	conn, err := r.host.ListenPacket("udp", "198.51.100.7:0")
	check(r.t, err)
	b, err := phone.NewBrowser(conn, theirSSRC)
	check(r.t, err)
	return b
}

func (r *rig) open() *webrtc.Transport {
	r.t.Helper()
	tr, err := r.port.Open(webrtc.Options{SSRC: ourSSRC, Failed: 30 * time.Second})
	check(r.t, err)
	return tr
}

// remote reads the lines of a browser.
func remote(lines string) webrtc.Remote {
	find := func(name string) string {
		_, rest, _ := strings.Cut("\r\n"+lines, "\r\na="+name+":")
		v, _, _ := strings.Cut(rest, "\r\n")
		return v
	}
	hash, print, _ := strings.Cut(find("fingerprint"), " ")
	return webrtc.Remote{Ufrag: find("ice-ufrag"), Pwd: find("ice-pwd"), Hash: hash, Fingerprint: print,
		Setup: find("setup"), Candidates: []string{find("candidate")}}
}

// text writes what we say for a browser.
func (r *rig) text(l webrtc.Local) string {
	return fmt.Sprintf("a=ice-lite\r\na=ice-ufrag:%s\r\na=ice-pwd:%s\r\na=fingerprint:%s %s\r\na=setup:%s\r\na=candidate:%s\r\n",
		l.Ufrag, l.Pwd, l.Hash, l.Fingerprint, l.Setup, sdp.HostCandidate(0, r.at))
}

// call connects a browser that calls.
func (r *rig) call() (*webrtc.Transport, *phone.Browser) {
	r.t.Helper()
	tr, b := r.open(), r.browser()
	offer, err := b.Offer(false)
	check(r.t, err)
	l, err := tr.Answer(remote(offer))
	check(r.t, err)
	if l.Setup != "active" {
		r.t.Errorf("our answer has setup %s, want active", l.Setup)
	}
	check(r.t, b.Accept(r.text(l)))
	return tr, b
}

// packet is one of RTP.
func packet(seq uint16, ssrc uint32, payload string) []byte {
	b := []byte{0x80, 8, byte(seq >> 8), byte(seq), 0, 0, 0, byte(seq), byte(ssrc >> 24), byte(ssrc >> 16), byte(ssrc >> 8), byte(ssrc)}
	return append(b, payload...)
}

// socket is what both sides look like.
type socket interface {
	ReadFromUDPAddrPort([]byte) (int, netip.AddrPort, error)
	WriteToUDPAddrPort([]byte, netip.AddrPort) (int, error)
}

// passes fails unless a packet goes from one to the other.
func passes(t *testing.T, what string, from, to socket, b []byte) {
	t.Helper()
	if _, err := from.WriteToUDPAddrPort(b, webrtc.Peer); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	got := make([]byte, 2000)
	n, _, err := to.ReadFromUDPAddrPort(got)
	if err != nil || string(got[:n]) != string(b) {
		t.Fatalf("%s: %x, %v; want %x", what, got[:n], err, b)
	}
}

// end closes everything; the bubble fails when a goroutine is left.
func (r *rig) end(tr *webrtc.Transport, b *phone.Browser) {
	r.t.Helper()
	check(r.t, b.Close())
	check(r.t, tr.Close())
	check(r.t, r.port.Close())
}

// TestCall connects a browser that calls and one that is called; packets go both
// ways, whatever their payload types are.
func TestCall(t *testing.T) {
	for _, calls := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			var tr *webrtc.Transport
			var b *phone.Browser
			if calls {
				tr, b = r.call()
			} else {
				tr, b = r.open(), r.browser()
				l, err := tr.Offer()
				check(t, err)
				answer, err := b.Answer(r.text(l))
				check(t, err)
				check(t, tr.Accept(remote(answer)))
				check(t, tr.Accept(remote(answer))) // the 200 after a 183
			}
			time.Sleep(2 * time.Second)
			s := tr.Stats()
			if s.ICE != "connected" || s.DTLS != "connected" || s.Setup <= 0 || s.Setup > time.Second || s.Candidate != "host" || s.Remote.Addr().String() != "198.51.100.7" {
				t.Fatalf("stats %+v, browser connected %v", s, b.Connected())
			}
			passes(t, "to the browser", tr.RTP(), b, packet(1, ourSSRC, "hello"))
			passes(t, "from the browser", b, tr.RTP(), packet(1, theirSSRC, "world"))
			events := packet(2, theirSSRC, "\x05\x0a\x00\xa0")
			events[1] = 126
			passes(t, "a telephone event", b, tr.RTP(), events)
			report := append([]byte{0x81, 201, 0, 7, 0, 0, 0x22, 0x22, 0, 0, 0x11, 0x11}, make([]byte, 20)...)
			passes(t, "a report about our stream", b, tr.RTP(), report)
			r.end(tr, b)
			if s := tr.Stats(); s.DTLS != "connected" || s.Sent == 0 || s.Received == 0 {
				t.Errorf("stats after the end %+v", s)
			}
			if d := r.port.Drops(); d != (webrtc.Drops{}) {
				t.Errorf("dropped %+v", d)
			}
		})
	}
}
