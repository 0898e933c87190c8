package pbx

import (
	"slices"
	"strings"
	"time"
)

// CampaignKind says what a campaign is about; the law asks for it.
type CampaignKind string

// The kinds of a campaign: a closed set.
const (
	CampaignInform      CampaignKind = "inform"      // a message to those who know the company
	CampaignDebt        CampaignKind = "debt"        // a reminder of money that is owed
	CampaignAdvertising CampaignKind = "advertising" // an offer
	CampaignSurvey      CampaignKind = "survey"      // questions answered by keys
	CampaignOperators   CampaignKind = "operators"   // people talk with people
)

// CampaignKinds lists them all.
var CampaignKinds = []CampaignKind{CampaignInform, CampaignDebt, CampaignAdvertising, CampaignSurvey, CampaignOperators}

// DialMode says who speaks to those who are called, and when they are dialled.
type DialMode string

// The modes: a closed set. A message is played by the autoinformer; in the others an
// operator speaks. Preview shows the operator the card first, progressive makes one dial
// for each operator who is free, predictive more than that.
const (
	DialMessage     DialMode = "message"
	DialPreview     DialMode = "preview"
	DialProgressive DialMode = "progressive"
	DialPredictive  DialMode = "predictive"
)

// DialModes lists them all.
var DialModes = []DialMode{DialMessage, DialPreview, DialProgressive, DialPredictive}

// Campaign is what a company has set for calling many people. It is never changed: an
// edit of the document makes another, which counts from the next attempt on.
type Campaign struct {
	Name  string       `json:"name"` // also its id in addresses
	Title string       `json:"title,omitempty"`
	Kind  CampaignKind `json:"kind"`
	Mode  DialMode     `json:"mode"`

	Start  time.Time `json:"start,omitzero"`   // it starts by itself then, once ready; zero: somebody starts it
	Until  time.Time `json:"until,omitzero"`   // nobody is called any more; zero: until all are called
	When   string    `json:"when"`             // schedule of the hours in which people may be called
	Local  bool      `json:"local"`            // these hours are those of who is called; else of the company
	Weight int       `json:"weight,omitempty"` // its share among campaigns that want the same trunk, 0: 1

	Callers []CampaignCaller `json:"callers"`          // number shown, by the longest prefix of who is called
	Trunks  []string         `json:"trunks,omitempty"` // tried in this order; none: as outbound says
	Ring    time.Duration    `json:"ring"`             // how long a number rings
	Pace    CampaignPace     `json:"pace"`
	Redial  Redial           `json:"redial"`

	Script    []ScriptBlock `json:"script,omitempty"` // the first begins; needed in mode message
	Operators Operators     `json:"operators,omitzero"`
	Machine   MachineRule   `json:"machine,omitzero"`

	Record  bool            `json:"record,omitempty"`
	Notice  Notice          `json:"notice,omitzero"`
	Consent CampaignConsent `json:"consent,omitempty"` // "": as the law of the callee's country asks
	// Unlabelled lets it run though a caller number has no label.
	Unlabelled bool `json:"unlabelled,omitempty"`
	// KeepOpen leaves it running when everybody has been called: others are added.
	KeepOpen bool `json:"keep_open,omitempty"`
}

// CampaignConsent says whether people are called who have not agreed to it.
type CampaignConsent string

// Needed skips whoever has no consent record. Given is the company's word that all of
// the list have agreed, which is kept as their record.
const (
	ConsentLaw    CampaignConsent = ""
	ConsentNeeded CampaignConsent = "needed"
	ConsentGiven  CampaignConsent = "given"
)

// MaxLabel is the longest label of a caller number, in characters: Russia's decree of
// 2025-08-28 on the labelling of calls by companies.
const MaxLabel = 32

// CampaignCaller is the number that is shown to people whose number has a prefix.
type CampaignCaller struct {
	Prefix string `json:"prefix,omitempty"` // of the callee's E.164 number, "": all others
	Number string `json:"number"`           // of the company
	Label  string `json:"label,omitempty"`  // name and purpose shown with it, at most [MaxLabel] characters
}

// CallerFor gives the number to be shown to number, false when there is none.
func (c *Campaign) CallerFor(number string) (CampaignCaller, bool) {
	best, found := CampaignCaller{}, false
	for _, k := range c.Callers {
		if strings.HasPrefix(number, k.Prefix) && (!found || len(k.Prefix) > len(best.Prefix)) {
			best, found = k, true
		}
	}
	return best, found
}

// Passed tells whether the end of the campaign has come: nobody is called behind it. A nil
// campaign has none.
func (c *Campaign) Passed(at time.Time) bool {
	return c != nil && !c.Until.IsZero() && !at.Before(c.Until)
}

// CampaignPace bounds how fast people are called.
type CampaignPace struct {
	PerSecond float64       `json:"per_second"`        // dials a second at most
	AtOnce    int           `json:"at_once"`           // calls at once at most
	RampUp    time.Duration `json:"ramp_up,omitempty"` // until the full speed is reached
	Abandoned float64       `json:"abandoned"`         // share of live answers without an operator at most, 0.03 is 3 %
}

// Redial says when somebody is called again.
type Redial struct {
	Attempts  int                           `json:"attempts"`          // to one target at most
	PerNumber int                           `json:"per_number"`        // to one number at most
	Spacing   time.Duration                 `json:"spacing"`           // from one attempt to a target to the next, at least
	Rules     map[AttemptOutcome]RedialRule `json:"rules,omitempty"`   // outcomes that are not here are final
	ByTurn    bool                          `json:"by_turn,omitempty"` // the next attempt is to the target's next number; else after the number's last
}

// RedialRule says what follows an outcome.
type RedialRule struct {
	Times int           `json:"times"` // another attempt, at most so often after this outcome
	After time.Duration `json:"after"`
}

// ScriptBlock is one thing that the autoinformer says, and what keys do then.
type ScriptBlock struct {
	Name      string                  `json:"name"`
	Play      []string                `json:"play"` // prompts
	Keys      map[string]ScriptAction `json:"keys,omitempty"`
	Timeout   time.Duration           `json:"timeout,omitempty"` // how long a key is waited for
	Tries     int                     `json:"tries,omitempty"`   // how often the block is said
	Otherwise *ScriptAction           `json:"otherwise,omitempty"`
}

// ScriptAction is what a key does, or that none was pressed. An answer is stored
// besides one of the others; with none of them the call ends.
type ScriptAction struct {
	Answer  string   `json:"answer,omitempty"`
	Play    []string `json:"play,omitempty"`    // said before what follows
	Connect string   `json:"connect,omitempty"` // extension, group or queue
	Go      string   `json:"go,omitempty"`      // block
	Repeat  bool     `json:"repeat,omitempty"`
	OptOut  bool     `json:"opt_out,omitempty"` // the number is not called any more
}

// Operators says who talks with those who are called, and what they hear when nobody can.
type Operators struct {
	Queue       string        `json:"queue,omitempty"`   // whose agents they are; needed in all modes but message
	Within      time.Duration `json:"within,omitempty"`  // after the answer, or the key, an operator must be there
	SafeHarbour string        `json:"sorry,omitempty"`   // prompt for who gets none: who has called and why
	Card        time.Duration `json:"card,omitempty"`    // preview: time to read the card before the dial
	Wrapup      time.Duration `json:"wrapup,omitempty"`  // after the talk, 0: as the queue says
	Reserve     bool          `json:"reserve,omitempty"` // who was abandoned is called again with an operator reserved
}

// MachineAction says what is done when a machine answers.
type MachineAction string

// What is done: the machine is not looked for, the call is hung up, or the message for
// machines is left behind the beep.
const (
	MachineIgnored MachineAction = ""
	MachineHangup  MachineAction = "hangup"
	MachineMessage MachineAction = "message"
)

// MachineRule says what is done about answering machines.
type MachineRule struct {
	Do     MachineAction `json:"do,omitempty"`
	Play   []string      `json:"play,omitempty"`   // of MachineMessage
	Unsure bool          `json:"unsure,omitempty"` // who is neither clearly a person nor a machine counts as a machine
}

// CampaignStatus is how far a campaign is.
type CampaignStatus string

// A draft has no targets or is not complete; a ready one waits for its start.
const (
	CampaignDraft     CampaignStatus = "draft"
	CampaignReady     CampaignStatus = "ready"
	CampaignRunning   CampaignStatus = "running"
	CampaignPaused    CampaignStatus = "paused"
	CampaignFinished  CampaignStatus = "finished"
	CampaignCancelled CampaignStatus = "cancelled"
)

// CampaignStatuses lists them all.
var CampaignStatuses = []CampaignStatus{CampaignDraft, CampaignReady, CampaignRunning, CampaignPaused, CampaignFinished, CampaignCancelled}

// Over tells whether nobody is called any more.
func (s CampaignStatus) Over() bool { return s == CampaignFinished || s == CampaignCancelled }

// CampaignState is what has become of a campaign; it survives restarts, and the campaign
// itself when that is taken out of the document.
type CampaignState struct {
	Tenant   TenantID       `json:"tenant"`
	Campaign string         `json:"campaign"`
	Status   CampaignStatus `json:"status"`
	Alert    string         `json:"alert,omitempty"`   // why it was paused, where nobody has asked for it
	By       string         `json:"by,omitempty"`      // whose word it was
	Started  *time.Time     `json:"started,omitempty"` // first
	Resumed  *time.Time     `json:"resumed,omitempty"` // last
	Ended    *time.Time     `json:"ended,omitempty"`
	Updated  time.Time      `json:"updated"`
	Version  int64          `json:"version"`            // grows with each change
	Settings *Campaign      `json:"settings,omitempty"` // with which it was started or ran last
}

// Stop is a number that must not be called by campaigns.
type Stop struct {
	Number   string    `json:"number"`
	Campaign string    `json:"campaign,omitempty"` // "": by none of the company
	Source   string    `json:"source"`             // list, api, key, operator, carrier
	Note     string    `json:"note,omitempty"`
	At       time.Time `json:"at"`
}

// Consent is the record that somebody has agreed to be called.
type Consent struct {
	Number string    `json:"number,omitempty"`
	Source string    `json:"source"` // where it was given
	Text   string    `json:"text"`   // what was agreed to
	At     time.Time `json:"at"`
}

// OperatorMode tells whether an operator speaks to those who are called.
func (m DialMode) OperatorMode() bool { return m != DialMessage && m != "" }

// Connects tells whether the script of the campaign leads to an operator, or the campaign
// has operators.
func (c *Campaign) Connects() bool {
	if c.Mode.OperatorMode() {
		return true
	}
	return slices.ContainsFunc(c.Script, func(b ScriptBlock) bool {
		for _, a := range b.Keys {
			if a.Connect != "" {
				return true
			}
		}
		return b.Otherwise != nil && b.Otherwise.Connect != ""
	})
}

// Block gives the block of that name, nil when there is none.
func (c *Campaign) Block(name string) *ScriptBlock {
	i := slices.IndexFunc(c.Script, func(b ScriptBlock) bool { return b.Name == name })
	if i < 0 {
		return nil
	}
	return &c.Script[i]
}

// Spoken lists the prompts that the calls of the campaign may play; one may be there
// twice.
func (c *Campaign) Spoken() []string {
	var names []string
	for _, b := range c.Script {
		names = append(names, b.Play...)
		for _, a := range b.Keys {
			names = append(names, a.Play...)
		}
		if b.Otherwise != nil {
			names = append(names, b.Otherwise.Play...)
		}
	}
	if c.Machine.Do == MachineMessage {
		names = append(names, c.Machine.Play...)
	}
	if c.Operators.SafeHarbour != "" {
		names = append(names, c.Operators.SafeHarbour)
	}
	return names
}
