package media

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/dtls/v3"

	"vpbx/media/sdp"
)

// dtlsPhone is a phone with a certificate.
type dtlsPhone struct {
	*phone
	certificate certificate
}

func (p *phone) withCertificate() *dtlsPhone {
	p.t.Helper()
	c, err := newCertificate(time.Now())
	if err != nil {
		p.t.Fatal(err)
	}
	return &dtlsPhone{p, c}
}

// fingerprint is the line of the phone's SDP.
func (p *dtlsPhone) fingerprint() string {
	f := p.certificate.fingerprints[0]
	return "a=fingerprint:" + f.Hash + " " + f.Value
}

// shake runs a handshake over one of the phone's sockets, for 5 s at most, and gives
// the keys.
func (p *dtlsPhone) shake(conn *memConn, to netip.AddrPort, client bool) (*keys, error) {
	a := newAssociation(&socket{conn: conn}, to)
	stop := make(chan struct{})
	fed := make(chan struct{})
	go func() {
		defer close(fed)
		for {
			select {
			case d := <-conn.inbox:
				a.put(d.b)
			case <-stop:
				return
			}
		}
	}()
	defer func() {
		synctest.Wait()
		close(stop)
		<-fed
	}()
	conn2, err := p.conn(a, client)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn2.Close() }()
	ctx, cancel := context.WithTimeout(p.t.Context(), 5*time.Second)
	defer cancel()
	if err := conn2.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	synctest.Wait()
	return export(conn2, client)
}

func (p *dtlsPhone) conn(a *association, client bool) (*dtls.Conn, error) {
	addr := net.UDPAddrFromAddrPort(a.peer)
	if client {
		return dtls.ClientWithOptions(a, addr, dtls.WithCertificates(p.certificate.tls), dtls.WithInsecureSkipVerify(true),
			dtls.WithSRTPProtectionProfiles(dtls.SRTP_AES128_CM_HMAC_SHA1_80, dtls.SRTP_AEAD_AES_256_GCM))
	}
	return dtls.ServerWithOptions(a, addr, dtls.WithCertificates(p.certificate.tls), dtls.WithClientAuth(dtls.RequireAnyClientCert),
		dtls.WithSRTPProtectionProfiles(dtls.SRTP_AES128_CM_HMAC_SHA1_80))
}

// with makes a phone use the keys of a handshake.
func (p *dtlsPhone) with(k *keys) *securely {
	return &securely{phone: p.phone, in: k.in.context, out: k.out.context}
}

// role is what we say in a=setup.
func role(t *testing.T, text []byte) string {
	t.Helper()
	d, err := sdp.Parse(text)
	if err != nil || len(d.Media[0].Fingerprints) != 1 {
		t.Fatalf("%v\n%s", err, text)
	}
	return d.Media[0].Setup
}

// dtlsPair is a pair of which the first has answered an offer of DTLS.
func (r *rig) dtlsPair(setup string, more ...string) (a, b *party, pa *dtlsPhone, pb *phone, answer string) {
	r.t.Helper()
	a, b = r.open("198.51.100.1"), r.open("198.51.100.2")
	pa, pb = r.phone("198.51.100.1:4000", a).withCertificate(), r.phone("198.51.100.2:5000", b)
	answer = a.answer(r.t, profiled("198.51.100.1:4000", "UDP/TLS/RTP/SAVP", append([]string{pa.fingerprint(), "a=setup:" + setup}, more...)...))
	b.answer(r.t, describe("198.51.100.2:5000"))
	Join(a.Session, b.Session)
	return a, b, pa, pb, answer
}

// talk fails the test unless both hear each other.
func (r *rig) talk(pa *securely, pb *phone) {
	r.t.Helper()
	pa.voice(1)
	pb.voice(2)
	if got := fills(pb.hear()); got != "1" {
		r.t.Errorf("the other side hears %q", got)
	}
	if got := fills(pa.hear()); got != "2" {
		r.t.Errorf("the peer hears %q", got)
	}
}

func TestDTLSRoles(t *testing.T) {
	for setup, ours := range map[string]string{"actpass": "passive", "active": "passive", "passive": "active"} {
		t.Run(setup, func(t *testing.T) {
			bubble(t, nil, func(r *rig) {
				a, _, pa, pb, answer := r.dtlsPair(setup, "a=rtcp-mux")
				if got := role(t, []byte(answer)); got != ours || a.Security() != "dtls" {
					t.Errorf("we are %s, secured by %q", got, a.Security())
				}
				pb.voice(66) // there are no keys yet
				k, err := pa.shake(pa.rtp, pa.to, ours == "passive")
				if err != nil {
					t.Fatal(err)
				}
				r.talk(pa.with(k), pb)
				if want := "dtls " + k.suite; a.Security() != want {
					t.Errorf("secured by %q, not %q", a.Security(), want)
				}
				pa.with(k).reports(true, a)
			})
		})
	}
}

// We offer, the peer answers with either role.
func TestDTLSOffered(t *testing.T) {
	for _, setup := range []string{"active", "passive", ""} {
		t.Run("setup "+setup, func(t *testing.T) {
			bubble(t, nil, func(r *rig) {
				s, err := r.e.Open(Options{Peer: netip.MustParseAddr("198.51.100.1"), Security: RequiredDTLS})
				if err != nil {
					t.Fatal(err)
				}
				a, b := &party{Session: s}, r.open("198.51.100.2")
				offer, err := a.Offer([]Codec{PCMA})
				if err != nil || role(t, offer) != "actpass" || !strings.Contains(string(offer), "UDP/TLS/RTP/SAVP ") {
					t.Fatalf("%v\n%s", err, offer)
				}
				pa, pb := r.phone("198.51.100.1:4000", a).withCertificate(), r.phone("198.51.100.2:5000", b)
				b.answer(t, describe("198.51.100.2:5000"))
				Join(a.Session, b.Session)
				more := []string{pa.fingerprint(), "a=rtcp-mux"}
				if setup != "" {
					more = append(more, "a=setup:"+setup)
				}
				if err := a.SetAnswer(profiled("198.51.100.1:4000", "UDP/TLS/RTP/SAVP", more...)); err != nil {
					t.Fatal(err)
				}
				k, err := pa.shake(pa.rtp, pa.to, setup != "passive")
				if err != nil {
					t.Fatal(err)
				}
				r.talk(pa.with(k), pb)
			})
		})
	}
}

// Without rtcp-mux RTCP has a handshake of its own (RFC 5764 §4).
func TestDTLSOfRTCP(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a, _, pa, pb, _ := r.dtlsPair("actpass")
		k, err := pa.shake(pa.rtp, pa.to, true)
		if err != nil {
			t.Fatal(err)
		}
		r.talk(pa.with(k), pb)
		if k, err = pa.shake(pa.rtcp, pa.to2(), true); err != nil {
			t.Fatal(err)
		}
		pa.with(k).reports(false, a)
	})
}

// A certificate that is not the one of the SDP gets no keys; the right one still
// does, also after many wrong ones.
func TestDTLSFingerprint(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a, _, pa, pb, _ := r.dtlsPair("actpass", "a=rtcp-mux")
		for range 3 {
			if _, err := pa.phone.withCertificate().shake(pa.rtp, pa.to, true); err == nil {
				t.Fatal("a stranger's certificate is taken")
			}
		}
		if a.Security() != "dtls" {
			t.Errorf("secured by %q", a.Security())
		}
		k, err := pa.shake(pa.rtp, pa.to, true)
		if err != nil {
			t.Fatal(err)
		}
		r.talk(pa.with(k), pb)
	})
}

// The race for the first ClientHello: one from a third address, garbage, and hellos
// from other ports of the peer's host that are never followed up take nothing from
// the peer, and leave nothing behind.
func TestDTLSHelloRace(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a, _, pa, pb, _ := r.dtlsPair("actpass", "a=rtcp-mux")
		hello := firstHello(t, pa)
		third := r.phone("203.0.113.66:4000", a)
		third.raw(hello)
		for port := uint16(6000); port < 6100; port += 2 {
			neighbour := r.phone(netip.AddrPortFrom(netip.MustParseAddr("198.51.100.1"), port).String(), a)
			for range 5 {
				neighbour.raw(hello)
			}
			neighbour.raw([]byte{22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 9, 0, 1, 2, 99})
			neighbour.raw([]byte{63})
		}
		if n := len(a.dtls.rtp.open); n > maxShakes {
			t.Errorf("%d handshakes", n)
		}
		if len(third.rtp.inbox) != 0 {
			t.Error("the third address is answered")
		}
		pa.raw(hello)               // somebody forges the peer's own address, too,
		for len(pa.rtp.inbox) > 0 { // which is answered, and means nothing to the peer
			<-pa.rtp.inbox
		}
		k, err := pa.shake(pa.rtp, pa.to, true)
		if err != nil {
			t.Fatal(err)
		}
		r.talk(pa.with(k), pb)
		third.raw(hello)
		pa.raw(hello) // and again when the sound is there
		r.talk(pa.with(k), pb)
		time.Sleep(shakeTime + time.Second)
		synctest.Wait()
		if n := len(a.dtls.rtp.open); n > 1 {
			t.Errorf("%d handshakes are left", n)
		}
		r.talk(pa.with(k), pb)
	})
}

// firstHello is the first datagram of a handshake.
func firstHello(t *testing.T, p *dtlsPhone) []byte {
	t.Helper()
	sink := p.rtp.net
	catch, err := sink.listen("203.0.113.99:9")
	if err != nil {
		t.Fatal(err)
	}
	a := newAssociation(&socket{conn: p.rtp}, catch.addr)
	c, err := p.conn(a, true)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(p.t.Context(), time.Millisecond)
	defer cancel()
	if err := c.HandshakeContext(ctx); err == nil {
		t.Fatal("shook hands with nobody")
	}
	if err := c.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	b := (<-catch.inbox).b
	if _, ok := readHello(b); !ok {
		t.Fatalf("%x", b)
	}
	return b
}

// A peer that begins anew, with the same certificate or, in a re-offer, another.
func TestDTLSAnew(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a, _, pa, pb, _ := r.dtlsPair("actpass", "a=rtcp-mux")
		k, err := pa.shake(pa.rtp, pa.to, true)
		if err != nil {
			t.Fatal(err)
		}
		r.talk(pa.with(k), pb)
		held := a.answer(t, profiled("198.51.100.1:4000", "UDP/TLS/RTP/SAVP", pa.fingerprint(), "a=setup:actpass", "a=rtcp-mux", "a=sendonly"))
		if role(t, []byte(held)) != "passive" {
			t.Errorf("held\n%s", held)
		}
		a.answer(t, profiled("198.51.100.1:4000", "UDP/TLS/RTP/SAVP", pa.fingerprint(), "a=setup:actpass", "a=rtcp-mux"))
		r.talk(pa.with(k), pb) // the keys stay
		if k, err = pa.shake(pa.rtp, pa.to, true); err != nil {
			t.Fatal(err)
		}
		r.talk(pa.with(k), pb)
		other := pa.phone.withCertificate()
		a.answer(t, profiled("198.51.100.1:4000", "UDP/TLS/RTP/SAVP", other.fingerprint(), "a=setup:actpass", "a=rtcp-mux"))
		pa.with(k).voice(66) // under the old keys
		if _, err := pa.shake(pa.rtp, pa.to, true); err == nil {
			t.Error("the old certificate is taken")
		}
		if k, err = other.shake(pa.rtp, pa.to, true); err != nil {
			t.Fatal(err)
		}
		r.talk(other.with(k), pb)
	})
}

// A session that is closed in the middle of a handshake leaves nothing behind: the
// bubble checks.
func TestDTLSClosedInTheMiddle(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a, _, pa, _, _ := r.dtlsPair("actpass")
		pa.raw(firstHello(t, pa))
		p := r.unanswered("198.51.100.9")
		time.Sleep(time.Second)
		if err := errors.Join(a.Close(), p.Close()); err != nil {
			t.Error(err)
		}
	})
}

func TestDTLSGivesUp(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a := r.unanswered("198.51.100.9")
		time.Sleep(shakeTime + time.Second)
		synctest.Wait()
		if n := len(a.dtls.rtp.open) + len(a.dtls.rtcp.open); n != 0 {
			t.Errorf("%d handshakes go on", n)
		}
	})
}

// unanswered is a party with which we begin to shake hands, and which does nothing.
func (r *rig) unanswered(host string) *party {
	r.t.Helper()
	a := r.open(host)
	pa := r.phone(host+":4000", a).withCertificate()
	a.answer(r.t, profiled(host+":4000", "UDP/TLS/RTP/SAVP", pa.fingerprint(), "a=setup:passive"))
	return a
}

func TestReadHello(t *testing.T) {
	good := make([]byte, 80)
	good[0], good[13], good[27], good[59], good[60] = 22, 1, 7, 0, 0
	with := func(change func(b []byte)) []byte {
		b := slices.Clone(good)
		change(b)
		return b
	}
	tests := []struct {
		name       string
		b          []byte
		ok, cookie bool
	}{
		{"good", good, true, false},
		{"with a cookie", with(func(b []byte) { b[60] = 20 }), true, true},
		{"with a session", with(func(b []byte) { b[59], b[62] = 2, 20 }), true, true},
		{"session that lies about its size", with(func(b []byte) { b[59] = 255 }), true, false},
		{"cut short", good[:59], false, false},
		{"another record", with(func(b []byte) { b[0] = 23 }), false, false},
		{"secured", with(func(b []byte) { b[4] = 1 }), false, false},
		{"another message", with(func(b []byte) { b[13] = 2 }), false, false},
		{"a later fragment", with(func(b []byte) { b[21] = 1 }), false, false},
		{"nothing", nil, false, false},
	}
	for _, tt := range tests {
		if h, ok := readHello(tt.b); ok != tt.ok || h.cookie != tt.cookie || ok && h.random[0] != 7 {
			t.Errorf("%s: %+v, %v", tt.name, h, ok)
		}
	}
}

// FuzzHello: any datagram may come.
func FuzzHello(f *testing.F) {
	f.Add(make([]byte, 80))
	f.Add([]byte{22, 254, 253, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, ok := readHello(b); ok && !isDTLS(b) {
			t.Fatalf("%x is a ClientHello and not DTLS", b)
		}
	})
}
