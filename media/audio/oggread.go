package audio

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/thesyncim/gopus"
	"github.com/thesyncim/gopus/container/ogg"
)

const (
	oggRate  = 16000 // what Opus is decoded to
	oggClock = 48000 // of positions, whatever the rate (RFC 7845 §4)
)

// readOggOpus decodes the first stream of an Ogg file.
func readOggOpus(data []byte, l Limits) (PCM, error) {
	r, err := ogg.NewReader(bytes.NewReader(data))
	if err != nil {
		return PCM{}, fmt.Errorf("read Ogg: %w: no Opus in it: %w", ErrNotSound, err)
	}
	if h := r.Header; h.Channels != 1 && h.Channels != 2 || h.MappingFamily != 0 {
		return PCM{}, fmt.Errorf("read Ogg: %w: %d channels", ErrNotSound, h.Channels)
	}
	d, err := gopus.NewDecoder(gopus.DefaultDecoderConfig(oggRate, 1))
	if err != nil {
		return PCM{}, fmt.Errorf("read Ogg: make a decoder: %w", err)
	}
	const down = oggClock / oggRate
	skip := int(r.Header.PreSkip) / down
	most := samplesIn(l.Length, oggRate) + skip
	frame := make([]int16, room(oggRate))
	packet := make([]byte, 64<<10)
	pcm := PCM{Rate: oggRate}
	var end uint64
	for {
		n, granule, err := r.ReadPacketInto(packet)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return PCM{}, fmt.Errorf("read Ogg: %w: %w", ErrNotSound, err)
		}
		got, err := d.DecodeInt16(packet[:n], frame)
		if err != nil {
			return PCM{}, fmt.Errorf("read Ogg: %w: %w", ErrNotSound, err)
		}
		pcm.Samples, end = append(pcm.Samples, frame[:got]...), granule
		if len(pcm.Samples) > most {
			return PCM{}, fmt.Errorf("read Ogg: %w: over %v", ErrTooLong, l.Length)
		}
	}
	// What stands behind the last position is not to be played (RFC 7845 §4.4).
	if last := end / down; last < uint64(len(pcm.Samples)) && last > uint64(len(pcm.Samples)-min(len(pcm.Samples), room(oggRate))) {
		pcm.Samples = pcm.Samples[:last]
	}
	if len(pcm.Samples) <= skip {
		return PCM{}, fmt.Errorf("read Ogg: %w: there is no sound in it", ErrNotSound)
	}
	pcm.Samples = pcm.Samples[skip:]
	return pcm, nil
}
