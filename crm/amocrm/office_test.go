package amocrm

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vpbx/crm/amocrm/amosim"
	"vpbx/internal/simnet"
	"vpbx/pbx"
	"vpbx/store"
)

// office is a company whose account of amoCRM is the stand-in, over TLS.
type office struct {
	*testing.T
	sim    *amosim.Server
	net    *simnet.Net
	host   *simnet.Host // ours
	tls    *tls.Config
	dir    string
	store  *store.Store
	client *Client
	a      Account
	log    bytes.Buffer

	mu    sync.Mutex
	front http.Handler // answers in the place of the stand-in, nil: it does
	at    []time.Time  // when requests came
	seen  []string     // "host path" of each
}

const amoIP = "93.184.216.34"

// certificate makes one for names, which also signs itself.
func certificate(t *testing.T, names ...string) (server, client *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: names, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots.AddCert(parsed)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, &tls.Config{RootCAs: roots}
}

// seed is what the account of the tests has.
func seed() amosim.Seed {
	return amosim.Seed{
		Name:      "Ромашка",
		Users:     []amosim.SeedUser{{ID: 501, Name: "Анна", Email: "anna@example.test", Admin: true}, {ID: 502, Name: "Борис", Email: "boris@example.test"}},
		Fields:    []amosim.SeedField{{ID: 901, Name: "Источник", Entity: "contacts"}, {ID: 902, Name: "Повод", Entity: "leads"}},
		Pipelines: []amosim.SeedPipeline{{ID: 700, Name: "Продажи", Statuses: []amosim.SeedStatus{{ID: 701, Name: "Новая"}, {ID: 702, Name: "В работе"}}}},
		Contacts: []amosim.SeedContact{
			{ID: 1, Name: "Иван Петров", Responsible: 502, Phones: []string{"8 (916) 123-45-67"}, Tags: []string{"vip"}},
			{ID: 2, Name: "Ольга", Responsible: 501, Phones: []string{"+7 495 000-00-02"}},
			{ID: 3, Name: "Фирма 79161234567", Responsible: 501, Phones: []string{"+79169161234"}, Emails: []string{"9161234567@example.test"}},
		},
		Leads: []amosim.SeedLead{{ID: 11, Name: "Окна", Status: 701, Contacts: []int64{1}}, {ID: 12, Name: "Двери", Status: 142, Contacts: []int64{1}}},
	}
}

// work runs f in a bubble with an office whose account is linked.
func work(t *testing.T, o amosim.Options, f func(*office)) {
	t.Helper()
	server, client := certificate(t, "demo.amocrm.ru", "www.amocrm.ru", "moved.amocrm.ru", "www.kommo.com", "demo.kommo.com")
	synctest.Test(t, func(t *testing.T) {
		if o.Seed.Users == nil {
			o.Seed = seed()
		}
		sim, err := amosim.New(o)
		if err != nil {
			t.Fatal(err)
		}
		w := &office{T: t, sim: sim, net: simnet.New(simnet.Options{}), tls: client, dir: t.TempDir(),
			a: Account{Tenant: "acme", Country: "RU", Base: "https://demo.amocrm.ru", ClientID: "sim-client", ClientSecret: "sim-secret", RedirectURI: "https://example.test/amocrm"}}
		if o.RedirectURI != "" {
			w.a.RedirectURI = o.RedirectURI
		}
		w.host = w.net.Host("93.184.216.1")
		l, err := w.net.Host(amoIP).Listen("tcp", amoIP+":443")
		if err != nil {
			t.Fatal(err)
		}
		s := &http.Server{Handler: w, TLSConfig: server, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
		var done sync.WaitGroup
		done.Go(func() { _ = s.Serve(tls.NewListener(l, server)) })
		w.open()
		if err := w.store.UpdateCompany(t.Context(), "acme", func(*pbx.Company) (*pbx.Company, error) {
			return &pbx.Company{Tenant: pbx.Tenant{ID: "acme", Domain: "acme.test"}}, nil
		}); err != nil {
			t.Fatal(err)
		}
		w.link()
		time.Sleep(2 * time.Second)
		f(w)
		w.close()
		_ = s.Close()
		done.Wait()
		w.net.Close()
		w.silent(w.log.String())
	})
}

// open opens store and client anew, as after a restart.
func (w *office) open() {
	w.Helper()
	var err error
	if w.store, err = store.Open(w.Context(), store.Options{Dir: w.dir, Node: "n"}); err != nil {
		w.Fatal(err)
	}
	w.client = w.open2(w.store)
}

// open2 opens another client.
func (w *office) open2(tokens Tokens) *Client {
	w.Helper()
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return w.host.Dial(ctx, network, amoIP+":443")
	}
	c, err := New(Options{Dial: dial, TLS: w.tls, Tokens: tokens, Log: slog.New(slog.NewTextHandler(&w.log, nil))})
	if err != nil {
		w.Fatal(err)
	}
	return c
}

func (w *office) close() {
	w.Helper()
	if err := w.client.Close(); err != nil {
		w.Error(err)
	}
	if err := w.store.Close(); err != nil {
		w.Error(err)
	}
}

func (w *office) link() {
	w.Helper()
	if err := w.client.Exchange(w.Context(), w.a, w.sim.NewCode()); err != nil {
		w.Fatal(err)
	}
}

// ServeHTTP is the remote side.
func (w *office) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	w.at = append(w.at, time.Now())
	w.seen = append(w.seen, r.Host+" "+r.URL.Path)
	front := w.front
	w.mu.Unlock()
	if front != nil {
		front.ServeHTTP(rw, r)
		return
	}
	w.sim.ServeHTTP(rw, r)
}

// answer puts h in the place of the stand-in, which is behind it; nil takes it away.
func (w *office) answer(h func(sim http.Handler) http.HandlerFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.front = nil
	if h != nil {
		w.front = h(w.sim)
	}
}

// fresh forgets which requests came.
func (w *office) fresh() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at, w.seen = nil, nil
}

// came gives the requests that came, and when.
func (w *office) came() ([]string, []time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.seen...), append([]time.Time(nil), w.at...)
}

// within bounds a request as a lookup does.
func (w *office) within(d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(w.Context(), d)
}

// silent checks that a text has no secret.
func (w *office) silent(s string) {
	w.Helper()
	for _, secret := range []string{"access-", "refresh-", "sim-secret", "code-"} {
		if strings.Contains(s, secret) {
			w.Errorf("a secret is told: %s", s)
		}
	}
}

func (w *office) refreshes() int { return w.sim.Requests("POST /oauth2/access_token") - 1 }
