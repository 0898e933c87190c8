package sip

import (
	"strings"
	"unicode"
	"unicode/utf8"

	msg "github.com/emiago/sipgo/sip"
)

// maxName bounds a user part or a display name, in characters: whatever is
// longer is somebody's attack, or unreadable on the display of a phone.
const maxName = 64

// Party is who calls, as shown to the other side: the user part of From and the
// display name. Both are plain text that may come from anybody; they are
// escaped, stripped and cut when they go into a header.
type Party struct {
	User string
	Name string
}

// Header is an extra header of an INVITE.
type Header struct{ Name, Value string }

// clean strips what is not printable text and cuts to maxName characters.
func clean(s string) string {
	s = strings.ToValidUTF8(s, "")
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029' {
			return -1
		}
		return r
	}, s)
	s = strings.TrimSpace(s)
	if utf8.RuneCountInString(s) > maxName {
		s = strings.TrimSpace(string([]rune(s)[:maxName]))
	}
	return s
}

// quoteName makes a display name fit to stand between the quotes of a
// quoted-string (RFC 3261 §25.1).
func quoteName(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(clean(s))
}

// unquoteName gives the text of a display name as it stands in a header,
// between its quotes or without any.
func unquoteName(s string) string {
	if !strings.Contains(s, `\`) {
		return clean(s)
	}
	var b strings.Builder
	escaped := false
	for _, r := range s {
		if r == '\\' && !escaped {
			escaped = true
			continue
		}
		escaped = false
		b.WriteRune(r)
	}
	return clean(b.String())
}

// escapeUser makes text fit to be the user part of a SIP URI: everything but
// unreserved and user-unreserved characters is escaped (RFC 3261 §25.1); so are
// the slash and the question mark, which some parsers take for more.
func escapeUser(s string) string {
	const hex = "0123456789ABCDEF"
	s = clean(s)
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("-_.!~*'()&=+$,", c) >= 0:
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
	return b.String()
}

// userOf gives the user part of a URI as plain text: of sip:… without password
// and user parameters, of tel:… the number (RFC 3966).
func userOf(u *msg.Uri) string {
	s := u.User
	if raw := u.Raw(); raw != "" {
		s = raw
	}
	s, _, _ = strings.Cut(s, ";")
	return clean(unescape(s))
}
