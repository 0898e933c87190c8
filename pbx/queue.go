package pbx

import (
	"slices"
	"time"
)

// Skilled is a strategy of queues alone: a caller is offered to whom has most of the
// skills it needs.
const Skilled Strategy = "skills"

// MaxQueue is how many callers can wait in a queue, and how many callbacks.
const MaxQueue = 1000

// Queue is what makes a group a queue: callers wait until an agent is free.
type Queue struct {
	Priorities map[string]int `json:"priorities,omitempty"` // of members; those not here have 0, and the lowest that is free is offered calls
	Login      Login          `json:"login,omitempty"`
	Skills     []string       `json:"skills,omitempty"` // an agent must have all of them
	Weight     int            `json:"weight,omitempty"` // among the queues that want the same agent the highest goes first
	Wrapup     time.Duration  `json:"wrapup,omitempty"` // an agent is left alone so long after a talk
	Retry      time.Duration  `json:"retry"`            // and so long after it did not answer
	Misses     int            `json:"misses,omitempty"` // calls missed in a row after which an agent is paused, 0: never
	MaxWait    time.Duration  `json:"max_wait"`
	MaxSize    int            `json:"max_size"`

	Greeting string        `json:"greeting,omitempty"` // prompt that a caller hears before it waits
	Announce Announcement  `json:"announce,omitempty"`
	Every    time.Duration `json:"announce_every,omitempty"`

	JoinEmpty  WhenEmpty     `json:"join_empty,omitempty"`  // "": Overflows
	LeaveEmpty WhenEmpty     `json:"leave_empty,omitempty"` // "": Waits
	Overflow   []Step        `json:"overflow,omitempty"`    // for callers who cannot or need not wait any longer; empty: the plan goes on
	SLA        time.Duration `json:"sla"`                   // callers should be answered within
	Callback   *Callback     `json:"callback,omitempty"`
	Record     bool          `json:"record,omitempty"`
	Notice     Notice        `json:"notice,omitzero"`
}

// Login says who of a queue is an agent.
type Login string

// With LoginOptional, which "" means too, members are, until they log out. With
// LoginRequired they have to log in. With LoginOpen any extension may log in to the queue.
const (
	LoginOptional Login = "optional"
	LoginRequired Login = "required"
	LoginOpen     Login = "open"
)

// Announcement says what callers who wait are told.
type Announcement string

// What callers are told: their place, the time they have to expect, both, or nothing.
const (
	AnnounceOff      Announcement = "off"
	AnnouncePosition Announcement = "position"
	AnnounceWait     Announcement = "wait"
	AnnounceBoth     Announcement = "both"
)

// WhenEmpty says what becomes of callers while no agent is logged in.
type WhenEmpty string

// They wait all the same, or overflow.
const (
	Waits     WhenEmpty = "wait"
	Overflows WhenEmpty = "overflow"
)

// Callback lets callers of a queue hang up and keep their place.
type Callback struct {
	Key      string        `json:"key"`               // that asks for it
	After    time.Duration `json:"after,omitempty"`   // it is offered to whom has waited so long
	Offer    string        `json:"offer,omitempty"`   // prompt that offers it
	Confirm  string        `json:"confirm,omitempty"` // prompt that confirms it, "": a tone
	Attempts int           `json:"attempts"`          // calls to the caller at most
	Retry    time.Duration `json:"retry"`             // from one to the next
	Expires  time.Duration `json:"expires"`           // then it is given up
}

// PauseReason is a reason for which agents can pause.
type PauseReason struct {
	Name string `json:"name"`
	Paid bool   `json:"paid,omitempty"` // it counts as working time
}

// The pauses that need not be set up: one without a reason, and that of an agent
// who has missed too many calls.
const (
	PausedPlain  = "pause"
	PausedMissed = "missed_calls"
)

// PauseNamed gives a reason for a pause; false when the company has none of that name.
func (t Tenant) PauseNamed(name string) (PauseReason, bool) {
	if name == PausedPlain || name == PausedMissed {
		return PauseReason{Name: name}, true
	}
	i := slices.IndexFunc(t.Pauses, func(p PauseReason) bool { return p.Name == name })
	if i < 0 {
		return PauseReason{}, false
	}
	return t.Pauses[i], true
}

// Logged says whether an agent is at work.
type Logged string

// An agent who has said neither is at work where the queue asks for no login.
const (
	LoggedIn  Logged = "in"
	LoggedOut Logged = "out"
)

// AgentState is what an agent has said about itself; it survives restarts.
type AgentState struct {
	Tenant  TenantID  `json:"tenant"`
	Number  string    `json:"number"`
	Logged  Logged    `json:"logged,omitempty"`
	Queues  []string  `json:"queues,omitempty"` // open ones that it has logged in to
	Paused  string    `json:"paused,omitempty"` // reason, "": not paused
	Since   time.Time `json:"since"`
	Version int64     `json:"version"` // grows with each change
}

// AgentStatus is what an agent does at a moment.
type AgentStatus string

// What agents do: a closed set.
const (
	AgentLoggedOut   AgentStatus = "logged_out"
	AgentUnreachable AgentStatus = "unreachable" // no phone is registered, or it does not want to be disturbed
	AgentAvailable   AgentStatus = "available"
	AgentRinging     AgentStatus = "ringing"  // for a caller of a queue
	AgentTalking     AgentStatus = "talking"  // or rings, in any call
	AgentReserved    AgentStatus = "reserved" // for the call of a campaign, whose number is being dialled
	AgentWrapup      AgentStatus = "wrapup"
	AgentMissed      AgentStatus = "missed" // it did not answer, and is left alone for a while
	AgentPaused      AgentStatus = "paused"
)

// AgentStatuses lists them all.
var AgentStatuses = []AgentStatus{AgentLoggedOut, AgentUnreachable, AgentAvailable, AgentRinging, AgentTalking, AgentReserved, AgentWrapup, AgentMissed, AgentPaused}

// AgentInfo is an agent as others see it.
type AgentInfo struct {
	Number string      `json:"number"`
	Name   string      `json:"name"`
	Status AgentStatus `json:"status"`
	Paused string      `json:"paused,omitempty"` // reason
	Paid   bool        `json:"paid,omitempty"`   // of the pause
	Since  *time.Time  `json:"since,omitempty"`  // of the last login, logout, pause or resumption
	Until  *time.Time  `json:"until,omitempty"`  // end of wrapup and missed
	Call   string      `json:"call,omitempty"`   // that it is offered or talks in
	Misses int         `json:"misses,omitempty"` // in a row
	Queues []string    `json:"queues,omitempty"` // that it is an agent of
	Line   bool        `json:"line,omitempty"`   // it holds a line for campaigns
}

// QueueInfo is a queue as others see it.
type QueueInfo struct {
	Number  string      `json:"number"`
	Name    string      `json:"name"`
	Waiting []Waiting   `json:"waiting"`
	Agents  []AgentInfo `json:"agents,omitempty"`
	Logged  int         `json:"logged_in"` // agents at work, paused ones too
	Free    int         `json:"available"`
	Expects float64     `json:"expected_wait"` // seconds, of who comes now; 0: not known
}

// Waiting is one who waits in a queue.
type Waiting struct {
	Call     CallID    `json:"call"`
	From     string    `json:"from"`
	Position int       `json:"position"`
	Since    time.Time `json:"since"`
	Priority int       `json:"priority,omitempty"`
	Skills   []string  `json:"skills,omitempty"`
	Callback bool      `json:"callback,omitempty"` // it has hung up and is called back
	Offered  []string  `json:"offered,omitempty"`  // agents who ring
}

// CallbackState says how far a callback is.
type CallbackState string

// A callback waits for its turn; while the caller is called it is dialling. With
// any other state it is over.
const (
	CallbackWaiting     CallbackState = "waiting"
	CallbackDialling    CallbackState = "dialling"
	CallbackReached     CallbackState = "reached"
	CallbackFailed      CallbackState = "failed"
	CallbackExpired     CallbackState = "expired"
	CallbackCancelled   CallbackState = "cancelled"
	CallbackInterrupted CallbackState = "interrupted" // the process died while the caller was called
)

// CallbackStates lists them all: the closed set of the metrics' label.
var CallbackStates = []CallbackState{CallbackWaiting, CallbackDialling, CallbackReached, CallbackFailed, CallbackExpired, CallbackCancelled, CallbackInterrupted}

// Over tells whether nothing more comes of it.
func (s CallbackState) Over() bool { return s != CallbackWaiting && s != CallbackDialling }

// CallbackOrder is the wish of a caller to be called back.
type CallbackOrder struct {
	ID       string        `json:"id"` // of the call in which it was asked for
	Tenant   TenantID      `json:"tenant"`
	Queue    string        `json:"queue"`
	Number   string        `json:"number"`
	Name     string        `json:"name,omitempty"`
	Since    time.Time     `json:"since"` // its place: when the caller began to wait
	Asked    time.Time     `json:"asked"`
	Expires  time.Time     `json:"expires"`
	Priority int           `json:"priority,omitempty"`
	Skills   []string      `json:"skills,omitempty"`
	State    CallbackState `json:"state"`
	Attempts int           `json:"attempts"`
	Next     time.Time     `json:"next"` // not before
	Call     CallID        `json:"call,omitempty"`
	Agent    string        `json:"agent,omitempty"`
	Reason   Reason        `json:"reason,omitempty"` // of the last attempt that failed
	Updated  time.Time     `json:"updated"`
}

// IsAgent tells whether an extension is a member of a queue.
func (c *Company) IsAgent(number string) bool {
	for _, g := range c.Groups {
		if g.Queue != nil && slices.Contains(g.Members, number) {
			return true
		}
	}
	return false
}

// HasOpenQueue tells whether any extension may log in to a queue.
func (c *Company) HasOpenQueue() bool {
	for _, g := range c.Groups {
		if g.Queue != nil && g.Queue.Login == LoginOpen {
			return true
		}
	}
	return false
}

// AgentVerb says how an agent changes: a closed set, the label of a metric and the name
// of an event.
type AgentVerb string

// What agents do by feature codes and the API.
const (
	AgentLogin  AgentVerb = "login"
	AgentLogout AgentVerb = "logout"
	AgentPause  AgentVerb = "pause"
	AgentResume AgentVerb = "resume"
)

// AgentVerbs lists them all.
var AgentVerbs = []AgentVerb{AgentLogin, AgentLogout, AgentPause, AgentResume}

// AgentChange is what an agent does.
type AgentChange struct {
	Do     AgentVerb
	Queue  string // of AgentLogin and AgentLogout: an open queue, "": all of which it is a member
	Reason string // of AgentPause, "": [PausedPlain]
}
