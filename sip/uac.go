package sip

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	msg "github.com/emiago/sipgo/sip"

	"vpbx/pbx"
)

const (
	maxForks   = 16               // forks of an INVITE we keep apart
	maxAuth    = 3                // credentials sent with one request: 407, 401, and one stale nonce
	maxOwn     = 16               // extra headers of an INVITE
	replyBound = 64 * time.Second // our request in a dialog is answered for good within that
)

// Invite is what a new outbound leg needs.
type Invite struct {
	Company *pbx.Company
	Target  Target
	From    Party
	SDP     []byte          // our offer
	Headers []Header        // extra headers; those that cannot be sent are left out
	Events  chan<- any      // where the leg's events go
	Gone    <-chan struct{} // closed: the leg hangs itself up
}

// attempt is one client transaction of a leg.
type attempt struct {
	kind   kind
	req    *msg.Request
	d      *dialog // whose sequence numbers it uses
	way    way
	hops   []hop // where it goes, or went, once that is known
	tx     msg.ClientTransaction
	cancel context.CancelFunc

	offer  bool // it carries an offer
	mine   bool // the owner asked for it
	rang   bool // it had a provisional response
	auth   int  // credentials sent so far
	longer bool // sent again after a 422
}

type kind int

const (
	kindInvite kind = iota // the initial INVITE
	kindOffer              // re-INVITE or UPDATE
	kindCancel
	kindBye
)

// proposal is an offer of the owner that waits to be sent.
type proposal struct{ sdp []byte }

// fork is one of the phones behind our INVITE that rang.
type fork struct {
	tag  string
	code int
	sdp  []byte
}

// ackSent is an ACK to a 2xx, kept to be repeated with that 2xx.
type ackSent struct {
	seq uint32
	tag string
	req *msg.Request
	way way
}

// Messages about our transactions.
type (
	started struct {
		a  *attempt
		tx msg.ClientTransaction
		h  hop
	}
	responded struct {
		a   *attempt
		res *msg.Response
	}
	undone struct {
		a   *attempt
		err error
	} // no final response came
	again struct{ res *msg.Response } // a 2xx to an INVITE, repeated or of another fork
)

// Dial calls a target. The leg tells by events what comes of it, also when
// nothing could be sent at all.
func (s *Server) Dial(inv Invite) *Leg {
	t := inv.Target
	l := &Leg{
		Company: inv.Company, Outbound: true, From: Party{clean(inv.From.User), clean(inv.From.Name)},
		To: t.user, Trunk: t.Trunk, Extension: t.extension, Transport: t.way.transport, UserAgent: t.agent, Arrived: time.Now(),
		owner: owner{inv.Events, inv.Gone}, flow: t.flow, sent: inv.SDP, heard: t.flow,
		d: dialog{
			callID: token(), localTag: token(), remoteSeq: -1, target: t.uri,
			local:  identity{quoteName(inv.From.Name), msg.Uri{Scheme: "sip", User: escapeUser(inv.From.User), Host: t.domain}},
			remote: identity{"", msg.Uri{Scheme: "sip", User: escapeUser(t.user), Host: t.domain}},
		},
	}
	l.Source, _ = addrPort(t.way.addr)
	l.prepare(s)
	l.call = &attempt{kind: kindInvite, d: &l.d, way: t.way, offer: true, mine: true}
	l.call.req = l.inviteRequest(inv.Headers)
	if !s.dlg.add(l) {
		close(l.over)
		go l.owner.tell(LegEnded{l, pbx.NewCause(pbx.PartyPBX, pbx.ShuttingDown)})
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
	l.capabilities(req)
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

func (l *Leg) capabilities(req *msg.Request) {
	header(req, "Allow", allow)
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

// send starts a client transaction. A goroutine of its own waits for it, so
// that neither sipgo nor the leg waits for the other.
func (l *Leg) send(a *attempt) {
	ctx, cancel := context.WithCancel(l.s.dlg.ctx)
	a.cancel = cancel
	l.open[a] = struct{}{}
	l.s.dlg.work.Go(func() { l.attend(ctx, a.req, a.way, a.hops, a) })
}

// attend sends a request, and reads its responses until a final one. Which
// address of the way it went to, and everything else, is told by messages; of
// a only the pointer is used.
func (l *Leg) attend(ctx context.Context, req *msg.Request, w way, hops []hop, a *attempt) {
	tx, h, err := l.s.dlg.transact(ctx, l, req, w, hops)
	if err != nil {
		l.post(undone{a, err})
		return
	}
	if req.IsInvite() {
		tx.OnRetransmission(func(res *msg.Response) { l.post(again{res}) })
	}
	l.post(started{a, tx, h})
	for {
		select {
		case res := <-tx.Responses():
			if req.IsInvite() && res.StatusCode >= 300 {
				l.s.dlg.finals.keep(req, res, h, time.Now())
				tx.Terminate()
			}
			l.post(responded{a, res})
			if !res.IsProvisional() {
				return
			}
		case <-tx.Done():
			l.post(undone{a, tx.Err()})
			return
		case <-ctx.Done():
			tx.Terminate()
			return
		}
	}
}

// transact finds the addresses of a way and starts the transaction over the
// first that takes it.
func (d *dialogs) transact(ctx context.Context, l *Leg, req *msg.Request, w way, hops []hop) (tx msg.ClientTransaction, h hop, err error) {
	if hops == nil {
		if hops, err = d.reach(ctx, w); err != nil {
			return nil, hop{}, err
		}
	}
	for _, h = range hops {
		switch req.Method {
		case msg.INVITE, msg.UPDATE:
			req.RemoveHeader("Contact")
			req.AppendHeader(&msg.ContactHeader{Address: l.contact(h)})
		}
		if tx, err = d.s.send(ctx, h, req); err == nil {
			return tx, h, nil
		}
		if req.Method != msg.CANCEL {
			req.RemoveHeader("Via")
		}
	}
	return nil, hop{}, err
}

// done forgets a transaction that has its final response.
func (l *Leg) done(a *attempt) {
	a.cancel()
	delete(l.open, a)
}

// onResponse takes a response to a request of ours.
func (l *Leg) onResponse(a *attempt, res *msg.Response) {
	if res.IsProvisional() {
		a.rang = true
		if a.kind == kindInvite {
			l.onProvisional(res)
		}
		return
	}
	l.done(a)
	if l.authenticate(a, res) {
		return
	}
	switch a.kind {
	case kindInvite:
		l.call = nil
		l.onFinal(a, res)
	case kindOffer:
		l.onOfferFinal(a, res)
	}
}

// onFailure takes the end of a transaction without final response.
func (l *Leg) onFailure(a *attempt, err error) {
	l.done(a)
	code := 503 // RFC 3261 §8.1.3.1
	if errors.Is(err, msg.ErrTransactionTimeout) {
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
	}
}

// blame says who a failure of an outbound call comes from: what a carrier's
// network says of itself is the trunk's, what it says of the number called is
// the callee's.
func (l *Leg) blame(code int) pbx.Party {
	if l.Trunk != nil {
		switch {
		case code >= 500 && code < 600, code == 401, code == 403, code == 407, code == 408:
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
	if res.StatusCode == 100 {
		return
	}
	f := fork{toTag(res), res.StatusCode, sdpOf(res)}
	i := slices.IndexFunc(l.forks, func(g fork) bool { return g.tag == f.tag })
	switch {
	case i < 0 && len(l.forks) >= maxForks:
		return
	case i < 0:
		l.forks = append(l.forks, f)
	case l.forks[i].code == f.code && string(l.forks[i].sdp) == string(f.sdp):
		return
	default:
		if f.sdp == nil {
			f.sdp = l.forks[i].sdp // a 180 after a 183: the early media stays
			l.forks[i] = f
			f.sdp = nil
		} else {
			l.forks[i] = f
		}
	}
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
		l.askLonger(a, res)
		l.call = l.resend(a)
	default:
		c := pbx.FromSIP(l.blame(res.StatusCode), res.StatusCode)
		if q := q850Of(res); q != 0 {
			c.Q850 = q
		}
		l.end(c)
	}
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
	l.got = sdpOf(res)
	if l.got == nil {
		if i := slices.IndexFunc(l.forks, func(f fork) bool { return f.tag == l.d.remoteTag }); i >= 0 {
			l.got = l.forks[i].sdp // answered in the 183 already
		}
	}
	l.emit(PickedUp{l, l.got})
	l.note()
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

// acknowledge sends the ACK to a 2xx to our INVITE (RFC 3261 §13.2.2.4) and
// keeps it.
func (l *Leg) acknowledge(a *attempt, d *dialog) {
	seq := a.req.CSeq().SeqNo
	req, err := d.request(msg.ACK, seq)
	if err != nil {
		l.log.Warn("sip: ACK not sent", "error", err)
		return
	}
	for _, name := range []string{"Authorization", "Proxy-Authorization"} {
		msg.CopyHeaders(name, a.req, req) // RFC 3261 §13.2.2.4
	}
	if len(l.acks) >= maxForks {
		l.acks = l.acks[1:]
	}
	k := &ackSent{seq, d.remoteTag, req, l.wayOf(d)}
	l.acks = append(l.acks, k)
	l.sendACK(k)
}

// sendACK writes an ACK. Over UDP, and over a connection that is open, that
// needs no waiting; names and new connections do.
func (l *Leg) sendACK(k *ackSent) {
	req := k.req.Clone()
	if k.way.literal() && (k.way.transport == "udp" || l.s.connected(k.way.transport, k.way.addr)) {
		l.write(req, k.way)
		return
	}
	l.s.dlg.work.Go(func() { l.write(req, k.way) })
}

// write sends a request without transaction.
func (l *Leg) write(req *msg.Request, w way) {
	hops, err := l.s.dlg.reach(l.s.dlg.ctx, w)
	if err == nil {
		err = l.s.write(l.s.dlg.ctx, hops[0], req)
	}
	if err != nil {
		l.log.Warn("sip: request not sent", "method", req.Method, "error", err)
	}
}

// onAgain takes a 2xx to an INVITE outside of what the transaction told: one
// that is repeated because our ACK was lost, or that of another fork, which is
// one phone too many (RFC 3261 §13.2.2.4).
func (l *Leg) onAgain(res *msg.Response) {
	seq, tag := res.CSeq().SeqNo, toTag(res)
	for _, k := range l.acks {
		if k.seq == seq && k.tag == tag {
			l.sendACK(k)
			return
		}
	}
	if l.Outbound && len(l.acks) > 0 && seq == l.acks[0].seq {
		l.refuseFork(nil, res)
	}
}

// refuseFork acknowledges a 2xx that we do not want, and hangs it up.
func (l *Leg) refuseFork(a *attempt, res *msg.Response) {
	d := l.d
	d.routes = nil
	if err := d.establish(res); err != nil {
		d.remoteTag = toTag(res)
		l.log.Warn("sip: 2xx of a stray phone", "error", err)
	}
	seq := res.CSeq().SeqNo
	if a == nil {
		a = &attempt{req: l.acks[0].req}
	}
	inv := &attempt{req: a.req.Clone()}
	inv.req.CSeq().SeqNo = seq
	l.acknowledge(inv, &d)
	cause := l.ending
	if cause == (pbx.Cause{}) {
		cause = pbx.NewCause(pbx.PartyPBX, pbx.Elsewhere)
	}
	l.byeTo(&d, cause)
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

// authenticate answers the challenge of a provider and sends the request
// again; false when there is nothing to answer it with.
func (l *Leg) authenticate(a *attempt, res *msg.Response) bool {
	code := res.StatusCode
	if code != 401 && code != 407 || l.Trunk == nil || l.Trunk.Username == "" || a.kind == kindCancel {
		return false
	}
	if l.phase == ended && a.kind != kindBye {
		return false
	}
	name := credentialsHeader(code)
	h, stale, err := answerChallenge(res, a.req, l.Trunk.Username, l.Trunk.Password)
	if err != nil {
		l.log.Warn("sip: challenge of a trunk cannot be answered", "trunk", l.Trunk.Name, "error", err)
		return false
	}
	if a.req.GetHeader(name) != nil && !stale || a.auth >= maxAuth {
		return false // it knows our credentials and does not like them
	}
	a.auth++
	a.req.RemoveHeader(name)
	a.req.AppendHeader(h)
	b := l.resend(a)
	switch a.kind {
	case kindInvite:
		l.call = b
	case kindOffer:
		l.ours = b
	}
	return true
}

// resend sends a request again with the next sequence number and a new branch
// (RFC 3261 §8.1.3.5).
func (l *Leg) resend(a *attempt) *attempt {
	b := *a
	b.req = a.req.Clone()
	b.req.RemoveHeader("Via")
	b.d.localSeq++
	b.req.CSeq().SeqNo = b.d.localSeq
	b.tx, b.hops, b.rang = nil, nil, false
	l.send(&b)
	return &b
}

// askLonger puts the session interval that a 422 demands into a request
// (RFC 4028 §7.3).
func (l *Leg) askLonger(a *attempt, res *msg.Response) {
	least := max(parseDelta(value(res, "min-se")), minSession)
	s := session{Interval: max(least, l.s.cfg.SessionExpires), Ours: true}
	if l.sess.Interval != 0 {
		s = session{Interval: max(least, l.sess.Interval), Ours: l.sess.Ours}
	}
	a.longer = true
	a.req.RemoveHeader("Session-Expires")
	a.req.RemoveHeader("Min-SE")
	header(a.req, "Session-Expires", s.header(true))
	header(a.req, "Min-SE", strconv.Itoa(int(least/time.Second)))
}
