package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"vpbx/pbx"
)

type statusOut struct {
	Body struct {
		Status string `json:"status" doc:"Always ok; an error otherwise"`
	} `nameHint:"Status"`
}

// addHealth registers what a supervisor, a load balancer and a metrics
// collector ask for. None of it needs a token.
func (s *Server) addHealth() {
	handle(s, Open, huma.Operation{
		OperationID: "healthz", Method: http.MethodGet, Path: "/healthz", Tags: []string{"health"},
		Summary: "Says that the process lives",
	}, s.healthz)
	handle(s, Open, huma.Operation{
		OperationID: "readyz", Method: http.MethodGet, Path: "/readyz", Tags: []string{"health"},
		Summary: "Says that calls are taken; 503 with the reason while they are not",
	}, s.readyz)
	s.add(route{http.MethodGet, "/metrics", Open}, s.metrics.handler.ServeHTTP)
}

func (s *Server) healthz(context.Context, *request, *struct{}) (*statusOut, error) {
	out := &statusOut{}
	out.Body.Status = "ok"
	return out, nil
}

func (s *Server) readyz(context.Context, *request, *struct{}) (*statusOut, error) {
	if err := s.c.Ready(); err != nil {
		e := &pbx.Error{Kind: pbx.Unavailable, Msg: err.Error()}
		var own *pbx.Error
		if errors.As(err, &own) {
			e.Msg, e.Err = own.Msg, own.Err // what is behind it is for the log
		}
		return nil, e
	}
	out := &statusOut{}
	out.Body.Status = "ok"
	return out, nil
}
