package sip

import (
	msg "github.com/emiago/sipgo/sip"

	"vpbx/pbx"
)

// onRequest takes a request of the peer.
func (l *Leg) onRequest(x *exchange) {
	if tag, _ := param(x.req.From().Params, "tag"); !l.knows(tag) {
		l.close(x, 481)
		return
	}
	if !l.proven(x) {
		return
	}
	seq, method := int64(x.req.CSeq().SeqNo), x.req.Method
	// RFC 3261 §12.2.2. sipgo gives up the order of messages, so an INFO may be
	// overtaken by the next request; it changes nothing and is let through.
	changes := method == msg.INVITE || method == msg.UPDATE || method == msg.BYE || method == msg.REFER
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
		l.onInfo(x)
	case msg.REFER:
		l.onRefer(x)
	case msg.SUBSCRIBE:
		l.onSubscribe(x)
	case msg.OPTIONS:
		l.close(x, 200, msg.NewHeader("Allow", allow), msg.NewHeader("Accept", sdpType), msg.NewHeader("Supported", supported))
	case msg.PRACK:
		l.onPrack(x)
	case msg.CANCEL:
		l.close(x, 481) // the INVITE is not there
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
		if l.flow != (way{}) && l.flow != l.heard {
			l.flow = l.heard
			l.note()
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
	l.unrefer()
}

// busy says why the peer's offer cannot be taken now: 491 when it crosses ours,
// 500 when the one before is not answered (RFC 3261 §14.2, RFC 3311 §5.2).
func (l *Leg) busy(x *exchange) int {
	switch {
	case l.ours != nil && l.ours.offer:
		return 491
	case l.phase == early && l.aside == nil && x.req.Method == msg.UPDATE && l.agreed(x):
		return 0
	case l.theirs != nil || l.aside != nil || l.phase == early || l.unacked != nil && l.unacked.offerless:
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
		switch {
		case l.turnAway(x):
		case l.phase == early:
			l.offeredEarly(x)
		default:
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
	switch code := l.busy(x); {
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
	x := l.asked()
	if x == nil {
		return
	}
	l.stop(clockOffer)
	switch {
	case x == l.aside:
		l.answerEarly(sdp)
	case x.req.IsInvite():
		l.accept(sdp)
	default:
		l.theirs = nil
		l.respond(x, l.outcome(x, 200, sdp))
		x.settle()
	}
	l.note()
}

// refuse refuses the offer of the peer.
func (l *Leg) refuse(code int) {
	x := l.asked()
	if x == nil {
		return
	}
	if code < 300 || code > 699 {
		code = 488
	}
	l.stop(clockOffer)
	if x == l.aside {
		l.aside = nil
		l.close(x, code)
		l.proceed()
		return
	}
	l.theirs = nil
	l.close(x, code)
}
