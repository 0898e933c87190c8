package store

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// disk is what of the database of one directory is sure to be there after a loss of power:
// each file as it was when SQLite last synced it.
type disk struct {
	t    testing.TB
	dir  string
	slow time.Duration // how long a sync takes more; then nothing is kept

	mu    sync.Mutex
	files map[string][]byte // by name
	syncs int
}

// watchDisk watches the databases that are opened in dir from now until the test ends.
func watchDisk(t testing.TB, dir string) *disk {
	t.Helper()
	syncHook.install(t)
	d := &disk{t: t, dir: dir, files: map[string][]byte{}}
	syncHook.disks.Store(dir, d)
	t.Cleanup(func() { syncHook.disks.Delete(dir) })
	return d
}

// synced takes note that a file is on the disk as it is.
func (d *disk) synced(name string) {
	if d.slow > 0 {
		<-time.After(d.slow)
		return
	}
	body, err := os.ReadFile(filepath.Join(d.dir, name))
	if err != nil {
		d.t.Error(err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.files[name] = body
	d.syncs++
}

// count is how often SQLite has synced a file.
func (d *disk) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.syncs
}

// cut opens the store that is there when the power is cut now; other files of the
// directory, such as the spool, are lost. The journal of the time before there was a log is
// gone: SQLite syncs the directory when it makes the log.
func (d *disk) cut(t testing.TB) *Store {
	t.Helper()
	dir := t.TempDir()
	d.mu.Lock()
	for name, body := range d.files {
		if strings.HasSuffix(name, "-journal") {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, name), body, 0o600); err != nil {
			t.Error(err)
		}
	}
	d.mu.Unlock()
	return openDir(t, dir)
}

// hook stands between SQLite and the operating system, for all databases of the process:
// files are used as ever, and whoever watches their directory learns when they are synced.
type hook struct {
	once    sync.Once
	disks   sync.Map // *disk by directory
	paths   sync.Map // string by sqlite3_file
	methods sync.Map // ours by the system's, uintptr both
	opened  openFunc // what SQLite calls, kept from the collector
	synced  syncFunc
	open    openFunc // those of the system
	sync    syncFunc
}

type (
	openFunc = func(tls *libc.TLS, vfs, name, file uintptr, flags int32, out uintptr) int32
	syncFunc = func(tls *libc.TLS, file uintptr, flags int32) int32
)

var syncHook hook

// install makes the hook SQLite's way to files: a copy of the one that is there
// (https://www.sqlite.org/vfs.html) with another xOpen, whose files have another xSync.
func (h *hook) install(t testing.TB) {
	t.Helper()
	h.once.Do(func() {
		tls := libc.NewTLS()
		defer tls.Close()
		name, err := libc.CString("watched")
		if err != nil {
			t.Fatal(err)
		}
		ours := copied[sqlite3.Tsqlite3_vfs](tls, sqlite3.Xsqlite3_vfs_find(tls, 0))
		vfs := at[sqlite3.Tsqlite3_vfs](ours)
		h.open, h.opened, h.synced = function[openFunc](vfs.FxOpen), h.whenOpened, h.whenSynced
		vfs.FxOpen, vfs.FzName = pointer(h.opened), name
		if code := sqlite3.Xsqlite3_vfs_register(tls, ours, 1); code != sqlite3.SQLITE_OK {
			t.Fatalf("register a way to files: %d", code)
		}
	})
}

func (h *hook) whenOpened(tls *libc.TLS, vfs, name, file uintptr, flags int32, out uintptr) int32 {
	code := h.open(tls, vfs, name, file, flags, out)
	f := at[sqlite3.Tsqlite3_file](file)
	if code != sqlite3.SQLITE_OK || name == 0 || f.FpMethods == 0 {
		return code
	}
	h.paths.Store(file, libc.GoString(name))
	ours, known := h.methods.Load(f.FpMethods)
	if !known {
		table := copied[sqlite3.Tsqlite3_io_methods](tls, f.FpMethods)
		m := at[sqlite3.Tsqlite3_io_methods](table)
		h.sync, m.FxSync = function[syncFunc](m.FxSync), pointer(h.synced)
		ours, _ = h.methods.LoadOrStore(f.FpMethods, table)
	}
	f.FpMethods = ours.(uintptr)
	return code
}

func (h *hook) whenSynced(tls *libc.TLS, file uintptr, flags int32) int32 {
	code := h.sync(tls, file, flags)
	path, known := h.paths.Load(file)
	if code != sqlite3.SQLITE_OK || !known {
		return code
	}
	dir, name := filepath.Split(path.(string))
	if d, watched := h.disks.Load(filepath.Clean(dir)); watched {
		d.(*disk).synced(name)
	}
	return code
}

// at is what C has at an address.
func at[T any](address uintptr) *T { return *(**T)(unsafe.Pointer(&address)) }

// copied gives the address of a copy.
func copied[T any](tls *libc.TLS, address uintptr) uintptr {
	to := libc.Xmalloc(tls, libc.Tsize_t(unsafe.Sizeof(*at[T](address))))
	*at[T](to) = *at[T](address)
	return to
}

// function is a function of C, pointer one of ours for C: as modernc.org/libc has them.
func function[F any](p uintptr) F { return *(*F)(unsafe.Pointer(&p)) }

func pointer[F any](f F) uintptr { return *(*uintptr)(unsafe.Pointer(&f)) }
