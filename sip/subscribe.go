package sip

import (
	"time"

	msg "github.com/emiago/sipgo/sip"

	"vpbx/pbx"
)

const (
	defaultSubscription = mostExpires // RFC 4235 §3.4, RFC 3856 §6.4
	maxTopic            = 16          // letters of a number that nobody has
	tooManyAfter        = 5 * time.Minute
)

// onSubscribe takes the first SUBSCRIBE of a phone (RFC 6665 §4.2.1).
func (s *Server) onSubscribe(req *msg.Request, tx msg.ServerTransaction) {
	c, user, ok := s.sender(req, tx)
	if !ok {
		return
	}
	e, code := eventOf(req)
	if code != 0 {
		s.refuseEvent(req, tx, e, code)
		return
	}
	number, code := s.watchable(c, user, e, &req.Recipient)
	expires := expiresOf(value(req, "expires"), defaultSubscription)
	target, reachable := contactOf(req)
	routes, err := routesOf(req)
	switch {
	case code != 0:
		s.reply(req, tx, code)
		return
	case !reachable, err != nil, longNames(req): // RFC 3261 §8.1.1.8, §12.1.1
		s.reply(req, tx, 400)
		return
	case expires > 0 && expires < leastExpires:
		s.reply(req, tx, 423, msg.NewHeader("Min-Expires", seconds(leastExpires)))
		return
	}
	s.subscribe(req, tx, s.newWatch(req, c, user, e, topic{c.ID, number}, target, routes, expires), expires)
}

// sender finds out which extension of which company a request outside a dialog
// is from; it has answered the request when ok is false. Unlike a caller nobody
// may be anonymous here.
func (s *Server) sender(req *msg.Request, tx msg.ServerTransaction) (c *pbx.Company, user string, ok bool) {
	if s.draining.Load() {
		s.dismiss(req, tx, 503, retryHeader())
		return nil, "", false
	}
	if m := req.MaxForwards(); m != nil && m.Val() == 0 {
		s.dismiss(req, tx, 483)
		return nil, "", false
	}
	dir, from := s.cfg.Directory(), &req.From().Address
	if c = companyOf(dir, from, &req.To().Address, &req.Recipient); c == nil {
		s.met.rejected(unknownDomain)
		s.dismiss(req, tx, 403)
		return nil, "", false
	}
	if user, ok = s.authenticate(req, tx, c); !ok {
		return nil, "", false
	}
	if !calledRight(dir, from, c, user) {
		s.met.rejected(spoofed)
		s.log.Info("sip: an extension calls itself another one", "method", method(req.Method), "tenant", c.ID, "extension", user, "from", clean(from.User))
		s.reply(req, tx, 403)
		return nil, "", false
	}
	s.flows.trust(req)
	if s.merged.seen(req, time.Now()) { // RFC 3261 §8.2.2.2
		s.met.rejected(looped)
		s.reply(req, tx, 482)
		return nil, "", false
	}
	return c, user, true
}

// calledRight says whether who has proved to be an extension calls itself so:
// in the domain of a company it must be its own number there.
func calledRight(dir *pbx.Directory, from *msg.Uri, c *pbx.Company, user string) bool {
	of := dir.Domain(domainOf(from))
	return of == nil || of.ID == c.ID && unescape(from.User) == user
}

// within gives the number that a request of an extension of c is for, "" when
// it is one of another company, or none.
func within(dir *pbx.Directory, c *pbx.Company, to *msg.Uri) string {
	if of := dir.Domain(domainOf(to)); of != nil && of.ID != c.ID {
		return ""
	}
	return userOf(to)
}

// watchable gives the number that a phone wants to watch, or the refusal. Of
// others it may see who talks, of itself its mailbox, too. A number that nobody
// has is idle; it may be one where calls are parked.
func (s *Server) watchable(c *pbx.Company, user string, e eventType, to *msg.Uri) (number string, code int) {
	number = within(s.cfg.Directory(), c, to)
	switch {
	case number == "":
		return "", 404
	case e.name == eventMailbox && number != user:
		return "", 403
	case c.Extensions[number] != nil, c.Groups[number] != nil, c.Conferences[number] != nil:
	case len(number) > maxTopic || pbx.CleanNumber(number) != number:
		return "", 404
	}
	return number, 0
}

// longNames says whether a request names its dialog by more than is worth being
// kept.
func longNames(req *msg.Request) bool {
	return len(req.From().Value())+len(req.To().Value())+len(req.CallID().Value()) > maxURI
}

// wayBack is the way back to the sender of a request.
func wayBack(req *msg.Request) way {
	w := way{transportOf(req), req.Source()}
	if a, err := addrPort(w.addr); err == nil {
		w.addr = a.String()
	}
	return w
}

// refuseEvent answers a SUBSCRIBE that we cannot serve.
func (s *Server) refuseEvent(req *msg.Request, tx msg.ServerTransaction, e eventType, code int) {
	switch code {
	case 489: // RFC 6665 §8.3.2
		s.reply(req, tx, code, msg.NewHeader("Allow-Events", allowEvents))
	case 406:
		s.reply(req, tx, code, msg.NewHeader("Accept", bodies[e.name]))
	default:
		s.reply(req, tx, code)
	}
}

// newWatch makes a subscription of a SUBSCRIBE. Our tag goes into the request
// itself, so that every answer carries it.
func (s *Server) newWatch(req *msg.Request, c *pbx.Company, user string, e eventType, k topic, target string, routes []string, expires time.Duration) *watch {
	to, from := msg.HeaderClone(req.To()).(*msg.ToHeader), req.From()
	tag := token()
	to.Params.Add("tag", tag)
	req.ReplaceHeader(to)
	remoteTag, _ := param(from.Params, "tag")
	return &watch{
		s: s, who: account{c.ID, user}, topic: k, event: e, news: make(chan struct{}, 1),
		flow: wayBack(req), until: time.Now().Add(expires), asked: true,
		d: dialog{
			callID: req.CallID().Value(), localTag: tag, remoteTag: remoteTag,
			local:     identity{to.DisplayName, *to.Address.Clone()},
			remote:    identity{from.DisplayName, *from.Address.Clone()},
			remoteSeq: int64(req.CSeq().SeqNo), target: target, routes: routes,
		},
	}
}

// subscribe takes a subscription in, answers the SUBSCRIBE and begins to tell.
func (s *Server) subscribe(req *msg.Request, tx msg.ServerTransaction, w *watch, expires time.Duration) {
	if code := s.watches.add(w); code != 0 {
		s.log.Warn("sip: too many subscriptions", "tenant", w.who.tenant, "extension", w.who.user, "code", code)
		s.reply(req, tx, code, msg.NewHeader("Retry-After", seconds(tooManyAfter)))
		return
	}
	if s.granted(req, tx, w, expires) != nil || !s.dlg.spawn(w.run) {
		s.watches.drop(w)
	}
}

// granted answers a SUBSCRIBE with 200 (RFC 6665 §4.2.1.1).
func (s *Server) granted(req *msg.Request, tx msg.ServerTransaction, w *watch, expires time.Duration) error {
	h, err := s.hop(transportOf(req), req.Source())
	if err != nil {
		s.reply(req, tx, 500)
		return err
	}
	return s.reply(req, tx, 200, &msg.ContactHeader{Address: w.contact(h)}, msg.NewHeader("Expires", seconds(expires)),
		msg.NewHeader("Allow-Events", allowEvents), msg.NewHeader("User-Agent", agent))
}

// resubscribe takes a SUBSCRIBE inside the dialog of a subscription, which
// prolongs it, or ends it with Expires 0 (RFC 6665 §4.2.1.3, §4.2.1.4). It is
// of use to nobody but the extension whose subscription it is.
func (s *Server) resubscribe(req *msg.Request, tx msg.ServerTransaction) {
	w := s.watches.find(req.CallID().Value(), toTag(req))
	if w == nil {
		s.dismiss(req, tx, 481)
		return
	}
	c := s.cfg.Directory().Company(w.who.tenant)
	if c == nil {
		s.dismiss(req, tx, 481)
		return
	}
	user, ok := s.authenticate(req, tx, c)
	if !ok {
		return
	}
	tag, _ := param(req.From().Params, "tag")
	expires := expiresOf(value(req, "expires"), defaultSubscription)
	e, code := eventOf(req)
	switch {
	case user != w.who.user:
		s.met.rejected(spoofed)
		s.reply(req, tx, 403)
	case tag != w.d.remoteTag:
		s.reply(req, tx, 481)
	case code != 0:
		s.refuseEvent(req, tx, e, code)
	case e != w.event: // RFC 6665 §4.5.1: one subscription in a dialog
		s.reply(req, tx, 481)
	case expires > 0 && expires < leastExpires:
		s.reply(req, tx, 423, msg.NewHeader("Min-Expires", seconds(leastExpires)))
	default:
		s.renew(req, tx, w, expires)
	}
}

// renew carries a further SUBSCRIBE out.
func (s *Server) renew(req *msg.Request, tx msg.ServerTransaction, w *watch, expires time.Duration) {
	switch s.watches.renew(w, req, expires) {
	case 481:
		s.reply(req, tx, 481)
		return
	case 500: // RFC 3261 §12.2.2
		s.reply(req, tx, 500)
		return
	}
	s.flows.trust(req)
	s.granted(req, tx, w, expires)
	w.poke() // the answer goes first
}

// renew changes a subscription as a further SUBSCRIBE says; otherwise it gives
// the status of the refusal.
func (t *watches) renew(w *watch, req *msg.Request, expires time.Duration) (code int) {
	seq := int64(req.CSeq().SeqNo)
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case w.gone:
		return 481
	case seq <= w.d.remoteSeq:
		return 500
	}
	w.d.remoteSeq = seq
	w.d.refresh(req)
	t.settle(w, wayBack(req))
	w.until = time.Now().Add(expires)
	w.asked = true
	return 0
}
