package recordings

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"vpbx/media/audio"
	"vpbx/pbx"
)

// interrupted is the Error of a recording whose process died.
const interrupted = "the recording was interrupted"

// Repair finishes the files of recordings that a dead process left open, and
// says what is in them; their Error says that they were interrupted. Recordings
// under way are left alone. A file that cannot be repaired is logged, named
// with its error, and tried again next time; the error of Repair itself means
// that the directory could not be read, or that ctx ended.
func (s *Store) Repair(ctx context.Context) ([]pbx.Recording, error) {
	var found []pbx.Recording
	err := fs.WalkDir(s.root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		t, id, ok := parsePart(name)
		if !ok || !d.Type().IsRegular() || s.underWay(id) {
			return nil
		}
		r := pbx.Recording{ID: id, Tenant: t, Error: interrupted}
		frames, err := s.repair(t, id)
		if err != nil {
			s.log.Error("recording not repaired", "tenant", t, "recording", id, "error", err)
			r.Error += " and could not be repaired"
		}
		if frames > 0 {
			r.Seconds, r.Bytes = seconds(frames), headerSize+frames*frameSize
		}
		if err == nil {
			if r.SHA256, _, err = s.Sum(ctx, t, id); err != nil {
				s.log.Warn("recording repaired and not summed", "tenant", t, "recording", id, "error", err)
			}
		}
		if s.upload != nil && err == nil {
			s.upload.finished(r.Bytes)
		}
		s.metrics.failed.Inc()
		found = append(found, r)
		return nil
	})
	if err != nil {
		return found, fmt.Errorf("look for interrupted recordings: %w", err)
	}
	return found, nil
}

// repair finishes one file and gives its length. A file without a whole header
// holds no sound and is removed.
func (s *Store) repair(t pbx.TenantID, id pbx.RecordingID) (frames int64, err error) {
	name, err := fileOf(t, id)
	if err != nil {
		return 0, err
	}
	f, err := s.root.OpenFile(name+partial, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	frames, err = audio.RepairWAV(f)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); errors.Is(err, audio.ErrNotWAV) {
		return 0, errors.Join(err, s.root.Remove(name+partial))
	}
	if err != nil {
		return 0, err
	}
	return frames, s.root.Rename(name+partial, name)
}

func (s *Store) underWay(id pbx.RecordingID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open[id] != nil
}
