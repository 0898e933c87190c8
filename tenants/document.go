package tenants

import (
	"fmt"
	"net/netip"
	"time"

	"vpbx/internal/strict"
	"vpbx/pbx"
)

// Document is the file of a company. As JSON it is the same document.
type Document struct {
	Tenant     pbx.TenantID  `yaml:"tenant" json:"tenant"`
	Domain     string        `yaml:"domain" json:"domain"` // SIP domain and digest realm
	Name       string        `yaml:"name" json:"name,omitempty"`
	Zone       string        `yaml:"zone" json:"zone,omitempty"`       // IANA time zone, default UTC
	Country    string        `yaml:"country" json:"country,omitempty"` // ISO 3166-1 alpha-2, how national numbers are read
	Limits     Limits        `yaml:"limits" json:"limits,omitzero"`
	Recordings Recordings    `yaml:"recordings" json:"recordings,omitzero"`
	Extensions []Extension   `yaml:"extensions" json:"extensions,omitempty"`
	Groups     []Group       `yaml:"groups" json:"groups,omitempty"`
	Trunks     []Trunk       `yaml:"trunks" json:"trunks,omitempty"`
	Numbers    []Number      `yaml:"numbers" json:"numbers,omitempty"`
	Outbound   []Outbound    `yaml:"outbound" json:"outbound,omitempty"` // the longest prefix wins
	Prompts    []Prompt      `yaml:"prompts" json:"prompts,omitempty"`
	Music      []Music       `yaml:"music" json:"music,omitempty"`
	Pauses     []PauseReason `yaml:"pauses" json:"pauses,omitempty"` // of agents of queues
	Rates      []Rate        `yaml:"rates" json:"rates,omitempty"`   // the longest prefix wins
	Schedules  []Schedule    `yaml:"schedules" json:"schedules,omitempty"`
	Lists      []List        `yaml:"lists" json:"lists,omitempty"`
	Rules      []Rule        `yaml:"rules" json:"rules,omitempty"` // the first that takes a call wins
	CRM        CRM           `yaml:"crm" json:"crm,omitzero"`

	Conferences []Conference `yaml:"conferences" json:"conferences,omitempty"`
	Menus       []Menu       `yaml:"menus" json:"menus,omitempty"`
	Campaigns   []Campaign   `yaml:"campaigns" json:"campaigns,omitempty"`

	dir    string // where prompt files are; "" when there is no such place
	digest string // of what was parsed, and of dir

	doc  *strict.Doc // nil when the document was not parsed
	part part        // of it was sent by itself
}

// Limits bound what a company can use at once.
// What a stolen password can cost is at most that.
type Limits struct {
	Calls         int       `yaml:"calls" json:"calls,omitempty"`                 // at once, 0: 200
	PerMinute     int       `yaml:"per_minute" json:"per_minute,omitempty"`       // new calls, 0: 300
	International bool      `yaml:"international" json:"international,omitempty"` // calls to other countries are allowed
	Premium       bool      `yaml:"premium" json:"premium,omitempty"`             // calls to premium-rate numbers are allowed
	Barred        []string  `yaml:"barred" json:"barred,omitempty"`               // prefixes that nobody may call
	Spend         float64   `yaml:"spend" json:"spend,omitempty"`                 // in a day, by the rates; 0: no limit
	Extension     ExtLimits `yaml:"extension" json:"extension,omitzero"`          // of each extension that does not say
}

// ExtLimits bound what one extension can use.
type ExtLimits struct {
	Calls     int     `yaml:"calls" json:"calls,omitempty"`           // at once, 0: 20
	PerMinute int     `yaml:"per_minute" json:"per_minute,omitempty"` // new calls, 0: 30
	Spend     float64 `yaml:"spend" json:"spend,omitempty"`           // in a day, by the rates; 0: no limit
}

// Extension is an internal number with its account.
type Extension struct {
	Number    string   `yaml:"number" json:"number"`
	Name      string   `yaml:"name" json:"name,omitempty"`
	Password  string   `yaml:"password" json:"password,omitempty"` // "": stays what it is
	Record    Record   `yaml:"record" json:"record,omitempty"`     // false, true, announce, beep or announce+beep
	Email     string   `yaml:"email" json:"email,omitempty"`
	Forward   *Forward `yaml:"forward" json:"forward,omitempty"`
	Follow    []Follow `yaml:"follow" json:"follow,omitempty"`         // where its owner is looked for
	SRTP      string   `yaml:"srtp" json:"srtp,omitempty"`             // off, offered (the default), required or dtls
	Codecs    []string `yaml:"codecs" json:"codecs,omitempty"`         // in order of preference
	DTMF      string   `yaml:"dtmf" json:"dtmf,omitempty"`             // auto, the default, rfc4733, inband or info
	Caller    string   `yaml:"caller" json:"caller,omitempty"`         // number shown outside, or anonymous
	Calls     int      `yaml:"calls" json:"calls,omitempty"`           // at once, 0: as limits.extension says
	PerMinute int      `yaml:"per_minute" json:"per_minute,omitempty"` // new calls, 0: likewise
	Spend     float64  `yaml:"spend" json:"spend,omitempty"`           // in a day, 0: likewise
	Contacts  int      `yaml:"contacts" json:"contacts,omitempty"`     // registered phones at most, 0: 10
	WebRTC    *bool    `yaml:"webrtc" json:"webrtc,omitempty"`         // called as a browser; not set: where it registered over a WebSocket
	Groups    []string `yaml:"groups" json:"groups,omitempty"`         // joined beside their own list of members

	Voicemail *Voicemail `yaml:"voicemail" json:"voicemail,omitempty"`
	Skills    Skills     `yaml:"skills" json:"skills,omitempty"` // as an agent of queues
}

// Forward says where calls go that an extension does not take.
type Forward struct {
	Always       string   `yaml:"always" json:"always,omitempty"`
	Busy         string   `yaml:"busy" json:"busy,omitempty"`
	NoAnswer     string   `yaml:"no_answer" json:"no_answer,omitempty"`
	Unregistered string   `yaml:"unregistered" json:"unregistered,omitempty"`
	After        Duration `yaml:"after" json:"after,omitzero"` // how long it rings before NoAnswer
}

// Group is a ring group or a queue.
type Group struct {
	Number   string   `yaml:"number" json:"number"`
	Name     string   `yaml:"name" json:"name,omitempty"`
	Kind     string   `yaml:"kind" json:"kind,omitempty"` // ring, the default, or queue
	Members  []Member `yaml:"members" json:"members"`
	Strategy string   `yaml:"strategy" json:"strategy,omitempty"`   // all, the default, linear, round_robin, least_recent or random
	Ring     Duration `yaml:"ring" json:"ring,omitzero"`            // default 20 s
	Music    string   `yaml:"music" json:"music,omitempty"`         // heard in place of the ringing tone
	SkipBusy bool     `yaml:"skip_busy" json:"skip_busy,omitempty"` // members who talk are not rung

	Voicemail *Voicemail `yaml:"voicemail" json:"voicemail,omitempty"`
	Queue
}

// Trunk is a line to a provider or to another PBX.
type Trunk struct {
	Name      string         `yaml:"name" json:"name"`
	Host      string         `yaml:"host" json:"host"`                     // host or host:port
	Transport string         `yaml:"transport" json:"transport,omitempty"` // udp, tcp or tls; "": what DNS says, udp for an address
	From      []netip.Prefix `yaml:"from" json:"from,omitempty"`           // sources whose calls are this trunk's
	Calls     int            `yaml:"calls" json:"calls,omitempty"`         // at once, 0: no limit
	Username  string         `yaml:"username" json:"username,omitempty"`
	Password  string         `yaml:"password" json:"password,omitempty"` // "": stays what it is, for the same host and username
	Register  bool           `yaml:"register" json:"register,omitempty"` // we register at the provider
	Codecs    []string       `yaml:"codecs" json:"codecs,omitempty"`
	SRTP      string         `yaml:"srtp" json:"srtp,omitempty"`       // off, offered (the default), required or dtls
	DTMF      string         `yaml:"dtmf" json:"dtmf,omitempty"`       // as of an extension
	Proxy     string         `yaml:"proxy" json:"proxy,omitempty"`     // outbound proxy, host or host:port
	Trusted   bool           `yaml:"trusted" json:"trusted,omitempty"` // what it asserts of callers is believed
	Strip     int            `yaml:"strip" json:"strip,omitempty"`     // first characters taken off numbers dialled there
	Add       string         `yaml:"add" json:"add,omitempty"`         // put before the rest
	Contact   string         `yaml:"contact" json:"contact,omitempty"` // template of the user part of our Contact
	Caller    CallerID       `yaml:"caller" json:"caller,omitzero"`
}

// CallerID says how a trunk is told who calls. Each is a template of a user part.
type CallerID struct {
	From string `yaml:"from" json:"from,omitempty"` // default {number}
	PAI  string `yaml:"pai" json:"pai,omitempty"`   // P-Asserted-Identity, "": not sent
	PPI  string `yaml:"ppi" json:"ppi,omitempty"`   // P-Preferred-Identity, "": not sent
	RPID string `yaml:"rpid" json:"rpid,omitempty"` // Remote-Party-ID, "": not sent
}

// Number is a public number and the trunk it comes in on.
type Number struct {
	Number string `yaml:"number" json:"number"` // E.164 with +
	Trunk  string `yaml:"trunk" json:"trunk"`
}

// Outbound says which trunks carry calls to numbers with a prefix.
type Outbound struct {
	Prefix string   `yaml:"prefix" json:"prefix"`
	Trunks []string `yaml:"trunks" json:"trunks"`
	Caller string   `yaml:"caller" json:"caller,omitempty"` // number shown
	When   pbx.When `yaml:"when" json:"when,omitempty"`     // as of a rule
	// Weights are those of some trunks: neighbours in Trunks that have one are
	// tried in an order drawn by it.
	Weights map[string]int `yaml:"weights" json:"weights,omitempty"`
	Strip   int            `yaml:"strip" json:"strip,omitempty"` // first characters taken off the number
	Add     string         `yaml:"add" json:"add,omitempty"`     // put before the rest
}

// Rate is what a minute to numbers with a prefix costs, in any currency.
type Rate struct {
	Prefix string  `yaml:"prefix" json:"prefix"`
	Minute float64 `yaml:"minute" json:"minute"`
}

// Prompt is a sound that can be played to callers: exactly one of File, Text and Upload.
type Prompt struct {
	Name     string `yaml:"name" json:"name"`
	File     string `yaml:"file" json:"file,omitempty"`         // WAV, MP3 or Ogg Opus
	Text     string `yaml:"text" json:"text,omitempty"`         // for the speech engine, with variables in braces
	Language string `yaml:"language" json:"language,omitempty"` // of Text, default that of the country
	Voice    string `yaml:"voice" json:"voice,omitempty"`       // of Text, as the engine names it
	Upload   bool   `yaml:"upload" json:"upload,omitempty"`     // its sound comes by the API, or by a phone

	Code      string   `yaml:"code" json:"code,omitempty"`           // by which Recorders record an upload
	Recorders []string `yaml:"recorders" json:"recorders,omitempty"` // extensions
}

// Music is what somebody hears who waits. That of the name default takes the place of
// the built-in melody.
type Music struct {
	Name    string   `yaml:"name" json:"name"`
	Files   []string `yaml:"files" json:"files,omitempty"`
	Prompts []string `yaml:"prompts" json:"prompts,omitempty"` // played behind the files
}

// Rule says what happens to calls to one of the company's numbers.
type Rule struct {
	Number  string   `yaml:"number" json:"number,omitempty"`   // "*": every number of the company
	Numbers []string `yaml:"numbers" json:"numbers,omitempty"` // in the place of Number
	When    pbx.When `yaml:"when" json:"when,omitempty"`       // name of a schedule, or not and its name; "": always
	Callers Callers  `yaml:"callers" json:"callers,omitzero"`
	Owner   Owner    `yaml:"owner" json:"owner,omitzero"`    // ask the CRM first
	Record  Record   `yaml:"record" json:"record,omitempty"` // as of an extension
	Steps   []Step   `yaml:"steps" json:"steps"`
}

// Conference is a number behind which those who call it hear each other.
type Conference struct {
	Number       string  `yaml:"number" json:"number"`
	Name         string  `yaml:"name" json:"name,omitempty"`
	PIN          *string `yaml:"pin" json:"pin,omitempty"`                     // left out: stays what it is; "": none
	ModeratorPIN *string `yaml:"moderator_pin" json:"moderator_pin,omitempty"` // likewise
	Max          int     `yaml:"max" json:"max,omitempty"`                     // members, 0: 100
	Record       bool    `yaml:"record" json:"record,omitempty"`
	Tones        bool    `yaml:"tones" json:"tones,omitempty"` // when somebody comes or goes
	Wait         bool    `yaml:"wait_for_moderator" json:"wait_for_moderator,omitempty"`
	Muted        bool    `yaml:"muted" json:"muted,omitempty"`           // who comes in is not heard at first
	PINPrompt    string  `yaml:"pin_prompt" json:"pin_prompt,omitempty"` // prompt that asks for the PIN, "": a tone
	Announce     string  `yaml:"announce" json:"announce,omitempty"`     // prompt for who comes in
}

// Step is one thing a rule does: exactly one of Ring, Play, Dial, Conference, Menu, Queue, Voicemail and Reject.
type Step struct {
	Ring   string   `yaml:"ring" json:"ring,omitempty"`     // extension or group
	Play   Play     `yaml:"play" json:"play,omitzero"`      // prompts
	Dial   string   `yaml:"dial" json:"dial,omitempty"`     // outside number
	Reject int      `yaml:"reject" json:"reject,omitempty"` // SIP status, 400 to 699
	For    Duration `yaml:"for" json:"for,omitzero"`        // of Ring: how long

	Conference string `yaml:"conference" json:"conference,omitempty"` // number of a conference
	Menu       string `yaml:"menu" json:"menu,omitempty"`             // name of a menu
	Voicemail  string `yaml:"voicemail" json:"voicemail,omitempty"`   // extension or group with a box
	Queue      string `yaml:"queue" json:"queue,omitempty"`           // number of a queue

	Priority int      `yaml:"priority" json:"priority,omitempty"` // of Queue: the highest goes first
	Skills   []string `yaml:"skills" json:"skills,omitempty"`     // of Queue: that an agent must have
}

// CRM says how the company's CRM is reached.
type CRM struct {
	Kind       string   `yaml:"kind" json:"kind,omitempty"` // none, the default, rtk, webhook or amocrm
	URL        string   `yaml:"url" json:"url,omitempty"`   // of rtk: method names are appended
	ClientID   string   `yaml:"client_id" json:"client_id,omitempty"`
	SignKey    string   `yaml:"sign_key" json:"sign_key,omitempty"`     // "": stays what it is, for the same URL and client
	Timeout    Duration `yaml:"timeout" json:"timeout,omitzero"`        // of an owner lookup, default 700 ms
	Exceptions []string `yaml:"exceptions" json:"exceptions,omitempty"` // extensions that are never rung as owners
	Webhook
	AmoCRM
	RTK
	Trust
}

// Duration is a time.Duration that is written 20s, 5m or 700ms.
type Duration time.Duration

// UnmarshalText reads a duration.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%.60q is not a duration; write 20s, 5m or 1h30m", text)
	}
	*d = Duration(v)
	return nil
}

// MarshalText writes the duration as UnmarshalText reads it.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// String is the duration as it is written.
func (d Duration) String() string { return time.Duration(d).String() }
