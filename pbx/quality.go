package pbx

// Quality is how the sound of one leg was, as measured on our side of it.
type Quality struct {
	MOS          float64 `json:"mos"`           // of what we hear, ITU-T G.107, 1 to 4.5; 0 when nothing was received
	Loss         float64 `json:"loss"`          // share of packets lost on the way to us
	JitterMs     float64 `json:"jitter_ms"`     // RFC 3550 §6.4.1, at the end
	MaxJitter    float64 `json:"max_jitter_ms"` // its highest value
	RemoteMOS    float64 `json:"remote_mos"`    // of what the peer hears of us, by its reports; 0 when it sends none
	RemoteLoss   float64 `json:"remote_loss"`   // share of our packets that it lost, as it last reported
	RemoteJitter float64 `json:"remote_jitter_ms"`
	RTTMs        float64 `json:"rtt_ms"`       // from RTCP; 0 when the peer sends none
	FirstRTPMs   float64 `json:"first_rtp_ms"` // from the answer to the first packet
	LongestGap   float64 `json:"longest_gap_ms"`
	Sent         uint64  `json:"sent"`
	Received     uint64  `json:"received"`
	Lost         uint64  `json:"lost"`
	Dropped      uint64  `json:"dropped"`            // from strangers, or garbage
	Unproven     uint64  `json:"unproven,omitempty"` // not secured with the agreed key (SRTP): forged, or keys are mixed up
	Replayed     uint64  `json:"replayed,omitempty"` // taken before, or too old to tell (SRTP)
	OneWay       bool    `json:"one_way"`            // we sent, nothing came
	WebRTC       *WebRTC `json:"webrtc,omitempty"`   // the peer is a browser
}

// WebRTC is how a browser was connected when its leg ended.
type WebRTC struct {
	ICE           string  `json:"ice"`       // new, checking, connected, disconnected, failed or closed
	DTLS          string  `json:"dtls"`      // new, connecting, connected, failed or closed
	Candidate     string  `json:"candidate"` // the address it was reached at: host, srflx, prflx or relay (TURN); "": none
	Remote        string  `json:"remote"`    // that address, "": none
	SetupMs       float64 `json:"setup_ms"`  // from the description to the end of the handshake, 0: never
	Restarts      int     `json:"restarts"`  // of ICE, as when the browser's network changes
	BytesSent     uint64  `json:"bytes_sent"`
	BytesReceived uint64  `json:"bytes_received"`
}

// Pause is a part of a recording that was left out on purpose, such as a card number
// that was read out: it is silent and as long as the pause was. Both are seconds
// from the begin of the recording.
type Pause struct {
	From float64 `json:"from"`
	To   float64 `json:"to"`
}

// Recording is what is known of a recording of a call.
type Recording struct {
	ID      RecordingID `json:"id"`
	Tenant  TenantID    `json:"tenant,omitempty"`
	Call    CallID      `json:"call,omitempty"`
	Seconds float64     `json:"seconds"`
	Bytes   int64       `json:"bytes,omitempty"`
	Pauses  []Pause     `json:"pauses,omitempty"`  // what was left out on purpose: it is silent
	Lost    uint64      `json:"lost,omitempty"`    // packets the disk was too slow for
	Error   string      `json:"error,omitempty"`   // why it is missing or not whole
	SHA256  string      `json:"sha256,omitempty"`  // of the finished file, in hex; "" when there is none
	Link    string      `json:"link,omitempty"`    // its place in the chain of the company, see [ChainLink]
	Removed *Removal    `json:"removed,omitempty"` // the sound is gone: who did it, when and why
	Box     string      `json:"box,omitempty"`     // it is a message, in the box of this extension or group
}
