package recordings

import (
	"time"

	"vpbx/media/audio"
)

// Bounds of what waits for the disk, for each side: four seconds of G.711 in
// packets of 20 ms.
const (
	maxPackets = 200
	maxBytes   = 4 * rate
)

// extra is the number of the voice that is on both sides.
const extra = 2

// packet is one RTP packet that waits for the writer.
type packet struct {
	side  int
	track uint32
	codec audio.Codec
	seq   uint16
	ts    uint32
	at    time.Time
	size  int // bytes of payload
}

// queue is what waits for the writer. Its slices are kept and used again.
type queue struct {
	packets []packet
	bytes   []byte                          // payloads, one behind the other
	waiting [3]struct{ packets, bytes int } // of left, right, extra
}

func newQueue() queue {
	return queue{packets: make([]packet, 0, 64), bytes: make([]byte, 0, 64*160)}
}

// add copies a packet into the queue, unless its side has filled its share.
func (q *queue) add(p packet, payload []byte) bool {
	w := &q.waiting[p.side]
	if w.packets == maxPackets || w.bytes+p.size > maxBytes {
		return false
	}
	w.packets++
	w.bytes += p.size
	q.packets = append(q.packets, p)
	q.bytes = append(q.bytes, payload...)
	return true
}

// reset empties the queue.
func (q *queue) reset() {
	q.packets, q.bytes = q.packets[:0], q.bytes[:0]
	q.waiting = [3]struct{ packets, bytes int }{}
}

// Track is one side of a recording, or the voice on both. It is a tap for a
// media session, each of which needs its own.
type Track struct {
	r      *Recorder
	side   int
	number uint32
}

// RTP takes a copy of a packet that arrived at that time. It never blocks: when
// the disk is too slow, the packet is lost and counted.
func (t *Track) RTP(codec audio.Codec, seq uint16, ts uint32, _ bool, payload []byte, at time.Time) {
	r := t.r
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.deaf {
		return
	}
	if codec != audio.PCMA && codec != audio.PCMU {
		r.foreign = true
		return
	}
	if !r.queue.add(packet{t.side, t.number, codec, seq, ts, at, len(payload)}, payload) {
		r.lost++
	}
}
