package audio

import "github.com/zaf/g711"

// Codec says how the payload of an audio packet is coded, as far as this package
// can decode it.
type Codec uint8

// Codecs. Other is one that may be relayed but not decoded here.
const (
	None Codec = iota
	PCMU
	PCMA
	Other
	G722
	Opus
)

// String is the encoding name of RFC 3551 §6.
func (c Codec) String() string {
	switch c {
	case PCMU:
		return "PCMU"
	case PCMA:
		return "PCMA"
	case G722:
		return "G722"
	case Opus:
		return "opus"
	case Other:
		return "other"
	}
	return "none"
}

// The per-sample functions of g711 search segments; a table costs one load. The
// encoder tables are indexed by the sample's bit pattern.
var (
	alawOf = encodeTable(g711.EncodeAlawFrame)
	ulawOf = encodeTable(g711.EncodeUlawFrame)
	ofALaw = decodeTable(g711.DecodeAlawFrame)
	ofULaw = decodeTable(g711.DecodeUlawFrame)

	alawToULaw = lawTable(g711.Alaw2UlawFrame)
	ulawToALaw = lawTable(g711.Ulaw2AlawFrame)
)

func encodeTable(encode func(int16) uint8) *[1 << 16]byte {
	t := new([1 << 16]byte)
	for i := range t {
		t[i] = encode(int16(uint16(i)))
	}
	return t
}

func decodeTable(decode func(uint8) int16) *[256]int16 {
	t := new([256]int16)
	for i := range t {
		t[i] = decode(uint8(i))
	}
	return t
}

func lawTable(convert func(uint8) uint8) *[256]byte {
	t := new([256]byte)
	for i := range t {
		t[i] = convert(uint8(i))
	}
	return t
}

// EncodeALaw writes the A-law code of each sample of src to dst, which must be at
// least as long.
func EncodeALaw(dst []byte, src []int16) {
	dst = dst[:len(src)]
	for i, v := range src {
		dst[i] = alawOf[uint16(v)]
	}
}

// DecodeALaw writes the sample of each A-law code of src to dst, which must be at
// least as long.
func DecodeALaw(dst []int16, src []byte) {
	dst = dst[:len(src)]
	for i, c := range src {
		dst[i] = ofALaw[c]
	}
}

// EncodeULaw writes the µ-law code of each sample of src to dst, which must be at
// least as long.
func EncodeULaw(dst []byte, src []int16) {
	dst = dst[:len(src)]
	for i, v := range src {
		dst[i] = ulawOf[uint16(v)]
	}
}

// DecodeULaw writes the sample of each µ-law code of src to dst, which must be at
// least as long.
func DecodeULaw(dst []int16, src []byte) {
	dst = dst[:len(src)]
	for i, c := range src {
		dst[i] = ofULaw[c]
	}
}

// Conversion is the table that turns a code of one law into the code of the
// other (ITU-T G.711 tables 3 and 4), or nil when from and to are not the two
// G.711 laws.
func Conversion(from, to Codec) *[256]byte {
	switch {
	case from == PCMA && to == PCMU:
		return alawToULaw
	case from == PCMU && to == PCMA:
		return ulawToALaw
	}
	return nil
}

// Encode writes the code of each sample of src to dst, and reports false
// for a codec it does not know. dst must be at least as long as src.
func Encode(dst []byte, src []int16, to Codec) bool {
	switch to {
	case PCMA:
		EncodeALaw(dst, src)
	case PCMU:
		EncodeULaw(dst, src)
	default:
		return false
	}
	return true
}

// Decode writes the sample of each code of src to dst, and reports false for a
// codec it does not know. dst must be at least as long as src.
func Decode(dst []int16, src []byte, from Codec) bool {
	switch from {
	case PCMA:
		DecodeALaw(dst, src)
	case PCMU:
		DecodeULaw(dst, src)
	default:
		return false
	}
	return true
}
