package sip

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
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

// tag puts the tag of our answers into an INVITE that begins a dialog, so that
// those which sipgo makes itself (100, and 487 to a cancelled INVITE) carry it
// too (RFC 3261 §8.2.6.2). It is called where messages are read: once there is a
// transaction, sipgo reads the request whenever it likes and nobody may write it.
func (s *Server) tag(m msg.Message) {
	req, ok := m.(*msg.Request)
	if !ok || !req.IsInvite() || req.Via() == nil || req.From() == nil || req.To() == nil || req.CallID() == nil || req.CSeq() == nil {
		return
	}
	if to := req.To(); toTag(req) == "" {
		to.Params = slices.DeleteFunc(to.Params, isTag) // one that says nothing
		to.Params.Add("tag", s.tagFor(req))
	}
}

func isTag(p msg.HeaderKV) bool { return strings.EqualFold(p.K, "tag") }

// tagged says whether the To tag of a request was put there by tag.
func (s *Server) tagged(req *msg.Request, tag string) bool {
	return req.IsInvite() && tag == s.tagFor(req)
}

// tagFor is the tag of our answers to an INVITE, the same for all its copies and
// unknown to everybody before the first answer.
func (s *Server) tagFor(req *msg.Request) string {
	from, _ := param(req.From().Params, "tag")
	branch, _ := param(req.Via().Params, "branch")
	h := hmac.New(sha256.New, s.tagKey[:])
	for _, part := range []string{req.CallID().Value(), from, branch, req.CSeq().Value()} {
		fmt.Fprintf(h, "%d %s", len(part), part)
	}
	return lettering.EncodeToString(h.Sum(nil)[:16])
}

// acceptInvite makes the leg of an identified initial INVITE and hands it to
// Config.Accept. It returns when the INVITE has been answered for good.
func (s *Server) acceptInvite(req *msg.Request, tx msg.ServerTransaction, a arrival) {
	plain := req.Clone() // as it came
	plain.To().Params.Remove("tag")
	came := string(trim(nil, plain))
	s.captured(account{a.company.ID, a.extension}, true, transportOf(req), "", req.Source(), plain)
	x := newExchange(req, tx)
	x.initial = true
	defer s.dlg.asking.end(s.dlg.asking.begin(req))
	if !x.watch() {
		return
	}
	if x.ask.tooShort() {
		s.reply(req, tx, 422, minSE())
		return
	}
	target, ok := contactOf(req)
	routes, err := routesOf(req)
	replaces, readable := replacesOf(req)
	if !ok || err != nil || !readable { // RFC 3261 §8.1.1.8, §12.1.1, RFC 3891 §3
		s.reply(req, tx, 400)
		return
	}
	l := newInbound(x, a)
	l.d.target, l.d.routes, l.Replaces = target, routes, replaces
	l.prepare(s)
	if h, err := s.hop(l.Transport, req.Source()); err == nil {
		l.ladder.at(h)
	}
	trying := s.response(req, 100)
	l.ladder.put(rung{l.Arrived, true, l.Transport, req.Source(), came})
	l.out(l.Transport, req.Source(), trying)
	switch s.dlg.add(l) {
	case 482: // its transaction is long over, its call is not
		s.met.rejected(looped)
		s.reply(req, tx, 482)
		return
	case 503:
		s.reply(req, tx, 503, retryHeader())
		return
	}
	s.respond(tx, req, trying)
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
		SDP: sdpOf(req), Arrived: time.Now(), Claims: claimsOf(req),
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

// onRing sends a provisional response.
func (l *Leg) onRing(code int, sdp []byte) {
	if l.Outbound || l.phase != early || l.theirs == nil || code <= 100 || code >= 200 {
		return
	}
	l.provide(code, sdp)
	l.after(clockRing, ringEvery)
}

// ringAgain repeats the last provisional, so that no proxy on the way takes
// the call for dead.
func (l *Leg) ringAgain() {
	switch {
	case l.phase != early || l.theirs == nil:
		return
	case l.rel != nil: // it is repeated anyway
	case l.ringing.GetHeader("RSeq") != nil:
		l.provide(l.ringing.StatusCode, nil)
	default:
		l.respond(l.theirs, l.ringing)
	}
	l.after(clockRing, ringEvery)
}

// onAnswer accepts the call.
func (l *Leg) onAnswer(sdp []byte) {
	if l.Outbound || l.phase != early || l.theirs == nil {
		return
	}
	l.stop(clockRing)
	if l.rel != nil && l.rel.sdp || l.aside != nil { // RFC 3262 §3: no 2xx before its PRACK
		l.picked, l.waits = &answering{sdp}, nil
		return
	}
	l.stop(clockReliable)
	if sdp != nil && bytes.Equal(sdp, l.described) {
		sdp = nil // the peer has it from a reliable provisional (RFC 6337 §3.1.1)
	}
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
	if tag, _ := param(req.From().Params, "tag"); tag != l.d.remoteTag || !l.ackFromPeer(req) {
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
	if answer == nil {
		answer = x.answer
	}
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
		if code < 400 || code > 699 || code == 401 || code == 407 {
			code = 480 // a redirection to nowhere, or a challenge of somebody else, is of no use to the peer
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
	if c := x.cancel; c != nil { // sipgo has answered both
		l.in(transportOf(c), c.Source(), c)
		l.out(transportOf(c), c.Source(), l.s.response(c, 200))
		l.out(transportOf(x.req), x.req.Source(), l.s.response(x.req, 487))
	}
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
	if l.aside == x {
		l.refuse(500)
		return
	}
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
