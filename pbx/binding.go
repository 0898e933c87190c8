package pbx

import "time"

// Binding is one registered contact of an extension (RFC 3261 §10) with the
// flow it came in over: that flow, not the contact's host and port, is how the
// phone is reached (RFC 5626 §5.3).
type Binding struct {
	Tenant     TenantID  `json:"tenant"`
	Extension  string    `json:"extension"`
	Contact    string    `json:"contact"` // the URI, untouched
	CallID     string    `json:"call_id"`
	CSeq       uint32    `json:"cseq"`
	Transport  string    `json:"transport"` // udp, tcp, tls, ws, wss
	Source     string    `json:"source"`    // IP:port the REGISTER came from
	UserAgent  string    `json:"user_agent"`
	Registered time.Time `json:"registered"` // when the binding was made
	Expires    time.Time `json:"expires"`
}
