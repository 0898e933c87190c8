package e2e

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net"
	"net/mail"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"vpbx/media/audio"
	"vpbx/pbx"
)

// boxPIN is long enough that ports, ids and times have it by no chance.
const boxPIN = "470815926311"

// TestVoicemail has a foreign phone leave a message for another, which is not there: the
// tone that it speaks is in the e-mail that a real SMTP server gets, in the record, and in
// what the other phone hears by *97; its lamp is lit and goes out.
func TestVoicemail(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"mp3", "wav"} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			testVoicemail(t, format)
		})
	}
}

func testVoicemail(t *testing.T, format string) {
	post := startPost(t)
	company := strings.Replace(acme{}.String(), `password: s3cret-101,`, `password: s3cret-101, email: anna@acme.test, voicemail: {pin: "`+boxPIN+`"},`, 1)
	s := serve(t, serverOptions{Company: company, Config: fmt.Sprintf("mail: {server: %q, tls: none, from: pbx@acme.test, sound: %s}\n", post.addr, format)})
	ivan := startBaresip(t, s, baresipOptions{User: "102", Password: "s3cret-102", Tone: 880})
	ivan.do("dial", "sip:101@acme.vpbx.test")
	ivan.waitEvent("CALL_ESTABLISHED")
	waitFor(t, 20*time.Second, "the message is being recorded", func() bool {
		list := s.live()
		return len(list) == 1 && list[0].Recording == pbx.RecordingOn
	})
	s.waitRecorded(0, 880, 3)
	ivan.do("hangup", "")
	r := s.wantRecord("102", pbx.OutcomeVoicemail, pbx.Hangup)
	if len(r.Recordings) != 1 || r.Recordings[0].Box != "101" {
		t.Fatalf("recordings %+v", r.Recordings)
	}
	s.recording(r).wantTone(t, "the message", 0, 880, 2)

	waitFor(t, 30*time.Second, "the e-mail", func() bool { return len(post.taken()) == 1 })
	to, kind, heard := attachment(t, post.taken()[0])
	if to != "anna@acme.test" || kind != "audio/mpeg" && kind != "audio/wav" {
		t.Errorf("e-mail for %s with %s", to, kind)
	}
	heard.wantTone(t, "the attachment", 0, 880, 2)

	anna := startBaresip(t, s, baresipOptions{User: "101", Password: "s3cret-101", Tone: 440})
	lamp := startSIPp(t, sippOptions{Scenario: "phone_mailbox", Host: "127.0.0.14", To: s.udp.String(), Values: phoneCall("101", "101")})
	if took := anna.openBox(); took > 7*time.Second { // the box waits for a PIN for 10 s, and 5 s for a key
		t.Logf("the PIN took %v: it is pressed in a call of its own, should the box have given up", took)
		anna.do("hangup", "")
		anna.waitEvent("CALL_CLOSED")
		anna.openBox()
	}
	anna.waitHeard(880, 2)
	waitFor(t, 60*time.Second, "the message is heard to its end", func() bool { return strings.Contains(lamp.file("messages.log"), "Voice-Message: 0/1") })
	anna.do("sndcode", "7")
	lamp.done()
	anna.do("hangup", "")
	s.find("*97", func(r record) bool { return r.Outcome == pbx.OutcomeAnswered && r.Cause.Reason == pbx.Hangup })
	s.wantSecret(boxPIN)
	s.wantNoKeys()
}

// openBox calls the box and presses the PIN, and gives how long that took.
func (b *baresip) openBox() time.Duration {
	b.t.Helper()
	b.do("dial", "sip:*97@acme.vpbx.test")
	b.waitEvent("CALL_ESTABLISHED")
	began := time.Now()
	for _, key := range boxPIN + "#" {
		b.do("sndcode", string(key))
		b.pause(100 * time.Millisecond)
	}
	return time.Since(began)
}

// after is true when a time is over.
func after(d time.Duration) func() bool {
	began := time.Now()
	return func() bool { return time.Since(began) >= d }
}

// post is an SMTP server.
type post struct {
	addr string

	mu   sync.Mutex
	took [][]byte
}

func startPost(t *testing.T) *post {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &post{addr: l.Addr().String()}
	s := smtp.NewServer(p)
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close(); <-done })
	return p
}

func (p *post) taken() [][]byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.took
}

// NewSession greets whoever connects.
func (p *post) NewSession(*smtp.Conn) (smtp.Session, error) { return p, nil }

// Mail takes any sender.
func (p *post) Mail(string, *smtp.MailOptions) error { return nil }

// Rcpt takes any address.
func (p *post) Rcpt(string, *smtp.RcptOptions) error { return nil }

// Data keeps an e-mail.
func (p *post) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.took = append(p.took, b)
	return err
}

// Reset forgets nothing.
func (p *post) Reset() {}

// Logout ends nothing.
func (p *post) Logout() error { return nil }

// played is a sound file as a foreign player decodes it.
func played(t *testing.T, data []byte) []byte {
	t.Helper()
	need(t, "ffmpeg")
	c := exec.Command("ffmpeg", "-v", "error", "-i", "pipe:0", "-f", "wav", "-ac", "1", "-ar", "8000", "pipe:1")
	c.Stdin = bytes.NewReader(data)
	out, err := c.Output()
	if err != nil {
		t.Fatalf("play an attachment: %v", err)
	}
	return out
}

// attachment reads an e-mail: for whom it is, and the sound that goes with it.
func attachment(t *testing.T, raw []byte) (to, kind string, heard sound) {
	t.Helper()
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	list, err := m.Header.AddressList("To")
	if err != nil || len(list) != 1 {
		t.Fatalf("addresses %v, %v", list, err)
	}
	_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	for parts := multipart.NewReader(m.Body, params["boundary"]); ; {
		p, err := parts.NextRawPart()
		if err != nil {
			t.Fatalf("an e-mail without sound: %v", err)
		}
		if kind, _, err = mime.ParseMediaType(p.Header.Get("Content-Type")); err != nil || !strings.HasPrefix(kind, "audio/") {
			continue
		}
		data, err := io.ReadAll(base64.NewDecoder(base64.StdEncoding, p))
		if err != nil {
			t.Fatal(err)
		}
		if kind == "audio/mpeg" { // of 8000 samples a second, which is MPEG 2.5
			data = played(t, data)
		}
		pcm, err := audio.ReadSound(data, audio.Limits{Length: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		return list[0].Address, kind, sound{channels: [][]int16{audio.Resample(pcm.Samples, pcm.Rate, rate)}}
	}
}
