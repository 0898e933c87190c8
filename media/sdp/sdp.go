package sdp

import (
	"errors"
	"net/netip"
	"strings"
)

// Errors that decide the SIP answer.
var (
	// ErrMalformed means that the text is not SDP (400 or 488).
	ErrMalformed = errors.New("malformed SDP")
	// ErrNotAcceptable means that it is SDP without an audio stream that we can
	// carry (488, RFC 3261 §21.4.26).
	ErrNotAcceptable = errors.New("media not acceptable")
)

// Bounds on what a peer may send.
const (
	maxSize    = 16 << 10
	maxMedia   = 16
	maxFormats = 64
)

// Direction says who sends, seen from the side that wrote the description
// (RFC 8866 §6.7).
type Direction uint8

// Directions.
const (
	SendRecv Direction = iota
	SendOnly
	RecvOnly
	Inactive
)

// String is the attribute's name.
func (d Direction) String() string {
	return [...]string{"sendrecv", "sendonly", "recvonly", "inactive"}[d&3]
}

// Sends reports whether the writer sends.
func (d Direction) Sends() bool { return d == SendRecv || d == SendOnly }

// Receives reports whether the writer receives.
func (d Direction) Receives() bool { return d == SendRecv || d == RecvOnly }

// Reverse is the widest direction with which d can be answered (RFC 3264 §6.1).
func (d Direction) Reverse() Direction {
	switch d {
	case SendOnly:
		return RecvOnly
	case RecvOnly:
		return SendOnly
	}
	return d
}

// parseDirection knows an attribute's name.
func parseDirection(name string) (Direction, bool) {
	for d := SendRecv; d <= Inactive; d++ {
		if name == d.String() {
			return d, true
		}
	}
	return SendRecv, false
}

// Codec is one payload type of a medium.
type Codec struct {
	PT       uint8
	Name     string // encoding name; those of RFC 3551 in its spelling
	Rate     int    // clock rate of the timestamps
	Channels int
	Fmtp     string // format parameters, empty when there are none
}

// Same reports whether both are the same coding, whatever their payload types
// and parameters.
func (c Codec) Same(o Codec) bool {
	return strings.EqualFold(c.Name, o.Name) && c.Rate == o.Rate && c.Channels == o.Channels
}

// Event reports whether the payload type carries telephone events (RFC 4733).
func (c Codec) Event() bool { return c.Name == Event }

// Names with a role of their own.
const (
	Event        = "telephone-event" // RFC 4733
	ComfortNoise = "CN"              // RFC 3389
)

// static are the payload types of RFC 3551 table 4 that need no rtpmap.
var static = map[uint8]Codec{
	0:  {PT: 0, Name: "PCMU", Rate: 8000, Channels: 1},
	3:  {PT: 3, Name: "GSM", Rate: 8000, Channels: 1},
	4:  {PT: 4, Name: "G723", Rate: 8000, Channels: 1},
	8:  {PT: 8, Name: "PCMA", Rate: 8000, Channels: 1},
	9:  {PT: 9, Name: "G722", Rate: 8000, Channels: 1},
	13: {PT: 13, Name: ComfortNoise, Rate: 8000, Channels: 1},
	15: {PT: 15, Name: "G728", Rate: 8000, Channels: 1},
	18: {PT: 18, Name: "G729", Rate: 8000, Channels: 1},
}

// Static is the payload type of RFC 3551 for a codec, if it has one.
func Static(c Codec) (pt uint8, ok bool) {
	for pt, s := range static {
		if s.Same(c) {
			return pt, true
		}
	}
	return 0, false
}

// Media is one m= line with what belongs to it.
type Media struct {
	Type  string // "audio", "video", "image" …
	Port  uint16 // 0: refused or switched off
	Proto string
	// Formats are the tokens at the end of the m= line as they were.
	Formats []string
	// Addr is where the writer wants the packets: the medium's c= line or else
	// the session's. Unspecified is the old way to hold (RFC 3264 §8.4); invalid
	// means that the line held a name instead of an address.
	Addr netip.Addr
	// RTCP is the control port's address when a=rtcp names one (RFC 3605),
	// otherwise Addr with the next port; invalid when there is none.
	RTCP netip.AddrPort
	// Mux is a=rtcp-mux (RFC 5761).
	Mux bool
	// XR are the extended reports that the writer wants.
	XR XR
	// Codecs are all payload types in order of preference, with events and
	// comfort noise.
	Codecs []Codec
	// Direction already takes the old way to hold into account.
	Direction Direction
	// PTime is the packet length asked for in milliseconds, 0 for no wish.
	PTime int
	// Crypto are the keys of SDES (RFC 4568) that we can use, in order of preference.
	Crypto []Crypto
	// Fingerprints are those of the certificates of DTLS, Setup the role in the
	// handshake (RFC 5763 §5); "" when nothing is said.
	Fingerprints []Fingerprint
	Setup        string
	// ICE is how a way for the packets is found (RFC 8839); nil: it is the address.
	ICE *ICE
	// Mid names the medium in a=group (RFC 5888), "" when it has no name.
	Mid string
	// Source is the sender's SSRC and what it is called (RFC 5576); written, not read.
	Source Source
}

// XR is a=rtcp-xr, as far as we have such reports (RFC 3611 §5.1).
type XR struct {
	Voice bool // voip-metrics
	RTT   bool // rcvr-rtt: the answer to its reference time
}

// String is the attribute's value, empty for none.
func (x XR) String() string {
	var list []string
	if x.RTT {
		list = append(list, "rcvr-rtt=all")
	}
	if x.Voice {
		list = append(list, "voip-metrics")
	}
	return strings.Join(list, " ")
}

// parseXR passes over kinds of reports that we have not.
func parseXR(value string) XR {
	var x XR
	for _, f := range strings.Fields(value) {
		kind, _, _ := strings.Cut(f, "=")
		x.Voice = x.Voice || kind == "voip-metrics"
		x.RTT = x.RTT || kind == "rcvr-rtt"
	}
	return x
}

// RTP is the address for media packets.
func (m Media) RTP() netip.AddrPort {
	return netip.AddrPortFrom(m.Addr, m.Port)
}

// The profiles of RTP; each has one with feedback (RFC 4585, RFC 5124).
const (
	PlainProfile = "RTP/AVP"
	SDESProfile  = "RTP/SAVP"
	DTLSProfile  = "UDP/TLS/RTP/SAVP"
)

// Profile is which of the profiles a stream of audio has, "" when it has none of
// them or is refused.
func (m Media) Profile() string {
	if m.Type != "audio" || m.Port == 0 {
		return ""
	}
	switch p := strings.TrimSuffix(m.Proto, "F"); p {
	case PlainProfile, SDESProfile, DTLSProfile:
		return p
	}
	return ""
}

// Description is a whole session description.
type Description struct {
	Media []Media
}
