package pcap

import (
	"net/netip"
	"strconv"
	"strings"

	"vpbx/pbx"
)

// Packet makes a packet of a message as the record of a call keeps it: what was
// trimmed is not there, so Content-Length is that of what is left of the body.
// False when the addresses of the message cannot be read.
func Packet(m pbx.Message) (pbx.Packet, bool) {
	from, errFrom := netip.ParseAddrPort(m.From)
	to, errTo := netip.ParseAddrPort(m.To)
	if errFrom != nil || errTo != nil {
		return pbx.Packet{}, false
	}
	body := ""
	if len(m.SDP) > 0 {
		// The lines without which no reader takes it for a description.
		body = "v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n" + strings.Join(m.SDP, "\r\n") + "\r\n"
	}
	var b strings.Builder
	b.WriteString(m.Start + "\r\n")
	for _, h := range m.Headers {
		name, _, _ := strings.Cut(h, ":")
		if name = strings.TrimSpace(name); !strings.EqualFold(name, "Content-Length") && !strings.EqualFold(name, "l") {
			b.WriteString(h + "\r\n")
		}
	}
	if m.LeftOut > 0 {
		b.WriteString("X-Left-Out: " + strconv.Itoa(m.LeftOut) + " messages before this one\r\n")
	}
	b.WriteString("Content-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body)
	return pbx.Packet{At: m.At, Transport: m.Transport, From: from, To: to, Data: []byte(b.String())}, true
}
