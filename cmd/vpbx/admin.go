package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/alecthomas/kong"

	"vpbx/internal/app"
	"vpbx/pbx"
)

type tokenCmd struct {
	withConfig
	Tenant string `help:"Company whose token it is; without it an administrator's." placeholder:"TENANT"`
	Name   string `arg:"" help:"What it is for; shown in lists."`
}

// Run makes a token and prints it, the only time it can be seen.
func (t *tokenCmd) Run(ctx context.Context) error {
	cfg, err := t.load()
	if err != nil {
		return err
	}
	token, err := app.AddToken(ctx, cfg, t.Name, pbx.TenantID(t.Tenant))
	if err != nil {
		return err
	}
	fmt.Println(token)
	return nil
}

type passwdCmd struct {
	withConfig
	Tenant    string `arg:"" help:"Company."`
	Extension string `arg:"" help:"Number of the extension."`
}

// Run sets the password that is read from standard input.
func (p *passwdCmd) Run(ctx context.Context) error {
	cfg, err := p.load()
	if err != nil {
		return err
	}
	line, err := bufio.NewReader(os.Stdin).ReadString('\n')
	if line == "" {
		return fmt.Errorf("no password on standard input: %w", err)
	}
	if err := app.SetPassword(ctx, cfg, pbx.TenantID(p.Tenant), p.Extension, strings.TrimRight(line, "\r\n")); err != nil {
		return err
	}
	fmt.Println("set; a running engine takes it up at SIGHUP")
	return nil
}

type verifyCmd struct {
	withConfig
	Tenant string `arg:"" optional:"" help:"Company; without it all."`
}

// Run prints what is wrong with the recordings, and fails when something is.
func (v *verifyCmd) Run(ctx context.Context) error {
	cfg, err := v.load()
	if err != nil {
		return err
	}
	sound, err := app.Verify(ctx, cfg, pbx.TenantID(v.Tenant), os.Stdout)
	if err == nil && !sound {
		err = errors.New("recordings are not as they were recorded")
	}
	return err
}

type backupCmd struct {
	withConfig
	File string `arg:"" type:"path" help:"File to write; it must not exist."`
}

// Run copies the database while the engine may be running.
func (b *backupCmd) Run(ctx context.Context) error {
	cfg, err := b.load()
	if err != nil {
		return err
	}
	return app.Backup(ctx, cfg, b.File)
}

type restoreCmd struct {
	withConfig
	File string `arg:"" type:"existingfile" help:"A file that vpbx backup has written."`
}

// Run puts a backup in the place of the database.
func (r *restoreCmd) Run(ctx context.Context) error {
	cfg, err := r.load()
	if err != nil {
		return err
	}
	return app.Restore(ctx, cfg, r.File)
}

type versionCmd struct{}

// Run prints the version.
func (versionCmd) Run() error {
	fmt.Println("vpbx", version)
	return nil
}

type helpCmd struct{}

// Run prints the help of the whole program.
func (helpCmd) Run(k *kong.Kong) error {
	c, err := kong.Trace(k, nil)
	if err != nil {
		return err
	}
	return c.PrintUsage(false)
}
