package pbx

import "time"

// Message is one SIP message of a call as its record keeps it: the start line
// and the headers that matter, the session description without what belongs to
// the sound only, and no secrets.
type Message struct {
	At        time.Time `json:"at"`
	Leg       LegID     `json:"leg"`
	Who       string    `json:"who"` // the peer of the leg
	Dir       string    `json:"dir"` // in: to us, out: from us
	Transport string    `json:"transport"`
	From      string    `json:"from"` // address and port
	To        string    `json:"to"`
	Start     string    `json:"start"` // request line or status line
	Headers   []string  `json:"headers"`
	SDP       []string  `json:"sdp,omitempty"`
	LeftOut   int       `json:"left_out,omitempty"` // messages of the leg before this one that are not kept
}
