package sheet

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxPhones is how many numbers a person has, and how many columns of them a list.
const maxPhones = 5

// maxPhoneCell bounds a cell with telephone numbers, in bytes: five, with words.
const maxPhoneCell = 300

// minDigits is from how many digits on something is taken for a number of its own.
const minDigits = 5

var (
	// scientific is a number as spreadsheets shorten it: 7,91612E+10.
	scientific = regexp.MustCompile(`^\+?(\d)(?:[.,](\d+))?[eEеЕ]\+?(\d{1,2})$`)
	// fractional is a whole number that became a decimal: 79161234567.0.
	fractional = regexp.MustCompile(`^(\+?\d{7,15})[.,]0+$`)
	// extension is what is dialled behind a number.
	extension = regexp.MustCompile(`(?i)[\s,;(]*(?:доб(?:авочный)?|вн(?:утр(?:енний)?)?|ext(?:ension)?|x|#)\.?[\s:№]*(\d{1,8})\)?`)
	// between stands between two numbers in one cell.
	between = regexp.MustCompile(`[,;|\n\r\t]+|\s+(?:и|или|and|or)\s+`)
)

// phones cuts a cell into the numbers that are in it, as they are written. extensions
// says how many were left out: a campaign dials none. lost is what is wrong with a number
// of which a spreadsheet kept the beginning only.
func phones(cell string) (list []string, extensions int, lost string) {
	cell = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(cell), "'"))
	if cell != "" && strings.Trim(cell, "+0123456789()- ") == "" {
		return []string{cell}, 0, "" // as nearly all are
	}
	if m := scientific.FindStringSubmatch(cell); m != nil {
		whole, ok := expand(m[1]+m[2], m[3])
		if !ok {
			return nil, 0, "the spreadsheet shortened this number and its last digits are lost: make the column text and save the list again"
		}
		return []string{whole}, 0, ""
	}
	if m := fractional.FindStringSubmatch(cell); m != nil {
		return []string{m[1]}, 0, ""
	}
	cell = extension.ReplaceAllStringFunc(cell, func(string) string {
		extensions++
		return ";"
	})
	parts := between.Split(cell, -1)
	for _, sign := range []string{"/", `\`} {
		parts = apart(parts, sign)
	}
	whole := false // a part that is a number of its own
	for _, p := range parts {
		whole = whole || digits(p) >= minDigits
	}
	if !whole {
		parts = []string{strings.Join(parts, " ")} // 79,161,234,567
	}
	for _, p := range parts {
		if p = bare(p); p != "" && (digits(p) > 0 || !whole) {
			list = append(list, p)
		}
	}
	return list, extensions, ""
}

// apart divides parts at a sign that is also written inside numbers, where both sides
// are numbers of their own.
func apart(parts []string, sign string) []string {
	var list []string
	for _, p := range parts {
		for {
			a, b, found := strings.Cut(p, sign)
			if !found || digits(a) < 7 || digits(b) < 7 {
				break
			}
			list, p = append(list, a), b
		}
		list = append(list, p)
	}
	return list
}

// expand writes out a number of which the digits and the exponent are known; not ok when
// it has less digits than it should.
func expand(mantissa, exponent string) (string, bool) {
	e, err := strconv.Atoi(exponent)
	return mantissa, err == nil && len(mantissa) == e+1
}

// digits counts the digits of a text.
func digits(s string) int {
	n := 0
	for _, r := range s {
		if unicode.IsDigit(r) {
			n++
		}
	}
	return n
}

// bare cuts the words around a number: «моб. +7 916 123-45-67 (Мария)».
func bare(s string) string {
	s = strings.TrimSpace(s)
	if digits(s) < 7 {
		return s
	}
	first := strings.IndexFunc(s, func(r rune) bool { return unicode.IsDigit(r) || r == '+' || r == '(' || r == '＋' })
	last := strings.LastIndexFunc(s, unicode.IsDigit)
	if first < 0 || last < first {
		return s
	}
	_, size := utf8.DecodeRuneInString(s[last:])
	return s[first : last+size]
}

// e164 packs a number with a plus and at most 15 digits; not ok when it is none.
func e164(number string) (uint64, bool) {
	rest, plus := strings.CutPrefix(number, "+")
	if !plus || len(rest) < minDigits || len(rest) > 15 || rest[0] == '0' {
		return 0, false
	}
	n := uint64(0)
	for i := range len(rest) {
		if rest[i] < '0' || rest[i] > '9' {
			return 0, false
		}
		n = 10*n + uint64(rest[i]-'0')
	}
	return n, true
}
