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
	return !slices.ContainsFunc(w.parts, func(p part) bool { return !p.schedule.Open(at.In(p.zone)) })
}

// Next gives the first moment, at itself or later, at which a call may be made. It is false
// when there is none within [LookAhead].
func (w Window) Next(at time.Time) (time.Time, bool) {
	last := at.Add(LookAhead)
	for t := at; ; {
		next, ok := w.closedUntil(t)
		switch {
		case !ok || next.After(last):
			return time.Time{}, false
		case next.Equal(t):
			return t, true
		}
		t = next.In(at.Location())
	}
}

// closedUntil gives the moment until which some part is closed without a break: t when
// none is. It is false when one does not open again.
func (w Window) closedUntil(t time.Time) (time.Time, bool) {
	until := t
	for _, p := range w.parts {
		here := t.In(p.zone)
		if p.schedule.Open(here) {
			continue
		}
		state := p.schedule.At(here)
		if state.Until.IsZero() {
			return time.Time{}, false
		}
		if state.Until.After(until) {
			until = state.Until
		}
	}
	return until, true
}

// closed gives the rules whose hours forbid a moment.
func (w Window) closed(at time.Time) []string {
	var ids []string
	for _, p := range w.parts {
		if !slices.Contains(ids, p.rule) && !p.schedule.Open(at.In(p.zone)) {
			ids = append(ids, p.rule)
		}
	}
	return ids
}
