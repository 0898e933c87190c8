package words

import (
	"fmt"
	"strings"
	"time"
)

// number reads a whole number or a decimal.
func number(value string, l Language, g Gender, c Case) (string, error) {
	d, err := parseDecimal(value)
	if err != nil {
		return "", err
	}
	n, sign := d.whole, ""
	if d.negative && (n != 0 || strings.Trim(d.fraction, "0") != "") {
		sign = map[Language]string{Russian: "минус ", English: "minus "}[l]
	}
	d.fraction = strings.TrimRight(d.fraction, "0")
	switch {
	case l == Russian && d.fraction == "":
		return sign + russianCardinal(n, g, c), nil
	case l == Russian:
		text, err := russianFraction(d, c)
		return sign + text, err
	case d.fraction == "":
		return sign + englishCardinal(n), nil
	}
	return sign + englishCardinal(n) + " point " + strings.ReplaceAll(spell(d.fraction, l), ",", ""), nil
}

// parts of one: целая, десятая, сотая, тысячная.
var parts = [4]string{"цел", "десят", "сот", "тысячн"}

// russianFraction reads a decimal: три целых пять десятых.
func russianFraction(d decimal, c Case) (string, error) {
	if len(d.fraction) >= len(parts) {
		return "", fmt.Errorf("%.20q has more than %d digits behind the point", d.fraction, len(parts)-1)
	}
	of := func(n int64, place int) string {
		ending := "ых"
		switch {
		case n%10 == 1 && n%100 != 11:
			ending = endings[Feminine][c]
		case c == Dative:
			ending = "ым"
		case c == Instrumental:
			ending = "ыми"
		}
		return russianCardinal(n, Feminine, c) + " " + parts[place] + ending
	}
	return of(d.whole, 0) + " " + of(digitsValue(d.fraction), len(d.fraction)), nil
}

// whole reads a whole number, from 0 where it counts or orders things.
func whole(value string, least int64) (int64, error) {
	d, err := parseDecimal(value)
	if err != nil {
		return 0, err
	}
	n := d.whole
	if d.negative {
		n = -n
	}
	if strings.Trim(d.fraction, "0") != "" || n < least {
		return 0, fmt.Errorf("%.40q is not a whole number that can be read here", value)
	}
	return n, nil
}

var (
	russianMonths = [12]string{"января", "февраля", "марта", "апреля", "мая", "июня", "июля", "августа", "сентября", "октября", "ноября", "декабря"}
	// dateForms and timeForms are how dates and times may be written.
	dateForms = []string{time.DateOnly, "02.01.2006", "2.1.2006", time.RFC3339, "2006-01-02T15:04:05", time.DateTime, "2006-01-02 15:04"}
	timeForms = []string{"15:04", time.TimeOnly, time.RFC3339, "2006-01-02T15:04:05", time.DateTime, "2006-01-02 15:04"}
)

// parseTime reads a date or a time in one of the forms.
func parseTime(value string, layouts []string, what string) (time.Time, error) {
	for _, layout := range layouts {
		if t, err := time.Parse(layout, strings.TrimSpace(value)); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%.40q is not a %s", value, what)
}

// date reads a date; the day of a Russian one stands in the case.
func date(value string, l Language, c Case) (string, error) {
	t, err := parseTime(value, dateForms, "date; write it 2026-11-22")
	if err != nil {
		return "", err
	}
	day, year := int64(t.Day()), int64(t.Year())
	if l == Russian {
		return fmt.Sprintf("%s %s %s года", russianOrdinal(day, Neuter, c), russianMonths[t.Month()-1], russianOrdinal(year, Masculine, Genitive)), nil
	}
	return fmt.Sprintf("%s %s, %s", t.Month(), englishOrdinal(day), englishYear(year)), nil
}

var (
	hours   = noun{Masculine, forms{"час", "часа", "часу", "час", "часом", "часе"}, forms{"часы", "часов", "часам", "часы", "часами", "часах"}}
	minutes = noun{Feminine, forms{"минута", "минуты", "минуте", "минуту", "минутой", "минуте"}, forms{"минуты", "минут", "минутам", "минуты", "минутами", "минутах"}}
)

// clock reads a time of day.
func clock(value string, l Language, c Case) (string, error) {
	t, err := parseTime(value, timeForms, "time of day; write it 15:04")
	if err != nil {
		return "", err
	}
	h, m := int64(t.Hour()), int64(t.Minute())
	if l != Russian {
		return englishTime(h, m), nil
	}
	text := russianCardinal(h, Masculine, c) + " " + hours.with(h, c)
	if m == 0 {
		return text + " ровно", nil
	}
	return text + " " + russianCardinal(m, Feminine, c) + " " + minutes.with(m, c), nil
}

// year reads a year: a Russian one as an ordinal, without the word год.
func year(value string, l Language, c Case) (string, error) {
	n, err := whole(value, 1)
	if err != nil || n > 9999 {
		return "", fmt.Errorf("%.40q is not a year", value)
	}
	if l == Russian {
		return russianOrdinal(n, Masculine, c), nil
	}
	return englishYear(n), nil
}

// keys are the signs of a telephone number beside digits.
var keys = map[Language]map[rune]string{
	Russian: {'+': "плюс", '*': "звёздочка", '#': "решётка"},
	English: {'+': "plus", '*': "star", '#': "pound"},
}

// spell reads digits one by one, groups with a comma between.
func spell(digits string, l Language) string {
	var b strings.Builder
	for _, r := range digits {
		word := keys[l][r]
		switch {
		case r >= '0' && r <= '9' && l == Russian:
			word = russianCardinal(int64(r-'0'), Masculine, Nominative)
		case r >= '0' && r <= '9':
			word = englishSmall[r-'0']
		case r == ' ':
			b.WriteString(",")
			continue
		}
		if b.Len() > 0 {
			b.WriteString(" ")
		}
		b.WriteString(word)
	}
	return b.String()
}

// dialable cuts a number down to what can be dialled: digits, *, # and a + in front.
func dialable(value string) (string, error) {
	var b strings.Builder
	for _, r := range value {
		switch {
		case r >= '0' && r <= '9', r == '*', r == '#', r == '+' && b.Len() == 0:
			b.WriteRune(r)
		case r == ' ', r == '-', r == '(', r == ')', r == '.', r == '/', r == '\u00a0':
		default:
			return "", fmt.Errorf("%.40q is not a telephone number", value)
		}
	}
	if b.Len() == 0 || b.String() == "+" {
		return "", fmt.Errorf("%.40q is not a telephone number", value)
	}
	return b.String(), nil
}

// groups puts blanks into a number where a speaker stops.
func groups(number string) string {
	var sizes []int
	rest := strings.TrimPrefix(number, "+")
	international := rest != number
	switch {
	case international && rest[0] == '7' && len(rest) == 11, !international && rest[0] == '8' && len(rest) == 11:
		sizes = []int{1, 3, 3, 2, 2}
	case international && rest[0] == '1' && len(rest) == 11:
		sizes = []int{1, 3, 3, 4}
	case len(rest) <= 4:
		sizes = []int{len(rest)}
	default:
		for n := len(rest); n > 0; n -= sizes[len(sizes)-1] {
			size := 3
			if n == 4 || n == 2 {
				size = 2
			}
			sizes = append(sizes, min(size, n))
		}
	}
	var list []string
	for _, size := range sizes {
		list, rest = append(list, rest[:size]), rest[size:]
	}
	text := strings.Join(list, " ")
	if international {
		text = "+" + text
	}
	return text
}
