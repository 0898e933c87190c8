package phone

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/pion/srtp/v3"
)

// SRTP says what a phone does about SDES (RFC 4568).
type SRTP struct {
	// Mode is "" for a phone that knows no SRTP, optional for one that offers and
	// takes keys beside the plain profile (RFC 8643), required for one that talks
	// over RTP/SAVP only.
	Mode  string
	Suite string // "": AES_CM_128_HMAC_SHA1_80
	// Rekey makes a new key for each offer, as some phones do with each re-INVITE.
	Rekey bool
}

const usualSuite = "AES_CM_128_HMAC_SHA1_80"

var errNoKeys = errors.New("no keys in common")

// suites are the crypto suites a phone can be given.
var suites = map[string]srtp.ProtectionProfile{
	usualSuite:                srtp.ProtectionProfileAes128CmHmacSha1_80,
	"AES_CM_128_HMAC_SHA1_32": srtp.ProtectionProfileAes128CmHmacSha1_32,
	"AES_256_CM_HMAC_SHA1_80": srtp.ProtectionProfileAes256CmHmacSha1_80,
	"AEAD_AES_128_GCM":        srtp.ProtectionProfileAeadAes128Gcm,
	"AEAD_AES_256_GCM":        srtp.ProtectionProfileAeadAes256Gcm,
}

// keying is the SDES of a call: our key and the peer's with their contexts.
type keying struct {
	ours, theirs []byte // "": plain
	in, out      *srtp.Context
}

func (s SRTP) suite() string {
	if s.Suite == "" {
		return usualSuite
	}
	return s.Suite
}

// profile is that of our offers.
func (s SRTP) profile() string {
	if s.Mode == "required" {
		return "RTP/SAVP"
	}
	return "RTP/AVP"
}

// context makes the context of a key.
func (s SRTP) context(key []byte) (*srtp.Context, error) {
	profile, ok := suites[s.suite()]
	if !ok {
		return nil, fmt.Errorf("%w: suite %q", errNoKeys, s.suite())
	}
	n, err := profile.KeyLen()
	if err != nil {
		return nil, err
	}
	salt, err := profile.SaltLen()
	if err != nil || len(key) != n+salt {
		return nil, fmt.Errorf("%w: a key of %d bytes", errNoKeys, len(key))
	}
	return srtp.CreateContext(key[:n], key[n:], profile)
}

// key gives our key, a new one when there is none or the phone makes one for each
// offer.
func (m *media) key(anew bool) (string, error) {
	s := m.p.cfg.SRTP
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.sdes.ours == nil || anew {
		profile := suites[s.suite()]
		n, err := profile.KeyLen()
		if err != nil {
			return "", err
		}
		salt, err := profile.SaltLen()
		if err != nil {
			return "", err
		}
		m.sdes.ours = make([]byte, n+salt)
		if _, err := rand.Read(m.sdes.ours); err != nil {
			return "", err
		}
		if m.sdes.out, err = s.context(m.sdes.ours); err != nil {
			return "", err
		}
	}
	return base64.StdEncoding.EncodeToString(m.sdes.ours), nil
}

// offerKeys is what our offer says of keys: the profile and the lines.
func (c *Call) offerKeys() (profile string, lines []string) {
	s := c.p.cfg.SRTP
	if s.Mode == "" {
		return "RTP/AVP", nil
	}
	key, err := c.audio.key(s.Rekey)
	if err != nil {
		c.p.log.Debug("no key", "error", err)
		return s.profile(), nil
	}
	return s.profile(), []string{"crypto:1 " + s.suite() + " inline:" + key}
}

// agree takes the peer's keys. In an answer of ours it gives the line that goes with
// them, "" where the sound is plain.
func (c *Call) agree(d *description, answering bool) (line string, err error) {
	s := c.p.cfg.SRTP
	secured := strings.HasPrefix(d.profile, "RTP/SAVP")
	if s.Mode == "" {
		if secured {
			return "", errNoKeys
		}
		return "", nil
	}
	for _, value := range d.cryptos {
		f := strings.Fields(value)
		if len(f) < 3 || f[1] != s.suite() {
			continue
		}
		info, _, _ := strings.Cut(strings.TrimPrefix(f[2], "inline:"), "|")
		theirs, err := base64.StdEncoding.DecodeString(info)
		if err != nil {
			continue
		}
		ours, err := c.audio.key(false)
		if err != nil {
			return "", err
		}
		return "crypto:" + f[0] + " " + s.suite() + " inline:" + ours, c.audio.secure(theirs)
	}
	if secured || s.Mode == "required" {
		return "", errNoKeys
	}
	if !answering {
		c.p.log.Debug("keys were offered and not taken")
	}
	return "", c.audio.secure(nil)
}

// secure puts the peer's key in force, nil for none. One that stays goes on being
// counted with.
func (m *media) secure(theirs []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if theirs == nil {
		m.sdes.theirs, m.sdes.in = nil, nil
		return nil
	}
	if bytes.Equal(theirs, m.sdes.theirs) {
		return nil
	}
	in, err := m.p.cfg.SRTP.context(theirs)
	if err != nil {
		return err
	}
	m.sdes.theirs, m.sdes.in = theirs, in
	return nil
}

// Secured tells whether the audio of the call is secured.
func (c *Call) Secured() bool {
	c.audio.mu.Lock()
	defer c.audio.mu.Unlock()
	return c.audio.sdes.in != nil
}

// seal secures a packet of RTP where that was agreed; m.mu is held.
func (m *media) seal(b []byte) ([]byte, error) {
	if m.sdes.in == nil {
		return b, nil
	}
	return m.sdes.out.EncryptRTP(nil, b, nil)
}

// open opens a packet of RTP.
func (m *media) open(b []byte) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.sdes.in == nil {
		return b, nil
	}
	return m.sdes.in.DecryptRTP(nil, b, nil)
}

// sealReport is seal for RTCP.
func (m *media) sealReport(b []byte) ([]byte, error) {
	if m.sdes.in == nil {
		return b, nil
	}
	return m.sdes.out.EncryptRTCP(nil, b, nil)
}

// openReport is open for RTCP.
func (m *media) openReport(b []byte) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.sdes.in == nil {
		return b, nil
	}
	return m.sdes.in.DecryptRTCP(nil, b, nil)
}
