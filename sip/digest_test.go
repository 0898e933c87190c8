package sip

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	msg "github.com/emiago/sipgo/sip"

	"vpbx/pbx"
)

// TestVectors: the examples of RFC 7616 §3.9.1 and RFC 2617 §3.5.
func TestVectors(t *testing.T) {
	for _, c := range []struct{ name, header, ha1, want string }{
		{"RFC 7616, SHA-256", `Digest username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html", algorithm=SHA-256,
			nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001, cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop=auth,
			response="753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"`,
			hexSHA256("Mufasa:http-auth@example.org:Circle of Life"), "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"},
		{"RFC 7616, MD5", `Digest username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html", algorithm=MD5,
			nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001, cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop=auth,
			response="8ca523f5e9506fed4657c9700eebdbec"`,
			hexMD5("Mufasa:http-auth@example.org:Circle of Life"), "8ca523f5e9506fed4657c9700eebdbec"},
		{"RFC 2617", `digest  USERNAME="Mufasa",realm="testrealm@host.com" , nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093",uri="/dir/index.html",
			qop=auth,nc=00000001,cnonce="0a4f113b",response="6629FAE49393A05397450978507C4EF1",opaque="5ccc069c403ebaf9f0171e9517f40e41"`,
			hexMD5("Mufasa:testrealm@host.com:Circle Of Life"), "6629fae49393a05397450978507c4ef1"},
		{"RFC 2069", `Digest username="Mufasa", realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", uri="/dir/index.html",
			response="670fd8c2df070c60b045671b8b24ff02"`,
			hexMD5("Mufasa:testrealm@host.com:Circle Of Life"), "670fd8c2df070c60b045671b8b24ff02"},
	} {
		cred, ok := parseCredentials(strings.NewReplacer("\n", " ", "\t", "").Replace(c.header))
		if !ok {
			t.Errorf("%s: not parsed", c.name)
			continue
		}
		if got := cred.expect(c.ha1, "GET"); got != c.want {
			t.Errorf("%s: response %s, want %s", c.name, got, c.want)
		}
		e := &pbx.Extension{HA1MD5: c.ha1, HA1SHA256: c.ha1}
		if !cred.good(e, "GET") || cred.good(nil, "GET") || cred.good(e, "POST") || cred.good(&pbx.Extension{}, "GET") {
			t.Errorf("%s: good is wrong", c.name)
		}
	}
}

// TestNonces: a nonce is good for its source and realm, for five minutes, and
// each count once, also when many nonces are in use.
func TestNonces(t *testing.T) {
	var n nonces
	n.init(3)
	now := time.Unix(1_800_000_000, 0)
	a, b := netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("192.0.2.8")
	nonce := n.make(a, "acme.test", now)
	for _, c := range []struct {
		name   string
		nonce  string
		source netip.Addr
		realm  string
		at     time.Time
		ok     bool
	}{
		{"at once", nonce, a, "acme.test", now, true},
		{"just in time", nonce, a, "acme.test", now.Add(nonceLife - time.Second), true},
		{"too late", nonce, a, "acme.test", now.Add(nonceLife), false},
		{"another source", nonce, b, "acme.test", now, false},
		{"another realm", nonce, a, "beta.test", now, false},
		{"tampered", "B" + nonce[1:], a, "acme.test", now, false},
		{"cut", nonce[:20], a, "acme.test", now, false},
		{"none", "", a, "acme.test", now, false},
		{"not base64", strings.Repeat("!", len(nonce)), a, "acme.test", now, false},
	} {
		if _, ok := n.fresh(c.nonce, c.source, c.realm, c.at); ok != c.ok {
			t.Errorf("%s: fresh is %v", c.name, ok)
		}
	}
	made, _ := n.fresh(nonce, a, "acme.test", now)
	for _, c := range []struct {
		nc uint32
		ok bool
	}{{1, true}, {1, false}, {3, true}, {2, true}, {2, false}, {3, false}, {200, true}, {136, false}, {137, true}, {1, false}, {201, true}, {200, false}} {
		if got := n.use(nonce, made, c.nc); got != c.ok {
			t.Errorf("count %d: %v", c.nc, got)
		}
	}
	// Three nonces more push the first one out: it must not count anew.
	for i := range 3 {
		at := now.Add(time.Duration(i+1) * time.Second)
		if !n.use(n.make(a, "acme.test", at), at, 1) {
			t.Errorf("nonce %d refused", i)
		}
	}
	if _, ok := n.fresh(nonce, a, "acme.test", now.Add(4*time.Second)); ok || n.use(nonce, made, 1) {
		t.Error("a forgotten nonce can be used again")
	}
}

// TestChallenge walks through what a phone can answer to a challenge.
func TestChallenge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		p := r.raw("203.0.113.7")
		const aor, contact = "sip:101@acme.test", "Contact: <sip:101@203.0.113.7>"
		try := func(auth ...string) *msg.Response {
			p.send(p.request("REGISTER", acme, aor, aor, append([]string{contact}, auth...)...))
			res := p.final()
			if res == nil {
				t.Fatal("no answer")
			}
			return res
		}
		stale := func(res *msg.Response) bool {
			return strings.Contains(strings.Join(values(res, "www-authenticate"), ""), "stale=true")
		}
		first := try()
		if h := values(first, "www-authenticate"); first.StatusCode != 401 || len(h) != 2 ||
			!strings.Contains(h[0], "algorithm=SHA-256") || !strings.Contains(h[1], "algorithm=MD5") || !strings.Contains(h[0], `qop="auth"`) || stale(first) {
			t.Fatalf("challenge %d %q", first.StatusCode, values(first, "www-authenticate"))
		}
		auth := func(res *msg.Response, algorithm, password string, count int) string {
			return authorization(t, res, algorithm, "REGISTER", acme, "101", password, count)
		}

		good := auth(first, "MD5", "secret101", 1)
		if res := try(good); res.StatusCode != 200 {
			t.Errorf("MD5: %d", res.StatusCode)
		}
		if res := try(good); res.StatusCode != 401 || !stale(res) || r.metric("vpbx_sip_rejected_total", "replay") != 1 {
			t.Errorf("replay: %d", res.StatusCode)
		}
		if res := try(auth(first, "SHA-256", "secret101", 2)); res.StatusCode != 200 {
			t.Errorf("next count: %d", res.StatusCode)
		}
		if res := try(strings.Replace(auth(first, "MD5", "secret101", 3), "qop=auth", "qop=auth-int", 1)); res.StatusCode != 401 {
			t.Errorf("auth-int: %d", res.StatusCode)
		}
		if res := try(strings.Replace(auth(first, "MD5", "secret101", 3), `realm="acme.test"`, `realm="other.test"`, 1)); res.StatusCode != 401 || stale(res) {
			t.Errorf("another realm: %d", res.StatusCode)
		}
		if res := try("Authorization: NoOneKnowsThisScheme opaque-data=here"); res.StatusCode != 401 {
			t.Errorf("unknown scheme: %d", res.StatusCode)
		}
		if res := try(authorization(t, first, "MD5", "REGISTER", "sip:beta.test", "101", "secret101", 3)); res.StatusCode != 400 {
			t.Errorf("another uri: %d", res.StatusCode)
		}
		if res := try(authorization(t, first, "MD5", "REGISTER", acme+":5060;lr", "101", "secret101", 3)); res.StatusCode != 200 {
			t.Errorf("uri with port: %d", res.StatusCode)
		}
		if res := try(authorization(t, first, "MD5", "INVITE", acme, "101", "secret101", 4)); res.StatusCode != 403 {
			t.Errorf("response for another method: %d", res.StatusCode)
		}
		if res := try(authorization(t, first, "MD5", "REGISTER", acme, "102", "secret102", 5)); res.StatusCode != 403 {
			t.Errorf("102 registered 101: %d", res.StatusCode)
		}
		if res := try(authorization(t, first, "MD5", "REGISTER", acme, "999", "x", 6)); res.StatusCode != 403 {
			t.Errorf("unknown user: %d", res.StatusCode)
		}
		time.Sleep(nonceLife)
		if res := try(auth(first, "SHA-256", "secret101", 7)); res.StatusCode != 401 || !stale(res) {
			t.Errorf("old nonce: %d", res.StatusCode)
		} else if res := try(auth(res, "SHA-256", "secret101", 1)); res.StatusCode != 200 {
			t.Errorf("after stale: %d", res.StatusCode)
		}
	})
}

// TestGuessing: who guesses is slowed down, then not heard; the phone whose
// password is guessed notices nothing, wherever the guesser sits.
func TestGuessing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.Limits.SourceFailures = 10; c.Limits.AccountFailures = 3 })
		office := r.net.Host("203.0.113.7")
		phone, thief := newRaw(t, office, "203.0.113.7", 5060), newRaw(t, office, "203.0.113.7", 6666)
		far := r.raw("198.18.0.1")
		good := func() {
			t.Helper()
			if res := phone.register("101", "secret101", "Contact: <sip:101@203.0.113.7>"); res == nil || res.StatusCode != 200 {
				t.Fatalf("the phone got %v", res)
			}
		}
		good()

		for i := range 3 {
			if res := thief.register("101", fmt.Sprint("guess", i)); res.StatusCode != 403 {
				t.Fatalf("wrong password: %d", res.StatusCode)
			}
		}
		if res := thief.register("101", "secret101", "Contact: <sip:thief@203.0.113.7>"); res.StatusCode != 403 {
			t.Errorf("after three wrong ones even the right password must wait, got %d", res.StatusCode)
		}
		good()
		time.Sleep(11 * time.Second)
		if res := thief.register("101", "guess4"); res.StatusCode != 403 {
			t.Errorf("after the delay: %d", res.StatusCode)
		}
		// From one address over many accounts: the address is banned, but for
		// the phone that is registered there, whose flow is heard on.
		for i := range 10 {
			thief.register(fmt.Sprint(200+i), "x")
		}
		good()
		if res := thief.register("102", "secret102", "Contact: <sip:102@203.0.113.7>"); res == nil || res.StatusCode != 403 {
			t.Errorf("another account from a banned address: %v", res)
		}
		phone.register("101", "secret101", "Contact: *", "Expires: 0")

		for i := range 11 {
			far.register(fmt.Sprint(200+i), "x")
		}
		if res := far.register("102", "secret102", "Contact: <sip:102@198.18.0.1>"); res != nil {
			t.Errorf("a banned stranger got %d", res.StatusCode)
		}
		if r.metric("vpbx_sip_rejected_total", "guessing") < 20 {
			t.Error("guesses are not counted")
		}
		time.Sleep(5*time.Minute + time.Second)
		if res := far.register("102", "secret102", "Contact: <sip:102@198.18.0.1>"); res == nil || res.StatusCode != 200 {
			t.Errorf("after the ban: %v", res)
		}
	})
}

// TestYealink: registering without credentials again and again is no guessing
// and does not harm the binding.
func TestYealink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		p := r.raw("203.0.113.7")
		p.register("101", "secret101", "Contact: <sip:101@203.0.113.7>")
		for range 100 {
			p.send(p.request("REGISTER", acme, "sip:101@acme.test", "sip:101@acme.test", "CSeq: 1 REGISTER"))
			if got := p.status(); got != 401 {
				t.Fatalf("answered with %d", got)
			}
		}
		if len(r.s.Registrations("acme")) != 1 || r.metric("vpbx_sip_rejected_total") != 0 {
			t.Error("the binding is gone or something was counted")
		}
	})
}

func FuzzCredentials(f *testing.F) {
	f.Add(`Digest username="a", realm="r", nonce="n", uri="sip:x", response="0", qop=auth, nc=00000001, cnonce="c"`)
	f.Add(`Digest username="a\"b,c", realm=r,nonce=<,>,uri="sip:x",response=`)
	f.Fuzz(func(t *testing.T, s string) {
		c, ok := parseCredentials(s)
		if !ok {
			return
		}
		if c.hash() != nil && c.good(&pbx.Extension{HA1MD5: "0", HA1SHA256: "0"}, "REGISTER") && len(c.response) < 32 {
			t.Fatalf("%q is good", s)
		}
	})
}
