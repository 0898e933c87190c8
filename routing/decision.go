package routing

import (
	"time"

	"vpbx/pbx"
)

// Bounds of a decision.
const (
	MaxSteps    = 64                // steps of one decision
	DefaultRing = 20 * time.Second  // a ring step that does not say how long
	MaxRing     = 120 * time.Second // the longest ring step, and the wait for an outside number
)

// Request is a call that wants to know what becomes of it.
type Request struct {
	Company   *pbx.Company
	Direction pbx.Direction  // pbx.In for what came over a trunk; for an extension's call the decision says
	From, To  string         // as they were signalled
	Trunk     string         // name of the trunk it came in on
	Caller    *pbx.Extension // who dialled, nil for callers from outside
	With      string         // the extension that Caller sends on, "" when it is not one or none is: it is in the call, too
	Gone      bool           // Caller has sent the call on and is no longer in it: it can be rung
	At        time.Time      // when the decision counts: for schedules
	Book      pbx.Contact    // what the company's own address book says of From
}

// Decision is what is to be done with a call, and why.
type Decision struct {
	Contact   pbx.Contact   // what the CRM says about the caller
	Lookup    *pbx.Lookup   // how asking it went, nil when it was not asked
	Direction pbx.Direction // as the record shows it
	To        string        // the dialled number, normalised
	Rule      string        // the rule that it follows, as its place in the document; "" when none
	Record    bool
	Notice    pbx.Notice // where Record
	// Steps are done in order until one connects or refuses the caller. When
	// the last one is a Ring or a Dial that nobody answered, or a Menu that led to
	// nobody, the call ends with the cause of that step.
	Steps []Step
	// Why is what was found out while deciding. The reason for a single Ring is
	// in its own Why and is not repeated here, so that the record of a call
	// shows it where it happened.
	Why []string
}

// Step is one thing to do with a caller: Ring, Play, Dial, Feature, Park, Page,
// Confer, Menu, Leave, Queue or Reject.
type Step interface{ step() }

// Ring rings extensions of the company, each on all its phones.
type Ring struct {
	Who    []string      // numbers of extensions, never empty, none twice
	For    time.Duration // how long; with Linear how long each
	Linear bool          // one after the other, otherwise all at once
	Group  string        // number of the group, "" when none
	Music  string        // what the caller hears meanwhile, "": that it rings
	Auto   bool          // the phones are asked to answer by themselves
	Why    string
}

// Play answers the caller and plays prompts to it, each once.
type Play struct {
	Prompts   []*pbx.Prompt // never empty
	Interrupt bool          // a key of the caller ends it
}

// Dial calls an outside number over the first trunk that takes the call.
type Dial struct {
	Number string       // E.164, or as dialled where it has no such form (112)
	Trunks []*pbx.Trunk // never empty
	// Weights are those of Trunks, as many, or none: see [pbx.Outbound].
	Weights []int
	By      string        // the extension that is answerable for the call, "" when the company itself is
	Caller  string        // number to show, "" when none is configured
	Label   string        // shown with Caller as its name, "": none
	Hidden  bool          // the number is withheld
	Strip   int           // first characters taken off the number before it is dialled
	Add     string        // put before what is left
	For     time.Duration // how long to wait for an answer on one trunk
}

// Code is a feature code that can be done.
type Code string

// The feature codes.
const (
	ForwardTo    Code = "*72" // with a number behind it
	ForwardOff   Code = "*73"
	DNDOn        Code = "*78"
	DNDOff       Code = "*79"
	Echo         Code = "*43"
	Pickup       Code = "*8"  // with an extension behind it, or of one's groups
	Retrieve     Code = "*5"  // with the digit of a park orbit behind it
	Intercom     Code = "*60" // with an extension behind it
	PageAll      Code = "*61" // with a group behind it
	RecordPrompt Code = "*64" // with the code of a prompt behind it
	OwnNumber    Code = "*65" // which is said
	AgentLogin   Code = "*45" // in or out; with an open queue behind it: of that one
	AgentPause   Code = "*46" // or resume; with the place of a reason behind it: pause for that
	AgentLine    Code = "*47" // a line on which calls of campaigns come
)

// Feature does what a feature code asks for, for the extension that dialled it,
// and ends the call.
type Feature struct {
	Code   Code
	Number string // of ForwardTo: where to, normalised; of Pickup: whose call, "" of any mate; of Retrieve: the orbit; of Mailbox: whose; of AgentLogin: the queue; of AgentPause: the reason; of RecordPrompt: the name of the prompt
}

// Park lets the caller wait at an orbit.
type Park struct {
	Orbit string
	By    string // the extension that parks
}

// Page lets the caller speak to all phones of a group, which answer by themselves.
type Page struct {
	Who   []string // extensions, never empty
	Group string
}

// Confer lets the caller into a conference.
type Confer struct {
	Conference *pbx.Conference
}

// Reject ends the call with that cause.
type Reject struct {
	Cause pbx.Cause
}

func (Ring) step()    {}
func (Play) step()    {}
func (Dial) step()    {}
func (Feature) step() {}
func (Park) step()    {}
func (Page) step()    {}
func (Confer) step()  {}
func (Reject) step()  {}
