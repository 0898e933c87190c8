package pbx

// DialogState is one call of an extension, or of a place where calls wait, as
// the phones that watch it are told (RFC 4235 §3.7).
type DialogState struct {
	ID        string      // names the dialog among those of the watched number
	Phase     DialogPhase //
	Initiator bool        // the watched number called; else it is called
	Held      bool        // it has put the other side on hold

	// The SIP dialog between us and the phone of the watched number, as its
	// phone sees it: what a Replaces header of a colleague who picks the call up
	// names (RFC 3891). LocalTag is the tag of that phone, RemoteTag ours; both
	// may be unknown.
	CallID    string
	LocalTag  string
	RemoteTag string

	Remote     string // number of the other side, "" when unknown
	RemoteName string
}

// DialogPhase is how far a call has come (RFC 4235 §3.7.1).
type DialogPhase string

// The phases of a call.
const (
	DialogTrying    DialogPhase = "trying"
	DialogEarly     DialogPhase = "early"
	DialogConfirmed DialogPhase = "confirmed"
)

// Mailbox counts the voice messages of an extension (RFC 3842).
type Mailbox struct {
	New int `json:"new"`
	Old int `json:"old"`
}
