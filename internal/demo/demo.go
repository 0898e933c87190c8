package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	"vpbx/config"
	"vpbx/internal/app"
	"vpbx/internal/phone"
)

const (
	annaTone     = 440 // hertz, what Anna's phone sends
	ivanTone     = 550
	customerTone = 660
)

// Options say where and how the demo runs. The zero value is a temporary
// directory and the ports of the config's defaults, or free ones when those
// are taken.
type Options struct {
	Data string // directory that is kept; "": a temporary one, removed at the end
	SIP  string // host:port for UDP and TCP
	HTTP string // host:port
	Once bool   // end after the call
	Out  io.Writer
	Log  *slog.Logger
}

// demo is a running demo.
type demo struct {
	Options
	stop     context.CancelFunc // ends the phones' goroutines
	token    string
	people   []extension
	crm      *standIn
	app      *app.App
	carrier  *phone.Phone
	phones   []*phone.Phone
	answers  sync.WaitGroup
	sipAddr  netip.AddrPort
	httpAddr string
}

// Run builds the demo, places one call through it, prints what became of it
// and, unless o.Once, stays up until ctx ends. The error says what was not as
// it should be: the call was not answered, a side heard nothing, or the
// recording does not hold both.
func Run(ctx context.Context, o Options) (err error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	d := &demo{Options: o, people: people(), token: secret() + secret(), stop: stop}
	if d.Data == "" {
		if d.Data, err = os.MkdirTemp("", "vpbx-demo-"); err != nil {
			return fmt.Errorf("make a directory: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(d.Data)) }()
	}
	defer func() { err = errors.Join(err, d.close()) }()
	if err := d.start(ctx); err != nil {
		return err
	}
	if err := d.call(ctx); err != nil {
		return fmt.Errorf("the demo call: %w", err)
	}
	if o.Once {
		return nil
	}
	d.invite()
	<-ctx.Done()
	return nil
}

// start brings up the CRM, the carrier, the PBX and the phones, in this order.
func (d *demo) start(ctx context.Context) error {
	var err error
	if d.crm, err = startCRM(); err != nil {
		return fmt.Errorf("start the stand-in CRM: %w", err)
	}
	sipAt, err := choose(d.SIP, "0.0.0.0:5060", d.Once)
	if err != nil {
		return err
	}
	if d.carrier, err = phone.New(phone.Config{Address: "127.0.0.1:0", Server: loopback(sipAt), User: customer,
		Display: customer, Media: true, Tone: customerTone, RingWith: 180, Log: d.Log}); err != nil {
		return fmt.Errorf("start the simulated carrier: %w", err)
	}
	if err := d.startPBX(ctx, sipAt); err != nil {
		return err
	}
	for i, tone := range []float64{annaTone, ivanTone} {
		p := d.people[i]
		ph, err := phone.New(phone.Config{Address: "127.0.0.1:0", Server: d.sipAddr.String(), Domain: domain, User: p.number,
			Password: p.password, Display: p.name, Media: true, Tone: tone, Refresh: true, Log: d.Log})
		if err != nil {
			return fmt.Errorf("start phone %s: %w", p.number, err)
		}
		d.phones = append(d.phones, ph)
		if _, err := ph.Register(ctx, 10*time.Minute); err != nil {
			return fmt.Errorf("register phone %s: %w", p.number, err)
		}
		d.answer(ctx, ph)
	}
	d.answer(ctx, d.carrier)
	return nil
}

// startPBX runs the same program as vpbx serve, with the demo's company.
func (d *demo) startPBX(ctx context.Context, sipAt string) error {
	httpAt, err := choose(d.HTTP, "127.0.0.1:8080", d.Once)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(d.Data, 0o700); err != nil {
		return fmt.Errorf("make the data directory: %w", err)
	}
	file := filepath.Join(d.Data, "acme.yaml")
	text := document(d.people, d.carrier.Addr().String(), d.crm.url())
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return fmt.Errorf("write the company file: %w", err)
	}
	cfg := config.Default()
	cfg.Node, cfg.Data, cfg.Provision = "demo", d.Data, []string{file}
	cfg.HTTP.Listen, cfg.HTTP.Token = httpAt, d.token
	cfg.SIP.Listen = []config.Listener{{Transport: "udp", Addr: sipAt}, {Transport: "tcp", Addr: sipAt}}
	if d.app, err = app.New(ctx, cfg, app.Host{}, d.Log, d.Out); err != nil {
		return fmt.Errorf("build the PBX: %w", err)
	}
	if err := d.app.Start(); err != nil {
		return fmt.Errorf("start the PBX: %w", err)
	}
	d.httpAddr = d.app.HTTP().String()
	bound, err := netip.ParseAddrPort(d.app.SIP()[0].Addr)
	if err != nil {
		return fmt.Errorf("read the SIP address: %w", err)
	}
	d.sipAddr = netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), bound.Port())
	return nil
}

// answer lets a simulated phone pick up whatever comes, after a second.
func (d *demo) answer(ctx context.Context, p *phone.Phone) {
	d.answers.Go(func() {
		for {
			select {
			case c := <-p.Incoming():
				d.answers.Go(func() { d.pickUp(ctx, c) })
			case <-ctx.Done():
				return
			}
		}
	})
}

// pickUp answers a call after a second.
func (d *demo) pickUp(ctx context.Context, c *phone.Call) {
	select {
	case <-time.After(time.Second):
	case <-c.Done():
		return
	case <-ctx.Done():
		return
	}
	if err := c.Answer(ctx); err != nil {
		d.Log.Info("simulated phone could not answer", "error", err)
	}
}

func (d *demo) close() error {
	d.stop()
	var errs []error
	for _, p := range append(d.phones, d.carrier) {
		if p != nil {
			errs = append(errs, p.Close())
		}
	}
	d.answers.Wait()
	if d.app != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		errs = append(errs, d.app.Close(ctx))
	}
	if d.crm != nil {
		errs = append(errs, d.crm.Close())
	}
	return errors.Join(errs...)
}

// choose gives the address to listen on: the wanted one, the usual one when
// that is free, else one with a free port.
func choose(wanted, usual string, once bool) (string, error) {
	if wanted != "" {
		return wanted, nil
	}
	host, _, err := net.SplitHostPort(usual)
	if err != nil {
		return "", err
	}
	if !once && free(usual) {
		return usual, nil
	}
	if once {
		host = "127.0.0.1"
	}
	for range 16 {
		l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
		if err != nil {
			return "", fmt.Errorf("find a free port: %w", err)
		}
		at := l.Addr().String()
		if err := l.Close(); err != nil {
			return "", fmt.Errorf("find a free port: %w", err)
		}
		if free(at) {
			return at, nil
		}
	}
	return "", errors.New("no port is free for both UDP and TCP")
}

// free tells whether both UDP and TCP can be had on an address.
func free(at string) bool {
	u, err := net.ListenPacket("udp", at)
	if err != nil {
		return false
	}
	defer u.Close()
	t, err := net.Listen("tcp", at)
	if err != nil {
		return false
	}
	t.Close()
	return true
}

// loopback is how a phone on this machine reaches an address we listen on.
func loopback(at string) string {
	host, port, err := net.SplitHostPort(at)
	if err != nil {
		return at
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}
