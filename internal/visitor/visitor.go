package visitor

import (
	"context"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Header is the header in which proxies write who has asked them.
type Header string

// The headers: a closed set. XForwardedFor goes with X-Forwarded-Proto; Forwarded
// (RFC 7239) has both.
const (
	XForwardedFor Header = "x-forwarded-for"
	Forwarded     Header = "forwarded"
)

// Headers lists them.
var Headers = []Header{XForwardedFor, Forwarded}

// maxHops is how many proxies a request may have come through.
const maxHops = 16

// Proxies are the reverse proxies whose word counts; of the zero value nobody's does.
type Proxies struct {
	Networks []netip.Prefix
	Header   Header // "": XForwardedFor
}

// Visitor is who has sent a request.
type Visitor struct {
	Addr   netip.Addr // without the mapping of IPv4 into IPv6; the zero address when it is not known
	Secure bool       // by https
}

// Find tells who has sent a request, by its connection, and where that is of a trusted
// proxy by what this says.
func (p Proxies) Find(r *http.Request) Visitor {
	v := direct(r)
	if !p.trust(v.Addr) {
		return v
	}
	if p.Header == Forwarded {
		return p.forwarded(r, v)
	}
	return p.forwardedFor(r, v)
}

// direct is who is at the other end of the connection.
func direct(r *http.Request) Visitor {
	v := Visitor{Secure: r.TLS != nil}
	if ap, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		v.Addr = ap.Addr().Unmap()
	}
	return v
}

func (p Proxies) trust(a netip.Addr) bool {
	return a.IsValid() && slices.ContainsFunc(p.Networks, func(n netip.Prefix) bool { return n.Contains(a.WithZone("")) })
}

// forwardedFor reads X-Forwarded-For and X-Forwarded-Proto. A request that has neither is the
// proxy's own. With several schemes it has come by https when all are: on no part of the
// way it was in clear.
func (p Proxies) forwardedFor(r *http.Request, v Visitor) Visitor {
	names, schemes := list(r, "X-Forwarded-For"), list(r, "X-Forwarded-Proto")
	if len(names) == 0 && len(schemes) == 0 {
		return v
	}
	v.Addr, _ = p.walk(v.Addr, names)
	v.Secure = len(schemes) > 0 && !slices.ContainsFunc(schemes, func(s string) bool { return !strings.EqualFold(s, "https") })
	return v
}

// forwarded reads Forwarded (RFC 7239 §4). A request without it is the proxy's own.
func (p Proxies) forwarded(r *http.Request, v Visitor) Visitor {
	elements := list(r, "Forwarded")
	if len(elements) == 0 {
		return v
	}
	names, schemes := make([]string, len(elements)), make([]string, len(elements))
	for i, e := range elements {
		names[i], schemes[i] = pairs(e)
	}
	var read int
	v.Addr, read = p.walk(v.Addr, names)
	schemes = schemes[len(schemes)-read:] // those of proxies that are trusted
	v.Secure = read > 0 && !slices.ContainsFunc(schemes, func(s string) bool { return !strings.EqualFold(s, "https") })
	return v
}

// walk goes from the nearest proxy towards the visitor, and tells how many names were
// read.
func (p Proxies) walk(from netip.Addr, names []string) (netip.Addr, int) {
	read := 0
	for _, name := range slices.Backward(names) {
		if read == maxHops || !p.trust(from) {
			break
		}
		next, ok := address(name)
		if !ok {
			break
		}
		from, read = next, read+1
	}
	return from, read
}

// list gives the values of a header, of all its lines, in their order.
func list(r *http.Request, name string) []string {
	var values []string
	for _, line := range r.Header.Values(name) {
		for v := range strings.SplitSeq(line, ",") {
			values = append(values, strings.Trim(v, " \t"))
		}
	}
	return values
}

// pairs reads the for and the proto of one element of Forwarded. One that is written
// twice counts as none.
func pairs(element string) (name, scheme string) {
	for p := range strings.SplitSeq(element, ";") {
		key, value, _ := strings.Cut(strings.Trim(p, " \t"), "=")
		value = unquote(value)
		switch {
		case strings.EqualFold(key, "for") && name != "", strings.EqualFold(key, "proto") && scheme != "":
			return "", ""
		case strings.EqualFold(key, "for"):
			name = value
		case strings.EqualFold(key, "proto"):
			scheme = value
		}
	}
	return name, scheme
}

// unquote takes the quotes off a value. Addresses need no escapes; what has some is none.
func unquote(s string) string {
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return s[1 : len(s)-1]
	}
	return s
}

// address reads 192.0.2.1, 192.0.2.1:80, 2001:db8::1, [2001:db8::1] and [2001:db8::1]:80.
func address(s string) (netip.Addr, bool) {
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap(), true
	}
	if inner, ok := strings.CutPrefix(s, "["); ok {
		if s, ok = strings.CutSuffix(inner, "]"); !ok || !strings.Contains(s, ":") {
			return netip.Addr{}, false
		}
	}
	a, err := netip.ParseAddr(s)
	return a.Unmap(), err == nil
}

type key struct{}

// With gives a context that knows who has sent the request it belongs to.
func With(ctx context.Context, v Visitor) context.Context { return context.WithValue(ctx, key{}, v) }

// Of gives who has sent a request: who its context knows, otherwise who is at the other end
// of the connection.
func Of(r *http.Request) Visitor {
	if v, ok := r.Context().Value(key{}).(Visitor); ok {
		return v
	}
	return direct(r)
}
