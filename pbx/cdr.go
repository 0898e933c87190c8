package pbx

import (
	"slices"
	"time"
)

// Outcome is how a call went, in one word.
type Outcome string

// The outcomes of a call.
const (
	OutcomeAnswered  Outcome = "answered"  // caller and callee heard each other, or the PBX did what a feature code asked
	OutcomeMissed    Outcome = "missed"    // nobody answered
	OutcomeBusy      Outcome = "busy"      // the callee was busy
	OutcomeRejected  Outcome = "rejected"  // the callee or a rule said no
	OutcomeFailed    Outcome = "failed"    // something did not work
	OutcomeAbandoned Outcome = "abandoned" // the caller gave up before the answer
	OutcomeVoicemail Outcome = "voicemail" // the caller left a message
)

// Outcomes lists all outcomes: the closed set of the metrics' label.
var Outcomes = []Outcome{OutcomeAnswered, OutcomeMissed, OutcomeBusy, OutcomeRejected, OutcomeFailed, OutcomeAbandoned, OutcomeVoicemail}

// CDR is the record of a call: what happened and why. It is a pure function
// of the trace.
type CDR struct {
	ID         CallID        `json:"id"`
	Tenant     TenantID      `json:"tenant"`
	Direction  Direction     `json:"direction"`
	From       string        `json:"from"`
	To         string        `json:"to"`
	Trunk      string        `json:"trunk,omitempty"`
	Started    time.Time     `json:"started"`
	Answered   *time.Time    `json:"answered"` // when the two first heard each other
	Ended      time.Time     `json:"ended"`
	Wait       float64       `json:"wait"` // seconds from Started to Answered, or to the end
	Talk       float64       `json:"talk"` // seconds in which the two were joined
	Outcome    Outcome       `json:"outcome"`
	Cause      CDRCause      `json:"cause"`
	Why        []string      `json:"why"`
	Explained  Text          `json:"explained"` // the call in one sentence; empty in records older than that
	Caller     Participant   `json:"caller"`
	Parties    []Participant `json:"parties"` // who was called, in the order of dialling
	Recordings []Recording   `json:"recordings"`
	CRM        *Lookup       `json:"crm"`
	Conference *InConference `json:"conference,omitempty"` // it was in, the last of several
	Queues     []InQueue     `json:"queues,omitempty"`     // it has waited in
	Campaign   *InCampaign   `json:"campaign,omitempty"`   // the attempt of a campaign that it was
	Identity   *Identity     `json:"identity,omitempty"`   // of a caller from outside, when its network says something
	Callback   bool          `json:"callback,omitempty"`   // we called the caller first: click-to-call
	Continued  CallID        `json:"continued,omitempty"`  // the call in which it goes on: an attended transfer, a pickup

	// Ladder is the SIP messages of all legs in the order of time. It is stored
	// beside the record, which must stay small: the record of one call carries
	// it, lists of records do not.
	Ladder []Message `json:"-"`
}

// CDRCause is a cause with its words.
type CDRCause struct {
	Cause
	Text Text `json:"text"`
}

// Participant is one leg of a call as the record shows it.
type Participant struct {
	Who      string     `json:"who"`
	Leg      LegID      `json:"leg"`
	Trunk    string     `json:"trunk,omitempty"`
	Answered *time.Time `json:"answered"`
	Ended    *time.Time `json:"ended"`
	Codec    string     `json:"codec,omitempty"`
	SRTP     string     `json:"srtp,omitempty"` // how the sound was secured: sdes or dtls and the crypto suite; "": not at all
	Quality  *Quality   `json:"quality,omitempty"`
	Cause    *Cause     `json:"cause,omitempty"`
}

// Summarize folds the trace of a call into its record. The trace must begin
// with Arrived; one without Ended (the process died) is closed with the cause
// Interrupted at its last event.
func Summarize(tenant TenantID, id CallID, trace []CallEvent) CDR {
	f := fold{cdr: CDR{ID: id, Tenant: tenant, Parties: []Participant{}, Recordings: []Recording{}, Why: []string{}}}
	for _, e := range trace {
		f.add(e)
	}
	cdr := f.finish()
	cdr.Explained = Explain(cdr, trace)
	return cdr
}

// fold is the state of Summarize between two events.
type fold struct {
	cdr     CDR
	bridged time.Time // since when the two are joined; zero: they are not
	inRoom  bool      // it is in a conference
	message bool      // one was left
	queues  queueFold
	attempt campaignFold
	cause   Cause
	last    time.Time
}

func (f *fold) add(e CallEvent) {
	c := &f.cdr
	f.last = e.At
	c.Why = append(c.Why, e.Why...)
	f.queues.add(e)
	f.attempt.add(e)
	switch e.Kind {
	case Arrived:
		c.Started, c.Direction, c.From, c.To, c.Trunk = e.At, e.Direction, e.From, e.To, e.Trunk
		c.Identity = e.Identity
		c.Caller = Participant{Who: e.Who, Leg: e.Leg, Trunk: e.Trunk}
	case LookedUp:
		c.CRM = e.CRM
	case CallerDialled:
		c.Callback = true
	case Routed:
		if e.To != "" { // the plan knows better what was dialled
			c.Direction, c.To = e.Direction, e.To
		}
	case Dialled, Entered:
		if e.Kind == Entered && e.Leg == c.Caller.Leg {
			break // it has come from another call, and this one is its own
		}
		c.Parties = append(c.Parties, Participant{Who: e.Who, Leg: e.Leg, Trunk: e.Trunk})
	case Answered:
		if p := f.party(e.Leg); p == nil && e.Who == c.Caller.Who {
			c.Caller.Leg = e.Leg // click-to-call: the phone on which the caller picked up
		}
		if p := f.party(e.Leg); p != nil {
			at := e.At
			p.Answered = &at
		}
	case Bridged, Served:
		f.unbridge(e.At)
		f.bridged = e.At
		if c.Answered == nil {
			at := e.At
			c.Answered = &at
		}
	case JoinedRoom:
		f.joinedRoom(e)
	case LeftRoom:
		f.unbridge(e.At)
		f.inRoom = false
		if c.Conference != nil {
			c.Conference.With = e.With
		}
	case RecordStart:
		if f.inRoom && e.Recording != nil {
			c.Conference.Recordings = append(c.Conference.Recordings, e.Recording.ID)
		}
	case Unbridged:
		f.unbridge(e.At)
	case RecordEnd:
		if e.Recording != nil {
			r := *e.Recording
			c.Recordings = append(c.Recordings, r)
			f.message = f.message || r.isMessage()
		}
	case LegEnded:
		if f.party(e.Leg) == nil && e.Who == c.Caller.Who && c.Caller.Answered == nil {
			c.Caller.Leg = e.Leg // click-to-call: a phone on which the caller did not pick up
		}
		if p := f.party(e.Leg); p != nil {
			at := e.At
			p.Ended, p.Codec, p.SRTP, p.Quality, p.Cause = &at, e.Codec, e.SRTP, e.Quality, e.Cause
		}
	case Ended:
		c.Ended, c.Continued = e.At, e.Other
		if e.Cause != nil {
			f.cause = *e.Cause
		}
	}
}

// joinedRoom is Bridged for somebody who comes into a conference.
func (f *fold) joinedRoom(e CallEvent) {
	f.unbridge(e.At)
	f.bridged, f.inRoom = e.At, true
	if f.cdr.Answered == nil {
		at := e.At
		f.cdr.Answered = &at
	}
	f.cdr.Conference = &InConference{Number: e.To, Name: e.Text}
}

func (f *fold) finish() CDR {
	c := &f.cdr
	if c.Ended.IsZero() {
		c.Ended = f.last
		f.cause = NewCause(PartyPBX, Interrupted)
	}
	f.unbridge(c.Ended)
	c.Queues = f.queues.finish(c.Ended, f.cause)
	c.Campaign = f.attempt.finish(f.cause)
	end := c.Ended
	if c.Answered != nil {
		end = *c.Answered
	}
	c.Wait = seconds(end.Sub(c.Started))
	c.Outcome = f.outcome()
	c.Cause = CDRCause{f.cause, f.cause.Text()}
	return *c
}

func (f *fold) party(leg LegID) *Participant {
	if f.cdr.Caller.Leg == leg {
		return &f.cdr.Caller
	}
	i := slices.IndexFunc(f.cdr.Parties, func(p Participant) bool { return p.Leg == leg })
	if i < 0 {
		return nil
	}
	return &f.cdr.Parties[i]
}

func (f *fold) unbridge(at time.Time) {
	if !f.bridged.IsZero() {
		f.cdr.Talk = seconds(time.Duration(f.cdr.Talk*float64(time.Second)) + at.Sub(f.bridged))
	}
	f.bridged = time.Time{}
}

func (f *fold) outcome() Outcome {
	if f.cdr.Answered != nil {
		return OutcomeAnswered
	}
	if f.message {
		return OutcomeVoicemail
	}
	switch f.cause.Reason {
	case Busy:
		return OutcomeBusy
	case Declined, Blocked, Rejected, Forbidden, Premium, Spent, WrongPIN:
		return OutcomeRejected
	case Cancelled, SentOn:
		return OutcomeAbandoned
	case Hangup:
		if f.cause.Party == PartyCaller {
			return OutcomeAbandoned
		}
		return OutcomeMissed
	case NoAnswer, NoChoice, Unconfirmed, Unregistered, Elsewhere, Unanswered:
		return OutcomeMissed
	case Joined: // whoever was called answered there
		return OutcomeAnswered
	}
	return OutcomeFailed
}

// seconds gives d in seconds to the millisecond.
func seconds(d time.Duration) float64 { return float64(d.Milliseconds()) / 1000 }
