package sip

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	msg "github.com/emiago/sipgo/sip"
)

// contact is one value of a Contact header in a REGISTER.
type contact struct {
	uri      string // as it was written
	expires  string // the parameter, "" when there is none
	instance string // +sip.instance (RFC 5626 §4.1), quotes and all taken off
	regID    string
	outbound bool     // it is a flow (RFC 5626 §6)
	path     []string // the proxies on the way to it (RFC 3327)
}

// maxContacts bounds the contacts in one request.
const maxContacts = 32

// split cuts a header value at sep, but not within quotes or angle brackets
// (RFC 3261 §7.3.1, §25.1).
func split(s string, sep byte) ([]string, error) {
	var parts []string
	quoted, bracket, start := false, false, 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '<':
			bracket = true
		case c == '>':
			bracket = false
		case c == sep && !bracket:
			parts = append(parts, s[start:i])
			start = i + 1
		}
	}
	if quoted || bracket {
		return nil, errors.New("quote or bracket is not closed")
	}
	return append(parts, s[start:]), nil
}

// unquote takes the quotes and escapes off a quoted-string; anything else is
// only trimmed.
func unquote(s string) string {
	s = strings.TrimSpace(s)
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return s
	}
	s = s[1 : len(s)-1]
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// parseContacts reads the Contact headers of a REGISTER. star: there is one,
// and it is "*".
func parseContacts(headers []string) (list []contact, star bool, err error) {
	for _, h := range headers {
		parts, err := split(h, ',')
		if err != nil {
			return nil, false, fmt.Errorf("read Contact: %w", err)
		}
		for _, p := range parts {
			if p = strings.TrimSpace(p); p == "*" {
				star = true
				continue
			}
			c, err := parseContact(p)
			if err != nil {
				return nil, false, fmt.Errorf("read Contact: %w", err)
			}
			if list = append(list, c); len(list) > maxContacts {
				return nil, false, errors.New("read Contact: too many")
			}
		}
	}
	if star && (len(list) > 0 || len(headers) > 1 || strings.TrimSpace(headers[0]) != "*") {
		return nil, false, errors.New(`read Contact: "*" beside others`)
	}
	return list, star, nil
}

// parseContact reads one value: a name-addr, or an addr-spec whose parameters
// are the header's (RFC 3261 §20.10).
func parseContact(s string) (contact, error) {
	uri, rest, err := addressOf(s)
	if err != nil {
		return contact{}, err
	}
	c := contact{uri: uri}
	if err := checkURI(uri); err != nil {
		return contact{}, err
	}
	params, err := split(rest, ';')
	if err != nil {
		return contact{}, err
	}
	for _, p := range params {
		name, value, _ := strings.Cut(p, "=")
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "expires":
			c.expires = unquote(value)
		case "+sip.instance":
			c.instance = strings.Trim(unquote(value), "<>")
		case "reg-id":
			c.regID = unquote(value)
		}
	}
	return c, nil
}

// addressOf cuts a value into the URI and what follows it.
func addressOf(s string) (uri, rest string, err error) {
	open := indexOutside(s, '<')
	if open < 0 {
		uri, rest, _ = strings.Cut(s, ";")
		if strings.ContainsAny(uri, "?,") { // RFC 3261 §20.10: such must be in brackets
			return "", "", errors.New("URI needs angle brackets")
		}
		return strings.TrimSpace(uri), rest, nil
	}
	end := strings.IndexByte(s[open:], '>')
	if end < 0 {
		return "", "", errors.New("bracket is not closed")
	}
	uri, rest = s[open+1:open+end], strings.TrimSpace(s[open+end+1:])
	if rest != "" && rest[0] != ';' {
		return "", "", errors.New("text behind the URI")
	}
	return uri, strings.TrimPrefix(rest, ";"), nil
}

// indexOutside finds the first c that is not within quotes.
func indexOutside(s string, c byte) int {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case quoted && s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case !quoted && s[i] == c:
			return i
		}
	}
	return -1
}

// How long a binding may live. Who asks for less than the least gets a 423,
// who asks for more than the most gets the most.
const (
	leastExpires   = time.Minute
	mostExpires    = time.Hour
	defaultExpires = 10 * time.Minute
)

// expiresOf reads a delta-seconds; whatever is none counts as not asked
// (RFC 3261 §20.10 says so for the parameter).
func expiresOf(s string, otherwise time.Duration) time.Duration {
	s = strings.TrimSpace(s)
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return otherwise
	}
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil || n > uint64(mostExpires/time.Second) {
		return mostExpires
	}
	return time.Duration(n) * time.Second
}

// registration is what a REGISTER asks for.
type registration struct {
	contacts []wish
	star     bool
	flows    bool // a contact is a flow
	callID   string
	cseq     uint32
}

// wish is a contact with the lifetime it gets; 0: it is to be removed.
type wish struct {
	contact
	granted time.Duration
}

// readRegistration reads a REGISTER. The code is 0 when it can be carried out,
// 400 when it cannot be understood, 423 when it asks for too short a time, 420
// and 439 when the way to the phone could not be found again.
func readRegistration(req *msg.Request) (r registration, code int) {
	r.callID, r.cseq = req.CallID().Value(), req.CSeq().SeqNo
	headers := values(req, "contact")
	list, star, err := parseContacts(headers)
	if err != nil {
		return r, 400
	}
	header := ""
	if v := values(req, "expires"); len(v) > 0 {
		header = v[0]
	}
	if star {
		r.star = true
		if strings.TrimSpace(header) != "0" { // RFC 3261 §10.3 step 6
			return r, 400
		}
		return r, 0
	}
	common := expiresOf(header, defaultExpires)
	for _, c := range list {
		w := wish{c, expiresOf(c.expires, common)}
		if w.granted > 0 && w.granted < leastExpires {
			return r, 423
		}
		r.contacts = append(r.contacts, w)
	}
	return r, r.outbound(req)
}
