package mail

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"strconv"
	"strings"
	"time"
	"unicode"

	gomail "github.com/wneessen/go-mail"

	"vpbx/pbx"
)

const (
	sendTime  = 2 * time.Minute // for one e-mail, all in all
	readLimit = 256 << 10       // bytes that a server may say meanwhile
	maxSubj   = 200             // characters of a subject
)

// send sends one e-mail. A failure tells what to do about it.
func (s *Sender) send(ctx context.Context, q *pbx.QueuedMail) error {
	ctx, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	msg, err := s.compose(ctx, q)
	if err != nil {
		return err
	}
	if err := s.deliver(ctx, msg); err != nil {
		return err
	}
	if s.o.Sent != nil {
		if err := s.o.Sent(ctx, q.Tenant, q.Mail); err != nil {
			s.o.Log.Warn("an e-mail was sent, and what follows from that was not done", "tenant", q.Tenant, "mail", q.ID, "error", err)
		}
	}
	return nil
}

// compose makes the message (RFC 5322, RFC 2045). What is wrong with it will not get
// better.
func (s *Sender) compose(ctx context.Context, q *pbx.QueuedMail) (*gomail.Msg, error) {
	wrong := func(what string, err error) error { return &failure{err: fmt.Errorf("%s: %w", what, err), final: true} }
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	if err := msg.From(s.o.From); err != nil {
		return nil, wrong("our address", err)
	}
	to, err := netmail.ParseAddress(q.Mail.To)
	if err != nil || to.Address != q.Mail.To || strings.ContainsFunc(to.Address, unicode.IsControl) {
		return nil, wrong("the address", errors.Join(errors.New("cannot be used"), err))
	}
	if err := msg.To(to.Address); err != nil {
		return nil, wrong("the address", err)
	}
	msg.Subject(oneLine(q.Mail.Subject))
	msg.SetDateWithValue(q.Created)
	msg.SetMessageIDWithValue(q.ID + "." + string(q.Tenant) + "@" + s.domain())
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834 §5: nobody's machine answers it
	msg.SetBodyString(gomail.TypeTextPlain, strings.ToValidUTF8(q.Mail.Text, ""))
	if q.Mail.Sound == nil {
		return msg, nil
	}
	file, err := s.o.Sound(ctx, q.Tenant, *q.Mail.Sound)
	switch kind := pbx.KindOf(err); {
	case kind == pbx.NotFound || kind == pbx.Gone:
		return nil, wrong("the sound is gone", err)
	case err != nil:
		return nil, fmt.Errorf("read the sound: %w", err)
	}
	if err := msg.AttachReader(file.Name, bytes.NewReader(file.Data), gomail.WithFileContentType(gomail.ContentType(file.Type))); err != nil {
		return nil, wrong("attach the sound", err)
	}
	return msg, nil
}

// oneLine makes text fit for a header.
func oneLine(text string) string {
	text = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(text, ""), func(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' }), " ")
	if r := []rune(text); len(r) > maxSubj {
		return string(r[:maxSubj]) + "…"
	}
	return text
}

// domain is that of our address.
func (s *Sender) domain() string {
	a, err := netmail.ParseAddress(s.o.From)
	if err != nil {
		return "localhost"
	}
	return a.Address[strings.LastIndexByte(a.Address, '@')+1:]
}

// deliver gives a message to the server, over a connection of its own.
func (s *Sender) deliver(ctx context.Context, msg *gomail.Msg) error {
	l := &line{s: s}
	defer l.close() // go-mail leaves it open when the server does not greet
	stop := context.AfterFunc(ctx, l.close)
	defer stop()
	client, err := s.client(l)
	if err != nil {
		return &failure{err: err, final: true}
	}
	if err := client.DialWithContext(ctx); err != nil {
		return &failure{err: unlogged(l, err), down: true}
	}
	if err := client.Send(msg); err != nil && !msg.IsDelivered() { // it may fail behind that
		return refused(err)
	}
	if err := client.Close(); err != nil {
		s.o.Log.Debug("the mail server did not say good-bye", "error", err) // it has the e-mail
	}
	return nil
}

// client is made for one message: it keeps state of its connection.
func (s *Sender) client(l *line) (*gomail.Client, error) {
	host, port, err := net.SplitHostPort(s.o.Server)
	if err != nil {
		return nil, fmt.Errorf("the mail server: %w", err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return nil, fmt.Errorf("the port of the mail server: %w", err)
	}
	options := []gomail.Option{gomail.WithPort(n), gomail.WithTimeout(sendTime), gomail.WithHELO(s.domain()), gomail.WithoutNoop(),
		gomail.WithTLSConfig(s.tls(host)), gomail.WithDialContextFunc(l.dial)}
	switch s.o.TLS {
	case TLS:
		options = append(options, gomail.WithSSL())
	case StartTLS:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	default:
		options = append(options, gomail.WithTLSPolicy(gomail.NoTLS))
	}
	if s.o.Username != "" {
		options = append(options, gomail.WithUsername(s.o.Username), gomail.WithPassword(s.o.Password),
			gomail.WithOpportunisticSMTPAuth(gomail.SMTPAuthSCRAMSHA256, gomail.SMTPAuthPlain, gomail.SMTPAuthLogin, gomail.SMTPAuthCramMD5))
	}
	return gomail.NewClient(host, options...)
}

func (s *Sender) tls(host string) *tls.Config {
	return &tls.Config{ServerName: host, RootCAs: s.o.Roots, MinVersion: tls.VersionTLS12}
}

// unlogged gives an error of the way to the server without what it has said to our login:
// that may be our own words.
func unlogged(l *line, err error) error {
	if strings.Contains(err.Error(), "AUTH") {
		return errors.New("the mail server does not take our login")
	}
	if l.full() {
		return errors.New("the mail server says too much")
	}
	return fmt.Errorf("connect to the mail server: %w", err)
}

// refused tells what to do when the server has not taken a message: a 5xx is for good
// (RFC 5321 §4.2.1), no answer at all is about the server.
func refused(err error) error {
	var e *gomail.SendError
	if !errors.As(err, &e) || e.ErrorCode() == 0 { // it has said nothing of the message
		return &failure{err: err, down: true}
	}
	text, _, _ := strings.Cut(err.Error(), ", affected message ID") // ours, which says nothing
	return &failure{err: errors.New(text), final: e.ErrorCode() >= 500 && e.ErrorCode() <= 599}
}
