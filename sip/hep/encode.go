package hep

import (
	"encoding/binary"
	"net/netip"

	"vpbx/pbx"
)

// The chunks of HEP version 3 that we send, all of the vendor 0 (generic).
const (
	chunkFamily      = 0x01
	chunkProtocol    = 0x02
	chunkFrom4       = 0x03
	chunkTo4         = 0x04
	chunkFrom6       = 0x05
	chunkTo6         = 0x06
	chunkFromPort    = 0x07
	chunkToPort      = 0x08
	chunkSeconds     = 0x09
	chunkMicros      = 0x0a
	chunkType        = 0x0b
	chunkAgent       = 0x0c
	chunkPassword    = 0x0e
	chunkPayload     = 0x0f
	chunkCorrelation = 0x11
	chunkNode        = 0x13
)

const (
	typeSIP      = 1
	family4      = 2  // AF_INET
	family6      = 10 // AF_INET6
	maxPayload   = 60_000
	maxText      = 1024 // of the other chunks: a Call-ID may be anything
	headerLength = 6
)

// encode appends a packet as one HEP message.
func (o *Options) encode(b []byte, p pbx.Packet) []byte {
	b = append(b[:0], "HEP3\x00\x00"...)
	from, to := p.From.Addr().Unmap(), p.To.Addr().Unmap()
	if from.Is4() && to.Is4() {
		b = chunk(b, chunkFamily, []byte{family4})
		b = chunk(b, chunkFrom4, from.AsSlice())
		b = chunk(b, chunkTo4, to.AsSlice())
	} else {
		b = chunk(b, chunkFamily, []byte{family6})
		b = chunk(b, chunkFrom6, sixteen(from))
		b = chunk(b, chunkTo6, sixteen(to))
	}
	protocol := byte(6)
	if p.Transport == "udp" {
		protocol = 17
	}
	b = chunk(b, chunkProtocol, []byte{protocol})
	b = chunk(b, chunkFromPort, binary.BigEndian.AppendUint16(nil, p.From.Port()))
	b = chunk(b, chunkToPort, binary.BigEndian.AppendUint16(nil, p.To.Port()))
	b = chunk(b, chunkSeconds, binary.BigEndian.AppendUint32(nil, uint32(p.At.Unix())))
	b = chunk(b, chunkMicros, binary.BigEndian.AppendUint32(nil, uint32(p.At.Nanosecond()/1000)))
	b = chunk(b, chunkType, []byte{typeSIP})
	b = chunk(b, chunkAgent, binary.BigEndian.AppendUint32(nil, o.ID))
	if o.Password != "" {
		b = chunk(b, chunkPassword, cut([]byte(o.Password), maxText))
	}
	if p.CallID != "" {
		b = chunk(b, chunkCorrelation, cut([]byte(p.CallID), maxText))
	}
	if o.Node != "" {
		b = chunk(b, chunkNode, cut([]byte(o.Node), maxText))
	}
	b = chunk(b, chunkPayload, cut(p.Data, maxPayload))
	binary.BigEndian.PutUint16(b[4:], uint16(len(b)))
	return b
}

// chunk appends one chunk: vendor, type, length with these six bytes, value.
func chunk(b []byte, kind uint16, value []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, 0)
	b = binary.BigEndian.AppendUint16(b, kind)
	b = binary.BigEndian.AppendUint16(b, uint16(headerLength+len(value)))
	return append(b, value...)
}

func sixteen(a netip.Addr) []byte {
	b := a.As16()
	return b[:]
}

func cut(b []byte, n int) []byte { return b[:min(len(b), n)] }
