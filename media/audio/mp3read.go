package audio

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/hajimehoshi/go-mp3"
)

// skipID3 gives what is behind the ID3v2 tags in front of a file (id3.org,
// ID3v2.4.0-structure §3.1).
func skipID3(data []byte) ([]byte, error) {
	const head = 10
	for range maxChunks {
		if len(data) < head || string(data[:3]) != "ID3" {
			return data, nil
		}
		size := head
		for i, b := range data[6:head] {
			if b > 0x7F {
				return nil, fmt.Errorf("read MP3: %w: its ID3 tag has no size", ErrNotSound)
			}
			size += int(b) << (7 * (3 - i))
		}
		if data[5]&0x10 != 0 {
			size += head // a footer
		}
		if size > len(data) {
			return nil, fmt.Errorf("read MP3: %w: its ID3 tag claims %d bytes and the file has %d", ErrNotSound, size, len(data))
		}
		data = data[size:]
	}
	return nil, fmt.Errorf("read MP3: %w: too many ID3 tags", ErrNotSound)
}

// readMP3 decodes MPEG audio that begins with a frame.
func readMP3(data []byte, l Limits) (pcm PCM, err error) {
	defer func() {
		// The decoder was made for files of friends: what some broken ones do to it is a
		// property of the file.
		if r := recover(); r != nil {
			pcm, err = PCM{}, fmt.Errorf("read MP3: %w: it is broken", ErrNotSound)
		}
	}()
	d, err := mp3.NewDecoder(onlyReader{bytes.NewReader(data)})
	if err != nil {
		return PCM{}, fmt.Errorf("read MP3: %w: %w", ErrNotSound, err)
	}
	rate := d.SampleRate()
	if rate < 8000 || rate > maxRate {
		return PCM{}, fmt.Errorf("read MP3: %w: %d samples a second", ErrNotSound, rate)
	}
	most := samplesIn(l.Length, rate)
	var b [4096]byte
	for {
		n, err := io.ReadFull(d, b[:])
		for i := 0; i+4 <= n; i += 4 {
			left, right := int16(binary.LittleEndian.Uint16(b[i:])), int16(binary.LittleEndian.Uint16(b[i+2:]))
			pcm.Samples = append(pcm.Samples, int16((int(left)+int(right))/2))
		}
		if len(pcm.Samples) > most {
			return PCM{}, fmt.Errorf("read MP3: %w: over %v", ErrTooLong, l.Length)
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			return PCM{}, fmt.Errorf("read MP3: %w: %w", ErrNotSound, err)
		}
	}
	pcm.Rate = rate
	frame := 1152
	if data[1]&0x08 == 0 { // MPEG 2 and 2.5
		frame = 576
	}
	if claimed := framesIn(data); l.Whole && len(pcm.Samples) < (claimed-claimed/20-2)*frame {
		return PCM{}, fmt.Errorf("read MP3: %w: it is cut short: its header claims %d frames and %d are there", ErrNotSound, claimed, len(pcm.Samples)/frame)
	}
	if len(pcm.Samples) == 0 {
		return PCM{}, fmt.Errorf("read MP3: %w: there is no sound in it", ErrNotSound)
	}
	return pcm, nil
}

// framesIn is how many frames the first one says there are (the Xing header), 0 when
// it does not say.
func framesIn(data []byte) int {
	head := data[:min(len(data), 64)]
	for _, name := range []string{"Xing", "Info"} {
		if i := bytes.Index(head, []byte(name)); i >= 0 && len(head) >= i+12 && head[i+7]&1 != 0 {
			return int(min(binary.BigEndian.Uint32(head[i+8:]), 1<<30))
		}
	}
	return 0
}

// onlyReader hides that something can be sought: the decoder would read all of it
// twice.
type onlyReader struct{ io.Reader }
