package sip

import (
	"cmp"
	"errors"
	"slices"
	"time"

	msg "github.com/emiago/sipgo/sip"

	"vpbx/pbx"
)

const (
	maxForks = 16 // forks of an INVITE we keep apart
	maxOwn   = 24 // extra headers of an INVITE
)

// Invite is what a new outbound leg needs.
type Invite struct {
	Company *pbx.Company
	Target  Target
	From    Party
	// FromHost is the host of From, "": that of the target. A number that is
	// withheld goes as anonymous@anonymous.invalid (RFC 3323 §4.1).
	FromHost string
	Contact  string          // user part of our Contact, "": as in From
	SDP      []byte          // our offer
	Headers  []Header        // extra headers; those that cannot be sent are left out
	Events   chan<- any      // where the leg's events go
	Gone     <-chan struct{} // closed: the leg hangs itself up
}

// proposal is an offer of the owner that waits to be sent.
type proposal struct{ sdp []byte }

// fork is one of the phones behind our INVITE that rang.
type fork struct {
	tag  string
	code int
	sdp  []byte

	agreed  bool // its description came reliably: offer and answer are complete
	renewed bool // it has made an offer since
}

// Dial calls a target. The leg tells by events what comes of it, also when
// nothing could be sent at all.
func (s *Server) Dial(inv Invite) *Leg {
	t := inv.Target
	l := &Leg{
		Company: inv.Company, Outbound: true, From: Party{clean(inv.From.User), clean(inv.From.Name)},
		To: t.user, Trunk: t.Trunk, Extension: t.extension, Transport: t.way.transport, UserAgent: t.agent, Arrived: time.Now(),
		owner: owner{inv.Events, inv.Gone}, flow: t.flow, sent: inv.SDP, heard: t.flow, us: inv.Contact,
		d: dialog{
			callID: token(), localTag: token(), remoteSeq: -1, target: t.uri, routes: t.path,
			local:  identity{quoteName(inv.From.Name), msg.Uri{Scheme: "sip", User: escapeUser(inv.From.User), Host: cmp.Or(inv.FromHost, t.domain)}},
			remote: identity{"", msg.Uri{Scheme: "sip", User: escapeUser(t.user), Host: t.domain}},
		},
	}
	l.Source, _ = addrPort(t.way.addr)
	l.prepare(s)
	l.call = &attempt{kind: kindInvite, d: &l.d, way: t.way, others: t.others, offer: true, mine: true}
	l.call.req = l.inviteRequest(inv.Headers)
	if s.dlg.add(l) != 0 {
		l.last = LegEnded{L: l, Cause: pbx.NewCause(pbx.PartyPBX, pbx.ShuttingDown)}
		close(l.over)
		go l.owner.tell(l.last)
	}
	return l
}

// inviteRequest builds the initial INVITE; nil when the target is no URI.
func (l *Leg) inviteRequest(extra []Header) *msg.Request {
	l.d.localSeq++
	req, err := l.d.request(msg.INVITE, l.d.localSeq)
	if err != nil {
		l.log.Warn("sip: call not sent", "error", err)
		return nil
	}
	l.throughProxy(req)
	l.capabilities(req, l.sent != nil)
	s := session{Interval: l.s.cfg.SessionExpires, Ours: true}
	header(req, "Session-Expires", s.header(true))
	req.AppendHeader(minSE())
	for _, h := range extra[:min(len(extra), maxOwn)] {
		if err := h.check(); err != nil {
			l.log.Warn("sip: header left out", "header", h.Name, "error", err)
			continue
		}
		header(req, h.Name, h.Value)
	}
	withSDP(req, l.sent)
	return req
}

// capabilities says what we can do. Without an offer in the INVITE the peer's
// would come in a reliable provisional, where we cannot answer it: then we do
// not list 100rel.
func (l *Leg) capabilities(req *msg.Request, offer bool) {
	header(req, "Allow", allow)
	if !offer || req.Method != msg.INVITE {
		header(req, "Supported", "timer, replaces")
		return
	}
	header(req, "Supported", supported)
}

// invite sends the initial INVITE.
func (l *Leg) invite() {
	if l.call.req == nil {
		l.call = nil
		l.end(pbx.NewCause(pbx.PartyPBX, pbx.Broken))
		return
	}
	l.send(l.call)
}

// onResponse takes a response to a request of ours.
func (l *Leg) onResponse(a *attempt, res *msg.Response) {
	l.replied.Store(true)
	if res.IsProvisional() {
		a.rang = true
		if a.kind == kindInvite {
			l.onProvisional(res)
		}
		return
	}
	l.done(a)
	if l.authenticate(a, res) || (res.StatusCode == 503 || res.StatusCode == 430) && l.nextHop(a, false, false) {
		return
	}
	switch a.kind {
	case kindInvite:
		l.call = nil
		l.onFinal(a, res)
	case kindOffer:
		l.onOfferFinal(a, res)
	case kindNotify:
		l.onNotified(a, res.StatusCode)
	case kindInfo:
		l.onInformed(a, res.StatusCode)
	}
}

// onFailure takes the end of a transaction without final response.
func (l *Leg) onFailure(a *attempt, err error) {
	l.done(a)
	if l.nextHop(a, errors.Is(err, errSilent), true) {
		return
	}
	code := 503 // RFC 3261 §8.1.3.1
	if errors.Is(err, msg.ErrTransactionTimeout) || errors.Is(err, errSilent) {
		code = 408
	}
	if l.phase != ended {
		l.log.Info("sip: request without answer", "method", a.req.Method, "code", code, "error", err)
	}
	switch a.kind {
	case kindInvite:
		l.call = nil
		l.end(pbx.FromSIP(l.blame(code), code))
	case kindOffer:
		l.offerFailed(a, code, nil)
	case kindNotify:
		l.onNotified(a, code)
	case kindInfo:
		l.onInformed(a, code)
	}
}

// blame says who a failure of an outbound call comes from: what a carrier's
// network says of itself is the trunk's, what it says of the number called is
// the callee's.
func (l *Leg) blame(code int) pbx.Party {
	if l.Trunk != nil {
		switch {
		case code >= 500 && code < 600, code == 401, code == 403, code == 407, code == 408, code == 608:
			return pbx.PartyTrunk
		}
	}
	return pbx.PartyCallee
}

// onProvisional takes a 1xx to the initial INVITE.
func (l *Leg) onProvisional(res *msg.Response) {
	if l.phase == ended { // it was waited for to send the CANCEL (RFC 3261 §9.1)
		l.sendCancel()
		return
	}
	if res.StatusCode == 100 || !l.inOrder(res) {
		return
	}
	f := fork{tag: toTag(res), code: res.StatusCode, sdp: sdpOf(res)}
	f.agreed = f.sdp != nil && oneOf(reliably, options(res, "require")...)
	i := slices.IndexFunc(l.forks, func(g fork) bool { return g.tag == f.tag })
	switch {
	case i < 0 && len(l.forks) >= maxForks:
		return
	case i < 0:
		l.forks = append(l.forks, f)
	case l.forks[i].code == f.code && string(l.forks[i].sdp) == string(f.sdp):
		return
	default:
		f.agreed, f.renewed = f.agreed || l.forks[i].agreed, l.forks[i].renewed
		if f.sdp == nil {
			f.sdp = l.forks[i].sdp // a 180 after a 183: the early media stays
			l.forks[i] = f
			f.sdp = nil
		} else {
			l.forks[i] = f
		}
	}
	l.note()
	l.emit(Rang{l, f.code, f.sdp})
}

// onFinal takes the final response to the initial INVITE.
func (l *Leg) onFinal(a *attempt, res *msg.Response) {
	switch {
	case res.IsSuccess() && l.phase == ended:
		l.refuseFork(a, res) // it crossed our CANCEL
	case res.IsSuccess():
		l.pickedUp(a, res)
	case res.StatusCode == 422 && l.phase != ended && !a.longer:
		l.call = l.askLonger(a, res)
	default:
		c := pbx.FromSIP(l.blame(res.StatusCode), res.StatusCode)
		if q := q850Of(res); q != 0 {
			c.Q850 = q
		}
		if res.StatusCode == 603 && networkBlocked(res) {
			c.Reason, c.Party = pbx.Blocked, l.blame(608)
		}
		l.last.Moved = l.moved(res)
		l.end(c)
	}
}

// moved gives where a phone redirects its call to (RFC 3261 §21.3): the user
// part of the first Contact. A trunk that redirects is not followed, since
// whoever answers there would choose whom the company pays for.
func (l *Leg) moved(res *msg.Response) string {
	if res.StatusCode < 300 || res.StatusCode > 399 || l.Trunk != nil {
		return ""
	}
	uri, ok := contactOf(res)
	if !ok {
		return ""
	}
	t, code := parseReferTo("<" + uri + ">")
	if code != 0 {
		return ""
	}
	return t.user
}

// pickedUp makes the dialog of a 2xx and acknowledges it.
func (l *Leg) pickedUp(a *attempt, res *msg.Response) {
	if err := l.d.establish(res); err != nil {
		l.log.Warn("sip: 2xx cannot be used", "error", err)
		l.refuseFork(a, res)
		l.end(pbx.NewCause(l.blame(500), pbx.BadRequest))
		return
	}
	l.acknowledge(a, &l.d)
	l.phase = confirmed
	l.learn(res)
	l.sess = readSession(res).granted()
	l.renew()
	l.emit(PickedUp{l, l.description(sdpOf(res))})
	l.note()
}

// description gives the answer that goes with a 2xx which carries sdp: without
// one, what the phone described while it rang. Where the two differ the 2xx
// counts, also after a reliable response, whose description should be the last
// (RFC 3261 §13.2.1): a peer that breaks that rule sends from where it says now.
// After a later offer of the peer there is no answer to tell.
func (l *Leg) description(sdp []byte) []byte {
	i := slices.IndexFunc(l.forks, func(f fork) bool { return f.tag == l.d.remoteTag })
	switch {
	case i >= 0 && l.forks[i].renewed:
		l.got = l.forks[i].sdp
		return nil
	case i >= 0 && sdp == nil:
		sdp = l.forks[i].sdp
	}
	l.got = sdp
	return sdp
}

// establish completes a dialog by the 2xx to our INVITE (RFC 3261 §12.1.2).
func (d *dialog) establish(res *msg.Response) error {
	routes, err := routesOf(res)
	if err != nil {
		return err
	}
	slices.Reverse(routes)
	d.routes = routes
	d.remoteTag = toTag(res)
	if t, ok := contactOf(res); ok {
		d.target = t
	}
	return nil
}

// cancel ends an outbound leg that has no final response yet.
func (l *Leg) cancel(c pbx.Cause) {
	l.ending = c
	l.end(c)
	if l.call != nil && l.call.rang {
		l.sendCancel()
	}
}

// sendCancel cancels our INVITE (RFC 3261 §9.1), once.
func (l *Leg) sendCancel() {
	inv := l.call
	if inv == nil || l.tried {
		return
	}
	l.tried = true
	req := msg.NewRequest(msg.CANCEL, inv.req.Recipient)
	req.AppendHeader(inv.req.Via().Clone())
	msg.CopyHeaders("Route", inv.req, req)
	l.d.identify(req, inv.req.CSeq().SeqNo)
	withReason(req, l.ending) // RFC 3326 §2
	l.send(&attempt{kind: kindCancel, req: req, d: &l.d, way: inv.way, hops: inv.hops})
	l.after(clockLinger, lingering)
}

// bye ends the dialog with a BYE.
func (l *Leg) bye(c pbx.Cause) { l.byeTo(&l.d, c) }

func (l *Leg) byeTo(d *dialog, c pbx.Cause) {
	d.localSeq++
	req, err := d.request(msg.BYE, d.localSeq)
	if err != nil {
		l.log.Warn("sip: BYE not sent", "error", err)
		return
	}
	withReason(req, c)
	l.send(&attempt{kind: kindBye, req: req, d: d, way: l.wayOf(d)})
	l.after(clockLinger, lingering)
}
