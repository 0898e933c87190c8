package app

import (
	"context"
	"encoding/pem"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"vpbx/crm"
	"vpbx/crm/rtk"
	"vpbx/pbx"
	"vpbx/store"
)

// integrationAdmin is the integration API as the administrator of a company sees it.
type integrationAdmin struct {
	tenants  reloading
	store    *store.Store
	client   *rtk.Client
	debugger *crm.Debugger
	external string        // address by which CRMs reach us, "": unknown
	chain    func() []byte // see api.IntegrationAdmin
}

// Certificate gives the certificates of our https. See [api.IntegrationAdmin].
func (i *integrationAdmin) Certificate() []byte { return i.chain() }

// chain gives the certificates that TLS shows, in PEM, nil when there are none.
func (a *App) chain() []byte {
	cert := a.cert.Load()
	if cert == nil || a.cfg.HTTP.ListenTLS == "" {
		return nil
	}
	var text []byte
	for _, der := range cert.Certificate {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	return text
}

// NewKeys makes the keys of a company anew. See [api.IntegrationAdmin].
func (i *integrationAdmin) NewKeys(ctx context.Context, t pbx.TenantID) (clientID, signKey string, err error) {
	clientID, signKey, err = i.tenants.Service.NewKeys(ctx, t)
	if err == nil {
		i.tenants.deliver.Wake(t)
	}
	return clientID, signKey, err
}

// Samples gives a request of each method. See [api.IntegrationAdmin].
func (i *integrationAdmin) Samples(c *pbx.Company) ([]pbx.IntegrationSample, error) {
	if err := speaksRTK(c); err != nil {
		return nil, err
	}
	var all []pbx.IntegrationSample
	for _, s := range rtk.Samples(c, time.Now()) {
		base := i.external + rtkPath
		if s.Direction == rtk.ToCRM {
			base = strings.TrimRight(c.CRM.URL, "/") + "/"
		}
		all = append(all, pbx.IntegrationSample{Direction: pbx.ExchangeDirection(s.Direction), Method: s.Method, URL: base + s.Method,
			Body: string(s.Body), Sign: rtk.Sign(c.CRM.ClientID, c.CRM.SignKey, s.Body)})
	}
	return all, nil
}

// rtkPath is what the names of our methods are appended to.
const rtkPath = "/rtk/"

// admits says why the CRM of a company may not ask, nil when it may.
func admits(c *pbx.Company, from netip.Addr, secure bool) error { return c.CRM.Admits(from, secure) }

// Sign gives the signature of a body. See [api.IntegrationAdmin].
func (i *integrationAdmin) Sign(c *pbx.Company, body []byte) (string, error) {
	if err := speaksRTK(c); err != nil {
		return "", err
	}
	return rtk.Sign(c.CRM.ClientID, c.CRM.SignKey, body), nil
}

func speaksRTK(c *pbx.Company) error {
	if c.CRM.Kind == "rtk" {
		return nil
	}
	return &pbx.Error{Kind: pbx.Conflict, Field: "crm.kind", Msg: "the company has no CRM of kind rtk"}
}

// Test tries the CRM and keeps what came of it. See [api.IntegrationAdmin].
func (i *integrationAdmin) Test(ctx context.Context, c *pbx.Company, t pbx.IntegrationTest) (pbx.Exchange, error) {
	test := rtk.Test{Method: t.Method, Within: t.Within, SSL: t.SSL}
	if t.Body != nil {
		test.Body = []byte(*t.Body)
	}
	x, err := i.client.Test(ctx, c, test)
	if err != nil {
		return pbx.Exchange{}, fmt.Errorf("test the CRM of company %s: %w", c.ID, err)
	}
	return i.debugger.Keep(ctx, c.ID, exchangeOf(x))
}

// Exchanges lists what is kept. See [api.IntegrationAdmin].
func (i *integrationAdmin) Exchanges(ctx context.Context, t pbx.TenantID, q pbx.ExchangeQuery) ([]pbx.Exchange, string, error) {
	if err := i.debugger.Flush(ctx); err != nil {
		return nil, "", fmt.Errorf("wait for the log: %w", err)
	}
	return i.store.Exchanges(ctx, t, q)
}

// ClearExchanges forgets what is kept. See [api.IntegrationAdmin].
func (i *integrationAdmin) ClearExchanges(ctx context.Context, t pbx.TenantID) (int, error) {
	if err := i.debugger.Flush(ctx); err != nil {
		return 0, fmt.Errorf("wait for the log: %w", err)
	}
	return i.store.ClearExchanges(ctx, t)
}

// Debug switches debugging. See [api.IntegrationAdmin].
func (i *integrationAdmin) Debug(ctx context.Context, t pbx.TenantID, length time.Duration) (time.Time, error) {
	return i.debugger.Switch(ctx, t, length)
}

// Debugging says until when it is on. See [api.IntegrationAdmin].
func (i *integrationAdmin) Debugging(t pbx.TenantID) time.Time { return i.debugger.Until(t) }

// exchanged is told of each exchange with a CRM of kind rtk.
func (a *App) exchanged(x rtk.Exchange) {
	// The connectors are made before the store and the debugger, and asked only after.
	if x.Test || !a.debugger.Until(x.Tenant).IsZero() {
		a.debugger.Note(x.Tenant, exchangeOf(x))
	}
}

// exchangeOf is an exchange as it is kept.
func exchangeOf(x rtk.Exchange) pbx.Exchange {
	e := pbx.Exchange{At: x.At, Direction: pbx.ExchangeDirection(x.Direction), Method: x.Method, URL: x.URL, Remote: x.Remote,
		SSL: pbx.SSLOff, Test: x.Test, Status: x.Status, MS: float64(x.Took.Microseconds()) / 1000,
		Request: pbx.NewHTTPMessage(x.Header, x.Request, int64(len(x.Request))),
		Answer:  pbx.NewHTTPMessage(x.AnswerHeader, x.Answer, max(x.Size, int64(len(x.Answer))))}
	if !slices.Contains(rtk.Methods(), x.Method) && !slices.Contains(rtk.TestMethods, x.Method) {
		e.Method = "other"
	}
	if x.Mode == rtk.Encrypted && (x.Trusted || x.Direction == rtk.FromCRM) {
		e.SSL = pbx.SSLOn
	}
	if x.From.IsValid() {
		e.Remote = x.From.Unmap().String()
	}
	if x.Err != nil {
		e.Error = x.Err.Error()
	}
	return e
}
