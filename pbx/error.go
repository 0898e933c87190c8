package pbx

import "errors"

// Kind classifies an error for whoever has to answer it: the API maps kinds to
// HTTP status codes, sip maps them to SIP ones, each in one table.
type Kind string

// The kinds of an error.
const (
	Invalid         Kind = "invalid"         // what was asked for makes no sense
	NotFound        Kind = "not_found"       // it does not exist, or not for you
	Conflict        Kind = "conflict"        // it clashes with what is there
	Outdated        Kind = "outdated"        // it is no longer what the request began with
	Denied          Kind = "denied"          // known, but not allowed
	Unauthenticated Kind = "unauthenticated" // not known who asks
	Limit           Kind = "limit"           // a limit is reached; later may help
	Unavailable     Kind = "unavailable"     // a part we need does not answer
	Gone            Kind = "gone"            // it existed and was removed
	Unsupported     Kind = "unsupported"     // this installation cannot do it
	Internal        Kind = "internal"        // our fault; the text is for the log
)

// Error is an error with a kind and, for Invalid, the field at fault.
type Error struct {
	Kind  Kind
	Field string // path of the field at fault, "" when none
	Msg   string // safe to show to the user
	Err   error  // cause, for the log
}

// Error gives the message and, behind a colon, the cause.
func (e *Error) Error() string {
	if e.Err == nil {
		return e.Msg
	}
	return e.Msg + ": " + e.Err.Error()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf gives the kind of err: that of the first [Error] in its chain,
// Internal for every other error.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}
