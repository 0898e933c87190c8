package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// vpbx is the path of the command under test.
var vpbx string

func TestMain(m *testing.M) { os.Exit(run(m)) }

// run builds the command and runs the tests.
func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "vpbx-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "make a directory:", err)
		return 1
	}
	defer os.RemoveAll(dir)
	vpbx = filepath.Join(dir, "vpbx")
	args := []string{"build", "-o", vpbx}
	if raceEnabled {
		args = append(args, "-race", "-gcflags=modernc.org/...=-race=false -d=checkptr=0") // as in the Makefile
	}
	build := exec.Command("go", append(args, "vpbx/cmd/vpbx")...)
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "build vpbx:", err)
		return 1
	}
	return m.Run()
}

// need skips the test when a program is not installed; in CI it fails.
func need(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is not installed", program)
	}
	t.Skipf("%s is not installed", program)
}

// waitFor waits until ok holds, and fails the test when it does not in time, the race
// detector's patience allowed for.
func waitFor(t *testing.T, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	if !became(patience*limit, ok) {
		t.Fatalf("not within %v: %s", patience*limit, what)
	}
}

// became tells whether ok holds before the limit. When that has passed it looks once more:
// a machine that stood still meanwhile has let nobody look.
func became(limit time.Duration, ok func() bool) bool {
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			return ok()
		}
	}
	return true
}

// process is a program that a test has started.
type process struct {
	cmd    *exec.Cmd
	name   string
	output output
	exited chan struct{} // closed when it has ended
	err    error         // how, after exited
}

// start runs a program until the test ends, at the latest. Its output is shown
// when the test fails.
func start(t *testing.T, name, dir, program string, args ...string) *process {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Dir = dir
	return startCommand(t, name, cmd)
}

// startCommand runs a command as start does.
func startCommand(t *testing.T, name string, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{name: name, cmd: cmd, exited: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = &p.output, &p.output
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // should the tests be killed
	p.cmd.WaitDelay = patience * 20 * time.Second                        // for its last words
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.exited)
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("---- output of %s:\n%s", name, p.output.tail())
		}
	})
	return p
}

// command is vpbx with arguments, for commands that end by themselves.
func command(t *testing.T, dir string, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience*60*time.Second)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, vpbx, args...)
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// kill ends the process at once and waits for it.
func (p *process) kill() {
	select {
	case <-p.exited:
		return
	default:
	}
	_ = p.cmd.Process.Kill() // it may just have ended
	<-p.exited
}

// wait gives how the process ended, and fails the test when it does not.
func (p *process) wait(t *testing.T, limit time.Duration) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience*limit)
	defer cancel()
	select {
	case <-p.exited:
		return p.err
	case <-ctx.Done():
		t.Fatalf("%s has not ended within %v", p.name, patience*limit)
		return nil
	}
}

// running tells whether the process has not ended.
func (p *process) running() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// output keeps what a process prints, the first megabytes of it.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

const (
	maxOutput = 16 << 20
	maxShown  = 12 << 10
)

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if room := maxOutput - o.buf.Len(); room > 0 {
		o.buf.Write(b[:min(room, len(b))])
	}
	return len(b), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// tail is the end of the output, as much as a reader of a failed test wants, without
// the lines that say nothing.
func (o *output) tail() string {
	var kept strings.Builder
	for line := range strings.Lines(o.String()) {
		if !strings.Contains(line, `"msg":"http"`) && !strings.Contains(line, "(bit/s)") {
			kept.WriteString(line)
		}
	}
	s := kept.String()
	if len(s) > maxShown {
		s = "…" + s[len(s)-maxShown:]
	}
	return s
}

// portBlock is how many ports in a row a test gets from freePort: a program that is told
// one port takes some more behind it.
const portBlock = 4

var portBlocks atomic.Uint32

// freePort gives a port of an address for a program that binds it later; the next ones are
// free, too. It lies below those that the kernel and freeMedia give away, so that nobody
// gets it meanwhile, and each is given once.
func freePort(t *testing.T, ip string) string {
	t.Helper()
	const first, blocks = 6100, 950
	for range blocks {
		port := first + portBlock*int((portBlocks.Add(1)+37*uint32(os.Getpid()))%blocks)
		if portsFree(ip, port, portBlock) {
			return strconv.Itoa(port)
		}
	}
	t.Fatalf("no ports of %s are free", ip)
	return ""
}

// portsFree tells whether n ports from one on are free.
func portsFree(ip string, port, n int) bool {
	for i := range n {
		at := net.JoinHostPort(ip, strconv.Itoa(port+i))
		c, err := net.ListenPacket("udp", at)
		if err != nil {
			return false
		}
		c.Close()
		l, err := net.Listen("tcp", at)
		if err != nil {
			return false
		}
		l.Close()
	}
	return true
}

// write makes a file in a directory of the test.
func write(t *testing.T, path, content string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatalf("write: %v", err)
	}
	return path
}

// readAll reads a body to its end, 64 MiB at most.
func readAll(t *testing.T, r io.Reader) []byte {
	t.Helper()
	b, err := io.ReadAll(io.LimitReader(r, 64<<20))
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	return b
}
