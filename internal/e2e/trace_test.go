package e2e

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"vpbx/pbx"
)

// collector is a server that takes HEP.
type collector struct {
	conn net.PacketConn
	mu   sync.Mutex
	got  [][]byte
}

func collect(t *testing.T) *collector {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &collector{conn: conn}
	over := make(chan struct{})
	go func() {
		defer close(over)
		b := make([]byte, 65536)
		for {
			n, _, err := conn.ReadFrom(b)
			if err != nil {
				return
			}
			c.mu.Lock()
			c.got = append(c.got, bytes.Clone(b[:n]))
			c.mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		conn.Close()
		<-over
	})
	return c
}

func (c *collector) saw(text ...string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
next:
	for _, d := range c.got {
		for _, s := range text {
			if !bytes.Contains(d, []byte(s)) {
				continue next
			}
		}
		return true
	}
	return false
}

// payloads gives the messages of a capture file.
func payloads(t *testing.T, file []byte) (all []string) {
	t.Helper()
	if len(file) < 24 || binary.LittleEndian.Uint32(file) != 0xa1b2c3d4 {
		t.Fatalf("not a capture file: %.100q", file)
	}
	for b := file[24:]; len(b) >= 16; {
		size := int(binary.LittleEndian.Uint32(b[8:]))
		if size > len(b)-16 {
			break // the capture was broken off by us
		}
		head := 42
		if b[16+23] == 6 {
			head = 54
		}
		all = append(all, string(b[16+head:16+size]))
		b = b[16+size:]
	}
	return all
}

// capture is what a capture of an extension has brought so far.
type capture struct {
	mu   sync.Mutex
	file bytes.Buffer
	over chan struct{}
}

// Write adds to it.
func (c *capture) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.file.Write(b)
}

// read gives its messages so far.
func (c *capture) read(t *testing.T) []string {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.file.Len() == 0 {
		return nil
	}
	return payloads(t, bytes.Clone(c.file.Bytes()))
}

// capturing captures an extension until the test ends.
func (s *server) capturing(ext string) *capture {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	req, err := http.NewRequestWithContext(ctx, "POST", "http://"+s.http+"/api/v1/tenants/acme/extensions/"+ext+"/capture", strings.NewReader(`{"seconds": 60}`))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	if res.StatusCode != 200 {
		s.t.Fatalf("capture: %s", res.Status)
	}
	c := &capture{over: make(chan struct{})}
	go func() {
		defer close(c.over)
		_, _ = io.Copy(c, res.Body) // ends by cancel
		res.Body.Close()
	}()
	s.t.Cleanup(func() { cancel(); <-c.over })
	return c
}

// count counts the messages whose start line has a prefix. What was sent again, because
// the other side was slow, is one.
func count(messages []string, start string) (n int) {
	for _, m := range once(messages) {
		if strings.HasPrefix(m, start) {
			n++
		}
	}
	return n
}

// TestTrace makes a call between two phones and looks at its messages in all
// ways there are: at the collector, in captures of both phones, and in the
// capture files of the call, live and ended.
func TestTrace(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{"udp", "tcp", "tls"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			homer := collect(t)
			s := serve(t, serverOptions{Company: acme{}.String(), TLS: transport == "tls", HEP: homer.conn.LocalAddr().String()})
			one, none := s.capturing("101"), s.capturing("103")
			anna := startBaresip(t, s, baresipOptions{User: "101", Password: "s3cret-101", Transport: transport, Tone: 440})
			ivan := startBaresip(t, s, baresipOptions{User: "102", Password: "s3cret-102", Transport: transport, Tone: 880, Auto: true})
			anna.do("dial", "sip:102@acme.vpbx.test")
			anna.waitEvent("CALL_ESTABLISHED")
			live := s.waitLive(pbx.Bridged)
			s.waitCaptured(live.ID, func(m []string) bool { return count(m, "INVITE") == 2 && count(m, "ACK") > 0 && count(m, "BYE") == 0 })
			anna.do("hangup", "")
			ivan.waitEvent("CALL_CLOSED")
			r := s.wantRecord("101", pbx.OutcomeAnswered, pbx.Hangup)
			ended := s.waitCaptured(r.ID, func(m []string) bool {
				return count(m, "INVITE") == 2 && count(m, "BYE") == 2 && count(m, "SIP/2.0 200") == 4
			})
			waitFor(t, 20*time.Second, "101 is captured", func() bool {
				m := one.read(t)
				return count(m, "REGISTER") > 0 && count(m, "INVITE") == 1 && count(m, "BYE") == 1 && count(m, "SIP/2.0 200") >= 3
			})
			if m := none.read(t); len(m) != 0 {
				t.Errorf("of 103, which did nothing: %q", m)
			}
			waitFor(t, 20*time.Second, "the collector has the BYE", func() bool { return homer.saw("BYE sip:", "HEP3", "homer-password") })
			if !homer.saw("REGISTER sip:", `username="101"`, "response=****") || !homer.saw("SIP/2.0 401") {
				t.Error("the collector has no registration, or it shows how to repeat it")
			}
			tshark(t, ended)
			if n := s.metric("vpbx_sip_hep_dropped_total"); n != 0 {
				t.Errorf("%v messages were dropped", n)
			}
		})
	}
}

// waitCaptured waits until the messages of a call are as ok wants them, and gives the file.
func (s *server) waitCaptured(id pbx.CallID, ok func([]string) bool) (file []byte) {
	s.t.Helper()
	var m []string
	if !became(patience*20*time.Second, func() bool {
		var status int
		if status, _, file = s.request("GET", "calls/"+string(id)+"/pcap", ""); status != http.StatusOK {
			return false
		}
		m = payloads(s.t, file)
		return ok(m)
	}) {
		s.t.Fatalf("messages of the call: %q", m)
	}
	return file
}

// tshark reads a file with Wireshark's own reader, where it is installed: every
// frame is SIP without a complaint.
func tshark(t *testing.T, file []byte) {
	t.Helper()
	if _, err := exec.LookPath("tshark"); err != nil {
		return
	}
	path := write(t, filepath.Join(t.TempDir(), "call.pcap"), string(file))
	out, err := exec.Command("tshark", "-r", path, "-T", "fields", "-e", "sip.Method", "-e", "sip.Status-Code", "-e", "_ws.malformed").Output()
	if err != nil {
		t.Fatalf("tshark: %v", err)
	}
	n := 0
	for line := range strings.Lines(string(out)) {
		n++
		if f := strings.Split(strings.TrimSuffix(line, "\n"), "\t"); len(f) != 3 || f[0] == "" && f[1] == "" || f[2] != "" {
			t.Errorf("tshark says %q", line)
		}
	}
	if n != len(payloads(t, file)) {
		t.Errorf("tshark sees %d frames, there are %d", n, len(payloads(t, file)))
	}
}
