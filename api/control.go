package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"vpbx/pbx"
)

// maxVariable bounds the name and the value of a variable in bytes.
const maxVariable = 400

type inOriginate struct {
	InTenant
	Body struct {
		_    struct{} `additionalProperties:"false"`
		From string   `json:"from" minLength:"1" maxLength:"32" doc:"Extension that rings first"`
		To   string   `json:"to" minLength:"1" maxLength:"64" doc:"Number that is dialled for it then: internal, or outside as people of the company's country write it"`

		Variables map[string]string `json:"variables,omitempty" maxProperties:"50" doc:"Values for the texts that are spoken in the call, by name"`
	} `nameHint:"Originate"`
}

type originateOut struct {
	Location string `header:"Location"`
	Body     struct {
		ID pbx.CallID `json:"id" doc:"Id of the call"`
	} `nameHint:"Originated"`
}

func (s *Server) addControl() {
	handle(s, ControlCalls, huma.Operation{
		OperationID: "originate-call", Method: http.MethodPost, Path: callsPath, DefaultStatus: http.StatusAccepted,
		Tags: []string{"calls"}, Summary: "Begins a call: rings an extension, then dials the other number for it",
	}, s.originate)
	handle(s, ControlCalls, huma.Operation{
		OperationID: "hang-up-call", Method: http.MethodPost, Path: callsPath + "/{id}/hangup", DefaultStatus: http.StatusNoContent,
		Tags: []string{"calls"}, Summary: "Ends a call that is going on",
	}, s.hangup)
	handle(s, ControlCalls, liveOperation("transfer", "transfer-call", "Sends the other side of an extension on, to a number or into another call of that extension"), s.transfer)
	handle(s, ControlCalls, liveOperation("hold", "hold-call", "Lets the other side of an extension wait"), s.hold)
	handle(s, ControlCalls, liveOperation("resume", "resume-call", "Takes back who was put on hold by the API"), s.resume)
	handle(s, ControlCalls, liveOperation("dtmf", "press-keys", "Sends keys to one of those who talk"), s.press)
	handle(s, ControlCalls, liveOperation("record", "record-call", "Begins, ends, pauses or resumes the recording of a call"), s.record)
	s.addSupervision(pbx.Listen, "Rings an extension and lets it hear both sides of a call")
	s.addSupervision(pbx.Whisper, "Rings an extension and lets it hear both sides and be heard by one")
	s.addSupervision(pbx.Barge, "Rings an extension and lets it hear both sides and be heard by both")
}

func (s *Server) addSupervision(mode pbx.Supervision, summary string) {
	o := liveOperation(string(mode), string(mode)+"-call", summary)
	o.DefaultStatus = http.StatusAccepted
	handle(s, ControlCalls, o, func(ctx context.Context, q *request, in *inSupervise) (*originateOut, error) {
		id, err := s.c.Control.Supervise(ctx, q.tenant(), pbx.Supervise{Call: in.ID, From: in.Body.From, Mode: mode, To: in.Body.To})
		if err != nil {
			return nil, err
		}
		return originated(q, id), nil
	})
}

type inSupervise struct {
	InCall
	Body struct {
		_    struct{} `additionalProperties:"false"`
		From string   `json:"from" minLength:"1" maxLength:"32" doc:"Extension of the supervisor, which is rung"`
		To   string   `json:"to,omitempty" maxLength:"64" doc:"Who hears the whisper; left out: the extension, where only one talks"`
	} `nameHint:"Supervise"`
}

// liveOperation describes a route that changes a call that is going on.
func liveOperation(verb, id, summary string) huma.Operation {
	return huma.Operation{OperationID: id, Method: http.MethodPost, Path: callsPath + "/{id}/" + verb, DefaultStatus: http.StatusNoContent,
		Tags: []string{"calls"}, Summary: summary}
}

type inTransfer struct {
	InCall
	Body struct {
		_    struct{}   `additionalProperties:"false"`
		By   string     `json:"by,omitempty" maxLength:"32" doc:"Extension that transfers; may be left out where only one extension talks"`
		To   string     `json:"to,omitempty" maxLength:"64" doc:"Number to call for the other side, or a park orbit (*50 to *59)"`
		With pbx.CallID `json:"with,omitempty" maxLength:"64" doc:"Instead: another call of the same extension, whose other side is to talk on (attended transfer)"`
	} `nameHint:"Transfer"`
}

func (s *Server) transfer(ctx context.Context, q *request, in *inTransfer) (*struct{}, error) {
	if (in.Body.To == "") == (in.Body.With == "") {
		return nil, &pbx.Error{Kind: pbx.Invalid, Field: "to", Msg: "one of to and with is needed"}
	}
	return nil, s.c.Control.Transfer(ctx, q.tenant(), in.ID, pbx.Transfer{By: in.Body.By, To: in.Body.To, With: in.Body.With})
}

type inHold struct {
	InCall
	Body *struct {
		_  struct{} `additionalProperties:"false"`
		By string   `json:"by,omitempty" maxLength:"32" doc:"Who holds; may be left out where only one extension talks"`
	} `nameHint:"Hold"`
}

func (s *Server) hold(ctx context.Context, q *request, in *inHold) (*struct{}, error) {
	by := ""
	if in.Body != nil {
		by = in.Body.By
	}
	return nil, s.c.Control.Hold(ctx, q.tenant(), in.ID, by)
}

func (s *Server) resume(ctx context.Context, q *request, in *InCall) (*struct{}, error) {
	return nil, s.c.Control.Resume(ctx, q.tenant(), in.ID)
}

type inPress struct {
	InCall
	Body struct {
		_      struct{} `additionalProperties:"false"`
		To     string   `json:"to,omitempty" maxLength:"64" doc:"Who is to hear them; left out: who is outside"`
		Digits string   `json:"digits" minLength:"1" maxLength:"32" pattern:"^[0-9*#A-D]+$" doc:"Keys, sent one after the other, five a second"`
	} `nameHint:"Keys"`
}

func (s *Server) press(ctx context.Context, q *request, in *inPress) (*struct{}, error) {
	return nil, s.c.Control.Press(ctx, q.tenant(), in.ID, in.Body.To, in.Body.Digits)
}

type inRecord struct {
	InCall
	Body struct {
		_   struct{}         `additionalProperties:"false"`
		On  *bool            `json:"on,omitempty" doc:"true begins, false ends: the short form of do"`
		Do  pbx.RecordAction `json:"do,omitempty" enum:"on,off,pause,resume" doc:"Begin, end, leave out what is said from now on, or record it again"`
		For int              `json:"for,omitempty" minimum:"1" maximum:"3600" doc:"Of pause: seconds after which it ends by itself; left out: as the company says"`
	} `nameHint:"Record"`
}

func (s *Server) record(ctx context.Context, q *request, in *inRecord) (*struct{}, error) {
	o := pbx.RecordOrder{Do: in.Body.Do, For: time.Duration(in.Body.For) * time.Second}
	switch on := in.Body.On; {
	case (on == nil) == (o.Do == ""):
		return nil, &pbx.Error{Kind: pbx.Invalid, Field: "do", Msg: "one of do and on is needed"}
	case on != nil && *on:
		o.Do = pbx.RecordOn
	case on != nil:
		o.Do = pbx.RecordOff
	}
	if o.For != 0 && o.Do != pbx.RecordHalt {
		return nil, &pbx.Error{Kind: pbx.Invalid, Field: "for", Msg: "goes with pause only"}
	}
	return nil, s.c.Control.Record(ctx, q.tenant(), in.ID, o)
}

func (s *Server) originate(ctx context.Context, q *request, in *inOriginate) (*originateOut, error) {
	for name, v := range in.Body.Variables {
		if len(name) > maxVariable || len(v) > maxVariable {
			return nil, invalid("variables", "a name or a value is longer than %d bytes", maxVariable)
		}
	}
	id, err := s.c.Live.Originate(ctx, pbx.Originate{Tenant: q.tenant(), From: in.Body.From, To: in.Body.To, Variables: in.Body.Variables})
	if err != nil {
		return nil, err
	}
	return originated(q, id), nil
}

// originated tells of a call that was begun.
func originated(q *request, id pbx.CallID) *originateOut {
	out := &originateOut{Location: "/api/v1/tenants/" + string(q.tenant()) + "/calls/" + string(id)}
	out.Body.ID = id
	return out
}

func (s *Server) hangup(_ context.Context, q *request, in *InCall) (*struct{}, error) {
	return nil, s.c.Live.Hangup(q.tenant(), in.ID)
}
