package media

import (
	"time"

	"github.com/pion/rtcp"

	"vpbx/media/audio"
)

// Values of RFC 3611 §4.7 that say "not known".
const (
	unknownLevel  = 127
	unknownRating = 127
)

// extension is the extended report for a peer that has asked for one (RFC 3611),
// nil when there is nothing it wants: how its voice comes here, the time it can
// measure a round trip by, and the answer to its own.
func (r *receiver) extension(a *agreed, ours uint32, at time.Time) *rtcp.ExtendedReport {
	if a == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	x := &rtcp.ExtendedReport{SenderSSRC: ours}
	if a.xr.RTT {
		x.Reports = append(x.Reports, &rtcp.ReceiverReferenceTimeReportBlock{NTPTimestamp: ntp(at)})
		if r.reference != 0 {
			x.Reports = append(x.Reports, &rtcp.DLRRReportBlock{Reports: []rtcp.DLRRReport{{
				SSRC: r.referenceOf, LastRR: r.reference, DLRR: uint32(at.Sub(r.referenceAt) * 65536 / time.Second),
			}}})
		}
	}
	if a.xr.Voice && r.started {
		x.Reports = append(x.Reports, r.voice(a.codec.Name))
	}
	if len(x.Reports) == 0 {
		return nil
	}
	return x
}

// voice is the block of RFC 3611 §4.7. Delays of our own and levels are not known
// here: packets that are relayed are not decoded.
func (r *receiver) voice(codec string) *rtcp.VoIPMetricsReportBlock {
	path, all := r.path(codec), r.all()
	_, expected := r.lost()
	m := all.measure(frameTime, expected)
	return &rtcp.VoIPMetricsReportBlock{
		SSRC: r.ssrc, LossRate: eighth(path.Loss),
		BurstDensity: eighth(m.burstDensity), GapDensity: eighth(m.gapDensity),
		BurstDuration: millis(m.burst), GapDuration: millis(m.gap), RoundTripDelay: millis(r.rtt),
		SignalLevel: unknownLevel, NoiseLevel: unknownLevel, RERL: unknownLevel, Gmin: gapMin,
		RFactor: uint8(max(0, path.R())), ExtRFactor: unknownRating,
		MOSLQ: uint8(10 * path.ListeningMOS()), MOSCQ: uint8(10 * path.MOS()),
	}
}

// eighth is a share in 256ths.
func eighth(share float64) uint8 { return uint8(min(255, 256*max(0, share))) }

func millis(d time.Duration) uint16 {
	return uint16(min(d/time.Millisecond, 0xFFFF))
}

// extended takes an extended report of the peer: what it says of the stream that it
// hears from us, and the times of a round trip (RFC 3611 §4.4, §4.5).
func (r *receiver) extended(x *rtcp.ExtendedReport, ours uint32, at time.Time) {
	for _, block := range x.Reports {
		switch b := block.(type) {
		case *rtcp.VoIPMetricsReportBlock:
			if b.SSRC == ours {
				r.remoteMOS = opinion(b)
			}
		case *rtcp.ReceiverReferenceTimeReportBlock:
			r.reference, r.referenceAt, r.referenceOf = uint32(b.NTPTimestamp>>16), at, x.SenderSSRC
		case *rtcp.DLRRReportBlock:
			for _, d := range b.Reports {
				if d.SSRC == ours && d.LastRR != 0 {
					r.trip(d.LastRR, d.DLRR, at)
				}
			}
		}
	}
}

// opinion is the mean opinion score in a report: by its rating factor, which is
// finer, or as it is; 0 when it has neither.
func opinion(b *rtcp.VoIPMetricsReportBlock) float64 {
	switch {
	case b.RFactor <= 100:
		return audio.MOS(float64(b.RFactor))
	case b.MOSCQ >= 10 && b.MOSCQ <= 50:
		return float64(b.MOSCQ) / 10
	}
	return 0
}
