package rtk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"path"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/time/rate"

	"vpbx/internal/visitor"
	"vpbx/pbx"
)

// Bounds of what a CRM may ask.
const (
	maxRequest = 64 << 10 // bytes of a body
	askRate    = 20       // requests of a company a second
	askBurst   = 100
	forgeRate  = 1 // forged requests a second of which a company is told
	forgeBurst = 20
)

// Calls is call control. Package call implements it.
type Calls interface {
	Originate(ctx context.Context, o pbx.Originate) (pbx.CallID, error)
	Live(t pbx.TenantID) []pbx.CallInfo
}

// Records is where ended calls are. Package store implements it.
type Records interface {
	Calls(ctx context.Context, t pbx.TenantID, q pbx.CallQuery) (items []pbx.CDR, next string, err error)
	Call(ctx context.Context, t pbx.TenantID, id pbx.CallID) (pbx.CDR, []pbx.CallEvent, error)
}

// Links makes links to recordings. Package recordings implements it.
type Links interface {
	Make(ctx context.Context, t pbx.TenantID, o pbx.LinkOrder) (token string, err error)
}

// ServerOptions configures a Server. All but Allow, Exchanges, External and Metrics
// is needed.
type ServerOptions struct {
	Directory  func() *pbx.Directory
	Registered func(t pbx.TenantID, extension string) bool // a phone of it is there
	Calls      Calls
	Records    Records
	Links      Links
	Histories  Histories
	Dir        string // of the files of histories; made when it does not exist
	External   string // address by which others reach us, "": the one a CRM asked by
	Allow      Allow  // nil: whoever signs may
	Exchanges  Logger // nil: nobody is told
	Log        *slog.Logger
	Metrics    Registerer // nil: not registered
}

// Server answers the methods of the integration API that CRMs call. It is an
// [http.Handler], for POST; the last part of the path is the method. Its methods may
// be called from any goroutine.
type Server struct {
	ServerOptions
	metrics  metrics
	exporter *exporter

	mu     sync.Mutex
	rates  map[pbx.TenantID]*rate.Limiter
	forges map[pbx.TenantID]*rate.Limiter // of those that name a company

	reckoning map[pbx.TenantID]bool // whose charges are being added up
}

// NewServer makes a Server. No history is made before Start.
func NewServer(o ServerOptions) (*Server, error) {
	m, err := newMetrics(o.Metrics)
	if err != nil {
		return nil, err
	}
	if o.Allow == nil {
		o.Allow = func(*pbx.Company, netip.Addr, bool) error { return nil }
	}
	if o.Exchanges == nil {
		o.Exchanges = func(Exchange) {}
	}
	s := &Server{ServerOptions: o, metrics: m, rates: map[pbx.TenantID]*rate.Limiter{}, forges: map[pbx.TenantID]*rate.Limiter{},
		reckoning: map[pbx.TenantID]bool{}}
	if s.exporter, err = newExporter(&s.ServerOptions); err != nil {
		return nil, err
	}
	return s, nil
}

// Start begins to make the histories that are ordered, first what an earlier
// process left. It is called once.
func (s *Server) Start() { s.exporter.start() }

// Close stops the history that is being made, which is made anew after the next
// start, and waits for it. It may be called without Start, but once.
func (s *Server) Close() error { return s.exporter.close() }

// call is one request of a CRM that we know.
type call struct {
	company *pbx.Company
	from    netip.Addr
	secure  bool
	host    string // by which we were asked
	body    []byte
}

// answer is what a method gives: a status of HTTP and a body, or a file.
type answer struct {
	status int
	body   []byte
	file   *file // nil: body
	retry  bool  // later may help
}

// methods are the methods that CRMs call.
var methods = map[string]func(*Server, context.Context, *call) (any, error){
	"call_back":             (*Server).callBack,
	"get_record":            (*Server).getRecord,
	"users_info":            (*Server).usersInfo,
	"call_info":             (*Server).callInfo,
	"domain_call_history":   (*Server).orderHistory,
	"download_call_history": (*Server).downloadHistory,
	"user_calls_charges":    (*Server).charges,
}

// Methods lists the methods of the API that CRMs call, for whoever mounts a Server.
func Methods() []string {
	names := make([]string, 0, len(methods))
	for name := range methods {
		names = append(names, name)
	}
	return names
}

// ServeHTTP answers one request. Who does not sign as a company that we know learns
// nothing but that; everybody else gets a signed answer.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	at := time.Now()
	method := path.Base(r.URL.Path)
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		s.metrics.count(method, resultRefused)
		s.send(w, nil, failure(unreadable(err)))
		return
	}
	company := s.sender(r.Header.Get(HeaderID), r.Header.Get(HeaderSign), body)
	who := visitor.Of(r)
	c := &call{company: company, from: who.Addr, secure: who.Secure, host: r.Host, body: body}
	if company == nil {
		a := failure(errSignature)
		s.metrics.count(method, resultRefused)
		s.send(w, nil, a)
		s.forged(r, c, at, a)
		return
	}
	a := s.answer(r.Context(), method, c)
	s.metrics.count(method, resultOf(a.status))
	s.send(w, company, a)
	s.Exchanges(asked(r, c, at, a))
}

// unreadable is the answer to a body that could not be read.
func unreadable(err error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return &fault{http.StatusRequestEntityTooLarge, codeMalformed, "the body is too long"}
	}
	return &fault{http.StatusBadRequest, codeMalformed, "the body cannot be read"}
}

// sender gives the company that has signed a body, nil when none has. A client id
// may stand for several domains; then the body names one. An id that nobody has
// costs what another costs.
func (s *Server) sender(id, sign string, body []byte) *pbx.Company {
	known := s.Directory().Clients(id)
	if len(known) == 0 {
		Verify(id, "00000000000000000000000000000000", body, sign)
		return nil
	}
	var signed []*pbx.Company
	for _, c := range known {
		if Verify(id, c.CRM.SignKey, body, sign) {
			signed = append(signed, c)
		}
	}
	if len(signed) < 2 {
		return first(signed)
	}
	var named struct {
		Domain text `json:"domain"`
	}
	if err := json.Unmarshal(trim(body), &named); err == nil {
		for _, c := range signed {
			if strings.EqualFold(c.Domain, string(named.Domain)) {
				return c
			}
		}
	}
	return first(signed)
}

func first(list []*pbx.Company) *pbx.Company {
	if len(list) == 0 {
		return nil
	}
	return list[0]
}

// answer is the answer to a request of a company.
func (s *Server) answer(ctx context.Context, method string, c *call) answer {
	v, err := s.do(ctx, method, c)
	if err != nil {
		if pbx.KindOf(err) == pbx.Internal && !errors.As(err, new(*fault)) {
			s.Log.Error("integration: request failed", "tenant", c.company.ID, "method", known(method), "error", err)
		}
		return failure(err)
	}
	if f, ok := v.(*file); ok {
		return answer{status: http.StatusOK, file: f}
	}
	return success(v)
}

func (s *Server) do(ctx context.Context, method string, c *call) (any, error) {
	if err := s.admit(c); err != nil {
		return nil, err
	}
	do := methods[method]
	if do == nil {
		return nil, &fault{http.StatusNotFound, codeUnknownMethod, "there is no such method"}
	}
	var named struct {
		Domain text `json:"domain"`
	}
	if err := c.read(&named); err != nil {
		return nil, err
	}
	if named.Domain != "" && !strings.EqualFold(string(named.Domain), c.company.Domain) {
		return nil, errDomain
	}
	return do(s, ctx, c)
}

// admit says why a company that has signed is refused all the same.
func (s *Server) admit(c *call) error {
	if c.company.CRM.RTK != nil && c.company.CRM.RTK.Off {
		return &fault{http.StatusForbidden, codeOff, "the integration API is turned off for this domain"}
	}
	if err := s.Allow(c.company, c.from, c.secure); err != nil {
		msg := "requests are not taken from there"
		if e, ok := errors.AsType[*pbx.Error](err); ok {
			msg = e.Msg
		}
		return &fault{http.StatusForbidden, codeNotAllowed, msg}
	}
	if !s.limiter(s.rates, c.company.ID, askRate, askBurst).Allow() {
		return &fault{http.StatusTooManyRequests, codeTooMany, "too many requests; try again later"}
	}
	return nil
}

// limiter gives the limiter of a company. There are as many as companies, now and
// then a few more.
func (s *Server) limiter(of map[pbx.TenantID]*rate.Limiter, t pbx.TenantID, most rate.Limit, burst int) *rate.Limiter {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := of[t]
	if l == nil {
		if len(of) >= 2*len(s.Directory().Companies()) {
			clear(of)
		}
		l = rate.NewLimiter(most, burst)
		of[t] = l
	}
	return l
}

// read decodes the body: a JSON object in UTF-8. No body is an empty object.
func (c *call) read(into any) error {
	body := trim(c.body)
	switch {
	case len(body) == 0:
		return nil
	case !utf8.Valid(body):
		return &fault{http.StatusBadRequest, codeMalformed, "the body is not UTF-8"}
	case body[0] != '{':
		return &fault{http.StatusBadRequest, codeMalformed, "the body is not a JSON object"}
	}
	if err := json.Unmarshal(body, into); err != nil {
		if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			return malformed(e.Field)
		}
		if e, ok := errors.AsType[*textError](err); ok {
			return &fault{http.StatusBadRequest, codeMalformed, e.Error()}
		}
		return &fault{http.StatusBadRequest, codeMalformed, "the body is not a JSON object"}
	}
	return nil
}

// trim takes off what some write around JSON: space, and a byte order mark.
func trim(body []byte) []byte {
	return []byte(strings.TrimSpace(strings.TrimPrefix(string(body), "\xef\xbb\xbf")))
}

// send writes an answer; signed by company, or not when that is nil.
func (s *Server) send(w http.ResponseWriter, company *pbx.Company, a answer) {
	h := w.Header()
	if a.retry {
		h.Set("Retry-After", "1")
	}
	if a.file != nil {
		s.sendFile(w, company, a.file)
		return
	}
	h.Set("Content-Type", "application/json; charset=utf-8")
	if company != nil {
		h.Set(HeaderID, company.CRM.ClientID)
		h.Set(HeaderSign, Sign(company.CRM.ClientID, company.CRM.SignKey, a.body))
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // a CRM that has gone reads no answer either
}

// text is a JSON string or number as text; null is "". The CRMs do not agree on
// which is which.
type text string

// textError says that something else was there.
type textError struct{ err error }

func (e *textError) Error() string { return fmt.Sprintf("a value is %v", e.err) }

// UnmarshalJSON reads the value.
func (t *text) UnmarshalJSON(raw []byte) error {
	s, err := scalar(raw)
	if err != nil {
		return &textError{err}
	}
	*t = text(s)
	return nil
}
