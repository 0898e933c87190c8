package api

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"vpbx/internal/visitor"
	"vpbx/pbx"
	"vpbx/sounds"
)

// writeTime is how long a client may take to accept what is written to it. It
// starts anew with every write, so that long downloads and event streams live
// and a client that stopped reading does not.
const writeTime = 30 * time.Second

// request is what we know of a request beside what net/http knows.
type request struct {
	ctx     context.Context
	id      string
	log     *slog.Logger // carries the id
	http    *http.Request
	who     Principal
	company *pbx.Company // of {tenant} in the path; nil when there is none yet

	control  *http.ResponseController
	whole    io.ReadCloser // the body, with no bound but that of its sender
	bodyType string        // its media type, as the client calls it
}

// tenant gives the company the request is about. It is for routes that have
// one in their path.
func (q *request) tenant() pbx.TenantID { return pbx.TenantID(q.http.PathValue("tenant")) }

// ServeHTTP is the outermost handler: it gives the request an id, catches its
// panic, counts and logs it.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	started := time.Now()
	q := &request{id: newRequestID(), http: r}
	q.log = s.log.With("request", q.id)
	q.ctx = context.WithValue(visitor.With(r.Context(), s.c.Proxies.Find(r)), requestKey{}, q)
	r = r.WithContext(q.ctx)
	q.http = r
	out := &response{ResponseWriter: w, control: http.NewResponseController(w)}
	setSecurityHeaders(w.Header())
	w.Header().Set("X-Request-Id", q.id)
	defer func() {
		if v := recover(); v != nil {
			q.caught(out, v, debug.Stack())
		}
		s.metrics.request(r, out.status, time.Since(started))
		q.log.Debug("http", "method", r.Method, "path", shownPath(r), "status", out.status, "bytes", out.bytes,
			"took", time.Since(started), "who", q.who.Name, "source", sourceOf(r))
		if out.broken {
			panic(http.ErrAbortHandler) // net/http's way to cut off an answer that cannot be finished
		}
	}()
	if r.ContentLength != 0 {
		// Not http.Server.ReadTimeout: that one would also end every stream.
		_ = out.control.SetReadDeadline(started.Add(bodyTime))
	}
	q.control, q.whole, q.bodyType = out.control, r.Body, r.Header.Get("Content-Type")
	r.Body = http.MaxBytesReader(out, r.Body, sounds.MaxFile+1) // each route has its own bound below that
	s.dispatch(out, q, r)
}

// dispatch finds the route. What the mux itself would answer in plain text, no
// such path or not that method, is answered in JSON.
func (s *Server) dispatch(w *response, q *request, r *http.Request) {
	h, pattern := s.mux.Handler(r)
	if pattern != "" {
		s.mux.ServeHTTP(w, r)
		return
	}
	var verdict bodiless
	h.ServeHTTP(&verdict, r)
	err := &pbx.Error{Kind: pbx.NotFound, Msg: "no such path"}
	f := q.fail(err)
	if verdict.status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", verdict.header.Get("Allow"))
		f.status, f.Problem.Kind = http.StatusMethodNotAllowed, pbx.Invalid
		f.Problem.Message = fmt.Sprintf("this path does not take that method, but %s", verdict.header.Get("Allow"))
	}
	writeFailure(w, f)
}

// caught is the end of a request that panicked: the others go on.
func (q *request) caught(w *response, v any, stack []byte) {
	if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		w.broken = true
		return
	}
	if q.ctx.Err() != nil && w.status != 0 {
		// huma panics when it cannot write to a client that has gone.
		w.broken = true
		return
	}
	q.log.Error("request panicked", "path", shownPath(q.http), "panic", fmt.Sprint(v), "stack", string(stack))
	if w.status != 0 {
		w.broken = true
		return
	}
	f := &Failure{status: http.StatusInternalServerError, Problem: Problem{Kind: pbx.Internal, ID: q.id}}
	f.Problem.Message = "an error inside the PBX; its log names it by this id"
	writeFailure(w, f)
}

// setSecurityHeaders sets what holds for every answer: it is data for programs,
// never shown in a frame, never guessed to be a page, never kept by a cache.
func setSecurityHeaders(h http.Header) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
}

func newRequestID() string {
	var b [8]byte
	rand.Read(b[:]) // never fails since Go 1.24
	return hex.EncodeToString(b[:])
}

// response counts what is written and moves the write deadline.
type response struct {
	http.ResponseWriter
	control *http.ResponseController
	status  int // 0: nothing was written
	bytes   int64
	broken  bool // the answer was begun and cannot be finished
}

// Unwrap lets http.ResponseController reach the connection.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *response) WriteHeader(status int) {
	if status >= 200 && w.status == 0 {
		w.status = status
	}
	w.extend()
	w.ResponseWriter.WriteHeader(status)
}

func (w *response) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	w.extend()
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

// extend gives the client writeTime from now. A connection without deadlines
// is a test's; it needs none.
func (w *response) extend() { _ = w.control.SetWriteDeadline(time.Now().Add(writeTime)) }

// bodiless keeps the status and the headers of an answer and drops its body.
type bodiless struct {
	header http.Header
	status int
}

func (w *bodiless) Header() http.Header {
	if w.header == nil {
		w.header = http.Header{}
	}
	return w.header
}

func (w *bodiless) WriteHeader(status int)      { w.status = status }
func (w *bodiless) Write(b []byte) (int, error) { return len(b), nil }
