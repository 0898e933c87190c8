package media

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/pion/rtcp"
)

// reportInterval is the minimum of RFC 3550 §6.2, which a telephone call never
// exceeds by bandwidth.
const reportInterval = 5 * time.Second

// maxRTT is the longest round trip that is believed: nobody can talk over a longer
// one, but some devices report on a clock that is not theirs.
const maxRTT = 10 * time.Second

// nextReport spreads reports over half to one and a half intervals (§6.2).
func nextReport(at time.Time) time.Time {
	return at.Add(reportInterval/2 + rand.N(reportInterval))
}

// runRTCP reads the peer's reports. Its read deadline is the session's alarm
// clock: for our next report and for the end of patience with a silent peer.
func (s *Session) runRTCP() {
	l := latch{silence: rtcpSilence}
	buf := make([]byte, maxPacket+1)
	next := nextReport(time.Now())
	for errs := 0; errs < maxReadErrors; {
		if err := s.setAlarm(next); err != nil {
			return // closed
		}
		n, src, err := s.rtcp.ReadFromUDPAddrPort(buf)
		at := time.Now()
		switch {
		case err == nil:
			errs = 0
			s.control(buf[:n], netip.AddrPortFrom(src.Addr().Unmap(), src.Port()), &l, at)
		case isTimeout(err):
			errs = 0
		case errors.Is(err, net.ErrClosed) || s.isDone():
			return
		default:
			errs++
		}
		if s.deserted() {
			s.e.wg.Go(s.desert) // not here: Close waits for this goroutine
			return
		}
		if !at.Before(next) {
			s.report(at)
			next = nextReport(at)
		}
		s.checkSilence(at)
		s.checkDetect(at)
	}
	s.log.Error("RTCP socket keeps failing")
	s.deliver(Timeout{S: s})
}

func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}

// setAlarm sets the read deadline to the next thing to do. It and wake hold the
// lock, so that an alarm computed before a change cannot replace the wake-up after
// it.
func (s *Session) setAlarm(next time.Time) error {
	s.in.mu.Lock()
	defer s.in.mu.Unlock()
	if t := s.in.silence(s.e.cfg.Timeout); !t.IsZero() && t.Before(next) {
		next = t
	}
	if d := s.detect.Load(); d != nil {
		if t := d.due(); t.Before(next) {
			next = t
		}
	}
	return s.rtcp.SetReadDeadline(next)
}

// wake makes the "rtcp" goroutine compute its alarm anew.
func (s *Session) wake() {
	s.in.mu.Lock()
	defer s.in.mu.Unlock()
	if err := s.rtcp.SetReadDeadline(time.Now()); err != nil && !s.isDone() {
		s.log.Error("cannot wake RTCP reader", "error", err)
	}
}

// checkSilence reports a peer that should be sending and is not.
func (s *Session) checkSilence(at time.Time) {
	s.in.mu.Lock()
	t := s.in.silence(s.e.cfg.Timeout)
	due := !t.IsZero() && !at.Before(t)
	if due {
		s.in.silent = true
	}
	s.in.mu.Unlock()
	if due {
		s.deliver(Timeout{S: s})
	}
}

// control takes a datagram from the RTCP port.
func (s *Session) control(b []byte, src netip.AddrPort, l *latch, at time.Time) {
	a := s.agreed.Load()
	if a == nil {
		s.in.count(dropSource)
		return
	}
	from := source{sdp: a.rtcp, peer: s.opt.Peer}
	if !from.allows(src.Addr()) { // before the work of reading it
		s.in.count(dropSource)
		return
	}
	if a.guard != nil && isDTLS(b) {
		s.shakes(a, b, src, &s.dtls.rtcp)
		return
	}
	packets, why := a.reports(b)
	if why != kept {
		s.in.count(why)
		return
	}
	switch l.admit(src, binary.BigEndian.Uint32(b[4:]), from, at) {
	case refused:
		s.in.count(dropSource)
		return
	case locked:
		if s.e.owns(src) {
			l.addr = netip.AddrPort{}
			s.in.count(dropSource)
			return
		}
		s.followRTCP(a, src)
	}
	s.heard(packets, at)
}

// muxed takes RTCP from the RTP port (RFC 5761); it comes from where RTP comes
// from. It runs on the "rtp" goroutine.
func (s *Session) muxed(b []byte, src netip.AddrPort, at time.Time) {
	a := s.agreed.Load()
	from := source{sdp: a.remote, peer: s.opt.Peer}
	if !from.allows(src.Addr()) || s.latch.addr.IsValid() && src != s.latch.addr {
		s.in.count(dropSource)
		return
	}
	packets, why := a.reports(b)
	if why != kept {
		s.in.count(why)
		return
	}
	s.heard(packets, at)
}

// reports opens and reads a datagram of RTCP.
func (a *agreed) reports(b []byte) ([]rtcp.Packet, reason) {
	b, why := a.unsealControl(b)
	if why != kept {
		return nil, why
	}
	packets, ok := parseRTCP(b)
	if !ok {
		return nil, dropMalformed
	}
	return packets, kept
}

// parseRTCP accepts a compound packet that begins with a report (RFC 3550 §6.1).
func parseRTCP(b []byte) ([]rtcp.Packet, bool) {
	if len(b) < 8 || len(b) > maxPacket || b[0]>>6 != 2 || b[1] != 200 && b[1] != 201 {
		return nil, false
	}
	packets, err := rtcp.Unmarshal(b)
	return packets, err == nil
}

// heard takes what the peer reports.
func (s *Session) heard(packets []rtcp.Packet, at time.Time) {
	s.in.mu.Lock()
	defer s.in.mu.Unlock()
	s.in.reportAt, s.in.silent = at, false
	for _, p := range packets {
		switch p := p.(type) {
		case *rtcp.SenderReport:
			s.in.senderReport, s.in.senderReportAt, s.in.senderReportOf = uint32(p.NTPTime>>16), at, p.SSRC
			s.in.judged(p.Reports, s.out.ssrc, at)
		case *rtcp.ReceiverReport:
			s.in.judged(p.Reports, s.out.ssrc, at)
		case *rtcp.ExtendedReport:
			s.in.extended(p, s.out.ssrc, at)
		}
	}
}

// judged takes what the peer says of the stream it hears from us; the round trip
// is that of RFC 3550 §6.4.1. The SSRC of a stream never changes, so it is read
// without the stream's lock.
func (r *receiver) judged(reports []rtcp.ReceptionReport, ours uint32, at time.Time) {
	for _, b := range reports {
		if b.SSRC != ours {
			continue
		}
		r.reported = true
		r.remoteLoss = float64(b.FractionLost) / 256
		r.remoteLost = b.TotalLost
		r.remoteJitter = r.duration(float64(b.Jitter))
		if b.LastSenderReport == 0 {
			continue
		}
		r.trip(b.LastSenderReport, b.Delay, at)
	}
}

// trip is the round trip of a time of ours that the peer sent back, which it kept
// for so long.
func (r *receiver) trip(ours, kept uint32, at time.Time) {
	trip := int32(uint32(ntp(at)>>16) - ours - kept)
	if rtt := time.Duration(trip) * time.Second >> 16; rtt >= 0 && rtt <= maxRTT {
		r.rtt = rtt
	}
}

// ntp is a time in seconds since 1900, as a 32.32 fixed-point number (RFC 3550 §4).
func ntp(at time.Time) uint64 {
	const to1900 = 2208988800
	fraction := uint64(at.Nanosecond()) << 32 / uint64(time.Second)
	return uint64(at.Unix()+to1900)<<32 | fraction
}

// report sends what RFC 3550 §6.1 asks for: a sender report when we have sent, a
// receiver report otherwise, and our name.
func (s *Session) report(at time.Time) {
	s.sendControl(s.compound(at))
}

// bye says that the stream has ended (RFC 3550 §6.6).
func (s *Session) bye(at time.Time) {
	s.sendControl(append(s.compound(at), &rtcp.Goodbye{Sources: []uint32{s.out.ssrc}}))
}

func (s *Session) compound(at time.Time) []rtcp.Packet {
	blocks := s.in.blocks(at)
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	var first rtcp.Packet = &rtcp.ReceiverReport{SSRC: s.out.ssrc, Reports: blocks}
	if s.out.packets > 0 {
		first = &rtcp.SenderReport{
			SSRC: s.out.ssrc, NTPTime: ntp(at), Reports: blocks,
			RTPTime:     s.out.ts + units(at.Sub(s.out.at), s.out.rate),
			PacketCount: uint32(s.out.packets), OctetCount: uint32(s.out.octets),
		}
	}
	name := rtcp.SourceDescriptionItem{Type: rtcp.SDESCNAME, Text: strconv.FormatUint(s.cname, 36)}
	packets := []rtcp.Packet{first, &rtcp.SourceDescription{Chunks: []rtcp.SourceDescriptionChunk{{
		Source: s.out.ssrc, Items: []rtcp.SourceDescriptionItem{name},
	}}}}
	if x := s.in.extension(s.agreed.Load(), s.out.ssrc, at); x != nil {
		packets = append(packets, x)
	}
	return packets
}

// blocks is our report on the peer's stream, empty before there is one.
func (r *receiver) blocks(at time.Time) []rtcp.ReceptionReport {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.started {
		return nil
	}
	lost := max(int64(r.expected())-int64(r.received), 0) // of this source only
	b := rtcp.ReceptionReport{
		SSRC: r.ssrc, FractionLost: r.fraction(), TotalLost: uint32(min(lost, 1<<23-1)),
		LastSequenceNumber: r.highest(), Jitter: uint32(r.jitter),
	}
	if r.senderReport != 0 && r.senderReportOf == r.ssrc {
		b.LastSenderReport = r.senderReport
		b.Delay = uint32(at.Sub(r.senderReportAt) * 65536 / time.Second)
	}
	return []rtcp.ReceptionReport{b}
}

// sendControl sends RTCP to where the peer's comes from, or to where its SDP says.
func (s *Session) sendControl(packets []rtcp.Packet) {
	a := s.agreed.Load()
	if a == nil {
		return
	}
	conn, to := s.rtcp, a.rtcp
	if a.mux {
		conn, to = s.rtp, netip.AddrPort{}
		if dst := s.dst.Load(); dst != nil {
			to = *dst
		}
	} else if seen := s.rtcpDst.Load(); seen != nil && a.sendable() {
		to = *seen
	}
	if !to.IsValid() {
		return
	}
	b, err := rtcp.Marshal(packets)
	if err != nil {
		s.log.Error("cannot build RTCP", "error", err)
		return
	}
	b, why := a.sealControl(b)
	if why == dropKeys {
		return // it is early, or the handshake has come to nothing
	}
	if why != kept {
		s.in.count(why)
		return
	}
	if _, err := conn.WriteToUDPAddrPort(b, to); err != nil {
		s.in.count(dropWrite)
	}
}
