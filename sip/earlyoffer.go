package sip

import "slices"

// Offers of the peer before its call, or ours, is answered: by UPDATE (RFC 3311),
// and by the PRACK to a provisional response of ours (RFC 3262 §5). They need an
// offer and its answer that both sides know of, so only reliable provisional
// responses make them possible (RFC 6337 §2.2).

// asked is the offer of the peer that the owner has to answer, nil when there is
// none.
func (l *Leg) asked() *exchange {
	if l.aside != nil {
		return l.aside
	}
	if x := l.theirs; x != nil && !x.initial {
		return x
	}
	return nil
}

// agreed says whether the first offer is answered for good in the early dialog
// that a request belongs to.
func (l *Leg) agreed(x *exchange) bool {
	if l.Outbound {
		i := l.forkOf(x)
		return i >= 0 && l.forks[i].agreed
	}
	inv := l.theirs
	return inv != nil && l.rel == nil && l.described != nil && (!inv.offerless || inv.answer != nil)
}

// forkOf gives the fork that a request came from, -1 when there is none.
func (l *Leg) forkOf(x *exchange) int {
	tag, _ := param(x.req.From().Params, "tag")
	return slices.IndexFunc(l.forks, func(f fork) bool { return f.tag == tag })
}

// offeredEarly passes such an offer on to the owner.
func (l *Leg) offeredEarly(x *exchange) {
	sdp := sdpOf(x.req)
	l.aside, l.got = x, sdp
	if i := l.forkOf(x); l.Outbound && i >= 0 {
		l.forks[i].sdp, l.forks[i].renewed = sdp, true
	}
	l.after(clockOffer, answerOffer)
	l.emit(Offered{l, sdp})
	l.note()
}

// answerEarly answers it, and then does what had to wait for that.
func (l *Leg) answerEarly(sdp []byte) {
	x := l.aside
	l.aside = nil
	l.respond(x, l.outcome(x, 200, sdp))
	x.settle()
	l.described = sdp
	l.proceed()
}
