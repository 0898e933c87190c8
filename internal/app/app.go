package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
	_ "time/tzdata" // companies name their zones; the machine may have none

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"vpbx/api"
	"vpbx/autodialer"
	"vpbx/call"
	"vpbx/config"
	"vpbx/crm"
	"vpbx/crm/amocrm"
	"vpbx/crm/rtk"
	"vpbx/crm/webhook"
	"vpbx/events"
	"vpbx/mail"
	"vpbx/media"
	"vpbx/pbx"
	"vpbx/recordings"
	"vpbx/routing"
	"vpbx/sip"
	"vpbx/sip/hep"
	"vpbx/sounds"
	"vpbx/speech"
	"vpbx/store"
	"vpbx/tenants"
)

const (
	drainTime = 60 * time.Second // calls may go on after SIGTERM
)

// App is the whole program.
type App struct {
	cfg  config.Config
	host Host
	log  *slog.Logger
	out  io.Writer

	metrics    *prometheus.Registry
	store      *store.Store
	tenants    *tenants.Service
	recordings *recordings.Store
	keeper     *recordings.Keeper
	links      *recordings.Links
	sweeper    *sweeper // nil: not started
	bus        *events.Bus
	connector  *rtk.Client
	webhooks   *webhook.Client
	amo        *amocrm.Client
	lookup     *crm.Lookup
	router     *routing.Router
	deliverer  *crm.Deliverer
	mail       *mail.Sender // nil: no mail server
	debugger   *crm.Debugger
	media      *media.Engine
	engine     *speech.HTTP // nil: another speech engine, or none
	library    *sounds.Library
	hep        *hep.Exporter // nil: no Homer server
	sip        *sip.Server
	calls      *call.Manager
	runner     *autodialer.Runner
	integrate  *rtk.Server
	api        *api.Server
	http       net.Listener
	https      net.Listener // nil: not served
	cert       atomic.Pointer[tls.Certificate]

	up       atomic.Bool // what is saved may be told: everything is there
	draining atomic.Bool
	serving  sync.WaitGroup
	closing  atomic.Bool
	closed   chan struct{} // closed when closeAll has returned
	closeErr error
}

// New builds the program: it opens the store, applies the company files, writes
// the records of calls that a dead process left open, and makes every part. It
// listens on nothing yet. out is where the first administrator token is printed,
// once; nothing else is.
func New(ctx context.Context, cfg config.Config, host Host, log *slog.Logger, out io.Writer) (*App, error) {
	a := &App{cfg: cfg, host: host, log: log, out: out, metrics: prometheus.NewRegistry(), closed: make(chan struct{})}
	if err := a.build(ctx); err != nil {
		return nil, errors.Join(err, a.Close(ctx))
	}
	return a, nil
}

func (a *App) build(ctx context.Context) error {
	a.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	var err error
	a.bus = new(events.Bus)
	connectors := a.connectors()
	if a.deliverer, err = crm.NewDeliverer(crm.Options{Connectors: connectors, Log: a.log, Metrics: a.metrics}); err != nil {
		return err
	}
	if a.store, err = store.Open(ctx, store.Options{Dir: a.cfg.Data, Node: a.cfg.Node, Log: a.log, Metrics: a.metrics, Ready: a.recorded, Queued: a.deliverer.Wake,
		Boxed: a.boxed, Mailing: a.cfg.Mail.Server != "", Mailed: a.mailed}); err != nil {
		return err
	}
	if err := a.buildAmo(connectors); err != nil {
		return err
	}
	if a.debugger, err = crm.NewDebugger(ctx, crm.DebugOptions{Store: a.store, Directory: a.store.Directory, Networks: a.cfg.Webhooks.Networks, Log: a.log, Metrics: a.metrics}); err != nil {
		return err
	}
	a.tenants = tenants.NewService(a.store)
	docs, err := ReadCompanies(a.cfg)
	if err != nil {
		return err
	}
	if err := a.provision(ctx, docs); err != nil {
		return err
	}
	for _, c := range a.store.Directory().Companies() {
		pbx.WarmNumbers(c.Country)
	}
	if a.recordings, err = recordings.New(recordings.Options{Dir: filepath.Join(a.cfg.Data, "recordings"), Cache: filepath.Join(a.cfg.Data, "converted"),
		S3: a.s3(), Log: a.log, Metrics: a.metrics}); err != nil {
		return err
	}
	a.keeper = recordings.NewKeeper(a.recordings, a.store, a.log)
	if err := a.buildMail(); err != nil {
		return err
	}
	a.links = recordings.NewLinks(a.store, a.log)
	if err := a.recover(ctx); err != nil {
		return err
	}
	cert, err := a.certificate()
	if err != nil {
		return err
	}
	a.cert.Store(cert)
	if a.lookup, err = crm.NewLookup(crm.Options{Connectors: connectors, Log: a.log, Metrics: a.metrics}); err != nil {
		return err
	}
	budget, err := a.budget()
	if err != nil {
		return err
	}
	if a.media, err = media.New(media.Config{Budget: budget, Listen: a.cfg.Media.Listen, External: a.cfg.Media.External, LocalNets: a.cfg.SIP.LocalNets,
		PortMin: a.cfg.Media.Ports.Min, PortMax: a.cfg.Media.Ports.Max, Timeout: a.cfg.Media.Timeout, WebRTCPort: a.cfg.Media.WebRTC.Port,
		ListenPacket: a.host.ListenPacket, LocalFor: a.host.LocalFor, Log: a.log, Metrics: a.metrics}); err != nil {
		return err
	}
	if err := a.buildLibrary(); err != nil {
		return err
	}
	if err := a.buildHEP(); err != nil {
		return err
	}
	if a.sip, err = sip.New(a.sipConfig()); err != nil {
		return err
	}
	a.router = &routing.Router{Owners: a.lookup, Book: a.store, Registered: a.registered}
	a.calls = call.NewManager(call.Config{SIP: a.sip, Media: a.media, Recordings: a.recordings, Library: a.library, Journal: a.store,
		Router: a.router, AMD: a.cfg.AMD,
		Directory: a.store.Directory, Extensions: a.store, Prompts: a.tenants, Boxes: a.store, Remove: a.keeper.Remove, Ledger: a.store, Agents: a.store, Publish: a.publish, PublishAgent: a.agent, Log: a.log, Metrics: a.metrics})
	spent, err := a.store.Spending(ctx, time.Now())
	if err != nil {
		return err
	}
	a.calls.Restore(spent)
	agents, err := a.store.Agents(ctx)
	if err != nil {
		return err
	}
	callbacks, err := a.store.OpenCallbacks(ctx, time.Now())
	if err != nil {
		return err
	}
	if err := a.calls.RestoreQueues(ctx, agents, callbacks); err != nil {
		return err
	}
	if err := a.buildRunner(); err != nil {
		return err
	}
	if a.integrate, err = rtk.NewServer(rtk.ServerOptions{Directory: a.store.Directory, Registered: a.registered, Calls: a.calls, Records: a.store,
		Links: a.links, Histories: a.store, Dir: filepath.Join(a.cfg.Data, "histories"), External: a.cfg.HTTP.External, Log: a.log, Metrics: a.metrics,
		Allow: admits, Exchanges: a.exchanged}); err != nil {
		return err
	}
	return a.buildAPI(ctx)
}

// connectors makes the connectors of all kinds of CRM but that of amoCRM.
func (a *App) connectors() map[string]crm.Connector {
	a.connector = rtk.New(rtk.Options{Dial: a.host.Dial, Log: a.exchanged, Networks: a.cfg.Webhooks.Networks})
	a.webhooks = webhook.New(webhook.Options{Dial: a.host.Dial, Networks: a.cfg.Webhooks.Networks})
	return map[string]crm.Connector{"rtk": a.connector, "webhook": a.webhooks}
}

func (a *App) sipConfig() sip.Config {
	c := sip.Config{Origins: a.cfg.SIP.Origins, LocalNets: a.cfg.SIP.LocalNets, TLS: a.tlsConfig,
		ListenPacket: a.host.ListenPacket, ListenTCP: a.host.Listen, LocalFor: a.host.LocalFor, Resolve: a.host.Resolve, ResolveSRV: a.host.ResolveSRV, ResolveNAPTR: a.host.ResolveNAPTR, ProbeEvery: 30 * time.Second, Dial: a.host.Dial,
		Directory: a.store.Directory, Bindings: a.store,
		Accept:  func(l *sip.Leg) { a.calls.Accept(l) },
		Publish: a.registration, Log: a.log, Metrics: a.metrics}
	for _, e := range a.cfg.SIP.External {
		c.External = append(c.External, e.String())
	}
	if a.hep != nil {
		c.Mirror = a.hep.Send
	}
	for _, l := range a.cfg.SIP.Listen {
		c.Listen = append(c.Listen, sip.Listen{Transport: l.Transport, Addr: l.Addr})
	}
	return c
}

// registered tells whether an extension has a phone that can be reached now.
func (a *App) registered(t pbx.TenantID, ext string) bool {
	return len(a.sip.Targets(t, ext)) > 0
}

// Start listens and takes calls. When it fails, Close must still be called.
func (a *App) Start() error {
	if a.hep != nil {
		a.hep.Start()
	}
	a.up.Store(true)
	if err := a.store.TellBoxes(context.Background(), ""); err != nil {
		return err
	}
	if err := a.sip.Start(); err != nil {
		return fmt.Errorf("sip.listen: %w", err)
	}
	a.calls.Start()
	if err := a.runner.Start(context.Background()); err != nil {
		return err
	}
	a.sweeper = a.startSweeper()
	a.deliverer.Start(a.store, a.store.Directory)
	if a.mail != nil {
		a.mail.Start()
	}
	a.integrate.Start()
	return a.serveHTTP()
}

// SIP lists the addresses that SIP is heard on, after Start.
func (a *App) SIP() []sip.Listen { return a.sip.Addrs() }

// Run starts the program, serves until ctx ends, drains and closes. Every value
// on reload makes it read the company files and certificates again.
func (a *App) Run(ctx context.Context, reload <-chan os.Signal) error {
	if err := a.Start(); err != nil {
		return errors.Join(err, a.Close(ctx))
	}
	a.log.Info("vpbx is ready", "http", a.HTTP().String(), "sip", fmt.Sprint(a.SIP()))
	for {
		select {
		case <-reload:
			if err := a.Reload(ctx); err != nil {
				a.log.Error("reload refused", "error", err)
			}
		case <-ctx.Done():
			a.log.Info("draining", "calls_end_in", drainTime)
			drain, cancel := context.WithTimeout(context.Background(), drainTime)
			defer cancel()
			return a.Close(drain)
		}
	}
}

// Reload reads company files and certificates again. Live calls go on with what
// they began with. All files are read and checked before anything changes; when
// the store refuses a company all the same, those before it have changed.
func (a *App) Reload(ctx context.Context) error {
	cert, err := a.certificate()
	if err != nil {
		return err
	}
	docs, err := ReadCompanies(a.cfg)
	if err != nil {
		return err
	}
	a.cert.Store(cert)
	defer a.sip.Reload()
	if err := a.provision(ctx, docs); err != nil {
		return err
	}
	for _, c := range a.store.Directory().Companies() { // a tool may have changed them beside us
		if err := a.store.Reload(ctx, c.ID); err != nil {
			return fmt.Errorf("read company %s again: %w", c.ID, err)
		}
		a.deliverer.Wake(c.ID) // its CRM may be another
	}
	if err := a.store.TellBoxes(ctx, ""); err != nil {
		return err
	}
	a.log.Info("company files and certificates are read again")
	return nil
}

// Close refuses new calls, lets those that are going on end until ctx is over,
// ends the rest, and closes everything, last the store. It may be called more
// than once.
func (a *App) Close(ctx context.Context) error {
	if a.closing.CompareAndSwap(false, true) {
		a.closeErr = a.closeAll(ctx)
		close(a.closed)
	}
	<-a.closed
	return a.closeErr
}

func (a *App) closeAll(ctx context.Context) error {
	a.draining.Store(true)
	var errs []error
	if a.sip != nil {
		a.sip.Drain()
	}
	if a.runner != nil {
		a.runner.Drain()
	}
	if a.calls != nil {
		errs = append(errs, a.calls.Close(ctx))
	}
	if a.runner != nil {
		a.runner.Close()
	}
	if a.sweeper != nil {
		a.sweeper.close()
	}
	if a.recordings != nil {
		errs = append(errs, a.recordings.Close())
	}
	if a.sip != nil {
		errs = append(errs, a.sip.Close())
	}
	if a.hep != nil {
		a.hep.Close()
	}
	if a.media != nil {
		errs = append(errs, a.media.Close())
	}
	if a.library != nil {
		a.library.Close()
	}
	if a.engine != nil {
		a.engine.Close()
	}
	if a.lookup != nil {
		a.lookup.Close()
	}
	if a.deliverer != nil {
		a.deliverer.Close()
	}
	if a.mail != nil {
		a.mail.Close()
	}
	if a.connector != nil {
		a.connector.Close()
	}
	if a.webhooks != nil {
		a.webhooks.Close()
	}
	if a.api != nil {
		errs = append(errs, a.api.Close())
	}
	if a.amo != nil {
		errs = append(errs, a.amo.Close())
	}
	if a.integrate != nil {
		errs = append(errs, a.integrate.Close())
	}
	a.serving.Wait()
	if a.bus != nil {
		a.bus.Close()
	}
	if a.debugger != nil {
		a.debugger.Close()
	}
	if a.store != nil {
		errs = append(errs, a.store.Close())
	}
	return errors.Join(errs...)
}
