package sip

import (
	"strings"
	"testing"
	"unicode/utf8"

	msg "github.com/emiago/sipgo/sip"

	"vpbx/pbx"
)

func TestHostileNames(t *testing.T) {
	for in, want := range map[string]string{
		"Ann":                    "Ann",
		"Анна Петрова":           "Анна Петрова",
		`x" <sip:evil@evil>`:     `x\" <sip:evil@evil>`,
		`back\slash`:             `back\\slash`,
		"two\r\nVia: lines":      "twoVia: lines",
		"\u202egnp.exe\x00\x7f":  "gnp.exe",
		"  blanks  ":             "blanks",
		"bad\xffutf8":            "badutf8",
		strings.Repeat("я", 100): strings.Repeat("я", 64),
		strings.Repeat(`"`, 70):  strings.Repeat(`\"`, 64),
	} {
		if got := quoteName(in); got != want {
			t.Errorf("quoteName(%q) = %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{
		"+7916": "+7916", "a b": "a%20b", "x@y;z": "x%40y%3Bz", "ж": "%D0%B6", "*97#": "*97%23", "a\r\nb": "ab", "1?2": "1%3F2", "<>": "%3C%3E",
	} {
		if got := escapeUser(in); got != want {
			t.Errorf("escapeUser(%q) = %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{
		"sip:%2B7916@x": "+7916", "tel:+7916;ext=5": "+7916", "sip:7916;phone-context=x@y": "7916", "sip:host": "", "sip:a%0D%0Ab@x": "ab", "sip:%zz@x": "%zz",
	} {
		var u msg.Uri
		if err := msg.ParseUri(in, &u); err != nil {
			t.Fatal(err)
		}
		if got := userOf(&u); got != want {
			t.Errorf("userOf(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzQuoteName(f *testing.F) {
	f.Add(`a"b\c`)
	f.Add("//")
	f.Add("\r\n\x00")
	f.Fuzz(func(t *testing.T, s string) {
		q := quoteName(s)
		if control(q) || !utf8.ValidString(q) {
			t.Fatalf("quoteName(%q) = %q", s, q)
		}
		if back := unquoteName(q); back != clean(s) {
			t.Fatalf("%q became %q and came back as %q, want %q", s, q, back, clean(s))
		}
		var u msg.Uri
		name, err := msg.ParseAddressValue(`"`+q+`" <sip:`+escapeUser(s)+`@h>`, &u, nil)
		if err != nil || name != q || u.Host != "h" || userOf(&u) != strings.TrimSpace(strings.SplitN(clean(s), ";", 2)[0]) && !strings.Contains(s, ";") && !strings.Contains(s, "%") {
			t.Fatalf("%q parsed as %q %q %q: %v", s, name, u.User, u.Host, err)
		}
	})
}

func TestReasonHeaders(t *testing.T) {
	for v, want := range map[string]int{
		"Q.850;cause=17": 17, "q.850 ; Cause = 16 ; text=\"x\"": 16, "SIP;cause=200": 0, "Q.850": 0, "Q.850;cause=": 0, "Q.850;cause=999": 0, "Q.850;cause=-1": 0,
	} {
		if got := parseQ850(v); got != want {
			t.Errorf("%q gives %d, want %d", v, got, want)
		}
	}
	if got := reasonHeader(pbx.Cause{}); got != "" {
		t.Errorf("no cause gives %q", got)
	}
}

func FuzzReason(f *testing.F) {
	f.Add("Q.850;cause=17;text=\"busy\"")
	f.Fuzz(func(t *testing.T, v string) {
		if n := parseQ850(v); n < 0 || n > 127 {
			t.Errorf("%q gives %d", v, n)
		}
	})
}

func TestStrongestChallenge(t *testing.T) {
	const md5, sha, sha512 = `Digest realm="r", nonce="1"`, `Digest realm="r", nonce="2", algorithm=sha-256, qop="auth, auth-int"`, `Digest realm="r", nonce="3", algorithm=SHA-512-256`
	for _, c := range []struct {
		list []string
		want string
	}{
		{nil, ""}, {[]string{md5, sha}, "2"}, {[]string{sha, md5}, "2"}, {[]string{md5, sha512, sha}, "3"},
		{[]string{`Digest realm="r", nonce="4", algorithm=AKAv1-MD5`, md5}, "1"}, {[]string{"Basic x", "Digest", `Digest realm="`}, ""},
		{[]string{"Digest realm=\"a\rb\", nonce=\"5\""}, ""},
	} {
		got := strongest(c.list)
		if (got == nil) != (c.want == "") || got != nil && got.Nonce != c.want {
			t.Errorf("%q: %+v, want nonce %q", c.list, got, c.want)
		}
	}
}

func FuzzChallenge(f *testing.F) {
	f.Add(`Digest realm="r", nonce="2", algorithm=sha-256, qop="auth, auth-int", opaque="o", stale=TRUE`)
	f.Fuzz(func(t *testing.T, v string) {
		req := msg.NewRequest(msg.INVITE, msg.Uri{Scheme: "sip", Host: "h"})
		res := msg.NewResponse(401, "x")
		res.AppendHeader(msg.NewHeader("WWW-Authenticate", v))
		if h, _, err := answerChallenge(res, req, "u", "p"); err == nil && control(h.Value()) {
			t.Fatalf("%q is answered with %q", v, h.Value())
		}
	})
}

func TestWays(t *testing.T) {
	for uri, want := range map[string]way{
		"sip:10.0.0.1":                            {"udp", "10.0.0.1:5060"},
		"sip:a@10.0.0.1:5070;transport=TCP":       {"tcp", "10.0.0.1:5070"},
		"sips:x.test":                             {"tls", "x.test"},
		"sip:x.test:5061;transport=tls":           {"tls", "x.test:5061"},
		"sip:[2001:db8::1]:5060;lr":               {"udp", "[2001:db8::1]:5060"},
		"sip:x.test;maddr=10.1.1.1;transport=tls": {"tls", "10.1.1.1:5061"},
	} {
		if got, err := wayTo(uri, "udp"); err != nil || got != want {
			t.Errorf("%s goes to %+v (%v), want %+v", uri, got, err, want)
		}
	}
	for _, c := range []struct {
		named, from string
		want        bool
	}{
		{"192.168.1.7:5060", "203.0.113.1:1024", true}, {"10.0.0.5:5060", "192.168.1.1:5060", false}, {"0.0.0.0:5060", "10.0.0.1:5060", true},
		{"203.0.113.5:5060", "203.0.113.1:5060", false}, {"x.test:5060", "203.0.113.1:5060", false}, {"10.0.0.5:5060", "127.0.0.1:5060", false},
	} {
		if got := unreachable(c.named, c.from); got != c.want {
			t.Errorf("unreachable(%s, %s) = %v", c.named, c.from, got)
		}
	}
	for host, want := range map[string][2]string{
		"sip.p.test": {"sip.p.test", "sip.p.test"}, "sip.p.test:5070": {"sip.p.test:5070", "sip.p.test:5070"}, "10.0.0.1:5070": {"10.0.0.1:5070", "10.0.0.1:5070"}, "[::1]:5070": {"[::1]:5070", "[::1]:5070"}, "::1": {"[::1]:5060", "[::1]"},
	} {
		tr := &pbx.Trunk{Host: host}
		if w, _ := trunkWay(tr); w.addr != want[0] || trunkURI(tr) != want[1] {
			t.Errorf("trunk %s is at %s, its URI at %s", host, w.addr, trunkURI(tr))
		}
	}
}
