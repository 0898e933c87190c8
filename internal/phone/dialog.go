package phone

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
)

// newRequest starts a request in the dialog (RFC 3261 §12.2.1.1).
func (c *Call) newRequest(method string) *request {
	c.localSeq++
	to := c.remote
	if c.remoteTag != "" {
		to += ";tag=" + c.remoteTag
	}
	return &request{
		method: method, allow: c.p.allow(), uri: c.target, from: c.local + ";tag=" + c.localTag, to: to, callID: c.callID, cseq: c.localSeq,
		contact: "<" + c.p.contact(c.p.at(c.hop)) + ">", routes: c.routes, mime: "application/sdp",
		next: func() uint32 { c.localSeq++; return c.localSeq },
	}
}

// requested deals with a request of the peer in the dialog.
func (c *Call) requested(tx *serverTx) {
	req := tx.req
	if c.gone || tagOf(req.From().Params) != c.remoteTag {
		return
	}
	if req.CSeq().SeqNo < c.remoteSeq { // RFC 3261 §12.2.2
		tx.answer(500, retryAfter(1))
		return
	}
	c.remoteSeq = req.CSeq().SeqNo
	switch req.Method {
	case sip.BYE:
		if c.misbehave.IgnoreBYE {
			return
		}
		if c.inviteTx != nil && c.inviteTx.status >= 200 {
			c.inviteTx.acknowledged(true) // the dialog is known to be confirmed
		}
		tx.answer(200)
		if c.state == Ringing && !c.outgoing { // RFC 3261 §15.1.2
			c.inviteTx.reply(c.p.response(c.inviteTx.req, 487, "", c.localTag, nil))
		}
		c.end(End{By: "peer", Reason: headerOf(req, "Reason")})
	case sip.INVITE, sip.UPDATE:
		if req.Method == sip.UPDATE && c.p.cfg.NoUpdate {
			tx.answer(405, sip.NewHeader("Allow", c.p.allow()))
			return
		}
		if c.misbehave.IgnoreReINVITE {
			return
		}
		c.reoffered(tx)
	case sip.PRACK:
		if c.rseq > 0 && headerOf(req, "RAck") != fmt.Sprintf("%d %s", c.rseq, c.inviteTx.req.CSeq().Value()) {
			tx.answer(481) // RFC 3262 §3
			return
		}
		tx.answer(200)
	case sip.NOTIFY:
		c.notified(tx)
	case sip.INFO:
		c.informed(tx)
	case sip.OPTIONS, sip.MESSAGE:
		tx.answer(200)
	default:
		tx.answer(405, sip.NewHeader("Allow", c.p.allow()))
	}
}

// reoffered answers a re-INVITE or UPDATE (RFC 3261 §14.2, RFC 3311).
func (c *Call) reoffered(tx *serverTx) {
	req := tx.req
	invite := req.Method == sip.INVITE
	pending := c.inviteTx != nil && c.inviteTx.status < 200 || c.inviteTx != nil && c.inviteTx.status < 300 && !c.inviteTx.acked
	switch {
	case c.reinviting && (invite || len(req.Body()) > 0):
		tx.answer(491)
		return
	case invite && (pending || c.state != Answered):
		tx.answer(500, retryAfter(1))
		return
	}
	c.offers++
	status, body := 200, []byte(nil)
	if c.onOffer != nil {
		status, body = c.onOffer(req.Body())
	}
	if status >= 300 {
		tx.answer(status)
		return
	}
	if invite {
		c.inviteTx, c.lastLocal = tx, nil
	}
	if body == nil && (invite || len(req.Body()) > 0) {
		var err error
		c.version++
		if len(req.Body()) == 0 {
			c.offered = true
			body = c.offer()
		} else if body, err = c.answer(req.Body()); err != nil {
			tx.answer(488)
			return
		}
	}
	c.retarget(req)
	headers := append([]sip.Header{c.contactHeader(), sip.NewHeader("Allow", c.p.allow())}, c.acceptTimer(req)...)
	tx.onAcked = func(ok bool) {
		if !ok {
			c.bye(ErrTimeout)
		}
	}
	tx.reply(c.p.response(req, status, "", c.localTag, body, headers...))
}

// Hangup ends the call: BYE when it is answered, CANCEL or 603 when it is not. It
// waits for the peer's answer; one that never comes is not an error.
func (c *Call) Hangup(ctx context.Context) error {
	state := c.State()
	switch {
	case state == Ended:
		return nil
	case state != Answered && c.outgoing:
		return c.Cancel(ctx)
	case state != Answered:
		return c.Reject(603)
	}
	_, err := c.Request(ctx, "BYE", RequestOptions{})
	if errors.Is(err, ErrTimeout) || errors.Is(err, ErrState) {
		return nil
	}
	if err != nil && ctx.Err() == nil { // it could not even be sent: who hangs up has hung up (RFC 3261 §15.1.1)
		c.p.do(func() { c.end(End{By: "us"}) })
	}
	return err
}

// bye ends the dialog without anybody waiting; a problem makes it the network's
// doing.
func (c *Call) bye(problem error) {
	if c.state != Answered || c.gone {
		return
	}
	e := End{By: "us"}
	if problem != nil {
		e = End{By: "network", Status: 408, Reason: problem.Error()}
	}
	r := c.newRequest("BYE")
	c.p.transact(r, c.way(), func(*sip.Response, error) {})
	c.end(e)
}

// Request sends a request in the dialog, INFO for example, and waits for the final
// answer. BYE ends the call here at once. Of the options, URI, To and NoAuth do
// not apply.
func (c *Call) Request(ctx context.Context, method string, o RequestOptions) (*Reply, error) {
	h, err := c.reach(ctx)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", method, err)
	}
	return c.p.roundTrip(ctx, h, func() (*request, error) {
		if c.state == Ended || c.remoteTag == "" || c.gone {
			return nil, fmt.Errorf("%s: %w", method, ErrState)
		}
		r := c.newRequest(method)
		r.headers, r.body = o.Headers, o.Body
		if o.MIME != "" {
			r.mime = o.MIME
		}
		if method == "BYE" {
			c.end(End{By: "us", Reason: o.Headers["Reason"]})
		}
		return r, nil
	}, nil)
}

// reach is the way of the dialog, with a connection if it needs one.
func (c *Call) reach(ctx context.Context) (hop, error) {
	var h hop
	c.p.do(func() { h = c.way() })
	if c.p.network == "udp" || h.stream != nil {
		return h, nil
	}
	return c.p.reach(ctx, h.peer)
}

// Hold asks the peer to stop sending (a=sendonly) and stops sending too.
func (c *Call) Hold(ctx context.Context) error { return c.setHold(ctx, true) }

// Resume takes Hold back.
func (c *Call) Resume(ctx context.Context) error { return c.setHold(ctx, false) }

// ResumeWithoutOffer takes Hold back by a re-INVITE without SDP: the peer offers,
// and the ACK carries our answer (RFC 6337 §5.3).
func (c *Call) ResumeWithoutOffer(ctx context.Context) (*Reply, error) {
	return c.reinvite(ctx, func(r *request) { c.held, r.body = false, nil })
}

// setHold sends the re-INVITE and, on 491, once more after the time of RFC 3261
// §14.1.
func (c *Call) setHold(ctx context.Context, held bool) error {
	for attempt := 0; ; attempt++ {
		reply, err := c.reinvite(ctx, func(r *request) {
			c.held = held
			r.body = c.offer()
		})
		if err != nil {
			return fmt.Errorf("hold %t: %w", held, err)
		}
		if reply.OK() {
			return nil
		}
		if reply.Status != 491 || attempt > 0 {
			return fmt.Errorf("hold %t: %w", held, &StatusError{reply.Status, reply.Reason})
		}
		wait := time.Second
		if c.outgoing {
			wait = 2100 * time.Millisecond
		}
		select {
		case <-time.After(wait):
		case <-c.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// ReInvite offers sdp in the dialog and returns the final answer, which is not
// tried again. A nil sdp asks the peer for an offer.
func (c *Call) ReInvite(ctx context.Context, sdp []byte) (*Reply, error) {
	return c.reinvite(ctx, func(r *request) { r.body = sdp })
}

func (c *Call) reinvite(ctx context.Context, prepare func(*request)) (*Reply, error) {
	h, err := c.reach(ctx)
	if err != nil {
		return nil, fmt.Errorf("re-INVITE: %w", err)
	}
	build := func() (*request, error) {
		if c.state != Answered || c.reinviting || c.gone {
			return nil, fmt.Errorf("re-INVITE: %w", ErrState)
		}
		c.reinviting = true
		c.version++
		r := c.newRequest("INVITE")
		prepare(r)
		c.offered = r.body != nil
		r.headers = c.refreshHeaders()
		return r, nil
	}
	return c.p.roundTrip(ctx, h, build, c.reinviteAnswered)
}

// reinviteAnswered acknowledges a 2xx, takes its SDP, and clears the way for the
// next offer.
func (c *Call) reinviteAnswered(r *request, res *sip.Response, err error) {
	if err == nil && res.StatusCode < 200 {
		return
	}
	first := c.reinviting
	c.reinviting = false
	switch {
	case err != nil || c.state != Answered:
	case res.StatusCode == 481 || res.StatusCode == 408: // RFC 3261 §12.2.1.2
		c.bye(errors.New("the peer does not know the dialog"))
	case res.StatusCode >= 300:
	case !first:
		c.acknowledge()
	default:
		c.retarget(res)
		ack := c.newRequest("ACK")
		ack.cseq = r.cseq
		c.localSeq--
		if c.offered {
			err = c.hear(res.Body())
		} else if len(res.Body()) > 0 {
			ack.body, err = c.answer(res.Body())
		}
		if err != nil {
			c.p.log.Debug("the SDP of a re-INVITE cannot be used", "error", err)
		}
		ack.via, _ = c.p.newVia(c.way())
		c.ackRaw = ack.bytes()
		c.acknowledge()
		c.startTimer(res, true, true)
	}
}

// Update sends an UPDATE (RFC 3311), with an offer unless sdp is nil.
func (c *Call) Update(ctx context.Context, sdp []byte) (*Reply, error) {
	h, err := c.reach(ctx)
	if err != nil {
		return nil, fmt.Errorf("UPDATE: %w", err)
	}
	return c.p.roundTrip(ctx, h, func() (*request, error) {
		if c.state == Ended || c.remoteTag == "" || c.gone {
			return nil, fmt.Errorf("UPDATE: %w", ErrState)
		}
		r := c.newRequest("UPDATE")
		r.body, r.headers = sdp, c.refreshHeaders()
		return r, nil
	}, func(_ *request, res *sip.Response, err error) {
		if err != nil || res.StatusCode < 200 || res.StatusCode >= 300 || c.state == Ended {
			return
		}
		c.retarget(res)
		if sdp != nil && len(res.Body()) > 0 {
			if err := c.hear(res.Body()); err != nil {
				c.p.log.Debug("the SDP of an UPDATE cannot be used", "error", err)
			}
		}
		c.startTimer(res, true, true)
	})
}

// offer describes what we want, for the INVITE or a re-INVITE.
func (c *Call) offer() []byte {
	direction := sendrecv
	if c.held {
		direction = sendonly
	}
	profile, lines := c.offerKeys()
	c.lastLocal = c.audio.offer(writeSDP(c.sdpID, c.version, c.audio.local, formatsOf(c.p.cfg.Codecs), direction, nil, profile, lines...))
	return c.lastLocal
}

// answer takes an offer and describes what we make of it (RFC 3264 §6).
func (c *Call) answer(offer []byte) ([]byte, error) {
	d, err := parseSDP(offer)
	if err != nil {
		return nil, err
	}
	formats, err := d.common(formatsOf(c.p.cfg.Codecs))
	if err != nil {
		return nil, err
	}
	line, err := c.agree(&d, true)
	if err != nil {
		return nil, err
	}
	var lines []string
	if line != "" {
		lines = []string{line}
	}
	direction := answerDirection(d.direction, c.held)
	c.remoteSDP, c.lastRaw = &d, offer
	c.audio.connect(d.addr, formats, !c.held && strings.HasPrefix(direction, "send"))
	c.lastLocal, err = c.audio.answer(offer, writeSDP(c.sdpID, c.version, c.audio.local, formats, direction, &d, "", lines...))
	return c.lastLocal, err
}

// hear takes the answer to our offer.
func (c *Call) hear(body []byte) error {
	d, err := parseSDP(body)
	if err != nil {
		return err
	}
	c.remoteSDP, c.lastRaw = &d, body
	if c.audio.web != nil {
		if err := c.audio.web.Accept(string(body)); err != nil {
			return err
		}
	}
	formats, err := d.common(formatsOf(c.p.cfg.Codecs))
	if err != nil {
		return err
	}
	if _, err := c.agree(&d, false); err != nil {
		return err
	}
	c.audio.connect(d.addr, formats, !c.held && (d.direction == sendrecv || d.direction == recvonly))
	return nil
}
