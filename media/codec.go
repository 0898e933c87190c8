package media

import (
	"vpbx/media/audio"
	"vpbx/media/sdp"
)

// Codec is one coding of audio as SDP names it. Its fields are those of sdp.Codec.
type Codec struct {
	PT       uint8  // payload type; a wish in what we offer, the peer's in what it sent
	Name     string // encoding name, such as "PCMA"
	Rate     int    // clock rate of the RTP timestamps
	Channels int
	Fmtp     string // format parameters, empty when there are none
}

// The codecs that can be played, recorded and turned into each other.
var (
	PCMA = Codec{PT: 8, Name: "PCMA", Rate: 8000, Channels: 1}
	PCMU = Codec{PT: 0, Name: "PCMU", Rate: 8000, Channels: 1}
	G722 = Codec{PT: 9, Name: "G722", Rate: 8000, Channels: 1} // the clock of RFC 3551 §4.5.2
	Opus = Codec{PT: 111, Name: "opus", Rate: 48000, Channels: 2, Fmtp: "minptime=10;useinbandfec=1"}
)

// Known reports whether the codec can be played, recorded, mixed and turned into
// another, not only relayed.
func (c Codec) Known() bool { return c.Audio().Known() }

// Audio is the codec as package audio knows it.
func (c Codec) Audio() audio.Codec {
	switch {
	case c.Name == "":
		return audio.None
	case sdp.Codec(c).Same(sdp.Codec(PCMA)):
		return audio.PCMA
	case sdp.Codec(c).Same(sdp.Codec(PCMU)):
		return audio.PCMU
	case sdp.Codec(c).Same(sdp.Codec(G722)):
		return audio.G722
	case sdp.Codec(c).Same(sdp.Codec(Opus)):
		return audio.Opus
	}
	return audio.Other
}

// voice leaves out what is not speech: telephone events and comfort noise.
func voice(list []sdp.Codec) []Codec {
	var out []Codec
	for _, c := range list {
		if !c.Event() && c.Name != sdp.ComfortNoise {
			out = append(out, Codec(c))
		}
	}
	return out
}
