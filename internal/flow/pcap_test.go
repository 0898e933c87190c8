package flow

import (
	"encoding/binary"
	"regexp"
)

// keyOfSDES is what no capture may show.
var keyOfSDES = regexp.MustCompile(`inline:[^*]`)

// framesIn counts the frames of a capture file; false for anything else, and for one
// with a key in it. Their sizes are left alone: there are random words in them.
func framesIn(b []byte) (n int, ok bool) {
	if keyOfSDES.Match(b) || len(b) < 24 || binary.LittleEndian.Uint32(b) != 0xa1b2c3d4 {
		return 0, false
	}
	for b = b[24:]; len(b) > 0; n++ {
		if len(b) < 16 {
			return n, false
		}
		size := 16 + int(binary.LittleEndian.Uint32(b[8:]))
		if size > len(b) {
			return n, false
		}
		b = b[size:]
	}
	return n, true
}
