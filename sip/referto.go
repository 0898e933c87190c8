package sip

import (
	"net/url"
	"strings"

	msg "github.com/emiago/sipgo/sip"
)

// maxReplaces bounds the value of a Replaces header.
const maxReplaces = 512

// Replaces names a dialog of ours as a peer sees it (RFC 3891 §6.1).
type Replaces struct {
	CallID    string
	LocalTag  string // ours: to-tag
	RemoteTag string // the peer's: from-tag
	EarlyOnly bool   // it may only be taken while it is not answered
}

// referTarget is what a Refer-To header asks for: whom to call, and in the place of
// which dialog. The user part is missing only beside Replaces.
type referTarget struct {
	user, host string
	replaces   *Replaces
}

// referTargetOf reads the Refer-To of a REFER. code is 0, or the status to
// refuse it with: there must be one header with one address (RFC 3515 §2.4.2).
func referTargetOf(req *msg.Request) (t referTarget, code int) {
	list := values(req, "refer-to")
	if len(list) != 1 {
		return t, 400
	}
	return parseReferTo(list[0])
}

// parseReferTo reads the value of a Refer-To header (RFC 3515 §2.1). code is 0,
// 400 for what cannot be read, 501 for another method than INVITE and 603 for
// another scheme than sip, sips and tel. Of the headers inside the URI only
// Replaces counts; a body or an identity that the peer put there would be sent
// in our name.
func parseReferTo(v string) (t referTarget, code int) {
	uri, ok := addressIn(v)
	if !ok {
		return t, 400
	}
	scheme, rest, ok := strings.Cut(uri, ":")
	if !ok || scheme == "" || strings.ContainsFunc(scheme, func(r rune) bool { return !isToken(r) }) {
		return t, 400
	}
	rest, headers, _ := strings.Cut(rest, "?")
	switch strings.ToLower(scheme) {
	case "sip", "sips":
		code = t.readSIP(scheme + ":" + rest)
	case "tel":
		t.user, ok = plainUser(rest)
		if !ok {
			code = 400
		}
	default:
		return t, 603
	}
	if code != 0 {
		return referTarget{}, code
	}
	if t.replaces, ok = replacesIn(headers); !ok || t.user == "" && t.replaces == nil {
		return referTarget{}, 400
	}
	return t, 0
}

// readSIP reads a sip URI without headers.
func (t *referTarget) readSIP(uri string) (code int) {
	var u msg.Uri
	if checkURI(uri) != nil || msg.ParseUri(uri, &u) != nil {
		return 400
	}
	if m, ok := param(u.UriParams, "method"); ok && !strings.EqualFold(m, "INVITE") {
		return 501
	}
	user, ok := plainUser(u.User)
	if !ok && u.User != "" {
		return 400
	}
	t.user, t.host = user, domainOf(&u)
	return 0
}

// plainUser gives the text of a user part without its parameters; ok is false
// when there is none, or something in it that nobody can dial.
func plainUser(s string) (user string, ok bool) {
	s, _, _ = strings.Cut(s, ";")
	user, err := url.PathUnescape(s)
	if err != nil || user == "" || clean(user) != user {
		return "", false
	}
	return user, true
}

// addressIn gives the URI of a header that has one address. Without brackets
// all of it is taken for the URI, question mark and all: phones write that.
func addressIn(v string) (uri string, ok bool) {
	if len(v) > maxURI || control(v) {
		return "", false
	}
	parts, err := split(v, ',')
	if err != nil || len(parts) != 1 {
		return "", false
	}
	if indexOutside(v, '<') < 0 {
		return strings.TrimSpace(v), true
	}
	uri, _, err = addressOf(v)
	return strings.TrimSpace(uri), err == nil
}

// replacesIn looks for a Replaces header among those of a URI; ok is false when
// there are several, or one that cannot be read.
func replacesIn(headers string) (r *Replaces, ok bool) {
	for h := range strings.SplitSeq(headers, "&") {
		name, value, _ := strings.Cut(h, "=")
		if n, err := url.PathUnescape(name); err != nil || !strings.EqualFold(n, "replaces") {
			continue
		}
		value, err := url.PathUnescape(value)
		if err != nil || r != nil {
			return nil, false
		}
		if r, ok = parseReplaces(value); !ok {
			return nil, false
		}
	}
	return r, true
}

// replacesOf reads the Replaces header of an INVITE, nil when it has none; ok
// is false when there are several, or one that cannot be read (RFC 3891 §3).
func replacesOf(req *msg.Request) (r *Replaces, ok bool) {
	switch list := values(req, "replaces"); len(list) {
	case 0:
		return nil, true
	case 1:
		return parseReplaces(list[0])
	}
	return nil, false
}

// parseReplaces reads "call-id;to-tag=7743;from-tag=6472;early-only".
func parseReplaces(v string) (*Replaces, bool) {
	if len(v) > maxReplaces || control(v) {
		return nil, false
	}
	id, params, _ := strings.Cut(v, ";")
	r := &Replaces{CallID: strings.TrimSpace(id)}
	if r.CallID == "" || strings.ContainsAny(r.CallID, " \t,") {
		return nil, false
	}
	for p := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(p, "=")
		var tag *string
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "to-tag":
			tag = &r.LocalTag
		case "from-tag":
			tag = &r.RemoteTag
		case "early-only":
			r.EarlyOnly = true
			continue
		default:
			continue
		}
		value = strings.TrimSpace(value)
		if *tag != "" || value == "" || strings.ContainsFunc(value, func(r rune) bool { return !isToken(r) }) {
			return nil, false
		}
		*tag = value
	}
	return r, r.LocalTag != "" && r.RemoteTag != ""
}

// referredBy gives the URI of who refers, "" when the header cannot be used
// (RFC 3892 §3). What it says is not proven.
func referredBy(req *msg.Request) string {
	list := values(req, "referred-by")
	if len(list) != 1 {
		return ""
	}
	uri, _, err := addressOf(list[0])
	if err != nil || checkURI(uri) != nil {
		return ""
	}
	return uri
}
