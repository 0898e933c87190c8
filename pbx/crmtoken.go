package pbx

import (
	"log/slog"
	"time"
)

// CRMToken is what a company's CRM gave us to act for it: the OAuth 2.0 tokens of its
// account (RFC 6749 §1.4, §1.5).
type CRMToken struct {
	Client  string    // the integration that it was given to
	Linked  string    // address of the account when it was linked
	Base    string    // its address now
	Access  string    // sent with each request
	Refresh string    // makes the next pair; good for once
	Issued  time.Time // both
	Expires time.Time // Access
	Broken  string    // why nothing can be done until an administrator links the account anew; "": it can
}

// LogValue keeps the tokens out of logs.
func (t CRMToken) LogValue() slog.Value {
	return slog.GroupValue(slog.String("base", t.Base), slog.Time("expires", t.Expires), slog.String("broken", t.Broken))
}

// String keeps the tokens out of texts.
func (t CRMToken) String() string { return "token of " + t.Base }

// GoString keeps the tokens out of texts.
func (t CRMToken) GoString() string { return t.String() }
