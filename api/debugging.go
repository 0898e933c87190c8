package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"vpbx/pbx"
)

const (
	debugDefault = 3600  // seconds
	debugMost    = 86400 // likewise
)

type inExchanges struct {
	InTenant
	InPage
	Method    string `query:"method" enum:"all,call_events,call_back,get_record,users_info,call_info,get_number_info,number_info" doc:"Only requests of that method; number_info is get_number_info"`
	Direction string `query:"direction" enum:"all,to_crm,from_crm" doc:"Only requests of ours to the CRM, or only those of the CRM"`
	After     int64  `query:"after" minimum:"0" doc:"Only what came behind the exchange of that id: for a refresh"`
}

// Debugging says whether all exchanges are kept.
type Debugging struct {
	On    bool       `json:"on" doc:"Whether every request between us and the CRM is kept; tests always are"`
	Until *time.Time `json:"until" doc:"When that ends by itself"`
}

type outDebugging struct {
	Body Debugging
}

type inDebugging struct {
	InTenant
	Body struct {
		_       struct{} `additionalProperties:"false"`
		On      bool     `json:"on"`
		Seconds int      `json:"seconds,omitempty" default:"3600" minimum:"1" maximum:"86400" doc:"How long"`
	} `nameHint:"SetDebugging"`
}

type outCleared struct {
	Body struct {
		Exchanges int `json:"exchanges" doc:"How many were forgotten"`
	} `nameHint:"Cleared"`
}

func (s *Server) addDebugging() {
	handle(s, ReadExchanges, huma.Operation{
		OperationID: "get-integration-debugging", Method: http.MethodGet, Path: integrationAdminPath + "/debug",
		Tags: []string{"integration"}, Summary: "Says whether every request between us and the CRM is kept",
	}, s.debugging)
	handle(s, DebugIntegration, huma.Operation{
		OperationID: "set-integration-debugging", Method: http.MethodPut, Path: integrationAdminPath + "/debug",
		Tags: []string{"integration"}, Summary: "Keeps every request between us and the CRM for a time, or no longer",
		Description: "What is kept holds personal data: numbers and names of those who call. It is forgotten after seven days.",
	}, s.setDebugging)
	handle(s, ReadExchanges, huma.Operation{
		OperationID: "list-integration-log", Method: http.MethodGet, Path: integrationAdminPath + "/log",
		Tags: []string{"integration"}, Summary: "Lists the requests between us and the CRM that are kept, with their answers, newest first",
	}, s.exchanges)
	handle(s, DebugIntegration, huma.Operation{
		OperationID: "clear-integration-log", Method: http.MethodDelete, Path: integrationAdminPath + "/log",
		Tags: []string{"integration"}, Summary: "Forgets all that is kept of this company", DefaultStatus: http.StatusOK,
	}, s.clearExchanges)
}

func (s *Server) debugging(_ context.Context, q *request, _ *InTenant) (*outDebugging, error) {
	return debuggingOf(q, s.c.IntegrationAdmin.Debugging(q.tenant())), nil
}

func debuggingOf(q *request, until time.Time) *outDebugging {
	out := &outDebugging{}
	if !until.IsZero() {
		local := until.In(zoneOf(q.company))
		out.Body = Debugging{On: true, Until: &local}
	}
	return out
}

func (s *Server) setDebugging(ctx context.Context, q *request, in *inDebugging) (*outDebugging, error) {
	length := time.Duration(0)
	if in.Body.On {
		length = time.Duration(in.Body.Seconds) * time.Second
	}
	until, err := s.c.IntegrationAdmin.Debug(ctx, q.tenant(), length)
	if err != nil {
		return nil, err
	}
	q.log.Info("audit: debugging of the integration API", "tenant", q.tenant(), "for", length, "by", q.who.Name, "role", q.who.Role)
	return debuggingOf(q, until), nil
}

func (s *Server) exchanges(ctx context.Context, q *request, in *inExchanges) (*listOut[pbx.Exchange], error) {
	query := pbx.ExchangeQuery{Limit: in.Limit, Cursor: in.Cursor, After: in.After}
	if in.Method != "all" {
		query.Method = methodOf(in.Method)
	}
	if in.Direction != "all" {
		query.Direction = pbx.ExchangeDirection(in.Direction)
	}
	items, next, err := s.c.IntegrationAdmin.Exchanges(ctx, q.tenant(), query)
	if err != nil {
		return nil, err
	}
	zone := zoneOf(q.company)
	for i := range items {
		items[i].At = items[i].At.In(zone)
	}
	return &listOut[pbx.Exchange]{Body: List[pbx.Exchange]{Items: items, Next: next}}, nil
}

func (s *Server) clearExchanges(ctx context.Context, q *request, _ *InTenant) (*outCleared, error) {
	n, err := s.c.IntegrationAdmin.ClearExchanges(ctx, q.tenant())
	if err != nil {
		return nil, err
	}
	q.log.Info("audit: log of the integration API cleared", "tenant", q.tenant(), "exchanges", n, "by", q.who.Name, "role", q.who.Role)
	out := &outCleared{}
	out.Body.Exchanges = n
	return out, nil
}
