package pbx

import "time"

// Mail is an e-mail that waits to be sent, or is being sent. It is kept until the
// server has it, so its JSON is a format.
type Mail struct {
	To      string     `json:"to"` // one address
	Subject string     `json:"subject"`
	Text    string     `json:"text"`            // plain text in UTF-8
	Sound   *MailSound `json:"sound,omitempty"` // goes with it, nil: nothing
}

// MailSound is a recording that goes with an e-mail.
type MailSound struct {
	Recording RecordingID `json:"recording"`
	Name      string      `json:"name"`             // of the file, without its ending: letters, digits and -
	Remove    bool        `json:"remove,omitempty"` // it is removed when the e-mail has been sent
}

// MailState says what becomes of an e-mail that is kept.
type MailState string

// An e-mail waits for the server, or is given up until somebody sends it again.
const (
	MailPending MailState = "pending"
	MailDead    MailState = "dead"
)

// QueuedMail is an e-mail of a company on its way to the server.
type QueuedMail struct {
	ID      string     `json:"id"`
	Tenant  TenantID   `json:"-"`
	To      string     `json:"to"`
	Subject string     `json:"subject"`
	State   MailState  `json:"state"`
	Created time.Time  `json:"created"`
	Tries   int        `json:"tries"`
	Tried   *time.Time `json:"tried"` // last
	Next    *time.Time `json:"next"`  // not tried before; nil when dead
	Error   string     `json:"error,omitempty"`

	Mail Mail `json:"-"`
}

// MailSettled is what came of one try to send an e-mail.
type MailSettled struct {
	ID    string
	At    time.Time
	Done  bool      // the server has it
	Dead  bool      // it is given up
	Next  time.Time // not to be tried before, when neither
	Error string
}

// MailQuery selects the e-mails of a company that are kept, oldest first.
type MailQuery struct {
	State  MailState // "": both
	Limit  int
	Cursor string
}
