package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"time"

	"vpbx/pbx"
)

// Bounds of the writer.
const (
	maxBatch     = 100                    // jobs in one transaction
	maxQueued    = 1024                   // jobs waiting
	journalDelay = 200 * time.Millisecond // how far the journal may lag behind
)

// errClosed answers whoever writes to a closed store.
var errClosed = errors.New("the store is closed")

// job is one piece of writing. It shares its transaction with others; done
// gets what came of it after the commit.
type job struct {
	ctx   context.Context // whoever waits for it
	run   func(*txn) error
	lossy bool // a loss of power may take it back after the commit
	done  chan error
}

// writer owns the write connection. One goroutine takes the jobs that wait and
// commits them together: under load a commit serves up to maxBatch callers,
// when idle a job is committed at once. A commit is on the disk, and not only in the
// kernel, before the callers are told, unless all of its jobs are lossy.
type writer struct {
	conn    *sql.Conn
	level   string               // PRAGMA synchronous of conn as it was last set; "": unknown
	stmts   map[string]*sql.Stmt // by SQL text; texts are constants
	jobs    chan *job
	stop    chan struct{}
	gone    chan struct{}
	journal *journal
	node    string
	tell    tellFunc
	lagging bool // the journal could not be written the last time
	log     *slog.Logger
	metrics *metrics
}

// tellFunc is [Store.tell].
type tellFunc func(tx *txn, k callKey, trace []pbx.CallEvent, record *pbx.CDR, told int) (int, error)

func startWriter(conn *sql.Conn, j *journal, node string, tell tellFunc, log *slog.Logger, m *metrics) *writer {
	w := &writer{
		conn: conn, stmts: map[string]*sql.Stmt{}, journal: j, node: node, tell: tell, log: log, metrics: m,
		jobs: make(chan *job, maxQueued), stop: make(chan struct{}), gone: make(chan struct{}),
	}
	go w.loop()
	return w
}

// do runs f in a transaction and returns after the commit, which no loss of power takes
// back. f may be run twice, when a transaction that it shared with others failed. When ctx
// ends first the answer is its error, and f may or may not have been committed.
func (w *writer) do(ctx context.Context, f func(*txn) error) error {
	return w.hand(&job{ctx: ctx, run: f, done: make(chan error, 1)})
}

// doLossy does so for what a loss of power may take back: the death of the process does
// not. It is on the disk with the next commit of do at the latest.
func (w *writer) doLossy(ctx context.Context, f func(*txn) error) error {
	return w.hand(&job{ctx: ctx, run: f, lossy: true, done: make(chan error, 1)})
}

// hand gives a job to the goroutine and waits for what comes of it.
func (w *writer) hand(j *job) error {
	ctx := j.ctx
	select {
	case <-w.stop:
		return unavailable("write", errClosed)
	default:
	}
	select {
	case w.jobs <- j:
	case <-w.gone:
		return unavailable("write", errClosed)
	case <-ctx.Done():
		return unavailable("wait for the writer", ctx.Err())
	}
	select {
	case err := <-j.done:
		return err
	case <-ctx.Done():
		return unavailable("wait for the commit", ctx.Err())
	case <-w.gone:
	}
	select {
	case err := <-j.done: // the writer's last batch
		return err
	default:
		return unavailable("write", errClosed)
	}
}

// close commits what is queued and ends the goroutine. It is called once.
func (w *writer) close() error {
	close(w.stop)
	<-w.gone
	var errs []error
	for _, stmt := range w.stmts {
		errs = append(errs, stmt.Close())
	}
	return errors.Join(append(errs, w.conn.Close())...)
}

func (w *writer) loop() {
	defer close(w.gone)
	var due <-chan time.Time // set while the journal has something to write
	for {
		select {
		case j := <-w.jobs:
			w.commit(w.gather(j))
		case <-w.journal.dirty:
			if due == nil {
				due = time.After(journalDelay)
			}
		case <-due:
			due = nil
			w.flushJournal()
		case <-w.stop:
			w.finish()
			return
		}
	}
}

// finish does what is left when the store is closed.
func (w *writer) finish() {
	for {
		select {
		case j := <-w.jobs:
			w.commit(w.gather(j))
		default:
			w.flushJournal()
			return
		}
	}
}

// gather adds to first what else waits and is still wanted.
func (w *writer) gather(first *job) []*job {
	batch := []*job{first}
	for len(batch) < maxBatch {
		select {
		case j := <-w.jobs:
			batch = append(batch, j)
		default:
			return batch
		}
	}
	return batch
}

// commit runs the batch in one transaction. When that fails each job gets its
// own, so that one bad job fails alone.
func (w *writer) commit(batch []*job) {
	wanted := batch[:0]
	for _, j := range batch {
		if err := j.ctx.Err(); err != nil {
			j.done <- unavailable("wait for the writer", err)
			continue
		}
		wanted = append(wanted, j)
	}
	if len(wanted) == 0 {
		return
	}
	begun, err := w.transact(wanted)
	if err == nil || !begun || len(wanted) == 1 {
		for _, j := range wanted {
			j.done <- err
		}
		return
	}
	for i, j := range wanted {
		begun, err := w.transact(wanted[i : i+1])
		j.done <- err
		if begun {
			continue
		}
		for _, left := range wanted[i+1:] {
			left.done <- err
		}
		return
	}
}

// transact runs the jobs in one transaction. begun is false when it could not
// even begin: the database is locked or gone, and trying again is no use.
func (w *writer) transact(jobs []*job) (begun bool, err error) {
	began := time.Now()
	tx := &txn{w: w}
	if err := w.sync(jobs); err != nil {
		w.metrics.commits.WithLabelValues("failed").Inc()
		return false, unavailable("say what is synced", err)
	}
	if err := w.begin(); err != nil {
		w.metrics.commits.WithLabelValues("failed").Inc()
		return false, unavailable("begin a transaction", err)
	}
	for _, j := range jobs {
		if err = guarded(j.run, tx); err != nil {
			break
		}
	}
	if err == nil {
		if err = w.plain(`COMMIT`); err != nil {
			err = unavailable("commit", err)
		}
	}
	if err != nil {
		w.metrics.commits.WithLabelValues("failed").Inc()
		w.rollback()
		return true, err
	}
	w.metrics.commits.WithLabelValues("ok").Inc()
	w.metrics.commitSeconds.Observe(time.Since(began).Seconds())
	w.metrics.batch.Observe(float64(len(jobs)))
	for _, f := range tx.after {
		f()
	}
	return true, nil
}

// The levels of PRAGMA synchronous. With FULL each commit syncs the log, and so all that
// was committed before; with NORMAL the log is synced when it is copied into the database.
const (
	syncEach  = "FULL"
	syncLater = "NORMAL"
)

// sync says whether the next commit, of these jobs, is synced. It may not be said within a
// transaction, and the statement works when it is prepared, so that it cannot be kept.
func (w *writer) sync(jobs []*job) error {
	level := syncLater
	if slices.ContainsFunc(jobs, func(j *job) bool { return !j.lossy }) {
		level = syncEach
	}
	if level == w.level {
		return nil
	}
	w.level = "" // until it is known
	if _, err := w.conn.ExecContext(context.Background(), `PRAGMA synchronous = `+level); err != nil {
		return err
	}
	w.level = level
	return nil
}

// guarded runs a job; its panic is an error of that job and not the end of the
// process with all its calls.
func guarded(run func(*txn) error, tx *txn) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("write panicked: %v\n%s", p, debug.Stack())
		}
	}()
	return run(tx)
}

// begin takes the write lock at once: a transaction that began as a reader
// could not wait for it later. A transaction that an earlier failure left open
// is closed first.
func (w *writer) begin() error {
	err := w.plain(`BEGIN IMMEDIATE`)
	if err != nil && w.plain(`ROLLBACK`) == nil {
		err = w.plain(`BEGIN IMMEDIATE`)
	}
	return err
}

// rollback undoes the transaction. Some failures, such as a full disk, have
// already done so, and then there is none.
func (w *writer) rollback() {
	if err := w.plain(`ROLLBACK`); err != nil {
		w.log.Debug("nothing to roll back", "err", err)
	}
}

// plain runs one statement. The writer's statements are short and are not cut
// off in the middle, whoever stops waiting for them.
func (w *writer) plain(query string, args ...any) error {
	stmt, err := w.prepare(query)
	if err != nil {
		return err
	}
	_, err = stmt.ExecContext(context.Background(), args...)
	return err
}

// prepare keeps one prepared statement for each text.
func (w *writer) prepare(query string) (*sql.Stmt, error) {
	if stmt := w.stmts[query]; stmt != nil {
		return stmt, nil
	}
	stmt, err := w.conn.PrepareContext(context.Background(), query)
	if err != nil {
		return nil, err
	}
	w.stmts[query] = stmt
	return stmt, nil
}

// txn is the transaction a job runs in. Only the writer's goroutine uses it.
type txn struct {
	w     *writer
	after []func() // what to do once it is committed
}

// exec runs query, whose text must be one of a fixed number, and gives the
// number of rows it changed.
func (t *txn) exec(query string, args ...any) (int64, error) {
	stmt, err := t.w.prepare(query)
	if err != nil {
		return 0, unavailable("prepare", err)
	}
	result, err := stmt.ExecContext(context.Background(), args...)
	if err != nil {
		return 0, unavailable("write", err)
	}
	n, err := result.RowsAffected()
	if err != nil {
		return 0, unavailable("count the rows", err)
	}
	return n, nil
}

// query runs query and calls scan for each row.
func (t *txn) query(scan func(*sql.Rows) error, query string, args ...any) error {
	stmt, err := t.w.prepare(query)
	if err != nil {
		return unavailable("prepare", err)
	}
	rows, err := stmt.QueryContext(context.Background(), args...)
	if err != nil {
		return unavailable("read", err)
	}
	return each(rows, scan)
}

// each calls scan for every row and closes rows.
func each(rows *sql.Rows, scan func(*sql.Rows) error) error {
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return fmt.Errorf("read a row: %w", err)
		}
	}
	if err := rows.Err(); err != nil {
		return unavailable("read rows", err)
	}
	return nil
}

// rows runs query on a reader and calls scan for each row.
func (s *Store) rows(ctx context.Context, scan func(*sql.Rows) error, query string, args ...any) error {
	rows, err := s.readDB.QueryContext(ctx, query, args...)
	if err != nil {
		return unavailable("read", err)
	}
	return each(rows, scan)
}

// mismatch is the error for data that names another company than the caller.
func mismatch(what string) error {
	return &pbx.Error{Kind: pbx.Invalid, Msg: what + " is of another company"}
}
