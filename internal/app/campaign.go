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

// campaign puts what happens to campaigns on the bus, by the clock of the company.
func (a *App) campaign(t pbx.TenantID, kind string, body any) {
	if c := a.store.Directory().Company(t); c != nil {
		if zone, err := time.LoadLocation(c.Zone); err == nil {
			body = inZone(body, zone)
		}
	}
	a.bus.Publish(events.Event{Tenant: t, Kind: kind, At: time.Now(), Body: body})
}

// inZone gives what happened to a campaign with its times in a zone. Whoever told it keeps
// what it has.
func inZone(body any, zone *time.Location) any {
	local := func(at *time.Time) *time.Time {
		if at == nil {
			return nil
		}
		t := at.In(zone)
		return &t
	}
	state := func(s pbx.CampaignState) pbx.CampaignState {
		s.Started, s.Resumed, s.Ended, s.Updated = local(s.Started), local(s.Resumed), local(s.Ended), s.Updated.In(zone)
		return s
	}
	switch b := body.(type) {
	case pbx.CampaignState:
		return state(b)
	case pbx.CampaignProgress:
		b.CampaignState, b.Next = state(b.CampaignState), local(b.Next)
		return b
	case pbx.TargetNotice:
		b.Target.Next, b.Target.Added, b.Target.Updated = b.Target.Next.In(zone), b.Target.Added.In(zone), b.Target.Updated.In(zone)
		return b
	}
	return body
}

// Dial makes the call of an attempt of a campaign that somebody else has begun, and waits for
// its record: for tests of such calls alone.
func (a *App) Dial(ctx context.Context, c pbx.CampaignCall) (pbx.CDR, error) {
	return a.calls.Dial(ctx, c)
}
