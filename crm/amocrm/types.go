package amocrm

import (
	"log/slog"
	"time"

	"vpbx/pbx"
)

// Account is an account of amoCRM that a company has linked. It may be compared.
type Account struct {
	Tenant       pbx.TenantID
	Country      string // of the company, ISO 3166 alpha-2: how the numbers on its cards are read
	Base         string // https://example.amocrm.ru, as it was linked
	ClientID     string // of the integration
	ClientSecret string
	RedirectURI  string // as the integration names it
}

// LogValue keeps the secret out of logs.
func (a Account) LogValue() slog.Value {
	return slog.GroupValue(slog.String("tenant", string(a.Tenant)), slog.String("base", a.Base))
}

// String keeps the secret out of texts.
func (a Account) String() string { return "account " + a.Base + " of " + string(a.Tenant) }

// GoString keeps the secret out of texts.
func (a Account) GoString() string { return a.String() }

// Info is what amoCRM says of an account.
type Info struct {
	ID        int64
	Name      string
	Subdomain string
	User      int64 // who linked it: what we do is done in his name
}

// User is somebody who works in an account.
type User struct {
	ID     int64
	Name   string
	Email  string
	Admin  bool
	Active bool
}

// Statuses that every pipeline has.
const (
	StatusWon  int64 = 142
	StatusLost int64 = 143
)

// Pipeline is a way that leads go, status by status.
type Pipeline struct {
	ID       int64
	Name     string
	Main     bool
	Archived bool
	Statuses []Status
}

// Status is a stage of a pipeline.
type Status struct {
	ID       int64
	Name     string
	Unsorted bool // holds what came in and nobody has taken; nothing is added to it directly
}

// Contact is the card of a person.
type Contact struct {
	ID          int64
	Name        string
	Responsible int64 // user
	Phones      []string
	Leads       []int64
	Companies   []int64
	Tags        []string
}

// Lead is a deal.
type Lead struct {
	ID          int64
	Name        string
	Status      int64
	Pipeline    int64
	Responsible int64     // user
	Updated     time.Time // zero when not told
}

// Active tells whether the lead is neither won nor lost.
func (l *Lead) Active() bool { return l.Status != StatusWon && l.Status != StatusLost }

// Field is a value of an additional field, which is named by its id or by its code
// (PHONE, EMAIL or one of the account's own).
type Field struct {
	ID     int64
	Code   string
	Values []string
	Enum   string // what kind of value: WORK, MOB; "": the first kind
}

// NewContact is a contact to add.
type NewContact struct {
	Name        string
	Responsible int64 // user, 0: who linked the account
	Phones      []string
	Fields      []Field
	Tags        []string
}

// ContactChange is what is to be changed of a contact; zero values are left as they are.
type ContactChange struct {
	Name        string
	Responsible int64
}

// NewLead is a lead to add.
type NewLead struct {
	Name        string
	Pipeline    int64 // 0: the main one
	Status      int64 // 0: the first of the pipeline
	Responsible int64 // user, 0: who linked the account
	Fields      []Field
	Tags        []string
	Contacts    []int64
}

// The kinds of a task.
const (
	TaskCall    int64 = 1 // get in touch
	TaskMeeting int64 = 2
)

// The kinds of a card, as EntityType of a task and of a call that was added.
const (
	EntityContact = "contacts"
	EntityLead    = "leads"
)

// NewTask is a task to add.
type NewTask struct {
	Text        string
	Due         time.Time
	Kind        int64 // 0: TaskCall
	EntityType  string
	Entity      int64
	Responsible int64 // user, 0: who linked the account
}

// The directions of a call.
const (
	Inbound  = "inbound"
	Outbound = "outbound"
)

// What became of a call: the values of Call.Status.
const (
	CallLeftMessage  = 1
	CallLater        = 2
	CallNotAvailable = 3
	CallTalked       = 4
	CallWrongNumber  = 5
	CallNoAnswer     = 6
	CallBusy         = 7
)

// Call is a call to log. amoCRM finds the card by the last ten digits of Phone:
// the lead when there is exactly one active one and no customer, the customer
// when there is exactly one and no active lead, else the contact or company. When it
// finds none the call is not logged.
type Call struct {
	Direction   string // Inbound or Outbound
	Phone       string // of the other side
	Duration    time.Duration
	Source      string // name of the integration
	Uniq        string // of the call
	Link        string // of the recording; the user's browser must reach it
	Result      string // free text
	Status      int    // 0: not told
	Responsible int64  // user who talked, 0: not told
	At          time.Time
}

// CallResult is what became of a call that was to be logged.
type CallResult struct {
	ID         int64
	Entity     int64
	EntityType string // EntityContact, EntityLead, companies or customers
	Err        error  // an *ItemError when amoCRM refused it
}

// UnsortedSIP is a call of somebody who has no card: it waits among the incoming leads
// until somebody takes it. The same UnsortedSIP is not taken twice.
type UnsortedSIP struct {
	SourceUID   string // of the line that was called
	SourceName  string
	Pipeline    int64 // 0: the main one
	Uniq        string
	From        string // who called
	Phone       string // whom he called
	At          time.Time
	Duration    time.Duration
	Link        string // of the recording
	Service     string // code of the integration's widget
	Responsible int64  // user, 0: not told
	Silent      bool   // without a notice that there was a call
	Lead        *NewLead
	Contact     *NewContact
}

// UnsortedResult is what became of an UnsortedSIP.
type UnsortedResult struct {
	UID     string
	Lead    int64
	Contact int64
	Err     error // an *ItemError when amoCRM refused it
}

// Result is what became of a contact, lead or task to add.
type Result struct {
	ID  int64
	Err error // an *ItemError when amoCRM refused it
}
