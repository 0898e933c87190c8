package sdp

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// maxCandidates bounds what a peer may list; browsers have a dozen.
const maxCandidates = 32

// ICE is how packets find their way (RFC 8839 §5).
type ICE struct {
	Ufrag, Pwd string
	Lite       bool // the writer answers checks and makes none (RFC 8445 §2.5)
	// Candidates are the values of a=candidate, as they were, or, of ours, made by
	// [HostCandidate].
	Candidates []string
}

// Source is a stream of RTP as a=ssrc and a=msid tell of it.
type Source struct {
	SSRC  uint32 // 0: nothing is told
	CNAME string // RFC 7022
}

// HostCandidate is an address of ours as the i-th of a list, the best first, which is
// the 0th (RFC 8445 §5.1.2.1).
func HostCandidate(i int, at netip.AddrPort) string {
	const host, local, rtp = 126, 65535, 1
	priority := host<<24 | (local-i)<<8 | (256 - rtp)
	return fmt.Sprintf("%d %d udp %d %s %d typ host", i+1, rtp, priority, at.Addr().WithZone(""), at.Port())
}

// way takes an attribute about ICE or the name of the medium.
func (m *draft) way(name, value string) {
	if name == "mid" {
		if token(value) {
			m.Mid = value
		}
		return
	}
	if m.ICE == nil {
		m.ICE = &ICE{}
	}
	switch name {
	case "ice-ufrag":
		if iceChars(value, 4) {
			m.ICE.Ufrag = value
		}
	case "ice-pwd":
		if iceChars(value, 22) {
			m.ICE.Pwd = value
		}
	case "ice-lite":
		m.ICE.Lite = true
	case "candidate":
		if len(m.ICE.Candidates) < maxCandidates {
			m.ICE.Candidates = append(m.ICE.Candidates, value)
		}
	}
}

// iceChars reports whether a value is made of ice-chars, of which there are to be so
// many at least and 256 at most (RFC 8839 §5.4).
func iceChars(s string, least int) bool {
	return len(s) >= least && len(s) <= 256 && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '+' || r == '/')
	})
}

// inheritICE applies what the session says of ICE, and forgets what is not whole: a
// name and a password belong together.
func (m *draft) inheritICE(session *ICE) {
	if session != nil {
		if m.ICE == nil {
			m.ICE = &ICE{}
		}
		if m.ICE.Ufrag == "" && m.ICE.Pwd == "" {
			m.ICE.Ufrag, m.ICE.Pwd = session.Ufrag, session.Pwd
		}
		m.ICE.Lite = session.Lite
	}
	if m.ICE != nil && (m.ICE.Ufrag == "" || m.ICE.Pwd == "") {
		m.ICE = nil
	}
}

// WebRTC reports whether this is audio as browsers have it: over DTLS-SRTP, by ICE
// whose checks the peer makes (RFC 8834, RFC 8835).
func (m Media) WebRTC() bool {
	over := m.Proto == "UDP/TLS/RTP/SAVPF" || m.Proto == "UDP/TLS/RTP/SAVP" || m.Proto == "RTP/SAVPF"
	return m.Type == "audio" && m.Port != 0 && over && m.Mux && m.ICE != nil && !m.ICE.Lite && len(m.Fingerprints) > 0
}

// WebRTC is the index of the first audio stream as browsers have it, or
// ErrNotAcceptable when there is none.
func (d Description) WebRTC() (int, error) {
	if i := slices.IndexFunc(d.Media, Media.WebRTC); i >= 0 {
		return i, nil
	}
	return 0, ErrNotAcceptable
}

// writeBundle writes what holds for the session when a medium goes by ICE: all that
// is accepted shares one transport (RFC 8843), on which we answer checks only.
func writeBundle(b *bytes.Buffer, media []Media) {
	i := slices.IndexFunc(media, func(m Media) bool { return m.Port != 0 && m.ICE != nil })
	if i < 0 {
		return
	}
	if media[i].ICE.Lite {
		b.WriteString("a=ice-lite\r\n")
	}
	if mid := media[i].Mid; mid != "" {
		fmt.Fprintf(b, "a=group:BUNDLE %s\r\n", mid)
	}
}

func writeMid(b *bytes.Buffer, m Media) {
	if m.Mid != "" {
		fmt.Fprintf(b, "a=mid:%s\r\n", m.Mid)
	}
}

func writeICE(b *bytes.Buffer, m Media) {
	if m.ICE == nil {
		return
	}
	fmt.Fprintf(b, "a=ice-ufrag:%s\r\na=ice-pwd:%s\r\n", m.ICE.Ufrag, m.ICE.Pwd)
	for _, c := range m.ICE.Candidates {
		fmt.Fprintf(b, "a=candidate:%s\r\n", c)
	}
	b.WriteString("a=end-of-candidates\r\n")
	if s := m.Source; s.SSRC != 0 {
		fmt.Fprintf(b, "a=msid:%s audio\r\na=ssrc:%d cname:%s\r\n", s.CNAME, s.SSRC, s.CNAME)
	}
}
