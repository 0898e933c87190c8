package sip

import (
	"errors"
	"strconv"
	"time"

	msg "github.com/emiago/sipgo/sip"

	"vpbx/pbx"
)

const (
	firstRepeat = 500 * time.Millisecond // T1
	longRepeat  = 4 * time.Second        // T2
	ackWithin   = 32 * time.Second       // 64·T1, RFC 3261 §13.3.1.4
	answerOffer = 10 * time.Second       // the owner answers the peer's offer within that
	ringEvery   = time.Minute            // RFC 3261 §13.3.1.1
)

// exchange is a request of the peer on its way through the leg. The handler of
// sipgo waits in serve until it is settled, because the transaction ends when
// the handler returns.
type exchange struct {
	req       *msg.Request
	tx        msg.ServerTransaction
	cancelled chan struct{} // closed by the CANCEL; sipgo has answered both then
	settled   chan struct{} // closed by the leg when nothing more will be sent

	initial   bool
	offerless bool // an INVITE without offer: ours goes into the 2xx
	ask       sessionAsk
	final     *msg.Response // 2xx that waits for its ACK
	pause     time.Duration // until it is repeated
}

// Messages about an exchange.
type (
	acked     struct{ req *msg.Request }
	cancelled struct{ x *exchange }
	lost      struct{ x *exchange } // the transaction ended under us
)

func newExchange(req *msg.Request, tx msg.ServerTransaction) *exchange {
	return &exchange{
		req: req, tx: tx, cancelled: make(chan struct{}), settled: make(chan struct{}),
		offerless: req.IsInvite() && sdpOf(req) == nil, ask: readSession(req),
	}
}

// watch listens for the CANCEL; false when it came already.
func (x *exchange) watch() bool {
	return x.tx.OnCancel(func(*msg.Request) {
		select {
		case <-x.cancelled:
		default:
			close(x.cancelled)
		}
	})
}

// settle lets the handler go.
func (x *exchange) settle() {
	select {
	case <-x.settled:
	default:
		close(x.settled)
	}
}

// serve gives an exchange to the leg and stays until it is settled.
func (l *Leg) serve(x *exchange) {
	if !x.initial && x.req.IsInvite() && !x.watch() {
		return
	}
	if !x.initial { // the leg has its INVITE from the start
		l.post(x)
	}
	cancel, done := x.cancelled, x.tx.Done()
	for {
		select {
		case <-x.settled:
			return
		case <-cancel:
			cancel = nil
			l.post(cancelled{x})
		case ack := <-x.tx.Acks(): // sent with the branch of the INVITE
			l.post(acked{ack})
		case <-done:
			done = nil
			l.post(lost{x})
		case <-l.over:
			select {
			case <-x.settled:
			default: // it came when the leg was leaving
				l.s.reply(x.req, x.tx, 481)
			}
			return
		}
	}
}

// acceptInvite makes the leg of an identified initial INVITE and hands it to
// Config.Accept. It returns when the INVITE has been answered for good.
func (s *Server) acceptInvite(req *msg.Request, tx msg.ServerTransaction, a arrival) {
	// Our tag goes into the request itself, so that sipgo's own responses (487
	// to a cancelled INVITE) carry it too (RFC 3261 §8.2.6.2).
	to := msg.HeaderClone(req.To()).(*msg.ToHeader)
	to.Params.Add("tag", token())
	req.ReplaceHeader(to)
	x := newExchange(req, tx)
	x.initial = true
	if !x.watch() {
		return
	}
	if x.ask.tooShort() {
		s.reply(req, tx, 422, minSE())
		return
	}
	target, ok := contactOf(req)
	routes, err := routesOf(req)
	if !ok || err != nil { // RFC 3261 §8.1.1.8, §12.1.1
		s.reply(req, tx, 400)
		return
	}
	l := newInbound(x, a)
	l.d.target, l.d.routes = target, routes
	l.prepare(s)
	if !s.dlg.add(l) {
		s.reply(req, tx, 503, retryHeader())
		return
	}
	s.respond(tx, req, s.response(req, 100))
	s.cfg.Accept(l)
	l.serve(x)
}

// newInbound fills in the facts of a leg that an INVITE brought.
func newInbound(x *exchange, a arrival) *Leg {
	req := x.req
	from, to := req.From(), req.To()
	tag, _ := param(to.Params, "tag")
	remoteTag, _ := param(from.Params, "tag")
	l := &Leg{
		Company: a.company, Trunk: a.trunk, Extension: a.extension, To: clean(a.dialled),
		From:   Party{User: userOf(&from.Address), Name: unquoteName(from.DisplayName)},
		Source: a.source, Transport: transportOf(req), UserAgent: clean(value(req, "user-agent")),
		SDP: sdpOf(req), Arrived: time.Now(),
		d: dialog{
			callID: req.CallID().Value(), localTag: tag, remoteTag: remoteTag,
			local:     identity{to.DisplayName, *to.Address.Clone()},
			remote:    identity{from.DisplayName, *from.Address.Clone()},
			remoteSeq: int64(req.CSeq().SeqNo),
		},
		theirs: x, update: oneOf("UPDATE", options(req, "allow")...),
	}
	l.got = l.SDP
	l.heard = way{l.Transport, a.source.String()}
	if a.trunk == nil {
		l.flow = l.heard
	}
	l.clock[clockOwner] = l.Arrived.Add(ownWithin)
	return l
}

// onRequest takes a request of the peer.
func (l *Leg) onRequest(x *exchange) {
	if tag, _ := param(x.req.From().Params, "tag"); !l.knows(tag) {
		l.close(x, 481)
		return
	}
	seq, method := int64(x.req.CSeq().SeqNo), x.req.Method
	// RFC 3261 §12.2.2. sipgo gives up the order of messages, so an INFO may be
	// overtaken by the next request; it changes nothing and is let through.
	changes := method == msg.INVITE || method == msg.UPDATE || method == msg.BYE
	if changes && (seq < l.d.remoteSeq || seq == l.d.remoteSeq && method != msg.BYE) {
		l.close(x, 500)
		return
	}
	l.d.remoteSeq = max(l.d.remoteSeq, seq)
	l.hear(x.req)
	switch method {
	case msg.BYE:
		l.onBye(x)
	case msg.INVITE:
		l.onReinvite(x)
	case msg.UPDATE:
		l.onUpdate(x)
	case msg.INFO:
		l.implied()
		l.close(x, 200)
	case msg.OPTIONS:
		l.close(x, 200, msg.NewHeader("Allow", allow), msg.NewHeader("Accept", sdpType), msg.NewHeader("Supported", supported))
	case msg.PRACK, msg.CANCEL:
		l.close(x, 481) // we send no reliable provisionals (RFC 3262 §3); the INVITE is not there
	default:
		l.close(x, 405, msg.NewHeader("Allow", allow))
	}
}

// knows says whether a tag is the peer's in this dialog. Before the answer to
// our INVITE every fork that rang may ask something.
func (l *Leg) knows(tag string) bool {
	if l.d.remoteTag != "" || !l.Outbound {
		return tag == l.d.remoteTag
	}
	for _, f := range l.forks {
		if f.tag == tag {
			return true
		}
	}
	return false
}

// hear follows a peer that changed its address.
func (l *Leg) hear(req *msg.Request) {
	if a, err := addrPort(req.Source()); err == nil {
		l.heard = way{transportOf(req), a.String()}
		if l.flow != (way{}) {
			l.flow = l.heard
		}
	}
	l.learn(req)
}

// learn notes what the peer can do.
func (l *Leg) learn(m msg.Message) {
	if a := options(m, "allow"); len(a) > 0 {
		l.update = oneOf("UPDATE", a...)
	}
}

// respond sends a response of an exchange; false when the exchange is dead.
func (l *Leg) respond(x *exchange, res *msg.Response) bool {
	err := l.s.respond(x.tx, x.req, res)
	if errors.Is(err, msg.ErrTransactionCanceled) {
		// The CANCEL came first and sipgo has sent 487. It has also taken
		// our late response for the one to repeat: put the 487 back.
		x.tx.Respond(l.s.response(x.req, 487))
		return false
	}
	if err != nil {
		l.log.Info("sip: response not sent", "code", res.StatusCode, "error", err)
	}
	return true
}

// close answers an exchange for good.
func (l *Leg) close(x *exchange, code int, headers ...msg.Header) {
	l.respond(x, l.s.response(x.req, code, headers...))
	x.settle()
}

// outcome builds a provisional or 2xx response to an INVITE or UPDATE.
func (l *Leg) outcome(x *exchange, code int, sdp []byte) *msg.Response {
	res := l.s.response(x.req, code, msg.NewHeader("Allow", allow), msg.NewHeader("Supported", supported), msg.NewHeader("User-Agent", agent))
	if h, err := l.s.hop(transportOf(x.req), x.req.Source()); err == nil {
		res.AppendHeader(&msg.ContactHeader{Address: l.contact(h)})
	}
	if code >= 200 {
		l.sess = x.ask.accept(l.s.cfg.SessionExpires, l.sess)
		l.renew()
		if l.sess.Interval != 0 {
			header(res, "Session-Expires", l.sess.header(false))
			if !l.sess.Ours { // RFC 4028 §9
				header(res, "Require", "timer")
			}
		}
	}
	if sdp != nil {
		withSDP(res, sdp)
		l.sent = sdp
	}
	return res
}

// onRing sends a provisional response.
func (l *Leg) onRing(code int, sdp []byte) {
	if l.Outbound || l.phase != early || l.theirs == nil || code <= 100 || code >= 200 {
		return
	}
	l.ringing = l.outcome(l.theirs, code, sdp)
	l.respond(l.theirs, l.ringing)
	l.after(clockRing, ringEvery)
}

// ringAgain repeats the last provisional, so that no proxy on the way takes
// the call for dead.
func (l *Leg) ringAgain() {
	if l.phase == early && l.theirs != nil {
		l.respond(l.theirs, l.ringing)
		l.after(clockRing, ringEvery)
	}
}

// onAnswer accepts the call.
func (l *Leg) onAnswer(sdp []byte) {
	if l.Outbound || l.phase != early || l.theirs == nil {
		return
	}
	l.stop(clockRing)
	if !l.accept(sdp) {
		l.end(pbx.NewCause(l.peer(), pbx.Cancelled))
		return
	}
	l.phase = answered
	l.note()
}

// accept sends the 2xx to the peer's INVITE and waits for the ACK.
func (l *Leg) accept(sdp []byte) bool {
	x := l.theirs
	l.theirs = nil
	x.final = l.outcome(x, 200, sdp)
	if !l.respond(x, x.final) {
		x.settle()
		return false
	}
	l.unacked = x
	x.pause = firstRepeat
	l.after(clockRepeat, x.pause)
	l.after(clockACK, ackWithin)
	return true
}

// repeat sends the 2xx again: it is ours to do so, over every transport
// (RFC 3261 §13.3.1.4).
func (l *Leg) repeat() {
	if x := l.unacked; x != nil {
		l.respond(x, x.final)
		x.pause = min(2*x.pause, longRepeat)
		l.after(clockRepeat, x.pause)
	}
}

// onACK takes the ACK to our 2xx.
func (l *Leg) onACK(req *msg.Request) {
	x := l.unacked
	if x == nil || req.CSeq().SeqNo != x.req.CSeq().SeqNo {
		return
	}
	if tag, _ := param(req.From().Params, "tag"); tag != l.d.remoteTag {
		return
	}
	l.acknowledged(sdpOf(req))
}

// acknowledged ends the wait for an ACK. answer is what the ACK carried.
func (l *Leg) acknowledged(answer []byte) {
	x := l.unacked
	l.unacked = nil
	l.stop(clockRepeat, clockACK)
	x.settle()
	if !x.offerless {
		answer = nil
	} else if answer != nil {
		l.got = answer
	}
	switch {
	case l.phase == ended:
		l.bye(l.ending) // it had to wait for the ACK
	case x.initial:
		l.phase = confirmed
		l.emit(Confirmed{l, answer})
	case x.offerless:
		l.emit(OfferAnswered{l, 200, answer})
	}
	l.note()
}

// implied takes any later request of the peer for the ACK that was lost or
// overtaken: it would not have sent it without our 2xx. Only an ACK that
// brings the answer to our offer cannot be done without.
func (l *Leg) implied() {
	if l.unacked != nil && !l.unacked.offerless {
		l.acknowledged(nil)
	}
}

// noACK ends a leg whose 2xx was never acknowledged.
func (l *Leg) noACK() {
	if l.unacked == nil {
		return
	}
	l.unacked.settle()
	l.unacked = nil
	l.stop(clockRepeat)
	if l.phase == ended {
		l.bye(l.ending)
		return
	}
	c := pbx.NewCause(l.peer(), pbx.NoACK)
	l.end(c)
	l.terminate()
	l.bye(c)
}

// reject refuses an INVITE that has not been answered.
func (l *Leg) reject(c pbx.Cause) {
	if x := l.theirs; x != nil {
		l.theirs = nil
		code := c.SIP
		if code < 300 || code > 699 {
			code = 480
		}
		res := l.s.response(x.req, code)
		if code == 503 {
			res.AppendHeader(retryHeader())
		}
		withReason(res, c)
		sent := l.respond(x, res)
		x.settle()
		if !sent {
			c = pbx.NewCause(l.peer(), pbx.Cancelled)
		}
	}
	l.end(c)
}

// onCancel takes the CANCEL of an INVITE that we had not answered. Once we have
// answered, sipgo does not pass it on and the call stands (RFC 3261 §9.2).
func (l *Leg) onCancel(x *exchange) {
	x.settle()
	if l.theirs != x {
		return
	}
	l.theirs = nil
	l.s.met.answered(msg.INVITE, 487)
	if x.initial {
		l.end(pbx.NewCause(l.peer(), pbx.Cancelled))
		return
	}
	l.stop(clockOffer)
}

// onLost takes the end of a transaction that was not over: its connection
// broke.
func (l *Leg) onLost(x *exchange) {
	if l.theirs != x {
		return // its 2xx is sent; the ACK may come over another connection
	}
	l.theirs = nil
	x.settle()
	l.stop(clockOffer)
	if x.initial {
		l.end(pbx.NewCause(l.peer(), pbx.NoReply))
	}
}

// onBye ends the leg.
func (l *Leg) onBye(x *exchange) {
	if l.Outbound && l.phase == early {
		l.close(x, 481) // RFC 3261 §15: not on an early dialog of ours
		return
	}
	l.close(x, 200)
	c := pbx.NewCause(l.peer(), pbx.Hangup)
	if l.phase == early {
		c = pbx.NewCause(l.peer(), pbx.Cancelled)
	} else if q := q850Of(x.req); q != 0 {
		c.Q850 = q
	}
	l.end(c)
	l.terminate()
}

// terminate answers what the peer still waits for when a dialog ends
// (RFC 3261 §15.1.2).
func (l *Leg) terminate() {
	if x := l.theirs; x != nil {
		l.theirs = nil
		l.close(x, 487)
	}
	if x := l.unacked; x != nil {
		l.unacked = nil
		x.settle()
	}
	l.stop(clockRepeat, clockACK, clockOffer)
}

// busy says why the peer's offer cannot be taken now: 491 when it crosses ours,
// 500 when the one before is not answered (RFC 3261 §14.2, RFC 3311 §5.2).
func (l *Leg) busy() int {
	switch {
	case l.ours != nil && l.ours.offer:
		return 491
	case l.theirs != nil || l.phase == early || l.unacked != nil && l.unacked.offerless:
		return 500
	}
	return 0
}

// onReinvite takes an INVITE inside the dialog.
func (l *Leg) onReinvite(x *exchange) {
	l.implied()
	if l.turnAway(x) {
		return
	}
	l.d.refresh(x.req)
	l.offered(x)
}

// onUpdate takes an UPDATE: without SDP it refreshes target and session
// (RFC 3311, RFC 4028), with SDP it is an offer.
func (l *Leg) onUpdate(x *exchange) {
	l.implied()
	if sdpOf(x.req) != nil {
		if !l.turnAway(x) {
			l.d.refresh(x.req)
			l.offered(x)
		}
		return
	}
	if x.ask.tooShort() {
		l.close(x, 422, minSE())
		return
	}
	if l.phase == ended {
		l.close(x, 481)
		return
	}
	l.d.refresh(x.req)
	l.respond(x, l.outcome(x, 200, nil))
	x.settle()
	l.note()
}

// turnAway refuses an offer that cannot be taken now.
func (l *Leg) turnAway(x *exchange) bool {
	switch code := l.busy(); {
	case l.phase == ended:
		l.close(x, 481)
	case x.ask.tooShort():
		l.close(x, 422, minSE())
	case code == 500:
		l.close(x, 500, msg.NewHeader("Retry-After", "1"))
	case code != 0:
		l.close(x, code)
	default:
		return false
	}
	return true
}

// offered passes an offer on to the owner.
func (l *Leg) offered(x *exchange) {
	l.theirs = x
	if sdp := sdpOf(x.req); sdp != nil {
		l.got = sdp
	}
	l.after(clockOffer, answerOffer)
	l.emit(Offered{l, sdpOf(x.req)})
	l.note()
}

// onAnswerOffer answers the offer of the peer.
func (l *Leg) onAnswerOffer(sdp []byte) {
	x := l.theirs
	if x == nil || x.initial {
		return
	}
	l.stop(clockOffer)
	if x.req.IsInvite() {
		l.accept(sdp)
	} else {
		l.theirs = nil
		l.respond(x, l.outcome(x, 200, sdp))
		x.settle()
	}
	l.note()
}

// refuse refuses the offer of the peer.
func (l *Leg) refuse(code int) {
	x := l.theirs
	if x == nil || x.initial {
		return
	}
	if code < 300 || code > 699 {
		code = 488
	}
	l.theirs = nil
	l.stop(clockOffer)
	l.close(x, code)
}

// contact is our Contact over h.
func (l *Leg) contact(h hop) msg.Uri {
	u := h.contact
	u.User = escapeUser(l.To)
	if l.Outbound {
		u.User = escapeUser(l.From.User)
	}
	return u
}

// minSE is the header of a 422 (RFC 4028 §9).
func minSE() msg.Header {
	return msg.NewHeader("Min-SE", strconv.Itoa(int(minSession/time.Second)))
}

func retryHeader() msg.Header {
	return msg.NewHeader("Retry-After", strconv.Itoa(int(retryAfter/time.Second)))
}

// transportOf is the transport a message came over, in our spelling.
func transportOf(m msg.Message) string { return msg.NetworkToLower(m.Transport()) }
