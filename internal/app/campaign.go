package app

import (
	"context"
	"time"

	"vpbx/autodialer"
	"vpbx/autodialer/law"
	"vpbx/events"
	"vpbx/pbx"
)

// buildRunner makes what runs the campaigns.
func (a *App) buildRunner() error {
	rules, err := law.Load()
	if err != nil {
		return err
	}
	a.runner = autodialer.NewRunner(autodialer.Options{Dialer: a.calls, Store: a.store, Directory: a.store.Directory, Law: rules,
		TrunkUp: a.sip.TrunkUp, Publish: a.campaign, Log: a.log, Metrics: a.metrics})
	return nil
}

// campaign puts what happens to campaigns on the bus.
func (a *App) campaign(t pbx.TenantID, kind string, body any) {
	a.bus.Publish(events.Event{Tenant: t, Kind: kind, At: time.Now(), Body: body})
}

// Dial makes the call of an attempt of a campaign that somebody else has begun, and waits for
// its record: for tests of such calls alone.
func (a *App) Dial(ctx context.Context, c pbx.CampaignCall) (pbx.CDR, error) {
	return a.calls.Dial(ctx, c)
}
