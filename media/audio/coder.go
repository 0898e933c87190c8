package audio

import "github.com/thesyncim/gopus"

// FrameMs is the length of what an Encoder makes, in milliseconds.
const FrameMs = 20

// Bounds of a packet.
const (
	// MaxFrame is the most bytes that a frame of any codec takes.
	MaxFrame = 320
	// maxMs is the longest sound in a packet that is decoded: 1,500 bytes of G.711.
	maxMs = 188
)

// How Opus is spoken.
const (
	opusBitrate    = 24000
	opusComplexity = 5
)

// Known reports whether the codec can be decoded and encoded here.
func (c Codec) Known() bool { return c.Rate() != 0 }

// Clock is the rate of the RTP timestamps of a known codec. That of G.722 is 8,000
// although it carries 16 kHz (RFC 3551 §4.5.2).
func (c Codec) Clock() int {
	switch c {
	case PCMA, PCMU, G722:
		return 8000
	case Opus:
		return 48000 // RFC 7587 §4.1
	}
	return 0
}

// Rate is that of the sound which a known codec carries; 0 for any other.
func (c Codec) Rate() int {
	switch c {
	case PCMA, PCMU:
		return 8000
	case G722:
		return 16000
	case Opus:
		return 48000
	}
	return 0
}

// Between is the rate at which sound of one known codec is best turned into
// another: no more than both carry, and 16 kHz at most.
func Between(a, b Codec) int { return min(a.Rate(), b.Rate(), 16000) }

// Decoder decodes packets of one codec, one after the other, to sound of 8 or 16
// kHz. That of Opus has some 250 kilobytes, and its encoder 400: they are not kept
// for other calls, because the library's encoder, once reset, is not as a new one. It belongs to one goroutine.
type Decoder struct {
	codec Codec
	rate  int
	g722  *g722State
	down  *Resampler // of G.722 to 8 kHz
	up    *Resampler // of G.711 to 16 kHz
	wide  []int16    // before it
	opus  *gopus.Decoder
	float []float32
	lost  *concealer // nil for Opus, which makes it up itself
}

// NewDecoder makes a decoder; nil for a codec that is not known or another rate.
func NewDecoder(c Codec, rate int) *Decoder {
	if !c.Known() || rate != 8000 && rate != 16000 {
		return nil
	}
	d := &Decoder{codec: c, rate: rate}
	switch c {
	case Opus:
		if d.opus = opusDecoder(rate); d.opus == nil {
			return nil
		}
		return d
	case G722:
		d.g722 = new(g722State)
		d.g722.begin()
	}
	d.lost = newConcealer(rate)
	if c.Rate() != rate {
		r := NewResampler(c.Rate(), rate)
		if d.wide = make([]int16, maxMs*c.Rate()/1000); c == G722 {
			d.down = r
		} else {
			d.up = r
		}
	}
	return d
}

func opusDecoder(rate int) *gopus.Decoder {
	d, err := gopus.NewDecoder(gopus.DefaultDecoderConfig(rate, 1))
	if err != nil {
		return nil
	}
	return d
}

// room is how many samples any packet may become.
func room(rate int) int { return maxMs * rate / 1000 }

// Decode decodes a packet and says how many samples it has; 0 for what is not a
// packet of the codec. dst must have room for 188 ms.
func (d *Decoder) Decode(dst []int16, payload []byte) int {
	n := 0
	switch d.codec {
	case Opus:
		if len(payload) == 0 {
			return 0
		}
		got, err := d.opus.DecodeInt16(payload, dst)
		if err != nil {
			return 0
		}
		return got
	case G722:
		if 2*len(payload) > room(16000) {
			return 0
		}
		if d.down == nil {
			d.g722.decode(dst, payload)
			n = 2 * len(payload)
			break
		}
		d.g722.decode(d.wide, payload)
		n = d.down.Resample(dst, d.wide[:2*len(payload)])
	default:
		if len(payload) > room(8000) {
			return 0
		}
		n = len(payload)
		if d.up == nil {
			Decode(dst, payload, d.codec)
			break
		}
		Decode(d.wide, payload, d.codec)
		n = d.up.Resample(dst, d.wide[:n])
	}
	d.lost.heard(dst[:n])
	return n
}

// Conceal fills dst, a multiple of 2.5 ms and 60 ms at most, with what may have
// been lost before the packet that follows: by its FEC where it has any.
func (d *Decoder) Conceal(dst []int16, follows []byte) {
	if d.opus == nil {
		d.lost.fill(dst)
		return
	}
	if len(d.float) < len(dst) {
		d.float = make([]float32, room(d.rate))
	}
	pcm := d.float[:len(dst)]
	clear(pcm)
	if _, err := d.opus.DecodeWithFEC(follows, pcm, len(follows) > 0); err != nil {
		clear(pcm)
	}
	for i, v := range pcm {
		dst[i] = round16(v * 32768)
	}
}

// Encoder makes packets of 20 ms of sound of 8 or 16 kHz. It belongs to one
// goroutine and must be released.
type Encoder struct {
	codec Codec
	rate  int
	g722  *g722State
	up    *Resampler // of 8 kHz for G.722
	down  *Resampler // of 16 kHz for G.711
	other []int16    // after it
	opus  *gopus.Encoder
}

// NewEncoder makes an encoder; nil for a codec that is not known or another rate.
func NewEncoder(c Codec, rate int) *Encoder {
	if !c.Known() || rate != 8000 && rate != 16000 {
		return nil
	}
	e := &Encoder{codec: c, rate: rate}
	switch c {
	case Opus:
		if e.opus = opusEncoder(rate); e.opus == nil {
			return nil
		}
		return e
	case G722:
		e.g722 = new(g722State)
		e.g722.begin()
	}
	if c.Rate() != rate {
		r := NewResampler(rate, c.Rate())
		if e.other = make([]int16, c.Rate()*FrameMs/1000); c == G722 {
			e.up = r
		} else {
			e.down = r
		}
	}
	return e
}

func opusEncoder(rate int) *gopus.Encoder {
	e, err := gopus.NewEncoder(gopus.EncoderConfig{SampleRate: rate, Channels: 1, Application: gopus.ApplicationVoIP})
	if err != nil || e.SetBitrate(opusBitrate) != nil || e.SetComplexity(opusComplexity) != nil {
		return nil
	}
	return e
}

// Codec is what the encoder makes.
func (e *Encoder) Codec() Codec { return e.codec }

// Rate is that of the sound the encoder takes.
func (e *Encoder) Rate() int { return e.rate }

// FEC tells whether lost packets could be made anew from those after them.
func (e *Encoder) FEC() bool { return e.opus != nil && e.opus.FECEnabled() }

// Lossy says what share of the packets, 0 to 1, does not arrive. Opus is sent with
// in-band FEC (RFC 7587 §3.1.1) as long as there is any: it costs bits, and the
// library some memory for each frame.
func (e *Encoder) Lossy(share float64) {
	if e.opus == nil {
		return
	}
	percent := int(min(max(share, 0), 0.3)*100 + 0.99)
	if percent == e.opus.PacketLoss() {
		return
	}
	if err := e.opus.SetPacketLoss(percent); err == nil {
		e.opus.SetFEC(percent > 0)
	}
}

// Frame is how many samples Encode takes.
func (e *Encoder) Frame() int { return e.rate * FrameMs / 1000 }

// Encode codes a frame and says how many bytes it has; 0 when the codec failed.
// dst must have room for MaxFrame.
func (e *Encoder) Encode(dst []byte, src []int16) int {
	switch e.codec {
	case Opus:
		n, err := e.opus.EncodeInt16(src, dst[:MaxFrame])
		if err != nil {
			return 0
		}
		return n
	case G722:
		if e.up != nil {
			src = e.other[:e.up.Resample(e.other, src)]
		}
		e.g722.encode(dst, src)
		return len(src) / 2
	}
	if e.down != nil {
		src = e.other[:e.down.Resample(e.other, src)]
	}
	Encode(dst, src, e.codec)
	return len(src)
}

// Settle writes a frame of next to silence that brings a decoder which heard another
// encoder of G.722 to the state of this one, and says how many bytes it has. The first of a
// row of such frames forgets what was coded before; after three of them the two agree. For
// other codecs, which need none, it is 0.
func (e *Encoder) Settle(dst []byte, first bool) int {
	if e.g722 == nil {
		return 0
	}
	if first {
		e.g722.begin()
		if e.up != nil {
			e.up.Reset()
		}
	}
	return e.g722.settle(dst[:g722Rate*FrameMs/1000])
}

// Follow prepares an encoder that rested to go on after another of the same codec,
// so that a decoder which changes to it hears no seam where both had the same sound:
// it takes over the state of o, or, for Opus and where o is nil, begins anew with the frame before, if any.
func (e *Encoder) Follow(o *Encoder, before []int16) {
	var scratch [MaxFrame]byte
	switch {
	case o == e:
		return
	case e.opus != nil:
		e.opus.Reset()
	case o != nil && o.codec == e.codec:
		if e.g722 != nil {
			*e.g722 = *o.g722
		}
		e.up.follow(o.up)
		e.down.follow(o.down)
		return
	}
	if len(before) == e.Frame() {
		e.Encode(scratch[:], before)
	}
}
