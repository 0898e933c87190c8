package visitor

import (
	"crypto/tls"
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

// request has the headers of lines, each "Name: value".
func request(peer string, secure bool, lines ...string) *http.Request {
	r := &http.Request{RemoteAddr: peer, Header: http.Header{}}
	if secure {
		r.TLS = &tls.ConnectionState{}
	}
	for _, l := range lines {
		name, value, _ := strings.Cut(l, ": ")
		r.Header.Add(name, value)
	}
	return r
}

func proxies(h Header) Proxies {
	return Proxies{Header: h, Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24"), netip.MustParsePrefix("fd00::/8")}}
}

func TestFind(t *testing.T) {
	const proxy, visitor = "10.0.0.5:4000", "203.0.113.7"
	for name, c := range map[string]struct {
		peer   string
		tls    bool
		header Header
		lines  []string
		want   string
		secure bool
	}{
		"a stranger writes what it likes": {peer: "198.51.100.9:1", lines: []string{"X-Forwarded-For: 203.0.113.7", "X-Forwarded-Proto: https"}, want: "198.51.100.9"},
		"a stranger by https":             {peer: "198.51.100.9:1", tls: true, lines: []string{"X-Forwarded-Proto: http"}, want: "198.51.100.9", secure: true},
		"a visitor":                       {peer: proxy, lines: []string{"X-Forwarded-For: 203.0.113.7", "X-Forwarded-Proto: https"}, want: visitor, secure: true},
		"a visitor in clear":              {peer: proxy, tls: true, lines: []string{"X-Forwarded-For: 203.0.113.7", "X-Forwarded-Proto: http"}, want: visitor},
		"no scheme is told":               {peer: proxy, tls: true, lines: []string{"X-Forwarded-For: 203.0.113.7"}, want: visitor},
		"the proxy itself":                {peer: proxy, want: "10.0.0.5"},
		"the proxy itself by https":       {peer: proxy, tls: true, want: "10.0.0.5", secure: true},
		"only the scheme":                 {peer: proxy, lines: []string{"X-Forwarded-Proto: HTTPS"}, want: "10.0.0.5", secure: true},
		"the visitor puts one before":     {peer: proxy, lines: []string{"X-Forwarded-For: 192.0.2.1, 203.0.113.7"}, want: visitor},
		"before, in a line of its own":    {peer: proxy, lines: []string{"X-Forwarded-For: 192.0.2.1", "X-Forwarded-For: 203.0.113.7"}, want: visitor},
		"before, a trusted one":           {peer: proxy, lines: []string{"X-Forwarded-For: 192.0.2.1, 10.0.0.9, 203.0.113.7"}, want: visitor},
		"two proxies":                     {peer: proxy, lines: []string{"X-Forwarded-For: 203.0.113.7, 10.0.0.6", "X-Forwarded-Proto: https, https"}, want: visitor, secure: true},
		"two proxies, half in clear":      {peer: proxy, lines: []string{"X-Forwarded-For: 203.0.113.7, 10.0.0.6", "X-Forwarded-Proto: http, https"}, want: visitor},
		"proxies only":                    {peer: proxy, lines: []string{"X-Forwarded-For: 10.0.0.7, 10.0.0.6"}, want: "10.0.0.7"},
		"rubbish stays with the proxy":    {peer: proxy, lines: []string{"X-Forwarded-For: 203.0.113.7, unknown"}, want: "10.0.0.5"},
		"an empty place":                  {peer: proxy, lines: []string{"X-Forwarded-For: 203.0.113.7,"}, want: "10.0.0.5"},
		"rubbish behind a proxy":          {peer: proxy, lines: []string{"X-Forwarded-For: x, 10.0.0.6"}, want: "10.0.0.6"},
		"with a port":                     {peer: proxy, lines: []string{"X-Forwarded-For: 203.0.113.7:5555"}, want: visitor},
		"IPv6":                            {peer: "[fd00::1]:80", lines: []string{"X-Forwarded-For: 2001:db8::1"}, want: "2001:db8::1"},
		"IPv6 with a port":                {peer: "[fd00::1]:80", lines: []string{"X-Forwarded-For: [2001:db8::1]:80"}, want: "2001:db8::1"},
		"mapped":                          {peer: "[::ffff:10.0.0.5]:80", lines: []string{"X-Forwarded-For: ::ffff:203.0.113.7"}, want: visitor},
		"a zone does not hide a proxy":    {peer: "[fd00::1%eth0]:80", lines: []string{"X-Forwarded-For: 203.0.113.7"}, want: visitor},
		"the other header":                {peer: proxy, lines: []string{"Forwarded: for=203.0.113.7;proto=https"}, want: "10.0.0.5"},
		"too many hops":                   {peer: proxy, lines: []string{"X-Forwarded-For: 203.0.113.7" + strings.Repeat(", 10.0.0.6", maxHops)}, want: "10.0.0.6"},

		"forwarded":                    {peer: proxy, header: Forwarded, lines: []string{"Forwarded: for=203.0.113.7;proto=https"}, want: visitor, secure: true},
		"forwarded, the other header":  {peer: proxy, header: Forwarded, lines: []string{"X-Forwarded-For: 203.0.113.7", "X-Forwarded-Proto: https"}, want: "10.0.0.5"},
		"forwarded, IPv6 in quotes":    {peer: proxy, header: Forwarded, lines: []string{`forwarded: By=x; FOR="[2001:db8::1]:4711" ;proto="https"`}, want: "2001:db8::1", secure: true},
		"forwarded, two":               {peer: proxy, header: Forwarded, lines: []string{"Forwarded: for=203.0.113.7;proto=https, for=10.0.0.6;proto=https"}, want: visitor, secure: true},
		"forwarded, half in clear":     {peer: proxy, header: Forwarded, lines: []string{"Forwarded: for=203.0.113.7;proto=http, for=10.0.0.6;proto=https"}, want: visitor},
		"forwarded, the visitor lies":  {peer: proxy, header: Forwarded, lines: []string{"Forwarded: for=192.0.2.1;proto=https", "Forwarded: for=203.0.113.7;proto=http"}, want: visitor},
		"forwarded, its lie is unread": {peer: proxy, header: Forwarded, lines: []string{"Forwarded: for=192.0.2.1;proto=http, for=203.0.113.7;proto=https"}, want: visitor, secure: true},
		"forwarded, hidden":            {peer: proxy, header: Forwarded, lines: []string{"Forwarded: for=_hidden;proto=https"}, want: "10.0.0.5"},
		"forwarded, twice for":         {peer: proxy, header: Forwarded, lines: []string{"Forwarded: for=192.0.2.1;for=203.0.113.7"}, want: "10.0.0.5"},
		"forwarded, a quoted comma":    {peer: proxy, header: Forwarded, lines: []string{`Forwarded: for="192.0.2.1, for=203.0.113.7"`}, want: "10.0.0.5"},
	} {
		got := proxies(c.header).Find(request(c.peer, c.tls, c.lines...))
		if want := (Visitor{netip.MustParseAddr(c.want), c.secure}); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

// TestNobody: without networks no header is looked at, and a peer that has no address has
// none.
func TestNobody(t *testing.T) {
	if got := (Proxies{}).Find(request("10.0.0.5:1", false, "X-Forwarded-For: 203.0.113.7", "X-Forwarded-Proto: https")); got.Addr.String() != "10.0.0.5" || got.Secure {
		t.Errorf("%v", got)
	}
	if got := proxies("").Find(request("pipe", false, "X-Forwarded-For: 203.0.113.7")); got.Addr.IsValid() {
		t.Errorf("%v", got)
	}
}

// TestOf: whoever asks later gets the same answer.
func TestOf(t *testing.T) {
	r := request("10.0.0.5:1", false, "X-Forwarded-For: 203.0.113.7")
	if got := Of(r); got.Addr.String() != "10.0.0.5" {
		t.Errorf("without a word: %v", got)
	}
	v := Visitor{netip.MustParseAddr("203.0.113.7"), true}
	if got := Of(r.WithContext(With(r.Context(), v))); got != v {
		t.Errorf("%v, want %v", got, v)
	}
}

// FuzzFind: whatever stands in the headers, a visitor is never an address that no trusted
// proxy has written: the last of the list, or one before which all are proxies.
func FuzzFind(f *testing.F) {
	f.Add("192.0.2.1, 203.0.113.7", `for="[2001:db8::1]:80";proto=https`)
	f.Add("10.0.0.6,", "for=10.0.0.6, for=_x")
	f.Fuzz(func(t *testing.T, xff, fwd string) {
		r := request("10.0.0.5:1", false)
		r.Header["X-Forwarded-For"], r.Header["Forwarded"] = []string{xff, "203.0.113.7"}, []string{fwd, "for=203.0.113.7;proto=http"}
		for _, h := range Headers {
			if got := proxies(h).Find(r); got.Addr.String() != "203.0.113.7" || h == Forwarded && got.Secure {
				t.Errorf("%s: %v", h, got)
			}
		}
		r.Header["X-Forwarded-For"], r.Header["Forwarded"] = []string{xff}, []string{fwd}
		for _, h := range Headers {
			if got := proxies(h).Find(r); !got.Addr.IsValid() {
				t.Errorf("%s: nobody", h)
			}
		}
	})
}
