package sip

import (
	"bytes"
	"net/netip"
	"slices"
	"sync"

	msg "github.com/emiago/sipgo/sip"
)

// maxCancel bounds what is looked at of a CANCEL.
const maxCancel = 8192

// Who may speak in a dialog. Call-ID and tags are no secret: dialog-info tells
// them to whoever watches an extension (RFC 4235 §6), so that knowing them
// proves nothing. A request counts when it comes from where the peer is known to
// be. A phone that is somewhere else, because its NAT gave it another port or
// its connection broke, proves itself by digest; a trunk cannot, and is known by
// its addresses.

// fromPeer says whether a request comes from where the peer is known to be.
func (l *Leg) fromPeer(req *msg.Request) bool {
	source, err := addrPort(req.Source())
	if err != nil {
		return false
	}
	w := way{transportOf(req), source.String()}
	if w == l.heard || w == l.flow || w == (way{l.Transport, l.Source.String()}) {
		return true
	}
	if l.Trunk == nil {
		return l.s.reg.holds(account{l.Company.ID, l.Extension}, source)
	}
	return l.trunkAt(source.Addr())
}

// trunkAt says whether the peer of a trunk's call may send from an address: one
// it has sent from, one the trunk calls from, one of the servers found for our
// INVITE, or one that its Contact or route names. A host name there can be any
// address.
func (l *Leg) trunkAt(a netip.Addr) bool {
	if a == l.heard.host() || a == l.Source.Addr() || slices.Contains(l.hosts, a) || slices.ContainsFunc(l.Trunk.From, func(p netip.Prefix) bool { return p.Contains(a) }) {
		return true
	}
	return slices.ContainsFunc(append([]string{l.d.target}, l.d.routes...), func(uri string) bool {
		w, err := wayTo(uri, l.Transport)
		return err == nil && (!w.literal() || w.host() == a)
	})
}

// served notes the servers that a trunk's name stands for.
func (l *Leg) served(s started) {
	if s.a.kind != kindInvite || l.Trunk == nil {
		return
	}
	for _, h := range append([]hop{s.h}, s.rest...) {
		if a := (way{h.transport, h.dest}).host(); len(l.hosts) < maxServers && !slices.Contains(l.hosts, a) {
			l.hosts = append(l.hosts, a)
		}
	}
}

// proven says whether a request is the peer's; otherwise it has been answered.
func (l *Leg) proven(x *exchange) bool {
	if l.fromPeer(x.req) {
		return true
	}
	if l.Trunk != nil {
		l.s.met.rejected(spoofed)
		l.log.Warn("sip: request in a call from a strange address", "method", method(x.req.Method), "source", x.req.Source())
		l.close(x, 403)
		return false
	}
	company := l.s.cfg.Directory().Company(l.Company.ID)
	if company == nil {
		company = l.Company // removed; its calls go on
	}
	user, ok := l.s.authenticate(x.req, x.tx, company)
	if !ok {
		x.settle()
		return false
	}
	if user != l.Extension {
		l.s.met.rejected(spoofed)
		l.log.Warn("sip: request in a call of another extension", "method", method(x.req.Method), "extension", user, "source", x.req.Source())
		l.close(x, 403)
		return false
	}
	return true
}

// ackFromPeer is fromPeer for an ACK, which cannot be asked for credentials: one
// from another port of the peer's address is taken, too.
func (l *Leg) ackFromPeer(req *msg.Request) bool {
	source, err := addrPort(req.Source())
	return err == nil && (l.fromPeer(req) || source.Addr() == l.heard.host())
}

// asking remembers where the INVITEs came from that have no final answer, by
// their branch, for the CANCELs. As many are kept as there are transactions.
type asking struct {
	mu   sync.Mutex
	from map[string][]asker
}

// asker is where an INVITE came from, and who it says has sent it.
type asker struct {
	addr   netip.Addr
	sentBy hostport
}

// begin notes an INVITE until end is called with what it gives.
func (a *asking) begin(req *msg.Request) (branch string, from asker) {
	via := req.Via()
	branch, _ = param(via.Params, "branch")
	source, err := addrPort(req.Source())
	if err != nil {
		return branch, asker{}
	}
	from = asker{source.Addr(), hostport{via.Host, via.Port}}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.from == nil {
		a.from = make(map[string][]asker)
	}
	a.from[branch] = append(a.from[branch], from)
	return branch, from
}

func (a *asking) end(branch string, from asker) {
	a.mu.Lock()
	defer a.mu.Unlock()
	list := a.from[branch]
	if i := slices.Index(list, from); i >= 0 {
		list = slices.Delete(list, i, i+1)
	}
	if a.from[branch] = list; len(list) == 0 {
		delete(a.from, branch)
	}
}

// at gives where INVITEs of that branch came from.
func (a *asking) at(branch string) (list []netip.Addr) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, k := range a.from[branch] {
		list = append(list, k.addr)
	}
	return list
}

// mayCancel says whether a message may be a CANCEL from where it came: from the
// address of its INVITE, or from one trunk's address for another's. It has to be
// asked before sipgo sees the message, which answers a CANCEL by itself. One that
// may not is counted.
func (s *Server) mayCancel(p msg.TransportReadProps, data []byte) bool {
	data = bytes.TrimLeft(data, "\r\n\x00")
	if !bytes.HasPrefix(data, []byte("CANCEL")) {
		return true
	}
	peer, dir := addrOf(p.RemoteAddr), s.cfg.Directory()
	head, _, _ := bytes.Cut(data, []byte("\r\n\r\n"))
	branches := branchesIn(head[:min(len(head), maxCancel)])
	mine := len(head) <= maxCancel && len(branches) > 0
	for _, b := range branches {
		from := s.dlg.asking.at(b)
		if len(from) == 0 || slices.Contains(from, peer) {
			continue
		}
		mine = mine && len(dir.TrunksFrom(peer)) > 0 && len(dir.TrunksFrom(from[0])) > 0
	}
	if !mine {
		s.met.rejected(spoofed)
	}
	return mine
}

// branchesIn finds what may be the branch of a Via in a message that is not
// parsed, and rather more than that: a header can be folded, and hold what looks
// like the end of a line to one reader and not to another.
func branchesIn(head []byte) (list []string) {
	const name = "branch"
	for i := 0; i+len(name) <= len(head); i++ {
		rest, ok := cutFold(head[i:], name)
		if !ok {
			continue
		}
		if rest, ok = bytes.CutPrefix(bytes.TrimLeft(rest, " \t\r\n"), []byte("=")); !ok {
			continue
		}
		rest = bytes.TrimLeft(rest, " \t\r\n\"")
		if end := bytes.IndexAny(rest, " \t\r\n\",;"); end >= 0 {
			rest = rest[:end]
		}
		list = append(list, string(rest))
	}
	return list
}
