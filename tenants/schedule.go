package tenants

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"vpbx/internal/strict"
	"vpbx/pbx"
)

// Bounds of a schedule.
const (
	maxHours      = 100
	maxExceptions = 1000
	maxDates      = 366 // of one exception
)

// Schedule says when the company, or a part of it, is at work.
type Schedule struct {
	Name   string      `yaml:"name" json:"name"`
	Hours  []pbx.Hours `yaml:"hours" json:"hours,omitempty"`   // mon-fri 09:00-18:00
	Except []Exception `yaml:"except" json:"except,omitempty"` // dates on which other hours count, or none
}

// Exception are dates on which the hours of the week do not count. It is written
// 2027-05-09, 2027-01-01..2027-01-08, or {date: 2026-12-31, hours: ["09:00-15:00"]}.
type Exception struct {
	First, Last pbx.Date
	Hours       []pbx.Hours // none: closed
}

// UnmarshalStrict reads any of the forms.
func (e *Exception) UnmarshalStrict(n strict.Node) {
	var m struct {
		Date  dates       `yaml:"date"`
		Hours []pbx.Hours `yaml:"hours"`
	}
	switch n.Kind() {
	case strict.Map:
		if _, ok := n.Field("date"); !ok {
			n.Errorf("needs a date")
			return
		}
		n.Decode(&m)
	default:
		n.Decode(&m.Date)
	}
	e.First, e.Last, e.Hours = m.Date.first, m.Date.last, m.Hours
}

// MarshalJSON writes the shortest form.
func (e Exception) MarshalJSON() ([]byte, error) {
	text := pbx.Exception{First: e.First, Last: e.Last}.Dates()
	if len(e.Hours) == 0 {
		return json.Marshal(text)
	}
	return json.Marshal(struct {
		Date  string      `json:"date"`
		Hours []pbx.Hours `json:"hours"`
	}{text, e.Hours})
}

// dates is a date or a range of them.
type dates struct{ first, last pbx.Date }

// UnmarshalText reads it.
func (d *dates) UnmarshalText(text []byte) error {
	var err error
	d.first, d.last, err = pbx.ParseDates(string(text))
	return err
}

func (c *checker) indexSchedules() {
	for i, s := range c.Schedules {
		path := fmt.Sprintf("schedules[%d].name", i)
		c.match(path, s.Name, identifier, "letters, digits, dots and dashes, 40 at most")
		c.once(path, c.schedules, s.Name, i, "schedules[%d]")
	}
}

func (c *checker) checkSchedules() {
	for i := range c.Schedules {
		c.checkSchedule(fmt.Sprintf("schedules[%d]", i), &c.Schedules[i])
	}
}

// checkSchedule notes hours that overlap, dates that come twice, and a schedule
// that is never open.
func (c *checker) checkSchedule(path string, s *Schedule) {
	if len(s.Hours) > maxHours || len(s.Except) > maxExceptions {
		c.note(path, "%d hours and %d exceptions; %d and %d at most", len(s.Hours), len(s.Except), maxHours, maxExceptions)
		return
	}
	c.checkHours(path+".hours", s.Hours)
	open := len(s.Hours) > 0
	for i, e := range s.Except {
		at := fmt.Sprintf("%s.except[%d]", path, i)
		open = open || len(e.Hours) > 0
		if e.First == (pbx.Date{}) {
			continue // noted when it was read
		}
		if e.First.Add(maxDates).Compare(e.Last) <= 0 {
			c.note(at, "is longer than %d days", maxDates)
		}
		if len(e.Hours) > maxHours {
			c.note(at, "%d hours; %d at most", len(e.Hours), maxHours)
			continue
		}
		c.checkHours(at+".hours", e.Hours)
	}
	c.checkDatesOnce(path, s.Except)
	if !open {
		c.note(path, "is never open: it has no hours")
	}
}

// checkDatesOnce notes exceptions that share a date.
func (c *checker) checkDatesOnce(path string, list []Exception) {
	order := make([]int, len(list))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return list[a].First.Compare(list[b].First) })
	last := -1 // of those so far, the one that ends last
	for _, i := range order {
		if last >= 0 && list[i].First.Compare(list[last].Last) <= 0 && list[i].First != (pbx.Date{}) {
			first, later := min(i, last), max(i, last)
			c.note(fmt.Sprintf("%s.except[%d]", path, later), "shares %s with except[%d]", list[i].First, first)
		}
		if last < 0 || list[i].Last.Compare(list[last].Last) > 0 {
			last = i
		}
	}
}

// checkHours notes hours that share a minute.
func (c *checker) checkHours(path string, list []pbx.Hours) {
	for i, h := range list {
		if h == (pbx.Hours{}) {
			continue // noted when it was read
		}
		for j, other := range list[:i] {
			if h.Overlap(other) {
				c.note(fmt.Sprintf("%s[%d]", path, i), "%s overlaps %s of hours[%d]", h, other, j)
				break
			}
		}
	}
}

// checkWhen notes a condition of time that names no schedule.
func (c *checker) checkWhen(path string, w pbx.When) {
	if w == "" {
		return
	}
	name, _ := w.Schedule()
	if _, ok := c.schedules[name]; !ok {
		c.note(path, "there is no schedule %.60q; write its name, or not and its name", strings.TrimPrefix(name, "!"))
	}
}

func (b *build) schedules() {
	for i := range b.Schedules {
		s := &b.Schedules[i]
		if b.company.Schedules == nil {
			b.company.Schedules = map[string]*pbx.Schedule{}
		}
		x := &pbx.Schedule{Name: s.Name, Hours: clone(s.Hours)}
		for _, e := range s.Except {
			x.Except = append(x.Except, pbx.Exception{First: e.First, Last: e.Last, Hours: clone(e.Hours)})
		}
		slices.SortFunc(x.Except, func(a, b pbx.Exception) int { return a.First.Compare(b.First) })
		b.company.Schedules[s.Name] = x
	}
}

func documentSchedule(s *pbx.Schedule) Schedule {
	d := Schedule{Name: s.Name, Hours: clone(s.Hours)}
	for _, e := range s.Except {
		d.Except = append(d.Except, Exception{e.First, e.Last, clone(e.Hours)})
	}
	return d
}
