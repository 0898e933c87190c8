package phone

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/logging"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/transport/v4/packetio"
	"github.com/pion/webrtc/v4"
)

// Browser is the way that the media of a web page goes: ICE, DTLS and SRTP, made of
// pion. It is the packet socket of a call, and writes and reads the lines of session
// descriptions that are about it. It checks connectivity, so that its peer need not.
type Browser struct {
	net.PacketConn // never called but for the embedded methods of the socket below

	mux  *ice.UDPMuxDefault
	pc   *webrtc.PeerConnection
	at   net.Addr
	in   chan []byte
	gone chan struct{}

	once    sync.Once
	writer  atomic.Pointer[webrtc.TrackLocalWriter]
	state   atomic.Int32 // webrtc.PeerConnectionState
	version int
	// Forge, when set, is the fingerprint that descriptions tell in the place of its own.
	Forge string
}

// browserQueue bounds the packets that wait to be read.
const browserQueue = 256

// NewBrowser makes the media of a page on a socket, with the SSRC that it will use.
func NewBrowser(conn net.PacketConn, ssrc uint32) (*Browser, error) {
	quiet := &logging.DefaultLoggerFactory{Writer: io.Discard, DefaultLogLevel: logging.LogLevelDisabled}
	b := &Browser{at: conn.LocalAddr(), in: make(chan []byte, browserQueue), gone: make(chan struct{})}
	b.mux = ice.NewUDPMuxDefault(ice.UDPMuxParams{UDPConn: conn, Logger: quiet.NewLogger("")})
	var m webrtc.MediaEngine
	if err := m.RegisterCodec(pcma, webrtc.RTPCodecTypeAudio); err != nil {
		return nil, errors.Join(err, b.mux.Close())
	}
	var s webrtc.SettingEngine
	s.LoggerFactory = quiet
	s.SetICEUDPMux(b.mux)
	s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6})
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	s.SetIncludeLoopbackCandidate(true)
	s.BufferFactory = b.buffer
	api := webrtc.NewAPI(webrtc.WithMediaEngine(&m), webrtc.WithSettingEngine(s), webrtc.WithInterceptorRegistry(&interceptor.Registry{}))
	pc, err := api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return nil, errors.Join(err, b.mux.Close())
	}
	b.pc = pc
	pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) { b.state.Store(int32(s)) })
	_, err = pc.AddTransceiverFromTrack(page{b}, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly,
		SendEncodings: []webrtc.RTPEncodingParameters{{RTPCodingParameters: webrtc.RTPCodingParameters{SSRC: webrtc.SSRC(ssrc)}}}})
	if err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

// pcma stands for whatever is spoken: pion carries it and need not know.
var pcma = webrtc.RTPCodecParameters{
	RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypePCMA, ClockRate: rate}, PayloadType: 8,
}

// Connected reports whether media can flow.
func (b *Browser) Connected() bool {
	return webrtc.PeerConnectionState(b.state.Load()) == webrtc.PeerConnectionStateConnected
}

// Offer gives the lines of an offer; restart makes ICE begin anew with it.
func (b *Browser) Offer(restart bool) (string, error) {
	if d := b.pc.PendingLocalDescription(); d != nil && !restart {
		return b.lines(d.SDP, "actpass"), nil
	}
	if d := b.pc.CurrentLocalDescription(); d != nil && !restart {
		return b.lines(d.SDP, "actpass"), nil
	}
	d, err := b.pc.CreateOffer(&webrtc.OfferOptions{ICERestart: restart})
	if err != nil {
		return "", fmt.Errorf("make an offer: %w", err)
	}
	if err := b.pc.SetLocalDescription(d); err != nil {
		return "", fmt.Errorf("make an offer: %w", err)
	}
	return b.lines(d.SDP, "actpass"), nil
}

// Accept takes the answer to Offer; one that says the same again changes nothing.
func (b *Browser) Accept(answer string) error {
	if b.pc.SignalingState() != webrtc.SignalingStateHaveLocalOffer {
		return nil
	}
	return b.remote(webrtc.SDPTypeAnswer, answer)
}

// Answer takes an offer and gives the lines of the answer.
func (b *Browser) Answer(offer string) (string, error) {
	if d := b.pc.CurrentLocalDescription(); d != nil { // it names the same session: nothing else is done here
		role := "active"
		if sdpValue(d.SDP, "setup") == "actpass" && sdpValue(b.pc.CurrentRemoteDescription().SDP, "setup") == "active" {
			role = "passive"
		}
		return b.lines(d.SDP, role), nil
	}
	if err := b.remote(webrtc.SDPTypeOffer, offer); err != nil {
		return "", err
	}
	d, err := b.pc.CreateAnswer(nil)
	if err != nil {
		return "", fmt.Errorf("make an answer: %w", err)
	}
	if err := b.pc.SetLocalDescription(d); err != nil {
		return "", fmt.Errorf("make an answer: %w", err)
	}
	return b.lines(d.SDP, sdpValue(d.SDP, "setup")), nil
}

// remote gives pion what matters to it of a description.
func (b *Browser) remote(kind webrtc.SDPType, text string) error {
	b.version++
	var d strings.Builder
	fmt.Fprintf(&d, "v=0\r\no=- 1 %d IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n", b.version)
	lines := strings.Split(text, "\r\n")
	for _, line := range lines {
		if line == "a=ice-lite" {
			d.WriteString("a=ice-lite\r\n")
		}
	}
	d.WriteString("a=group:BUNDLE 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 8\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=rtpmap:8 PCMA/8000\r\n")
	for _, line := range lines {
		for _, name := range []string{"ice-ufrag", "ice-pwd", "fingerprint", "setup", "candidate"} {
			if strings.HasPrefix(line, "a="+name+":") {
				d.WriteString(line + "\r\n")
			}
		}
	}
	d.WriteString("a=ssrc:1 cname:x\r\na=recvonly\r\na=rtcp-mux\r\n")
	if err := b.pc.SetRemoteDescription(webrtc.SessionDescription{Type: kind, SDP: d.String()}); err != nil {
		return fmt.Errorf("take the %s: %w", kind, err)
	}
	return nil
}

// lines are what a description of ours says, from pion's.
func (b *Browser) lines(text, setup string) string {
	print := sdpValue(text, "fingerprint")
	if b.Forge != "" {
		print = b.Forge
	}
	at, _ := b.at.(*net.UDPAddr)
	return fmt.Sprintf("a=mid:0\r\na=rtcp-mux\r\na=ice-ufrag:%s\r\na=ice-pwd:%s\r\na=ice-options:trickle\r\na=fingerprint:%s\r\na=setup:%s\r\n"+
		"a=candidate:1 1 udp 2113937151 %s %d typ host generation 0\r\na=candidate:2 1 udp 2113937151 1b4a-%s.local %d typ host\r\n",
		sdpValue(text, "ice-ufrag"), sdpValue(text, "ice-pwd"), print, setup, at.IP, at.Port, "7f00", at.Port)
}

// sdpValue is the first attribute of a name in a description.
func sdpValue(text, name string) string {
	_, rest, _ := strings.Cut(text, "\r\na="+name+":")
	value, _, _ := strings.Cut(rest, "\r\n")
	return value
}

// ReadFromUDPAddrPort waits for a decrypted packet, RTP or RTCP.
func (b *Browser) ReadFromUDPAddrPort(p []byte) (int, netip.AddrPort, error) {
	select {
	case packet := <-b.in:
		return copy(p, packet), netip.AddrPort{}, nil
	case <-b.gone:
		return 0, netip.AddrPort{}, net.ErrClosed
	}
}

// WriteToUDPAddrPort sends a packet of RTP or RTCP to the peer, wherever that is.
func (b *Browser) WriteToUDPAddrPort(p []byte, _ netip.AddrPort) (int, error) {
	if len(p) > 1 && p[1] >= rtcpSR && p[1] <= 223 {
		packets, err := rtcp.Unmarshal(p)
		if err != nil {
			return 0, err
		}
		return len(p), b.pc.WriteRTCP(packets)
	}
	w := b.writer.Load()
	if w == nil {
		return len(p), nil
	}
	var h rtp.Header
	n, err := h.Unmarshal(p)
	if err != nil {
		return 0, err
	}
	return (*w).WriteRTP(&h, p[n:])
}

// LocalAddr is that of the socket.
func (b *Browser) LocalAddr() net.Addr { return b.at }

// SetReadDeadline does nothing.
func (b *Browser) SetReadDeadline(time.Time) error { return nil }

// Close ends it all and waits for pion.
func (b *Browser) Close() error {
	var err error
	b.once.Do(func() {
		close(b.gone)
		err = errors.Join(b.pc.GracefulClose(), b.mux.Close())
	})
	return err
}

// buffer is where pion puts what a source sends.
func (b *Browser) buffer(kind packetio.BufferPacketType, _ uint32) io.ReadWriteCloser {
	return arrivals{b}
}

type arrivals struct{ b *Browser }

func (a arrivals) Write(p []byte) (int, error) {
	select {
	case a.b.in <- append([]byte(nil), p...):
	default:
	}
	return len(p), nil
}

func (arrivals) Read([]byte) (int, error) { return 0, io.EOF }
func (arrivals) Close() error             { return nil }

// page is the stream that is sent.
type page struct{ b *Browser }

func (g page) Bind(c webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	w := c.WriteStream()
	g.b.writer.Store(&w)
	return pcma, nil
}

func (g page) Unbind(webrtc.TrackLocalContext) error { return nil }
func (g page) ID() string                            { return "microphone" }
func (g page) RID() string                           { return "" }
func (g page) StreamID() string                      { return "page" }
func (g page) Kind() webrtc.RTPCodecType             { return webrtc.RTPCodecTypeAudio }
