package media

import "encoding/binary"

const (
	// headerLen is the RTP header without lists and extensions (RFC 3550 §5.1).
	headerLen = 12
	// maxPacket is the largest datagram taken: what fits an Ethernet frame.
	maxPacket = 1500
)

// header is what matters of a received RTP packet.
type header struct {
	seq        uint16
	ts, ssrc   uint32
	pt         uint8
	marker     bool
	start, end int // the payload's place, without padding
}

// parseHeader reads an RTP header (RFC 3550 §5.1) and reports whether the packet
// is well formed. The payload may be empty: some phones keep a NAT open that way
// (RFC 6263 §4.6).
func parseHeader(b []byte) (header, bool) {
	if len(b) < headerLen || len(b) > maxPacket || b[0]>>6 != 2 {
		return header{}, false
	}
	h := header{
		seq: binary.BigEndian.Uint16(b[2:]), ts: binary.BigEndian.Uint32(b[4:]), ssrc: binary.BigEndian.Uint32(b[8:]),
		pt: b[1] & 0x7f, marker: b[1]&0x80 != 0,
		start: headerLen + 4*int(b[0]&0x0f), end: len(b),
	}
	if b[0]&0x10 != 0 { // extension, §5.3.1
		if len(b) < h.start+4 {
			return header{}, false
		}
		h.start += 4 + 4*int(binary.BigEndian.Uint16(b[h.start+2:]))
	}
	if b[0]&0x20 != 0 { // padding
		pad := int(b[len(b)-1])
		if pad == 0 {
			return header{}, false
		}
		h.end -= pad
	}
	return h, h.start <= h.end
}

// write puts a plain header without lists and extensions into the first bytes of
// b.
func (h header) write(b []byte) {
	b[0] = 2 << 6
	b[1] = h.pt
	if h.marker {
		b[1] |= 0x80
	}
	binary.BigEndian.PutUint16(b[2:], h.seq)
	binary.BigEndian.PutUint32(b[4:], h.ts)
	binary.BigEndian.PutUint32(b[8:], h.ssrc)
}

// isRTCP tells the two protocols on one port apart by the second byte (RFC 5761
// §4).
func isRTCP(b []byte) bool {
	return len(b) >= 2 && b[1] >= 192 && b[1] <= 223
}
