package sip

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	msg "github.com/emiago/sipgo/sip"

	"vpbx/internal/simnet"
	"vpbx/pbx"
)

// stream is a peer on a connection.
type stream struct {
	t    *testing.T
	conn net.Conn
	r    *bufio.Reader
	p    *raw // writes the requests
}

func (r *rig) stream(h *simnet.Host) *stream {
	r.t.Helper()
	c, err := h.Dial(context.Background(), "tcp", rigAddr)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { c.Close() })
	return newStream(r.t, c)
}

// flows gives how many connections the server counts, and how many it has.
func (r *rig) flows() (count, open int) {
	f := &r.s.flows
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.count, len(f.open)
}

func newStream(t *testing.T, c net.Conn) *stream {
	addr := c.LocalAddr().String()
	return &stream{t: t, conn: c, r: bufio.NewReader(c), p: &raw{t: t, addr: addr, id: "id-" + addr, tag: "tag" + addr}}
}

func (s *stream) send(text string) error {
	_, err := io.WriteString(s.conn, strings.ReplaceAll(text, "SIP/2.0/UDP", "SIP/2.0/TCP"))
	return err
}

// status reads the next response, without a body, and gives its code; 0: the
// connection was closed, or nothing came for a minute.
func (s *stream) status() int {
	s.conn.SetReadDeadline(time.Now().Add(time.Minute))
	code := 0
	for {
		line, err := s.r.ReadString('\n')
		if err != nil {
			return 0
		}
		if v, ok := strings.CutPrefix(line, "SIP/2.0 "); ok {
			code, _ = strconv.Atoi(v[:3])
		}
		if line == "\r\n" && code != 0 {
			return code
		}
	}
}

// response reads the next response, without a body.
func (s *stream) response() *msg.Response {
	s.t.Helper()
	var text strings.Builder
	for {
		line, err := s.r.ReadString('\n')
		if err != nil {
			s.t.Fatal(err)
		}
		text.WriteString(line)
		if line == "\r\n" && text.Len() > 2 {
			break
		}
	}
	m, err := msg.ParseMessage([]byte(strings.TrimLeft(text.String(), "\r\n")))
	if err != nil {
		s.t.Fatal(err)
	}
	return m.(*msg.Response)
}

func (s *stream) options() string { return s.p.request("OPTIONS", acme, "sip:a@b", acme) }

// TestFraming: messages arrive whole however TCP cuts them (RFC 3261 §18.3).
func TestFraming(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		s := r.stream(r.net.Host("10.0.0.5"))
		one := s.options()
		for i := 1; i < len(one); i += 7 {
			text := s.options()
			s.send(text[:i])
			time.Sleep(20 * time.Millisecond)
			s.send(text[i:])
			if got := s.status(); got != 200 {
				t.Fatalf("cut at byte %d: %d", i, got)
			}
		}
		for _, b := range s.options() {
			s.send(string(b))
		}
		if got := s.status(); got != 200 {
			t.Fatalf("byte by byte: %d", got)
		}
		body := s.p.request("PUBLISH", acme, "sip:a@b", acme, "Content-Type: text/plain", "\r\nOPTIONS sip:x SIP/2.0\r\n\r\n")
		s.send("\r\n\r\n" + s.options() + body + s.options())
		got := map[int]int{}
		for range 3 {
			got[s.status()]++
		}
		if got[200] != 2 || got[405] != 1 {
			t.Fatalf("three in one segment: %v", got)
		}
		s.send("\r\n\r\n")
		if line, err := s.r.ReadString('\n'); err != nil || line != "\r\n" {
			t.Errorf("pong %q, %v (RFC 5626 §3.5.1)", line, err)
		}
		if n := r.metric("vpbx_sip_rejected_total"); n != 0 {
			t.Errorf("%v rejected", n)
		}
	})
}

// TestEndless: what never ends is cut off.
func TestEndless(t *testing.T) {
	for _, c := range []struct{ name, begin, more string }{
		{"headers", "OPTIONS sip:x SIP/2.0\r\n", "X-Header: and so on\r\n"},
		{"one line", "OPTIONS sip:x SIP/2.0\r\nX: ", "and so on "},
		{"start line", "OPTIONS sip:", "xxxxxxxxxxxxxxxx"},
		{"giant length", "OPTIONS sip:x SIP/2.0\r\nContent-Length: 4000000000\r\n\r\n", "body"},
		{"no length", "OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/TCP a;branch=z9hG4bKx\r\n\r\n", "body"},
		{"not SIP", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "x"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil)
				s := r.stream(r.net.Host("10.0.0.5"))
				s.send(c.begin)
				var err error
				sent := 0
				for ; err == nil && sent < 1<<20; sent += len(c.more) * 100 {
					err = s.send(strings.Repeat(c.more, 100))
					time.Sleep(time.Millisecond)
				}
				if err == nil {
					t.Fatalf("went on for %d bytes", sent)
				}
				if r.metric("vpbx_sip_rejected_total", "malformed") == 0 {
					t.Error("not counted")
				}
			})
		})
	}
}

// TestSilence: a stranger that says nothing is sent away, a phone is not.
func TestSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.Limits.ConnectionsPerSource = 3 })
		h := r.net.Host("203.0.113.5")
		mute, dribble, once, phone := r.stream(h), r.stream(h), r.stream(h), (*stream)(nil)
		fourth := r.stream(h)
		if got := fourth.status(); got != 0 || r.metric("vpbx_sip_rejected_total", "connections") != 1 {
			t.Error("a fourth connection was let in")
		}
		began := time.Now()
		go func() {
			for dribble.send("O") == nil {
				time.Sleep(time.Second)
			}
		}()
		once.send(once.options())
		once.status()
		mute.conn.SetReadDeadline(time.Time{})
		if _, err := mute.r.ReadByte(); err == nil || time.Since(began) < 29*time.Second || time.Since(began) > 31*time.Second {
			t.Errorf("mute: %v after %v", err, time.Since(began))
		}
		time.Sleep(2 * time.Second)
		if err := dribble.send("O"); err == nil {
			t.Error("dribbling goes on")
		}
		once.conn.SetReadDeadline(time.Time{})
		if _, err := once.r.ReadByte(); err == nil || time.Since(began) < 5*time.Minute-time.Second || time.Since(began) > 5*time.Minute+time.Second {
			t.Errorf("after one message: %v after %v", err, time.Since(began))
		}

		phone = r.stream(h)
		aor := "sip:101@acme.test"
		contact := "Contact: <sip:101@" + phone.p.addr + ";transport=tcp>;expires=3600"
		phone.send(phone.p.request("REGISTER", acme, aor, aor, contact))
		res := phone.response()
		a := authorization(t, res, "SHA-256", "REGISTER", acme, "101", "secret101", 1)
		phone.send(phone.p.request("REGISTER", acme, aor, aor, contact, a))
		if got := phone.status(); got != 200 {
			t.Fatalf("registration over TCP: %d", got)
		}
		pings := 0
		for end := time.Now().Add(20 * time.Minute); time.Now().Before(end); {
			phone.conn.SetReadDeadline(time.Now().Add(90 * time.Second))
			if b, err := phone.r.ReadByte(); err != nil || b != '\r' && b != '\n' {
				t.Fatalf("%q, %v", b, err)
			}
			pings++
		}
		if pings /= 4; pings < 19 || pings > 23 {
			t.Errorf("%d pings in twenty minutes", pings)
		}
		if len(r.s.Targets("acme", "101")) != 1 {
			t.Error("the phone cannot be called over its connection")
		}
		phone.conn.Close()
		time.Sleep(time.Second)
		if l := r.s.Targets("acme", "101"); len(l) != 1 {
			t.Errorf("a TCP phone that is not behind a NAT can be connected to: %v", l)
		}
		if count, open := r.flows(); count != 0 || open != 0 {
			t.Errorf("%d flows left, %d counted", open, count)
		}
	})
}

// TestConnect: one connection to a peer is opened by us and used again, also
// for requests that come back over it.
func TestConnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		peer := r.net.Host("198.51.100.7")
		l, err := peer.Listen("tcp", "198.51.100.7:5060")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		accepted := make(chan net.Conn, 8)
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				accepted <- c
			}
		}()
		h, err := r.s.hop("tcp", "198.51.100.7:5060")
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if err := r.s.connect(context.Background(), h); err != nil {
				t.Fatal(err)
			}
		}
		c := <-accepted
		if len(accepted) != 0 {
			t.Error("more than one connection")
		}
		s := newStream(t, c)
		s.send(s.options())
		if got := s.status(); got != 200 {
			t.Errorf("a request over our connection: %d", got)
		}
		time.Sleep(10 * time.Minute) // longer than a stranger may be silent
		if !r.s.connected("tcp", "198.51.100.7:5060") {
			t.Error("our connection was closed")
		}
		c.Close()
		time.Sleep(time.Second)
		if r.s.connected("tcp", "198.51.100.7:5060") {
			t.Error("a closed connection counts as open")
		}
		h.dest = "198.51.100.7:9"
		if err := r.s.connect(context.Background(), h); err == nil {
			t.Error("connected to nobody")
		}
	})
}

// certificate makes a self-signed one for 192.0.2.1.
func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.ParseIP(rigIP), net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// TestTLS: a handshake that hangs holds up nobody, and a certificate that was
// replaced is used for the next one.
func TestTLS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, oldPool := certificate(t)
		fresh, freshPool := certificate(t)
		now := old
		r := newRig(t, func(c *Config) {
			c.Listen = append(c.Listen, Listen{"tls", rigIP + ":5061"})
			c.TLS = func() *tls.Config { return &tls.Config{Certificates: []tls.Certificate{now}} }
		})
		h := r.net.Host("203.0.113.5")
		dial := func(pool *x509.CertPool) (*stream, error) {
			c, err := h.Dial(context.Background(), "tcp", rigIP+":5061")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { c.Close() })
			if pool == nil {
				return nil, nil
			}
			tc := tls.Client(c, &tls.Config{RootCAs: pool, ServerName: rigIP})
			return newStream(t, tc), tc.Handshake()
		}
		dial(nil) // says nothing
		s, err := dial(oldPool)
		if err != nil {
			t.Fatal(err)
		}
		s.send(s.options())
		if got := s.status(); got != 200 {
			t.Errorf("over TLS: %d", got)
		}
		now = fresh
		if _, err := dial(oldPool); err == nil {
			t.Error("the old certificate is still used")
		}
		if _, err := dial(freshPool); err != nil {
			t.Error(err)
		}
		s.send(s.options())
		if got := s.status(); got != 200 {
			t.Errorf("the connection from before: %d", got)
		}
		time.Sleep(31 * time.Second)
		if n, _ := r.flows(); n > 2 {
			t.Errorf("%d connections left, one of them mute", n)
		}
	})
}

// TestStartFails: an error names the listener, and nothing is left behind.
func TestStartFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		for _, l := range []Listen{{"udp", rigAddr}, {"tls", rigIP + ":5061"}, {"sctp", rigIP + ":5062"}, {"udp", "nonsense"}} {
			s, err := New(Config{
				Listen: []Listen{{"udp", rigIP + ":5090"}, l}, ListenPacket: r.host.ListenPacket, ListenTCP: r.host.Listen,
				Directory: r.s.cfg.Directory, Accept: func(*Leg) {},
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Start(); err == nil || !strings.Contains(err.Error(), fmt.Sprint(l.Transport, "://", l.Addr)) {
				t.Errorf("%v: %v", l, err)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
		if a := r.s.Addrs(); len(a) != 2 || a[0] != (Listen{"udp", rigAddr}) {
			t.Errorf("addresses %v", a)
		}
	})
}

// TestRealSockets: the whole of it on loopback, ports chosen by the kernel.
func TestRealSockets(t *testing.T) {
	cert, pool := certificate(t)
	dir := pbx.NewDirectory([]*pbx.Company{rigCompany("acme", "+74950000001")})
	s, err := New(Config{
		Listen:    []Listen{{"udp", "127.0.0.1:0"}, {"tcp", "127.0.0.1:0"}, {"tls", "127.0.0.1:0"}, {"udp", "0.0.0.0:0"}},
		Directory: func() *pbx.Directory { return dir }, Accept: func(*Leg) {},
		TLS: func() *tls.Config { return &tls.Config{Certificates: []tls.Certificate{cert}} },
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, l := range s.Addrs() {
		_, port, err := net.SplitHostPort(l.Addr)
		if err != nil {
			t.Fatal(err)
		}
		network := "tcp"
		if l.Transport == "udp" {
			network = "udp"
		}
		conn, err := net.Dial(network, "127.0.0.1:"+port)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if l.Transport == "tls" {
			conn = tls.Client(conn, &tls.Config{RootCAs: pool, ServerName: "127.0.0.1"})
		}
		p := newStream(t, conn)
		p.send(p.options())
		if got := p.status(); got != 200 {
			t.Errorf("%s: %d", l.Transport, got)
		}
		h, err := s.hop(l.Transport, conn.LocalAddr().String())
		if err != nil || strconv.Itoa(h.via.port) != port || h.via.host != "127.0.0.1" {
			t.Errorf("way back %+v, %v", h, err)
		}
	}
}

// peerConn is a connection as far as its peer's address goes.
type peerConn struct {
	net.Conn
	peer net.Addr
}

func (c peerConn) RemoteAddr() net.Addr { return c.peer }
func (c peerConn) LocalAddr() net.Addr  { return c.peer }

// TestConnectionsOfOneCustomer: the /64 of one IPv6 customer is one source, or
// it would take all the room there is.
func TestConnectionsOfOneCustomer(t *testing.T) {
	var f flows
	f.init(Limits{Connections: 100, ConnectionsPerSource: 3})
	heard := func(netip.Addr) bool { return false }
	for i, c := range []struct {
		peer string
		in   bool
	}{
		{"[2001:db8::1]:1", true}, {"[2001:db8::2]:1", true}, {"[2001:db8::3]:1", true}, {"[2001:db8::4]:1", false},
		{"[2001:db8:0:1::4]:1", true}, {"192.0.2.1:1", true}, {"192.0.2.2:1", true},
	} {
		n, why := f.add("tcp", peerConn{peer: net.TCPAddrFromAddrPort(netip.MustParseAddrPort(c.peer))}, heard)
		if (n != nil) != c.in {
			t.Errorf("connection %d from %s: in %v (%s), want %v", i, c.peer, n != nil, why, c.in)
		}
	}
}

// ends is a connection that has only addresses.
type ends struct {
	net.Conn
	local, remote net.Addr
}

func (e ends) LocalAddr() net.Addr  { return e.local }
func (e ends) RemoteAddr() net.Addr { return e.remote }
func (e ends) Close() error         { return nil }

// TestOnePortBothWays: a peer that dials us from the port that we dial has two connections,
// and what comes over one is no part of what comes over the other.
func TestOnePortBothWays(t *testing.T) {
	at := func(s string) net.Addr { return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(s)) }
	var f flows
	f.init(Limits{Connections: 10, ConnectionsPerSource: 10})
	peer := at("192.0.2.1:5060")
	ours := f.own("tcp", ends{local: at("192.0.2.9:40000"), remote: peer})
	theirs, why := f.add("tcp", ends{local: at("192.0.2.9:5060"), remote: peer}, func(netip.Addr) bool { return false })
	if why != "" {
		t.Fatal(why)
	}
	if f.between("tcp", at("192.0.2.9:40000"), peer) != ours || f.between("tcp", at("192.0.2.9:5060"), peer) != theirs {
		t.Error("one connection is taken for the other")
	}
	theirs.Close()
	if f.between("tcp", at("192.0.2.9:5060"), peer) != nil || f.between("tcp", at("192.0.2.9:40000"), peer) != ours {
		t.Error("the wrong connection is forgotten")
	}
	f.close()
	if len(f.pairs) != 0 || len(f.open) != 0 {
		t.Errorf("%d and %d connections are left", len(f.pairs), len(f.open))
	}
}
