package pbx

import (
	"slices"
	"strings"
	"time"
)

// AmoCRM is what a company has set up for amoCRM.
type AmoCRM struct {
	Account      string           `json:"account"`             // host, as acme.amocrm.ru: that which a link is asked for
	ClientSecret string           `json:"client_secret"`       // of the integration
	Users        map[int64]string `json:"users,omitempty"`     // internal number by user of the account, none twice
	Fallback     string           `json:"fallback,omitempty"`  // internal number of the manager for abnormal situations
	Listeners    []int64          `json:"listeners,omitempty"` // users beside Users whose links to recordings work
	Scenarios    []AmoScenario    `json:"scenarios,omitempty"` // the first that takes a call does so
	Link         *AmoLink         `json:"link,omitempty"`      // nil: not connected
}

// AmoLink is the account that a company is connected with.
type AmoLink struct {
	Account      string    `json:"account"`       // host, lower case; of one company only
	AccountID    int64     `json:"account_id"`    // as amoCRM counts them
	ClientID     string    `json:"client_id"`     // of the integration with which it was connected
	ClientSecret string    `json:"client_secret"` // likewise
	Key          string    `json:"key"`           // signs links to recordings
	At           time.Time `json:"at"`            // when it was connected
}

// AmoEvent is what a call is to a scenario: how it went, and whether the client was
// known to the CRM before.
type AmoEvent string

// The kinds of a call.
const (
	AmoIncomingNew   AmoEvent = "incoming_new"
	AmoIncomingKnown AmoEvent = "incoming_known"
	AmoOutgoingNew   AmoEvent = "outgoing_new"
	AmoOutgoingKnown AmoEvent = "outgoing_known"
	AmoMissedNew     AmoEvent = "missed_new"
	AmoMissedKnown   AmoEvent = "missed_known"
)

// AmoEvents lists them.
var AmoEvents = []AmoEvent{AmoIncomingNew, AmoIncomingKnown, AmoOutgoingNew, AmoOutgoingKnown, AmoMissedNew, AmoMissedKnown}

// New says whether the client was not known.
func (e AmoEvent) New() bool { return strings.HasSuffix(string(e), "_new") }

// AmoScenario says what becomes of calls over some lines.
type AmoScenario struct {
	Name       string                   `json:"name"` // unique in the company
	On         bool                     `json:"on"`
	Lines      []string                 `json:"lines,omitempty"`      // numbers of the company; empty: all
	Smart      bool                     `json:"smart,omitempty"`      // callers go to who is responsible for them
	Exceptions []string                 `json:"exceptions,omitempty"` // internal numbers that Smart never rings
	Events     map[AmoEvent]AmoReaction `json:"events,omitempty"`
}

// AmoReaction is what is made in the CRM of a call. Of a known client no contact
// is made.
type AmoReaction struct {
	Contact    *AmoEntity `json:"contact,omitempty"`
	Lead       *AmoEntity `json:"lead,omitempty"`
	Task       *AmoTask   `json:"task,omitempty"`
	Unsorted   *AmoQueue  `json:"unsorted,omitempty"`   // in the place of a contact: a request that somebody takes
	Transferee bool       `json:"transferee,omitempty"` // after the call the last who talked is responsible for the contact that was made
}

// AmoEntity is a contact or a lead to be made. Name and the values of Fields are
// templates, see [AmoText].
type AmoEntity struct {
	Name        string            `json:"name,omitempty"`
	Tags        []string          `json:"tags,omitempty"`
	Fields      map[string]string `json:"fields,omitempty"`      // by id or code of the field
	Responsible string            `json:"responsible,omitempty"` // AmoWho…, or a user's id
	Group       string            `json:"group,omitempty"`       // of a lead: the users of the members of this group of ours in turn, in place of Responsible
	Pipeline    int64             `json:"pipeline,omitempty"`    // of a lead, 0: the main one
	Status      int64             `json:"status,omitempty"`      // of a lead, 0: the first one
}

// AmoTask is a task to be made.
type AmoTask struct {
	Text        string        `json:"text"` // template
	Responsible string        `json:"responsible,omitempty"`
	Due         time.Duration `json:"due,omitempty"` // after the call, 0: an hour
}

// AmoQueue is where requests wait that nobody has taken yet.
type AmoQueue struct {
	Pipeline int64 `json:"pipeline,omitempty"` // 0: the main one
}

// Who is responsible for what is made, when it is not a user by id.
const (
	AmoWhoCall     = "call"     // who talks; nobody does: who is responsible for the contact, then the fallback
	AmoWhoContact  = "contact"  // who is responsible for the contact, then as call
	AmoWhoFallback = "fallback" // the manager for abnormal situations
)

// AmoText fills a template: $(phone) is the client's number, $(line) the company's.
func AmoText(template, phone, line string) string {
	return strings.NewReplacer("$(phone)", phone, "$(line)", line).Replace(template)
}

// Scenario gives the scenario that takes calls over a line of the company, nil when
// none does.
func (a *AmoCRM) Scenario(line string) *AmoScenario {
	for i := range a.Scenarios {
		s := &a.Scenarios[i]
		if s.On && (len(s.Lines) == 0 || slices.Contains(s.Lines, line)) {
			return s
		}
	}
	return nil
}

// UserOf gives the user of the account who has an internal number, 0 when nobody.
func (a *AmoCRM) UserOf(extension string) int64 {
	if extension == "" {
		return 0
	}
	for id, number := range a.Users {
		if number == extension {
			return id
		}
	}
	return 0
}

// Listens says whether a user may hear recordings.
func (a *AmoCRM) Listens(user int64) bool {
	return a.Users[user] != "" || slices.Contains(a.Listeners, user)
}

// AmoStep is one thing that is done in the CRM because of a call, and how far it
// is: what makes it happen once though events come again.
type AmoStep struct {
	Name  string    // contact, lead, task, call …
	Done  bool      // false: it was begun, and nobody knows whether the CRM did it
	Begun time.Time // first
	ID    int64     // what it made
	Note  string    // what is to be remembered, JSON
}

// AmoState is a link that was asked for and is not made yet.
type AmoState struct {
	Hash         string // hex SHA-256 of what the browser brings back
	Tenant       TenantID
	Account      string
	ClientID     string
	ClientSecret string
	By           string // who asked
	Replace      bool   // another account may be given up for it
	Expires      time.Time
}

// AmoUser is a user of the account, with the internal number it is mapped to.
type AmoUser struct {
	ID        int64  `json:"id"`
	Name      string `json:"name"`
	Email     string `json:"email,omitempty"`
	Active    bool   `json:"active" doc:"False of one who is no longer there"`
	Extension string `json:"extension" doc:"Internal number, empty when the user has none"`
}

// AmoPipeline is a pipeline of the account.
type AmoPipeline struct {
	ID       int64       `json:"id"`
	Name     string      `json:"name"`
	Main     bool        `json:"main"`
	Statuses []AmoStatus `json:"statuses" nullable:"false"`
}

// AmoStatus is a stage of a pipeline.
type AmoStatus struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

// AmoLinkOrder asks for a link to an account.
type AmoLinkOrder struct {
	Account      string // "": that of the settings
	ClientID     string // of another integration than that of the settings, with its secret
	ClientSecret string
	Replace      bool // another account may be given up for it
	By           string
}

// AmoVisitor is a user of amoCRM who looks at the widget.
type AmoVisitor struct {
	Tenant    TenantID
	Account   string
	User      int64
	Extension string // "": he has none
}
