package amosim

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Options configures a Server. What is zero is as amoCRM has it.
type Options struct {
	ClientID     string // of the integration; "": "sim-client"
	ClientSecret string // "": "sim-secret"
	RedirectURI  string // "": "https://example.test/amocrm"
	Seed         Seed   // what is in the account

	PerSecond  int           // requests, then 429; 0: 7
	LockAfter  int           // answers of 429 within LockWithin, then 403; 0: 20
	LockWithin time.Duration // 0: 10 s
	LockFor    time.Duration // 0: 5 min
	CodeLife   time.Duration // 0: 20 min
	AccessLife time.Duration // 0: 24 h
	Refresh    time.Duration // life of a refresh token, 0: 90 days
}

// Server is an account of amoCRM. It may be used by any number of goroutines.
type Server struct {
	o   Options
	mux *http.ServeMux

	mu       sync.Mutex // guards the following
	account  account
	limit    limit
	grants   grants
	faults   []Fault
	moved    string // the host where the account is now, "" where it was
	requests map[string]int
}

// maxBody is how many bytes of a request are read.
const maxBody = 4 << 20

// New makes a Server.
func New(o Options) (*Server, error) {
	orText(&o.ClientID, "sim-client")
	orText(&o.ClientSecret, "sim-secret")
	orText(&o.RedirectURI, "https://example.test/amocrm")
	or(&o.PerSecond, 7)
	or(&o.LockAfter, 20)
	or(&o.LockWithin, 10*time.Second)
	or(&o.LockFor, 5*time.Minute)
	or(&o.CodeLife, 20*time.Minute)
	or(&o.AccessLife, 24*time.Hour)
	or(&o.Refresh, 90*24*time.Hour)
	s := &Server{o: o, mux: http.NewServeMux(), grants: newGrants(), requests: map[string]int{}}
	var err error
	if s.account, err = newAccount(o.Seed); err != nil {
		return nil, err
	}
	s.routes()
	return s, nil
}

func or[T int | time.Duration](v *T, usual T) {
	if *v == 0 {
		*v = usual
	}
}

func orText(v *string, usual string) {
	if *v == "" {
		*v = usual
	}
}

// reply is an answer: a status and what is sent as JSON, nothing when it is nil.
type reply struct {
	status int
	body   any
}

// links is _links of HAL.
type links map[string]link

type link struct {
	Href string `json:"href"`
}

// obj is an object of JSON.
type obj map[string]any

func (s *Server) routes() {
	s.mux.HandleFunc("GET /oauth", s.consent)
	s.mux.HandleFunc("GET /sim/state", s.state)
	s.mux.HandleFunc("POST /sim/code", s.newCode)
	s.mux.HandleFunc("POST /sim/faults", s.newFault)
	s.open("POST /oauth2/access_token", s.accessToken)
	for pattern, h := range map[string]func(*http.Request) reply{
		"GET /oauth2/account/subdomain":               s.subdomain,
		"GET /api/v4/account":                         s.info,
		"GET /api/v4/users":                           s.users,
		"GET /api/v4/leads/pipelines":                 s.pipelines,
		"GET /api/v4/contacts":                        s.contacts,
		"POST /api/v4/contacts":                       s.addContacts,
		"PATCH /api/v4/contacts":                      s.changeContacts,
		"GET /api/v4/contacts/{id}":                   s.contact,
		"PATCH /api/v4/contacts/{id}":                 s.changeContact,
		"GET /api/v4/leads":                           s.leads,
		"POST /api/v4/leads":                          s.addLeads,
		"GET /api/v4/leads/{id}":                      s.lead,
		"PATCH /api/v4/leads/{id}":                    s.changeLead,
		"GET /api/v4/tasks":                           s.tasks,
		"POST /api/v4/tasks":                          s.addTasks,
		"POST /api/v4/calls":                          s.addCalls,
		"GET /api/v4/leads/unsorted":                  s.unsorted,
		"POST /api/v4/leads/unsorted/sip":             s.addUnsorted,
		"POST /api/v4/leads/unsorted/{uid}/accept":    s.acceptUnsorted,
		"DELETE /api/v4/leads/unsorted/{uid}/decline": s.declineUnsorted,
		"POST /api/v2/events":                         s.addEvents,
		"POST /api/v2/events/":                        s.addEvents,
	} {
		s.open(pattern, func(r *http.Request) reply {
			if !s.authorized(r) {
				return problem(http.StatusUnauthorized, "Unauthorized")
			}
			return h(r)
		})
	}
}

// open adds a route that everybody may use.
func (s *Server) open(pattern string, h func(*http.Request) reply) {
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { write(w, h(r)) })
}

// ServeHTTP answers a request as amoCRM would.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if strings.HasPrefix(r.URL.Path, "/sim/") || r.URL.Path == "/oauth" {
		s.mux.ServeHTTP(w, r)
		return
	}
	_, pattern := s.mux.Handler(r)
	fault, limited := s.arrive(r, pattern)
	if limited != 0 {
		write(w, problem(limited, http.StatusText(limited)))
		return
	}
	if fault != nil && fault.strike(w, r) {
		return
	}
	if to := s.movedTo(r); to != "" {
		http.Redirect(w, r, "https://"+to+r.URL.RequestURI(), http.StatusMovedPermanently)
		return
	}
	if pattern == "" {
		write(w, problem(http.StatusNotFound, "Not Found"))
		return
	}
	s.mux.ServeHTTP(w, r)
}

// arrive counts a request, and says how it is to be spoilt and by which status it
// is turned away, 0: by none.
func (s *Server) arrive(r *http.Request, pattern string) (*Fault, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests[pattern]++
	if status := s.limit.arrive(&s.o, time.Now()); status != 0 {
		return nil, status
	}
	return s.nextFault(r), 0
}

// Move has the account be found at another host from now on; at every other it answers
// with redirects, but for the questions where it is and for tokens.
func (s *Server) Move(host string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.moved = host
}

func (s *Server) movedTo(r *http.Request) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.moved == "" || r.Host == s.moved || strings.HasPrefix(r.URL.Path, "/oauth2/") {
		return ""
	}
	return s.moved
}

// Requests tells how many requests came for a route such as "GET /api/v4/contacts".
func (s *Server) Requests(route string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests[route]
}

func write(w http.ResponseWriter, r reply) {
	if r.body == nil {
		w.WriteHeader(r.status)
		return
	}
	kind := "application/hal+json"
	if r.status >= 400 {
		kind = "application/problem+json"
	}
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(r.status)
	_ = json.NewEncoder(w).Encode(r.body) // whoever asked may be gone
}

// problem is an error in amoCRM's form.
func problem(status int, detail string) reply {
	return reply{status, obj{"title": http.StatusText(status), "type": fmt.Sprintf("https://httpstatus.es/%d", status), "status": status, "detail": detail}}
}

// items reads an array of objects, at most as many as amoCRM takes at once.
func items(r *http.Request) ([]json.RawMessage, *reply) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		p := problem(http.StatusRequestEntityTooLarge, "Request body cannot be read")
		return nil, &p
	}
	var all []json.RawMessage
	if json.Unmarshal(body, &all) != nil || len(all) == 0 || len(all) > maxPage {
		p := problem(http.StatusBadRequest, "Request body must be an array of 1 to 250 objects")
		return nil, &p
	}
	return all, nil
}

// maxPage is how many entities a list or a batch has at most, usualPage how many when
// nothing is said.
const (
	maxPage   = 250
	usualPage = 50
)

// page cuts a page out of a list: 204 when there is nothing on it.
func page[T any](r *http.Request, name string, all []T) reply {
	q := r.URL.Query()
	number, limit := atLeast(q.Get("page"), 1), min(atLeast(q.Get("limit"), usualPage), maxPage)
	start := (number - 1) * limit
	if number > 1<<20 || start >= len(all) {
		return reply{http.StatusNoContent, nil}
	}
	to := func(number int) link {
		q.Set("page", strconv.Itoa(number))
		return link{r.URL.Path + "?" + q.Encode()}
	}
	l := links{"self": to(number)}
	end := min(start+limit, len(all))
	if end < len(all) {
		l["next"] = to(number + 1)
	}
	if number > 1 {
		l["prev"] = to(number - 1)
	}
	return reply{http.StatusOK, obj{"_page": number, "_links": l, "_embedded": obj{name: all[start:end]}}}
}

// atLeast reads a number of at least 1.
func atLeast(text string, usual int) int {
	if n, err := strconv.Atoi(text); err == nil && n >= 1 {
		return n
	}
	return usual
}
