package sip

import (
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"

	msg "github.com/emiago/sipgo/sip"

	"vpbx/pbx"
)

// saveFor is how long the 200 to a REGISTER waits for the store.
const saveFor = 500 * time.Millisecond

// onRegister is the registrar (RFC 3261 §10.3).
func (s *Server) onRegister(req *msg.Request, tx msg.ServerTransaction) {
	to := &req.To().Address
	c := companyOf(s.cfg.Directory(), to, &req.From().Address, &req.Recipient)
	if c == nil {
		s.met.rejected(unknownDomain)
		s.log.Info("sip: registration in nobody's domain", "source", req.Source(), "domain", clean(to.Host))
		s.dismiss(req, tx, 403)
		return
	}
	user, ok := s.authenticate(req, tx, c)
	if !ok {
		return
	}
	tx = s.watch(account{c.ID, user}, req, tx)
	if unescape(to.User) != user {
		s.met.rejected(spoofed)
		s.log.Info("sip: an extension registered for another one", "tenant", c.ID, "extension", user, "for", clean(to.User))
		s.reply(req, tx, 403)
		return
	}
	source, err := addrPort(req.Source())
	if err != nil {
		s.reply(req, tx, 400)
		return
	}
	s.flows.trust(req)
	s.flows.belongs(req, account{c.ID, user})
	r, code := readRegistration(req)
	switch code {
	case 0:
	case 423: // RFC 3261 §10.3 step 7
		s.reply(req, tx, 423, msg.NewHeader("Min-Expires", seconds(leastExpires)))
		return
	case 420:
		s.reply(req, tx, 420, msg.NewHeader("Unsupported", "path"))
		return
	default:
		s.reply(req, tx, code)
		return
	}
	if r.flows {
		s.flows.timed(req)
	}
	limit := c.Extensions[user].Contacts
	if limit <= 0 {
		limit = 10
	}
	list, saved, ok := s.reg.register(account{c.ID, user}, r, limit, pbx.Binding{
		Transport: msg.NetworkToLower(req.Transport()), Source: source.String(), UserAgent: userAgent(req),
	})
	if !ok {
		s.reply(req, tx, 500) // out of order, RFC 3261 §10.3 step 7
		return
	}
	if w := wayBack(req); isSocket(w.transport) && s.flows.get(w.transport, w.addr) == nil {
		s.reg.lost([]account{{c.ID, user}}, w) // it was closed before cut could know of this
		return
	}
	s.reg.await(saved)
	s.reply(req, tx, 200, append(list, r.confirm(req)...)...)
}

// userAgent gives what a phone calls itself, fit to be shown.
func userAgent(m msg.Message) string {
	if v := values(m, "user-agent"); len(v) > 0 {
		return clean(v[0])
	}
	return ""
}

// seconds writes a duration as delta-seconds, rounded up.
func seconds(d time.Duration) string {
	return strconv.Itoa(int(math.Ceil(d.Seconds())))
}

// register carries out a REGISTER for an account. It gives the headers of the
// 200, all bindings among them, and a channel that is closed when the change
// was saved or could not be. Nothing is changed and ok is false when the
// request is older than what it would change.
func (r *registrar) register(who account, ask registration, limit int, about pbx.Binding) (headers []msg.Header, saved <-chan struct{}, ok bool) {
	now := time.Now()
	r.mu.Lock()
	if !r.inOrder(who, ask, now) {
		r.mu.Unlock()
		return nil, nil, false
	}
	ch := r.apply(who, ask, limit, about, now)
	headers = append(headers, msg.NewHeader("Date", now.UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT")))
	for _, b := range r.bindings[who] {
		if b.Expires.After(now) {
			headers = append(headers, msg.NewHeader("Contact", b.header(now)))
		}
	}
	saved = r.commit(ch)
	r.mu.Unlock()
	r.announce(ch)
	return headers, saved, true
}

// inOrder says whether a request is newer than everything it would change:
// another Call-ID, or a higher CSeq (RFC 3261 §10.3 step 7).
func (r *registrar) inOrder(who account, ask registration, now time.Time) bool {
	for _, b := range r.bindings[who] {
		if b.CallID != ask.callID || b.CSeq < ask.cseq || !b.Expires.After(now) {
			continue
		}
		if ask.star {
			return false
		}
		for _, w := range ask.contacts {
			if sameURI(b.Contact, w.uri) {
				return false
			}
		}
	}
	return true
}

// apply changes the bindings of an account. The caller holds the mutex.
func (r *registrar) apply(who account, ask registration, limit int, about pbx.Binding, now time.Time) changes {
	var ch changes
	if ask.star {
		for _, b := range r.bindings[who] {
			r.remove(b, unregistered, &ch)
		}
		return ch
	}
	for _, w := range ask.contacts {
		old := r.find(who, w.contact)
		if w.granted == 0 {
			if old != nil {
				r.remove(old, unregistered, &ch)
			}
			continue
		}
		b := about
		b.Tenant, b.Extension, b.Contact = who.tenant, who.user, w.uri
		b.CallID, b.CSeq = ask.callID, ask.cseq
		b.Registered, b.Expires = now, now.Add(w.granted)
		r.put(who, old, b, w.contact, now, &ch)
	}
	// One contact too many: phones that make up a new one at every start
	// would lock themselves out, so the one not heard of for longest goes.
	for len(r.bindings[who]) > limit {
		r.remove(r.oldest(who), unregistered, &ch)
	}
	return ch
}

// find gives the binding that a contact renews: the same URI, or another one
// of the same instance (RFC 5626 §6).
func (r *registrar) find(who account, c contact) *binding {
	if c.outbound {
		if b := r.sameFlow(who, c); b != nil {
			return b
		}
	}
	var same *binding
	for _, b := range r.bindings[who] {
		if sameURI(b.Contact, c.uri) {
			if c.outbound && b.instance == c.instance && b.regID != "" {
				continue // another flow of the same phone
			}
			return b
		}
		if c.instance != "" && b.instance == c.instance && b.regID == c.regID {
			same = b
		}
	}
	return same
}

// header writes a binding as a Contact value, with the time it has left.
func (b *binding) header(now time.Time) string {
	var v strings.Builder
	fmt.Fprintf(&v, "<%s>;expires=%s", b.Contact, seconds(b.Expires.Sub(now)))
	if b.instance != "" && !strings.ContainsAny(b.instance, `"\<>`) {
		fmt.Fprintf(&v, `;+sip.instance="<%s>"`, b.instance)
		if b.regID != "" && strings.Trim(b.regID, "0123456789") == "" {
			fmt.Fprintf(&v, ";reg-id=%s", b.regID)
		}
	}
	return v.String()
}

// contactAddr gives the address in a contact URI when it is a literal one.
func contactAddr(uri string) (netip.AddrPort, bool) {
	var u msg.Uri
	if msg.ParseUri(uri, &u) != nil {
		return netip.AddrPort{}, false
	}
	a, ok := literal(u.Host)
	if !ok {
		return netip.AddrPort{}, false
	}
	port := u.Port
	if port == 0 {
		port = msg.DefaultUdpPort
	}
	return netip.AddrPortFrom(a, uint16(port)), true
}
