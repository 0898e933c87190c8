package words

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of texts, in characters.
const (
	MaxText  = 2000
	MaxValue = 200
	maxName  = 40
	maxParts = 100
)

// Language is a language by its code. Other languages than the two are kept, but no
// words are made of values.
type Language string

// The languages that values are read in.
const (
	Russian Language = "ru"
	English Language = "en"
)

// Base is the language of a tag such as ru-RU.
func Base(tag string) Language {
	base, _, _ := strings.Cut(tag, "-")
	return Language(strings.ToLower(base))
}

// Template is a text with variables. Its zero value is the empty text.
type Template struct {
	parts []part
}

// part is literal text, or the variable name in a form.
type part struct {
	text, name string
	form       form
}

// form is how a value is read.
type form struct {
	kind     string
	currency string
	gender   Gender
	case_    Case
	nouns    []string // of count: one, few, many
}

// kinds of forms, and those that variables have which are called so.
var (
	kinds = []string{"text", "number", "ordinal", "count", "money", "date", "time", "year", "phone", "digits"}
	named = map[string]string{"number": "phone", "money": "money", "date": "date", "time": "time", "year": "year", "phone": "phone"}
)

var (
	genders = map[string]Gender{"m": Masculine, "f": Feminine, "n": Neuter}
	cases   = map[string]Case{"nom": Nominative, "gen": Genitive, "dat": Dative, "acc": Accusative, "ins": Instrumental, "pre": Prepositional}
)

// Parse reads a text. {{ and }} stand for braces. The error says in a sentence what is
// wrong.
func Parse(text string) (Template, error) {
	var t Template
	switch {
	case !utf8.ValidString(text):
		return t, fmt.Errorf("the text is not UTF-8")
	case utf8.RuneCountInString(text) > MaxText:
		return t, fmt.Errorf("the text is longer than %d characters", MaxText)
	}
	var literal strings.Builder
	for text != "" {
		at := strings.IndexAny(text, "{}")
		if at < 0 {
			at = len(text)
		}
		literal.WriteString(text[:at])
		text = text[at:]
		switch {
		case text == "":
		case strings.HasPrefix(text, "{{"), strings.HasPrefix(text, "}}"):
			literal.WriteByte(text[0])
			text = text[2:]
		case text[0] == '}':
			return Template{}, fmt.Errorf("} without {; write }} for a brace")
		default:
			inside, rest, closed := strings.Cut(text[1:], "}")
			if !closed {
				return Template{}, fmt.Errorf("{ without }; write {{ for a brace")
			}
			p, err := variable(inside)
			if err != nil {
				return Template{}, err
			}
			t.parts = append(t.parts, part{text: literal.String()}, p)
			literal.Reset()
			text = rest
		}
		if len(t.parts) > maxParts {
			return Template{}, fmt.Errorf("more than %d variables", maxParts/2)
		}
	}
	t.parts = append(t.parts, part{text: literal.String()})
	return t, nil
}

// variable reads what stands between braces.
func variable(inside string) (part, error) {
	fields := strings.Split(inside, ":")
	name := fields[0]
	odd := func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' && r != '-' }
	if name == "" || utf8.RuneCountInString(name) > maxName || strings.ContainsFunc(name, odd) {
		return part{}, fmt.Errorf("{%.40s}: a variable is letters, digits, _ and -, %d at most", inside, maxName)
	}
	p := part{name: name, form: form{kind: named[name]}}
	if p.form.kind == "" {
		p.form.kind = "text"
	}
	fields = fields[1:]
	if len(fields) > 0 {
		p.form.kind, fields = fields[0], fields[1:]
	}
	if !slices.Contains(kinds, p.form.kind) {
		return part{}, fmt.Errorf("{%.40s}: %.20q is none of %s", inside, p.form.kind, strings.Join(kinds, ", "))
	}
	if p.form.kind == "date" || p.form.kind == "year" {
		p.form.case_ = Genitive // of when something happens
	}
	for _, f := range fields {
		if !p.form.set(f) {
			return part{}, fmt.Errorf("{%.40s}: %.40q does not go with %s", inside, f, p.form.kind)
		}
	}
	if p.form.kind == "count" && p.form.nouns == nil {
		return part{}, fmt.Errorf("{%.40s}: count needs its words, such as count:день|дня|дней", inside)
	}
	return p, nil
}

// set takes what stands behind the kind of a form.
func (f *form) set(arg string) bool {
	g, isGender := genders[arg]
	c, isCase := cases[arg]
	_, isCurrency := currencies[arg]
	nouns := strings.Split(arg, "|")
	switch {
	case isCase && slices.Contains([]string{"number", "ordinal", "money", "date", "time", "year"}, f.kind):
		f.case_ = c
	case isGender && slices.Contains([]string{"number", "ordinal", "count"}, f.kind):
		f.gender = g
	case isCurrency && f.kind == "money":
		f.currency = arg
	case f.kind == "count" && (len(nouns) == 2 || len(nouns) == 3) && f.nouns == nil:
		f.nouns = nouns
	default:
		return false
	}
	return true
}

// Variables lists the names of the variables, each once, in their order.
func (t Template) Variables() []string {
	var names []string
	for _, p := range t.parts {
		if p.name != "" && !slices.Contains(names, p.name) {
			names = append(names, p.name)
		}
	}
	return names
}

// Say gives the text with its values in words. money is the currency of amounts that
// name none. The error names the variable that has no value, or one that is not of its
// form.
func (t Template) Say(l Language, money string, value func(name string) (string, bool)) (string, error) {
	var b strings.Builder
	for _, p := range t.parts {
		b.WriteString(p.text)
		if p.name == "" {
			continue
		}
		v, ok := value(p.name)
		if !ok {
			return "", fmt.Errorf("{%s} has no value", p.name)
		}
		spoken, err := p.form.read(v, l, money)
		if err != nil {
			return "", fmt.Errorf("{%s}: %w", p.name, err)
		}
		b.WriteString(spoken)
	}
	return clean(b.String()), nil
}

// read gives a value in words.
func (f form) read(value string, l Language, money string) (string, error) {
	value = clean(value)
	if utf8.RuneCountInString(value) > MaxValue {
		return "", fmt.Errorf("the value is longer than %d characters", MaxValue)
	}
	if f.kind == "text" || l != Russian && l != English {
		return value, nil
	}
	switch f.kind {
	case "number":
		return number(value, l, f.gender, f.case_)
	case "ordinal":
		n, err := whole(value, 0)
		if err != nil {
			return "", err
		}
		if l == Russian {
			return russianOrdinal(n, f.gender, f.case_), nil
		}
		return englishOrdinal(n), nil
	case "count":
		return f.count(value, l)
	case "money":
		if f.currency != "" {
			money = f.currency
		}
		a, err := parseMoney(value, money)
		if err != nil {
			return "", err
		}
		if _, ok := currencies[a.code]; !ok {
			return "", fmt.Errorf("%.40q names no currency that is known", value)
		}
		return a.say(l, f.case_), nil
	case "date":
		return date(value, l, f.case_)
	case "time":
		return clock(value, l, f.case_)
	case "year":
		return year(value, l, f.case_)
	}
	digits, err := dialable(value)
	if err != nil {
		return "", err
	}
	if f.kind == "phone" {
		digits = groups(digits)
	}
	return spell(digits, l), nil
}

// count reads a number with what is counted.
func (f form) count(value string, l Language) (string, error) {
	n, err := whole(value, 0)
	if err != nil {
		return "", err
	}
	if l != Russian {
		word := f.nouns[1]
		if n == 1 {
			word = f.nouns[0]
		}
		return englishCardinal(n) + " " + word, nil
	}
	many := f.nouns[len(f.nouns)-1]
	w := noun{singular: forms{Nominative: f.nouns[0], Genitive: f.nouns[1]}, plural: forms{Genitive: many}}
	return russianCardinal(n, f.gender, Nominative) + " " + w.with(n, Nominative), nil
}

// clean makes one line of a text, without what cannot be spoken.
func clean(text string) string {
	return strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == utf8.RuneError {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, " "))), " ")
}
