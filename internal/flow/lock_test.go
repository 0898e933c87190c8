package flow

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// lockEnv makes the test binary a process that holds a lock on the file it names
// until its input ends.
const lockEnv = "FLOW_LOCK"

// writeLock is the byte of the -shm file that SQLite locks to write in WAL mode
// (WAL_WRITE_LOCK).
const writeLock = 120

func TestMain(m *testing.M) {
	if file := os.Getenv(lockEnv); file != "" {
		if err := hold(file); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func hold(file string) error {
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := syscall.FcntlFlock(f.Fd(), syscall.F_SETLK, &syscall.Flock_t{Type: syscall.F_WRLCK, Start: writeLock, Len: 1}); err != nil {
		return err
	}
	fmt.Println("locked")
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// lock keeps the database from being written, as a stranger with an open
// transaction does; free ends it. The lock is another process's, since those of
// one process do not keep it from anything.
type lock struct {
	cmd *exec.Cmd
	in  io.WriteCloser
}

func lockStore(data string) (*lock, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	l := &lock{cmd: exec.Command(self)}
	l.cmd.Env = append(os.Environ(), lockEnv+"="+filepath.Join(data, "vpbx.db-shm"))
	if l.in, err = l.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := l.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := l.cmd.Start(); err != nil {
		return nil, err
	}
	answer, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || answer != "locked\n" {
		return nil, errors.Join(fmt.Errorf("the store cannot be locked: %q %w", answer, err), l.free())
	}
	return l, nil
}

func (l *lock) free() error { return errors.Join(l.in.Close(), l.cmd.Wait()) }
