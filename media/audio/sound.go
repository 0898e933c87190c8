package audio

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

const maxRate = 48000

// ErrNotSound means that the bytes are no sound that this package reads. The text of
// the error says in a sentence what is wrong with them.
var ErrNotSound = errors.New("not a sound that can be used")

// ReadSound reads a whole sound file: WAV (see ReadWAV), MP3 (MPEG audio layer III) or
// Ogg Opus (RFC 7845), which it knows by its first bytes, whatever the file is called.
// Opus comes out at 16 kHz, the others at their own rate. Who calls bounds the bytes;
// the length is bounded by the limit. A file that says that it holds more than is there
// has been cut short on its way; with Whole it is refused.
func ReadSound(data []byte, l Limits) (PCM, error) {
	if l.Length == 0 {
		l.Length = 5 * time.Minute
	}
	switch {
	case len(data) == 0:
		return PCM{}, fmt.Errorf("read sound: %w: the file is empty", ErrNotSound)
	case bytes.HasPrefix(data, []byte("RIFF")):
		return ReadWAV(bytes.NewReader(data), l)
	case bytes.HasPrefix(data, []byte("OggS")):
		return readOggOpus(data, l)
	}
	sound, err := skipID3(data)
	if err != nil {
		return PCM{}, err
	}
	if len(sound) >= 4 && sound[0] == 0xFF && sound[1]&0xE6 == 0xE2 { // layer III
		return readMP3(sound, l)
	}
	return PCM{}, fmt.Errorf("read sound: %w: neither WAV nor MP3 nor Ogg Opus", ErrNotSound)
}

// EncodeWAV gives a sound as a whole WAV file of 16-bit PCM.
func EncodeWAV(p PCM) ([]byte, error) {
	size := 2 * len(p.Samples)
	if size > math.MaxInt32 || p.Rate <= 0 || p.Rate > maxRate {
		return nil, fmt.Errorf("write WAV: %w", ErrTooLong)
	}
	b := slices.Grow(header(1, p.Rate), size)
	binary.LittleEndian.PutUint32(b[4:], uint32(wavHeader-8+size))
	binary.LittleEndian.PutUint32(b[wavHeader-4:], uint32(size))
	for _, v := range p.Samples {
		b = binary.LittleEndian.AppendUint16(b, uint16(v))
	}
	return b, nil
}
