package pbx

import (
	"slices"
	"strings"
	"time"
)

// AnyNumber in the place of a rule's number is every public number of the company.
const AnyNumber = "*"

// Takes tells whether a rule is for calls to a public number.
func (r *Rule) Takes(number string) bool {
	return r.Number == number || r.Number == AnyNumber || slices.Contains(r.Numbers, number)
}

// For lists the numbers a rule is for, [AnyNumber] among them.
func (r *Rule) For() []string {
	if r.Number == "" {
		return r.Numbers
	}
	return []string{r.Number}
}

// Key names a rule among others by its numbers.
func (r *Rule) Key() string { return strings.Join(r.For(), ",") }

// Callers are the lists that a caller must be in for a rule to count, and those it
// must not be in. [Anonymous] in the place of a list are callers who hide their
// number.
type Callers struct {
	Only []string `json:"only,omitempty"` // one of these; none: everybody
	Not  []string `json:"not,omitempty"`
}

// List is a list of callers: a black one, a white one, partners.
type List struct {
	Name     string   `json:"name"`
	Numbers  []string `json:"numbers,omitempty"`  // in E.164 form where they have one; sorted, none twice
	Prefixes []string `json:"prefixes,omitempty"` // what numbers in E.164 form begin with; likewise
}

// Has tells whether a number, normalised, is in the list.
func (l *List) Has(number string) bool {
	if _, is := slices.BinarySearch(l.Numbers, number); is {
		return true
	}
	for n := range number {
		if _, is := slices.BinarySearch(l.Prefixes, number[:n+1]); is {
			return true
		}
	}
	return false
}

// Location gives the time zone of the company; UTC when this machine does not know
// it.
func (t *Tenant) Location() *time.Location {
	zone, err := time.LoadLocation(t.Zone)
	if err != nil {
		return time.UTC
	}
	return zone
}
