package pbx

import "time"

// RouteQuestion asks what would become of a call, without one.
type RouteQuestion struct {
	From   string    // number of a caller from outside; "": it hides its number
	To     string    // what is dialled
	At     time.Time // when
	Trunk  string    // that a call from outside comes in on, "": any
	Caller string    // the extension that dials, in the place of From
	Owner  string    // the extension that the CRM is supposed to name; "" with AskCRM, or: it does not know the caller
	AskCRM bool      // the CRM is asked, where the rule asks it
}

// RoutePlan is what would become of a call.
type RoutePlan struct {
	Direction Direction       `json:"direction"`
	From      string          `json:"from" doc:"The caller, normalised; anonymous when it hides its number"`
	To        string          `json:"to" doc:"The dialled number, normalised"`
	At        time.Time       `json:"at" doc:"The time it is reckoned for, in the zone of the company"`
	Rule      string          `json:"rule,omitempty" doc:"Place in the document of the rule that takes the call"`
	Schedules []ScheduleState `json:"schedules" nullable:"false" doc:"State of each schedule at that time"`
	Contact   Contact         `json:"contact" doc:"Who the caller is by the CRM, or the address book"`
	CRM       *Lookup         `json:"crm,omitempty" doc:"How asking the CRM went; absent when it was not asked"`
	Record    bool            `json:"record" doc:"The call would be recorded"`
	Why       []string        `json:"why" nullable:"false"`
	Steps     []PlannedStep   `json:"steps" nullable:"false" doc:"What would be done, in this order, until one connects or refuses the caller"`
}

// ScheduleState is whether a schedule is open.
type ScheduleState struct {
	Name  string     `json:"name"`
	Open  bool       `json:"open"`
	Until *time.Time `json:"until,omitempty" doc:"When that changes; absent when it does not soon"`
}

// PlannedStep is one thing that would be done with a caller.
type PlannedStep struct {
	Do     string         `json:"do" doc:"Kind of the step: ring, play, dial, …"`
	Text   string         `json:"text" doc:"What it is about, and why"`
	For    float64        `json:"for,omitempty" doc:"How long, in seconds"`
	Who    []PlannedPhone `json:"who,omitempty" doc:"Extensions that it is about"`
	Number string         `json:"number,omitempty" doc:"Number that is called, of a group, a conference"`
	Trunks []string       `json:"trunks,omitempty" doc:"Trunks that are tried"`
	// Keys are what follows a key that the caller presses, laid out one level deep.
	Keys map[string][]PlannedStep `json:"keys,omitempty" doc:"What would follow a key of the caller"`
}

// PlannedPhone is an extension that would ring, as it is now.
type PlannedPhone struct {
	Number     string        `json:"number"`
	Name       string        `json:"name,omitempty"`
	Registered bool          `json:"registered"`
	DND        bool          `json:"dnd,omitempty" doc:"It does not want to be disturbed"`
	Forward    map[On]string `json:"forward,omitempty" doc:"Where its calls go on, by the reason"`
}
