package api

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"vpbx/tenants"
)

// InItem are the path parameters of the routes below an item of a company document.
type InItem struct {
	InTenant
	Key string `path:"key" maxLength:"160" doc:"Name or number of the item"`
}

type inItems struct {
	InTenant
	InPage
}

type inPutItem struct {
	InItem
	InMatch
	RawBody []byte `contentType:"application/json"`
}

type inDeleteItem struct {
	InItem
	InMatch
}

type itemOut[T any] struct {
	ETag string `header:"ETag"`
	Body T
}

// InRules is what replaces the rules of a company.
type inRules struct {
	InTenant
	InMatch
	RawBody []byte `contentType:"application/json"`
}

// Rules are the rules of a company, in their order.
type Rules struct {
	Items []tenants.Rule `json:"items" nullable:"false" doc:"The first that fits wins"`
}

// addSections adds the routes for the parts of a company document that are edited by
// themselves.
func (s *Server) addSections() {
	addSection(s, "menus", "menu", tenants.Menus)
	addSection(s, "groups", "group", tenants.Groups)
	addSection(s, "schedules", "schedule", tenants.Schedules)
	handle(s, ReadTenant, huma.Operation{
		OperationID: "get-rules", Method: http.MethodGet, Path: tenantPath + "/rules",
		Tags: []string{"tenants"}, Summary: "Gives the rules of a company, all in their order",
	}, s.rules)
	handle(s, WriteTenant, huma.Operation{
		OperationID: "put-rules", Method: http.MethodPut, Path: tenantPath + "/rules", SkipValidateBody: true,
		Tags: []string{"tenants"}, Summary: "Replaces the rules of a company",
		RequestBody: &huma.RequestBody{Content: map[string]*huma.MediaType{"application/json": {Schema: schemaOf[Rules](s)}}},
	}, s.putRules)
}

// addSection adds the four routes of a section. What is put is checked with the whole
// document: mistakes are told by their path within the item, or within the document
// where they are elsewhere.
func addSection[T any](s *Server, name, noun string, section tenants.Section[T]) {
	list, item := tenantPath+"/"+name, tenantPath+"/"+name+"/{key}"
	handle(s, ReadTenant, huma.Operation{
		OperationID: "list-" + name, Method: http.MethodGet, Path: list,
		Tags: []string{"tenants"}, Summary: "Lists the " + name + " of a company",
	}, func(_ context.Context, q *request, in *inItems) (*listOut[T], error) {
		body, err := page(section.Items(tenants.FromCompany(q.company)), section.Key, strings.Compare, in.InPage)
		if err != nil {
			return nil, err
		}
		return &listOut[T]{Body: body}, nil
	})
	handle(s, ReadTenant, huma.Operation{
		OperationID: "get-" + noun, Method: http.MethodGet, Path: item,
		Tags: []string{"tenants"}, Summary: "Gives a " + noun + ", and the ETag for changing it",
	}, func(_ context.Context, q *request, in *InItem) (*itemOut[T], error) {
		body, err := section.Item(tenants.FromCompany(q.company), in.Key)
		if err != nil {
			return nil, err
		}
		return &itemOut[T]{ETag: etag(body), Body: body}, nil
	})
	handle(s, WriteTenant, huma.Operation{
		OperationID: "put-" + noun, Method: http.MethodPut, Path: item, SkipValidateBody: true,
		Tags: []string{"tenants"}, Summary: "Makes a " + noun + ", or makes it what the body says",
		RequestBody: &huma.RequestBody{Content: map[string]*huma.MediaType{"application/json": {Schema: schemaOf[T](s)}}},
	}, func(ctx context.Context, q *request, in *inPutItem) (*changesOut, error) {
		edit, err := section.Put(in.Key, in.RawBody, in.condition())
		if err != nil {
			return nil, err
		}
		return s.edit(ctx, q, name, in.Key, edit)
	})
	handle(s, WriteTenant, huma.Operation{
		OperationID: "delete-" + noun, Method: http.MethodDelete, Path: item,
		Tags: []string{"tenants"}, Summary: "Removes a " + noun + " that nothing leads to",
	}, func(ctx context.Context, q *request, in *inDeleteItem) (*changesOut, error) {
		return s.edit(ctx, q, name, in.Key, section.Remove(in.Key, in.condition()))
	})
}

func (s *Server) rules(_ context.Context, q *request, _ *InTenant) (*itemOut[Rules], error) {
	list := tenants.FromCompany(q.company).Rules
	return &itemOut[Rules]{ETag: etag(list), Body: Rules{Items: slices.Concat([]tenants.Rule{}, list)}}, nil
}

func (s *Server) putRules(ctx context.Context, q *request, in *inRules) (*changesOut, error) {
	edit, err := tenants.PutRules(in.RawBody, in.condition())
	if err != nil {
		return nil, err
	}
	return s.edit(ctx, q, "rules", "", edit)
}

// edit edits the document of a company and says what that changed.
func (s *Server) edit(ctx context.Context, q *request, section, key string, edit tenants.Edit) (*changesOut, error) {
	changes, err := s.c.Tenants.Edit(ctx, q.tenant(), edit)
	if err != nil {
		return nil, err
	}
	out := &changesOut{}
	if out.Body.Changes = changes; changes == nil {
		out.Body.Changes = tenants.Changes{}
	}
	q.log.Info("company edited", "tenant", q.tenant(), "who", q.who.Name, "section", section, "key", key, "changes", len(changes))
	return out, nil
}
