package sim

import (
	"time"

	"vpbx/autodialer/pace"
)

// Event is what happens to a call.
type Event int

// The life of a call, as the methods of [pace.Predictive] of these names say.
const (
	Launched Event = iota
	Answered
	Failed
	Machine
	Connected
	Abandoned
	Finished
)

// Pacer decides how many calls are launched. It is asked after everything that happens,
// and at the time that it asks for.
type Pacer interface {
	Launches(at time.Time, now pace.Now) (launches int, again time.Time)
	Tell(at time.Time, what Event, call string)
}

// Predictive is the pacer of predictive campaigns.
type Predictive struct{ *pace.Predictive }

// Tell gives the evidence.
func (p Predictive) Tell(at time.Time, what Event, call string) {
	switch what {
	case Launched:
		p.Launched(at, call)
	case Answered:
		p.Answered(at, call)
	case Failed:
		p.Failed(at, call)
	case Machine:
		p.Machine(at, call)
	case Connected:
		p.Connected(at, call)
	case Abandoned:
		p.Abandoned(at, call)
	case Finished:
		p.Finished(at, call)
	}
}

// Progressive is the pacer of progressive campaigns and, with [Centre.Card], of preview.
type Progressive struct{ dialling int }

// Launches gives one for each operator who is free and for whom none is dialled.
func (p *Progressive) Launches(_ time.Time, now pace.Now) (int, time.Time) {
	return pace.Progressive(now.Free, p.dialling), time.Time{}
}

// Tell counts the calls that have no operator.
func (p *Progressive) Tell(_ time.Time, what Event, _ string) {
	switch what {
	case Launched:
		p.dialling++
	case Failed, Machine, Connected, Abandoned:
		p.dialling--
	}
}
