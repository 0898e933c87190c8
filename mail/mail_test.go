package mail

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"mime"
	"net"
	netmail "net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"vpbx/pbx"
)

const password = "secret-of-the-server"

// server is a real SMTP server on the loopback interface.
type server struct {
	smtp  *smtp.Server
	addr  string
	roots *x509.CertPool
	login bool

	mu   sync.Mutex
	took []string
}

func (s *server) NewSession(*smtp.Conn) (smtp.Session, error) { return &session{s: s}, nil }

func (s *server) taken() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.took...)
}

type session struct {
	s        *server
	loggedIn bool
}

func (c *session) AuthMechanisms() []string { return []string{sasl.Plain} }

func (c *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, given string) error {
		if user != "pbx" || given != password {
			return errors.New("you said " + given) // a server that repeats what it should not
		}
		c.loggedIn = true
		return nil
	}), nil
}

func (c *session) Mail(string, *smtp.MailOptions) error {
	if c.s.login && !c.loggedIn {
		return smtp.ErrAuthRequired
	}
	return nil
}

func (c *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	switch {
	case strings.HasPrefix(to, "nobody@"):
		return &smtp.SMTPError{Code: 550, Message: "no such user"}
	case strings.HasPrefix(to, "busy@"):
		return &smtp.SMTPError{Code: 451, Message: "come back later"}
	}
	return nil
}

func (c *session) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.s.took = append(c.s.took, string(b))
	return nil
}

func (c *session) Reset() {}

func (c *session) Logout() error { return nil }

// startServer starts a server; implicit: TLS from the start.
func startServer(t *testing.T, implicit bool) *server {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mail"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	s := &server{roots: x509.NewCertPool(), login: true}
	s.roots.AddCert(cert)
	s.smtp = smtp.NewServer(s)
	s.smtp.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
	s.smtp.MaxMessageBytes = 1 << 20
	s.smtp.TLSConfig = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().String()
	if implicit {
		l = tls.NewListener(l, s.smtp.TLSConfig)
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = s.smtp.Serve(l) }()
	t.Cleanup(func() { _ = s.smtp.Close(); <-done })
	return s
}

// queue keeps e-mails in memory.
type queue struct {
	mu      sync.Mutex
	mails   []pbx.QueuedMail
	settled chan pbx.MailSettled
}

func newQueue(mails ...pbx.Mail) *queue {
	q := &queue{settled: make(chan pbx.MailSettled, 100)}
	for i, m := range mails {
		q.mails = append(q.mails, pbx.QueuedMail{ID: string(rune('a' + i)), Tenant: "acme", Created: time.Now(), Mail: m})
	}
	return q
}

func (q *queue) DueMails(context.Context, time.Time, int) ([]pbx.QueuedMail, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return append([]pbx.QueuedMail(nil), q.mails...), nil
}

func (q *queue) NextMail(context.Context) (time.Time, error) { return time.Time{}, nil }

func (q *queue) SettleMail(_ context.Context, _ pbx.TenantID, d pbx.MailSettled) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, m := range q.mails {
		if m.ID == d.ID {
			q.mails = append(q.mails[:i], q.mails[i+1:]...)
			break
		}
	}
	q.settled <- d
	return nil
}

func (q *queue) MailsPending(context.Context) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.mails), nil
}

// sends runs a sender until n e-mails are settled.
func sends(t *testing.T, s *server, q *queue, n int, change func(*Options)) []pbx.MailSettled {
	t.Helper()
	o := Options{Server: s.addr, TLS: StartTLS, Username: "pbx", Password: password, From: "АТС <pbx@acme.test>", Roots: s.roots, Queue: q,
		Sound: func(context.Context, pbx.TenantID, pbx.MailSound) (File, error) {
			return File{Name: "m.wav", Type: "audio/wav", Data: []byte("RIFFsound")}, nil
		}, Log: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&o)
	}
	sender, err := NewSender(o)
	if err != nil {
		t.Fatal(err)
	}
	sender.Start()
	defer sender.Close()
	var list []pbx.MailSettled
	for range n {
		select {
		case d := <-q.settled:
			list = append(list, d)
		case <-time.After(20 * time.Second):
			t.Fatalf("only %d of %d e-mails were settled", len(list), n)
		}
	}
	return list
}

// TestSend: STARTTLS and TLS from the start, with a login; what comes out is what went in.
func TestSend(t *testing.T) {
	for name, implicit := range map[string]bool{"starttls": false, "tls": true} {
		t.Run(name, func(t *testing.T) {
			s := startServer(t, implicit)
			q := newQueue(pbx.Mail{To: "anna@acme.test", Subject: "Сообщение", Text: "Здравствуйте.\n", Sound: &pbx.MailSound{}})
			told := ""
			got := sends(t, s, q, 1, func(o *Options) {
				o.Sent = func(_ context.Context, _ pbx.TenantID, m pbx.Mail) error { told = m.To; return nil }
				if implicit {
					o.TLS = TLS
				}
			})
			if !got[0].Done || told != "anna@acme.test" || len(s.taken()) != 1 {
				t.Fatalf("%+v, told %q, taken %d", got[0], told, len(s.taken()))
			}
			m, err := netmail.ReadMessage(strings.NewReader(s.taken()[0]))
			if err != nil {
				t.Fatal(err)
			}
			subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
			if err != nil || subject != "Сообщение" || m.Header.Get("Message-ID") != "<a.acme@acme.test>" || m.Header.Get("Auto-Submitted") != "auto-generated" {
				t.Errorf("subject %q, %v, headers %v", subject, err, m.Header)
			}
		})
	}
}

// TestRefused: what the server refuses for good is given up at once, what it puts off
// waits; neither keeps the next from being sent.
func TestRefused(t *testing.T) {
	s := startServer(t, false)
	large := &pbx.MailSound{Name: "large"}
	q := newQueue(pbx.Mail{To: "nobody@acme.test"}, pbx.Mail{To: "busy@acme.test"}, pbx.Mail{To: "not an address"},
		pbx.Mail{To: "a@acme.test\r\nBcc: b@acme.test"}, pbx.Mail{To: "a@acme.test", Sound: large}, pbx.Mail{To: "a@acme.test", Sound: &pbx.MailSound{Name: "gone"}}, pbx.Mail{To: "b@acme.test"})
	got := sends(t, s, q, 7, func(o *Options) {
		o.Sound = func(_ context.Context, _ pbx.TenantID, m pbx.MailSound) (File, error) {
			if m.Name == "gone" {
				return File{}, &pbx.Error{Kind: pbx.Gone, Msg: "removed"}
			}
			return File{Name: "x.wav", Type: "audio/wav", Data: bytes.Repeat([]byte{1}, 2<<20)}, nil
		}
	})
	want := []string{"dead 550", "later 451", "dead the address", "dead the address", "dead 552", "dead the sound is gone", "done "}
	for i, d := range got {
		state := "later"
		if d.Done {
			state = "done"
		} else if d.Dead {
			state = "dead"
		}
		first, text, _ := strings.Cut(want[i], " ")
		if state != first || !strings.Contains(d.Error, text) {
			t.Errorf("e-mail %d: %s %q, want %s", i, state, d.Error, want[i])
		}
	}
	if n := len(s.taken()); n != 1 {
		t.Errorf("%d e-mails were taken", n)
	}
}

// TestServerDown: a wrong password, a certificate of nobody, no server, a server that
// does not encrypt. The e-mail waits, one is tried for all, and the password is told nobody.
func TestServerDown(t *testing.T) {
	s := startServer(t, false)
	for name, change := range map[string]func(*Options){
		"password":    func(o *Options) { o.Password = "wrong-" + password },
		"certificate": func(o *Options) { o.Roots = nil },
		"no server":   func(o *Options) { o.Server = "127.0.0.1:1" },
		"not tls":     func(o *Options) { o.TLS = TLS },
	} {
		t.Run(name, func(t *testing.T) {
			q := newQueue(pbx.Mail{To: "a@acme.test"}, pbx.Mail{To: "b@acme.test"})
			got := sends(t, s, q, 1, change)[0]
			if got.Done || got.Dead || got.Error == "" || time.Until(got.Next) < 50*time.Second || strings.Contains(got.Error, password) {
				t.Errorf("%+v", got)
			}
			if len(q.mails) != 1 {
				t.Error("the second e-mail was tried, too")
			}
		})
	}
	if len(s.taken()) > 0 {
		t.Error("an e-mail was sent")
	}
}

// TestGivenUp: after days an e-mail is given up.
func TestGivenUp(t *testing.T) {
	s := startServer(t, false)
	q := newQueue(pbx.Mail{To: "busy@acme.test"})
	q.mails[0].Created = time.Now().Add(-73 * time.Hour)
	if got := sends(t, s, q, 1, nil)[0]; !got.Dead {
		t.Errorf("%+v", got)
	}
}

// TestClose: a server that says nothing does not keep us.
func TestClose(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	asked := make(chan struct{}, 1)
	s, err := NewSender(Options{Server: l.Addr().String(), TLS: StartTLS, From: "pbx@acme.test", Queue: newQueue(pbx.Mail{To: "a@acme.test"}), Log: slog.New(slog.DiscardHandler),
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			asked <- struct{}{}
			return (&net.Dialer{}).DialContext(ctx, network, address)
		}})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	<-asked
	began := time.Now()
	s.Close()
	if d := time.Since(began); d > 5*time.Second {
		t.Errorf("Close took %v", d)
	}
}

func TestWait(t *testing.T) {
	for _, c := range []struct {
		failures int
		want     time.Duration
	}{{0, time.Minute}, {1, 2 * time.Minute}, {5, 32 * time.Minute}, {6, time.Hour}, {1000, time.Hour}} {
		if got := wait(c.failures, firstWait, longest); got != c.want {
			t.Errorf("%d failures: %v, want %v", c.failures, got, c.want)
		}
	}
}

// FuzzCompose: whatever a subject, an address and a name of a file hold, no header is
// added, and the message can be read.
func FuzzCompose(f *testing.F) {
	for _, s := range []string{"Тема", "a\r\nBcc: x@y.test", "=?utf-8?q?x?=", "\x00\u2028", strings.Repeat("я", 500)} {
		f.Add(s, "a@acme.test", s)
	}
	f.Add("x", "a@acme.test>\r\nBcc: <b@acme.test", "x")
	s := &Sender{o: Options{From: "АТС <pbx@acme.test>", Sound: func(_ context.Context, _ pbx.TenantID, m pbx.MailSound) (File, error) {
		return File{Name: "voicemail.wav", Type: "audio/wav", Data: []byte("RIFF")}, nil
	}}}
	known := map[string]bool{"Date": true, "From": true, "To": true, "Subject": true, "Message-Id": true, "Mime-Version": true, "Content-Type": true, "Auto-Submitted": true}
	f.Fuzz(func(t *testing.T, subject, to, text string) {
		q := &pbx.QueuedMail{ID: "0123", Tenant: "acme", Created: time.Unix(0, 0), Mail: pbx.Mail{To: to, Subject: subject, Text: text, Sound: &pbx.MailSound{}}}
		msg, err := s.compose(t.Context(), q)
		if err != nil {
			return
		}
		var b bytes.Buffer
		if _, err := msg.WriteTo(&b); err != nil {
			t.Fatal(err)
		}
		m, err := netmail.ReadMessage(&b)
		if err != nil {
			t.Fatalf("%q: %v", subject, err)
		}
		for name, values := range m.Header {
			if !known[name] || len(values) != 1 {
				t.Errorf("header %s: %q", name, values)
			}
		}
		if list, err := m.Header.AddressList("To"); err != nil || len(list) != 1 || list[0].Address != to {
			t.Errorf("To %v, %v", list, err)
		}
	})
}
