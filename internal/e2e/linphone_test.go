package e2e

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"vpbx/media/audio"
)

// linphone is a second foreign phone, Linphone's console client. It is given
// commands as at its keyboard, says a tone from a file, and keeps what it hears in
// another.
type linphone struct {
	*process
	t     *testing.T
	dir   string
	keys  io.WriteCloser
	opus  bool
	asked int // how much of its output was waited for
}

// linphoneOptions say who the phone is.
type linphoneOptions struct {
	User, Password string
	Transport      string // udp (also ""), tcp or tls
	Tone           float64
	Auto           bool // answers by itself
	INFO           bool // sends keys by INFO, and has no telephone events
	Video          bool // offers video, too
	Secured        bool // talks with SRTP only
	Opus           bool // knows Opus only, else G.711 only
}

// startLinphone starts a phone and waits until it is registered.
func startLinphone(t *testing.T, s *server, o linphoneOptions) *linphone {
	t.Helper()
	need(t, "linphonec")
	l := &linphone{t: t, dir: t.TempDir(), opus: o.Opus}
	// It keeps a database there, and grumbles when it cannot.
	if err := os.MkdirAll(filepath.Join(l.dir, ".local", "share", "linphone"), 0o700); err != nil {
		t.Fatalf("make a directory: %v", err)
	}
	config := write(t, filepath.Join(l.dir, "config"), linphoneConfig(t, s, o))
	args := []string{"-c", config, "-d", "6", "-l", filepath.Join(l.dir, "log")}
	if o.Video {
		args = append(args, "-V")
	}
	cmd := exec.Command("linphonec", args...)
	cmd.Dir = l.dir
	cmd.Env = append(os.Environ(), "HOME="+l.dir, "TERM=dumb")
	keys, err := cmd.StdinPipe()
	if err != nil {
		t.Fatalf("start linphone: %v", err)
	}
	l.keys = keys
	l.process = startCommand(t, "linphone "+o.User, cmd)
	l.do("soundcard use files")
	l.do("play " + toneFile(t, l.dir, "tone.wav", o.Tone, toneLength))
	l.do("record " + filepath.Join(l.dir, "heard.wav"))
	if o.Auto {
		l.do("autoanswer enable")
	}
	s.waitRegistered(o.User, 1)
	return l
}

// linphoneConfig is the file it reads at its start. Port -1 is one that the kernel
// chooses, -2 none to listen on.
func linphoneConfig(t *testing.T, s *server, o linphoneOptions) string {
	t.Helper()
	at, udp, tcp, tls, ca := s.udp.String(), -2, -2, -2, ""
	switch o.Transport {
	case "tcp":
		at, tcp = s.tcp.String(), -1
	case "tls":
		// Its TLS knows names in certificates, not addresses.
		at, tls, ca = fmt.Sprintf("localhost:%d", s.tls.Port()), -1, "root_ca="+filepath.Join(s.dir, "cert.pem")+"\n"
	default:
		o.Transport, udp = "udp", -1
	}
	keys := ""
	if o.INFO {
		keys = "use_info=1\nuse_rfc2833=0\n"
	}
	encryption := "media_encryption=none"
	if o.Secured {
		encryption = "media_encryption=srtp\nmedia_encryption_mandatory=1"
	}
	law, opus := 1, 0
	if o.Opus {
		law, opus = 0, 1
	}
	codecs := ""
	for i, c := range []string{"opus 48000 2", "speex 16000 1", "speex 8000 1", "PCMU 8000 1", "PCMA 8000 1", "G729 8000 1"} {
		var mime string
		var rate, channels int
		if _, err := fmt.Sscan(c, &mime, &rate, &channels); err != nil {
			t.Fatalf("codec %q: %v", c, err)
		}
		enabled := map[string]int{"opus": opus, "PCMU": law, "PCMA": law}[mime]
		codecs += fmt.Sprintf("[audio_codec_%d]\nmime=%s\nrate=%d\nchannels=%d\nenabled=%d\n\n", i, mime, rate, channels, enabled)
	}
	media := freeMedia(t)
	return fmt.Sprintf(`[sip]
sip_port=%d
sip_tcp_port=%d
sip_tls_port=%d
bind_address=127.0.0.1
guess_hostname=0
use_ipv6=0
default_proxy=0
%s
%s%s
[rtp]
audio_rtp_port=%d-%d
video_rtp_port=%[7]d-%[8]d

[sound]
echocancellation=0
echolimiter=0

[proxy_0]
reg_proxy=<sip:%[9]s;transport=%[10]s>
reg_route=<sip:%[9]s;transport=%[10]s;lr>
reg_identity=<sip:%[11]s@acme.vpbx.test>
reg_expires=60
reg_sendregister=1
publish=0

[auth_info_0]
username=%[11]s
passwd=%[12]s
realm=acme.vpbx.test
domain=acme.vpbx.test

%[13]s`, udp, tcp, tls, encryption, ca, keys, media, media+mediaBlock-1, at, o.Transport, o.User, o.Password, codecs)
}

// mediaBlock is how many ports a Linphone takes its media ports from. Two of them
// must not share a block: it binds ports that others have bound.
const mediaBlock = 16

var mediaBlocks atomic.Uint32

// freeMedia gives the first port of a block that nobody uses, below those of the
// server and those that the kernel gives away.
func freeMedia(t *testing.T) int {
	t.Helper()
	const first, blocks = 10000, 600
	for range blocks {
		port := first + mediaBlock*int((mediaBlocks.Add(1)+uint32(os.Getpid()))%blocks)
		free := true
		for i := 0; i < mediaBlock && free; i++ {
			c, err := net.ListenUDP("udp", &net.UDPAddr{Port: port + i})
			if free = err == nil; free {
				c.Close()
			}
		}
		if free {
			return port
		}
	}
	t.Fatal("no media ports are free")
	return 0
}

// do gives the phone a command, as its keyboard would.
func (l *linphone) do(command string) {
	l.t.Helper()
	if _, err := fmt.Fprintln(l.keys, command); err != nil {
		l.t.Fatalf("command linphone: %v", err)
	}
}

// waitSays waits until the phone prints a text after the one waited for last.
func (l *linphone) waitSays(text string) {
	l.t.Helper()
	waitFor(l.t, 30*time.Second, fmt.Sprintf("%s says %q", l.name, text), func() bool {
		said := l.output.String()
		i := strings.Index(said[l.asked:], text)
		if i >= 0 {
			l.asked += i + len(text)
		}
		return i >= 0
	})
}

// messages are the SIP messages it saw that begin so, whole, with their bodies.
func (l *linphone) messages(begin string) []string {
	l.t.Helper()
	raw, err := os.ReadFile(filepath.Join(l.dir, "log"))
	if err != nil {
		l.t.Fatalf("read the log of linphone: %v", err)
	}
	var found []string
	for text := string(raw); ; {
		i := strings.Index(text, "\n"+begin)
		if i < 0 {
			return found
		}
		text = text[i+1:]
		message, _, _ := strings.Cut(text, "\n20") // the year of its next line
		found = append(found, message)
	}
}

// heard is what the phone has heard in its calls so far. It writes its file at the
// clock of its codec and the header only at the end.
func (l *linphone) heard() sound {
	l.t.Helper()
	heard := growing(l.t, filepath.Join(l.dir, "heard.wav"))
	if l.opus {
		heard.channels[0] = audio.Resample(heard.channels[0], 48000, rate)
	}
	return heard
}

// waitHeard waits until the phone has heard a tone for so many seconds.
func (l *linphone) waitHeard(freq, seconds float64) {
	l.t.Helper()
	waitFor(l.t, 30*time.Second, fmt.Sprintf("%s hears %.0f Hz for %.1f s", l.name, freq, seconds), func() bool {
		return l.heard().tones(0, freq) >= seconds
	})
}
