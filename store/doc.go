// Package store keeps what must outlive the process: companies, registrations,
// calls, recordings' metadata, the outbox and API tokens, in SQLite through
// database/sql and hand-written SQL.
//
// # What it is
//
// [Store] is one database file in the data directory, opened by one process at
// a time. Reads go to a pool of connections; all writes go through one
// goroutine, which puts whatever waits into one transaction, so that hundreds
// of calls a second cost a few commits. [Store.Directory] is a snapshot of all
// companies in memory, replaced after the commit that changed one. [Store.Record]
// is how a call is saved: into the database, or, when that fails or takes too
// long, into the [Spool], a synced file beside it that is replayed later. The
// journal keeps the trace of each call that is going on, so that a call cut by
// the death of the process still gets its record.
//
// # What it is not
//
// It has no rules: what makes a company document valid is decided by package
// tenants, what a call record says by pbx.Summarize. It does not keep sound.
//
// # Who owns which goroutine
//
// [Open] starts two: the writer, which alone uses the write connection, and the
// replayer of the spool. [Store.Close] stops both, writes what is queued and
// waits for them.
//
// # Invariants
//
// Every method that touches data of a company takes its TenantID right after
// the context, and every query has it in its WHERE clause. A call is saved at
// most once however often it is replayed; its record, trace, recordings, the last
// of the events for its CRM and the removal of its journal row are one transaction,
// and so are the places of its recordings in the chain of the company. The events
// of a call that goes on are queued with its journal row; each is queued once,
// whatever is written again. What a method has said to be done outlives a loss of power,
// but for registrations and the debug log of CRMs. A company applied
// a second time writes nothing and keeps the Directory. SQL is the common part
// of SQLite and PostgreSQL, with $1 parameters, times as BIGINT microseconds
// UTC and JSON as TEXT. The database file is readable by its owner only.
//
// # Where the tests are
//
// store/storetest has the conformance suite of every engine, isolation of
// companies included; the files here test what is special to SQLite and the
// spool: full and locked databases, torn spool files, restarts, backups.
package store
