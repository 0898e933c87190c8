package pbx

import (
	"bytes"
	"encoding/json"
	"time"
)

// What a box has that does not say.
const (
	MessageLength  = 3 * time.Minute  // the longest message
	MessageSilence = 10 * time.Second // that ends a message
	BoxSize        = 100              // messages at most
	BoxKeep        = 30 * 24 * time.Hour
)

// What is left is no message when it is shorter, or when somebody speaks in it for
// less than that.
const (
	ShortestMessage = 2 * time.Second
	LeastVoice      = 200 * time.Millisecond
)

// Box is the voicemail of an extension or of a group. A zero Max, Messages or Silence
// is the default above.
type Box struct {
	PIN      string        `json:"pin,omitempty"`      // as [HashPIN] makes it, "": none
	Greeting string        `json:"greeting,omitempty"` // prompt, "": the one that the owner has recorded, or a text
	Max      time.Duration `json:"max,omitempty"`      // of one message
	Messages int           `json:"messages,omitempty"` // at most
	Silence  time.Duration `json:"silence,omitempty"`  // that ends a message
	Keep     time.Duration `json:"keep,omitempty"`     // of a message, 0: for ever
	Email    string        `json:"email,omitempty"`    // that messages go to, "": that of the extension
	Mailed   bool          `json:"mailed,omitempty"`   // a message that was sent by e-mail is removed
}

// UnmarshalJSON reads a box. true stands for the one that says nothing: it was kept so
// before there was more to say.
func (b *Box) UnmarshalJSON(data []byte) error {
	if bytes.Equal(data, []byte("true")) {
		*b = Box{Keep: BoxKeep}
		return nil
	}
	type plain Box
	return json.Unmarshal(data, (*plain)(b))
}

// Longest is how long a message may be.
func (b *Box) Longest() time.Duration { return orDefault(b.Max, MessageLength) }

// Room is how many messages there may be.
func (b *Box) Room() int { return orDefault(b.Messages, BoxSize) }

// Quiet is the silence that ends a message.
func (b *Box) Quiet() time.Duration { return orDefault(b.Silence, MessageSilence) }

func orDefault[T int | time.Duration](v, otherwise T) T {
	if v == 0 {
		return otherwise
	}
	return v
}

// Box gives the box of an extension or a group, nil when it has none.
func (c *Company) Box(number string) *Box {
	if e := c.Extensions[number]; e != nil {
		return e.Voicemail
	}
	if g := c.Groups[number]; g != nil {
		return g.Voicemail
	}
	return nil
}

// BoxMail is the address that messages of a box go to, "" when there is none.
func (c *Company) BoxMail(number string) string {
	b := c.Box(number)
	if b == nil {
		return ""
	}
	if e := c.Extensions[number]; e != nil && b.Email == "" {
		return e.Email
	}
	return b.Email
}

// BoxPIN is the hash of the PIN of a box, "" when it has none: the one that its owner
// has set goes first.
func (c *Company) BoxPIN(number string) string {
	if e := c.Extensions[number]; e != nil && e.Voicemail != nil && e.Personal != nil && e.Personal.PIN != "" {
		return e.Personal.PIN
	}
	if b := c.Box(number); b != nil {
		return b.PIN
	}
	return ""
}

// VoiceMessage is what a caller has left in a box. Its sound is a recording, by whose id it
// goes; it is gone when that is removed.
type VoiceMessage struct {
	ID      RecordingID `json:"id"`
	Box     string      `json:"box"` // the extension or group
	Call    CallID      `json:"call"`
	From    string      `json:"from"`           // number of the caller, or [Anonymous]
	Name    string      `json:"name,omitempty"` // of the caller, as far as it is known
	At      time.Time   `json:"at"`             // when it began
	Seconds float64     `json:"seconds"`
	Read    bool        `json:"read"` // somebody has heard it, or said so
}

// VoiceQuery selects the messages of a box, newest first.
type VoiceQuery struct {
	Box    string
	Read   *bool // nil: all
	Limit  int
	Cursor string
}

// BoxState is a box as it is after something has changed in it.
type BoxState struct {
	Tenant TenantID `json:"-"`
	Box    string   `json:"box"`
	Mailbox
	Left *VoiceMessage `json:"left,omitempty"` // the message by which it has changed, nil: none was left
}

// VoiceMessages lists what was left in the call that the record is of. It is a pure function
// of the two, and so is the same when a call is taken from the journal.
func VoiceMessages(c CDR, trace []CallEvent) []VoiceMessage {
	began := map[RecordingID]time.Time{}
	name := ""
	for _, e := range trace {
		switch {
		case e.Kind == Arrived:
			name = e.Name
		case e.Kind == RecordStart && e.Recording != nil:
			began[e.Recording.ID] = e.At
		}
	}
	if c.CRM != nil && c.CRM.Contact != "" {
		name = c.CRM.Contact
	}
	var list []VoiceMessage
	for _, r := range c.Recordings {
		if !r.isMessage() {
			continue
		}
		from := c.From
		if from == "" {
			from = Anonymous
		}
		list = append(list, VoiceMessage{ID: r.ID, Box: r.Box, Call: c.ID, From: from, Name: name, At: began[r.ID], Seconds: r.Seconds})
	}
	return list
}

// isMessage tells whether a recording is a message that can be listened to.
func (r *Recording) isMessage() bool {
	return r.Box != "" && r.ID != "" && r.Seconds >= ShortestMessage.Seconds()
}
