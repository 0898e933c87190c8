package amocrm

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"vpbx/pbx"
)

// Ledger remembers what was done in amoCRM because of a call, so that it is done
// once. Package store implements it.
type Ledger interface {
	AmoSteps(ctx context.Context, t pbx.TenantID, call pbx.CallID) ([]pbx.AmoStep, error)
	SaveAmoStep(ctx context.Context, t pbx.TenantID, call pbx.CallID, step pbx.AmoStep) error
}

// Connector is the connector for CRMs of kind amocrm. It may be used by any number of
// goroutines, for any number of companies.
type Connector struct {
	client   *Client
	ledger   Ledger
	external string // address of ours, for links to recordings; "": there are none
	log      *slog.Logger
}

// NewConnector makes a Connector. external is the address by which others reach our
// HTTP side, as https://pbx.example.com.
func NewConnector(client *Client, ledger Ledger, external string, log *slog.Logger) *Connector {
	return &Connector{client: client, ledger: ledger, external: strings.TrimRight(external, "/"), log: log}
}

// CallbackPath is where amoCRM sends the browser of an administrator who has
// allowed the integration.
const CallbackPath = "/amocrm/callback"

// accountOf is the account that a company is connected with; the caller has seen that
// there is one.
func accountOf(c *pbx.Company, external string) Account {
	l := c.CRM.Amo.Link
	return Account{Tenant: c.ID, Country: c.Country, Base: baseOf(l.Account), ClientID: l.ClientID, ClientSecret: l.ClientSecret,
		RedirectURI: strings.TrimRight(external, "/") + CallbackPath}
}

// baseOf is the address of an account, which is written as acme.amocrm.ru, or as an
// address where it is a stand-in.
func baseOf(account string) string {
	if strings.Contains(account, "://") {
		return account
	}
	return "https://" + account
}

// connected says whether a company is connected with an account.
func connected(c *pbx.Company) bool { return c.CRM.Amo != nil && c.CRM.Amo.Link != nil }

// russian says whether people of the account read Russian.
func russian(account string) bool { return !strings.HasSuffix(account, ".kommo.com") }

// popupFresh is how long after an answer it is still of use to show who talks.
const popupFresh = 30 * time.Second
