package app

import (
	"context"
	"time"

	"vpbx/crm"
	"vpbx/crm/amocrm"
	"vpbx/pbx"
	"vpbx/tenants"
)

// buildAmo adds the connector of amoCRM to the others, before any of them is asked: it
// needs the store, which tells the deliverer of events while it is opened.
func (a *App) buildAmo(connectors map[string]crm.Connector) error {
	var err error
	if a.amo, err = amocrm.New(amocrm.Options{Dial: a.host.Dial, Tokens: a.store, Hosts: a.cfg.AmoCRM.Hosts, Log: a.log, Metrics: a.metrics}); err != nil {
		return err
	}
	connectors["amocrm"] = amocrm.NewConnector(a.amo, a.store, a.cfg.HTTP.External, a.log)
	return nil
}

// amoService makes what connects companies with amoCRM.
func (a *App) amoService() *amocrm.Service {
	return amocrm.NewService(amocrm.ServiceOptions{Client: a.amo, Companies: a.store.Directory, Settings: a.tenants, States: a.store, Records: a.store,
		Links: a.links, MayLink: tenants.MayLink, Changed: a.deliverer.Wake, External: a.cfg.HTTP.External, Log: a.log,
		Originate: a.calls.Originate})
}

// onAmo says whether a company is connected with amoCRM.
func (a *App) onAmo(t pbx.TenantID) bool {
	c := a.store.Directory().Company(t)
	return c != nil && c.CRM.Amo != nil && c.CRM.Amo.Link != nil
}

// leftAmo forgets the tokens of a company whose document disconnected it.
func (a *App) leftAmo(ctx context.Context, t pbx.TenantID) {
	if err := a.amo.Unlink(ctx, t); err != nil {
		a.log.Error("the tokens of an account of amoCRM are not forgotten", "tenant", t, "error", err)
	}
}

// sweepAmo forgets what nobody needs any more.
func (a *App) sweepAmo(ctx context.Context) {
	if err := a.store.SweepAmo(ctx, time.Now()); err != nil && ctx.Err() == nil {
		a.log.Error("old steps in amoCRM are not forgotten", "error", err)
	}
}
