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
}

// Transfer is the wish to send the other side of By on: to the number To, or to
// who talks with By in the call With.
type Transfer struct {
	By   string // extension; "" where there is only one
	To   string
	With CallID
}
