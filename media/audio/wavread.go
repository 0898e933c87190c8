package audio

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"
	"time"
)

// Format tags of the fmt chunk (RFC 2361 and Microsoft's WAVEFORMATEX).
const (
	formatPCM        = 1
	formatFloat      = 3
	formatALaw       = 6
	formatULaw       = 7
	formatExtensible = 0xFFFE
)

// widths are the bits that a sample of a format may have; none for a format that is not read.
func widths(tag int) []int {
	switch tag {
	case formatPCM:
		return []int{8, 16, 24, 32}
	case formatFloat:
		return []int{32}
	case formatALaw, formatULaw:
		return []int{8}
	}
	return nil
}

// maxChunks bounds the chunks before the sound: more are not a sound file.
const maxChunks = 64

// PCM is mono sound.
type PCM struct {
	Samples []int16
	Rate    int // samples per second
}

// Duration is how long it sounds.
func (p PCM) Duration() time.Duration {
	if p.Rate == 0 {
		return 0
	}
	return time.Duration(len(p.Samples)) * time.Second / time.Duration(p.Rate)
}

// Limits bound what ReadWAV accepts.
type Limits struct {
	Length time.Duration // longest sound; 0 means five minutes
	Whole  bool          // a file that claims more sound than it has is refused
}

// format is the content of a fmt chunk.
type format struct {
	tag, channels, bits int
	rate                int
}

// sample is the number of bytes of one sample of one channel.
func (f format) sample() int { return f.bits / 8 }

// ReadWAV reads a WAV file of PCM of 8, 16, 24 or 32 bits, 32-bit floating point, A-law or
// µ-law, one or two channels, at a usual rate between 8 and 48 kHz, mixing two channels into one. It returns
// ErrNotWAV for anything else and ErrTooLong above the limit. The sizes that the
// file claims are not believed: it reads what is there.
func ReadWAV(r io.Reader, l Limits) (PCM, error) {
	if l.Length == 0 {
		l.Length = 5 * time.Minute
	}
	var riff [12]byte
	if _, err := io.ReadFull(r, riff[:]); err != nil || string(riff[:4]) != "RIFF" || string(riff[8:]) != "WAVE" {
		return PCM{}, fmt.Errorf("read WAV: %w: no RIFF header", ErrNotWAV)
	}
	var f format
	for range maxChunks {
		var head [8]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return PCM{}, fmt.Errorf("read WAV: %w: no sound in it", ErrNotWAV)
		}
		size := int64(binary.LittleEndian.Uint32(head[4:]))
		switch string(head[:4]) {
		case "data":
			return readData(r, f, size, l)
		case "fmt ":
			var err error
			if f, size, err = readFormat(r, size); err != nil {
				return PCM{}, fmt.Errorf("read WAV: %w", err)
			}
		}
		// Chunks are padded to an even length.
		if _, err := io.CopyN(io.Discard, r, size+size%2); err != nil {
			return PCM{}, fmt.Errorf("read WAV: %w: chunk is cut short", ErrNotWAV)
		}
	}
	return PCM{}, fmt.Errorf("read WAV: %w: too many chunks", ErrNotWAV)
}

// readFormat reads the part of a fmt chunk that matters and returns how many of
// its bytes are left.
func readFormat(r io.Reader, size int64) (format, int64, error) {
	const plain, extensible = 16, 26 // 26: up to the first two bytes of the sub-format GUID
	if size < plain {
		return format{}, 0, fmt.Errorf("%w: fmt chunk of %d bytes", ErrNotWAV, size)
	}
	b := make([]byte, min(size, extensible))
	if _, err := io.ReadFull(r, b); err != nil {
		return format{}, 0, fmt.Errorf("%w: fmt chunk is cut short", ErrNotWAV)
	}
	f := format{
		tag:      int(binary.LittleEndian.Uint16(b)),
		channels: int(binary.LittleEndian.Uint16(b[2:])),
		rate:     int(binary.LittleEndian.Uint32(b[4:])),
		bits:     int(binary.LittleEndian.Uint16(b[14:])),
	}
	if f.tag == formatExtensible && len(b) == extensible {
		f.tag = int(binary.LittleEndian.Uint16(b[24:]))
	}
	left := size - int64(len(b))
	switch {
	case widths(f.tag) == nil:
		return format{}, 0, fmt.Errorf("%w: format %d is none of PCM, A-law, µ-law", ErrNotWAV, f.tag)
	case !slices.Contains(widths(f.tag), f.bits):
		return format{}, 0, fmt.Errorf("%w: %d bits a sample", ErrNotWAV, f.bits)
	case f.channels != 1 && f.channels != 2:
		return format{}, 0, fmt.Errorf("%w: %d channels", ErrNotWAV, f.channels)
	case !slices.Contains([]int{8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000}, f.rate):
		return format{}, 0, fmt.Errorf("%w: %d samples a second", ErrNotWAV, f.rate)
	}
	return f, left, nil
}

// readData reads the sound. A size of zero or all ones is what programs leave
// that could not go back to the header; then the sound goes on to the end.
func readData(r io.Reader, f format, size int64, l Limits) (PCM, error) {
	if f.rate == 0 {
		return PCM{}, fmt.Errorf("read WAV: %w: sound before its format", ErrNotWAV)
	}
	most := int64(samplesIn(l.Length, f.rate)) * int64(f.channels*f.sample())
	claimed := size
	if size == 0 || size == 0xFFFFFFFF {
		size, claimed = most+1, 0
	}
	b, err := io.ReadAll(io.LimitReader(r, min(size, most+1)))
	if err != nil {
		return PCM{}, fmt.Errorf("read WAV: %w", err)
	}
	if int64(len(b)) > most {
		return PCM{}, fmt.Errorf("read WAV: %w: over %v", ErrTooLong, l.Length)
	}
	if l.Whole && int64(len(b)) < claimed {
		return PCM{}, fmt.Errorf("read WAV: %w: it is cut short: its header claims %d bytes of sound and %d are there", ErrNotWAV, claimed, len(b))
	}
	samples := decode(b[:len(b)-len(b)%(f.channels*f.sample())], f)
	if f.channels == 2 {
		samples = mono(samples)
	}
	return PCM{Samples: samples, Rate: f.rate}, nil
}

func decode(b []byte, f format) []int16 {
	samples := make([]int16, len(b)/f.sample())
	switch {
	case f.tag == formatALaw:
		DecodeALaw(samples, b)
	case f.tag == formatULaw:
		DecodeULaw(samples, b)
	case f.tag == formatFloat:
		for i := range samples {
			samples[i] = fromFloat(math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:])))
		}
	case f.bits == 8: // unsigned
		for i := range samples {
			samples[i] = int16(b[i]^0x80) << 8
		}
	default: // the upper half of longer ones
		n := f.sample()
		for i := range samples {
			samples[i] = int16(binary.LittleEndian.Uint16(b[n*i+n-2:]))
		}
	}
	return samples
}

// fromFloat gives a sample of -1 to 1; what is no number is silence.
func fromFloat(v float32) int16 {
	if v != v {
		return 0
	}
	return round16(v * 32768)
}

// mono is the mean of each pair, in place.
func mono(stereo []int16) []int16 {
	half := stereo[:len(stereo)/2]
	for i := range half {
		half[i] = int16((int(stereo[2*i]) + int(stereo[2*i+1])) / 2)
	}
	return half
}
