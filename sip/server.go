package sip

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/emiago/sipgo"
	msg "github.com/emiago/sipgo/sip"

	"vpbx/pbx"
)

// globals makes the settings of sipgo that exist once per process.
var globals sync.Once

// What the halves of this package expect of each other, beside exported names.
//
// For requests: hop, newVia, send and write in hop.go. For responses: response,
// respond and reply in message.go; they add what RFC 3261 §8.2.6 and §18.2.1
// ask for and count the answer. The dialog half offers inDialog (requests with
// a To tag, ACK among them), acceptInvite (an identified initial INVITE; returns
// after the final response), stray (responses no transaction waits for, such
// as late 2xx), registeredTrunk, and dialogs with init, start, close, reload;
// close and reload may come without start.
//
// Contact headers are not parsed by sipgo (so that they stay untouched): use
// m.Contact(), which parses on demand, or values(m, "contact"), the raw text.

// Server is the SIP side of the PBX: it listens, knows who is registered and
// who may call, and hands authenticated calls on as legs.
type Server struct {
	cfg Config
	log *slog.Logger
	met *metrics
	ua  *sipgo.UserAgent

	listeners []*listener
	dialled   map[string]*dialled // by transport: connections we opened, and WebSockets, served as if accepted
	flows     flows               // open TCP and TLS connections, WebSockets among them
	mirror    mirror              // shows the messages to Config.Mirror
	captures  captures            // extensions somebody looks at
	unparsed  unparsed            // datagrams that may turn out not to be SIP
	guard     guard               // rates, wrong passwords, bans
	nonces    nonces              // digest challenges we made
	merged    merged              // requests that reached us twice
	reg       registrar           // bindings
	dlg       dialogs             // legs and trunk registrations
	watches   watches             // subscriptions of phones
	texts     texts               // rates of text messages
	tagKey    [32]byte            // of tagFor

	draining  atomic.Bool
	ctx       context.Context // ends with Close
	cancel    context.CancelFunc
	serving   sync.WaitGroup // serve loops and our other goroutines
	closeOnce sync.Once
	closeErr  error
}

// New makes a server that does nothing yet.
func New(cfg Config) (*Server, error) {
	if cfg.Directory == nil || cfg.Accept == nil {
		return nil, errors.New("sip: Directory and Accept are needed")
	}
	cfg.fill()
	met, err := newMetrics(cfg.Metrics)
	if err != nil {
		return nil, err
	}
	// RFC 3261 §18.1.1 wants TCP for requests over 1300 bytes when the MTU is
	// not known: see overTCP. For phones on UDP that do not take TCP a long
	// INVITE is better fragmented than refused, which is what sipgo does with it.
	globals.Do(func() {
		msg.UDPMTUSize = 65000
		msg.SetDefaultLogger(slog.New(slog.DiscardHandler)) // reference counts of its connections
	})
	s := &Server{cfg: cfg, log: cfg.Log, met: met}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.guard.init(cfg.Limits)
	s.nonces.init(cfg.Limits.Sources)
	s.flows.init(cfg.Limits)
	s.flows.gone = s.parted
	s.mirror = mirror{to: cfg.Mirror, own: cfg.LocalFor}
	s.flows.mirror = &s.mirror
	s.unparsed.seed = maphash.MakeSeed()
	s.captures.dropped = met.captureDropped
	s.dialled = map[string]*dialled{}
	s.reg.init(s)
	s.dlg.init(s)
	s.watches.init(s)
	s.texts.init(cfg.Limits.Sources)
	rand.Read(s.tagKey[:]) // never fails since Go 1.24
	quiet := slog.New(&quiet{next: cfg.Log.Handler(), malformed: s.malformed})
	s.ua, err = sipgo.NewUA(
		sipgo.WithUserAgentParser(msg.NewParser(msg.WithHeadersParsers(headersParsers()))),
		sipgo.WithUserAgentTransportLayerOptions(
			msg.WithTransportLayerLogger(quiet),
			msg.WithTransportLayerReadFilter(s.filter),
			msg.WithTransportLayerTransports(transports()),     // takes the filter, so it comes after it
			func(l *msg.TransportLayer) { l.OnMessage(s.tag) }, // before the transactions hear of it
		),
		sipgo.WithUserAgentDNSResolver(resolver()),
		sipgo.WithUserAgentTransactionLayerOptions(
			msg.WithTransactionLayerLogger(quiet),
			msg.WithTransactionLayerTerminateOnConnClose(),
			msg.WithTransactionLayerUnhandledResponseHandler(s.stray),
		),
	)
	if err != nil {
		return nil, fmt.Errorf("make user agent: %w", err)
	}
	srv, err := sipgo.NewServer(s.ua, sipgo.WithServerLogger(quiet))
	if err != nil {
		return nil, fmt.Errorf("make server: %w", err)
	}
	s.route(srv)
	return s, nil
}

// route says which method goes where. Requests that came with a To tag belong
// to a dialog and go to inDialog, whatever their method.
func (s *Server) route(srv *sipgo.Server) {
	srv.OnInvite(s.handler(s.onInvite))
	srv.OnRegister(s.handler(s.onRegister))
	srv.OnOptions(s.handler(s.onOptions))
	srv.OnAck(s.handler(s.onAck))
	srv.OnCancel(s.handler(s.onStranger))
	for _, m := range []msg.RequestMethod{msg.BYE, msg.UPDATE, msg.INFO, msg.PRACK} {
		srv.OnRequest(m, s.handler(s.onStranger))
	}
	srv.OnSubscribe(s.handler(s.onSubscribe))
	srv.OnMessage(s.handler(s.onMessage))
	srv.OnRequest(msg.REFER, s.handler(s.onStrayRefer))
	srv.OnNoRoute(s.handler(s.onUnsupported))
}

// handler wraps what all requests have in common: limits of reliable
// transports (those of UDP are kept by the read filter), the checks of
// RFC 3261 §8.2, in-dialog routing, and a net under our own panics.
func (s *Server) handler(f func(*msg.Request, msg.ServerTransaction)) sipgo.RequestHandler {
	return func(req *msg.Request, tx msg.ServerTransaction) {
		defer func() {
			if p := recover(); p != nil {
				s.met.panics.Inc()
				s.log.Error("sip: panic in a request handler", "method", method(req.Method), "panic", p, "stack", string(debug.Stack()))
			}
		}()
		if !s.admit(req) {
			return
		}
		if res := s.check(req); res != nil {
			if !req.IsAck() {
				s.respond(tx, req, res)
				tx.Terminate() // as dismiss does
			}
			return
		}
		if tag := toTag(req); tag != "" && !s.tagged(req, tag) {
			s.inDialog(req, tx)
			return
		}
		f(req, tx)
	}
}

// Start binds all listeners, takes up the bindings of the last run, serves,
// and registers at the providers. When it fails nothing is left open and the
// error names the listener.
func (s *Server) Start() error {
	if err := s.listen(); err != nil {
		s.Close()
		return err
	}
	if err := s.reg.start(s.ctx); err != nil {
		s.Close()
		return err
	}
	s.serve()
	s.dlg.start(s.ctx)
	return nil
}

// Addrs gives the addresses that are really listened on, in the order of
// Config.Listen.
func (s *Server) Addrs() []Listen {
	var l []Listen
	for _, x := range s.listeners {
		l = append(l, Listen{x.transport, x.addr.String()})
	}
	return l
}

// Drain refuses new calls with 503 and Retry-After; calls go on.
func (s *Server) Drain() { s.draining.Store(true) }

// Reload takes up a changed directory: bindings of extensions that are gone
// are dropped, trunk registrations follow. Legs are not touched.
func (s *Server) Reload() {
	s.reg.prune()
	s.dlg.reload()
	s.watches.reload()
}

// Registrations lists the live bindings of a company, most recent first.
func (s *Server) Registrations(t pbx.TenantID) []pbx.Binding {
	l := s.reg.list(t)
	slices.SortStableFunc(l, func(a, b pbx.Binding) int { return b.Registered.Compare(a.Registered) })
	return l
}

// Close ends everything: legs and trunk registrations first, while we can
// still talk, then listeners and connections. It waits for our goroutines,
// is bounded, and may be called again.
func (s *Server) Close() error {
	s.closeOnce.Do(func() {
		s.draining.Store(true)
		s.watches.close()
		s.dlg.close()
		s.cancel()
		s.closeErr = s.closeListeners()
		s.flows.close()
		if err := s.ua.Close(); err != nil {
			s.closeErr = errors.Join(s.closeErr, fmt.Errorf("close user agent: %w", err))
		}
		s.serving.Wait()
		s.reg.close()
	})
	return s.closeErr
}
