package api

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"vpbx/pbx"
)

const conferencesPath = "/api/v1/tenants/{tenant}/conferences"

// InConference are the path parameters of the routes below a conference.
type InConference struct {
	InTenant
	Number string `path:"number" maxLength:"64" doc:"Number of the conference; of one that was made of a call, the id of that call"`
}

type inMember struct {
	InConference
	Body struct {
		_    struct{}   `additionalProperties:"false"`
		Call pbx.CallID `json:"call" minLength:"1" maxLength:"64" doc:"The call of the member"`
	} `nameHint:"ConferenceMemberCall"`
}

type inMembers struct {
	InConference
	Body *struct {
		_    struct{}   `additionalProperties:"false"`
		Call pbx.CallID `json:"call,omitempty" maxLength:"64" doc:"The call of the member; left out: all but the moderators"`
	} `nameHint:"ConferenceMemberCalls"`
}

type inGain struct {
	InConference
	Body struct {
		_    struct{}   `additionalProperties:"false"`
		Call pbx.CallID `json:"call" minLength:"1" maxLength:"64" doc:"The call of the member"`
		Gain float64    `json:"gain" minimum:"-20" maximum:"20" doc:"dB by which the member is heard louder"`
	} `nameHint:"ConferenceGain"`
}

type inConferenceRecord struct {
	InConference
	Body struct {
		_  struct{} `additionalProperties:"false"`
		On bool     `json:"on" doc:"Begin or end"`
	} `nameHint:"ConferenceRecord"`
}

type inInvite struct {
	InConference
	Body struct {
		_    struct{} `additionalProperties:"false"`
		To   string   `json:"to" minLength:"1" maxLength:"64" doc:"Extension, group or outside number to call into the conference"`
		From string   `json:"from,omitempty" maxLength:"32" doc:"Extension by whose rights, limits and number an outside number is called; left out: the company's"`
	} `nameHint:"ConferenceInvite"`
}

type inConferenceOf struct {
	InCall
	Body *struct {
		_      struct{} `additionalProperties:"false"`
		Number string   `json:"number,omitempty" maxLength:"64" doc:"A conference; left out: one of their own, whose number is the id of the call"`
	} `nameHint:"ConferenceOf"`
}

type conferenceOfOut struct {
	Body struct {
		Number string `json:"number" doc:"Number of the conference"`
	} `nameHint:"ConferenceMade"`
}

type conferenceOut struct {
	Body pbx.ConferenceInfo
}

func (s *Server) addConferences() {
	handle(s, ReadCalls, huma.Operation{
		OperationID: "list-conferences", Method: http.MethodGet, Path: conferencesPath,
		Tags: []string{"conferences"}, Summary: "Lists the conferences that are going on",
	}, func(_ context.Context, q *request, _ *InTenant) (*listOut[pbx.ConferenceInfo], error) {
		return &listOut[pbx.ConferenceInfo]{Body: List[pbx.ConferenceInfo]{Items: s.conferences(q)}}, nil
	})
	handle(s, ReadCalls, huma.Operation{
		OperationID: "get-conference", Method: http.MethodGet, Path: conferencesPath + "/{number}",
		Tags: []string{"conferences"}, Summary: "Gives a conference that is going on, with its members",
	}, s.conference)
	handle(s, ControlCalls, ofConference("mute", "Lets a member, or all but the moderators, not be heard"), s.muting(pbx.ConferenceMute))
	handle(s, ControlCalls, ofConference("unmute", "Lets a member, or all but the moderators, be heard"), s.muting(pbx.ConferenceUnmute))
	handle(s, ControlCalls, ofConference("kick", "Removes a member"), s.kick)
	handle(s, ControlCalls, ofConference("gain", "Makes a member louder or softer for the others"), s.gain)
	handle(s, ControlCalls, ofConference("lock", "Lets nobody else in but moderators"), s.simply(pbx.ConferenceLock))
	handle(s, ControlCalls, ofConference("unlock", "Lets others in again"), s.simply(pbx.ConferenceUnlock))
	handle(s, ControlCalls, ofConference("record", "Begins or ends the recording"), s.recordConference)
	handle(s, ControlCalls, ofConference("end", "Removes everybody"), s.simply(pbx.ConferenceEnd))
	invite := ofConference("invite", "Calls somebody into a conference, one that is configured or goes on")
	invite.DefaultStatus = http.StatusAccepted
	handle(s, ControlCalls, invite, s.invite)
	of := liveOperation("conference", "make-conference", "Makes a conference of the two who talk")
	of.DefaultStatus = http.StatusOK
	handle(s, ControlCalls, of, s.conferenceOf)
}

// ofConference describes a route that changes a conference that is going on.
func ofConference(verb, summary string) huma.Operation {
	return huma.Operation{OperationID: verb + "-conference", Method: http.MethodPost, Path: conferencesPath + "/{number}/" + verb,
		DefaultStatus: http.StatusNoContent, Tags: []string{"conferences"}, Summary: summary}
}

// conferences lists those of the company, in its zone.
func (s *Server) conferences(q *request) []pbx.ConferenceInfo {
	list, loc := s.c.Conferences.Conferences(q.tenant()), zoneOf(q.company)
	for i := range list {
		list[i] = conferenceInZone(list[i], loc)
	}
	return list
}

func conferenceInZone(c pbx.ConferenceInfo, loc *time.Location) pbx.ConferenceInfo {
	c.Started = c.Started.In(loc)
	for i := range c.Members {
		c.Members[i].Joined = c.Members[i].Joined.In(loc)
	}
	return c
}

func (s *Server) conference(_ context.Context, q *request, in *InConference) (*conferenceOut, error) {
	list := s.conferences(q)
	i := slices.IndexFunc(list, func(c pbx.ConferenceInfo) bool { return c.Number == in.Number })
	if i < 0 {
		return nil, &pbx.Error{Kind: pbx.NotFound, Msg: "no such conference goes on"}
	}
	return &conferenceOut{Body: list[i]}, nil
}

func (s *Server) change(ctx context.Context, q *request, in InConference, x pbx.ConferenceChange) (*struct{}, error) {
	return nil, s.c.Conferences.ChangeConference(ctx, q.tenant(), in.Number, x)
}

// simply changes a conference as such.
func (s *Server) simply(do pbx.ConferenceVerb) func(context.Context, *request, *InConference) (*struct{}, error) {
	return func(ctx context.Context, q *request, in *InConference) (*struct{}, error) {
		return s.change(ctx, q, *in, pbx.ConferenceChange{Do: do})
	}
}

func (s *Server) muting(do pbx.ConferenceVerb) func(context.Context, *request, *inMembers) (*struct{}, error) {
	return func(ctx context.Context, q *request, in *inMembers) (*struct{}, error) {
		x := pbx.ConferenceChange{Do: do}
		if in.Body != nil {
			x.Call = in.Body.Call
		}
		return s.change(ctx, q, in.InConference, x)
	}
}

func (s *Server) kick(ctx context.Context, q *request, in *inMember) (*struct{}, error) {
	return s.change(ctx, q, in.InConference, pbx.ConferenceChange{Do: pbx.ConferenceKick, Call: in.Body.Call})
}

func (s *Server) gain(ctx context.Context, q *request, in *inGain) (*struct{}, error) {
	return s.change(ctx, q, in.InConference, pbx.ConferenceChange{Do: pbx.ConferenceGain, Call: in.Body.Call, Gain: in.Body.Gain})
}

func (s *Server) recordConference(ctx context.Context, q *request, in *inConferenceRecord) (*struct{}, error) {
	return s.change(ctx, q, in.InConference, pbx.ConferenceChange{Do: pbx.ConferenceRecord, On: in.Body.On})
}

func (s *Server) invite(ctx context.Context, q *request, in *inInvite) (*originateOut, error) {
	id, err := s.c.Conferences.Invite(ctx, q.tenant(), pbx.ConferenceInvite{Number: in.Number, To: in.Body.To, From: in.Body.From})
	if err != nil {
		return nil, err
	}
	return originated(q, id), nil
}

func (s *Server) conferenceOf(ctx context.Context, q *request, in *inConferenceOf) (*conferenceOfOut, error) {
	number := ""
	if in.Body != nil {
		number = in.Body.Number
	}
	number, err := s.c.Conferences.ConferenceOf(ctx, q.tenant(), in.ID, number)
	if err != nil {
		return nil, err
	}
	out := &conferenceOfOut{}
	out.Body.Number = number
	return out, nil
}
