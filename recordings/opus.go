package recordings

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/thesyncim/gopus"
	"github.com/thesyncim/gopus/container/ogg"
)

const (
	opusRate     = 48000 // what Ogg Opus counts in, whatever the rate of the sound (RFC 7845 §4)
	opusBitrate  = 32000 // of both sides together: telephone sound
	opusFrame    = 2880  // 60 ms at that rate: few pages, as nobody waits for it (RFC 6716 §2.1.4)
	maxOpusFrame = 3800  // bytes of a packet: sixteen fit the 255 segments of a page
)

// sound is what the header of a WAV file of ours says.
type sound struct {
	channels, rate int
}

// readHeader reads the header of a file that audio.WAVWriter wrote; other WAV
// files are refused.
func readHeader(r io.Reader) (sound, error) {
	var h [headerSize]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return sound{}, fmt.Errorf("read the header: %w", err)
	}
	s := sound{int(binary.LittleEndian.Uint16(h[22:])), int(binary.LittleEndian.Uint32(h[24:]))}
	if string(h[:4]) != "RIFF" || string(h[8:16]) != "WAVEfmt " || string(h[36:40]) != "data" ||
		binary.LittleEndian.Uint16(h[20:]) != 1 || binary.LittleEndian.Uint16(h[34:]) != 16 {
		return sound{}, errors.New("read the header: not a recording of ours")
	}
	if s.channels < 1 || s.channels > 2 {
		return sound{}, fmt.Errorf("read the header: %d channels", s.channels)
	}
	switch s.rate {
	case 8000, 12000, 16000, 24000, 48000: // those Opus knows, RFC 6716 §2.1.3
		return s, nil
	}
	return sound{}, fmt.Errorf("read the header: %d samples a second", s.rate)
}

// encodeOpus converts a WAV file of ours to Ogg Opus. The result has as many
// samples as the file: what the encoder adds before and behind is marked as not
// to be played (RFC 7845 §4.2, §4.4).
func encodeOpus(ctx context.Context, to io.Writer, from io.Reader) error {
	in := bufio.NewReaderSize(onlyReader{ctx, from}, 64<<10)
	s, err := readHeader(in)
	if err != nil {
		return err
	}
	enc, err := gopus.NewEncoder(gopus.EncoderConfig{SampleRate: s.rate, Channels: s.channels, Application: gopus.ApplicationVoIP})
	if err != nil {
		return fmt.Errorf("make an Opus encoder: %w", err)
	}
	up := opusRate / s.rate
	frame := opusFrame / up
	if err := errors.Join(enc.SetFrameSize(frame), enc.SetBitrate(opusBitrate)); err != nil {
		return fmt.Errorf("set the Opus encoder: %w", err)
	}
	skip := enc.Lookahead() * up
	out := bufio.NewWriterSize(to, 64<<10)
	w := pager{to: out}
	head := ogg.OpusHead{Version: 1, Channels: uint8(s.channels), PreSkip: uint16(skip), SampleRate: uint32(s.rate)}
	if err := w.begin(head.Encode(), (&ogg.OpusTags{Vendor: "vpbx"}).Encode()); err != nil {
		return fmt.Errorf("begin the Ogg stream: %w", err)
	}
	raw := make([]byte, 2*s.channels*frame)
	pcm := make([]int16, s.channels*frame)
	packet := make([]byte, maxOpusFrame)
	left := skip // samples at 48 kHz that are still to come out
	for whole := true; whole || left > 0; {
		n, err := io.ReadFull(in, raw)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			whole = false
		} else if err != nil {
			return fmt.Errorf("read the recording: %w", err)
		}
		clear(raw[n:])
		for i := range pcm {
			pcm[i] = int16(binary.LittleEndian.Uint16(raw[2*i:]))
		}
		left += n / (2 * s.channels) * up
		if left == 0 {
			break
		}
		size, err := enc.EncodeInt16(pcm, packet)
		if err != nil {
			return fmt.Errorf("encode Opus: %w", err)
		}
		samples := min(left, opusFrame)
		if err := w.packet(packet[:size], samples); err != nil {
			return fmt.Errorf("write the Ogg stream: %w", err)
		}
		left -= samples
	}
	if err := w.end(); err != nil {
		return fmt.Errorf("end the Ogg stream: %w", err)
	}
	return out.Flush()
}

// pagePackets fill a page: about a second, as RFC 7845 §3 would have it.
const pagePackets = 16

// pager writes one Opus stream as Ogg pages (RFC 3533). Its last page of sound is
// the one that ends the stream: players cut the end only there (RFC 7845 §4.4).
type pager struct {
	to      io.Writer
	page    ogg.Page
	packets int // in the page
}

// begin writes the two headers, each on a page of its own (RFC 7845 §3).
func (p *pager) begin(head, tags []byte) error {
	p.page = ogg.Page{HeaderType: ogg.PageFlagBOS, SerialNumber: 1}
	for _, header := range [][]byte{head, tags} {
		p.add(header)
		if err := p.flush(); err != nil {
			return err
		}
	}
	return nil
}

// packet adds a packet, of which so many samples at 48 kHz are to be counted.
func (p *pager) packet(b []byte, samples int) error {
	if p.packets == pagePackets {
		if err := p.flush(); err != nil {
			return err
		}
	}
	p.add(b)
	p.page.GranulePos += uint64(samples)
	return nil
}

func (p *pager) add(b []byte) {
	p.page.Segments = append(p.page.Segments, ogg.BuildSegmentTable(len(b))...)
	p.page.Payload = append(p.page.Payload, b...)
	p.packets++
}

// end writes what is left.
func (p *pager) end() error {
	p.page.HeaderType |= ogg.PageFlagEOS
	return p.flush()
}

func (p *pager) flush() error {
	if _, err := p.to.Write(p.page.Encode()); err != nil {
		return err
	}
	p.page.HeaderType = 0
	p.page.PageSequence++
	p.page.Segments, p.page.Payload, p.packets = p.page.Segments[:0], p.page.Payload[:0], 0
	return nil
}
