package rtk

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"

	"vpbx/pbx"
	"vpbx/recordings"
	"vpbx/store"
)

// The keys of the two companies of an office.
const (
	acmeID, acmeKey   = "A0000000000000000000000000000001", "B0000000000000000000000000000002"
	umbraID, umbraKey = "C0000000000000000000000000000003", "D0000000000000000000000000000004"
)

// office is a Server on a real store with the companies acme and umbra.
type office struct {
	*Server
	t     *testing.T
	store *store.Store
	calls *phones
	log   bytes.Buffer
	dir   string
	seen  []Exchange
	deny  error
}

// phones is a call control without phones.
type phones struct {
	mu    sync.Mutex
	calls []pbx.Originate
	live  []pbx.CallInfo
	fail  error
}

func (p *phones) Originate(_ context.Context, o pbx.Originate) (pbx.CallID, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = append(p.calls, o)
	return pbx.CallID(fmt.Sprintf("c%d", len(p.calls))), p.fail
}

func (p *phones) Live(t pbx.TenantID) []pbx.CallInfo {
	var list []pbx.CallInfo
	for _, c := range p.live {
		if c.Tenant == t {
			list = append(list, c)
		}
	}
	return list
}

func companyOf(id pbx.TenantID, client, key string) *pbx.Company {
	return &pbx.Company{
		Tenant: pbx.Tenant{ID: id, Domain: map[pbx.TenantID]string{"acme": "demo.vpbx.test", "umbra": "umbra.vpbx.test"}[id], Zone: "Europe/Moscow", Country: "RU"},
		Extensions: map[string]*pbx.Extension{
			"201": {Number: "201", Name: "Иван Петров"}, "202": {Number: "202", Name: "=1+1"}, "test_user": {Number: "test_user"}},
		CRM: pbx.CRM{Kind: "rtk", URL: "http://crm.test", ClientID: client, SignKey: key},
	}
}

func newOffice(t *testing.T) *office {
	t.Helper()
	o := &office{t: t, calls: &phones{}, dir: t.TempDir()}
	var err error
	if o.store, err = store.Open(t.Context(), store.Options{Dir: t.TempDir(), Node: "n1"}); err != nil {
		t.Fatal(err)
	}
	o.put(companyOf("acme", acmeID, acmeKey))
	o.put(companyOf("umbra", umbraID, umbraKey))
	log := slog.New(slog.NewTextHandler(&o.log, nil))
	if o.Server, err = NewServer(ServerOptions{Directory: o.store.Directory, Calls: o.calls, Records: o.store, Histories: o.store, Dir: o.dir, Log: log,
		Registered: func(_ pbx.TenantID, ext string) bool { return ext != "202" },
		Links:      recordings.NewLinks(o.store, log),
		Exchanges:  func(x Exchange) { o.seen = append(o.seen, x) },
		Allow:      func(*pbx.Company, netip.Addr, bool) error { return o.deny }}); err != nil {
		t.Fatal(err)
	}
	return o
}

func (o *office) close() {
	if err := errors.Join(o.Server.Close(), o.store.Close()); err != nil {
		o.t.Error(err)
	}
}

func (o *office) put(c *pbx.Company) {
	o.t.Helper()
	if err := o.store.UpdateCompany(o.t.Context(), c.ID, func(*pbx.Company) (*pbx.Company, error) { return c, nil }); err != nil {
		o.t.Fatal(err)
	}
}

// raw is one request with those headers.
func (o *office) raw(method, id, sign, body string) *httptest.ResponseRecorder {
	req := httptest.NewRequest("POST", "/rtk/"+method, strings.NewReader(body))
	req.Header.Set(HeaderID, id)
	req.Header.Set(HeaderSign, sign)
	w := httptest.NewRecorder()
	o.ServeHTTP(w, req)
	return w
}

// reply is an answer whose signature was checked.
type reply struct {
	status int
	body   []byte
	fields map[string]any
}

func (r reply) result() string {
	s, _ := r.fields["result"].(string) // "" when it is no string
	return s
}

// ask is a signed request of acme, askAs of another.
func (o *office) ask(method, body string) reply { return o.askAs(acmeID, acmeKey, method, body) }

func (o *office) askAs(id, key, method, body string) reply {
	o.t.Helper()
	w := o.raw(method, id, Sign(id, key, []byte(body)), body)
	r := reply{status: w.Code, body: w.Body.Bytes()}
	if w.Header().Get(HeaderID) != id || !Verify(id, key, r.body, w.Header().Get(HeaderSign)) {
		o.t.Errorf("%s: an answer that is not signed: %d %s", method, w.Code, r.body)
	}
	if strings.HasPrefix(w.Header().Get("Content-Type"), "application/json") {
		if err := json.Unmarshal(r.body, &r.fields); err != nil {
			o.t.Errorf("%s: %v in %s", method, err, r.body)
		}
	}
	return r
}

func (o *office) want(method, body string, status int, result string) reply {
	o.t.Helper()
	r := o.ask(method, body)
	if r.status != status || r.result() != result {
		o.t.Errorf("%s %.80s: %d %s, want %d result %s", method, body, r.status, r.body, status, result)
	}
	return r
}

// vectors are the golden signatures: bodies of acme, and what they ask for.
var vectors = []struct{ id, key, body, sign string }{
	{"000003C405E6525C64C184258C44EC99", "00000716ABDA6D4DFF10F82BCBBFC532", `{"request_number": "+74951234567","from_sipuri": "test_user@cloudpbx.rt.ru"}`,
		"fc95a524342dc68df90f7488e6d821c5a8a3b667d585490b50ebf939f1202c36"},
	{acmeID, acmeKey, `{"session_id":"7f9c24e8-3b12-4c55-9f0a-0d7b6a5e1c11"}`, "3d45bb7ff9c0771f6eda0a4b938c4ef2989be4f2f849ee213e9563fb0284061a"},
	{acmeID, acmeKey, `{"domain":"demo.vpbx.test"}`, "a64097aeeaa59c9cd0cc2a3fa6151b0e8f20ea14c5cd1a347074cb2ed2c701f0"},
	{acmeID, acmeKey, `{"request_number":"+79990000001","from_pin":"201","domain":"demo.vpbx.test"}`, "18c12bc0c14f9997a24debda942b7b0f2856c40153f43aab1d6e5be414888ebe"},
	{acmeID, acmeKey, `{"displayName":"Иван Петров","PIN":"201","result":0,"resultMessage":"OK"}`, "a7352d9cf54fd5ca9472fbdbacf0e8dbfd4d924b126ec3a70301a078671fc4a4"},
	{acmeID, acmeKey, ``, "1c5aedea814af084c6d021c99d77745d888471cff8be73f5c165610d5e48e256"},
}

// TestR01Signature: each golden vector is let in; with one byte flipped anywhere, of
// the body, the signature or the id, it is 401 and nothing happens.
func TestR01Signature(t *testing.T) {
	o := newOffice(t)
	defer o.close()
	vendor := companyOf("acme", vectors[0].id, vectors[0].key)
	vendor.ID, vendor.Domain = "vendor", "cloudpbx.rt.ru"
	o.put(vendor)
	for i, v := range vectors {
		w := o.raw("users_info", v.id, v.sign, v.body)
		if w.Code != 200 {
			t.Errorf("vector %d: %d %s", i, w.Code, w.Body)
		}
		flip := func(s string, n int) string { b := []byte(s); b[n] ^= 1; return string(b) }
		for n := range v.body {
			if w := o.raw("call_back", v.id, v.sign, flip(v.body, n)); w.Code != 401 {
				t.Fatalf("vector %d with byte %d flipped: %d", i, n, w.Code)
			}
		}
		for n := range v.sign {
			if w := o.raw("call_back", v.id, flip(v.sign, n), v.body); w.Code != 401 {
				t.Fatalf("vector %d with byte %d of the signature flipped: %d", i, n, w.Code)
			}
		}
		for n := range v.id {
			if w := o.raw("call_back", flip(v.id, n), v.sign, v.body); w.Code != 401 {
				t.Fatalf("vector %d with byte %d of the id flipped: %d", i, n, w.Code)
			}
		}
	}
	if len(o.calls.calls) > 0 {
		t.Errorf("calls were begun: %+v", o.calls.calls)
	}
	if w := o.raw("call_back", acmeID, strings.ToUpper(vectors[3].sign), vectors[3].body); w.Code != 401 {
		t.Errorf("upper case: %d", w.Code)
	}
}

// TestR02RawBody: the same JSON, spaced anew, has another signature.
func TestR02RawBody(t *testing.T) {
	o := newOffice(t)
	defer o.close()
	v := vectors[3]
	for _, body := range []string{strings.ReplaceAll(v.body, ":", ": "), v.body + "\n", " " + v.body, strings.ReplaceAll(v.body, "+", "\\u002b")} {
		if w := o.raw("call_back", v.id, v.sign, body); w.Code != 401 {
			t.Errorf("%s: %d", body, w.Code)
		}
	}
	if len(o.calls.calls) > 0 {
		t.Error("a call was begun")
	}
	if w := o.raw("call_back", v.id, v.sign, v.body); w.Code != 200 || len(o.calls.calls) != 1 {
		t.Errorf("as it was signed: %d %s", w.Code, w.Body)
	}
}

// TestR03Cyrillic: a body is UTF-8; in code page 1251 it is signed by the same rule and
// refused as text.
func TestR03Cyrillic(t *testing.T) {
	o := newOffice(t)
	defer o.close()
	if w := o.raw("users_info", vectors[4].id, vectors[4].sign, vectors[4].body); w.Code != 200 {
		t.Errorf("the vector: %d %s", w.Code, w.Body)
	}
	o.want("users_info", "{\"domain\":\"\xc8\xe2\xe0\xed\"}", 400, "-1")
	o.want("users_info", "\xef\xbb\xbf{\"domain\":\"demo.vpbx.test\"} \r\n", 200, "0")
}

// TestR04UnknownClient: whoever is not known, has no id, or does not sign, gets the same
// answer, byte for byte, which is not signed.
func TestR04UnknownClient(t *testing.T) {
	o := newOffice(t)
	defer o.close()
	body := vectors[3].body
	var answers []string
	for _, c := range []struct{ id, sign string }{
		{"F0000000000000000000000000000009", Sign("F0000000000000000000000000000009", acmeKey, []byte(body))},
		{"", Sign("", acmeKey, []byte(body))}, {"", ""}, {acmeID, ""}, {acmeID, vectors[2].sign}, {strings.ToLower(acmeID), vectors[3].sign},
		{umbraID, vectors[3].sign}, {umbraID, Sign(umbraID, acmeKey, []byte(body))}, {acmeID + ";", vectors[3].sign},
		{"F0000000000000000000000000000009", Sign("F0000000000000000000000000000009", "00000000000000000000000000000000", []byte(body))},
	} {
		w := o.raw("call_back", c.id, c.sign, body)
		if w.Header().Get(HeaderID)+w.Header().Get(HeaderSign) != "" {
			t.Errorf("the answer to a stranger is signed")
		}
		answers = append(answers, fmt.Sprint(w.Code, w.Header(), w.Body))
	}
	for _, a := range answers {
		if a != answers[0] || !strings.HasPrefix(a, "401") {
			t.Errorf("%s, and %s", a, answers[0])
		}
	}
	if len(o.calls.calls) > 0 {
		t.Error("a stranger was listened to")
	}
	for _, x := range o.seen { // so that who debugs sees why
		if x.Status != 401 || x.Err == nil || x.Request != nil || x.Header != nil {
			t.Errorf("a stranger was listened to: %+v", x)
		}
	}
}

// TestR05Refused: a company that has turned the API off, one that is not allowed, a
// domain of another company.
func TestR05Refused(t *testing.T) {
	o := newOffice(t)
	defer o.close()
	for _, method := range Methods() {
		o.want(method, `{"domain":"umbra.vpbx.test","from_pin":"201","request_number":"+79990000001","session_id":"x","order_id":"x"}`, 403, "-3")
	}
	o.want("call_back", `{"from_sipuri":"201@umbra.vpbx.test","request_number":"+79990000001"}`, 403, "-3")
	o.deny = &pbx.Error{Kind: pbx.Denied, Msg: "not from this address"}
	if r := o.want("call_back", vectors[3].body, 403, "-10"); r.fields["resultMessage"] != "not from this address" {
		t.Errorf("%s", r.body)
	}
	o.deny = errors.New("secret of ours")
	if r := o.want("call_back", vectors[3].body, 403, "-10"); bytes.Contains(r.body, []byte("secret")) {
		t.Errorf("%s", r.body)
	}
	o.deny = nil
	off := companyOf("acme", acmeID, acmeKey)
	off.CRM.RTK = &pbx.RTK{Off: true}
	o.put(off)
	o.want("call_back", vectors[3].body, 403, "-9")
	none := companyOf("acme", acmeID, acmeKey)
	none.CRM.Kind = "webhook"
	o.put(none)
	if w := o.raw("call_back", acmeID, vectors[3].sign, vectors[3].body); w.Code != 401 {
		t.Errorf("a company with another CRM: %d", w.Code)
	}
	if len(o.calls.calls) > 0 {
		t.Error("a call was begun")
	}
}

// TestDomainChoosesCompany: one client id and key for several domains; the domain of
// the request says which. The id of another company with a key of one's own does
// neither any good.
func TestDomainChoosesCompany(t *testing.T) {
	o := newOffice(t)
	defer o.close()
	o.put(companyOf("umbra", acmeID, acmeKey))
	for domain, tenant := range map[string]pbx.TenantID{"demo.vpbx.test": "acme", "UMBRA.vpbx.test": "umbra"} {
		o.want("call_back", `{"from_pin":"201","request_number":"+79990000001","domain":"`+domain+`"}`, 200, "0")
		if got := o.calls.calls[len(o.calls.calls)-1].Tenant; got != tenant {
			t.Errorf("%s: %s", domain, got)
		}
	}
	o.want("users_info", `{"domain":"third.test"}`, 403, "-3")
	o.put(companyOf("umbra", acmeID, umbraKey))
	o.want("users_info", `{}`, 200, "0")
	if r := o.askAs(acmeID, umbraKey, "users_info", `{"domain":"demo.vpbx.test"}`); r.status != 403 {
		t.Errorf("with a key of its own: %d", r.status)
	}
}

// TestBadRequests: what is no request, and what cannot be done.
func TestBadRequests(t *testing.T) {
	o := newOffice(t)
	defer o.close()
	for _, c := range []struct {
		method, body string
		status       int
		result       string
	}{
		{"nonsense", `{}`, 404, "-8"}, {"", `{}`, 404, "-8"}, {"CALL_BACK", `{}`, 404, "-8"},
		{"users_info", `{`, 400, "-1"}, {"users_info", `[]`, 400, "-1"}, {"users_info", `"x"`, 400, "-1"}, {"users_info", `null`, 400, "-1"},
		{"users_info", `{} {}`, 400, "-1"}, {"users_info", `{"domain":{}}`, 400, "-1"}, {"users_info", `{"domain":[1]}`, 400, "-1"},
		{"users_info", `{"domain":true}`, 400, "-1"}, {"users_info", strings.Repeat(`{"a":`, 12000), 400, "-1"},
		{"users_info", `{"domain":null,"user_pin":null}`, 200, "0"}, {"users_info", ``, 200, "0"},
		{"users_info", `{"user_pin":"999"}`, 200, "-4"},
		{"call_back", `{"from_pin":"999","request_number":"+79990000001"}`, 200, "-4"},
		{"call_back", `{"from_sipuri":"nonsense","request_number":"+79990000001"}`, 400, "-1"},
		{"call_back", `{"from_sipuri":"sip:201@demo.vpbx.test","from_pin":"202","request_number":"+79990000001"}`, 400, "-1"},
		{"call_back", `{"from_pin":"201","request_number":"sip:+7999\r\n"}`, 400, "-1"},
		{"call_info", `{"session_id":"` + strings.Repeat("a", 65) + `"}`, 400, "-1"}, {"call_info", `{}`, 400, "-1"},
		{"call_info", `{"session_id":"' OR 1=1 --"}`, 200, "-5"},
		{"get_record", `{"session_id":"x","ip_adress":"10.0.0.1","ip_address":"10.0.0.2"}`, 400, "-1"},
		{"get_record", `{"session_id":"x","ip_adress":"fe80::1%eth0"}`, 400, "-1"},
		{"domain_call_history", `{"date_start":"1e3","date_end":"2"}`, 400, "-1"},
		{"domain_call_history", `{"date_start":"999999999999999999","date_end":"9999999999999999999"}`, 400, "-1"},
		{"domain_call_history", `{"date_start":1,"date_end":2,"phone_number":"x;y"}`, 400, "-1"},
		{"user_calls_charges", `{"date_start":1,"date_end":999999999}`, 400, "-1"},
		{"user_calls_charges", `{"date_start":1,"date_end":99,"user_pin":"7"}`, 200, "-4"},
	} {
		o.want(c.method, c.body, c.status, c.result)
	}
	w := o.raw("users_info", acmeID, "", strings.Repeat("a", maxRequest+1))
	if w.Code != 413 {
		t.Errorf("too long: %d", w.Code)
	}
	if len(o.calls.calls) > 0 {
		t.Error("a call was begun")
	}
	o.calls.fail = &pbx.Error{Kind: pbx.Unavailable, Msg: "the PBX takes no more calls"}
	o.want("call_back", vectors[3].body, 200, "-20")
	o.calls.fail = errors.New("secret of ours")
	if r := o.want("call_back", vectors[3].body, 500, "-99"); bytes.Contains(r.body, []byte("secret")) {
		t.Errorf("%s", r.body)
	}
}

// TestRateLimit: a company that asks too often is told so; others are not touched.
func TestRateLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		defer o.close()
		for range askBurst {
			o.want("users_info", `{}`, 200, "0")
		}
		o.want("users_info", `{}`, 429, "-11")
		if r := o.askAs(umbraID, umbraKey, "users_info", `{}`); r.status != 200 {
			t.Errorf("umbra: %d", r.status)
		}
		time.Sleep(time.Second)
		o.want("users_info", `{}`, 200, "0")
	})
}

// TestForgedFlood: who knows the client id of a company can neither fill its log nor use
// up its requests.
func TestForgedFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		defer o.close()
		for range 10 * askBurst {
			if w := o.raw("test/users_info", acmeID, "forged", `{}`); w.Code != 401 {
				t.Fatalf("status %d", w.Code)
			}
		}
		if len(o.seen) != forgeBurst {
			t.Errorf("%d forged requests are told of, want %d", len(o.seen), forgeBurst)
		}
		o.want("users_info", `{}`, 200, "0")
		time.Sleep(time.Second)
		o.raw("test/users_info", acmeID, "forged", `{}`)
		if len(o.seen) != forgeBurst+2 {
			t.Errorf("%d exchanges a second later", len(o.seen))
		}
	})
}

// TestHistoryOfRemoved: the files of a company that was removed go.
func TestHistoryOfRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		defer o.close()
		o.Start()
		for id, key := range map[string]string{acmeID: acmeKey, umbraID: umbraKey} {
			if r := o.askAs(id, key, "domain_call_history", `{"date_start":1,"date_end":99}`); r.result() != "0" {
				t.Fatalf("%s", r.body)
			}
		}
		time.Sleep(time.Minute)
		if err := o.store.UpdateCompany(t.Context(), "acme", func(*pbx.Company) (*pbx.Company, error) { return nil, nil }); err != nil {
			t.Fatal(err)
		}
		time.Sleep(historySweep)
		synctest.Wait()
		for tenant, want := range map[string]int{"acme": 0, "umbra": 1} {
			if left, err := os.ReadDir(filepath.Join(o.dir, tenant)); err != nil || len(left) != want {
				t.Errorf("%s: %d files, want %d, %v", tenant, len(left), want, err)
			}
		}
	})
}

// slowRecords are records that answer when they are told to.
type slowRecords struct {
	Records
	asked  chan struct{}
	answer chan struct{}
}

func (s *slowRecords) Calls(ctx context.Context, t pbx.TenantID, q pbx.CallQuery) ([]pbx.CDR, string, error) {
	s.asked <- struct{}{}
	<-s.answer
	return s.Records.Calls(ctx, t, q)
}

// TestChargesAtOnce: the charges of a company are reckoned once at a time.
func TestChargesAtOnce(t *testing.T) {
	o := newOffice(t)
	defer o.close()
	slow := &slowRecords{o.Records, make(chan struct{}), make(chan struct{})}
	o.Server.Records = slow
	const period = `{"date_start":1,"date_end":99}`
	first := make(chan reply, 1)
	go func() { first <- o.ask("user_calls_charges", period) }()
	<-slow.asked
	o.want("user_calls_charges", period, 429, "-11")
	slow.answer <- struct{}{}
	if r := <-first; r.result() != "0" {
		t.Errorf("the first: %s", r.body)
	}
	go func() { <-slow.asked; slow.answer <- struct{}{} }()
	o.want("user_calls_charges", period, 200, "0")
}

// save keeps a call of a company and gives its id.
func (o *office) save(t pbx.TenantID, trace []pbx.CallEvent) pbx.CallID {
	o.t.Helper()
	id := pbx.NewCallID(trace[0].At)
	if err := o.store.SaveCall(o.t.Context(), t, pbx.Summarize(t, id, trace), trace); err != nil {
		o.t.Fatal(err)
	}
	return id
}

// answered is a call from outside that was answered and recorded.
func answered(at time.Time, from, to, by string) []pbx.CallEvent {
	r := &pbx.Recording{ID: pbx.NewRecordingID(at), Seconds: 5}
	cause := pbx.NewCause(pbx.PartyCaller, pbx.Hangup)
	return []pbx.CallEvent{
		{At: at, Kind: pbx.Arrived, Direction: pbx.In, From: from, To: to, Who: from, Leg: "a", Trunk: "t"},
		{At: at, Kind: pbx.Dialled, Who: by, Leg: "b"},
		{At: at.Add(time.Second), Kind: pbx.Answered, Who: by, Leg: "b"},
		{At: at.Add(time.Second), Kind: pbx.Bridged, Who: by, Leg: "b"},
		{At: at.Add(6 * time.Second), Kind: pbx.Unbridged, Who: by, Leg: "b"},
		{At: at.Add(6 * time.Second), Kind: pbx.RecordEnd, Recording: r},
		{At: at.Add(6 * time.Second), Kind: pbx.Ended, Cause: &cause},
	}
}

// TestOtherCompany: the sessions and orders of another company are those of nobody.
func TestOtherCompany(t *testing.T) {
	o := newOffice(t)
	defer o.close()
	now := time.Now().Add(-time.Hour)
	id := o.save("umbra", answered(now, "+79160000001", "+74950000000", "201"))
	o.calls.live = []pbx.CallInfo{{ID: "live", Tenant: "umbra"}}
	order := o.askAs(umbraID, umbraKey, "domain_call_history", `{"date_start":1,"date_end":9}`)
	for method, body := range map[string]string{
		"call_info": `{"session_id":"%s"}`, "get_record": `{"session_id":"%s"}`,
	} {
		theirs, nobodys, live := o.ask(method, fmt.Sprintf(body, id)), o.ask(method, fmt.Sprintf(body, "nobodys")), o.ask(method, fmt.Sprintf(body, "live"))
		if theirs.result() != "-5" || !bytes.Equal(theirs.body, nobodys.body) || !bytes.Equal(theirs.body, live.body) {
			t.Errorf("%s: %s, %s, %s", method, theirs.body, nobodys.body, live.body)
		}
	}
	theirs, nobodys := o.ask("download_call_history", fmt.Sprintf(`{"order_id":"%s"}`, order.fields["order_id"])), o.ask("download_call_history", `{"order_id":"1"}`)
	if theirs.status != 404 || !bytes.Equal(theirs.body, nobodys.body) {
		t.Errorf("order: %d %s, %s", theirs.status, theirs.body, nobodys.body)
	}
	if r := o.askAs(umbraID, umbraKey, "call_info", fmt.Sprintf(`{"session_id":"%s"}`, id)); r.result() != "0" {
		t.Errorf("its own: %s", r.body)
	}
	if r := o.askAs(umbraID, umbraKey, "get_record", fmt.Sprintf(`{"session_id":"%s"}`, id)); r.result() != "0" || !strings.HasPrefix(fmt.Sprint(r.fields["url"]), "http://example.com/records/") {
		t.Errorf("its own: %s", r.body)
	}
}

// TestR12Voicemail: a message is not accepted by anybody, and says so.
func TestR12Voicemail(t *testing.T) {
	at := time.Unix(1800000000, 0)
	c := pbx.Summarize("acme", "c1", answered(at, "+79160000001", "+74950000000", "201")[:1])
	c.Outcome, c.Recordings = pbx.OutcomeVoicemail, []pbx.Recording{{ID: "r1", Seconds: 9}}
	i := infoOf("demo.vpbx.test", &c)
	if i.State != 2 || !i.Voicemail || !i.Record || i.AnsweringPIN != nil || i.AnsweringURI != nil || i.Duration != 0 || i.Start != "1800000000" || i.FromPIN != nil {
		t.Errorf("%+v", i)
	}
}

// TestR12Types: the fields of call_info have the types of the vendor.
func TestR12Types(t *testing.T) {
	o := newOffice(t)
	defer o.close()
	id := o.save("acme", answered(time.Now().Add(-time.Hour), "+79160000001", "+74950000000", "201"))
	info, _ := o.want("call_info", fmt.Sprintf(`{"session_id":"%s"}`, id), 200, "0").fields["info"].(map[string]any)
	for name, kind := range map[string]string{"call_type": "float64", "direction": "float64", "state": "float64", "orig_number": "string", "orig_pin": "<nil>",
		"dest_number": "string", "answering_sipuri": "string", "answering_pin": "string", "start_call_date": "string", "duration": "float64",
		"session_log": "string", "is_voicemail": "bool", "is_record": "bool", "is_fax": "bool", "status_code": "string", "status_string": "string"} {
		if v, there := info[name]; !there || fmt.Sprintf("%T", v) != kind {
			t.Errorf("%s is %T, want %s", name, v, kind)
		}
	}
	if len(info) != 16 || info["session_log"] != "0:ct:201;1:cc:201;" {
		t.Errorf("%+v", info)
	}
}

// TestR27ResultType: we write the result as a string, whatever it is; of CRMs both forms
// are read.
func TestR27ResultType(t *testing.T) {
	o := newOffice(t)
	defer o.close()
	for _, method := range append(Methods(), "nonsense") {
		for _, body := range []string{`{}`, `{`, `{"session_id":"x","order_id":"x","date_start":1,"date_end":2,"from_pin":"201","request_number":"112"}`} {
			r := o.ask(method, body)
			if s := r.result(); !regexp.MustCompile(`^(0|-[0-9]+)$`).MatchString(s) || r.fields["resultMessage"] == "" {
				t.Errorf("%s %s: %s", method, body, r.body)
			}
		}
	}
	for _, body := range []string{`{"result":0,"PIN":"201"}`, `{"result":"0","PIN":201}`} {
		if c, err := parseAnswer([]byte(body)); err != nil || c.Owner != "201" {
			t.Errorf("%s: %+v, %v", body, c, err)
		}
	}
}

// file unpacks a history.
func (o *office) file(r reply) [][]string {
	o.t.Helper()
	var text io.Reader
	comma := ';'
	if z, err := zip.NewReader(bytes.NewReader(r.body), int64(len(r.body))); err == nil {
		f, err := z.File[0].Open()
		if err != nil {
			o.t.Fatal(err)
		}
		text = f
	} else if g, err := gzip.NewReader(bytes.NewReader(r.body)); err == nil {
		text, comma = g, ','
	} else {
		o.t.Fatalf("%d %s", r.status, r.body)
	}
	c := csv.NewReader(text)
	c.Comma = comma
	rows, err := c.ReadAll()
	if err != nil {
		o.t.Fatal(err)
	}
	return rows
}

// TestHistoryHarmless: whatever callers call themselves, a table has its 16 columns and
// no formula; 1200 calls are 1200 rows, each once, newest first; a file that a dead
// process has begun does no harm.
func TestHistoryHarmless(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		defer o.close()
		hostile := []string{"=HYPERLINK(\"http://evil\")", "@SUM(1)", "-1+1", "+79160000001", "a;b,c\"d\r\ne", "'", "\u202egnp", "\t=1", strings.Repeat("9", 300)}
		began := time.Now()
		ids := map[string]bool{}
		for n := range 1200 {
			from := hostile[n%len(hostile)]
			ids[string(o.save("acme", answered(began.Add(time.Duration(n)*time.Second), from, from, "=1+1")))] = true
		}
		time.Sleep(time.Hour)
		order := o.want("domain_call_history", fmt.Sprintf(`{"date_start":%d,"date_end":"%d"}`, began.Unix(), time.Now().Unix()), 200, "0").fields["order_id"].(string)
		if err := os.MkdirAll(filepath.Join(o.dir, "acme"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(o.dir, "acme", order+".part"), bytes.Repeat([]byte("x"), 1<<20), 0o600); err != nil {
			t.Fatal(err)
		}
		body := `{"order_id":"` + order + `"}`
		o.want("download_call_history", body, 404, "-31")
		o.Start()
		time.Sleep(time.Minute)
		rows := o.file(o.ask("download_call_history", body))
		if len(rows) != 1201 {
			t.Fatalf("%d rows", len(rows))
		}
		last := int64(1) << 60
		for _, row := range rows[1:] {
			if len(row) != 16 || !ids[row[0]] {
				t.Fatalf("%q", row)
			}
			delete(ids, row[0])
			for _, cell := range row {
				if strings.ContainsAny(cell, "\r\n\u202e") || cell != "" && strings.ContainsRune("=+-@\t", rune(cell[0])) {
					t.Fatalf("%q", cell)
				}
			}
			at, err := strconv.ParseInt(row[9], 10, 64)
			if err != nil || at > last {
				t.Fatalf("%q behind %d", row[9], last)
			}
			last = at
		}
		old := time.Now() // the disk has the time of the world
		if err := os.Chtimes(filepath.Join(o.dir, "acme", order), old, old); err != nil {
			t.Fatal(err)
		}
		time.Sleep(8 * 24 * time.Hour)
		o.want("download_call_history", body, 404, "-32")
		left, err := os.ReadDir(filepath.Join(o.dir, "acme"))
		if err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	})
}

// TestHistoryBounds: a company has ten orders that wait at most, and a disk that fails
// fails the order and not the others.
func TestHistoryBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		defer o.close()
		for n := range 10 {
			o.want("domain_call_history", fmt.Sprintf(`{"date_start":1,"date_end":%d}`, n+2), 200, "0")
		}
		o.want("domain_call_history", `{"date_start":1,"date_end":99}`, 429, "-11")
		if r := o.askAs(umbraID, umbraKey, "domain_call_history", `{"date_start":1,"date_end":99}`); r.result() != "0" {
			t.Errorf("umbra: %s", r.body)
		}
		if err := os.WriteFile(filepath.Join(o.dir, "acme"), nil, 0o600); err != nil { // where its directory should be
			t.Fatal(err)
		}
		o.Start()
		time.Sleep(time.Minute)
		list, _, err := o.store.Deliveries(t.Context(), "acme", pbx.DeliveryQuery{Limit: 100})
		if err != nil || len(list) != 10 || list[0].Notification.Result != 1 {
			t.Fatalf("%d told, %+v, %v", len(list), list, err)
		}
		o.want("download_call_history", `{"order_id":"`+list[0].Notification.Order+`"}`, 404, "-32")
		list, _, err = o.store.Deliveries(t.Context(), "umbra", pbx.DeliveryQuery{})
		if err != nil || len(list) != 1 || list[0].Notification.Result != 0 {
			t.Fatalf("umbra: %+v, %v", list, err)
		}
		theirs := `{"order_id":"` + list[0].Notification.Order + `"}`
		if r := o.askAs(umbraID, umbraKey, "download_call_history", theirs); len(o.file(r)) != 1 {
			t.Errorf("umbra: %d", r.status)
		}
		o.want("domain_call_history", `{"date_start":1,"date_end":2}`, 200, "0") // that one has failed
		again := func() string {
			return o.askAs(umbraID, umbraKey, "domain_call_history", `{"date_start":1,"date_end":99}`).result()
		}
		if got := again(); got != "-30" {
			t.Errorf("the same again: %s", got)
		}
		if err := os.RemoveAll(filepath.Join(o.dir, "umbra")); err != nil {
			t.Fatal(err)
		}
		if r := o.askAs(umbraID, umbraKey, "download_call_history", theirs); r.result() != "-32" {
			t.Errorf("a lost file: %s", r.body)
		}
		if got := again(); got != "0" {
			t.Errorf("again after the file was lost: %s", got)
		}
	})
}

// TestExchanges: what was asked and answered is told, as it went over the wire.
func TestExchanges(t *testing.T) {
	o := newOffice(t)
	defer o.close()
	r := o.ask("users_info", `{"user_pin":"201"}`)
	bad := o.ask("nonsense", `{`)
	if len(o.seen) != 2 {
		t.Fatalf("%+v", o.seen)
	}
	x, y := o.seen[0], o.seen[1]
	if x.Tenant != "acme" || x.Direction != FromCRM || x.Method != "users_info" || x.Mode != Plain || x.Status != 200 || string(x.Request) != `{"user_pin":"201"}` ||
		!bytes.Equal(x.Answer, r.body) || x.From != netip.MustParseAddr("192.0.2.1") || x.At.IsZero() {
		t.Errorf("%+v", x)
	}
	if y.Status != 404 || y.Method != "nonsense" || !bytes.Equal(y.Answer, bad.body) {
		t.Errorf("%+v", y)
	}
	for _, secret := range []string{acmeKey, umbraKey} {
		if strings.Contains(o.log.String(), secret) {
			t.Error("a key is in the log")
		}
	}
}

// FuzzServe: any body of a company that signs gets a signed answer in JSON, and nobody
// else's company is touched.
func FuzzServe(f *testing.F) {
	for _, v := range vectors {
		f.Add("call_back", v.body)
	}
	for _, m := range Methods() {
		f.Add(m, `{"session_id":"x","order_id":"x","date_start":"2026-11-22 10:00:00","date_end":1800000000,"direction":1,"state":"2","from_pin":201,"request_number":"8 800"}`)
	}
	f.Fuzz(func(t *testing.T, method, body string) {
		o := &office{t: t, calls: &phones{}}
		directory := pbx.NewDirectory([]*pbx.Company{companyOf("acme", acmeID, acmeKey), companyOf("umbra", umbraID, umbraKey)})
		o.Server = &Server{ServerOptions: ServerOptions{Directory: func() *pbx.Directory { return directory }, Calls: o.calls, Records: nothing{}, Histories: nothing{},
			Registered: func(pbx.TenantID, string) bool { return true }, Allow: func(*pbx.Company, netip.Addr, bool) error { return nil },
			Exchanges: func(Exchange) {}, Log: slog.New(slog.DiscardHandler)}, rates: map[pbx.TenantID]*rate.Limiter{}}
		m, err := newMetrics(nil)
		if err != nil {
			t.Fatal(err)
		}
		o.metrics, o.exporter = m, &exporter{wake: make(chan struct{}, 1)}
		req := &http.Request{Method: "POST", URL: &url.URL{Path: "/rtk/" + method}, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), RemoteAddr: "192.0.2.1:7"}
		req.Header.Set(HeaderID, acmeID)
		req.Header.Set(HeaderSign, Sign(acmeID, acmeKey, []byte(body)))
		w := httptest.NewRecorder()
		o.ServeHTTP(w, req)
		if len(body) > maxRequest {
			return
		}
		var answer struct {
			Result  string `json:"result"`
			Message string `json:"resultMessage"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || answer.Result == "" || answer.Message == "" {
			t.Fatalf("%d %s: %v", w.Code, w.Body, err)
		}
		if !Verify(acmeID, acmeKey, w.Body.Bytes(), w.Header().Get(HeaderSign)) {
			t.Fatal("not signed")
		}
		for _, c := range o.calls.calls {
			if c.Tenant != "acme" {
				t.Fatalf("%+v", c)
			}
		}
	})
}

// nothing is a store without calls, which takes orders.
type nothing struct{}

var errNothing = &pbx.Error{Kind: pbx.NotFound, Msg: "nothing"}

func (nothing) Calls(context.Context, pbx.TenantID, pbx.CallQuery) ([]pbx.CDR, string, error) {
	return nil, "", nil
}

func (nothing) Call(context.Context, pbx.TenantID, pbx.CallID) (pbx.CDR, []pbx.CallEvent, error) {
	return pbx.CDR{}, nil, errNothing
}

func (nothing) OrderHistory(context.Context, pbx.TenantID, pbx.History) error { return nil }

func (nothing) History(context.Context, pbx.TenantID, string) (pbx.History, error) {
	return pbx.History{}, errNothing
}

func (nothing) NextHistory(context.Context) (pbx.History, error) { return pbx.History{}, errNothing }

func (nothing) FinishHistory(context.Context, pbx.TenantID, pbx.History) error { return nil }

func (nothing) LoseHistory(context.Context, pbx.TenantID, string) error { return nil }

func (nothing) ForgetHistories(context.Context, time.Time) error { return nil }

// FuzzParseTime: a time is of a year that is one, or an error.
func FuzzParseTime(f *testing.F) {
	for _, s := range []string{"2026-11-22 10:00:00", "2026-11-22 10:00:00.123", "1800000000", "1800000000000", "-1", "2026-11-22T10:00:00", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		at, err := parseTime(s)
		if err == nil && (at.Year() < 1970 || at.Year() > 9999 || at.Location() != time.UTC) {
			t.Fatalf("%q: %v", s, at)
		}
	})
}

// TestParseTime: Moscow, seconds or milliseconds.
func TestParseTime(t *testing.T) {
	for text, want := range map[string]string{
		"2026-11-22 10:00:00": "2026-11-22T07:00:00Z", "2026-11-22 10:00:00.5": "2026-11-22T07:00:00.5Z", "2026-11-22T10:00:00": "2026-11-22T07:00:00Z",
		"1800000000": "2027-01-15T08:00:00Z", "1800000000123": "2027-01-15T08:00:00.123Z", "-1": "", "x": "", "2026-11-22": "", "2026-13-22 10:00:00": "", "0000-01-01 00:00:00": "",
	} {
		at, err := parseTime(text)
		got := ""
		if err == nil {
			got = at.Format(time.RFC3339Nano)
		}
		if got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}
