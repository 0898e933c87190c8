package sheet

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// triggers are the signs with which a spreadsheet begins a formula, also in full width
// (OWASP, CSV Injection).
const triggers = "=+-@＝＋－＠"

// splitters are the signs at which the spreadsheet of somebody else's country begins a
// cell, and lines, if it does not see the quotes around: they stand in the middle of what
// it takes for a cell.
const splitters = ",;\n"

// armed tells whether a text would be a formula if a cell began with it, or with what
// remains without the blanks, quotes and apostrophes in front.
func armed(text string) bool {
	rest := strings.TrimLeftFunc(text, func(r rune) bool {
		return r == '\'' || r == '"' || unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Cf, r)
	})
	r, _ := utf8.DecodeRuneInString(rest)
	return rest != "" && strings.ContainsRune(triggers, r)
}

// printable is a text as it stands in a cell: lines end with LF, and there is no other
// control character, nor blanks at its ends.
func printable(text string) string {
	text = strings.ToValidUTF8(text, "\ufffd")
	if strings.ContainsRune(text, '\r') {
		text = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)
	}
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' || r == '\ufffe' || r == '\uffff' {
			return ' '
		}
		return r
	}, text))
}

// disarm puts an apostrophe where a formula would begin: before the text and, for CSV,
// behind each of splitters.
func disarm(text, starts string) string {
	var b strings.Builder
	for text != "" {
		if armed(text) {
			b.WriteByte('\'')
		}
		n := segment(text, starts)
		b.WriteString(text[:n])
		text = text[n:]
	}
	return b.String()
}

// disarmed takes back what disarm did.
func disarmed(text, starts string) string {
	if !strings.Contains(text, "'") {
		return text
	}
	var b strings.Builder
	for text != "" {
		if text[0] == '\'' && armed(text[1:]) {
			text = text[1:]
		}
		n := segment(text, starts)
		b.WriteString(text[:n])
		text = text[n:]
	}
	return b.String()
}

// segment is how long the part of a text is up to where the next cell would begin.
func segment(text, starts string) int {
	if i := strings.IndexAny(text, starts); i >= 0 {
		return i + 1
	}
	return len(text)
}
