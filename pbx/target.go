package pbx

import "time"

// MaxTargetNumbers is how many numbers a target has at most.
const MaxTargetNumbers = 5

// Bounds of the targets of a campaign. Those of the highest priority are called first.
const (
	MaxTargets        = 2_000_000
	MaxTargetPriority = 100 // and -100 the lowest
)

// TargetState says how far a target is.
type TargetState string

// A target waits for its next attempt or is dialled; with any other state it is over.
const (
	TargetWaiting     TargetState = "waiting"
	TargetDialling    TargetState = "dialling"
	TargetDone        TargetState = "done"        // reached, or the outcome is final
	TargetExhausted   TargetState = "exhausted"   // the attempts are used up
	TargetSkipped     TargetState = "skipped"     // it may not be called: Reason
	TargetRemoved     TargetState = "removed"     // somebody has taken it out
	TargetExpired     TargetState = "expired"     // the campaign ended first
	TargetInterrupted TargetState = "interrupted" // the process died while it was dialled: a person decides
)

// TargetStates lists them all.
var TargetStates = []TargetState{TargetWaiting, TargetDialling, TargetDone, TargetExhausted, TargetSkipped, TargetRemoved, TargetExpired, TargetInterrupted}

// Over tells whether the target is not called any more.
func (s TargetState) Over() bool { return s != TargetWaiting && s != TargetDialling }

// HoldReason says why a target is not called, now or at all: a closed set.
type HoldReason string

// The reasons. Those of the law are told by package autodialer/law.
const (
	HeldStopList  HoldReason = "stop_list"
	HeldNoConsent HoldReason = "no_consent"
	HeldWindow    HoldReason = "window"
	HeldNoWindow  HoldReason = "no_window" // the hours of campaign, law and callee never meet
	HeldDebtDay   HoldReason = "debt_day"
	HeldDebtWeek  HoldReason = "debt_week"
	HeldDebtMonth HoldReason = "debt_month"
	HeldAbandoned HoldReason = "cooldown_abandoned"
	HeldSilent    HoldReason = "cooldown_silent"
	HeldAdvert    HoldReason = "advertising_without_operator"
	HeldNoCaller  HoldReason = "no_caller" // no number can be shown
	HeldAttempts  HoldReason = "attempts"  // used up
	HeldNumber    HoldReason = "number_attempts"
	HeldSpacing   HoldReason = "spacing"
	HeldDialled   HoldReason = "dialled_elsewhere" // another campaign of the company calls it just now
	HeldGuard     HoldReason = "barred"            // the fraud guard does not let it be called
	HeldReserved  HoldReason = "operator_reserved" // it waits for the operator who is reserved for it
	HeldCarrier   HoldReason = "refused_mass"      // its subscriber has refused mass calls
	HeldInvalid   HoldReason = "invalid"           // the number does not exist
	HeldCountry   HoldReason = "country_unknown"   // and so is the law
	HeldLabel     HoldReason = "label"             // the number shown has none, or one that is too long
	HeldContacts  HoldReason = "contacts"          // reached, or tried, as often as the law lets it be
	HeldWaits     HoldReason = ""
)

// Target is one person to be called.
type Target struct {
	ID        int64             `json:"id"`            // within the company
	Key       string            `json:"key,omitempty"` // the company's own id of it
	Name      string            `json:"name,omitempty"`
	Numbers   []string          `json:"numbers"` // E.164, in the order in which they are tried
	Variables map[string]string `json:"variables,omitempty"`
	Zone      string            `json:"zone,omitempty"` // IANA name or UTC+07:00; "": by its numbers
	Priority  int               `json:"priority,omitempty"`
	Consent   *Consent          `json:"consent,omitempty"`
	Line      int               `json:"line,omitempty"` // of the list

	State    TargetState            `json:"state"`
	Reason   HoldReason             `json:"reason,omitempty"`
	Next     time.Time              `json:"next,omitzero"`      // not dialled before
	Attempts int                    `json:"attempts"`           // made
	Turn     int                    `json:"turn"`               // place in Numbers of the next
	Outcome  AttemptOutcome         `json:"outcome,omitempty"`  // of the last
	Operator string                 `json:"operator,omitempty"` // with whom the next attempt is made: an extension, [AnyOperator]; "": whoever is free when it is answered
	Tried    map[string]int         `json:"tried,omitempty"`    // attempts that are over, by number
	Came     map[AttemptOutcome]int `json:"came,omitempty"`     // and by what they came to
	Dead     map[string]HoldReason  `json:"dead,omitempty"`     // numbers that are not called any more
	Added    time.Time              `json:"added"`
	Updated  time.Time              `json:"updated"`
}

// AnyOperator in the place of an extension asks for an operator who is reserved before
// the number is dialled, whoever that is.
const AnyOperator = "any"

// TargetQuery selects targets of a campaign in the order of their ids.
type TargetQuery struct {
	State   TargetState    // "": all
	Outcome AttemptOutcome // likewise
	Number  string         // "": all
	Key     string         // "": all
	Limit   int
	Cursor  string
}

// TargetPick names targets of a campaign, in one way.
type TargetPick struct {
	IDs    []int64
	Number string
	Key    string
	State  TargetState
}

// Added says what came of adding targets.
type Added struct {
	Added      int `json:"added"`
	Duplicates int `json:"duplicates"` // a number of theirs is in the campaign already
	Stopped    int `json:"stopped"`    // of those added: on a stop list, and so skipped
}

// TargetNotice is what a company is told of a target that is over.
type TargetNotice struct {
	Campaign string      `json:"campaign"`
	Target   Target      `json:"target"`
	Last     *InCampaign `json:"last,omitempty"` // attempt; nil: none was made
	Call     CallID      `json:"call,omitempty"` // of it
}
