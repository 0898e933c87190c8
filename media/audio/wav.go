package audio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// Errors of WAV files that a caller may want to tell apart.
var (
	// ErrNotWAV means that the bytes are not a WAV file that this package reads.
	ErrNotWAV = errors.New("not a usable WAV file")
	// ErrTooLong means that a file is longer than the limit or than WAV can be.
	ErrTooLong = errors.New("sound is too long")
)

// wavHeader is the length of the canonical header that WAVWriter writes: RIFF
// with one 16-byte fmt chunk, then data to the end of the file.
const wavHeader = 44

// maxWAVData keeps both 32-bit sizes of the header true.
const maxWAVData = math.MaxUint32 - wavHeader

// WAVWriter writes 16-bit PCM to a file as it comes. After each Sync the file so
// far is playable, whatever becomes of the process. It does not close the file.
type WAVWriter struct {
	f     io.WriteSeeker
	frame int   // bytes of one sample of all channels
	data  int64 // bytes of samples in the file, whole frames
	buf   []byte
}

// NewWAVWriter writes the header to f, which must be empty and at its start.
func NewWAVWriter(f io.WriteSeeker, channels, rate int) (*WAVWriter, error) {
	if channels < 1 || channels > 8 || rate < 1 || rate > 192000 {
		return nil, fmt.Errorf("write WAV: %d channels at %d Hz: out of range", channels, rate)
	}
	if _, err := f.Write(header(channels, rate)); err != nil {
		return nil, fmt.Errorf("write WAV header: %w", err)
	}
	return &WAVWriter{f: f, frame: 2 * channels}, nil
}

func header(channels, rate int) []byte {
	h := make([]byte, 0, wavHeader)
	h = append(h, "RIFF"...)
	h = binary.LittleEndian.AppendUint32(h, wavHeader-8)
	h = append(h, "WAVEfmt "...)
	h = binary.LittleEndian.AppendUint32(h, 16)
	h = binary.LittleEndian.AppendUint16(h, formatPCM)
	h = binary.LittleEndian.AppendUint16(h, uint16(channels))
	h = binary.LittleEndian.AppendUint32(h, uint32(rate))
	h = binary.LittleEndian.AppendUint32(h, uint32(2*channels*rate))
	h = binary.LittleEndian.AppendUint16(h, uint16(2*channels))
	h = binary.LittleEndian.AppendUint16(h, 16)
	h = append(h, "data"...)
	return binary.LittleEndian.AppendUint32(h, 0)
}

// Write appends samples, interleaved by channel; their number must be a multiple
// of the channels. After an error (a full disk) the file still ends with a whole
// frame and writing may be tried again.
func (w *WAVWriter) Write(samples []int16) error {
	n := 2 * len(samples)
	if n%w.frame != 0 {
		return fmt.Errorf("write WAV: %d samples do not fill whole frames of %d bytes", len(samples), w.frame)
	}
	if w.data+int64(n) > maxWAVData {
		return fmt.Errorf("write WAV: %w", ErrTooLong)
	}
	w.buf = w.buf[:0]
	for _, v := range samples {
		w.buf = binary.LittleEndian.AppendUint16(w.buf, uint16(v))
	}
	written, err := w.f.Write(w.buf)
	if err == nil {
		w.data += int64(n)
		return nil
	}
	w.data += int64(written - written%w.frame)
	if _, back := w.f.Seek(wavHeader+w.data, io.SeekStart); back != nil {
		return fmt.Errorf("write WAV: %w", errors.Join(err, back))
	}
	return fmt.Errorf("write WAV: %w", err)
}

// Frames is how many samples per channel the file holds.
func (w *WAVWriter) Frames() int64 {
	return w.data / int64(w.frame)
}

// Sync writes the true sizes into the header and goes back to the end. It does
// not flush the operating system's cache.
func (w *WAVWriter) Sync() error {
	if err := patchSizes(w.f, w.data); err != nil {
		return fmt.Errorf("sync WAV: %w", err)
	}
	if _, err := w.f.Seek(wavHeader+w.data, io.SeekStart); err != nil {
		return fmt.Errorf("sync WAV: %w", err)
	}
	return nil
}

// Close is a last Sync.
func (w *WAVWriter) Close() error {
	return w.Sync()
}

func patchSizes(f io.WriteSeeker, data int64) error {
	for _, p := range []struct{ at, size int64 }{{4, wavHeader - 8 + data}, {wavHeader - 4, data}} {
		if _, err := f.Seek(p.at, io.SeekStart); err != nil {
			return err
		}
		if _, err := f.Write(binary.LittleEndian.AppendUint32(nil, uint32(p.size))); err != nil {
			return err
		}
	}
	return nil
}

// TruncatableFile is what RepairWAV needs of a file; *os.File is one.
type TruncatableFile interface {
	io.ReadWriteSeeker
	Truncate(size int64) error
}

// RepairWAV makes a file that WAVWriter left unfinished playable: the header gets
// the sizes that follow from the file's true length, and half a frame at the end
// is cut off. It returns the number of samples per channel. A file that does not
// begin with such a header gives ErrNotWAV and is left as it is.
func RepairWAV(f TruncatableFile) (frames int64, err error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return 0, fmt.Errorf("repair WAV: %w", err)
	}
	h := make([]byte, wavHeader)
	if _, err := io.ReadFull(f, h); err != nil {
		return 0, fmt.Errorf("repair WAV: %w: no whole header", ErrNotWAV)
	}
	frame := int64(binary.LittleEndian.Uint16(h[32:]))
	if string(h[:4]) != "RIFF" || string(h[8:16]) != "WAVEfmt " || string(h[36:40]) != "data" || frame == 0 {
		return 0, fmt.Errorf("repair WAV: %w: another header", ErrNotWAV)
	}
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, fmt.Errorf("repair WAV: %w", err)
	}
	frames = min(end-wavHeader, maxWAVData) / frame
	if err := f.Truncate(wavHeader + frames*frame); err != nil {
		return 0, fmt.Errorf("repair WAV: %w", err)
	}
	if err := patchSizes(f, frames*frame); err != nil {
		return 0, fmt.Errorf("repair WAV: %w", err)
	}
	return frames, nil
}
