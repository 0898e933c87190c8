package phone

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
)

// DialOptions change the INVITE. The zero value is an ordinary call.
type DialOptions struct {
	Headers        map[string]string // added or replaced; an empty value leaves one out
	From           string            // number, URI or whole name-addr in place of the own
	Display        string            // display name in place of the configured one
	To             string            // host:port to send the INVITE to in place of the server
	NoSDP          bool              // the offer comes with the 200, the answer goes with the ACK
	SDP            []byte            // offer in place of the phone's
	SessionExpires time.Duration     // asks for a session timer (RFC 4028)
	Refresher      string            // uac or uas, with SessionExpires
	Supported      []string          // option tags, 100rel for example; "timer" is added when needed
	NoAuth         bool              // does not answer a challenge
	Misbehave      *Misbehave        // in place of the configured faults
}

// Dial calls a number of the own domain or a URI and returns when the INVITE is on
// its way. A URI with an IP address is called directly if the phone has no server.
func (p *Phone) Dial(ctx context.Context, target string, o DialOptions) (*Call, error) {
	uri := p.uri(target)
	to := o.To
	if to == "" {
		to = p.cfg.Server
	}
	if to == "" {
		var u sip.Uri
		if err := sip.ParseUri(uri, &u); err != nil {
			return nil, fmt.Errorf("dial %s: %w", target, err)
		}
		to = u.Host
		if u.Port > 0 {
			to = u.HostPort()
		}
	}
	addr, err := p.resolve(ctx, to)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", target, err)
	}
	h, err := p.reach(ctx, addr)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", target, err)
	}
	var c *Call
	if !p.do(func() { c, err = p.dial(uri, o, h) }) {
		return nil, ErrClosed
	}
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", target, err)
	}
	return c, nil
}

// dial sends the INVITE. Only the loop may call it.
func (p *Phone) dial(uri string, o DialOptions, h hop) (*Call, error) {
	c, err := p.newCall()
	if err != nil {
		return nil, err
	}
	c.outgoing, c.hop, c.target = true, h, uri
	c.callID, c.localSeq = newID(), 1
	if o.Misbehave != nil {
		c.misbehave = *o.Misbehave
	}
	c.audio.silence(c.misbehave.Mute)
	display := p.cfg.Display
	if o.Display != "" {
		display = o.Display
	}
	switch {
	case strings.Contains(o.From, "<"):
		c.local = o.From
	case o.From != "":
		c.local = nameAddr(display, p.uri(o.From))
	default:
		c.local = nameAddr(display, p.URI())
	}
	c.remote = "<" + uri + ">"
	headers := maps.Clone(o.Headers)
	if headers == nil {
		headers = map[string]string{}
	}
	r := &request{
		method: "INVITE", allow: p.allow(), uri: uri, from: c.local + ";tag=" + c.localTag, to: c.remote, callID: c.callID, cseq: c.localSeq,
		contact: "<" + p.contact(p.at(h)) + ">", headers: headers, mime: "application/sdp",
		next: func() uint32 { c.localSeq++; return c.localSeq },
	}
	if o.NoAuth {
		r.attempts = maxChallenges
	}
	c.askTimer(o, headers)
	switch {
	case o.SDP != nil:
		r.body, c.offered = o.SDP, true
	case !o.NoSDP:
		r.body, c.offered = c.offer(), true
	}
	c.invite = r
	p.calls[c.key()] = c
	p.transact(r, h, c.inviteAnswered)
	return c, nil
}

// askTimer adds the headers of RFC 4028 §7.1 and Supported.
func (c *Call) askTimer(o DialOptions, headers map[string]string) {
	supported := o.Supported
	if !c.p.cfg.NoTimers {
		supported = append([]string{"timer"}, supported...)
	}
	if _, given := headers["Supported"]; !given && len(supported) > 0 {
		headers["Supported"] = strings.Join(supported, ", ")
	}
	if o.SessionExpires > 0 {
		value := strconv.Itoa(int(o.SessionExpires.Seconds()))
		if o.Refresher != "" {
			value += ";refresher=" + o.Refresher
		}
		headers["Session-Expires"] = value
	}
}

// inviteAnswered deals with whatever comes back for our INVITE.
func (c *Call) inviteAnswered(res *sip.Response, err error) {
	switch {
	case err != nil:
		c.end(End{By: "network", Status: 408})
	case c.gone:
	case res.StatusCode < 200:
		c.provisional(res)
	case res.StatusCode < 300:
		c.accepted(res)
	case res.StatusCode == 422 && c.lengthenTimer(res):
	default:
		c.first = res
		by := "peer"
		if c.cancelling && (res.StatusCode == 487 || res.StatusCode == 401 || res.StatusCode == 407) {
			by = "us"
		}
		c.end(End{By: by, Status: res.StatusCode, Phrase: res.Reason, Reason: headerOf(res, "Reason")})
	}
}

// lengthenTimer sends the INVITE again with the session interval that a 422 asks
// for (RFC 4028 §7.4).
func (c *Call) lengthenTimer(res *sip.Response) bool {
	least := headerOf(res, "Min-SE")
	if least == "" || c.invite.headers["Min-SE"] != "" {
		return false
	}
	r := c.invite
	r.headers["Min-SE"] = least
	_, refresher, ok := strings.Cut(r.headers["Session-Expires"], ";")
	r.headers["Session-Expires"] = least
	if ok {
		r.headers["Session-Expires"] += ";" + refresher
	}
	r.cseq, r.attempts, r.credentials = r.next(), 0, ""
	c.p.transact(r, c.hop, c.inviteAnswered)
	return true
}

// provisional notes an 18x, takes its early media and acknowledges it when it is
// reliable (RFC 3262).
func (c *Call) provisional(res *sip.Response) {
	if c.state == Ended {
		return
	}
	if res.StatusCode > 100 {
		if c.state == Calling {
			c.state = Ringing
			close(c.progress)
		}
		c.ringing = append(c.ringing, Provisional{res.StatusCode, res.Reason, res.Body(), time.Now(), res})
		if tag := tagOf(res.To().Params); tag != "" {
			c.remoteTag = tag
			c.learn(res, true)
		}
		if len(res.Body()) > 0 && c.offered {
			c.hear(res.Body())
		}
		if seq := headerOf(res, "RSeq"); seq != "" && hasToken(res, "Require", "100rel") {
			r := c.newRequest("PRACK")
			r.headers = map[string]string{"RAck": seq + " " + res.CSeq().Value()}
			c.p.transact(r, c.way(), func(*sip.Response, error) {})
		}
	}
	if c.cancelling {
		c.sendCancel()
	}
}

// accepted deals with a 2xx: the first makes the dialog, a repeated one gets the
// ACK again, and one of another fork is ended (RFC 3261 §13.2.2.4).
func (c *Call) accepted(res *sip.Response) {
	tag := tagOf(res.To().Params)
	if c.status >= 200 && tag != c.remoteTag {
		c.refuseFork(res)
		return
	}
	if c.status >= 200 {
		c.acknowledge()
		return
	}
	c.first, c.remoteTag = res, tag
	c.learn(res, true)
	ack := c.newRequest("ACK")
	ack.cseq = res.CSeq().SeqNo
	c.localSeq--
	var problem error
	switch {
	case c.offered && len(res.Body()) == 0 && c.remoteSDP != nil: // answered in a reliable 18x
	case c.offered:
		problem = c.hear(res.Body())
	case len(res.Body()) > 0:
		ack.body, problem = c.answer(res.Body())
		ack.mime = "application/sdp"
	}
	ack.credentials = c.invite.credentials // RFC 3261 §22.1
	ack.via, _ = c.p.newVia(c.way())
	c.ackRaw = ack.bytes()
	c.acknowledge()
	if c.state == Ended {
		return
	}
	c.establish()
	c.startTimer(res, c.invite.headers["Session-Expires"] != "", true)
	if c.cancelling || problem != nil {
		c.bye(problem)
	}
}

// acknowledge sends the ACK of the last 2xx.
func (c *Call) acknowledge() {
	if !c.misbehave.NoACK && !c.gone {
		c.p.send(c.way(), c.ackRaw)
	}
}

// refuseFork acknowledges and ends a second dialog made by our INVITE.
func (c *Call) refuseFork(res *sip.Response) {
	stray := &Call{
		p: c.p, callID: c.callID, localTag: c.localTag, local: c.local, remote: c.remote, hop: c.hop, target: c.target,
		remoteTag: tagOf(res.To().Params), localSeq: res.CSeq().SeqNo,
	}
	stray.learn(res, true)
	ack := stray.newRequest("ACK")
	ack.cseq = res.CSeq().SeqNo
	ack.via, _ = c.p.newVia(stray.way())
	c.p.send(stray.way(), ack.bytes())
	c.p.transact(stray.newRequest("BYE"), stray.way(), func(*sip.Response, error) {})
}

// Cancel gives the call up before it is answered and waits for its end. If the
// answer crosses the CANCEL, the call is ended with BYE.
func (c *Call) Cancel(ctx context.Context) error {
	c.p.do(func() {
		switch {
		case !c.outgoing || c.state == Ended || c.cancelling:
		case c.state == Answered:
			c.bye(nil)
		default:
			c.cancelling = true
			c.invite.attempts = maxChallenges                    // a challenge is now an end
			if len(c.ringing) > 0 || c.invite.tx.expiry == nil { // RFC 3261 §9.1
				c.sendCancel()
			}
		}
	})
	_, err := c.Ended(ctx)
	return err
}

// sendCancel sends the CANCEL once and does not wait for ever for the 487.
func (c *Call) sendCancel() {
	if c.cancelSent || c.gone {
		return
	}
	c.cancelSent = true
	i := c.invite
	r := &request{
		method: "CANCEL", uri: i.uri, via: i.via, from: i.from, to: i.to, callID: i.callID, cseq: i.cseq, routes: i.routes, tx: i.tx,
	}
	c.p.start(r, c.hop, func(*sip.Response, error) {})
	c.p.clock.after(timeout, func() { c.end(End{By: "us", Status: 487}) })
}
