package sip

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"vpbx/internal/simnet"
	"vpbx/pbx"
)

const (
	offerSDP  = "v=0\r\no=- 1 1 IN IP4 10.0.0.2\r\ns=-\r\nc=IN IP4 10.0.0.2\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n"
	answerSDP = "v=0\r\no=- 2 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=audio 5000 RTP/AVP 8\r\n"
	holdSDP   = "v=0\r\no=- 1 2 IN IP4 10.0.0.2\r\ns=-\r\nc=IN IP4 10.0.0.2\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\na=sendonly\r\n"
	pbxAddr   = "10.0.0.1:5060"
	peerAddr  = "10.0.0.2:5060"
)

// legRig is a server on a network in memory, with one raw peer that is a trunk
// of company acme by its address.
type legRig struct {
	t       *testing.T
	net     *simnet.Net
	host    *simnet.Host
	s       *Server
	company *pbx.Company
	peer    *rawPeer
	names   map[string][]netip.Addr
	metrics *prometheus.Registry
	legs    chan *Leg
	events  chan any
	gone    chan struct{}
}

// inBubble runs a test on a fresh rig in a synctest bubble. Whatever goroutine
// is left behind fails the test.
func inBubble(t *testing.T, change func(*Config, *pbx.Company), f func(*legRig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(simnet.Options{Seed: 1})
		host := n.Host("10.0.0.1")
		r := &legRig{t: t, metrics: prometheus.NewRegistry(), net: n, host: host, legs: make(chan *Leg, 16), events: make(chan any, 64), gone: make(chan struct{})}
		r.company = &pbx.Company{
			Tenant:     pbx.Tenant{ID: "acme", Domain: "acme.test", Country: "RU"},
			Extensions: map[string]*pbx.Extension{"101": {Number: "101"}},
			Trunks: []*pbx.Trunk{{
				Name: "carrier", Host: peerAddr, Transport: "udp", Username: "u1", Password: "p1",
				From: []netip.Prefix{netip.MustParsePrefix("10.0.0.2/32")},
			}},
			Numbers: map[string]*pbx.Number{"+74950000000": {Number: "+74950000000", Trunk: "carrier"}},
		}
		dir := pbx.NewDirectory([]*pbx.Company{r.company})
		cfg := Config{
			Listen:       []Listen{{"udp", pbxAddr}, {"tcp", pbxAddr}},
			ListenPacket: host.ListenPacket, ListenTCP: host.Listen, Dial: host.Dial, LocalFor: host.LocalFor,
			Resolve: func(_ context.Context, host string) ([]netip.Addr, error) {
				if a, ok := r.names[host]; ok {
					return a, nil
				}
				return nil, errors.New("no such host")
			},
			Metrics:   r.metrics,
			Directory: func() *pbx.Directory { return dir },
			Accept:    func(l *Leg) { r.legs <- l },
			Log:       slog.New(slog.NewTextHandler(testLog{t}, &slog.HandlerOptions{Level: slog.LevelInfo})),
		}
		if change != nil {
			change(&cfg, r.company)
		}
		var err error
		if r.s, err = New(cfg); err != nil {
			t.Fatal(err)
		}
		r.peer = r.newPeer("10.0.0.2")
		if err := r.s.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := r.s.Close(); err != nil {
				t.Error("close:", err)
			}
			close(r.gone)
			n.Close()
			synctest.Wait()
			if n := r.alive(); n != 0 {
				t.Errorf("%d legs are left", n)
			}
		}()
		f(r)
	})
}

// alive counts the legs that are not over.
func (r *legRig) alive() int {
	r.s.dlg.mu.Lock()
	defer r.s.dlg.mu.Unlock()
	return len(r.s.dlg.legs)
}

// testLog writes a log to a test.
type testLog struct{ t *testing.T }

func (l testLog) Write(b []byte) (int, error) {
	l.t.Log(strings.TrimSpace(string(b)))
	return len(b), nil
}

// leg takes the next accepted leg and owns it.
func (r *legRig) leg() *Leg {
	r.t.Helper()
	select {
	case l := <-r.legs:
		l.Own(r.events, r.gone)
		return l
	case <-time.After(time.Second):
		r.t.Fatal("no leg came")
		return nil
	}
}

// event takes the next event, which must be a T.
func event[T any](r *legRig) T {
	r.t.Helper()
	return eventIn[T](r, time.Second)
}

func eventIn[T any](r *legRig, d time.Duration) T {
	r.t.Helper()
	var none T
	select {
	case e := <-r.events:
		if v, ok := e.(T); ok {
			return v
		}
		r.t.Fatalf("event %T %+v, want %T", e, e, none)
	case <-time.After(d):
		r.t.Fatalf("no event within %v, want %T", d, none)
	}
	return none
}

// noEvent makes sure that nothing happens for d.
func (r *legRig) noEvent(d time.Duration) {
	r.t.Helper()
	select {
	case e := <-r.events:
		r.t.Fatalf("event %T %+v, want none", e, e)
	case <-time.After(d):
	}
}

// endedBy takes the end of a leg and compares its cause.
func (r *legRig) endedBy(p pbx.Party, reason pbx.Reason, sip int) LegEnded {
	r.t.Helper()
	e := eventIn[LegEnded](r, 70*time.Second)
	if e.Cause.Party != p || e.Cause.Reason != reason || e.Cause.SIP != sip {
		r.t.Fatalf("ended by %+v, want %s %s %d", e.Cause, p, reason, sip)
	}
	return e
}

// dial calls +7916… through the trunk.
func (r *legRig) dial() *Leg {
	t := r.s.TrunkTarget(r.company, r.company.Trunks[0], "+79160000001")
	return r.s.Dial(Invite{
		Company: r.company, Target: t, From: Party{"+74950000000", `Анна "Ann" Петрова`}, SDP: []byte(answerSDP),
		Headers: []Header{{"P-Asserted-Identity", "<sip:+74950000000@acme.test>"}, {"X-Evil", "a\r\nTo: <sip:b>"}, {"Via", "x"}},
		Events:  r.events, Gone: r.gone,
	})
}

// rawPeer is the other side, written by hand.
type rawPeer struct {
	t    *testing.T
	conn net.PacketConn
	addr string
}

func (r *legRig) newPeer(ip string) *rawPeer {
	h := r.net.Host(ip)
	c, err := h.ListenPacket("udp", ip+":5060")
	if err != nil {
		r.t.Fatal(err)
	}
	return &rawPeer{r.t, c, ip + ":5060"}
}

// rawMsg is a message as it was received.
type rawMsg struct {
	start string
	lines []string
	body  string
	at    time.Time
	from  string
}

// get gives the values of a header.
func (m rawMsg) get(name string) []string {
	var v []string
	for _, l := range m.lines {
		if n, value, _ := strings.Cut(l, ":"); strings.EqualFold(strings.TrimSpace(n), name) {
			v = append(v, strings.TrimSpace(value))
		}
	}
	return v
}

func (m rawMsg) one(name string) string {
	if v := m.get(name); len(v) > 0 {
		return v[0]
	}
	return ""
}

func (m rawMsg) cseq() (n uint32, method string) {
	fmt.Sscanf(m.one("CSeq"), "%d %s", &n, &method)
	return n, method
}

// tag gives the tag of From or To.
func (m rawMsg) tag(name string) string {
	_, tag, _ := strings.Cut(m.one(name), ";tag=")
	tag, _, _ = strings.Cut(tag, ";")
	return tag
}

func (p *rawPeer) send(lines ...string) { p.sendTo(pbxAddr, lines...) }

func (p *rawPeer) sendTo(to string, lines ...string) {
	p.t.Helper()
	a := net.UDPAddrFromAddrPort(netip.MustParseAddrPort(to))
	if _, err := p.conn.WriteTo([]byte(strings.Join(lines, "\r\n")), a); err != nil {
		p.t.Fatal(err)
	}
}

// next reads one message, ok is false when none comes within d.
func (p *rawPeer) next(d time.Duration) (m rawMsg, ok bool) {
	p.t.Helper()
	buf := make([]byte, 65536)
	p.conn.SetReadDeadline(time.Now().Add(d))
	n, from, err := p.conn.ReadFrom(buf)
	if err != nil {
		return rawMsg{}, false
	}
	head, body, _ := strings.Cut(string(buf[:n]), "\r\n\r\n")
	lines := strings.Split(head, "\r\n")
	return rawMsg{lines[0], lines[1:], body, time.Now(), from.String()}, true
}

// want reads the next message that is no 100; it must begin with start.
func (p *rawPeer) want(start string) rawMsg {
	p.t.Helper()
	return p.wantIn(start, 2*time.Second)
}

func (p *rawPeer) wantIn(start string, d time.Duration) rawMsg {
	p.t.Helper()
	for {
		m, ok := p.next(d)
		if !ok {
			p.t.Fatalf("nothing came within %v, want %q", d, start)
		}
		if strings.HasPrefix(m.start, "SIP/2.0 100") && !strings.HasPrefix(start, "SIP/2.0 100") {
			continue
		}
		if !strings.HasPrefix(m.start, start) {
			p.t.Fatalf("got %q (%s), want %q", m.start, m.one("CSeq"), start)
		}
		return m
	}
}

// quiet makes sure that nothing comes for d.
func (p *rawPeer) quiet(d time.Duration) {
	p.t.Helper()
	if m, ok := p.next(d); ok {
		p.t.Fatalf("got %q (%s), want silence", m.start, m.one("CSeq"))
	}
}

// reply answers a request of the server.
func (p *rawPeer) reply(m rawMsg, status, toTag, body string, headers ...string) {
	p.t.Helper()
	lines := []string{"SIP/2.0 " + status}
	for _, v := range m.get("Via") {
		lines = append(lines, "Via: "+v)
	}
	to := m.one("To")
	if toTag != "" && !strings.Contains(to, ";tag=") {
		to += ";tag=" + toTag
	}
	lines = append(lines, "From: "+m.one("From"), "To: "+to, "Call-ID: "+m.one("Call-ID"), "CSeq: "+m.one("CSeq"))
	lines = append(lines, headers...)
	if !slices.ContainsFunc(headers, func(h string) bool { return strings.HasPrefix(h, "Contact:") }) {
		lines = append(lines, "Contact: <sip:peer@"+p.addr+";x=Y>")
	}
	p.send(append(lines, tail(body)...)...)
}

func tail(body string) []string {
	if body == "" {
		return []string{"Content-Length: 0", "", ""}
	}
	return []string{"Content-Type: application/sdp", fmt.Sprintf("Content-Length: %d", len(body)), "", body}
}

// rawCall is a dialog of the raw peer.
type rawCall struct {
	p            *rawPeer
	uri          string // Request-URI
	from, to, id string
	branch       int
	headers      []string // in every request
}

// newCall is a call of the peer to the company's number.
func (p *rawPeer) newCall() *rawCall {
	return &rawCall{
		p: p, uri: "sip:+74950000000@10.0.0.1", from: `"B\"ob" <sip:+79160000001@10.0.0.2>;tag=pt1`,
		to: "<sip:+74950000000@10.0.0.1>", id: "call1@10.0.0.2",
	}
}

// dialogOf is the peer's side of a dialog that a request of the server began.
func (p *rawPeer) dialogOf(m rawMsg, tag string) *rawCall {
	uri := strings.Trim(m.one("Contact"), "<>")
	return &rawCall{p: p, uri: uri, from: m.one("To") + ";tag=" + tag, to: m.one("From"), id: m.one("Call-ID")}
}

// send sends a request and gives its branch.
func (c *rawCall) send(method string, seq int, body string, headers ...string) string {
	c.p.t.Helper()
	c.branch++
	branch := fmt.Sprintf("z9hG4bK%s%d", strings.ReplaceAll(c.id, "@", ""), c.branch)
	c.sendBranch(branch, method, seq, body, headers...)
	return branch
}

func (c *rawCall) sendBranch(branch, method string, seq int, body string, headers ...string) {
	c.p.t.Helper()
	lines := []string{
		method + " " + c.uri + " SIP/2.0", "Via: SIP/2.0/UDP " + c.p.addr + ";branch=" + branch + ";rport",
		"From: " + c.from, "To: " + c.to, "Call-ID: " + c.id, fmt.Sprintf("CSeq: %d %s", seq, method),
		"Max-Forwards: 70", "Contact: <sip:peer@" + c.p.addr + ";line=Ab1>",
	}
	lines = append(append(lines, c.headers...), headers...)
	c.p.send(append(lines, tail(body)...)...)
}

// took keeps what a 2xx or provisional of the server says of the dialog.
func (c *rawCall) took(m rawMsg) {
	c.to = m.one("To")
	if u := strings.Trim(m.one("Contact"), "<>"); u != "" {
		c.uri = u
	}
}

// answered brings a call of the peer up to the ACK.
func (r *legRig) answered(headers ...string) (*Leg, *rawCall) {
	r.t.Helper()
	c := r.peer.newCall()
	c.send("INVITE", 1, offerSDP, headers...)
	l := r.leg()
	l.Answer([]byte(answerSDP))
	c.took(r.peer.want("SIP/2.0 200"))
	c.send("ACK", 1, "")
	event[Confirmed](r)
	return l, c
}

// pickedUp brings a call to the peer up to its ACK.
func (r *legRig) pickedUp(headers ...string) (*Leg, *rawCall, rawMsg) {
	r.t.Helper()
	l := r.dial()
	inv := r.peer.want("INVITE")
	r.peer.reply(inv, "200 OK", "b1", offerSDP, headers...)
	r.peer.want("ACK")
	event[PickedUp](r)
	return l, r.peer.dialogOf(inv, "b1"), inv
}

// oldBindings is a store with one binding of the last run.
type oldBindings pbx.Binding

func (b oldBindings) Bindings(context.Context) ([]pbx.Binding, error) {
	return []pbx.Binding{pbx.Binding(b)}, nil
}

func (oldBindings) SaveBindings(context.Context, []pbx.Binding, []pbx.Binding) error { return nil }

// trunkUp reads the gauge of the rig's trunk, -1 when there is none.
func (r *legRig) trunkUp() float64 {
	families, err := r.metrics.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "vpbx_trunk_up" {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	return -1
}
