package sip

import (
	"bytes"
	"net/netip"
	"strings"
	"sync"

	msg "github.com/emiago/sipgo/sip"
)

// admits says whether a request inside the dialog is the peer's. Who knows the
// names of a dialog, from a log or a capture, is not yet a party to it: from a
// third address a phone has to prove who it is (it may have changed networks),
// and what claims to be a trunk is refused. Otherwise the request is answered.
func (l *Leg) admits(x *exchange) bool {
	source, err := addrPort(x.req.Source())
	if err == nil && l.familiar(source.Addr()) {
		return true
	}
	if l.Trunk == nil && l.Extension != "" {
		user, ok := l.s.authenticate(x.req, x.tx, l.Company)
		if ok && user == l.Extension {
			return true
		}
		if !ok {
			x.settle()
			return false
		}
	}
	l.s.met.rejected(spoofed)
	l.log.Warn("sip: request inside a call from a third address", "method", method(x.req.Method), "source", x.req.Source())
	l.close(x, 403)
	return false
}

// familiar says whether requests of the dialog may come from an address: it is
// where the peer was heard or is reached, where it said it would be, or another
// one of the same trunk or phone. A peer that gave a host name may be anywhere.
func (l *Leg) familiar(a netip.Addr) bool {
	for _, w := range []way{l.heard, l.flow} {
		if p, err := addrPort(w.addr); err == nil && p.Addr() == a {
			return true
		}
	}
	for _, uri := range append([]string{l.d.target}, l.d.routes...) {
		if at, ok := hostOf(uri); !ok || at == a {
			return true
		}
	}
	if l.Trunk == nil {
		return l.s.reg.holdsFrom(account{l.Company.ID, l.Extension}, a)
	}
	for _, t := range l.s.cfg.Directory().TrunksFrom(a) {
		if t.Company.ID == l.Company.ID && t.Trunk.Name == l.Trunk.Name {
			return true
		}
	}
	return l.s.dlg.lines.at(lineName{l.Company.ID, l.Trunk.Name}, a)
}

// hostOf gives the address in a URI; false when there is a name, or nothing that
// can be read.
func hostOf(uri string) (netip.Addr, bool) {
	var u msg.Uri
	if err := msg.ParseUri(strings.TrimSpace(uri), &u); err != nil {
		return netip.Addr{}, false
	}
	return literal(u.Host)
}

// cancellable are the INVITEs that have no final response, by branch, with the
// address each came from. sipgo cancels whatever has the branch of a CANCEL,
// from wherever that comes.
type cancellable struct {
	mu       sync.Mutex
	byBranch map[string]netip.Addr
}

// put notes an INVITE, unless another one with that branch waits, and gives what
// forgets it.
func (c *cancellable) put(req *msg.Request) (forget func()) {
	branch, _ := param(req.Via().Params, "branch")
	source, err := addrPort(req.Source())
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, there := c.byBranch[branch]; there || err != nil {
		return func() {}
	}
	if c.byBranch == nil {
		c.byBranch = map[string]netip.Addr{}
	}
	c.byBranch[branch] = source.Addr()
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.byBranch, branch)
	}
}

func (c *cancellable) source(branch string) (netip.Addr, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a, ok := c.byBranch[branch]
	return a, ok
}

// forgedCancel says whether a datagram is a CANCEL of an INVITE that came from
// somebody else.
func (s *Server) forgedCancel(peer netip.Addr, data []byte) bool {
	if !bytes.HasPrefix(data, []byte("CANCEL ")) {
		return false
	}
	m, err := msg.ParseMessage(bytes.Clone(data))
	if err != nil || m.Via() == nil {
		return false // sipgo refuses it
	}
	branch, _ := param(m.Via().Params, "branch")
	source, ok := s.pending.source(branch)
	if !ok || source == peer {
		return false
	}
	dir := s.cfg.Directory()
	for _, t := range dir.TrunksFrom(peer) {
		for _, own := range dir.TrunksFrom(source) {
			if t.Trunk == own.Trunk {
				return false
			}
		}
	}
	return true
}
