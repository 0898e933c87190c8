package pbx

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"time"
)

// TenantID names a company: letters, digits and dashes, chosen at onboarding.
type TenantID string

// CallID names one call over its whole life, however many legs it has.
type CallID string

// LegID names one leg (one SIP dialog) of a call.
type LegID string

// RecordingID names one recording; it is also its file name, so it is made
// here and never taken from user input.
type RecordingID string

// NewCallID makes a call id that sorts by the time at.
func NewCallID(at time.Time) CallID { return CallID(newID(at)) }

// NewLegID makes a leg id that sorts by the time at.
func NewLegID(at time.Time) LegID { return LegID(newID(at)) }

// NewRecordingID makes a recording id that sorts by the time at.
func NewRecordingID(at time.Time) RecordingID { return RecordingID(newID(at)) }

// newID is 12 hex digits of milliseconds and 20 of randomness: ids made in one
// process sort by time, and nobody can guess the next one.
func newID(at time.Time) string {
	var b [10]byte
	rand.Read(b[:]) // never fails since Go 1.24
	return fmt.Sprintf("%012x", at.UnixMilli()&0xffffffffffff) + hex.EncodeToString(b[:])
}
