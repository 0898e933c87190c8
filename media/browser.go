package media

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"vpbx/media/sdp"
	"vpbx/media/webrtc"
)

// browserProfile is the transport that we offer to browsers (RFC 8834 §4).
const browserProfile = "UDP/TLS/RTP/SAVPF"

// browserMid names the audio in our offers (RFC 8829 §5.2.1).
const browserMid = "0"

// WebRTC reports whether an offer is one of a browser: ICE with DTLS-SRTP. The session
// that takes it must have been opened with [Options.WebRTC].
func WebRTC(offer []byte) bool {
	d, err := sdp.Parse(offer)
	if err != nil {
		return false
	}
	_, err = d.WebRTC()
	return err == nil
}

// openBrowser starts a session on the port that browsers share.
func (e *Engine) openBrowser(o Options, local netip.Addr) (*Session, error) {
	port, err := e.browserPort()
	if err != nil {
		return nil, err
	}
	s := newSession(e, o, local, port.Number(), nil, nil)
	t, err := port.Open(webrtc.Options{SSRC: s.out.ssrc, Failed: e.cfg.Timeout})
	if err != nil {
		return nil, err
	}
	s.browser, s.rtp, s.rtcp = t, t.RTP(), t.Alarm()
	return s, nil
}

// browserPort is the port of browsers: the configured one, or the first of a free pair
// of the range, taken when the first browser comes and kept until the end.
func (e *Engine) browserPort() (*webrtc.Port, error) {
	e.webMu.Lock()
	defer e.webMu.Unlock()
	if e.web != nil {
		return e.web, nil
	}
	select {
	case <-e.ending:
		return nil, ErrClosed
	default:
	}
	conn, pair, err := e.bindBrowsers()
	if err != nil {
		return nil, err
	}
	port, err := webrtc.NewPort(conn)
	if err != nil {
		e.ports.release(pair, time.Now())
		return nil, errors.Join(fmt.Errorf("open the port of browsers: %w", err), conn.Close())
	}
	e.web, e.webPair = port, pair
	return port, nil
}

// bindBrowsers binds the socket of browsers; pair is 0 for the configured port.
func (e *Engine) bindBrowsers() (conn PacketConn, pair uint16, err error) {
	if e.cfg.WebRTCPort != 0 {
		if conn, err = e.listen(e.bindAddr(netip.Addr{}), e.cfg.WebRTCPort); err != nil {
			return nil, 0, fmt.Errorf("open the port of browsers: %w", err)
		}
		return conn, 0, nil
	}
	for range maxBinds {
		port, ok := e.ports.reserve(time.Now(), rand.IntN(e.ports.pairs))
		if !ok {
			return nil, 0, errors.Join(ErrNoPorts, err)
		}
		if conn, err = e.listen(e.bindAddr(netip.Addr{}), port); err == nil {
			return conn, port, nil
		}
		e.ports.release(port, time.Now())
	}
	return nil, 0, fmt.Errorf("%w: %w", ErrNoPorts, err)
}

// closeBrowsers closes the port of browsers.
func (e *Engine) closeBrowsers() error {
	e.webMu.Lock()
	port := e.web
	e.webMu.Unlock()
	if port == nil {
		return nil
	}
	return port.Close()
}

// browserDrops is what was dropped at the port of browsers.
func (e *Engine) browserDrops() webrtc.Drops {
	e.webMu.Lock()
	defer e.webMu.Unlock()
	if e.web == nil {
		return webrtc.Drops{}
	}
	return e.web.Drops()
}

// stream is the index of the audio of an offer that the session can carry, and how its
// keys are agreed on: those of a browser are its connection's, not the session's.
func (s *Session) stream(d sdp.Description) (index int, method string, err error) {
	if s.browser != nil {
		index, err = d.WebRTC()
		return index, unsecured, err
	}
	return pick(d, s.opt.Security)
}

// wayOf is what a browser's description says of the way of its packets.
func wayOf(m sdp.Media) webrtc.Remote {
	f := m.Fingerprints[0]
	for _, g := range m.Fingerprints {
		if g.Hash == "sha-256" { // RFC 8122 §5: one that both sides know
			f = g
		}
	}
	return webrtc.Remote{Ufrag: m.ICE.Ufrag, Pwd: m.ICE.Pwd, Hash: f.Hash, Fingerprint: f.Value, Setup: m.Setup, Candidates: m.ICE.Candidates}
}

// secure prepares the answer to a browser's offer: its connection begins, or goes on.
// It does nothing for other peers.
func (s *Session) secure(codecs []Codec) error {
	if s.browser == nil {
		return nil
	}
	s.mu.Lock()
	asked, i := s.nego.asked, s.nego.index
	var theirs sdp.Media
	if asked {
		theirs = s.nego.offer.Media[i]
	}
	s.mu.Unlock()
	if _, ok := choose(codecs, theirs.Codecs); !asked || !ok {
		return nil // the answer fails, and nothing changes
	}
	l, err := s.browser.Answer(wayOf(theirs))
	if err != nil {
		return fmt.Errorf("answer: %w: %w", ErrNotAcceptable, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.way = l
	return nil
}

// propose prepares an offer to a browser.
func (s *Session) propose() error {
	if s.browser == nil {
		return nil
	}
	l, err := s.browser.Offer()
	if err != nil {
		return fmt.Errorf("offer: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.way = l
	return nil
}

// accept takes what a browser's answer says of the way of its packets.
func (s *Session) accept(d sdp.Description) error {
	if s.browser == nil {
		return nil
	}
	i, err := d.WebRTC()
	if err != nil {
		return err
	}
	if err := s.browser.Accept(wayOf(d.Media[i])); err != nil {
		return fmt.Errorf("%w: %w", ErrNotAcceptable, err)
	}
	return nil
}

// dress adds what a browser must know of our side to our stream; mu is held.
func (s *Session) dress(m *sdp.Media) {
	if s.browser == nil {
		return
	}
	m.XR = sdp.XR{} // no browser knows them
	m.Fingerprints = []sdp.Fingerprint{{Hash: s.way.Hash, Value: s.way.Fingerprint}}
	m.Setup = s.way.Setup
	m.ICE = &sdp.ICE{Ufrag: s.way.Ufrag, Pwd: s.way.Pwd, Lite: true, Candidates: s.candidates()}
	m.Source = sdp.Source{SSRC: s.out.ssrc, CNAME: strconv.FormatUint(s.cname, 36)}
}

// candidates are the addresses at which a browser reaches us: that of our description,
// and one of the other family where there is one.
func (s *Session) candidates() []string {
	list := []netip.Addr{s.local}
	for _, a := range slices.Concat(s.e.cfg.External, s.e.cfg.Listen) {
		if a.Is4() != s.local.Is4() && !a.IsUnspecified() && len(list) == 1 {
			list = append(list, a)
		}
	}
	var lines []string
	for i, a := range list {
		lines = append(lines, sdp.HostCandidate(i, netip.AddrPortFrom(a, s.port)))
	}
	return lines
}

// settleBrowser makes what was agreed valid for the packet path: a browser's packets
// come from one address, whatever its real one is.
func (s *Session) settleBrowser(a *agreed, dir sdp.Direction) {
	a.remote, a.dir, a.mux = webrtc.Peer, dir, true
	s.agreed.Store(a)
	to := webrtc.Peer
	s.dst.Store(&to)
}

// spokenByBrowsers leaves out codecs that no browser has (RFC 7874 §3).
func spokenByBrowsers(codecs []Codec) []Codec {
	return slices.DeleteFunc(slices.Clone(codecs), func(c Codec) bool { return !c.Known() })
}

// Connection is how the connection of a browser is, as [webrtc.Stats] tells it.
type Connection = webrtc.Stats

// Connection is nil unless the peer is a browser. It may be called at any time and
// after Close.
func (s *Session) Connection() *Connection {
	if s.browser == nil {
		return nil
	}
	c := s.browser.Stats()
	return &c
}
