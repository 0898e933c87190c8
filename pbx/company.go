package pbx

import (
	"net/netip"
	"slices"
	"time"
)

// Company is everything that is configured for one tenant. It is built from
// the store, never changed afterwards, and replaced as a whole when a document
// is applied: a call keeps the Company it began with.
type Company struct {
	Tenant
	Extensions map[string]*Extension // by number
	Groups     map[string]*Group     // by number
	Trunks     []*Trunk              // in the order of the document
	Numbers    map[string]*Number    // by E.164 number
	Outbound   []Outbound            // in the order of the document
	Rules      []Rule                // in the order of the document
	Rates      []Rate                // in the order of the document
	Prompts    map[string]*Prompt    // by name
	Music      map[string]*Music     // by name; nil when there is none
	CRM        CRM

	Conferences map[string]*Conference // by number
	Schedules   map[string]*Schedule   // by name; nil when there is none
	Lists       map[string]*List       // likewise
	Menus       map[string]*Menu       // by name; nil when there is none
	Campaigns   map[string]*Campaign   // by name; nil when there is none
}

// Trunk gives the trunk of that name, nil when there is none.
func (c *Company) Trunk(name string) *Trunk {
	for _, t := range c.Trunks {
		if t.Name == name {
			return t
		}
	}
	return nil
}

// Tenant is a company as such.
type Tenant struct {
	ID      TenantID `json:"tenant"`
	Domain  string   `json:"domain"` // SIP domain and digest realm, lower case
	Name    string   `json:"name"`
	Zone    string   `json:"zone"`    // IANA time zone
	Country string   `json:"country"` // ISO 3166 alpha-2: how national numbers are read
	Limits  Limits   `json:"limits"`

	Recordings RecordingRules `json:"recordings,omitzero"`
	Pauses     []PauseReason  `json:"pauses,omitempty"` // of agents

	Provisioned string `json:"provisioned,omitempty"` // digest of the company file that was applied last, "": none was
}

// Limits bound what a company, and whoever stole a password of it, can do.
// A number that is 0 is the default of the fraud guard: see [Limits.Guarded].
type Limits struct {
	Calls         int      `json:"calls"`                // calls at once
	PerMinute     int      `json:"per_minute"`           // new calls a minute
	International bool     `json:"international"`        // calls to other countries allowed
	Premium       bool     `json:"premium,omitempty"`    // premium-rate numbers allowed
	Barred        []string `json:"barred,omitempty"`     // prefixes of numbers that nobody may call
	ExtCalls      int      `json:"ext_calls,omitempty"`  // calls at once of an extension that does not say
	ExtPerMinute  int      `json:"ext_minute,omitempty"` // new calls a minute, likewise
	Spend         Money    `json:"spend,omitempty"`      // in a day, 0: no limit
	ExtSpend      Money    `json:"ext_spend,omitempty"`  // in a day of an extension that does not say, 0: no limit
}

// Extension is a person's or a device's internal number with its account.
type Extension struct {
	Number    string   `json:"number"`
	Name      string   `json:"name"`
	HA1MD5    string   `json:"ha1_md5"`    // hex MD5(number:domain:password)
	HA1SHA256 string   `json:"ha1_sha256"` // hex SHA-256 of the same
	Record    bool     `json:"record,omitempty"`
	Notice    Notice   `json:"notice,omitzero"`     // where Record
	Voicemail *Box     `json:"voicemail,omitempty"` // nil: none
	Email     string   `json:"email,omitempty"`
	Forward   *Forward `json:"forward,omitempty"`
	Follow    []Follow `json:"follow,omitempty"` // places where its owner is looked for; none: its phones ring
	SRTP      string   `json:"srtp,omitempty"`   // off, offered, required, dtls; "": offered
	Codecs    []string `json:"codecs,omitempty"` // order; empty: the default order
	DTMF      DTMF     `json:"dtmf,omitempty"`
	Caller    string   `json:"caller,omitempty"`     // number shown outside, or [Anonymous]
	Calls     int      `json:"calls,omitempty"`      // calls at once, 0: as the company's limits say
	PerMinute int      `json:"per_minute,omitempty"` // new calls a minute, 0: likewise
	Spend     Money    `json:"spend,omitempty"`      // in a day, 0: likewise
	Contacts  int      `json:"contacts,omitempty"`   // bindings at most, 0: 10

	Skills map[string]int `json:"skills,omitempty"` // as an agent: 1 and more

	WebRTC *bool `json:"webrtc,omitempty"` // its phones are browsers; nil: those that registered over a WebSocket
	// Personal is what the phone's owner has set, nil when nothing. It is
	// replaced, never changed.
	Personal *Personal `json:"personal,omitempty"`
}

// DTMF says in which way keys pass between us and a phone or a trunk.
type DTMF string

// DTMFAuto, which "" means too, is telephone events (RFC 4733) where the two agree
// on them and tones in the sound otherwise. With each of the others no other way is
// used; keys that come by INFO are always taken.
const (
	DTMFAuto    DTMF = "auto"
	DTMFRFC4733 DTMF = "rfc4733"
	DTMFInband  DTMF = "inband"
	DTMFInfo    DTMF = "info" // SIP INFO, application/dtmf-relay
)

// Forward says where calls to an extension go when it cannot take them.
type Forward struct {
	Always       string        `json:"always,omitempty"`
	Busy         string        `json:"busy,omitempty"`
	NoAnswer     string        `json:"no_answer,omitempty"`
	Unregistered string        `json:"unregistered,omitempty"`
	After        time.Duration `json:"after,omitempty"`
}

// Strategy says in which order the members of a group ring.
type Strategy string

// RingAll rings every member at once; Linear one after the other in the order
// of the document. RoundRobin begins with the member behind the one with whom the call
// before began, LeastRecent with who has not talked for the longest time, Random with
// anybody.
const (
	RingAll     Strategy = "all"
	Linear      Strategy = "linear"
	RoundRobin  Strategy = "round_robin"
	LeastRecent Strategy = "least_recent"
	Random      Strategy = "random"
)

// Group is a number behind which several extensions ring: a ring group or a queue.
type Group struct {
	Number   string        `json:"number"`
	Name     string        `json:"name"`
	Members  []string      `json:"members"`
	Strategy Strategy      `json:"strategy"`
	Ring     time.Duration `json:"ring"`                // how long a ring (RingAll) or a member (the others) lasts
	Music    string        `json:"music,omitempty"`     // what callers hear meanwhile, "": that it rings
	SkipBusy bool          `json:"skip_busy,omitempty"` // members who talk are not rung
	Queue    *Queue        `json:"queue,omitempty"`     // nil: a ring group

	Voicemail *Box `json:"voicemail,omitempty"` // nil: none
}

// Trunk is a line to a provider or to another PBX.
type Trunk struct {
	Name      string         `json:"name"`
	Host      string         `json:"host"` // host or host:port of the peer
	Transport string         `json:"transport"`
	From      []netip.Prefix `json:"from,omitempty"` // sources whose calls are this trunk's
	Calls     int            `json:"calls,omitempty"`
	Username  string         `json:"username,omitempty"`
	Password  string         `json:"password,omitempty"` // needed in clear: we are the client
	Register  bool           `json:"register,omitempty"`
	Codecs    []string       `json:"codecs,omitempty"`
	SRTP      string         `json:"srtp,omitempty"` // off, offered, required, dtls; "": offered
	DTMF      DTMF           `json:"dtmf,omitempty"`
	Proxy     string         `json:"proxy,omitempty"`   // host or host:port that all requests go to, "": to Host
	Trusted   bool           `json:"trusted,omitempty"` // what it asserts of callers is believed, and it learns withheld numbers (RFC 3325 §2.3)
	Strip     int            `json:"strip,omitempty"`   // first characters taken off a number that is dialled there
	Add       string         `json:"add,omitempty"`     // put before what is left
	Contact   string         `json:"contact,omitempty"` // template of the user part of our Contact, "": as in From
	CallerID  CallerID       `json:"caller,omitzero"`
}

// CallerID says how a trunk is told who calls: templates of user parts, see
// [Template]. A header whose template is "" is not sent, but From always is.
type CallerID struct {
	From string `json:"from,omitempty"` // "": the number shown
	PAI  string `json:"pai,omitempty"`  // P-Asserted-Identity, RFC 3325
	PPI  string `json:"ppi,omitempty"`  // P-Preferred-Identity, RFC 3325
	RPID string `json:"rpid,omitempty"` // Remote-Party-ID
}

// Anonymous in the place of a number to show says that it is withheld.
const Anonymous = "anonymous"

// Number is a public number of the company and the trunk it comes in on.
type Number struct {
	Number string `json:"number"` // E.164 with +
	Trunk  string `json:"trunk"`
}

// Outbound says which trunks carry calls to numbers with a prefix.
type Outbound struct {
	Prefix string   `json:"prefix"`
	Trunks []string `json:"trunks"`
	// Weights are those of Trunks, as many, or none. 0 keeps its place in the
	// order; of neighbours with weights each comes first as often as its weight says.
	Weights []int  `json:"weights,omitempty"`
	Caller  string `json:"caller,omitempty"`
	When    When   `json:"when,omitempty"`  // "": always
	Strip   int    `json:"strip,omitempty"` // first characters taken off the number
	Add     string `json:"add,omitempty"`   // put before what is left
}

// Rate is what calls to numbers with a prefix cost.
type Rate struct {
	Prefix string `json:"prefix"`
	Minute Money  `json:"minute"`
}

// Rule says what happens to calls to public numbers. The first rule whose
// conditions all hold wins.
type Rule struct {
	Number  string   `json:"number,omitempty"`  // or [AnyNumber]; "" where there are Numbers
	Numbers []string `json:"numbers,omitempty"` // in the place of Number
	When    When     `json:"when,omitempty"`    // "": always
	Callers Callers  `json:"callers,omitzero"`
	Owner   bool     `json:"owner,omitempty"` // ask the CRM for the owner first
	// OwnerRing is how long the owner rings, and the Fallback, 0: the default.
	OwnerRing time.Duration `json:"owner_ring,omitempty"`
	// Fallback is an extension or a group that rings when there should be an owner
	// and is not: the CRM could not say, or the owner cannot be reached.
	Fallback string `json:"fallback,omitempty"`
	Record   bool   `json:"record,omitempty"`
	Notice   Notice `json:"notice,omitzero"` // where Record
	Steps    []Step `json:"steps"`
}

// StepKind says what a step of a rule does.
type StepKind string

// The kinds of a step. Target of StepRing is an extension or a group, of
// StepPlay a prompt, of StepDial an outside number, of StepConference a
// conference, of StepMenu a menu, of StepVoicemail whose box it is, of StepQueue a queue; StepReject uses Code.
const (
	StepRing       StepKind = "ring"
	StepPlay       StepKind = "play"
	StepDial       StepKind = "dial"
	StepReject     StepKind = "reject"
	StepConference StepKind = "conference"
	StepMenu       StepKind = "menu"
	StepVoicemail  StepKind = "voicemail"
	StepQueue      StepKind = "queue"
)

// Step is one thing a rule does with a caller.
type Step struct {
	Kind   StepKind      `json:"kind"`
	Target string        `json:"target,omitempty"`
	For    time.Duration `json:"for,omitempty"`  // StepRing: how long, 0: the default
	Code   int           `json:"code,omitempty"` // StepReject: SIP status, 400 to 699
	// Prompts of StepPlay are several, in place of Target.
	Prompts   []string `json:"prompts,omitempty"`
	Interrupt bool     `json:"interrupt,omitempty"` // StepPlay: a key of the caller ends it

	Priority int      `json:"priority,omitempty"` // StepQueue: the highest goes first
	Skills   []string `json:"skills,omitempty"`   // StepQueue: that the agent must have besides
}

// CRM is how a company's CRM is reached.
type CRM struct {
	Kind       string        `json:"kind"` // none, rtk, webhook or amocrm
	URL        string        `json:"url,omitempty"`
	ClientID   string        `json:"client_id,omitempty"`
	SignKey    string        `json:"sign_key,omitempty"`
	Timeout    time.Duration `json:"timeout,omitempty"` // budget of an owner lookup
	Exceptions []string      `json:"exceptions,omitempty"`
	Webhook    *Webhook      `json:"webhook,omitempty"` // of kind webhook
	Amo        *AmoCRM       `json:"amocrm,omitempty"`  // of kind amocrm
	RTK        *RTK          `json:"rtk,omitempty"`     // of kind rtk; nil: all as usual
	Trust                    // of kind rtk
}

// InUse tells whether there is a CRM. One of kind amocrm is there once an account
// is connected.
func (c *CRM) InUse() bool {
	return c.Kind != "" && c.Kind != "none" && (c.Amo == nil || c.Amo.Link != nil)
}

// Wants tells whether the CRM is told of events of a kind.
func (c *CRM) Wants(k NotificationKind) bool {
	return c.InUse() && (c.Webhook == nil || len(c.Webhook.Events) == 0 || slices.Contains(c.Webhook.Events, k))
}

// Webhook is a CRM that is told of events by HTTP requests of our own form, and
// asked for owners as its company describes.
type Webhook struct {
	Secret      string             `json:"secret"`                // of the HMAC
	Events      []NotificationKind `json:"events,omitempty"`      // empty: all
	Headers     map[string]string  `json:"headers,omitempty"`     // sent with every request
	Certificate string             `json:"certificate,omitempty"` // PEM: what the CRM's certificate is, or is issued by; "": the public authorities
	Lookup      *WebhookLookup     `json:"lookup,omitempty"`      // nil: owners are not asked for
}

// WebhookLookup is how a CRM is asked who owns a caller. URL and Body have the
// places {from}, {to}, {call}, {tenant} and {digits}, which is from without plus.
type WebhookLookup struct {
	URL    string            `json:"url"`
	Method string            `json:"method"`          // GET or POST
	Body   string            `json:"body,omitempty"`  // of POST: JSON
	Owner  string            `json:"owner"`           // path in the answer: data.0.manager.phone
	Name   string            `json:"name,omitempty"`  // likewise
	Users  map[string]string `json:"users,omitempty"` // extension by what stands at Owner; nil: that is the extension
}

// Contact is what a CRM says about a caller.
type Contact struct {
	Name  string `json:"contact,omitempty"` // shown on the phone that rings
	Owner string `json:"owner,omitempty"`   // internal number of the owner
	Why   string `json:"why,omitempty"`     // why it is this owner or none, where that needs words
}
