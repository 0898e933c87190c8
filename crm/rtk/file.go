package rtk

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strconv"

	"vpbx/pbx"
)

// file is the file of a history on its way to a CRM. Whoever has it closes it.
type file struct {
	*os.File
	size   int64
	name   string
	format string
}

var formats = map[string]struct{ ending, media string }{
	pbx.HistoryZIP:  {".zip", "application/zip"},
	pbx.HistoryGZIP: {".csv.gz", "application/gzip"},
}

// open opens the file of a history; NotFound when it is gone.
func (e *exporter) open(h *pbx.History) (*file, error) {
	f, err := e.root.Open(fileOf(h))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &pbx.Error{Kind: pbx.NotFound, Msg: "the file is gone", Err: err}
	}
	if err != nil {
		return nil, fmt.Errorf("open a history: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("open a history: %w", errors.Join(err, f.Close()))
	}
	return &file{f, info.Size(), "history_" + h.ID + formats[h.Format].ending, h.Format}, nil
}

// sign gives the signature of the file and goes back to its begin.
func (f *file) sign(c *pbx.CRM) (string, error) {
	h := sha256.New()
	io.WriteString(h, c.ClientID) // a hash never fails to write
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	io.WriteString(h, c.SignKey)
	_, err := f.Seek(0, io.SeekStart)
	return hex.EncodeToString(h.Sum(nil)), err
}

// sendFile writes a file, signed.
func (s *Server) sendFile(w http.ResponseWriter, company *pbx.Company, f *file) {
	defer f.Close()
	sign, err := f.sign(&company.CRM)
	if err != nil {
		s.Log.Error("integration: history not read", "tenant", company.ID, "error", err)
		s.send(w, company, failure(err))
		return
	}
	h := w.Header()
	h.Set("Content-Type", formats[f.format].media)
	h.Set("Content-Length", strconv.FormatInt(f.size, 10))
	h.Set("Content-Disposition", `attachment; filename="`+f.name+`"`)
	h.Set(HeaderID, company.CRM.ClientID)
	h.Set(HeaderSign, sign)
	if _, err := io.Copy(w, f); err != nil {
		return // a CRM that has gone reads no file either
	}
}
