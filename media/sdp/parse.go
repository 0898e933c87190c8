package sdp

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// parser collects what has been read so far. While medium is nil the lines
// belong to the whole session.
type parser struct {
	d       Description
	medium  *draft
	drafts  []*draft
	session draft // the session's defaults: addr, direction, ptime
}

// draft is a medium with the attributes that can only be judged when all of its
// lines are known.
type draft struct {
	Media
	haveAddr, haveDirection bool
	maps                    map[uint8]Codec
	fmtp                    map[uint8]string
	rtcp                    string
}

// Parse reads a session description. The error wraps ErrMalformed.
func Parse(b []byte) (Description, error) {
	if len(b) > maxSize {
		return Description{}, fmt.Errorf("%w: %d bytes", ErrMalformed, len(b))
	}
	var p parser
	first := true
	for line := range strings.SplitSeq(string(b), "\n") {
		line = strings.TrimRight(line, "\r \t")
		if line == "" {
			continue
		}
		if len(line) < 2 || line[1] != '=' || strings.ContainsFunc(line, control) {
			return Description{}, fmt.Errorf("%w: line %.40q", ErrMalformed, line)
		}
		if first && line != "v=0" {
			return Description{}, fmt.Errorf("%w: begins with %.40q", ErrMalformed, line)
		}
		first = false
		if err := p.line(line[0], strings.TrimSpace(line[2:])); err != nil {
			return Description{}, err
		}
	}
	if len(p.drafts) == 0 {
		return Description{}, fmt.Errorf("%w: no media", ErrMalformed)
	}
	for _, m := range p.drafts {
		p.d.Media = append(p.d.Media, p.finish(m))
	}
	return p.d, nil
}

// control reports characters that may not be written into SDP or a log again.
func control(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }

// line takes one line. Kinds that say nothing about where and how to send are
// passed over.
func (p *parser) line(kind byte, value string) error {
	switch kind {
	case 'm':
		return p.startMedium(value)
	case 'c':
		return p.connection(value)
	case 'a':
		name, value, _ := strings.Cut(value, ":")
		p.attribute(name, strings.TrimSpace(value))
	}
	return nil
}

// at is the draft that the current line belongs to.
func (p *parser) at() *draft {
	if p.medium != nil {
		return p.medium
	}
	return &p.session
}

// startMedium reads "audio 4000 RTP/AVP 8 0 101" (RFC 8866 §5.14).
func (p *parser) startMedium(value string) error {
	f := strings.Fields(value)
	if len(f) < 4 || len(f)-3 > maxFormats || len(p.drafts) == maxMedia {
		return fmt.Errorf("%w: m=%.40q", ErrMalformed, value)
	}
	digits, _, _ := strings.Cut(f[1], "/")
	port, err := strconv.ParseUint(digits, 10, 16)
	if err != nil {
		return fmt.Errorf("%w: port %.20q", ErrMalformed, f[1])
	}
	p.medium = &draft{
		Media: Media{Type: f[0], Port: uint16(port), Proto: f[2], Formats: f[3:]},
		maps:  map[uint8]Codec{}, fmtp: map[uint8]string{},
	}
	p.drafts = append(p.drafts, p.medium)
	return nil
}

// connection reads "IN IP4 192.0.2.1", with an optional "/ttl" (RFC 8866 §5.7).
func (p *parser) connection(value string) error {
	f := strings.Fields(value)
	if len(f) != 3 || f[0] != "IN" || f[1] != "IP4" && f[1] != "IP6" {
		return fmt.Errorf("%w: c=%.40q", ErrMalformed, value)
	}
	m := p.at()
	m.Addr, m.haveAddr = address(f[2]), true
	return nil
}

// address is invalid for a host name, which we do not look up.
func address(s string) netip.Addr {
	s, _, _ = strings.Cut(s, "/")
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Addr{}
	}
	return a.Unmap().WithZone("")
}

// attribute takes an a= line. One that we do not understand is as if it were not
// there (RFC 8866 §5.13).
func (p *parser) attribute(name, value string) {
	m := p.at()
	if d, ok := parseDirection(name); ok {
		m.Direction, m.haveDirection = d, true
		return
	}
	switch name {
	case "ptime":
		if n, err := strconv.Atoi(value); err == nil && n > 0 && n <= 200 {
			m.PTime = n
		}
	case "rtcp-mux":
		m.Mux = true
	case "rtcp":
		m.rtcp = value
	case "crypto", "fingerprint", "setup":
		m.secured(name, value, p.medium == nil)
	case "ice-ufrag", "ice-pwd", "ice-lite", "candidate", "mid":
		m.way(name, value)
	case "rtcp-xr":
		m.XR = parseXR(value)
	case "rtpmap":
		if c, ok := rtpmap(value); ok && p.medium != nil {
			m.maps[c.PT] = c
		}
	case "fmtp":
		pt, params, _ := strings.Cut(value, " ")
		if n, ok := payloadType(pt); ok && p.medium != nil && len(params) <= 256 {
			m.fmtp[n] = strings.TrimSpace(params)
		}
	}
}

// rtpmap reads "101 telephone-event/8000" or "111 opus/48000/2" (RFC 8866 §6.6).
func rtpmap(value string) (Codec, bool) {
	number, coding, _ := strings.Cut(value, " ")
	pt, ok := payloadType(number)
	part := strings.Split(strings.TrimSpace(coding), "/")
	if !ok || len(part) < 2 || len(part) > 3 || !token(part[0]) {
		return Codec{}, false
	}
	rate, err := strconv.Atoi(part[1])
	if err != nil || rate < 1000 || rate > 192000 {
		return Codec{}, false
	}
	channels := 1
	if len(part) == 3 {
		if channels, err = strconv.Atoi(part[2]); err != nil || channels < 1 || channels > 8 {
			return Codec{}, false
		}
	}
	return Codec{PT: pt, Name: canonical(part[0]), Rate: rate, Channels: channels}, true
}

// canonical spells the well-known names as the RFCs do; names do not depend on
// case (RFC 4855 §3).
func canonical(name string) string {
	for _, c := range static {
		if strings.EqualFold(name, c.Name) {
			return c.Name
		}
	}
	for _, known := range []string{Event, "opus"} {
		if strings.EqualFold(name, known) {
			return known
		}
	}
	return name
}

// token is RFC 8866's token, of a length that fits a log line.
func token(s string) bool {
	if s == "" || len(s) > 32 {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]`, r)
	})
}

func payloadType(s string) (uint8, bool) {
	n, err := strconv.ParseUint(s, 10, 7)
	return uint8(n), err == nil
}

// finish applies the session's defaults and settles what depends on several
// lines.
func (p *parser) finish(m *draft) Media {
	if !m.haveAddr {
		m.Addr = p.session.Addr
	}
	if !m.haveDirection {
		m.Direction = p.session.Direction
	}
	if m.PTime == 0 {
		m.PTime = p.session.PTime
	}
	if len(m.Fingerprints) == 0 {
		m.Fingerprints = p.session.Fingerprints
	}
	if m.Setup == "" {
		m.Setup = p.session.Setup
	}
	if m.XR == (XR{}) {
		m.XR = p.session.XR
	}
	m.inheritICE(p.session.ICE)
	// c=0.0.0.0 is hold as RFC 2543 knew it: send nothing to me (RFC 3264 §8.4). With
	// ICE it says that no candidate is known yet (RFC 8840 §4.1.1).
	if m.ICE == nil && m.Addr.IsValid() && m.Addr.IsUnspecified() {
		switch m.Direction {
		case SendRecv:
			m.Direction = SendOnly
		case RecvOnly:
			m.Direction = Inactive
		}
	}
	m.RTCP = m.control()
	if m.Type == "audio" {
		m.Codecs = m.codecs()
	}
	return m.Media
}

// control is where RTCP goes (RFC 3605 §2.1; without the attribute RFC 3550 §11).
func (m *draft) control() netip.AddrPort {
	if m.Port == 0 {
		return netip.AddrPort{}
	}
	f := strings.Fields(m.rtcp)
	if len(f) == 0 {
		if m.Port == 65535 {
			return netip.AddrPort{}
		}
		return netip.AddrPortFrom(m.Addr, m.Port+1)
	}
	port, err := strconv.ParseUint(f[0], 10, 16)
	if err != nil || port == 0 {
		return netip.AddrPort{}
	}
	addr := m.Addr
	if len(f) == 4 {
		addr = address(f[3])
	}
	return netip.AddrPortFrom(addr, uint16(port))
}

// codecs are the formats of the m= line that are RTP payload types with a known
// meaning, each once.
func (m *draft) codecs() []Codec {
	var list []Codec
	var seen [128]bool
	for _, f := range m.Formats {
		pt, ok := payloadType(f)
		if !ok || seen[pt] {
			continue
		}
		seen[pt] = true
		c, ok := m.maps[pt]
		if !ok {
			c, ok = static[pt]
		}
		if ok {
			c.Fmtp = m.fmtp[pt]
			list = append(list, c)
		}
	}
	return list
}
