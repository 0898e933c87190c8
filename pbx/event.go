package pbx

import "time"

// EventKind says what happened in a call.
type EventKind string

// What can happen in a call. The trace of every call begins with Arrived and
// ends with Ended.
const (
	Arrived       EventKind = "arrived"        // a call is there: From, To, Direction, Trunk
	LookedUp      EventKind = "looked_up"      // the CRM was asked: CRM
	Routed        EventKind = "routed"         // what will be done with it: Why
	Noted         EventKind = "noted"          // something a manager should read: Why; To: a group that is rung; Who, Cause: who is at fault
	Guarded       EventKind = "guarded"        // the fraud guard refused a call, or ended it: Cause, Why; Who: the extension that is answerable; To: the number
	Dialled       EventKind = "dialled"        // an INVITE went to Who: Leg
	CallerDialled EventKind = "caller_dialled" // click-to-call: an INVITE went to the caller's own phone: Leg
	Ringing       EventKind = "ringing"        // Who rings: Leg
	EarlyMedia    EventKind = "early_media"    // Who sends sound before the answer: Leg
	Answered      EventKind = "answered"       // Who picked up: Leg; of the caller's leg: we did
	Served        EventKind = "served"         // the PBX itself answered the caller, by a feature code: Text
	Bridged       EventKind = "bridged"        // caller and Who hear each other: Leg
	Unbridged     EventKind = "unbridged"      // they no longer do: Leg
	Held          EventKind = "held"           // Who put the other side on hold: Leg
	Resumed       EventKind = "resumed"        // Who took the other side back: Leg
	Pressed       EventKind = "pressed"        // Who pressed Digit: Leg
	Transferring  EventKind = "transferring"   // Who sends the other side on to To, or into Other
	Transferred   EventKind = "transferred"    // Who has done it: the other side has To
	Entered       EventKind = "entered"        // Who came in from the call Other: Leg, Trunk
	Supervised    EventKind = "supervised"     // Who listens, whispers or talks with both, as Text says: Leg
	Parked        EventKind = "parked"         // Who waits at the orbit To
	Playing       EventKind = "playing"        // a prompt is played to the caller: Text
	Chose         EventKind = "chose"          // Who chose in the menu Text: Digit, or To: the extension it dialled; neither: nothing
	RecordStart   EventKind = "record_start"   // a recording began: Recording
	RecordEnd     EventKind = "record_end"     // it is closed, or could not begin: Recording
	RecordDropped EventKind = "record_dropped" // what was recorded is thrown away: Recording, Why
	RecordPaused  EventKind = "record_paused"  // nothing is recorded from now on: Recording; Who asked for it, "": the API
	RecordResumed EventKind = "record_resumed" // it is recorded again: likewise
	LegEnded      EventKind = "leg_ended"      // a leg is over: Leg, Who, Cause, Codec, SRTP, Quality
	Ended         EventKind = "ended"          // the call is over: Cause; Who hung up; Other: where it goes on
)

// What can happen in a conference.
const (
	JoinedRoom EventKind = "conference_joined" // Who is in the conference To: Leg; Text: its name; Other: the call that it was made of
	LeftRoom   EventKind = "conference_left"   // Who no longer is: Leg, With; Text: how, see [Removed] and [RoomEnded]
	Muted      EventKind = "muted"             // Who is not heard in the conference: Leg
	Unmuted    EventKind = "unmuted"           // Who is heard there again: Leg
)

// What can happen in a queue.
const (
	Queued       EventKind = "queued"        // Who comes into the queue To: Position, 0 when it cannot wait there; Text: its name
	QueueOffered EventKind = "queue_offered" // the agent Who is to ring for the queue To
	QueueLeft    EventKind = "queue_left"    // Who has left the queue To: Position; Text: how, see [LeftQueue]
)

// What can happen in the call of a campaign. It begins with Campaigned behind Arrived.
const (
	Campaigned EventKind = "campaign"        // the call is an attempt: Attempt; Name, Text: the caller's label
	Detected   EventKind = "detected"        // who answered: Text: human, machine or unsure; Name: human or machine, what that is taken for; Why
	Replied    EventKind = "replied"         // Who pressed Digit in the block Text; Name: the answer that stands for; no Digit: nothing was pressed
	Told       EventKind = "told"            // the message was heard, or left, to its end
	OptedOut   EventKind = "opted_out"       // Who does not want to be called any more
	Wanted     EventKind = "operator_wanted" // from now on an operator has to come
	Carded     EventKind = "operator_card"   // Who is shown the target it is to talk with: Card
	Sorry      EventKind = "sorry"           // none was there in time: Who is told so
)

// Direction says where a call comes from and goes to, seen from the company.
type Direction string

// The directions of a call.
const (
	In         Direction = "in"
	Out        Direction = "out"
	InternalTo Direction = "internal"
)

// CallEvent is one line of the trace of a call. Which fields are set depends
// on Kind; Why may be set on any: it is what a manager reads later.
type CallEvent struct {
	At        time.Time   `json:"at"`
	Kind      EventKind   `json:"kind"`
	Leg       LegID       `json:"leg,omitempty"`
	Who       string      `json:"who,omitempty"`   // extension or outside number
	Other     CallID      `json:"other,omitempty"` // the other call, where two have to do with each other
	Trunk     string      `json:"trunk,omitempty"`
	Direction Direction   `json:"direction,omitempty"`
	From      string      `json:"from,omitempty"`
	To        string      `json:"to,omitempty"`
	Name      string      `json:"name,omitempty"` // display name the caller gave
	Digit     string      `json:"digit,omitempty"`
	Position  int         `json:"position,omitempty"` // in a queue: 1 is the next
	Text      string      `json:"text,omitempty"`
	Codec     string      `json:"codec,omitempty"`
	SRTP      string      `json:"srtp,omitempty"` // how the sound was secured, as in the record
	Why       []string    `json:"why,omitempty"`
	Cause     *Cause      `json:"cause,omitempty"`
	Quality   *Quality    `json:"quality,omitempty"`
	Recording *Recording  `json:"recording,omitempty"`
	CRM       *Lookup     `json:"crm,omitempty"`
	With      []string    `json:"with,omitempty"`     // LeftRoom: whom Who has met there
	Attempt   *AttemptRef `json:"attempt,omitempty"`  // Campaigned
	Card      *Card       `json:"card,omitempty"`     // Carded
	Identity  *Identity   `json:"identity,omitempty"` // Arrived: what the caller's network says of the number
}

// Identity is what STIR/SHAKEN says of the number of a caller from outside.
type Identity struct {
	// Verstat is the verdict of a trusted trunk: TN-Validation-Passed,
	// TN-Validation-Failed or No-TN-Validation (3GPP TS 24.229 §7.2A.20), "" when
	// there is none.
	Verstat string `json:"verstat,omitempty"`
	// Attest is the attestation of the PASSporT that came along (RFC 8588 §4):
	// A, B or C. Its signature was not checked.
	Attest string `json:"attest,omitempty"`
	// Verified says whether we checked a signature. We never do.
	Verified bool `json:"verified"`
}

// Lookup is how asking the CRM for the owner of a number went.
type Lookup struct {
	Contact string  `json:"contact"`          // name of the contact, "" when unknown
	Owner   string  `json:"owner"`            // internal number of the owner, "" when none
	MS      float64 `json:"ms"`               // how long it took
	Result  string  `json:"result,omitempty"` // found, not_found, timeout, error, cached, breaker …
}

// Live is one event of a call that is going on, with whose it is: what the
// event stream, live screens and CRM notifications are made of.
type Live struct {
	Tenant TenantID `json:"tenant"`
	Call   CallID   `json:"call"`
	CallEvent
}

// What [CallInfo.Recording] says.
const (
	RecordingOn     = "on"
	RecordingPaused = "paused"
)

// CallInfo is a snapshot of a call that is going on.
type CallInfo struct {
	ID        CallID     `json:"id"`
	Tenant    TenantID   `json:"tenant"`
	Direction Direction  `json:"direction"`
	From      string     `json:"from"`
	To        string     `json:"to"`
	Started   time.Time  `json:"started"`
	Answered  *time.Time `json:"answered"`
	State     EventKind  `json:"state"`               // the last thing that changed: arrived, ringing, bridged …
	Recording string     `json:"recording,omitempty"` // [RecordingOn] or [RecordingPaused]; "": it is not recorded
	With      string     `json:"with,omitempty"`
	Card      *Card      `json:"card,omitempty"` // of the target of a campaign, for the operator With
}
