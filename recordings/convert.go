package recordings

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"vpbx/pbx"
)

// The formats beside WAV, which is what recordings are kept as.
const (
	Opus = "opus" // in Ogg, RFC 7845
	MP3  = "mp3"  // needs lame or ffmpeg on the machine
)

const (
	defaultMaxCache = 1 << 30
	maxConverting   = 2                // conversions at once: they are work for the processor
	maxWaiting      = 4                // conversions of a company, running or waiting
	maxInput        = 1 << 30          // bytes of WAV: nine hours
	convertTime     = 10 * time.Minute // for one conversion
)

// conversion is one under way. err is to be read when done is closed.
type conversion struct {
	done chan struct{}
	err  error
}

// converter keeps what recordings were converted to: each once, as long as
// there is room.
type converter struct {
	store *Store
	root  *os.Root // of the cache
	room  int64    // bytes
	mp3   *program // nil: there is none
	turn  chan struct{}
	wg    sync.WaitGroup
	life  context.Context
	end   context.CancelFunc

	mu      sync.Mutex // guards the following
	running map[string]*conversion
	waiting map[pbx.TenantID]int
	closed  bool
}

func newConverter(s *Store, o Options) (*converter, error) {
	if err := os.MkdirAll(o.Cache, 0o700); err != nil {
		return nil, fmt.Errorf("make the directory of converted recordings: %w", err)
	}
	root, err := os.OpenRoot(o.Cache)
	if err != nil {
		return nil, fmt.Errorf("open the directory of converted recordings: %w", err)
	}
	c := &converter{store: s, root: root, room: o.MaxCache, mp3: findMP3(o.MP3), turn: make(chan struct{}, maxConverting),
		running: map[string]*conversion{}, waiting: map[pbx.TenantID]int{}}
	if c.room == 0 {
		c.room = defaultMaxCache
	}
	c.life, c.end = context.WithCancel(context.Background())
	return c, nil
}

// close stops what is under way and waits for it.
func (c *converter) close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.end()
	c.wg.Wait()
	return c.root.Close()
}

// OpenAs gives a finished recording in another format, like Open. It is
// converted the first time it is asked for; the end of ctx ends the waiting and
// not the work, so that asking again finds it. The error is Unsupported when the
// machine cannot convert to that format, Limit when too much is asked for at once.
func (s *Store) OpenAs(ctx context.Context, t pbx.TenantID, id pbx.RecordingID, format string) (io.ReadSeekCloser, int64, time.Time, error) {
	c := s.convert
	if c == nil {
		return nil, 0, time.Time{}, unsupported("this installation does not convert recordings; wav works")
	}
	if err := c.able(format); err != nil {
		return nil, 0, time.Time{}, err
	}
	name, err := convertedFile(t, id, format)
	if err != nil {
		return nil, 0, time.Time{}, err
	}
	source, _, _, err := s.Open(t, id) // what has no file any more has no other form either
	if err != nil {
		return nil, 0, time.Time{}, err
	}
	if err := source.Close(); err != nil {
		return nil, 0, time.Time{}, fmt.Errorf("open recording %s: %w", id, err)
	}
	for range 2 { // the second time when others pushed it out of the cache at once
		f, size, at, err := c.open(name)
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return f, size, at, err
		}
		if err := c.wait(ctx, t, id, format, name); err != nil {
			return nil, 0, time.Time{}, err
		}
	}
	f, size, at, err := c.open(name)
	if err != nil {
		return nil, 0, time.Time{}, &pbx.Error{Kind: pbx.Unavailable, Msg: "the converted recording could not be kept", Err: err}
	}
	return f, size, at, nil
}

// able says why there is no way to that format, nil when there is.
func (c *converter) able(format string) error {
	switch {
	case format != Opus && format != MP3:
		return unsupported("it is not one of wav, mp3, opus")
	case format == MP3 && c.mp3 == nil:
		return unsupported("mp3 needs the program lame or ffmpeg on the machine of the PBX, and there is none; wav and opus work")
	}
	return nil
}

func unsupported(text string) error {
	return &pbx.Error{Kind: pbx.Unsupported, Field: "format", Msg: "format: " + text}
}

// convertedFile is the name of a converted recording below the cache.
func convertedFile(t pbx.TenantID, id pbx.RecordingID, format string) (string, error) {
	if _, err := fileOf(t, id); err != nil {
		return "", err
	}
	return path.Join(string(t), string(id)+"."+format), nil
}

// open opens a file of the cache.
func (c *converter) open(name string) (io.ReadSeekCloser, int64, time.Time, error) {
	f, err := c.root.Open(name)
	if err != nil {
		return nil, 0, time.Time{}, fmt.Errorf("open a converted recording: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, time.Time{}, fmt.Errorf("open a converted recording: %w", errors.Join(err, f.Close()))
	}
	return f, info.Size(), info.ModTime(), nil
}

// wait converts a recording, or waits for who does.
func (c *converter) wait(ctx context.Context, t pbx.TenantID, id pbx.RecordingID, format string, name string) error {
	v, err := c.begin(t, id, format, name)
	if err != nil {
		return err
	}
	select {
	case <-v.done:
		return v.err
	case <-ctx.Done():
		return fmt.Errorf("wait for recording %s as %s: %w", id, format, ctx.Err())
	}
}

// begin gives the conversion of that name, which it starts when there is none.
func (c *converter) begin(t pbx.TenantID, id pbx.RecordingID, format string, name string) (*conversion, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if v := c.running[name]; v != nil {
		return v, nil
	}
	if c.closed {
		return nil, &pbx.Error{Kind: pbx.Unavailable, Msg: "the store of recordings is closed"}
	}
	if c.waiting[t] >= maxWaiting {
		return nil, &pbx.Error{Kind: pbx.Limit, Msg: fmt.Sprintf("%d recordings of the company are being converted", maxWaiting)}
	}
	v := &conversion{done: make(chan struct{})}
	c.running[name] = v
	c.waiting[t]++
	c.wg.Go(func() {
		v.err = c.convert(t, id, format, name)
		c.mu.Lock()
		delete(c.running, name)
		if c.waiting[t]--; c.waiting[t] == 0 {
			delete(c.waiting, t)
		}
		c.mu.Unlock()
		close(v.done)
	})
	return v, nil
}

// convert makes one file of the cache.
func (c *converter) convert(t pbx.TenantID, id pbx.RecordingID, format string, name string) (err error) {
	defer func() {
		if p := recover(); p != nil {
			c.store.log.Error("conversion panicked", "tenant", t, "recording", id, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = fmt.Errorf("convert recording %s: panic", id)
		}
	}()
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-c.life.Done():
		return &pbx.Error{Kind: pbx.Unavailable, Msg: "the store of recordings is closed"}
	}
	ctx, cancel := context.WithTimeout(c.life, convertTime)
	defer cancel()
	if err := c.write(ctx, t, id, format, name); err != nil {
		if pbx.KindOf(err) == pbx.Internal {
			err = fmt.Errorf("convert recording %s to %s: %w", id, format, err)
			c.store.log.Error("recording not converted", "tenant", t, "recording", id, "error", err)
		}
		return err
	}
	// One that was removed meanwhile must not live on here.
	source, _, _, err := c.store.Open(t, id)
	if err != nil {
		return errors.Join(err, c.root.Remove(name))
	}
	if err := source.Close(); err != nil {
		return fmt.Errorf("convert recording %s: %w", id, err)
	}
	if err := c.tidy(name); err != nil {
		c.store.log.Error("converted recordings not tidied", "error", err)
	}
	return nil
}

// write converts into a file beside name, which gets its name when it is whole.
func (c *converter) write(ctx context.Context, t pbx.TenantID, id pbx.RecordingID, format string, name string) error {
	source, size, _, err := c.store.Open(t, id)
	if err != nil {
		return err
	}
	defer source.Close() // it was only read
	if size > maxInput {
		return unsupported(fmt.Sprintf("the recording has more than %d MiB; wav works", maxInput>>20))
	}
	if err := c.root.MkdirAll(path.Dir(name), 0o700); err != nil {
		return err
	}
	out, err := c.root.OpenFile(name+partial, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	to := &limitedWriter{out, size + 1<<16}
	if format == Opus {
		err = encodeOpus(ctx, to, source)
	} else {
		err = c.mp3.run(ctx, to, source)
	}
	if err = errors.Join(err, out.Sync(), out.Close()); err == nil {
		err = c.root.Rename(name+partial, name)
	}
	if err != nil {
		return errors.Join(err, c.root.Remove(name+partial))
	}
	return nil
}

// limitedWriter refuses what is more than left bytes: no conversion is larger
// than what it was made from.
type limitedWriter struct {
	w    io.Writer
	left int64
}

func (l *limitedWriter) Write(b []byte) (int, error) {
	if int64(len(b)) > l.left {
		return 0, errors.New("the converted recording is larger than the recording")
	}
	n, err := l.w.Write(b)
	l.left -= int64(n)
	return n, err
}

// remove removes what a recording was converted to.
func (c *converter) remove(t pbx.TenantID, id pbx.RecordingID) error {
	var errs []error
	for _, format := range []string{Opus, MP3} {
		name, err := convertedFile(t, id, format)
		if err != nil {
			return err
		}
		if err := c.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// tidy removes files until there is room again, those first that were made
// first, but not newest. Unfinished ones are of a process that died, unless
// somebody is at work on them.
func (c *converter) tidy(newest string) error {
	type file struct {
		name string
		size int64
		at   time.Time
	}
	var all []file
	var sum int64
	err := fs.WalkDir(c.root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		if whole, is := strings.CutSuffix(name, partial); is {
			if c.isRunning(whole) {
				return nil
			}
			return c.root.Remove(name)
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		sum += info.Size()
		if name != newest {
			all = append(all, file{name, info.Size(), info.ModTime()})
		}
		return nil
	})
	slices.SortFunc(all, func(a, b file) int { return a.at.Compare(b.at) })
	for _, f := range all {
		if sum <= c.room {
			break
		}
		if gone := c.root.Remove(f.name); gone != nil && !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
			continue
		}
		sum -= f.size
	}
	return err
}

func (c *converter) isRunning(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.running[name] != nil
}
