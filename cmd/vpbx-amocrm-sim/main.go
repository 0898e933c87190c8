package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"vpbx/crm/amocrm/amosim"
)

// flags is the command line.
type flags struct {
	Listen   string `default:"127.0.0.1:8090" help:"Address and port to listen on."`
	Seed     string `type:"existingfile" help:"YAML file with users, pipelines, fields, contacts, companies, customers and leads of the account."`
	Client   string `default:"sim-client" help:"Id of the integration."`
	Secret   string `default:"sim-secret" help:"Secret of the integration."`
	Redirect string `default:"http://127.0.0.1:8080/amocrm/callback" help:"Redirect URI of the integration."`

	Access time.Duration `default:"24h" help:"How long an access token is good."`
	Rate   int           `default:"7" help:"Requests a second before 429."`
}

const description = `Stands in for amoCRM: one account, everything in memory.
GET /oauth is the page where an administrator agrees (here he always does), POST /sim/code gives a code without it,
GET /sim/state tells everything in the account, POST /sim/faults {"path","kind","code","after","delay","times"} has it
misbehave: kind is status, html, slow, drop, huge or broken; without kind it behaves again.`

func main() {
	var f flags
	kong.Parse(&f, kong.Name("vpbx-amocrm-sim"), kong.Description(description))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := f.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "vpbx-amocrm-sim:", err)
		stop()
		os.Exit(1)
	}
}

func (f *flags) run(ctx context.Context) error {
	o := amosim.Options{ClientID: f.Client, ClientSecret: f.Secret, RedirectURI: f.Redirect, AccessLife: f.Access, PerSecond: f.Rate}
	if f.Seed != "" {
		data, err := os.ReadFile(f.Seed)
		if err != nil {
			return err
		}
		if o.Seed, err = amosim.ParseSeed(data); err != nil {
			return err
		}
	}
	sim, err := amosim.New(o)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", f.Listen)
	if err != nil {
		return err
	}
	base := "http://" + listener.Addr().String()
	fmt.Printf("account: %s\nlink it: %s/oauth?client_id=%s&state=test\ncode:    %s\nstate:   %s/sim/state\n", base, base, f.Client, sim.NewCode(), base)
	server := &http.Server{Handler: sim, ReadHeaderTimeout: 5 * time.Second}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
