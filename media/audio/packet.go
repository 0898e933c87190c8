package audio

// Length is how long the sound of a packet is, in units of the codec's clock; 0
// for what is not a packet of it or longer than any that is decoded. It looks at
// no more than the first two bytes.
func Length(c Codec, payload []byte) int {
	n := 0
	switch c {
	case PCMA, PCMU, G722: // one byte is one tick of 8,000 Hz, also of G.722
		n = len(payload)
	case Opus:
		n = opusLength(payload)
	}
	if n > maxMs*c.Clock()/1000 {
		return 0
	}
	return n
}

// opusLength reads the first bytes of a packet of Opus (RFC 6716 §3.1, §3.2).
func opusLength(p []byte) int {
	if len(p) == 0 {
		return 0
	}
	frames := 1
	switch p[0] & 3 {
	case 1, 2:
		frames = 2
	case 3:
		if len(p) < 2 {
			return 0
		}
		frames = int(p[1] & 0x3f)
	}
	return frames * opusFrame(p[0])
}

// opusFrame is the length of a frame by the first byte, in units of 1/48000 s.
func opusFrame(toc byte) int {
	config := toc >> 3
	switch {
	case config < 12: // SILK: 10, 20, 40, 60 ms
		return [4]int{480, 960, 1920, 2880}[config&3]
	case config < 16: // hybrid: 10, 20 ms
		return 480 << (config & 1)
	}
	return 120 << (config & 3) // CELT: 2.5, 5, 10, 20 ms
}

// dtxMost is the most bytes of a packet of Opus that says "nothing" (RFC 6716 §2.1.9).
const dtxMost = 2

// DTX reports whether a packet of Opus stands for a pause that begins or goes on.
func DTX(c Codec, payload []byte) bool { return c == Opus && len(payload) <= dtxMost }

// quietLaw is the loudest sample of G.711 that counts as quiet, about −54 dBov.
const quietLaw = 64

// Quiet reports whether nobody speaks in a packet, without decoding it: no sample
// of G.711 is loud, the encoder of Opus saw no voice, that of G.722 needed
// no more than small steps. It is false where that cannot be seen. A tone or
// noise that goes on is no voice to Opus, however loud.
func Quiet(c Codec, payload []byte) bool {
	switch c {
	case PCMA:
		return quietBytes(ofALaw, payload)
	case PCMU:
		return quietBytes(ofULaw, payload)
	case G722:
		return quietG722(payload)
	case Opus:
		return quietOpus(payload)
	}
	return false
}

func quietBytes(table *[256]int16, payload []byte) bool {
	for _, b := range payload {
		if v := table[b]; v > quietLaw || v < -quietLaw {
			return false
		}
	}
	return true
}

// quietG722 follows the scale factor of the lower band, which is a function of the
// codes alone, from the smallest: a voice drives it up within a few samples.
func quietG722(payload []byte) bool {
	const loud = 6144 // of 18,432, logarithmic: 24 dB above the least
	nb := 0
	for _, b := range payload {
		nb = max(nb*127>>7+g722LogLow[b&0x3f>>2], 0)
		if nb > loud {
			return false
		}
	}
	return true
}

// quietOpus reads the voice activity of a frame of SILK, which is the first bit of
// it (RFC 6716 §4.2.3). Packets of several frames and of CELT do not say.
func quietOpus(p []byte) bool {
	if len(p) <= dtxMost {
		return true
	}
	config := p[0] >> 3
	oneFrame := config < 12 && config&3 < 2 || config >= 12 && config < 16
	return p[0]&3 == 0 && oneFrame && p[1]&0x80 == 0
}

// Repairs reports whether a packet of Opus also has the sound of the one before it,
// coded anew (RFC 6716 §4.2.4): the second bit of a frame of SILK. Packets of several
// frames, which have more such bits, do not say.
func Repairs(c Codec, p []byte) bool {
	if c != Opus || len(p) <= dtxMost {
		return false
	}
	config := p[0] >> 3
	oneFrame := config < 12 && config&3 < 2 || config >= 12 && config < 16
	return p[0]&3 == 0 && oneFrame && p[1]&0x40 != 0
}
