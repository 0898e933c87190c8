package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"vpbx/pbx"
)

type inRegistrations struct {
	InTenant
	InPage
}

func (s *Server) addRegistrations() {
	handle(s, ReadRegistrations, huma.Operation{
		OperationID: "list-registrations", Method: http.MethodGet, Path: "/api/v1/tenants/{tenant}/registrations",
		Tags: []string{"registrations"}, Summary: "Lists who is registered, from where, until when",
	}, s.registrations)
}

func (s *Server) registrations(_ context.Context, q *request, in *inRegistrations) (*listOut[pbx.Binding], error) {
	found := s.c.Registrations(q.tenant())
	loc := zoneOf(q.company)
	items := make([]pbx.Binding, len(found))
	for i, b := range found {
		items[i] = bindingInZone(b, loc)
	}
	key := func(b pbx.Binding) string { return b.Extension + " " + b.CallID + " " + b.Contact }
	body, err := page(items, key, strings.Compare, in.InPage)
	if err != nil {
		return nil, err
	}
	return &listOut[pbx.Binding]{Body: body}, nil
}
