package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"vpbx/events"
	"vpbx/pbx"
	"vpbx/recordings"
	"vpbx/routing"
	"vpbx/sounds"
	"vpbx/speech"
	"vpbx/store"
	"vpbx/tenants"
)

// The tokens of a rig.
const (
	adminToken = "the-admin-token"
	acmeToken  = "the-token-of-acme"
	otherToken = "the-token-of-other"
)

// rig is a Server on a real store with two companies, acme and other.
type rig struct {
	*Server
	t       *testing.T
	store   *store.Store
	live    *liveCalls
	sounds  *recordings.Store
	log     *logBuffer
	ready   atomic.Pointer[error]
	lookups atomic.Int64 // of tokens

	captures atomic.Int64 // that are open
}

// liveCalls is a call control that has calls without phones.
type liveCalls struct {
	mu    sync.Mutex
	calls map[pbx.CallID]pbx.CallInfo
	fail  error
	done  []string // by Control
}

func (l *liveCalls) control(t pbx.TenantID, id pbx.CallID, what string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.calls[id].Tenant != t {
		return &pbx.Error{Kind: pbx.NotFound, Msg: "no such call"}
	}
	l.done = append(l.done, what)
	return nil
}

func (l *liveCalls) Transfer(_ context.Context, t pbx.TenantID, id pbx.CallID, how pbx.Transfer) error {
	return l.control(t, id, fmt.Sprintf("transfer by %q to %q with %q", how.By, how.To, how.With))
}

func (l *liveCalls) Hold(_ context.Context, t pbx.TenantID, id pbx.CallID, by string) error {
	return l.control(t, id, fmt.Sprintf("hold by %q", by))
}

func (l *liveCalls) Resume(_ context.Context, t pbx.TenantID, id pbx.CallID) error {
	return l.control(t, id, "resume")
}

func (l *liveCalls) Press(_ context.Context, t pbx.TenantID, id pbx.CallID, to, digits string) error {
	return l.control(t, id, fmt.Sprintf("press %q to %q", digits, to))
}

func (l *liveCalls) Supervise(_ context.Context, t pbx.TenantID, s pbx.Supervise) (pbx.CallID, error) {
	return "c9", l.control(t, s.Call, fmt.Sprintf("%s by %q to %q", s.Mode, s.From, s.To))
}

func (l *liveCalls) Record(_ context.Context, t pbx.TenantID, id pbx.CallID, o pbx.RecordOrder) error {
	return l.control(t, id, fmt.Sprintf("record %s %v", o.Do, o.For))
}

func (l *liveCalls) Live(t pbx.TenantID) []pbx.CallInfo {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []pbx.CallInfo
	for _, c := range l.calls {
		if c.Tenant == t {
			out = append(out, c)
		}
	}
	return out
}

func (l *liveCalls) Originate(_ context.Context, o pbx.Originate) (pbx.CallID, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.fail != nil:
		return "", l.fail
	case acme().Extensions[o.From] == nil:
		return "", &pbx.Error{Kind: pbx.Invalid, Field: "from", Msg: "not an extension of this company"}
	case pbx.CleanNumber(o.To) == "":
		return "", &pbx.Error{Kind: pbx.Invalid, Field: "to", Msg: "not a number"}
	}
	now := time.Now()
	c := pbx.CallInfo{ID: pbx.NewCallID(now), Tenant: o.Tenant, Direction: pbx.Out, From: o.From, To: o.To, Started: now, State: pbx.Arrived}
	l.calls[c.ID] = c
	return c.ID, nil
}

func (l *liveCalls) Hangup(t pbx.TenantID, id pbx.CallID) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.calls[id].Tenant != t {
		return &pbx.Error{Kind: pbx.NotFound, Msg: "no such call"}
	}
	delete(l.calls, id)
	return nil
}

// Ladder gives one message for each call.
func (l *liveCalls) Ladder(t pbx.TenantID, id pbx.CallID) ([]pbx.Message, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.calls[id].Tenant != t {
		return nil, false
	}
	return []pbx.Message{{At: l.calls[id].Started, Dir: "in", Transport: "udp", From: "192.0.2.7:5060", To: "192.0.2.1:5060",
		Start: "INVITE sip:102@acme.test SIP/2.0", Headers: []string{"Call-ID: 1"}}}, true
}

// logBuffer is a log that tests can read.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// answer is what came back, read whole.
type answer struct {
	*http.Response
	body []byte
}

// ask sends a request through the handler. body is sent as it is when it is a
// string, as JSON when it is something else.
func (r *rig) ask(method, path, token string, body any, header ...string) answer {
	r.t.Helper()
	var in io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		in = strings.NewReader(b)
	default:
		text, err := json.Marshal(b)
		if err != nil {
			r.t.Fatal(err)
		}
		in = bytes.NewReader(text)
	}
	req := httptest.NewRequest(method, path, in)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	r.ServeHTTP(rec, req)
	res := rec.Result()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return answer{res, text}
}

// into decodes the body.
func (a answer) into(t *testing.T, v any) {
	t.Helper()
	if err := json.Unmarshal(a.body, v); err != nil {
		t.Fatalf("decode %q: %v", a.body, err)
	}
}

// want fails the test unless the answer has that status and, for a failure,
// exactly the form of one.
func (a answer) want(t *testing.T, status int) Problem {
	t.Helper()
	if a.StatusCode != status {
		t.Fatalf("status %d, want %d: %s", a.StatusCode, status, a.body)
	}
	if status < 400 {
		return Problem{}
	}
	var f struct {
		Problem *Problem `json:"error"`
	}
	dec := json.NewDecoder(bytes.NewReader(a.body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&f); err != nil || f.Problem == nil {
		t.Fatalf("an error in another form: %s (%v)", a.body, err)
	}
	if ct := a.Header.Get("Content-Type"); ct != "application/json" {
		t.Fatalf("an error as %q", ct)
	}
	if f.Problem.Message == "" || f.Problem.ID == "" || f.Problem.ID != a.Header.Get("X-Request-Id") {
		t.Fatalf("error without message or id: %s", a.body)
	}
	return *f.Problem
}

// acme and other are the companies of a rig.
func acme() *pbx.Company {
	return &pbx.Company{
		Tenant: pbx.Tenant{ID: "acme", Domain: "acme.test", Name: "Acme", Zone: "Europe/Moscow", Country: "RU"},
		Extensions: map[string]*pbx.Extension{
			"101": {Number: "101", Name: "Anna"},
			"102": {Number: "102", Name: "Ivan"},
		},
	}
}

func other() *pbx.Company {
	return &pbx.Company{Tenant: pbx.Tenant{ID: "other", Domain: "other.test", Name: "Other", Zone: "UTC", Country: "RU"}}
}

func newRig(t *testing.T) *rig {
	t.Helper()
	return newRigWith(t, "/nowhere/lame")
}

// newRigWith makes a rig with that MP3 encoder.
func newRigWith(t *testing.T, mp3 string) *rig {
	t.Helper()
	r := &rig{t: t, live: &liveCalls{calls: map[pbx.CallID]pbx.CallInfo{}}, log: &logBuffer{}}
	var err error
	if r.store, err = store.Open(t.Context(), store.Options{Dir: t.TempDir(), Node: "n1"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.check(r.store.Close()) })
	if r.sounds, err = recordings.New(recordings.Options{Dir: t.TempDir(), Cache: t.TempDir(), MP3: mp3, Log: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.check(r.sounds.Close()) })
	for _, c := range []*pbx.Company{acme(), other()} {
		r.check(r.store.UpdateCompany(t.Context(), c.ID, func(*pbx.Company) (*pbx.Company, error) { return c, nil }))
	}
	r.addToken(acmeToken, "acme")
	r.addToken(otherToken, "other")
	log := slog.New(slog.DiscardHandler)
	speaker, err := speech.New(speech.Options{Log: log})
	r.check(err)
	library, err := sounds.New(sounds.Options{Dir: t.TempDir(), Speech: speaker, Log: log})
	r.check(err)
	t.Cleanup(library.Close)
	r.Server, err = New(Config{
		Companies: r.store, Records: r.store, Live: r.live, Control: r.live, Conferences: r.live, Queues: r.live, QueueRecords: r.store, Bus: &events.Bus{},
		Sounds: r.sounds, Keeper: recordings.NewKeeper(r.sounds, r.store, slog.New(slog.DiscardHandler)), Deliveries: r.store, Links: recordings.NewLinks(r.store, slog.New(slog.NewTextHandler(r.log, nil))), Book: r.store, Routes: &routing.Router{Book: r.store, Registered: func(_ pbx.TenantID, ext string) bool { return ext == "101" }}, Tenants: tenants.NewService(r.store), Library: library, Prompts: t.TempDir(), Token: r.token, Admin: HashToken(adminToken),
		Campaigns: &dialling{store: r.store, changed: map[string]int{}}, CampaignRecords: r.store,
		Registrations: r.bindings, Ladder: r.live.Ladder, Capture: r.capture,
		Ready: func() error {
			if err := r.ready.Load(); err != nil {
				return *err
			}
			return nil
		},
		Metrics: prometheus.NewRegistry(),
		Log:     slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.check(r.Server.Close()) })
	return r
}

func (r *rig) check(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) addToken(token string, t pbx.TenantID) {
	r.t.Helper()
	r.check(r.store.AddToken(r.t.Context(), store.Token{Hash: HashToken(token), Name: string(t), Tenant: t, Role: string(RoleTenant), Created: time.Now()}))
}

func (r *rig) token(ctx context.Context, hash string) (Principal, error) {
	r.lookups.Add(1)
	k, err := r.store.Token(ctx, hash)
	return Principal{Name: k.Name, Role: Role(k.Role), Tenant: k.Tenant}, err
}

func (r *rig) bindings(t pbx.TenantID) []pbx.Binding {
	all, err := r.store.Bindings(r.t.Context())
	r.check(err)
	return slices.DeleteFunc(all, func(b pbx.Binding) bool { return b.Tenant != t })
}

func TestHealth(t *testing.T) {
	r := newRig(t)
	r.ask("GET", "/healthz", "", nil).want(t, 200)
	r.ask("GET", "/readyz", "", nil).want(t, 200)
	draining := errors.New("draining: 3 calls left")
	r.ready.Store(&draining)
	if p := r.ask("GET", "/readyz", "", nil).want(t, 503); p.Kind != pbx.Unavailable || p.Message != draining.Error() {
		t.Errorf("readyz said %+v", p)
	}
	r.ask("GET", "/healthz", "", nil).want(t, 200)
	m := r.ask("GET", "/metrics", "", nil)
	m.want(t, 200)
	if !strings.Contains(string(m.body), `vpbx_http_requests_total{code="503",route="GET /readyz"} 1`) {
		t.Errorf("metrics lack the readyz request:\n%s", m.body)
	}
}
