package e2e

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// sipp is a foreign SIP user agent that plays one scenario of testdata.
type sipp struct {
	*process
	t    *testing.T
	dir  string
	host string // its address
	port string
}

// sippOptions say what it plays.
type sippOptions struct {
	Scenario string            // file of testdata without .xml
	Host     string            // own address; "": 127.0.0.10
	Port     string            // own port; "": a free one
	To       string            // host:port of the server; "": it waits for calls
	Values   map[string]string // replace @name@ in the scenario; called is to, and header nothing much, unless given
	Calls    int               // how many; 0: one
	Tone     float64           // of the sound that a scenario streams
	Args     []string
}

// placeholder is what a scenario leaves to the test.
var placeholder = regexp.MustCompile(`@[a-z]+@`)

// included is a part that several scenarios have in common: testdata/NAME.part.xml.
var included = regexp.MustCompile(`<include part="([a-z_]+)"/>`)

// startSIPp starts a scenario.
func startSIPp(t *testing.T, o sippOptions) *sipp {
	t.Helper()
	need(t, "sipp")
	p := &sipp{t: t, dir: t.TempDir(), host: o.Host, port: o.Port}
	if p.host == "" {
		p.host = "127.0.0.10"
	}
	if p.port == "" {
		p.port = freePort(t, p.host)
	}
	text := scenario(t, o.Scenario)
	text = included.ReplaceAllStringFunc(text, func(line string) string {
		return scenario(t, included.FindStringSubmatch(line)[1]+".part")
	})
	if o.Values["called"] == "" {
		text = strings.ReplaceAll(text, "@called@", o.Values["to"])
	}
	if o.Values["header"] == "" {
		text = strings.ReplaceAll(text, "@header@", "Supported: replaces")
	}
	for name, value := range o.Values {
		text = strings.ReplaceAll(text, "@"+name+"@", value)
	}
	text = strings.ReplaceAll(text, "@sound@", alawFile(t, p.dir, "tone.alaw", max(o.Tone, 1), 30*time.Second))
	if name := placeholder.FindString(text); name != "" {
		t.Fatalf("scenario %s: no value for %s", o.Scenario, name)
	}
	file := write(t, filepath.Join(p.dir, "scenario.xml"), text)
	calls := fmt.Sprint(max(o.Calls, 1))
	args := []string{"-sf", file, "-i", p.host, "-p", p.port, "-mi", p.host, "-mp", freePort(t, p.host), "-m", calls, "-l", calls,
		"-nostdin", "-timeout", "60s", "-timeout_error", "-trace_err", "-error_file", "errors.log",
		"-trace_msg", "-message_file", "messages.log", "-trace_logs", "-log_file", "logs.log"}
	if o.Values["user"] != "" { // a phone, which has to say what its digest is about
		args = append(args, "-auth_uri", o.Values["called"]+"@acme.vpbx.test")
	}
	args = append(args, o.Args...)
	if o.To != "" {
		args = append(args, o.To)
	}
	p.process = start(t, "sipp "+o.Scenario, p.dir, "sipp", args...)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("---- messages of sipp %s:\n%s\n%s", o.Scenario, p.file("messages.log"), p.file("errors.log"))
		}
	})
	if o.To == "" {
		p.waitBound()
	}
	return p
}

// scenario reads a file of testdata.
func scenario(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name+".xml"))
	if err != nil {
		t.Fatalf("read the scenario: %v", err)
	}
	return string(raw)
}

// waitBound waits until the scenario's socket is there.
func (p *sipp) waitBound() {
	p.t.Helper()
	at := net.JoinHostPort(p.host, p.port)
	waitFor(p.t, 5*time.Second, "sipp listens on "+at, func() bool {
		c, err := net.ListenPacket("udp", at)
		if err == nil {
			c.Close()
		}
		return err != nil
	})
}

// addr is its host:port.
func (p *sipp) addr() string { return net.JoinHostPort(p.host, p.port) }

// done waits for the end of the scenario, which must have gone as written.
func (p *sipp) done() {
	p.t.Helper()
	if err := p.wait(p.t, 70*time.Second); err != nil {
		p.t.Fatalf("%s: %v", p.name, err)
	}
}

// file reads one of its logs.
func (p *sipp) file(name string) string {
	b, err := os.ReadFile(filepath.Join(p.dir, name))
	if err != nil {
		return ""
	}
	return string(b)
}
