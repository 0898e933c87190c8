package api

import (
	"time"

	"vpbx/pbx"
)

// zoneOf gives the time zone of a company; UTC when this machine does not know
// it.
func zoneOf(c *pbx.Company) *time.Location {
	loc, err := time.LoadLocation(c.Zone)
	if err != nil {
		return time.UTC
	}
	return loc
}

// inZone gives t, which may be nil, with the zone loc.
func inZone(t *time.Time, loc *time.Location) *time.Time {
	if t == nil {
		return nil
	}
	in := t.In(loc)
	return &in
}

func recordInZone(c pbx.CDR, loc *time.Location) pbx.CDR {
	c.Started, c.Answered, c.Ended = c.Started.In(loc), inZone(c.Answered, loc), c.Ended.In(loc)
	c.Caller = partyInZone(c.Caller, loc)
	parties := make([]pbx.Participant, len(c.Parties))
	for i, p := range c.Parties {
		parties[i] = partyInZone(p, loc)
	}
	c.Parties = parties
	queues := make([]pbx.InQueue, len(c.Queues))
	for i, v := range c.Queues {
		queues[i] = visitInZone(v, loc)
	}
	c.Queues = queues
	return c
}

func visitInZone(v pbx.InQueue, loc *time.Location) pbx.InQueue {
	v.Entered = v.Entered.In(loc)
	offers := make([]pbx.OfferedAgent, len(v.Offers))
	for i, o := range v.Offers {
		o.At = o.At.In(loc)
		offers[i] = o
	}
	v.Offers = offers
	return v
}

func partyInZone(p pbx.Participant, loc *time.Location) pbx.Participant {
	p.Answered, p.Ended = inZone(p.Answered, loc), inZone(p.Ended, loc)
	return p
}

func traceInZone(trace []pbx.CallEvent, loc *time.Location) []pbx.CallEvent {
	out := make([]pbx.CallEvent, len(trace))
	for i, e := range trace {
		e.At = e.At.In(loc)
		out[i] = e
	}
	return out
}

func ladderInZone(ladder []pbx.Message, loc *time.Location) []pbx.Message {
	out := make([]pbx.Message, len(ladder))
	for i, m := range ladder {
		m.At = m.At.In(loc)
		out[i] = m
	}
	return out
}

func liveInZone(c pbx.CallInfo, loc *time.Location) pbx.CallInfo {
	c.Started, c.Answered = c.Started.In(loc), inZone(c.Answered, loc)
	return c
}

func bindingInZone(b pbx.Binding, loc *time.Location) pbx.Binding {
	b.Registered, b.Expires = b.Registered.In(loc), b.Expires.In(loc)
	return b
}
