package simnet_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"vpbx/internal/simnet"
)

// tcpPair is two hosts and a connection between them.
type tcpPair struct {
	client, server net.Conn
	link           *simnet.Link
}

func connect(t *testing.T, n *simnet.Net) tcpPair {
	t.Helper()
	a, b := n.Host("10.0.0.1"), n.Host("10.0.0.2")
	l, err := b.Listen("tcp", ":5060")
	if err != nil {
		t.Fatal(err)
	}
	client, err := a.Dial(context.Background(), "tcp", "10.0.0.2:5060")
	if err != nil {
		t.Fatal(err)
	}
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	return tcpPair{client, server, n.Link(a, b)}
}

func TestTCPDial(t *testing.T) {
	bubble(t, simnet.Options{}, func(t *testing.T, n *simnet.Net) {
		h, peer := n.Host("10.0.0.1"), n.Host("10.0.0.2")
		l, err := peer.Listen("tcp", "10.0.0.2:80")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		start := time.Now()
		c, err := h.Dial(ctx, "tcp4", "10.0.0.2:80")
		if err != nil {
			t.Fatal(err)
		}
		if d := time.Since(start); d < 10*time.Millisecond || d > 11*time.Millisecond {
			t.Errorf("the handshake took %v", d)
		}
		s, _ := l.Accept()
		if c.LocalAddr().String() != s.RemoteAddr().String() || c.RemoteAddr().String() != "10.0.0.2:80" {
			t.Errorf("client %v - %v, server %v - %v", c.LocalAddr(), c.RemoteAddr(), s.LocalAddr(), s.RemoteAddr())
		}
		for address, want := range map[string]error{
			"10.0.0.2:81": syscall.ECONNREFUSED, "10.9.9.9:80": syscall.EHOSTUNREACH, "127.0.0.1:80": syscall.ECONNREFUSED,
		} {
			if _, err := h.Dial(ctx, "tcp", address); !errors.Is(err, want) {
				t.Errorf("dial %s: %v, want %v", address, err, want)
			}
		}
		n.Link(h, peer).Set(simnet.LinkOptions{Down: true})
		if _, err := h.Dial(ctx, "tcp", "10.0.0.2:80"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("dial over a link that is down: %v", err)
		}
	})
}

func TestTCPStream(t *testing.T) {
	for _, tt := range []struct {
		name string
		o    simnet.LinkOptions
	}{
		{"clean", simnet.LinkOptions{}},
		{"bad", simnet.LinkOptions{Jitter: 40 * time.Millisecond, Loss: 0.2}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, simnet.Options{}, func(t *testing.T, n *simnet.Net) {
				p := connect(t, n)
				p.link.Set(tt.o)
				want := make([]byte, 3<<20)
				for i := range want {
					want[i] = byte(i * 7 >> 3)
				}
				var wg sync.WaitGroup
				wg.Go(func() {
					if _, err := p.client.Write(want); err != nil {
						t.Error(err)
					}
					if err := p.client.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
						t.Error(err)
					}
				})
				got, err := io.ReadAll(p.server)
				if err != nil || !bytes.Equal(got, want) {
					t.Errorf("%d bytes, %v", len(got), err)
				}
				wg.Wait()
				// The other half is still open.
				_, _ = p.server.Write([]byte("bye"))
				_ = p.server.Close()
				rest, err := io.ReadAll(p.client)
				if err != nil || string(rest) != "bye" {
					t.Errorf("%q, %v", rest, err)
				}
			})
		})
	}
}

func TestTCPWaits(t *testing.T) {
	bubble(t, simnet.Options{}, func(t *testing.T, n *simnet.Net) {
		p := connect(t, n)
		_ = p.client.SetWriteDeadline(time.Now().Add(time.Second))
		sent, err := p.client.Write(make([]byte, 1<<20))
		if !errors.Is(err, os.ErrDeadlineExceeded) || sent != 256<<10 {
			t.Errorf("wrote %d bytes that nobody read: %v", sent, err)
		}
		_ = p.client.SetReadDeadline(time.Now().Add(time.Second))
		if _, err := p.client.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read: %v", err)
		}
		_ = p.client.SetDeadline(time.Time{})
		// The peer leaves with bytes unread: a writer that waits is told.
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := p.client.Write([]byte("more")); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("write to a peer that left: %v", err)
			}
		})
		synctest.Wait()
		_ = p.server.Close()
		wg.Wait()
		if _, err := p.server.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("read after Close: %v", err)
		}
	})
}

func TestTCPLinkDown(t *testing.T) {
	bubble(t, simnet.Options{}, func(t *testing.T, n *simnet.Net) {
		p := connect(t, n)
		p.link.Set(simnet.LinkOptions{Down: true})
		for _, word := range []string{"one ", "two ", "three"} {
			_, _ = p.client.Write([]byte(word))
		}
		time.Sleep(3 * time.Second)
		p.link.Set(simnet.LinkOptions{})
		got := make([]byte, 13)
		if _, err := io.ReadFull(p.server, got); err != nil || string(got) != "one two three" {
			t.Errorf("%q, %v", got, err)
		}
		p.link.Set(simnet.LinkOptions{Down: true})
		_, _ = p.client.Write([]byte("lost"))
		if _, err := p.client.Read(got); !errors.Is(err, syscall.ETIMEDOUT) {
			t.Errorf("a link that stays down: %v", err)
		}
	})
}

// TestHTTP runs net/http over the network, as the API and the CRM of the flow
// tests do.
func TestHTTP(t *testing.T) {
	bubble(t, simnet.Options{}, func(t *testing.T, n *simnet.Net) {
		a, b := n.Host("10.0.0.1"), n.Host("10.0.0.2")
		l, err := b.Listen("tcp", ":80")
		if err != nil {
			t.Fatal(err)
		}
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "owner 102")
		})}
		var wg sync.WaitGroup
		wg.Go(func() { _ = server.Serve(l) })
		transport := &http.Transport{DialContext: a.Dial}
		client := &http.Client{Transport: transport}
		for range 3 {
			r, err := client.Get("http://10.0.0.2/")
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(r.Body)
			_ = r.Body.Close()
			if string(body) != "owner 102" {
				t.Errorf("%q", body)
			}
		}
		transport.CloseIdleConnections()
		_ = server.Close()
		wg.Wait()
		synctest.Wait()
		time.Sleep(time.Second)
		if open := n.Open(); len(open) != 0 {
			t.Errorf("left open: %v", open)
		}
	})
}
