package routing

import (
	"strings"

	"vpbx/pbx"
)

// The codes of voicemail. MailboxOf and LeaveFor have an extension or a group behind them.
const (
	Mailbox   Code = "*97" // one's own messages
	MailboxOf Code = "*98" // those of another box
	LeaveFor  Code = "*99" // a message for somebody, without ringing
)

// OwnBox in the place of a number that calls are forwarded to is the box of the
// extension.
const OwnBox = "voicemail"

// Leave lets the caller leave a message.
type Leave struct {
	Box string // an extension or a group that has a box
}

func (Leave) step() {}

// leave lays out that a message can be left in a box.
func (p *plan) leave(box, why string) {
	if p.req.Company.Box(box) == nil {
		p.why(box + " has no voicemail")
		return
	}
	p.Steps = append(p.Steps, Leave{box})
	if why != "" {
		p.why(why)
	}
}

// orLeave lets who calls an extension or a group directly leave a message when nobody
// takes the call.
func (p *plan) orLeave(number string) {
	if p.req.Company.Box(number) != nil {
		p.Steps = append(p.Steps, Leave{number})
	}
}

// leaveFor gives the box that a number names by the code for leaving a message, "" when
// it is not such a number.
func (p *plan) leaveFor(dialled string) string {
	box, is := strings.CutPrefix(dialled, string(LeaveFor))
	if !is || p.req.Company.Box(box) == nil {
		return ""
	}
	return box
}

// mailbox decides about the codes by which messages are listened to; false when it is
// another code.
func (p *plan) mailbox(dialled string) bool {
	own := p.req.Caller.Number
	box, other := strings.CutPrefix(dialled, string(MailboxOf))
	switch {
	case dialled == string(Mailbox):
		box = own
	case !other:
		return false
	}
	if p.req.Company.Box(box) == nil {
		p.reject(pbx.UnknownNumber, box+" has no voicemail")
		return true
	}
	p.Steps = append(p.Steps, Feature{Code: Mailbox, Number: box})
	return true
}
