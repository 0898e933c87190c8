package app

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"vpbx/api"
	"vpbx/crm"
	"vpbx/crm/rtk"
	"vpbx/events"
	"vpbx/internal/visitor"
	"vpbx/pbx"
	"vpbx/sip"
	"vpbx/tenants"
)

// buildAPI makes the HTTP side and the first administrator token.
func (a *App) buildAPI(ctx context.Context) error {
	admin, err := a.firstToken(ctx)
	if err != nil {
		return err
	}
	reloading := reloading{a.tenants, a.sip, a.deliverer, a, a.debugger, a.store.TellBoxes}
	a.api, err = api.New(api.Config{Companies: a.store, Records: a.store, Live: a.calls, Control: a.calls, Conferences: a.calls, Queues: a.calls, QueueRecords: a.store, Sounds: a.recordings, Keeper: a.keeper, Deliveries: a.store, Voicemail: a.store, Mails: a.store, Links: a.links, Routes: a.router, Book: a.store, Campaigns: a.runner, CampaignRecords: a.store,
		Integration: a.integrate, IntegrationMethods: rtk.Methods(),
		Tenants: reloading, Amo: a.amoService(), Library: a.library, Bus: a.bus, Registrations: a.sip.Registrations,
		Ladder: a.calls.Ladder, Capture: a.sip.Capture,
		ICE:   api.ICE{URLs: a.cfg.Media.WebRTC.TURN.URLs, Secret: a.cfg.Media.WebRTC.TURN.Secret, TTL: a.cfg.Media.WebRTC.TURN.TTL},
		Token: a.token, Admin: admin, Prompts: filepath.Join(a.cfg.Data, "prompts"),
		IntegrationAdmin: &integrationAdmin{reloading, a.store, a.connector, a.debugger, strings.TrimRight(a.cfg.HTTP.External, "/"), a.chain},
		Proxies:          visitor.Proxies{Networks: a.cfg.HTTP.Proxies, Header: a.cfg.HTTP.ProxyHeader},
		Ready:            a.ready, Metrics: a.metrics, Log: a.log})
	return err
}

// reloading tells the SIP side and the delivery to CRMs about companies that
// changed by API.
type reloading struct {
	*tenants.Service
	sip     *sip.Server
	deliver *crm.Deliverer
	app     *App
	debug   *crm.Debugger
	boxes   func(context.Context, pbx.TenantID) error // tells the phones of what is in them
}

func (r reloading) ApplyIf(ctx context.Context, d *tenants.Document, may tenants.Condition) (tenants.Changes, error) {
	was := r.app.onAmo(d.Tenant)
	changes, err := r.Service.ApplyIf(ctx, d, may)
	return changes, errors.Join(err, r.changed(ctx, d.Tenant, was, changes))
}

func (r reloading) Edit(ctx context.Context, t pbx.TenantID, edit tenants.Edit) (tenants.Changes, error) {
	was := r.app.onAmo(t)
	changes, err := r.Service.Edit(ctx, t, edit)
	return changes, errors.Join(err, r.changed(ctx, t, was, changes))
}

// changed tells of what was changed; wasOnAmo says whether the company had an account of
// amoCRM connected before.
func (r reloading) changed(ctx context.Context, t pbx.TenantID, wasOnAmo bool, changes tenants.Changes) error {
	if len(changes) == 0 {
		return nil
	}
	r.sip.Reload()
	r.deliver.Wake(t)
	if wasOnAmo && !r.app.onAmo(t) {
		r.app.leftAmo(ctx, t)
	}
	return r.boxes(ctx, t) // an extension may have its box again
}

func (r reloading) Remove(ctx context.Context, t pbx.TenantID) error {
	err := r.Service.Remove(ctx, t)
	if err == nil {
		r.sip.Reload()
		r.debug.Forget(t)
	}
	return err
}

// ready says why no calls are taken, nil when they are.
func (a *App) ready() error {
	if a.draining.Load() {
		return errors.New("draining")
	}
	return a.store.Ping(context.Background())
}

// publish puts what happens in calls on the bus.
func (a *App) publish(e pbx.Live) {
	a.runner.Heard(e)
	a.bus.Publish(events.Event{Tenant: e.Tenant, Kind: "call." + string(e.Kind), At: e.At, Body: e})
}

// agent puts on the bus what agents of queues do.
func (a *App) agent(t pbx.TenantID, do pbx.AgentVerb, i pbx.AgentInfo) {
	a.bus.Publish(events.Event{Tenant: t, Kind: "agent." + string(do), At: time.Now(), Body: i})
}

// registration puts what happens to registrations on the bus.
func (a *App) registration(r sip.Registration) {
	a.bus.Publish(events.Event{Tenant: r.Tenant, Kind: "registration." + r.Event, At: r.Registered, Body: r.Binding})
}

// token finds the holder of an API token.
func (a *App) token(ctx context.Context, hash string) (api.Principal, error) {
	t, err := a.store.Token(ctx, hash)
	if err != nil {
		return api.Principal{}, err
	}
	return api.Principal{Name: t.Name, Role: api.Role(t.Role), Tenant: t.Tenant}, nil
}

// firstToken gives the hash of the configured administrator token. Without one,
// and when the store has no administrator's either, a token is made, kept, and
// printed this one time.
func (a *App) firstToken(ctx context.Context) (hash string, err error) {
	if t := a.cfg.HTTP.Token; t != "" {
		return api.HashToken(t), nil
	}
	tokens, err := a.store.Tokens(ctx, "")
	if err != nil {
		return "", fmt.Errorf("read tokens: %w", err)
	}
	for _, t := range tokens {
		if t.Role == string(api.RoleAdmin) {
			return "", nil
		}
	}
	token, err := newToken(ctx, a.store, "first", "")
	if err != nil {
		return "", err
	}
	_, err = fmt.Fprintf(a.out, "Administrator token, shown this once: %s\n", token)
	return "", err
}

// randomToken is 192 random bits in URL-safe letters.
func randomToken() string {
	var b [24]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}
