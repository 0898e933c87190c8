package crm

import (
	"context"
	"errors"
	"time"

	"vpbx/pbx"
)

// Connector speaks the language of one kind of CRM. It must be usable by any
// number of goroutines, for any number of companies. docs/connector.md shows how
// one is written.
type Connector interface {
	// Owner asks who from is, who dialled to of company c; both numbers are
	// normalised. A caller the CRM does not know is the zero Contact and no
	// error. It must return soon after ctx ends, and must bound what it reads.
	// An answer that cannot be read is [ErrBadAnswer].
	Owner(ctx context.Context, c *pbx.Company, from, to string, call pbx.CallID) (pbx.Contact, error)

	// Deliver tells the CRM of company c of an event and returns nil when the CRM
	// has it, or when events of that kind are nothing to this kind of CRM. An
	// event may come again that the CRM has already; events of one call never
	// come at once. The error says what next: with [ErrRefused] in its chain the
	// event is given up, with a [RetryAfter] the CRM is left alone for that time,
	// with any other the event is tried again. As to ctx and what it reads it is
	// bound like Owner.
	Deliver(ctx context.Context, c *pbx.Company, n *pbx.Notification) error
}

// ErrBadAnswer is in the chain of an error when a CRM answered what is no
// answer: another status, a page, broken or other JSON, too much.
var ErrBadAnswer = errors.New("bad answer")

// ErrRefused is in the chain of an error when a CRM says that it will never take
// this event, however often it comes.
var ErrRefused = errors.New("refused")

// RetryAfter is the error of a CRM that asks to be left alone for a time.
type RetryAfter struct {
	After time.Duration
	Err   error
}

// Error gives the text of the error inside.
func (e *RetryAfter) Error() string { return e.Err.Error() }

// Unwrap gives the error inside.
func (e *RetryAfter) Unwrap() error { return e.Err }
