package rtk

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"vpbx/crm"
	"vpbx/pbx"
)

// wire is a listener in memory: what is dialled comes out of Accept.
type wire struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
	mu     sync.Mutex
	dialed []string
}

func newWire() *wire { return &wire{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (w *wire) Dial(ctx context.Context, _, addr string) (net.Conn, error) {
	here, there := net.Pipe()
	w.mu.Lock()
	w.dialed = append(w.dialed, addr)
	w.mu.Unlock()
	select {
	case w.conns <- there:
		return here, nil
	case <-w.closed:
		return nil, errors.New("connection refused")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (w *wire) Accept() (net.Conn, error) {
	select {
	case c := <-w.conns:
		return c, nil
	case <-w.closed:
		return nil, net.ErrClosed
	}
}

func (w *wire) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9000} }

func (w *wire) Close() error {
	w.once.Do(func() { close(w.closed) })
	return nil
}

func company() *pbx.Company {
	return &pbx.Company{
		Tenant: pbx.Tenant{ID: "acme", Domain: "demo.vpbx.test"},
		CRM: pbx.CRM{Kind: "rtk", URL: "http://crm.test/api/", Timeout: 700 * time.Millisecond,
			ClientID: "000003C405E6525C64C184258C44EC99", SignKey: "00000716ABDA6D4DFF10F82BCBBFC532"},
	}
}

// bubble runs f on fake time with a lookup over a client over a wire, at whose
// other end serve stands.
func bubble(t *testing.T, serve func(w *wire), f func(t *testing.T, w *wire, ask func(from string) string)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWire()
		var server sync.WaitGroup
		server.Go(func() { serve(w) })
		client := New(Options{Dial: w.Dial})
		l, err := crm.NewLookup(crm.Options{Connectors: map[string]crm.Connector{"rtk": client}, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		f(t, w, func(from string) string {
			_, lookup := l.Owner(t.Context(), company(), from, "+74950000000", "call-1")
			return fmt.Sprintf("%s %s %s %.0fms", lookup.Result, lookup.Owner, lookup.Contact, lookup.MS)
		})
		l.Close()
		client.Close()
		w.Close()
		server.Wait()
	})
}

// web serves HTTP on a wire until that is closed.
func web(h http.HandlerFunc) func(*wire) {
	return func(w *wire) {
		whole := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body) // the server notices a gone client only behind the body
			r.Body = io.NopCloser(bytes.NewReader(body))
			h(w, r)
		})
		s := &http.Server{Handler: whole, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
		s.Serve(w)
		s.Close()
	}
}

// raw answers each request on a wire with what f does to the connection.
func raw(f func(c net.Conn)) func(*wire) {
	return func(w *wire) {
		var all sync.WaitGroup
		for {
			c, err := w.Accept()
			if err != nil {
				all.Wait()
				return
			}
			all.Go(func() {
				defer c.Close()
				if req, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
					io.Copy(io.Discard, req.Body)
					f(c)
				}
			})
		}
	}
}

func says(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, body) }
}

func TestRequest(t *testing.T) {
	var got, sign, id, kind, path string
	h := func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got, path, sign, id, kind = string(body), r.Method+" "+r.URL.Path, r.Header.Get("X-Client-Sign"), r.Header.Get("X-Client-ID"), r.Header.Get("Content-Type")
		if _, there := r.Header["Idempotency-Key"]; there {
			t.Error("the idempotency key was sent")
		}
		io.WriteString(w, `{"result":0,"displayName":"Иван Петров","PIN":"101"}`)
	}
	bubble(t, web(h), func(t *testing.T, w *wire, ask func(string) string) {
		if got, want := ask("+79161234567"), "found 101 Иван Петров 0ms"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if want := `{"session_id":"call-1","domain":"demo.vpbx.test","from_number":"+79161234567","request_number":"+74950000000"}`; got != want {
			t.Errorf("body %s\nwant %s", got, want)
		}
		crm := company().CRM
		if id != crm.ClientID || !Verify(id, crm.SignKey, []byte(got), sign) || kind != "application/json" || path != "POST /api/get_number_info" {
			t.Errorf("%s id %q, sign %q, type %q", path, id, sign, kind)
		}
		ask("+79161234568")
		if len(w.dialed) != 1 || w.dialed[0] != "crm.test:80" {
			t.Errorf("dialled %q, want one connection kept alive", w.dialed)
		}
	})
}

func TestAnswers(t *testing.T) {
	slow := func(d time.Duration, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-time.After(d):
				io.WriteString(w, body)
			case <-r.Context().Done():
			}
		}
	}
	const ivan = `{"result":0,"displayName":"Ivan","PIN":"101"}`
	for _, c := range []struct {
		name  string
		serve func(*wire)
		want  string
	}{
		{"hit", web(slow(120*time.Millisecond, ivan)), "found 101 Ivan 120ms"},
		{"miss", web(says(`{"result":"1","displayName":null,"PIN":null}`)), "not_found   0ms"},
		{"null", web(says(`{"result":0,"displayName":null,"PIN":null}`)), "not_found   0ms"},
		{"error of the crm", web(says(`{"result":-2}`)), "error   0ms"},
		{"at the last moment", web(slow(699*time.Millisecond, ivan)), "found 101 Ivan 699ms"},
		{"too late", web(slow(701*time.Millisecond, ivan)), "timeout   700ms"},
		{"html", web(says(`<html>hello</html>`)), "bad_answer   0ms"},
		{"wrong types", web(says(`{"result":{},"PIN":[]}`)), "bad_answer   0ms"},
		{"status 500", web(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, ivan, 500) }), "bad_answer   0ms"},
		{"status 201", web(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(201); io.WriteString(w, ivan) }), "bad_answer   0ms"},
		{"redirect", web(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://elsewhere/", http.StatusTemporaryRedirect)
		}), "bad_answer   0ms"},
		{"10 MB", web(func(w http.ResponseWriter, _ *http.Request) {
			for range 160 {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
			t.Error("all of it was read")
		}), "bad_answer   0ms"},
		{"endless header", raw(func(c net.Conn) {
			io.WriteString(c, "HTTP/1.1 200 OK\r\n")
			for range 100 {
				if _, err := io.WriteString(c, "X-A: "+strings.Repeat("a", 1000)+"\r\n"); err != nil {
					return
				}
			}
		}), "error   0ms"},
		{"hangs after the header", raw(func(c net.Conn) {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"result\":0")
			io.Copy(io.Discard, c)
		}), "timeout   700ms"},
		{"drips", raw(func(c net.Conn) {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n")
			for {
				if _, err := io.WriteString(c, " "); err != nil {
					return
				}
				time.Sleep(50 * time.Millisecond)
			}
		}), "timeout   700ms"},
		{"cut off", raw(func(c net.Conn) {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"result\":0")
		}), "error   0ms"},
		{"not http", raw(func(c net.Conn) { io.WriteString(c, "SSH-2.0-x\r\n\r\n") }), "error   0ms"},
		{"refused", func(w *wire) { w.Close() }, "error   0ms"},
		{"never accepts", func(w *wire) { <-w.closed }, "timeout   700ms"},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, c.serve, func(t *testing.T, w *wire, ask func(string) string) {
				synctest.Wait()
				if got := ask("+79161234567"); got != c.want {
					t.Errorf("got %q, want %q", got, c.want)
				}
			})
		})
	}
}

// TestStaleConnection holds that an idle connection that the CRM has closed
// costs nothing: the question is asked again over a new one.
func TestStaleConnection(t *testing.T) {
	serve := raw(func(c net.Conn) {
		body := `{"result":0,"PIN":"101"}`
		fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
		http.ReadRequest(bufio.NewReader(c)) // takes the next question and hangs up
	})
	bubble(t, serve, func(t *testing.T, w *wire, ask func(string) string) {
		for _, from := range []string{"+79160000001", "+79160000002", "+79160000003"} {
			if got, want := ask(from), "found 101  0ms"; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
	})
}

// TestHungCRM holds that a CRM that hangs is left alone after five calls and
// costs each of them its budget and nothing more; the sixth costs nothing.
func TestHungCRM(t *testing.T) {
	var up atomic.Bool
	h := func(w http.ResponseWriter, r *http.Request) {
		if !up.Load() {
			<-r.Context().Done()
			return
		}
		io.WriteString(w, `{"result":0,"PIN":"101"}`)
	}
	bubble(t, web(h), func(t *testing.T, w *wire, ask func(string) string) {
		for i := range 5 {
			if got, want := ask(fmt.Sprint("+7916000000", i)), "timeout   700ms"; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
		if got, want := ask("+79160000000"), "breaker   0ms"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		up.Store(true)
		time.Sleep(30 * time.Second)
		if got, want := ask("+79160000000"), "found 101  0ms"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// TestCloseEndsDial holds that a dial that outlived its request ends with the
// client, or by itself.
func TestCloseEndsDial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan time.Duration, 2)
		dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
			start := time.Now()
			<-ctx.Done()
			ended <- time.Since(start)
			return nil, ctx.Err()
		}
		client := New(Options{Dial: dial})
		for range 2 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if _, err := client.Owner(ctx, company(), "+7", "+7", "c"); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("error %v", err)
			}
			cancel()
		}
		client.Close()
		for range 2 {
			if d := <-ended; d > 5*time.Second {
				t.Errorf("a dial took %v", d)
			}
		}
	})
}

// TestExchangesToCRM: what a CRM was asked and told, and what it said, is told as it
// went over the wire; of a CRM that is gone, that there was no answer.
func TestExchangesToCRM(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire()
		var server sync.WaitGroup
		server.Go(func() { web(says(`{"result":"1"}`))(w) })
		var seen []Exchange
		client := New(Options{Dial: w.Dial, Log: func(x Exchange) { seen = append(seen, x) }})
		if _, err := client.Owner(t.Context(), company(), "+79160000001", "+74950000000", "c1"); err != nil {
			t.Error(err)
		}
		if err := client.Deliver(t.Context(), company(), &pbx.Notification{Kind: pbx.NotifyHistory, Order: "7"}); err != nil {
			t.Error(err)
		}
		w.Close()
		server.Wait()
		client.Close()
		if err := client.Deliver(t.Context(), company(), &pbx.Notification{Kind: pbx.NotifyArrived}); err == nil {
			t.Error("told a CRM that is gone")
		}
		for i, want := range []string{"get_number_info 200 " + `{"result":"1"}`, "history_file_completed 200 " + `{"result":"1"}`, "call_events 0 "} {
			x := seen[i]
			if got := fmt.Sprintf("%s %d %s", x.Method, x.Status, x.Answer); got != want || x.Direction != ToCRM || x.Mode != Plain || x.Tenant != "acme" ||
				len(x.Request) == 0 || (x.Err == nil) != (x.Status == 200) {
				t.Errorf("%s, want %s: %+v", got, want, x)
			}
		}
	})
}
