package store

import (
	"database/sql"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pressly/goose/v3"
)

// TestMigrationsAsGoose compares the tables of a new database with those that goose makes
// when it reads the files itself, and the versions: an older build finds what it wrote.
func TestMigrationsAsGoose(t *testing.T) {
	tables := func(up func(*sql.DB) error) []string {
		db, err := sql.Open("sqlite", filepath.Join(t.TempDir(), "x.db"))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = db.Close() }()
		if err := up(db); err != nil {
			t.Fatal(err)
		}
		rows, err := db.QueryContext(t.Context(), `SELECT coalesce(sql, name) FROM sqlite_master
			UNION ALL SELECT 'version ' || version_id || ' ' || is_applied FROM goose_db_version ORDER BY 1`)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = rows.Close() }()
		var list []string
		for rows.Next() {
			var s string
			if err := rows.Scan(&s); err != nil {
				t.Fatal(err)
			}
			list = append(list, s)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		return list
	}
	ours := tables(func(db *sql.DB) error { return migrate(t.Context(), db) })
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		t.Fatal(err)
	}
	theirs := tables(func(db *sql.DB) error {
		p, err := goose.NewProvider(goose.DialectSQLite3, db, files, goose.WithDisableGlobalRegistry(true))
		if err == nil {
			_, err = p.Up(t.Context())
		}
		return err
	})
	if d := cmp.Diff(theirs, ours); d != "" || len(ours) < 40 {
		t.Errorf("%d lines; by goose (-), by us (+):\n%s", len(ours), d)
	}
}

func TestUpOf(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"-- why\n\n-- +goose Up\nA;\nB;\n\n-- +goose Down\nC;\n", "A;\nB;\n\n"},
		{"-- +goose Up\n-- +goose Down\n", ""},
		{"A;\n", "error"}, {"", "error"}, {"-- +goose Up\nA;\n", "error"}, {"-- +goose Down\nA;\n-- +goose Up\nB;\n", "error"},
		{"-- +goose NO TRANSACTION\n-- +goose Up\nA;\n-- +goose Down\n", "error"},
		{"-- +goose Up\n-- +goose StatementBegin\nA;\n-- +goose StatementEnd\n-- +goose Down\n", "error"},
		{"-- +goose Up\nA;\n-- +goose Down\nB;\n-- +goose Up\nC;\n", "error"},
	} {
		got, err := upOf(c.text)
		if err != nil {
			got = "error"
		}
		if got != c.want {
			t.Errorf("%q: %q, %v", strings.TrimSpace(c.text), got, err)
		}
	}
}
