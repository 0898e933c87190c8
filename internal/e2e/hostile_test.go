package e2e

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"vpbx/pbx"
)

// wire is a bare socket that speaks SIP text.
type wire struct {
	t    *testing.T
	conn net.Conn
	ip   string
}

// dialFrom opens a UDP or TCP socket of a loopback address to the server.
func dialFrom(t *testing.T, network, ip string, to netip.AddrPort) *wire {
	t.Helper()
	d := net.Dialer{Timeout: patience * 30 * time.Second, LocalAddr: &net.UDPAddr{IP: net.ParseIP(ip)}}
	if network == "tcp" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(ip)}
	}
	c, err := d.DialContext(t.Context(), network, to.String())
	if err != nil {
		t.Fatalf("open a socket: %v", err)
	}
	t.Cleanup(func() { c.Close() })
	return &wire{t, c, ip}
}

// send writes bytes; a peer that hangs up is no failure here.
func (w *wire) send(b []byte) error {
	w.t.Helper()
	if err := w.conn.SetWriteDeadline(time.Now().Add(patience * 20 * time.Second)); err != nil {
		w.t.Fatal(err)
	}
	_, err := w.conn.Write(b)
	return err
}

// reply reads what comes next, "" when nothing does in time or the peer has hung
// up.
func (w *wire) reply(limit time.Duration) string {
	w.t.Helper()
	if err := w.conn.SetReadDeadline(time.Now().Add(limit)); err != nil {
		w.t.Fatal(err)
	}
	buf := make([]byte, 64<<10)
	n, err := w.conn.Read(buf)
	if err != nil {
		return ""
	}
	return string(buf[:n])
}

// ask sends a request, over UDP again and again as RFC 3261 §17.1.2 has it, until its answer
// comes, and gives that; "" when none does. Answers to what was asked before are passed over.
func (w *wire) ask(request []byte) string {
	w.t.Helper()
	want := dialogIn(string(request)).callID
	for wait := 500 * time.Millisecond; wait < patience*20*time.Second; wait *= 2 {
		if w.conn.LocalAddr().Network() == "udp" || wait == 500*time.Millisecond {
			if err := w.send(request); err != nil {
				return ""
			}
		}
		for until := time.Now().Add(wait); ; {
			r := w.reply(max(time.Until(until), time.Millisecond))
			if r == "" {
				break
			}
			if dialogIn(r).callID == want {
				return r
			}
		}
	}
	return ""
}

// request is the text of a request outside a dialog.
func (w *wire) request(method, uri, from string, cseq int, header ...string) []byte {
	network := strings.ToUpper(w.conn.LocalAddr().Network())
	return fmt.Appendf(nil, "%s %s SIP/2.0\r\nVia: SIP/2.0/%s %s;branch=z9hG4bK%s;rport\r\nFrom: <%s>;tag=%s\r\nTo: <%s>\r\nCall-ID: %s\r\nCSeq: %d %s\r\nMax-Forwards: 70\r\n%sContent-Length: 0\r\n\r\n",
		method, uri, network, w.conn.LocalAddr(), random(), from, random(), from, random(), cseq, method, strings.Join(header, ""))
}

func random() string {
	var b [8]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// wantAlive asks with OPTIONS, from an address that has done no harm.
func wantAlive(t *testing.T, s *server) {
	t.Helper()
	if !s.running() {
		t.Fatalf("vpbx is gone: %v", s.err)
	}
	for network, at := range map[string]netip.AddrPort{"udp": s.udp, "tcp": s.tcp} {
		w := dialFrom(t, network, "127.0.0.69", at)
		if r := w.ask(w.request("OPTIONS", "sip:acme.vpbx.test", "sip:probe@acme.vpbx.test", 1)); !strings.HasPrefix(r, "SIP/2.0 200 ") {
			t.Errorf("OPTIONS by %s was answered %q", network, r)
		}
	}
}

// TestTorture sends the messages of RFC 4475, whole, cut and glued together, over
// UDP and TCP. The server answers everybody else as before.
func TestTorture(t *testing.T) {
	s := serve(t, serverOptions{Company: acme{Carrier: "127.0.0.10:5060"}.String()})
	files, err := filepath.Glob("../../sip/testdata/torture/*.dat")
	if err != nil || len(files) < 40 {
		t.Fatalf("%d torture messages (%v)", len(files), err)
	}
	u := dialFrom(t, "udp", "127.0.0.61", s.udp)
	for _, file := range files {
		m, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, variant := range [][]byte{m, m[:len(m)/2], m[len(m)/3:], bytes.ReplaceAll(m, []byte("\r\n"), []byte("\n")), append(bytes.Clone(m), m...)} {
			if len(variant) < 60000 {
				_ = u.send(variant)
			}
			c := dialFrom(t, "tcp", "127.0.0.61", s.tcp)
			_ = c.send(variant)
			c.conn.Close()
		}
	}
	for _, junk := range []string{"\r\n\r\n", "\x00", "GET / HTTP/1.1\r\n\r\n", "SIP/2.0 200 OK\r\n\r\n", strings.Repeat("A", 60000), "INVITE sip:a SIP/2.0\r\nVia: SIP/2.0/UDP x;branch=\r\nContent-Length: -1\r\n\r\n"} {
		_ = u.send([]byte(junk))
	}
	wantAlive(t, s)
	if s.metric("vpbx_sip_rejected_total") == 0 {
		t.Error("nothing of it is counted")
	}
	if n := len(s.live()); n != 0 {
		t.Errorf("%d calls were begun", n)
	}
}

// TestEndlessTCP holds connections open with messages that never end.
func TestEndlessTCP(t *testing.T) {
	s := serve(t, serverOptions{Company: acme{}.String(), TLS: true})
	start := "REGISTER sip:acme.vpbx.test SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.62;branch=z9hG4bK1\r\n"
	block := bytes.Repeat([]byte("X-Filler: "+strings.Repeat("x", 1000)+"\r\n"), 64)
	for name, c := range map[string]struct {
		begin string
		more  []byte
	}{
		"header without end": {start, block},
		"line without end":   {"REGISTER sip:acme", bytes.Repeat([]byte("e"), 64<<10)},
		"body without end":   {start + "Content-Length: 900000000\r\n\r\n", block},
		"short lines":        {"", bytes.Repeat([]byte("x\r\n"), 20<<10)},
	} {
		t.Run(name, func(t *testing.T) {
			w := dialFrom(t, "tcp", "127.0.0.62", s.tcp)
			_ = w.send([]byte(c.begin))
			sent := 0
			for sent < 64<<20 {
				if err := w.send(c.more); err != nil {
					break
				}
				sent += len(c.more)
			}
			if sent >= 64<<20 {
				t.Errorf("took %d MiB of a message without end", sent>>20)
			}
		})
	}
	t.Run("idle", func(t *testing.T) {
		for range 200 {
			dialFrom(t, "tcp", "127.0.0.63", s.tcp)
			tls := dialFrom(t, "tcp", "127.0.0.63", s.tls)
			_ = tls.send([]byte("not TLS"))
		}
		wantAlive(t, s)
	})
	wantAlive(t, s)
	startBaresip(t, s, baresipOptions{User: "101", Password: "s3cret-101", Tone: 440, Transport: "tls"})
	if rss := residentMB(t, s); rss > 400 {
		t.Errorf("the server holds %d MB", rss)
	}
}

// residentMB is the memory of the server.
func residentMB(t *testing.T, s *server) int {
	t.Helper()
	return int(s.metric("process_resident_memory_bytes") / (1 << 20))
}

var nonce = regexp.MustCompile(`nonce="([^"]+)", algorithm=MD5`)

// TestGuessing tries passwords of an extension whose phone is registered. The
// guesses are refused and counted, soon without being looked at; the phone can be
// called, and registers again, all the while.
func TestGuessing(t *testing.T) {
	t.Parallel()
	s := serve(t, serverOptions{Company: acme{}.String()})
	anna := startBaresip(t, s, baresipOptions{User: "101", Password: "s3cret-101", Tone: 440, Auto: true})
	ivan := startBaresip(t, s, baresipOptions{User: "102", Password: "s3cret-102", Tone: 880})
	thief := dialFrom(t, "udp", "127.0.0.64", s.udp)
	codes := map[string]int{}
	try := func(user, password string) string {
		const uri = "sip:acme.vpbx.test"
		aor := "sip:" + user + "@acme.vpbx.test"
		m := nonce.FindStringSubmatch(thief.ask(thief.request("REGISTER", uri, aor, 1)))
		if m == nil {
			return "none"
		}
		a1, a2 := md5Hex(user+":acme.vpbx.test:"+password), md5Hex("REGISTER:"+uri)
		response := md5Hex(a1 + ":" + m[1] + ":00000001:c:auth:" + a2)
		r := thief.ask(thief.request("REGISTER", uri, aor, 2, fmt.Sprintf("Contact: <sip:x@%s>\r\n", thief.conn.LocalAddr()),
			fmt.Sprintf("Authorization: Digest username=%q, realm=\"acme.vpbx.test\", nonce=%q, uri=%q, algorithm=MD5, qop=auth, nc=00000001, cnonce=\"c\", response=%q\r\n", user, m[1], uri, response)))
		return r[:min(len(r), 11)]
	}
	for i := range 100 {
		codes[try("101", fmt.Sprintf("guess-%d", i))]++
	}
	codes[try("101", "s3cret-101")]++ // right by luck, and still refused: too many were wrong
	if codes["SIP/2.0 200"] != 0 || codes["SIP/2.0 403"] == 0 {
		t.Errorf("the guesses were answered %v", codes)
	}
	if n := s.metric(`vpbx_sip_rejected_total{reason="guessing"}`); n < 50 {
		t.Errorf("%v guesses are counted", n)
	}
	if n := s.registered("101"); n != 1 {
		t.Errorf("101 has %d contacts", n)
	}
	ivan.do("dial", "sip:101@acme.vpbx.test")
	ivan.waitEvent("CALL_ESTABLISHED")
	ivan.do("hangup", "")
	anna.waitEvent("CALL_CLOSED")
	s.wantRecord("101", pbx.OutcomeAnswered, pbx.Hangup)
	anna.do("dial", "sip:102@acme.vpbx.test") // its password is looked at and right
	ivan.waitEvent("CALL_INCOMING")
	anna.do("hangup", "")
	ivan.waitEvent("CALL_CLOSED")
}
