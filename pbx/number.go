package pbx

import "strings"

// maxNumber bounds a dialled number: E.164 has 15 digits, feature codes and
// prefixes of carriers a few more.
const maxNumber = 32

// CleanNumber strips what people write between the digits of a number:
// spaces, dashes, dots, brackets. It is "" when something else than digits,
// a leading plus, stars and hashes is left, or the number is too long.
func CleanNumber(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r >= '0' && r <= '9', r == '*', r == '#', r == '+' && b.Len() == 0:
			b.WriteRune(r)
		case r == ' ', r == '-', r == '.', r == '(', r == ')', r == '\u00a0':
		default:
			return ""
		}
	}
	if b.Len() == 0 || b.Len() > maxNumber || b.String() == "+" {
		return ""
	}
	return b.String()
}

// E164 reads a number as people of the tenant's country write it and gives it
// in E.164 form with a plus; numbers it cannot read, internal ones among them,
// are returned cleaned but otherwise as they are.
func (t *Tenant) E164(s string) string {
	n := CleanNumber(s)
	if n == "" || n[0] == '+' || strings.ContainsAny(n, "*#") {
		return n
	}
	switch t.Country {
	case "RU", "KZ":
		switch {
		case len(n) == 11 && (n[0] == '8' || n[0] == '7'):
			return "+7" + n[1:]
		case strings.HasPrefix(n, "810") && len(n) > 10:
			return "+" + n[3:]
		case len(n) == 10 && n[0] != '0':
			return "+7" + n
		}
	case "US", "CA":
		switch {
		case len(n) == 11 && n[0] == '1':
			return "+" + n
		case len(n) == 10:
			return "+1" + n
		case strings.HasPrefix(n, "011") && len(n) > 10:
			return "+" + n[3:]
		}
	}
	if strings.HasPrefix(n, "00") && len(n) > 9 {
		return "+" + n[2:]
	}
	return n
}
