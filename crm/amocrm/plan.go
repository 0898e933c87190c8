package amocrm

import (
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"time"

	"vpbx/pbx"
)

// subject is what a call is about, as amoCRM sees it.
type subject struct {
	inbound  bool
	phone    string // of the client, E.164
	line     string // number of the company, "" when it cannot be known
	operator string // internal number of who talks, or is to; "" when nobody of the company does
}

// subjectOf says what a call is about that n tells of; false when it is nothing to
// amoCRM: a call inside the company, or with somebody whose number is hidden.
func subjectOf(c *pbx.Company, n *pbx.Notification) (subject, bool) {
	s := subject{inbound: n.Direction == pbx.In, operator: n.Extension}
	switch n.Direction {
	case pbx.In:
		s.phone, s.line = c.E164(n.From), c.E164(n.To)
	case pbx.Out:
		s.phone = c.E164(n.To)
		s.line = shownLine(c, n.Caller, s.phone)
		if s.operator == "" {
			s.operator = n.Caller
		}
	default:
		return subject{}, false
	}
	return s, len(onlyDigits(s.phone)) >= shortest
}

// shownLine is the number of the company that is shown to a client who is called:
// that of the extension, or of the outbound entry with the longest prefix.
func shownLine(c *pbx.Company, caller, phone string) string {
	if e := c.Extensions[caller]; e != nil && c.Numbers[e.Caller] != nil {
		return e.Caller
	}
	longest := -1
	line := ""
	for _, o := range c.Outbound {
		if strings.HasPrefix(phone, o.Prefix) && len(o.Prefix) > longest {
			longest, line = len(o.Prefix), o.Caller
		}
	}
	if c.Numbers[line] == nil {
		return ""
	}
	return line
}

// eventOf names the kind of a call.
func eventOf(inbound, talked, known bool) pbx.AmoEvent {
	switch {
	case inbound && talked && known:
		return pbx.AmoIncomingKnown
	case inbound && talked:
		return pbx.AmoIncomingNew
	case inbound && known:
		return pbx.AmoMissedKnown
	case inbound:
		return pbx.AmoMissedNew
	case known:
		return pbx.AmoOutgoingKnown
	}
	return pbx.AmoOutgoingNew
}

// plan is what was found out about a call before anything was made of it. It is
// kept, so that what we make does not change it.
type plan struct {
	Event       pbx.AmoEvent `json:"event"`
	Contact     int64        `json:"contact,omitempty"`     // that was there
	Responsible int64        `json:"responsible,omitempty"` // for it
	Leads       []int64      `json:"leads,omitempty"`       // that it had
	User        int64        `json:"user,omitempty"`        // who took the call
}

// responsible gives the user who is responsible for what is made, 0 when nobody is
// known: amoCRM then takes who has connected the account.
func (p *plan) responsible(c *pbx.Company, call pbx.CallID, e *pbx.AmoEntity) int64 {
	if e.Group != "" {
		if user := turn(c, e.Group, call); user != 0 {
			return user
		}
	}
	return p.who(c.CRM.Amo, e.Responsible)
}

// who is the user whom a setting means.
func (p *plan) who(a *pbx.AmoCRM, word string) int64 {
	if id, err := strconv.ParseInt(word, 10, 64); err == nil {
		return id
	}
	candidates := []int64{p.User, p.Responsible, a.UserOf(a.Fallback)}
	switch word {
	case pbx.AmoWhoContact:
		candidates = []int64{p.Responsible, p.User, a.UserOf(a.Fallback)}
	case pbx.AmoWhoFallback:
		candidates = []int64{a.UserOf(a.Fallback)}
	}
	for _, user := range candidates {
		if user != 0 {
			return user
		}
	}
	return 0
}

// turn gives one of the users of a group: which one the id of the call says, so that
// it is the same however often it is asked, and each as often as the others.
func turn(c *pbx.Company, group string, call pbx.CallID) int64 {
	g := c.Groups[group]
	if g == nil {
		return 0
	}
	var users []int64
	for _, m := range g.Members {
		if user := c.CRM.Amo.UserOf(m); user != 0 {
			users = append(users, user)
		}
	}
	if len(users) == 0 {
		return 0
	}
	h := fnv.New32a()
	h.Write([]byte(call)) // cannot fail
	return users[int(h.Sum32()%uint32(len(users)))]
}

// fieldsOf are the additional fields of what is made, in the order of their names.
func fieldsOf(e *pbx.AmoEntity, s *subject) []Field {
	var all []Field
	for name, value := range e.Fields {
		f := Field{Code: name, Values: []string{pbx.AmoText(value, s.phone, s.line)}}
		if id, err := strconv.ParseInt(name, 10, 64); err == nil {
			f.ID, f.Code = id, ""
		}
		all = append(all, f)
	}
	slices.SortFunc(all, func(a, b Field) int {
		return strings.Compare(strconv.FormatInt(a.ID, 10)+a.Code, strconv.FormatInt(b.ID, 10)+b.Code)
	})
	return all
}

// defaultDue is when a task is due that does not say.
const defaultDue = time.Hour

// statusOf says how a call went, in the numbers of amoCRM.
func statusOf(r *pbx.CDR) int {
	switch r.Outcome {
	case pbx.OutcomeAnswered:
		return CallTalked
	case pbx.OutcomeVoicemail:
		return CallLeftMessage
	case pbx.OutcomeBusy:
		return CallBusy
	case pbx.OutcomeMissed, pbx.OutcomeAbandoned:
		return CallNoAnswer
	}
	if r.Cause.Reason == pbx.UnknownNumber || r.Cause.Reason != pbx.NoRoute && (r.Cause.SIP == 404 || r.Cause.SIP == 484) {
		return CallWrongNumber
	}
	return CallNotAvailable
}

// talked gives the extensions that talked in a call, in the order in which they
// began.
func talked(c *pbx.Company, r *pbx.CDR) []string {
	parties := slices.Clone(r.Parties)
	slices.SortStableFunc(parties, func(a, b pbx.Participant) int {
		switch {
		case a.Answered == nil || b.Answered == nil:
			return 0
		}
		return a.Answered.Compare(*b.Answered)
	})
	var who []string
	for _, p := range parties {
		if p.Answered != nil && p.Trunk == "" && c.Extensions[p.Who] != nil {
			who = append(who, p.Who)
		}
	}
	return who
}
