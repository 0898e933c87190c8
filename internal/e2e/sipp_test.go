package e2e

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
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
	text = strings.ReplaceAll(text, "@sound@", alawFile(t, p.dir, "tone.alaw", max(o.Tone, 1)))
	if name := placeholder.FindString(text); name != "" {
		t.Fatalf("scenario %s: no value for %s", o.Scenario, name)
	}
	file := write(t, filepath.Join(p.dir, "scenario.xml"), text)
	calls := fmt.Sprint(max(o.Calls, 1))
	args := []string{"-sf", file, "-i", p.host, "-p", p.port, "-mi", p.host, "-mp", freePort(t, p.host), "-m", calls, "-l", calls,
		"-nostdin", "-timeout", fmt.Sprintf("%ds", 90*patience), "-timeout_error", "-max_invite_retrans", "12", "-max_non_invite_retrans", "20", "-trace_err", "-error_file", "errors.log",
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

// waitBound waits until the scenario's socket is there. To try to bind it would be in the
// way of who is about to.
func (p *sipp) waitBound() {
	p.t.Helper()
	at := net.JoinHostPort(p.host, p.port)
	ip, err := netip.ParseAddrPort(at)
	if err != nil {
		p.t.Fatalf("address of sipp: %v", err)
	}
	b := ip.Addr().As4()
	entry := fmt.Sprintf(" %08X:%04X ", binary.LittleEndian.Uint32(b[:]), ip.Port())
	waitFor(p.t, 20*time.Second, "sipp listens on "+at, func() bool {
		sockets, err := os.ReadFile("/proc/net/udp")
		return err == nil && bytes.Contains(sockets, []byte(entry))
	})
}

// addr is its host:port.
func (p *sipp) addr() string { return net.JoinHostPort(p.host, p.port) }

// done waits for the end of the scenario, which must have gone as written.
func (p *sipp) done() {
	p.t.Helper()
	if err := p.wait(p.t, 100*time.Second); err != nil {
		p.t.Fatalf("%s: %v", p.name, err)
	}
}

// tell lets a scenario go on that waits for a MESSAGE: the test says when, no clock.
func (p *sipp) tell() {
	p.t.Helper()
	var id string
	waitFor(p.t, 20*time.Second, p.name+" has a call", func() bool {
		id = dialogIn(p.file("messages.log")).callID
		return id != ""
	})
	c, err := net.Dial("udp", p.addr())
	if err != nil {
		p.t.Fatalf("tell sipp: %v", err)
	}
	defer c.Close()
	if _, err := fmt.Fprintf(c, "MESSAGE sip:%s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%s\r\nFrom: <sip:test@127.0.0.1>;tag=test\r\nTo: <sip:%[1]s>\r\nCall-ID: %[4]s\r\nCSeq: 99 MESSAGE\r\nContent-Length: 0\r\n\r\n",
		p.addr(), c.LocalAddr(), random(), id); err != nil {
		p.t.Fatalf("tell sipp: %v", err)
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
