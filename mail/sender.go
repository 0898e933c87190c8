package mail

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime/debug"
	"strings"
	"time"

	"vpbx/pbx"
)

const (
	batch     = 20
	firstWait = time.Minute // after a try that failed, twice as long after each further one
	longest   = time.Hour
	giveUp    = 3 * 24 * time.Hour // since it was queued
	firstRest = 30 * time.Second   // of a server that does not answer, likewise
	longRest  = 10 * time.Minute
	maxError  = 300 // bytes of what is kept of an error
)

// Queue is where e-mails wait. Package store implements it.
type Queue interface {
	// DueMails lists those of all companies that are to be tried now.
	DueMails(ctx context.Context, now time.Time, limit int) ([]pbx.QueuedMail, error)
	// NextMail gives when there will be one, the zero time when none waits.
	NextMail(ctx context.Context) (time.Time, error)
	// SettleMail notes what came of a try.
	SettleMail(ctx context.Context, t pbx.TenantID, d pbx.MailSettled) error
	// MailsPending counts those that wait.
	MailsPending(ctx context.Context) (int, error)
}

// How the way to the server is secured.
const (
	StartTLS = "starttls" // it must offer it
	TLS      = "tls"
	Clear    = "none"
)

// File is what goes with an e-mail.
type File struct {
	Name string // with its ending: letters, digits, - and .
	Type string // media type
	Data []byte
}

// Options configures a Sender.
type Options struct {
	Server   string // host:port
	TLS      string // StartTLS, TLS or Clear
	Username string // "": no login
	Password string
	From     string         // our address, with a name or without
	Roots    *x509.CertPool // who vouches for the server, nil: those of the machine

	// Dial opens a TCP connection. nil: net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	Queue Queue
	// Sound gives a recording that goes with an e-mail. A pbx.Error of kind NotFound or
	// Gone says that there is none any more: the e-mail is given up.
	Sound func(ctx context.Context, t pbx.TenantID, s pbx.MailSound) (File, error)
	// Sent is told of each e-mail that the server has taken, before it is forgotten: with
	// an error it is told again.
	Sent func(ctx context.Context, t pbx.TenantID, m pbx.Mail) error

	Log     *slog.Logger
	Metrics Registerer // nil: not counted
}

// Sender sends the e-mails of a queue. Its methods may be called from any goroutine.
type Sender struct {
	o       Options
	metrics metrics
	wake    chan struct{}
	cancel  context.CancelFunc
	gone    chan struct{} // nil before Start

	// Of the goroutine.
	failures int // of the server, in a row
	rest     time.Time
}

// NewSender makes a Sender; it sends nothing before Start.
func NewSender(o Options) (*Sender, error) {
	m, err := newMetrics(o.Metrics)
	if err != nil {
		return nil, fmt.Errorf("register the metrics of mail: %w", err)
	}
	if o.Dial == nil {
		o.Dial = (&net.Dialer{}).DialContext
	}
	return &Sender{o: o, metrics: m, wake: make(chan struct{}, 1)}, nil
}

// Start begins to send.
func (s *Sender) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel, s.gone = cancel, make(chan struct{})
	go s.run(ctx)
}

// Wake tells that something was queued. It does not wait.
func (s *Sender) Wake() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Close ends what goes on and waits for it. What is not sent is sent after the next
// start.
func (s *Sender) Close() {
	if s.gone != nil {
		s.cancel()
		<-s.gone
	}
}

func (s *Sender) run(ctx context.Context) {
	defer close(s.gone)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		s.guarded(ctx)
		timer.Reset(time.Until(s.next(ctx)))
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-s.wake:
		}
	}
}

// next is when something is to be done again, if nobody calls before.
func (s *Sender) next(ctx context.Context) time.Time {
	later := time.Now().Add(longest)
	at, err := s.o.Queue.NextMail(ctx)
	switch {
	case err != nil:
		later = time.Now().Add(firstWait)
	case !at.IsZero() && at.Before(later):
		later = at
	}
	if s.rest.After(later) {
		return s.rest
	}
	return later
}

// guarded is a round that takes nothing along when it panics.
func (s *Sender) guarded(ctx context.Context) {
	defer func() {
		if r := recover(); r != nil {
			s.o.Log.Error("mail broke", "panic", r, "stack", string(debug.Stack()))
			s.rested()
		}
	}()
	if err := s.round(ctx); err != nil && ctx.Err() == nil {
		s.o.Log.Error("e-mails not sent", "error", err)
		s.rested()
	}
	if n, err := s.o.Queue.MailsPending(ctx); err == nil {
		s.metrics.pending.Set(float64(n))
	}
}

// rested lets the server, or the queue, alone for a while.
func (s *Sender) rested() {
	s.rest = time.Now().Add(wait(s.failures, firstRest, longRest))
	s.failures++
}

// wait is how long to wait after so many failures before.
func wait(failures int, first, most time.Duration) time.Duration {
	return min(first<<min(failures, 16), most)
}

// round sends what is due, as long as the server takes it.
func (s *Sender) round(ctx context.Context) error {
	for ctx.Err() == nil && !time.Now().Before(s.rest) {
		due, err := s.o.Queue.DueMails(ctx, time.Now(), batch)
		if err != nil || len(due) == 0 {
			return err
		}
		for i := range due {
			down, err := s.try(ctx, &due[i])
			if err != nil || ctx.Err() != nil {
				return err
			}
			if down {
				s.rested()
				return nil
			}
			s.failures = 0
		}
	}
	return nil
}

// try sends one e-mail and notes what came of it. down says that the server is not there;
// the error is of the queue.
func (s *Sender) try(ctx context.Context, m *pbx.QueuedMail) (down bool, err error) {
	failed := s.send(ctx, m)
	if ctx.Err() != nil {
		return false, nil // we are stopped, which says nothing of the e-mail
	}
	log := s.o.Log.With("tenant", m.Tenant, "mail", m.ID)
	d := pbx.MailSettled{ID: m.ID, At: time.Now()}
	result := sent
	var f *failure
	switch {
	case failed == nil:
		d.Done = true
		log.Info("e-mail sent", "tries", m.Tries+1)
	case errors.As(failed, &f) && f.final, time.Since(m.Created) >= giveUp:
		d.Dead, d.Error, result = true, cut(failed), dead
		log.Warn("e-mail given up", "tries", m.Tries+1, "error", d.Error)
	default:
		d.Next, d.Error, result = d.At.Add(wait(m.Tries, firstWait, longest)), cut(failed), deferred
		log.Info("e-mail not sent", "tries", m.Tries+1, "error", d.Error)
	}
	s.metrics.tries.WithLabelValues(result).Inc()
	if err := s.o.Queue.SettleMail(ctx, m.Tenant, d); err != nil {
		return false, fmt.Errorf("note what came of e-mail %s: %w", m.ID, err)
	}
	return f != nil && f.down, nil
}

// cut gives what is kept of an error: one line that is not too long.
func cut(err error) string {
	text := strings.Join(strings.FieldsFunc(strings.ToValidUTF8(err.Error(), ""), func(r rune) bool { return r < ' ' || r == 0x7f }), " ")
	if len(text) > maxError {
		text = strings.ToValidUTF8(text[:maxError], "") + "…"
	}
	return text
}

// failure is why an e-mail was not taken.
type failure struct {
	err   error
	final bool // another try is of no use
	down  bool // the server takes no e-mails at all
}

func (f *failure) Error() string { return f.err.Error() }

func (f *failure) Unwrap() error { return f.err }
