package rtk

import (
	"net/http"
	"net/netip"
	"path"
	"strings"
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

	URL     string      // that was asked
	Header  http.Header // of the request
	Remote  string      // of ToCRM: address and port it went to, "" when to none
	Trusted bool        // of ToCRM: certificates counted
	// AnswerHeader is known of tests only.
	AnswerHeader http.Header
	Test         bool  // made by [Client.Test]
	Size         int64 // of Answer, when that is not all of it; 0: it is
}

// Logger is told of each exchange once it is over, on the goroutine it was made
// on: it must not wait. Requests from nobody we know are of no company and not told;
// one that has the client id of a company and another signature is told with an Err.
type Logger func(Exchange)

// Allow says why a request that is signed by the company c is refused all the same,
// nil when it is not: the text of a [pbx.Error] is shown to the CRM. secure: it came
// over TLS.
type Allow func(c *pbx.Company, from netip.Addr, secure bool) error

// TestPath is behind what the names of methods are appended to, for requests that a
// CRM makes to try us. They do what others do, and are always logged.
const TestPath = "test/"

// asked is the exchange of a request of a CRM.
func asked(r *http.Request, c *call, at time.Time, a answer) Exchange {
	x := Exchange{Tenant: c.company.ID, Direction: FromCRM, Method: path.Base(r.URL.Path), From: c.from, Mode: Plain, At: at, Took: time.Since(at),
		Status: a.status, Request: c.body, Answer: a.body, Header: r.Header, Test: strings.HasSuffix(path.Dir(r.URL.Path)+"/", "/"+TestPath)}
	if c.secure {
		x.Mode = Encrypted
	}
	x.URL = x.Mode + "://" + c.host + r.URL.Path
	return x
}

// forged tells those whose client id a request names that its signature is wrong. It
// may be meant for another company that has, or had, the same id: what stands in it is
// not told. Anybody can make such requests: of a flood only so many are told of.
func (s *Server) forged(r *http.Request, c *call, at time.Time, a answer) {
	for _, company := range s.Directory().Clients(r.Header.Get(HeaderID)) {
		if !s.limiter(s.forges, company.ID, forgeRate, forgeBurst).Allow() {
			continue
		}
		c.company = company
		x := asked(r, c, at, a)
		x.Err, x.Request, x.Header = errSignature, nil, nil
		s.Exchanges(x)
	}
}

// modeOf is the mode of an address.
func modeOf(scheme string) string {
	if scheme == Encrypted {
		return Encrypted
	}
	return Plain
}
