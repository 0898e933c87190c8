package store

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestFullDisk fills a real, small file system: the reserve of the spool takes
// what the database cannot.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=8m"); err != nil {
		t.Skipf("skipped: no small file system can be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	s := openDir(t, filepath.Join(dir, "data"))
	ballast := filepath.Join(dir, "ballast")
	f, err := os.Create(ballast)
	if err != nil {
		t.Fatal(err)
	}
	for block := make([]byte, 4096); err == nil; {
		_, err = f.Write(block)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	const n = 200
	for i := range n {
		keep(t, s, i)
	}
	if s.spool.Len() == 0 {
		t.Fatal("nothing is spooled")
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if err := s.spool.Replay(t.Context(), s.SaveCall); err != nil {
		t.Fatal(err)
	}
	wantCalls(t, s, n)
	if info, err := s.spool.file.Stat(); err != nil || info.Size() != 0 || info.Sys().(*syscall.Stat_t).Blocks*512 < reserveSize {
		t.Errorf("room is not set aside again: %+v, %v", info.Sys(), err)
	}
}
