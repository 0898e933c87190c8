package words

import "strings"

// Gender is that of a Russian noun.
type Gender int

// The genders. Numbers without a noun are masculine.
const (
	Masculine Gender = iota
	Feminine
	Neuter
)

// Case is a Russian case.
type Case int

// The cases.
const (
	Nominative Case = iota
	Genitive
	Dative
	Accusative // of what is not alive
	Instrumental
	Prepositional
)

// forms are a word in the six cases.
type forms [6]string

// noun is a Russian noun.
type noun struct {
	gender           Gender
	singular, plural forms
}

// with is the form of the noun behind the number n in a case: один рубль, два рубля,
// пять рублей; двумя рублями.
func (w noun) with(n int64, c Case) string {
	last, two := n%10, n%100
	one := last == 1 && two != 11
	few := last >= 2 && last <= 4 && (two < 12 || two > 14)
	switch {
	case one:
		return w.singular[c]
	case c != Nominative && c != Accusative:
		return w.plural[c]
	case few:
		return w.singular[Genitive]
	}
	return w.plural[Genitive]
}

// soft are the forms of a numeral that ends in -ь: пять, десять, двадцать.
func soft(stem string) forms {
	return forms{stem + "ь", stem + "и", stem + "и", stem + "ь", stem + "ью", stem + "и"}
}

var (
	zero  = forms{"ноль", "ноля", "нолю", "ноль", "нолём", "ноле"}
	ones  = [3]forms{{"один", "одного", "одному", "один", "одним", "одном"}, {"одна", "одной", "одной", "одну", "одной", "одной"}, {"одно", "одного", "одному", "одно", "одним", "одном"}}
	twos  = [3]forms{{"два", "двух", "двум", "два", "двумя", "двух"}, {"две", "двух", "двум", "две", "двумя", "двух"}, {"два", "двух", "двум", "два", "двумя", "двух"}}
	small = [20]forms{
		3: {"три", "трёх", "трём", "три", "тремя", "трёх"},
		4: {"четыре", "четырёх", "четырём", "четыре", "четырьмя", "четырёх"},
		5: soft("пят"), 6: soft("шест"), 7: soft("сем"),
		8: {"восемь", "восьми", "восьми", "восемь", "восемью", "восьми"},
		9: soft("девят"), 10: soft("десят"), 11: soft("одиннадцат"), 12: soft("двенадцат"), 13: soft("тринадцат"),
		14: soft("четырнадцат"), 15: soft("пятнадцат"), 16: soft("шестнадцат"), 17: soft("семнадцат"), 18: soft("восемнадцат"), 19: soft("девятнадцат"),
	}
	tens = [10]forms{
		2: soft("двадцат"), 3: soft("тридцат"),
		4: {"сорок", "сорока", "сорока", "сорок", "сорока", "сорока"},
		5: {"пятьдесят", "пятидесяти", "пятидесяти", "пятьдесят", "пятьюдесятью", "пятидесяти"},
		6: {"шестьдесят", "шестидесяти", "шестидесяти", "шестьдесят", "шестьюдесятью", "шестидесяти"},
		7: {"семьдесят", "семидесяти", "семидесяти", "семьдесят", "семьюдесятью", "семидесяти"},
		8: {"восемьдесят", "восьмидесяти", "восьмидесяти", "восемьдесят", "восемьюдесятью", "восьмидесяти"},
		9: {"девяносто", "девяноста", "девяноста", "девяносто", "девяноста", "девяноста"},
	}
	hundreds = [10]forms{
		1: {"сто", "ста", "ста", "сто", "ста", "ста"},
		2: {"двести", "двухсот", "двумстам", "двести", "двумястами", "двухстах"},
		3: {"триста", "трёхсот", "трёмстам", "триста", "тремястами", "трёхстах"},
		4: {"четыреста", "четырёхсот", "четырёмстам", "четыреста", "четырьмястами", "четырёхстах"},
		5: {"пятьсот", "пятисот", "пятистам", "пятьсот", "пятьюстами", "пятистах"},
		6: {"шестьсот", "шестисот", "шестистам", "шестьсот", "шестьюстами", "шестистах"},
		7: {"семьсот", "семисот", "семистам", "семьсот", "семьюстами", "семистах"},
		8: {"восемьсот", "восьмисот", "восьмистам", "восемьсот", "восемьюстами", "восьмистах"},
		9: {"девятьсот", "девятисот", "девятистам", "девятьсот", "девятьюстами", "девятистах"},
	}
	thousand = noun{Feminine, forms{"тысяча", "тысячи", "тысяче", "тысячу", "тысячей", "тысяче"}, forms{"тысячи", "тысяч", "тысячам", "тысячи", "тысячами", "тысячах"}}
	scales   = [5]noun{1: thousand, 2: masculine("миллион"), 3: masculine("миллиард"), 4: masculine("триллион")}
)

// masculine declines a noun as миллион.
func masculine(stem string) noun {
	return noun{Masculine, forms{stem, stem + "а", stem + "у", stem, stem + "ом", stem + "е"}, forms{stem + "ы", stem + "ов", stem + "ам", stem + "ы", stem + "ами", stem + "ах"}}
}

// maxNumber is the first number that has no words.
const maxNumber = 1_000_000_000_000_000

// russianCardinal is a number in a gender and a case: двадцать одна, двадцатью одной.
// n is below maxNumber.
func russianCardinal(n int64, g Gender, c Case) string {
	if n < 0 {
		return "минус " + russianCardinal(-n, g, c)
	}
	if n == 0 {
		return zero[c]
	}
	var parts []string
	for k, unit := len(scales)-1, int64(maxNumber/1000); k >= 0; k, unit = k-1, unit/1000 {
		group := n / unit % 1000
		switch {
		case group == 0:
		case k == 0:
			parts = russianGroup(parts, group, g, c)
		default:
			parts = append(russianGroup(parts, group, scales[k].gender, c), scales[k].with(group, c))
		}
	}
	return strings.Join(parts, " ")
}

// russianGroup appends a number of 1 to 999.
func russianGroup(parts []string, n int64, g Gender, c Case) []string {
	if n >= 100 {
		parts = append(parts, hundreds[n/100][c])
	}
	if n %= 100; n >= 20 {
		parts = append(parts, tens[n/10][c])
		n %= 10
	}
	switch n {
	case 0:
		return parts
	case 1:
		return append(parts, ones[g][c])
	case 2:
		return append(parts, twos[g][c])
	}
	return append(parts, small[n][c])
}

// Endings of ordinals, which are adjectives, by gender and case.
var (
	endings = [3]forms{{"ый", "ого", "ому", "ый", "ым", "ом"}, {"ая", "ой", "ой", "ую", "ой", "ой"}, {"ое", "ого", "ому", "ое", "ым", "ом"}}
	thirds  = [3]forms{{"третий", "третьего", "третьему", "третий", "третьим", "третьем"}, {"третья", "третьей", "третьей", "третью", "третьей", "третьей"}, {"третье", "третьего", "третьему", "третье", "третьим", "третьем"}}
)

// stems of ordinals. Those in stressed end in -ой.
var (
	stems = map[int64]string{0: "нулев", 1: "перв", 2: "втор", 4: "четвёрт", 5: "пят", 6: "шест", 7: "седьм", 8: "восьм", 9: "девят", 10: "десят",
		11: "одиннадцат", 12: "двенадцат", 13: "тринадцат", 14: "четырнадцат", 15: "пятнадцат", 16: "шестнадцат", 17: "семнадцат", 18: "восемнадцат", 19: "девятнадцат",
		20: "двадцат", 30: "тридцат", 40: "сороков", 50: "пятидесят", 60: "шестидесят", 70: "семидесят", 80: "восьмидесят", 90: "девяност",
		100: "сот", 200: "двухсот", 300: "трёхсот", 400: "четырёхсот", 500: "пятисот", 600: "шестисот", 700: "семисот", 800: "восьмисот", 900: "девятисот"}
	stressed   = map[int64]bool{0: true, 2: true, 6: true, 7: true, 8: true, 40: true}
	scaleStems = [5]string{1: "тысячн", 2: "миллионн", 3: "миллиардн", 4: "триллионн"}
)

// russianOrdinal is an ordinal number: двадцать второго. n is from 0 and below
// maxNumber.
func russianOrdinal(n int64, g Gender, c Case) string {
	last := lastOrdinal(n)
	before := ""
	if n > last {
		before = russianCardinal(n-last, Masculine, Nominative) + " "
		if n/1000 == 1 { // тысяча девятьсот, as years are read
			before = strings.TrimPrefix(before, "одна ")
		}
	}
	if last == 3 {
		return before + thirds[g][c]
	}
	stem, ok := stems[last]
	if !ok {
		stem = scaleOrdinal(last)
	}
	ending := endings[g][c]
	if stressed[last] && ending == "ый" {
		ending = "ой"
	}
	return before + stem + ending
}

// lastOrdinal is the part of a number that is declined in its ordinal.
func lastOrdinal(n int64) int64 {
	for unit := int64(1); ; unit *= 1000 {
		group := n / unit % 1000
		switch {
		case n == 0:
			return 0
		case group == 0:
			continue
		case unit > 1:
			return group * unit
		case group%100 == 0:
			return group
		case group%100 < 20:
			return group % 100
		case group%10 == 0:
			return group % 100
		}
		return group % 10
	}
}

// scaleOrdinal is the stem of 2000, 40000 and so on: двухтысячн, сорокатысячн.
func scaleOrdinal(n int64) string {
	k := 0
	for ; n%1000 == 0; k++ {
		n /= 1000
	}
	if n == 1 {
		return scaleStems[k]
	}
	var b strings.Builder
	if h := n / 100; h == 1 {
		b.WriteString("сто")
	} else if h > 1 {
		b.WriteString(hundreds[h][Genitive])
	}
	if n %= 100; n >= 20 {
		if n/10 == 9 {
			b.WriteString("девяносто")
		} else {
			b.WriteString(tens[n/10][Genitive])
		}
		n %= 10
	}
	switch n {
	case 0:
	case 1:
		b.WriteString("одно")
	case 2:
		b.WriteString("двух")
	default:
		b.WriteString(small[n][Genitive])
	}
	return b.String() + scaleStems[k]
}
