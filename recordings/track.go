package recordings

import (
	"encoding/binary"
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
	track *Track
	codec audio.Codec
	pcm   bool // the payload is samples
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

// patience is how long a packet behind a gap waits for what may only be late. With the pace of the writer it is
// below hold, so that nothing is written while a packet waits that belongs there.
const patience = 150 * time.Millisecond

// Track is one side of a recording, or the voice on both. It is a tap for a
// media session, each of which needs its own.
type Track struct {
	r      *Recorder
	side   int
	number uint32

	// Of the writer.
	line  *audio.Listener // nil before the first packet
	order audio.Order
}

// RTP takes a copy of a packet that arrived at that time. It never blocks: when
// the disk is too slow, the packet is lost and counted.
func (t *Track) RTP(codec audio.Codec, seq uint16, ts uint32, _ bool, payload []byte, at time.Time) {
	r := t.r
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.deaf || r.paused() {
		return
	}
	if !codec.Known() {
		r.foreign = true
		return
	}
	if !r.queue.add(packet{side: t.side, track: t, codec: codec, seq: seq, ts: ts, at: at, size: len(payload)}, payload) {
		r.lost++
	}
}

// PCM takes a copy of samples of 8 kHz, for sound that comes from no peer, as the mix
// of a conference: seq and ts count them as RTP counts packets. Like RTP it never
// blocks. One call takes 60 ms
// at most; what is behind that is left out.
func (t *Track) PCM(seq uint16, ts uint32, samples []int16, at time.Time) {
	r := t.r
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.deaf || r.paused() {
		return
	}
	var raw [2 * maxPCM]byte
	n := min(len(samples), maxPCM)
	for i, v := range samples[:n] {
		binary.LittleEndian.PutUint16(raw[2*i:], uint16(v))
	}
	if !r.queue.add(packet{side: t.side, track: t, pcm: true, seq: seq, ts: ts, at: at, size: 2 * n}, raw[:2*n]) {
		r.lost++
	}
}

// maxPCM is 60 ms.
const maxPCM = 480

// take takes a packet out of the queue: it is decoded and placed when its turn has come.
func (t *Track) take(p packet, payload []byte) error {
	if p.pcm {
		room := t.r.room[:len(payload)/2]
		for i := range room {
			room[i] = int16(binary.LittleEndian.Uint16(payload[2*i:]))
		}
		return t.place(p.seq, p.ts, p.at, room)
	}
	if t.line == nil {
		t.line = audio.NewListener(rate)
		t.order.Wait = patience
	}
	t.order.Add(t.line, audio.Packet{Codec: p.codec, Seq: p.seq, TS: p.ts, At: p.at, Payload: payload})
	return t.hear(p.at)
}

// hear places the packets whose turn has come at that time. What was lost just before one is
// made up.
func (t *Track) hear(at time.Time) error {
	for p := t.order.Next(t.line, at); p != nil; p = t.order.Next(t.line, at) {
		if err := t.decode(p); err != nil {
			return err
		}
	}
	return nil
}

// rest places the packets that still wait.
func (t *Track) rest() error {
	for p := t.order.Rest(); p != nil; p = t.order.Rest() {
		if err := t.decode(p); err != nil {
			return err
		}
	}
	return nil
}

func (t *Track) decode(p *audio.Packet) error {
	at, pcm := t.line.Hear(p.Codec, p.SSRC, p.TS, p.Payload)
	return t.place(p.Seq, uint32(at), p.At, pcm)
}

// place puts samples that came at that time on the time line, and into the file what is too
// late for that.
func (t *Track) place(seq uint16, ts uint32, at time.Time, pcm []int16) error {
	if len(pcm) == 0 {
		return nil
	}
	line := &t.r.line
	line.turn(t.side, t.number)
	pos, before := line.put(t.side, seq, ts, samplesIn(at.Sub(t.r.start)), pcm)
	if before == 0 {
		return nil
	}
	return t.r.belated(t.side, pos, pcm[:before])
}
