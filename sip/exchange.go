package sip

import (
	"errors"
	"strconv"
	"time"

	msg "github.com/emiago/sipgo/sip"
)

// exchange is a request of the peer on its way through the leg. The handler of
// sipgo waits in serve until it is settled, because the transaction ends when
// the handler returns.
type exchange struct {
	req       *msg.Request
	tx        msg.ServerTransaction
	cancelled chan struct{} // closed by the CANCEL; sipgo has answered both then
	cancel    *msg.Request  // the CANCEL, set before that
	settled   chan struct{} // closed by the leg when nothing more will be sent

	initial   bool
	offerless bool   // an INVITE without offer: ours goes into the 2xx
	answer    []byte // to our offer, when a PRACK brought it
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
	return x.tx.OnCancel(func(req *msg.Request) {
		select {
		case <-x.cancelled:
		default:
			x.cancel = req
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
	if !x.initial && x.req.IsInvite() {
		defer l.s.dlg.asking.end(l.s.dlg.asking.begin(x.req))
		if !x.watch() {
			return
		}
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
			unpin(ack)
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

// respond sends a response of an exchange; false when the exchange is dead.
func (l *Leg) respond(x *exchange, res *msg.Response) bool {
	err := l.s.respond(x.tx, x.req, res)
	if errors.Is(err, msg.ErrTransactionCanceled) {
		// The CANCEL came first and sipgo has sent 487. It has also taken
		// our late response for the one to repeat: put the 487 back.
		x.tx.Respond(l.s.response(x.req, 487))
		return false
	}
	if err == nil {
		l.out(transportOf(x.req), x.req.Source(), res)
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
	if code >= 200 && (x.initial || l.phase != early) { // nothing expires while it rings
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
