package store

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"sync/atomic"

	"vpbx/internal/durable"
	"vpbx/pbx"
)

// The files of the spool, in the data directory.
const (
	spoolFile = "spool.jsonl" // one record a line
	badFile   = "spool.bad"   // lines that cannot be used, for a person to look at
)

const (
	reserveSize = 1 << 20  // room that the spool always has: some hundred call records
	maxLine     = 16 << 20 // bytes of one record
)

// saveFunc saves a call; [Store.SaveCall] is the one.
type saveFunc func(context.Context, pbx.TenantID, pbx.CDR, []pbx.CallEvent) error

// Spool keeps call records that the database did not take in a synced file,
// until they are replayed. Room for some hundred records is set aside inside the
// file, so that a disk that others have filled up still takes them.
type Spool struct {
	dir     string
	file    *os.File
	left    atomic.Int64 // lines that wait
	log     *slog.Logger
	metrics *metrics

	replaying chan struct{} // one slot, held by whoever replays
	turn      chan struct{} // one slot, held by whoever uses the fields below
	closed    bool
	size      int64 // end of the last line
	done      int64 // end of the last line that was replayed
	torn      bool  // the last line has no end: the process died while writing it
}

// spooled is a line of the spool.
type spooled struct {
	Tenant pbx.TenantID    `json:"tenant"`
	CDR    json.RawMessage `json:"cdr"`
	Trace  json.RawMessage `json:"trace"`
	Ladder []byte          `json:"ladder,omitempty"` // as packLadder makes it
}

// parseLine reads a line of the spool.
func parseLine(line []byte) (t pbx.TenantID, c pbx.CDR, trace []pbx.CallEvent, err error) {
	var r spooled
	if err = json.Unmarshal(line, &r); err == nil {
		err = errors.Join(json.Unmarshal(r.CDR, &c), json.Unmarshal(r.Trace, &trace))
	}
	if err == nil {
		c.Ladder, err = unpackLadder(r.Ladder)
	}
	if err == nil && (r.Tenant == "" || c.ID == "") {
		err = errors.New("no company or no call id")
	}
	return r.Tenant, c, trace, err
}

// openSpool opens the spool in dir.
func openSpool(dir string, log *slog.Logger, m *metrics) (*Spool, error) {
	f, err := os.OpenFile(filepath.Join(dir, spoolFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open spool: %w", err)
	}
	s := &Spool{dir: dir, file: f, log: log, metrics: m,
		replaying: make(chan struct{}, 1), turn: make(chan struct{}, 1)}
	err = s.lines(0, math.MaxInt64, func(line []byte) error {
		if !blank(line) {
			s.left.Add(1)
		}
		s.size += int64(len(line))
		s.torn = line[len(line)-1] != '\n'
		return nil
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read spool: %w", err), f.Close())
	}
	s.reserve()
	s.report()
	if err := durable.SyncDir(dir); err != nil { // else what is synced later may have no name
		return nil, errors.Join(fmt.Errorf("open spool: %w", err), f.Close())
	}
	return s, nil
}

// Len is the number of records that wait.
func (s *Spool) Len() int { return int(s.left.Load()) }

// Append writes a record and syncs it to the disk.
func (s *Spool) Append(ctx context.Context, t pbx.TenantID, c pbx.CDR, trace []pbx.CallEvent) error {
	body, events, err := encodeCall(c, trace)
	if err != nil {
		return fmt.Errorf("spool call %s: %w", c.ID, err)
	}
	packed, err := packLadder(c.Ladder)
	if err != nil {
		return fmt.Errorf("spool call %s: %w", c.ID, err)
	}
	line, err := json.Marshal(spooled{t, body, events, packed})
	if err != nil {
		return fmt.Errorf("spool call %s: %w", c.ID, err)
	}
	if len(line) > maxLine {
		return fmt.Errorf("spool call %s: a record of %d bytes", c.ID, len(line))
	}
	if err := s.take(ctx); err != nil {
		return fmt.Errorf("spool call %s: %w", c.ID, err)
	}
	defer s.give()
	if s.torn {
		line = append([]byte{'\n'}, line...)
	}
	line = append(line, '\n')
	if err := s.write(line); err != nil {
		return fmt.Errorf("spool call %s: %w", c.ID, err)
	}
	s.torn = false
	s.left.Add(1)
	s.report()
	return nil
}

// write adds line to the end of the file or leaves the file as it was.
func (s *Spool) write(line []byte) error {
	_, err := s.file.WriteAt(line, s.size)
	if err == nil {
		err = s.file.Sync()
	}
	if err != nil {
		err = errors.Join(err, s.file.Truncate(s.size))
		s.reserve() // truncating gave the room up
		return err
	}
	s.size += int64(len(line))
	return nil
}

// Replay saves the records that wait, oldest first, and empties the file when
// none is left. It stops at the first that cannot be saved; lines that never
// can be are put aside and counted. Records may be appended meanwhile. A record
// may be given to save again after a crash, so saving must be repeatable.
func (s *Spool) Replay(ctx context.Context, save saveFunc) error {
	select {
	case s.replaying <- struct{}{}:
		defer func() { <-s.replaying }()
	case <-ctx.Done():
		return fmt.Errorf("replay spool: %w", ctx.Err())
	}
	for s.Len() > 0 {
		from, to, err := s.waiting(ctx)
		if err != nil || from == to {
			return err
		}
		done := from
		replayErr := s.lines(from, to, func(line []byte) error {
			if err := s.replay(ctx, line, save); err != nil {
				return err
			}
			done += int64(len(line))
			return nil
		})
		if err := s.advance(done); err != nil || replayErr != nil {
			return fmt.Errorf("replay spool: %w", errors.Join(replayErr, err))
		}
	}
	return nil
}

// replay saves one line. Its error means that the line has to wait.
func (s *Spool) replay(ctx context.Context, line []byte, save saveFunc) error {
	if blank(line) {
		return nil
	}
	t, c, trace, err := parseLine(line)
	if err == nil {
		err = save(ctx, t, c, trace)
		if err != nil && pbx.KindOf(err) != pbx.Invalid {
			return err
		}
	}
	if err != nil {
		if err := s.putAside(line, err); err != nil {
			return fmt.Errorf("put a line aside: %w", err)
		}
	}
	s.left.Add(-1)
	s.report()
	return nil
}

// blank says whether a line is only the end of a torn one.
func blank(line []byte) bool { return len(bytes.TrimSpace(line)) == 0 }

// waiting gives the offsets of what is to be replayed.
func (s *Spool) waiting(ctx context.Context) (from, to int64, err error) {
	if err := s.take(ctx); err != nil {
		return 0, 0, fmt.Errorf("read spool: %w", err)
	}
	defer s.give()
	return s.done, s.size, nil
}

// putAside keeps a line that cannot be used where a person can look at it. When that
// fails, the line waits.
func (s *Spool) putAside(line []byte, why error) error {
	s.metrics.spoolCorrupt.Inc()
	s.log.Error("a line of the spool cannot be used", "file", s.path(badFile), "bytes", len(line), "err", why)
	f, err := os.OpenFile(s.path(badFile), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(bytes.TrimSuffix(line, []byte("\n")), '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return durable.SyncDir(s.dir)
}

// advance notes that everything before done is saved, and empties the file
// when that is all. It does not depend on a context: what is saved is saved.
func (s *Spool) advance(done int64) error {
	if err := s.take(context.Background()); err != nil {
		return err
	}
	defer s.give()
	defer s.report()
	s.done = done
	if s.done < s.size {
		return nil
	}
	if err := s.file.Truncate(0); err != nil {
		return err
	}
	s.size, s.done, s.torn = 0, 0, false
	s.reserve()
	return nil
}

// calls lists the calls that wait.
func (s *Spool) calls(ctx context.Context) (map[callKey]bool, error) {
	from, to, err := s.waiting(ctx)
	if err != nil {
		return nil, err
	}
	waiting := map[callKey]bool{}
	err = s.lines(from, to, func(line []byte) error {
		if t, c, _, err := parseLine(line); err == nil {
			waiting[callKey{t, c.ID}] = true
		}
		return nil
	})
	return waiting, err
}

// lines calls f with each line between the offsets from and to. Every line but
// the last of the file ends with a newline.
func (s *Spool) lines(from, to int64, f func([]byte) error) error {
	r := bufio.NewReader(io.NewSectionReader(s.file, from, to-from))
	for {
		line, err := r.ReadBytes('\n')
		if len(line) > 0 {
			if err := f(line); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// reserve sets room for the file aside. Without it the spool works too, as
// long as the disk has room.
func (s *Spool) reserve() {
	if err := allocate(s.file, reserveSize); err != nil {
		s.log.Warn("no room is set aside for the spool", "err", err)
	}
}

func (s *Spool) path(file string) string { return filepath.Join(s.dir, file) }

// take waits for the turn to use the file.
func (s *Spool) take(ctx context.Context) error {
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	if s.closed {
		<-s.turn
		return errClosed
	}
	return nil
}

// give lets the next one use the file.
func (s *Spool) give() { <-s.turn }

// report sets the gauges. Size is read from the file, so that no turn is needed.
func (s *Spool) report() {
	s.metrics.spoolRecords.Set(float64(s.Len()))
	if info, err := s.file.Stat(); err == nil {
		s.metrics.spoolBytes.Set(float64(info.Size()))
	}
}

// close closes the file. What waits is replayed when it is opened again.
func (s *Spool) close() error {
	if err := s.take(context.Background()); err != nil {
		return nil
	}
	defer s.give()
	s.closed = true
	return s.file.Close()
}
