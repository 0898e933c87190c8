package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"

	_ "modernc.org/sqlite" // the driver named sqlite

	"vpbx/internal/durable"
	"vpbx/pbx"
)

// The files of a data directory.
const (
	databaseFile = "vpbx.db"
	lockFile     = "vpbx.lock"
)

// readers is how many queries run at once.
const readers = 4

// Options says where a store is and whom it reports to.
type Options struct {
	Dir     string       // data directory; made when it is not there
	Node    string       // name of this node: whose calls and registrations these are
	Beside  bool         // opened by a tool while a server may be running: no lock, the spool is left alone
	Log     *slog.Logger // nil: silent
	Metrics Registerer   // nil: not counted

	// Ready is told of each recording that is whole and has its row, after the
	// commit, on the writer's goroutine: it must not wait. nil: nobody is told.
	Ready func(pbx.Recording)

	// Queued is told of each company for whose CRM an event is queued, likewise.
	Queued func(pbx.TenantID)

	// Boxed is told of each box in which something has changed, likewise, and of what
	// TellBoxes finds.
	Boxed func(pbx.BoxState)

	// Mailing says that there is a mail server: messages are sent to the addresses of
	// their boxes. Mailed is told, likewise, when an e-mail is queued.
	Mailing bool
	Mailed  func()
}

// Store is an open database. Its methods may be called by any goroutine.
type Store struct {
	dir, node string
	log       *slog.Logger
	metrics   *metrics
	lock      *os.File // nil with Options.Beside
	writeDB   *sql.DB  // one connection, owned by writer
	readDB    *sql.DB
	directory atomic.Pointer[pbx.Directory]
	writer    *writer
	journal   *journal
	spool     *Spool    // nil with Options.Beside
	replayer  *replayer // nil with Options.Beside
	ready     func(pbx.Recording)
	queued    func(pbx.TenantID)
	boxed     func(pbx.BoxState)
	mailing   bool
	mailed    func()
	close     func() error
}

// Open opens the database in o.Dir, making or upgrading it, saves the calls
// that are in the spool and loads all companies. ctx bounds the opening only.
func Open(ctx context.Context, o Options) (*Store, error) {
	s := &Store{dir: o.Dir, node: o.Node, log: o.Log, metrics: newMetrics(), ready: o.Ready, queued: o.Queued,
		boxed: o.Boxed, mailing: o.Mailing, mailed: o.Mailed}
	if s.ready == nil {
		s.ready = func(pbx.Recording) {}
	}
	if s.queued == nil {
		s.queued = func(pbx.TenantID) {}
	}
	if s.boxed == nil {
		s.boxed = func(pbx.BoxState) {}
	}
	if s.mailed == nil {
		s.mailed = func() {}
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.close = sync.OnceValue(s.closeAll)
	err := s.metrics.register(o.Metrics)
	if err == nil {
		err = s.open(ctx, o.Beside)
	}
	if err == nil {
		err = s.watchOutbox(o.Metrics)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open store in %s: %w", o.Dir, err), s.Close())
	}
	return s, nil
}

func (s *Store) open(ctx context.Context, beside bool) error {
	if err := makeDir(s.dir); err != nil {
		return err
	}
	if !beside {
		lock, err := lockDir(s.dir)
		if err != nil {
			return err
		}
		s.lock = lock
	}
	file := filepath.Join(s.dir, databaseFile)
	if err := private(file); err != nil {
		return err
	}
	var err error
	if s.writeDB, err = openSQLite(file, false); err != nil {
		return err
	}
	if s.readDB, err = openSQLite(file, true); err != nil {
		return err
	}
	if err := migrate(ctx, s.writeDB); err != nil {
		return err
	}
	companies, err := s.loadCompanies(ctx)
	if err != nil {
		return err
	}
	s.directory.Store(pbx.NewDirectory(companies))
	pending, err := s.OutboxPending(ctx)
	if err != nil {
		return err
	}
	s.metrics.outbox.Set(float64(pending))
	conn, err := s.writeDB.Conn(ctx)
	if err != nil {
		return err
	}
	s.journal = newJournal()
	s.writer = startWriter(conn, s.journal, s.node, s.tell, s.log, s.metrics)
	if err := s.buryDue(ctx); err != nil {
		return err
	}
	if beside {
		return nil
	}
	if s.spool, err = openSpool(s.dir, s.log, s.metrics); err != nil {
		return err
	}
	if err := s.spool.Replay(ctx, s.SaveCall); err != nil {
		s.log.Warn("calls stay in the spool", "err", err)
	}
	s.replayer = startReplayer(s.spool, s.SaveCall, s.log)
	return nil
}

// Close writes what is queued, stops the goroutines and closes the files. It
// may be called more than once.
func (s *Store) Close() error { return s.close() }

func (s *Store) closeAll() error {
	var errs []error
	if s.replayer != nil {
		s.replayer.close()
	}
	if s.writer != nil {
		errs = append(errs, s.writer.close())
	}
	if s.spool != nil {
		errs = append(errs, s.spool.close())
	}
	if s.readDB != nil {
		errs = append(errs, s.readDB.Close())
	}
	if s.writeDB != nil {
		errs = append(errs, s.writeDB.Close())
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close store in %s: %w", s.dir, err)
	}
	return nil
}

// Ping says whether the database answers a query and takes a write.
func (s *Store) Ping(ctx context.Context) error {
	var one int
	if err := s.readDB.QueryRowContext(ctx, `SELECT 1`).Scan(&one); err != nil {
		return unavailable("ask the database", err)
	}
	return s.writer.do(ctx, func(*txn) error { return nil })
}

// lockDir makes sure that one process works on the directory. The lock goes
// with the process, however it ends.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("another process uses it: %w", err), f.Close())
	}
	return f, nil
}

// private makes file, when it is not there, and lets nobody else read it.
// SQLite gives the files it puts beside it the same mode.
func private(file string) error {
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(f.Chmod(0o600), f.Close())
}

// makeDir makes the data directory when it is not there, so that it outlives a loss of power.
func makeDir(dir string) error {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return durable.SyncDir(filepath.Dir(filepath.Clean(dir)))
}

// openSQLite opens file for the one writer or for the readers.
func openSQLite(file string, readOnly bool) (*sql.DB, error) {
	file, err := filepath.Abs(file)
	if err != nil {
		return nil, err
	}
	q := url.Values{"_pragma": {
		"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)",
		"journal_size_limit(67108864)", "trusted_schema(0)",
	}, "_txlock": {"immediate"}, "_dqs": {"0"}}
	if readOnly {
		q.Add("_query_only", "1")
	}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: file, RawQuery: q.Encode()}).String())
	if err != nil {
		return nil, err
	}
	connections := 1
	if readOnly {
		connections = readers
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db, nil
}

// unavailable is the error for a database that did not do what it was asked to.
func unavailable(doing string, err error) error {
	return &pbx.Error{Kind: pbx.Unavailable, Msg: "the database did not answer", Err: fmt.Errorf("%s: %w", doing, err)}
}
