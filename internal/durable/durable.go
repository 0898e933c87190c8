package durable

import (
	"errors"
	"fmt"
	"os"
	"path"
	"syscall"
)

// SyncDir makes sure that the names in a directory are on the disk.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return syncAndClose(d)
}

// SyncParents makes sure that a file can be found by its name: it syncs the directories
// above it, up to root itself. name is one of root, with slashes.
func SyncParents(root *os.Root, name string) error {
	for dir := path.Dir(name); ; dir = path.Dir(dir) {
		d, err := root.Open(dir)
		if err != nil {
			return err
		}
		if err := syncAndClose(d); err != nil {
			return err
		}
		if dir == "." {
			return nil
		}
	}
}

func syncAndClose(d *os.File) error {
	err := d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		err = nil // there is nothing to sync on this file system
	}
	if err = errors.Join(err, d.Close()); err != nil {
		return fmt.Errorf("sync directory %s: %w", d.Name(), err)
	}
	return nil
}
