package sip

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	msg "github.com/emiago/sipgo/sip"

	"vpbx/internal/simnet"
	"vpbx/pbx"
)

const wsAddr = rigIP + ":8088"

// page is a WebSocket client that writes each byte itself.
type page struct {
	t    *testing.T
	conn net.Conn
	r    *bufio.Reader
	p    *raw
}

func withSockets(c *Config) { c.Listen = append(c.Listen, Listen{"ws", wsAddr}) }

// shake is a handshake as a browser writes it, with changes.
func shake(replace ...string) string {
	return strings.NewReplacer(append(replace, "\n", "\r\n")...).Replace(`GET /ws HTTP/1.1
Host: 10.0.0.1:8088
Upgrade: websocket
Connection: keep-alive, Upgrade
Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==
Sec-WebSocket-Protocol: sip
Sec-WebSocket-Version: 13

`)
}

func (r *rig) page(h *simnet.Host) *page {
	r.t.Helper()
	conn, err := h.Dial(r.t.Context(), "tcp", wsAddr)
	if err != nil {
		r.t.Fatal(err)
	}
	return &page{t: r.t, conn: conn, r: bufio.NewReader(conn), p: &raw{t: r.t, addr: "abc.invalid", id: token(), tag: token()}}
}

func (p *page) write(b string) {
	p.t.Helper()
	if _, err := io.WriteString(p.conn, b); err != nil {
		p.t.Fatal(err)
	}
}

// open shakes hands and gives the status.
func (p *page) open(text string) int {
	p.t.Helper()
	p.write(text)
	res, err := http.ReadResponse(p.r, nil)
	if err != nil {
		return 0
	}
	if res.StatusCode == 101 && (res.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" || res.Header.Get("Sec-WebSocket-Protocol") != "sip") {
		p.t.Errorf("handshake %v", res.Header)
	}
	return res.StatusCode
}

// masked is a frame of a client with a mask that is not zero.
func masked(head byte, payload string) string {
	b := frameHead(head&0x0f, len(payload), true)
	b[0] = head
	mask := [4]byte{1, 2, 3, 4}
	copy(b[len(b)-4:], mask[:])
	for i := range len(payload) {
		b = append(b, payload[i]^mask[i&3])
	}
	return string(b)
}

// read gives the next frame of the server; op 255 when the connection is closed
// or nothing comes.
func (p *page) read(d time.Duration) (op byte, payload []byte) {
	p.t.Helper()
	p.conn.SetReadDeadline(time.Now().Add(d))
	if _, err := p.r.Peek(2); err != nil {
		return 255, nil
	}
	for n := 2; ; n++ {
		head, err := p.r.Peek(n)
		if err != nil {
			p.t.Fatal(err)
		}
		if size, ok := frameSize(head); ok {
			b := make([]byte, size)
			if _, err := io.ReadFull(p.r, b); err != nil {
				p.t.Fatal(err)
			}
			return b[0] & 0x0f, b[size-payloadSize(b):]
		}
	}
}

// response reads frames until a SIP response comes.
func (p *page) response() *msg.Response {
	p.t.Helper()
	for {
		op, b := p.read(10 * time.Second)
		if op == 255 || op == opClose {
			return nil
		}
		if op != opText || len(bytes.TrimSpace(b)) == 0 {
			continue
		}
		m, err := msg.ParseMessage(b)
		if err != nil {
			p.t.Fatal(err)
		}
		if res, ok := m.(*msg.Response); ok && res.StatusCode >= 200 {
			return res
		}
	}
}

func (p *page) ask(method, uri, from, to string, headers ...string) string {
	return strings.ReplaceAll(p.p.request(method, uri, from, to, headers...), "SIP/2.0/UDP", "SIP/2.0/WS")
}

func (p *page) options() string { return p.ask("OPTIONS", acme, "sip:a@b", acme) }

// register registers a browser's Contact.
func (p *page) register(expires string) *msg.Response {
	p.t.Helper()
	aor := "sip:101@acme.test"
	headers := []string{"Contact: <sip:x@abc.invalid;transport=ws>;expires=" + expires, "Supported: outbound"}
	p.write(masked(0x81, p.ask("REGISTER", acme, aor, aor, headers...)))
	res := p.response()
	if res == nil || res.StatusCode != 401 {
		p.t.Fatalf("no challenge: %v", res)
	}
	a := authorization(p.t, res, "SHA-256", "REGISTER", acme, "101", "secret101", 1)
	p.write(masked(0x81, p.ask("REGISTER", acme, aor, aor, append(headers, a)...)))
	return p.response()
}

func TestWebSocketHandshake(t *testing.T) {
	for _, tt := range []struct {
		name    string
		origins []string
		change  []string
		want    int
	}{
		{"as a browser", nil, nil, 101},
		{"binary subprotocols beside", nil, []string{"Protocol: sip", "Protocol: msrp, SIP"}, 101},
		{"another path", nil, []string{"/ws", "/"}, 404},
		{"query", nil, []string{"/ws", "/ws?x=1"}, 101},
		{"POST", nil, []string{"GET", "POST"}, 405},
		{"HTTP/1.0", nil, []string{"HTTP/1.1", "HTTP/1.0"}, 426},
		{"no upgrade", nil, []string{"Upgrade: websocket\n", ""}, 426},
		{"old version", nil, []string{"Version: 13", "Version: 8"}, 426},
		{"no subprotocol", nil, []string{"Sec-WebSocket-Protocol: sip\n", ""}, 400},
		{"another subprotocol", nil, []string{"Protocol: sip", "Protocol: sips"}, 400},
		{"short key", nil, []string{"dGhlIHNhbXBsZSBub25jZQ==", "dGhl"}, 400},
		{"own page", nil, []string{"Version: 13\n", "Version: 13\nOrigin: http://10.0.0.1:8080\n"}, 101},
		{"foreign page", nil, []string{"Version: 13\n", "Version: 13\nOrigin: https://evil.example\n"}, 403},
		{"page of a file", nil, []string{"Version: 13\n", "Version: 13\nOrigin: null\n"}, 403},
		{"listed page", []string{"https://CRM.example/"}, []string{"Version: 13\n", "Version: 13\nOrigin: https://crm.example\n"}, 101},
		{"listed page on another port", []string{"https://crm.example"}, []string{"Version: 13\n", "Version: 13\nOrigin: https://crm.example:444\n"}, 403},
		{"all pages", []string{"*"}, []string{"Version: 13\n", "Version: 13\nOrigin: https://evil.example\n"}, 101},
		{"not HTTP", nil, []string{"GET /ws HTTP/1.1", "OPTIONS sip:a SIP/2.0"}, 0},
		{"endless header", nil, []string{"Host: ", "X: " + strings.Repeat("x", 20<<10) + "\nHost: "}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, func(c *Config) { withSockets(c); c.Origins = tt.origins })
				p := r.page(r.net.Host("198.51.100.9"))
				defer p.conn.Close()
				if got := p.open(shake(tt.change...)); got != tt.want {
					t.Errorf("%d, want %d", got, tt.want)
				}
				if tt.want != 101 {
					if op, _ := p.read(time.Minute); op != 255 {
						t.Error("not closed")
					}
					synctest.Wait()
					if n, open := r.flows(); n != 0 || open != 0 {
						t.Errorf("%d connections are left", n)
					}
					return
				}
				p.write(masked(0x81, p.options()))
				if res := p.response(); res == nil || res.StatusCode != 200 {
					t.Errorf("OPTIONS: %v", res)
				}
			})
		})
	}
}

// TestWebSocketFrames: messages come whole however they are framed and cut, with
// control frames between; what breaks the protocol closes the connection.
func TestWebSocketFrames(t *testing.T) {
	ok := "\x82" // the answer is our text frame or, here, a binary message of the peer
	for _, tt := range []struct {
		name  string
		frame func(m string) string
		want  int // 200, or the status of the close frame, or 0
	}{
		{"text", func(m string) string { return masked(0x81, m) }, 200},
		{"binary", func(m string) string { return masked(ok[0], m) }, 200},
		{"fragments", func(m string) string { return masked(1, m[:9]) + masked(0, m[9:50]) + masked(0x80, m[50:]) }, 200},
		{"ping between fragments", func(m string) string { return masked(1, m[:9]) + masked(0x89, "are you there") + masked(0x80, m[9:]) }, 200},
		{"unasked pong", func(m string) string { return masked(0x8a, "x") + masked(0x81, m) }, 200},
		{"empty message", func(m string) string { return masked(0x81, "") + masked(0x81, m) }, 200},
		{"CRLF keepalive", func(m string) string { return masked(0x81, "\r\n\r\n") + masked(0x81, m) }, 200},
		{"unmasked", func(m string) string { return string(frameHead(opText, len(m), false)) + m }, closeProtocol},
		{"reserved bits", func(m string) string { return masked(0xc1, m) }, closeProtocol},
		{"reserved opcode", func(m string) string { return masked(0x83, m) }, closeProtocol},
		{"continuation of nothing", func(m string) string { return masked(0x80, m) }, closeProtocol},
		{"text within fragments", func(m string) string { return masked(1, m[:9]) + masked(0x81, m) }, closeProtocol},
		{"long ping", func(m string) string { return masked(0x89, strings.Repeat("x", 126)) }, closeProtocol},
		{"fragmented ping", func(m string) string { return masked(9, "x") }, closeProtocol},
		{"not UTF-8", func(m string) string { return masked(0x81, "\xff"+m) }, closeText},
		{"too big", func(m string) string { return masked(0x81, strings.Repeat("x", maxSocketMessage+1)) }, closeTooBig},
		{"too big in parts", func(m string) string {
			return masked(1, strings.Repeat("x", maxSocketMessage)) + masked(0x80, "x")
		}, closeTooBig},
		{"said to be huge", func(m string) string { return "\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff1234" }, closeTooBig},
		{"endless fragments", func(m string) string { return masked(1, "x") + strings.Repeat(masked(0, ""), 100) }, closeTooBig},
		{"close", func(m string) string { return masked(0x88, "\x03\xe8bye") }, closeNormal},
		{"no SIP", func(m string) string { return masked(0x81, "hello") }, 0},
	} {
		for _, every := range []int{0, 1, 7} {
			t.Run(fmt.Sprint(tt.name, every), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t, withSockets)
					p := r.page(r.net.Host("198.51.100.9"))
					defer p.conn.Close()
					if p.open(shake()) != 101 {
						t.Fatal("no handshake")
					}
					text := tt.frame(p.options())
					for every > 0 && len(text) > every && len(text) < 4000 {
						io.WriteString(p.conn, text[:every]) // it may be closed already
						text = text[every:]
					}
					io.WriteString(p.conn, text)
					if tt.want == 200 {
						if res := p.response(); res == nil || res.StatusCode != 200 {
							t.Errorf("OPTIONS: %v", res)
						}
						return
					}
					got := 0
					for {
						op, b := p.read(time.Minute)
						if op == opClose && len(b) >= 2 {
							got = int(b[0])<<8 | int(b[1])
						}
						if op == 255 {
							break
						}
					}
					// What we did not read resets the connection, and may take the
					// close frame along.
					unread := every > 0 || tt.name == "too big"
					if got != tt.want && !(got == 0 && unread) {
						t.Errorf("closed with %d, want %d", got, tt.want)
					}
					synctest.Wait()
					if n, _ := r.flows(); n != 0 {
						t.Errorf("%d connections are left", n)
					}
				})
			})
		}
	}
}

// TestWebSocketRegistration: what is sent to a registered page goes over its
// connection, which is kept alive; the binding goes with the connection.
func TestWebSocketRegistration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &memory{}
		r := newRig(t, func(c *Config) { withSockets(c); c.Bindings = store })
		p := r.page(r.net.Host("198.51.100.9"))
		if p.open(shake()) != 101 {
			t.Fatal("no handshake")
		}
		if res := p.register("3600"); res == nil || res.StatusCode != 200 || len(contactsOf(res)) != 1 {
			t.Fatalf("registered: %v", res)
		}
		targets := r.s.Targets("acme", "101")
		if len(targets) != 1 || targets[0].uri != "sip:x@abc.invalid;transport=ws" || targets[0].way.transport != "ws" {
			t.Fatalf("targets %+v", targets)
		}
		for range 20 { // a quarter of an hour
			op, _ := p.read(time.Minute)
			if op != opPing {
				t.Fatalf("got %d, want a ping", op)
			}
			p.write(masked(0x8a, ""))
		}
		if len(r.s.Targets("acme", "101")) != 1 {
			t.Error("it is gone")
		}
		r.events()
		p.conn.Close()
		time.Sleep(time.Second)
		if got := r.events(); got != "expired 101" || len(r.s.Targets("acme", "101")) != 0 || store.size() != 0 {
			t.Errorf("after the close: %q, %d saved", got, store.size())
		}
	})
}

// TestWebSocketDeaf: a peer that does not answer pings is gone after a while.
func TestWebSocketDeaf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, withSockets)
		p := r.page(r.net.Host("198.51.100.9"))
		p.open(shake())
		p.register("3600")
		r.events()
		time.Sleep((deafPings + 2) * pingSocket)
		if got := r.events(); got != "expired 101" {
			t.Errorf("%q", got)
		}
		if n, _ := r.flows(); n != 0 {
			t.Errorf("%d connections are left", n)
		}
	})
}

// TestWebSocketLimits: connections that say nothing are closed, and one source
// cannot take all the room.
func TestWebSocketLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(c *Config) { withSockets(c); c.Limits.ConnectionsPerSource = 3 })
		h := r.net.Host("198.51.100.9")
		var pages []*page
		for range 5 {
			pages = append(pages, r.page(h))
		}
		time.Sleep(time.Second)
		if n, _ := r.flows(); n != 3 {
			t.Errorf("%d connections, want 3", n)
		}
		other := r.page(r.net.Host("198.51.100.10"))
		if got := other.open(shake()); got != 101 {
			t.Errorf("somebody else: %d", got)
		}
		time.Sleep(firstMessage)
		if n, _ := r.flows(); n != 0 {
			t.Errorf("%d silent connections are left", n)
		}
		for _, p := range append(pages, other) {
			p.conn.Close()
		}
	})
}

// TestSecureWebSocket: the certificate can be replaced while connections are
// open; new ones get the new one.
func TestSecureWebSocket(t *testing.T) {
	first, _ := certificate(t)
	second, _ := certificate(t)
	synctest.Test(t, func(t *testing.T) {
		now := &first
		r := newRig(t, func(c *Config) {
			c.Listen = append(c.Listen, Listen{"wss", wsAddr})
			c.TLS = func() *tls.Config { return &tls.Config{Certificates: []tls.Certificate{*now}} }
		})
		h := r.net.Host("198.51.100.9")
		open := func() *page {
			p := r.page(h)
			c := tls.Client(p.conn, &tls.Config{InsecureSkipVerify: true})
			p.conn, p.r = c, bufio.NewReader(c)
			if got := p.open(shake()); got != 101 {
				t.Fatal(got)
			}
			return p
		}
		hears := func(p *page, cert *tls.Certificate) {
			t.Helper()
			p.write(masked(0x81, strings.ReplaceAll(p.options(), "SIP/2.0/WS", "SIP/2.0/WSS")))
			if res := p.response(); res == nil || res.StatusCode != 200 {
				t.Errorf("OPTIONS: %v", res)
			}
			got := p.conn.(*tls.Conn).ConnectionState().PeerCertificates[0].Raw
			if !bytes.Equal(got, cert.Certificate[0]) {
				t.Error("another certificate")
			}
		}
		a := open()
		hears(a, &first)
		now = &second
		b := open()
		hears(b, &second)
		hears(a, &first)
		a.conn.Close()
		b.conn.Close()
	})
}

// FuzzSocket: no bytes make the reader fail in another way than by an error, and
// what it gives sipgo is the frames of a client.
func FuzzSocket(f *testing.F) {
	f.Add([]byte(masked(0x81, "hello")))
	f.Add([]byte(masked(1, "he") + masked(0x89, "p") + masked(0x80, "llo")))
	f.Add([]byte("\x81\xfe\xff\xff1234"))
	f.Add([]byte("\x88\x80\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, z := net.Pipe()
		defer z.Close()
		w := newSocket(a, bufio.NewReader(bytes.NewReader(b)), func([]byte) {})
		defer w.Close()
		go io.Copy(io.Discard, z)
		got, _ := io.ReadAll(io.LimitReader(iotestReader{w}, 1<<20))
		rest := bytes.TrimPrefix(got, []byte(upgrade))
		r := bytes.NewReader(rest)
		for r.Len() > 0 {
			if fr, err := readFrame(r, maxSocketMessage); err != nil || !fr.fin || fr.op != opText || len(fr.payload) == 0 {
				t.Fatalf("%q: %v", rest, err)
			}
		}
	})
}

// iotestReader reads a few bytes at a time.
type iotestReader struct{ r io.Reader }

func (r iotestReader) Read(b []byte) (int, error) { return r.r.Read(b[:min(len(b), 1+rand.IntN(5))]) }

// TestWebSocketGoneMeanwhile: a phone whose WebSocket is closed before its
// REGISTER is carried out is not registered.
func TestWebSocketGoneMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var slow atomic.Bool
		r := newRig(t, func(c *Config) {
			withSockets(c)
			dir := c.Directory
			c.Directory = func() *pbx.Directory {
				if slow.Swap(false) {
					time.Sleep(time.Second)
				}
				return dir()
			}
		})
		p := r.page(r.net.Host("198.51.100.9"))
		if p.open(shake()) != 101 {
			t.Fatal("no handshake")
		}
		aor, contact := "sip:101@acme.test", "Contact: <sip:x@abc.invalid;transport=ws>;expires=3600"
		p.write(masked(0x81, p.ask("REGISTER", acme, aor, aor, contact)))
		a := authorization(t, p.response(), "SHA-256", "REGISTER", acme, "101", "secret101", 1)
		slow.Store(true)
		p.write(masked(0x81, p.ask("REGISTER", acme, aor, aor, contact, a)))
		time.Sleep(100 * time.Millisecond)
		p.conn.Close()
		time.Sleep(5 * time.Second)
		if l := r.s.Registrations("acme"); slow.Load() || len(l) != 0 {
			t.Errorf("registered: %+v", l)
		}
	})
}
