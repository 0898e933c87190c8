package recordings

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"vpbx/internal/durable"
	"vpbx/media/audio"
	"vpbx/pbx"
)

const (
	writeEvery = 200 * time.Millisecond
	flushEvery = 10 * time.Second // how much of the sound a loss of power costs
	syncEvery  = time.Second      // how old the sizes in the header may be
	closeIn    = 5 * time.Second  // the longest Close waits for the disk
)

// Recorder is one recording under way.
type Recorder struct {
	store *Store
	info  pbx.Recording // ID, Tenant and Call
	name  string        // of the finished file
	start time.Time
	stop  chan struct{} // closed by Close
	once  sync.Once
	done  chan struct{} // closed when the file is finished
	whole pbx.Recording // what came of it; to be read when done is closed

	mu      sync.Mutex // guards the following
	queue   queue
	tracks  uint32 // that were given out
	lost    uint64
	deaf    bool      // nothing more is recorded: it is closed, or the disk failed
	foreign bool      // a packet was of a codec we cannot decode
	end     time.Time // when it was closed
	pauses  []span
	tones   []tone   // for the writer
	hearing *hearing // nil: nobody wants to know

	// What the writer owns.
	file    *os.File
	wav     *audio.WAVWriter
	named   bool   // its name is on the disk
	sum     string // of the finished file
	line    timeline
	spare   queue
	voices  [extra + 1]*Track // that spoke last, by side
	listens bool              // there is a hearing
	room    [maxPCM]int16
	frames  [frameSize * maxPCM]byte
}

// ID names the recording.
func (r *Recorder) ID() pbx.RecordingID { return r.info.ID }

// Side gives a track of a party: 0 is left, 1 is right. Any other number is taken
// modulo two. Each session needs one of its own; the one that speaks last has the
// side.
func (r *Recorder) Side(n int) *Track { return r.track(n & 1) }

// Extra gives a track of a third voice that both parties hear, such as a
// supervisor who barges in: it is mixed into both sides. Each session needs one
// of its own, and one at a time may speak.
func (r *Recorder) Extra() *Track { return r.track(extra) }

func (r *Recorder) track(side int) *Track {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tracks++
	return &Track{r: r, side: side, number: r.tracks}
}

// Close ends the recording now and says what came of it. It waits for the disk,
// 5 s at most, after which the file is finished behind its back. It may be
// called more than once.
func (r *Recorder) Close() pbx.Recording {
	r.once.Do(func() {
		r.mu.Lock()
		r.deaf, r.end = true, time.Now()
		r.mu.Unlock()
		close(r.stop)
	})
	limit := time.NewTimer(closeIn)
	defer limit.Stop()
	select {
	case <-r.done:
		return r.whole
	case <-limit.C:
		late := r.info
		late.Seconds = seconds(samplesIn(r.end.Sub(r.start)))
		late.Error = "the disk did not take the recording in time"
		return late
	}
}

// run is the whole life of the writer.
func (r *Recorder) run() {
	defer close(r.done)
	defer r.store.finished(r)
	err := r.guarded(r.write)
	r.mu.Lock()
	r.deaf = true
	r.mu.Unlock()
	<-r.stop // a failed recording is part of its call until that ends
	err = errors.Join(err, r.guarded(r.finish))
	r.whole = r.result(err)
}

// guarded turns a panic of f into an error: it must not take the process along.
func (r *Recorder) guarded(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("recorder panicked: %v\n%s", p, debug.Stack())
		}
	}()
	return f()
}

// write moves sound from the queue to the file until Close, or until the disk
// fails.
func (r *Recorder) write() error {
	tick := time.NewTicker(writeEvery)
	defer tick.Stop()
	synced, flushed := r.start, r.start
	for {
		select {
		case <-r.stop:
			return r.drain(r.end, 0)
		case <-tick.C:
		}
		now := time.Now()
		if err := r.drain(now, hold); err != nil {
			return err
		}
		// With a tick to spare, as ticks may come late.
		if now.Sub(synced) >= syncEvery-writeEvery {
			if err := r.wav.Sync(); err != nil {
				return err
			}
			synced = now
		}
		if now.Sub(flushed) >= flushEvery-writeEvery {
			if err := r.flush(); err != nil {
				return err
			}
			flushed = now
		}
	}
}

// flush makes sure that what is in the file is on the disk, and can be found there.
func (r *Recorder) flush() error {
	if err := r.file.Sync(); err != nil || r.named {
		return err
	}
	if err := durable.SyncParents(r.store.root, r.name); err != nil {
		return err
	}
	r.named = true
	return nil
}

// drain places what is in the queue and writes everything that is older than
// keep samples at that time. It moves along with the arrival of the packets,
// so that a queue that had to wait for a slow disk does not come too late.
func (r *Recorder) drain(now time.Time, keep int64) error {
	r.mu.Lock()
	r.queue, r.spare = r.spare, r.queue
	r.line.pauses = append(r.line.pauses[:0], r.pauses...)
	r.line.tones = append(r.line.tones, r.tones...)
	r.tones = r.tones[:0]
	r.listens = r.hearing != nil
	r.mu.Unlock()
	defer r.spare.reset()
	bytes := r.spare.bytes
	for _, p := range r.spare.packets {
		if due := samplesIn(p.at.Sub(r.start)) - hold; due-r.line.written > behind {
			if err := r.hear(p.at); err != nil {
				return err
			}
			if err := r.line.advance(due, r.emit); err != nil {
				return err
			}
		}
		if t := r.voices[p.side]; t != nil && t != p.track {
			if err := t.rest(); err != nil {
				return err
			}
		}
		r.voices[p.side] = p.track
		if err := p.track.take(p, bytes[:p.size]); err != nil {
			return err
		}
		bytes = bytes[p.size:]
	}
	if err := r.hear(now); err != nil {
		return err
	}
	if keep == 0 { // nothing more comes
		if err := r.rest(); err != nil {
			return err
		}
	}
	return r.line.advance(samplesIn(now.Sub(r.start))-keep, r.emit)
}

// hear places what has waited long enough at that time.
func (r *Recorder) hear(at time.Time) error {
	for _, t := range r.voices {
		if t == nil {
			continue
		}
		if err := t.hear(at); err != nil {
			return err
		}
	}
	return nil
}

// rest places all that still waits.
func (r *Recorder) rest() error {
	for _, t := range r.voices {
		if t == nil {
			continue
		}
		if err := t.rest(); err != nil {
			return err
		}
	}
	return nil
}

// finish makes the file what its name says. Also after a failure it tries
// everything, to keep what is there; what it cannot rename is found by Repair.
func (r *Recorder) finish() error {
	err := errors.Join(
		r.wav.Close(),
		r.file.Truncate(headerSize+r.wav.Frames()*frameSize), // a failed write may have left a part of a frame
		r.flush(),
		r.file.Close(),
	)
	if renamed := r.store.root.Rename(r.name+partial, r.name); renamed != nil {
		return errors.Join(err, fmt.Errorf("rename: %w", renamed))
	}
	// After a failure, too: what is there is what will be verified.
	sum, _, summed := r.store.Sum(context.Background(), r.info.Tenant, r.info.ID)
	r.sum = sum
	return errors.Join(err, summed)
}

// result says what came of the recording, counts it and logs what went wrong.
func (r *Recorder) result(err error) pbx.Recording {
	r.mu.Lock()
	lost, foreign := r.lost, r.foreign
	pauses := r.said(r.wav.Frames())
	r.mu.Unlock()
	rec := r.info
	rec.Pauses = pauses
	rec.Seconds = seconds(r.wav.Frames())
	rec.Bytes = headerSize + r.wav.Frames()*frameSize
	rec.Lost, rec.SHA256 = lost, r.sum
	switch {
	case err != nil:
		rec.Error = words(err)
		r.store.log.Error("recording failed", "tenant", rec.Tenant, "call", rec.Call, "recording", rec.ID, "error", err)
	case foreign:
		rec.Error = "a side used a codec that cannot be recorded"
	}
	switch {
	case rec.Error != "":
		r.store.metrics.failed.Inc()
	case lost > 0:
		r.store.metrics.lost.Inc()
	default:
		r.store.metrics.ok.Inc()
	}
	return rec
}

const (
	headerSize = 44 // of the WAV files we write
	frameSize  = 4  // one sample of both sides
)

func seconds(frames int64) float64 { return float64(frames) / rate }

// words says what went wrong to somebody who does not read logs.
func words(err error) string {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "the disk is full"
	case errors.Is(err, syscall.EFBIG), errors.Is(err, audio.ErrTooLong):
		return "the recording became too long for a file"
	case errors.Is(err, fs.ErrNotExist):
		return "the file of the recording was removed"
	}
	return "the recording could not be written"
}
