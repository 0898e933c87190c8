package rtk

import (
	"net/netip"
	"time"

	"vpbx/pbx"
)

// Direction says who asked whom.
type Direction string

// The directions of an exchange.
const (
	ToCRM   Direction = "to_crm"
	FromCRM Direction = "from_crm"
)

// The modes of an exchange.
const (
	Plain     = "http"
	Encrypted = "https"
)

// Exchange is one request and its answer, in either direction, as they went over
// the wire. Whoever keeps it must not change the bytes.
type Exchange struct {
	Tenant    pbx.TenantID
	Direction Direction
	Method    string     // last part of the path: call_back, call_events …
	From      netip.Addr // of FromCRM: whose request it was
	Mode      string     // Plain or Encrypted
	At        time.Time
	Took      time.Duration
	Status    int // of HTTP; 0: there was no answer
	Request   []byte
	Answer    []byte // of ToCRM the first 64 KiB, of an event the first 4; of a file nothing
	Err       error  // of ToCRM: why there is no answer, or none that can be used
}

// Logger is told of each exchange once it is over, on the goroutine it was made
// on: it must not wait. Requests from nobody we know are of no company and not told.
type Logger func(Exchange)

// Allow says why a request that is signed by the company c is refused all the same,
// nil when it is not: the text of a [pbx.Error] is shown to the CRM. secure: it came
// over TLS.
type Allow func(c *pbx.Company, from netip.Addr, secure bool) error

// modeOf is the mode of an address.
func modeOf(scheme string) string {
	if scheme == Encrypted {
		return Encrypted
	}
	return Plain
}
