package rtk

import (
	"archive/zip"
	"compress/gzip"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"vpbx/internal/durable"
	"vpbx/pbx"
)

// How histories are made.
const (
	historyPage  = 500       // records that are read at once
	maxRows      = 1_000_000 // of a file
	historyKept  = 7 * 24 * time.Hour
	historyRetry = 30 * time.Second // when the store does not answer
	historyPause = 2 * time.Second  // before it is made: a CRM that is told has the id of its order by then
	historySweep = time.Hour
)

// columns are the head of a history (table A.3.14).
var columns = []string{"session_id", "call_type", "direction", "state", "orig_number", "orig_pin", "dest_number", "answering_sipuri",
	"answering_pin", "start_call_date", "duration", "is_voicemail", "is_record", "is_fax", "status_code", "status_string"}

// exporter makes the files of histories, one after the other.
type exporter struct {
	o    *ServerOptions
	root *os.Root
	wake chan struct{} // one slot: something was ordered
	stop context.CancelFunc
	gone chan struct{}
}

func newExporter(o *ServerOptions) (*exporter, error) {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the directory of histories: %w", err)
	}
	root, err := os.OpenRoot(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("open the directory of histories: %w", err)
	}
	return &exporter{o: o, root: root, wake: make(chan struct{}, 1), gone: make(chan struct{})}, nil
}

func (e *exporter) start() {
	ctx, cancel := context.WithCancel(context.Background())
	e.stop = cancel
	go e.loop(ctx)
}

// close stops the goroutine and waits for it.
func (e *exporter) close() error {
	if e.stop != nil {
		e.stop()
		<-e.gone
	}
	return e.root.Close()
}

// poke says that something was ordered.
func (e *exporter) poke() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

func (e *exporter) loop(ctx context.Context) {
	defer close(e.gone)
	sweep := time.NewTicker(historySweep)
	defer sweep.Stop()
	e.sweep(ctx)
	for {
		var again <-chan time.Time
		if err := e.makeAll(ctx); err != nil {
			if ctx.Err() != nil {
				return
			}
			e.o.Log.Warn("integration: histories wait", "error", err)
			again = time.After(historyRetry)
		}
		select {
		case <-ctx.Done():
			return
		case <-e.wake:
		case <-again:
		case <-sweep.C:
			e.sweep(ctx)
		}
	}
}

// makeAll makes what is ordered until nothing waits. The error says that the store
// does not answer, or that we are being stopped; what waits is tried again.
func (e *exporter) makeAll(ctx context.Context) error {
	for {
		h, err := e.o.Histories.NextHistory(ctx)
		if pbx.KindOf(err) == pbx.NotFound {
			return nil
		}
		if err != nil {
			return err
		}
		if err := pause(ctx, min(time.Until(h.Ordered.Add(historyPause)), historyPause)); err != nil {
			return err
		}
		if err := e.make(ctx, &h); err != nil {
			if ctx.Err() != nil || pbx.KindOf(err) == pbx.Unavailable {
				return err
			}
			e.o.Log.Error("integration: history not made", "tenant", h.Tenant, "order", h.ID, "error", err)
			h.State, h.Error = pbx.HistoryFailed, "an error inside the PBX"
			if msg, ok := errors.AsType[*pbx.Error](err); ok {
				h.Error = msg.Msg
			}
		}
		if err := e.o.Histories.FinishHistory(ctx, h.Tenant, h); err != nil {
			return err
		}
	}
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(max(d, 0))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// fileOf is the name of the file of a history. Its parts are checked or made by us.
func fileOf(h *pbx.History) string { return path.Join(string(h.Tenant), h.ID) }

// make makes the file of a history. It gets its name when it is whole.
func (e *exporter) make(ctx context.Context, h *pbx.History) error {
	company := e.o.Directory().Company(h.Tenant)
	if company == nil {
		return &pbx.Error{Kind: pbx.Gone, Msg: "the company was removed"}
	}
	h.Format = company.CRM.RTK.Format()
	name := fileOf(h)
	if err := e.root.MkdirAll(path.Dir(name), 0o700); err != nil {
		return err
	}
	f, err := e.root.OpenFile(name+".part", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	err = e.write(ctx, f, company, h)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, e.root.Remove(name+".part"))
	}
	if err := e.root.Rename(name+".part", name); err != nil {
		return err
	}
	if err := durable.SyncParents(e.root, name); err != nil {
		return err
	}
	h.State = pbx.HistoryReady
	return nil
}

// write writes the file in the form that the company wants.
func (e *exporter) write(ctx context.Context, to io.Writer, company *pbx.Company, h *pbx.History) error {
	if h.Format == pbx.HistoryGZIP {
		z := gzip.NewWriter(to)
		return errors.Join(e.rows(ctx, z, ',', company, h), z.Close())
	}
	z := zip.NewWriter(to)
	entry, err := z.CreateHeader(&zip.FileHeader{Name: "history_" + h.ID + ".csv", Method: zip.Deflate, Modified: time.Now().In(moscow)})
	if err != nil {
		return err
	}
	return errors.Join(e.rows(ctx, entry, ';', company, h), z.Close())
}

// rows writes the calls, newest first, below a line of their names.
func (e *exporter) rows(ctx context.Context, to io.Writer, comma rune, company *pbx.Company, h *pbx.History) error {
	w := csv.NewWriter(to)
	w.Comma, w.UseCRLF = comma, true
	if err := w.Write(columns); err != nil {
		return err
	}
	h.Rows = 0
	q := pbx.CallQuery{Since: h.Since, Until: h.Until, Number: h.Number, Limit: historyPage}
	err := eachCall(ctx, e.o.Records, h.Tenant, q, func(c *pbx.CDR) error {
		i := infoOf(company.Domain, c)
		if h.Direction != "" && i.Direction != directions[h.Direction] || h.Answered != nil && *h.Answered != (i.State == stateAnswered) {
			return nil
		}
		if h.Rows++; h.Rows > maxRows {
			return &pbx.Error{Kind: pbx.Limit, Msg: fmt.Sprintf("the period has more than %d calls", maxRows)}
		}
		return w.Write(i.row(c.ID))
	})
	w.Flush()
	return errors.Join(err, w.Error())
}

// eachCall reads the records that a query selects, newest first.
func eachCall(ctx context.Context, from Records, t pbx.TenantID, q pbx.CallQuery, do func(*pbx.CDR) error) error {
	for {
		page, next, err := from.Calls(ctx, t, q)
		if err != nil {
			return fmt.Errorf("read calls: %w", err)
		}
		for i := range page {
			if err := do(&page[i]); err != nil {
				return err
			}
		}
		if next == "" {
			return nil
		}
		q.Cursor = next
	}
}

// row is a call as a line of a history.
func (i *info) row(id pbx.CallID) []string {
	row := []string{string(id), strconv.Itoa(i.Type), strconv.Itoa(i.Direction), strconv.Itoa(i.State), i.From, orEmpty(i.FromPIN), i.To,
		orEmpty(i.AnsweringURI), orEmpty(i.AnsweringPIN), i.Start, strconv.Itoa(i.Duration), strconv.FormatBool(i.Voicemail),
		strconv.FormatBool(i.Record), strconv.FormatBool(i.Fax), i.StatusCode, i.StatusText}
	for n := range row {
		row[n] = harmless(row[n])
	}
	return row
}

func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// harmless keeps a table program from taking a text for a formula.
func harmless(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r\n", rune(s[0])) {
		return "'" + s
	}
	return s
}

// sweep removes what is kept no longer, and what is of companies that were removed.
func (e *exporter) sweep(ctx context.Context) {
	old := time.Now().Add(-historyKept)
	if err := e.o.Histories.ForgetHistories(ctx, old); err != nil && ctx.Err() == nil {
		e.o.Log.Warn("integration: old histories not forgotten", "error", err)
	}
	err := fs.WalkDir(e.root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		of := path.Dir(name)
		removed := of != "." && e.o.Directory().Company(pbx.TenantID(of)) == nil
		if !removed && !info.ModTime().Before(old) {
			return nil
		}
		return e.root.Remove(name)
	})
	if err != nil {
		e.o.Log.Warn("integration: old histories not removed", "error", err)
	}
}
