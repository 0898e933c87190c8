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

// Track is one side of a recording, or the voice on both. It is a tap for a
// media session, each of which needs its own.
type Track struct {
	r      *Recorder
	side   int
	number uint32
	line   *audio.Listener // of the writer
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

// samples gives what a packet holds, like decode.
func (p *packet) samples(payload []byte, room []int16) (uint32, []int16) {
	if !p.pcm {
		return p.track.decode(p.codec, p.ts, payload)
	}
	for i := range len(payload) / 2 {
		room[i] = int16(binary.LittleEndian.Uint16(payload[2*i:]))
	}
	return p.ts, room[:len(payload)/2]
}

// decode gives the samples of a payload, which are good until the next call, and
// the timestamp of the first on a clock of 8 kHz. Those of G.711 come also when
// they are late; of other codecs what was lost just before is made up.
func (t *Track) decode(c audio.Codec, ts uint32, payload []byte) (uint32, []int16) {
	if t.line == nil {
		t.line = audio.NewListener(rate)
		t.line.Loose = true
	}
	at, pcm := t.line.Hear(c, 0, ts, payload)
	return uint32(at), pcm
}
