package sip

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"strings"

	msg "github.com/emiago/sipgo/sip"
)

// allow lists the methods we take part in (RFC 3261 §20.5), supported the
// extensions (§20.37).
const (
	allow     = "INVITE, ACK, PRACK, CANCEL, BYE, OPTIONS, UPDATE, INFO, REFER, REGISTER"
	supported = "timer, 100rel, replaces, norefersub"
	sdpType   = "application/sdp"

	// allowOutside lists what we take outside of calls, too.
	allowOutside = allow + ", SUBSCRIBE, MESSAGE"
)

// known are the methods that exist: 405 for those we do not take part in, 501
// for all others. It is also the closed set of the metrics' label.
var known = map[msg.RequestMethod]bool{
	msg.INVITE: true, msg.ACK: true, msg.CANCEL: true, msg.BYE: true, msg.OPTIONS: true, msg.UPDATE: true,
	msg.INFO: true, msg.REGISTER: true, msg.PRACK: true, msg.REFER: true, msg.NOTIFY: true,
	msg.SUBSCRIBE: true, msg.MESSAGE: true, msg.PUBLISH: true,
}

// method is a request method as a label: other people's inventions are OTHER.
func method(m msg.RequestMethod) string {
	if known[m] {
		return string(m)
	}
	return "OTHER"
}

// headersParsers is sipgo's table without Contact: registrations and dialogs
// need it as it was written.
func headersParsers() map[string]msg.HeaderParser {
	m := maps.Clone(msg.DefaultHeadersParser())
	delete(m, "contact")
	delete(m, "m")
	delete(m, "refer-to") // one that it cannot read is an error of the peer, not of the message
	delete(m, "referred-by")
	return m
}

// compact are the short forms of the headers we read as text (RFC 3261 §7.3.3,
// RFC 4028 §4, RFC 6665 §8.2.1).
var compact = map[string]string{
	"contact": "m", "supported": "k", "content-encoding": "e", "session-expires": "x", "content-type": "c",
	"refer-to": "r", "referred-by": "b", "event": "o", "identity": "y",
}

// values gives the values of a header as they were written, one per line of
// the message; name is in lower case.
func values(m msg.Message, name string) []string {
	var l []string
	short := compact[name]
	for _, h := range headersOf(m) {
		if n := h.Name(); strings.EqualFold(n, name) || short != "" && strings.EqualFold(n, short) {
			l = append(l, h.Value())
		}
	}
	return l
}

// options gives the tags of a list header such as Require.
func options(m msg.Message, name string) []string {
	var l []string
	for _, v := range values(m, name) {
		for t := range strings.SplitSeq(v, ",") {
			if t = strings.TrimSpace(t); t != "" {
				l = append(l, t)
			}
		}
	}
	return l
}

func headersOf(m msg.Message) []msg.Header {
	switch m := m.(type) {
	case *msg.Request:
		return m.Headers()
	case *msg.Response:
		return m.Headers()
	}
	return nil
}

// toTag gives the To tag of a message, "" when it has none.
func toTag(m msg.Message) string {
	if to := m.To(); to != nil {
		t, _ := param(to.Params, "tag")
		return t
	}
	return ""
}

// response makes the answer to a request, with further headers.
func (s *Server) response(req *msg.Request, code int, headers ...msg.Header) *msg.Response {
	res := msg.NewResponseFromRequest(req, code, phrase(code), nil)
	res.SipVersion = "SIP/2.0"
	if via, host := res.Via(), sourceHost(req); via != nil && host != "" && strings.Trim(via.Host, "[]") != host {
		via.Params.Add("received", host) // RFC 3261 §18.2.1
		if _, ok := literal(via.Host); ok && !via.Params.Has("rport") {
			// An address that is not the source's: there is a NAT between us,
			// and the port in the Via is on its far side. Answer to the
			// source as if the peer had asked for it by rport (RFC 3581).
			res.SetDestination(req.Source())
		}
	}
	for _, h := range headers {
		res.AppendHeader(h)
	}
	return res
}

// respond sends a response and counts it if it is final.
func (s *Server) respond(tx msg.ServerTransaction, req *msg.Request, res *msg.Response) error {
	if err := validate(res); err != nil {
		s.log.Warn("sip: response not sent", "method", method(req.Method), "code", res.StatusCode, "error", err)
		return fmt.Errorf("answer %s with %d: %w", method(req.Method), res.StatusCode, err)
	}
	if res.StatusCode >= 200 {
		s.met.answered(req.Method, res.StatusCode)
	}
	if err := tx.Respond(res); err != nil {
		return fmt.Errorf("answer %s with %d: %w", method(req.Method), res.StatusCode, err)
	}
	return nil
}

// reply is response and respond in one.
func (s *Server) reply(req *msg.Request, tx msg.ServerTransaction, code int, headers ...msg.Header) error {
	return s.respond(tx, req, s.response(req, code, headers...))
}

// dismiss is reply to somebody of whom nothing is known: no transaction is kept
// (RFC 3261 §8.2.7, §26.3.2.4). It costs us no memory then, and a source that
// was forged is not told eleven times. A request that comes again is answered
// again.
func (s *Server) dismiss(req *msg.Request, tx msg.ServerTransaction, code int, headers ...msg.Header) {
	s.reply(req, tx, code, headers...)
	tx.Terminate()
}

// sourceHost gives the address a request came from, without brackets.
func sourceHost(req *msg.Request) string {
	host, _, err := net.SplitHostPort(req.Source())
	if err != nil {
		return ""
	}
	return host
}

// validate checks a message of ours before it is sent. Much of it was copied
// from what other people sent us, so nothing in it may end a line early, and
// the headers each message must have exactly once must be there once
// (RFC 3261 §8.1.1, §8.2.6.2); only the 400 to a request that lacks one of
// them has to do without it.
func validate(m msg.Message) error {
	switch m := m.(type) {
	case *msg.Request:
		if strings.ContainsFunc(m.Recipient.String(), func(r rune) bool { return r <= ' ' || r == 0x7f }) {
			return errors.New("blank or control character in the Request-URI")
		}
		if c := m.CSeq(); c != nil && c.MethodName != m.Method {
			return fmt.Errorf("CSeq names %s", c.MethodName)
		}
	case *msg.Response:
		if control(m.Reason) {
			return errors.New("control character in the reason phrase")
		}
	}
	if err := validateHeaders(m); err != nil {
		return err
	}
	if len(m.Body()) > 60000 {
		return fmt.Errorf("body of %d bytes", len(m.Body()))
	}
	return nil
}

func validateHeaders(m msg.Message) error {
	var via int
	var once [len(single)]int
	for _, h := range headersOf(m) {
		name := h.Name()
		if name == "" || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == ':' || r >= 0x7f }) {
			return fmt.Errorf("header name %q", name)
		}
		if control(h.Value()) {
			return fmt.Errorf("control character in %s", name)
		}
		if strings.EqualFold(name, "Via") {
			via++
			continue
		}
		for i := range single {
			if strings.EqualFold(name, single[i]) {
				once[i]++
				break
			}
		}
	}
	if via == 0 {
		return errors.New("no Via")
	}
	_, answer := m.(*msg.Response)
	for i, n := range once {
		if n > 1 || n == 0 && !answer {
			return fmt.Errorf("%d %s headers", n, single[i])
		}
	}
	return nil
}

// single are the headers that a request has once, and a response at most once.
var single = [...]string{"From", "To", "Call-ID", "CSeq"}

// control says whether s holds a control character other than a tab: a line
// break in it would be a header of somebody else's making.
func control(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return true
		}
	}
	return false
}

// phrase gives the reason phrase of a status (RFC 3261 §21 and the RFCs that
// added to it).
func phrase(code int) string {
	if p, ok := phrases[code]; ok {
		return p
	}
	switch {
	case code < 200:
		return "Session Progress"
	case code < 300:
		return "OK"
	case code < 400:
		return "Redirected"
	case code < 500:
		return "Request Failure"
	case code < 600:
		return "Server Failure"
	}
	return "Global Failure"
}

var phrases = map[int]string{
	100: "Trying", 180: "Ringing", 181: "Call Is Being Forwarded", 182: "Queued", 183: "Session Progress",
	200: "OK", 202: "Accepted", 300: "Multiple Choices", 301: "Moved Permanently", 302: "Moved Temporarily",
	400: "Bad Request", 401: "Unauthorized", 402: "Payment Required", 403: "Forbidden", 404: "Not Found",
	405: "Method Not Allowed", 406: "Not Acceptable", 407: "Proxy Authentication Required", 408: "Request Timeout",
	410: "Gone", 413: "Request Entity Too Large", 414: "Request-URI Too Long", 415: "Unsupported Media Type", 469: "Bad Info Package",
	416: "Unsupported URI Scheme", 420: "Bad Extension", 421: "Extension Required", 422: "Session Interval Too Small",
	423: "Interval Too Brief", 430: "Flow Failed", 439: "First Hop Lacks Outbound Support", 480: "Temporarily Unavailable", 481: "Call/Transaction Does Not Exist",
	482: "Loop Detected", 483: "Too Many Hops", 484: "Address Incomplete", 485: "Ambiguous", 486: "Busy Here",
	487: "Request Terminated", 488: "Not Acceptable Here", 489: "Bad Event", 491: "Request Pending",
	500: "Server Internal Error", 501: "Not Implemented", 502: "Bad Gateway", 503: "Service Unavailable",
	504: "Server Time-out", 505: "Version Not Supported", 513: "Message Too Large",
	600: "Busy Everywhere", 603: "Decline", 604: "Does Not Exist Anywhere", 606: "Not Acceptable",
}
