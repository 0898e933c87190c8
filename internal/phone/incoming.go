package phone

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/emiago/sipgo/sip"
)

// ErrState is returned when a call is not in a state to do what is asked.
var ErrState = errors.New("the call is not in that state")

// dispatch gives a new request to whom it concerns.
func (p *Phone) dispatch(tx *serverTx) {
	req := tx.req
	switch {
	case req.Method == sip.CANCEL:
		p.cancelled(tx)
	case p.cfg.OnNotice != nil && (req.Method == sip.NOTIFY || req.Method == sip.MESSAGE) && p.notice(tx):
	case req.To().Params.Has("tag") && req.Method != sip.REGISTER:
		c := p.calls[string(*req.CallID())+" "+tagOf(req.To().Params)]
		if c == nil && req.Method == sip.NOTIFY { // RFC 5057: the subscription outlives the call
			c = p.referring[string(*req.CallID())+" "+tagOf(req.To().Params)]
		}
		if c == nil {
			tx.answer(481) // RFC 3261 §12.2.2
			return
		}
		c.requested(tx)
	case req.Method == sip.INVITE:
		p.invited(tx)
	case req.Method == sip.REGISTER:
		p.registerRequest(tx)
	default:
		if req.Method == sip.OPTIONS {
			p.pings++
		}
		status := 200
		if p.cfg.OnRequest != nil {
			status = p.cfg.OnRequest(string(req.Method), func(name string) string { return headerOf(req, name) })
		}
		if status > 0 {
			tx.answer(status, sip.NewHeader("Allow", p.allow()), sip.NewHeader("Accept", "application/sdp"))
		}
	}
}

// invited makes a call of an INVITE and lets it ring.
func (p *Phone) invited(tx *serverTx) {
	req := tx.req
	tx.answer(100)
	if p.provider.c != nil && !p.provider.c.OpenInvites && !p.admit(tx, 407) {
		return
	}
	c, err := p.newCall()
	if err != nil {
		p.log.Debug("cannot take a call", "error", err)
		tx.answer(503, retryAfter(5))
		return
	}
	c.state, c.first, c.inviteTx, c.hop = Ringing, req, tx, tx.hop
	c.callID, c.remoteTag = string(*req.CallID()), tagOf(req.From().Params)
	c.local = nameAddr("", req.To().Address.String())
	c.remote = nameAddr("", req.From().Address.String())
	c.remoteSeq = req.CSeq().SeqNo
	c.learn(req, false)
	c.audio.silence(c.misbehave.Mute)
	select {
	case p.incoming <- c:
	default:
		c.audio.close()
		tx.answer(503, retryAfter(5))
		return
	}
	p.calls[c.key()] = c
	switch {
	case p.cfg.RingWith == 0:
		c.ring(180, nil)
	case p.cfg.RingWith > 100:
		c.ring(p.cfg.RingWith, nil)
	}
}

// cancelled ends an INVITE that has no final answer (RFC 3261 §9.2).
func (p *Phone) cancelled(tx *serverTx) {
	key := strings.TrimSuffix(tx.key, "CANCEL") + "INVITE"
	invite := p.servers[key]
	if invite == nil {
		tx.answer(481)
		return
	}
	for _, c := range p.calls {
		if c.inviteTx != invite {
			continue
		}
		if c.gone {
			return
		}
		tx.answer(200)
		if invite.status < 200 {
			invite.reply(p.response(invite.req, 487, "", c.localTag, nil))
			if c.state == Ringing {
				c.end(End{By: "peer", Status: 487, Reason: headerOf(tx.req, "Reason")})
			}
		}
		return
	}
	tx.answer(200)
}

// ring sends a provisional answer.
func (c *Call) ring(status int, body []byte) {
	headers := []sip.Header{c.contactHeader()}
	if c.p.cfg.Reliable && hasToken(c.inviteTx.req, "Supported", "100rel") {
		c.rseq++
		headers = append(headers, sip.NewHeader("Require", "100rel"), sip.NewHeader("RSeq", strconv.Itoa(c.rseq)))
	}
	c.inviteTx.reply(c.p.response(c.inviteTx.req, status, "", c.localTag, body, headers...))
}

func (c *Call) contactHeader() sip.Header {
	return sip.NewHeader("Contact", "<"+c.p.contact(c.p.at(c.hop))+">")
}

// Ring sends a provisional answer, with an SDP answer when there is early media;
// the phone's tone can then be heard before the answer.
func (c *Call) Ring(status int, earlyMedia bool) error {
	err := ErrState
	c.p.do(func() {
		if c.outgoing || c.state != Ringing || c.gone {
			return
		}
		var body []byte
		if err = nil; earlyMedia {
			if body, err = c.describe(c.inviteTx.req); err != nil {
				return
			}
			c.audio.start()
		}
		c.ring(status, body)
	})
	return err
}

// describe is the SDP of our answer to an INVITE: an answer, or an offer when the
// INVITE had none. It is the same in every answer to that INVITE.
func (c *Call) describe(req *sip.Request) ([]byte, error) {
	if c.lastLocal != nil {
		return c.lastLocal, nil
	}
	if len(req.Body()) == 0 {
		c.offered = true
		return c.offer(), nil
	}
	c.offered = false
	return c.answer(req.Body())
}

// Answer accepts the call and waits for the ACK. Without a codec in common the
// call is refused with 488 and the error says so.
func (c *Call) Answer(ctx context.Context) error { return c.AnswerWith(ctx, nil) }

// AnswerWith is Answer with an SDP of the caller's making.
func (c *Call) AnswerWith(ctx context.Context, sdp []byte) error {
	err := ErrState
	c.p.do(func() {
		if !c.outgoing && c.state == Ringing && !c.gone {
			err = c.accept(sdp)
		}
	})
	if err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	select {
	case <-c.acked:
		return nil
	case <-c.done:
		return fmt.Errorf("answer: %w", c.failure())
	case <-ctx.Done():
		return ctx.Err()
	}
}

// accept sends the 200, which is repeated until the ACK comes.
func (c *Call) accept(sdp []byte) error {
	tx := c.inviteTx
	body, err := c.describe(tx.req)
	if err != nil {
		tx.reply(c.p.response(tx.req, 488, "", c.localTag, nil))
		c.end(End{By: "us", Status: 488})
		return err
	}
	if sdp != nil {
		body, c.lastLocal = sdp, sdp
	}
	headers := append([]sip.Header{c.contactHeader(), sip.NewHeader("Allow", c.p.allow())}, c.acceptTimer(tx.req)...)
	tx.onAcked = func(ok bool) {
		if !ok { // RFC 3261 §13.3.1.4
			c.bye(ErrTimeout)
			return
		}
		close(c.acked)
	}
	tx.reply(c.p.response(tx.req, 200, "", c.localTag, body, headers...))
	c.establish()
	return nil
}

// Reject refuses the call; headers are added to the answer (Contact for a 302,
// Retry-After, Reason), as name and value.
func (c *Call) Reject(status int, headers ...string) error {
	err := ErrState
	c.p.do(func() {
		if c.outgoing || c.state != Ringing || c.gone {
			return
		}
		var list []sip.Header
		for i := 0; i+1 < len(headers); i += 2 {
			list = append(list, sip.NewHeader(headers[i], headers[i+1]))
		}
		c.inviteTx.reply(c.p.response(c.inviteTx.req, status, "", c.localTag, nil, list...))
		c.end(End{By: "us", Status: status})
		err = nil
	})
	return err
}

// receiveACK confirms the 2xx that it belongs to; its body is the answer to our
// offer.
func (p *Phone) receiveACK(req *sip.Request) {
	c := p.calls[string(*req.CallID())+" "+tagOf(req.To().Params)]
	if c == nil || c.gone || c.inviteTx == nil || c.inviteTx.req.CSeq().SeqNo != req.CSeq().SeqNo {
		return
	}
	if c.offered && len(req.Body()) > 0 && !c.inviteTx.acked {
		if err := c.hear(req.Body()); err != nil {
			p.log.Debug("the answer in ACK cannot be used", "error", err)
		}
	}
	c.inviteTx.acknowledged(true)
}
