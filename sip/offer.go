package sip

import (
	"bytes"
	"math/rand/v2"
	"time"

	msg "github.com/emiago/sipgo/sip"

	"vpbx/pbx"
)

const (
	replyBound = 64 * time.Second // our request in a dialog is answered for good within that
	maxGlare   = 8                // times an offer is sent again after 491
	retryLater = 1 * time.Second  // a refresh waits for another request to be over
)

// idle says whether neither side has an offer under way.
func (l *Leg) idle() bool { return l.ours == nil && l.theirs == nil && l.unacked == nil }

// kick sends the owner's offer when its time has come.
func (l *Leg) kick() {
	if l.phase != confirmed || l.wanted == nil || !l.idle() || !l.clock[clockGlare].IsZero() {
		return
	}
	l.propose(msg.INVITE, l.wanted.sdp, true)
}

// propose sends a re-INVITE, or an UPDATE without SDP.
func (l *Leg) propose(method msg.RequestMethod, sdp []byte, mine bool) {
	l.d.localSeq++
	req, err := l.d.request(method, l.d.localSeq)
	if err != nil {
		l.log.Warn("sip: request not sent", "method", method, "error", err)
		l.wanted = nil
		return
	}
	l.capabilities(req, false) // nobody rings within a call
	if l.sess.Interval != 0 {
		header(req, "Session-Expires", l.sess.header(true))
		req.AppendHeader(minSE())
	}
	withSDP(req, sdp)
	l.ours = &attempt{kind: kindOffer, req: req, d: &l.d, way: l.way(), offer: sdp != nil, mine: mine}
	l.send(l.ours)
	l.after(clockReply, replyBound)
	l.note()
}

// onOfferFinal takes the final response to our re-INVITE or UPDATE.
func (l *Leg) onOfferFinal(a *attempt, res *msg.Response) {
	if l.ours == a {
		l.ours = nil
		l.stop(clockReply)
	}
	if !res.IsSuccess() {
		l.offerFailed(a, res.StatusCode, res)
		return
	}
	l.d.refresh(res)
	if a.req.IsInvite() {
		l.acknowledge(a, &l.d)
	}
	if l.phase == ended {
		return
	}
	l.learn(res)
	l.sess = readSession(res).granted()
	l.renew()
	if a.offer {
		l.answeredBy(a, sdpOf(res))
	}
	l.note()
}

// answeredBy takes the answer to our offer.
func (l *Leg) answeredBy(a *attempt, answer []byte) {
	changed := answer != nil && !bytes.Equal(answer, l.got)
	if answer != nil {
		l.got = answer
	}
	l.sent = a.req.Body()
	if a.mine && l.wanted != nil && bytes.Equal(l.wanted.sdp, a.req.Body()) {
		l.wanted = nil
	}
	if a.mine || changed {
		l.emit(OfferAnswered{l, 200, answer})
	}
}

// offerFailed takes a refusal of our re-INVITE or UPDATE, or its failure; res
// is nil then.
func (l *Leg) offerFailed(a *attempt, code int, res *msg.Response) {
	if l.ours == a {
		l.ours = nil
		l.stop(clockReply)
	}
	if l.phase == ended {
		return
	}
	switch {
	case code == 408: // RFC 3261 §12.2.1.2
		l.drop(pbx.NewCause(l.peer(), pbx.NoReply))
	case code == 481: // the peer has no such dialog any more
		c := pbx.NewCause(l.peer(), pbx.SessionExpired)
		c.SIP = code
		l.end(c)
		l.terminate()
	case code == 422 && res != nil && !a.longer:
		l.ours = l.askLonger(a, res)
		l.after(clockReply, replyBound)
	case !a.mine:
		l.after(clockRefresh, backOff(code, l.Outbound)) // until the session expires
	case code == 491 && l.failed < maxGlare:
		l.failed++
		l.after(clockGlare, backOff(code, l.Outbound))
	default:
		if l.wanted != nil && bytes.Equal(l.wanted.sdp, a.req.Body()) {
			l.wanted = nil
		}
		l.emit(OfferAnswered{l, code, nil})
	}
}

// backOff is how long a refused request waits before it is sent again: after
// 491 a random time, longer for the side that made the Call-ID, in steps of
// 10 ms (RFC 3261 §14.1).
func backOff(code int, ownCallID bool) time.Duration {
	switch {
	case code != 491:
		return 10 * time.Second
	case ownCallID:
		return 2100*time.Millisecond + 10*time.Millisecond*rand.N[time.Duration](191)
	}
	return 10 * time.Millisecond * rand.N[time.Duration](201)
}

// noReply ends a leg whose peer began to answer our request and never did.
func (l *Leg) noReply() {
	if l.ours == nil {
		return
	}
	l.done(l.ours)
	l.ours = nil
	l.drop(pbx.NewCause(l.peer(), pbx.NoReply))
}

// renew starts the session anew (RFC 4028 §10).
func (l *Leg) renew() {
	l.stop(clockRefresh, clockExpire)
	if l.sess.Interval == 0 {
		return
	}
	l.fresh = time.Now()
	l.clock[clockExpire] = l.sess.expiresAt(l.fresh)
	if l.sess.Ours {
		l.clock[clockRefresh] = l.sess.refreshAt(l.fresh)
	}
}

// refresh keeps the session alive: by UPDATE when the peer takes it, else by
// a re-INVITE with what we described last (RFC 4028 §7.4).
func (l *Leg) refresh() {
	switch {
	case l.phase == ended:
	case l.phase != confirmed || !l.idle() || l.wanted != nil:
		l.after(clockRefresh, retryLater)
	case l.update || l.sent == nil:
		l.propose(msg.UPDATE, nil, false)
	default:
		l.propose(msg.INVITE, l.sent, false)
	}
}
