package recordings

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"vpbx/pbx"
)

// Sum gives the SHA-256, in hex, and the size of the file of a finished
// recording. The error is a [pbx.Error] of kind NotFound when there is none.
func (s *Store) Sum(ctx context.Context, t pbx.TenantID, id pbx.RecordingID) (sum string, size int64, err error) {
	f, _, _, err := s.Open(t, id)
	if err != nil {
		return "", 0, err
	}
	h := sha256.New()
	size, err = io.CopyBuffer(h, onlyReader{ctx, f}, make([]byte, 256<<10))
	if err = errors.Join(err, f.Close()); err != nil {
		return "", 0, fmt.Errorf("sum recording %s: %w", id, err)
	}
	return hex.EncodeToString(h.Sum(nil)), size, nil
}

// onlyReader reads until ctx is done.
type onlyReader struct {
	ctx context.Context
	r   io.Reader
}

func (o onlyReader) Read(b []byte) (int, error) {
	if err := o.ctx.Err(); err != nil {
		return 0, err
	}
	return o.r.Read(b)
}

// Remove removes the file of a finished recording, its object and what it was converted to;
// one that has no file is not an error.
func (s *Store) Remove(t pbx.TenantID, id pbx.RecordingID) error {
	name, err := fileOf(t, id)
	if err != nil {
		return err
	}
	if err := s.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the file of recording %s: %w", id, err)
	}
	// Behind the file, and when no upload can bring the object back any more.
	if s.upload != nil {
		s.upload.stop(name)
	}
	var remote error
	if s.bucket != nil {
		if remote = s.bucket.remove(s.life, s.bucket.key(name)); remote != nil {
			remote = fmt.Errorf("remove the object of recording %s: %w", id, remote)
		}
	}
	// In this order: a conversion that is under way looks for the file last.
	if s.convert != nil {
		if err := s.convert.remove(t, id); err != nil {
			return errors.Join(remote, fmt.Errorf("remove what recording %s was converted to: %w", id, err))
		}
	}
	return remote
}

// Files calls f with each finished recording of a company, first those on disk and then
// those in the S3 storage, each in the order of their ids, until it returns an error.
func (s *Store) Files(ctx context.Context, t pbx.TenantID, f func(pbx.RecordingID) error) error {
	if !isTenant(string(t)) {
		return nil
	}
	if err := s.files(ctx, t, f); err != nil || s.bucket == nil {
		return err
	}
	return s.bucket.list(ctx, string(t), func(name string) error {
		tenant, id, ok := parseFile(name)
		if !ok || tenant != t {
			return nil
		}
		if _, err := s.root.Stat(name); err == nil {
			return nil // it is being uploaded
		}
		return f(id)
	})
}

// files is Files for those on disk.
func (s *Store) files(ctx context.Context, t pbx.TenantID, f func(pbx.RecordingID) error) error {
	err := fs.WalkDir(s.root.FS(), string(t), func(name string, d fs.DirEntry, err error) error {
		if err := errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		id := pbx.RecordingID(strings.TrimSuffix(path.Base(name), suffix))
		if file, err := fileOf(t, id); err != nil || file != name || !d.Type().IsRegular() {
			return nil
		}
		return f(id)
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil // no recording yet, or a directory that went meanwhile
	}
	return err
}
