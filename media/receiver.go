package media

import (
	"sync"
	"time"
)

// reason says why a packet went no further.
type reason uint8

const (
	kept          reason = iota
	dropMalformed        // not RTP, or cut short
	dropSource           // from an address that is not the peer's
	dropPayload          // a payload type that was not negotiated with both sides
	dropDuplicate        // came twice
	dropSequence         // too far from its neighbours
	dropLate             // older than the stream it would join
	dropDirection        // one side is on hold
	dropPlaying          // the other side hears a prompt
	dropAddress          // the other side's address is not known yet
	dropWrite            // the socket refused it
	dropAuth             // SRTP: not secured with the agreed key
	dropReplay           // SRTP: it came before, or is too old to tell
	dropKeys             // SRTP: there are no keys yet
	dropEvent            // an event, not a packet: the call's mailbox was full
	reasons
)

// String is the metric's label.
func (r reason) String() string {
	return [...]string{"kept", "malformed", "source", "payload_type", "duplicate", "sequence", "late",
		"direction", "playing", "address", "write", "auth", "replay", "keys", "event", ""}[min(r, reasons)]
}

// Bounds of RFC 3550 A.1.
const (
	maxDropout  = 3000
	maxMisorder = 100
	windowSize  = 128 // at least maxMisorder, a multiple of 64
)

// receiver keeps the statistics of what a peer sends (RFC 3550 A.1, A.3, A.8).
// The packet path writes it, others read it, all under mu.
type receiver struct {
	mu sync.Mutex

	// The current source.
	started          bool
	ssrc             uint32
	base, max        uint16
	cycles           uint32
	bad              uint32 // sequence number that would confirm a jump; above 16 bits: none
	received         uint32 // without duplicates
	seen             [windowSize / 64]uint64
	expectedReported uint32 // at the last report, for the fraction lost
	receivedReported uint32

	// Jitter, in timestamp units of rate.
	rate      int
	timed     bool
	lastTS    uint32
	lastAudio time.Time
	jitter    float64
	maxJitter time.Duration

	// Of all sources together.
	bursts          bursts // up to the window
	packets, octets uint64
	pastExpected    uint64 // of sources before the current one
	pastReceived    uint64
	drops           [reasons]uint64
	first, last     time.Time
	gap             time.Duration // longest between two packets while listening

	// What is expected of the peer.
	expectAt time.Time // when the owner called Expect
	listenAt time.Time // since when the peer should be sending; zero: it need not
	silent   bool      // the current silence has been reported

	// What the peer's RTCP said.
	reportAt       time.Time // when any of it came last
	senderReport   uint32    // middle of the NTP time of its last SR
	senderReportAt time.Time
	senderReportOf uint32 // its SSRC
	rtt            time.Duration
	reported       bool    // it has said what it hears of us
	remoteLoss     float64 // fraction lost of its last report
	remoteLost     uint32
	remoteJitter   time.Duration
	remoteMOS      float64 // of its last voice metrics (RFC 3611 §4.7); 0: it sends none
	reference      uint32  // middle of the NTP time of its last reference time, as senderReport
	referenceAt    time.Time
	referenceOf    uint32
}

// count adds a drop.
func (r *receiver) count(why reason) {
	r.mu.Lock()
	r.drops[why]++
	r.mu.Unlock()
}

// accept takes a packet of the locked source with a known payload type. The result
// says whether to use it and whether it is the first of all.
func (r *receiver) accept(h header, f *format, at time.Time) (why reason, first bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if why := r.sequence(h); why != kept {
		r.drops[why]++
		return why, false
	}
	first = r.packets == 0
	if first {
		r.first = at
	}
	r.received++
	r.packets++
	r.octets += uint64(h.end - h.start)
	if !first && !r.listenAt.IsZero() {
		r.gap = max(r.gap, at.Sub(later(r.last, r.listenAt)))
	}
	r.last, r.silent = at, false
	if !f.event {
		r.arrival(h.ts, f.codec.Rate, at)
	}
	return kept, first
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// sequence is A.1: it follows the numbers over their wrap, recognises duplicates
// and restarts, and lets late packets through.
func (r *receiver) sequence(h header) reason {
	if !r.started || h.ssrc != r.ssrc {
		r.restart(h)
		return kept
	}
	delta := h.seq - r.max
	switch {
	case delta > 0 && delta < maxDropout:
		r.advance(delta)
		if h.seq < r.max {
			r.cycles += 1 << 16
		}
		r.max = h.seq
	case delta >= maxDropout && delta <= 1<<16-maxMisorder:
		if uint32(h.seq) != r.bad {
			r.bad = uint32(h.seq + 1)
			return dropSequence
		}
		r.restart(h)
		return kept
	}
	if r.has(h.seq) {
		return dropDuplicate
	}
	r.note(h.seq)
	return kept
}

// advance makes room for the next packets. What leaves the window has come by now,
// or never will.
func (r *receiver) advance(by uint16) {
	for i := range min(by, windowSize) {
		seq := r.max + 1 + i
		if r.expected()+uint32(i) >= windowSize {
			r.bursts.packet(r.has(seq))
		}
		r.forget(seq)
	}
	r.bursts.gone(int(by) - int(min(by, windowSize)))
}

// all is bursts with what is still in the window.
func (r *receiver) all() bursts {
	b := r.bursts
	if !r.started {
		return b
	}
	for i := min(r.expected(), windowSize); i > 0; i-- {
		b.packet(r.has(r.max + 1 - uint16(i)))
	}
	return b
}

// restart begins to follow a source.
func (r *receiver) restart(h header) {
	if r.started {
		r.bursts = r.all()
		r.pastExpected += uint64(r.expected())
		r.pastReceived += uint64(r.received)
	}
	r.started, r.ssrc = true, h.ssrc
	r.base, r.max, r.cycles, r.bad = h.seq, h.seq, 0, 1<<16+1
	r.received, r.expectedReported, r.receivedReported = 0, 0, 0
	r.seen = [windowSize / 64]uint64{}
	r.note(h.seq)
	r.timed, r.jitter = false, 0
}

func (r *receiver) has(seq uint16) bool { return r.seen[seq%windowSize/64]&(1<<(seq%64)) != 0 }
func (r *receiver) note(seq uint16)     { r.seen[seq%windowSize/64] |= 1 << (seq % 64) }
func (r *receiver) forget(seq uint16)   { r.seen[seq%windowSize/64] &^= 1 << (seq % 64) }

// arrival is A.8. A step of more than a second is a new beginning of the peer's
// clock (after hold, after silence suppression), not jitter.
func (r *receiver) arrival(ts uint32, rate int, at time.Time) {
	if r.timed && rate == r.rate {
		took := at.Sub(r.lastAudio).Seconds() * float64(rate)
		d := took - float64(int32(ts-r.lastTS))
		if d < 0 {
			d = -d
		}
		if d < float64(rate) {
			r.jitter += (d - r.jitter) / 16
			r.maxJitter = max(r.maxJitter, r.duration(r.jitter))
		}
	}
	r.timed, r.rate, r.lastTS, r.lastAudio = true, rate, ts, at
}

// duration converts timestamp units.
func (r *receiver) duration(units float64) time.Duration {
	if r.rate == 0 {
		return 0
	}
	return time.Duration(units / float64(r.rate) * float64(time.Second))
}

// highest is the highest sequence number with its wraps.
func (r *receiver) highest() uint32 { return r.cycles | uint32(r.max) }

// expected is how many packets the current source has sent, as far as can be seen.
func (r *receiver) expected() uint32 { return r.highest() - uint32(r.base) + 1 }

// lost is how many packets of all sources never came, and of how many.
func (r *receiver) lost() (lost, expected uint64) {
	expected, received := r.pastExpected, r.pastReceived
	if r.started {
		expected += uint64(r.expected())
		received += uint64(r.received)
	}
	if received >= expected {
		return 0, expected
	}
	return expected - received, expected
}

// fraction is A.3: the loss since the last call, in 256ths.
func (r *receiver) fraction() uint8 {
	expected, received := r.expected(), r.received
	sent := expected - r.expectedReported
	lost := int64(sent) - int64(received-r.receivedReported)
	r.expectedReported, r.receivedReported = expected, received
	if sent == 0 || lost <= 0 {
		return 0
	}
	return uint8(min(lost*256/int64(sent), 255))
}

// listen starts or stops the silence watch. It reports whether anything changed.
func (r *receiver) listen(on bool, at time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if on == !r.listenAt.IsZero() || on && r.expectAt.IsZero() {
		return false
	}
	r.listenAt, r.silent = time.Time{}, false
	if on {
		r.listenAt = at
	}
	return true
}

// silence is when the current silence becomes a Timeout; zero when it cannot. RTCP is
// a sign of life, too: a phone that does not send while nobody speaks (RFC 3389, DTX of
// Opus) goes on reporting.
func (r *receiver) silence(timeout time.Duration) time.Time {
	if r.listenAt.IsZero() || r.silent {
		return time.Time{}
	}
	return later(later(r.last, r.reportAt), r.listenAt).Add(timeout)
}
