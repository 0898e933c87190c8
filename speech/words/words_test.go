package words

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestSay(t *testing.T) {
	tests := []struct {
		language Language
		text     string
		value    string
		want     string
	}{
		// money
		{Russian, "{v:money}", "1", "один рубль"},
		{Russian, "{v:money}", "2", "два рубля"},
		{Russian, "{v:money}", "5", "пять рублей"},
		{Russian, "{v:money}", "11", "одиннадцать рублей"},
		{Russian, "{v:money}", "21", "двадцать один рубль"},
		{Russian, "{v:money}", "112.01", "сто двенадцать рублей одна копейка"},
		{Russian, "{v:money}", "1 234,50 ₽", "одна тысяча двести тридцать четыре рубля пятьдесят копеек"},
		{Russian, "{v:money}", "0.22", "двадцать две копейки"},
		{Russian, "{v:money}", "0", "ноль рублей"},
		{Russian, "{v:money}", "-3", "минус три рубля"},
		{Russian, "{v:money:gen}", "21.02", "двадцати одного рубля двух копеек"},
		{Russian, "{v:money:acc}", "1.01", "один рубль одну копейку"},
		{Russian, "{v:money:ins}", "1002", "одной тысячей двумя рублями"},
		{Russian, "{v:money:USD}", "2002", "две тысячи два доллара"},
		{Russian, "{v:money}", "22 EUR", "двадцать два евро"},
		{Russian, "{v:money:KZT}", "5", "пять тенге"},
		{Russian, "{v:money:BYN}", "2", "два белорусских рубля"},
		{Russian, "{money}", "40", "сорок рублей"},
		{English, "{v:money}", "1.01", "one ruble and one kopeck"},
		{English, "{v:money}", "$1234.5", "one thousand two hundred thirty-four dollars and fifty cents"},
		{English, "{v:money:GBP}", "0.05", "five pence"},
		// numbers
		{Russian, "{v:number}", "0", "ноль"},
		{Russian, "{v:number:f}", "1001", "одна тысяча одна"},
		{Russian, "{v:number:n}", "1", "одно"},
		{Russian, "{v:number}", "999999999999999", "девятьсот девяносто девять триллионов девятьсот девяносто девять миллиардов девятьсот девяносто девять миллионов девятьсот девяносто девять тысяч девятьсот девяносто девять"},
		{Russian, "{v:number:pre}", "542", "пятистах сорока двух"},
		{Russian, "{v:number:dat}", "2000000", "двум миллионам"},
		{Russian, "{v:number}", "3,5", "три целых пять десятых"},
		{Russian, "{v:number}", "-0.21", "минус ноль целых двадцать одна сотая"},
		{Russian, "{v:number}", "-12", "минус двенадцать"},
		{English, "{v:number}", "1000019", "one million nineteen"},
		{English, "{v:number}", "3.05", "three point zero five"},
		// counted things
		{Russian, "{v:count:день|дня|дней}", "21", "двадцать один день"},
		{Russian, "{v:count:минута|минуты|минут:f}", "42", "сорок две минуты"},
		{Russian, "{v:count:заявка|заявки|заявок:f}", "0", "ноль заявок"},
		{English, "{v:count:day|days}", "1", "one day"},
		{English, "{v:count:day|days}", "11", "eleven days"},
		// ordinals
		{Russian, "{v:ordinal}", "1", "первый"},
		{Russian, "{v:ordinal:f}", "3", "третья"},
		{Russian, "{v:ordinal:m:gen}", "42", "сорок второго"},
		{Russian, "{v:ordinal:n:dat}", "40", "сороковому"},
		{Russian, "{v:ordinal}", "112", "сто двенадцатый"},
		{Russian, "{v:ordinal}", "2000", "двухтысячный"},
		{Russian, "{v:ordinal}", "21000", "двадцатиоднотысячный"},
		{Russian, "{v:ordinal}", "90000000", "девяностомиллионный"},
		{Russian, "{v:ordinal}", "1300", "тысяча трёхсотый"},
		{Russian, "{v:ordinal:f:acc}", "7", "седьмую"},
		{English, "{v:ordinal}", "22", "twenty-second"},
		{English, "{v:ordinal}", "100", "one hundredth"},
		{English, "{v:ordinal}", "30", "thirtieth"},
		// dates, times and years
		{Russian, "{date}", "2026-11-22", "двадцать второго ноября две тысячи двадцать шестого года"},
		{Russian, "{v:date:nom}", "03.01.2000", "третье января двухтысячного года"},
		{Russian, "{v:date}", "1985-05-09", "девятого мая тысяча девятьсот восемьдесят пятого года"},
		{English, "{date}", "2026-11-22", "November twenty-second, twenty twenty-six"},
		{English, "{date}", "2005-03-01", "March first, two thousand five"},
		{Russian, "{time}", "14:00", "четырнадцать часов ровно"},
		{Russian, "{time}", "21:22", "двадцать один час двадцать две минуты"},
		{Russian, "{v:time:gen}", "2:01", "двух часов одной минуты"},
		{Russian, "{time}", "2026-11-22T09:05:00+03:00", "девять часов пять минут"},
		{English, "{time}", "00:00", "midnight"},
		{English, "{time}", "12:30", "twelve thirty p.m."},
		{English, "{time}", "14:05", "two oh five p.m."},
		{English, "{time}", "09:00", "nine a.m."},
		{Russian, "{v:year}", "1941", "тысяча девятьсот сорок первого"},
		{English, "{v:year}", "1905", "nineteen oh five"},
		{English, "{v:year}", "1900", "nineteen hundred"},
		{English, "{v:year}", "2000", "two thousand"},
		// telephone numbers
		{Russian, "{number}", "+74951234567", "плюс семь, четыре девять пять, один два три, четыре пять, шесть семь"},
		{Russian, "{number}", "102", "один ноль два"},
		{Russian, "{v:phone}", "8 (800) 555-35-35", "восемь, восемь ноль ноль, пять пять пять, три пять, три пять"},
		{Russian, "{v:phone}", "1234567", "один два три, четыре пять, шесть семь"},
		{English, "{number}", "+12125550123", "plus one, two one two, five five five, zero one two three"},
		{Russian, "{v:digits}", "*72", "звёздочка семь два"},
		// text, braces and other languages
		{Russian, "Здравствуйте, {name}!", "Анна\n\x07 Петрова", "Здравствуйте, Анна Петрова!"},
		{Russian, "{{скобки}} {name}", "и", "{скобки} и"},
		{Language("de"), "Sie schulden {v:money}", "12 EUR", "Sie schulden 12 EUR"},
	}
	for _, tt := range tests {
		tmpl, err := Parse(tt.text)
		if err != nil {
			t.Errorf("%q: %v", tt.text, err)
			continue
		}
		got, err := tmpl.Say(tt.language, "RUB", func(string) (string, bool) { return tt.value, true })
		if err != nil || got != tt.want {
			t.Errorf("%s %q of %q: %q, %v; want %q", tt.language, tt.text, tt.value, got, err, tt.want)
		}
	}
}

func TestMistakes(t *testing.T) {
	for text, want := range map[string]string{
		"Баланс {money":                 "{ without }",
		"Баланс }":                      "} without {",
		"{}":                            "a variable is",
		"{a b}":                         "a variable is",
		"{v:sum}":                       "is none of",
		"{v:money:XXX}":                 "does not go with money",
		"{v:date:f}":                    "does not go with date",
		"{v:count}":                     "needs its words",
		"{v:count:a}":                   "does not go with count",
		strings.Repeat("a", MaxText+1):  "longer than",
		strings.Repeat("{a}", maxParts): "more than",
		"\xff":                          "UTF-8",
	} {
		if _, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %q", text, err, want)
		}
	}
}

// TestWrongValues: nobody is told a wrong amount.
func TestWrongValues(t *testing.T) {
	for _, tt := range []struct{ text, value string }{
		{"{v:money}", "много"}, {"{v:money}", ""}, {"{v:money}", "12.345"}, {"{v:money}", "12 XYZ"}, {"{v:money}", "1.2.3"}, {"{v:money}", "9999999999999999"},
		{"{v:number}", "1e5"}, {"{v:number}", "0x10"}, {"{v:number}", "1.2345"}, {"{v:number}", "--1"}, {"{v:number}", "+-1"},
		{"{v:ordinal}", "-1"}, {"{v:ordinal}", "1.5"}, {"{v:count:a|b|c}", "-2"},
		{"{v:date}", "22/11/2026"}, {"{v:date}", "2026-02-30"}, {"{v:time}", "25:00"}, {"{v:year}", "0"}, {"{v:year}", "99999"},
		{"{v:phone}", "вызов"}, {"{v:phone}", "+"}, {"{v:digits}", "12a"}, {"{v}", strings.Repeat("я", MaxValue+1)},
	} {
		tmpl, err := Parse(tt.text)
		if err != nil {
			t.Fatalf("%q: %v", tt.text, err)
		}
		if got, err := tmpl.Say(Russian, "RUB", func(string) (string, bool) { return tt.value, true }); err == nil {
			t.Errorf("%s of %.20q is %q", tt.text, tt.value, got)
		}
	}
	tmpl, _ := Parse("Долг {debt:money}")
	if _, err := tmpl.Say(Russian, "RUB", func(string) (string, bool) { return "", false }); err == nil || !strings.Contains(err.Error(), "{debt} has no value") {
		t.Errorf("a variable without a value: %v", err)
	}
	if got := tmpl.Variables(); len(got) != 1 || got[0] != "debt" {
		t.Errorf("variables %v", got)
	}
}

// TestEveryNumber walks all small numbers through every form: each has its words.
func TestEveryNumber(t *testing.T) {
	for n := int64(0); n < 3000; n++ {
		for g := Masculine; g <= Neuter; g++ {
			for c := Nominative; c <= Prepositional; c++ {
				for _, text := range []string{russianCardinal(n, g, c), russianOrdinal(n, g, c)} {
					if text == "" || strings.Contains(text, "  ") || strings.TrimSpace(text) != text {
						t.Fatalf("%d in gender %d, case %d: %q", n, g, c, text)
					}
				}
			}
		}
		if text := englishOrdinal(n); strings.Contains(text, "  ") {
			t.Fatalf("%d: %q", n, text)
		}
	}
}

func FuzzSay(f *testing.F) {
	f.Add("Долг {v:money:RUB:gen}, до {v:date}", "1 234,50 ₽")
	f.Add("{number} {v:count:a|b|c} {{", "+7 495 123-45-67")
	f.Add("{time}{v:ordinal:f:acc}", "23:59")
	f.Fuzz(func(t *testing.T, text, value string) {
		tmpl, err := Parse(text)
		if err != nil {
			return
		}
		for _, l := range []Language{Russian, English, "de"} {
			got, err := tmpl.Say(l, "RUB", func(string) (string, bool) { return value, true })
			if err != nil {
				continue
			}
			if !utf8.ValidString(got) || strings.ContainsAny(got, "\x00\n\r") {
				t.Errorf("%q of %q: %q", text, value, got)
			}
			if utf8.RuneCountInString(got) > MaxText+maxParts*20*MaxValue {
				t.Errorf("%q grows to %d characters", text, utf8.RuneCountInString(got))
			}
		}
	})
}
