package pbx

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxContacts is how many contacts the address book of a company has at most.
const MaxContacts = 100_000

// maxContactName bounds the name of a contact, in characters.
const maxContactName = 128

// BookEntry is a contact of a company's address book.
type BookEntry struct {
	Number string `json:"number"`          // as [Tenant.E164] gives it
	Name   string `json:"name,omitempty"`  // shown on the phone that rings
	Owner  string `json:"owner,omitempty"` // extension of the contact's manager
}

// Entry brings a contact into the form in which the company's book keeps it, or
// says what is wrong with it: an Invalid error that names the field.
func (c *Company) Entry(e BookEntry) (BookEntry, error) {
	invalid := func(field, format string, args ...any) (BookEntry, error) {
		return BookEntry{}, &Error{Kind: Invalid, Field: field, Msg: fmt.Sprintf(format, args...)}
	}
	number := c.E164(e.Number)
	e.Name = strings.TrimSpace(e.Name)
	switch {
	case number == "" || strings.ContainsAny(number, "*#"):
		return invalid("number", "%.60q is not a number", e.Number)
	case e.Name == "" && e.Owner == "":
		return invalid("name", "a contact has a name, an owner, or both")
	case utf8.RuneCountInString(e.Name) > maxContactName:
		return invalid("name", "is longer than %d characters", maxContactName)
	case !utf8.ValidString(e.Name) || strings.ContainsFunc(e.Name, unicode.IsControl):
		return invalid("name", "holds control characters")
	case e.Owner != "" && c.Extensions[e.Owner] == nil:
		return invalid("owner", "there is no extension %.60q", e.Owner)
	}
	e.Number = number
	return e, nil
}
