package law

import (
	"slices"
	"time"

	"vpbx/pbx"
)

// LookAhead is how far ahead [Window.Next] looks.
const LookAhead = 14 * 24 * time.Hour

// campaignRule stands among the ids of rules for the campaign's own hours.
const campaignRule = "campaign"

// Window is when somebody may be called: within the hours of the campaign and within those
// of the law, in each zone in which they may be.
type Window struct{ parts []part }

// part is a schedule that has to be open by the clocks of a zone.
type part struct {
	schedule *pbx.Schedule
	zone     *time.Location
	rule     string
}

// NewWindow puts the hours of the law and a campaign's together. The former count in all the
// zones; the latter do so too unless they are those of one zone, home. A schedule of nil is
// always open.
func NewWindow(terms Terms, zones []*time.Location, schedule *pbx.Schedule, home *time.Location) Window {
	var w Window
	own := zones
	if home != nil {
		own = []*time.Location{home}
	}
	if schedule != nil {
		w.add(schedule, own, campaignRule)
	}
	for _, t := range terms {
		if t.Schedule != nil {
			w.add(t.Schedule, zones, t.ID)
		}
	}
	return w
}

func (w *Window) add(s *pbx.Schedule, zones []*time.Location, rule string) {
	for _, zone := range zones {
		p := part{s, zone, rule}
		if !slices.Contains(w.parts, p) {
			w.parts = append(w.parts, p)
		}
	}
}

// Open tells whether a call may be made at a moment.
func (w Window) Open(at time.Time) bool {
	return !slices.ContainsFunc(w.parts, func(p part) bool { return !p.open(at) })
}

// Next gives the first moment, at itself or later, at which a call may be made. It is false
// when there is none within [LookAhead].
func (w Window) Next(at time.Time) (time.Time, bool) {
	last := at.Add(LookAhead)
	for t := at; ; {
		next := t
		for _, p := range w.parts {
			opens, ok := p.opens(t)
			if !ok {
				return time.Time{}, false
			}
			if opens.After(next) {
				next = opens
			}
		}
		switch {
		case next.After(last):
			return time.Time{}, false
		case next.Equal(t):
			return t, true
		}
		t = next.In(at.Location())
	}
}

// closed gives the rules whose hours forbid a moment.
func (w Window) closed(at time.Time) []string {
	var ids []string
	for _, p := range w.parts {
		if !slices.Contains(ids, p.rule) && !p.open(at) {
			ids = append(ids, p.rule)
		}
	}
	return ids
}

func (p part) open(at time.Time) bool {
	opens, ok := p.opens(at)
	return ok && opens.Equal(at)
}

// opens gives the first moment, at itself or later, at which the part is open. It is false
// when there is none in the time that is looked at.
func (p part) opens(at time.Time) (time.Time, bool) {
	here := at.In(p.zone)
	switch {
	case p.rule != campaignRule:
		return opensByClock(p.schedule, here)
	case p.schedule.Open(here):
		return at, true
	}
	until := p.schedule.At(here).Until
	return until, !until.IsZero()
}

// opensByClock is the same for the hours of the law. They are in daytime, in which no clocks
// are changed, so that the clock of the zone will do: this is asked for eleven zones of every
// mobile in Russia, and takes a tenth of the time of [pbx.Schedule.At].
func opensByClock(s *pbx.Schedule, here time.Time) (time.Time, bool) {
	const days = int(LookAhead/(24*time.Hour)) + 2
	y, m, d := here.Date()
	for i := -1; i <= days; i++ { // yesterday's may go beyond midnight
		noon := time.Date(y, m, d+i, 12, 0, 0, 0, time.UTC)
		var first time.Time
		for _, h := range hoursAt(s, noon) {
			if !h.Days.Has(noon.Weekday()) {
				continue
			}
			to := h.To
			if to <= h.From {
				to += 24 * 60
			}
			begin, end := time.Date(y, m, d+i, 0, h.From, 0, 0, here.Location()), time.Date(y, m, d+i, 0, to, 0, 0, here.Location())
			switch {
			case !here.Before(begin) && here.Before(end):
				return here, true
			case begin.After(here) && (first.IsZero() || begin.Before(first)):
				first = begin
			}
		}
		if !first.IsZero() {
			return first, true
		}
	}
	return time.Time{}, false
}

// hoursAt gives the hours of a schedule that count on the day of a moment.
func hoursAt(s *pbx.Schedule, noon time.Time) []pbx.Hours {
	day := pbx.Date{Year: noon.Year(), Month: noon.Month(), Day: noon.Day()}
	i, is := slices.BinarySearchFunc(s.Except, day, func(e pbx.Exception, d pbx.Date) int {
		switch {
		case e.Last.Compare(d) < 0:
			return -1
		case e.First.Compare(d) > 0:
			return 1
		}
		return 0
	})
	if is {
		return s.Except[i].Hours
	}
	return s.Hours
}
