package sip

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	msg "github.com/emiago/sipgo/sip"

	"vpbx/pbx"
)

// The bounds of captures.
const (
	maxCaptures = 32  // at once
	maxCompany  = 4   // of one company
	captureWait = 256 // messages that its reader has not taken
)

// captures are the extensions whose messages somebody is looking at. A message
// belongs to an extension when its leg does, or when it is a registration that
// proved to be the extension's: nothing is attributed by what a message says of
// itself.
type captures struct {
	dropped counter
	any     atomic.Bool // so that a message costs nothing while nobody looks

	mu   sync.Mutex
	open map[account]map[*capture]struct{}
	all  int
	of   map[pbx.TenantID]int
}

type capture struct{ packets chan pbx.Packet }

// Capture gives the messages of an extension from now on: those of its calls,
// repeated ones of a transaction only once, and its registrations. One
// that finds the channel full is dropped and counted. stop must be called; the
// channel is never closed. The error is a pbx.Error of kind Limit when too many
// are looked at already.
func (s *Server) Capture(t pbx.TenantID, extension string) (packets <-chan pbx.Packet, stop func(), err error) {
	c := &s.captures
	who, n := account{t, extension}, &capture{make(chan pbx.Packet, captureWait)}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all >= maxCaptures || c.of[t] >= maxCompany {
		return nil, nil, &pbx.Error{Kind: pbx.Limit, Msg: "too many captures are running"}
	}
	if c.open == nil {
		c.open, c.of = map[account]map[*capture]struct{}{}, map[pbx.TenantID]int{}
	}
	if c.open[who] == nil {
		c.open[who] = map[*capture]struct{}{}
	}
	c.open[who][n] = struct{}{}
	c.all++
	c.of[t]++
	c.any.Store(true)
	return n.packets, sync.OnceFunc(func() { c.close(who, n) }), nil
}

func (c *captures) close(who account, n *capture) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.open[who], n)
	if len(c.open[who]) == 0 {
		delete(c.open, who)
	}
	c.all--
	if c.of[who.tenant]--; c.of[who.tenant] == 0 {
		delete(c.of, who.tenant)
	}
	c.any.Store(c.all > 0)
}

// looked says whether somebody looks at an extension.
func (c *captures) looked(who account) bool {
	if !c.any.Load() || who.user == "" {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.open[who]) > 0
}

func (c *captures) give(who account, p pbx.Packet) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for n := range c.open[who] {
		select {
		case n.packets <- p:
		default:
			c.dropped.Inc()
		}
	}
}

// captured gives a message of an extension to those who look at it. peer is
// where it came from or went; own is our side as that peer reaches it, "" when
// it has to be found out.
func (s *Server) captured(who account, in bool, transport, own, peer string, m msg.Message) {
	if !s.captures.looked(who) {
		return
	}
	at := time.Now()
	to, err := addrPort(peer)
	if err != nil {
		return // a name: the request has not gone anywhere yet
	}
	if own == "" {
		h, err := s.hop(transport, peer)
		if err != nil {
			return
		}
		own = net.JoinHostPort(h.via.host, strconv.Itoa(h.via.port))
	}
	from, err := netip.ParseAddrPort(own)
	if err != nil {
		return
	}
	p := pbx.Packet{At: at, Transport: transport, From: from, To: to, Data: mask([]byte(text(m)))}
	if id := m.CallID(); id != nil {
		p.CallID = id.Value()
	}
	if in {
		p.From, p.To = to, from
	}
	s.captures.give(who, p)
}

// text writes a message as it is sent.
func text(m msg.Message) string {
	var b strings.Builder
	switch m := m.(type) {
	case *msg.Request:
		m.StringWrite(&b)
	case *msg.Response:
		m.StringWrite(&b)
	}
	return b.String()
}

// capture gives a message of the leg to those who look at its extension.
func (l *Leg) capture(in bool, transport, peer string, m msg.Message) {
	if l.s == nil || !l.s.captures.any.Load() {
		return
	}
	l.ladder.mu.Lock()
	own := l.ladder.own
	l.ladder.mu.Unlock()
	l.s.captured(account{l.Company.ID, l.Extension}, in, transport, own, peer, m)
}

// watched is a transaction of a request that proved to be an extension's; its
// answers are shown to those who look at that extension.
type watched struct {
	msg.ServerTransaction
	s   *Server
	who account
	req *msg.Request
}

// watch shows a request to those who look at the extension, and its answers
// through the transaction it gives back.
func (s *Server) watch(who account, req *msg.Request, tx msg.ServerTransaction) msg.ServerTransaction {
	if !s.captures.looked(who) {
		return tx
	}
	s.captured(who, true, transportOf(req), "", req.Source(), req)
	return watched{tx, s, who, req}
}

// Respond sends a response and shows it.
func (w watched) Respond(res *msg.Response) error {
	err := w.ServerTransaction.Respond(res)
	if err == nil {
		w.s.captured(w.who, false, transportOf(w.req), "", w.req.Source(), res)
	}
	return err
}
