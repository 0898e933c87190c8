package recordings

import (
	"context"
	"crypto/md5" // what S3 calls Content-MD5 and ETag
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"vpbx/pbx"
)

const (
	maxUploads  = 4    // at once
	maxRound    = 1000 // files of one round; those behind them wait for the next
	maxFailures = 4    // in a row, after which a round gives up

	firstRetry = time.Second
	lastRetry  = 5 * time.Minute
	lookEvery  = 10 * time.Minute // for files that nobody told of
)

// uploader brings finished recordings from the disk to the S3 storage. What waits is
// what is on the disk: it survives every end of the process, and nothing else is kept
// of it. It has one goroutine and, while there is work, up to maxUploads more.
type uploader struct {
	s    *Store
	b    *bucket
	wake chan struct{} // has room for one
	done chan struct{}

	bad bool // the last round failed; of run

	mu    sync.Mutex         // guards the following
	under map[string]*upload // by file
}

// upload is one under way.
type upload struct {
	cancel context.CancelFunc
	done   chan struct{}
}

// pending is a file that waits.
type pending struct {
	file string
	size int64
}

func newUploader(s *Store, b *bucket) *uploader {
	return &uploader{s: s, b: b, wake: make(chan struct{}, 1), done: make(chan struct{}), under: map[string]*upload{}}
}

// finished tells of a file that can be uploaded.
func (u *uploader) finished(size int64) {
	u.s.metrics.pending.Inc()
	u.s.metrics.pendingBytes.Add(float64(size))
	select {
	case u.wake <- struct{}{}:
	default:
	}
}

// run works until life ends.
func (u *uploader) run(life context.Context) {
	defer close(u.done)
	retry := time.Duration(0)
	for {
		wait, wake := lookEvery, u.wake
		switch sent, more, err := u.round(life); {
		case life.Err() != nil:
			return
		case err != nil:
			retry = min(max(2*retry, firstRetry), lastRetry)
			if wait = retry; sent == 0 {
				wake = nil // what is finished meanwhile waits, too
			}
			u.tell(err, retry)
		default:
			u.tell(nil, 0)
			retry = 0
			if more {
				continue
			}
		}
		timer := time.NewTimer(wait)
		select {
		case <-wake:
		case <-timer.C:
		case <-life.Done():
		}
		timer.Stop()
	}
}

// tell logs that uploads begin to fail, why they still do, and that they work again.
func (u *uploader) tell(err error, retry time.Duration) {
	was := u.bad
	u.bad = err != nil
	switch {
	case err != nil && !was:
		u.s.log.Error("recordings stay on the disk: they cannot be uploaded", "error", err, "retry_in", retry)
	case err != nil:
		u.s.log.Warn("recordings still stay on the disk", "error", err, "retry_in", retry)
	case was:
		u.s.log.Info("recordings are uploaded again")
	}
}

// round uploads what is on the disk, and says how many files it sent. more says that
// there are more than a round takes.
func (u *uploader) round(life context.Context) (sent int, more bool, err error) {
	list, more, err := u.list(life)
	if err != nil || len(list) == 0 {
		return 0, false, err
	}
	var (
		mu     sync.Mutex
		row    int // failures of the storage since the last upload that worked
		last   error
		wg     sync.WaitGroup
		worker = make(chan struct{}, maxUploads)
	)
	for _, p := range list {
		worker <- struct{}{}
		mu.Lock()
		enough := row >= maxFailures
		mu.Unlock()
		if enough || life.Err() != nil {
			break
		}
		wg.Go(func() {
			defer func() { <-worker }()
			err := u.guarded(life, p.file)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				row, sent = 0, sent+1
				return
			}
			if pbx.KindOf(err) == pbx.Unavailable {
				row++
			}
			if last = fmt.Errorf("upload %s: %w", p.file, err); life.Err() == nil {
				u.s.metrics.uploadFailed.Inc()
			}
		})
	}
	wg.Wait()
	u.sweep(life)
	if _, _, err := u.list(life); err != nil {
		last = errors.Join(last, err)
	}
	return sent, more && last == nil, last
}

// list finds the files that wait, the first of them in the order of their names, and
// sets the metrics.
func (u *uploader) list(life context.Context) (list []pending, more bool, err error) {
	var bytes int64
	n := 0
	err = fs.WalkDir(u.s.root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // went meanwhile
		}
		if err := errors.Join(err, life.Err()); err != nil {
			return err
		}
		_, id, ok := parseFile(name)
		if !ok || !d.Type().IsRegular() || u.s.underWay(id) {
			return nil
		}
		i, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		n++
		bytes += i.Size()
		if len(list) < maxRound {
			list = append(list, pending{name, i.Size()})
		} else {
			more = true
		}
		return nil
	})
	if err != nil {
		return nil, false, fmt.Errorf("look for recordings to upload: %w", err)
	}
	u.s.metrics.pending.Set(float64(n))
	u.s.metrics.pendingBytes.Set(float64(bytes))
	return list, more, nil
}

// guarded turns a panic into an error: it must not take the calls along.
func (u *uploader) guarded(life context.Context, file string) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("upload panicked: %v\n%s", p, debug.Stack())
		}
	}()
	return u.one(life, file)
}

// one uploads a file, holds that it is there, and only then removes it here. A file
// that is gone was removed meanwhile.
func (u *uploader) one(life context.Context, file string) error {
	ctx, cancel := context.WithCancel(life)
	defer cancel()
	up := &upload{cancel, make(chan struct{})}
	u.mu.Lock()
	u.under[file] = up
	u.mu.Unlock()
	defer func() {
		u.mu.Lock()
		delete(u.under, file)
		u.mu.Unlock()
		close(up.done)
	}()
	f, err := u.s.root.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	err = u.send(ctx, file, f)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := u.s.root.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	u.s.metrics.uploaded.Inc()
	return nil
}

// send stores a file and verifies what is stored. One that is there already, as
// after a crash before it was removed here, is not sent again.
func (u *uploader) send(ctx context.Context, file string, f *os.File) error {
	size, s, err := sumFile(ctx, f)
	if err != nil {
		return err
	}
	key := u.b.key(file)
	there, err := u.b.stat(ctx, key)
	if err == nil && there.size == size && there.etag == s.md5Hex() {
		return nil
	}
	if err != nil && pbx.KindOf(err) != pbx.NotFound {
		return err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	// io.LimitedReader hides the file: the client must not close it.
	if err := u.b.put(ctx, key, &io.LimitedReader{R: f, N: size}, size, s); err != nil {
		return err
	}
	return u.verify(ctx, file, size, s)
}

// verify holds that the storage has the file: by the MD5 that it tells or, where it
// tells another thing (encrypted objects have other etags), by reading it back.
func (u *uploader) verify(ctx context.Context, file string, size int64, s sums) error {
	o, err := u.b.open(ctx, file)
	if err != nil {
		return err
	}
	if o.info.size != size {
		return fmt.Errorf("the storage has %d bytes of %d", o.info.size, size)
	}
	if o.info.etag == s.md5Hex() {
		return nil
	}
	h := sha256.New()
	_, err = io.Copy(h, o)
	if err = errors.Join(err, o.Close()); err != nil {
		return err
	}
	if hex.EncodeToString(h.Sum(nil)) != s.sha256Hex() {
		return errors.New("the storage has other bytes than were sent")
	}
	return nil
}

// stop ends the upload of a file, if one is under way, and waits for that.
func (u *uploader) stop(file string) {
	u.mu.Lock()
	up := u.under[file]
	u.mu.Unlock()
	if up != nil {
		up.cancel()
		<-up.done
	}
}

// sweep removes directories of days that are over and have no file any more.
func (u *uploader) sweep(life context.Context) {
	today := time.Now().UTC().AddDate(0, 0, -1).Format("2006/01/02")
	var empty []string
	err := fs.WalkDir(u.s.root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || life.Err() != nil {
			return fs.SkipAll
		}
		if _, day, _ := strings.Cut(name, "/"); d.IsDir() && len(day) == len(today) && day < today {
			empty = append(empty, name)
			return fs.SkipDir
		}
		return nil
	})
	if err != nil {
		return
	}
	for _, dir := range empty {
		for ; strings.Contains(dir, "/"); dir = path.Dir(dir) {
			if u.s.root.Remove(dir) != nil { // it has files, or the month has days
				break
			}
		}
	}
}

// sums are those of a file.
type sums struct {
	md5    [md5.Size]byte
	sha256 [sha256.Size]byte
}

func (s sums) md5Hex() string    { return hex.EncodeToString(s.md5[:]) }
func (s sums) md5Base64() string { return base64.StdEncoding.EncodeToString(s.md5[:]) }
func (s sums) sha256Hex() string { return hex.EncodeToString(s.sha256[:]) }

// sumFile reads a file to its end.
func sumFile(ctx context.Context, f io.Reader) (size int64, s sums, err error) {
	m, h := md5.New(), sha256.New()
	size, err = io.CopyBuffer(io.MultiWriter(m, h), onlyReader{ctx, f}, make([]byte, 256<<10))
	if err != nil {
		return 0, s, fmt.Errorf("sum a recording: %w", err)
	}
	m.Sum(s.md5[:0])
	h.Sum(s.sha256[:0])
	return size, s, nil
}
