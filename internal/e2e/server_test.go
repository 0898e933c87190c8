package e2e

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// token is the administrator token of every server of these tests.
const token = "e2e-administrator"

// server is a vpbx that serves a company.
type server struct {
	*process
	t       *testing.T
	dir     string // config, company file, data
	config  string // path
	company string // path
	data    string // directory
	extra   string // further keys of the config
	env     []string

	udp, tcp, tls, ws netip.AddrPort
	http              string
	crashed           bool // by the test
}

// serverOptions are what differs between tests.
type serverOptions struct {
	Company string // the company file
	Config  string // further keys of the config, YAML
	TLS     bool
	WS      bool   // for browsers
	Data    string // data directory; "": inside the test's own
	Again   bool   // it is started again on the same ports, which nobody gets meanwhile
	HEP     string // address of a HEP collector
}

// serve starts a server on ports that the kernel chose and waits until it is
// ready. When the test ends it must have nothing left.
func serve(t *testing.T, o serverOptions) *server {
	t.Helper()
	s := &server{t: t, dir: t.TempDir(), extra: o.Config}
	s.company = write(t, filepath.Join(s.dir, "acme.yaml"), o.Company)
	zero := netip.MustParseAddrPort("127.0.0.1:0")
	s.udp, s.tcp, s.http = zero, zero, zero.String()
	if o.Again {
		at := netip.MustParseAddrPort("127.0.0.1:" + freePort(t, "127.0.0.1"))
		s.udp, s.tcp, s.http = at, at, netip.AddrPortFrom(at.Addr(), at.Port()+1).String()
	}
	if o.TLS {
		s.tls = zero
		certificate(t, s.dir)
	}
	if o.WS {
		s.ws = zero
	}
	if o.Data == "" {
		o.Data = filepath.Join(s.dir, "data")
	}
	s.data = o.Data
	s.extra += "data: " + o.Data + "\n"
	// What the machine is good for while others use it says nothing here.
	for _, kind := range []string{"RELAY", "TRANSCODE", "MIX", "RECORD"} {
		s.env = append(s.env, "VPBX_MEDIA_BUDGET_"+kind+"=unlimited")
	}
	if o.HEP != "" {
		s.env = append(s.env, "VPBX_SIP_HEP_ADDRESS="+o.HEP, "VPBX_SIP_HEP_PASSWORD=homer-password")
	}
	s.start()
	t.Cleanup(s.finish)
	return s
}

// start runs the process with the addresses that are known so far.
func (s *server) start() {
	s.t.Helper()
	s.launch()
	s.waitReady()
}

// launch runs the process and waits for nothing.
func (s *server) launch() {
	s.t.Helper()
	s.config = write(s.t, filepath.Join(s.dir, "vpbx.yaml"), s.configText())
	cmd := exec.Command(vpbx, "serve", "--config", s.config)
	cmd.Dir, cmd.Env = s.dir, append(os.Environ(), s.env...)
	s.process = startCommand(s.t, "vpbx", cmd)
	s.crashed = false
}

// waitReady waits until the server says that it is ready. One that does not is made to
// tell where its goroutines are.
func (s *server) waitReady() {
	s.t.Helper()
	limit := patience * 40 * time.Second
	if became(limit, func() bool { return s.readReady() || !s.running() }) {
		if !s.readReady() {
			s.t.Fatalf("vpbx did not start: %v", s.err)
		}
		return
	}
	_ = s.cmd.Process.Signal(syscall.SIGQUIT) // it may just have ended
	_ = s.wait(s.t, 10*time.Second)           // with what SIGQUIT gives
	s.t.Fatalf("vpbx is not ready within %v", limit)
}

func (s *server) configText() string {
	listen := fmt.Sprintf("udp://%s, tcp://%s", s.udp, s.tcp)
	tls := ""
	if s.tls.IsValid() {
		listen += ", tls://" + s.tls.String()
		tls = "tls: {cert: cert.pem, key: key.pem}\n"
	}
	if s.ws.IsValid() {
		listen += ", ws://" + s.ws.String()
	}
	return fmt.Sprintf("node: e2e\nsip: {listen: [%s]}\nhttp: {listen: %s, token: %s}\nlog: {level: debug, format: json}\nprovision: [%s]\n%s%s",
		listen, s.http, token, s.company, tls, s.extra)
}

var listens = regexp.MustCompile(`\{(udp|tcp|tls|ws) ([^ }]+)\}`)

// readReady learns the addresses from the line that the server logs.
func (s *server) readReady() bool {
	for line := range strings.Lines(s.output.String()) {
		var l struct{ Msg, HTTP, SIP string }
		if json.Unmarshal([]byte(line), &l) != nil || l.Msg != "vpbx is ready" {
			continue
		}
		s.http = l.HTTP
		for _, m := range listens.FindAllStringSubmatch(l.SIP, -1) {
			at, err := netip.ParseAddrPort(m[2])
			if err != nil {
				s.t.Fatalf("address of the server: %v", err)
			}
			switch m[1] {
			case "udp":
				s.udp = at
			case "tcp":
				s.tcp = at
			case "tls":
				s.tls = at
			case "ws":
				s.ws = at
			}
		}
		return true
	}
	return false
}

// signal sends a signal to the process.
func (s *server) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatalf("signal vpbx: %v", err)
	}
}

// crash is kill -9.
func (s *server) crash() {
	s.t.Helper()
	s.crashed = true
	s.check()
	s.kill()
}

// finish looks for what must never be, and ends the server.
func (s *server) finish() {
	if s.crashed || !s.running() {
		s.check()
		return
	}
	if !s.t.Failed() {
		s.nothingLeft()
	}
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Errorf("signal vpbx: %v", err)
	}
	select {
	case <-s.exited:
		if s.err != nil {
			s.t.Errorf("vpbx ended with %v", s.err)
		}
	case <-time.After(patience * 20 * time.Second):
		s.t.Error("vpbx does not end by SIGTERM although nothing goes on")
		_ = s.cmd.Process.Signal(syscall.SIGQUIT) // prints the goroutines
		select {
		case <-s.exited:
		case <-time.After(patience * 5 * time.Second):
		}
	}
	s.check()
}

// check reads the output for signs of our own faults.
func (s *server) check() {
	s.t.Helper()
	for _, sign := range []string{"DATA RACE", "panic:", `"panic"`, "call broke", "fatal error:"} {
		if out := s.output.String(); strings.Contains(out, sign) {
			s.t.Errorf("vpbx printed %q:\n%s", sign, out[strings.Index(out, sign):min(len(out), strings.Index(out, sign)+4000)])
			return
		}
	}
}

// wantSecret fails when a secret is in the output.
func (s *server) wantSecret(secret string) {
	s.t.Helper()
	for line := range strings.Lines(s.output.String()) {
		if strings.Contains(line, secret) {
			s.t.Errorf("vpbx printed %q in %s", secret, line)
		}
	}
}

// loggedKey is a field of a line of the log that can be a key: its text is one key, or
// its name says what it is. A random id may spell dtmf inside.
var loggedKey = regexp.MustCompile(`":"[0-9*#]"|(?i)"(key|keys|digit|digits|dtmf|signal|typed)":|signal=|\bdtmf\b`)

// wantNoKeys fails when keys that were pressed are in the output one by one.
func (s *server) wantNoKeys() {
	s.t.Helper()
	for line := range strings.Lines(s.output.String()) {
		if loggedKey.MatchString(line) {
			s.t.Errorf("vpbx printed a key in %s", line)
		}
	}
}

// nothingLeft fails when a call or a session is left, a record was lost, or the
// server met a fault of its own.
func (s *server) nothingLeft() {
	waitFor(s.t, 20*time.Second, "no call and no sound is left", func() bool {
		return s.metric("vpbx_calls_active") == 0 && s.metric("vpbx_media_sessions") == 0
	})
	for name, want := range map[string]float64{
		"vpbx_call_records_lost_total": 0, "vpbx_call_panics_total": 0, "vpbx_sip_panics_total": 0,
	} {
		if got := s.metric(name); got != want {
			s.t.Errorf("%s is %v at the end, want %v", name, got, want)
		}
	}
}

// restart starts the process again on the same directory and addresses.
func (s *server) restart() {
	s.t.Helper()
	s.kill()
	s.start()
}

// rewrite replaces text of the company file.
func (s *server) rewrite(old, new string) {
	s.t.Helper()
	text, err := os.ReadFile(s.company)
	if err != nil {
		s.t.Fatalf("read the company file: %v", err)
	}
	if !strings.Contains(string(text), old) {
		s.t.Fatalf("the company file has no %q", old)
	}
	write(s.t, s.company, strings.Replace(string(text), old, new, 1))
}

// reload replaces text of the company file and makes the server read it.
func (s *server) reload(old, new string) {
	s.t.Helper()
	const done = "company files and certificates are read again"
	before := strings.Count(s.output.String(), done)
	s.rewrite(old, new)
	s.signal(syscall.SIGHUP)
	waitFor(s.t, 20*time.Second, "the company file is read again", func() bool { return strings.Count(s.output.String(), done) > before })
}
