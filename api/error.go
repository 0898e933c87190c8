package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"vpbx/pbx"
)

// statuses is the one table from the kind of an error to the HTTP status.
var statuses = map[pbx.Kind]int{
	pbx.Invalid:         http.StatusBadRequest,
	pbx.NotFound:        http.StatusNotFound,
	pbx.Conflict:        http.StatusConflict,
	pbx.Outdated:        http.StatusPreconditionFailed,
	pbx.Denied:          http.StatusForbidden,
	pbx.Unauthenticated: http.StatusUnauthorized,
	pbx.Limit:           http.StatusTooManyRequests,
	pbx.Unavailable:     http.StatusServiceUnavailable,
	pbx.Gone:            http.StatusGone,
	pbx.Unsupported:     http.StatusNotImplemented,
	pbx.Internal:        http.StatusInternalServerError,
}

// statusOf gives the HTTP status of a kind, 500 for one that is not known.
func statusOf(k pbx.Kind) int {
	if s := statuses[k]; s != 0 {
		return s
	}
	return http.StatusInternalServerError
}

// kindOf gives the kind of an HTTP status that did not come from an error of
// ours: every refusal of a request for what it is counts as invalid.
func kindOf(status int) pbx.Kind {
	for k, s := range statuses {
		if s == status {
			return k
		}
	}
	if status >= 500 {
		return pbx.Internal
	}
	return pbx.Invalid
}

// Failure is the body of every answer that is not a success.
type Failure struct {
	Problem Problem `json:"error" doc:"What went wrong"`

	status int
	retry  time.Duration // when to try again, 0: nothing is said about it
}

// Problem says what went wrong.
type Problem struct {
	Kind    pbx.Kind `json:"kind" enum:"invalid,not_found,conflict,outdated,denied,unauthenticated,limit,unavailable,internal" doc:"Class of the error"`
	Message string   `json:"message" doc:"What is wrong, in words"`
	Field   string   `json:"field" doc:"Path of the field at fault, empty when none is"`
	ID      string   `json:"id" doc:"Names this request in the log of the server"`
	Details []Detail `json:"details,omitempty" doc:"Every mistake, when a document or request holds several"`
}

// Detail is one mistake of a document or of the parameters of a request.
type Detail struct {
	Path    string `json:"path" doc:"Where the mistake is"`
	Line    int    `json:"line,omitempty" doc:"Line of the document, from 1"`
	Message string `json:"message" doc:"What is wrong, in words"`
}

// Error gives the message. It makes a Failure what huma calls a status error.
func (f *Failure) Error() string { return f.Problem.Message }

// GetStatus gives the HTTP status. The name is huma's.
func (f *Failure) GetStatus() int { return f.status }

// GetHeaders gives the headers of the answer. The name is huma's.
func (f *Failure) GetHeaders() http.Header {
	h := http.Header{}
	if f.retry > 0 {
		h.Set("Retry-After", strconv.Itoa(int((f.retry+time.Second-1)/time.Second)))
	}
	if f.status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="vpbx"`) // RFC 6750 §3
	}
	return h
}

// retryError is an error after which the same request may succeed.
type retryError struct {
	error
	after time.Duration
}

func (e *retryError) Unwrap() error { return e.error }

// fail turns an error into what the client sees of it. The text of an internal
// error goes to the log only; the id of the request leads from one to the
// other.
func (q *request) fail(err error) *Failure {
	f := &Failure{Problem: Problem{Kind: pbx.KindOf(err), ID: q.id}}
	f.status = statusOf(f.Problem.Kind)
	var e *pbx.Error
	if f.status != http.StatusInternalServerError && errors.As(err, &e) {
		f.Problem.Message, f.Problem.Field = e.Msg, e.Field
	}
	var retry *retryError
	if errors.As(err, &retry) {
		f.retry = retry.after
	}
	f.Problem.Details = mistakes(err)
	switch {
	case f.status == http.StatusInternalServerError && q.ctx.Err() != nil && errors.Is(err, q.ctx.Err()):
		// The client went away and took the work with it: nobody's fault.
		f.Problem.Message = "the request was given up"
	case f.status == http.StatusInternalServerError:
		f.Problem.Message = "an error inside the PBX; its log names it by this id"
		q.log.Error("request failed", "err", err)
	case f.status == http.StatusServiceUnavailable:
		q.log.Warn("request refused", "err", err)
	}
	return f
}

// refuse answers a request with an error.
func (q *request) refuse(w http.ResponseWriter, err error) { writeFailure(w, q.fail(err)) }

func writeFailure(w http.ResponseWriter, f *Failure) {
	for name, values := range f.GetHeaders() {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(f.status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(f) // a client that has gone reads no error either
}

// adoptErrors makes huma answer with our errors. It knows one way to do so, a
// variable of its package, hence once for the process; what is put there keeps
// no state.
var adoptErrors = sync.OnceFunc(func() {
	huma.NewErrorWithContext = func(ctx huma.Context, status int, msg string, errs ...error) huma.StatusError {
		return requestOf(ctx.Context()).humaFailure(status, msg, errs)
	}
	huma.NewError = func(status int, msg string, errs ...error) huma.StatusError {
		return (&request{}).humaFailure(status, msg, errs)
	}
})

// humaFailure is the answer to a request that huma found fault with.
func (q *request) humaFailure(status int, msg string, errs []error) *Failure {
	if status == http.StatusUnprocessableEntity {
		status = http.StatusBadRequest // one status for input that makes no sense
	}
	f := &Failure{status: status, Problem: Problem{Kind: kindOf(status), Message: msg, ID: q.id}}
	if status >= 500 {
		if q.log != nil {
			q.log.Warn("request failed", "msg", msg, "err", errors.Join(errs...))
		}
		return f
	}
	for _, err := range errs {
		var d *huma.ErrorDetail
		if errors.As(err, &d) {
			f.Problem.Details = append(f.Problem.Details, Detail{Path: fieldOf(d.Location), Message: d.Message})
		}
	}
	if n := len(f.Problem.Details); n > 0 {
		first := f.Problem.Details[0]
		f.Problem.Field = first.Path
		f.Problem.Message = strings.TrimPrefix(first.Path+": "+first.Message, ": ")
		if n > 1 {
			f.Problem.Message += fmt.Sprintf(" (and %d more)", n-1)
		}
	}
	return f
}

// fieldOf strips what huma puts before the name of a field: whether it stands
// in the path, the query or the body.
func fieldOf(location string) string {
	for _, in := range []string{"body", "query", "path", "header"} {
		if location == in {
			return ""
		}
		if rest, ok := strings.CutPrefix(location, in+"."); ok {
			return rest
		}
	}
	return location
}

// invalid is the error for a parameter that makes no sense.
func invalid(field, format string, args ...any) error {
	return &pbx.Error{Kind: pbx.Invalid, Field: field, Msg: field + ": " + fmt.Sprintf(format, args...)}
}

// noCompany is the answer for a company that does not exist and for one that
// is not the caller's: the two cannot be told apart.
func noCompany() error {
	return &pbx.Error{Kind: pbx.NotFound, Msg: "no such company"}
}

type requestKey struct{}

// requestOf gives the request that a context belongs to.
func requestOf(ctx context.Context) *request {
	q, _ := ctx.Value(requestKey{}).(*request)
	if q == nil {
		return &request{ctx: ctx}
	}
	return q
}
