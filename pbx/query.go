package pbx

import "time"

// CallQuery selects call records of one company, newest first.
type CallQuery struct {
	Since, Until time.Time // of Started; zero: open
	Direction    Direction // "": all
	Outcome      Outcome   // "": all
	Number       string    // caller, called number or a party, exactly; "": all
	Limit        int       // rows at most
	Cursor       string    // where the page before ended, "" for the first
}

// Originate asks for a call that begins with us: first From rings, then To is
// dialled for them.
type Originate struct {
	Tenant TenantID `json:"-"`
	From   string   `json:"from"` // extension
	To     string   `json:"to"`
	// Variables are for the texts that are spoken in the call.
	Variables map[string]string `json:"variables,omitempty"`
}

// Transfer is the wish to send the other side of By on: to the number To, or to
// who talks with By in the call With.
type Transfer struct {
	By   string // extension; "" where there is only one
	To   string
	With CallID
}

// Supervision is how a supervisor takes part in a call.
type Supervision string

// The ways to supervise: to hear both, to be heard by one of them as well, to be
// heard by both.
const (
	Listen  Supervision = "listen"
	Whisper Supervision = "whisper"
	Barge   Supervision = "barge"
)

// Supervise is the wish to ring From and let it take part in a call.
type Supervise struct {
	Call CallID
	From string // extension
	Mode Supervision
	To   string // whom to whisper to; "": the extension, where there is only one
}
