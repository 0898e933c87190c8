package audio

import (
	"slices"
	"time"
)

// Bounds of an Order.
const (
	orderMost   = gapMost * time.Millisecond // waited at most where that is learnt
	orderSlack  = 5 * time.Millisecond       // beyond how late a packet was before
	orderKnown  = 30 * time.Second           // after the last disorder nothing is waited for any more
	orderUneven = 5 * time.Millisecond       // by which timestamps may be uneven
	orderSlots  = 16                         // packets that wait at most
)

// Packet is a packet of sound as it came.
type Packet struct {
	Codec   Codec
	PT      uint8 // for the owner
	Seq     uint16
	SSRC    uint32
	TS      uint32
	At      time.Time // when it came
	Payload []byte
}

// Order puts the packets of one peer in the order of their timestamps, for who decodes
// them as they come. A packet that follows what was heard comes out at once. One behind
// a gap waits for what is missing if that may only be late: for a time Wait, or, where
// that is 0, for as long as packets of this peer have been late in the last 30 s, 60 ms
// at most. So who sends in order is never waited for, whatever he loses. A gap longer than
// that is a pause. The zero value is ready. It belongs to one goroutine, that of its Listener.
type Order struct {
	Wait time.Duration

	queue []*Packet // waiting, in order
	free  []*Packet

	begun    bool
	seq      uint16        // of the packet that came out last
	leapt    time.Time     // when the packet came that last came out behind a gap
	patience time.Duration // by what has been late
	until    time.Time     // when that is forgotten
}

// Add takes a packet, of which it copies the payload. Nothing waits when it has not been
// asked by Next until that had no more.
func (o *Order) Add(l *Listener, p Packet) {
	i := len(o.queue)
	for i > 0 && p.before(o.queue[i-1]) {
		i--
	}
	if i < len(o.queue) {
		o.late(p.At.Sub(o.queue[i].At), p.At)
	} else if lead, ok := l.Lead(p.Codec, p.SSRC, p.TS); ok && lead < 0 && i == 0 {
		o.late(p.At.Sub(o.leapt), p.At)
	}
	s := o.slot()
	p.Payload = append(s.Payload[:0], p.Payload...)
	*s = p
	o.queue = slices.Insert(o.queue, i, s)
}

// slot is one to be filled.
func (o *Order) slot() *Packet {
	if n := len(o.free); n > 0 {
		s := o.free[n-1]
		o.free = o.free[:n-1]
		return s
	}
	return new(Packet)
}

// before reports whether a packet belongs before another of the same source.
func (p *Packet) before(q *Packet) bool {
	return p.SSRC == q.SSRC && p.Codec.Clock() == q.Codec.Clock() && int32(p.TS-q.TS) < 0
}

// late learns that a packet came so long after one that belongs behind it.
func (o *Order) late(by time.Duration, at time.Time) {
	if by < 0 || by > orderMost {
		return
	}
	if at.After(o.until) {
		o.patience = 0
	}
	o.patience = min(max(o.patience, by+orderSlack), orderMost)
	o.until = at.Add(orderKnown)
}

// Next takes the packet out that the Listener is to hear now; nil when there is none, or
// when it waits for another. It is good until the next Add.
func (o *Order) Next(l *Listener, at time.Time) *Packet {
	if len(o.queue) == 0 || o.waits(l, at) {
		return nil
	}
	return o.pop()
}

// Rest takes the oldest packet out, whatever is missing before it; nil when there is none.
func (o *Order) Rest() *Packet {
	if len(o.queue) == 0 {
		return nil
	}
	return o.pop()
}

func (o *Order) pop() *Packet {
	p := o.queue[0]
	o.queue = o.queue[:copy(o.queue, o.queue[1:])]
	o.free = append(o.free, p)
	o.begun, o.seq = true, p.Seq
	return p
}

// waits reports whether what is missing before the oldest packet may still come.
func (o *Order) waits(l *Listener, at time.Time) bool {
	p := o.queue[0]
	lead, ok := l.Lead(p.Codec, p.SSRC, p.TS)
	if !ok || lead <= orderUneven || lead > max(orderMost, o.Wait) || o.begun && p.Seq == o.seq+1 {
		return false
	}
	o.leapt = p.At
	return len(o.queue) < orderSlots && at.Sub(p.At) < o.wait(at)
}

// wait is how long a packet waits for those before it.
func (o *Order) wait(at time.Time) time.Duration {
	switch {
	case o.Wait > 0:
		return o.Wait
	case at.Before(o.until):
		return o.patience
	}
	return 0
}
