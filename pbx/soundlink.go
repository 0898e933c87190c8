package pbx

import (
	"net/netip"
	"time"
)

// RecordsPath is the path below which recordings are fetched by a link; the token
// of the link stands behind it.
const RecordsPath = "/records/"

// LinkOrder asks for a link by which a recording can be fetched without a token
// of the API.
type LinkOrder struct {
	Recording RecordingID
	From      netip.Addr    // who may fetch it; the zero address: anybody
	Single    bool          // once only
	For       time.Duration // how long it is good
	By        string        // who asked for it, for the log
}

// RecordingLink is such a link as it is kept.
type RecordingLink struct {
	Hash      string // lower-case hex SHA-256 of its token, which is not kept
	Tenant    TenantID
	Recording RecordingID
	From      netip.Addr // the zero address: anybody
	Single    bool
	Made      time.Time
	By        string
	Expires   time.Time
	Used      time.Time // first; zero: not yet
	UsedBy    netip.Addr
	Taken     bool // the whole sound was asked for
}

// LinkUse is one request for the sound behind a link.
type LinkUse struct {
	At    time.Time
	From  netip.Addr
	Whole bool // all of it is asked for, and not a part
}

// PartsTime is how long after its first use the parts of a sound may be asked for
// by a link that is good once: a player goes through a file in several requests.
const PartsTime = 10 * time.Minute

// Refuse says why a link is not good for a use, nil when it is: Gone when it has
// expired or was used up, Denied for another address than the one it is for.
func (l *RecordingLink) Refuse(u LinkUse) error {
	switch {
	case l.From.IsValid() && l.From != u.From:
		return &Error{Kind: Denied, Msg: "this link is for another address"}
	case !u.At.Before(l.Expires):
		return &Error{Kind: Gone, Msg: "this link has expired"}
	case !l.Single || l.Used.IsZero():
		return nil
	case u.Whole && l.Taken, u.From != l.UsedBy, u.At.Sub(l.Used) > PartsTime:
		return &Error{Kind: Gone, Msg: "this link was good once and has been used"}
	}
	return nil
}
