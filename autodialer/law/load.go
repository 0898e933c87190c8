package law

import (
	"cmp"
	"embed"
	"fmt"
	"slices"
	"sync"

	"vpbx/internal/strict"
	"vpbx/pbx"
)

//go:embed data/*.yaml
var data embed.FS

// Set are the rules of a country, or of several.
type Set struct {
	Name      string   `yaml:"set" json:"name"`
	Countries []string `yaml:"countries" json:"countries,omitempty"` // ISO codes; none: all
	Rules     []Rule   `yaml:"rules" json:"rules"`
}

// days are one or several dates, written as [pbx.ParseDates] reads them.
type days struct{ first, last pbx.Date }

// UnmarshalText reads what [pbx.ParseDates] reads.
func (d *days) UnmarshalText(text []byte) error {
	var err error
	d.first, d.last, err = pbx.ParseDates(string(text))
	return err
}

// calendar has the holidays of a country; of assumed ones it is not certain that there
// will be any.
type calendar struct {
	Country string `yaml:"country"`
	Source  string `yaml:"source"`
	Decreed []days `yaml:"decreed"`
	Assumed []days `yaml:"assumed"`
}

// calendars are known for a span of dates.
type calendars struct {
	First pbx.Date   `yaml:"first"`
	Last  pbx.Date   `yaml:"last"`
	List  []calendar `yaml:"calendars"`
}

// Law is all the rules. It is safe for use by several goroutines.
type Law struct {
	sets     []Set
	of       map[string]int // place in sets by country
	holidays calendars
	byPlace  map[string]Terms // rules that hold in a country, of any kind and mode; "" for those without a set
}

// anywhere is the set that holds in all countries.
const anywhere = "ANY"

// Load reads the rules that are part of the program, once.
func Load() (*Law, error) { return loaded() }

var loaded = sync.OnceValues(loadAll)

func loadAll() (*Law, error) {
	var texts [][]byte
	for _, name := range []string{"ru", "us", "gb", "eu", "other"} {
		text, err := data.ReadFile("data/" + name + ".yaml")
		if err != nil {
			return nil, fmt.Errorf("read the rules of law: %w", err)
		}
		texts = append(texts, text)
	}
	holidays, err := data.ReadFile("data/holidays.yaml")
	if err != nil {
		return nil, fmt.Errorf("read the holidays: %w", err)
	}
	return read(texts, holidays)
}

// read makes a Law of the texts of its sets, that of all countries among them.
func read(texts [][]byte, holidays []byte) (*Law, error) {
	l := &Law{of: map[string]int{}, byPlace: map[string]Terms{}}
	for _, text := range texts {
		s, err := readSet(text)
		if err != nil {
			return nil, err
		}
		if err := l.add(s); err != nil {
			return nil, err
		}
	}
	if err := strict.Decode(holidays, &l.holidays).Err(); err != nil {
		return nil, fmt.Errorf("read the holidays: %w", err)
	}
	for i := range l.holidays.List {
		if err := l.holidays.check(i); err != nil {
			return nil, err
		}
	}
	l.byPlace[""] = l.place("", nil)
	for country, i := range l.of {
		l.byPlace[country] = l.place(country, &l.sets[i])
	}
	return l, nil
}

func readSet(text []byte) (Set, error) {
	var s Set
	if err := strict.Decode(text, &s).Err(); err != nil {
		return Set{}, fmt.Errorf("read rules of law: %w", err)
	}
	if s.Name == "" {
		return Set{}, fmt.Errorf("a set of rules without a name")
	}
	for i := range s.Rules {
		r := &s.Rules[i]
		if err := r.check(); err != nil {
			return Set{}, fmt.Errorf("set %.40s: %w", s.Name, err)
		}
		for _, c := range r.Countries {
			if !slices.Contains(s.Countries, c) {
				return Set{}, fmt.Errorf("rule %s: %.40q is no country of set %s", r.ID, c, s.Name)
			}
		}
		if (r.Elsewhere || len(r.Except) > 0) && s.Name != anywhere {
			return Set{}, fmt.Errorf("rule %s: only rules of set %s hold elsewhere", r.ID, anywhere)
		}
	}
	return s, nil
}

func (l *Law) add(s Set) error {
	if (s.Name == anywhere) != (len(s.Countries) == 0) {
		return fmt.Errorf("set %.40s: only %s, and it alone, is of no country", s.Name, anywhere)
	}
	for _, other := range l.sets {
		if other.Name == s.Name {
			return fmt.Errorf("set %.40s is there twice", s.Name)
		}
	}
	ids := map[string]bool{}
	for _, other := range append(slices.Clone(l.sets), s) {
		for _, r := range other.Rules {
			if ids[r.ID] {
				return fmt.Errorf("rule %s is there twice", r.ID)
			}
			ids[r.ID] = true
		}
	}
	for _, c := range s.Countries {
		if _, twice := l.of[c]; twice || pbx.ZonesOf(c) == nil {
			return fmt.Errorf("set %s: %.40q is no country, or one of another set", s.Name, c)
		}
		l.of[c] = len(l.sets)
	}
	l.sets = append(l.sets, s)
	return nil
}

func (c *calendars) check(i int) error {
	k := c.List[i]
	if pbx.ZonesOf(k.Country) == nil || k.Source == "" || c.Last.Compare(c.First) < 0 {
		return fmt.Errorf("holidays of %.40q: no such country, no source, or no time", k.Country)
	}
	for _, d := range append(slices.Clone(k.Decreed), k.Assumed...) {
		if d.first.Compare(c.First) < 0 || d.last.Compare(c.Last) > 0 {
			return fmt.Errorf("holidays of %s: %s is not between %s and %s", k.Country, d.first, c.First, c.Last)
		}
	}
	return nil
}

// of gives the holidays of a country, sorted, and whether it has a calendar.
func (c *calendars) of(country string) ([]days, bool) {
	for _, k := range c.List {
		if k.Country != country {
			continue
		}
		list := append(slices.Clone(k.Decreed), k.Assumed...)
		slices.SortFunc(list, func(a, b days) int { return a.first.Compare(b.first) })
		return list, true
	}
	return nil, false
}

// place gives the rules that hold in a country, with their hours as schedules.
func (l *Law) place(country string, set *Set) Terms {
	var terms Terms
	add := func(r *Rule) { terms = append(terms, Term{Rule: r, Schedule: l.schedule(r, country)}) }
	if set != nil {
		for i := range set.Rules {
			if r := &set.Rules[i]; len(r.Countries) == 0 || slices.Contains(r.Countries, country) {
				add(r)
			}
		}
	}
	for i := range l.sets {
		if l.sets[i].Name != anywhere {
			continue
		}
		for j := range l.sets[i].Rules {
			r := &l.sets[i].Rules[j]
			if r.Elsewhere && set != nil || set != nil && slices.Contains(r.Except, set.Name) {
				continue
			}
			add(r)
		}
	}
	return terms
}

// schedule makes a schedule of the hours of a rule, nil when it has none. Outside of the
// years of the calendar every day has the hours of a holiday, unless a holiday has none.
func (l *Law) schedule(r *Rule, country string) *pbx.Schedule {
	if r.Hours == nil {
		return nil
	}
	s := &pbx.Schedule{Name: r.ID, Hours: r.Hours.Week}
	holidays, known := l.holidays.of(country)
	if !known || len(r.Hours.Holidays) == 0 && !r.Hours.Closed {
		return s
	}
	if len(r.Hours.Holidays) > 0 {
		before := days{pbx.Date{Year: 1, Month: 1, Day: 1}, l.holidays.First.Add(-1)}
		behind := days{l.holidays.Last.Add(1), pbx.Date{Year: 9999, Month: 12, Day: 31}}
		holidays = slices.Concat([]days{before}, holidays, []days{behind})
	}
	for _, d := range holidays {
		if n := len(s.Except); n > 0 && s.Except[n-1].Last.Compare(d.first) >= 0 { // decreed, and assumed before
			s.Except[n-1].Last = later(s.Except[n-1].Last, d.last)
			continue
		}
		s.Except = append(s.Except, pbx.Exception{First: d.first, Last: d.last, Hours: r.Hours.Holidays})
	}
	return s
}

func later(a, b pbx.Date) pbx.Date {
	if a.Compare(b) > 0 {
		return a
	}
	return b
}

// Sets gives all rules, those of countries by their name and those of all countries last.
// They are shared.
func (l *Law) Sets() []Set {
	list := slices.Clone(l.sets)
	slices.SortFunc(list, func(a, b Set) int {
		if (a.Name == anywhere) != (b.Name == anywhere) {
			return len(b.Countries) - len(a.Countries)
		}
		return cmp.Compare(a.Name, b.Name)
	})
	return list
}
