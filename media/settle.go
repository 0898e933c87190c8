package media

import "vpbx/media/audio"

// settleFrames is for how many frames an encoder of G.722 is silent when it begins to
// speak to a peer that has heard another: 60 ms, in which the decoder's state becomes
// that of the encoder. Without them the first word comes at full scale: the decoder's steps
// and predictor are those of the sound before, and the encoder does not know them.
const settleFrames = 3

// settling counts the frames of silence with which a source of a stream begins.
type settling struct {
	left int
}

// frame writes the next frame where it has to be silent, and says how many bytes it has:
// 0 when the source may speak.
func (s *settling) frame(dst []byte, o *stream, from any, e *audio.Encoder) int {
	if e.Codec() != audio.G722 {
		return 0
	}
	if s.left == 0 && o.changes(from) {
		s.left = settleFrames
	}
	if s.left == 0 {
		return 0
	}
	s.left--
	return e.Settle(dst, s.left == settleFrames-1)
}

// changes reports whether the peer has heard another source before, which from
// would take the place of.
func (o *stream) changes(from any) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.started && o.from != from
}
