package media

import (
	"time"

	"vpbx/media/audio"
)

// Quality is how one party's audio went, seen from here.
type Quality struct {
	Codec       string  // negotiated, empty before
	Sent        uint64  // packets to the peer
	Received    uint64  // packets of the peer that were used
	Lost        uint64  // packets of the peer that never came
	Duplicates  uint64  // packets of the peer that came twice
	Dropped     uint64  // packets at our port that are none of the peer's: from strangers, or garbage
	Unproven    uint64  // packets at our port that are not secured with the peer's key (SRTP)
	Replayed    uint64  // packets that were taken before, or are too old to tell (SRTP)
	Loss        float64 // Lost as a share of what the peer sent, 0 to 1
	JitterMs    float64 // RFC 3550 A.8, now
	MaxJitterMs float64 // its highest value
	RTTMs       float64 // round trip by RTCP; 0 when the peer sends none

	RemoteLoss     float64 // share of our packets lost, as the peer last reported
	RemoteJitterMs float64 // jitter of our packets, as the peer last reported

	// RemoteMOS is the G.107 estimate of what the peer hears of us: its own where its
	// RTCP has one (RFC 3611 §4.7), else by what it reports of loss and jitter; 0 when
	// it reports nothing.
	RemoteMOS float64

	MOS          float64 // G.107 estimate of what we hear of the peer, 1 to 4.4; 0 when nothing came
	FirstRTPMs   float64 // from Expect to the first packet; 0 when it came before, -1 when none came
	LongestGapMs float64 // longest time without a packet while the peer should have sent
	OneWay       bool    // after Expect, packets went one way only
}

// Quality is a snapshot; it may be taken at any time and after Close.
func (s *Session) Quality() Quality {
	end := time.Now()
	if t := s.ended.Load(); t != nil {
		end = *t
	}
	s.out.mu.Lock()
	sent := s.out.packets
	s.out.mu.Unlock()
	q := s.in.quality(s.Codec().Name, sent, end)
	q.OneWay = q.OneWay && (q.Sent == 0) != (q.Received == 0)
	return q
}

// quality is what the receiver knows; OneWay says only whether it can be judged.
func (r *receiver) quality(codec string, sent uint64, end time.Time) Quality {
	r.mu.Lock()
	defer r.mu.Unlock()
	lost, expected := r.lost()
	q := Quality{
		Codec: codec, Sent: sent,
		Received: r.packets, Lost: lost, Duplicates: r.drops[dropDuplicate],
		JitterMs: ms(r.duration(r.jitter)), MaxJitterMs: ms(r.maxJitter), RTTMs: ms(r.rtt),
		RemoteLoss: r.remoteLoss, RemoteJitterMs: ms(r.remoteJitter),
		FirstRTPMs: -1, OneWay: !r.expectAt.IsZero(),
	}
	q.Dropped = r.drops[dropMalformed] + r.drops[dropSource]
	q.Unproven, q.Replayed = r.drops[dropAuth], r.drops[dropReplay]
	q.RemoteMOS = r.heardOfUs(codec, sent)
	if expected > 0 {
		q.Loss = float64(lost) / float64(expected)
	}
	gap := r.gap
	if !r.listenAt.IsZero() {
		gap = max(gap, end.Sub(later(r.last, r.listenAt)))
	}
	q.LongestGapMs = ms(gap)
	if r.packets > 0 {
		q.MOS = r.path(codec).MOS()
		q.FirstRTPMs = 0
		if !r.expectAt.IsZero() {
			q.FirstRTPMs = max(0, ms(r.first.Sub(r.expectAt)))
		}
	}
	return q
}

// path is the way of the peer's voice to us.
func (r *receiver) path(codec string) audio.Path {
	lost, expected := r.lost()
	p := audio.Path{Codec: codec, JitterMs: ms(r.duration(r.jitter)), RTTMs: ms(r.rtt)}
	if expected > 0 {
		p.Loss = float64(lost) / float64(expected)
	}
	all := r.all()
	p.BurstR = all.ratio(p.Loss)
	return p
}

// heardOfUs is what the peer reports of our voice, as a mean opinion score.
func (r *receiver) heardOfUs(codec string, sent uint64) float64 {
	if r.remoteMOS > 0 || !r.reported || sent == 0 {
		return r.remoteMOS
	}
	loss := float64(min(uint64(r.remoteLost), sent)) / float64(sent)
	return audio.Path{Codec: codec, Loss: loss, JitterMs: ms(r.remoteJitter), RTTMs: ms(r.rtt)}.MOS()
}

func ms(d time.Duration) float64 {
	return float64(d) / float64(time.Millisecond)
}
