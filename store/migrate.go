package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"log/slog"
	"strings"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrate brings the tables to what this build expects, and refuses a database
// of a newer one.
func migrate(ctx context.Context, db *sql.DB) error {
	steps, err := readMigrations()
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, nil, goose.WithGoMigrations(steps...),
		goose.WithDisableGlobalRegistry(true), goose.WithSlog(slog.New(slog.DiscardHandler)))
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	have, want, err := p.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("read the version of the tables: %w", err)
	}
	if have > want {
		return fmt.Errorf("the database has tables of version %d, this build knows up to %d: it was written by a newer vpbx", have, want)
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("upgrade the tables: %w", err)
	}
	return nil
}

// readMigrations gives what the files do on the way up, each in one transaction.
// goose would read the files itself, with a buffer of 4 MB for each of their lines;
// SQLite tells statements apart as well.
func readMigrations() (steps []*goose.Migration, err error) {
	files, err := migrations.ReadDir("migrations")
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		version, err := goose.NumericComponent(f.Name())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name(), err)
		}
		text, err := migrations.ReadFile("migrations/" + f.Name())
		if err != nil {
			return nil, err
		}
		up, err := upOf(string(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name(), err)
		}
		steps = append(steps, goose.NewGoMigration(version, &goose.GoFunc{RunTx: func(ctx context.Context, tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, up)
			return err
		}}, nil))
	}
	return steps, nil
}

// upOf gives the part of a migration between its marks Up and Down. Of the marks of
// goose it knows these two.
func upOf(text string) (string, error) {
	const up, down, mark = "-- +goose Up\n", "-- +goose Down\n", "+goose"
	before, rest, begins := strings.Cut(text, up)
	forward, back, ends := strings.Cut(rest, down)
	if !begins || !ends || strings.Contains(before+forward+back, mark) {
		return "", fmt.Errorf("a migration has %q once, then %q once, and no other mark", up, down)
	}
	return forward, nil
}
