package webhook

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
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

	"vpbx/crm"
	"vpbx/internal/simnet"
	"vpbx/pbx"
)

const (
	crmIP  = "93.184.216.34"
	secret = "0123456789abcdef"
)

func company(url string) *pbx.Company {
	return &pbx.Company{Tenant: pbx.Tenant{ID: "acme", Domain: "acme.test"},
		Extensions: map[string]*pbx.Extension{}, Groups: map[string]*pbx.Group{}, Numbers: map[string]*pbx.Number{}, Prompts: map[string]*pbx.Prompt{},
		CRM: pbx.CRM{Kind: "webhook", URL: url, Webhook: &pbx.Webhook{Secret: secret, Headers: map[string]string{"Authorization": "Bearer x"},
			Lookup: &pbx.WebhookLookup{URL: "http://" + crmIP + "/owner/{digits}?to={to}", Method: "GET", Owner: "data.0.owner", Name: "data.0.name"}}}}
}

// serve runs a CRM at the address of the tests, with TLS when config is given.
func serve(t *testing.T, n *simnet.Net, config *tls.Config, h http.HandlerFunc) (stop func()) {
	t.Helper()
	l, err := n.Host(crmIP).Listen("tcp", crmIP+":80")
	if err != nil {
		t.Fatal(err)
	}
	if config != nil {
		l = tls.NewListener(l, config)
	}
	s := &http.Server{Handler: h, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
	var done sync.WaitGroup
	done.Go(func() { _ = s.Serve(l) })
	return func() {
		_ = s.Close()
		done.Wait()
	}
}

// TestDeliver: the body, its signature, and the headers.
func TestDeliver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(simnet.Options{})
		var got http.Header
		var body []byte
		stop := serve(t, n, nil, func(w http.ResponseWriter, r *http.Request) {
			got = r.Header
			body, _ = io.ReadAll(r.Body)
			w.WriteHeader(202)
		})
		defer stop()
		c := New(Options{Dial: n.Host("93.184.216.1").Dial})
		defer c.Close()
		at := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
		notice := pbx.Notification{Call: "c1", Seq: 2, Kind: pbx.NotifyRinging, At: at, Direction: pbx.In, From: "+79160000001", To: "+74950000000", Who: "101", Extension: "101"}
		if err := c.Deliver(t.Context(), company("http://"+crmIP+"/hook?key=1"), &notice); err != nil {
			t.Fatal(err)
		}
		want := `{"tenant":"acme","call":"c1","seq":2,"event":"ringing","at":"2026-11-22T10:00:00Z","direction":"in","from":"+79160000001","to":"+74950000000","who":"101","extension":"101"}`
		if string(body) != want {
			t.Errorf("body %s, want %s", body, want)
		}
		mac := hmac.New(sha256.New, []byte(secret))
		io.WriteString(mac, got.Get("Vpbx-Timestamp")+"."+want)
		if got.Get("Vpbx-Signature") != "sha256="+hex.EncodeToString(mac.Sum(nil)) || got.Get("Vpbx-Event") != "ringing" ||
			got.Get("Vpbx-Delivery") != "acme/c1-2" || got.Get("Authorization") != "Bearer x" || got.Get("Content-Type") != "application/json" || got.Get("Idempotency-Key") != "" {
			t.Errorf("header %v", got)
		}
		if err := c.Deliver(t.Context(), company("http://"+crmIP), &pbx.Notification{Kind: pbx.NotifyHistory}); err != nil {
			t.Error(err)
		}
	})
}

// TestDeliverTarget: the body that tells of somebody whom a campaign is done with.
func TestDeliverTarget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(simnet.Options{})
		var got http.Header
		var body []byte
		stop := serve(t, n, nil, func(w http.ResponseWriter, r *http.Request) {
			got = r.Header
			body, _ = io.ReadAll(r.Body)
		})
		defer stop()
		c := New(Options{Dial: n.Host("93.184.216.1").Dial})
		defer c.Close()
		at := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
		notice := pbx.Notification{Seq: 2, Kind: pbx.NotifyTarget, At: at, Target: &pbx.TargetNotice{Campaign: "debts", Call: "c1",
			Target: pbx.Target{ID: 7, Key: "k1", Numbers: []string{"+79160000001"}, State: pbx.TargetDone, Attempts: 1, Outcome: pbx.AttemptAnswered, Added: at, Updated: at},
			Last: &pbx.InCampaign{AttemptRef: pbx.AttemptRef{Campaign: "debts", Target: 7, Key: "k1", N: 1, Number: "+79160000001", Kind: pbx.CampaignDebt, Mode: pbx.DialMessage},
				Outcome: pbx.AttemptAnswered, Answers: []pbx.Answer{{Block: "main", Key: "1", Answer: "will pay"}}, Told: true}}}
		if err := c.Deliver(t.Context(), company("http://"+crmIP+"/hook"), &notice); err != nil {
			t.Fatal(err)
		}
		want := `{"tenant":"acme","seq":2,"event":"target","at":"2026-11-22T10:00:00Z","target":{"campaign":"debts","target":{"id":7,"key":"k1","numbers":["+79160000001"],"state":"done","attempts":1,"turn":0,"outcome":"answered","added":"2026-11-22T10:00:00Z","updated":"2026-11-22T10:00:00Z"},` +
			`"last":{"campaign":"debts","target":7,"key":"k1","attempt":1,"number":"+79160000001","kind":"debt","mode":"message","outcome":"answered","answers":[{"block":"main","key":"1","answer":"will pay"}],"told":true},"call":"c1"}}`
		if string(body) != want || got.Get("Vpbx-Event") != "target" || got.Get("Vpbx-Delivery") != "acme/target-7-2" {
			t.Errorf("body %s, want %s; header %v", body, want, got)
		}
	})
}

// TestSign is a vector that was reckoned apart from this code.
func TestSign(t *testing.T) {
	if got := Sign("0123456789abcdef", "1795334400", []byte(`{"a":1}`)); got != "sha256=0079efb63361d4bc041505bcd3a900ab80f648206376edf0e661aee331fc1d37" {
		t.Errorf("signature %s", got)
	}
}

func TestParseAnswer(t *testing.T) {
	l := &pbx.WebhookLookup{Owner: "data.0.owner", Name: "data.0.name"}
	users := &pbx.WebhookLookup{Owner: "user", Users: map[string]string{"17": "101"}}
	for _, test := range []struct {
		l           *pbx.WebhookLookup
		body        string
		owner, name string
		bad         bool
	}{
		{l, `{"data":[{"owner":"101","name":"Ivan"}]}`, "101", "Ivan", false},
		{l, "\xef\xbb\xbf" + `{"data":[{"owner":101,"name":"a\r\nVia: x"}]}`, "101", "a  Via: x", false},
		{l, `{"data":[]}`, "", "", false},
		{l, `{"data":{"0":{"owner":"5"}}}`, "5", "", false},
		{l, `{"data":null}`, "", "", false},
		{l, `{"data":[{"owner":null}]}`, "", "", false},
		{l, `[]`, "", "", false},
		{l, `null`, "", "", false},
		{l, `{"data":[{"owner":{}}]}`, "", "", true},
		{l, `{"data":[{"owner":true}]}`, "", "", true},
		{l, `{"data":[{"owner":"1","name":[]}]}`, "", "", true},
		{l, `<html>`, "", "", true},
		{l, `{} {}`, "", "", true},
		{l, `{} x`, "", "", true},
		{l, ``, "", "", true},
		{l, strings.Repeat("[", 60000), "", "", true},
		{users, `{"user":17}`, "101", "", false},
		{users, `{"user":"18"}`, "", "", false},
		{users, `{"user":""}`, "", "", false},
	} {
		got, err := parseAnswer(test.l, []byte(test.body))
		if (err != nil) != test.bad || errors.Is(err, crm.ErrBadAnswer) != test.bad || got.Owner != test.owner || got.Name != test.name {
			t.Errorf("%.60s: %+v, %v", test.body, got, err)
		}
	}
}

func FuzzParseAnswer(f *testing.F) {
	for _, s := range []string{`{"data":[{"owner":"101","name":"Ivan"}]}`, `[1]`, `{"data":[[]]}`, `<`, `{"data":[{"owner":1e400}]}`} {
		f.Add([]byte(s), "data.0.owner")
	}
	f.Fuzz(func(t *testing.T, body []byte, path string) {
		c, err := parseAnswer(&pbx.WebhookLookup{Owner: path, Name: "data.0.name"}, body)
		if err != nil && c != (pbx.Contact{}) {
			t.Errorf("a contact with an error: %+v", c)
		}
		if strings.ContainsAny(c.Owner+c.Name, "\r\n\x00") {
			t.Errorf("hostile text came through: %+v", c)
		}
	})
}

// FuzzQuestion: no value gets out of its place.
func FuzzQuestion(f *testing.F) {
	for _, s := range []string{"+7916", `","x":"`, "a/../b?c#d", "{to}", "\n", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, from string) {
		q := question{from: from, to: "t", call: "c", tenant: "a"}
		u := q.inURL("http://h.test/x/{from}/y?q={from}&to={to}")
		req, err := http.NewRequest("GET", u, nil)
		if err != nil || req.URL.Host != "h.test" || req.URL.Query().Get("q") != from || req.URL.Query().Get("to") != "t" || req.URL.Fragment != "" || len(req.URL.Query()) != 2 {
			t.Errorf("%q makes %q: %v", from, u, err)
		}
		var v struct{ Phone, To string }
		if err := json.Unmarshal([]byte(q.inJSON(`{"phone": "a{from}b", "to": "{to}"}`)), &v); err != nil || v.Phone != "a"+string([]rune(from))+"b" || v.To != "t" {
			t.Errorf("%q: %+v, %v", from, v, err)
		}
	})
}

// TestAllowed: what is no public address is not reached.
func TestAllowed(t *testing.T) {
	for a, want := range map[string]bool{
		"93.184.216.34": true, "2606:2800:220:1::1": true, "127.0.0.1": false, "10.1.2.3": false, "192.168.0.1": false, "172.16.0.1": false,
		"169.254.169.254": false, "0.0.0.0": false, "100.64.0.1": false, "224.0.0.1": false, "255.255.255.255": false, "::1": false, "fe80::1": false,
		"fd00::1": false, "::ffff:127.0.0.1": false, "::ffff:93.184.216.34": true, "64:ff9b::7f00:1": false, "2002:7f00:1::": false, "::": false, "198.18.0.1": false,
	} {
		if got := crm.Allowed(netip.MustParseAddr(a), nil); got != want {
			t.Errorf("%s: %v", a, got)
		}
	}
	if !crm.Allowed(netip.MustParseAddr("::ffff:10.1.2.3"), []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}) {
		t.Error("an allowed network is not reached")
	}
	dial := crm.Guarded(nil, nil)
	if _, err := dial(t.Context(), "tcp", "127.0.0.1:9"); err == nil || !strings.Contains(err.Error(), "no public address") {
		t.Errorf("loopback: %v", err)
	}
}

// TestPrivate: nothing is sent to an address of our own network.
func TestPrivate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(simnet.Options{})
		l, err := n.Host("10.0.0.9").Listen("tcp", "10.0.0.9:80")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		c := New(Options{Dial: n.Host("10.0.0.1").Dial})
		defer c.Close()
		err = c.Deliver(t.Context(), company("http://10.0.0.9/"), &pbx.Notification{Kind: pbx.NotifyArrived})
		if err == nil || !strings.Contains(err.Error(), "no public address") {
			t.Errorf("error %v", err)
		}
	})
}

// TestCertificate: only the CRM that has the certificate is told.
func TestCertificate(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	make := func(serial int64) ([]byte, string) {
		template := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "crm"}, IPAddresses: []net.IP{net.ParseIP(crmIP)},
			NotBefore: time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC), IsCA: true, BasicConstraintsValid: true}
		der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
		if err != nil {
			t.Fatal(err)
		}
		return der, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	}
	der, pinned := make(1)
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	own := key
	key = other
	_, wrong := make(2)
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(simnet.Options{})
		stop := serve(t, n, &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: own}}}, func(http.ResponseWriter, *http.Request) {})
		defer stop()
		c := New(Options{Dial: n.Host("93.184.216.1").Dial})
		defer c.Close()
		for certificate, want := range map[string]bool{pinned: true, wrong: false, "": false} {
			company := company("https://" + crmIP + ":80/")
			company.CRM.Webhook.Certificate = certificate
			if err := c.Deliver(t.Context(), company, &pbx.Notification{Kind: pbx.NotifyArrived}); (err == nil) != want {
				t.Errorf("%.40q: %v", certificate, err)
			}
		}
	})
}

// TestOwner: the question as it is asked, by GET and by POST.
func TestOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(simnet.Options{})
		var asked string
		defer serve(t, n, nil, func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			asked = r.Method + " " + r.RequestURI + " " + string(body)
			if r.Header.Get("Vpbx-Event") != "lookup" || r.Header.Get("Vpbx-Signature") != Sign(secret, r.Header.Get("Vpbx-Timestamp"), body) {
				t.Errorf("header %v", r.Header)
			}
			if strings.Contains(asked, "404") {
				w.WriteHeader(404)
				return
			}
			io.WriteString(w, `{"data":[{"owner":"101","name":"Ivan"}]}`)
		})()
		c := New(Options{Dial: n.Host("93.184.216.1").Dial})
		defer c.Close()
		company := company("http://" + crmIP)
		ask := func(from string) pbx.Contact {
			t.Helper()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			got, err := c.Owner(ctx, company, from, "+74950000000", "c1")
			if err != nil {
				t.Error(err)
			}
			return got
		}
		if got := ask("+79160000001"); got != (pbx.Contact{Owner: "101", Name: "Ivan"}) || asked != "GET /owner/79160000001?to=%2B74950000000 " {
			t.Errorf("%+v after %q", got, asked)
		}
		if got := ask("+404"); got != (pbx.Contact{}) {
			t.Errorf("unknown: %+v", got)
		}
		company.CRM.Webhook.Lookup = &pbx.WebhookLookup{URL: "http://" + crmIP + "/q", Method: "POST", Body: `{"phone": "{from}"}`, Owner: "data.0.owner"}
		if got := ask("+79160000001"); got != (pbx.Contact{Owner: "101"}) || asked != `POST /q {"phone": "+79160000001"}` {
			t.Errorf("%+v after %q", got, asked)
		}
		company.CRM.Webhook.Lookup = nil
		if asked = ""; ask("+7") != (pbx.Contact{}) || asked != "" {
			t.Errorf("without a lookup: %q", asked)
		}
	})
}
