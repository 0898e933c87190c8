package pbx

import "time"

// AttemptOutcome is what an attempt to call a target came to: a closed set, the label of
// a metric and the key of the redial rules.
type AttemptOutcome string

// The outcomes.
const (
	AttemptAnswered    AttemptOutcome = "answered"  // a person heard the message, or some of it
	AttemptConnected   AttemptOutcome = "connected" // a person talked with an operator
	AttemptAbandoned   AttemptOutcome = "abandoned" // a person answered, and no operator was there in time
	AttemptMachine     AttemptOutcome = "machine"   // an answering machine
	AttemptBusy        AttemptOutcome = "busy"
	AttemptNoAnswer    AttemptOutcome = "no_answer"
	AttemptRejected    AttemptOutcome = "rejected"        // the callee declined
	AttemptRefused     AttemptOutcome = "refused_mass"    // its subscriber has refused mass calls: final
	AttemptInvalid     AttemptOutcome = "invalid"         // the number does not exist: final
	AttemptCongestion  AttemptOutcome = "congestion"      // no trunk had room for it
	AttemptFailed      AttemptOutcome = "failed"          // anything else
	AttemptInterrupted AttemptOutcome = "interrupted"     // the process died under it, or it was ended from our side before anybody answered
	AttemptMissed      AttemptOutcome = "operator_missed" // the operator did not take the call that was to be made: nobody was dialled
)

// AttemptOutcomes lists them all.
var AttemptOutcomes = []AttemptOutcome{AttemptAnswered, AttemptConnected, AttemptAbandoned, AttemptMachine, AttemptBusy, AttemptNoAnswer, AttemptRejected,
	AttemptRefused, AttemptInvalid, AttemptCongestion, AttemptFailed, AttemptInterrupted, AttemptMissed}

// Live tells whether a person answered.
func (o AttemptOutcome) Live() bool {
	return o == AttemptAnswered || o == AttemptConnected || o == AttemptAbandoned
}

// Attempt is one dial of one number of a target. It is saved before the number is dialled.
type Attempt struct {
	Tenant   TenantID       `json:"tenant"`
	Campaign string         `json:"campaign"`
	Target   int64          `json:"target"`
	N        int            `json:"n"` // 1, 2, 3 … of the target
	Number   string         `json:"number"`
	Call     CallID         `json:"call"`
	Kind     CampaignKind   `json:"kind"`
	Mode     DialMode       `json:"mode"`
	Began    time.Time      `json:"began"`
	Ended    *time.Time     `json:"ended,omitempty"` // nil: it goes on
	Outcome  AttemptOutcome `json:"outcome,omitempty"`
	Result   *InCampaign    `json:"result,omitempty"`
	Talk     float64        `json:"talk,omitempty"`  // seconds, of the call record
	Cause    *Cause         `json:"cause,omitempty"` // of the call record; nil: there is none, or the attempt is older than this field
}

// CampaignCall is the call of an attempt that is to be made. The attempt is saved.
type CampaignCall struct {
	Attempt
	Settings  *Campaign
	Key, Name string // of the target
	Variables map[string]string
	Caller    CampaignCaller
	Operator  string // extension that the call is for, or [AnyOperator]; "": whoever is free, reserved where the mode wants it
}

// Reached tells whether an attempt of that outcome counts as one in which the callee was
// reached: somebody or something answered, or nobody knows.
func (o AttemptOutcome) Reached() bool {
	return o.Live() || o == AttemptMachine || o == AttemptInterrupted || o == ""
}

// AttemptRef says of which attempt a call is.
type AttemptRef struct {
	Campaign string       `json:"campaign"`
	Target   int64        `json:"target"`
	Key      string       `json:"key,omitempty"`
	N        int          `json:"attempt"`
	Number   string       `json:"number"`
	Kind     CampaignKind `json:"kind"`
	Mode     DialMode     `json:"mode"`
}

// InCampaign is the part of a campaign in a call record: a fold of its trace.
type InCampaign struct {
	AttemptRef
	Outcome  AttemptOutcome `json:"outcome"`
	Answerer string         `json:"answerer,omitempty"` // human, machine or unsure; "": nobody was asked to tell
	Answers  []Answer       `json:"answers,omitempty"`  // by keys, in their order
	Told     bool           `json:"told,omitempty"`     // the message was heard, or left, to its end
	OptedOut bool           `json:"opted_out,omitempty"`
	Operator string         `json:"operator,omitempty"` // who talked with the target
	// Connected is how long the target waited for the operator, Sorry how long until it
	// was told that none is there; seconds. nil: it was neither.
	Connected *float64 `json:"connected,omitempty"`
	Sorry     *float64 `json:"sorry,omitempty"`
}

// Answer is a key that was pressed in a block of a script.
type Answer struct {
	Block  string `json:"block"`
	Key    string `json:"key"`
	Answer string `json:"answer,omitempty"`
}

// AttemptGuard is what must hold in the moment in which an attempt is begun. Its bounds
// count that attempt too: none is begun under a bound of 0.
type AttemptGuard struct {
	Attempts  int            // to the target at most
	PerNumber int            // to the number within the campaign at most
	Spacing   time.Duration  // since the last attempt to the target began
	Limits    []ContactLimit // of the law
	// Seen is when earlier attempts to the target's numbers were read: since then none by any
	// campaign of the company has begun or ended, and none goes on. Zero: that is not asked.
	Seen time.Time
}

// ContactLimit bounds how often the numbers of a target, taken together, are reached by a
// company's campaigns of one kind: a person or a machine has answered, or the attempt goes
// on, or was interrupted, so that nobody knows.
type ContactLimit struct {
	Kind    CampaignKind // "": any
	Message bool         // messages are counted, else calls of operators
	Since   time.Time
	Max     int
	Reason  HoldReason
}

// Contacted is one earlier attempt to a number, by any campaign of the company.
type Contacted struct {
	Number   string
	At       time.Time // when it began
	Ended    time.Time // zero: it goes on
	Kind     CampaignKind
	Mode     DialMode
	Outcome  AttemptOutcome // "": it goes on
	Answerer string
}

// Settlement is what is written when an attempt is over, at once.
type Settlement struct {
	Attempt Attempt       // with Ended, Outcome and Result
	Target  Target        // State, Reason, Next, Turn, Operator, Tried, Came and Dead as they are to be
	Stop    *Stop         // the number opted out
	Notify  *Notification // for the company's CRM; nil: none
	// Withdrawn takes the attempt back: no call was begun for it, so it counts for nothing.
	Withdrawn bool
}

// Deferral is a target that is due and may not be called: now, or at all.
type Deferral struct {
	Target int64
	State  TargetState // TargetWaiting: not before Next
	Reason HoldReason
	Next   time.Time
	Notify *Notification // when it is over, for the company's CRM; nil: none
}
