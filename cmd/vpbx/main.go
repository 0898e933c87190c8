package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

// version is set by the linker from the tag that is built.
var version = "development"

// commands is the command line; each field is one command with its flags.
type commands struct {
	Serve    serveCmd    `cmd:"" help:"Run the engine in the foreground until SIGTERM."`
	Check    checkCmd    `cmd:"" help:"Validate the config and its company files; print the effective config."`
	Demo     demoCmd     `cmd:"" help:"Serve a demo company and place one real call through it."`
	Token    tokenCmd    `cmd:"" help:"Make an API token; it is printed once."`
	Passwd   passwdCmd   `cmd:"" help:"Set an extension's SIP password, read from standard input."`
	Backup   backupCmd   `cmd:"" help:"Copy the database, whole and consistent, while the engine runs."`
	Restore  restoreCmd  `cmd:"" help:"Put a backup in the place of the database; the engine must be stopped."`
	Verify   verifyCmd   `cmd:"" help:"Verify the chain of the recordings and their files; the engine may run."`
	Campaign campaignCmd `cmd:"" help:"Call many people: campaigns, their lists and reports, by the API of a running engine."`
	Version  versionCmd  `cmd:"" help:"Print the version."`
	Help     helpCmd     `cmd:"" help:"List every command."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var c commands
	k, err := kong.New(&c, kong.Name("vpbx"),
		kong.Description("Telephony engine of a virtual PBX."), kong.BindTo(ctx, (*context.Context)(nil)), kong.BindTo(os.Stdout, (*io.Writer)(nil)))
	if err != nil {
		fmt.Fprintln(os.Stderr, "vpbx:", err)
		os.Exit(1)
	}
	cmd, err := k.Parse(os.Args[1:])
	if err != nil {
		fmt.Fprintf(os.Stderr, "vpbx: %v; vpbx help lists every command\n", err)
		os.Exit(1)
	}
	if err := cmd.Run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "vpbx:", err)
		stop()
		os.Exit(1)
	}
}
