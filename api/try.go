package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"vpbx/pbx"
)

// Routes says what would become of a call, without one.
type Routes interface {
	// Explain decides as for a call. A question that makes no sense is a pbx.Error
	// of kind Invalid that names the field.
	Explain(ctx context.Context, c *pbx.Company, q pbx.RouteQuestion) (pbx.RoutePlan, error)
}

type inRoute struct {
	InTenant
	Body struct {
		_      struct{} `additionalProperties:"false"`
		From   string   `json:"from,omitempty" maxLength:"64" doc:"Number of a caller from outside; left out: it hides its number"`
		To     string   `json:"to" minLength:"1" maxLength:"64" doc:"Dialled number"`
		At     string   `json:"at,omitempty" maxLength:"40" doc:"Time of the call, RFC 3339; left out: now"`
		Trunk  string   `json:"trunk,omitempty" maxLength:"40" doc:"Trunk that it comes in on"`
		Caller string   `json:"caller,omitempty" maxLength:"10" doc:"Extension that dials, in the place of from"`
		Owner  string   `json:"owner,omitempty" maxLength:"32" doc:"Owner that the CRM is supposed to name; left out: it does not know the caller"`
		AskCRM bool     `json:"ask_crm,omitempty" doc:"Ask the CRM, where the rule does"`
	} `nameHint:"RouteQuestion"`
}

type routeOut struct {
	Body pbx.RoutePlan
}

func (s *Server) addTry() {
	handle(s, TryRoute, huma.Operation{
		OperationID: "try-route", Method: http.MethodPost, Path: tenantPath + "/route",
		Tags: []string{"calls"}, Summary: "Says what would become of a call, and why, without one",
	}, s.tryRoute)
}

func (s *Server) tryRoute(ctx context.Context, q *request, in *inRoute) (*routeOut, error) {
	b := &in.Body
	at := time.Now()
	if b.At != "" {
		var err error
		if at, err = time.Parse(time.RFC3339, b.At); err != nil {
			return nil, invalid("at", "must be a time such as 2027-01-05T10:00:00+03:00")
		}
	}
	plan, err := s.c.Routes.Explain(ctx, q.company, pbx.RouteQuestion{From: plus(b.From), To: plus(b.To), At: at, Trunk: b.Trunk,
		Caller: b.Caller, Owner: b.Owner, AskCRM: b.AskCRM})
	if err != nil {
		return nil, err
	}
	return &routeOut{Body: plan}, nil
}
