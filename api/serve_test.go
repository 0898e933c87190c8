package api

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener whose connections are in memory, so that they work on
// the time of a synctest bubble.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.conns <- server:
		return client, nil
	case <-p.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// serve runs the Server on connections in memory and gives a client for it.
func (r *rig) serve() (*http.Client, *pipes) {
	r.t.Helper()
	l := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
	served := make(chan error, 1)
	go func() { served <- r.Serve(l) }()
	tr := &http.Transport{DialContext: l.dial, DisableCompression: true}
	r.t.Cleanup(func() {
		tr.CloseIdleConnections()
		r.check(r.Server.Close())
		r.check(<-served)
	})
	return &http.Client{Transport: tr}, l
}

func get(t *testing.T, c *http.Client, path string, header ...string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", "http://vpbx"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+acmeToken)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func TestServeAndClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		c, _ := r.serve()
		res := get(t, c, "/api/v1/tenants/acme/calls")
		body, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != 200 {
			t.Fatalf("%d %s %v", res.StatusCode, body, err)
		}
		r.check(r.Server.Close())
		if res, err := c.Get("http://vpbx/healthz"); err == nil {
			t.Errorf("answered %d after Close", res.StatusCode)
		}
		r.check(r.Serve(&pipes{done: make(chan struct{})}))
	})
}

// TestSlowClients: who sends no header, sends no body, or reads no answer is
// let go, and the others are served meanwhile.
func TestSlowClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		c, l := r.serve()
		for name, said := range map[string]string{
			"no header":         "GET /healthz HTTP/1.1\r\nHost: vpbx\r\n",
			"no body":           "POST /api/v1/tenants/acme/calls HTTP/1.1\r\nHost: vpbx\r\nContent-Length: 100\r\nAuthorization: Bearer " + acmeToken + "\r\n\r\n{",
			"no body, no token": "POST /api/v1/tenants/acme/calls HTTP/1.1\r\nHost: vpbx\r\nContent-Length: 100\r\n\r\n{",
			"reads nothing":     "GET /api/v1/tenants/acme/events HTTP/1.1\r\nHost: vpbx\r\nAuthorization: Bearer " + acmeToken + "\r\n\r\n",
		} {
			conn, err := l.dial(t.Context(), "", "")
			r.check(err)
			defer conn.Close()
			_, err = io.WriteString(conn, said)
			r.check(err)
			if name == "reads nothing" {
				continue // and the pipe holds nothing back for it
			}
			go func() { _, _ = io.Copy(io.Discard, conn) }()
		}
		res := get(t, c, "/api/v1/tenants/acme/calls")
		res.Body.Close()
		c.CloseIdleConnections()
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := r.streams.count(); n != 0 {
			t.Errorf("%d streams to clients that read nothing", n)
		}
		began := time.Now()
		r.check(r.Server.Close())
		if took := time.Since(began); took > time.Second {
			t.Errorf("Close took %s: somebody was still there", took)
		}
	})
}

// readEvent reads one server-sent event or comment, "" at the end.
func readEvent(in *bufio.Reader) string {
	var lines []string
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return ""
		}
		if line = strings.TrimSuffix(line, "\n"); line == "" {
			return strings.Join(lines, "|")
		}
		lines = append(lines, line)
	}
}

// expect reads events until the wanted ones have come, in order.
func expect(t *testing.T, in *bufio.Reader, want ...string) {
	t.Helper()
	for _, w := range want {
		if got := readEvent(in); !strings.Contains(got, w) {
			t.Fatalf("got %q, want %q", got, w)
		}
	}
}
