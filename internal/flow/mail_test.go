package flow

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"strings"
	"sync/atomic"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"vpbx/config"
	"vpbx/media/audio"
)

const (
	mailUser     = "pbx"
	mailPassword = "secret-of-the-mail-server"
)

// mailServer is the SMTP server of a flow. It shows what it takes and misbehaves as told.
type mailServer struct {
	w      *world
	way    atomic.Pointer[string] // refuses, later, hangs, floods, down; "" or up: well
	login  bool
	server *smtp.Server
	done   chan struct{}
}

// startMail starts the mail server that a script asks for.
func (w *world) startMail(s *script) error {
	for _, c := range s.setup {
		if c.verb != "mail" {
			continue
		}
		m := &mailServer{w: w, done: make(chan struct{}), login: !c.has("clear")}
		way := ""
		for _, name := range []string{"refuses", "later", "hangs", "floods"} {
			if c.has(name) {
				way = name
			}
		}
		m.way.Store(&way)
		cert, err := tls.LoadX509KeyPair(w.cfg.TLS.Cert, w.cfg.TLS.Key)
		if err != nil {
			return err
		}
		m.server = smtp.NewServer(m)
		m.server.Domain, m.server.ErrorLog = "mail.test", mute{}
		m.server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}}
		m.server.ReadTimeout, m.server.WriteTimeout = 10*time.Minute, 10*time.Minute
		port := ":587"
		w.cfg.Mail = config.Mail{Server: mailIP + port, TLS: config.MailStartTLS, Username: mailUser, Password: mailPassword,
			From: "АТС <pbx@acme.test>", Sound: config.MailWAV, Certificate: w.cfg.TLS.Cert}
		if c.has("clear") {
			w.cfg.Mail.TLS, w.cfg.Mail.Username, w.cfg.Mail.Password = config.MailClear, "", ""
		}
		l, err := w.net.Host(mailIP).Listen("tcp", mailIP+port)
		if err != nil {
			return err
		}
		if c.has("tls") {
			w.cfg.Mail.TLS = config.MailTLS
			l = tls.NewListener(l, m.server.TLSConfig)
		}
		w.mail = m
		go func() {
			defer close(m.done)
			_ = m.server.Serve(l) // ends with Close
		}()
	}
	return nil
}

func (m *mailServer) close() {
	_ = m.server.Close() // the flow is over
	<-m.done
}

// mute takes what the server has to say of its connections.
type mute struct{}

func (mute) Printf(string, ...any) {}

func (mute) Println(...any) {}

// NewSession greets whoever connects.
func (m *mailServer) NewSession(c *smtp.Conn) (smtp.Session, error) {
	switch *m.way.Load() {
	case "down":
		_ = c.Conn().Close()
		return nil, errors.New("down")
	case "floods":
		for range 1 << 20 {
			if _, err := c.Conn().Write(bytes.Repeat([]byte("250-x\r\n"), 1000)); err != nil {
				return nil, err
			}
		}
	}
	return &mailSession{m: m}, nil
}

// mailSession is one connection.
type mailSession struct {
	m        *mailServer
	loggedIn bool
	to       []string
}

// AuthMechanisms lists the one way to log in.
func (s *mailSession) AuthMechanisms() []string { return []string{sasl.Plain} }

// Auth checks who logs in.
func (s *mailSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != mailUser || password != mailPassword {
			return errors.New("wrong password")
		}
		s.loggedIn = true
		return nil
	}), nil
}

// Mail takes the sender.
func (s *mailSession) Mail(string, *smtp.MailOptions) error {
	if s.m.login && !s.loggedIn {
		return smtp.ErrAuthRequired
	}
	return nil
}

// Rcpt takes an address.
func (s *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	switch *s.m.way.Load() {
	case "refuses":
		s.m.w.log.add("mail", "refuses %s", to)
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user"}
	case "later":
		s.m.w.log.add("mail", "puts %s off", to)
		return &smtp.SMTPError{Code: 450, EnhancedCode: smtp.EnhancedCode{4, 2, 0}, Message: "try again later"}
	}
	s.to = append(s.to, to)
	return nil
}

// Data takes the message and shows it.
func (s *mailSession) Data(r io.Reader) error {
	body, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if *s.m.way.Load() == "hangs" {
		s.m.w.log.add("mail", "hangs")
		<-s.m.w.over
		return errors.New("the flow is over")
	}
	text, err := s.m.w.mailText(body)
	if err != nil {
		s.m.w.fail(fmt.Errorf("an e-mail that cannot be read: %w", err))
		return err
	}
	s.m.w.log.add("mail", "for %s: %s", strings.Join(s.to, ", "), text)
	return nil
}

// Reset forgets the addresses.
func (s *mailSession) Reset() { s.to = nil }

// Logout ends the session.
func (s *mailSession) Logout() error { return nil }

// mailText is an e-mail in words.
func (w *world) mailText(raw []byte) (string, error) {
	msg, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return "", err
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(msg.Header.Get("Subject"))
	if err != nil {
		return "", err
	}
	text := fmt.Sprintf("%q", subject)
	kind, params, err := mime.ParseMediaType(msg.Header.Get("Content-Type"))
	if err != nil || !strings.HasPrefix(kind, "multipart/") {
		return text + " " + kind, err
	}
	for parts := multipart.NewReader(msg.Body, params["boundary"]); ; {
		p, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			return text, nil
		}
		if err != nil {
			return "", err
		}
		body, err := decoded(p.Header, p)
		if err != nil {
			return "", err
		}
		kind, _, _ := mime.ParseMediaType(p.Header.Get("Content-Type"))
		if kind == "text/plain" {
			text += " " + strings.Join(strings.Fields(string(body)), " ")
			continue
		}
		pcm, err := audio.ReadSound(body, audio.Limits{Length: time.Hour})
		if err != nil {
			return "", err
		}
		text += fmt.Sprintf("; %s: %s", kind, w.passages(pcm.Samples))
	}
}

// decoded is a part without its transfer encoding.
func decoded(h textproto.MIMEHeader, r io.Reader) ([]byte, error) {
	switch strings.ToLower(h.Get("Content-Transfer-Encoding")) {
	case "base64":
		r = base64.NewDecoder(base64.StdEncoding, r)
	case "quoted-printable":
		r = quotedprintable.NewReader(r)
	}
	return io.ReadAll(r)
}
