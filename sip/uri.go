package sip

import (
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	msg "github.com/emiago/sipgo/sip"
)

// maxURI bounds a URI that another party made us keep and send back.
const maxURI = 1024

// hostport is the sent-by of a Via: a host name or a bare IP address, and a
// port (0: none written).
type hostport struct {
	host string
	port int
}

// lettering makes tokens: lower case, no padding, legal in tags, branches,
// Call-IDs and user parts alike.
var lettering = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// token makes an unguessable word of 26 letters (128 bits, RFC 3261 §19.3 asks
// for 32) for tags, branches, Call-IDs.
func token() string {
	var b [16]byte
	rand.Read(b[:]) // never fails since Go 1.24
	return lettering.EncodeToString(b[:])
}

// rawURI makes a Request-URI out of a URI another party gave us, letter by
// letter as they wrote it: phones refuse requests whose Contact parameters
// were reordered or lost. Only a headers part is cut off, which a Request-URI
// must not have (RFC 3261 §19.1.1 table 1).
func rawURI(s string) (msg.Uri, error) {
	if err := checkURI(s); err != nil {
		return msg.Uri{}, err
	}
	s, _, _ = strings.Cut(s, "?")
	scheme, rest, _ := strings.Cut(s, ":")
	return msg.Uri{Scheme: scheme, Host: rest}, nil
}

// checkURI says whether s can stand between the angle brackets of a header and
// in a request line: a sip or sips URI without blanks, brackets, quotes and
// control characters.
func checkURI(s string) error {
	if len(s) > maxURI {
		return fmt.Errorf("URI of %d bytes", len(s))
	}
	if strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == '<' || r == '>' || r == '"' || r == 0x7f }) {
		return errors.New("URI with blanks, quotes or control characters")
	}
	var u msg.Uri
	if err := msg.ParseUri(s, &u); err != nil {
		return fmt.Errorf("parse URI: %w", err)
	}
	if u.Scheme != "sip" && u.Scheme != "sips" {
		return errors.New("URI is neither sip nor sips")
	}
	if u.Host == "" || u.Wildcard || u.Port < 0 || u.Port > 65535 {
		return errors.New("URI without a usable host and port")
	}
	return nil
}

// sameURI compares two sip URIs (RFC 3261 §19.1.4).
func sameURI(a, b string) bool {
	if a == b {
		return true
	}
	var x, y msg.Uri
	if msg.ParseUri(a, &x) != nil || msg.ParseUri(b, &y) != nil {
		return false
	}
	if x.Scheme != y.Scheme || unescape(x.User) != unescape(y.User) || unescape(x.Password) != unescape(y.Password) ||
		!strings.EqualFold(x.Host, y.Host) || x.Port != y.Port {
		return false
	}
	return sameParams(x.UriParams, y.UriParams) && sameParams(y.UriParams, x.UriParams) && sameHeaders(x.Headers, y.Headers)
}

// sameParams: a parameter in both must match; these five must be in both or in
// none, all others are ignored when only one URI has them.
func sameParams(a, b msg.HeaderParams) bool {
	for _, p := range a {
		v, ok := param(b, p.K)
		switch {
		case ok && !strings.EqualFold(v, p.V):
			return false
		case ok:
		case oneOf(p.K, "transport", "user", "ttl", "method", "maddr"):
			return false
		}
	}
	return true
}

func sameHeaders(a, b msg.HeaderParams) bool {
	if len(a) != len(b) {
		return false
	}
	for _, p := range a {
		if v, ok := param(b, p.K); !ok || v != p.V {
			return false
		}
	}
	return true
}

// param looks a parameter up whatever the case of its name (RFC 3261 §7.3.1).
func param(list msg.HeaderParams, name string) (string, bool) {
	for _, p := range list {
		if strings.EqualFold(p.K, name) {
			return p.V, true
		}
	}
	return "", false
}

func oneOf(s string, list ...string) bool {
	for _, l := range list {
		if strings.EqualFold(s, l) {
			return true
		}
	}
	return false
}

// unescape takes percent escapes out of a user part; what is not a proper
// escape stays as it is.
func unescape(s string) string {
	if u, err := url.PathUnescape(s); err == nil {
		return u
	}
	return s
}

// domainOf gives the host of a URI as a domain to look up: lower case, without
// the trailing dot.
func domainOf(u *msg.Uri) string {
	return strings.TrimSuffix(strings.ToLower(u.Host), ".")
}

// literal reads a host as an IP address, with or without brackets.
func literal(host string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return a.Unmap(), err == nil
}

// addrPort reads "host:port" of a socket address.
func addrPort(s string) (netip.AddrPort, error) {
	a, err := netip.ParseAddrPort(s)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("parse address %q: %w", s, err)
	}
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port()), nil
}
