package phone

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/pion/rtp"
)

// reportInterval is the minimum of RFC 3550 §6.2.
const reportInterval = 5 * time.Second

// Packet types of RFC 3550 §12.1.
const (
	rtcpSR   = 200
	rtcpRR   = 201
	rtcpSDES = 202
)

// reception is what RFC 3550 §A.1 and §A.8 keep of a source.
type reception struct {
	ssrc     uint32
	base     uint32 // extended sequence number of the first packet
	highest  uint32
	received uint32
	transit  int64 // of the last packet, in samples
	jitter   float64

	expectedBefore, receivedBefore uint32 // at the last report
	lastSR                         uint32 // middle of the NTP time in the peer's last report
	lastSRAt                       time.Time
}

// packet counts one packet; another SSRC starts anew.
func (r *reception) packet(h *rtp.Header, at time.Time) {
	arrival := at.UnixMicro() * rate / 1e6
	transit := arrival - int64(h.Timestamp)
	if r.received == 0 || r.ssrc != h.SSRC {
		first := uint32(h.SequenceNumber) + 1<<16
		*r = reception{
			ssrc: h.SSRC, base: first, highest: first, received: 1, transit: transit, lastSR: r.lastSR, lastSRAt: r.lastSRAt,
		}
		return
	}
	r.received++
	extended := r.highest + uint32(int32(int16(h.SequenceNumber-uint16(r.highest))))
	if int32(extended-r.highest) > 0 {
		r.highest = extended
	}
	d := float64(transit - r.transit)
	r.transit = transit
	if d < 0 {
		d = -d
	}
	if d < rate { // a pause or a digit is not jitter
		r.jitter += (d - r.jitter) / 16
	}
}

func (r *reception) expected() uint32 {
	if r.received == 0 {
		return 0
	}
	return r.highest - r.base + 1
}

func (r *reception) lost() int { return max(0, int(r.expected())-int(r.received)) }

func (r *reception) jitterTime() time.Duration {
	return time.Duration(r.jitter * float64(time.Second) / rate)
}

// ntp is a time in the format of RFC 3550 §4.
func ntp(t time.Time) uint64 {
	const epoch = 2208988800 // 1900 to 1970
	return uint64(t.Unix()+epoch)<<32 | uint64(t.Nanosecond())<<32/uint64(time.Second)
}

// report is a sender report with a block on what was heard, and a CNAME.
func (m *media) report() ([]byte, netip.AddrPort) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.remote.IsValid() || m.remote.Port() == 0 || m.muted {
		return nil, netip.AddrPort{}
	}
	now := time.Now()
	blocks := byte(0)
	b := make([]byte, 28, 128)
	b[1] = rtcpSR
	binary.BigEndian.PutUint32(b[4:], m.header.SSRC)
	binary.BigEndian.PutUint64(b[8:], ntp(now))
	binary.BigEndian.PutUint32(b[16:], m.header.Timestamp)
	binary.BigEndian.PutUint32(b[20:], uint32(m.stats.Sent))
	binary.BigEndian.PutUint32(b[24:], m.octets)
	if m.in.received > 0 {
		blocks = 1
		b = m.in.block(b, now)
	}
	b[0] = 0x80 | blocks
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)/4-1))
	name := "phone@" + m.local.Addr().String()
	sdes := []byte{0x81, rtcpSDES, 0, 0, 0, 0, 0, 0, 1, byte(len(name))}
	binary.BigEndian.PutUint32(sdes[4:], m.header.SSRC)
	sdes = append(append(sdes, name...), 0)
	for len(sdes)%4 != 0 {
		sdes = append(sdes, 0)
	}
	binary.BigEndian.PutUint16(sdes[2:], uint16(len(sdes)/4-1))
	raw, err := m.sealReport(append(b, sdes...))
	if err != nil {
		return nil, netip.AddrPort{}
	}
	return raw, netip.AddrPortFrom(m.remote.Addr(), m.remote.Port()+1)
}

// block appends a report block (RFC 3550 §6.4.1).
func (r *reception) block(b []byte, now time.Time) []byte {
	expected := r.expected()
	interval, got := expected-r.expectedBefore, r.received-r.receivedBefore
	r.expectedBefore, r.receivedBefore = expected, r.received
	fraction := uint32(0)
	if interval > got {
		fraction = (interval - got) * 256 / interval
	}
	b = binary.BigEndian.AppendUint32(b, r.ssrc)
	b = binary.BigEndian.AppendUint32(b, min(fraction, 255)<<24|uint32(min(r.lost(), 1<<23-1)))
	b = binary.BigEndian.AppendUint32(b, r.highest-1<<16)
	b = binary.BigEndian.AppendUint32(b, uint32(r.jitter))
	b = binary.BigEndian.AppendUint32(b, r.lastSR)
	delay := uint32(0)
	if r.lastSR != 0 {
		delay = uint32(now.Sub(r.lastSRAt) * 65536 / time.Second)
	}
	return binary.BigEndian.AppendUint32(b, delay)
}

func (m *media) readRTCP() {
	buf := make([]byte, 2048)
	for {
		n, _, err := m.rtcp.ReadFromUDPAddrPort(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		if raw, err := m.openReport(buf[:n]); err == nil {
			m.hearReport(raw, time.Now())
		}
	}
}

// hearReport takes the time of a sender report and the round trip out of a block
// about our packets. What is not a report is skipped.
func (m *media) hearReport(b []byte, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for len(b) >= 8 && b[0]>>6 == 2 {
		size := 4 * (int(binary.BigEndian.Uint16(b[2:])) + 1)
		if size > len(b) {
			return
		}
		one := b[:size]
		b = b[size:]
		blocks := 8
		switch {
		case one[1] == rtcpSR && len(one) >= 28:
			m.in.lastSR, m.in.lastSRAt = uint32(binary.BigEndian.Uint64(one[8:])>>16), now
			blocks = 28
		case one[1] != rtcpRR:
			continue
		}
		for ; len(one) >= blocks+24; blocks += 24 {
			block := one[blocks:]
			sent, delay := binary.BigEndian.Uint32(block[16:]), binary.BigEndian.Uint32(block[20:])
			if binary.BigEndian.Uint32(block) == m.header.SSRC && sent != 0 {
				round := int32(uint32(ntp(now)>>16) - sent - delay)
				m.stats.RTT = max(0, time.Duration(round)*time.Second/65536)
			}
		}
	}
}
