package sip

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	msg "github.com/emiago/sipgo/sip"

	"vpbx/pbx"
)

const (
	maxLegs   = 50_000          // legs at once; more are refused with 503
	maxRoutes = 16              // Record-Route entries we keep of a peer
	closeWait = 2 * time.Second // Close gives the BYEs and un-REGISTERs that long
)

// dialogs is what the server keeps of its own dialogs: the legs that are alive
// by Call-ID and our tag, and the registrations at providers. The goroutines
// of both are counted in work.
type dialogs struct {
	s      *Server
	names  names
	lines  lines
	health health
	finals finals
	asking asking

	streamless streamless

	ctx    context.Context // ends when goroutines must stop at once
	cancel context.CancelFunc
	work   sync.WaitGroup

	mu     sync.Mutex
	closed bool
	legs   map[dialogKey]*Leg
}

// dialogKey names a dialog by what is ours in it: it is the same before and
// after the peer has chosen its tag, and for all forks of an INVITE.
type dialogKey struct{ callID, localTag string }

func (d *dialogs) init(s *Server) {
	d.s = s
	d.legs = make(map[dialogKey]*Leg)
	d.ctx, d.cancel = context.WithCancel(context.Background())
	d.names.init(&s.cfg)
	d.lines.init(s)
	d.health.init(s)
	d.finals.init()
}

// start begins the registrations at providers.
func (d *dialogs) start(context.Context) { d.reload() }

// reload lets the registrations at providers follow the directory.
func (d *dialogs) reload() {
	dir := d.s.cfg.Directory()
	d.health.follow(dir)
	d.lines.follow(dir)
}

// close hangs up all legs and unregisters from all providers, gives that
// closeWait, then stops what is left and waits for it.
func (d *dialogs) close() {
	d.mu.Lock()
	d.closed = true
	legs := make([]*Leg, 0, len(d.legs))
	for _, l := range d.legs {
		legs = append(legs, l)
	}
	d.mu.Unlock()
	d.lines.stop()
	d.health.stop()
	for _, l := range legs {
		l.Hangup(pbx.NewCause(pbx.PartyPBX, pbx.ShuttingDown))
	}
	done := make(chan struct{})
	go func() { d.work.Wait(); close(done) }()
	late := time.NewTimer(closeWait)
	defer late.Stop()
	select {
	case <-done:
	case <-late.C:
	}
	d.cancel()
	<-done
}

// spawn runs f in a goroutine that close waits for. It does nothing once close
// has begun, unless f belongs to a leg or line that is still there.
func (d *dialogs) spawn(f func()) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return false
	}
	d.work.Go(f)
	return true
}

// add enters a leg and starts its goroutine, and gives 0; or the code to refuse it
// with: 503 when there are too many or the server is being closed, 482 when the leg
// of this very INVITE is there.
func (d *dialogs) add(l *Leg) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed || len(d.legs) >= maxLegs {
		return 503
	}
	if d.legs[l.key()] != nil {
		return 482
	}
	d.legs[l.key()] = l
	d.work.Go(l.run)
	return 0
}

func (d *dialogs) remove(k dialogKey) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.legs, k)
}

func (d *dialogs) leg(callID, localTag string) *Leg {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.legs[dialogKey{callID, localTag}]
}

// inDialog is the handler of all requests with a To tag. It stays until the
// leg has answered, since the transaction ends when the handler returns.
func (s *Server) inDialog(req *msg.Request, tx msg.ServerTransaction) {
	l := s.dlg.leg(req.CallID().Value(), toTag(req))
	switch {
	case l == nil && req.IsAck():
	case l == nil && req.Method == msg.SUBSCRIBE:
		s.resubscribe(req, tx)
	case l == nil:
		s.dismiss(req, tx, 481) // RFC 3261 §12.2.2
	case req.IsAck():
		l.post(acked{req})
	default:
		l.serve(newExchange(req, tx))
	}
}

// stray takes the responses that match no transaction any more. Final ones to
// an INVITE are repeated until they are acknowledged, so they must be, even now
// (RFC 3261 §13.2.2.4, §17.1.1.3).
func (s *Server) stray(res *msg.Response) {
	seq, from, id := res.CSeq(), res.From(), res.CallID()
	if res.IsProvisional() || seq == nil || seq.MethodName != msg.INVITE || from == nil || id == nil {
		return
	}
	if !res.IsSuccess() {
		if k := s.dlg.finals.find(res); k != nil {
			k.send(s.dlg.ctx, s)
		}
		return
	}
	tag, _ := param(from.Params, "tag")
	if l := s.dlg.leg(id.Value(), tag); l != nil {
		l.post(again{res})
	}
}

// dialog is one SIP dialog as RFC 3261 §12 has it.
type dialog struct {
	callID    string
	localTag  string
	remoteTag string
	local     identity
	remote    identity
	localSeq  uint32
	remoteSeq int64  // -1: the peer has not sent a request yet
	target    string // the peer's Contact, as it wrote it
	routes    []string
}

// identity is what stands in From and To: display name as in the header, URI.
type identity struct {
	name string
	uri  msg.Uri
}

// request builds a request inside the dialog (RFC 3261 §12.2.1.1), whole but
// for Via and Contact, which depend on the way it will go.
func (d *dialog) request(method msg.RequestMethod, seq uint32) (*msg.Request, error) {
	target, routes := d.target, d.routes
	if len(routes) > 0 && !loose(routes[0]) { // strict router, RFC 3261 §12.2.1.1
		target, routes = routes[0], append(append([]string(nil), routes[1:]...), d.target)
	}
	uri, err := rawURI(target)
	if err != nil {
		return nil, fmt.Errorf("remote target: %w", err)
	}
	req := msg.NewRequest(method, uri)
	for _, r := range routes {
		u, err := rawURI(r)
		if err != nil {
			return nil, fmt.Errorf("route: %w", err)
		}
		req.AppendHeader(&msg.RouteHeader{Address: u})
	}
	d.identify(req, seq)
	return req, nil
}

// identify appends From, To, Call-ID, CSeq and Max-Forwards.
func (d *dialog) identify(req *msg.Request, seq uint32) {
	from := &msg.FromHeader{DisplayName: d.local.name, Address: d.local.uri, Params: msg.HeaderParams{{K: "tag", V: d.localTag}}}
	to := &msg.ToHeader{DisplayName: d.remote.name, Address: d.remote.uri}
	if d.remoteTag != "" {
		to.Params = msg.HeaderParams{{K: "tag", V: d.remoteTag}}
	}
	id, hops := msg.CallIDHeader(d.callID), msg.MaxForwardsHeader(70)
	req.AppendHeader(from)
	req.AppendHeader(to)
	req.AppendHeader(&id)
	req.AppendHeader(&msg.CSeqHeader{SeqNo: seq, MethodName: req.Method})
	req.AppendHeader(&hops)
	header(req, "User-Agent", agent)
}

// refresh takes over the Contact of a target refresh request or of its 2xx
// (RFC 3261 §12.2).
func (d *dialog) refresh(m msg.Message) {
	if t, ok := contactOf(m); ok {
		d.target = t
	}
}

// contactOf gives the URI of a message's Contact, as it was written, when it
// can be used as a Request-URI.
func contactOf(m msg.Message) (string, bool) {
	list, star, err := parseContacts(values(m, "contact"))
	if err != nil || star || len(list) == 0 {
		return "", false
	}
	return list[0].uri, true
}

// routesOf gives the Record-Route entries of a message in their order. It fails
// on entries that cannot be used, since a dialog with half a route is dead.
func routesOf(m msg.Message) ([]string, error) {
	var routes []string
	for _, h := range m.GetHeaders("Record-Route") {
		r, ok := h.(*msg.RecordRouteHeader)
		if !ok {
			return nil, fmt.Errorf("Record-Route %q cannot be read", h.Value())
		}
		u := r.Address.String()
		if err := checkURI(u); err != nil {
			return nil, fmt.Errorf("Record-Route: %w", err)
		}
		if routes = append(routes, u); len(routes) > maxRoutes {
			return nil, fmt.Errorf("more than %d Record-Route entries", maxRoutes)
		}
	}
	return routes, nil
}

// loose says whether a route URI is that of a loose router (RFC 3261 §16.12).
func loose(uri string) bool {
	var u msg.Uri
	if msg.ParseUri(uri, &u) != nil {
		return false
	}
	_, ok := param(u.UriParams, "lr")
	return ok
}

// logger is the log of one leg.
func (d *dialogs) logger(l *Leg) *slog.Logger {
	return d.s.log.With("tenant", l.Company.ID, "leg", l.ID)
}
