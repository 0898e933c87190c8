package api

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"sync"
	"time"

	"vpbx/pbx"
)

// Bounds of uploaded lists.
const (
	maxUpload     = 256 << 20         // bytes of a list
	uploadTime    = time.Hour         // for sending it
	uploadsAtOnce = 4                 // of all companies; each may remember the numbers of a list
	maxForm       = maxUpload + 1<<20 // bytes of a form with a list
)

// uploads counts the lists that are being read. The zero value is ready.
type uploads struct {
	mu  sync.Mutex
	now map[pbx.TenantID]bool
}

// begin takes a place for a list of a company, of which it has one. end gives it back.
func (u *uploads) begin(t pbx.TenantID) (end func(), err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.now[t] || len(u.now) >= uploadsAtOnce {
		return nil, &retryError{&pbx.Error{Kind: pbx.Limit, Msg: "another list is being read: try again when that is done"}, 10 * time.Second}
	}
	if u.now == nil {
		u.now = map[pbx.TenantID]bool{}
	}
	u.now[t] = true
	return func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		delete(u.now, t)
	}, nil
}

// slowly reads a body of which each part may take bodyTime, and all of it uploadTime.
type slowly struct {
	r       io.Reader
	control *http.ResponseController
	until   time.Time
}

func (s *slowly) Read(p []byte) (int, error) {
	next := time.Now().Add(bodyTime)
	if next.After(s.until) {
		next = s.until
	}
	_ = s.control.SetReadDeadline(next) // a connection without deadlines is a test's
	n, err := s.r.Read(p)
	if err != nil {
		// The deadline would end the request while its list is worked on.
		_ = s.control.SetReadDeadline(time.Time{})
	}
	return n, err
}

// sent is a body that is either JSON, which json then reads, or a file.
type sent struct {
	json  bool
	body  io.Reader
	clean func() // removes what was kept on the disk, and gives the place back
}

// list finds out what a body is: JSON, a form with a file, or the file itself. A file has a
// place of places until clean is called; JSON needs none, since a number must get onto the
// stop list while a file is being sent. A workbook is kept on the disk until then, since
// its end is read first.
func (q *request) list(places *uploads) (sent, error) {
	l := sent{clean: func() {}}
	whole := bufio.NewReaderSize(&slowly{http.MaxBytesReader(nil, q.whole, maxForm), q.control, time.Now().Add(uploadTime)}, 64<<10)
	kind, params, err := mime.ParseMediaType(q.bodyType)
	if q.bodyType != "" && err != nil {
		return l, invalid("Content-Type", "it cannot be read")
	}
	l.body = whole
	if kind == "multipart/form-data" {
		if l.body, err = formFile(whole, params["boundary"]); err != nil {
			return l, err
		}
		whole = bufio.NewReaderSize(l.body, 64<<10)
		l.body = whole
	}
	start, err := whole.Peek(512)
	if len(start) == 0 {
		if err != nil && !errors.Is(err, io.EOF) {
			return l, broken(err)
		}
		return l, &pbx.Error{Kind: pbx.Invalid, Msg: "there is no list in the body"}
	}
	switch {
	case kind == "application/json", kind != "text/csv" && bytes.HasPrefix(bytes.TrimLeft(start, " \t\r\n"), []byte("{")):
		l.json = true
		return l, nil
	}
	if l.clean, err = places.begin(q.tenant()); err != nil {
		return l, err
	}
	if bytes.HasPrefix(start, []byte("PK\x03\x04")) {
		return spool(l)
	}
	return l, nil
}

// formFile gives the first file of a form.
func formFile(body io.Reader, boundary string) (io.Reader, error) {
	if boundary == "" {
		return nil, invalid("Content-Type", "a form without a boundary")
	}
	form := multipart.NewReader(body, boundary)
	for {
		part, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			return nil, &pbx.Error{Kind: pbx.Invalid, Msg: "there is no file in the form"}
		}
		if err != nil {
			return nil, broken(err)
		}
		if part.FileName() != "" {
			return part, nil
		}
	}
}

// broken is the error for a body that cannot be read to its end.
func broken(err error) error {
	if large, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return &pbx.Error{Kind: pbx.Limit, Msg: fmt.Sprintf("the list is larger than %d MiB: divide it", large.Limit>>20), Err: err}
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return &pbx.Error{Kind: pbx.Invalid, Msg: "the list did not arrive in time", Err: err}
	}
	return &pbx.Error{Kind: pbx.Invalid, Msg: "the body is broken off or no form", Err: err}
}

// spool writes a list to a file that has no name. Where it fails the place of the list is
// given back.
func spool(l sent) (sent, error) {
	end := l.clean
	file, err := os.CreateTemp("", "vpbx-list-*")
	if err != nil {
		end()
		return l, fmt.Errorf("keep a list: %w", err)
	}
	l.clean = func() {
		_ = file.Close() // it has no name any more
		end()
	}
	if err := os.Remove(file.Name()); err != nil {
		l.clean()
		return l, fmt.Errorf("keep a list: %w", err)
	}
	n, err := io.Copy(file, io.LimitReader(l.body, maxUpload+1))
	switch {
	case err != nil:
		l.clean()
		return l, broken(err)
	case n > maxUpload:
		l.clean()
		return l, &pbx.Error{Kind: pbx.Limit, Msg: fmt.Sprintf("the list is larger than %d MiB: divide it", maxUpload>>20)}
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		l.clean()
		return l, fmt.Errorf("keep a list: %w", err)
	}
	l.body = file
	return l, nil
}
