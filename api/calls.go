package api

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"vpbx/pbx"
)

const callsPath = "/api/v1/tenants/{tenant}/calls"

type inCalls struct {
	InTenant
	InFilter
	InPage
	Live bool `query:"live" doc:"The calls that are going on instead of those that ended; the filters but time and outcome apply"`
}

// CallRecord is what is known of an ended call: its record and its trace.
type CallRecord struct {
	pbx.CDR
	Trace  []pbx.CallEvent `json:"trace" nullable:"false" doc:"Everything that happened, in order"`
	Ladder []pbx.Message   `json:"ladder" nullable:"false" doc:"The SIP messages of all legs in the order of time, trimmed and without secrets"`
}

type anyOut struct {
	Body any
}

func (s *Server) addCalls() {
	handle(s, ReadCalls, huma.Operation{
		OperationID: "list-calls", Method: http.MethodGet, Path: callsPath,
		Tags: []string{"calls"}, Summary: "Lists call records, newest first, or with live=true the calls that are going on",
		Responses: oneOf(schemaOf[List[pbx.CDR]](s), schemaOf[List[pbx.CallInfo]](s)),
	}, s.calls)
	handle(s, ReadCalls, huma.Operation{
		OperationID: "get-call", Method: http.MethodGet, Path: callsPath + "/{id}",
		Tags: []string{"calls"}, Summary: "Gives one call: its record with its trace once it ended, a snapshot before",
		Responses: oneOf(schemaOf[CallRecord](s), schemaOf[pbx.CallInfo](s)),
	}, s.call)
}

// oneOf describes an answer that has one of several forms.
func oneOf(forms ...*huma.Schema) map[string]*huma.Response {
	return map[string]*huma.Response{"200": {
		Description: "OK",
		Content:     map[string]*huma.MediaType{"application/json": {Schema: &huma.Schema{OneOf: forms}}},
	}}
}

func (s *Server) calls(ctx context.Context, q *request, in *inCalls) (*anyOut, error) {
	filter, err := in.query(q.company, in.InPage)
	if err != nil {
		return nil, err
	}
	if in.Live {
		return s.liveCalls(q, filter, in.InPage)
	}
	found, next, err := s.c.Records.Calls(ctx, q.tenant(), filter)
	if err != nil {
		return nil, err
	}
	loc := zoneOf(q.company)
	items := make([]pbx.CDR, len(found))
	for i, c := range found {
		items[i] = recordInZone(c, loc)
	}
	return &anyOut{Body: List[pbx.CDR]{Items: items, Next: next}}, nil
}

func (s *Server) liveCalls(q *request, filter pbx.CallQuery, in InPage) (*anyOut, error) {
	loc := zoneOf(q.company)
	items := []pbx.CallInfo{}
	for _, c := range s.c.Live.Live(q.tenant()) {
		if liveMatches(c, filter) {
			items = append(items, liveInZone(c, loc))
		}
	}
	newest := func(a, b string) int { return strings.Compare(b, a) } // ids sort by time
	body, err := page(items, func(c pbx.CallInfo) string { return string(c.ID) }, newest, in)
	if err != nil {
		return nil, err
	}
	return &anyOut{Body: body}, nil
}

func liveMatches(c pbx.CallInfo, f pbx.CallQuery) bool {
	if f.Direction != "" && c.Direction != f.Direction {
		return false
	}
	return f.Number == "" || c.From == f.Number || c.To == f.Number || c.With == f.Number
}

func (s *Server) call(ctx context.Context, q *request, in *InCall) (*anyOut, error) {
	record, trace, err := s.c.Records.Call(ctx, q.tenant(), in.ID)
	if pbx.KindOf(err) == pbx.NotFound {
		live := s.c.Live.Live(q.tenant())
		if i := slices.IndexFunc(live, func(c pbx.CallInfo) bool { return c.ID == in.ID }); i >= 0 {
			return &anyOut{Body: liveInZone(live[i], zoneOf(q.company))}, nil
		}
		// It may have ended between the two looks; then it is saved by now.
		record, trace, err = s.c.Records.Call(ctx, q.tenant(), in.ID)
	}
	if err != nil {
		return nil, err
	}
	loc := zoneOf(q.company)
	return &anyOut{Body: CallRecord{CDR: recordInZone(record, loc), Trace: traceInZone(trace, loc), Ladder: ladderInZone(record.Ladder, loc)}}, nil
}
