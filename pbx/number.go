package pbx

import (
	"cmp"
	"hash/maphash"
	"strings"
	"sync/atomic"

	"github.com/nyaruka/phonenumbers"
)

// maxNumber bounds a dialled number: E.164 has 15 digits, feature codes and
// prefixes of carriers a few more.
const maxNumber = 32

// CleanNumber strips what people write between the digits of a number: spaces of
// all kinds, dashes, dots, slashes, brackets, and tel: with its parameters. Digits
// of full width are digits. It is "" when something else than digits, a leading
// plus, stars and hashes is left, or the number is too long.
func CleanNumber(s string) string {
	const scheme = "tel:" // RFC 3966 §3
	if len(s) > len(scheme) && strings.EqualFold(s[:len(scheme)], scheme) {
		s, _, _ = strings.Cut(s[len(scheme):], ";")
	}
	var b strings.Builder
	for _, r := range s {
		if r >= '\uff01' && r <= '\uff5e' {
			r -= '\uff01' - '!' // full width
		}
		switch {
		case r >= '0' && r <= '9', r == '*', r == '#', r == '+' && b.Len() == 0:
			b.WriteRune(r)
		case !between(r):
			return ""
		}
	}
	if b.Len() == 0 || b.Len() > maxNumber || b.String() == "+" {
		return ""
	}
	return b.String()
}

// between tells whether a character only sets digits apart, or says in which
// direction they are written.
func between(r rune) bool {
	switch r {
	case ' ', '-', '.', '/', '(', ')', '[', ']', '\u00a0', '\u00ad', '\u202f', '\u205f', '\u2060', '\u2212', '\u3000', '\ufe63', '\ufeff':
		return true
	}
	return r >= '\u2000' && r <= '\u2015' || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069'
}

// The least digits that a number has which is read as one of the country: shorter
// ones are internal, or short ones such as 112.
const (
	minNational = 6 // where people dial nothing before it
	minBare     = 9 // without the digits that they dial before it: longer than those within one town
	minForeign  = 10
)

// E164 reads a number as people of the tenant's country write it and gives it
// in E.164 form with a plus; numbers it cannot read, internal and short ones among
// them, are returned cleaned but otherwise as they are. What it gives it gives
// again when it is asked for that.
func (t *Tenant) E164(s string) string {
	n := CleanNumber(s)
	switch {
	case n == "" || strings.ContainsAny(n, "*#"):
		return n
	case n[0] != '+' && len(n) < minNational:
		return n
	}
	if n[0] != '+' {
		n = cmp.Or(plain(t.Country, n), n)
	}
	if fixed(n) {
		return n
	}
	place := &readings[maphash.Comparable(readingSeed, [2]string{t.Country, n})%uint64(len(readings))]
	if r := place.Load(); r != nil && r.country == t.Country && r.number == n {
		return r.full
	}
	r := &reading{t.Country, n, read(t.Country, n)}
	place.Store(r)
	return r.full
}

// readings keeps what was read of late: to find a number's range takes some 50 µs,
// and a call asks for the same numbers several times.
var (
	readings    [4096]atomic.Pointer[reading]
	readingSeed = maphash.MakeSeed()
)

// reading is a number, cleaned, and what was read.
type reading struct{ country, number, full string }

func read(country, n string) string {
	if n[0] == '+' {
		return international(n)
	}
	if full := national(country, n); full != "" {
		return full
	}
	if strings.HasPrefix(n, "00") && len(n) > 9 {
		return international("+" + n[2:])
	}
	return n
}

// fixed tells whether a number is of a code all numbers of which are equally long:
// it is in its form by that.
func fixed(n string) bool {
	return len(n) == 12 && (strings.HasPrefix(n, "+7") || strings.HasPrefix(n, "+1"))
}

// plain reads what can be read without knowing the ranges of a country: it is the
// way of nearly all numbers of these countries.
func plain(country, n string) string {
	switch country {
	case "RU", "KZ":
		switch {
		case strings.HasPrefix(n, "810") && len(n) > 9: // no area begins with 10
			return "+" + n[3:]
		case len(n) == 11 && (n[0] == '8' || n[0] == '7'):
			return "+7" + n[1:]
		case len(n) == 10 && n[0] != '0':
			return "+7" + n
		}
	case "US", "CA":
		switch {
		case len(n) == 11 && n[0] == '1':
			return "+" + n
		case len(n) == 10 && n[0] != '0':
			return "+1" + n
		case strings.HasPrefix(n, "011") && len(n) > 10:
			return "+" + n[3:]
		}
	}
	return ""
}

// international brings a number with a plus into the one form that it has: without
// the zero of +44 (0)20. What cannot be read stays as it is.
func international(n string) string {
	if fixed(n) {
		return n
	}
	full := valid(n)
	if full == "" || full != n && valid(full) != full {
		return n
	}
	return full
}

// valid gives the E.164 form of a number with a plus, "" when there is no such
// number.
func valid(n string) string {
	p, err := phonenumbers.Parse(n, "")
	if err != nil || !phonenumbers.IsValidNumber(p) {
		return ""
	}
	return phonenumbers.Format(p, phonenumbers.E164)
}

// national reads a number as it is dialled in a country: with the prefix for
// other countries or for other towns, or without where that says as much. It is ""
// when that is no number, or could be one within a town.
func national(country, n string) string {
	if country == "" {
		return ""
	}
	p, err := phonenumbers.ParseAndKeepRawInput(n, country)
	if err != nil || !phonenumbers.IsValidNumber(p) {
		return ""
	}
	trunk := phonenumbers.GetNddPrefixForRegion(country, true)
	significant := phonenumbers.GetNationalSignificantNumber(p)
	whole := false
	switch p.GetCountryCodeSource() {
	case phonenumbers.PhoneNumber_FROM_NUMBER_WITH_IDD:
		whole = true
	case phonenumbers.PhoneNumber_FROM_NUMBER_WITHOUT_PLUS_SIGN:
		whole = len(n) >= minForeign
	default:
		dialled := trunk != "" && strings.HasPrefix(n, trunk) && len(significant) < len(n)
		whole = dialled || trunk == "" || len(n) >= minBare
	}
	if !whole {
		return ""
	}
	return international(phonenumbers.Format(p, phonenumbers.E164))
}

// WarmNumbers loads what is known of the numbers of a country, so that no call has to
// wait for that. The first time takes a tenth of a second.
func WarmNumbers(country string) {
	t := Tenant{Country: country}
	t.E164("+4402079460958")
	t.E164("00442079460958")
	t.E164("0123456789")
}
