package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"vpbx/config"
	"vpbx/internal/app"
	"vpbx/internal/demo"
)

// withConfig is the flag of all commands that work on an installation.
type withConfig struct {
	Config string `help:"Path of vpbx.yaml; without it the defaults and VPBX_ variables count." type:"path" placeholder:"FILE"`
}

func (c withConfig) load() (config.Config, error) { return config.Load(c.Config, os.Environ()) }

type serveCmd struct{ withConfig }

// Run serves until ctx ends; SIGHUP reads company files and certificates again.
func (s *serveCmd) Run(ctx context.Context) error {
	cfg, err := s.load()
	if err != nil {
		return err
	}
	a, err := app.New(ctx, cfg, app.Host{}, logger(cfg.Log), os.Stdout)
	if err != nil {
		return err
	}
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	return a.Run(ctx, hup)
}

func logger(l config.Log) *slog.Logger {
	o := &slog.HandlerOptions{Level: l.SlogLevel()}
	if l.Format == "json" {
		return slog.New(slog.NewJSONHandler(os.Stderr, o))
	}
	return slog.New(slog.NewTextHandler(os.Stderr, o))
}

type checkCmd struct{ withConfig }

// Run reads everything a start would read and prints what would count.
func (c *checkCmd) Run() error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	docs, err := app.ReadCompanies(cfg)
	if err != nil {
		return err
	}
	text, err := cfg.Masked()
	if err != nil {
		return err
	}
	fmt.Print(text)
	for i, d := range docs {
		fmt.Printf("# %s: company %s, %d extensions: correct\n", cfg.Provision[i], d.Tenant, len(d.Extensions))
	}
	return nil
}

type demoCmd struct {
	Data string `help:"Directory to keep; a temporary one without it." type:"path" placeholder:"DIR"`
	SIP  string `name:"sip" help:"Address for SIP; default 0.0.0.0:5060, or a free port where that is taken." placeholder:"HOST:PORT"`
	HTTP string `name:"http" help:"Address for the API; default 127.0.0.1:8080, or a free port where that is taken." placeholder:"HOST:PORT"`
	Once bool   `help:"End after the call; status 0 only if everything was heard and recorded."`
	Log  string `help:"Log level." enum:"debug,info,warn,error" default:"warn"`
}

// Run shows the main job.
func (d *demoCmd) Run(ctx context.Context) error {
	return demo.Run(ctx, demo.Options{Data: d.Data, SIP: d.SIP, HTTP: d.HTTP, Once: d.Once, Out: os.Stdout,
		Log: logger(config.Log{Level: d.Log})})
}
