package api

import (
	"context"
	"net/http"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"vpbx/pbx"
	"vpbx/tenants"
)

const tenantPath = "/api/v1/tenants/{tenant}"

// Company is one line of the list of companies.
type Company struct {
	Tenant pbx.TenantID `json:"tenant" doc:"Id of the company"`
	Domain string       `json:"domain" doc:"SIP domain and digest realm"`
	Name   string       `json:"name"`
}

type inDocument struct {
	InTenant
	InMatch
	RawBody []byte `contentType:"application/yaml"`
}

type documentOut struct {
	ETag string `header:"ETag"`
	Body *tenants.Document
}

type changesOut struct {
	Body struct {
		Changes tenants.Changes `json:"changes" nullable:"false" doc:"What was added, changed and removed; empty when nothing differed"`
	} `nameHint:"Applied"`
}

func (s *Server) addTenants() {
	handle(s, ListTenants, huma.Operation{
		OperationID: "list-tenants", Method: http.MethodGet, Path: "/api/v1/tenants",
		Tags: []string{"tenants"}, Summary: "Lists the companies",
	}, s.listTenants)
	handle(s, ReadTenant, huma.Operation{
		OperationID: "get-tenant", Method: http.MethodGet, Path: tenantPath,
		Tags: []string{"tenants"}, Summary: "Gives the company document, without its passwords",
	}, s.tenant)
	handle(s, WriteTenant, huma.Operation{
		OperationID: "put-tenant", Method: http.MethodPut, Path: tenantPath, SkipValidateBody: true,
		Tags: []string{"tenants"}, Summary: "Makes a company what the document says; applying it again changes nothing",
		RequestBody: &huma.RequestBody{Content: map[string]*huma.MediaType{"application/json": {Schema: schemaOf[tenants.Document](s)}}},
	}, s.putTenant)
	handle(s, RemoveTenant, huma.Operation{
		OperationID: "delete-tenant", Method: http.MethodDelete, Path: tenantPath,
		Tags: []string{"tenants"}, Summary: "Removes a company; its call records stay",
	}, s.deleteTenant)
}

func (s *Server) listTenants(_ context.Context, _ *request, in *InPage) (*listOut[Company], error) {
	companies := s.c.Companies.Directory().Companies()
	items := make([]Company, len(companies))
	for i, c := range companies {
		items[i] = Company{Tenant: c.ID, Domain: c.Domain, Name: c.Name}
	}
	body, err := page(items, func(c Company) string { return string(c.Tenant) }, strings.Compare, *in)
	if err != nil {
		return nil, err
	}
	return &listOut[Company]{Body: body}, nil
}

func (s *Server) tenant(ctx context.Context, q *request, _ *InTenant) (*documentOut, error) {
	d, err := s.c.Tenants.Document(ctx, q.tenant())
	if err != nil {
		return nil, err
	}
	return &documentOut{ETag: etag(d), Body: d}, nil
}

// putTenant checks and applies a document, JSON or YAML: one reader takes both.
func (s *Server) putTenant(ctx context.Context, q *request, in *inDocument) (*changesOut, error) {
	d, err := tenants.Parse(in.RawBody, filepath.Join(s.c.Prompts, string(q.tenant())))
	if err != nil {
		return nil, err
	}
	if d.Tenant != q.tenant() {
		return nil, invalid("tenant", "the document is not of the company it was sent for")
	}
	matches := in.condition()
	changes, err := s.c.Tenants.ApplyIf(ctx, d, func(now any) error {
		if err := q.mayApply(d, now); err != nil {
			return err
		}
		return matches(now)
	})
	if err != nil {
		return nil, err
	}
	out := &changesOut{}
	out.Body.Changes = changes
	if changes == nil {
		out.Body.Changes = tenants.Changes{}
	}
	q.log.Info("company document applied", "tenant", q.tenant(), "who", q.who.Name, "changes", len(changes))
	return out, nil
}

// mayApply refuses a company what only an administrator may change of it: its
// limits, which bound what a stolen token can cost, and its domain. now is the document
// that is replaced, in the transaction that does so: what an administrator changes
// meanwhile stays.
func (q *request) mayApply(d *tenants.Document, now any) error {
	err := Allow(q.who, q.tenant(), WriteLimits)
	is, ok := now.(*tenants.Document)
	if err == nil || !ok {
		return err
	}
	switch {
	case !sameLimits(d.Limits, is.Limits):
		return &pbx.Error{Kind: pbx.Denied, Field: "limits", Msg: "only an administrator may change the limits of a company"}
	case !slices.Equal(d.Rates, is.Rates):
		return &pbx.Error{Kind: pbx.Denied, Field: "rates", Msg: "only an administrator may change the rates, which the limits are reckoned by"}
	case !strings.EqualFold(d.Domain, is.Domain):
		return &pbx.Error{Kind: pbx.Denied, Field: "domain", Msg: "only an administrator may change the domain of a company"}
	}
	return nil
}

// sameLimits compares limits; no list is the same as an empty one.
func sameLimits(a, b tenants.Limits) bool {
	same := slices.Equal(a.Barred, b.Barred)
	a.Barred, b.Barred = nil, nil
	return same && reflect.DeepEqual(a, b)
}

func (s *Server) deleteTenant(ctx context.Context, q *request, _ *InTenant) (*struct{}, error) {
	if err := s.c.Tenants.Remove(ctx, q.tenant()); err != nil {
		return nil, err
	}
	q.log.Info("company removed", "tenant", q.tenant(), "who", q.who.Name)
	return nil, nil
}

// mistakes lists what is wrong with a document, when err is about that.
func mistakes(err error) []Detail {
	var all []Detail
	for _, m := range tenants.Mistakes(err) {
		all = append(all, Detail{Path: m.Path, Line: m.Line, Message: m.Message})
	}
	return all
}
