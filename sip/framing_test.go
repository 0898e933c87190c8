package sip

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vpbx/internal/simnet"
	"vpbx/pbx"
)

// localRig is a server that does not limit the host it gives.
func localRig(t *testing.T) (*rig, *simnet.Host) {
	r := newRig(t, func(c *Config) { c.LocalNets = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} })
	c := rigCompany("example", "+74950000003")
	c.Domain = "example.com"
	r.dir = pbx.NewDirectory([]*pbx.Company{c})
	return r, r.net.Host("10.0.0.5")
}

// outcome writes pieces to a new connection, a moment apart, and gives what comes
// of it in words: the final answers in the order of their codes, or that the
// connection was closed.
func (r *rig) outcome(h *simnet.Host, pieces ...string) string {
	r.t.Helper()
	s := r.stream(h)
	defer s.conn.Close()
	closed := ""
	for _, p := range pieces {
		if _, err := io.WriteString(s.conn, p); err != nil {
			closed = "closed"
			break
		}
		time.Sleep(time.Millisecond)
	}
	s.conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	all, err := io.ReadAll(s.r)
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		closed = "closed"
	}
	if closed != "" { // an answer may still be on its way
		return closed
	}
	var codes []string
	for line := range bytes.Lines(all) {
		if v, ok := bytes.CutPrefix(line, []byte("SIP/2.0 ")); ok && len(v) > 3 && v[0] > '1' {
			codes = append(codes, string(v[:3]))
		}
	}
	slices.Sort(codes)
	return strings.Join(codes, " ")
}

// behind is an OPTIONS that nobody else sends.
func behind(n int) string {
	return fmt.Sprintf("OPTIONS sip:example.com SIP/2.0\r\nVia: SIP/2.0/TCP 10.0.0.5;branch=z9hG4bKprobe%d\r\nFrom: <sip:a@b>;tag=p\r\n"+
		"To: <sip:example.com>\r\nCall-ID: probe%d\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n", n, n)
}

// TestTortureCut sends the messages of RFC 4475 over TCP, each with an OPTIONS
// behind it, cut in two at every byte: it comes to the same as when it is whole
// (TestTortureTCP says to what).
func TestTortureCut(t *testing.T) {
	files, err := filepath.Glob("testdata/torture/*.dat")
	if err != nil || len(files) < 40 {
		t.Fatal("no messages", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".dat")
		if name == "dblreq" { // what is behind the second one is not SIP: it ends with the datagram
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) {
				r, h := localRig(t)
				text := string(data)
				whole := r.outcome(h, text, behind(0))
				for i := 1; i < len(text); i++ {
					if got := r.outcome(h, text[:i], text[i:]+behind(i)); got != whole {
						t.Fatalf("cut at byte %d: %q, want %q", i, got, whole)
					}
				}
				time.Sleep(time.Minute)
				if got := r.outcome(h, behind(0)); got != "200" {
					t.Errorf("afterwards: %q", got)
				}
			})
		})
	}
}

// TestSegments: however many messages are in a segment and whatever is between
// them, each is answered once, and a request that follows garbage on the same
// connection is not.
func TestSegments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, h := localRig(t)
		withBody := func(n int, body string) string {
			text := strings.Replace(behind(n), "OPTIONS sip", "MESSAGE sip", 1)
			text = strings.Replace(text, "1 OPTIONS", "1 MESSAGE", 1)
			return strings.Replace(text, "Content-Length: 0\r\n\r\n", fmt.Sprintf("Content-Type: text/plain\r\nl :%d \r\n\r\n%s", len(body), body), 1)
		}
		many := strings.Repeat("401 ", 40) + "401"
		var all strings.Builder
		for i := range 41 {
			all.WriteString(withBody(i, strings.Repeat("\x00", i)) + []string{"", "\r\n", "\r\n\r\n", "\r\n\r\n\r\n"}[i%4])
		}
		zeros := withBody(100, strings.Repeat("\x00", 3000))
		for _, c := range []struct {
			name   string
			pieces []string
			want   string
		}{
			{"41 in one segment", []string{all.String()}, many},
			{"41, byte by byte", strings.Split(all.String(), ""), many},
			{"a segment of zeros inside a body", []string{zeros[:len(zeros)-2000], zeros[len(zeros)-2000 : len(zeros)-1000], zeros[len(zeros)-1000:] + behind(101)}, "200 401"},
			{"a request in a body", []string{withBody(102, behind(103)) + behind(104)}, "200 401"},
			{"a folded header, cut at the fold", []string{"OPTIONS sip:example.com SIP/2.0\r\nSubject: a\r\n", " b\r\n", strings.SplitN(behind(106), "\r\n", 2)[1]}, "200"},
			{"garbage between", []string{behind(107), "garbage without end \x00\xff", behind(108)}, "closed"},
			{"a line of garbage between", []string{behind(109) + "garbage\r\n" + behind(110)}, "closed"},
			{"zeros between", []string{behind(111), "\x00\x00", behind(112)}, "200 200"},
			{"HTTP", []string{"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc" + behind(113)}, "closed"},
			{"two lengths", []string{strings.Replace(withBody(114, behind(115)), "l :", "Content-Length: 0\r\nl :", 1)}, "closed"},
			{"a body that does not come", []string{withBody(116, strings.Repeat("x", 100))[:300]}, ""},
			{"a whole one and a half", []string{behind(117) + behind(118)[:100]}, "200"},
			{"the greatest there may be", []string{withBody(119, strings.Repeat("x", 60000)), behind(120)}, "200 401"},
			{"greater than that", []string{withBody(121, strings.Repeat("x", 70000)), behind(122)}, "closed"},
		} {
			if got := r.outcome(h, c.pieces...); got != c.want {
				t.Errorf("%s: %q, want %q", c.name, got, c.want)
			}
		}
	})
}

// TestNoWayOut: a request whose connection is closed before it is answered makes
// us connect to nobody, whatever its Via says.
func TestNoWayOut(t *testing.T) {
	victim, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	reached := make(chan string, 1000)
	var accepting sync.WaitGroup
	accepting.Go(func() {
		for {
			c, err := victim.Accept()
			if err != nil {
				return
			}
			reached <- c.RemoteAddr().String()
			c.Close()
		}
	})
	dir := pbx.NewDirectory([]*pbx.Company{rigCompany("example", "+74950000003")})
	s, err := New(Config{Listen: []Listen{{"tcp", "127.0.0.1:0"}}, Directory: func() *pbx.Directory { return dir }, Accept: func(*Leg) {}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		c, err := net.Dial("tcp", s.Addrs()[0].Addr)
		if err != nil {
			t.Fatal(err)
		}
		for j := range 20 {
			io.WriteString(c, strings.Replace(behind(100*i+j), "10.0.0.5", victim.Addr().String(), 1))
		}
		c.(*net.TCPConn).SetLinger(0)
		c.Close()
	}
	c, err := net.Dial("tcp", s.Addrs()[0].Addr)
	if err != nil {
		t.Fatal(err)
	}
	p := newStream(t, c)
	p.send(p.options())
	if got := p.status(); got != 200 {
		t.Errorf("afterwards: %d", got)
	}
	c.Close()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	victim.Close()
	accepting.Wait()
	if n := len(reached); n != 0 {
		t.Errorf("%d connections to what a Via named", n)
	}
}
