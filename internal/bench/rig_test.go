package bench

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	number     = "+74950000001" // is relayed
	recorded   = "+74950000002" // is relayed and recorded
	extensions = 1000
)

// rig is a server with a carrier that brings calls and one that takes them.
type rig struct {
	tb     testing.TB
	server *exec.Cmd
	sip    *net.UDPAddr      // of the server
	at     map[string]string // where it listens, by transport
	http   string
	log    io.Writer // gets what the server logs; nil: nobody
	caller *side
	called *side
	seq    uint16 // of the next RTP packet of every call
}

// program is the server, built when the first rig needs it.
var program struct {
	dir   string
	build func() error
}

func TestMain(m *testing.M) { os.Exit(run(m)) }

// run makes room for the server and runs the benchmarks.
func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "vpbx-bench-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "make a directory:", err)
		return 1
	}
	defer os.RemoveAll(dir)
	program.dir = dir
	program.build = sync.OnceValue(func() error {
		build := exec.Command("go", "build", "-o", dir, "vpbx/cmd/vpbx")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("build vpbx: %w\n%s", err, out)
		}
		return nil
	})
	return m.Run()
}

// newRig builds and starts the server. Everything ends with the benchmark.
func newRig(tb testing.TB) *rig {
	tb.Helper()
	dir := tb.TempDir()
	r := &rig{tb: tb, caller: newSide(tb), called: newSide(tb)}
	go r.called.answerAll()
	go r.caller.readReplies()
	r.serve(dir, r.company())
	r.caller.server = r.sip
	return r
}

// serve builds and starts the server with one company, whose files are in dir.
func (r *rig) serve(dir, company string) {
	r.tb.Helper()
	if err := program.build(); err != nil {
		r.tb.Fatal(err)
	}
	config := filepath.Join(dir, "vpbx.yaml")
	r.write(filepath.Join(dir, "acme.yaml"), company)
	r.write(config, fmt.Sprintf("data: %s/data\nsip: {listen: [udp://127.0.0.1:0]}\nmedia: {listen: 127.0.0.1, ports: 1024-32767}\nhttp: {listen: 127.0.0.1:0, token: benchmark}\nlog: {format: text}\nprovision: [%s/acme.yaml]\n", dir, dir))
	r.server = exec.Command(filepath.Join(program.dir, "vpbx"), "serve", "--config", config)
	r.server.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	r.start()
}

// start runs the server and reads from its log where it listens.
func (r *rig) start() {
	r.tb.Helper()
	logs, err := r.server.StderrPipe()
	if err != nil {
		r.tb.Fatal(err)
	}
	if err := r.server.Start(); err != nil {
		r.tb.Fatalf("start vpbx: %v", err)
	}
	r.tb.Cleanup(func() {
		_ = r.server.Process.Signal(syscall.SIGKILL) // it may just have ended
		_ = r.server.Wait()
	})
	ready := make(chan [2]string, 1)
	var from io.Reader = logs
	if r.log != nil {
		from = io.TeeReader(logs, r.log)
	}
	go watch(from, ready)
	select {
	case at := <-ready:
		r.http, r.at = at[0], make(map[string]string)
		for _, m := range listening.FindAllStringSubmatch(at[1], -1) {
			r.at[m[1]] = m[2]
		}
		if r.sip, err = net.ResolveUDPAddr("udp", r.at["udp"]); err != nil {
			r.tb.Fatal(err)
		}
	case <-time.After(20 * time.Second):
		r.tb.Fatal("vpbx did not start")
	}
}

var (
	readyLine = regexp.MustCompile(`msg="vpbx is ready" http=(\S+) sip="\[([^"]+)\]"`)
	listening = regexp.MustCompile(`\{(\w+) ([^ }]+)`)
)

// watch reads the log to its end, and tells when the server is ready.
func watch(logs io.Reader, ready chan<- [2]string) {
	lines := bufio.NewScanner(logs)
	for lines.Scan() {
		if m := readyLine.FindStringSubmatch(lines.Text()); m != nil {
			ready <- [2]string{m[1], m[2]}
		}
	}
}

func (r *rig) write(path, text string) {
	r.tb.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		r.tb.Fatal(err)
	}
}

// company has one trunk in, one out, and extensions that register.
func (r *rig) company() string {
	var b strings.Builder
	b.WriteString("tenant: acme\ndomain: acme.vpbx.test\nname: Acme\nzone: Europe/Moscow\ncountry: RU\nlimits: {calls: 5000, per_minute: 1000000, extension: {calls: 5000, per_minute: 1000000}}\nextensions:\n")
	for i := range extensions {
		fmt.Fprintf(&b, "  - {number: \"%d\", name: Phone, password: s3cret-%d}\n", 1000+i, 1000+i)
	}
	fmt.Fprintf(&b, `trunks:
  - {name: in, host: %q, transport: udp, from: [127.0.0.1/32]}
  - {name: out, host: %q, transport: udp}
numbers:
  - {number: "%[3]s", trunk: in}
  - {number: "%[4]s", trunk: in}
outbound:
  - {prefix: "+", trunks: [out], caller: "%[3]s"}
rules:
  - {number: "%[3]s", steps: [{dial: "+79160000001"}]}
  - {number: "%[4]s", record: true, steps: [{dial: "+79160000001"}]}
`, r.caller.sip.LocalAddr(), r.called.sip.LocalAddr(), number, recorded)
	return b.String()
}

// metric reads one metric of the server, without labels.
func (r *rig) metric(name string) float64 {
	r.tb.Helper()
	res, err := http.Get("http://" + r.http + "/metrics")
	if err != nil {
		r.tb.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		if value, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			v, err := strconv.ParseFloat(value, 64)
			if err != nil {
				r.tb.Fatal(err)
			}
			return v
		}
	}
	r.tb.Fatalf("no metric %s", name)
	return 0
}

// cpu is the CPU time that the server has used.
func (r *rig) cpu() time.Duration {
	r.tb.Helper()
	return time.Duration(r.metric("process_cpu_seconds_total") * float64(time.Second))
}

// memory is what the server holds, in bytes.
func (r *rig) memory() float64 {
	r.tb.Helper()
	return r.metric("process_resident_memory_bytes")
}

// side is one end: a socket for SIP and one for the RTP of all its calls.
type side struct {
	sip, rtp *net.UDPConn
	server   *net.UDPAddr
	mu       sync.Mutex
	waiting  map[string]chan []byte // by Call-ID
}

func newSide(tb testing.TB) *side {
	tb.Helper()
	s := &side{waiting: make(map[string]chan []byte)}
	for _, conn := range []**net.UDPConn{&s.sip, &s.rtp} {
		c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			tb.Fatal(err)
		}
		_ = c.SetReadBuffer(4 << 20) // the kernel gives what it allows
		tb.Cleanup(func() { c.Close() })
		*conn = c
	}
	return s
}

// header gives the value of a header, "" when it is not there.
func header(m []byte, name string) string {
	for line := range bytes.SplitSeq(m, []byte("\r\n")) {
		if value, ok := bytes.CutPrefix(line, []byte(name+": ")); ok {
			return string(value)
		}
	}
	return ""
}

// readReplies hands every message to the call it belongs to.
func (s *side) readReplies() {
	buf := make([]byte, 64<<10)
	for {
		n, err := s.sip.Read(buf)
		if err != nil {
			return
		}
		m := bytes.Clone(buf[:n])
		s.mu.Lock()
		to := s.waiting[header(m, "Call-ID")]
		s.mu.Unlock()
		select {
		case to <- m:
		default: // nobody waits, or a copy too many
		}
	}
}

// answerAll takes every call at once.
func (s *side) answerAll() {
	buf := make([]byte, 64<<10)
	for {
		n, from, err := s.sip.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		m := buf[:n]
		method, _, _ := bytes.Cut(m, []byte(" "))
		var reply []byte
		switch string(method) {
		case "INVITE":
			sdp := s.sdp()
			reply = fmt.Appendf(nil, "SIP/2.0 200 OK\r\nVia: %s\r\nFrom: %s\r\nTo: %s;tag=called\r\nCall-ID: %s\r\nCSeq: %s\r\nContact: <sip:called@%s>\r\nContent-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s",
				header(m, "Via"), header(m, "From"), header(m, "To"), header(m, "Call-ID"), header(m, "CSeq"), s.sip.LocalAddr(), len(sdp), sdp)
		case "BYE", "OPTIONS", "CANCEL":
			reply = fmt.Appendf(nil, "SIP/2.0 200 OK\r\nVia: %s\r\nFrom: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %s\r\nContent-Length: 0\r\n\r\n",
				header(m, "Via"), header(m, "From"), header(m, "To"), header(m, "Call-ID"), header(m, "CSeq"))
		default:
			continue
		}
		if _, err := s.sip.WriteToUDPAddrPort(reply, from); err != nil {
			return
		}
	}
}

// sdp names the socket that all calls of this side share.
func (s *side) sdp() string {
	port := s.rtp.LocalAddr().(*net.UDPAddr).Port
	return fmt.Sprintf("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio %d RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\na=ptime:20\r\n", port)
}
