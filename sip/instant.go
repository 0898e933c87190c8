package sip

import (
	"context"
	"math"
	"strings"
	"sync"
	"time"

	msg "github.com/emiago/sipgo/sip"

	"vpbx/pbx"
)

const (
	textType    = "text/plain"
	maxText     = 1300 // bytes, RFC 3428 §8: no larger than what goes by UDP everywhere
	maxTexts    = 1000 // under way at once
	companyText = 200  // of one company: its silent phones take no room from others
	textsBurst  = 20
	textsSecond = 2.0              // that a sender may go on sending after that
	textFor     = 10 * time.Second // a phone has that long to take one
)

// texts keeps one phone from flooding the others with text messages.
type texts struct {
	mu       sync.Mutex
	underway int
	of       map[pbx.TenantID]int
	senders  *recent[account, bucket]
}

func (t *texts) init(max int) {
	t.senders = newRecent[account, bucket](max)
	t.of = map[pbx.TenantID]int{}
}

// begin takes in a message of a sender; false when it sends too many, or its
// company does, or all do.
func (t *texts) begin(who account, at time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	b, _ := t.senders.add(who)
	if b.at.IsZero() {
		b.tokens = textsBurst
	} else {
		b.tokens = math.Min(textsBurst, b.tokens+at.Sub(b.at).Seconds()*textsSecond)
	}
	b.at = at
	if b.tokens < 1 || t.underway >= maxTexts || t.of[who.tenant] >= companyText {
		return false
	}
	b.tokens--
	t.underway++
	t.of[who.tenant]++
	return true
}

func (t *texts) end(of pbx.TenantID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.underway--
	if t.of[of]--; t.of[of] == 0 {
		delete(t.of, of)
	}
}

// onMessage passes a text message from an extension on to the phones of another
// one of the same company (RFC 3428). It answers 200 when one of them has taken
// it: nothing is kept for later, so there is no 202 (§7). It goes nowhere else,
// and to phones only over the flows they registered over, so that it cannot
// come round.
func (s *Server) onMessage(req *msg.Request, tx msg.ServerTransaction) {
	c, user, ok := s.sender(req, tx)
	if !ok {
		return
	}
	kind, res := s.checkText(req)
	if res != nil {
		s.respond(tx, req, res)
		return
	}
	to := within(s.cfg.Directory(), c, &req.Recipient)
	if c.Extensions[to] == nil {
		s.reply(req, tx, 404)
		return
	}
	if !s.texts.begin(account{c.ID, user}, time.Now()) {
		s.reply(req, tx, 503, retryHeader())
		return
	}
	defer s.texts.end(c.ID)
	s.deliver(req, tx, c, user, to, kind)
}

// checkText refuses what is no short plain text; otherwise it gives the type
// that goes on with it.
func (s *Server) checkText(req *msg.Request) (kind string, refusal *msg.Response) {
	for _, e := range options(req, "content-encoding") {
		if !strings.EqualFold(e, "identity") {
			return "", s.response(req, 415, msg.NewHeader("Accept-Encoding", "identity"))
		}
	}
	kind, ok := textKind(value(req, "content-type"))
	switch {
	case len(req.Body()) == 0:
		return "", s.response(req, 400)
	case !ok:
		return "", s.response(req, 415, msg.NewHeader("Accept", textType))
	case len(req.Body()) > maxText:
		return "", s.response(req, 413)
	}
	return kind, nil
}

// textKind reads a Content-Type: plain text in whatever charset. HTML is not
// passed on, as phones would show what a colleague has made of it; neither is
// what only programs read.
func textKind(v string) (string, bool) {
	kind, params, _ := strings.Cut(v, ";")
	if !strings.EqualFold(strings.TrimSpace(kind), textType) {
		return "", false
	}
	for p := range strings.SplitSeq(params, ";") {
		name, charset, _ := strings.Cut(p, "=")
		charset = strings.Trim(strings.TrimSpace(charset), `"`)
		if strings.EqualFold(strings.TrimSpace(name), "charset") && charset != "" && len(charset) <= maxName &&
			!strings.ContainsFunc(charset, func(r rune) bool { return !isToken(r) }) {
			return textType + ";charset=" + charset, true
		}
	}
	return textType, true
}

// deliver sends a text to all phones of an extension but the one it is from,
// and answers the sender: 200 as soon as one has taken it.
func (s *Server) deliver(req *msg.Request, tx msg.ServerTransaction, c *pbx.Company, from, to, kind string) {
	ctx, cancel := context.WithTimeout(s.dlg.ctx, textFor)
	defer cancel()
	targets := s.Targets(c.ID, to)
	codes := make(chan int, len(targets))
	asked := 0
	for _, t := range targets {
		if t.flow != wayBack(req) && s.dlg.spawn(func() { codes <- s.text(ctx, c, t, from, kind, req.Body()) }) {
			asked++
		}
	}
	answer, taken := 480, false // RFC 3428 §7
	for range asked {
		switch code := <-codes; {
		case taken:
		case code >= 200 && code < 300:
			taken = true
			s.reply(req, tx, 200)
		case answer == 480 && code >= 400 && code != 401 && code != 407 && code != 408:
			answer = code
		}
	}
	if !taken {
		s.reply(req, tx, answer)
	}
}

// text sends a text to one phone and gives its answer, 408 when there is none.
func (s *Server) text(ctx context.Context, c *pbx.Company, t Target, from, kind string, body []byte) int {
	uri, err := rawURI(t.uri)
	if err != nil {
		return 480
	}
	h, err := s.hop(t.way.transport, t.way.addr)
	if err != nil {
		return 480
	}
	d := dialog{
		callID: token(), localTag: token(),
		local:  identity{quoteName(c.Extensions[from].Name), msg.Uri{Scheme: "sip", User: escapeUser(from), Host: c.Domain}},
		remote: identity{"", msg.Uri{Scheme: "sip", User: escapeUser(t.user), Host: c.Domain}},
	}
	req := msg.NewRequest(msg.MESSAGE, uri)
	d.identify(req, 1)
	header(req, "Content-Type", kind)
	req.SetBody(body)
	res, err := s.ask(ctx, h, req)
	if err != nil {
		s.log.Debug("sip: MESSAGE without answer", "tenant", c.ID, "extension", t.user, "error", err)
		return 408
	}
	return res.StatusCode
}
