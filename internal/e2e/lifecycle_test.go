package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"vpbx/pbx"
)

// talking brings up a server with two phones that talk to each other, recorded.
func talking(t *testing.T, o serverOptions) (s *server, anna, ivan *baresip) {
	t.Helper()
	if o.Company == "" {
		o.Company = acme{Carrier: "127.0.0.10:5060", Record: true}.String()
	}
	s = serve(t, o)
	anna = startBaresip(t, s, baresipOptions{User: "101", Password: "s3cret-101", Tone: 440})
	ivan = startBaresip(t, s, baresipOptions{User: "102", Password: "s3cret-102", Tone: 880, Auto: true})
	anna.do("dial", "sip:102@acme.vpbx.test")
	anna.waitEvent("CALL_ESTABLISHED")
	return s, anna, ivan
}

// TestKill kills the process in mid-call. The next one has the record, the
// recording up to the last second, and the registrations.
func TestKill(t *testing.T) {
	t.Parallel()
	s, anna, ivan := talking(t, serverOptions{Again: true})
	s.waitRecorded(0, 440, 1.5)
	s.waitRecorded(1, 880, 1.5)
	written := s.waitWritten()
	s.crash()
	anna.do("hangup", "")
	ivan.do("hangup", "")
	s.restart()

	if n := s.registered("101") + s.registered("102"); n != 2 {
		t.Errorf("%d registrations are left, want 2", n)
	}
	r := s.wantRecord("101", pbx.OutcomeAnswered, pbx.Interrupted)
	rec := s.recording(r)
	if rec.seconds() < written {
		t.Errorf("the recording has %.2f s of the %.2f s that were in its file", rec.seconds(), written)
	}
	if d := r.Recordings[0].Seconds - rec.seconds(); d < -0.1 || d > 0.1 {
		t.Errorf("the record says %v s, the file has %v s", r.Recordings[0].Seconds, rec.seconds())
	}
	rec.wantTone(t, "the caller's side of the recording", 0, 440, 1.5)
	rec.wantTone(t, "the callee's side of the recording", 1, 880, 1.5)

	ivan.waitEvent("CALL_CLOSED")
	anna.waitEvent("CALL_CLOSED")
	anna.do("dial", "sip:102@acme.vpbx.test") // the phones have not registered again
	anna.waitEvent("CALL_ESTABLISHED")
	anna.do("hangup", "")
	ivan.waitEvent("CALL_CLOSED")
	waitFor(t, 20*time.Second, "the record of the second call", func() bool { return len(s.records("101")) == 2 })
}

// waitWritten waits until the file of the recording of the only call is not more than a
// second behind the call, and gives how much it has: at an instant when the machine stands
// still it is further behind.
func (s *server) waitWritten() (seconds float64) {
	s.t.Helper()
	live := s.waitLive(pbx.Bridged)
	waitFor(s.t, 20*time.Second, "the file is a second behind the call at most", func() bool {
		all := s.recorded()
		if len(all) != 1 {
			return false
		}
		seconds = all[0].seconds()
		return time.Since(*live.Answered).Seconds()-seconds <= 1
	})
	return seconds
}

// TestDrain ends the process by SIGTERM in mid-call: new calls are refused with
// Retry-After, the call goes on, and the process ends with it.
func TestDrain(t *testing.T) {
	t.Parallel()
	s, anna, _ := talking(t, serverOptions{Again: true})
	anna.waitHeard(880, 0.5)
	s.signal(syscall.SIGTERM)
	waitFor(t, 20*time.Second, "readyz says 503", func() bool {
		status, _, _ := s.request("GET", "/readyz", "")
		return status == 503
	})
	p := startSIPp(t, sippOptions{Scenario: "carrier_refused", To: s.udp.String(), Values: call(owned, "status", "503")})
	p.done()
	if !strings.Contains(p.file("messages.log"), "Retry-After:") {
		t.Error("503 without Retry-After")
	}
	before := anna.heard().tones(0, 880)
	anna.waitHeard(880, before+1)
	s.waitRecorded(1, 880, 1)
	anna.do("hangup", "")
	if err := s.wait(t, 30*time.Second); err != nil {
		t.Errorf("vpbx ended with %v", err)
	}
	s.start()
	r := s.wantRecord("101", pbx.OutcomeAnswered, pbx.Hangup)
	s.recording(r).wantTone(t, "the callee's side of the recording", 1, 880, 1)
}

// TestReload reads a changed company file by SIGHUP in mid-call. The call goes
// on, the change counts for the next one; a wrong file changes nothing.
func TestReload(t *testing.T) {
	t.Parallel()
	s, anna, ivan := talking(t, serverOptions{})
	s.rewrite(`  - {number: "102", name: Иван Волков, password: s3cret-102, record: true, dtmf: ""}`,
		`  - {number: "102", name: Иван Волков, password: changed-102}`)
	s.rewrite("groups:", "  - {number: \"104\", name: Новенький, password: s3cret-104}\ngroups:")
	s.signal(syscall.SIGHUP)
	startBaresip(t, s, baresipOptions{User: "104", Password: "s3cret-104", Tone: 1200, Auto: true})
	before := anna.heard().tones(0, 880)
	anna.waitHeard(880, before+1)
	anna.do("hangup", "")
	ivan.waitEvent("CALL_CLOSED")
	r := s.wantRecord("102", pbx.OutcomeAnswered, pbx.Hangup)
	if len(r.Recordings) != 1 || r.Recordings[0].Error != "" {
		t.Errorf("recordings: %+v", r.Recordings)
	}

	s.rewrite(`number: "104"`, `number: "1o4"`)
	s.signal(syscall.SIGHUP)
	waitFor(t, 20*time.Second, "the wrong file is refused", func() bool { return strings.Contains(s.output.String(), "reload refused") })
	anna.do("dial", "sip:104@acme.vpbx.test")
	anna.waitEvent("CALL_ESTABLISHED")
	anna.do("hangup", "")
	s.wantRecord("104", pbx.OutcomeAnswered, pbx.Hangup)
}

// TestCheck runs vpbx check on right and wrong files.
func TestCheck(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	right := write(t, filepath.Join(dir, "right.yaml"), acme{Carrier: "127.0.0.10:5060", Provider: "127.0.0.12:5060", CRM: "http://127.0.0.1:9"}.String())
	wrong := write(t, filepath.Join(dir, "wrong.yaml"), strings.Replace(acme{}.String(), `members: ["101", "102"], strategy: all`, `members: ["101", "999"], strategy: loud`, 1))
	config := func(name, text string) string { return write(t, filepath.Join(dir, name), text) }
	for _, c := range []struct {
		name, config string
		status       int
		want         []string
		not          []string
	}{
		{"empty", config("empty.conf", ""), 0, []string{"node: vpbx1", "0.0.0.0:5060"}, nil},
		{"right", config("right.conf", "http: {token: verysecret}\nprovision: ["+right+"]\n"), 0, []string{"company acme", "3 extensions"}, []string{"verysecret", "s3cret-101", signKey}},
		{"unknown key", config("unknown.conf", "node: a\nmedai: {ports: 1-2}\n"), 1, []string{"medai", "line 2"}, nil},
		{"two mistakes", config("two.conf", "media: {ports: 9-1}\nlog: {level: loud}\n"), 1, []string{"media.ports", "log.level"}, nil},
		{"wrong company", config("wrong.conf", "provision: ["+wrong+"]\n"), 1, []string{"wrong.yaml", "groups", "999", "strategy", "line"}, nil},
		{"no company file", config("missing.conf", "provision: [nothing.yaml]\n"), 1, []string{"nothing.yaml"}, nil},
		{"no config", filepath.Join(dir, "nothing.conf"), 1, []string{"nothing.conf"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cmd := command(t, dir, "check", "--config", c.config)
			out, _ := cmd.CombinedOutput()
			if got := cmd.ProcessState.ExitCode(); got != c.status {
				t.Errorf("status %d, want %d", got, c.status)
			}
			for _, w := range c.want {
				if !strings.Contains(string(out), w) {
					t.Errorf("lacks %q:\n%s", w, out)
				}
			}
			for _, w := range c.not {
				if strings.Contains(string(out), w) {
					t.Errorf("shows %q:\n%s", w, out)
				}
			}
		})
	}
}

// TestNoStart starts a second server on the ports of the first: one line says
// which key is wrong, and the status is 1.
func TestNoStart(t *testing.T) {
	t.Parallel()
	s := serve(t, serverOptions{Company: acme{}.String()})
	dir := t.TempDir()
	text := strings.Replace(s.configText(), filepath.Join(s.dir, "data"), filepath.Join(dir, "data"), 1)
	config := write(t, filepath.Join(dir, "vpbx.yaml"), text)
	cmd := command(t, dir, "serve", "--config", config)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	_ = cmd.Run() // its status is looked at
	lines := strings.Split(strings.TrimSpace(stderr.String()), "\n")
	last := lines[len(lines)-1]
	if cmd.ProcessState.ExitCode() != 1 || !strings.HasPrefix(last, "vpbx: ") || !strings.Contains(last, "address already in use") || !strings.Contains(last, "sip.listen") {
		t.Errorf("status %d, says %q", cmd.ProcessState.ExitCode(), last)
	}
}

// TestDemo runs the demo as a newcomer does, once.
func TestDemo(t *testing.T) {
	t.Parallel()
	cmd := command(t, t.TempDir(), "demo", "--once")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("vpbx demo --once: %v\n%s", err, out)
	}
	for _, w := range []string{"owner 101 by crm", "answered", "the recording", "holds both"} {
		if !strings.Contains(string(out), w) {
			t.Errorf("the demo does not print %q:\n%s", w, out)
		}
	}
	left, err := os.ReadDir(cmd.Dir)
	if err != nil || len(left) != 0 {
		t.Errorf("the demo left %v in its directory (%v)", left, err)
	}
}

// TestFullDisk records to a disk that is full after two seconds: the call goes
// on, and its record says so.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("mounting a small disk needs root")
	}
	data := t.TempDir()
	recordings := filepath.Join(data, "recordings")
	if err := os.Mkdir(recordings, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", recordings, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("mount a small disk: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(recordings, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	s, anna, ivan := talking(t, serverOptions{Data: data})
	anna.waitHeard(880, 4)
	anna.do("hangup", "")
	ivan.waitEvent("CALL_CLOSED")
	r := s.wantRecord("101", pbx.OutcomeAnswered, pbx.Hangup)
	if len(r.Recordings) != 1 || !strings.Contains(r.Recordings[0].Error, "no space left") && !strings.Contains(r.Recordings[0].Error, "disk") {
		t.Errorf("recordings: %+v", r.Recordings)
	}
	if s.metric(`vpbx_recordings_total{result="failed"}`) != 1 {
		t.Error("the recording that failed is not counted")
	}
	if len(r.Recordings) == 1 {
		if got, want := s.recording(r).seconds(), r.Recordings[0].Seconds; got < want-0.1 || got > want+0.1 {
			t.Errorf("the record says %v s, the file has %v s", want, got)
		}
	}
}
