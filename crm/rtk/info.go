package rtk

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"vpbx/crm"
	"vpbx/pbx"
)

// maxSession bounds the id of a call: the API calls it opaque and no longer.
const maxSession = 64

// The numbers of call_info.
const (
	typeOrdinary, typeCallback             = 1, 3
	stateAnswered, stateMissed             = 1, 2
	directionIn, directionOut, directionUs = 1, 2, 3
)

var directions = map[pbx.Direction]int{pbx.In: directionIn, pbx.Out: directionOut, pbx.InternalTo: directionUs}

// info is what is told of a call that has ended.
type info struct {
	Type         int     `json:"call_type"`
	Direction    int     `json:"direction"`
	State        int     `json:"state"`
	From         string  `json:"orig_number"`
	FromPIN      *string `json:"orig_pin"`
	To           string  `json:"dest_number"`
	AnsweringURI *string `json:"answering_sipuri"`
	AnsweringPIN *string `json:"answering_pin"`
	Start        string  `json:"start_call_date"`
	Duration     int     `json:"duration"`
	Log          string  `json:"session_log"`
	Voicemail    bool    `json:"is_voicemail"`
	Record       bool    `json:"is_record"`
	Fax          bool    `json:"is_fax"`
	StatusCode   string  `json:"status_code"`
	StatusText   string  `json:"status_string"`
}

// errGoesOn says that a call has not ended.
var errGoesOn = &fault{http.StatusOK, codeSession, "the call has not ended yet"}

// callInfo tells of one call (call_info).
func (s *Server) callInfo(ctx context.Context, c *call) (any, error) {
	var q struct {
		Session text `json:"session_id"`
	}
	if err := c.read(&q); err != nil {
		return nil, err
	}
	cdr, trace, err := s.ended(ctx, c, q.Session)
	if err != nil {
		return nil, err
	}
	i := infoOf(c.company.Domain, &cdr)
	i.Log = sessionLog(cdr.Started, trace)
	return struct {
		envelope
		Info info `json:"info"`
	}{done, i}, nil
}

// ended gives the record and the trace of a call of the company: [errGoesOn] when it
// has not ended, [errSession] when the company has no such call.
func (s *Server) ended(ctx context.Context, c *call, session text) (pbx.CDR, []pbx.CallEvent, error) {
	if session == "" || len(session) > maxSession {
		return pbx.CDR{}, nil, malformed("session_id")
	}
	id := pbx.CallID(session)
	// Looked for first: a call leaves the list after its record is saved.
	live := slices.ContainsFunc(s.Calls.Live(c.company.ID), func(i pbx.CallInfo) bool { return i.ID == id })
	cdr, trace, err := s.Records.Call(ctx, c.company.ID, id)
	switch {
	case err == nil:
		return cdr, trace, nil
	case pbx.KindOf(err) != pbx.NotFound:
		return pbx.CDR{}, nil, fmt.Errorf("read call %s: %w", id, err)
	case live:
		return pbx.CDR{}, nil, errGoesOn
	}
	return pbx.CDR{}, nil, errSession
}

// infoOf tells of a call by its record; the log of its steps is not in that.
func infoOf(domain string, c *pbx.CDR) info {
	i := info{
		Type: typeOrdinary, Direction: directions[direction(c)], State: stateMissed,
		From: sipURI(party(c.From), domain), To: sipURI(party(c.To), domain),
		Start: strconv.FormatInt(c.Started.Unix(), 10), Voicemail: c.Outcome == pbx.OutcomeVoicemail,
		Record: slices.ContainsFunc(c.Recordings, func(r pbx.Recording) bool { return r.ID != "" && r.Removed == nil }),
		// The table of codes is not published: 0 is seen for success, else we send
		// the Q.850 value, as in disconnect_reason.
		StatusCode: "0",
	}
	if c.Callback {
		i.Type = typeCallback
	}
	if c.Caller.Trunk == "" && c.Direction != pbx.In {
		i.FromPIN = &c.From
	}
	if who := answerer(c); who != nil {
		uri := sipURI(party(who.Who), domain)
		i.AnsweringURI = &uri
		if who.Trunk == "" {
			i.AnsweringPIN = &who.Who
		}
	}
	if c.Outcome == pbx.OutcomeAnswered {
		i.State, i.Duration = stateAnswered, int(math.Round(c.Talk))
		return i
	}
	i.StatusCode, i.StatusText = strconv.Itoa(c.Cause.Q850), c.Cause.Text.RU
	return i
}

// direction is that of a call as the API sees it: who clicked to call has called
// out, whoever it was.
func direction(c *pbx.CDR) pbx.Direction {
	if c.Callback {
		return pbx.Out
	}
	return c.Direction
}

// answerer is who took the call first, nil when nobody did.
func answerer(c *pbx.CDR) *pbx.Participant {
	var first *pbx.Participant
	for i := range c.Parties {
		p := &c.Parties[i]
		if p.Answered != nil && (first == nil || p.Answered.Before(*first.Answered)) {
			first = p
		}
	}
	return first
}

// party is a number as it may stand in a SIP address and in a log of steps.
func party(number string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(";:@<>\"", r) {
			return -1
		}
		return r
	}, crm.Clean(number, maxSession))
}

// sessionLog gives the steps of a call: the seconds since it began, what happened (ct:
// dialled to, cc: connected, cd: it is over with that party) and with whom. A phone
// that is called has one of each at most, the second where it talked.
func sessionLog(began time.Time, trace []pbx.CallEvent) string {
	var b strings.Builder
	step := func(at time.Time, code, who string) {
		fmt.Fprintf(&b, "%d:%s:%s;", max(0, int(at.Sub(began)/time.Second)), code, party(who))
	}
	open := map[pbx.LegID]string{} // who was dialled and is not gone
	talks := map[pbx.LegID]bool{}
	for _, e := range trace {
		switch e.Kind {
		case pbx.CallerDialled, pbx.Dialled, pbx.Entered:
			open[e.Leg] = e.Who
			step(e.At, "ct", e.Who)
		case pbx.Bridged:
			if who, dialled := open[e.Leg]; dialled && !talks[e.Leg] {
				talks[e.Leg] = true
				step(e.At, "cc", who)
			}
		case pbx.LegEnded:
			if who, dialled := open[e.Leg]; dialled {
				delete(open, e.Leg)
				step(e.At, "cd", who)
			}
		}
	}
	return b.String()
}
