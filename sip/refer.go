package sip

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	msg "github.com/emiago/sipgo/sip"

	"vpbx/pbx"
)

const (
	answerRefer = 5 * time.Second  // the owner answers a REFER within that
	referLives  = 10 * time.Minute // the subscription that a REFER makes
	notifyFirst = 2 * time.Second  // a BYE waits for the last NOTIFY that long
	maxNotices  = 8                // NOTIFYs that wait for their turn

	sipfrag = "message/sipfrag;version=2.0" // RFC 3420
)

// refer is a REFER of the peer and the subscription it makes (RFC 3515).
type refer struct {
	x     *exchange // the REFER, nil once it is answered
	id    string    // of its subscription: the number of the REFER
	first bool      // of this dialog
	quiet bool      // the peer wants no subscription (RFC 4488)
	over  bool      // the subscription has ended, or its last NOTIFY waits
	dead  bool      // the peer does not know of it any more
	until time.Time // when the subscription is over
	code  int       // told last
	event Referred
}

// notice is a NOTIFY that waits for its turn: one is on its way at a time, so
// that none overtakes another.
type notice struct {
	r    *refer
	code int
	why  string // reason of the end of the subscription, "": it goes on
}

// onStrayRefer refuses a REFER outside of all dialogs: who sends it has shown
// no right to let us call anybody.
func (s *Server) onStrayRefer(req *msg.Request, tx msg.ServerTransaction) { s.dismiss(req, tx, 403) }

// onRefer takes a REFER inside the dialog and passes it on to the owner.
func (l *Leg) onRefer(x *exchange) {
	l.implied()
	switch {
	case l.phase == ended:
		l.close(x, 481)
		return
	case l.phase != confirmed: // nobody to transfer yet
		l.close(x, 603)
		return
	case l.refer != nil || len(l.notices) >= maxNotices:
		l.close(x, 491)
		return
	}
	t, code := referTargetOf(x.req)
	if code != 0 {
		l.close(x, code)
		return
	}
	l.refer = &refer{
		x: x, id: strconv.FormatUint(uint64(x.req.CSeq().SeqNo), 10), first: !l.referred,
		quiet: oneOf(strings.TrimSpace(value(x.req, "refer-sub")), "false"),
		event: Referred{L: l, User: t.user, Host: t.host, Replaces: t.replaces, By: referredBy(x.req)},
	}
	l.referred = true
	l.after(clockRefer, answerRefer)
	l.emit(l.refer.event)
}

// onAcceptRefer answers a REFER with 202 and begins its subscription.
func (l *Leg) onAcceptRefer() {
	r := l.refer
	if r == nil || r.x == nil {
		return
	}
	x := r.x
	r.x, r.until = nil, time.Now().Add(referLives)
	l.stop(clockRefer)
	if r.quiet {
		l.accepted(x, 202, msg.NewHeader("Refer-Sub", "false"))
		return
	}
	l.accepted(x, 202)
	l.clock[clockReferred] = r.until
	l.inform(notice{r, 100, ""})
}

// accepted answers a REFER or SUBSCRIBE with a 2xx, which has our Contact
// (RFC 3515 §2.2).
func (l *Leg) accepted(x *exchange, code int, headers ...msg.Header) {
	if h, err := l.s.hop(transportOf(x.req), x.req.Source()); err == nil {
		headers = append(headers, &msg.ContactHeader{Address: l.contact(h)})
	}
	l.close(x, code, headers...)
}

// refuseRefer answers a REFER with a refusal.
func (l *Leg) refuseRefer(code int) {
	r := l.refer
	if r == nil || r.x == nil {
		return
	}
	if code < 300 || code > 699 {
		code = 603
	}
	l.refer = nil
	l.stop(clockRefer)
	l.close(r.x, code)
}

// onReferProgress tells the peer how the call is getting on that it asked for.
func (l *Leg) onReferProgress(code int) {
	r := l.refer
	switch {
	case r == nil || r.x != nil || code < 100 || code > 699:
		return
	case code < 200:
		l.inform(notice{r, code, ""})
		return
	}
	l.refer = nil
	l.stop(clockReferred)
	l.inform(notice{r, code, "noresource"}) // RFC 3515 §2.4.7
}

// referExpired ends the subscription of a REFER whose call takes too long; the
// call goes on.
func (l *Leg) referExpired() {
	if r := l.refer; r != nil {
		l.endReferral(r)
	}
}

// endReferral ends a subscription before the call has come to anything.
func (l *Leg) endReferral(r *refer) {
	l.stop(clockReferred)
	l.inform(notice{r, r.code, "timeout"})
}

// inform queues a NOTIFY. A newer state takes the place of one that waits.
func (l *Leg) inform(n notice) {
	if n.r.quiet || n.r.over || n.why == "" && n.code == n.r.code || l.phase == ended {
		return
	}
	n.r.code, n.r.over = n.code, n.why != ""
	if last := len(l.notices) - 1; last >= 0 && l.notices[last].r == n.r {
		l.notices[last] = n
	} else {
		l.notices = append(l.notices, n)
	}
	l.notify()
}

// notify sends the next NOTIFY when none is on its way.
func (l *Leg) notify() {
	for l.noticed == nil && len(l.notices) > 0 {
		n := l.notices[0]
		l.notices = l.notices[1:]
		if !n.r.dead {
			l.sendNotice(n)
		}
	}
	if l.noticed == nil && l.owed {
		l.owed = false
		l.stop(clockOwed)
		l.bye(l.ending)
	}
}

// sendNotice sends a NOTIFY (RFC 3515 §2.4.4, RFC 6665 §4.2.2).
func (l *Leg) sendNotice(n notice) {
	l.d.localSeq++
	req, err := l.d.request(msg.NOTIFY, l.d.localSeq)
	if err != nil {
		l.log.Warn("sip: NOTIFY not sent", "error", err)
		return
	}
	event := "refer"
	if !n.r.first { // RFC 3515 §2.4.6
		event += ";id=" + n.r.id
	}
	header(req, "Event", event)
	state := "terminated;reason=" + n.why
	if n.why == "" {
		left := max(0, time.Until(n.r.until))
		state = "active;expires=" + strconv.Itoa(int(left/time.Second))
	}
	header(req, "Subscription-State", state)
	header(req, "Content-Type", sipfrag)
	req.SetBody(fmt.Appendf(nil, "SIP/2.0 %d %s\r\n", n.code, phrase(n.code)))
	l.noticed = &attempt{kind: kindNotify, req: req, d: &l.d, way: l.way(), about: n.r}
	l.send(l.noticed)
	l.note()
}

// onNotified takes the end of a NOTIFY of ours. A refusal ends the subscription
// and nothing else (RFC 6665 §4.2.2, RFC 5057 §5.1).
func (l *Leg) onNotified(a *attempt, code int) {
	if l.noticed != a {
		return
	}
	l.noticed = nil
	if code >= 300 {
		a.about.dead, a.about.over = true, true
	}
	l.notify()
}

// onSubscribe lets the peer refresh or end the subscription of a REFER
// (RFC 3515 §2.4.4). Whoever wants to subscribe to something else inside a call
// gets 489.
func (l *Leg) onSubscribe(x *exchange) {
	event, params, _ := strings.Cut(value(x.req, "event"), ";")
	if !oneOf(strings.TrimSpace(event), "refer") {
		l.close(x, 489, msg.NewHeader("Allow-Events", "refer"))
		return
	}
	r := l.refer
	if r == nil || r.x != nil || r.quiet || r.over || !r.named(params) {
		l.close(x, 481) // RFC 6665 §4.1.2.2
		return
	}
	lives := referLives
	if v := strings.TrimSpace(value(x.req, "expires")); v == "0" || parseDelta(v) > 0 {
		lives = min(lives, parseDelta(v))
	}
	r.until = time.Now().Add(lives)
	l.accepted(x, 200, msg.NewHeader("Expires", strconv.Itoa(int(lives/time.Second))))
	if lives == 0 {
		l.endReferral(r)
		return
	}
	l.clock[clockReferred] = r.until
	code := r.code
	r.code = 0 // so that it is told again (RFC 6665 §4.2.1.2)
	l.inform(notice{r, code, ""})
}

// named says whether the parameters of an Event header mean this subscription.
func (r *refer) named(params string) bool {
	for p := range strings.SplitSeq(params, ";") {
		if name, value, _ := strings.Cut(p, "="); oneOf(strings.TrimSpace(name), "id") {
			return strings.TrimSpace(value) == r.id
		}
	}
	return r.first
}

// owes puts a BYE off until the peer has got the outcome of its REFER, for
// which it gets some time; false when nothing is owed.
func (l *Leg) owes(c pbx.Cause) bool {
	if l.noticed == nil && len(l.notices) == 0 || c.Reason == pbx.ShuttingDown {
		return false
	}
	rest := l.notices
	l.end(c)
	l.terminate()
	l.notices, l.ending, l.owed = rest, c, true
	l.after(clockOwed, notifyFirst)
	return true
}

// owedTooLong sends the BYE that has waited for NOTIFYs nobody answers.
func (l *Leg) owedTooLong() {
	l.notices, l.noticed = nil, nil
	l.notify()
}

// unrefer ends what REFERs have begun, with the dialog.
func (l *Leg) unrefer() {
	if r := l.refer; r != nil && r.x != nil {
		l.close(r.x, 487)
	}
	l.refer, l.notices, l.owed = nil, nil, false
	l.stop(clockRefer, clockReferred, clockOwed)
}
