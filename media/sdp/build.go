package sdp

import (
	"bytes"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Answer lays out the media of an answer: mine at the index of the offer's
// stream that is accepted, every other stream refused in its place with port 0
// (RFC 3264 §6). Type and transport are those of the offer.
func Answer(offer Description, index int, mine Media) []Media {
	media := make([]Media, len(offer.Media))
	for i, m := range offer.Media {
		media[i] = Media{Type: m.Type, Proto: m.Proto, Formats: m.Formats, Mid: m.Mid}
	}
	mine.Type, mine.Proto, mine.Mid = media[index].Type, media[index].Proto, media[index].Mid
	media[index] = mine
	return media
}

// Origin is our identity in the o= line of one session. The version grows exactly
// when the rest of the description changed (RFC 3264 §8): phones exist that
// ignore a changed description under an old version, and others that start their
// audio anew for an unchanged one under a new version.
type Origin struct {
	ID      uint64 // of 63 bits: some parsers are signed
	Version uint64

	last []byte // the description without its o= line
}

// Describe writes our description with addr as the address of all media.
func (o *Origin) Describe(addr netip.Addr, media []Media) []byte {
	var rest bytes.Buffer
	fmt.Fprintf(&rest, "s=-\r\nc=IN %s\r\nt=0 0\r\n", typed(addr))
	writeBundle(&rest, media)
	for _, m := range media {
		writeMedia(&rest, m)
	}
	if o.last != nil && !bytes.Equal(o.last, rest.Bytes()) {
		o.Version++
	}
	o.last = rest.Bytes()
	head := fmt.Sprintf("v=0\r\no=- %d %d IN %s\r\n", o.ID, o.Version, typed(addr))
	return append([]byte(head), o.last...)
}

// typed is an address as c= and o= lines have it.
func typed(a netip.Addr) string {
	if a.Is6() && !a.Is4In6() {
		return "IP6 " + a.WithZone("").String()
	}
	return "IP4 " + a.Unmap().String()
}

func writeMedia(b *bytes.Buffer, m Media) {
	if m.Port == 0 {
		fmt.Fprintf(b, "m=%s 0 %s %s\r\n", m.Type, m.Proto, strings.Join(m.Formats, " "))
		writeMid(b, m)
		return
	}
	fmt.Fprintf(b, "m=%s %d %s", m.Type, m.Port, m.Proto)
	for _, c := range m.Codecs {
		b.WriteByte(' ')
		b.WriteString(strconv.Itoa(int(c.PT)))
	}
	b.WriteString("\r\n")
	for _, c := range m.Codecs {
		fmt.Fprintf(b, "a=rtpmap:%d %s/%d", c.PT, c.Name, c.Rate)
		if c.Channels > 1 {
			fmt.Fprintf(b, "/%d", c.Channels)
		}
		b.WriteString("\r\n")
		if c.Fmtp != "" {
			fmt.Fprintf(b, "a=fmtp:%d %s\r\n", c.PT, c.Fmtp)
		}
	}
	if m.PTime > 0 {
		fmt.Fprintf(b, "a=ptime:%d\r\n", m.PTime)
	}
	if m.Mux {
		b.WriteString("a=rtcp-mux\r\n")
	}
	if xr := m.XR.String(); xr != "" {
		fmt.Fprintf(b, "a=rtcp-xr:%s\r\n", xr)
	}
	writeMid(b, m)
	writeSecurity(b, m)
	writeICE(b, m)
	fmt.Fprintf(b, "a=%s\r\n", m.Direction)
}
