package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"vpbx/pbx"
)

// maxJournal bounds the open calls whose latest state is not yet written.
const maxJournal = 1 << 16

// callKey names a call of a company.
type callKey struct {
	tenant pbx.TenantID
	call   pbx.CallID
}

// journal holds the latest trace of the calls that changed since the last
// write.
type journal struct {
	dirty chan struct{} // one slot: there is something to write

	mu      sync.Mutex
	pending map[callKey][]pbx.CallEvent
}

func newJournal() *journal {
	return &journal{dirty: make(chan struct{}, 1), pending: map[callKey][]pbx.CallEvent{}}
}

// put notes the latest trace of a call. It is false when the journal is full.
func (j *journal) put(k callKey, trace []pbx.CallEvent) bool {
	j.mu.Lock()
	_, known := j.pending[k]
	full := !known && len(j.pending) >= maxJournal
	if !full {
		j.pending[k] = trace
	}
	j.mu.Unlock()
	j.wake()
	return !full
}

// wake tells the writer that there is something to write.
func (j *journal) wake() {
	select {
	case j.dirty <- struct{}{}:
	default:
	}
}

// forget drops what is not written of a call that is saved.
func (j *journal) forget(k callKey) {
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.pending, k)
}

// take empties the journal.
func (j *journal) take() map[callKey][]pbx.CallEvent {
	j.mu.Lock()
	defer j.mu.Unlock()
	taken := j.pending
	j.pending = map[callKey][]pbx.CallEvent{}
	return taken
}

// putBack returns what could not be written, unless there is newer.
func (j *journal) putBack(k callKey, trace []pbx.CallEvent) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if _, newer := j.pending[k]; !newer && len(j.pending) < maxJournal {
		j.pending[k] = trace
	}
}

// JournalCall notes how far a call is, so that it gets a record even when the
// process dies. It never waits for the disk: the trace is written within
// journalDelay, the last of several in that time only. The events of trace must
// not be changed afterwards; appending to it is fine. The error is a Limit when
// too many calls wait to be written.
func (s *Store) JournalCall(_ context.Context, t pbx.TenantID, id pbx.CallID, trace []pbx.CallEvent) error {
	if t == "" || id == "" {
		return &pbx.Error{Kind: pbx.Invalid, Msg: "a call without company or id"}
	}
	if !s.journal.put(callKey{t, id}, trace) {
		return &pbx.Error{Kind: pbx.Limit, Msg: "too many open calls wait for the journal"}
	}
	return nil
}

// flushJournal writes what JournalCall noted. What fails waits for the next
// change of any call.
func (w *writer) flushJournal() {
	pending := w.journal.take()
	if len(pending) == 0 {
		return
	}
	var failed error
	for keys := range slices.Chunk(slices.Collect(maps.Keys(pending)), maxBatch) {
		batch := make([]*job, len(keys))
		for i, k := range keys {
			batch[i] = &job{ctx: context.Background(), done: make(chan error, 1), run: w.journalJob(k, pending[k])}
		}
		w.commit(slices.Clone(batch))
		for i, j := range batch {
			if err := <-j.done; err != nil {
				failed = err
				w.journal.putBack(keys[i], pending[keys[i]])
			}
		}
	}
	if (failed != nil) != w.lagging {
		w.lagging = failed != nil
		w.log.Warn("journal of open calls", "written", !w.lagging, "err", failed)
	}
}

// journalJob writes the state of one call, and what the CRM is to be told of it,
// unless the call is saved already.
func (w *writer) journalJob(k callKey, trace []pbx.CallEvent) func(*txn) error {
	return func(tx *txn) error {
		_, body, err := encodeCall(pbx.CDR{ID: k.call}, trace)
		if err != nil {
			return err
		}
		told, err := tx.journaled(k)
		if err != nil {
			return err
		}
		written, err := tx.exec(`INSERT INTO journal (tenant, call, node, updated, trace)
			SELECT $1, $2, $3, $4, $5 WHERE NOT EXISTS (SELECT 1 FROM calls WHERE tenant = $1 AND id = $2)
			ON CONFLICT (tenant, call) DO UPDATE SET node = excluded.node, updated = excluded.updated, trace = excluded.trace`,
			string(k.tenant), string(k.call), w.node, micros(time.Now()), string(body))
		if err != nil || written == 0 {
			return err
		}
		now, err := w.tell(tx, k, trace, nil, told)
		if err != nil || now == told {
			return err
		}
		_, err = tx.exec(`UPDATE journal SET told = $3 WHERE tenant = $1 AND call = $2`, string(k.tenant), string(k.call), now)
		return err
	}
}

// OpenCall is a call that has begun and has no record yet.
type OpenCall struct {
	Tenant  pbx.TenantID
	ID      pbx.CallID
	Trace   []pbx.CallEvent // as last written to the journal
	Updated time.Time
}

// Interrupted lists the open calls of a node. Asked before the node takes its
// first call, these are the calls that the death of a process cut off: they get
// their record by [Store.Record] with pbx.Summarize of their trace. Calls whose
// record waits in the spool are not among them.
func (s *Store) Interrupted(ctx context.Context, node string) ([]OpenCall, error) {
	var spooled map[callKey]bool
	if s.spool != nil {
		var err error
		if spooled, err = s.spool.calls(ctx); err != nil {
			return nil, fmt.Errorf("list interrupted calls: %w", err)
		}
	}
	var open []OpenCall
	err := s.rows(ctx, func(rows *sql.Rows) error {
		var c OpenCall
		var updated int64
		var trace string
		if err := rows.Scan(&c.Tenant, &c.ID, &updated, &trace); err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(trace), &c.Trace); err != nil {
			s.log.Error("trace of an interrupted call is unreadable", "tenant", c.Tenant, "call", c.ID, "err", err)
			return nil
		}
		c.Updated = fromMicros(updated)
		if !spooled[callKey{c.Tenant, c.ID}] {
			open = append(open, c)
		}
		return nil
	}, `SELECT tenant, call, updated, trace FROM journal WHERE node = $1 ORDER BY tenant, call`, node)
	if err != nil {
		return nil, fmt.Errorf("list interrupted calls: %w", err)
	}
	return open, nil
}

// micros is how a time is stored.
func micros(t time.Time) int64 { return t.UnixMicro() }

// fromMicros is the time that was stored as us.
func fromMicros(us int64) time.Time { return time.UnixMicro(us).UTC() }
