package media

import (
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"vpbx/media/audio"
	"vpbx/media/webrtc"
)

// Session is one party's audio. Its owner calls the exported methods from one
// goroutine; Quality and State may be called from any.
type Session struct {
	e         *Engine
	opt       Options
	log       *slog.Logger
	local     netip.Addr // our address in SDP; guarded by mu
	port      uint16     // of RTP; RTCP is the next
	rtp, rtcp PacketConn
	browser   *webrtc.Transport // whose sockets these are; nil: they are of the system

	mu      sync.Mutex // guards the fields below
	nego    negotiation
	way     webrtc.Local // of a browser: what our latest description says of the transport
	closed  bool
	keying  []*stroke // keys to be pressed, the one under way first
	doubles heardKeys // of the peer, which may come in two ways

	bridge *Bridge // guarded by Engine.bridging
	seat   *seat   // in a conference, likewise

	// What the packet path reads, and the owner swaps.
	agreed  atomic.Pointer[agreed]         // nil before any SDP
	dst     atomic.Pointer[netip.AddrPort] // where RTP goes; nil: nowhere yet
	rtcpDst atomic.Pointer[netip.AddrPort] // the source RTCP was locked on
	route   atomic.Pointer[route]          // nil: not joined
	player  atomic.Pointer[player]         // nil: nothing is played
	tap     atomic.Pointer[Tap]
	detect  atomic.Pointer[detection] // nil: nobody asks who has answered
	ear     atomic.Pointer[ear]       // nil: not mixed
	owner   atomic.Pointer[owner]     // who hears of events; never nil
	wanted  wanted

	latch latch       // of the "rtp" goroutine
	keys  keyEar      // of the "rtp" goroutine
	trans *transcoder // of the "rtp" goroutine; nil: nothing was turned into another codec
	in    receiver    // has its own lock
	out   stream      // has its own lock
	dtls  *handshakes // of both sockets
	done  chan struct{}
	wg    sync.WaitGroup
	cname uint64                    // our random name in RTCP (RFC 7022)
	ended atomic.Pointer[time.Time] // when it was closed
}

// Tap hears what a peer says. RTP is called on the goroutine that reads the
// packets, for audio only: it must copy the payload and never block. Sequence
// numbers and timestamps are the peer's own and jump when its SSRC changes.
type Tap interface {
	RTP(codec audio.Codec, seq uint16, ts uint32, marker bool, payload []byte, at time.Time)
}

func newSession(e *Engine, o Options, local netip.Addr, port uint16, rtp, rtcp PacketConn) *Session {
	s := &Session{
		e: e, opt: o, log: e.cfg.Log.With("session", o.Name),
		local: local, port: port, rtp: rtp, rtcp: rtcp,
		latch: latch{silence: rtpSilence}, done: make(chan struct{}), cname: rand.Uint64(),
	}
	s.dtls = newHandshakes(s)
	s.owner.Store(newOwner(o.Events, o.Gone))
	s.nego.begin()
	s.out.begin()
	return s
}

func (s *Session) start() {
	s.wg.Go(func() {
		defer s.recovered("rtp")
		s.readRTP()
	})
	s.wg.Go(func() {
		defer s.recovered("rtcp")
		s.runRTCP()
	})
}

// recovered keeps a mistake in one session from ending the others: the call is
// told that the session is silent, which ends it.
func (s *Session) recovered(what string) {
	if p := recover(); p != nil {
		s.log.Error("media session failed", "goroutine", what, "panic", p, "stack", string(debug.Stack()))
		s.deliver(Timeout{S: s})
	}
}

// maxReadErrors in a row end a reader, so that a broken socket cannot spin.
const maxReadErrors = 100

// readRTP is the packet path.
func (s *Session) readRTP() {
	buf := make([]byte, maxPacket+1+maxTag) // one more, to see what is too large, and what SRTP adds
	for errs := 0; errs < maxReadErrors; {
		n, src, err := s.rtp.ReadFromUDPAddrPort(buf[:maxPacket+1])
		if err != nil {
			if errors.Is(err, net.ErrClosed) || s.isDone() {
				return
			}
			if errors.Is(err, webrtc.ErrFailed) {
				s.log.Info("connection of the browser has failed", "state", s.browser.Stats())
				s.deliver(Timeout{S: s})
				return
			}
			errs++
			continue
		}
		errs = 0
		s.packet(buf[:n], netip.AddrPortFrom(src.Addr().Unmap(), src.Port()), time.Now())
	}
	s.log.Error("RTP socket keeps failing")
	s.deliver(Timeout{S: s})
}

func (s *Session) isDone() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// packet takes one datagram from the RTP port.
func (s *Session) packet(b []byte, src netip.AddrPort, at time.Time) {
	a := s.agreed.Load()
	if a == nil {
		s.in.count(dropSource)
		return
	}
	if a.guard != nil && isDTLS(b) {
		s.shakes(a, b, src, &s.dtls.rtp)
		return
	}
	if a.mux && isRTCP(b) {
		s.muxed(b, src, at)
		return
	}
	b, why := a.unseal(b, src.Addr(), s.opt.Peer)
	if why != kept {
		s.in.count(why)
		return
	}
	h, ok := parseHeader(b)
	if !ok {
		s.in.count(dropMalformed)
		return
	}
	if !a.dir.Sends() {
		s.in.count(dropDirection)
		return
	}
	f := a.format(h.pt)
	if f == nil {
		s.in.count(dropPayload)
		return
	}
	if !s.admit(a, src, h.ssrc, at) {
		s.in.count(dropSource)
		return
	}
	why, first := s.in.accept(h, f, at)
	if why != kept {
		return
	}
	if first {
		s.post(FirstPacket{S: s})
	}
	payload := b[h.start:h.end]
	passes := s.hearKeys(a, f, h, payload, at)
	if t := s.tap.Load(); t != nil && !f.event && !f.noise && len(payload) > 0 {
		(*t).RTP(f.audio, h.seq, h.ts, h.marker, payload, at)
	}
	if d := s.detect.Load(); d != nil && !f.event && !f.noise && len(payload) > 0 && d.hear(s, f, h, payload, at) {
		s.wake()
	}
	if !passes && !hush(f, payload) {
		s.leaveOut(h)
		return
	}
	if e := s.ear.Load(); e != nil && !f.event && len(payload) > 0 {
		if why := e.hear(f, h, payload, at); why != kept {
			s.in.count(why)
		}
	}
	if r := s.route.Load(); r != nil && len(payload) > 0 {
		s.relay(r, a, f, h, b, at)
	}
}

// write sends a packet of RTP to the peer: the one way out for whoever speaks to it.
// It has the slice to itself.
func (s *Session) write(p []byte, to netip.AddrPort) reason {
	p, why := s.sealed(p)
	if why != kept {
		return why
	}
	if _, err := s.rtp.WriteToUDPAddrPort(p, to); err != nil {
		return dropWrite
	}
	return kept
}

// admit asks the latch, and sends to a newly locked source from now on.
func (s *Session) admit(a *agreed, src netip.AddrPort, ssrc uint32, at time.Time) bool {
	switch s.latch.admit(src, ssrc, source{sdp: a.remote, peer: s.opt.Peer}, at) {
	case refused:
		return false
	case locked:
		if s.e.owns(src) {
			s.latch.addr = netip.AddrPort{}
			return false
		}
		s.follow(a, src)
	}
	return true
}

// follow sends to a newly locked source, unless another SDP came in between that
// has its own say.
func (s *Session) follow(a *agreed, src netip.AddrPort) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.agreed.Load()
	if (now.remote == a.remote || !a.described()) && now.sendable() {
		s.dst.Store(&src)
	}
}

// followRTCP is follow for a newly locked source of RTCP.
func (s *Session) followRTCP(a *agreed, src netip.AddrPort) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.agreed.Load().rtcp == a.rtcp {
		s.rtcpDst.Store(&src)
	}
}

// SetTap makes t hear the peer; nil ends that. It may be called at any time; the
// packet that is just being read still goes to the former tap.
func (s *Session) SetTap(t Tap) {
	if t == nil {
		s.tap.Store(nil)
		return
	}
	s.tap.Store(&t)
}

// Expect says that the call is answered: from now the peer should be sending. It
// starts the clock of Quality.FirstRTPMs and the time-out. Further calls do
// nothing.
func (s *Session) Expect() {
	at := time.Now()
	s.in.mu.Lock()
	again := !s.in.expectAt.IsZero()
	if !again {
		s.in.expectAt = at
	}
	s.in.mu.Unlock()
	if !again {
		s.watch(at)
	}
}

// watch lets the "rtcp" goroutine expect packets if the peer is to send and hear.
// A party on hold may be silent, whichever side is holding.
func (s *Session) watch(at time.Time) {
	a := s.agreed.Load()
	if s.in.listen(a != nil && a.dir.Sends() && a.dir.Receives(), at) {
		s.wake()
	}
}

// Close says goodbye, stops the goroutines, waits for them and gives the ports
// back. It is idempotent. Quality and State still answer afterwards.
func (s *Session) Close() error {
	s.mu.Lock()
	again := s.closed
	s.closed = true
	s.mu.Unlock()
	if again {
		s.wg.Wait()
		return nil
	}
	at := time.Now()
	s.ended.Store(&at)
	s.leave()
	s.StopPlay()
	s.bye(at)
	s.dtls.close()
	close(s.done)
	err := s.unbind()
	s.wg.Wait()
	s.e.remove(s)
	return err
}

// unbind closes what the session is bound to and gives its ports back.
func (s *Session) unbind() error {
	if s.browser != nil {
		return s.browser.Close()
	}
	err := errors.Join(s.rtp.Close(), s.rtcp.Close())
	s.e.ports.release(s.port, time.Now())
	return err
}
