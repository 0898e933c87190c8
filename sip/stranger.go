package sip

import (
	"net/netip"
	"strings"

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
