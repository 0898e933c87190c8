package phone

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/emiago/sipgo/sip"
)

// allow lists the methods the phone understands.
func (p *Phone) allow() string {
	const basic = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, PRACK, MESSAGE, NOTIFY"
	if p.cfg.NoUpdate {
		return basic
	}
	return basic + ", UPDATE"
}

// request is a request of ours before it is text.
type request struct {
	method   string
	uri      string
	via      string // set when sent; CANCEL and ACK to an error take that of the INVITE
	from, to string // with tags
	callID   string
	cseq     uint32
	contact  string // URI in angle brackets, with parameters
	allow    string
	routes   []string
	headers  map[string]string // replace what would be sent; an empty value leaves it out
	mime     string
	body     []byte

	credentials string // header name and value
	attempts    int    // challenges answered
	next        func() uint32
	tx          *clientTx
}

// bytes writes the request out.
func (r *request) bytes() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s SIP/2.0\r\n", r.method, r.uri)
	extra := make(map[string]string, len(r.headers))
	for name, value := range r.headers {
		extra[strings.ToLower(name)] = name + ": " + value
		if value == "" {
			extra[strings.ToLower(name)] = ""
		}
	}
	put := func(name, value string) {
		line, replaced := extra[strings.ToLower(name)]
		delete(extra, strings.ToLower(name))
		switch {
		case replaced && line != "":
			b.WriteString(line + "\r\n")
		case !replaced && value != "":
			b.WriteString(name + ": " + value + "\r\n")
		}
	}
	put("Via", r.via)
	for _, route := range r.routes {
		b.WriteString("Route: " + route + "\r\n")
	}
	put("Max-Forwards", "70")
	put("From", r.from)
	put("To", r.to)
	put("Call-ID", r.callID)
	put("CSeq", strconv.FormatUint(uint64(r.cseq), 10)+" "+r.method)
	put("Contact", r.contact)
	if name, value, ok := strings.Cut(r.credentials, ": "); ok {
		put(name, value)
	}
	put("Allow", r.allow)
	put("User-Agent", "vpbx-phone")
	if len(r.body) > 0 {
		put("Content-Type", r.mime)
	}
	length := ""
	if _, ok := extra["content-length"]; !ok {
		length = strconv.Itoa(len(r.body))
	}
	for _, name := range slices.Sorted(maps.Keys(extra)) {
		if line := extra[name]; line != "" {
			b.WriteString(line + "\r\n")
		}
	}
	if length != "" {
		b.WriteString("Content-Length: " + length + "\r\n")
	}
	b.WriteString("\r\n")
	b.Write(r.body)
	return []byte(b.String())
}

// newVia is a Via with a fresh branch (RFC 3261 §8.1.1.7) that asks for rport
// (RFC 3581).
func (p *Phone) newVia(h hop) (via, branch string) {
	branch = "z9hG4bK" + randomHex(8)
	sentBy := p.at(h).String()
	if p.overSocket() {
		sentBy = p.nowhere
	}
	return fmt.Sprintf("SIP/2.0/%s %s;branch=%s;rport", strings.ToUpper(p.network), sentBy, branch), branch
}

// at is the own address as it is named on a hop: that of the listener, or of the
// connection when the phone does not listen.
func (p *Phone) at(h hop) netip.AddrPort {
	if p.local.Port() == 0 && h.stream != nil {
		return h.stream.local
	}
	return p.local
}

// response builds an answer to a request. The tag goes into To unless one is
// there (RFC 3261 §8.2.6.2).
func (p *Phone) response(req *sip.Request, status int, reason, tag string, body []byte, headers ...sip.Header) *sip.Response {
	if reason == "" {
		reason = reasonPhrase(status)
	}
	res := sip.NewResponseFromRequest(req, status, reason, nil)
	if to := res.To(); to != nil && !req.To().Params.Has("tag") {
		to.Params.Remove("tag")
		if status > 100 {
			to.Params.Add("tag", tag)
		}
	}
	for _, h := range headers {
		res.AppendHeader(h)
	}
	if body != nil {
		res.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
		res.SetBody(body)
	}
	return res
}

// reasonPhrase is the text of RFC 3261 §21 for a status.
func reasonPhrase(status int) string {
	switch status {
	case 100:
		return "Trying"
	case 180:
		return "Ringing"
	case 181:
		return "Call Is Being Forwarded"
	case 182:
		return "Queued"
	case 183:
		return "Session Progress"
	case 200:
		return "OK"
	case 202:
		return "Accepted"
	case 302:
		return "Moved Temporarily"
	case 400:
		return "Bad Request"
	case 401:
		return "Unauthorized"
	case 403:
		return "Forbidden"
	case 404:
		return "Not Found"
	case 405:
		return "Method Not Allowed"
	case 407:
		return "Proxy Authentication Required"
	case 408:
		return "Request Timeout"
	case 423:
		return "Interval Too Brief"
	case 480:
		return "Temporarily Unavailable"
	case 481:
		return "Call/Transaction Does Not Exist"
	case 486:
		return "Busy Here"
	case 487:
		return "Request Terminated"
	case 488:
		return "Not Acceptable Here"
	case 491:
		return "Request Pending"
	case 500:
		return "Server Internal Error"
	case 503:
		return "Service Unavailable"
	case 600:
		return "Busy Everywhere"
	case 603:
		return "Decline"
	}
	return "Response"
}

// headerOf is the value of the first header with that name, "" when there is none.
func headerOf(msg sip.Message, name string) string {
	if msg == nil {
		return ""
	}
	if list := msg.GetHeaders(name); len(list) > 0 {
		return list[0].Value()
	}
	return ""
}

// nameAddr writes display name and URI as in From (RFC 3261 §25.1).
func nameAddr(display, uri string) string {
	if display == "" {
		return "<" + uri + ">"
	}
	quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(display)
	return `"` + quoted + `" <` + uri + ">"
}

// unquote takes the backslashes out of a quoted display name.
func unquote(display string) string {
	if !strings.Contains(display, `\`) {
		return display
	}
	var b strings.Builder
	escaped := false
	for _, r := range display {
		if r == '\\' && !escaped {
			escaped = true
			continue
		}
		b.WriteRune(r)
		escaped = false
	}
	return b.String()
}

// hasToken reports whether a comma-separated header lists a token, in any of its
// lines. The compact name of Supported counts.
func hasToken(msg sip.Message, name, token string) bool {
	list := msg.GetHeaders(name)
	if name == "Supported" {
		list = append(list, msg.GetHeaders("k")...)
	}
	for _, h := range list {
		for item := range strings.SplitSeq(h.Value(), ",") {
			if strings.EqualFold(strings.TrimSpace(item), token) {
				return true
			}
		}
	}
	return false
}

func tagOf(params sip.HeaderParams) string {
	tag, _ := params.Get("tag")
	return tag
}

func newTag() string { return randomHex(6) }
func newID() string  { return randomHex(12) }

// randomHex never fails: crypto/rand ends the process when there is no randomness.
func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}
