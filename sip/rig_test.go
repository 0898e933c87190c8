package sip

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	msg "github.com/emiago/sipgo/sip"
	"github.com/icholy/digest"
	"github.com/prometheus/client_golang/prometheus"

	"vpbx/internal/simnet"
	"vpbx/pbx"
)

const (
	rigIP   = "192.0.2.1"
	rigAddr = rigIP + ":5060"
)

// rig is a server on a network in memory. It must be made inside a bubble.
type rig struct {
	t       *testing.T
	net     *simnet.Net
	host    *simnet.Host
	s       *Server
	metrics *prometheus.Registry
	log     *bytes.Buffer
	dir     *pbx.Directory

	mu   sync.Mutex
	news []Registration
	legs []*Leg
}

func hexMD5(s string) string    { d := md5.Sum([]byte(s)); return hex.EncodeToString(d[:]) }
func hexSHA256(s string) string { d := sha256.Sum256([]byte(s)); return hex.EncodeToString(d[:]) }

func rigExtension(number, domain, password string) *pbx.Extension {
	a := number + ":" + domain + ":" + password
	return &pbx.Extension{Number: number, HA1MD5: hexMD5(a), HA1SHA256: hexSHA256(a)}
}

// rigCompany has the extensions 101 and 102 with the passwords secret101 and
// secret102, and a trunk from a whole network that it shares with others.
func rigCompany(id, number string) *pbx.Company {
	domain := id + ".test"
	return &pbx.Company{
		Tenant: pbx.Tenant{ID: pbx.TenantID(id), Domain: domain, Country: "RU"},
		Extensions: map[string]*pbx.Extension{
			"101": rigExtension("101", domain, "secret101"),
			"102": rigExtension("102", domain, "secret102"),
		},
		Trunks:  []*pbx.Trunk{{Name: "carrier", Host: "198.51.100.1", Transport: "udp", From: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}}},
		Numbers: map[string]*pbx.Number{number: {Number: number, Trunk: "carrier"}},
	}
}

// newRig starts a server; change may alter its configuration first.
func newRig(t *testing.T, change func(*Config)) *rig {
	t.Helper()
	r := &rig{t: t, net: simnet.New(simnet.Options{}), metrics: prometheus.NewRegistry(), log: &bytes.Buffer{}}
	r.host = r.net.Host(rigIP)
	r.dir = pbx.NewDirectory([]*pbx.Company{rigCompany("acme", "+74950000001"), rigCompany("beta", "+74950000002")})
	r.s = r.boot(change)
	t.Cleanup(func() {
		r.s.Close()
		r.net.Close()
	})
	return r
}

// boot makes and starts a server on the machine of the rig.
func (r *rig) boot(change func(*Config)) *Server {
	r.t.Helper()
	cfg := Config{
		Listen:       []Listen{{"udp", rigAddr}, {"tcp", rigAddr}},
		ListenPacket: r.host.ListenPacket, ListenTCP: r.host.Listen, Dial: r.host.Dial, LocalFor: r.host.LocalFor,
		Directory: func() *pbx.Directory { return r.dir },
		Accept: func(l *Leg) {
			r.mu.Lock()
			r.legs = append(r.legs, l)
			r.mu.Unlock()
			l.Own(make(chan any, 64), nil)
			l.Reject(pbx.NewCause(pbx.PartyCallee, pbx.Busy))
		},
		Publish: func(n Registration) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.news = append(r.news, n)
		},
		Log: slog.New(slog.NewTextHandler(&lockedWriter{w: r.log}, nil)), Metrics: r.metrics,
	}
	if change != nil {
		change(&cfg)
	}
	s, err := New(cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		r.t.Fatal(err)
	}
	return s
}

type lockedWriter struct {
	mu sync.Mutex
	w  *bytes.Buffer
}

func (l *lockedWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

// events gives what was published since the last call, in words.
func (r *rig) events() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var l []string
	for _, n := range r.news {
		l = append(l, n.Event+" "+n.Extension)
	}
	r.news = nil
	return strings.Join(l, ", ")
}

// accepted gives the legs made since the last call.
func (r *rig) accepted() []*Leg {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.legs
	r.legs = nil
	return l
}

// metric gives the sum of the values of a metric whose labels have all values
// given.
func (r *rig) metric(name string, labels ...string) float64 {
	r.t.Helper()
	families, err := r.metrics.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	var sum float64
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
	next:
		for _, m := range f.GetMetric() {
			for _, want := range labels {
				found := false
				for _, l := range m.GetLabel() {
					found = found || l.GetValue() == want
				}
				if !found {
					continue next
				}
			}
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return sum
}

// raw is a peer that says exactly what the test says.
type raw struct {
	t    *testing.T
	conn net.PacketConn
	addr string
	seq  int
	id   string
	tag  string
}

// raw makes a peer at an address; port 5060.
func (r *rig) raw(ip string) *raw { return newRaw(r.t, r.net.Host(ip), ip, 5060) }

func newRaw(t *testing.T, h *simnet.Host, ip string, port int) *raw {
	t.Helper()
	addr := netip.AddrPortFrom(netip.MustParseAddr(ip), uint16(port)).String()
	c, err := h.ListenPacket("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &raw{t: t, conn: c, addr: addr, id: "id-" + addr, tag: "tag-" + addr}
}

func (p *raw) send(text string) {
	p.t.Helper()
	to := net.UDPAddrFromAddrPort(netip.MustParseAddrPort(rigAddr))
	if _, err := p.conn.WriteTo([]byte(text), to); err != nil {
		p.t.Fatal(err)
	}
}

// receive gives the next message, nil when none comes within d.
func (p *raw) receive(d time.Duration) msg.Message {
	p.t.Helper()
	if err := p.conn.SetReadDeadline(time.Now().Add(d)); err != nil {
		p.t.Fatal(err)
	}
	b := make([]byte, 65536)
	n, _, err := p.conn.ReadFrom(b)
	if err != nil {
		return nil
	}
	m, err := msg.ParseMessage(bytes.Clone(b[:n]))
	if err != nil {
		p.t.Fatalf("received what cannot be parsed: %v\n%s", err, b[:n])
	}
	return m
}

// final gives the next final response, nil when none comes in a second.
func (p *raw) final() *msg.Response {
	p.t.Helper()
	for {
		m := p.receive(time.Second)
		if m == nil {
			return nil
		}
		if res, ok := m.(*msg.Response); ok && res.StatusCode >= 200 {
			return res
		}
	}
}

// status is final's code, 0 for silence.
func (p *raw) status() int {
	if res := p.final(); res != nil {
		return res.StatusCode
	}
	return 0
}

// request writes a request with the headers every one has; further headers may
// replace those by name.
func (p *raw) request(method, uri, from, to string, headers ...string) string {
	p.seq++
	lines := []string{
		"Via: SIP/2.0/UDP " + p.addr + ";branch=z9hG4bK" + p.tag + strconv.Itoa(p.seq) + ";rport",
		"Max-Forwards: 70",
		"From: <" + from + ">;tag=" + p.tag,
		"To: <" + to + ">",
		"Call-ID: " + p.id,
		fmt.Sprintf("CSeq: %d %s", p.seq, method),
	}
	body := ""
	for _, h := range headers {
		if b, ok := strings.CutPrefix(h, "\r\n"); ok {
			body = b
			continue
		}
		name, _, _ := strings.Cut(h, ":")
		replaced := false
		for i, l := range lines {
			if strings.HasPrefix(l, name+":") {
				lines[i], replaced = h, true
			}
		}
		if !replaced {
			lines = append(lines, h)
		}
	}
	return method + " " + uri + " SIP/2.0\r\n" + strings.Join(lines, "\r\n") +
		"\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body
}

// authorization answers a challenge with the implementation of somebody else.
func authorization(t *testing.T, res *msg.Response, algorithm, method, uri, user, password string, count int) string {
	t.Helper()
	for _, h := range res.GetHeaders("WWW-Authenticate") {
		c, err := digest.ParseChallenge(h.Value())
		if err != nil {
			t.Fatal(err)
		}
		if c.Algorithm != algorithm {
			continue
		}
		a, err := digest.Digest(c, digest.Options{Method: method, URI: uri, Username: user, Password: password, Count: count})
		if err != nil {
			t.Fatal(err)
		}
		return "Authorization: " + a.String()
	}
	t.Fatalf("no challenge with %s in %d", algorithm, res.StatusCode)
	return ""
}

const acme = "sip:acme.test"

// register sends a REGISTER, answers the challenge and gives the final
// response.
func (p *raw) register(user, password string, headers ...string) *msg.Response {
	p.t.Helper()
	aor := "sip:" + user + "@acme.test"
	p.send(p.request("REGISTER", acme, aor, aor, headers...))
	res := p.final()
	if res == nil || res.StatusCode != 401 {
		return res
	}
	a := authorization(p.t, res, "SHA-256", "REGISTER", acme, user, password, 1)
	p.send(p.request("REGISTER", acme, aor, aor, append(headers, a)...))
	return p.final()
}

// contacts gives the Contact values of a response.
func contactsOf(res *msg.Response) []string { return values(res, "contact") }

// memory is a BindingStore.
type memory struct {
	mu   sync.Mutex
	rows map[bindingKey]pbx.Binding
	fail error
}

func (m *memory) size() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.rows)
}

func (m *memory) broken(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fail = err
}

func (m *memory) Bindings(context.Context) ([]pbx.Binding, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var l []pbx.Binding
	for _, b := range m.rows {
		l = append(l, b)
	}
	return l, nil
}

func (m *memory) SaveBindings(_ context.Context, put, drop []pbx.Binding) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return m.fail
	}
	if m.rows == nil {
		m.rows = map[bindingKey]pbx.Binding{}
	}
	for _, b := range drop {
		delete(m.rows, keyOf(b))
	}
	for _, b := range put {
		m.rows[keyOf(b)] = b
	}
	return nil
}

func newRegistry() *prometheus.Registry { return prometheus.NewRegistry() }

// requestOf is the message as a request.
func requestOf(t *testing.T, m msg.Message) *msg.Request {
	t.Helper()
	req, ok := m.(*msg.Request)
	if !ok {
		t.Fatalf("got %v, want a request", m)
	}
	return req
}

// answerTo writes the response of a simple-minded phone.
func answerTo(req *msg.Request, code int) string {
	return msg.NewResponseFromRequest(req, code, phrase(code), nil).String()
}

func udpAddr(s string) net.Addr { return net.UDPAddrFromAddrPort(netip.MustParseAddrPort(s)) }
