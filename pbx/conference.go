package pbx

import "time"

// MaxConference is how many members a conference can have.
const MaxConference = 100

// Conference is a number behind which those who call it hear each other.
type Conference struct {
	Number       string `json:"number"`
	Name         string `json:"name,omitempty"`
	PIN          string `json:"pin,omitempty"`           // who comes in has to know it, "": nobody is asked
	ModeratorPIN string `json:"moderator_pin,omitempty"` // makes who knows it a moderator
	Max          int    `json:"max"`                     // members at once
	Record       bool   `json:"record,omitempty"`        // from the second member to the end
	Tones        bool   `json:"tones,omitempty"`         // all hear when somebody comes or goes
	Wait         bool   `json:"wait,omitempty"`          // for a moderator: until one is there nobody hears anybody
	Muted        bool   `json:"muted,omitempty"`         // who comes in is not heard at first, but moderators are
	PINPrompt    string `json:"pin_prompt,omitempty"`    // name of the prompt that asks for the PIN, "": a tone does
	Announce     string `json:"announce,omitempty"`      // name of a prompt for who comes in, "": none

	// Call is the call that it was made of, whose id is its number; "" for one that
	// is configured.
	Call CallID `json:"-"`
}

// Shown is the number as people see it.
func (c *Conference) Shown() string {
	if c.Call != "" {
		return "conference"
	}
	return c.Number
}

// How somebody leaves a conference, in [CallEvent.Text]; "" by itself.
const (
	Removed   = "removed"    // by a moderator or the API
	RoomEnded = "room_ended" // a moderator or the API has ended the conference
)

// InConference is what the record of a call says of the conference it was in.
type InConference struct {
	Number     string        `json:"number"`
	Name       string        `json:"name,omitempty"`
	With       []string      `json:"with,omitempty"`       // whom it met there
	Recordings []RecordingID `json:"recordings,omitempty"` // that were made of the conference meanwhile; one of its calls has them
}

// ConferenceInfo is a snapshot of a conference that is going on.
type ConferenceInfo struct {
	Number    string             `json:"number"` // or the id of the call that it was made of
	Name      string             `json:"name,omitempty"`
	Started   time.Time          `json:"started"`
	Locked    bool               `json:"locked"`    // nobody else may come in
	Recording bool               `json:"recording"` // it is being recorded
	Waiting   bool               `json:"waiting"`   // for a moderator
	Max       int                `json:"max"`
	Members   []ConferenceMember `json:"members" nullable:"false"` // in the order of joining
}

// ConferenceMember is a call that is in a conference.
type ConferenceMember struct {
	Call      CallID    `json:"call"`
	Who       string    `json:"who"` // extension or outside number
	Name      string    `json:"name,omitempty"`
	Joined    time.Time `json:"joined"`
	Moderator bool      `json:"moderator"`
	Muted     bool      `json:"muted"` // by a key or the API
	Held      bool      `json:"held"`  // its phone holds the conference: it is not heard meanwhile
	Gain      float64   `json:"gain"`  // dB by which it is heard louder
	Speaking  bool      `json:"speaking"`
}

// ConferenceInvite calls somebody into a conference.
type ConferenceInvite struct {
	Number string // of the conference
	To     string // extension, group or outside number
	From   string // the extension that is answerable for a call outside, "": the company is
}

// ConferenceVerb is what can be done with a conference that is going on.
type ConferenceVerb string

// What can be done: Mute and Unmute with a member, or without one with all but
// moderators, Kick and Gain with a member, the others with the conference.
const (
	ConferenceMute   ConferenceVerb = "mute"
	ConferenceUnmute ConferenceVerb = "unmute"
	ConferenceKick   ConferenceVerb = "kick"
	ConferenceGain   ConferenceVerb = "gain"
	ConferenceLock   ConferenceVerb = "lock"
	ConferenceUnlock ConferenceVerb = "unlock"
	ConferenceRecord ConferenceVerb = "record"
	ConferenceEnd    ConferenceVerb = "end"
)

// ConferenceChange is something to be done with a conference.
type ConferenceChange struct {
	Do   ConferenceVerb
	Call CallID  // the member, "": see the verbs
	On   bool    // of ConferenceRecord
	Gain float64 // of ConferenceGain, dB
}
