package phone

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

var (
	errSDP     = errors.New("bad session description")
	errNoCodec = errors.New("no codec in common")
)

// The directions of RFC 3264 §5.1.
const (
	sendrecv = "sendrecv"
	sendonly = "sendonly"
	recvonly = "recvonly"
	inactive = "inactive"
)

// format is one codec of a media line.
type format struct {
	pt   uint8
	name string // as in rtpmap
	rate int
	fmtp string
}

func (f format) isEvent() bool { return strings.EqualFold(f.name, "telephone-event") }

// description is the first audio stream of a session description.
type description struct {
	addr      netip.AddrPort
	formats   []format
	direction string
	profile   string
	cryptos   []string // what follows a=crypto: of the audio stream
	media     []string // the m= lines, to be answered one by one
	audio     int      // index of the audio stream in media
}

// knownFormats are the payload types of RFC 3551 §6 and the dynamic ones this
// phone uses.
var knownFormats = []format{
	{0, "PCMU", 8000, ""}, {8, "PCMA", 8000, ""}, {3, "GSM", 8000, ""}, {9, "G722", 8000, ""}, {18, "G729", 8000, "annexb=no"},
	{111, "opus", 48000, "minptime=10;useinbandfec=1"}, {101, "telephone-event", 8000, "0-15"}, {102, "telephone-event/48000", 48000, "0-15"},
}

// events48 is how the names of codecs tell the events with the clock of Opus.
const events48 = "telephone-event/48000"

// formatsOf finds the formats for names; one that is not known gets a dynamic
// payload type.
func formatsOf(names []string) []format {
	var list []format
	dynamic := uint8(112)
names:
	for _, name := range names {
		for _, f := range knownFormats {
			if strings.EqualFold(f.name, name) {
				if name == events48 {
					f.name = "telephone-event"
				}
				list = append(list, f)
				continue names
			}
		}
		list = append(list, format{pt: dynamic, name: name, rate: 8000})
		dynamic = min(dynamic+1, 127)
	}
	return list
}

// parseSDP reads the first audio stream of a description (RFC 8866).
func parseSDP(body []byte) (description, error) {
	d := description{direction: sendrecv, audio: -1}
	var session, media netip.Addr
	sessionDirection := sendrecv
	inAudio := false
	for line := range strings.SplitSeq(strings.ReplaceAll(string(body), "\r\n", "\n"), "\n") {
		kind, value, ok := strings.Cut(line, "=")
		if !ok {
			continue
		}
		switch kind {
		case "m":
			var err error
			if inAudio, err = d.mediaLine(value); err != nil {
				return d, err
			}
			if inAudio {
				d.direction = sessionDirection
			}
		case "c":
			a, err := parseConnection(value)
			if err != nil {
				return d, err
			}
			if len(d.media) == 0 {
				session = a
			} else if inAudio {
				media = a
			}
		case "a":
			switch {
			case inAudio:
				d.attribute(value)
			case len(d.media) == 0 && isDirection(value):
				sessionDirection = value
			}
		}
	}
	if d.audio < 0 {
		return d, fmt.Errorf("%w: no audio", errSDP)
	}
	if !media.IsValid() {
		media = session
	}
	if !media.IsValid() {
		return d, fmt.Errorf("%w: no address", errSDP)
	}
	d.addr = netip.AddrPortFrom(media, d.addr.Port())
	return d, nil
}

// mediaLine reads an m= line and reports whether it is the audio stream that is
// described.
func (d *description) mediaLine(value string) (bool, error) {
	d.media = append(d.media, value)
	fields := strings.Fields(value)
	if len(fields) < 4 {
		return false, fmt.Errorf("%w: media line %q", errSDP, value)
	}
	if fields[0] != "audio" || d.audio >= 0 {
		return false, nil
	}
	d.audio, d.profile = len(d.media)-1, fields[2]
	text, _, _ := strings.Cut(fields[1], "/")
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return false, fmt.Errorf("%w: port %q", errSDP, fields[1])
	}
	d.addr = netip.AddrPortFrom(netip.Addr{}, uint16(port))
	d.formats, err = parsePayloads(fields[3:])
	return true, err
}

func parsePayloads(fields []string) ([]format, error) {
	var list []format
	for _, text := range fields {
		pt, err := strconv.ParseUint(text, 10, 7)
		if err != nil {
			return nil, fmt.Errorf("%w: payload type %q", errSDP, text)
		}
		f := format{pt: uint8(pt)}
		for _, known := range knownFormats {
			if known.pt == f.pt && known.pt < 96 {
				f.name, f.rate = known.name, known.rate
			}
		}
		list = append(list, f)
	}
	return list, nil
}

func parseConnection(value string) (netip.Addr, error) {
	fields := strings.Fields(value)
	if len(fields) < 3 {
		return netip.Addr{}, fmt.Errorf("%w: connection %q", errSDP, value)
	}
	text, _, _ := strings.Cut(fields[2], "/")
	a, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("%w: address %q", errSDP, text)
	}
	return a.Unmap(), nil
}

// attribute reads one a= line of the audio stream.
func (d *description) attribute(value string) {
	if isDirection(value) {
		d.direction = value
		return
	}
	key, rest, _ := strings.Cut(value, ":")
	if key == "crypto" {
		d.cryptos = append(d.cryptos, rest)
		return
	}
	text, what, ok := strings.Cut(rest, " ")
	if !ok || key != "rtpmap" && key != "fmtp" {
		return
	}
	pt, err := strconv.ParseUint(text, 10, 7)
	if err != nil {
		return
	}
	for i := range d.formats {
		f := &d.formats[i]
		if f.pt != uint8(pt) {
			continue
		}
		if key == "fmtp" {
			f.fmtp = what
			continue
		}
		name, rate, _ := strings.Cut(what, "/")
		rate, _, _ = strings.Cut(rate, "/")
		f.name = name
		f.rate, _ = strconv.Atoi(rate)
	}
}

func isDirection(value string) bool {
	return value == sendrecv || value == sendonly || value == recvonly || value == inactive
}

// common are the formats of d that ours names too, with the payload types of d
// (RFC 3264 §6.1).
func (d *description) common(ours []format) ([]format, error) {
	var list []format
	spoken := false
	for _, f := range d.formats {
		for _, own := range ours {
			if strings.EqualFold(own.name, f.name) && own.rate == f.rate {
				list = append(list, f)
				spoken = spoken || !f.isEvent()
				break
			}
		}
	}
	if !spoken {
		return nil, errNoCodec
	}
	return list, nil
}

// answerDirection is our direction towards an offer (RFC 3264 §6.1); held says
// that we do not want to hear.
func answerDirection(offered string, held bool) string {
	switch offered {
	case sendonly:
		if held {
			return inactive
		}
		return recvonly
	case recvonly:
		return sendonly
	case inactive:
		return inactive
	}
	if held {
		return sendonly
	}
	return sendrecv
}

// writeSDP writes a description of one audio stream. To answer several m= lines,
// offer is the description being answered; the others are refused with port 0. profile
// is that of an offer, lines are further attributes of the stream.
func writeSDP(id, version uint64, at netip.AddrPort, formats []format, direction string, offer *description, profile string, lines ...string) []byte {
	var b strings.Builder
	family := "IP4"
	if at.Addr().Is6() {
		family = "IP6"
	}
	fmt.Fprintf(&b, "v=0\r\no=- %d %d IN %s %s\r\ns=-\r\nc=IN %s %s\r\nt=0 0\r\n", id, version, family, at.Addr(), family, at.Addr())
	audio := func(profile string) {
		fmt.Fprintf(&b, "m=audio %d %s", at.Port(), profile)
		for _, f := range formats {
			fmt.Fprintf(&b, " %d", f.pt)
		}
		b.WriteString("\r\n")
		for _, f := range formats {
			channels := ""
			if strings.EqualFold(f.name, "opus") {
				channels = "/2"
			}
			fmt.Fprintf(&b, "a=rtpmap:%d %s/%d%s\r\n", f.pt, f.name, f.rate, channels)
			if f.fmtp != "" {
				fmt.Fprintf(&b, "a=fmtp:%d %s\r\n", f.pt, f.fmtp)
			}
		}
		for _, l := range lines {
			b.WriteString("a=" + l + "\r\n")
		}
		fmt.Fprintf(&b, "a=ptime:20\r\na=%s\r\n", direction)
	}
	if offer == nil {
		audio(profile)
		return []byte(b.String())
	}
	for i, m := range offer.media {
		if i == offer.audio {
			audio(offer.profile)
			continue
		}
		fields := strings.Fields(m)
		fmt.Fprintf(&b, "m=%s 0 %s\r\n", fields[0], strings.Join(fields[2:], " "))
	}
	return []byte(b.String())
}
