package media

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"

	pion "github.com/pion/rtp"
	"github.com/pion/srtp/v3"

	"vpbx/media/sdp"
)

const (
	// replayWindow is how far behind the newest packet one may come and be taken,
	// once (RFC 3711 §3.3.2): what a jitter buffer could still use.
	replayWindow = 128
	// maxSources are the streams that a peer may send under one key. Each is
	// remembered, against replay.
	maxSources = 64
	// maxTag is the most that SRTP or SRTCP adds to a packet: tag and index.
	maxTag = 20
)

// suites are the crypto suites that we can do.
var suites = map[string]srtp.ProtectionProfile{
	"AES_CM_128_HMAC_SHA1_80": srtp.ProtectionProfileAes128CmHmacSha1_80,
	"AES_CM_128_HMAC_SHA1_32": srtp.ProtectionProfileAes128CmHmacSha1_32,
	"AES_256_CM_HMAC_SHA1_80": srtp.ProtectionProfileAes256CmHmacSha1_80,
	"AES_256_CM_HMAC_SHA1_32": srtp.ProtectionProfileAes256CmHmacSha1_32,
	"AEAD_AES_128_GCM":        srtp.ProtectionProfileAeadAes128Gcm,
	"AEAD_AES_256_GCM":        srtp.ProtectionProfileAeadAes256Gcm,
}

// guard secures what goes between a session and its peer (RFC 3711). It has no
// keys until the peer's answer, or the handshake, brings them: nothing goes in or
// out until then.
type guard struct {
	method    string // sdes or dtls
	rtp, rtcp atomic.Pointer[keys]
}

// keys are those of both directions.
type keys struct {
	suite string
	in    *inbound
	out   *outbound
}

// newGuard is a guard that has the keys for RTP and RTCP already; nil: not yet.
func newGuard(method string, k *keys) *guard {
	g := &guard{method: method}
	g.rtp.Store(k)
	g.rtcp.Store(k)
	return g
}

// name is how the sound is secured, for the record; the method alone while there
// are no keys.
func (g *guard) name() string {
	if k := g.rtp.Load(); k != nil {
		return g.method + " " + k.suite
	}
	return g.method
}

// inbound takes the packets of a peer under one key of its. It belongs to nobody:
// RTP and RTCP may come by two goroutines.
type inbound struct {
	key sdp.Crypto

	mu      sync.Mutex
	context *srtp.Context
	header  pion.Header // to read into
	added   int         // bytes that SRTP adds to a packet
	streams int         // RTP and RTCP apart
}

// newInbound makes the context of a peer's key.
func newInbound(c sdp.Crypto) (*inbound, error) {
	options := []srtp.ContextOption{srtp.SRTPReplayProtection(replayWindow), srtp.SRTCPReplayProtection(replayWindow)}
	if len(c.MKI) > 0 {
		options = append(options, srtp.MasterKeyIndicator(c.MKI))
	}
	context, err := newContext(c, options...)
	if err != nil {
		return nil, fmt.Errorf("use the peer's key: %w", err)
	}
	added := len(c.MKI)
	for _, length := range []func() (int, error){suites[c.Suite].AuthTagRTPLen, suites[c.Suite].AEADAuthTagLen} {
		n, err := length()
		if err != nil {
			return nil, fmt.Errorf("use the peer's key: %w", err)
		}
		added += n
	}
	return &inbound{key: c, context: context, added: added}, nil
}

func newContext(c sdp.Crypto, options ...srtp.ContextOption) (*srtp.Context, error) {
	profile, ok := suites[c.Suite]
	if !ok || len(c.Key) != sdp.KeyLength(c.Suite) {
		return nil, fmt.Errorf("%w: crypto suite %.40q", ErrNotAcceptable, c.Suite)
	}
	n, err := profile.KeyLen()
	if err != nil {
		return nil, err
	}
	return srtp.CreateContext(c.Key[:n], c.Key[n:], profile, options...)
}

// fixedHeader reads what SRTP leaves readable of a packet.
func fixedHeader(b []byte) (ssrc uint32, ok bool) {
	if len(b) < headerLen || len(b) > maxPacket || b[0]>>6 != 2 {
		return 0, false
	}
	return binary.BigEndian.Uint32(b[8:]), true
}

// controlHeader is fixedHeader for SRTCP.
func controlHeader(b []byte) (ssrc uint32, ok bool) {
	if len(b) < 8 || len(b) > maxPacket || b[0]>>6 != 2 {
		return 0, false
	}
	return binary.BigEndian.Uint32(b[4:]), true
}

// same reports whether two lines carry the same key.
func same(a, b sdp.Crypto) bool {
	return a.Suite == b.Suite && bytes.Equal(a.Key, b.Key) && bytes.Equal(a.MKI, b.MKI)
}

// open checks a packet of RTP and decrypts it in its place.
func (in *inbound) open(b []byte) ([]byte, reason) {
	ssrc, ok := fixedHeader(b)
	if !ok {
		return nil, dropMalformed
	}
	if len(b) < headerLen+in.added {
		return nil, dropMalformed
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	_, known := in.context.ROC(ssrc)
	if !known && in.streams >= maxSources {
		return nil, dropAuth
	}
	plain, err := in.context.DecryptRTP(b, b, &in.header)
	if err != nil {
		return nil, whyNot(err)
	}
	if !known {
		in.streams++
	}
	return plain, kept
}

// openControl is open for RTCP.
func (in *inbound) openControl(b []byte) ([]byte, reason) {
	ssrc, ok := controlHeader(b)
	if !ok || len(b) < 8+4+in.added { // the index; some phones open their NAT with plain scraps
		return nil, dropMalformed
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	_, known := in.context.Index(ssrc)
	if !known && in.streams >= maxSources {
		return nil, dropAuth
	}
	plain, err := in.context.DecryptRTCP(nil, b, nil)
	if err != nil {
		return nil, whyNot(err)
	}
	if !known {
		in.streams++
	}
	return plain, kept
}

// whyNot says why a packet was not opened: its tag is wrong, or it came before or
// is too old to tell.
func whyNot(err error) reason {
	if errors.Is(err, srtp.ErrFailedToVerifyAuthTag) || errors.Is(err, srtp.ErrMKINotFound) {
		return dropAuth
	}
	return dropReplay
}

// outbound secures what we send under one key of ours. There is one for a key, so
// that no packet number is used twice with it (RFC 3711 §9.1).
type outbound struct {
	line sdp.Crypto

	mu      sync.Mutex
	context *srtp.Context
	header  pion.Header
}

func newOutbound(c sdp.Crypto) (*outbound, error) {
	context, err := newContext(c)
	if err != nil {
		return nil, fmt.Errorf("use a key of ours: %w", err)
	}
	return &outbound{line: c, context: context}, nil
}

// seal encrypts a packet of RTP in its place where the slice has room for the tag.
func (o *outbound) seal(p []byte) ([]byte, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.context.EncryptRTP(p, p, &o.header)
}

// sealControl is seal for RTCP.
func (o *outbound) sealControl(p []byte) ([]byte, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.context.EncryptRTCP(nil, p, nil)
}

// unseal opens a packet of RTP of the peer; a session that is not secured takes it
// as it is. Strangers cost no more than a look at where they are.
func (a *agreed) unseal(b []byte, src, peer netip.Addr) ([]byte, reason) {
	if a.guard == nil {
		return b, kept
	}
	if !(source{sdp: a.remote, peer: peer}).allows(src) {
		return nil, dropSource
	}
	k := a.guard.rtp.Load()
	if k == nil {
		return nil, dropKeys
	}
	return k.in.open(b)
}

// controlKeys are those of RTCP, nil before there are any.
func (a *agreed) controlKeys() *keys {
	if a.mux {
		return a.guard.rtp.Load()
	}
	return a.guard.rtcp.Load()
}

// unsealControl opens a packet of RTCP of the peer; a session that is not secured
// takes it as it is.
func (a *agreed) unsealControl(b []byte) ([]byte, reason) {
	if a.guard == nil {
		return b, kept
	}
	k := a.controlKeys()
	if k == nil {
		return nil, dropKeys
	}
	return k.in.openControl(b)
}

// sealControl secures RTCP for the peer.
func (a *agreed) sealControl(b []byte) ([]byte, reason) {
	if a.guard == nil {
		return b, kept
	}
	k := a.controlKeys()
	if k == nil {
		return nil, dropKeys
	}
	b, err := k.out.sealControl(b)
	if err != nil {
		return nil, dropWrite
	}
	return b, kept
}

// sealed is a packet of RTP as it goes to the peer.
func (s *Session) sealed(p []byte) ([]byte, reason) {
	a := s.agreed.Load()
	if a == nil || a.guard == nil {
		return p, kept
	}
	k := a.guard.rtp.Load()
	if k == nil {
		return nil, dropKeys
	}
	p, err := k.out.seal(p)
	if err != nil {
		return nil, dropWrite
	}
	return p, kept
}

// Security says how the sound is secured: "" when it is not, else sdes or dtls and,
// as soon as there are keys, the crypto suite.
func (s *Session) Security() string {
	if s.browser != nil { // its suite is between the browser and pion
		if s.browser.Stats().Setup > 0 {
			return byDTLS
		}
		return ""
	}
	if a := s.agreed.Load(); a != nil && a.guard != nil {
		return a.guard.name()
	}
	return ""
}
