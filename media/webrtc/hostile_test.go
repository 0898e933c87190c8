package webrtc_test

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/stun/v4"

	"vpbx/internal/phone"
	"vpbx/media/webrtc"
)

// stranger is a socket of a machine that has nothing to do with the call.
func (r *rig) stranger(ip string) net.PacketConn {
	r.t.Helper()
	c, err := r.net.Host(ip).ListenPacket("udp", ip+":0")
	check(r.t, err)
	r.t.Cleanup(func() { c.Close() })
	return c
}

// connectivityCheck is a check (RFC 8445 §7.2.2) for a session.
func connectivityCheck(t *testing.T, ufrag, password string) []byte {
	t.Helper()
	m, err := stun.Build(stun.BindingRequest, stun.TransactionID, stun.NewUsername(ufrag+":x"), stun.NewShortTermIntegrity(password), stun.Fingerprint)
	check(t, err)
	return m.Raw
}

// hello begins a handshake of DTLS.
var hello = append([]byte{22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 12, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, make([]byte, 40)...)

// TestStrangers lets others send all kinds of datagrams to the port while a browser
// talks: each is counted, nothing is kept, and the talk goes on.
func TestStrangers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		tr, b := r.call()
		l, err := tr.Offer() // says again what was said
		check(t, err)
		s := r.stranger("203.0.113.66")
		send := func(p []byte) {
			_, err := s.WriteTo(p, net.UDPAddrFromAddrPort(r.at))
			check(t, err)
		}
		time.Sleep(2 * time.Second)
		lines, keys, flows := r.port.Sizes()
		before := r.port.Drops()
		for _, p := range [][]byte{{0}, []byte("GET / HTTP/1.1\r\n"), {0xff, 1, 2, 3, 4}, make([]byte, 1501), {0, 1, 0, 0}, {0, 1, 0, 4, 1, 2, 3, 4, 5, 6}} {
			send(p) // six of garbage
		}
		send(hello)                                  // strangers from here
		send(packet(1, 0x666, "let me speak"))       //
		send([]byte{0x80, 201, 0, 1, 0, 0, 6, 0x66}) //
		send(connectivityCheck(t, "nobody", "0123456789012345678901"))
		unnamed, err := stun.Build(stun.BindingRequest, stun.TransactionID)
		check(t, err)
		send(unnamed.Raw)
		send(connectivityCheck(t, l.Ufrag, "0123456789012345678901")) // forged
		time.Sleep(time.Second)
		d := r.port.Drops()
		if d.Garbage-before.Garbage != 6 || d.Stranger-before.Stranger != 5 || d.Forged-before.Forged != 1 || d.Full != 0 {
			t.Errorf("dropped %+v, before %+v", d, before)
		}
		if a, b, c := r.port.Sizes(); a != lines || b != keys || c != flows {
			t.Errorf("%d lines, %d keys, %d flows; before %d, %d, %d", a, b, c, lines, keys, flows)
		}
		passes(t, "to the browser", tr.RTP(), b, packet(1, ourSSRC, "hello"))
		passes(t, "from the browser", b, tr.RTP(), packet(1, theirSSRC, "world"))
		r.end(tr, b)
		if a, b, c := r.port.Sizes(); a+b+c != 0 {
			t.Errorf("%d lines, %d keys, %d flows are left", a, b, c)
		}
	})
}

// TestThirdAddresses sends checks with the right password from many addresses, as one
// can who has seen the signalling: the port keeps a bounded number, and the browser is
// still heard.
func TestThirdAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		tr, b := r.call()
		time.Sleep(2 * time.Second)
		l, err := tr.Offer()
		check(t, err)
		for i := range 3 * webrtc.MaxFlows {
			r.port.Take(connectivityCheck(t, l.Ufrag, l.Pwd), netip.MustParseAddrPort(fmt.Sprintf("203.0.113.9:%d", 2000+i)))
			time.Sleep(time.Millisecond)
		}
		if _, _, flows := r.port.Sizes(); flows > webrtc.MaxFlows {
			t.Errorf("%d flows", flows)
		}
		time.Sleep(10 * time.Second) // the browser checks again (RFC 7675)
		passes(t, "from the browser", b, tr.RTP(), packet(1, theirSSRC, "world"))
		passes(t, "to the browser", tr.RTP(), b, packet(1, ourSSRC, "hello"))
		r.end(tr, b)
	})
}

// TestForgedCertificate connects a browser whose certificate is not the one that its
// description names: the connection fails at once, and nothing of it is heard.
func TestForgedCertificate(t *testing.T) {
	for _, calls := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			tr, b := r.open(), r.browser()
			b.Forge = "sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF"
			if calls {
				offer, err := b.Offer(false)
				check(t, err)
				l, err := tr.Answer(remote(offer))
				check(t, err)
				check(t, b.Accept(r.text(l)))
			} else {
				l, err := tr.Offer()
				check(t, err)
				answer, err := b.Answer(r.text(l))
				check(t, err)
				check(t, tr.Accept(remote(answer)))
			}
			begin := time.Now()
			_, _, err := tr.RTP().ReadFromUDPAddrPort(make([]byte, 1500))
			if !errors.Is(err, webrtc.ErrFailed) || time.Since(begin) > 5*time.Second {
				t.Errorf("read: %v after %v", err, time.Since(begin))
			}
			if s := tr.Stats(); s.DTLS != "failed" || s.Setup != 0 {
				t.Errorf("stats %+v", s)
			}
			r.end(tr, b)
		})
	}
}

// TestBadRecords lets whoever sits behind the browser's address send handshakes, broken
// records and packets that cannot be decrypted, before and after the real handshake.
func TestBadRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		conn, err := r.host.ListenPacket("udp", "198.51.100.7:40000")
		check(t, err)
		b, err := phone.NewBrowser(conn, theirSSRC)
		check(t, err)
		tr := r.open()
		offer, err := b.Offer(false)
		check(t, err)
		l, err := tr.Answer(remote(offer))
		check(t, err)
		check(t, b.Accept(r.text(l)))
		noise := func() {
			for i := range 200 {
				for _, p := range [][]byte{hello, hello[:20], {23, 254, 253, 0, 1, 0, 0, 0, 0, 0, byte(i), 0, 2, 1, 2},
					packet(uint16(i), theirSSRC, "not encrypted at all"), packet(uint16(i), uint32(i), "nor this, of another source"),
					{0x80, 200, 0, 6, 0, 0, 0x22, 0x22, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0}} {
					_, err := conn.WriteTo(p, net.UDPAddrFromAddrPort(r.at))
					check(t, err)
				}
				time.Sleep(5 * time.Millisecond)
			}
		}
		noise()
		time.Sleep(2 * time.Second)
		noise()
		if s := tr.Stats(); s.DTLS != "connected" {
			t.Fatalf("stats %+v", s)
		}
		passes(t, "to the browser", tr.RTP(), b, packet(1, ourSSRC, "hello"))
		passes(t, "from the browser", b, tr.RTP(), packet(1, theirSSRC, "world"))
		r.end(tr, b)
	})
}

// TestManySources cuts a browser off that sends under ever new SSRCs.
func TestManySources(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		tr, b := r.call()
		time.Sleep(2 * time.Second)
		heard := 0
		for i := range uint32(10 * webrtc.MaxSources) {
			_, err := b.WriteToUDPAddrPort(packet(1, 0x10000+i, "another"), webrtc.Peer)
			check(t, err)
			time.Sleep(time.Millisecond)
		}
		var err error
		for err == nil {
			if _, _, err = tr.RTP().ReadFromUDPAddrPort(make([]byte, 1500)); err == nil {
				heard++
			}
		}
		if !errors.Is(err, webrtc.ErrFailed) || heard > webrtc.MaxSources {
			t.Errorf("heard %d sources, then %v", heard, err)
		}
		r.end(tr, b)
	})
}

// TestFlood leaves packets unread: what is too much is dropped and counted, RTCP as RTP.
func TestFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		tr, b := r.call()
		time.Sleep(2 * time.Second)
		report := append([]byte{0x81, 201, 0, 7, 0, 0, 0x22, 0x22, 0, 0, 0x11, 0x11}, make([]byte, 20)...)
		for i := range uint16(2000) {
			p := packet(i, theirSSRC, "much")
			if i%2 == 0 {
				p = report
			}
			_, err := b.WriteToUDPAddrPort(p, webrtc.Peer)
			check(t, err)
			time.Sleep(time.Millisecond)
		}
		if d := r.port.Drops(); d.Full < 1500 {
			t.Errorf("dropped %+v", d)
		}
		r.end(tr, b)
	})
}

// TestRestart begins ICE anew in a talk (RFC 8445 §2.4): a new name, the same
// certificate and handshake. Checks for the old name are strange then.
func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		tr, b := r.call()
		time.Sleep(2 * time.Second)
		old, err := tr.Offer()
		check(t, err)
		offer, err := b.Offer(false)
		check(t, err)
		if same, err := tr.Answer(remote(offer)); err != nil || same.Ufrag != old.Ufrag || same.Setup != "active" {
			t.Errorf("the same offer again: %+v, %v", same, err)
		}
		offer, err = b.Offer(true)
		check(t, err)
		l, err := tr.Answer(remote(offer))
		check(t, err)
		if l.Ufrag == old.Ufrag || l.Fingerprint != old.Fingerprint || l.Setup != "active" {
			t.Errorf("after the restart %+v, before %+v", l, old)
		}
		check(t, b.Accept(r.text(l)))
		time.Sleep(2 * time.Second)
		passes(t, "to the browser", tr.RTP(), b, packet(1, ourSSRC, "hello"))
		passes(t, "from the browser", b, tr.RTP(), packet(1, theirSSRC, "world"))
		if s := tr.Stats(); s.Restarts != 1 || s.ICE != "connected" || s.DTLS != "connected" {
			t.Errorf("stats %+v", s)
		}
		before := r.port.Drops()
		r.port.Take(connectivityCheck(t, old.Ufrag, old.Pwd), netip.MustParseAddrPort("203.0.113.9:2000"))
		if d := r.port.Drops(); d.Stranger != before.Stranger+1 {
			t.Errorf("a check for the old name: dropped %+v, before %+v", d, before)
		}
		changed := remote(offer)
		changed.Fingerprint = "00" + changed.Fingerprint[2:]
		if _, err := tr.Answer(changed); !errors.Is(err, webrtc.ErrChanged) {
			t.Errorf("another certificate: %v", err)
		}
		r.end(tr, b)
	})
}

// TestGone closes transports in every state: new, offered, answered, connected to a
// browser that has vanished.
func TestGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		check(t, r.open().Close())
		offered := r.open()
		_, err := offered.Offer()
		check(t, err)
		check(t, offered.Close())
		b := r.browser()
		answered := r.open()
		offer, err := b.Offer(false)
		check(t, err)
		_, err = answered.Answer(remote(offer))
		check(t, err)
		time.Sleep(time.Second)
		if s := answered.Stats(); s.ICE != "checking" || s.Setup != 0 {
			t.Errorf("stats %+v", s)
		}
		check(t, answered.Close())
		check(t, b.Close())
		tr, b := r.call()
		time.Sleep(time.Second)
		check(t, b.Close())
		begin := time.Now()
		_, _, err = tr.RTP().ReadFromUDPAddrPort(make([]byte, 1500))
		if took := time.Since(begin); !errors.Is(err, webrtc.ErrFailed) || took < 30*time.Second || took > 45*time.Second {
			t.Errorf("a browser that has vanished: %v after %v", err, took)
		}
		check(t, tr.Close())
		check(t, tr.Close())
		check(t, r.port.Close())
	})
}
