package words

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// currency is a currency in both languages; minor is a hundredth of it.
type currency struct {
	russian, russianMinor noun
	english, englishMinor [2]string // one, several
}

// frozen is a noun that is not declined.
func frozen(g Gender, word string) noun {
	f := forms{word, word, word, word, word, word}
	return noun{g, f, f}
}

var (
	rouble = noun{Masculine, forms{"рубль", "рубля", "рублю", "рубль", "рублём", "рубле"}, forms{"рубли", "рублей", "рублям", "рубли", "рублями", "рублях"}}
	kopeck = noun{Feminine, forms{"копейка", "копейки", "копейке", "копейку", "копейкой", "копейке"}, forms{"копейки", "копеек", "копейкам", "копейки", "копейками", "копейках"}}
	cent   = masculine("цент")
	// Belarusian is an adjective before the noun; behind two to four it stands in the
	// genitive plural (два белорусских рубля).
	belarusian = noun{Masculine,
		forms{"белорусский рубль", "белорусских рубля", "белорусскому рублю", "белорусский рубль", "белорусским рублём", "белорусском рубле"},
		forms{"белорусские рубли", "белорусских рублей", "белорусским рублям", "белорусские рубли", "белорусскими рублями", "белорусских рублях"}}
	hryvnia = noun{Feminine, forms{"гривна", "гривны", "гривне", "гривну", "гривной", "гривне"}, forms{"гривны", "гривен", "гривнам", "гривны", "гривнами", "гривнах"}}
	yuan    = noun{Masculine, forms{"юань", "юаня", "юаню", "юань", "юанем", "юане"}, forms{"юани", "юаней", "юаням", "юани", "юанями", "юанях"}}
	dram    = masculine("драм")
	som     = masculine("сом")
	lira    = noun{Feminine, forms{"лира", "лиры", "лире", "лиру", "лирой", "лире"}, forms{"лиры", "лир", "лирам", "лиры", "лирами", "лирах"}}
	kurush  = noun{Masculine, forms{"куруш", "куруша", "курушу", "куруш", "курушем", "куруше"}, forms{"куруши", "курушей", "курушам", "куруши", "курушами", "курушах"}}
	penny   = noun{Masculine, forms{"пенс", "пенса", "пенсу", "пенс", "пенсом", "пенсе"}, forms{"пенсы", "пенсов", "пенсам", "пенсы", "пенсами", "пенсах"}}
)

// currencies by their code (ISO 4217).
var currencies = map[string]currency{
	"RUB": {rouble, kopeck, [2]string{"ruble", "rubles"}, [2]string{"kopeck", "kopecks"}},
	"USD": {masculine("доллар"), cent, [2]string{"dollar", "dollars"}, [2]string{"cent", "cents"}},
	"EUR": {frozen(Masculine, "евро"), cent, [2]string{"euro", "euros"}, [2]string{"cent", "cents"}},
	"GBP": {masculine("фунт"), penny, [2]string{"pound", "pounds"}, [2]string{"penny", "pence"}},
	"BYN": {belarusian, kopeck, [2]string{"Belarusian ruble", "Belarusian rubles"}, [2]string{"kopeck", "kopecks"}},
	"KZT": {frozen(Masculine, "тенге"), masculine("тиын"), [2]string{"tenge", "tenge"}, [2]string{"tiyn", "tiyn"}},
	"UAH": {hryvnia, kopeck, [2]string{"hryvnia", "hryvnias"}, [2]string{"kopeck", "kopecks"}},
	"KGS": {som, masculine("тыйын"), [2]string{"som", "som"}, [2]string{"tyiyn", "tyiyn"}},
	"AMD": {dram, frozen(Feminine, "лума"), [2]string{"dram", "drams"}, [2]string{"luma", "luma"}},
	"CNY": {yuan, frozen(Masculine, "фэнь"), [2]string{"yuan", "yuan"}, [2]string{"fen", "fen"}},
	"TRY": {lira, kurush, [2]string{"lira", "lira"}, [2]string{"kurush", "kurush"}},
}

// symbols are other ways to write a currency behind or before an amount.
var symbols = map[string]string{"₽": "RUB", "руб": "RUB", "руб.": "RUB", "р.": "RUB", "$": "USD", "€": "EUR", "£": "GBP", "₸": "KZT", "₴": "UAH", "¥": "CNY", "₺": "TRY", "RUR": "RUB"}

// amount is money that was read.
type amount struct {
	negative     bool
	major, minor int64
	code         string
}

// parseMoney reads an amount, such as 1234.5, "1 234,50 ₽" or "USD 20". The currency
// otherwise is the one where none is written.
func parseMoney(value, otherwise string) (amount, error) {
	text := strings.TrimSpace(value)
	a := amount{code: otherwise}
	digit := func(r rune) bool { return r >= '0' && r <= '9' || r == '-' || r == '−' }
	first := strings.IndexFunc(text, digit)
	last := strings.LastIndexFunc(text, digit)
	if first < 0 {
		return a, fmt.Errorf("%.40q is not an amount of money", value)
	}
	_, size := utf8.DecodeRuneInString(text[last:])
	for _, mark := range []string{strings.TrimSpace(text[:first]), strings.TrimSpace(text[last+size:])} {
		if mark == "" {
			continue
		}
		code := strings.ToUpper(mark)
		if c, ok := symbols[strings.ToLower(mark)]; ok {
			code = c
		} else if c, ok := symbols[code]; ok {
			code = c
		}
		if _, ok := currencies[code]; !ok {
			return a, fmt.Errorf("%.10q is not a currency that is known", mark)
		}
		a.code = code
	}
	n, err := parseDecimal(text[first : last+size])
	if err != nil || len(n.fraction) > 2 {
		return a, fmt.Errorf("%.40q is not an amount of money", value)
	}
	a.negative, a.major = n.negative, n.whole
	if n.fraction != "" {
		a.minor = digitsValue((n.fraction + "0")[:2])
	}
	return a, nil
}

// say reads the amount; a minor part of nothing is left out.
func (a amount) say(l Language, c Case) string {
	cur := currencies[a.code]
	var parts []string
	if a.negative && (a.major != 0 || a.minor != 0) {
		parts = append(parts, map[Language]string{Russian: "минус", English: "minus"}[l])
	}
	switch {
	case l == Russian:
		if a.major != 0 || a.minor == 0 {
			parts = append(parts, russianCardinal(a.major, cur.russian.gender, c), cur.russian.with(a.major, c))
		}
		if a.minor != 0 {
			parts = append(parts, russianCardinal(a.minor, cur.russianMinor.gender, c), cur.russianMinor.with(a.minor, c))
		}
	default:
		if a.major != 0 || a.minor == 0 {
			parts = append(parts, englishCardinal(a.major), englishUnit(cur.english, a.major))
		}
		if a.minor != 0 {
			if a.major != 0 {
				parts = append(parts, "and")
			}
			parts = append(parts, englishCardinal(a.minor), englishUnit(cur.englishMinor, a.minor))
		}
	}
	return strings.Join(parts, " ")
}

func englishUnit(names [2]string, n int64) string {
	if n == 1 {
		return names[0]
	}
	return names[1]
}

// decimal is a number that was read.
type decimal struct {
	negative bool
	whole    int64
	fraction string // digits behind the point
}

// parseDecimal reads a number with point or comma, and with blanks between its
// thousands. A comma or a point alone before three digits counts as a fraction, too:
// 1,500 is one and a half.
func parseDecimal(value string) (decimal, error) {
	text := strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r), r == '\u00a0', r == '\u202f', r == '\'':
			return -1
		case r == ',':
			return '.'
		case r == '−':
			return '-'
		}
		return r
	}, strings.TrimSpace(value))
	var d decimal
	text, d.negative = strings.CutPrefix(text, "-")
	if !d.negative {
		text = strings.TrimPrefix(text, "+")
	}
	whole, fraction, point := strings.Cut(text, ".")
	n, err := strconv.ParseUint(whole, 10, 63)
	if err != nil || n >= maxNumber || strings.HasPrefix(whole, "+") || point && !onlyDigits(fraction) {
		return d, fmt.Errorf("%.40q is not a number", value)
	}
	d.whole, d.fraction = int64(n), fraction
	return d, nil
}

// onlyDigits tells whether s is one digit or more and nothing else.
func onlyDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// digitsValue is the value of a few digits.
func digitsValue(s string) int64 {
	var n int64
	for _, r := range s {
		n = 10*n + int64(r-'0')
	}
	return n
}
