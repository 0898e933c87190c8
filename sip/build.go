package sip

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	msg "github.com/emiago/sipgo/sip"

	"vpbx/pbx"
)

const (
	agent      = "vpbx"
	retryAfter = 10 * time.Second // told to whom we send away for now
)

// header appends a header whose value is ours.
func header(m msg.Message, name, value string) { m.AppendHeader(msg.NewHeader(name, value)) }

// withSDP puts a session description into a message.
func withSDP(m msg.Message, sdp []byte) {
	if sdp == nil {
		return
	}
	header(m, "Content-Type", sdpType)
	m.SetBody(sdp)
}

// reasonHeader gives the value of a Reason header (RFC 3326) with the Q.850
// value of a cause, "" when it has none.
func reasonHeader(c pbx.Cause) string {
	if c.Reason == pbx.Elsewhere {
		return `SIP;cause=200;text="Call completed elsewhere"`
	}
	if c.Q850 <= 0 {
		return ""
	}
	return fmt.Sprintf("Q.850;cause=%d;text=%q", c.Q850, string(c.Reason))
}

// withReason adds the Reason header of a cause.
func withReason(m msg.Message, c pbx.Cause) {
	if v := reasonHeader(c); v != "" {
		header(m, "Reason", v)
	}
}

// q850Of gives the Q.850 value of a peer's Reason headers, 0 when there is
// none (RFC 3326).
func q850Of(m msg.Message) int {
	for _, v := range options(m, "reason") {
		if n := parseQ850(v); n != 0 {
			return n
		}
	}
	return 0
}

// networkBlocked tells whether a 603 is that of a network which has blocked the call as an
// unwanted one, and no callee who has declined it (ATIS-1000099: the reason phrase, and a
// Reason header of protocol SIP whose text begins with the version).
func networkBlocked(res *msg.Response) bool {
	if strings.EqualFold(strings.TrimSpace(res.Reason), pbx.NetworkBlocked) {
		return true
	}
	for _, v := range values(res, "reason") {
		protocol, params, _ := strings.Cut(v, ";")
		if strings.EqualFold(strings.TrimSpace(protocol), "SIP") && strings.Contains(strings.ToLower(params), "v=analytics") {
			return true
		}
	}
	return false
}

// parseQ850 reads one reason-value: "Q.850;cause=17;text=busy".
func parseQ850(v string) int {
	protocol, params, _ := strings.Cut(v, ";")
	if !strings.EqualFold(strings.TrimSpace(protocol), "Q.850") {
		return 0
	}
	for p := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(p, "=")
		if !strings.EqualFold(strings.TrimSpace(name), "cause") {
			continue
		}
		if n, err := strconv.Atoi(strings.TrimSpace(value)); err == nil && n > 0 && n < 128 {
			return n
		}
	}
	return 0
}

// value gives the first value of a header, "" when it is missing; name is in
// lower case.
func value(m msg.Message, name string) string {
	if v := values(m, name); len(v) > 0 {
		return v[0]
	}
	return ""
}

// sdpOf gives the session description of a message, nil when there is none.
func sdpOf(m msg.Message) []byte {
	b := m.Body()
	if len(b) == 0 {
		return nil
	}
	kind, _, _ := strings.Cut(value(m, "content-type"), ";")
	if kind = strings.TrimSpace(kind); kind != "" && !strings.EqualFold(kind, sdpType) {
		return nil
	}
	return b
}

// reserved are the headers of an INVITE that are ours to write.
var reserved = []string{
	"via", "v", "from", "f", "to", "t", "call-id", "i", "cseq", "contact", "m", "route", "record-route",
	"max-forwards", "content-type", "c", "content-length", "l", "authorization", "proxy-authorization",
	"session-expires", "x", "min-se", "supported", "k", "require", "allow", "user-agent",
}

// check says whether an extra header may be sent.
func (h Header) check() error {
	if h.Name == "" || len(h.Name) > maxName || strings.ContainsFunc(h.Name, func(r rune) bool { return !isToken(r) }) {
		return errors.New("name is no token")
	}
	if oneOf(h.Name, reserved...) {
		return errors.New("header is not yours to set")
	}
	most := maxURI
	if oneOf(h.Name, "identity", "y") {
		most = maxIdentity
	}
	if len(h.Value) > most || control(h.Value) {
		return errors.New("value is too long or holds control characters")
	}
	return nil
}

// isToken says whether r may stand in a token (RFC 3261 §25.1).
func isToken(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-.!%*_+`'~", r)
}
