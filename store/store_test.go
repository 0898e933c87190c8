package store_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vpbx/pbx"
	"vpbx/store"
	"vpbx/store/storetest"
)

// open opens the store of node n1 in dir until the test ends.
func open(t *testing.T, dir string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{Dir: dir, Node: "n1", Mailing: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Open {
		dir := t.TempDir()
		return func(t *testing.T) *store.Store { return open(t, dir) }
	})
}

func TestFilesArePrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "data")
	s := open(t, dir)
	c, trace := storetest.Call("acme", 1)
	if err := s.Record(t.Context(), "acme", c, trace); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("data directory: %v, %v", info.Mode(), err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) < 4 {
		t.Fatalf("files %v, %v", files, err)
	}
	for _, f := range files {
		if info, err := f.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, %v", f.Name(), info.Mode(), err)
		}
	}
}

// TestOneProcess: two servers on one directory would take each other's calls
// for interrupted ones.
func TestOneProcess(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	if _, err := store.Open(t.Context(), store.Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("a second store opened: %v", err)
	}
	tool, err := store.Open(t.Context(), store.Options{Dir: dir, Beside: true})
	if err != nil {
		t.Fatal(err)
	}
	token := store.Token{Hash: strings.Repeat("a", 64), Role: "admin"}
	if err := tool.AddToken(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	if err := tool.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Token(t.Context(), token.Hash); err != nil {
		t.Errorf("the server does not see the tool's token: %v", err)
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Ping(t.Context()); err == nil {
		t.Error("a closed store answers")
	}
	open(t, dir)
}

func TestOpenFails(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	garbage := filepath.Join(dir, "garbage")
	if err := os.Mkdir(garbage, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(garbage, "vpbx.db"), []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{file, filepath.Join(file, "below"), garbage} {
		if s, err := store.Open(t.Context(), store.Options{Dir: dir}); err == nil {
			t.Errorf("%s opened", dir)
			s.Close()
		} else if !strings.Contains(err.Error(), dir) {
			t.Errorf("the error does not name %s: %v", dir, err)
		}
	}
}

func TestBackup(t *testing.T) {
	dir, to := t.TempDir(), filepath.Join(t.TempDir(), "it's a backup.db")
	s := open(t, dir)
	c, trace := storetest.Call("acme", 1)
	if err := s.SaveCall(t.Context(), "acme", c, trace); err != nil {
		t.Fatal(err)
	}
	if err := store.Backup(t.Context(), dir, to); err != nil {
		t.Fatal(err)
	}
	if err := store.Backup(t.Context(), dir, to); err == nil {
		t.Error("a backup was written over another")
	}
	if info, err := os.Stat(to); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode of the backup: %v, %v", info.Mode(), err)
	}
	if err := store.Backup(t.Context(), t.TempDir(), to+"2"); err == nil {
		t.Error("backed up an empty directory")
	}
	before, err := os.ReadFile(to)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.CheckBackup(t.Context(), to); err != nil {
		t.Error(err)
	}
	after, err := os.ReadFile(to)
	if err != nil || string(before) != string(after) {
		t.Errorf("the check changed the backup: %v", err)
	}
	if err := store.Restore(t.Context(), to, dir); err == nil {
		t.Error("restored over a running server")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := store.Restore(t.Context(), to, dir); err == nil {
		t.Error("restored over a database")
	}
	fresh := filepath.Join(t.TempDir(), "data")
	if err := store.Restore(t.Context(), to, fresh); err != nil {
		t.Fatal(err)
	}
	if _, _, err := open(t, fresh).Call(t.Context(), "acme", c.ID); err != nil {
		t.Errorf("the restored database lacks the call: %v", err)
	}
}

// TestRestoreBesideOldLog: the write-ahead log of a database that was moved away
// is not taken for one of the restored database.
func TestRestoreBesideOldLog(t *testing.T) {
	dir, fresh := t.TempDir(), t.TempDir()
	s := open(t, dir)
	first, trace := storetest.Call("acme", 1)
	if err := s.SaveCall(t.Context(), "acme", first, trace); err != nil {
		t.Fatal(err)
	}
	backup := filepath.Join(fresh, "backup")
	if err := store.Backup(t.Context(), dir, backup); err != nil {
		t.Fatal(err)
	}
	for n := range 50 {
		c, trace := storetest.Call("acme", 100+n)
		if err := s.SaveCall(t.Context(), "acme", c, trace); err != nil {
			t.Fatal(err)
		}
	}
	// The server dies, and somebody moves vpbx.db away, and nothing else.
	log, err := os.ReadFile(filepath.Join(dir, "vpbx.db-wal"))
	if err != nil || len(log) == 0 {
		t.Fatalf("no log: %d bytes, %v", len(log), err)
	}
	old := filepath.Join(fresh, "vpbx.db-wal")
	if err := os.WriteFile(old, log, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := store.Restore(t.Context(), backup, fresh); err == nil {
		calls, _, err := open(t, fresh).Calls(t.Context(), "acme", pbx.CallQuery{Limit: 1000})
		t.Fatalf("restored beside the log of another database: %d calls of 1, %v", len(calls), err)
	}
	if err := os.Remove(old); err != nil {
		t.Fatal(err)
	}
	if err := store.Restore(t.Context(), backup, fresh); err != nil {
		t.Error(err)
	}
}

func TestCheckBackupRefuses(t *testing.T) {
	dir := t.TempDir()
	s := open(t, filepath.Join(dir, "data"))
	for n := range 300 {
		c, trace := storetest.Call("acme", n)
		if err := s.SaveCall(t.Context(), "acme", c, trace); err != nil {
			t.Fatal(err)
		}
	}
	whole := filepath.Join(dir, "whole")
	if err := store.Backup(t.Context(), filepath.Join(dir, "data"), whole); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	torn := append([]byte(nil), data...)
	clear(torn[len(torn)/2 : len(torn)/2+8192])
	for name, data := range map[string][]byte{
		"empty": nil, "text": []byte("hello"), "cut": data[:len(data)/2], "torn": torn,
	} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := store.CheckBackup(t.Context(), file); err == nil {
			t.Errorf("the %s backup passed", name)
		}
		if err := store.Restore(t.Context(), file, filepath.Join(dir, "to-"+name)); err == nil {
			t.Errorf("the %s backup was restored", name)
		}
		if left, _ := filepath.Glob(filepath.Join(dir, "to-"+name, "vpbx.db*")); len(left) != 0 {
			t.Errorf("the %s backup left %v", name, left)
		}
	}
}
