package crm

import (
	"strings"
	"unicode"
)

// Bounds of what a CRM says about a caller.
const (
	MaxAnswer = 64 << 10 // bytes read of an answer
	MaxName   = 128      // runes kept of a display name
	MaxOwner  = 32       // runes kept of an internal number
)

// Clean makes foreign text fit to be shown and to be put into a SIP header:
// nothing but printable runes and single kinds of space, at most so many.
func Clean(s string, most int) string {
	var b strings.Builder
	n := 0
	for _, r := range strings.TrimSpace(s) {
		if unicode.IsSpace(r) {
			r = ' '
		}
		if !unicode.IsPrint(r) {
			continue
		}
		if n == most {
			break
		}
		b.WriteRune(r)
		n++
	}
	return strings.TrimSpace(b.String())
}
