package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"vpbx/events"
	"vpbx/internal/visitor"
	"vpbx/pbx"
	"vpbx/sounds"
	"vpbx/tenants"
)

const (
	headerTime = 10 * time.Second // for the header of a request
	idleTime   = 2 * time.Minute  // between two requests on one connection
	maxHeader  = 64 << 10         // bytes of a header
	closeTime  = 5 * time.Second  // for the requests that run when Close is called
)

// Companies is where the configured companies are looked up.
type Companies interface {
	// Directory gives the companies as they are now.
	Directory() *pbx.Directory
}

// Records is where ended calls and their recordings are looked up. A missing
// one is a pbx.Error of kind NotFound; a cursor that is not one is Invalid.
type Records interface {
	Calls(ctx context.Context, t pbx.TenantID, q pbx.CallQuery) (items []pbx.CDR, next string, err error)
	Call(ctx context.Context, t pbx.TenantID, id pbx.CallID) (pbx.CDR, []pbx.CallEvent, error)
	Recordings(ctx context.Context, t pbx.TenantID, q pbx.CallQuery) (items []pbx.Recording, next string, err error)
	Recording(ctx context.Context, t pbx.TenantID, id pbx.RecordingID) (pbx.Recording, error)
}

// Live is call control: the calls that are going on.
type Live interface {
	// Live lists the calls of a company. A call leaves the list after its
	// record is saved.
	Live(t pbx.TenantID) []pbx.CallInfo
	// Originate begins a call. What makes no sense in o is a pbx.Error of kind
	// Invalid that names the field.
	Originate(ctx context.Context, o pbx.Originate) (pbx.CallID, error)
	// Hangup ends a call; NotFound when the company has no such call.
	Hangup(t pbx.TenantID, id pbx.CallID) error
}

// Control changes calls that are going on. Errors are of the kinds NotFound (the
// company has no such call), Invalid, Denied, and Conflict for what cannot be done
// at that moment.
type Control interface {
	Transfer(ctx context.Context, t pbx.TenantID, id pbx.CallID, how pbx.Transfer) error
	// Hold lets the other side of by wait, Resume takes it back.
	Hold(ctx context.Context, t pbx.TenantID, id pbx.CallID, by string) error
	Resume(ctx context.Context, t pbx.TenantID, id pbx.CallID) error
	// Press sends digits to one of those who talk.
	Press(ctx context.Context, t pbx.TenantID, id pbx.CallID, to, digits string) error
	// Supervise rings an extension and lets it take part in the call; it gives the
	// id of the call that is made for that.
	Supervise(ctx context.Context, t pbx.TenantID, s pbx.Supervise) (pbx.CallID, error)
	// Record begins, ends, pauses or resumes a recording.
	Record(ctx context.Context, t pbx.TenantID, id pbx.CallID, o pbx.RecordOrder) error
}

// Conferences is call control for conferences. Errors are of the kinds NotFound,
// Invalid and Conflict.
type Conferences interface {
	// Conferences lists those that go on.
	Conferences(t pbx.TenantID) []pbx.ConferenceInfo
	ChangeConference(ctx context.Context, t pbx.TenantID, number string, change pbx.ConferenceChange) error
	// Invite calls somebody into a conference and gives the id of that call.
	Invite(ctx context.Context, t pbx.TenantID, i pbx.ConferenceInvite) (pbx.CallID, error)
	// ConferenceOf makes a conference of a call of two and gives its number.
	ConferenceOf(ctx context.Context, t pbx.TenantID, id pbx.CallID, number string) (string, error)
}

// Sounds is where the sound files of recordings are.
type Sounds interface {
	// Open gives the sound file, its size in bytes and when it was closed.
	Open(t pbx.TenantID, id pbx.RecordingID) (io.ReadSeekCloser, int64, time.Time, error)
	// OpenAs gives it as mp3 or opus. A pbx.Error of kind Unsupported says that
	// there is no encoder.
	OpenAs(ctx context.Context, t pbx.TenantID, id pbx.RecordingID, format string) (io.ReadSeekCloser, int64, time.Time, error)
}

// Keeper removes recordings and verifies them.
type Keeper interface {
	// Remove leaves a tombstone; Gone when there is one already.
	Remove(ctx context.Context, t pbx.TenantID, id pbx.RecordingID, why pbx.Removal) error
	// Verify looks at a part of the chain of a company.
	Verify(ctx context.Context, t pbx.TenantID, q pbx.VerifyQuery) (pbx.Verified, error)
}

// Tenants keeps the company documents.
type Tenants interface {
	// ApplyIf makes a company what a document says, if that may replace what is there.
	ApplyIf(ctx context.Context, d *tenants.Document, may tenants.Condition) (tenants.Changes, error)
	// Edit changes a part of the document.
	Edit(ctx context.Context, t pbx.TenantID, edit tenants.Edit) (tenants.Changes, error)
	Remove(ctx context.Context, t pbx.TenantID) error
	Document(ctx context.Context, t pbx.TenantID) (*tenants.Document, error)
	Prompts
	AmoScenarios
}

// Prompts keeps the prompts of a company that are uploaded.
type Prompts interface {
	// SetSound gives a prompt its sound, RemovePrompt removes one that nothing plays.
	SetSound(ctx context.Context, t pbx.TenantID, name, hash string) error
	RemovePrompt(ctx context.Context, t pbx.TenantID, name string) error
}

// Config is everything a Server needs; all of it is required except Admin and
// Integration.
type Config struct {
	Companies Companies
	Records   Records
	Live      Live
	Control   Control
	Sounds    Sounds
	Keeper    Keeper
	Tenants   Tenants

	Conferences  Conferences
	Queues       Queues
	QueueRecords QueueRecords
	Library      *sounds.Library
	Bus          *events.Bus

	Routes           Routes
	Book             AddressBook
	Deliveries       Deliveries
	Voicemail        Voicemail
	Mails            Mails
	IntegrationAdmin IntegrationAdmin
	Links            Links
	Amo              AmoCRM
	Campaigns        Campaigns
	CampaignRecords  CampaignRecords

	// Integration answers the methods of the integration API of which these are the
	// names, and knows who asks by itself; nil: there is none.
	Integration        http.Handler
	IntegrationMethods []string

	// Registrations lists the bindings of a company.
	Registrations func(t pbx.TenantID) []pbx.Binding

	// Ladder gives the SIP messages so far of a call that is going on, false
	// when the company has no such call.
	Ladder func(t pbx.TenantID, id pbx.CallID) ([]pbx.Message, bool)

	// Capture gives the SIP messages of an extension from now on, until stop is
	// called. Too many at once is a pbx.Error of kind Limit.
	Capture func(t pbx.TenantID, extension string) (packets <-chan pbx.Packet, stop func(), err error)

	// ICE are the servers that browsers are told of.
	ICE ICE

	// Token gives the holder of the token with that hash (see HashToken), and
	// a pbx.Error of kind NotFound when there is none.
	Token func(ctx context.Context, hash string) (Principal, error)

	// Admin is the hash of an administrator's token that is good beside those
	// that Token knows; "" for none.
	Admin string

	// Prompts is the directory with a directory of sound files for each company:
	// what documents that come by API may name.
	Prompts string

	// Proxies are the reverse proxies whose word counts of who has sent a request.
	Proxies visitor.Proxies

	// Ready says why no new calls are taken, nil when they are. Its text is
	// shown to anybody.
	Ready func() error

	Metrics Metrics
	Log     *slog.Logger
}

// Server is the HTTP side of vpbx. Its methods may be called from any
// goroutine.
type Server struct {
	c            Config
	log          *slog.Logger
	mux          *http.ServeMux
	huma         huma.API
	routes       []route
	broken       error // what is wrong with the route table
	tokens       tokens
	linkGuesses  sources // wrong links
	visitGuesses sources // wrong proofs of what comes from amoCRM
	metrics      metrics
	streams      streams
	uploads      uploads
	http         *http.Server

	life context.Context // until Close: event streams end with it
	end  context.CancelFunc
}

// New makes a Server. It serves nothing before Serve, or before its handler is
// put behind another server.
func New(c Config) (*Server, error) {
	s := &Server{
		c: c, log: c.Log, mux: http.NewServeMux(),
		tokens:  tokens{find: c.Token, admin: c.Admin, good: map[string]goodToken{}},
		streams: streams{open: map[pbx.TenantID]int{}},
	}
	s.life, s.end = context.WithCancel(context.Background())
	var err error
	if s.metrics, err = newMetrics(c.Metrics, &s.streams); err != nil {
		return nil, fmt.Errorf("register the metrics of the HTTP API: %w", err)
	}
	s.huma = newHuma(s)
	s.addHealth()
	s.addTenants()
	s.addSections()
	s.addRegistrations()
	s.addCalls()
	s.addControl()
	s.addConferences()
	s.addQueues()
	s.addPrompts()
	s.addRecordings()
	s.addRecords()
	s.addIntegration()
	s.addEvents()
	s.addCaptures()
	s.addDeliveries()
	s.addVoicemail()
	s.addMails()
	s.addIntegrationAdmin()
	s.addDebugging()
	s.addICE()
	s.addTry()
	s.addContacts()
	s.addAmo()
	s.addCampaigns()
	s.addTargets()
	s.addCampaignReports()
	s.addStops()
	s.addConsents()
	s.addOpenAPI()
	if s.broken != nil {
		return nil, fmt.Errorf("build the HTTP API: %w", s.broken)
	}
	s.http = &http.Server{
		Handler: s, ReadHeaderTimeout: headerTime, IdleTimeout: idleTime, MaxHeaderBytes: maxHeader,
		ErrorLog: slog.NewLogLogger(c.Log.Handler(), slog.LevelDebug),
	}
	return s, nil
}

// Serve takes connections from l until Close and then returns nil. It closes l.
func (s *Server) Serve(l net.Listener) error {
	if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve HTTP on %s: %w", l.Addr(), err)
	}
	return nil
}

// Close ends the event streams, waits at most five seconds for the requests
// that are running, and cuts off the rest. It may be called more than once.
func (s *Server) Close() error {
	s.end()
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	if err := s.http.Shutdown(ctx); err == nil {
		return nil
	}
	s.log.Warn("HTTP requests are cut off", "after", closeTime)
	if err := s.http.Close(); err != nil {
		return fmt.Errorf("stop HTTP: %w", err)
	}
	return nil
}
