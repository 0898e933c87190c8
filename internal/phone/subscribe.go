package phone

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
)

// Notice is something that others tell the phone: a NOTIFY of one of its
// subscriptions, or a MESSAGE.
type Notice struct {
	Method string // NOTIFY or MESSAGE
	From   string // number of the sender; of a NOTIFY the number that is watched
	Event  string // of a NOTIFY: the event package
	State  string // of a NOTIFY: Subscription-State
	Type   string // of the body
	Body   string
}

// Subscription is one that the phone has made (RFC 6665).
type Subscription struct {
	p                           *Phone
	event                       string
	uri, from, to, callID, peer string // peer: the Contact of the answer
	localTag, remoteTag         string
	seq                         uint32
}

// Subscribe asks to be told of a number of the own domain, or a URI, for the
// time given; what is told goes to Config.OnNotice. The subscription is nil when
// the answer is no 2xx.
func (p *Phone) Subscribe(ctx context.Context, event, target string, expires time.Duration) (*Subscription, *Reply, error) {
	s := &Subscription{p: p, event: event, uri: p.uri(target), callID: newID(), localTag: newTag()}
	s.from, s.to, s.peer = nameAddr(p.cfg.Display, p.URI()), "<"+s.uri+">", s.uri
	p.do(func() { p.watching[s.callID+" "+s.localTag] = s })
	reply, err := s.send(ctx, expires)
	if err == nil && reply.OK() {
		return s, reply, nil
	}
	p.do(s.forget)
	return nil, reply, err
}

// Renew prolongs the subscription, or ends it when the time is 0.
func (s *Subscription) Renew(ctx context.Context, expires time.Duration) (*Reply, error) {
	return s.send(ctx, expires)
}

// send sends a SUBSCRIBE, the first one or one in the dialog that it has made.
func (s *Subscription) send(ctx context.Context, expires time.Duration) (*Reply, error) {
	p := s.p
	h, err := p.reachServer(ctx)
	if err != nil {
		return nil, fmt.Errorf("SUBSCRIBE: %w", err)
	}
	build := func() (*request, error) {
		s.seq++
		to := s.to
		if s.remoteTag != "" {
			to += ";tag=" + s.remoteTag
		}
		return &request{
			method: "SUBSCRIBE", allow: p.allow(), uri: s.peer, from: s.from + ";tag=" + s.localTag, to: to, callID: s.callID, cseq: s.seq,
			contact: "<" + p.contact(p.at(h)) + ">", next: func() uint32 { s.seq++; return s.seq },
			headers: map[string]string{"Event": s.event, "Expires": strconv.Itoa(int(expires.Seconds()))},
		}, nil
	}
	return p.roundTrip(ctx, h, build, func(_ *request, res *sip.Response, err error) {
		if err == nil && res.StatusCode >= 200 && res.StatusCode < 300 {
			s.remoteTag = tagOf(res.To().Params)
			if c := strings.Trim(headerOf(res, "Contact"), "<>"); c != "" {
				s.peer = c
			}
		}
	})
}

// forget is run by the loop.
func (s *Subscription) forget() { delete(s.p.watching, s.callID+" "+s.localTag) }

// notice passes a NOTIFY of a subscription or a MESSAGE on; false for others. It
// is run by the loop.
func (p *Phone) notice(tx *serverTx) bool {
	req := tx.req
	n := Notice{Method: string(req.Method), From: req.From().Address.User, Event: headerOf(req, "Event"),
		State: headerOf(req, "Subscription-State"), Type: headerOf(req, "Content-Type"), Body: string(req.Body())}
	if req.Method == sip.NOTIFY {
		s := p.watching[string(*req.CallID())+" "+tagOf(req.To().Params)]
		if s == nil {
			return false
		}
		if strings.HasPrefix(n.State, "terminated") {
			s.forget()
		}
	}
	tx.answer(p.cfg.OnNotice(n))
	return true
}
