package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"vpbx/pbx"
)

type inOriginate struct {
	InTenant
	Body struct {
		_    struct{} `additionalProperties:"false"`
		From string   `json:"from" minLength:"1" maxLength:"32" doc:"Extension that rings first"`
		To   string   `json:"to" minLength:"1" maxLength:"64" doc:"Number that is dialled for it then: internal, or outside as people of the company's country write it"`
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
}

func (s *Server) originate(ctx context.Context, q *request, in *inOriginate) (*originateOut, error) {
	id, err := s.c.Live.Originate(ctx, pbx.Originate{Tenant: q.tenant(), From: in.Body.From, To: in.Body.To})
	if err != nil {
		return nil, err
	}
	out := &originateOut{Location: "/api/v1/tenants/" + string(q.tenant()) + "/calls/" + string(id)}
	out.Body.ID = id
	return out, nil
}

func (s *Server) hangup(_ context.Context, q *request, in *InCall) (*struct{}, error) {
	return nil, s.c.Live.Hangup(q.tenant(), in.ID)
}
