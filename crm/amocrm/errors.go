package amocrm

import (
	"errors"
	"fmt"
	"strings"

	"vpbx/crm"
)

// ErrNotLinked is in the chain of an error when the company has linked no account, or
// another than it asks for now.
var ErrNotLinked = errors.New("no account of amoCRM is linked")

// ErrBusy is in the chain of an error when too many requests wait for their turn.
var ErrBusy = errors.New("too many requests to amoCRM wait")

// BrokenError says that amoCRM does not know us any more: an administrator must link the account anew.
type BrokenError struct{ Reason string }

// Error gives the reason.
func (e *BrokenError) Error() string {
	return "the link to amoCRM is broken, link the account anew: " + e.Reason
}

// StatusError is an answer that says that a request was not done. [crm.ErrRefused]
// is in its chain when it never will be, [crm.ErrBadAnswer] otherwise.
type StatusError struct {
	Status int    // of HTTP
	Detail string // amoCRM's words, cleaned
}

// Error gives status and words.
func (e *StatusError) Error() string {
	if e.Detail == "" {
		return fmt.Sprintf("HTTP status %d", e.Status)
	}
	return fmt.Sprintf("HTTP status %d: %s", e.Status, e.Detail)
}

// Unwrap gives what the error means to a [crm.Deliverer].
func (e *StatusError) Unwrap() error {
	switch e.Status {
	case 400, 404, 413, 415, 422:
		return crm.ErrRefused
	}
	return crm.ErrBadAnswer
}

// ItemError says why one item of several was refused. [crm.ErrRefused] is in its chain.
type ItemError struct {
	Status int      // as amoCRM gives it, 0: none
	Codes  []string // FieldMissing, NotSupportedChoice, …
	Detail string   // paths and words, cleaned
}

// StatusNoCard is the Status of an [ItemError] of a call whose number is on no card.
const StatusNoCard = 263

// Error gives everything that is known.
func (e *ItemError) Error() string {
	text := "refused by amoCRM"
	if len(e.Codes) > 0 {
		text += " (" + strings.Join(e.Codes, ", ") + ")"
	}
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	return text
}

// Unwrap gives crm.ErrRefused.
func (e *ItemError) Unwrap() error { return crm.ErrRefused }
