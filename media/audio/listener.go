package audio

import "time"

// Bounds of a Listener.
const (
	gapMost  = 60 // milliseconds that are made up when packets were lost
	jumpMost = 5  // seconds by which timestamps jump only when they begin anew
	lateMost = 10 // packets in a row that are late only when timestamps began anew
)

// Listener decodes what one peer says, packet by packet as they come, and puts it
// on a line of samples of one rate. What was lost between two packets is made up,
// up to 60 ms; a longer gap stays one. It follows changes of the codec and the
// SSRC. It belongs to one goroutine.
type Listener struct {
	rate  int
	codec Codec
	decs  [Opus + 1]*Decoder // of every codec that was heard, so that who changes to and fro costs no new ones

	begun bool
	ssrc  uint32
	ts    uint32 // of the newest packet
	pos   int64  // of it, in units of the codec's clock
	next  int64  // where the packet after it should be
	epoch uint32
	late  int
	pcm   []int16
}

// NewListener makes one for sound of 8 or 16 kHz.
func NewListener(rate int) *Listener {
	return &Listener{rate: rate, pcm: make([]int16, (maxMs+gapMost)*rate/1000)}
}

// Epoch grows whenever the line begins anew: positions before and after have
// nothing to do with each other.
func (l *Listener) Epoch() uint32 { return l.epoch }

// Clock is the rate of the timestamps of the codec that was heard last, 0 before.
func (l *Listener) Clock() int { return l.codec.Clock() }

// Place is where a timestamp of the peer's clock lies on the line, in units of that
// clock, which is the one of the codec that was heard last. It is false before
// anything was heard of that SSRC, and for a timestamp seconds away.
func (l *Listener) Place(ssrc, ts uint32) (pos int64, ok bool) {
	step := int64(int32(ts - l.ts))
	if !l.begun || ssrc != l.ssrc || max(step, -step) > int64(jumpMost*l.codec.Clock()) {
		return 0, false
	}
	return l.pos + step, true
}

// Lead is how much sound is missing between what was heard and a packet of a codec,
// negative for one that is late. It is false where the line would begin anew.
func (l *Listener) Lead(c Codec, ssrc, ts uint32) (time.Duration, bool) {
	if c != l.codec {
		return 0, false
	}
	pos, ok := l.Place(ssrc, ts)
	if !ok {
		return 0, false
	}
	return time.Duration(pos-l.next) * time.Second / time.Duration(c.Clock()), true
}

// Hear decodes a packet of a known codec. The samples, which are good until the
// next call, begin at the position at; there are none for a packet that is late,
// twice there, or not of the codec.
func (l *Listener) Hear(c Codec, ssrc, ts uint32, payload []byte) (at int64, pcm []int16) {
	dec := l.decoder(c)
	if dec == nil {
		return 0, nil
	}
	pos, ok := l.Place(ssrc, ts)
	if ok && pos < l.next {
		if l.late++; l.late < lateMost {
			return 0, nil
		}
		ok = false
	}
	if !ok {
		pos = l.begin(ssrc, ts)
	}
	clock := int64(c.Clock())
	lost := int((pos - l.next) * int64(l.rate) / clock)
	if lost > gapMost*l.rate/1000 || lost%(l.rate/400) != 0 {
		lost = 0
	}
	n := dec.decodeAfter(l.pcm, lost, payload)
	if n == 0 {
		return 0, nil // the next one conceals it
	}
	l.late, l.ts, l.pos = 0, ts, pos
	at = pos*int64(l.rate)/clock - int64(lost)
	l.next = pos + int64(n-lost)*clock/int64(l.rate)
	return at, l.pcm[:n]
}

// decoder makes a codec the current one; nil for one that is not known.
func (l *Listener) decoder(c Codec) *Decoder {
	if !c.Known() {
		return nil
	}
	if c != l.codec {
		l.codec, l.begun = c, false
	}
	if l.decs[c] == nil {
		l.decs[c] = NewDecoder(c, l.rate)
	}
	return l.decs[c]
}

// decodeAfter makes lost samples up and decodes the packet behind them. It is 0
// for what is no packet of the codec, of which nothing is left.
func (d *Decoder) decodeAfter(dst []int16, lost int, payload []byte) int {
	if lost > 0 {
		d.Conceal(dst[:lost], payload)
	}
	n := d.Decode(dst[lost:], payload)
	if n == 0 {
		return 0
	}
	return lost + n
}

// begin starts a new line at a timestamp.
func (l *Listener) begin(ssrc, ts uint32) int64 {
	l.epoch++
	l.begun, l.ssrc, l.ts, l.pos, l.next, l.late = true, ssrc, ts, int64(ts), int64(ts), 0
	return l.pos
}
