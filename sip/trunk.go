package sip

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	msg "github.com/emiago/sipgo/sip"

	"vpbx/pbx"
)

// How a trunk is kept registered.
const (
	askExpires   = 10 * time.Minute // what we ask the provider for
	leastSleep   = 15 * time.Second // between two refreshes, however little was granted
	firstRetry   = 5 * time.Second  // after a failure, doubled each time
	deniedRetry  = time.Minute      // after a refusal of our credentials: providers ban who insists
	lastRetry    = 10 * time.Minute
	longestAfter = time.Hour // of a Retry-After that is believed
	farewell     = closeWait // the time an un-REGISTER has
)

// lines are our registrations at providers, one per trunk that wants it.
type lines struct {
	s *Server

	mu     sync.Mutex
	byName map[lineName]*line
	byTok  map[string]*line
}

// lineName names a trunk among all companies.
type lineName struct {
	tenant pbx.TenantID
	trunk  string
}

// line keeps one trunk registered. Its goroutine is the only one that uses
// what is not under mu of lines.
type line struct {
	name   lineName
	token  string // user part of our Contact: who calls it, calls this trunk
	conf   pbx.Trunk
	stop   context.CancelFunc
	s      *Server
	log    *slog.Logger
	callID string
	tag    string
	seq    uint32
	ask    time.Duration
	tries  int

	// Under mu of lines:
	of    pbx.TrunkOf
	addrs []netip.Addr // of the registrar, once they are known
}

func (ls *lines) init(s *Server) {
	ls.s = s
	ls.byName = make(map[lineName]*line)
	ls.byTok = make(map[string]*line)
}

// follow makes the lines those of a directory: a trunk that did not change
// stays registered as it is.
func (ls *lines) follow(dir *pbx.Directory) {
	want := map[lineName]pbx.TrunkOf{}
	for _, c := range dir.Companies() {
		for _, t := range c.Trunks {
			if t.Register && t.Username != "" {
				want[lineName{c.ID, t.Name}] = pbx.TrunkOf{Company: c, Trunk: t}
			}
		}
	}
	ls.mu.Lock()
	defer ls.mu.Unlock()
	for name, l := range ls.byName {
		if of, ok := want[name]; ok && sameLine(l.conf, *of.Trunk) {
			l.of = of
			delete(want, name)
			continue
		}
		ls.drop(l)
	}
	for name, of := range want {
		l := newLine(ls.s, name, of)
		ctx, stop := context.WithCancel(ls.s.dlg.ctx)
		l.stop = stop
		if !ls.s.dlg.spawn(func() { l.run(ctx) }) {
			stop()
			continue
		}
		ls.byName[name], ls.byTok[l.token] = l, l
	}
}

// drop ends a line; it unregisters in its own goroutine. The caller holds mu.
func (ls *lines) drop(l *line) {
	l.stop()
	delete(ls.byName, l.name)
	delete(ls.byTok, l.token)
}

// stop ends all lines.
func (ls *lines) stop() {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	for _, l := range ls.byName {
		ls.drop(l)
	}
}

// registeredTrunk gives the trunk that we registered with user as our Contact,
// when the call comes from its registrar.
func (s *Server) registeredTrunk(user string, source netip.Addr) (pbx.TrunkOf, bool) {
	ls := &s.dlg.lines
	ls.mu.Lock()
	defer ls.mu.Unlock()
	l := ls.byTok[user]
	if l == nil || !slices.Contains(l.addrs, source.Unmap()) {
		return pbx.TrunkOf{}, false
	}
	return l.of, true
}

// sameLine says whether two versions of a trunk register alike.
func sameLine(a, b pbx.Trunk) bool {
	return a.Host == b.Host && a.Proxy == b.Proxy && strings.EqualFold(a.Transport, b.Transport) && a.Username == b.Username && a.Password == b.Password
}

func newLine(s *Server, name lineName, of pbx.TrunkOf) *line {
	return &line{
		name: name, token: lineToken(name, of.Trunk), conf: *of.Trunk, s: s, of: of,
		log:    s.log.With("tenant", name.tenant, "trunk", name.trunk),
		callID: token(), tag: token(), ask: askExpires,
	}
}

// lineToken is the user part of our Contact at a provider: the same after a
// restart, so that a binding of the last run is renewed and not doubled, and
// nothing that somebody else could guess.
func lineToken(name lineName, t *pbx.Trunk) string {
	h := hmac.New(sha256.New, []byte(t.Password))
	fmt.Fprintf(h, "line\x00%s\x00%s\x00%s\x00%s", name.tenant, name.trunk, t.Username, t.Host)
	return lettering.EncodeToString(h.Sum(nil)[:15])
}

// run keeps the line registered until it is stopped, then unregisters.
func (l *line) run(ctx context.Context) {
	registered := false
	for {
		granted, err := l.register(ctx, l.ask)
		if ctx.Err() != nil {
			registered = registered || err == nil
			break
		}
		sleep := l.next(granted, err)
		if err == nil && !registered {
			l.log.Info("sip: trunk is registered", "expires", granted)
		}
		if err != nil {
			l.log.Warn("sip: trunk is not registered", "error", err, "retry", sleep)
		}
		registered = err == nil
		l.s.dlg.health.registered(l.name, registered)
		if !pause(ctx.Done(), sleep) {
			break
		}
	}
	if registered {
		l.leave()
	}
}

// next is how long to wait after a try: a good part of what was granted, or a
// back-off. Both are spread, so that a hundred trunks do not come all at once.
func (l *line) next(granted time.Duration, err error) time.Duration {
	if err == nil {
		l.tries = 0
		return max(spread(granted*8/10), min(leastSleep, granted/2))
	}
	first := firstRetry
	var no refusal
	if errors.As(err, &no) && (no.code == 401 || no.code == 403 || no.code == 404 || no.code == 407) {
		first = deniedRetry
	}
	d := min(first<<min(l.tries, 10), lastRetry)
	l.tries++
	if after := min(no.after, longestAfter); after > d {
		return after + after - spread(after) // not before it says so
	}
	return spread(d)
}

// spread gives d or up to a tenth less.
func spread(d time.Duration) time.Duration {
	if d < 10 {
		return d
	}
	return d - rand.N(d/10)
}

// leave unregisters, with a deadline: the line's own context has ended.
func (l *line) leave() {
	ctx, cancel := context.WithTimeout(l.s.dlg.ctx, farewell)
	defer cancel()
	if _, err := l.register(ctx, 0); err != nil {
		l.log.Info("sip: trunk is not unregistered", "error", err)
	}
}

// refusal is a final response that is no success.
type refusal struct {
	code  int
	after time.Duration // Retry-After, 0: none
}

// refused is the refusal of a response.
func refused(res *msg.Response) refusal {
	after, _, _ := strings.Cut(value(res, "retry-after"), "(") // RFC 3261 §20.33: a comment may follow
	after, _, _ = strings.Cut(after, ";")
	return refusal{res.StatusCode, parseDelta(strings.TrimSpace(after))}
}

// Error tells the status.
func (r refusal) Error() string { return fmt.Sprintf("refused with %d %s", r.code, phrase(r.code)) }

// register sends one REGISTER and answers its challenges (RFC 3261 §10.2). It
// gives the expiry that the provider granted to our contact.
func (l *line) register(ctx context.Context, expires time.Duration) (time.Duration, error) {
	w, _ := trunkWay(&l.conf)
	hops, err := l.s.dlg.reach(ctx, w)
	if err != nil {
		return 0, err
	}
	l.learn(hops)
	h := hops[l.tries%len(hops)] // after a failure, the next address
	req, err := l.request(h, expires)
	if err != nil {
		return 0, err
	}
	longer := false
	for auth := 0; ; {
		res, err := l.s.ask(ctx, h, req)
		if err != nil {
			return 0, fmt.Errorf("register at %s: %w", h.dest, err)
		}
		switch code := res.StatusCode; {
		case res.IsSuccess():
			return l.granted(res, expires), nil
		case code == 401 || code == 407:
			name := credentialsHeader(code)
			answer, stale, err := answerChallenge(res, req, l.conf.Username, l.conf.Password)
			if err != nil {
				return 0, err
			}
			if auth++; req.GetHeader(name) != nil && !stale || auth > maxAuth {
				return 0, refused(res)
			}
			req = l.again(req, name, answer)
		case code == 423 && !longer && expires > 0: // RFC 3261 §10.2.8
			longer = true
			least := parseDelta(value(res, "min-expires"))
			if least <= expires {
				return 0, refused(res)
			}
			l.ask, expires = least, least
			if req, err = l.request(h, expires); err != nil {
				return 0, err
			}
		default:
			return 0, refused(res)
		}
	}
}

// learn notes the addresses of the registrar.
func (l *line) learn(hops []hop) {
	var addrs []netip.Addr
	for _, h := range hops {
		if a, err := addrPort(h.dest); err == nil {
			addrs = append(addrs, a.Addr())
		}
	}
	l.s.dlg.lines.mu.Lock()
	defer l.s.dlg.lines.mu.Unlock()
	l.addrs = addrs
}

// request builds a REGISTER. All of a line have one Call-ID, and sequence
// numbers that grow (RFC 3261 §10.2).
func (l *line) request(h hop, expires time.Duration) (*msg.Request, error) {
	_, host := trunkWay(&l.conf)
	uri, err := rawURI("sip:" + trunkURI(&l.conf))
	if err != nil {
		return nil, err
	}
	who := identity{"", msg.Uri{Scheme: "sip", User: escapeUser(l.conf.Username), Host: host}}
	l.seq++
	d := dialog{callID: l.callID, localTag: l.tag, local: who, remote: who}
	req := msg.NewRequest(msg.REGISTER, uri)
	if r := proxyRoute(&l.conf); r != nil {
		req.AppendHeader(r)
	}
	d.identify(req, l.seq)
	contact := h.contact
	contact.User = l.token
	delta := strconv.Itoa(int(expires / time.Second))
	req.AppendHeader(&msg.ContactHeader{Address: contact, Params: msg.HeaderParams{{K: "expires", V: delta}}})
	header(req, "Expires", delta)
	header(req, "Allow", allow)
	return req, nil
}

// again is a request with credentials, the next number and a new branch.
func (l *line) again(req *msg.Request, name string, credentials msg.Header) *msg.Request {
	next := req.Clone()
	next.RemoveHeader("Via")
	next.RemoveHeader(name)
	next.AppendHeader(credentials)
	l.seq++
	next.CSeq().SeqNo = l.seq
	return next
}

// granted gives the lifetime of our binding in the 200 to a REGISTER: that of
// the Contact with our token, since providers rewrite the rest of it; of the
// only Contact; of the Expires header; or what we asked for.
func (l *line) granted(res *msg.Response, asked time.Duration) time.Duration {
	list, _, err := parseContacts(values(res, "contact"))
	if err != nil {
		list = nil
	}
	found := ""
	for _, c := range list {
		var u msg.Uri
		if msg.ParseUri(c.uri, &u) == nil && strings.EqualFold(u.User, l.token) {
			found = c.expires
		}
	}
	if found == "" && len(list) == 1 {
		found = list[0].expires
	}
	if found == "" {
		found = value(res, "expires")
	}
	d := parseDelta(found)
	if d == 0 {
		return asked
	}
	return min(d, maxSession)
}
