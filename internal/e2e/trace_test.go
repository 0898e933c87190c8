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

// capturing reads a capture of an extension until stop.
func (s *server) capturing(ext string) (stop func() []byte) {
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
	var b bytes.Buffer
	over := make(chan struct{})
	go func() {
		defer close(over)
		_, _ = io.Copy(&b, res.Body) // ends by stop
		res.Body.Close()
	}()
	return func() []byte {
		cancel()
		<-over
		return b.Bytes()
	}
}

// count counts the messages whose start line has a prefix.
func count(messages []string, start string) (n int) {
	for _, m := range messages {
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
	for _, transport := range []string{"udp", "tcp", "tls"} {
		t.Run(transport, func(t *testing.T) {
			homer := collect(t)
			t.Setenv("VPBX_SIP_HEP_ADDRESS", homer.conn.LocalAddr().String())
			t.Setenv("VPBX_SIP_HEP_PASSWORD", "homer-password")
			s := serve(t, serverOptions{Company: acme{}.String(), TLS: transport == "tls"})
			stop101 := s.capturing("101")
			stop103 := s.capturing("103")
			anna := startBaresip(t, s, baresipOptions{User: "101", Password: "s3cret-101", Transport: transport, Tone: 440})
			ivan := startBaresip(t, s, baresipOptions{User: "102", Password: "s3cret-102", Transport: transport, Tone: 880, Auto: true})
			anna.do("dial", "sip:102@acme.vpbx.test")
			anna.waitEvent("CALL_ESTABLISHED")
			live := s.waitLive(pbx.Bridged)
			_, _, file := s.request("GET", "calls/"+string(live.ID)+"/pcap", "")
			if m := payloads(t, file); count(m, "INVITE") != 2 || count(m, "ACK") == 0 || count(m, "BYE") != 0 {
				t.Errorf("of the live call: %q", m)
			}
			anna.do("hangup", "")
			ivan.waitEvent("CALL_CLOSED")
			r := s.wantRecord("101", pbx.OutcomeAnswered, pbx.Hangup)
			status, _, ended := s.request("GET", "calls/"+string(r.ID)+"/pcap", "")
			m := payloads(t, ended)
			if status != 200 || count(m, "INVITE") != 2 || count(m, "BYE") != 2 || count(m, "SIP/2.0 200") != 4 {
				t.Errorf("of the ended call: %q", m)
			}
			one, none := payloads(t, stop101()), payloads(t, stop103())
			if count(one, "REGISTER") == 0 || count(one, "INVITE") != 1 || count(one, "BYE") != 1 || count(one, "SIP/2.0 200") < 3 {
				t.Errorf("of 101: %q", one)
			}
			if len(none) != 0 {
				t.Errorf("of 103, which did nothing: %q", none)
			}
			waitFor(t, 5*time.Second, "the collector has the BYE", func() bool { return homer.saw("BYE sip:", "HEP3", "homer-password") })
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
