package media

import (
	"crypto/rand"
	"fmt"
	"slices"

	"vpbx/media/sdp"
)

// Security says whether the sound of a session may or must be secured, and what we
// offer. An offer of the peer is answered as it is: secured where it brings usable
// keys, also beside the plain profile (RFC 8643), else plain.
type Security uint8

// How sound is secured.
const (
	AsOffered     Security = iota // our own offers are plain
	Plain                         // never
	Opportunistic                 // our own offers are of the plain profile, with keys of SDES (RFC 8643)
	Required                      // always; our own offers are of SDES (RFC 4568)
	RequiredDTLS                  // always; our own offers are of DTLS (RFC 5763)
)

// required reports whether nothing plain may be said or heard.
func (s Security) required() bool { return s == Required || s == RequiredDTLS }

// The ways to agree on keys.
const (
	unsecured = ""
	bySDES    = "sdes" // RFC 4568
	byDTLS    = "dtls" // RFC 5763
)

// offeredSuites are those we offer, in order of preference: AES-GCM costs a third
// of AES-CM with HMAC. Where the offer goes in a datagram only the first two are: an
// INVITE of more than 1300 bytes must not go over UDP (RFC 3261 §18.1.1).
var (
	offeredSuites = []string{"AEAD_AES_128_GCM", "AES_CM_128_HMAC_SHA1_80", "AEAD_AES_256_GCM", "AES_256_CM_HMAC_SHA1_80"}
	shortSuites   = offeredSuites[:2]
)

// keying is what a session knows of keys, guarded by Session.mu.
type keying struct {
	method string      // of our latest offer
	mine   []*outbound // keys of our latest offer
	theirs []*inbound  // keys of the peer, newest last: each fork of a call has its own
}

// maxForks bounds the keys of a peer that are remembered.
const maxForks = 8

// pick chooses the stream of an offer to take: the first that we can secure, else
// the first that is plain, and says how it is secured.
func pick(d sdp.Description, sec Security) (index int, method string, err error) {
	index = -1
	var insecure, secured bool
	for i, m := range d.Media {
		how, ok := methodOf(m, sec)
		switch {
		case ok && how != unsecured:
			return i, how, nil
		case ok && index < 0:
			index = i
		}
		insecure = insecure || m.Profile() == sdp.PlainProfile
		secured = secured || m.Profile() != "" && m.Profile() != sdp.PlainProfile
	}
	switch {
	case index >= 0:
		return index, unsecured, nil
	case insecure:
		return 0, unsecured, ErrInsecure
	case secured && sec == Plain:
		return 0, unsecured, ErrSecured
	case secured:
		return 0, unsecured, fmt.Errorf("%w: no key of SRTP is of use", ErrNotAcceptable)
	}
	return 0, unsecured, ErrNotAcceptable
}

// methodOf says how a stream of an offer would be secured; false when it cannot be
// taken.
func methodOf(m sdp.Media, sec Security) (method string, ok bool) {
	profile := m.Profile()
	switch {
	case profile == "":
		return unsecured, false
	case sec != Plain && profile != sdp.DTLSProfile && len(m.Crypto) > 0:
		return bySDES, true
	case sec != Plain && len(m.Fingerprints) > 0 && m.Setup != sdp.HoldConn:
		return byDTLS, true
	}
	return unsecured, profile == sdp.PlainProfile && !sec.required()
}

// answerKeys completes our answer with keys; the guard is nil for one that is
// plain. The peer's key and ours change together: a peer that has a new key begins
// to count anew (RFC 4568 §6.4) in both directions, or in one, and a new key of ours
// is right with either. While its key stays, so does ours, and the counting goes on
// (RFC 3711 §3.3.1).
func (s *Session) answerKeys(theirs sdp.Media, method string, mine *sdp.Media) (*guard, error) {
	switch method {
	case bySDES:
		chosen := theirs.Crypto[0]
		g := s.secured(bySDES)
		if g == nil || !same(g.rtp.Load().in.key, chosen) {
			out, err := newKey(chosen.Tag, chosen.Suite)
			if err != nil {
				return nil, err
			}
			if g, err = s.withSDES(chosen, out); err != nil {
				return nil, err
			}
		}
		line := g.rtp.Load().out.line
		line.Tag = chosen.Tag
		mine.Crypto = []sdp.Crypto{line}
		return g, nil
	case byDTLS:
		mine.Fingerprints, mine.Setup = s.e.certificate.fingerprints, sdp.Passive
		if theirs.Setup == sdp.Passive {
			mine.Setup = sdp.Active
		}
		return s.withDTLS(theirs), nil
	}
	return nil, nil
}

// secured is the guard in force, nil unless it has the method and, for SDES, keys.
func (s *Session) secured(method string) *guard {
	a := s.agreed.Load()
	if a == nil || a.guard == nil || a.guard.method != method || method == bySDES && a.guard.rtp.Load() == nil {
		return nil
	}
	return a.guard
}

// newKey makes a key of ours.
func newKey(tag int, suite string) (*outbound, error) {
	key := make([]byte, sdp.KeyLength(suite))
	if _, err := rand.Read(key); err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	return newOutbound(sdp.Crypto{Tag: tag, Suite: suite, Key: key})
}

// withSDES is the guard for a key of the peer and one of ours. A key that was used
// before in this session keeps what has been counted under it.
func (s *Session) withSDES(theirs sdp.Crypto, out *outbound) (*guard, error) {
	n := &s.nego.keys
	if g := s.secured(bySDES); g != nil && same(g.rtp.Load().in.key, theirs) && g.rtp.Load().out == out {
		return g, nil
	}
	i := slices.IndexFunc(n.theirs, func(in *inbound) bool { return same(in.key, theirs) })
	if i < 0 {
		in, err := newInbound(theirs)
		if err != nil {
			return nil, err
		}
		if len(n.theirs) == maxForks {
			n.theirs = slices.Delete(n.theirs, 0, 1)
		}
		n.theirs = append(n.theirs, in)
		i = len(n.theirs) - 1
	}
	return newGuard(bySDES, &keys{suite: theirs.Suite, in: n.theirs[i], out: out}), nil
}

// withDTLS is the guard for the certificate of a peer: the one in force while the
// certificate stays.
func (s *Session) withDTLS(theirs sdp.Media) *guard {
	if g := s.secured(byDTLS); g != nil && s.dtls.expects(g, theirs.Fingerprints) {
		return g
	}
	return newGuard(byDTLS, nil)
}

// offerKeys completes our offer: as the sound is secured already, or, in the first
// offer, as Options say. It sets the profile of a first offer.
func (s *Session) offerKeys(mine *sdp.Media) error {
	n := &s.nego
	a := s.agreed.Load()
	if n.agreed.text == nil {
		n.keys.method, mine.Proto = s.opt.Security.offers()
	} else if n.keys.method = unsecured; a.guard != nil {
		n.keys.method = a.guard.method
	}
	mine.Crypto, mine.Fingerprints, mine.Setup = nil, nil, ""
	switch n.keys.method {
	case bySDES:
		if err := s.offerSDES(); err != nil {
			return err
		}
		for i, out := range n.keys.mine {
			line := out.line
			line.Tag = i + 1
			mine.Crypto = append(mine.Crypto, line)
		}
	case byDTLS:
		mine.Fingerprints, mine.Setup = s.e.certificate.fingerprints, sdp.Actpass
	}
	return nil
}

// offers is the first offer's way to agree on keys and its profile.
func (s Security) offers() (method, profile string) {
	switch s {
	case Opportunistic:
		return bySDES, sdp.PlainProfile
	case Required:
		return bySDES, sdp.SDESProfile
	case RequiredDTLS:
		return byDTLS, sdp.DTLSProfile
	}
	return unsecured, sdp.PlainProfile
}

// offerSDES makes the keys of an offer: the one in force, those of the offer that is
// not answered yet, or new ones.
func (s *Session) offerSDES() error {
	n := &s.nego
	if g := s.secured(bySDES); g != nil && n.agreed.text != nil {
		n.keys.mine = []*outbound{g.rtp.Load().out}
		return nil
	}
	if len(n.keys.mine) > 0 {
		return nil
	}
	list := offeredSuites
	if s.opt.Datagrams {
		list = shortSuites
	}
	for i, suite := range list {
		out, err := newKey(i+1, suite)
		if err != nil {
			return err
		}
		n.keys.mine = append(n.keys.mine, out)
	}
	return nil
}

// answeredKeys is the guard for an answer to our latest offer, nil for one that is
// plain.
func (s *Session) answeredKeys(theirs sdp.Media) (*guard, error) {
	n := &s.nego
	profile, offered := theirs.Profile(), n.layout[n.audio].Proto
	switch n.keys.method {
	case bySDES:
		// Some answer with the other profile of the two.
		if profile != sdp.SDESProfile && profile != sdp.PlainProfile {
			break
		}
		if len(theirs.Crypto) == 0 {
			if profile == sdp.PlainProfile && !s.opt.Security.required() {
				return nil, nil
			}
			return nil, ErrInsecure
		}
		chosen := theirs.Crypto[0]
		if chosen.Tag > len(n.keys.mine) || n.keys.mine[chosen.Tag-1].line.Suite != chosen.Suite {
			return nil, fmt.Errorf("%w: a crypto line that was not offered", ErrNotAcceptable)
		}
		return s.withSDES(chosen, n.keys.mine[chosen.Tag-1])
	case byDTLS:
		if profile == sdp.PlainProfile || len(theirs.Fingerprints) == 0 {
			return nil, ErrInsecure
		}
		if profile == "" || theirs.Setup == sdp.HoldConn || theirs.Setup == sdp.Actpass {
			break
		}
		return s.withDTLS(theirs), nil
	default:
		if theirs.Type == "audio" && theirs.Proto == offered {
			return nil, nil
		}
	}
	return nil, fmt.Errorf("%w: %.40q answered to %s", ErrNotAcceptable, theirs.Proto, offered)
}
