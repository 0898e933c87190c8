package recordings

import (
	"encoding/binary"
	"fmt"
)

// belated puts sound of a side into the file behind the place where it is written:
// what a stall of the network, of the phone or of this machine has held up for longer
// than the time line waits. It goes only where the file is silent, so that a packet
// that comes twice sounds once, and not into a pause. What is older than jump is left
// out, as is a third voice, which shares its places with both sides; these count as
// lost.
func (r *Recorder) belated(who int, pos int64, samples []int16) error {
	if old := r.line.written - jump - pos; old > 0 {
		samples = samples[min(old, int64(len(samples))):]
		pos += old
	}
	if who == extra || len(samples) == 0 {
		r.mu.Lock()
		r.lost++
		r.mu.Unlock()
		return nil
	}
	if pos < 0 {
		samples = samples[min(-pos, int64(len(samples))):]
		pos = 0
	}
	for len(samples) > 0 {
		n := min(len(samples), maxPCM)
		if err := r.fill(who, pos, samples[:n]); err != nil {
			return err
		}
		samples, pos = samples[n:], pos+int64(n)
	}
	return nil
}

// fill puts samples of a side, maxPCM at most, to where the file is silent.
func (r *Recorder) fill(who int, pos int64, samples []int16) error {
	room := r.frames[:frameSize*len(samples)]
	at := headerSize + frameSize*pos
	if _, err := r.file.ReadAt(room, at); err != nil {
		return fmt.Errorf("read what a late packet belongs to: %w", err)
	}
	for i, v := range samples {
		if place := room[frameSize*i+2*who:]; binary.LittleEndian.Uint16(place) == 0 && !r.pausedAt(pos+int64(i)) {
			binary.LittleEndian.PutUint16(place, uint16(v))
		}
	}
	if _, err := r.file.WriteAt(room, at); err != nil {
		return fmt.Errorf("write a late packet: %w", err)
	}
	return nil
}

// pausedAt tells whether that position lies in a pause.
func (r *Recorder) pausedAt(pos int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.pauses {
		if pos >= p.from && pos < p.to {
			return true
		}
	}
	return false
}
