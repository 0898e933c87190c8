package crm

import (
	"context"
	"errors"

	"vpbx/pbx"
)

// Connector speaks the language of one kind of CRM. It must be usable by any
// number of goroutines. It has one method as long as events are not delivered.
type Connector interface {
	// Owner asks who from is, who dialled to of company c; both numbers are
	// normalised. A caller the CRM does not know is the zero Contact and no
	// error. It must return soon after ctx ends, and must bound what it reads.
	// An answer that cannot be read is [ErrBadAnswer].
	Owner(ctx context.Context, c *pbx.Company, from, to string, call pbx.CallID) (pbx.Contact, error)
}

// ErrBadAnswer is in the chain of an error when a CRM answered what is no
// answer: another status, a page, broken or other JSON, too much.
var ErrBadAnswer = errors.New("bad answer")
