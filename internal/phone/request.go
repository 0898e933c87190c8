package phone

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
)

// Reply is the final answer to a request.
type Reply struct {
	Status  int
	Reason  string        // phrase
	Granted time.Duration // of a registration: how long it lasts
	// Contacts are the Contact values as received; after REGISTER, all bindings.
	Contacts []string
	// Authorization is the header line of the credentials that the answered request
	// carried, to be sent again by tests of replay.
	Authorization string
	At            time.Time

	Message *sip.Response
}

// Header is the first value of a header of the reply, "" when it has none.
func (r *Reply) Header(name string) string { return headerOf(r.Message, name) }

// OK reports a 2xx.
func (r *Reply) OK() bool { return r != nil && r.Status >= 200 && r.Status < 300 }

// RequestOptions describe a request outside a dialog.
type RequestOptions struct {
	URI  string // "" means the domain; a number alone gets the domain
	To   string // "" means URI, or for REGISTER the address of record
	MIME string
	Body []byte
	// Headers are added, or replace those the phone would send; an empty value leaves
	// the header out. An Authorization given here is sent as it is and a challenge is
	// then not answered.
	Headers map[string]string
	// NoAuth returns a challenge as the reply.
	NoAuth bool
}

// Request sends a request outside a dialog and waits for the final answer. It
// answers challenges itself unless told not to. An error means there was no answer.
func (p *Phone) Request(ctx context.Context, method string, o RequestOptions) (*Reply, error) {
	h, err := p.reachServer(ctx)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", method, err)
	}
	return p.roundTrip(ctx, h, func() (*request, error) {
		r := p.outOfDialog(method, o, h)
		if o.NoAuth {
			r.attempts = maxChallenges
		}
		return r, nil
	}, nil)
}

// outOfDialog builds a request. REGISTERs share a Call-ID and count (RFC 3261 §10.2).
func (p *Phone) outOfDialog(method string, o RequestOptions, h hop) *request {
	uri := p.uri(o.URI)
	to := o.To
	if to == "" {
		to = uri
		if method == "REGISTER" {
			to = p.URI()
		}
	}
	r := &request{
		method: method, allow: p.allow(), uri: uri, headers: o.Headers, mime: o.MIME, body: o.Body,
		from: nameAddr(p.cfg.Display, p.URI()) + ";tag=" + newTag(), to: "<" + to + ">",
		callID: newID(), cseq: 1, contact: "<" + p.contact(p.at(h)) + ">",
	}
	if method == "REGISTER" {
		r.callID = p.register.callID
		r.from = nameAddr(p.cfg.Display, p.URI()) + ";tag=" + p.register.tag
		r.next = func() uint32 { p.register.seq++; return p.register.seq }
		r.cseq = r.next()
	}
	return r
}

// uri completes a target: a number gets the domain, nothing means the domain.
func (p *Phone) uri(target string) string {
	switch {
	case target == "":
		return "sip:" + p.domain
	case strings.Contains(target, ":"):
		return target
	case strings.Contains(target, "@"):
		return "sip:" + target
	}
	return "sip:" + target + "@" + p.domain
}

// roundTrip sends what build returns and waits for the final answer. The hook, if
// any, sees in the loop whatever comes: answers, their repetitions, or the error.
func (p *Phone) roundTrip(ctx context.Context, h hop, build func() (*request, error), hook func(*request, *sip.Response, error)) (*Reply, error) {
	type result struct {
		reply *Reply
		err   error
	}
	done := make(chan result, 1)
	alive := p.do(func() {
		r, err := build()
		if err != nil {
			done <- result{nil, err}
			return
		}
		p.transact(r, h, func(res *sip.Response, err error) {
			if hook != nil {
				hook(r, res, err)
			}
			out := result{err: err}
			if err == nil {
				if res.StatusCode < 200 {
					return
				}
				out.reply = newReply(res, r)
			}
			select {
			case done <- out:
			default: // a repeated answer
			}
		})
	})
	if !alive {
		return nil, ErrClosed
	}
	select {
	case r := <-done:
		return r.reply, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-p.stopped:
		return nil, ErrClosed
	}
}

func newReply(res *sip.Response, r *request) *Reply {
	reply := &Reply{Status: res.StatusCode, Reason: res.Reason, Message: res, Authorization: r.credentials, At: time.Now()}
	for _, h := range res.GetHeaders("Contact") {
		reply.Contacts = append(reply.Contacts, h.Value())
	}
	for name, value := range r.headers {
		if strings.HasSuffix(strings.ToLower(name), "authorization") {
			reply.Authorization = name + ": " + value
		}
	}
	return reply
}

// registration is what the phone remembers of its REGISTERs.
type registration struct {
	callID  string
	tag     string
	seq     uint32
	refresh *alarm
}

// Register binds the phone's Contact for the given time, 0 leaving it to the
// registrar, and returns the registrar's final answer, whatever it is.
func (p *Phone) Register(ctx context.Context, expires time.Duration) (*Reply, error) {
	headers := map[string]string{}
	if expires > 0 {
		headers["Expires"] = strconv.Itoa(int(expires.Seconds()))
	}
	return p.registerWith(ctx, headers, expires)
}

// Unregister removes the phone's Contact.
func (p *Phone) Unregister(ctx context.Context) (*Reply, error) {
	return p.registerWith(ctx, map[string]string{"Expires": "0"}, 0)
}

// UnregisterAll removes every binding of the address of record (RFC 3261 §10.2.2).
func (p *Phone) UnregisterAll(ctx context.Context) (*Reply, error) {
	return p.registerWith(ctx, map[string]string{"Expires": "0", "Contact": "*"}, 0)
}

// Query asks for the bindings without changing them.
func (p *Phone) Query(ctx context.Context) (*Reply, error) {
	return p.registerWith(ctx, map[string]string{"Contact": ""}, 0)
}

func (p *Phone) registerWith(ctx context.Context, headers map[string]string, expires time.Duration) (*Reply, error) {
	h, err := p.reachServer(ctx)
	if err != nil {
		return nil, fmt.Errorf("register: %w", err)
	}
	contact := p.contact(p.at(h))
	if _, given := headers["Contact"]; !given && p.cfg.ContactParams != "" {
		headers["Contact"] = "<" + contact + ">" + p.cfg.ContactParams
	}
	if p.cfg.Supported != "" {
		headers["Supported"] = p.cfg.Supported
	}
	reply, err := p.roundTrip(ctx, h, func() (*request, error) {
		p.clock.stop(p.register.refresh)
		return p.outOfDialog("REGISTER", RequestOptions{Headers: headers}, h), nil
	}, nil)
	if err != nil {
		return nil, fmt.Errorf("register: %w", err)
	}
	reply.Granted = granted(reply.Message, contact)
	if p.cfg.Refresh && reply.OK() && reply.Granted > 0 && headers["Expires"] != "0" {
		p.do(func() { p.refreshIn(reply.Granted/2, expires) })
	}
	return reply, nil
}

// refreshIn registers again later, in a goroutine of its own since it waits.
func (p *Phone) refreshIn(d, expires time.Duration) {
	p.register.refresh = p.clock.after(d, func() {
		p.wg.Go(func() {
			reply, err := p.Register(p.ctx, expires)
			if p.ctx.Err() != nil || err == nil && reply.OK() {
				return
			}
			p.log.Debug("registration was not refreshed", "error", err)
			p.do(func() { p.refreshIn(30*time.Second, expires) })
		})
	})
}

// granted is the expiry of our Contact in the answer to REGISTER, or of the whole
// answer (RFC 3261 §10.2.4).
func granted(res *sip.Response, contact string) time.Duration {
	var want sip.Uri
	if err := sip.ParseUri(contact, &want); err != nil {
		return 0
	}
	text := headerOf(res, "Expires")
	for _, h := range res.GetHeaders("Contact") {
		c, ok := h.(*sip.ContactHeader)
		if !ok || c.Address.User != want.User || c.Address.Host != want.Host || c.Address.Port != want.Port {
			continue
		}
		if v, ok := c.Params.Get("expires"); ok {
			text = v
		}
	}
	seconds, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return time.Duration(seconds) * time.Second
}
