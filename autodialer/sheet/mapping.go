package sheet

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Mapping says which column is which: by its header, without regard to case, or by its
// number from 1. A zero mapping is found, by the words in the header and by where the
// telephone numbers are.
type Mapping struct {
	Phones        []string `json:"phones,omitempty"` // at most 5, in the order in which they are dialled
	Name          string   `json:"name,omitempty"`
	ID            string   `json:"id,omitempty"`
	Zone          string   `json:"zone,omitempty"`
	ConsentSource string   `json:"consent_source,omitempty"`
	ConsentText   string   `json:"consent_text,omitempty"`
	ConsentAt     string   `json:"consent_at,omitempty"`
	Priority      string   `json:"priority,omitempty"`
	// Variables are columns by the name that they have in texts; nil: all columns that
	// are nothing else, by their headers.
	Variables map[string]string `json:"variables,omitempty"`
}

// maxVariable is how long the name of a variable may be in a text, in characters.
const maxVariable = 40

// wanted are the columns of a mapping that are one each, by their use.
func (m Mapping) wanted() map[Use]string {
	return map[Use]string{
		UseName: m.Name, UseID: m.ID, UseZone: m.Zone, UsePriority: m.Priority,
		UseConsentSource: m.ConsentSource, UseConsentText: m.ConsentText, UseConsentAt: m.ConsentAt,
	}
}

// uses are those that wanted has, in the order in which mistakes are told.
var uses = []Use{UseName, UseID, UseZone, UseConsentSource, UseConsentText, UseConsentAt, UsePriority}

// zero tells whether everything is to be found.
func (m Mapping) zero() bool {
	for _, c := range m.wanted() {
		if c != "" {
			return false
		}
	}
	return len(m.Phones) == 0 && len(m.Variables) == 0
}

// headers are the usual ones, in the form that plainHeader gives. Those that come first
// are taken first.
var headers = map[Use][]string{
	UsePhone: {
		"телефон", "номер телефона", "телефон клиента", "контактный телефон", "мобильный телефон", "мобильный", "мобильный номер", "телефон мобильный",
		"сотовый телефон", "сотовый", "рабочий телефон", "телефон рабочий", "домашний телефон", "телефон домашний", "телефоны", "тел", "моб тел",
		"phone", "phone number", "telephone", "telephone number", "mobile", "mobile phone", "mobile number", "cell", "cell phone", "cellphone",
		"work phone", "home phone", "contact phone", "phones", "tel", "msisdn",
	},
	UseName: {
		"фио", "ф и о", "фамилия имя отчество", "имя клиента", "фамилия имя", "имя фамилия", "имя", "клиент", "абонент", "контактное лицо", "контакт", "должник", "получатель",
		"full name", "fullname", "client name", "customer name", "contact name", "name", "first name", "client", "customer", "contact",
	},
	UseID: {
		"id", "ид", "идентификатор", "id клиента", "ид клиента", "код клиента", "client id", "customer id", "contact id", "external id", "uid", "crm id",
	},
	UseZone:          {"часовой пояс", "пояс", "часовая зона", "временная зона", "таймзона", "timezone", "time zone", "zone", "tz", "utc", "utc offset"},
	UseConsentSource: {"consent source", "источник согласия"},
	UseConsentText:   {"consent text", "текст согласия"},
	UseConsentAt:     {"consent at", "consent date", "consent time", "дата согласия", "дата и время согласия", "время согласия"},
	UsePriority:      {"priority", "приоритет"},
}

var counted = regexp.MustCompile(`\s*\d+$`)

// plainHeader is a header without case, punctuation and the number behind it.
func plainHeader(header string) string {
	text := strings.Map(func(r rune) rune {
		switch {
		case r == 'ё' || r == 'Ё':
			return 'е'
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return ' '
	}, header)
	return strings.Join(strings.Fields(counted.ReplaceAllString(text, "")), " ")
}

// usual gives the use that a header usually has, and how early its word comes.
func usual(header string) (Use, int) {
	text := plainHeader(header)
	for _, use := range append([]Use{UsePhone}, uses...) {
		if i := slices.Index(headers[use], text); i >= 0 {
			return use, i
		}
	}
	return "", 0
}

// layout is a list's mapping, ready to be used.
type layout struct {
	columns []Column
	used    []bool // by column: something is read from it
	phones  []int  // columns from 0
	single  map[Use]int
}

// findLayout makes a layout of what the beginning of the list shows.
func findLayout(m Mapping, h head) (*layout, error) {
	l := &layout{single: map[Use]int{}}
	for i := range h.width() {
		c := Column{Number: i + 1, Use: UseNothing}
		if h.header != nil && i < len(h.header.cells) {
			c.Header = oneLine(h.header.cells[i])
		}
		l.columns = append(l.columns, c)
	}
	if m.zero() {
		return l, l.find(h, m.Variables == nil)
	}
	return l, l.take(m)
}

// find says of itself which column is which.
func (l *layout) find(h head, variables bool) error {
	best := map[Use]int{}
	for i, c := range l.columns {
		use, rank := usual(c.Header)
		switch {
		case use == "":
		case use == UsePhone:
			l.addPhone(i)
		default:
			if last, taken := best[use]; !taken || rank < last {
				best[use], l.single[use] = rank, i
			}
		}
	}
	if len(l.phones) == 0 {
		for _, i := range h.phoneColumns() {
			if l.useOf(i) == "" {
				l.addPhone(i)
			}
		}
	}
	if len(l.phones) == 0 {
		return invalid("mapping.phones", "no column of telephone numbers was found: say which one it is, by its header or its number (%s)", l.list())
	}
	for use, i := range l.single {
		l.columns[i].Use = use
	}
	if variables {
		l.others(UseName)
	}
	l.mark()
	return nil
}

func (l *layout) addPhone(i int) {
	if len(l.phones) < maxPhones {
		l.phones = append(l.phones, i)
		l.columns[i].Use = UsePhone
	}
}

// useOf gives the use for which find chose a column.
func (l *layout) useOf(column int) Use {
	for use, i := range l.single {
		if i == column {
			return use
		}
	}
	return ""
}

// take follows a mapping that was given.
func (l *layout) take(m Mapping) error {
	switch {
	case len(m.Phones) == 0:
		return invalid("mapping.phones", "the mapping names no column of telephone numbers")
	case len(m.Phones) > maxPhones:
		return invalid("mapping.phones", "the mapping has %d columns of telephone numbers: at most %d", len(m.Phones), maxPhones)
	}
	for n, ref := range m.Phones {
		i, err := l.column(fmt.Sprintf("mapping.phones[%d]", n), ref)
		if err != nil {
			return err
		}
		if slices.Contains(l.phones, i) {
			return invalid(fmt.Sprintf("mapping.phones[%d]", n), "column %s is named twice", l.columns[i].label())
		}
		l.addPhone(i)
	}
	wanted := m.wanted()
	for _, use := range uses {
		if wanted[use] == "" {
			continue
		}
		i, err := l.column("mapping."+string(use), wanted[use])
		if err != nil {
			return err
		}
		l.single[use] = i
		if l.columns[i].Use == UseNothing {
			l.columns[i].Use = use
		}
	}
	if m.Variables == nil {
		l.others("")
	}
	for name, ref := range m.Variables {
		i, err := l.column("mapping.variables."+short(name), ref)
		switch {
		case err != nil:
			return err
		case name == "" || name != variable(name):
			return invalid("mapping.variables."+short(name), "%q cannot stand in a text: a variable is letters, digits, _ and -, %d at most", short(name), maxVariable)
		case l.columns[i].Variable != "":
			return invalid("mapping.variables."+short(name), "column %s is already the variable %s", l.columns[i].label(), l.columns[i].Variable)
		}
		l.columns[i].Variable = name
		if l.columns[i].Use == UseNothing {
			l.columns[i].Use = UseVariable
		}
	}
	l.mark()
	return nil
}

// column finds what a mapping names.
func (l *layout) column(field, ref string) (int, error) {
	var found []int
	for i, c := range l.columns {
		if c.Header != "" && same(c.Header, ref) {
			found = append(found, i)
		}
	}
	n, err := strconv.Atoi(strings.TrimSpace(ref))
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return 0, invalid(field, "the list has %d columns %q: name one by its number", len(found), short(ref))
	case err == nil && n >= 1 && n <= len(l.columns):
		return n - 1, nil
	}
	return 0, invalid(field, "the list has no column %q: it has %s", short(ref), l.list())
}

// same compares headers as people do.
func same(a, b string) bool {
	fold := strings.NewReplacer("ё", "е", "Ё", "Е")
	return strings.EqualFold(fold.Replace(oneLine(a)), fold.Replace(oneLine(b)))
}

// list names the columns there are.
func (l *layout) list() string {
	var names []string
	for _, c := range l.columns {
		names = append(names, c.label())
	}
	if len(names) > 20 {
		names = append(names[:20], "…")
	}
	return strings.Join(names, ", ")
}

// others makes variables of the columns that are nothing else, and of those of a use.
func (l *layout) others(also Use) {
	taken := map[string]bool{}
	for i := range l.columns {
		c := &l.columns[i]
		if c.Use != UseNothing && c.Use != also {
			continue
		}
		name := variable(c.Header)
		if name == "" && c.Use == also {
			continue
		}
		if name == "" {
			name = fmt.Sprintf("column_%d", c.Number)
		}
		for base, n := name, 2; taken[name]; n++ {
			end := fmt.Sprintf("_%d", n)
			runes := []rune(base)
			name = string(runes[:min(len(runes), maxVariable-len(end))]) + end
		}
		taken[name] = true
		c.Variable = name
		if c.Use == UseNothing {
			c.Use = UseVariable
		}
	}
}

// variable makes a name of a header that can stand in a text: package words allows
// letters, digits, _ and -.
func variable(header string) string {
	name := strings.Join(strings.FieldsFunc(header, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' && r != '-'
	}), "_")
	runes := []rune(name)
	return string(runes[:min(len(runes), maxVariable)])
}

// mark notes which columns are read.
func (l *layout) mark() {
	for _, c := range l.columns {
		l.used = append(l.used, c.Use != UseNothing)
	}
}

// label names a column of a row.
func (l *layout) label(column int) string {
	if column < len(l.columns) {
		return l.columns[column].label()
	}
	return fmt.Sprintf("column %d", column+1)
}
