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
)

// G711 reports whether the codec can be played and recorded, not only relayed.
func (c Codec) G711() bool {
	a := c.Audio()
	return a == audio.PCMA || a == audio.PCMU
}

// Audio is the codec as package audio knows it.
func (c Codec) Audio() audio.Codec {
	switch {
	case c.Name == "":
		return audio.None
	case sdp.Codec(c).Same(sdp.Codec(PCMA)):
		return audio.PCMA
	case sdp.Codec(c).Same(sdp.Codec(PCMU)):
		return audio.PCMU
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
