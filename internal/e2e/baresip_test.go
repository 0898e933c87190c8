package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// baresip is a foreign phone. It sends a tone from a file, and keeps what it
// hears in another.
type baresip struct {
	*process
	t     *testing.T
	dir   string
	ctrl  net.Conn
	mu    sync.Mutex
	seen  []baresipEvent
	asked int
	told  int             // commands
	done  map[string]bool // tokens of those that were answered
}

// baresipEvent is what it tells on its control connection.
type baresipEvent struct {
	Type  string
	Peer  string `json:"peeruri"`
	Param string
	Token string // of the command that it answers
}

// baresipOptions say who the phone is.
type baresipOptions struct {
	User, Password string
	Transport      string // udp (also ""), tcp or tls
	Tone           float64
	Auto           bool // answers by itself
	Codecs         string
	Secured        string // mediaenc: srtp, srtp-mand, srtp-mandf or dtls_srtp; "": plain
	Mux            bool   // RTCP on the port of RTP
	Watches        string // an extension whose presence it watches
	Carrier        bool   // it does not register: the server knows it by its address, 127.0.0.1
	At             string // host:port on which it listens; "": any of 127.0.0.1
}

// startBaresip starts a phone and waits until it is registered.
func startBaresip(t *testing.T, s *server, o baresipOptions) *baresip {
	t.Helper()
	need(t, "baresip")
	b := &baresip{t: t, dir: t.TempDir(), done: map[string]bool{}}
	toneFile(t, b.dir, "tone.wav", o.Tone, toneLength)
	control := controlAddress(t)
	config, contacts := b.configText(s, control), ""
	if o.At != "" {
		config = strings.Replace(config, "sip_listen 127.0.0.1:0", "sip_listen "+o.At, 1)
	}
	if o.Secured != "" {
		config += "module srtp.so\nmodule dtls_srtp.so\n"
	}
	if o.Mux {
		config += "rtcp_mux yes\n"
	}
	if o.Watches != "" {
		config += "module_app contact.so\nmodule_app presence.so\n"
		contacts = fmt.Sprintf("\"Colleague\" <sip:%s@acme.vpbx.test>;presence=p2p\n", o.Watches)
	}
	write(t, filepath.Join(b.dir, "config"), config)
	write(t, filepath.Join(b.dir, "accounts"), b.account(s, o))
	write(t, filepath.Join(b.dir, "contacts"), contacts)
	b.process = start(t, "baresip "+o.User, b.dir, "baresip", "-4", "-s", "-v", "-f", b.dir)
	waitFor(t, 20*time.Second, "the control port of baresip", func() bool {
		if !b.running() {
			t.Fatalf("baresip did not start: %v", b.err)
		}
		c, err := net.Dial("tcp", control)
		if err == nil {
			b.ctrl = c
		}
		return err == nil
	})
	go b.listen()
	t.Cleanup(func() { b.ctrl.Close() })
	if !o.Carrier {
		s.waitRegistered(o.User, 1)
	}
	return b
}

func (b *baresip) configText(s *server, control string) string {
	modules := "/usr/lib/baresip/modules"
	if found, _ := filepath.Glob("/usr/lib/*/baresip/modules"); len(found) > 0 {
		modules = found[0]
	}
	ca := ""
	if s.tls.IsValid() {
		ca = "sip_cafile " + filepath.Join(s.dir, "cert.pem") + "\n"
	}
	return fmt.Sprintf(`poll_method epoll
sip_listen 127.0.0.1:0
net_interface 127.0.0.1
call_local_timeout 120
call_max_calls 4
audio_path /nonexistent
audio_player aufile,%[1]s/player.wav
audio_source aufile,%[1]s/tone.wav
audio_alert aufile,%[1]s/alert.wav
ausrc_srate 8000
auplay_srate 8000
ausrc_channels 1
auplay_channels 1
audio_txmode poll
rtp_ports 40000-49999
jitter_buffer_delay 2-10
module_path %[2]s
module g711.so
module aufile.so
module sndfile.so
module_tmp uuid.so
module_tmp account.so
module_app ctrl_tcp.so
module_app menu.so
ctrl_tcp_listen %[3]s
snd_path %[1]s
%[4]s`, b.dir, modules, control, ca)
}

func (b *baresip) account(s *server, o baresipOptions) string {
	at, transport := s.udp, "udp"
	switch o.Transport {
	case "tcp":
		at, transport = s.tcp, "tcp"
	case "tls":
		at, transport = s.tls, "tls"
	}
	mode := "manual"
	if o.Auto {
		mode = "auto"
	}
	if o.Codecs == "" {
		o.Codecs = "PCMA,PCMU"
	}
	if o.Carrier {
		return fmt.Sprintf("<sip:%s@127.0.0.1>;outbound=\"sip:%s\";regint=0;answermode=%s;audio_codecs=%s\n", o.User, at, mode, o.Codecs)
	}
	secured := ""
	if o.Secured != "" {
		secured = ";mediaenc=" + o.Secured
	}
	return fmt.Sprintf("<sip:%s@acme.vpbx.test;transport=%s>;auth_pass=%s;outbound=\"sip:%s;transport=%s\";regint=60;answermode=%s;audio_codecs=%s%s\n",
		o.User, transport, o.Password, at, transport, mode, o.Codecs, secured)
}

// listen reads the events until the connection ends.
func (b *baresip) listen() {
	in := bufio.NewReader(b.ctrl)
	for {
		head, err := in.ReadString(':')
		if err != nil {
			return
		}
		n, err := strconv.Atoi(strings.TrimSuffix(head, ":"))
		if err != nil || n > 1<<20 {
			return
		}
		body := make([]byte, n+1) // with the comma
		for read := 0; read < len(body); {
			k, err := in.Read(body[read:])
			if err != nil {
				return
			}
			read += k
		}
		var e baresipEvent
		if json.Unmarshal(body[:n], &e) != nil {
			continue
		}
		b.mu.Lock()
		if e.Type != "" {
			b.seen = append(b.seen, e)
		}
		b.done[e.Token] = true
		b.mu.Unlock()
	}
}

// do gives the phone a command, as its keyboard would, and gives the token of its answer.
func (b *baresip) do(command, params string) (token string) {
	b.t.Helper()
	b.told++
	token = strconv.Itoa(b.told)
	text, err := json.Marshal(map[string]string{"command": command, "params": params, "token": token})
	if err != nil {
		b.t.Fatalf("command baresip: %v", err)
	}
	if _, err := fmt.Fprintf(b.ctrl, "%d:%s,", len(text), text); err != nil {
		b.t.Fatalf("command baresip: %v", err)
	}
	return token
}

// pause waits until the phone itself has gone on for so long: it answers a question in
// each part of it. One that stands still sends nothing, and then obeys all commands at once.
func (b *baresip) pause(d time.Duration) {
	b.t.Helper()
	const part = 50 * time.Millisecond
	for range d / part {
		waitFor(b.t, time.Second, "a part of a pause", after(part))
		token := b.do("about", "")
		waitFor(b.t, 30*time.Second, b.name+" answers", func() bool {
			b.mu.Lock()
			defer b.mu.Unlock()
			return b.done[token]
		})
	}
}

// waitEvent waits for the next event of a type, and gives it.
func (b *baresip) waitEvent(kind string) baresipEvent {
	b.t.Helper()
	var found baresipEvent
	waitFor(b.t, 30*time.Second, b.name+" reports "+kind, func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		for i, e := range b.seen[b.asked:] {
			if e.Type == kind {
				found = e
				b.asked += i + 1
				return true
			}
		}
		return false
	})
	return found
}

// messages are the SIP messages it saw that begin so, whole.
func (b *baresip) messages(begin string) []string {
	var found []string
	for m := range strings.SplitSeq(b.output.String(), "\r\n\r\n") {
		if i := strings.Index(m, "\n"+begin); i >= 0 {
			found = append(found, m[i+1:])
		}
	}
	return found
}

// heard is what the phone has decoded in its calls so far, one after another.
func (b *baresip) heard() sound {
	b.t.Helper()
	all := sound{channels: make([][]int16, 1)}
	files, err := filepath.Glob(filepath.Join(b.dir, "dump-*-dec.wav")) // by time
	if err != nil {
		b.t.Fatalf("find what baresip heard: %v", err)
	}
	for _, file := range files {
		all.channels[0] = append(all.channels[0], growing(b.t, file).channels[0]...)
	}
	return all
}

// waitHeard waits until the phone has heard a tone for so many seconds.
func (b *baresip) waitHeard(freq, seconds float64) {
	b.t.Helper()
	waitFor(b.t, 30*time.Second, fmt.Sprintf("%s hears %.0f Hz for %.1f s", b.name, freq, seconds), func() bool {
		return b.heard().tones(0, freq) >= seconds
	})
}

// phones counts the phones of this process.
var phones atomic.Uint32

// controlAddress is where a phone listens for our commands: a free port of a
// loopback address that nobody else has. A free port of 127.0.0.1 may be the local
// end of somebody's connection before the phone binds it.
func controlAddress(t *testing.T) string {
	t.Helper()
	n := phones.Add(1)
	l, err := net.Listen("tcp", fmt.Sprintf("127.%d.%d.%d:0", 1+os.Getpid()%250, n/250, 1+n%250))
	if err != nil {
		t.Fatalf("find a free port: %v", err)
	}
	defer l.Close()
	return l.Addr().String()
}
