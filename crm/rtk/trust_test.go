package rtk

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vpbx/internal/simnet"
	"vpbx/pbx"
)

const crmIP = "93.184.216.34"

// authority issues certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func inPEM(der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "an authority"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Unix(0, 0), NotAfter: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{cert, key}
}

// issue gives a certificate for an address, good until then.
func (a *authority) issue(t *testing.T, ip string, until time.Time) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "crm"}, IPAddresses: []net.IP{net.ParseIP(ip)},
		NotBefore: time.Unix(0, 0), NotAfter: until, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// remoteCRM is a CRM on a network in memory, by https when it is given a certificate.
func remoteCRM(t *testing.T, n *simnet.Net, addr string, cert *tls.Certificate, h http.HandlerFunc) (stop func()) {
	t.Helper()
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	l, err := n.Host(host).Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	if cert != nil {
		l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{*cert}})
	}
	s := &http.Server{Handler: h, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
	var done sync.WaitGroup
	done.Go(func() { _ = s.Serve(l) })
	return func() {
		_ = s.Close()
		done.Wait()
	}
}

func companyAt(url string, trust pbx.Trust) *pbx.Company {
	c := company()
	c.CRM.URL, c.CRM.Trust = url, trust
	return c
}

// TestR29 : a certificate counts when it is pinned, or its issuer is, and is good; with
// ssl off any does, and plain http.
func TestR29(t *testing.T) {
	good, other := newAuthority(t), newAuthority(t)
	later := time.Date(2090, 1, 1, 0, 0, 0, 0, time.UTC)
	leaf, expired, elsewhere := good.issue(t, crmIP, later), good.issue(t, crmIP, time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)), good.issue(t, "192.0.2.1", later)
	const plain, secure = "http://" + crmIP, "https://" + crmIP
	for name, test := range map[string]struct {
		cert  *tls.Certificate // nil: plain http
		url   string
		trust pbx.Trust
		ok    bool
	}{
		"pinned":                 {&leaf, secure, pbx.Trust{SSL: pbx.SSLOn, Certificate: inPEM(leaf.Certificate[0])}, true},
		"issuer":                 {&leaf, secure, pbx.Trust{SSL: pbx.SSLOn, Certificate: inPEM(good.cert.Raw)}, true},
		"issuer among others":    {&leaf, secure, pbx.Trust{SSL: pbx.SSLOn, Certificate: inPEM(other.cert.Raw) + inPEM(good.cert.Raw)}, true},
		"not said":               {&leaf, secure, pbx.Trust{Certificate: inPEM(good.cert.Raw)}, true},
		"another authority":      {&leaf, secure, pbx.Trust{SSL: pbx.SSLOn, Certificate: inPEM(other.cert.Raw)}, false},
		"no list":                {&leaf, secure, pbx.Trust{SSL: pbx.SSLOn}, false},
		"not said, no list":      {&leaf, secure, pbx.Trust{}, false},
		"expired":                {&expired, secure, pbx.Trust{SSL: pbx.SSLOn, Certificate: inPEM(expired.Certificate[0])}, false},
		"of another address":     {&elsewhere, secure, pbx.Trust{SSL: pbx.SSLOn, Certificate: inPEM(elsewhere.Certificate[0])}, false},
		"on, plain":              {nil, plain, pbx.Trust{SSL: pbx.SSLOn}, false},
		"off, any certificate":   {&expired, secure, pbx.Trust{SSL: pbx.SSLOff}, true},
		"off, another authority": {&leaf, secure, pbx.Trust{SSL: pbx.SSLOff, Certificate: inPEM(other.cert.Raw)}, true},
		"off, plain":             {nil, plain, pbx.Trust{SSL: pbx.SSLOff}, true},
		"not said, plain":        {nil, plain, pbx.Trust{}, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := simnet.New(simnet.Options{})
				defer n.Close()
				port := ":80"
				if test.cert != nil {
					port = ":443"
				}
				defer remoteCRM(t, n, crmIP+port, test.cert, func(w http.ResponseWriter, r *http.Request) {
					io.WriteString(w, `{"result":0,"PIN":"101"}`)
				})()
				c := New(Options{Dial: n.Host("93.184.216.1").Dial})
				defer c.Close()
				company := companyAt(test.url, test.trust)
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if contact, err := c.Owner(ctx, company, "+7", "+7", "c"); (err == nil && contact.Owner == "101") != test.ok {
					t.Errorf("asked: %v", err)
				}
				if err := c.Deliver(ctx, company, &pbx.Notification{Kind: pbx.NotifyArrived}); (err == nil) != test.ok {
					t.Errorf("told: %v", err)
				}
				x, err := c.Test(ctx, company, Test{Method: "get_number_info", Within: time.Second})
				if (err == nil && x.Err == nil && x.Status == 200) != test.ok {
					t.Errorf("tried: %v, %+v", err, x)
				}
			})
		})
	}
}

// TestD6 : a test is made in the mode that it names, whatever that of the company is,
// and says in which it was made.
func TestD6(t *testing.T) {
	leaf := newAuthority(t).issue(t, crmIP, time.Date(2090, 1, 1, 0, 0, 0, 0, time.UTC))
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(simnet.Options{})
		defer n.Close()
		defer remoteCRM(t, n, crmIP+":443", &leaf, func(http.ResponseWriter, *http.Request) {})()
		c := New(Options{Dial: n.Host("93.184.216.1").Dial})
		defer c.Close()
		for _, of := range []pbx.SSLMode{"", pbx.SSLOn, pbx.SSLOff} {
			company := companyAt("https://"+crmIP, pbx.Trust{SSL: of})
			on, err := c.Test(t.Context(), company, Test{Method: "call_events", Within: time.Second, SSL: pbx.SSLOn})
			if err != nil || !on.Trusted || on.Mode != Encrypted || on.Status != 0 || on.Err == nil || !strings.Contains(on.Err.Error(), "certificate") {
				t.Errorf("%q, on: %v, %+v", of, err, on)
			}
			off, err := c.Test(t.Context(), company, Test{Method: "call_events", Within: time.Second, SSL: pbx.SSLOff})
			if err != nil || off.Trusted || off.Mode != Encrypted || off.Status != 200 || off.Err != nil {
				t.Errorf("%q, off: %v, %+v", of, err, off)
			}
		}
	})
}

// TestHostileAnswers: a test ends in its time and within its bounds, whatever the CRM does, and goes
// nowhere else.
func TestHostileAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(simnet.Options{})
		defer n.Close()
		var h http.HandlerFunc
		stop := remoteCRM(t, n, crmIP+":80", nil, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.ReadAll(r.Body) // the server notices a gone client only behind the body
			h(w, r)
		})
		defer stop()
		dialled := 0
		dial := n.Host("93.184.216.1").Dial
		c := New(Options{Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			dialled++
			return dial(ctx, network, addr)
		}})
		defer c.Close()
		try := func(what http.HandlerFunc) Exchange {
			t.Helper()
			h = what
			began := time.Now()
			x, err := c.Test(t.Context(), companyAt("http://"+crmIP, pbx.Trust{}), Test{Method: "get_number_info", Within: 2 * time.Second})
			if took := time.Since(began); err != nil || took > 2100*time.Millisecond {
				t.Errorf("%v after %s", err, took)
			}
			return x
		}
		x := try(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "10485760")
			for range 160 {
				if _, err := w.Write(make([]byte, 65536)); err != nil {
					return
				}
			}
		})
		if len(x.Answer) != pbx.MaxExchangeBody+pbx.ExchangeSpare || x.Size != 10<<20 || x.Err != nil {
			t.Errorf("10 MB: %d of %d, %v", len(x.Answer), x.Size, x.Err)
		}
		x = try(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "\xff\x00\x1b[31m<script>") })
		if string(x.Answer) != "\xff\x00\x1b[31m<script>" || x.Size != 15 {
			t.Errorf("bytes: %q", x.Answer)
		}
		before := dialled
		x = try(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://192.0.2.1/", http.StatusFound)
		})
		if x.Status != 302 || dialled != before+1 {
			t.Errorf("a redirect is followed: %d, %d dials", x.Status, dialled-before)
		}
		x = try(func(w http.ResponseWriter, r *http.Request) { w.Header().Set("X", strings.Repeat("x", 1<<20)) })
		if x.Status != 0 || x.Err == nil {
			t.Errorf("a megabyte of header: %+v", x.Err)
		}
		x = try(func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		if x.Took < 1900*time.Millisecond || x.Took > 2200*time.Millisecond || x.Err == nil || !strings.HasPrefix(x.Err.Error(), "timeout") {
			t.Errorf("it hangs: %s, %v", x.Took, x.Err)
		}
		nowhere := New(Options{Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}})
		defer nowhere.Close()
		x, err := nowhere.Test(t.Context(), companyAt("https://"+crmIP, pbx.Trust{}), Test{Method: "call_events", Within: 12 * time.Second})
		if err != nil || x.Took != 12*time.Second || x.Err == nil || !strings.HasPrefix(x.Err.Error(), "timeout") {
			t.Errorf("packets are lost: %v, %s, %v", err, x.Took, x.Err)
		}
		stop()
		if x = try(nil); x.Err == nil || x.Status != 0 || x.Remote != "" {
			t.Errorf("nobody there: %+v", x)
		}
	})
}

// TestTestsAreBounded: no more at once than is allowed, of a company and of all; an
// address that a company may not choose is not reached.
func TestTestsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(simnet.Options{})
		defer n.Close()
		for _, ip := range []string{crmIP, "10.0.0.9"} {
			defer remoteCRM(t, n, ip+":80", nil, func(w http.ResponseWriter, r *http.Request) { time.Sleep(time.Second) })()
		}
		dial := n.Host("93.184.216.1").Dial
		c := New(Options{Dial: dial})
		defer c.Close()
		var wg sync.WaitGroup
		var mu sync.Mutex
		kinds := map[pbx.Kind]int{}
		try := func(tenant string) {
			company := companyAt("http://"+crmIP, pbx.Trust{})
			company.ID = pbx.TenantID(tenant)
			_, err := c.Test(t.Context(), company, Test{Method: "call_events", Within: 5 * time.Second})
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				kinds["ok"]++
				return
			}
			kinds[pbx.KindOf(err)]++
		}
		for range 3 {
			wg.Go(func() { try("acme") })
		}
		wg.Wait()
		if kinds["ok"] != maxTestsEach || kinds[pbx.Limit] != 1 {
			t.Errorf("of a company: %v", kinds)
		}
		clear(kinds)
		for i := range maxTests + 5 {
			wg.Go(func() { try(string(rune('a' + i))) })
		}
		wg.Wait()
		if kinds["ok"] != maxTests || kinds[pbx.Limit] != 5 || len(c.tests.running) != 0 || c.tests.all != 0 {
			t.Errorf("of all: %v, %d left", kinds, c.tests.all)
		}
		private := companyAt("http://10.0.0.9", pbx.Trust{})
		x, err := c.Test(t.Context(), private, Test{Method: "call_events", Within: time.Second})
		if err != nil || x.Err == nil || !strings.Contains(x.Err.Error(), "no public address") {
			t.Errorf("private address: %v, %+v", err, x)
		}
		allowing := New(Options{Dial: dial, Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")}})
		defer allowing.Close()
		if x, err = allowing.Test(t.Context(), private, Test{Method: "call_events", Within: 2 * time.Second}); err != nil || x.Status != 200 {
			t.Errorf("an allowed network: %v, %+v", err, x)
		}
		for _, bad := range []Test{{Method: "call_events"}, {Method: "call_events", Within: time.Hour}, {Method: "../admin", Within: time.Second}} {
			if _, err := c.Test(t.Context(), private, bad); pbx.KindOf(err) != pbx.Invalid {
				t.Errorf("%+v: %v", bad, err)
			}
		}
	})
}

// TestD7 : the samples are the methods of the API, each JSON with the company's domain
// or with nothing of anybody, and signed as what is received is checked.
func TestD7(t *testing.T) {
	c := company()
	seen := map[string]bool{}
	for _, s := range Samples(c, time.Now()) {
		seen[s.Method] = true
		if !Verify(c.CRM.ClientID, c.CRM.SignKey, s.Body, Sign(c.CRM.ClientID, c.CRM.SignKey, s.Body)) || s.Body[0] != '{' {
			t.Errorf("%s: %s", s.Method, s.Body)
		}
		if (s.Direction == FromCRM) != (methods[s.Method] != nil) {
			t.Errorf("%s: direction %s", s.Method, s.Direction)
		}
	}
	for _, m := range append(TestMethods, pbx.ExchangeMethods...) {
		if !seen[m] {
			t.Errorf("no sample of %s", m)
		}
	}
}
