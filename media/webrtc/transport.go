package webrtc

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/logging"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/transport/v4/packetio"
	pion "github.com/pion/webrtc/v4"
)

// Errors that a caller answers in its own way.
var (
	// ErrFailed means that the connection has failed for good: the browser cannot be
	// reached any more, or is not who the signalling says.
	ErrFailed = errors.New("connection of the browser has failed")
	// ErrChanged means that a description wants another certificate or another order of
	// offer and answer than the connection has.
	ErrChanged = errors.New("the connection cannot change so")
)

const (
	// disconnectedAfter is how long a browser may be silent until its connection shows
	// as disconnected; it checks every five seconds at least (RFC 7675 §5.1).
	disconnectedAfter = 10 * time.Second
	// maxSources is how many SSRCs a browser may use. It needs one, and one more for
	// each microphone that it changes to.
	maxSources = 64
)

// Options are what a transport needs to know.
type Options struct {
	SSRC   uint32        // of the stream that is sent to the browser
	Failed time.Duration // without a sign of the browser, after which the connection has failed
}

// Transport is the connection of one browser. Offer, Answer, Accept and Close are for
// its one owner; Stats may be called by anybody.
type Transport struct {
	port   *Port
	pc     *pion.PeerConnection
	dtls   *pion.DTLSTransport
	opened time.Time

	rtp, alarm *Conn
	writer     atomic.Pointer[pion.TrackLocalWriter] // nil: nothing can be sent yet
	headers    sync.Pool                             // of *rtp.Header

	failing sync.Once
	failed  chan struct{}          // closed when the connection has failed
	sources atomic.Int32           // SSRCs that the browser has used
	name    atomic.Pointer[string] // local.Ufrag

	// What the owner has agreed on with the peer.
	local    Local // with Setup as in an answer; its Ufrag is "" before the first description
	offered  bool  // the first description was ours and is not answered
	remote   Remote
	version  int
	restarts atomic.Int32

	connected atomic.Int64 // nanoseconds from the beginning until DTLS was done
	last      atomic.Pointer[Stats]
}

// Open makes a transport that waits for descriptions. The owner must Close it.
func (p *Port) Open(o Options) (*Transport, error) {
	cert, err := p.certificate()
	if err != nil {
		return nil, err
	}
	t := &Transport{port: p, failed: make(chan struct{}), opened: time.Now()}
	t.rtp, t.alarm = newConn(t, queueLen), newConn(t, 0)
	t.rtp.lost = t.failed
	t.headers.New = func() any { return new(rtp.Header) }
	api, err := t.api(o)
	if err != nil {
		return nil, err
	}
	t.pc, err = api.NewPeerConnection(pion.Configuration{
		Certificates: []pion.Certificate{cert}, BundlePolicy: pion.BundlePolicyMaxBundle, RTCPMuxPolicy: pion.RTCPMuxPolicyRequire,
	})
	if err != nil {
		return nil, fmt.Errorf("make a connection: %w", err)
	}
	if err := t.prepare(cert, o.SSRC); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

// carrier is the codec that pion is told of; it learns nothing of those that are spoken.
var carrier = pion.RTPCodecParameters{
	RTPCodecCapability: pion.RTPCodecCapability{MimeType: pion.MimeTypePCMA, ClockRate: 8000}, PayloadType: 8,
}

// api is pion with the settings of this transport. They differ from those of others in
// who hears what was received.
func (t *Transport) api(o Options) (*pion.API, error) {
	var m pion.MediaEngine
	if err := m.RegisterCodec(carrier, pion.RTPCodecTypeAudio); err != nil {
		return nil, fmt.Errorf("register the codec: %w", err)
	}
	var s pion.SettingEngine
	s.LoggerFactory = &logging.DefaultLoggerFactory{Writer: io.Discard, DefaultLogLevel: logging.LogLevelDisabled}
	s.SetLite(true)
	s.SetNet(t.port.net)
	s.SetICEUDPMux(mux{t.port})
	s.SetNetworkTypes([]pion.NetworkType{pion.NetworkTypeUDP4, pion.NetworkTypeUDP6})
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	s.SetIncludeLoopbackCandidate(true)
	s.DisableActiveTCP(true)
	s.SetICETimeouts(disconnectedAfter, o.Failed, 0)
	s.SetReceiveMTU(maxDatagram)
	s.DisableCloseByDTLS(true) // SIP says when a call is over
	s.BufferFactory = t.buffer
	return pion.NewAPI(pion.WithMediaEngine(&m), pion.WithSettingEngine(s), pion.WithInterceptorRegistry(&interceptor.Registry{})), nil
}

// prepare adds the stream that is sent, and begins to watch the connection.
func (t *Transport) prepare(cert pion.Certificate, ssrc uint32) error {
	prints, err := cert.GetFingerprints()
	if err != nil || len(prints) == 0 {
		return errors.Join(errors.New("the certificate has no fingerprint"), err)
	}
	t.local.Hash, t.local.Fingerprint = prints[0].Algorithm, prints[0].Value
	tr, err := t.pc.AddTransceiverFromTrack(track{t}, pion.RTPTransceiverInit{
		Direction:     pion.RTPTransceiverDirectionSendonly,
		SendEncodings: []pion.RTPEncodingParameters{{RTPCodingParameters: pion.RTPCodingParameters{SSRC: pion.SSRC(ssrc)}}},
	})
	if err != nil {
		return fmt.Errorf("add the stream: %w", err)
	}
	t.dtls = tr.Sender().Transport()
	t.pc.OnConnectionStateChange(func(s pion.PeerConnectionState) {
		switch s {
		case pion.PeerConnectionStateConnected:
			t.connected.CompareAndSwap(0, int64(time.Since(t.opened)))
		case pion.PeerConnectionStateFailed:
			t.fail()
		}
	})
	return nil
}

func (t *Transport) fail() {
	t.failing.Do(func() { close(t.failed) })
}

// RTP is the browser's packets as a socket: RTP and RTCP (RFC 5761), from and to [Peer].
func (t *Transport) RTP() *Conn { return t.rtp }

// Alarm is a socket to which nothing ever comes, with a read deadline.
func (t *Transport) Alarm() *Conn { return t.alarm }

// Offer is what our offer says. The first one begins the connection.
func (t *Transport) Offer() (Local, error) {
	if t.local.Ufrag == "" {
		offer, err := t.pc.CreateOffer(nil)
		if err != nil {
			return Local{}, fmt.Errorf("make an offer: %w", err)
		}
		if err := t.describe(offer); err != nil {
			return Local{}, err
		}
		t.offered = true
	}
	l := t.local
	l.Setup = "actpass" // RFC 8842 §5.2
	return l, nil
}

// Answer is what our answer to the browser's offer says. An offer with another name and
// password begins ICE anew (RFC 8839 §4.4.1.1).
func (t *Transport) Answer(r Remote) (Local, error) {
	switch {
	case t.offered:
		return Local{}, fmt.Errorf("answer: %w: our offer is not answered", ErrChanged)
	case t.remote.Ufrag != "" && !t.known(r):
		return Local{}, fmt.Errorf("answer: %w: another certificate", ErrChanged)
	case t.remote.sameWay(r):
		return t.local, nil
	}
	old, setup := t.local.Ufrag, t.local.Setup
	t.version++
	if err := t.pc.SetRemoteDescription(pion.SessionDescription{Type: pion.SDPTypeOffer, SDP: r.text(t.version)}); err != nil {
		return Local{}, fmt.Errorf("take the offer: %w", err)
	}
	answer, err := t.pc.CreateAnswer(nil)
	if err != nil {
		return Local{}, fmt.Errorf("make an answer: %w", err)
	}
	if err := t.describe(answer); err != nil {
		return Local{}, err
	}
	t.remote = r
	if old != "" {
		t.port.dismiss(old)
		t.local.Setup = setup // the handshake is not repeated (RFC 8842 §5.3)
		t.restarts.Add(1)
	}
	return t.local, nil
}

// known reports whether the browser has the certificate that it had.
func (t *Transport) known(r Remote) bool {
	return r.Hash == t.remote.Hash && r.Fingerprint == t.remote.Fingerprint
}

// Accept takes the browser's answer to our offer. A later one may say the same again.
func (t *Transport) Accept(r Remote) error {
	if !t.offered {
		if t.remote.sameWay(r) && t.known(r) {
			return nil
		}
		return fmt.Errorf("take the answer: %w", ErrChanged)
	}
	if r.Setup == "actpass" || r.Setup == "" {
		r.Setup = "active" // RFC 5763 §5: an answer must choose; who does not begins
	}
	t.version++
	if err := t.pc.SetRemoteDescription(pion.SessionDescription{Type: pion.SDPTypeAnswer, SDP: r.text(t.version)}); err != nil {
		return fmt.Errorf("take the answer: %w", err)
	}
	t.offered, t.remote = false, r
	t.local.Setup = "passive"
	if r.Setup == "passive" {
		t.local.Setup = "active"
	}
	return nil
}

// describe makes pion act on its own description, and lets the browser's checks in.
func (t *Transport) describe(d pion.SessionDescription) error {
	if err := t.pc.SetLocalDescription(d); err != nil {
		return fmt.Errorf("set the local description: %w", err)
	}
	t.local.Ufrag, t.local.Pwd, t.local.Setup = attribute(d.SDP, "ice-ufrag"), attribute(d.SDP, "ice-pwd"), attribute(d.SDP, "setup")
	if t.local.Ufrag == "" || t.local.Pwd == "" {
		return errors.New("the local description names no session")
	}
	name := t.local.Ufrag
	t.name.Store(&name)
	t.port.admit(name, t.local.Pwd)
	return nil
}

// send sends a packet of RTP or RTCP.
func (t *Transport) send(b []byte) error {
	if len(b) > 1 && b[1] >= 192 && b[1] <= 223 { // RFC 5761 §4
		packets, err := rtcp.Unmarshal(b)
		if err != nil {
			return fmt.Errorf("send RTCP: %w", err)
		}
		return t.pc.WriteRTCP(packets)
	}
	w := t.writer.Load()
	h, ok := t.headers.Get().(*rtp.Header)
	if w == nil || !ok {
		return nil // there is no connection yet
	}
	defer t.headers.Put(h)
	n, err := h.Unmarshal(b)
	if err != nil {
		return fmt.Errorf("send RTP: %w", err)
	}
	_, err = (*w).WriteRTP(h, b[n:])
	return err
}

// track is the stream that is sent, as pion asks for it.
type track struct{ t *Transport }

// Bind learns where packets are written to.
func (k track) Bind(c pion.TrackLocalContext) (pion.RTPCodecParameters, error) {
	w := c.WriteStream()
	k.t.writer.Store(&w)
	return carrier, nil
}

// Unbind is the end of that.
func (k track) Unbind(pion.TrackLocalContext) error {
	k.t.writer.Store(nil)
	return nil
}

// ID, RID, StreamID and Kind name the stream.
func (k track) ID() string              { return "audio" }
func (k track) RID() string             { return "" }
func (k track) StreamID() string        { return "vpbx" }
func (k track) Kind() pion.RTPCodecType { return pion.RTPCodecTypeAudio }

// buffer is where pion puts what one source sends, once it is decrypted.
func (t *Transport) buffer(kind packetio.BufferPacketType, ssrc uint32) io.ReadWriteCloser {
	if t.sources.Add(1) > maxSources {
		mux{t.port}.RemoveConnByUfrag(*t.name.Load())
		t.fail()
	}
	if kind == packetio.RTPBufferPacket {
		return inbox{t: t}
	}
	return inbox{t: t, reports: true, ssrc: ssrc}
}

// inbox takes the packets of one source.
type inbox struct {
	t       *Transport
	reports bool
	ssrc    uint32 // of reports: whom they are by or about
}

// Write takes a packet. Reports come once for each source that they concern: a sender's
// report is taken as its own, a receiver's as that on our stream.
func (i inbox) Write(b []byte) (int, error) {
	if len(b) > maxDatagram || i.reports && !i.wants(b) {
		return len(b), nil
	}
	pkt := i.t.port.packet()
	pkt.n = copy(pkt.b[:], b)
	if !i.t.rtp.push(pkt) {
		i.t.port.drops.full.Add(1)
	}
	return len(b), nil
}

// The reports of RFC 3550 §6.4.
const senderReport, receiverReport = 200, 201

func (i inbox) wants(b []byte) bool {
	if len(b) < 8 {
		return false
	}
	from := uint32(b[4])<<24 | uint32(b[5])<<16 | uint32(b[6])<<8 | uint32(b[7])
	return b[1] == senderReport && from == i.ssrc || b[1] == receiverReport
}

// Read has nothing for pion.
func (i inbox) Read([]byte) (int, error) { return 0, io.EOF }

// Close does nothing.
func (i inbox) Close() error { return nil }
