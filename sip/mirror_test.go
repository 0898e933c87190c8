package sip

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vpbx/pbx"
)

// looker keeps the packets it is shown.
type looker struct {
	mu  sync.Mutex
	all []pbx.Packet
}

func (l *looker) see(p pbx.Packet) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, p)
}

// lines gives what was seen since the last call: addresses and start lines.
func (l *looker) lines() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var lines []string
	for _, p := range l.all {
		lines = append(lines, told(p))
	}
	l.all = nil
	return strings.Join(lines, "\n")
}

func told(p pbx.Packet) string {
	start, _, _ := strings.Cut(string(p.Data), "\r\n")
	return fmt.Sprintf("%s %s > %s %s", p.Transport, p.From, p.To, start)
}

// TestMirror: everything that passes is seen with its true addresses, refused
// and unauthenticated messages too, and no secret.
func TestMirror(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l looker
		r := newRig(t, func(c *Config) { c.Mirror = l.see; c.Listen[0].Addr = "0.0.0.0:5060" })
		p := r.raw("203.0.113.7")
		p.register("101", "secret101", "Contact: <sip:101@203.0.113.7>")
		l.mu.Lock()
		for _, k := range l.all {
			if k.CallID != p.id || k.At.IsZero() {
				t.Errorf("%+v", k)
			}
		}
		answer := string(l.all[2].Data)
		l.mu.Unlock()
		if !strings.Contains(answer, `username="101"`) || !strings.Contains(answer, ", response=***") {
			t.Errorf("the credentials: %s", answer)
		}
		const want = "udp 203.0.113.7:5060 > 192.0.2.1:5060 REGISTER sip:acme.test SIP/2.0\n" +
			"udp 192.0.2.1:5060 > 203.0.113.7:5060 SIP/2.0 401 Unauthorized\n" +
			"udp 203.0.113.7:5060 > 192.0.2.1:5060 REGISTER sip:acme.test SIP/2.0\n" +
			"udp 192.0.2.1:5060 > 203.0.113.7:5060 SIP/2.0 200 OK"
		if got := l.lines(); got != want {
			t.Errorf("got\n%s", got)
		}
		p.send("\r\n\r\n")
		p.send("garbage")
		p.send(p.request("BREW", acme, "sip:101@acme.test", "sip:101@acme.test"))
		p.final()
		if got := l.lines(); got != "udp 203.0.113.7:5060 > 192.0.2.1:5060 BREW sip:acme.test SIP/2.0\nudp 192.0.2.1:5060 > 203.0.113.7:5060 SIP/2.0 501 Not Implemented" {
			t.Errorf("got\n%s", got)
		}
		time.Sleep(30 * time.Second) // a keepalive of ours
		if got := l.lines(); !strings.Contains(got, "udp 192.0.2.1:5060 > 203.0.113.7:5060 OPTIONS sip:101@203.0.113.7 SIP/2.0") {
			t.Errorf("got\n%s", got)
		}
	})
}

// TestMirrorStream: messages over TCP are told apart however they arrive.
func TestMirrorStream(t *testing.T) {
	for _, size := range []int{1, 7, 1 << 20} {
		synctest.Test(t, func(t *testing.T) {
			var l looker
			r := newRig(t, func(c *Config) { c.Mirror = l.see })
			c, err := r.net.Host("203.0.113.7").Dial(t.Context(), "tcp", rigAddr)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			synctest.Wait()
			p := &raw{t: t, addr: "203.0.113.7:5060", id: "x", tag: "y"}
			text := "\r\n\r\n" + p.request("OPTIONS", acme, "sip:a@b", acme, "\r\nfive!") + p.request("OPTIONS", acme, "sip:a@b", acme)
			for i := 0; i < len(text); i += size {
				if _, err := c.Write([]byte(text[i:min(len(text), i+size)])); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
			}
			time.Sleep(time.Second)
			l.mu.Lock()
			defer l.mu.Unlock()
			var in, out []string
			for _, k := range l.all {
				if k.From.Port() == 5060 {
					out = append(out, told(k))
				} else {
					in = append(in, string(k.Data))
				}
			}
			if len(in) != 2 || !strings.HasSuffix(in[0], "\r\n\r\nfive!") || !strings.HasPrefix(in[1], "OPTIONS") || len(out) != 2 || !strings.HasSuffix(out[1], "SIP/2.0 200 OK") {
				t.Errorf("in pieces of %d: in %q, out %q", size, in, out)
			}
		})
	}
}

func FuzzFramer(f *testing.F) {
	f.Add("OPTIONS a SIP/2.0\r\nl: 3\r\n\r\nabcSIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n", 3)
	f.Add("\r\n\r\nContent-Length: 99999999\r\n\r\n", 1)
	f.Fuzz(func(t *testing.T, text string, size int) {
		var whole, parts framer
		var a, b []string
		whole.feed([]byte(text), func(m []byte) { a = append(a, string(m)) })
		size = max(1, size)
		for i := 0; i < len(text); {
			n := min(size, len(text)-i)
			parts.feed([]byte(text[i:i+n]), func(m []byte) { b = append(b, string(m)) })
			i += n
		}
		for i, m := range a {
			size, ok := messageSize([]byte(m))
			if !ok {
				break // the connection would be closed here
			}
			if size != len(m) || i >= len(b) || b[i] != m {
				t.Fatalf("%q gives %q at once, %q in parts", text, a, b)
			}
		}
		if len(parts.buf) > maxFramed {
			t.Fatalf("%d bytes are kept", len(parts.buf))
		}
	})
}

// TestEmptyLinesAfterMessage: empty lines between messages are not kept, and
// keepalives after some are still seen by sipgo, which answers them.
func TestEmptyLinesAfterMessage(t *testing.T) {
	var f framer
	none := func([]byte) {}
	first := "OPTIONS sip:a SIP/2.0\r\nContent-Length: 0\r\n\r\n"
	if got, err := f.feed([]byte(first+"\r\n"), none); string(got) != first || err != nil {
		t.Fatalf("%q %v", got, err)
	}
	for range 10 {
		if got, err := f.feed([]byte("\r\n\r\n"), none); string(got) != "\r\n\r\n" || err != nil {
			t.Fatalf("keepalive: %q %v", got, err)
		}
	}
	for range 10 {
		if _, err := f.feed([]byte(first+strings.Repeat("\r\n", 10_000)+"O"), none); err != nil {
			t.Fatal(err)
		}
		if len(f.buf) > 1 {
			t.Fatalf("%d bytes are kept of a message of which one has come", len(f.buf))
		}
		if got, err := f.feed([]byte(first[1:]), none); string(got) != first || err != nil {
			t.Fatalf("%q %v", got, err)
		}
	}
}
