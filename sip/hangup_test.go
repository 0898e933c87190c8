package sip

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestHangUpBeforeAnswer: who sends a request over TCP and closes the connection
// has us connect nowhere, whatever its Via says.
func TestHangUpBeforeAnswer(t *testing.T) {
	victim, err := net.Listen("tcp", "127.0.0.1:0") // sipgo would dial the real network
	if err != nil {
		t.Fatal(err)
	}
	defer victim.Close()
	r := newRig(t, nil) // no bubble: there, requests are always dealt with before the end of a connection is seen
	host := r.net.Host("203.0.113.9")
	for i := range 200 {
		method := []string{"OPTIONS", "INVITE", "CANCEL", "BYE", "ACK"}[i%5]
		c, err := host.Dial(context.Background(), "tcp", rigAddr)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(c, "%s sip:acme.test SIP/2.0\r\nVia: SIP/2.0/TCP %s;branch=z9hG4bK%d\r\nFrom: <sip:x@y>;tag=1\r\nTo: <sip:x@y>\r\n"+
			"Call-ID: a%d\r\nCSeq: 1 %s\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n", method, victim.Addr(), i, i, method)
		c.Close()
	}
	if err := victim.(*net.TCPListener).SetDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if c, err := victim.Accept(); err == nil {
		t.Errorf("connected from %s", c.RemoteAddr())
		c.Close()
	}
}

// TestViaOverTCP: a Via comes back as it was, with what RFC 3261 §18.2.1 and RFC
// 3581 §4 add.
func TestViaOverTCP(t *testing.T) {
	for _, c := range []struct{ via, want string }{
		{"SIP/2.0/TCP 203.0.113.9:5060;branch=z9hG4bKa", "SIP/2.0/TCP 203.0.113.9:5060;branch=z9hG4bKa"},
		{"SIP/2.0/TCP 10.0.0.9:5060;branch=z9hG4bKa;x=y", "SIP/2.0/TCP 10.0.0.9:5060;branch=z9hG4bKa;x=y;received=203.0.113.9"},
		{"SIP/2.0/TCP 10.0.0.9:5060;rport;branch=z9hG4bKa", "SIP/2.0/TCP 10.0.0.9:5060;rport=PORT;branch=z9hG4bKa;received=203.0.113.9"},
	} {
		for _, method := range []string{"OPTIONS", "CANCEL"} {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil)
				p, err := r.net.Host("203.0.113.9").Dial(context.Background(), "tcp", rigAddr)
				if err != nil {
					t.Fatal(err)
				}
				defer p.Close()
				fmt.Fprintf(p, "%s sip:acme.test SIP/2.0\r\nVia: %s\r\nFrom: <sip:x@y>;tag=1\r\nTo: <sip:x@y>\r\n"+
					"Call-ID: a\r\nCSeq: 1 %s\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n", method, c.via, method)
				b := make([]byte, 4096)
				p.SetReadDeadline(time.Now().Add(time.Second))
				n, err := io.ReadAtLeast(p, b, 100)
				if err != nil {
					t.Fatal(err)
				}
				_, port, _ := net.SplitHostPort(p.LocalAddr().String())
				if want := "\r\nVia: " + strings.Replace(c.want, "PORT", port, 1) + "\r\n"; !strings.Contains(string(b[:n]), want) {
					t.Errorf("want %q in\n%s", want, b[:n])
				}
			})
		}
	}
}
