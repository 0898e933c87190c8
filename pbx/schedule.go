package pbx

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Schedule says when a company, or a part of it, is at work: the hours of a
// week, and dates on which other hours count, or none.
type Schedule struct {
	Name   string      `json:"name"`
	Hours  []Hours     `json:"hours,omitempty"`
	Except []Exception `json:"except,omitempty"` // sorted by date, none overlapping
}

// Exception are dates on which the hours of the week do not count.
type Exception struct {
	First Date    `json:"first"`
	Last  Date    `json:"last"`
	Hours []Hours `json:"hours,omitempty"` // of these dates; none: closed
}

// Date is a day of the calendar.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// ParseDate reads a date written 2027-01-08.
func ParseDate(text string) (Date, error) {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return Date{}, fmt.Errorf("%.60q is not a date; write 2027-01-08", text)
	}
	return dateOf(t), nil
}

func dateOf(t time.Time) Date {
	y, m, d := t.Date()
	return Date{y, m, d}
}

// String writes the date as ParseDate reads it.
func (d Date) String() string { return fmt.Sprintf("%04d-%02d-%02d", d.Year, d.Month, d.Day) }

// MarshalText writes the date as ParseDate reads it.
func (d Date) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what ParseDate reads.
func (d *Date) UnmarshalText(text []byte) error {
	v, err := ParseDate(string(text))
	if err == nil {
		*d = v
	}
	return err
}

// Add gives the date so many days later.
func (d Date) Add(days int) Date {
	return dateOf(time.Date(d.Year, d.Month, d.Day+days, 0, 0, 0, 0, time.UTC))
}

// Compare is negative when d is before other, positive when it is after.
func (d Date) Compare(other Date) int {
	return cmp.Or(cmp.Compare(d.Year, other.Year), cmp.Compare(d.Month, other.Month), cmp.Compare(d.Day, other.Day))
}

func (d Date) noon() time.Time { return time.Date(d.Year, d.Month, d.Day, 12, 0, 0, 0, time.UTC) }

// ParseDates reads a date, or the first and the last of several written
// 2027-01-01..2027-01-08.
func ParseDates(text string) (first, last Date, err error) {
	from, to, isRange := strings.Cut(text, "..")
	if !isRange {
		to = from
	}
	if first, err = ParseDate(strings.TrimSpace(from)); err != nil {
		return Date{}, Date{}, err
	}
	if last, err = ParseDate(strings.TrimSpace(to)); err != nil {
		return Date{}, Date{}, err
	}
	if last.Compare(first) < 0 {
		return Date{}, Date{}, fmt.Errorf("%.60q ends before it begins", text)
	}
	return first, last, nil
}

// Dates writes the dates as ParseDates reads them.
func (e Exception) Dates() string {
	if e.First == e.Last {
		return e.First.String()
	}
	return e.First.String() + ".." + e.Last.String()
}

// The bounds of looking ahead: for the end of hours that follow each other, and
// for the next beginning.
const (
	openDays   = 8
	closedDays = 400
)

// State is whether a schedule is open at a moment, and until when it stays so.
type State struct {
	Open  bool
	Until time.Time // zero: longer than anybody plans
}

// Open tells whether at lies within the schedule, in the zone that at is in.
func (s *Schedule) Open(at time.Time) bool { return s.at(at, 1).Open }

// At gives the state at a moment, in the zone that at is in. A change of the
// clocks counts: hours that begin in an hour that is left out begin when the
// clocks are changed, and an hour that comes twice is within the hours both times
// when it is within them by the clock.
func (s *Schedule) At(at time.Time) State { return s.at(at, closedDays) }

// at looks so many days ahead at most.
func (s *Schedule) at(at time.Time, ahead int) State {
	state := State{}
	today := dateOf(at)
	for i := -1; i <= ahead; i++ {
		day := today.Add(i)
		switch {
		case state.Open && state.Until.Before(moment(day, 0, at.Location(), false)):
			return state
		case state.Open && i > openDays:
			return State{Open: true}
		}
		for _, sp := range s.periods(day, at.Location()) {
			switch {
			case state.Open && sp.begin.After(state.Until):
				return state
			case state.Open && sp.end.After(state.Until):
				state.Until = sp.end
			case !state.Open && sp.begin.After(at):
				return State{Until: sp.begin}
			case !state.Open && sp.end.After(at):
				state = State{Open: true, Until: sp.end}
			}
		}
	}
	return state
}

// period is one time that a schedule is open.
type period struct{ begin, end time.Time }

// periods gives the times that begin on a date, in their order.
func (s *Schedule) periods(d Date, zone *time.Location) []period {
	hours := s.Hours
	if i, is := slices.BinarySearchFunc(s.Except, d, compareException); is {
		hours = s.Except[i].Hours
	}
	var list []period
	day := d.noon().Weekday()
	for _, h := range hours {
		if !h.Days.Has(day) {
			continue
		}
		sp := period{moment(d, h.From, zone, false), moment(d, h.From+h.length(), zone, true)}
		if sp.begin.Before(sp.end) { // otherwise it is within an hour that is left out
			list = append(list, sp)
		}
	}
	slices.SortFunc(list, func(a, b period) int { return a.begin.Compare(b.begin) })
	return list
}

func compareException(e Exception, d Date) int {
	switch {
	case e.Last.Compare(d) < 0:
		return -1
	case e.First.Compare(d) > 0:
		return 1
	}
	return 0
}

// moment is when the clocks of a zone show a minute of a day. Where they show it
// twice it is the first time, or the last; where they leave it out it is when
// they are changed.
func moment(d Date, minute int, zone *time.Location, last bool) time.Time {
	wall := time.Date(d.Year, d.Month, d.Day, 0, minute, 0, 0, time.UTC)
	_, before := wall.AddDate(0, 0, -1).In(zone).Zone()
	_, after := wall.AddDate(0, 0, 1).In(zone).Zone()
	a := wall.Add(-time.Duration(before) * time.Second).In(zone)
	b := wall.Add(-time.Duration(after) * time.Second).In(zone)
	_, atA := a.Zone()
	_, atB := b.Zone()
	isA, isB := atA == before, atB == after
	switch {
	case isA && !(isB && last):
		return a
	case isB:
		return b
	}
	_, change := b.ZoneBounds()
	return change
}

// Text writes the state for a reason: "closed until Mon 09:00".
func (s State) Text(at time.Time) string {
	word := "closed"
	if s.Open {
		word = "open"
	}
	switch {
	case s.Until.IsZero():
		return word
	case s.Until.Sub(at) < 6*24*time.Hour:
		return word + " until " + s.Until.Format("Mon 15:04")
	}
	return word + " until " + s.Until.Format("2006-01-02 15:04")
}

// When is a condition of time: the name of a schedule, or "not" and the name.
type When string

// Schedule is the name of the schedule, and whether the condition holds while it
// is closed.
func (w When) Schedule() (name string, not bool) {
	name, not = strings.CutPrefix(string(w), "not ")
	return name, not
}
