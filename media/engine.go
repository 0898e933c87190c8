package media

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"vpbx/media/sdp"
	"vpbx/media/webrtc"
)

// Errors that a caller answers in its own way.
var (
	// ErrNoPorts means that the port range is used up (503 with Retry-After).
	ErrNoPorts = errors.New("no free RTP port")
	// ErrNoCodec means that the two sides share no codec (488).
	ErrNoCodec = errors.New("no common codec")
	// ErrNotAcceptable means that the SDP has no audio stream we can carry (488).
	ErrNotAcceptable = sdp.ErrNotAcceptable
	// ErrMalformed means that the bytes are not SDP (400).
	ErrMalformed = sdp.ErrMalformed
	// ErrInsecure means that the peer does not secure its sound and must (488).
	ErrInsecure = fmt.Errorf("not secured by SRTP: %w", sdp.ErrNotAcceptable)
	// ErrSecured means that the peer wants its sound secured, which is switched off
	// for it (488).
	ErrSecured = fmt.Errorf("SRTP is off: %w", sdp.ErrNotAcceptable)
	// ErrClosed means that the engine is shutting down.
	ErrClosed = errors.New("media engine is closed")
)

// PacketConn is a bound UDP socket. *net.UDPConn is one.
type PacketConn interface {
	ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error)
	WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error)
	LocalAddr() net.Addr
	SetReadDeadline(time.Time) error
	Close() error
}

// Config is what an Engine needs to know. Zero values of Listen, the ports,
// Timeout, ListenPacket and Log stand for all addresses, 20000-29999, 30 s, the
// real network and no log.
type Config struct {
	Listen    []netip.Addr   // addresses to bind, one of a family; an unspecified one is all of both families
	External  []netip.Addr   // put into SDP for peers of their family outside LocalNets; may be empty
	LocalNets []netip.Prefix // networks from which Listen is reachable as it is
	PortMin   uint16         // range of RTP and RTCP ports, both ends included
	PortMax   uint16
	Timeout   time.Duration // without RTP and RTCP, after which a session reports Timeout
	// WebRTCPort is the one UDP port of all browsers; 0 takes one of the range when the
	// first browser comes.
	WebRTCPort uint16
	Budget     Budget // of sessions; the zero Budget has no limits

	// ListenPacket binds a UDP socket; its result must also be a PacketConn.
	ListenPacket func(network, address string) (net.PacketConn, error)
	// LocalFor is our address as a peer sees it, for an unspecified Listen. Nil
	// asks the operating system's routing table.
	LocalFor func(peer netip.Addr) netip.Addr

	Log     *slog.Logger
	Metrics Registerer // nil: no metrics
}

// Engine opens sessions within one range of ports.
type Engine struct {
	cfg   Config
	ports *ports

	// bridging guards which sessions are joined: Session.bridge of all sessions,
	// and Session.seat with all of Conference.
	bridging sync.Mutex
	wg       sync.WaitGroup // of conferences, and of sessions that close themselves

	mu     sync.Mutex // guards the fields below
	live   map[*Session]struct{}
	past   totals // of sessions that are closed
	closed bool
	// mostLost is the highest count of lost packets ever shown.
	mostLost uint64

	ending chan struct{} // closed by Close

	webMu       sync.Mutex   // guards the fields below
	web         *webrtc.Port // nil before the first browser
	webPair     uint16       // of the range, that it takes; 0: none
	certificate certificate  // of this node, for DTLS

	refused [works]atomic.Uint64 // sessions for which the budget had no room

	unregister func()
}

// New checks the configuration and registers the metrics.
func New(cfg Config) (*Engine, error) {
	cfg = cfg.withDefaults()
	if cfg.PortMin < 1024 || cfg.PortMax <= cfg.PortMin {
		return nil, fmt.Errorf("media ports %d-%d: need at least two ports above 1023", cfg.PortMin, cfg.PortMax)
	}
	if cfg.Timeout < 0 {
		return nil, fmt.Errorf("media timeout %v: must not be negative", cfg.Timeout)
	}
	p := newPorts(cfg.PortMin, cfg.PortMax)
	if p.pairs == 0 {
		return nil, fmt.Errorf("media ports %d-%d: no even port with an odd one after it", cfg.PortMin, cfg.PortMax)
	}
	if cfg.WebRTCPort >= cfg.PortMin && cfg.WebRTCPort <= cfg.PortMax {
		return nil, fmt.Errorf("media port %d of browsers: lies in %d-%d, which is for telephones", cfg.WebRTCPort, cfg.PortMin, cfg.PortMax)
	}
	e := &Engine{cfg: cfg, ports: p, live: map[*Session]struct{}{}, ending: make(chan struct{})}
	var err error
	if e.certificate, err = newCertificate(time.Now()); err != nil {
		return nil, fmt.Errorf("make the certificate for DTLS: %w", err)
	}
	if cfg.WebRTCPort != 0 {
		if _, err := e.browserPort(); err != nil {
			return nil, err
		}
	}
	unregister, err := register(cfg.Metrics, e)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("register media metrics: %w", err), e.closeBrowsers())
	}
	e.unregister = unregister
	return e, nil
}

func (c Config) withDefaults() Config {
	if len(c.Listen) == 0 {
		c.Listen = []netip.Addr{netip.IPv4Unspecified()}
	}
	if c.PortMin == 0 && c.PortMax == 0 {
		c.PortMin, c.PortMax = 20000, 29999
	}
	if c.Timeout == 0 {
		c.Timeout = 30 * time.Second
	}
	if c.ListenPacket == nil {
		c.ListenPacket = func(network, address string) (net.PacketConn, error) {
			var l net.ListenConfig
			return l.ListenPacket(context.Background(), network, address)
		}
	}
	if c.LocalFor == nil {
		c.LocalFor = routeTo
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// routeTo is the source address the system would use towards a peer. Connecting a
// UDP socket sends nothing.
func routeTo(peer netip.Addr) netip.Addr {
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(peer, 9)))
	if err != nil {
		return netip.Addr{}
	}
	defer c.Close()
	local, err := netip.ParseAddrPort(c.LocalAddr().String())
	if err != nil {
		return netip.Addr{}
	}
	return local.Addr()
}

// Options are what a session needs to know of its call.
type Options struct {
	Name string     // for the log
	Peer netip.Addr // where the peer's signalling comes from
	// WebRTC says that the peer is a browser: its media comes by ICE and DTLS.
	WebRTC bool
	// Security says whether the sound may or must be secured.
	Security Security
	// Datagrams says that the signalling goes in datagrams: offers must be short.
	Datagrams bool
	Keys      Keys // how keys pass between the peer and us
	// Events receives FirstPacket, Timeout, DTMF, KeyOut and PlayDone. FirstPacket,
	// DTMF and KeyOut are dropped and counted when it is full, the others wait until Gone is closed
	// or the session is.
	Events chan<- any
	Gone   <-chan struct{} // closed when nobody reads Events any more
}

// Open takes a free pair of ports and starts a session on it, or returns
// ErrNoPorts or ErrBusy. The owner must Close it.
func (e *Engine) Open(o Options) (*Session, error) {
	if !e.room(Relay, 1) {
		e.refused[Relay].Add(1)
		return nil, fmt.Errorf("open media session %s: %w", o.Name, ErrBusy)
	}
	o.Peer = o.Peer.Unmap()
	local, err := e.advertise(o.Peer)
	if err != nil {
		return nil, fmt.Errorf("open media session %s: %w", o.Name, err)
	}
	s, err := e.make(o, local)
	if err != nil {
		return nil, fmt.Errorf("open media session %s: %w", o.Name, err)
	}
	e.mu.Lock()
	refused := e.closed
	if !refused {
		e.live[s] = struct{}{}
	}
	e.mu.Unlock()
	if refused {
		return nil, fmt.Errorf("open media session %s: %w", o.Name, errors.Join(ErrClosed, s.unbind()))
	}
	s.start()
	return s, nil
}

// make binds what a session needs.
func (e *Engine) make(o Options, local netip.Addr) (*Session, error) {
	if o.WebRTC {
		return e.openBrowser(o, local)
	}
	port, rtp, rtcp, err := e.bind(e.bindAddr(o.Peer))
	if err != nil {
		return nil, err
	}
	return newSession(e, o, local, port, rtp, rtcp), nil
}

// maxBinds bounds the tries to bind ports that other programs hold.
const maxBinds = 64

// bind opens the two sockets of a session: RTP on an even port and RTCP on the
// next one (RFC 3550 §11).
func (e *Engine) bind(at netip.Addr) (port uint16, rtp, rtcp PacketConn, err error) {
	var last error
	for range maxBinds {
		port, ok := e.ports.reserve(time.Now(), rand.IntN(e.ports.pairs))
		if !ok {
			break
		}
		if rtp, last = e.listen(at, port); last == nil {
			if rtcp, last = e.listen(at, port+1); last == nil {
				return port, rtp, rtcp, nil
			}
			last = errors.Join(last, rtp.Close())
		}
		e.ports.release(port, time.Now())
	}
	if last != nil {
		return 0, nil, nil, fmt.Errorf("%w: %w", ErrNoPorts, last)
	}
	return 0, nil, nil, ErrNoPorts
}

func (e *Engine) listen(at netip.Addr, port uint16) (PacketConn, error) {
	c, err := e.cfg.ListenPacket("udp", netip.AddrPortFrom(at, port).String())
	if err != nil {
		return nil, err
	}
	p, ok := c.(PacketConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("%T cannot carry media", c), c.Close())
	}
	return p, nil
}

// isLocal reports whether an address lies in the configured local networks.
func (e *Engine) isLocal(a netip.Addr) bool {
	for _, n := range e.cfg.LocalNets {
		if n.Contains(a) {
			return true
		}
	}
	return false
}

// remove takes a closed session off the books and keeps what it counted.
func (e *Engine) remove(s *Session) {
	t := s.totals()
	e.mu.Lock()
	if _, ok := e.live[s]; ok {
		delete(e.live, s)
		e.past.add(t)
	}
	e.mu.Unlock()
}

// Close closes the sessions that are still open, waits for their goroutines and
// takes the metrics back. It is idempotent; Open fails afterwards.
func (e *Engine) Close() error {
	e.mu.Lock()
	again := e.closed
	e.closed = true
	if !again {
		close(e.ending)
	}
	open := make([]*Session, 0, len(e.live))
	for s := range e.live {
		open = append(open, s)
	}
	e.mu.Unlock()
	var errs []error
	for _, s := range open {
		errs = append(errs, s.Close())
	}
	e.wg.Wait()
	if !again {
		errs = append(errs, e.closeBrowsers())
	}
	e.unregister()
	return errors.Join(errs...)
}
