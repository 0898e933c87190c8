package speech

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"vpbx/media/audio"
)

const (
	maxKept = 1 << 30 // bytes on disk
	suffix  = ".wav"
)

// disk keeps what was spoken, each text in a file named by its key. When there is too
// much, what was used longest ago is removed. nil keeps nothing.
type disk struct {
	dir  string
	most int64

	mu    sync.Mutex
	files map[string]kept // by key
	bytes int64
}

type kept struct {
	size int64
	used time.Time
}

// openDisk reads what is there already.
func openDisk(dir string) (*disk, error) {
	if dir == "" {
		return nil, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	d := &disk{dir: dir, most: maxKept, files: make(map[string]kept, len(entries))}
	for _, e := range entries {
		key, ours := strings.CutSuffix(e.Name(), suffix)
		info, err := e.Info()
		if !ours || err != nil || !info.Mode().IsRegular() {
			continue // half a file of a process that was killed, too
		}
		d.files[key] = kept{info.Size(), info.ModTime()}
		d.bytes += info.Size()
	}
	return d, nil
}

func (d *disk) path(key string) string { return filepath.Join(d.dir, key+suffix) }

// read gives what was kept under a key.
func (d *disk) read(key string) (audio.PCM, bool) {
	if d == nil {
		return audio.PCM{}, false
	}
	d.mu.Lock()
	k, ok := d.files[key]
	if ok {
		k.used = time.Now()
		d.files[key] = k
	}
	d.mu.Unlock()
	if !ok {
		return audio.PCM{}, false
	}
	data, err := os.ReadFile(d.path(key))
	if err != nil {
		d.forget(key)
		return audio.PCM{}, false
	}
	pcm, err := audio.ReadSound(data, audio.Limits{Length: maxLength, Whole: true})
	if err != nil {
		d.forget(key)
		return audio.PCM{}, false
	}
	return pcm, true
}

func (d *disk) forget(key string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.bytes -= d.files[key].size
	delete(d.files, key)
}

// write keeps a sound under a key.
func (d *disk) write(key string, pcm audio.PCM) error {
	if d == nil {
		return nil
	}
	data, err := audio.EncodeWAV(pcm)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(d.dir, "new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), d.path(key))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("keep a sound: %w", err), os.Remove(f.Name()))
	}
	return d.add(key, int64(len(data)))
}

// add counts a file and removes the oldest ones when there is too much.
func (d *disk) add(key string, size int64) error {
	d.mu.Lock()
	d.bytes += size - d.files[key].size
	d.files[key] = kept{size, time.Now()}
	var old []string
	if d.bytes > d.most {
		keys := make([]string, 0, len(d.files))
		for k := range d.files {
			keys = append(keys, k)
		}
		slices.SortFunc(keys, func(a, b string) int {
			return cmp.Or(d.files[a].used.Compare(d.files[b].used), strings.Compare(a, b))
		})
		for _, k := range keys {
			if d.bytes <= d.most-d.most/10 {
				break
			}
			d.bytes -= d.files[k].size
			delete(d.files, k)
			old = append(old, k)
		}
	}
	d.mu.Unlock()
	var errs []error
	for _, k := range old {
		if err := os.Remove(d.path(k)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
