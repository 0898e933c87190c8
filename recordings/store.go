package recordings

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"sync"
	"time"

	"vpbx/media/audio"
	"vpbx/pbx"
)

const defaultMaxOpen = 5000

// Options configures a Store.
type Options struct {
	Dir     string // made when it does not exist
	Log     *slog.Logger
	Metrics Registerer // nil: not registered
	MaxOpen int        // recordings under way at once, 0: 5000

	Cache    string // directory of converted files, made when needed; "": nothing is converted
	MaxCache int64  // bytes in it, 0: 1 GiB
	MP3      string // lame or ffmpeg; "": the one that is found in PATH

	S3 *S3 // nil: recordings stay on the disk
}

// Store is a directory of recordings, and the S3 storage behind it where there is
// one. Its methods may be called from any
// goroutine.
type Store struct {
	root    *os.Root
	log     *slog.Logger
	metrics metrics
	maxOpen int
	convert *converter // nil: nothing is converted
	beep    []int16
	bucket  *bucket   // nil: there is no S3 storage
	upload  *uploader // nil: nothing is uploaded
	life    context.Context
	end     context.CancelFunc

	mu     sync.Mutex // guards the following
	open   map[pbx.RecordingID]*Recorder
	closed bool
}

// New opens the directory. The Store must be closed.
func New(o Options) (*Store, error) {
	m, err := newMetrics(o.Metrics, o.S3 != nil)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the directory of recordings: %w", err)
	}
	root, err := os.OpenRoot(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("open the directory of recordings: %w", err)
	}
	s := &Store{root: root, log: o.Log, metrics: m, maxOpen: o.MaxOpen, beep: audio.RecordingBeep(rate), open: map[pbx.RecordingID]*Recorder{}}
	if s.maxOpen == 0 {
		s.maxOpen = defaultMaxOpen
	}
	s.life, s.end = context.WithCancel(context.Background())
	if o.S3 != nil {
		if s.bucket, err = openBucket(*o.S3); err != nil {
			s.end()
			return nil, errors.Join(err, root.Close())
		}
	}
	if o.Cache != "" {
		if s.convert, err = newConverter(s, o); err != nil {
			s.end()
			return nil, errors.Join(err, root.Close())
		}
	}
	if o.S3 != nil && o.S3.Upload {
		s.upload = newUploader(s, s.bucket)
		go s.upload.run(s.life)
	}
	return s, nil
}

// Close ends the recordings under way, each as its own Close does, and then the
// Store.
func (s *Store) Close() error {
	s.mu.Lock()
	s.closed = true
	var open []*Recorder
	for _, r := range s.open {
		open = append(open, r)
	}
	s.mu.Unlock()
	var all sync.WaitGroup
	for _, r := range open {
		all.Go(func() { r.Close() })
	}
	all.Wait()
	s.end()
	if s.upload != nil {
		<-s.upload.done
	}
	var err error
	if s.convert != nil {
		err = s.convert.close()
	}
	if s.bucket != nil {
		s.bucket.close()
	}
	return errors.Join(err, s.root.Close())
}

// Start begins a recording of a call at that time, which is now. The error is a
// [pbx.Error] of kind Limit when too many are under way.
func (s *Store) Start(t pbx.TenantID, call pbx.CallID, at time.Time) (*Recorder, error) {
	r, err := s.start(t, call, at)
	if err != nil {
		s.metrics.failed.Inc()
		return nil, fmt.Errorf("start recording: %w", err)
	}
	return r, nil
}

func (s *Store) start(t pbx.TenantID, call pbx.CallID, at time.Time) (*Recorder, error) {
	id, name, err := newFile(t, at)
	if err != nil {
		return nil, err
	}
	r := &Recorder{
		store: s,
		info:  pbx.Recording{ID: id, Tenant: t, Call: call},
		name:  name,
		start: at,
		stop:  make(chan struct{}),
		done:  make(chan struct{}),
		queue: newQueue(),
		spare: newQueue(),
	}
	// Known before the file exists: Repair must not take it for a dead one.
	if err := s.admit(r); err != nil {
		return nil, err
	}
	if err := s.create(r); err != nil {
		s.forget(r)
		close(r.done) // for a Close of the store that saw it
		return nil, err
	}
	go r.run()
	return r, nil
}

// admit notes a recording as under way, if one more is allowed.
func (s *Store) admit(r *Recorder) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return &pbx.Error{Kind: pbx.Unavailable, Msg: "the store of recordings is closed"}
	}
	if len(s.open) >= s.maxOpen {
		return &pbx.Error{Kind: pbx.Limit, Msg: fmt.Sprintf("%d recordings are under way", s.maxOpen)}
	}
	s.open[r.info.ID] = r
	return nil
}

func (s *Store) forget(r *Recorder) {
	s.mu.Lock()
	delete(s.open, r.info.ID)
	s.mu.Unlock()
}

// finished forgets a recording that is over; its file can be uploaded from now on.
func (s *Store) finished(r *Recorder) {
	s.forget(r)
	if s.upload != nil {
		s.upload.finished(headerSize + r.wav.Frames()*frameSize)
	}
}

// create makes the file of a recording, with a header.
func (s *Store) create(r *Recorder) error {
	if err := s.root.MkdirAll(path.Dir(r.name), 0o700); err != nil {
		return err
	}
	f, err := s.root.OpenFile(r.name+partial, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	w, err := audio.NewWAVWriter(f, 2, rate)
	if err != nil {
		return errors.Join(err, f.Close(), s.root.Remove(r.name+partial))
	}
	r.file, r.wav = f, w
	return nil
}

// Open gives the file of a finished recording of that tenant, its size and when
// it was last written. The error is a [pbx.Error] of kind NotFound when there is
// none, or when it is another tenant's. A file in the S3 storage is read from there,
// as far as it is asked for; Unavailable says that the storage does not answer.
func (s *Store) Open(t pbx.TenantID, id pbx.RecordingID) (io.ReadSeekCloser, int64, time.Time, error) {
	f, err := s.openFile(t, id)
	if pbx.KindOf(err) == pbx.NotFound && s.bucket != nil {
		return s.openObject(t, id)
	}
	if err != nil {
		return nil, 0, time.Time{}, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, time.Time{}, fmt.Errorf("open recording %s: %w", id, errors.Join(err, f.Close()))
	}
	if !info.Mode().IsRegular() {
		return nil, 0, time.Time{}, fmt.Errorf("open recording %s: not a file: %w", id, errors.Join(fs.ErrInvalid, f.Close()))
	}
	return f, info.Size(), info.ModTime(), nil
}

func (s *Store) openObject(t pbx.TenantID, id pbx.RecordingID) (io.ReadSeekCloser, int64, time.Time, error) {
	name, err := fileOf(t, id)
	if err != nil {
		return nil, 0, time.Time{}, err
	}
	o, err := s.bucket.open(s.life, name)
	if err != nil {
		return nil, 0, time.Time{}, fmt.Errorf("open recording %s: %w", id, err)
	}
	return o, o.info.size, o.info.at, nil
}

func (s *Store) openFile(t pbx.TenantID, id pbx.RecordingID) (*os.File, error) {
	name, err := fileOf(t, id)
	if err != nil {
		return nil, err
	}
	f, err := s.root.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &pbx.Error{Kind: pbx.NotFound, Msg: "there is no such recording", Err: err}
	}
	if err != nil {
		return nil, fmt.Errorf("open recording %s: %w", id, err)
	}
	return f, nil
}
