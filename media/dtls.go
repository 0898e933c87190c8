package media

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/logging"
	"github.com/pion/srtp/v3"

	"vpbx/media/sdp"
)

const (
	// shakeTime bounds a handshake: five flights lost in a row.
	shakeTime = 30 * time.Second
	// maxShakes are the handshakes of a socket at once with the address in the peer's
	// SDP, and as many with others that the peer may have; maxHellos those begun in
	// a second.
	maxShakes = 4
	maxHellos = 20
	// maxReadFaults of an association in a row end it.
	maxReadFaults = 100
)

// profile is a protection profile and what it is in SDES.
type profile struct {
	id    dtls.SRTPProtectionProfile
	suite string
}

// profiles are what we offer and take in use_srtp (RFC 5764 §4.1.2, RFC 7714 §14.2),
// in order of preference.
var profiles = []profile{
	{dtls.SRTP_AEAD_AES_128_GCM, "AEAD_AES_128_GCM"},
	{dtls.SRTP_AEAD_AES_256_GCM, "AEAD_AES_256_GCM"},
	{dtls.SRTP_AES128_CM_HMAC_SHA1_80, "AES_CM_128_HMAC_SHA1_80"},
}

// isDTLS tells the protocols on one port apart by the first byte (RFC 7983 §7).
func isDTLS(b []byte) bool { return len(b) > 0 && b[0] >= 20 && b[0] <= 63 }

// hello is what matters of a ClientHello.
type hello struct {
	random [32]byte
	cookie bool // it has one: the peer gets what we send to its address (RFC 6347 §4.2.1)
}

// readHello reads a datagram that begins with a ClientHello: a record of type
// handshake in epoch 0, whose first fragment it is (RFC 6347 §4.1, §4.2.2).
func readHello(b []byte) (hello, bool) {
	const random, session = 13 + 12 + 2, 13 + 12 + 2 + 32
	if len(b) <= session || b[0] != 22 || b[3] != 0 || b[4] != 0 || b[13] != 1 || b[19] != 0 || b[20] != 0 || b[21] != 0 {
		return hello{}, false
	}
	h := hello{random: [32]byte(b[random:session])}
	cookie := session + 1 + int(b[session])
	h.cookie = len(b) > cookie && b[cookie] > 0
	return h, true
}

// shakes takes a datagram of DTLS from one of the sockets. Only the peer's hosts may
// try: a ClientHello from elsewhere takes nothing from anybody.
func (s *Session) shakes(a *agreed, b []byte, src netip.AddrPort, on *socket) {
	if a.guard.method != byDTLS {
		s.in.count(dropMalformed)
		return
	}
	if !(source{sdp: a.remote, peer: s.opt.Peer}).allows(src.Addr()) || s.e.owns(src) {
		s.in.count(dropSource)
		return
	}
	if !on.take(b, src) {
		s.in.count(dropMalformed)
	}
}

// shake expects the handshake that an agreement is about, or begins it.
func (s *Session) shake(a *agreed, theirs sdp.Media, active bool) {
	if a.guard == nil || a.guard.method != byDTLS {
		return
	}
	h := s.dtls
	h.mu.Lock()
	moved := h.guard != a.guard || h.remote != a.remote
	if h.guard != a.guard {
		h.guard, h.named = a.guard, theirs.Fingerprints
	}
	h.remote, h.active = a.remote, active
	h.mu.Unlock()
	if !active || !moved {
		return
	}
	if to := s.dst.Load(); to != nil {
		h.rtp.begin(*to, [32]byte{}, nil)
	}
	if !a.mux && a.rtcp.IsValid() {
		h.rtcp.begin(a.rtcp, [32]byte{}, nil)
	}
}

// handshakes are those of a session: on its RTP socket and, where RTCP does not come
// there, on that of RTCP (RFC 5764 §4). Each association has a goroutine, until it
// is closed.
type handshakes struct {
	s         *Session
	rtp, rtcp socket
	wg        sync.WaitGroup

	mu     sync.Mutex // guards the fields below and those of both sockets
	closed bool
	guard  *guard            // gets the keys
	named  []sdp.Fingerprint // of the peer's certificate
	remote netip.AddrPort    // in the peer's SDP
	active bool              // we begin
}

// socket is one of the two with its associations.
type socket struct {
	h     *handshakes
	conn  PacketConn
	open  []*association
	since time.Time // the second in which
	begun int       // as many were begun
}

func newHandshakes(s *Session) *handshakes {
	h := &handshakes{s: s}
	h.rtp, h.rtcp = socket{h: h, conn: s.rtp}, socket{h: h, conn: s.rtcp}
	return h
}

// expects reports whether the handshakes are about a guard and these fingerprints.
func (h *handshakes) expects(g *guard, named []sdp.Fingerprint) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.guard == g && slices.Equal(h.named, named)
}

// close ends all associations and waits for them.
func (h *handshakes) close() {
	h.mu.Lock()
	h.closed = true
	all := slices.Concat(h.rtp.open, h.rtcp.open)
	h.mu.Unlock()
	for _, a := range all {
		a.stop()
	}
	h.wg.Wait()
}

// take gives a datagram to the association that it belongs to, or to a new one for a
// ClientHello. Handshakes are told apart by what is random in the ClientHello, so
// that one which is forged, even from the peer's own address, does not get into that
// of the peer. A peer that has shaken hands may begin anew; the old keys stay until
// there are others. It reports false for what nobody wants.
func (k *socket) take(b []byte, src netip.AddrPort) bool {
	hello, ok := readHello(b)
	k.h.mu.Lock()
	a := k.find(src, hello, ok)
	if a != nil && hello.cookie {
		a.proven = true
	}
	passive := !k.h.active
	k.h.mu.Unlock()
	if a != nil {
		return a.put(b)
	}
	return ok && passive && k.begin(src, hello.random, b)
}

// find finds the association of a datagram: of a ClientHello that with the same
// random; of anything else the latest that has got so far. handshakes.mu is held.
func (k *socket) find(src netip.AddrPort, h hello, isHello bool) *association {
	var found *association
	for _, a := range k.open {
		switch {
		case a.peer != src || isHello && (a.random != h.random || a.done):
		case isHello:
			return a
		case found == nil || a.proven || a.client:
			found = a
		}
	}
	return found
}

// begin starts a handshake, within the bounds. first is the ClientHello that the peer
// has begun it with, nil when we begin.
func (k *socket) begin(peer netip.AddrPort, random [32]byte, first []byte) bool {
	h := k.h
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || h.guard == nil || !k.room(peer, time.Now()) {
		return false
	}
	a := newAssociation(k, peer)
	a.random, a.client = random, first == nil
	if first != nil {
		a.put(first)
	}
	k.open = append(k.open, a)
	g, named := h.guard, h.named
	h.wg.Go(func() {
		defer h.s.recovered("dtls")
		defer k.forget(a)
		k.run(a, g, named)
	})
	return true
}

// room tells whether a further handshake is within the bounds. With the address in
// the SDP it takes the place of the oldest one that has come to nothing yet; nobody
// else may take a place from anybody. handshakes.mu is held.
func (k *socket) room(peer netip.AddrPort, at time.Time) bool {
	if at.Sub(k.since) >= time.Second {
		k.since, k.begun = at, 0
	}
	named := peer == k.h.remote
	var waiting []*association
	for _, a := range k.open {
		if !a.done && (a.peer == k.h.remote) == named {
			waiting = append(waiting, a)
		}
	}
	if k.begun >= maxHellos || !named && len(waiting) >= maxShakes {
		return false
	}
	if len(waiting) >= maxShakes {
		oldest := max(0, slices.IndexFunc(waiting, func(a *association) bool { return !a.proven }))
		waiting[oldest].stop()
		k.open = slices.DeleteFunc(k.open, func(a *association) bool { return a == waiting[oldest] })
	}
	k.begun++
	return true
}

// forget takes an association off the list.
func (k *socket) forget(a *association) {
	k.h.mu.Lock()
	defer k.h.mu.Unlock()
	k.open = slices.DeleteFunc(k.open, func(o *association) bool { return o == a })
}

// run is the life of an association: the handshake, the keys, and answers to a peer
// that has missed the last flight, until either side ends it.
func (k *socket) run(a *association, g *guard, named []sdp.Fingerprint) {
	conn, err := k.connect(a, named)
	if err != nil {
		k.h.s.log.Warn("DTLS not begun", "error", err)
		return
	}
	defer func() { _ = conn.Close() }()
	ctx, cancel := context.WithTimeout(context.Background(), shakeTime)
	defer cancel()
	if err := conn.HandshakeContext(ctx); err != nil {
		if !a.stopped() {
			k.h.s.log.Info("DTLS handshake failed", "peer", a.peer, "error", err)
		}
		return
	}
	found, err := export(conn, a.client)
	if err != nil {
		k.h.s.log.Info("DTLS handshake without keys for SRTP", "peer", a.peer, "error", err)
		return
	}
	k.won(a, g, found)
	buf := make([]byte, maxPacket)
	for faults := 0; faults < maxReadFaults && !a.stopped(); {
		switch _, err := conn.Read(buf); {
		case errors.Is(err, io.EOF):
			return
		case err != nil:
			faults++
		default:
			faults = 0 // nobody sends data here, and we do not read it
		}
	}
}

// connect prepares an association.
func (k *socket) connect(a *association, named []sdp.Fingerprint) (*dtls.Conn, error) {
	verify := func(raw [][]byte, _ [][]*x509.Certificate) error {
		if len(raw) == 0 || !proves(raw[0], named) {
			return errFingerprint
		}
		return nil
	}
	ids := make([]dtls.SRTPProtectionProfile, len(profiles))
	for i, p := range profiles {
		ids[i] = p.id
	}
	quiet := &logging.DefaultLoggerFactory{Writer: io.Discard, DefaultLogLevel: logging.LogLevelDisabled}
	addr := net.UDPAddrFromAddrPort(a.peer)
	if a.client {
		return dtls.ClientWithOptions(a, addr, dtls.WithCertificates(k.h.s.e.certificate.tls), dtls.WithSRTPProtectionProfiles(ids...),
			dtls.WithVerifyPeerCertificate(verify), dtls.WithLoggerFactory(quiet), dtls.WithInsecureSkipVerify(true))
	}
	return dtls.ServerWithOptions(a, addr, dtls.WithCertificates(k.h.s.e.certificate.tls), dtls.WithSRTPProtectionProfiles(ids...),
		dtls.WithVerifyPeerCertificate(verify), dtls.WithLoggerFactory(quiet), dtls.WithClientAuth(dtls.RequireAnyClientCert))
}

// errFingerprint means that the peer has another certificate than its SDP says.
var errFingerprint = errors.New("the certificate is not that of the SDP")

// won puts the keys of a handshake in force and ends the other associations of the
// socket. A handshake that was about another certificate changes nothing.
func (k *socket) won(a *association, g *guard, found *keys) {
	h := k.h
	h.mu.Lock()
	if h.guard != g {
		h.mu.Unlock()
		return
	}
	a.done = true
	others := slices.DeleteFunc(slices.Clone(k.open), func(o *association) bool { return o == a })
	h.mu.Unlock()
	if k == &h.rtp {
		g.rtp.Store(found)
	} else {
		g.rtcp.Store(found)
	}
	for _, o := range others {
		o.stop()
	}
	h.s.log.Debug("DTLS handshake done", "peer", a.peer, "suite", found.suite)
}

// export takes the keys for SRTP out of a handshake (RFC 5764 §4.2).
func export(conn *dtls.Conn, client bool) (*keys, error) {
	id, ok := conn.SelectedSRTPProtectionProfile()
	i := slices.IndexFunc(profiles, func(p profile) bool { return p.id == id })
	if !ok || i < 0 {
		return nil, errors.New("no profile of SRTP was agreed on")
	}
	state, ok := conn.ConnectionState()
	if !ok {
		return nil, errors.New("the state cannot be read")
	}
	config := srtp.Config{Profile: suites[profiles[i].suite]}
	if err := config.ExtractSessionKeysFromDTLS(&state, client); err != nil {
		return nil, fmt.Errorf("export keys: %w", err)
	}
	ours := sdp.Crypto{Suite: profiles[i].suite, Key: slices.Concat(config.Keys.LocalMasterKey, config.Keys.LocalMasterSalt)}
	theirs := sdp.Crypto{Suite: profiles[i].suite, Key: slices.Concat(config.Keys.RemoteMasterKey, config.Keys.RemoteMasterSalt)}
	out, err := newOutbound(ours)
	if err != nil {
		return nil, err
	}
	in, err := newInbound(theirs)
	if err != nil {
		return nil, err
	}
	return &keys{suite: profiles[i].suite, in: in, out: out}, nil
}
