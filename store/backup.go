package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"vpbx/internal/durable"
)

// Backup writes a copy of the database in data directory dir to the new file
// to, consistent as of one moment. The server may be running. Recordings are
// not part of it.
func Backup(ctx context.Context, dir, to string) error {
	from := filepath.Join(dir, databaseFile)
	if _, err := os.Stat(from); err != nil {
		return fmt.Errorf("back up %s: %w", dir, err)
	}
	db, err := openSQLite(from, false)
	if err != nil {
		return fmt.Errorf("back up %s: %w", dir, err)
	}
	if err := errors.Join(copyDatabase(ctx, db, to), db.Close()); err != nil {
		return fmt.Errorf("back up %s to %s: %w", dir, to, err)
	}
	return nil
}

// copyDatabase writes the database to a new file that only its owner can read,
// and leaves none behind when it fails.
func copyDatabase(ctx context.Context, db *sql.DB, to string) error {
	f, err := os.OpenFile(to, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, `VACUUM INTO $1`, to)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(to))
	}
	return nil
}

// CheckBackup says what is wrong with a file that Backup should have written:
// it is damaged, no vpbx database, or one of a newer vpbx. It does not change
// the file.
func CheckBackup(ctx context.Context, file string) error {
	dir, err := os.MkdirTemp("", "vpbx-check-")
	if err != nil {
		return fmt.Errorf("check backup %s: %w", file, err)
	}
	copied := filepath.Join(dir, databaseFile)
	err = copyFile(file, copied)
	if err == nil {
		err = checkDatabase(ctx, copied)
	}
	if err = errors.Join(err, os.RemoveAll(dir)); err != nil {
		return fmt.Errorf("check backup %s: %w", file, err)
	}
	return nil
}

// Restore puts a backup into data directory dir, in which there must be no
// database, nor the log of one. The server must not be running.
func Restore(ctx context.Context, file, dir string) error {
	if err := restore(ctx, file, dir); err != nil {
		return fmt.Errorf("restore %s to %s: %w", file, dir, err)
	}
	return nil
}

func restore(ctx context.Context, file, dir string) error {
	if err := makeDir(dir); err != nil {
		return err
	}
	lock, err := lockDir(dir)
	if err != nil {
		return err
	}
	defer lock.Close()
	to := filepath.Join(dir, databaseFile)
	// SQLite would put what a log holds into the restored database.
	for _, old := range []string{to, to + "-wal", to + "-shm"} {
		if _, err := os.Stat(old); err == nil {
			return fmt.Errorf("%s is there already; move it away first", old)
		}
	}
	part := to + ".restore"
	if err := copyFile(file, part); err != nil {
		return err
	}
	if err := checkDatabase(ctx, part); err != nil {
		return errors.Join(err, os.Remove(part))
	}
	if err := os.Rename(part, to); err != nil {
		return err
	}
	return durable.SyncDir(dir)
}

// checkDatabase says what is wrong with a database, which it upgrades.
func checkDatabase(ctx context.Context, file string) (err error) {
	db, err := openSQLite(file, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var ours int
	if err := db.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_master WHERE name IN ('goose_db_version', 'company_rows', 'calls')`).Scan(&ours); err != nil {
		return err
	}
	if ours != 3 {
		return errors.New("not a database of vpbx")
	}
	var verdict string
	if err := db.QueryRowContext(ctx, `PRAGMA integrity_check(1)`).Scan(&verdict); err != nil {
		return err
	}
	if verdict != "ok" {
		return fmt.Errorf("damaged: %s", verdict)
	}
	return migrate(ctx, db)
}

// copyFile copies from to the new file to, which only its owner can read.
func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err == nil {
		err = out.Sync()
	}
	if err = errors.Join(err, out.Close()); err != nil {
		return errors.Join(err, os.Remove(to))
	}
	return nil
}
