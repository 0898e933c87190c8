package pcap

import (
	"encoding/binary"
	"fmt"
	"io"
	"net/netip"
	"time"

	"vpbx/pbx"
)

const (
	linkEthernet = 1
	snapLength   = 65535
	maxDatagram  = 65000 // payload of one frame over UDP
	maxSegment   = 16000 // payload of one frame over TCP
	maxStreams   = 4096  // of which sequence numbers are kept
)

// Writer writes a capture file. A failed write is the end of it.
type Writer struct {
	w       io.Writer
	streams map[stream]uint32 // next sequence number
	buf     []byte
	id      uint16 // of the IPv4 packets
}

// stream is one direction of a TCP connection.
type stream struct{ from, to netip.AddrPort }

// NewWriter writes the header of the file.
func NewWriter(w io.Writer) (*Writer, error) {
	h := binary.LittleEndian.AppendUint32(nil, 0xa1b2c3d4) // times in microseconds
	h = binary.LittleEndian.AppendUint16(h, 2)             // version 2.4
	h = binary.LittleEndian.AppendUint16(h, 4)
	h = append(h, make([]byte, 8)...) // UTC
	h = binary.LittleEndian.AppendUint32(h, snapLength)
	h = binary.LittleEndian.AppendUint32(h, linkEthernet)
	if _, err := w.Write(h); err != nil {
		return nil, fmt.Errorf("write capture: %w", err)
	}
	return &Writer{w: w, streams: map[stream]uint32{}}, nil
}

// Write writes a message, in several frames when it is a long one over TCP.
// Addresses of two families, which no packet has, are an error.
func (w *Writer) Write(p pbx.Packet) error {
	from, to := unmap(p.From), unmap(p.To)
	if !from.IsValid() || !to.IsValid() || from.Addr().Is4() != to.Addr().Is4() {
		return fmt.Errorf("write capture: no packet goes from %s to %s", p.From, p.To)
	}
	if p.Transport != "tcp" {
		cut := p.Data[:min(len(p.Data), maxDatagram)]
		return w.frame(p.At, from, to, udp(from, to, cut), len(p.Data)-len(cut))
	}
	for data := p.Data; len(data) > 0; {
		part := data[:min(len(data), maxSegment)]
		data = data[len(part):]
		if err := w.frame(p.At, from, to, w.tcp(from, to, part, len(data) == 0), 0); err != nil {
			return err
		}
	}
	return nil
}

func unmap(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
}

// segment is a transport header with its payload, and its protocol number.
type segment struct {
	protocol byte
	data     []byte
}

// udp makes a datagram (RFC 768).
func udp(from, to netip.AddrPort, payload []byte) segment {
	b := ports(from, to, 8+len(payload))
	b = binary.BigEndian.AppendUint16(b, uint16(8+len(payload)))
	b = append(b, 0, 0)
	s := segment{17, append(b, payload...)}
	sum := s.checksum(from.Addr(), to.Addr())
	if sum == 0 {
		sum = 0xffff // 0 would say that there is none
	}
	binary.BigEndian.PutUint16(s.data[6:], sum)
	return s
}

// tcp makes a segment (RFC 9293 §3.1) that goes on where the last one ended.
func (w *Writer) tcp(from, to netip.AddrPort, payload []byte, last bool) segment {
	there, back := stream{from, to}, stream{to, from}
	if _, known := w.streams[there]; !known && len(w.streams) >= maxStreams {
		clear(w.streams) // Wireshark will speak of segments that were not captured
	}
	for _, s := range []stream{there, back} {
		if _, known := w.streams[s]; !known {
			w.streams[s] = 1
		}
	}
	const flags, ack, push = 5 << 12, 0x10, 0x08
	f := uint16(flags | ack)
	if last {
		f |= push
	}
	b := ports(from, to, 20+len(payload))
	b = binary.BigEndian.AppendUint32(b, w.streams[there])
	b = binary.BigEndian.AppendUint32(b, w.streams[back])
	b = binary.BigEndian.AppendUint16(b, f)
	b = append(b, 0xff, 0xff, 0, 0, 0, 0) // window, checksum, no urgent data
	s := segment{6, append(b, payload...)}
	binary.BigEndian.PutUint16(s.data[16:], s.checksum(from.Addr(), to.Addr()))
	w.streams[there] += uint32(len(payload))
	return s
}

func ports(from, to netip.AddrPort, size int) []byte {
	b := binary.BigEndian.AppendUint16(make([]byte, 0, size), from.Port())
	return binary.BigEndian.AppendUint16(b, to.Port())
}

// checksum is that of UDP and TCP, over the pseudo header (RFC 8200 §8.1).
func (s segment) checksum(from, to netip.Addr) uint16 {
	b := append(from.AsSlice(), to.AsSlice()...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(s.data)))
	b = append(b, 0, 0, 0, s.protocol)
	return ^fold(sum(b) + sum(s.data))
}

// sum adds 16-bit words (RFC 1071).
func sum(b []byte) (n uint64) {
	for ; len(b) > 1; b = b[2:] {
		n += uint64(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		n += uint64(b[0]) << 8
	}
	return n
}

func fold(n uint64) uint16 {
	for n > 0xffff {
		n = n>>16 + n&0xffff
	}
	return uint16(n)
}

// frame writes one frame; missing bytes of its payload were cut off.
func (w *Writer) frame(at time.Time, from, to netip.AddrPort, s segment, missing int) error {
	size := 14 + 20 + len(s.data)
	if from.Addr().Is6() {
		size += 20
	}
	b := binary.LittleEndian.AppendUint32(w.buf[:0], uint32(at.Unix()))
	b = binary.LittleEndian.AppendUint32(b, uint32(at.Nanosecond()/1000))
	b = binary.LittleEndian.AppendUint32(b, uint32(size))
	b = binary.LittleEndian.AppendUint32(b, uint32(size+missing))
	b = append(b, 2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1) // Ethernet addresses of our own making
	if from.Addr().Is4() {
		b = w.ip4(b, from.Addr(), to.Addr(), s)
	} else {
		b = ip6(b, from.Addr(), to.Addr(), s)
	}
	w.buf = append(b, s.data...)
	if _, err := w.w.Write(w.buf); err != nil {
		return fmt.Errorf("write capture: %w", err)
	}
	return nil
}

// ip4 appends the Ethernet type and an IPv4 header (RFC 791 §3.1).
func (w *Writer) ip4(b []byte, from, to netip.Addr, s segment) []byte {
	b = append(b, 0x08, 0x00)
	start := len(b)
	w.id++
	b = append(b, 0x45, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(20+len(s.data)))
	b = binary.BigEndian.AppendUint16(b, w.id)
	b = append(b, 0x40, 0, 64, s.protocol, 0, 0)
	b = append(b, from.AsSlice()...)
	b = append(b, to.AsSlice()...)
	binary.BigEndian.PutUint16(b[start+10:], ^fold(sum(b[start:])))
	return b
}

// ip6 appends the Ethernet type and an IPv6 header (RFC 8200 §3).
func ip6(b []byte, from, to netip.Addr, s segment) []byte {
	b = append(b, 0x86, 0xdd, 0x60, 0, 0, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(len(s.data)))
	b = append(b, s.protocol, 64)
	b = append(b, from.AsSlice()...)
	return append(b, to.AsSlice()...)
}
